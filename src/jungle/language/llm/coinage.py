"""Words that a model coins. A language takes them in if they fit; what is already there stays as it
is.
"""

import copy
import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from ..english.sentences import EnglishGenerator
from ..grammar.blocklist import is_allowed
from ..grammar.morphology import Morph
from ..grammar.syntax import Grammar
from ..grammar.word_table import WordTable
from ..language import Language
from ..phonology.phonology import Segments
from ..phonology.segments import is_vowel
from ..semantics.concepts import Concept
from .original_request import COMMANDS

MOST_COINED = 4  # words that one conversation may add
MOST_SYLLABLES = 3
CLASSES = {"noun": "N", "quality": "A"}  # a verb of a model's own could not be inflected in English
TAG = "coined"


class Coin(NamedTuple):
    """A new word: what it means, its class, and how it sounds."""

    concept: str  # its English, one word or two
    kind: str
    form: Segments


def coins(tongue: Language, rows: Iterable[Mapping[str, Any]]) -> list[Coin]:
    """The words among the rows of an answer that could enter a language, at most
    :data:`MOST_COINED`.
    """
    known = {*tongue.known, *tongue.english.plain.values(), *tongue.english.many.values()}
    results: dict[str, Coin] = {}
    for row in rows:
        concept, form = row.get("concept"), row.get("form")
        kind = CLASSES.get(str(row.get("class") or "noun"), "")
        if not (isinstance(concept, str) and isinstance(form, str) and kind and len(form) <= 24):
            continue
        sounds = _sounds(
            tongue, unicodedata.normalize("NFC", form).lower().strip(), free=kind == "N"
        )
        if sounds and _english(concept) and concept not in known and len(results) < MOST_COINED:
            results.setdefault(concept, Coin(concept, kind, sounds))
    return list(results.values())


def _english(concept: str) -> bool:
    """Whether a name may stand in an English sentence: the only letters of a model that ever do."""
    return (
        len(concept) <= 24
        and re.fullmatch(r"[a-z]{2,16}( [a-z]{2,16})?", concept) is not None
        and all(map(is_allowed, (concept, concept.replace(" ", ""), *concept.split())))
        and not COMMANDS.intersection(concept.split())
    )


def _sounds(tongue: Language, text: str, *, free: bool) -> Segments | None:
    """The sounds of a root as the language would have made it; None if it would not."""
    phonology = tongue.phonology
    form = phonology.decode(text) if text else None
    syllables = phonology.syllables(form) if form else None
    if not form or not syllables or len(syllables) > MOST_SYLLABLES:
        return None
    if any(a == b for a, b in pairwise(form)) or phonology.spell(form) != text:
        return None
    bare = free and not tongue.typology.prefixing
    return form if bare or not is_vowel(form[0]) else None


def grown(tongue: Language, new: Iterable[Coin]) -> Language:
    """A copy of a language with new words, all of whose forms were free; words that do not fit are
    left out.
    """
    known = dict(tongue.known)
    old = tongue.grammar.table
    table = WordTable(old.morphology, dict(old.words), dict(old.reading), dict(old.stems))

    # The original language stays as it is: other animals speak it.
    for coin in new:
        name = coin.concept.replace(" ", ".")
        concept = Concept(name, coin.kind, 4, coin.concept, frozenset((TAG,)), ())
        if name not in known and table.add(concept, (Morph(coin.form, name, ""),)):
            known[name] = concept

    language = copy.copy(tongue)
    language.known, language.grammar, language.english = (
        known,
        Grammar(table, known),
        EnglishGenerator(known),
    )

    return language
