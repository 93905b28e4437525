"""Is a picture a copy of a training photo? The nearest photo of each, twice: among features and
among small pixels.

A distance alone says little, since some photos have near twins. So each is divided by the distance
from the photo found to *its*
nearest other photo: a ratio far below 1 means that the picture is nearer to the photo than any real
photo is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import BLOCK, Floats, blocks, nearest
from .feature_spaces import FeatureSpace, square

PIXELS = 16  # side that pixels are compared at

# Below either, a picture is called a copy. Measured with EfficientNet-Lite0: of 900 held-out photos
# against 6,000 others 6 fall below, and
# each is the same scene (mirrored, saved twice, or taken a moment later); of 50 made copies each,
# found with noise, jitter, blur or
# mirrored all, cropped by 5 % at every edge 98 %, by 10 % 88 %, cropped by 5 %, mirrored, jittered
# and noisy at once 88 %.
FEATURE_RATIO = 0.7
PIXEL_RATIO = 0.6


@dataclass(frozen=True, slots=True)
class Match:
    """A picture and the photo most like it. ``closeness`` is the smaller ratio over its threshold:
    below 1 is a copy.
    """

    picture: int
    photo: int
    feature_ratio: float
    pixel_ratio: float
    closeness: float

    @property
    def copy(self) -> bool:
        """Whether the picture is called a copy of the photo."""
        return self.closeness < 1


def pixel_vectors(pictures: NDArray[np.uint8]) -> Floats:
    """(N, H, W, 3) -> (N, 768): 16x16 pixels, brought to mean 0 and length 1 so that brightness and
    contrast do not count.
    """
    flat = square(pictures, PIXELS).flatten(1).numpy()
    flat = flat - flat.mean(axis=1, keepdims=True)
    out: Floats = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)
    return out


def _ratios(distance: Floats, own: Floats) -> Floats:
    """``own`` is at least half of what is usual, so that photos present twice do not hide a
    copy.
    """
    out: Floats = distance / np.maximum(own, np.median(own) / 2).clip(min=1e-6)
    return out


def closest_photos(
    pictures: NDArray[np.uint8], photos: NDArray[np.uint8], space: FeatureSpace, features: Floats
) -> tuple[Match, ...]:
    """The most similar photo of each picture, the most suspicious pair first.

    Args:
        pictures: uint8 (N, H, W, 3).
        photos: uint8 (M, H, W, 3), may be a memory map; M at least 2.
        space: where the features come from.
        features: (M, D) features of ``photos``.
    """
    there = np.arange(len(pictures))
    mirrored = pictures[:, :, ::-1]

    # Block by block: the vectors of all photos would not fit into memory.
    def pixels() -> Iterator[Floats]:
        return (
            pixel_vectors(photos[start : start + BLOCK]) for start in range(0, len(photos), BLOCK)
        )

    def search(
        queries: tuple[Floats, Floats], keys: Floats | None
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Ratio and photo, of the picture or its mirror image, whichever is nearer."""
        results = [nearest(query, pixels() if keys is None else blocks(keys)) for query in queries]
        distance, photo = (np.stack([part[which][:, 0] for part in results]) for which in (0, 1))
        side = distance.argmin(axis=0)
        photo = photo[side, there]
        at = (
            np.concatenate([pixel_vectors(photos[i : i + 1]) for i in photo])
            if keys is None
            else keys[photo]
        )
        own = nearest(at, pixels() if keys is None else blocks(keys), own=photo)[0][:, 0]
        return _ratios(distance[side, there], own), photo

    by_feature, feature_photo = search(
        (space.features(pictures), space.features(mirrored)), features
    )
    by_pixel, pixel_photo = search((pixel_vectors(pictures), pixel_vectors(mirrored)), None)

    # Whichever of the two measures is more suspicious decides, each in units of its own threshold.
    by_pixels = by_pixel / PIXEL_RATIO < by_feature / FEATURE_RATIO
    photo = np.where(by_pixels, pixel_photo, feature_photo)
    closeness = np.minimum(by_pixel / PIXEL_RATIO, by_feature / FEATURE_RATIO)
    order = np.argsort(closeness, kind="stable")
    return tuple(
        Match(int(i), int(photo[i]), float(by_feature[i]), float(by_pixel[i]), float(closeness[i]))
        for i in order
    )


def pairs_sheet(
    pictures: NDArray[np.uint8],
    photos: NDArray[np.uint8],
    matches: Sequence[Match],
    rows: int = 8,
    side: int = 96,
) -> bytes:
    """A PNG of the first ``4 * rows`` pairs: picture left, photo right, copies framed in red."""
    import io

    from PIL import Image, ImageDraw

    gap, across = 6, 4
    shown = matches[: across * rows]
    wide, high = 2 * side + 3 * gap, side + 2 * gap
    canvas = Image.new("RGB", (across * wide, max(1, -(-len(shown) // across)) * high), "white")
    draw = ImageDraw.Draw(canvas)

    # Red frames draw the eye to what has to be decided.
    for place, match in enumerate(shown):
        left, top = place % across * wide, place // across * high
        if match.copy:
            draw.rectangle((left, top, left + wide - 1, top + high - 1), fill=(220, 30, 30))
        for offset, source, index in (
            (gap, pictures, match.picture),
            (side + 2 * gap, photos, match.photo),
        ):
            picture = Image.fromarray(np.asarray(source[index])).resize(
                (side, side), Image.Resampling.BICUBIC
            )
            canvas.paste(picture, (left + offset, top + gap))
    out = io.BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()
