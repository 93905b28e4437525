"""Prompts for text-to-audio engines: source, action, place, recording style, in under twenty words.

Such engines follow short, concrete descriptions of a recording better than prose, and some harmless words call up
something else entirely: :data:`TRAPS` holds the known ones.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

from ...species.animals import animals

DEFAULT_NEGATIVE = "low quality, music, melody, human voices, hiss, distortion"
LONG = 20  # words; beyond, the tail of a prompt is hardly heard

TRAPS = {
    "ocean": ("gulls", "deep water"),
    "oceans": ("gulls", "deep water"),
    "humming": ("a melody", "low droning"),
    "hums": ("a melody", "drones low"),
}
"""Word of a prompt -> what it brings that nobody asked for, and what to write instead."""

ANY_ACTION = ("calls", "grunts", "chirrs", "hoots")
PLACES = (
    "in a misty forest",
    "by a river at night",
    "in a cave",
    "in tall grass at dawn",
    "in a swamp after rain",
    "among wet leaves",
)
STYLES = (
    "close field recording",
    "clean wildlife recording",
    "stereo field recording",
    "documentary sound",
)


def subjects() -> tuple[str, ...]:
    """Kinds that a prompt is about where nobody names one: those of Animals-10, and those of the shipped recordings."""
    return tuple(
        name for name, animal in animals().items() if animal.italian or animal.voice == name
    )


def build_prompt(mix: Mapping[str, float], seed: int, place: str = "") -> str:
    """A prompt of at most :data:`LONG` words for an animal of ``mix`` (class -> share, {} = any animal).

    The two largest shares are named, the largest gives the action, ``seed`` chooses the rest. The same arguments give the
    same prompt on any machine. Traps are avoided in what we write ourselves, not in ``place``: see :func:`avoid_traps`.
    """
    names = sorted((name for name in mix if mix[name] > 0), key=lambda name: (-mix[name], name))[:2]
    source = {0: "an unknown animal", 1: f"a strange {''.join(names)}"}.get(
        len(names), f"a creature half {' half '.join(names)}"
    )
    verbs = animals()[names[0]].verbs if names and names[0] in animals() else ()
    action = _pick(verbs or ANY_ACTION, seed, "action")
    return f"{source} {action}, {place or _pick(PLACES, seed, 'place')}, {_pick(STYLES, seed, 'style')}"


def avoid_traps(prompt: str) -> tuple[str, list[str]]:
    """``prompt`` with trap words replaced, and one sentence for each trap, or for a prompt of more than :data:`LONG` words."""
    notes = []
    for word, (brings, instead) in TRAPS.items():
        mended, count = re.subn(rf"\b{word}\b", instead, prompt, flags=re.IGNORECASE)
        if count:
            notes.append(f"'{word}' tends to bring {brings}: replaced by '{instead}'.")
            prompt = mended
    if (words := len(prompt.split())) > LONG:
        notes.append(f"The prompt has {words} words: up to {LONG} are followed best.")
    return prompt, notes


def _pick(options: Sequence[str], seed: int, what: str) -> str:
    # A hash and not `random`, whose choices may change with the version of Python
    number = int.from_bytes(
        hashlib.blake2b(f"{seed}/prompt/{what}".encode(), digest_size=8).digest(), "little"
    )
    return options[number % len(options)]
