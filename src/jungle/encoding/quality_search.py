"""The search for the smallest file that is good enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

# points above the target with which a search is content: finer steps change a file by less than a
# hundredth
SLACK = 0.4


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """A file and how much of the original it keeps."""

    data: bytes
    score: float
    level: int


def smallest(
    encode: Callable[[int], bytes],
    score: Callable[[bytes], float],
    levels: Sequence[int],
    target: float,
    guess: int,
    slack: float = SLACK,
) -> EncodedFile:
    """The smallest file of those tried whose score reaches ``target``; where none does, the best
    one.

    Steps between the coarsest level that passed and the finest that failed: by the line through
    both scores, by halving where that line does not help. Scores need not rise at every step; what
    is returned has been measured.

    Args:
        levels: qualities, coarse to fine.
        guess: a level to begin with.
    """
    tried: dict[int, EncodedFile] = {}
    low, high = -1, len(levels)
    place = min(range(len(levels)), key=lambda index: abs(levels[index] - guess))

    # Bisection over the encoder's levels, begun where the last picture ended.
    while high - low > 1:
        data = encode(levels[place])
        found = tried[place] = EncodedFile(data, score(data), levels[place])
        if found.score >= target:
            high = place
            if found.score <= target + slack:
                break
        else:
            low = place
        place = _next(tried, low, high, target, place)

    passed = [found for found in tried.values() if found.score >= target]
    if passed:
        return min(passed, key=lambda found: (len(found.data), found.level))
    return max(tried.values(), key=lambda found: found.score)


def _next(tried: dict[int, EncodedFile], low: int, high: int, target: float, last: int) -> int:
    """Where to look between ``low``, which fails, and ``high``, which passes."""
    aim = target + SLACK / 2
    if len(tried) > 4:
        place = (low + high) // 2
    elif low in tried and high in tried:
        rise = (tried[high].score - tried[low].score) / (high - low)
        place = low + round((aim - tried[low].score) / rise)
    else:  # one step of quality is about half a point, until two scores tell
        others = [(index, found.score) for index, found in tried.items() if index != last]
        rise = (tried[last].score - others[-1][1]) / (last - others[-1][0]) if others else 0.5
        place = last + round((aim - tried[last].score) / max(rise, 0.1))
    return max(low + 1, min(high - 1, place))
