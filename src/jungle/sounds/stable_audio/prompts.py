"""Prompts for text-to-audio engines: source, action, place, recording style, in under twenty words.

Such engines follow short, concrete descriptions of a recording better than prose, and some harmless
words call up something else entirely: :data:`TRAPS` holds the known ones.
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

_ANY_ACTION = ("calls", "grunts", "chirrs", "hoots")
_PLACES = (
    "in a misty forest",
    "by a river at night",
    "in a cave",
    "in tall grass at dawn",
    "in a swamp after rain",
    "among wet leaves",
)
_STYLES = (
    "close field recording",
    "clean wildlife recording",
    "stereo field recording",
    "documentary sound",
)


def subjects() -> tuple[str, ...]:
    """Kinds that a prompt is about where nobody names one.

    Those of Animals-10, and those of the shipped recordings.
    """
    return tuple(
        name for name, animal in animals().items() if animal.italian or animal.voice == name
    )


def build_prompt(mix: Mapping[str, float], seed: int, place: str = "") -> str:
    """A prompt of at most :data:`LONG` words for an animal of ``mix``.

    The two largest shares are named, the largest gives the action, ``seed`` chooses the rest. The
    same arguments give the same prompt on any machine. Traps are avoided in what we write
    ourselves, not in ``place``: see :func:`avoid_traps`.

    Args:
        mix: class -> share; {} = any animal.
        seed: of action, place and style.
        place: where the animal calls, for example "in a cave"; "" chooses one.
    """
    named = [name for name in mix if mix[name] > 0]
    names = sorted(named, key=lambda name: (-mix[name], name))[:2]
    if not names:
        source = "an unknown animal"
    elif len(names) == 1:
        source = f"a strange {names[0]}"
    else:
        source = f"a creature half {names[0]} half {names[1]}"

    # Engines follow the form "source action, place, style" best.
    verbs = animals()[names[0]].verbs if names and names[0] in animals() else ()
    action = _pick(verbs or _ANY_ACTION, seed, "action")
    place = place or _pick(_PLACES, seed, "place")
    return f"{source} {action}, {place}, {_pick(_STYLES, seed, 'style')}"


def avoid_traps(prompt: str) -> tuple[str, list[str]]:
    """A prompt with trap words replaced, and one sentence for each trap.

    And one for a prompt of more than :data:`LONG` words.
    """
    notes = []
    for word, (brings, instead) in TRAPS.items():
        mended, count = re.subn(rf"\b{word}\b", instead, prompt, flags=re.IGNORECASE)
        if count:
            notes.append(f"'{word}' tends to bring {brings}: replaced by '{instead}'.")
            prompt = mended
    words = len(prompt.split())
    if words > LONG:
        notes.append(f"The prompt has {words} words: up to {LONG} are followed best.")
    return prompt, notes


def _pick(options: Sequence[str], seed: int, purpose: str) -> str:
    # A hash and not `random`, whose choices may change with the version of Python.
    hashed = hashlib.blake2b(f"{seed}/prompt/{purpose}".encode(), digest_size=8).digest()
    return options[int.from_bytes(hashed, "little") % len(options)]
