"""Opening many files: two at a time, in order, and what cannot be used comes back with its reason;
and what was decoded, item by item.
"""

import mmap
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadInput

WORKERS = 2  # decoders work outside the interpreter's lock, so threads are enough
CHUNK = 256  # files in flight, so that memory does not grow with their number

DecodeProgress = Callable[[int, int], None]


class Unreadable(BadInput):
    """A file that cannot be used; ``reason`` says why in a few words."""

    word = "file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The {self.word} '{path}' cannot be used: {reason}.")
        self.reason = reason


def decode_all(paths: Iterable[Path], decode: Callable[[Path], Any]) -> Iterator[Any]:
    """``decode`` of each path in order, two at a time; an :class:`Unreadable` is returned in its
    place.
    """

    def attempt(path: Path) -> Any:
        try:
            return decode(path)
        except Unreadable as problem:
            return problem

    rest = iter(paths)
    with ThreadPoolExecutor(WORKERS) as pool:
        while chunk := list(islice(rest, CHUNK)):
            yield from pool.map(attempt, chunk)


def mapped(path: Path) -> np.ndarray:
    """The array in an ``.npy`` file, read from the disk where it is touched.

    Training touches items at random: without this advice the system reads far ahead of each, which
    from a million photos took 400 times as long (docs/LOG.md).

    Raises:
        OSError, ValueError: there is no such file, or it holds no array.
    """
    array: np.ndarray = np.load(path, mmap_mode="r")
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):  # not on Windows
        array.base.madvise(mmap.MADV_RANDOM)
    return array
