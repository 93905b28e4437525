"""Concepts and intents that a person adds in ``jungle.toml``, as the lines and tables that a
language reads.

[[language.concepts]] word = "kettle"              # its name in glosses class = "noun"
# or intransitive verb, transitive verb, quality, relation, adverb, connective, quantity, call
english = "kettle"           # left out: the word; irregular forms after commas tags = ["thing"]
# left out: none; sorts that intents ask for, and small big bright danger soft for the sound use = 4
# left out: 3; from 1, said all day, to 4, said rarely made_of = ["water", "THING"] # left out: a
root of its own

[language.intents.tea]
mood = "glad"
when = "the water boils"
call = "hither"
say = ["verb=want actor=I,we patient=kettle"]
"""

import json
from collections.abc import Mapping
from typing import Any

from ...errors import BadInput
from .concepts import CLASSES, concepts
from .intents import intents

FIELDS = {"word": str, "class": str, "english": str, "tags": list, "use": int, "made_of": list}
PARTS = {"mood": str, "when": str, "call": str, "to": str, "level": int, "say": list, "then": list}
WORDS = {str: "text in quotes", int: "a whole number", list: "a list of texts"}


def additions(table: Mapping[str, Any]) -> tuple[str, str]:
    """``more_concepts`` and ``more_intents`` for a language, from the ``[language]`` table of a
    parsed ``jungle.toml``.

    Other keys of the table are not looked at.

    Raises:
        BadInput: an entry is of the wrong kind, or says what no language can; the sentence names
            it.
    """
    given, tables = table.get("concepts", []), table.get("intents", {})
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise BadInput(
            "concepts of [language] must be tables: write each under a line [[language.concepts]]."
        )

    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise BadInput(
            "intents of [language] must be tables: write each under a line such as "
            "[language.intents.tea]."
        )

    more_concepts = "".join(_line(entry, number) for number, entry in enumerate(given, 1))
    more_intents = "".join(_table(name, entry) for name, entry in tables.items())
    own = {intent.name for intent in intents()}

    for name in tables:
        if name in own or name in ("qualities", "places"):
            raise BadInput(
                f"The intent {name!r} of [language.intents] is there already: give yours another "
                "name."
            )

    concepts(more_concepts)
    intents(more_concepts, more_intents)

    return more_concepts, more_intents


def _line(entry: Mapping[str, Any], number: int) -> str:
    where = f"Number {number} of [[language.concepts]]"
    _check(entry, FIELDS, where)

    for key in ("word", "class"):
        if key not in entry:
            raise BadInput(f"{where} has no {key}: add one.")

    letters = {name: letter for letter, name in CLASSES.items()}

    letter = letters.get(entry["class"], entry["class"])
    if letter not in CLASSES:
        raise BadInput(
            f"{where} has the class {entry['class']!r}: choose one of {', '.join(letters)}."
        )

    english = entry.get("english") or entry["word"]
    fields = (
        entry["word"],
        letter,
        str(entry.get("use", 3)),
        english,
        ",".join(entry.get("tags", ())),
        "+".join(entry.get("made_of", ())),
    )
    if any(sign in field for field in fields for sign in "\t\n\r"):
        raise BadInput(f"{where} has a tab or a line break in a text: take it out.")
    return "\t".join(fields) + "\n"


def _table(name: str, entry: Mapping[str, Any]) -> str:
    _check(entry, PARTS, f"[language.intents.{name}]")
    # strings, numbers and lists of JSON are valid TOML
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    return "\n".join([f"[{json.dumps(name)}]", *lines, ""])


def _check(entry: Mapping[str, Any], allowed: Mapping[str, type], where: str) -> None:
    for key, value in entry.items():
        if key not in allowed:
            raise BadInput(f"{where} has no key {key!r}: use {', '.join(allowed)}.")
        right = isinstance(value, allowed[key]) and not isinstance(value, bool)
        if not right or (
            isinstance(value, list) and not all(isinstance(one, str) for one in value)
        ):
            raise BadInput(f"{where}: {key} must be {WORDS[allowed[key]]}, not {value!r:.60}.")
