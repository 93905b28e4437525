"""The embedded engine: phrases of a language that needs no network, no key and no library, and the
files that hold them.
"""

import json
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..storage.atomic import write_bytes, write_json
from .grammar_sketch import write_sketch
from .language import Language, Utterance
from .phonology.vocal_tract import VocalTract, voice_named
from .semantics.meaning import Meaning

PHRASES = "animal_language.txt"  # the array of texts; the other files explain them
MOST = 100_000  # phrases that one call makes


def utterances(seed: int | str, voice: VocalTract | str, count: int) -> list[Utterance]:
    """``count`` different phrases of the language that a seed and a voice decide.

    Raises:
        BadInput: there is no such voice, or the count is no number from 1 to :data:`MOST`.
    """
    if not 1 <= count <= MOST:
        raise BadInput(f"Cannot say {count} phrases: ask for 1 to {MOST}.")
    language = Language(seed, voice_named(voice) if isinstance(voice, str) else voice)
    return list(language.phrases(count))


def array(phrases: Sequence[Utterance]) -> str:
    """The texts as a JSON array that is a Python literal too, one a line."""
    return json.dumps([phrase.text for phrase in phrases], ensure_ascii=False, indent=2) + "\n"


def plain(meaning: Meaning) -> dict[str, Any]:
    """A meaning as plain values, without what is empty."""

    def bare(value: Any) -> Any:
        if isinstance(value, tuple):
            names = value._asdict()  # type: ignore[attr-defined]
            return {
                name: bare(one) for name, one in names.items() if one not in ("", None, 0, False)
            }
        return value

    result: dict[str, Any] = bare(meaning)
    return result


def record(language: Language, phrase: Utterance, provenance: str = "embedded") -> dict[str, Any]:
    """All that is known of a phrase, as plain values; ``provenance``: whose work it is."""
    when = next((intent.when for intent in language.intents if intent.name == phrase.intent), "")
    lines = {
        "text": phrase.text,
        "parts": phrase.parts,
        "gloss": phrase.gloss,
        "ipa": phrase.ipa,
        "english": phrase.english,
    }
    use = {"intent": phrase.intent, "mood": phrase.mood, "when": when, "provenance": provenance}

    # Field order is part of the golden files.
    return {
        **lines,
        **use,
        "meaning": plain(phrase.meaning),
        "prosody": language.plan(phrase).to_json(),
    }


def write_language(
    folder: Path, language: Language, phrases: Sequence[Utterance], provenance: Sequence[str] = ()
) -> list[Path]:
    """Write the four files of a language into a folder, each whole or not at all; the same language
    makes the same bytes.

    ``provenance``: whose work each phrase is; the embedded engine's, if that is not given.

    Raises:
        BadInput: the folder cannot be written.
    """
    paths = [folder / name for name in (PHRASES, "phrases.json", "lexicon.json", "grammar.md")]
    write_bytes(paths[0], array(phrases).encode())

    # One record a phrase, with whose work it is.
    write_json(
        paths[1],
        [
            record(language, *pair)
            for pair in zip(phrases, provenance or repeat("embedded"), strict=False)
        ],
    )
    write_json(
        paths[2],
        {"language": language.name, "voice": language.voice.name, "words": language.lexicon()},
    )
    write_bytes(paths[3], write_sketch(language, phrases).encode())

    return paths
