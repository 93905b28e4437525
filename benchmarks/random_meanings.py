"""Any meaning that every language can say, sensible or not: for measuring."""

import random

from jungle.language.grammar.typology import EVIDENTIALS, MOODS, TENSES
from jungle.language.semantics.concepts import concepts
from jungle.language.semantics.meaning import NP, Clause, Meaning

KNOWN = concepts()
NAMES = {
    kinds: [one.name for one in KNOWN.values() if one.kind in kinds]
    for kinds in ("N", "A", "Q", "P", "D", "C", "X", "ITA")
}
ALONE = {name for name, one in KNOWN.items() if one.tags & {"pronoun", "asking"}}


def random_np(chance: random.Random) -> NP:
    """Any noun phrase at all, sensible or not."""
    noun = chance.choice(NAMES["N"])
    if noun in ALONE:
        return NP(noun)
    owner = chance.choice(["", "", chance.choice(NAMES["N"])])
    return NP(
        noun,
        chance.choice(["SG", "PL", *NAMES["Q"]]),
        chance.choice(["", chance.choice(NAMES["A"])]),
        owner,
    )


def random_clause(chance: random.Random) -> Clause:
    """Any clause that has no faults."""
    verb, mood, placed = chance.choice(NAMES["ITA"]), chance.choice(MOODS), chance.random() < 0.4
    order = mood in ("IMP", "URG")
    return Clause(
        verb,
        mood,
        "" if order else chance.choice(TENSES),
        chance.choice(EVIDENTIALS) if mood == "IND" else "",
        chance.random() < 0.3,
        None if order else random_np(chance),
        random_np(chance) if KNOWN[verb].kind == "T" else None,
        chance.choice(NAMES["P"]) if placed else "",
        random_np(chance) if placed else None,
        chance.choice(["", chance.choice(NAMES["D"])]),
    )


def random_meaning(chance: random.Random) -> Meaning:
    """Any meaning that every language can say."""
    call = chance.choice(["", chance.choice(NAMES["X"])])
    first = random_clause(chance) if not call or chance.random() < 0.9 else None
    second = random_clause(chance) if first and chance.random() < 0.4 else None
    to = random_np(chance) if chance.random() < 0.4 else None
    return Meaning(
        call,
        1 + chance.randrange(3) if call else 0,
        to,
        first,
        chance.choice(NAMES["C"]) if second else "",
        second,
    )
