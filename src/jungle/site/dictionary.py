"""The dictionary page: the words of the family that all dialects of a jungle come from."""

import json
from pathlib import Path

from ..errors import BadInput
from .render import folded
from .sanitize import LINE, NAME, sanitize
from .views import DictionaryEntry

KINDS = {
    "N": "noun", "A": "quality", "Q": "quantity", "I": "verb", "T": "verb with an object",
    "P": "relation", "D": "adverb", "C": "connective", "X": "call",
}  # fmt: skip


def entries(where: Path) -> tuple[DictionaryEntry, ...]:
    """The rows of a lexicon.json in the order of the alphabet; none where there is no such file.

    Raises:
        BadInput: it is damaged.
    """
    try:
        words = json.loads(where.read_text(encoding="utf-8"))["words"]
        results = [
            DictionaryEntry(
                word=sanitize(word["word"], NAME),
                ipa=sanitize(word["ipa"], NAME),
                english=sanitize(word["english"], NAME),
                kind=sanitize(KINDS.get(word["class"], word["class"]), NAME),
                made_of=sanitize(" + ".join(word["made_of"]), LINE),
                gloss=sanitize(word["gloss"], NAME),
            )
            for word in words
        ]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadInput(
            f"The dictionary {where} is damaged ({error}): run  jungle language  again."
        ) from None

    # As people look for words: accents and case do not count.
    return tuple(sorted(results, key=lambda entry: (folded(entry.word), entry.word, entry.english)))
