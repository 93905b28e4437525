"""The enlarger against the Lanczos filter, on photos that it was never trained on and on painted pictures.

    python benchmarks/enlarge.py score PHOTOS [--weights FILE] [--count 100] [--out SCORES.json]
    python benchmarks/enlarge.py sheet FOLDER --out SHEET.png [--weights FILE]     # small pictures, the looks side by side
    python benchmarks/enlarge.py speed

``score`` needs the package ssimulacra2, which  make test  installs.

The photos have 160 pixels on their short side, so no true 512-pixel picture exists. Two honest questions remain, and both are asked:
``64 to 512`` enlarges a 64-pixel copy to 512 as the product does, and compares it with the photo at the 160 pixels that the photo has;
``20 to 160``, ``40 to 160`` and ``80 to 160`` compare every pixel, on smaller pictures. Lanczos goes the same ways.
"""

import argparse
import json
import statistics
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from jungle.images.copies import closest
from jungle.images.enlarge import LOOKS, Look, enlarge
from jungle.images.imagenet import shipped_judge
from jungle.images.paint import to_uint8

TRUE = 160  # pixels a side
ROUTES = ((64, 512), (20, 160), (40, 160), (80, 160))  # (pixels of the small copy, pixels it is enlarged to)


def centre(path: Path) -> Image.Image | None:
    """The middle square of a photo at its own size; None where that is smaller than TRUE."""
    with Image.open(path) as photo:
        left, top = (photo.width - TRUE) // 2, (photo.height - TRUE) // 2
        return photo.convert("RGB").crop((left, top, left + TRUE, top + TRUE)) if min(photo.size) == TRUE else None


def held_back(folder: Path, count: int) -> list[Path]:
    """The first ``count`` photos, in the order of a checksum, that were kept from training and are no copy of one trained on."""
    paths = sorted(folder.glob("*/*"), key=lambda path: (zlib.crc32(f"{path.parent.name}/{path.name}".encode()), path))
    kept = [zlib.crc32(f"{path.parent.name}/{path.name}".encode()) % 100 < 15 for path in paths]
    candidates = [path for path, held in zip(paths, kept, strict=True) if held and centre(path)][: 2 * count]

    def small(path: Path) -> np.ndarray:
        with Image.open(path) as photo:
            side = min(photo.size)
            left, top = (photo.width - side) // 2, (photo.height - side) // 2
            return np.asarray(photo.convert("RGB").resize((64, 64), Image.Resampling.BOX, box=(left, top, left + side, top + side)))

    trained = np.stack([small(path) for path, held in zip(paths, kept, strict=True) if not held])
    judge = shipped_judge()
    matches = closest(np.stack([small(path) for path in candidates]), trained, judge, judge.features(trained))
    copies = {match.picture for match in matches if match.copy}
    print(f"{len(copies)} of {len(candidates)} held-back photos are near copies of photos trained on and are left out")
    return [path for index, path in enumerate(candidates) if index not in copies][:count]


def as_tensor(pictures: list[Image.Image]) -> torch.Tensor:
    """(N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2).float() / 127.5 - 1


def as_images(pictures: torch.Tensor) -> list[Image.Image]:
    return [Image.fromarray(pixels) for pixels in to_uint8(pictures)]


def ssim(a: Image.Image, b: Image.Image) -> float:
    """Structural similarity of the grey pictures (Wang et al. 2004, Gaussian window of 1.5 pixels)."""
    x, y = (np.asarray(picture.convert("L"), dtype=np.float64) for picture in (a, b))

    def mean(value: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(value, 1.5, truncate=3.5))

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def ssimulacra(original: Image.Image, other: Image.Image) -> float:
    """SSIMULACRA 2 (up to 100; about 30 is low and 70 high quality) by the package ``ssimulacra2``."""
    from ssimulacra2 import compute_ssimulacra2

    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{name}.png" for name in "ab"]
        original.save(files[0])
        other.save(files[1])
        return float(compute_ssimulacra2(*files))


def score(photos: Path, weights: Path | None, count: int) -> dict[str, Any]:
    """Means of both measures for Lanczos and the network on every route, and on how many photos the network is better."""
    originals = [found for path in held_back(photos, count) if (found := centre(path))]
    result: dict[str, Any] = {"photos": len(originals)}
    for low, high in ROUTES:
        small = as_tensor([photo.resize((low, low), Image.Resampling.BOX) for photo in originals])
        figures: dict[str, dict[str, list[float]]] = {}
        looks: tuple[Look, ...] = ("smooth", "painterly")
        for look in looks:
            large = [
                p.resize((TRUE, TRUE), Image.Resampling.LANCZOS) for p in as_images(enlarge(small, (high, high), look, weights=weights))
            ]
            pairs = list(zip(originals, large, strict=True))
            figures[look] = {"ssimulacra2": [ssimulacra(*pair) for pair in pairs], "ssim": [ssim(*pair) for pair in pairs]}
        row: dict[str, Any] = {}
        for measure in ("ssimulacra2", "ssim"):
            ours, theirs = figures["painterly"][measure], figures["smooth"][measure]
            better = sum(a > b for a, b in zip(ours, theirs, strict=True))
            row[measure] = {"lanczos": statistics.fmean(theirs), "painterly": statistics.fmean(ours), "better on": better}
        result[f"{low} to {high}"] = row
        print(f"{low} to {high}", json.dumps(row), flush=True)
    return result


def sheet(folder: Path, out: Path, weights: Path | None, side: int, first: int, count: int) -> None:
    """A row for each picture in ``folder``: the three looks, ``side`` pixels wide; prints how far colours move."""
    names = sorted(folder.glob("*.png"))[first : first + count]
    small = as_tensor([Image.open(path).convert("RGB") for path in names])
    canvas = Image.new("RGB", (side * len(LOOKS), side * len(names)))
    for column, look in enumerate(LOOKS):
        large = enlarge(small, side // small.shape[3], look, weights=weights)
        back = torch.nn.functional.interpolate(large, small.shape[2:], mode="area")
        apart = (back.mean(dim=(2, 3)) - small.mean(dim=(2, 3))).abs().max().item() * 127.5
        changed = (back - small).abs().mean().item() * 127.5
        print(f"{look:10}  reduced again, in levels of 255: mean difference {changed:.2f}, largest shift of a mean colour {apart:.2f}")
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
            enlarge(pictures, factor, weights=weights)
            seconds.append(time.perf_counter() - start)
        print(f"12 pictures from {low} to {low * factor}: {min(seconds):.1f} s on {torch.get_num_threads()} cores", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("score", "sheet", "speed"))
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--side", type=int, default=512)
    given = parser.parse_args()
    if given.what == "speed":
        speed(given.weights)
    elif given.what == "score":
        result = score(given.folder, given.weights, given.count)
        if given.out:
            given.out.write_text(json.dumps(result, indent=1))
    else:
        sheet(given.folder, given.out, given.weights, given.side, given.first, given.count)


if __name__ == "__main__":
    main()
