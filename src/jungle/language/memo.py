"""A function whose last answers are kept."""

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")
MOST = 10_000  # answers kept at once


class Memo(dict[K, V]):
    """``memo[key]`` is ``make(key)``, and is worked out once: half the price of
    :func:`functools.lru_cache`, for the innermost loops.

    When :data:`MOST` answers have come together, it begins anew.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> V:
        """What a key that is not kept stands for; it is kept from now on."""
        if len(self) >= MOST:
            self.clear()
        result = self[key] = self._make(key)
        return result
