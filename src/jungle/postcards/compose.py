"""A species, its picture, its call and its language become one postcard: the only place where the
three meet.

postcards/SLUG/
  record.json        the whole postcard (docs/postcard.schema.json)
  picture.png        the picture, enlarged: the master of everything that is published
  painted.png        the picture as it was painted
  call.flac ...      the call: FLAC, and Opus and M4A for browsers
  phrase_1.opus ...  the phrases, spoken with the animal's own voice
  spectrogram.png    the call, to look at
  stamp.svg          its name in the script of its language
  manifest.json      what all this was made with; written last
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..encoding import audio_files
from ..encoding.colours import dominant_colours
from ..encoding.provenance import Level, Provenance, select_facts, tags, write_provenance
from ..images.upscale import UpscaleStyle, upscale
from ..language import script
from ..language.dialects import make_dialect
from ..language.language import Language
from ..language.language import Utterance as Said
from ..language.names import own_name
from ..language.phonology.vocal_tract import voice_named
from ..language.semantics.meaning import Meaning
from ..mastering.chain import master_clips
from ..records import Call, Glyphs, Phrase, Picture, Postcard, Species
from ..sounds.plots import spectrogram_image as spectrogram
from ..sounds.speech import render_speech
from . import captions
from .calls import EXACT

FOLDER = "postcards"
COLOURS = 3  # that are named
SPECTROGRAM = (640, 200)  # pixels
SIDE = 512  # least short side of the master in pixels
CALL_BITS = {"opus": 64_000, "m4a": 56_000}  # a second: mono, and heard again and again
SPOKEN_BITS = 16_000  # of Opus: one voice, heard once; fifty animals stay under 15 MB


@dataclass(frozen=True, slots=True)
class PlannedPhrase:
    """Something to say in any dialect: what a language model or the family's engine came up
    with.
    """

    meaning: Meaning
    intent: str
    mood: str
    provenance: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PostcardOptions:
    """How the postcards of one jungle are made."""

    phrases: int = 4  # on each
    look: UpscaleStyle = "painterly"
    metadata: Level = "full"


@dataclass(frozen=True, slots=True)
class PostcardInputs:
    """What an animal has before it is on a postcard."""

    species: Species
    picture: Picture
    pixels: NDArray[np.uint8]  # (H, W, 3), as painted
    call: Call
    pcm: NDArray[np.int16]  # (samples, 1) at ``call.rate``, mastered


def make_postcard(
    parts: PostcardInputs, family: Language, told: Sequence[PlannedPhrase], wishes: PostcardOptions
) -> tuple[Postcard, dict[str, bytes]]:
    """The postcard of one animal, and the files of its folder but for the manifest.

    Args:
        family: the language that the dialect of this animal belongs to.
        told: what it says, in its own dialect; empty: phrases of its own.

    The same arguments make the same bytes on the same machine.
    """
    colours = dominant_colours(parts.pixels, COLOURS)
    species = captions.complete_species(parts.species, colours[0].name if colours else "")
    dialect = make_dialect(family, species.seed, voice_named(species.voice)).language
    name = own_name(dialect, species.seed)

    # Phrases of a language model are meanings: the animal says them in its own dialect.
    said = [
        (dialect.say(phrase.meaning, phrase.intent, phrase.mood), phrase.provenance)
        for phrase in told
    ]
    said = said or [(one, "engine") for one in dialect.phrases(wishes.phrases)]
    phrases = tuple(
        _phrase(dialect, one, provenance, number)
        for number, (one, provenance) in enumerate(said, 1)
    )
    card = Postcard(
        species=species,
        own_name=name.text,
        language=dialect.name,
        family=family.name,
        picture=parts.picture,
        call=parts.call,
        phrases=phrases,
        stamp=Glyphs(text=name.text, **script.drawn(name.words)),
        colours=colours,
        alt=captions.alt_text(species, colours),
        call_in_words=captions.call_in_words(parts.call),
        notes=captions.field_notes(species, colours, name.text, name.meaning),
        postmark=captions.postmark(species.seed),
    )

    # Every file tells as much of its origin as the level allows, and the same facts.
    facts = select_facts(captions.facts_of(card), wishes.metadata)
    files = {
        "painted.png": write_provenance(_png(parts.pixels), facts),
        "picture.png": write_provenance(_png(_enlarged(parts.pixels, wishes.look)), facts),
    }
    files |= _call_files(parts, facts) | _spoken(dialect, said, parts, facts)
    files["spectrogram.png"] = _png(spectrogram(_floats(parts.pcm), parts.call.rate, *SPECTROGRAM))
    files["stamp.svg"] = script.svg(name.words, label=name.text).encode()
    files["record.json"] = (
        json.dumps(card.to_json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    ).encode()

    return card, files


def _phrase(language: Language, said: Said, provenance: str, number: int) -> Phrase:
    return Phrase(
        text=said.text,
        parts=said.parts,
        gloss=said.gloss,
        ipa=said.ipa,
        english=said.english,
        intent=said.intent,
        mood=said.mood,
        plan=language.plan(said).to_json(),
        provenance=provenance,
        file=f"phrase_{number}.opus",
    )


def _enlarged(pixels: NDArray[np.uint8], look: UpscaleStyle) -> NDArray[np.uint8]:
    """(H, W, 3) to a short side of at least SIDE pixels, by a whole factor."""
    factor = max(1, -(-SIDE // min(pixels.shape[:2])))
    if factor == 1:
        return pixels
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    large = upscale(x, factor, look)[0].clamp(-1, 1)
    return ((large + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _floats(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    return (pcm / np.float32(32768)).astype(np.float32)


def _call_files(parts: PostcardInputs, facts: Provenance) -> dict[str, bytes]:
    """The call in every form, with as much of the facts as is wanted; its loop stays in the
    record.
    """
    call, told = parts.call, tags(facts)
    sound = _floats(parts.pcm)
    return {
        "call.flac": audio_files.flac(parts.pcm, call.rate, None, told),
        "call.opus": audio_files.opus(sound, call.rate, None, told, CALL_BITS["opus"]),
        "call.m4a": audio_files.aac(sound, call.rate, told, CALL_BITS["m4a"]),
    }


def _spoken(
    language: Language, said: Sequence[tuple[Said, str]], parts: PostcardInputs, facts: Provenance
) -> dict[str, bytes]:
    """Each phrase as the animal says it: its prosody plan, performed with grains of its own
    call.
    """
    call = _floats(parts.pcm)
    seed, rate, told = parts.call.seed, parts.call.rate, tags(facts)
    clips = [render_speech(language.plan(item), call, rate, seed) for item, _ in said]
    return {
        f"phrase_{number}.opus": audio_files.opus(clip.audio, clip.rate, None, told, SPOKEN_BITS)
        for number, clip in enumerate(master_clips(clips, rate, EXACT), 1)
    }
