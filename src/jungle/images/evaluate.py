"""How good a set of pictures is, against the photos a model learned from; honest for small sets.

Every score stands beside its floor: what as many real photos get against the same other photos. A
set of pictures cannot be told from real ones where its score reaches the floor; the score alone
means little, and less the fewer pictures there are.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..evaluation.metrics import (
    BLOCK,
    Floats,
    KernelDistance,
    LeadingComponents,
    Manifold,
    enough_for_frechet,
    frechet,
)
from ..species.kinds import KindQuality
from .classifier import ImageNetClassifier, ImageNetScores
from .colour_statistics import ColourScore, channel_means, colour_scores
from .feature_spaces import FeatureSpace
from .imagenet_labels import kinds_of, naming, table_of_kinds, usual_labels
from .memorisation import Match, closest_photos
from .quality_checks import dark_corners, looks_wrong

__all__ = ["Score", "Scores", "dark_corners", "evaluate_pictures", "looks_wrong"]

DRAWS = 4  # sets of real photos behind a floor
REFERENCE = 10_000  # at most so many photos are the reference; the search for copies sees all
COMPONENTS = 128  # of the photos' features, that the Frechet distance is taken in

Pictures = NDArray[np.uint8]
LabelArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Score:
    """A figure and its floor: the mean over a few sets of as many real photos, with the standard
    deviation between them.
    """

    value: float
    floor: float
    floor_spread: float | None  # None: there were photos for one set only
    error: float | None = None  # standard error of ``value``, where there is one


@dataclass(frozen=True, slots=True)
class Scores:
    """What :func:`evaluate_pictures` found. Lower is better for kid and frechet, higher for the
    others; all are judged by their floors.
    """

    space: str
    pictures: int
    photos: int
    kid: Score
    # on the leading COMPONENTS of the photos; None: fewer pictures than twice their number
    frechet: Score | None
    precision: Score  # share of pictures that lie where photos lie
    recall: Score  # share of photos that lie where pictures lie
    # share whose most probable ImageNet label is an animal; None without a judge
    animal: Score | None
    sure: Score | None  # share that is one with a probability above a half
    # share that is named as photos of the kind asked for are; None where no kind was asked for
    named: Score | None
    colour: tuple[ColourScore, ...]  # red, green, blue, saturation
    corners: int  # pictures with dark, empty corners
    warning: str | None  # from looks_wrong
    matches: tuple[Match, ...]  # the most similar photo of each picture, the most suspicious first
    kinds: dict[str, KindQuality] = field(default_factory=dict)

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
            _row("distance (Frechet, lower)", self.frechet, 1)
            if self.frechet
            else f"{'distance (Frechet, lower)':33}{'too few':>16}",
            _row("look real (precision %)", self.precision, 100),
            _row("variety (recall %)", self.recall, 100),
        ]

        # Figures of the judge are left out where none was asked for.
        shares = (
            ("is an animal (%)", self.animal),
            ("is surely one (%)", self.sure),
            ("named as photos of its kind (%)", self.named),
        )
        lines += [_row(name, score, 100) for name, score in shares if score]

        lines.append(
            "colour against the photos, in % of how much photos differ (in brackets: as many "
            "photos):"
        )
        lines += [
            f"  {item.channel:11} mean {100 * item.shift:+.0f} ({100 * item.shift_floor:.0f}),"
            f" spread {100 * item.spread:+.0f} ({100 * item.spread_floor:.0f})"
            for item in self.colour
        ]

        lines.append(
            f"copies of a photo: {self.copies}; pictures with dark, empty corners: {self.corners}"
        )
        lines += [self.warning] if self.warning else []
        return "\n".join([*lines, "", *table_of_kinds(self.kinds)] if self.kinds else lines)


def _row(name: str, score: Score, unit: float) -> str:
    value = f"{score.value * unit:.1f}" + (
        "" if score.error is None else f" ± {score.error * unit:.1f}"
    )
    floor = f"{score.floor * unit:.1f}" + (
        "" if score.floor_spread is None else f" ± {score.floor_spread * unit:.1f}"
    )
    return f"{name:33}{value:>16}{floor:>22}"


def _against(value: float, floors: Sequence[float], error: float | None = None) -> Score:
    return Score(
        value,
        float(np.mean(floors)),
        float(np.std(floors, ddof=1)) if len(floors) > 1 else None,
        error,
    )


def _features(space: FeatureSpace, photos: Pictures) -> Floats:
    return np.concatenate(
        [space.features(photos[start : start + BLOCK]) for start in range(0, len(photos), BLOCK)]
    )


@dataclass(frozen=True, slots=True)
class RequestedKinds:
    """Which kinds pictures were asked for, and which the photos show, as numbers of ``classes``.

    ``pictures`` is (N,), -1 where no kind was asked for, and ``photos`` (M,). ``extra`` are more
    pictures (E, H, W, 3), asked for ``extra_kinds`` (E,), that count in the table of kinds alone:
    small kinds need more pictures than a fair draw gives them.
    """

    pictures: LabelArray
    photos: LabelArray
    classes: Sequence[str]
    extra: Pictures | None = None
    extra_kinds: LabelArray | None = None


def evaluate_pictures(
    pictures: Pictures,
    photos: Pictures,
    space: FeatureSpace,
    *,
    judge: ImageNetClassifier | None = None,
    asked: RequestedKinds | None = None,
    seed: int = 0,
) -> Scores:
    """Score ``pictures`` (N, H, W, 3) against ``photos`` (M, h, w, 3), both uint8; the photos may
    be a memory map.

    Pictures asked for by kind should be asked for as often as the kinds occur among the photos;
    else that difference counts too.

    Args:
        space: what the distances are measured in.
        judge: names what the pictures show, and finds copies; ``space`` itself where that is one.
        asked: what was asked for; needed to say whether pictures are named rightly.
        seed: which photos stand in for pictures.

    Raises:
        BadInput: fewer than 10 pictures, or fewer than twice as many photos.
    """
    n, m = len(pictures), len(photos)
    if n < 10 or m < 2 * n:
        raise BadInput(
            f"Scoring {n} pictures against {m} photos says nothing: take at least 10 pictures and "
            "twice as many photos."
        )
    judge = space if judge is None and isinstance(space, ImageNetClassifier) else judge

    # Photos that stand in for pictures give each figure its floor: what chance and photos get.
    stand_ins, rest = _split(m, n, seed)
    looks = (judge.look(pictures), judge.look(photos)) if judge else None

    # The judge's features serve twice where it is the space, too.
    if looks and space is judge:
        painted, real = looks[0].features, looks[1].features
    else:
        painted, real = space.features(pictures), _features(space, photos)
    reference = real[rest]

    def scored(measure: Callable[[Floats], float]) -> Score:
        return _against(measure(painted), [measure(real[rows]) for rows in stand_ins])

    distance, manifold = KernelDistance(reference, seed), Manifold(reference)
    kid = distance(painted)
    names = _names(looks, asked, stand_ins, rest) if looks else (None, None, None)
    kinds = _kinds(judge, looks, asked) if judge and looks and asked else {}
    return Scores(
        space=space.name,
        pictures=n,
        photos=m,
        kid=_against(kid[0], [distance(real[rows])[0] for rows in stand_ins], kid[1]),
        frechet=_frechet(painted, [real[rows] for rows in stand_ins], reference),
        precision=scored(manifold.share),
        recall=scored(lambda rows: Manifold(rows).share(reference)),
        animal=names[0],
        sure=names[1],
        named=names[2],
        colour=colour_scores(channel_means(pictures), channel_means(photos), stand_ins),
        corners=int(dark_corners(pictures).sum()),
        warning=looks_wrong(pictures),
        matches=closest_photos(
            pictures, photos, judge or space, looks[1].features if looks else real
        ),
        kinds=kinds,
    )


def _split(photos: int, pictures: int, seed: int) -> tuple[list[LabelArray], LabelArray]:
    """Rows of photos: a few sets of as many as there are pictures, which stand in for pictures, and
    the others, the reference.
    """
    order = np.random.default_rng(seed).permutation(photos)
    draws = min(DRAWS, photos // 2 // pictures)
    stand_ins = [np.sort(part) for part in order[: draws * pictures].reshape(draws, pictures)]
    return stand_ins, np.sort(order[draws * pictures :][:REFERENCE])


def _frechet(painted: Floats, stand_ins: Sequence[Floats], reference: Floats) -> Score | None:
    if not enough_for_frechet(painted[:, :COMPONENTS]):
        return None
    project = LeadingComponents(reference, COMPONENTS)
    origin = project(reference)
    return _against(
        frechet(project(painted), origin), [frechet(project(rows), origin) for rows in stand_ins]
    )


def _names(
    looks: tuple[ImageNetScores, ImageNetScores],
    asked: RequestedKinds | None,
    stand_ins: Sequence[LabelArray],
    rest: LabelArray,
) -> tuple[Score | None, Score | None, Score | None]:
    """The shares of animals, of sure ones and of rightly named ones."""
    pictures, photos = looks
    # Usual labels are those of the other photos: a stand-in that had a say in them would be named
    # more easily than a picture.
    usual = usual_labels(photos.top[rest], asked.photos[rest], len(asked.classes)) if asked else []
    ours = naming(pictures, asked.pictures if asked else None, usual)
    floors = [
        naming(
            ImageNetScores(photos.features[rows], photos.probabilities[rows]),
            asked.photos[rows] if asked else None,
            usual,
        )
        for rows in stand_ins
    ]

    animal = _against(ours.animal, [floor.animal for floor in floors])
    sure = _against(ours.sure, [floor.sure for floor in floors])
    if ours.named is None:
        return animal, sure, None
    return animal, sure, _against(ours.named, [floor.named or 0.0 for floor in floors])


def _kinds(
    judge: ImageNetClassifier, looks: tuple[ImageNetScores, ImageNetScores], asked: RequestedKinds
) -> dict[str, KindQuality]:
    pictures, kinds = looks[0], asked.pictures
    if asked.extra is not None and asked.extra_kinds is not None:
        more = judge.look(asked.extra)
        pictures = ImageNetScores(
            *(np.concatenate(parts) for parts in zip(pictures, more, strict=True))
        )
        kinds = np.concatenate([kinds, asked.extra_kinds])
    return kinds_of(pictures, kinds, looks[1], asked.photos, asked.classes)
