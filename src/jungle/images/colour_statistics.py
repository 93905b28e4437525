"""Do pictures have the colours of photos? Means of the channels and of the saturation, and how much
they vary.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import BLOCK

CHANNELS = ("red", "green", "blue", "saturation")


@dataclass(frozen=True, slots=True)
class ColourScore:
    """One channel of a set of pictures against photos. Floors are the mean size of the same figure
    for as many real photos.
    """

    channel: str
    shift: float
    """Mean over the pictures minus mean over the photos, in standard deviations among the
    photos.
    """

    shift_floor: float
    spread: float
    """Standard deviation among the pictures divided by that among the photos, minus 1."""

    spread_floor: float


def channel_means(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, H, W, 3) uint8 -> (N, 4): mean red, green and blue, 0 to 255, and mean saturation (HSV),
    0 to 1, of each picture.
    """
    parts = []
    for start in range(0, len(pictures), BLOCK):
        pixels = np.asarray(pictures[start : start + BLOCK])
        brightest = pixels.max(axis=3).astype(np.float32)
        darkest = pixels.min(axis=3).astype(np.float32)
        saturation = (brightest - darkest) / np.maximum(brightest, 1)
        rgb = pixels.mean(axis=(1, 2), dtype=np.float64)
        parts.append(np.column_stack([rgb, saturation.mean(axis=(1, 2), dtype=np.float64)]))
    return np.concatenate(parts)


def colour_scores(
    pictures: NDArray[np.float64], photos: NDArray[np.float64], stand_ins: list[NDArray[np.int64]]
) -> tuple[ColourScore, ...]:
    """The four channels of ``pictures`` (N, 4) against ``photos`` (M, 4), both from
    :func:`channel_means`.

    Args:
        stand_ins: rows of ``photos``, as many as pictures, that floors are measured with; each
            against the other photos.
    """

    def compare(
        rows: NDArray[np.float64], reference: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        usual = reference.std(axis=0, ddof=1) + 1e-9
        return (rows.mean(axis=0) - reference.mean(axis=0)) / usual, rows.std(
            axis=0, ddof=1
        ) / usual - 1

    # The floor is what photos get that stand in for the pictures.
    shift, spread = compare(pictures, photos)
    floors = [compare(photos[rows], np.delete(photos, rows, axis=0)) for rows in stand_ins]
    shift_floor, spread_floor = (
        np.mean([np.abs(floor[part]) for floor in floors], axis=0) for part in (0, 1)
    )
    return tuple(
        ColourScore(
            channel,
            float(shift[i]),
            float(shift_floor[i]),
            float(spread[i]),
            float(spread_floor[i]),
        )
        for i, channel in enumerate(CHANNELS)
    )
