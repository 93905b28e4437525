"""``jungle evaluate``: paint with a model, score the pictures against the photos, and lay out what
people should look at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..config.recipes import SampleRecipe
from ..diffusion.batched_sampling import SampleRequest
from ..diffusion.model import Model
from ..errors import BadInput
from ..evaluation.contact_sheet import contact_sheet, labelled_rows
from ..species.kinds import ClassQualityReport
from ..species.select import check_numbers
from ..storage.atomic import make_folder, write_atomic, write_bytes
from . import memorisation
from .blind_sheet import shuffle_cells, write_blind_sheet
from .classifier import shipped_classifier
from .dataset import ImageDataset
from .evaluate import RequestedKinds, Scores, evaluate_pictures
from .feature_spaces import Dino, FeatureSpace
from .sampling import sample_pictures

SPACE = "lite0"
"""Name of the shipped feature space."""

OF_A_KIND = 10
"""Pictures of every kind, at least, behind a report on kinds."""

ROW = 10
"""Pictures of a kind on the sheet to look at, at most."""


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What is wanted of an evaluation.

    Attributes:
        count: pictures to score.
        seed: of the first picture, and of every draw.
        out: folder for scores and sheets.
        space: SPACE, or a DINOv2 folder or hub name.
        kinds_file: where the report on kinds goes; None: no report, and no more pictures for it.
    """

    count: int
    seed: int
    out: Path
    space: str = SPACE
    kinds_file: Path | None = None


def draw_kinds(
    labels: NDArray[np.int64], order: EvaluationRequest, kinds: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which kinds to paint: of ``order.count`` photos drawn at random, and those missing to
    ``OF_A_KIND`` of each of ``kinds``.
    """
    drawn = np.random.default_rng([order.seed, 7]).choice(labels, order.count)
    if order.kinds_file is None:
        return drawn, np.empty(0, dtype=np.int64)
    missing = np.maximum(OF_A_KIND - np.bincount(drawn, minlength=kinds), 0)
    return drawn, np.repeat(np.arange(kinds), missing)


def evaluate_model(
    model: Model,
    photos: ImageDataset,
    recipe: SampleRecipe,
    order: EvaluationRequest,
    progress: Callable[[int], object],
) -> Scores:
    """Paint pictures, each asked for the kind of a photo drawn at random, and score them against
    the photos.

    Writes into ``order.out``: ``scores.json`` and ``report.txt``; ``pictures.png``, where every
    kind has a row; ``closest_pairs.png``; and the blind sheet (``blind.py``). ``progress`` is
    called with the number of pictures painted.

    Raises:
        BadInput: too few pictures or photos, or a seed out of range; a report on kinds of a model
            that knows none of them.
    """
    count = order.count
    if count < 10 or len(photos.labels) < 2 * count:
        raise BadInput(
            f"<--count> {count}: judging needs at least 10 pictures and twice as many photos; "
            "there "
            f"are {len(photos.labels)} photos."
        )
    check_numbers(count, order.seed)
    if order.kinds_file and not set(photos.classes) & set(model.classes):
        raise BadInput(
            f"<--kinds> {order.kinds_file}: the model knows no kind that the photos show, so there "
            "is nothing to report."
        )

    # Two jobs, and often the same network: names of animals, and the space of the distances.
    judge = shipped_classifier()
    space: FeatureSpace = judge if order.space == SPACE else Dino.load(order.space)
    make_folder(order.out)

    drawn, extra = draw_kinds(photos.labels, order, len(photos.classes))
    labels = np.concatenate([drawn, extra])
    pictures = _paint(
        model, [photos.classes[label] for label in labels], recipe, order.seed, progress
    )

    # Pictures of kinds that the model does not know say nothing of how it draws a kind.
    known = np.array([name in model.classes for name in photos.classes])
    kinds = np.where(known[labels], labels, -1)
    asked = RequestedKinds(
        kinds[:count], photos.labels, photos.classes, pictures[count:], kinds[count:]
    )
    scores = evaluate_pictures(
        pictures[:count], photos.images, space, judge=judge, asked=asked, seed=order.seed
    )

    write_bytes(order.out / "scores.json", scores.to_json().encode())
    write_bytes(order.out / "report.txt", (scores.to_text() + "\n").encode())
    write_bytes(
        order.out / "closest_pairs.png",
        memorisation.pairs_sheet(pictures[:count], photos.images, scores.matches),
    )
    _write_sheet(order.out / "pictures.png", pictures, kinds, photos.classes)
    cells = shuffle_cells(kinds, photos.labels, photos.classes, order.seed)
    write_blind_sheet(order.out, cells, pictures, photos.images)

    if order.kinds_file:
        measured = {name: kind for name, kind in scores.kinds.items() if name in model.classes}
        write_bytes(
            order.kinds_file,
            ClassQualityReport(model.hash, judge.name, measured).to_json().encode(),
        )
    return scores


def _paint(
    model: Model,
    names: Sequence[str],
    recipe: SampleRecipe,
    seed: int,
    progress: Callable[[int], object],
) -> NDArray[np.uint8]:
    """A picture of each kind; of no kind where the model does not know the name."""
    wishes = [
        SampleRequest(seed + i, model.mix({name: 1.0} if name in model.classes else {}))
        for i, name in enumerate(names)
    ]
    painted = []
    for index, pixels in sample_pictures(model, wishes, recipe):
        painted.append(pixels)
        progress(index + 1)
    return np.stack(painted)


def _write_sheet(
    path: Path, pictures: NDArray[np.uint8], kinds: NDArray[np.int64], classes: Sequence[str]
) -> None:
    """The sheet to look at: a row for each kind, or the first hundred pictures where no kind was
    asked for.
    """
    rows = {
        name: pictures[kinds == number][:ROW]
        for number, name in enumerate(classes)
        if (kinds == number).any()
    }
    sheet = labelled_rows(rows) if rows else contact_sheet(pictures[:100])
    write_atomic(path, lambda file: sheet.save(file, "PNG"))
