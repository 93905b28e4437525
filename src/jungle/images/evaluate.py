"""How good a set of pictures is, against the photos a model learned from; honest for small sets.

Every score stands beside its floor: what as many real photos get against the same other photos. A set of pictures cannot be told
from real ones where its score reaches the floor; the score alone means little, and less the fewer pictures there are.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..measures import BLOCK, Floats, KernelDistance, Manifold, blocks, enough_for_frechet, frechet, nearest
from .copies import Match, closest
from .features import FeatureSpace
from .judge import Judge
from .suspect import dark_corners, looks_wrong

__all__ = ["Score", "Scores", "dark_corners", "dominant", "evaluate", "looks_wrong", "rank"]

DRAWS = 4  # sets of real photos behind a floor
REFERENCE = 10_000  # at most so many photos are the reference; the search for copies sees all

Pictures = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Score:
    """A figure and its floor: the mean over a few sets of as many real photos, with the standard deviation between them."""

    value: float
    floor: float
    floor_spread: float | None  # None: there were photos for one set only
    error: float | None = None  # standard error of ``value``, where there is one


@dataclass(frozen=True, slots=True)
class Scores:
    """What :func:`evaluate` found. Lower is better for kid and frechet, higher for the others; all are judged by their floors."""

    space: str
    pictures: int
    photos: int
    kid: Score
    frechet: Score | None  # None: fewer pictures than twice the number of features
    precision: Score  # share of pictures that lie where photos lie
    recall: Score  # share of photos that lie where pictures lie
    coverage: Score | None  # number of classes among the judge's first answers
    classes: int  # known to the judge; 0 without one
    agreement: Score | None  # share of pictures whose first answer is the class that weighs most in what was asked for
    colour: tuple[float, float, float]  # mean red, green and blue of the pictures minus that of the photos, of 255
    corners: int  # pictures with dark, empty corners
    warning: str | None  # from looks_wrong
    matches: tuple[Match, ...]  # the most similar photo of each picture, the most suspicious first

    @property
    def copies(self) -> int:
        """Number of pictures that are copies of a photo."""
        return sum(match.copy for match in self.matches)

    def to_json(self) -> str:
        """All of it, as one line of JSON."""
        return json.dumps(dataclasses.asdict(self) | {"copies": self.copies}, sort_keys=True)

    def to_text(self) -> str:
        """A table in plain words."""
        lines = [
            f"{self.pictures} pictures against {self.photos} photos, seen through {self.space}",
            f"{'':33}{'pictures':>16}{'as many photos':>22}",
            _row("distance (KID x 1000, lower)", self.kid, 1000),
            _row("distance (Frechet, lower)", self.frechet, 1) if self.frechet else f"{'distance (Frechet, lower)':33}{'too few':>16}",
            _row("look real (precision %)", self.precision, 100),
            _row("variety (recall %)", self.recall, 100),
        ]
        if self.coverage:
            lines.append(_row(f"kinds seen (of {self.classes})", self.coverage, 1))
        if self.agreement:
            lines.append(_row("kind asked for is seen (%)", self.agreement, 100))
        red, green, blue = self.colour
        lines.append(f"colour against the photos: red {red:+.0f}, green {green:+.0f}, blue {blue:+.0f} (of 255)")
        lines.append(f"copies of a photo: {self.copies}; pictures with dark, empty corners: {self.corners}")
        return "\n".join([*lines, self.warning] if self.warning else lines)


def _row(name: str, score: Score, unit: float) -> str:
    value = f"{score.value * unit:.1f}" + ("" if score.error is None else f" ± {score.error * unit:.1f}")
    floor = f"{score.floor * unit:.1f}" + ("" if score.floor_spread is None else f" ± {score.floor_spread * unit:.1f}")
    return f"{name:33}{value:>16}{floor:>22}"


def _against(value: float, floors: Sequence[float], error: float | None = None) -> Score:
    return Score(value, float(np.mean(floors)), float(np.std(floors, ddof=1)) if len(floors) > 1 else None, error)


def _features(space: FeatureSpace, photos: Pictures) -> Floats:
    return np.concatenate([space.features(photos[start : start + BLOCK]) for start in range(0, len(photos), BLOCK)])


def _mean_colour(pictures: Pictures) -> NDArray[np.float64]:
    parts = [pictures[start : start + BLOCK].sum(axis=(0, 1, 2), dtype=np.float64) for start in range(0, len(pictures), BLOCK)]
    out: NDArray[np.float64] = np.sum(parts, axis=0) / np.prod(pictures.shape[:3])
    return out


def dominant(mixes: NDArray[np.float32], classes: Sequence[str], judge: Judge) -> Labels:
    """Which of the judge's classes weighs most in each mix (N, K) over ``classes``; -1 where it is unknown to it or the mix is empty."""
    known = np.array([judge.classes.index(name) if name in judge.classes else -1 for name in classes], dtype=np.int64)
    return np.where(mixes.any(axis=1), known[mixes.argmax(axis=1)], -1)


