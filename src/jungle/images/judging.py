"""``jungle evaluate``: paint with a model, and score the pictures against the photos."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..casting import check_numbers
from ..diffusion.lots import Wish
from ..diffusion.model import Model
from ..errors import BadInput
from ..recipes import SampleRecipe
from ..sheets import contact_sheet
from ..store import make_folder, write_atomic, write_bytes
from . import copies
from .evaluate import Scores, evaluate
from .features import Dino, FeatureSpace
from .judge import Judge
from .paint import paint
from .photos import PhotoSet


def evaluate_model(
    model: Model, photos: PhotoSet, recipe: SampleRecipe, count: int, seed: int, out: Path, space: str, progress: Callable[[int], object]
) -> Scores:
    """Paint ``count`` pictures, each asked for the class of a photo drawn at random, and score them against the photos.

    Writes ``scores.json``, ``report.txt``, ``pictures.png`` and ``closest_pairs.png`` into ``out``.

    Args:
        space: "judge", or a DINOv2 folder or hub name.

    Raises:
        BadInput: too few pictures or photos, or a seed out of range.
    """
    if count < 10 or len(photos.labels) < 2 * count:
        raise BadInput(
            f"--count {count}: judging needs at least 10 pictures and twice as many photos; there are {len(photos.labels)} photos."
        )
    check_numbers(count, seed)
    judge = Judge.shipped()
    chosen: FeatureSpace = judge if space == "judge" else Dino.load(space)
    make_folder(out)
    labels = np.random.default_rng([seed, 7]).choice(photos.labels, count)
    names = [photos.classes[label] for label in labels]
    wishes = [Wish(seed + i, model.mix({name: 1.0} if name in model.classes else {})) for i, name in enumerate(names)]
    painted = []
    for index, pixels in paint(model, wishes, recipe):
        painted.append(pixels)
        progress(index + 1)
    pictures = np.stack(painted)
    mixes = np.eye(len(photos.classes), dtype=np.float32)[labels] if model.classes else None
    scores = evaluate(pictures, photos.images, chosen, judge=judge, mixes=mixes, labels=photos.labels, classes=photos.classes, seed=seed)
    write_bytes(out / "scores.json", scores.to_json().encode())
    write_bytes(out / "report.txt", (scores.to_text() + "\n").encode())
    write_bytes(out / "closest_pairs.png", copies.sheet(pictures, photos.images, scores.matches))
    sheet = contact_sheet(pictures[:100])
    write_atomic(out / "pictures.png", lambda file: sheet.save(file, "PNG"))
    return scores
