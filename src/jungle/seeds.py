"""Chance from names. A seed is a text, so neither hash seeds nor versions of Python can change a
language.

Of :mod:`random` only ``Random(text).random()`` is used: its sequence is promised to stay, that of
``choice`` and ``shuffle`` is not.
"""

import random
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class NamedRandom:
    """Throws that the parts of a name decide: ``Dice("roots", 7)`` always falls the same way."""

    def __init__(self, *name: object) -> None:
        self.random = random.Random("/".join(map(str, name))).random

    def below(self, limit: int) -> int:
        """An integer from 0 to ``limit`` - 1."""
        return int(self.random() * limit)

    def choice(self, items: Sequence[T]) -> T:
        """One of ``items``, each as likely."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """One of ``items``, as likely as its weight (not negative, not all 0)."""
        left = self.random() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]

    def order(self, items: Sequence[T]) -> list[T]:
        """``items`` in a random order."""
        return [
            item
            for _, _, item in sorted(
                (self.random(), place, item) for place, item in enumerate(items)
            )
        ]

    def some(self, items: Sequence[T], weights: Sequence[float], count: int) -> list[T]:
        """``count`` different ones of ``items``, the heavier the earlier and the likelier
        (Efraimidis and Spirakis 2006).
        """
        keys = [
            (-(self.random() ** (1 / weight)), place)
            for place, weight in enumerate(weights)
            if weight > 0
        ]
        return [items[place] for _, place in sorted(keys)[:count]]


def large_numbers(prefix: str) -> Callable[[str], int]:
    """128 random bits for each name that begins with ``prefix``, by the rest of the name.

    That is many small draws by ``divmod``, and five times faster than a new :class:`random.Random`.
    """
    start = blake2b(prefix.encode(), digest_size=16)

    def number(rest: str) -> int:
        """The number that the whole name decides."""
        named = start.copy()  # cheaper than another blake2b
        named.update(rest.encode())
        return int.from_bytes(named.digest(), "little")

    return number
