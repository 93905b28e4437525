"""Pictures for the web: of each width and format the smallest file that keeps enough of the
original, measured on what it decodes to.

AVIF in 4:4:4 (the edges of fur and feathers are colour edges) for today's browsers, WebP for
yesterday's, JPEG or PNG for the rest. The same pixels give the same bytes with the same libraries
(:func:`version`): one thread, no tiles, no dates.
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image, features

from ..errors import BadInput
from ..records import Colour
from .colours import dominant_colours
from .quality_search import EncodedFile, smallest
from .ssimulacra2 import Fidelity, Pixels

ImageFormat = Literal["avif", "webp", "jpeg", "png"]

WIDTHS = (160, 320, 512, 1024)  # pixels
LARGE, CARD = 70.0, 60.0  # scores that the largest and the smaller renditions must reach
# points more than the target: the measure errs by 0.4 (standard deviation against SSIMULACRA 2)
MARGIN = 0.5
REVISION = 1  # of this file: raise it when its bytes change

# Coarse to fine. AVIF has 64 quantisers, so that of a hundred qualities many give the same file.
AVIF_LEVELS = tuple(
    {((100 - quality) * 63 + 50) // 100: quality for quality in range(24, 97)}.values()
)
WEBP_LEVELS = tuple(range(20, 101))
JPEG_LEVELS = tuple(range(20, 98))


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendition:
    """One file: ``score`` is what :class:`fidelity.Fidelity` says of it, 100 where nothing is
    lost.
    """

    form: ImageFormat
    width: int
    height: int
    data: bytes
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ladder:
    """All files of a picture, a preview for inside the page and the colours that it shows."""

    renditions: tuple[Rendition, ...]  # AVIF, WebP, then the fallback; narrow to wide
    placeholder: str  # 16 pixels wide, as a data URI
    colours: tuple[Colour, ...]

    def of(self, form: ImageFormat) -> tuple[Rendition, ...]:
        """The renditions of one format, narrow to wide: a ``srcset``."""
        return tuple(rendition for rendition in self.renditions if rendition.form == form)

    @property
    def fallback(self) -> Rendition:
        """The one for ``<img src>``."""
        return self.renditions[-1]


def version() -> str:
    """What decides the bytes besides the pixels: a part of the key under which a caller keeps a
    ladder.
    """
    encoders = " ".join(
        f"{name} {features.version(name)}"
        for name in ("pil", "avif", "webp", "libjpeg_turbo", "zlib")
    )
    return f"ladder {REVISION} {encoders}"


def encode_ladder(
    master: Pixels | bytes,
    widths: Sequence[int] = WIDTHS,
    large: float = LARGE,
    card: float = CARD,
    crisp: bool = False,
    fallback: int | None = None,
) -> Ladder:
    """The web forms of a picture. None is wider than it; AVIF is left out where WebP is smaller at
    the same quality.

    Args:
        master: uint8 (H, W, 3), or a PNG file.
        widths: wanted, in pixels; where the master is between two, its own width takes the place of
            the next.
        large: the score that the widest renditions must reach; ``card``: that of the others.
        crisp: shrink by picking pixels, for a picture that was enlarged so.
        fallback: width of the JPEG or PNG, whichever is smaller; the widest by default.

    Raises:
        BadInput: not such a picture, or no width.
    """
    pixels = decode_rgb(master)
    sides = ladder_widths(pixels.shape[1], widths)
    last = min(sides, key=lambda side: abs(side - (fallback or sides[-1])))
    avif, webp, other = [], [], []
    for width in sides:
        copy = _Copy(_shrunk(pixels, width, crisp), large if width == sides[-1] else card)
        avif += [copy.avif()] if features.check("avif") else []
        webp.append(copy.webp())
        other += [copy.fallback()] if width == last else []
    if sum(len(one.data) for one in avif) >= sum(len(one.data) for one in webp):
        avif = []  # all or none: a browser that knows AVIF looks for every width among its files
    return Ladder(
        renditions=(*avif, *webp, *other),
        placeholder=placeholder(pixels),
        colours=dominant_colours(pixels),
    )


def ladder_widths(width: int, widths: Sequence[int] = WIDTHS) -> list[int]:
    """The widths that a master of ``width`` pixels is made in, narrow to wide.

    Raises:
        BadInput: ``widths`` is empty or holds something under 1.
    """
    if not widths or min(widths) < 1:
        raise BadInput(
            f"These widths of pictures make no sense: {list(widths)}; give numbers of pixels, such "
            "as 160, 320, 512."
        )
    wanted = sorted(set(widths))
    narrower = [item for item in wanted if item <= width]
    if wanted[-1] > width and (not narrower or width > 1.2 * narrower[-1]):
        narrower.append(width)
    return narrower


def decode_rgb(master: Pixels | bytes) -> Pixels:
    """The pixels of a picture, uint8 (H, W, 3): of a file as Pillow decodes it, what is transparent
    on white.

    Raises:
        BadInput: not such an array, or no picture.
    """
    # Transparent parts are laid over white, as the page does.
    if isinstance(master, bytes):
        try:
            with Image.open(io.BytesIO(master)) as image:
                if not image.has_transparency_data:
                    return np.asarray(image.convert("RGB"))
                return np.asarray(
                    Image.alpha_composite(
                        Image.new("RGBA", image.size, "white"), image.convert("RGBA")
                    ).convert("RGB")
                )
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            raise BadInput("The master is no picture that can be opened: make it again.") from None

    if master.ndim != 3 or master.shape[2] != 3 or master.dtype != np.uint8 or not master.size:
        raise BadInput(
            f"A picture must be uint8 (height, width, 3), and this one is {master.dtype} "
            f"{master.shape}: convert it first."
        )

    return master


def placeholder(pixels: Pixels) -> str:
    """A preview 16 pixels wide as a data URI of some 200 characters."""
    small = _shrunk(pixels, 16, False)
    return (
        "data:image/webp;base64,"
        + base64.b64encode(_saved(small, "WEBP", quality=20, method=6)).decode()
    )


def encode_jpeg(pixels: Pixels, quality: int = 88) -> bytes:
    """A JPEG file for places that know nothing newer: the picture of a shared link, a letter, a
    print shop.
    """
    return _saved(
        pixels, "JPEG", quality=quality, progressive=True, optimize=True, subsampling="4:4:4"
    )


def encode_png(pixels: Pixels) -> bytes:
    """A PNG file: nothing is lost."""
    return _saved(pixels, "PNG", optimize=True)


def _saved(pixels: Pixels, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def _shrunk(pixels: Pixels, width: int, crisp: bool) -> Pixels:
    if width == pixels.shape[1]:
        return pixels
    high = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    how = Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(pixels).resize((width, high), how))


class _Copy:
    """The picture in one width, and what its files must reach."""

    def __init__(self, pixels: Pixels, target: float) -> None:
        self.pixels, self.target = pixels, target
        self.meter = Fidelity(pixels)
        # Pixel art: most neighbours are equal, and what loses nothing is often smaller than what
        # loses something.
        self.flat = (
            float((pixels[:, 1:] == pixels[:, :-1]).all(axis=2).mean()) > 0.5
            if pixels.shape[1] > 1
            else True
        )

    def avif(self) -> Rendition:
        """Searched with the quick encoder, then with the thorough one from there."""

        def encode(speed: int) -> Callable[[int], bytes]:
            fixed: dict[str, Any] = {
                "speed": speed,
                "subsampling": "4:4:4",
                "max_threads": 1,
                "autotiling": False,
            }
            return lambda quality: _saved(self.pixels, "AVIF", quality=quality, **fixed)

        quick = self._searched(encode(10), AVIF_LEVELS, 55)
        return self._rendition("avif", self._searched(encode(6), AVIF_LEVELS, quick.level))

    def webp(self) -> Rendition:
        """Lossy, or lossless where that is smaller."""
        result = self._searched(
            lambda quality: _saved(self.pixels, "WEBP", quality=quality, method=6), WEBP_LEVELS, 75
        )
        if self.flat or result.score < self.target:
            exact = EncodedFile(
                _saved(self.pixels, "WEBP", lossless=True, quality=100, method=6), 100.0, 100
            )
            result = (
                exact
                if result.score < self.target
                else min(result, exact, key=lambda one: len(one.data))
            )
        return self._rendition("webp", result)

    def fallback(self) -> Rendition:
        """JPEG with whole or with halved colour, or PNG: the smallest that reaches the target."""

        def encode(colour: str) -> Callable[[int], bytes]:
            fixed: dict[str, Any] = {"progressive": True, "optimize": True, "subsampling": colour}
            return lambda quality: _saved(self.pixels, "JPEG", quality=quality, **fixed)

        both = [self._searched(encode(colour), JPEG_LEVELS, 70) for colour in ("4:4:4", "4:2:0")]
        good = [found for found in both if found.score >= self.target]
        best = min(good, key=lambda found: len(found.data)) if good else None
        if self.flat or best is None:
            exact = encode_png(self.pixels)
            if best is None or len(exact) < len(best.data):
                return self._rendition("png", EncodedFile(exact, 100.0, 100))
        return self._rendition("jpeg", best)

    def _searched(
        self, encode: Callable[[int], bytes], levels: Sequence[int], guess: int
    ) -> EncodedFile:
        return smallest(
            encode, lambda data: self.meter(decode_rgb(data)), levels, self.target + MARGIN, guess
        )

    def _rendition(self, form: ImageFormat, found: EncodedFile) -> Rendition:
        high, wide = self.pixels.shape[:2]
        return Rendition(
            form=form, width=wide, height=high, data=found.data, score=round(found.score, 2)
        )