def evaluate(
    pictures: Pictures,
    photos: Pictures,
    space: FeatureSpace,
    *,
    judge: Judge | None = None,
    mixes: NDArray[np.float32] | None = None,
    labels: Labels | None = None,
    classes: Sequence[str] = (),
    seed: int = 0,
) -> Scores:
    """Score ``pictures`` (N, H, W, 3) against ``photos`` (M, h, w, 3), both uint8; the photos may be a memory map.

    Pictures asked for by class should be asked for as often as the classes occur among the photos; else that difference counts too.

    Args:
        space: what the distances are measured in.
        judge: counts the kinds of animals seen; ``space`` itself where that is a judge.
        mixes: (N, K) what was asked for, over ``classes``; needed for the agreement, as are
        labels: (M,) which of ``classes`` each photo shows.
        seed: which photos stand in for pictures.

    Raises:
        BadInput: fewer than 10 pictures, or fewer than twice as many photos.
    """
    n, m = len(pictures), len(photos)
    if n < 10 or m < 2 * n:
        raise BadInput(f"Scoring {n} pictures against {m} photos says nothing: take at least 10 pictures and twice as many photos.")
    judge = space if judge is None and isinstance(space, Judge) else judge
    order = np.random.default_rng(seed).permutation(m)
    draws = min(DRAWS, m // 2 // n)
    stand_ins = [np.sort(part) for part in order[: draws * n].reshape(draws, n)]
    painted, real = space.features(pictures), _features(space, photos)
    reference = real[np.sort(order[draws * n :][:REFERENCE])]

    def scored(measure: Callable[[Floats], float]) -> Score:
        return _against(measure(painted), [measure(real[rows]) for rows in stand_ins])

    distance, manifold = KernelDistance(reference, seed), Manifold(reference)
    kid = distance(painted)
    agreement = None
    if judge is not None and mixes is not None and labels is not None:
        agreement = _agreement(pictures, dominant(mixes, classes, judge), [(photos[r], labels[r]) for r in stand_ins], classes, judge)
    red, green, blue = _mean_colour(pictures) - _mean_colour(photos)
    return Scores(
        space=space.name,
        pictures=n,
        photos=m,
        kid=_against(kid[0], [distance(real[rows])[0] for rows in stand_ins], kid[1]),
        frechet=scored(lambda rows: frechet(rows, reference)) if enough_for_frechet(painted) else None,
        precision=scored(manifold.share),
        recall=scored(lambda rows: Manifold(rows).share(reference)),
        coverage=_kinds(pictures, [photos[rows] for rows in stand_ins], judge),
        classes=len(judge.classes) if judge else 0,
        agreement=agreement,
        colour=(float(red), float(green), float(blue)),
        corners=int(dark_corners(pictures).sum()),
        warning=looks_wrong(pictures),
        matches=closest(pictures, photos, space, real),
    )


def _kinds(pictures: Pictures, stand_ins: Sequence[Pictures], judge: Judge | None) -> Score | None:
    if judge is None:
        return None

    def count(images: Pictures) -> float:
        return float(len(np.unique(judge.probabilities(images).argmax(axis=1))))

    return _against(count(pictures), [count(photos) for photos in stand_ins])


def _agreement(
    pictures: Pictures,
    asked: Labels,
    stand_ins: Sequence[tuple[Pictures, Labels]],
    classes: Sequence[str],
    judge: Judge,
) -> Score | None:
    def share(images: Pictures, wanted: Labels) -> float:
        known = wanted >= 0
        return float((judge.probabilities(images[known]).argmax(axis=1) == wanted[known]).mean()) if known.any() else float("nan")

    one_hot = np.eye(len(classes), dtype=np.float32)
    floors = [share(photos, dominant(one_hot[labels], classes, judge)) for photos, labels in stand_ins]
    return _against(share(pictures, asked), floors) if (asked >= 0).any() else None


def rank(
    pictures: Pictures, mixes: NDArray[np.float32], classes: Sequence[str], judge: Judge, reference: Floats | None = None
) -> NDArray[np.float64]:
    """A score of each picture (N,), higher is better, to keep the best of many.

    The sum of two standardised parts. Agreement: the judge's mean log-probability of the classes asked for, weighted as asked; it
    is neutral where nothing that the judge knows was asked for. Typicality: minus the mean distance to the 3 nearest of
    ``reference``, the features (M, D) of photos; left out without them. Keeping few of many also makes the pictures more alike.
    """
    log_p = np.log(judge.probabilities(pictures).astype(np.float64) + 1e-6)
    known = [k for k, name in enumerate(classes) if name in judge.classes]
    asked = mixes[:, known].astype(np.float64)
    weight = asked.sum(axis=1)
    wanted = (asked * log_p[:, [judge.classes.index(classes[k]) for k in known]]).sum(axis=1) / np.maximum(weight, 1e-6)
    clear = weight > 1e-6
    score = np.zeros(len(pictures))
    if clear.any():
        score[clear] = _standardised(wanted[clear])
    if reference is not None:
        distance = nearest(judge.features(pictures), blocks(reference), k=3)[0]
        score = score + _standardised(-distance.mean(axis=1, dtype=np.float64))
    return score


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    out: NDArray[np.float64] = (values - values.mean()) / (values.std() + 1e-9)
    return out
