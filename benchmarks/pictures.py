"""The ladder of web pictures against SSIMULACRA 2:  pictures.py PHOTOS PAINTED [--fit].

PHOTOS is a folder of photos in folders, PAINTED one of pictures that jungle painted; those are
enlarged to 512 pixels, the photos are laid out nine to a picture of 480 (small ones enlarged are
soft, these keep their grain). Needs the library 'ssimulacra2'.

--fit   prints the weights of encoding/ssimulacra2.py anew, from every third picture; the report is
on the others
"""

import io
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from scipy import optimize

from jungle.encoding import ssimulacra2
from jungle.encoding.image_ladder import CARD, LARGE, decode_rgb, encode_ladder, encode_png, version
from jungle.encoding.ssimulacra2 import Fidelity, Pixels

TILE, SIDE = 160, 512
COMPARED = 256  # pixels: what SSIMULACRA 2 has all its scales for


def pictures(photos: Path, painted: Path) -> Iterator[tuple[str, Pixels]]:
    """Eight mosaics of photos and all painted pictures."""
    files = sorted(
        path for path in photos.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    )
    generator = random.Random(11)
    for number in range(8):
        sheet = Image.new("RGB", (3 * TILE, 3 * TILE))
        for place, path in enumerate(generator.sample(files, 9)):
            with Image.open(path) as photo:
                sheet.paste(
                    ImageOps.fit(photo.convert("RGB"), (TILE, TILE)),
                    (place % 3 * TILE, place // 3 * TILE),
                )
        yield f"photos {number}", np.asarray(sheet)
    for path in sorted(painted.glob("*.png")):
        with Image.open(path) as picture:
            yield (
                f"painted {path.stem}",
                np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)),
            )


def true_score(original: Pixels, data: bytes) -> float:
    from ssimulacra2 import compute_ssimulacra2

    return float(compute_ssimulacra2(io.BytesIO(encode_png(original)), io.BytesIO(data)))


def copies(original: Pixels) -> Iterator[tuple[str, bytes]]:
    """The picture in three formats and five qualities each."""
    options: dict[str, dict[str, Any]] = {
        "AVIF": {"speed": 8, "subsampling": "4:4:4"},
        "WEBP": {"method": 4},
        "JPEG": {},
    }
    for form, qualities in (
        ("AVIF", (35, 48, 60, 72)),
        ("WEBP", (45, 65, 80, 90)),
        ("JPEG", (40, 60, 75, 88)),
    ):
        for quality in qualities:
            buffer = io.BytesIO()
            Image.fromarray(original).save(buffer, form, quality=quality, **options[form])
            yield form, buffer.getvalue()


def fitted(values: Any, scores: Any) -> Any:
    """Weights that give ``scores`` by non-negative least squares, errors counted in points."""
    distance = ((100 - scores) / 10) ** (1 / ssimulacra2.EXPONENT)
    slope = 10 * ssimulacra2.EXPONENT * distance ** (ssimulacra2.EXPONENT - 1)
    return optimize.nnls(values * slope[:, None], distance * slope)[0]


def agreement(chosen: list[tuple[str, Pixels]], fit: bool) -> None:
    values, scores, groups, spent = [], [], [], 0.0
    for number, (_, original) in enumerate(chosen):
        meter = Fidelity(original)
        for _, data in copies(original):
            score, copy = true_score(original, data), decode_rgb(data)
            start = time.process_time()
            values.append(meter.terms(copy))
            spent += time.process_time() - start
            scores.append(score)
            groups.append(number)
    found, wanted, held = np.array(values), np.array(scores), np.array(groups) % 3 > 0
    useful = (wanted > 40) & (wanted < 92)
    weights = np.array([term.weight for term in ssimulacra2.TERMS])
    if fit:
        weights = fitted(found[useful & ~held], wanted[useful & ~held])
        print("weights:", ", ".join(f"{weight:.4g}" for weight in weights))
    judged = useful & held if fit else useful
    ours = 100 - 10 * (found[judged] @ weights) ** ssimulacra2.EXPONENT
    errors = ours - wanted[judged]
    print(
        f"measure: {judged.sum()} copies, correlation "
        f"{np.corrcoef(ours, wanted[judged])[0, 1]:.4f}, mean {errors.mean():+.2f}, "
        f"standard deviation {errors.std():.2f}, worst {np.abs(errors).max():.2f} points, "
        f"{1000 * spent / len(scores):.0f} ms of CPU a copy"
    )


def ladders(chosen: list[tuple[str, Pixels]]) -> None:
    made: dict[tuple[str, str, int], list[tuple[int, float, float]]] = defaultdict(list)
    spent: dict[str, list[float]] = defaultdict(list)
    for name, original in chosen:
        kind = name.split()[0]
        start = time.process_time()
        result = encode_ladder(original)
        spent[kind].append(time.process_time() - start)
        for one in result.renditions:
            small = Image.fromarray(original).resize(
                (one.width, one.height), Image.Resampling.LANCZOS
            )
            target = LARGE if one.width == original.shape[1] else CARD
            true = true_score(np.asarray(small), one.data)
            made[kind, one.form, one.width].append(
                (len(one.data), one.score - target, true - target)
            )
    for kind, seconds in spent.items():
        print(f"{kind}: {np.mean(seconds):.2f} s of CPU a picture")
    print("pictures  form  width  count  mean bytes  ours - target  true - target  true >= target")
    for (kind, form, width), rows in sorted(made.items()):
        size, ours, true = np.array(rows).T
        note = "" if width >= COMPARED else "  (SSIMULACRA 2 lacks scales here)"
        print(
            f"{kind:8}  {form:4}  {width:5}  {len(rows):5}  {size.mean():10.0f}  "
            f"{ours.mean():+13.2f}  {true.mean():+13.2f}"
            f"  {(true >= 0).mean():13.0%}{note}"
        )


def main() -> None:
    folders = [Path(word) for word in sys.argv[1:] if word != "--fit"]
    if len(folders) != 2:
        raise SystemExit(__doc__)
    chosen = list(pictures(*folders))
    print(version())
    agreement(chosen, "--fit" in sys.argv)
    ladders(chosen)


if __name__ == "__main__":
    main()
