"""Names of an animal: what its own kind calls it, and the binomial that a naturalist would give."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..seeds import NamedRandom
from ..species.animals import animals
from .grammar.word_table import InflectedWord
from .language import Language

QUALITIES = (
    "small",
    "big",
    "bright",
    "quiet",
    "brave",
    "golden",
    "black",
    "white",
    "wild",
    "gentle",
    "fast",
    "old",
    "loud",
    "sweet",
)
KINDS = (
    "voice",
    "song",
    "wing",
    "tail",
    "heart",
    "shadow",
    "star",
    "river",
    "leaf",
    "storm",
    "moon",
    "wind",
    "feather",
    "eye",
    "echo",
)
UNKNOWN = ("Mirabilis", "mirabilis")  # wonderful: for a kind that is not in the table


class AnimalName(NamedTuple):
    """A name in the animal's own language."""

    text: str
    meaning: str  # in English
    ipa: str
    words: tuple[InflectedWord, ...]  # for the script


def binomial(mix: Mapping[str, float]) -> str:
    """A binomial such as "Felis ailuropus": the genus of the larger share, the epithet of the next
    one.

    Of a class that is not in animals.toml the last word is looked up, singular too ("snow
    leopards": leopard), then it is "wonderful".
    """
    ranked = sorted(mix, key=lambda name: (-mix[name], name))
    genus = _stem(ranked[0])[0] if ranked else UNKNOWN[0]
    epithets = [_stem(name)[1] for name in ranked[1:]]
    return f"{genus} {epithets[0] if epithets else UNKNOWN[1]}"


def _stem(animal: str) -> tuple[str, str]:
    word = re.split(r"[^a-z]+", animal.lower().strip())[-1]
    tries = (animal.lower().strip(), word, word.removesuffix("s"), word.removesuffix("es"))
    row = next((animals()[name] for name in tries if name in animals()), None)
    return (row.genus, row.epithet) if row else UNKNOWN


def own_name(language: Language, seed: int | str) -> AnimalName:
    """What its kin call an animal: a quality and a thing, in the order of the language."""
    dice = NamedRandom("name", language.seed, seed)
    table, typology = language.grammar.table, language.typology
    while True:
        quality, kind = dice.choice(QUALITIES), dice.choice(KINDS)
        words = [table.words["A", quality], table.words["N", kind, "SG", ""]]
        if not typology.quality_first:
            words.reverse()
        if sum(len(word.syllables) for word in words) <= 5:
            break
    english = f"{language.english.plain[quality]} {language.english.plain[kind]}"
    text = " ".join(word.text.strip("'").capitalize() for word in words)
    return AnimalName(text, english, " ".join(word.ipa for word in words), tuple(words))
