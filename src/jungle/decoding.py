"""Opening many files: two at a time, in order, and what cannot be used comes back with its reason."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from .errors import BadInput

WORKERS = 2  # decoders work outside the interpreter's lock, so threads are enough
CHUNK = 256  # files in flight, so that memory does not grow with their number

Progress = Callable[[int, int], None]


class Unreadable(BadInput):
    """A file that cannot be used; ``reason`` says why in a few words."""

    word = "file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The {self.word} '{path}' cannot be used: {reason}.")
        self.reason = reason


def decode_all(paths: Iterable[Path], decode: Callable[[Path], Any]) -> Iterator[Any]:
    """``decode`` of each path in order, two at a time; an :class:`Unreadable` is returned in its place."""

    def attempt(path: Path) -> Any:
        try:
            return decode(path)
        except Unreadable as problem:
            return problem

    rest = iter(paths)
    with ThreadPoolExecutor(WORKERS) as pool:
        while chunk := list(islice(rest, CHUNK)):
            yield from pool.map(attempt, chunk)
