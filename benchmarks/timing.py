"""What the comparisons share: seconds, medians, and a table."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

R = TypeVar("R")


def timed(work: Callable[[], R]) -> tuple[R, float]:
    """What ``work`` returns, and the seconds it takes."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def print_table(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """One line a row, the keys of the first row as headings."""
    widths = {title: max(12, len(title) + 3) for title in next(iter(rows.values()))}
    print(" " * 20 + "".join(f"{title:>{width}}" for title, width in widths.items()))
    for name, row in rows.items():
        cells = (
            f"{row[title]:.3f}" if isinstance(row[title], float) else row[title] for title in widths
        )
        padded = (
            f"{'' if cell is None else cell:>{width}}"
            for cell, width in zip(cells, widths.values(), strict=True)
        )
        print(f"{name:20}" + "".join(padded))
