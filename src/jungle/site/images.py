"""The pictures of a card as a page loads them, made once: a ladder of files, a tiny placeholder and
a tint.

The encoder is a value of its own, so that the search for the smallest file that looks right can be
replaced by fixed qualities.
"""

import dataclasses
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from ..encoding import image_ladder
from ..encoding.image_ladder import ImageFormat, Ladder, Rendition
from ..encoding.provenance import Provenance, write_provenance
from ..encoding.ssimulacra2 import Pixels
from ..errors import BadInput

MOST = 4096  # pixels of a side: a larger picture is a mistake or a trap
ENDINGS: dict[ImageFormat, str] = {"avif": "avif", "webp": "webp", "jpeg": "jpg", "png": "png"}


class Encoder(Protocol):
    """Makes the files of one picture. It must be picklable, and the same picture must give the same
    bytes.
    """

    @property
    def version(self) -> str:
        """Of everything that decides the bytes: two encoders of one version make the same files."""

    def __call__(self, master: Pixels) -> Ladder:
        """The files of a picture, uint8 (H, W, 3), without metadata."""


@dataclass(frozen=True, slots=True)
class Searched:
    """The encoder of what is published: the smallest files that keep enough of the picture.

    Browsers that know no AVIF are few, and get the widest WebP alone: 50 cards have to stay under
    15 MB.
    """

    crisp: bool = False  # for a picture that was enlarged by copying pixels

    @property
    def version(self) -> str:
        """See :class:`Encoder`."""
        return f"{image_ladder.version()} searched {self.crisp}"

    def __call__(self, master: Pixels) -> Ladder:
        """See :class:`Encoder`."""
        made = image_ladder.encode_ladder(master, crisp=self.crisp)
        widest = max(one.width for one in made.renditions)
        kept = [
            one
            for one in made.renditions
            if one.form != "webp" or one.width == widest or not made.of("avif")
        ]
        return dataclasses.replace(made, renditions=tuple(kept))


@dataclass(frozen=True, slots=True)
class Fixed:
    """An encoder of fixed qualities: a hundred times as quick, for drafts and tests."""

    @property
    def version(self) -> str:
        """See :class:`Encoder`."""
        return f"{image_ladder.version()} fixed"

    def __call__(self, master: Pixels) -> Ladder:
        """See :class:`Encoder`."""
        whole = Image.fromarray(master)
        made = []
        for width in image_ladder.ladder_widths(whole.width):
            high = max(1, round(whole.height * width / whole.width))
            copy = whole.resize((width, high), Image.Resampling.LANCZOS)
            avif = _saved(copy, "AVIF", quality=60, speed=10, max_threads=1, autotiling=False)
            made.append(Rendition(form="avif", width=width, height=high, data=avif, score=0.0))
        jpeg = _saved(copy, "JPEG", quality=85, progressive=True)
        made.append(Rendition(form="jpeg", width=width, height=high, data=jpeg, score=0.0))
        return Ladder(
            renditions=tuple(made), placeholder=image_ladder.placeholder(master), colours=()
        )


class RenditionFile(NamedTuple):
    """One file of a ladder, without its bytes."""

    form: ImageFormat
    width: int
    size: int  # bytes

    def path(self, name: str) -> str:
        """Where it lies on the site, for an animal of this name."""
        return f"m/{name}-{self.width}.{ENDINGS[self.form]}"


class ImageManifest(NamedTuple):
    """What a page knows of a picture before it is loaded."""

    width: int
    height: int
    tint: int  # 0 to 63: the mean colour with two bits a channel, red first
    placeholder: str  # data: address
    files: tuple[RenditionFile, ...]  # AVIF, WebP, then the fallback; narrow to wide


def open_png(path: Path) -> Image.Image:
    """A PNG as RGB.

    Raises:
        BadInput: it is missing, damaged, or larger than :data:`MOST`.
    """
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            if max(picture.size) > MOST:
                raise BadInput(
                    f"{path} is {picture.width} pixels wide and {picture.height} high: a site "
                    f"shows at most {MOST}."
                )
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(
            f"{path} cannot be opened as a PNG ({error}): make that postcard again."
        ) from None


def _saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def pack(path: Path, encode: Encoder) -> bytes:
    """All that is made of a picture, as one piece of bytes: a line of JSON, then the files."""
    pixels = np.asarray(open_png(path))
    ladder = encode(pixels)
    red, green, blue = (int(value) >> 6 for value in pixels.reshape(-1, 3).mean(axis=0))
    files = [
        RenditionFile(rendition.form, rendition.width, len(rendition.data))
        for rendition in ladder.renditions
    ]
    looks = ImageManifest(
        pixels.shape[1],
        pixels.shape[0],
        16 * red + 4 * green + blue,
        ladder.placeholder,
        tuple(files),
    )
    return json.dumps(looks).encode() + b"\n" + b"".join(one.data for one in ladder.renditions)


def looks_of(packed: bytes) -> ImageManifest:
    """What :func:`pack` made, without the files."""
    width, height, tint, placeholder, files = json.loads(packed[: packed.index(b"\n")])
    return ImageManifest(
        width, height, tint, placeholder, tuple(RenditionFile(*one) for one in files)
    )


def unpacked(packed: bytes, facts: Provenance) -> list[bytes]:
    """The files, each with its metadata."""
    place, found = packed.index(b"\n") + 1, []
    for file in looks_of(packed).files:
        found.append(write_provenance(packed[place : place + file.size], facts))
        place += file.size
    return found


def lossless(path: Path, facts: Provenance) -> list[bytes]:
    """The master itself, with its metadata."""
    return [write_provenance(path.read_bytes(), facts)]


def spectrogram(path: Path, facts: Provenance) -> list[bytes]:
    """The picture of a call as WebP."""
    return [write_provenance(_saved(open_png(path), "WEBP", quality=60, method=6), facts)]
