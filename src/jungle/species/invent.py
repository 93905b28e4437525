"""Inventing species: which animals are mixed, in which shares, and what the child of the two is
called.

They get a slug; the name comes with the colour of the picture (``biography.describe``), unless a
person writes one.
"""

import random
import re
from collections.abc import Mapping, Sequence

from ..records import Species
from .animals import body_plan

VOWELS = "aeiouy"


def blend(first: str, second: str) -> str:
    """A name from the head of one and the tail of the other, joined at vowels: leopard, rabbit ->
    leopabbit.
    """
    if first == second:
        return first
    head = re.match(r"[^aeiouy]*[aeiouy]+[^aeiouy]?(?=.)|.+", first)
    stem = head.group(0) if head else first
    if len(first) > 5:
        stem = first[: max(len(stem), (len(first) + 1) // 2)]
    starts = [i for i, letter in enumerate(second) if letter in VOWELS and i < len(second) - 1]
    tail = (
        second[starts[len(starts) // 2] if len(starts) > 2 else starts[0] :] if starts else second
    )
    made = (stem.rstrip(VOWELS) or stem) + tail
    # cat and cow: not another cow
    return made if made not in (first, second) and len(made) > 3 else stem + second


def partners(first: str, classes: Sequence[str]) -> list[str]:
    """Who ``first`` can have a child with: the others of its build, or all others where it is the
    only one.

    Mixes across builds, a shark with an ape, are seldom one animal to people who look
    (docs/LOG.md).
    """
    others = [name for name in classes if name != first]
    return [name for name in others if body_plan(name) == body_plan(first)] or others


def parents(classes: tuple[str, ...], seed: int) -> dict[str, float]:
    """The mix that ``seed`` alone decides: two different classes; one where there is one; empty
    where there are none.
    """
    if len(classes) < 2:
        return dict.fromkeys(classes, 1.0)
    source = random.Random(f"parents/{seed}")
    first = source.choice(classes)
    second = source.choice(partners(first, classes))
    # from 0.7 on pictures are often the stronger parent alone (docs/LOG.md)
    share = source.choice((0.55, 0.6))
    return {first: share, second: round(1 - share, 2)}


def parents_of(mix: Mapping[str, float]) -> list[str]:
    """The kinds of a mix that have a share, the largest first."""
    return sorted((name for name in mix if mix[name] > 0), key=lambda name: (-mix[name], name))


def invent_species(classes: tuple[str, ...], count: int, seed: int) -> tuple[Species, ...]:
    """``count`` species from the seeds ``seed``, ``seed`` + 1 ..., passing over pairs that are
    taken while there are others.

    ``classes`` are the kinds to invent from: ``kinds.to_invent_from`` chooses them.
    """
    most = len(
        {frozenset((first, second)) for first in classes for second in partners(first, classes)}
    )
    species: list[Species] = []
    taken: set[frozenset[str]] = set()
    while len(species) < count:
        mix = parents(classes, seed)
        pair = frozenset(mix)
        if pair not in taken or len(taken) >= most:
            taken.add(pair)
            species.append(_species(mix, seed, {animal.slug for animal in species}))
        seed += 1
    return tuple(species)


def _species(mix: dict[str, float], seed: int, used: set[str]) -> Species:
    words = [name.replace("_", " ").split()[-1] for name in mix] or ["animal"]
    name = blend(words[0], words[-1])
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "animal"
    if slug in used:
        slug = f"{slug}-{seed}"
    return Species(slug=slug, name="", seed=seed, mix=mix)
