"""Pictures for paper: enlarged to at least 300 pixels an inch, with a bleed that is mirrored, so
that the knife takes nothing away.
"""

import io
import math
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from ..errors import BadInput
from ..records import Postcard

DENSITY = 12.0  # pixels per mm: 304.8 an inch
LARGEST = 4096  # pixels, side of a master
FORMATS = ("PNG", "JPEG", "WEBP")


def open_master(jungle: Path, card: Postcard) -> Image.Image:
    """The enlarged picture of a card as RGB.

    Raises:
        BadInput: it is not there, is damaged or larger than any that is made here.
    """
    path = jungle / "postcards" / Path(card.species.slug).name / Path(card.master).name
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if max(picture.size) > LARGEST:
                raise BadInput(
                    f"The picture {path} is larger than {LARGEST} pixels: run  jungle make  again."
                )
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise BadInput(
            f"The picture {path} of a postcard is missing or damaged: run  jungle make  again."
        ) from None


def enlarged(picture: Image.Image, width: float) -> Image.Image:
    """Resampled (Lanczos) so that it has at least DENSITY pixels per mm when it is printed
    ``width`` mm wide.
    """
    wide = math.ceil(width * DENSITY)
    high = math.ceil(picture.height * width * DENSITY / picture.width)
    return picture.resize((wide, high), Image.Resampling.LANCZOS)


def mirrored(picture: Image.Image, rim: int) -> Image.Image:
    """With a rim of ``rim`` pixels on every side that mirrors what lies inside."""
    return Image.fromarray(
        np.pad(np.asarray(picture), ((rim, rim), (rim, rim), (0, 0)), mode="symmetric")
    )


def duotone(
    picture: Image.Image, dark: tuple[int, int, int], light: tuple[int, int, int]
) -> Image.Image:
    """The middle square of a picture in two inks."""
    grey = ImageOps.autocontrast(
        ImageOps.fit(picture, (min(picture.size),) * 2).convert("L"), cutoff=1
    )
    return ImageOps.colorize(grey, dark, light)


def print_jpeg(picture: Image.Image) -> bytes:
    """Quality 92 without chroma subsampling: printers show both."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92, subsampling=0, optimize=True)
    return buffer.getvalue()


@cache
def srgb_profile() -> bytes:
    """An ICC profile of sRGB (IEC 61966-2-1) without the date of today in its header (ICC.1:2022,
    section 7.2.8).
    """
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[24:36] = b"".join(number.to_bytes(2, "big") for number in (2026, 1, 1, 0, 0, 0))
    # nothing in it is younger than 4.2, which is what PDF 1.7 knows (ISO 32000-1, table 67)
    made[8:12] = bytes((4, 0x20, 0, 0))
    made[84:100] = bytes(16)  # the digest of the profile: 0 is "not computed"
    return bytes(made)
