"""What the animals of a jungle talk about: the table concepts.tsv, which a person can edit and
extend.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from sys import intern

from ...errors import BadInput

CLASSES = {
    "N": "noun",
    "I": "intransitive verb",
    "T": "transitive verb",
    "A": "quality",
    "P": "relation",
    "D": "adverb",
    "C": "connective",
    "Q": "quantity",
    "X": "call",
}
DERIVATIONS = {
    "AGT": "one who does it",
    "PLACE": "where it is or is done",
    "THING": "what is done or given",
    "DIM": "a small one",
    "AUG": "a big one",
    "PRIV": "without it, the opposite",
    "COLL": "many together",
}


@dataclass(frozen=True, slots=True)
class Concept:
    """One meaning of a word."""

    name: str  # as in glosses: letters and dots
    kind: str  # a key of CLASSES
    use: int  # 1 said all day ... 4 said rarely
    english: str  # with irregular forms after commas
    tags: frozenset[str]
    parts: tuple[str, ...]  # of a derivation or compound; () for a root

    @property
    def predicate(self) -> bool:
        """Whether it can head a clause: verbs, and qualities, which are verbs of being."""
        return self.kind in "ITA"

    @property
    def animate(self) -> bool:
        """Whether it lives: the plural of some languages asks."""
        return (
            bool(self.tags & {"person", "animal", "pronoun", "threat", "asking"})
            and "weather" not in self.tags
        )


def concepts(more: str = "") -> dict[str, Concept]:
    """All concepts by name, in the order of the file; ``more`` are further lines of the same form.

    Raises:
        BadInput: a line is not a concept, repeats a name, or is made of what is not there.
    """
    return _concepts(more)  # one call for the cache, however arguments are given


@cache
def _concepts(more: str) -> dict[str, Concept]:
    text = resources.files(__package__).joinpath("concepts.tsv").read_text("utf-8")
    results: dict[str, Concept] = {}

    for number, line in enumerate([*text.splitlines(), *more.splitlines()], 1):
        if line.strip() and not line.startswith(("#", "concept\t")):
            concept = _concept(line, f"Line {number} of the concepts")
            if concept.name in results:
                raise BadInput(
                    f"Line {number} of the concepts repeats {concept.name!r}: give each concept a "
                    "name of its own."
                )
            results[concept.name] = concept

    # Compounds may come before their parts in the file, so parts are checked at the end.
    for concept in results.values():
        for part in concept.parts:
            if (part not in results and part not in DERIVATIONS) or part == concept.name:
                raise BadInput(
                    f"The concept {concept.name!r} is made of {part!r}, which is no other concept: "
                    "add it or leave it out."
                )

    return results


def _concept(line: str, where: str) -> Concept:
    fields = [field.strip() for field in line.split("\t")]
    fields += [""] * (6 - len(fields))

    name, kind, use, english, tags, made = fields[:6]
    if (
        len(fields) > 6
        or not re.fullmatch(r"[A-Za-z]+(\.[A-Za-z]+)*", name)
        or kind not in CLASSES
        or use not in "1234"
        or not english
    ):
        raise BadInput(
            f"{where} reads {line!r}: give a name, a class of {', '.join(CLASSES)}, a use from 1 "
            "to 4, English, tags, parts."
        )

    return Concept(
        intern(name),
        kind,
        int(use),
        english,
        frozenset(filter(None, tags.split(","))),
        tuple(filter(None, made.split("+"))),
    )
