"""What colours a picture shows, in words: shares of named colours in OKLab (Ottosson 2020), the
animal ahead of its background.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..records import Colour
from .ssimulacra2 import LINEAR, Pixels

NAMES = {
    "black": "#141414", "charcoal": "#3a3a3c", "slate grey": "#5b6470", "stone grey": "#85807a",
    "ash grey": "#a9a9a8", "silver": "#c9cccf", "white": "#f6f6f4", "ivory": "#f1ead6",
    "cream": "#f5e3b8", "sand": "#d9c29a", "fawn": "#c19a6b", "taupe": "#7b6a5c",
    "umber": "#4a382a", "chocolate": "#5c3a21", "chestnut": "#7d4427", "russet": "#9c4a22",
    "rust": "#b7491a", "terracotta": "#c8694a", "ochre": "#bf8426", "mustard": "#d6a928",
    "gold": "#f0c83c", "honey": "#dd9b3d", "amber": "#f3a01f", "orange": "#ee7420",
    "apricot": "#f5b583", "coral": "#f4836b", "brick red": "#9b322c", "red": "#d3222a",
    "crimson": "#a5122f", "maroon": "#5a1a22", "rose": "#d8607e", "pink": "#f2a7b8",
    "dusty pink": "#b98a8a", "plum": "#6a2f5c", "violet": "#7f49b0", "lilac": "#bfa2d6",
    "indigo": "#3b2f7d", "navy": "#1d2b52", "blue": "#2a5bc4", "slate blue": "#5f7597",
    "sky blue": "#7fb6e3", "ice blue": "#cfe3ee", "petrol": "#1f5563", "teal": "#1f8583",
    "turquoise": "#48c5bf", "forest green": "#24482b", "moss green": "#5a6b30", "olive": "#7a7332",
    "fern green": "#4f9144", "sage": "#9aab87", "leaf green": "#86b93f", "lime": "#c2dd54",
    "mint": "#b3e3c4",
}  # fmt: skip

TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# what a step of hue or chroma weighs against one of lightness: a shadow on fur is still fur
HUE = 1.6
VIVID = (
    5.0  # the eye goes to what is colourful: what chroma (0 to 0.3) adds to the weight of a pixel
)
BEHIND = 0.75  # of a colour's weight that goes where the whole rim of the picture has it


def srgb_to_oklab(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Lightness (0 to 1), green to red and blue to yellow of sRGB colours (..., 3)."""
    return np.asarray(np.cbrt(LINEAR[colours].astype(np.float64) @ TO_CONES.T) @ TO_LAB.T)


def oklab_to_srgb(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The inverse of :func:`srgb_to_oklab`; what sRGB cannot show is clipped."""
    linear = np.clip(((lab @ np.linalg.inv(TO_LAB).T) ** 3) @ np.linalg.inv(TO_CONES).T, 0, 1)
    codes = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * codes), dtype=np.uint8)


def colour_name(hexadecimal: str) -> str:
    """The name of the nearest colour: "#a87c42" is "fawn"."""
    return list(NAMES)[int(_nearest(srgb_to_oklab(_bytes(hexadecimal))[None])[0])]


def dominant_colours(pixels: Pixels, count: int = 4) -> tuple[Colour, ...]:
    """The colours that a picture shows much of, the animal's first; a colour with less than a
    fiftieth of the picture is left out.

    The animal is what stands in the middle and has other colours than the rim.

    Args:
        pixels: uint8 (H, W, 3).
        count: how many at most.

    Returns:
        Name, mean colour of what is called so, share of the whole picture.
    """
    image = Image.fromarray(pixels)
    small = np.asarray(image.resize((48, 48), Image.Resampling.BOX))
    lab = srgb_to_oklab(small).reshape(-1, 3)
    nearest = _nearest(lab)

    # An animal stands in the middle and is more vivid than its ground; what fills the rim is
    # ground.
    across = np.abs(np.linspace(-1, 1, 48))
    middle = np.exp(-(np.square(across)[:, None] + np.square(across)) / 0.4).ravel() * (
        1 + VIVID * np.hypot(lab[:, 1], lab[:, 2])
    )
    rim = (np.maximum(across[:, None], across) > 0.85).ravel()

    def shares(weights: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(nearest, weights, len(NAMES)) / weights.sum())

    # The order is by prominence, the share that is told is that of all pixels.
    share = shares(np.ones(len(lab)))
    prominence = shares(middle) * (1 - BEHIND * shares(rim.astype(np.float64)))
    results = [
        index for index in np.argsort(-prominence, kind="stable")[:count] if share[index] >= 0.02
    ]
    return tuple(
        Colour(
            name=list(NAMES)[index],
            hex="#" + bytes(oklab_to_srgb(lab[nearest == index].mean(axis=0))).hex(),
            share=round(float(share[index]), 3),
        )
        for index in results
    )


def _bytes(hexadecimal: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(hexadecimal.removeprefix("#")), np.uint8)


@cache
def _palette() -> NDArray[np.float64]:
    return srgb_to_oklab(np.stack([_bytes(value) for value in NAMES.values()])) * (1, HUE, HUE)


def _nearest(lab: NDArray[np.float64]) -> NDArray[np.intp]:
    """Number of the nearest name of each colour (N, 3)."""
    return np.asarray(
        np.square(lab[:, None] * (1, HUE, HUE) - _palette()).sum(axis=2).argmin(axis=1)
    )
