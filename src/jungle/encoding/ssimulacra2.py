"""How much of a picture a compressed copy keeps: a quick stand-in for SSIMULACRA 2 (Sneyers 2022),
on its scale.

The ingredients are those of SSIMULACRA 2: the XYB planes of JPEG XL (ISO/IEC 18181-1), halved again
and again in linear light, with the error of structural similarity (Wang et al. 2004) in the form
that has no luminance denominator, and the edges that a copy lost or added, each as a mean and as a
4-norm (governed by the worst places). Of its 108 terms twelve are kept, and of the largest scale
one plane; windows are two boxes of 4 in a row (standard deviation 1.6 pixels, where SSIMULACRA 2
has a Gaussian of 1.5). Their weights were fitted to the true score by non-negative least squares;
benchmarks/pictures.py fits them again and reports the agreement.

On pictures under 256 pixels SSIMULACRA 2 has fewer scales and puts its weights on other terms; here
they stay where they are.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput

TermKind = Literal["error", "added", "lost"]
Pixels = NDArray[np.uint8]  # (height, width, 3), sRGB
Planes = NDArray[np.float32]  # (planes, height, width)

X, Y, B = 0, 1, 2  # red against green, light, blue against yellow


class Term(NamedTuple):
    """One ingredient: what is measured where, and what it weighs."""

    scale: int  # 0 = as it is, 1 = half as wide ...
    plane: int
    kind: TermKind
    norm: int  # 1 or 4
    weight: float


TERMS = (
    Term(0, Y, "error", 4, 21.09),
    Term(0, Y, "added", 1, 54.34),
    Term(1, X, "error", 4, 8.811),
    Term(1, Y, "error", 4, 10.1),
    Term(2, Y, "error", 1, 471.8),
    Term(2, Y, "added", 4, 2.519),
    Term(3, Y, "error", 1, 256.2),
    Term(3, Y, "error", 4, 124.7),
    Term(3, Y, "lost", 1, 344.3),
    Term(3, B, "added", 4, 242.0),
    Term(4, Y, "added", 1, 508.8),
    Term(4, B, "error", 4, 167.1),
)
SCALES = 1 + max(term.scale for term in TERMS)
EXPONENT = 0.6276  # of SSIMULACRA 2: from distance to score
FLAT = np.float32(0.0009)  # variance under which a window counts as flat
SMALLEST = 8 << (SCALES - 1)  # pixels: smaller pictures are continued by their mirror image

# to cone responses
MIXING = np.array(
    [[0.3, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342269, 0.20476744, 0.55180987]], np.float32
)
BIAS = np.float32(0.00379307)
_codes = np.arange(256) / 255
# IEC 61966-2-1
LINEAR = np.where(_codes <= 0.04045, _codes / 12.92, ((_codes + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)


@dataclass(frozen=True, slots=True)
class _Windows:
    """A plane and, in a window around each pixel, its mean and variance."""

    plane: Planes  # (height, width), without the rim that has no whole window
    mean: Planes
    variance: Planes
    whole: Planes


class Fidelity:
    """The measure for one original, whose own statistics are computed once."""

    def __init__(self, original: Pixels) -> None:
        """Take the original, uint8 (H, W, 3).

        Raises:
            BadInput: another shape or type.
        """
        if (
            original.ndim != 3
            or original.shape[2] != 3
            or original.dtype != np.uint8
            or not original.size
        ):
            raise BadInput(
                f"A picture must be uint8 (height, width, 3), and this one is {original.dtype} "
                f"{original.shape}: convert it."
            )

        self.shape = original.shape

        # The original is compared with many copies: its half of the work is done once.
        self._windows = [
            {number: _windowed(one) for number, one in planes.items()}
            for planes in _scales(original)
        ]

    def __call__(self, copy: Pixels) -> float:
        """The score of a copy of the same shape: 100 = the same, 90 = not to be told apart, 70 =
        high, 50 = medium, 30 = low quality.

        Raises:
            BadInput: another shape.
        """
        return float(
            100
            - 10
            * sum(term.weight * value for term, value in zip(TERMS, self.terms(copy), strict=True))
            ** EXPONENT
        )

    def terms(self, copy: Pixels) -> list[float]:
        """The values of TERMS for a copy, before they are weighed."""
        if copy.shape != self.shape or copy.dtype != np.uint8:
            raise BadInput(
                f"A copy of another shape cannot be compared: {copy.shape} with {self.shape}."
            )
        found: dict[tuple[int, int, TermKind], Planes] = {}
        for scale, (planes, windows) in enumerate(zip(_scales(copy), self._windows, strict=True)):
            for number, plane in planes.items():
                kinds = {term.kind for term in TERMS if (term.scale, term.plane) == (scale, number)}
                found |= {
                    (scale, number, kind): one
                    for kind, one in _maps(windows[number], plane, kinds).items()
                }
        return [_norm(found[term.scale, term.plane, term.kind], term.norm) for term in TERMS]


def _scales(pixels: Pixels) -> list[dict[int, Planes]]:
    """For each scale the planes that TERMS asks for."""
    more = [(0, max(0, SMALLEST - side)) for side in pixels.shape[:2]]
    if any(after for _, after in more):
        pixels = np.pad(pixels, (*more, (0, 0)), mode="symmetric")
    linear = np.stack([np.take(LINEAR, pixels[..., channel]) for channel in range(3)])
    cones = np.tensordot(MIXING, linear, 1) + BIAS  # mixing and halving may change places
    scales = []

    # Planes that no term reads are not computed: most of the time is here.
    for scale in range(SCALES):
        wanted = {term.plane for term in TERMS if term.scale == scale}
        roots = np.cbrt(cones if B in wanted else cones[:2]) - np.cbrt(BIAS)
        light = (roots[0] + roots[1]) / 2
        planes = {
            X: 7 * (roots[0] - roots[1]) if X in wanted else light,
            Y: light,
            B: roots[-1] - light,
        }
        scales.append({number: planes[number] for number in sorted(wanted)})
        cones = _halved(cones)

    return scales


def _halved(planes: Planes) -> Planes:
    high, wide = (side // 2 * 2 for side in planes.shape[1:])
    rows = planes[:, 0:high:2, :wide] + planes[:, 1:high:2, :wide]
    return (rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25)


def _blurred(plane: Planes) -> Planes:
    """The mean in a window of 7 by 7, weighted 1 2 3 4 3 2 1: two boxes of 4, each of two sums; 3
    pixels less on every side.
    """
    for step in (1, 2, 1, 2):
        plane = plane[step:] + plane[:-step]
    for step in (1, 2, 1, 2):
        plane = plane[:, step:] + plane[:, :-step]
    return plane * np.float32(1 / 256)


def _windowed(plane: Planes) -> _Windows:
    mean = _blurred(plane)
    return _Windows(plane[3:-3, 3:-3], mean, _blurred(plane * plane) - mean * mean, plane)


def _maps(original: _Windows, plane: Planes, kinds: set[TermKind]) -> dict[TermKind, Planes]:
    """Of a plane of the copy: the error of its structure (0 = none), the edges that it added, those
    that it lost.
    """
    results: dict[TermKind, Planes] = {}
    mean = _blurred(plane)

    # Structural similarity without its denominator of means (SSIMULACRA 2's form).
    if "error" in kinds:
        variance = _blurred(plane * plane) - mean * mean
        together = _blurred(plane * original.whole) - mean * original.mean
        light = 1 - np.square(mean - original.mean)
        results["error"] = np.maximum(
            1 - light * (2 * together + FLAT) / (variance + original.variance + FLAT), 0
        )

    if kinds & {"added", "lost"}:
        change = (1 + np.abs(plane[3:-3, 3:-3] - mean)) / (
            1 + np.abs(original.plane - original.mean)
        ) - 1
        results["added"], results["lost"] = np.maximum(change, 0), np.maximum(-change, 0)

    return results


def _norm(values: Planes, norm: int) -> float:
    return float(values.mean() if norm == 1 else np.square(np.square(values)).mean() ** 0.25)
