"""Open any picture safely and bring it to one size: upright, 8 bits, RGB, uint8 (H, W, 3)."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..config.recipes import Crop
from ..data import decoding

RgbColour = tuple[int, int, int]
WHITE: RgbColour = (255, 255, 255)
CENTRE = (0.5, 0.5)  # shares of the room beside a window, (x, y)
MAX_PIXELS = (
    89_478_485  # a quarter of a gigabyte once decoded; the line where Pillow starts to warn
)

_ORIENTATION = 0x0112  # EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_UPRIGHT[code] for code in (5, 6, 7, 8)}


class UnreadablePhoto(decoding.Unreadable):
    """A file that cannot be used as a photo; ``reason`` says why in a few words."""

    word = "photo"


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a file says about its picture."""

    width: int  # pixels, upright
    height: int
    mode: str  # Pillow's: RGB, L, CMYK, I;16 ...
    format: str  # by content, not by suffix: JPEG, PNG ...


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring 16 and 32 bit greys to 8 bits; Pillow's own conversion would clip them to white."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    peak = 65535.0 if image.mode.startswith("I;16") else float(values.max(initial=0.0))
    full = (
        next((top for top in (1.0, 255.0, 65535.0) if peak <= top), peak)
        if image.mode == "F"
        else max(peak, 65535.0)
    )
    return Image.fromarray((values.clip(0, full) * (255.0 / full) + 0.5).astype(np.uint8))


def _rgb(image: Image.Image, background: RgbColour) -> Image.Image:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.has_transparency_data:
        above = image.convert("RGBA")
        below = Image.new("RGBA", above.size, (*background, 255))
        return Image.alpha_composite(below, above).convert("RGB")
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Transpose | None:
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    # Broken EXIF must not cost the photo, and Pillow raises many kinds of errors.
    except Exception:  # noqa: BLE001
        return None


def _why(path: Path, problem: Exception) -> str:
    if isinstance(
        problem, Image.DecompressionBombError | Image.DecompressionBombWarning | MemoryError
    ):
        return "far too many pixels (a decompression bomb?)"

    if isinstance(problem, UnidentifiedImageError):
        if path.suffix.lower() in (".heic", ".heif"):
            return "HEIC pictures cannot be read: save it as JPEG"
        return "not a picture"

    if isinstance(problem, FileNotFoundError | PermissionError | IsADirectoryError):
        return str(problem.strerror).lower()

    # Decoders word it differently; what they mean is that the file ends too early.
    if any(
        word in str(problem).lower()
        for word in ("truncated", "incomplete", "not enough", "unexpected end", "eof")
    ):
        return "cut short or damaged"

    return f"damaged ({' '.join(str(problem).split()) or type(problem).__name__})"


def open_rgb(
    path: Path, least: tuple[int, int] | None = None, background: RgbColour = WHITE
) -> tuple[Image.Image, ImageInfo]:
    """The first frame of a picture: upright, 8 bits, RGB, transparency laid over ``background``.

    Args:
        path: any file; its content decides the format, not its suffix.
        least: (height, width) that is enough; a JPEG may then come back smaller than it is, and
            much faster.

    Raises:
        Unreadable: empty, damaged, too large, or not a picture.
    """
    try:
        if path.stat().st_size == 0:
            raise UnreadablePhoto(path, "empty file (0 bytes)")

        with Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UnreadablePhoto(
                    path, f"{width} x {height} is far too many pixels (a decompression bomb?)"
                )
            mode, kind = image.mode, image.format or "?"
            # decode at 1/2, 1/4 or 1/8 of the size, as long as enough is left, turned or not
            if least and kind == "JPEG":
                share = max(least) / min(image.size)
                image.draft(None, (math.ceil(width * share), math.ceil(height * share)))
            image.load()
            # only now: asking a damaged PNG for its EXIF would hide the damage from load()
            turn = _upright(image)
            if turn in _SIDEWAYS:
                width, height = height, width
            rgb = _rgb(image, background)
            return rgb if turn is None else rgb.transpose(turn), ImageInfo(
                width, height, mode, kind
            )
    except UnreadablePhoto:
        raise
    except Exception as problem:
        # a decoder may raise anything on damaged data; all of it means the same here
        raise UnreadablePhoto(path, _why(path, problem)) from problem


def window_size(picture: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
    """(width, height) of the largest window of the proportions of ``size`` (height, width) in a
    ``picture`` (width, height).
    """
    high, wide = size
    scale = min(picture[0] / wide, picture[1] / high)
    return wide * scale, high * scale


def fit_pixels(
    image: Image.Image, size: tuple[int, int], crop: Crop, where: tuple[float, float] = CENTRE
) -> NDArray[np.uint8]:
    """An RGB picture as uint8 (H, W, 3); smaller pictures are enlarged.

    ``crop`` and ``animal`` keep the proportions and cut the largest window, Lanczos filter.
    ``squash`` is what the original recipe
    did: torchvision's ``Resize((H, W))``, that is Pillow's bilinear filter.

    Args:
        where: the shares (x, y) of the room beside the window that are left of it and above it, 0
            to 1.
    """
    high, wide = size
    if crop == "squash":
        return np.asarray(image.resize((wide, high), Image.Resampling.BILINEAR))
    window = window_size(image.size, size)
    left, top = (
        (side - part) * share for side, part, share in zip(image.size, window, where, strict=True)
    )
    box = (left, top, left + window[0], top + window[1])
    return np.asarray(
        image.resize((wide, high), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    )


def open_sized(
    path: Path,
    size: tuple[int, int],
    crop: Crop,
    background: RgbColour = WHITE,
    where: tuple[float, float] = CENTRE,
) -> tuple[NDArray[np.uint8], ImageInfo]:
    """As :func:`open_photo`, with the facts of the file; ``where`` as for :func:`fit_pixels`."""
    # Twice the needed size leaves the quality to our filter; the original recipe decoded in full.
    least = None if crop == "squash" else (2 * size[0], 2 * size[1])
    image, facts = open_rgb(path, least, background)
    return fit_pixels(image, size, crop, where), facts


def open_photo(
    path: Path, size: tuple[int, int], crop: Crop = "crop", background: RgbColour = WHITE
) -> NDArray[np.uint8]:
    """One photo of ``size`` (H, W) as uint8 (H, W, 3).

    Raises:
        Unreadable: the file cannot be used; the sentence says why.
    """
    return open_sized(path, size, crop, background)[0]


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Pillow's warnings about damaged files; what matters in them comes back as a reason. Filters
    belong to all threads.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def decode_photos(paths: Iterable[Path], decode: Callable[[Path], Any]) -> Iterator[Any]:
    """:func:`jungle.decoding.decode_all` without Pillow's warnings."""
    with _quiet_pillow():
        yield from decoding.decode_all(paths, decode)
