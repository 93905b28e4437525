"""What is known of each animal, from animals.toml: the body, the voice, the Latin name and the
verbs of its call.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Animal:
    """One row of animals.toml, where each field is explained."""

    body: str
    voice: str
    genus: str
    epithet: str
    verbs: tuple[str, ...] = ()
    italian: str = ""


@cache
def animals() -> dict[str, Animal]:
    """Every animal by its English name, in alphabetical order; of two words "sea_turtle"."""
    rows = tomllib.loads(resources.files(__package__).joinpath("animals.toml").read_text("utf-8"))
    return {
        name: Animal(**{**row, "verbs": tuple(row.get("verbs", ()))}) for name, row in rows.items()
    }


@cache
def english_names() -> dict[str, str]:
    """The English name by the folder name of Animals-10, which is Italian
    (kaggle:alessiocorrado99/animals10).
    """
    return {animal.italian: name for name, animal in animals().items() if animal.italian}


@cache
def bodies() -> dict[str, str]:
    """The body by English name, and by Italian name where there is one."""
    known = {name: animal.body for name, animal in animals().items()}
    return known | {italian: known[name] for italian, name in english_names().items()}


BUILDS = {
    **dict.fromkeys(("cat", "herd", "primate", "rodent"), "mammal"),
    **dict.fromkeys(("parrot", "songbird"), "bird"),
    **dict.fromkeys(("frog", "reptile"), "reptile"),
}
"""Bodies whose parts correspond, so that a mix of two can be one animal; a body that is missing is
a build of its own.
"""


def body_plan(name: str) -> str:
    """The build of an animal; empty where nothing is known of it."""
    body = bodies().get(name, "")
    return BUILDS.get(body, body)


def voice_among(name: str, known: frozenset[str]) -> str:
    """Who of ``known`` calls for an animal: itself, or the first along the chain of ``voice``;
    empty where there is none.
    """
    passed: set[str] = set()
    while name not in known:
        if name in passed or name not in animals():
            return ""
        passed.add(name)
        name = animals()[name].voice
    return name
