"""The enlarger against the Lanczos filter and an older enlarger, on photos that it was never
trained on and on painted pictures.

    python benchmarks/enlarge.py distance DATA --heldout LIST [--enlarger FILE] [--against SRC]
        [--weights FOLDER/.../models/*.pth --variant lite2] [--count 300] [--out SCORES.json]
    python benchmarks/enlarge.py score DATA --heldout LIST [--enlarger FILE] [--count 100] [--out
    SCORES.json] python benchmarks/enlarge.py sheet PICTURES --out SHEET.png [--enlarger FILE]  #
    small pictures, the looks side by side python benchmarks/enlarge.py pairs PICTURES --photos DATA
    --heldout LIST --against SRC --out FOLDER --answers FILE.csv python benchmarks/enlarge.py speed

``distance`` asks how far enlarged photos are from real ones in the features of a network (the
shipped EfficientNet-Lite0, or that of ``--weights``, see judge_pictures.py). Half of the held-out
photos are reduced and enlarged; the other half are real photos at that size. It compares whole
pictures, and squares of PATCH pixels out of them, both scaled to the network's own side; the floor
is what the first half gets before it is reduced. ``--against`` is the folder ``src`` of another
version of this package, whose enlarger takes part.

``score`` compares pixels with the photo (and needs the package ssimulacra2, which  make test
installs). The photos have 160 pixels on their short side, so no true 512-pixel picture exists. Two
honest questions remain, and both are asked: ``64 to 512`` enlarges a 64-pixel copy to 512 as the
product does, and compares it with the photo at the 160 pixels that the photo has; ``20 to 160``,
``40 to 160`` and ``80 to 160`` compare every pixel, on smaller pictures. Lanczos goes the same
ways.

``pairs`` makes a blind test of 64 to 512: 30 PICTURES of our model and 30 photos, each enlarged by
the older and the new network, left and right at random.

DATA is the folder that the paths of LIST begin in.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from judge_pictures import list_photos, open_judge
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from jungle.evaluation.metrics import KernelDistance
from jungle.images.classifier import ImageNetClassifier, shipped_classifier
from jungle.images.efficientnet import VARIANTS
from jungle.images.sampling import to_uint8
from jungle.images.upscale import LOOKS, UpscaleStyle, upscale

TRUE = 160  # pixels a side
# (pixels of the small copy, pixels it is enlarged to)
ROUTES = (
    (64, 512),
    (20, 160),
    (40, 160),
    (80, 160),
)
DISTANCES = ((32, 128), (64, 160))
PATCH = 64  # pixels
PAIRS = 30  # of each sort
A_SHEET = 3  # pairs


def centre(path: Path, side: int) -> Image.Image | None:
    """The middle square of a photo, reduced to ``side`` pixels; None where it has fewer."""
    with Image.open(path) as photo:
        short = min(photo.size)
        left, top = (photo.width - short) // 2, (photo.height - short) // 2
        square = photo.convert("RGB").crop((left, top, left + short, top + short))
    return square.resize((side, side), Image.Resampling.LANCZOS) if short >= side else None


def centres(paths: Sequence[Path], side: int, count: int) -> list[Image.Image]:
    """``count`` photos that are large enough, drawn from the list at random but always the same."""
    shuffled = [paths[index] for index in np.random.default_rng([side, 17]).permutation(len(paths))]
    photos: list[Image.Image] = []
    for path in shuffled:
        square = centre(path, side)
        if square is not None:
            photos.append(square)
        if len(photos) == count:
            break
    return photos


def patches(pictures: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) -> (N, PATCH, PATCH, 3): a square of each, at a random place that is always the
    same.
    """
    places = np.random.default_rng(23).integers(
        0, pictures.shape[1] - PATCH + 1, size=(len(pictures), 2)
    )
    return np.stack(
        [
            picture[y : y + PATCH, x : x + PATCH]
            for picture, (y, x) in zip(pictures, places, strict=True)
        ]
    )


def enlarged(
    small: torch.Tensor, side: int, version: Path | None, file: Path | None
) -> torch.Tensor:
    """(N, 3, H, W) in [-1, 1] made ``side`` pixels large: by the package in the folder ``version``,
    or by this one with ``file``.
    """
    if version is None:
        return upscale(small, (side, side), weights=file)
    code = "import sys, torch; from jungle.images.enlarge import enlarge; "
    code += "torch.set_num_threads(int(sys.argv[3])); torch.save(enlarge(torch.load(sys.argv[1]), (int(sys.argv[2]),) * 2), sys.argv[1])"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pictures.pt"
        torch.save(small, path)
        arguments = [sys.executable, "-c", code, str(path), str(side), str(torch.get_num_threads())]
        subprocess.run(arguments, check=True, env={**os.environ, "PYTHONPATH": str(version)})
        out: torch.Tensor = torch.load(path)
    return out


