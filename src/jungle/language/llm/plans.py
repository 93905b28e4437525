"""Plans: a model chooses what is said, from lists, and the grammar says it. Whatever it chooses,
the phrase is well formed.
"""

from collections.abc import Mapping
from typing import Any

from ..grammar.typology import EVIDENTIALS, MOODS, TENSES
from ..language import Language
from ..semantics.concepts import Concept
from ..semantics.meaning import NP, Clause, Meaning, violations

ROLES = ("actor", "patient", "place")


def schema(tongue: Language) -> dict[str, Any]:
    """JSON schema of a list of plans. Every slot is required, and "" leaves it empty: what the
    strict modes of all servers share.
    """

    def one_of(*kinds: str, more: tuple[str, ...] = ("",)) -> dict[str, Any]:
        return {
            "type": "string",
            "enum": [
                *more,
                *(name for name, concept in tongue.known.items() if concept.kind in kinds),
            ],
        }

    # Enumerations, not patterns: every server that knows schemas knows them.
    slots: dict[str, Any] = {
        "intent": {"type": "string", "enum": [intent.name for intent in tongue.intents]},
        "call": one_of("X"),
        "to": {"$ref": "#/$defs/noun"},
        "verb": one_of("I", "T", "A"),
        "mood": {"type": "string", "enum": list(MOODS)},
        "tense": {"type": "string", "enum": ["", *TENSES]},
        "source": {"type": "string", "enum": ["", *EVIDENTIALS]},
        "negative": {"type": "boolean"},
        "relation": one_of("P"),
        "adverb": one_of("D"),
    }
    for role in ROLES:
        slots[role] = {"$ref": "#/$defs/noun"}
        slots[f"{role}_number"] = {"$ref": "#/$defs/number"}
        slots[f"{role}_quality"] = {"$ref": "#/$defs/quality"}
    plan = {
        "type": "object",
        "properties": slots,
        "required": list(slots),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"phrases": {"type": "array", "items": plan}},
        "required": ["phrases"],
        "additionalProperties": False,
        "$defs": {
            "noun": one_of("N"),
            "number": one_of("Q", more=("", "SG", "PL")),
            "quality": one_of("A"),
        },
    }


def planned(row: Mapping[str, Any], known: Mapping[str, Concept]) -> Meaning | None:
    """The meaning of a plan. Slots that do not go with others are left out; None if what is left
    means nothing.
    """

    def slot(name: str, kinds: str) -> str:
        value = row.get(name)
        return (
            value
            if isinstance(value, str) and value in known and known[value].kind in kinds
            else ""
        )

    def choice(name: str, values: tuple[str, ...]) -> str:
        value = row.get(name)
        return value if isinstance(value, str) and value in values else values[0]

    def np(role: str) -> NP | None:
        noun = slot(role, "N")
        if not noun or known[noun].tags & {"pronoun", "asking"}:
            return NP(noun) if noun else None
        number = slot(f"{role}_number", "Q") or choice(f"{role}_number", ("SG", "PL"))
        return NP(noun, number, slot(f"{role}_quality", "A"))

    # A server may ignore the schema, so every slot is checked again.
    verb, call, to = slot("verb", "ITA"), slot("call", "X"), slot("to", "N")
    mood = choice("mood", MOODS)
    order = mood in ("IMP", "URG")
    relation, place = slot("relation", "P"), np("place")
    clause = Clause(
        verb,
        mood,
        "" if order else choice("tense", TENSES),
        choice("source", EVIDENTIALS) if mood == "IND" else "",
        row.get("negative") is True,
        None if order else np("actor") or NP("I"),
        np("patient") if verb and known[verb].kind == "T" else None,
        relation if place else "",
        place if relation else None,
        slot("adverb", "D"),
    )
    meaning = Meaning(call, 1 if call else 0, NP(to) if to else None, clause if verb else None)
    return None if violations(meaning, dict(known)) else meaning
