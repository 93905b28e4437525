"""The plain check after sampling: does the result look like noise, like one flat colour, or like
photos turned on a black ground?

The thresholds were measured on 6,193 real photos in groups of 50 (the groups of one class each, the
hardest: trilobites on black) and on those photos with noise of known strength, turned with empty
corners, or blanked; ``docs/LOG.md`` has the figures.
"""

import numpy as np
from numpy.typing import NDArray

PictureArray = NDArray[np.uint8]

ROUGH = 0.35  # pure noise 1; the roughest group of 50 photos 0.32 at 16 px, 0.14 at 64 px
# photos get rougher when made smaller (0.7 at most for a group at 64 px), noise gets smoother
ROUGH_IF_FINE, FINER = (
    0.12,
    1.25,
)
FLAT = 6.0  # standard deviation of grey, of 255; the flattest group of 50 photos has 29
CORNER, EDGE = 16, 8  # a corner patch, and the strip along an edge, are this part of the side
DARK = 80.0  # grey, of 255
DARK_SHARE = 0.45  # of the pictures; the darkest group of 50 photos has 0.38


def _grey(pictures: PictureArray) -> NDArray[np.float32]:
    out: NDArray[np.float32] = pictures.mean(axis=3, dtype=np.float32)
    return out


def roughness(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half the mean squared step between neighbours over the variance (N,): 0 smooth, 1 every pixel
    for itself.
    """
    steps = np.square(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.square(
        np.diff(grey, axis=2)
    ).mean(axis=(1, 2))
    out: NDArray[np.float32] = steps / 4 / (grey.var(axis=(1, 2)) + 1e-3)
    return out


def _halved(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    n, height, width = grey.shape
    even = grey[:, : height // 2 * 2, : width // 2 * 2]
    out: NDArray[np.float32] = even.reshape(n, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    return out


def dark_corners(pictures: PictureArray) -> NDArray[np.bool_]:
    """Which pictures (N, H, W, 3) have dark, empty corners, as photos that were turned on a black
    ground have.

    All four corners are dark, and less than half as bright as the middles of the two edges that
    meet there; so an animal on a dark ground is not meant. True of 1.1 % of real photos (most of
    them turned by their makers), and of 62 % of photos turned by up to 15 degrees on black. The
    plainer rule, corners on average below 0.6 of the centre's brightness, is true of 13 % of real
    photos.
    """
    grey = _grey(pictures)
    high, wide = grey.shape[1:]
    corner_h, corner_w, edge_h, edge_w = (
        max(1, side // part) for part in (CORNER, EDGE) for side in (high, wide)
    )
    middle_h, middle_w = slice(high // 4, high - high // 4), slice(wide // 4, wide - wide // 4)
    dark = np.ones(len(grey), dtype=bool)

    for rows, edge_rows in (
        (slice(corner_h), slice(edge_h)),
        (slice(high - corner_h, high), slice(high - edge_h, high)),
    ):
        for columns, edge_columns in (
            (slice(corner_w), slice(edge_w)),
            (slice(wide - corner_w, wide), slice(wide - edge_w, wide)),
        ):
            # A night picture is dark everywhere; what was turned on black is dark in its corners
            # alone.
            corner = grey[:, rows, columns].mean(axis=(1, 2))
            beside = np.minimum(
                grey[:, edge_rows, middle_w].mean(axis=(1, 2)),
                grey[:, middle_h, edge_columns].mean(axis=(1, 2)),
            )
            dark &= (corner < DARK) & (corner < 0.5 * beside)

    return dark


def looks_wrong(pictures: PictureArray) -> str | None:
    """One sentence about the likely cause when a set of pictures, uint8 (N, H, W, 3), is no set of
    photos; else None.

    It judges the set by its middle, so that a few odd pictures do not raise it.
    """
    grey = _grey(pictures)
    if float(np.median(grey.std(axis=(1, 2)))) < FLAT:
        return (
            "Most of these pictures are one flat colour: the model has learned nothing yet, or its "
            "numbers broke while training; "
            "train longer, or go back to an earlier checkpoint with a lower lr."
        )

    rough = roughness(grey)

    # Noise loses its contrast when neighbours are averaged, photos keep it.
    fineness = float(np.median(rough / (roughness(_halved(grey)) + 1e-6)))

    middle = float(np.median(rough))
    if middle > ROUGH or (middle > ROUGH_IF_FINE and fineness > FINER):
        return (
            "These pictures look like noise: the model may be far from trained, sampled in another "
            "size or with another noise "
            "schedule than it was trained with, or in too few steps."
        )

    share = float(dark_corners(pictures).mean())
    if share > DARK_SHARE:
        return (
            f"{share:.0%} of these pictures have dark, empty corners: the photos were probably "
            "turned on a black ground while "
            "training; train again with augment=safe."
        )

    return None