def distance(
    paths: Sequence[Path],
    judge: ImageNetClassifier,
    versions: dict[str, Path | None],
    file: Path | None,
    count: int,
) -> dict[str, Any]:
    """KID x 1000 and its standard error of each way of enlarging, for whole pictures and squares of
    PATCH pixels.
    """
    result: dict[str, Any] = {"judge": judge.name, "patch": PATCH}
    for low, high in DISTANCES:
        photos = centres(paths, high, 2 * count)
        half = len(photos) // 2
        small = as_tensor(
            [photo.resize((low, low), Image.Resampling.BOX) for photo in photos[:half]]
        )
        sets = {"photos": np.stack([np.asarray(photo) for photo in photos[:half]])}
        sets["lanczos"] = to_uint8(upscale(small, (high, high), "smooth"))
        sets |= {
            name: to_uint8(enlarged(small, high, version, file))
            for name, version in versions.items()
        }

        real = np.stack([np.asarray(photo) for photo in photos[half:]])
        row: dict[str, Any] = {"photos": half, "real": len(real)}
        for what, view in (("whole", np.asarray), ("patches", patches)):
            kid = KernelDistance(judge.features(view(real)))
            row[what] = {
                name: [1000 * value for value in kid(judge.features(view(pixels)))]
                for name, pixels in sets.items()
            }
        result[f"{low} to {high}"] = row
        print(
            f"{low} to {high}, {half} photos against {len(real)} others, KID x 1000 by {judge.name}"
        )
        for what in ("whole", "patches"):
            print(
                f"  {what:8}",
                "  ".join(
                    f"{name} {kid:.1f} ± {error:.1f}" for name, (kid, error) in row[what].items()
                ),
                flush=True,
            )
    return result


def as_tensor(pictures: list[Image.Image]) -> torch.Tensor:
    """(N, 3, H, W) in [-1, 1]."""
    return (
        torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
        .permute(0, 3, 1, 2)
        .float()
        / 127.5
        - 1
    )


def as_images(pictures: torch.Tensor) -> list[Image.Image]:
    return [Image.fromarray(pixels) for pixels in to_uint8(pictures)]


