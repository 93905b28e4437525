"""What a phrase means, whatever the language: the abstract syntax. Grammars turn it into words and
back, :mod:`english` into English.
"""

from typing import NamedTuple

from ..grammar.typology import EVIDENTIALS, MOODS, NUMBERS, TENSES
from .concepts import Concept


class NP(NamedTuple):
    """Somebody or something."""

    noun: str
    number: str = "SG"  # SG, PL, or a quantity
    quality: str = ""
    owner: str = ""


class Clause(NamedTuple):
    """Somebody does or is something."""

    verb: str  # a verb, or a quality: to be so
    mood: str = "IND"
    tense: str = "PRS"  # "" in commands
    source: str = "VIS"  # how the speaker knows; "" in commands and questions
    negative: bool = False
    actor: NP | None = None  # None in commands
    patient: NP | None = None  # of transitive verbs
    relation: str = ""
    place: NP | None = None
    adverb: str = ""


class Meaning(NamedTuple):
    """A phrase: a call, who is spoken to, one clause or two. At least a call or a clause."""

    call: str = ""
    level: int = 0  # of a call, 1 to 3
    to: NP | None = None
    first: Clause | None = None
    link: str = ""
    second: Clause | None = None


# quick(Clause, fields) is Clause(*fields) in half the time, for whoever makes many
make_fast = tuple.__new__


def violations(meaning: Meaning, known: dict[str, Concept]) -> list[str]:
    """What is wrong with a meaning, in words; empty if every language can say it."""

    def is_a(name: str, kinds: str) -> bool:
        return name in known and known[name].kind in kinds

    wrong: list[str] = []

    def check(right: bool, fault: str) -> None:
        if not right:
            wrong.append(fault)

    def check_np(np: NP) -> None:
        check(is_a(np.noun, "N"), f"{np.noun!r} is no noun")
        check(np.number in NUMBERS or is_a(np.number, "Q"), f"{np.number!r} is no number")
        check(not np.quality or is_a(np.quality, "A"), f"{np.quality!r} is no quality")
        check(not np.owner or is_a(np.owner, "N"), f"{np.owner!r} owns nothing")
        if is_a(np.noun, "N") and known[np.noun].tags & {"pronoun", "asking"}:
            check(np == NP(np.noun), f"the pronoun {np.noun!r} stands alone")

    def check_clause(clause: Clause) -> None:
        """Note what is wrong with one clause, its noun phrases included."""
        check(is_a(clause.verb, "ITA"), f"{clause.verb!r} is no verb")
        check(clause.mood in MOODS, f"{clause.mood!r} is no mood")
        order = clause.mood in ("IMP", "URG")
        check(
            clause.tense in (("",) if order else TENSES),
            f"the tense {clause.tense!r} does not go with {clause.mood}",
        )
        check(
            clause.source in (EVIDENTIALS if clause.mood == "IND" else ("",)),
            f"the source {clause.source!r} does not go with {clause.mood}",
        )
        check((clause.actor is None) == order, "a command has no actor, all else has one")
        check(
            (clause.patient is not None) == is_a(clause.verb, "T"),
            f"{clause.verb!r} has too many or too few participants",
        )
        check(
            (clause.place is not None) == is_a(clause.relation, "P"), "a place needs its relation"
        )
        check(not clause.adverb or is_a(clause.adverb, "D"), f"{clause.adverb!r} is no adverb")

        for np in (clause.actor, clause.patient, clause.place):
            if np:
                check_np(np)

    check(bool(meaning.call or meaning.first), "a phrase needs a call or a clause")
    check(
        (meaning.level in (1, 2, 3)) if meaning.call else meaning.level == 0,
        "a call has a level from 1 to 3",
    )
    check(not meaning.call or is_a(meaning.call, "X"), f"{meaning.call!r} is no call")
    joined = (meaning.second is not None) == is_a(meaning.link, "C") and (
        meaning.first is not None or meaning.second is None
    )
    check(joined, "a link joins two clauses")
    if meaning.to:
        check_np(meaning.to)
    for clause in (meaning.first, meaning.second):
        if clause:
            check_clause(clause)
    return wrong