def ssim(a: Image.Image, b: Image.Image) -> float:
    """Structural similarity of the grey pictures (Wang et al. 2004, Gaussian window of 1.5
    pixels).
    """
    x, y = (np.asarray(picture.convert("L"), dtype=np.float64) for picture in (a, b))

    def mean(value: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(value, 1.5, truncate=3.5))

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(
        (((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()
    )


def ssimulacra(original: Image.Image, other: Image.Image) -> float:
    """SSIMULACRA 2 (up to 100; about 30 is low and 70 high quality) by the package
    ``ssimulacra2``.
    """
    from ssimulacra2 import compute_ssimulacra2

    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{name}.png" for name in "ab"]
        original.save(files[0])
        other.save(files[1])
        return float(compute_ssimulacra2(*files))


def score(paths: Sequence[Path], weights: Path | None, count: int) -> dict[str, Any]:
    """Means of both measures for Lanczos and the network on every route, and on how many photos the
    network is better.
    """
    originals = centres(paths, TRUE, count)
    result: dict[str, Any] = {"photos": len(originals)}
    for low, high in ROUTES:
        small = as_tensor([photo.resize((low, low), Image.Resampling.BOX) for photo in originals])
        figures: dict[str, dict[str, list[float]]] = {}
        looks: tuple[UpscaleStyle, ...] = ("smooth", "painterly")
        for look in looks:
            large = [
                p.resize((TRUE, TRUE), Image.Resampling.LANCZOS)
                for p in as_images(upscale(small, (high, high), look, weights=weights))
            ]
            pairs = list(zip(originals, large, strict=True))
            figures[look] = {
                "ssimulacra2": [ssimulacra(*pair) for pair in pairs],
                "ssim": [ssim(*pair) for pair in pairs],
            }
        row: dict[str, Any] = {}
        for measure in ("ssimulacra2", "ssim"):
            ours, theirs = figures["painterly"][measure], figures["smooth"][measure]
            better = sum(a > b for a, b in zip(ours, theirs, strict=True))
            row[measure] = {
                "lanczos": statistics.fmean(theirs),
                "painterly": statistics.fmean(ours),
                "better on": better,
            }
        result[f"{low} to {high}"] = row
        print(f"{low} to {high}", json.dumps(row), flush=True)
    return result


def sheet(folder: Path, out: Path, weights: Path | None, side: int, first: int, count: int) -> None:
    """A row for each picture in ``folder``: the three looks, ``side`` pixels wide; prints how far
    colours move.
    """
    names = sorted(folder.glob("*.png"))[first : first + count]
    small = as_tensor([Image.open(path).convert("RGB") for path in names])
    canvas = Image.new("RGB", (side * len(LOOKS), side * len(names)))
    for column, look in enumerate(LOOKS):
        large = upscale(small, side // small.shape[3], look, weights=weights)
        back = torch.nn.functional.interpolate(large, small.shape[2:], mode="area")
        apart = (back.mean(dim=(2, 3)) - small.mean(dim=(2, 3))).abs().max().item() * 127.5
        changed = (back - small).abs().mean().item() * 127.5
        print(
            f"{look:10}  reduced again, in levels of 255: mean difference {changed:.2f}, largest "
            f"shift of a mean colour {apart:.2f}"
        )
        for row, picture in enumerate(as_images(large)):
            canvas.paste(picture, (column * side, row * side))
    canvas.save(out)


def speed(weights: Path | None) -> None:
    """Seconds for 12 pictures, the best of three."""
    for low, factor in ((64, 8), (64, 16), (128, 4), (128, 8)):
        pictures = torch.rand(12, 3, low, low) * 2 - 1
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            upscale(pictures, factor, weights=weights)
            seconds.append(time.perf_counter() - start)
        print(
            f"12 pictures from {low} to {low * factor}: {min(seconds):.1f} s on "
            f"{torch.get_num_threads()} cores",
            flush=True,
        )


def blind_pairs(
    pictures: Path,
    paths: Sequence[Path],
    version: Path,
    file: Path | None,
    out: Path,
    answers: Path,
) -> None:
    """Write sheets of numbered pairs into ``out``, and to ``answers`` which side of each is which
    version's.
    """
    random = np.random.default_rng(31)
    own = [Image.open(path).convert("RGB") for path in sorted(pictures.glob("*.png"))[:PAIRS]]
    photos = [photo.resize((64, 64), Image.Resampling.BOX) for photo in centres(paths, TRUE, PAIRS)]
    small = as_tensor([*own, *photos])
    names = ("older", "new")
    large = [as_images(enlarged(small, 512, *way)) for way in ((version, None), (None, file))]

    side = large[0][0].width
    gap, line = 12, 34
    font = ImageFont.load_default(size=24)
    order = random.permutation(len(small))
    out.mkdir(parents=True, exist_ok=True)
    rows = [("pair", "sort", "left", "right")]
    for start in range(0, len(order), A_SHEET):
        chosen = order[start : start + A_SHEET]
        sheet = Image.new("RGB", (2 * side + 3 * gap, len(chosen) * (side + line + gap)), "white")
        for row, index in enumerate(chosen):
            number, swapped = start + row + 1, int(random.integers(2))
            top = row * (side + line + gap)
            ImageDraw.Draw(sheet).text(
                (gap, top + 2), f"pair {number}: left, right", fill="black", font=font
            )
            for column in range(2):
                sheet.paste(
                    large[column ^ swapped][index], (gap + column * (side + gap), top + line)
                )
            rows.append(
                (
                    str(number),
                    "painted" if index < len(own) else "photo",
                    names[swapped],
                    names[1 - swapped],
                )
            )
        sheet.save(out / f"pairs_{start // A_SHEET + 1:02}.png")
    with answers.open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("distance", "score", "sheet", "pairs", "speed"))
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--photos", type=Path, help="DATA, of pairs")
    parser.add_argument(
        "--heldout", type=Path, help="list of photos that were not trained on, one path a line"
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--enlarger", type=Path, help="another file than the shipped one")
    parser.add_argument("--against", type=Path, help="the folder src of another version")
    parser.add_argument(
        "--weights", type=Path, help="of the judging network: the .pth file of its package"
    )
    parser.add_argument("--variant", default="lite2", choices=sorted(VARIANTS))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--side", type=int, default=512)
    given = parser.parse_args()
    versions = ({"older": given.against} if given.against else {}) | {"network": None}
    if given.what == "speed":
        speed(given.enlarger)
    elif given.what == "distance":
        judge = open_judge(given.weights, given.variant) if given.weights else shipped_classifier()
        result = distance(
            list_photos(given.folder, given.heldout), judge, versions, given.enlarger, given.count
        )
        write(result, given.out)
    elif given.what == "score":
        write(
            score(list_photos(given.folder, given.heldout), given.enlarger, given.count), given.out
        )
    elif given.what == "pairs":
        photos = list_photos(given.photos, given.heldout)
        blind_pairs(given.folder, photos, given.against, given.enlarger, given.out, given.answers)
    else:
        sheet(given.folder, given.out, given.enlarger, given.side, given.first, given.count)


def write(result: dict[str, Any], out: Path | None) -> None:
    """The figures as JSON, where a file is given."""
    if out:
        out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
