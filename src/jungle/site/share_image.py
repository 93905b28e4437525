"""The picture that messengers show beside a link: 1200 x 630 pixels (Open Graph), the animal on
paper with its names.
"""

import re
from functools import cache
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from ..encoding.provenance import Provenance, write_provenance
from ..records import Glyphs
from .images import open_png

SIZE = (1200, 630)
MARGIN = 56
SQUARE = SIZE[1] - 2 * MARGIN  # of the picture
PAPER, INK, FADED, FRAME = "#f7f1e3", "#2b2a26", "#6d675b", "#ffffff"
DISPLAY, ITALIC, PLAIN = "Fraunces-SemiBold", "Fraunces-Italic", "NotoSerif-Regular"
MOVE = re.compile(r"([ML])\s*(-?[\d.]+)[ ,]+(-?[\d.]+)")
SMOOTH = 3  # drawn this many times larger, then reduced
VERSION = 1  # of the design: a new one makes all share pictures anew


class ShareTexts(NamedTuple):
    """What is written beside the picture."""

    name: str
    binomial: str
    own_name: str
    title: str  # of the site
    stamp: Glyphs


def share_picture(path: Path, words: ShareTexts, facts: Provenance) -> list[bytes]:
    """The JPEG of a share card, from the master of its picture."""
    sheet = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(sheet)
    picture = open_png(path)
    picture.thumbnail((SQUARE, SQUARE), Image.Resampling.LANCZOS)
    x, y = MARGIN + (SQUARE - picture.width) // 2, MARGIN + (SQUARE - picture.height) // 2
    draw.rectangle(
        (x - 12, y - 12, x + picture.width + 11, y + picture.height + 11),
        fill=FRAME,
        outline="#ddd3bd",
    )
    sheet.paste(picture, (x, y))

    # The right half belongs to the names, from the largest down.
    left, room = 2 * MARGIN + SQUARE, SIZE[0] - 3 * MARGIN - SQUARE
    top = 96 + _written(draw, (left, 96), words.name, DISPLAY, 68, room, INK, lines=2)
    top += 10 + _written(draw, (left, top + 10), words.binomial, ITALIC, 36, room, FADED)
    top += 40 + _drawn(sheet, (left, top + 40), words.stamp, room, 84)
    _written(draw, (left, top + 18), words.own_name, DISPLAY, 30, room, INK)
    _written(draw, (left, SIZE[1] - 96), words.title, ITALIC, 28, room, FADED)
    buffer = BytesIO()
    sheet.save(buffer, "JPEG", quality=52, progressive=True, optimize=True)

    return [write_provenance(buffer.getvalue(), facts)]


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    data = resources.files("jungle.printing").joinpath("fonts", f"{name}.ttf").read_bytes()
    # the other engine is not on every machine
    return ImageFont.truetype(BytesIO(data), size, layout_engine=ImageFont.Layout.BASIC)


@cache
def _nothing(name: str) -> bytes:
    """How a face draws a character that it does not have."""
    return bytes(_font(name, 32).getmask("\uffff"))


def _face(text: str, name: str) -> str:
    """The face if it has all characters, else the one that has most."""
    missing = any(
        bytes(_font(name, 32).getmask(character)) == _nothing(name)
        for character in set(text) - {" "}
    )
    return PLAIN if missing else name


def _written(  # noqa: PLR0913
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    name: str,
    size: int,
    room: int,
    ink: str,
    lines: int = 1,
) -> int:
    """Write a text, shrunk to two thirds at most, broken into lines, then cut; returns the height
    that it takes.
    """
    face = _face(text, name)

    for smaller in range(size, size * 2 // 3, -4):
        rows = _rows(text, _font(face, smaller), room)
        if len(rows) <= lines and all(_font(face, smaller).getlength(row) <= room for row in rows):
            break

    # What is still too long at two thirds of the size is cut.
    font = _font(face, smaller)

    for index, row in enumerate(rows[:lines]):
        more = index == lines - 1 and len(rows) > lines
        draw.text(
            (place[0], place[1] + index * smaller * 6 // 5),
            _cut(row + "…" * more, font, room),
            fill=ink,
            font=font,
        )

    return min(len(rows), lines) * smaller * 6 // 5


def _rows(text: str, font: ImageFont.FreeTypeFont, room: int) -> list[str]:
    rows: list[str] = []
    for word in text.split():
        if rows and font.getlength(f"{rows[-1]} {word}") <= room:
            rows[-1] += f" {word}"
        else:
            rows.append(word)
    return rows


def _cut(row: str, font: ImageFont.FreeTypeFont, room: int) -> str:
    while font.getlength(row) > room:
        row = row.rstrip("…")[:-1].rstrip() + "…"
    return row


def _drawn(
    sheet: Image.Image, place: tuple[int, int], glyphs: Glyphs, room: int, height: int
) -> int:
    """Draw glyphs as strokes; returns their height. The scripts of the jungle are made of straight
    lines.
    """
    if not glyphs.paths or glyphs.width <= 0 or glyphs.height <= 0:
        return 0
    scale = min(height / glyphs.height, room / glyphs.width) * SMOOTH
    size = (max(1, round(glyphs.width * scale)), max(1, round(glyphs.height * scale)))
    mask = Image.new("L", (min(size[0], room * SMOOTH), min(size[1], height * SMOOTH)))
    pen = ImageDraw.Draw(mask)

    for path in glyphs.paths:
        last = (0.0, 0.0)
        for kind, x, y in MOVE.findall(path):
            point = (float(x) * scale, float(y) * scale)
            if kind == "L":
                pen.line((last, point), fill=255, width=max(1, round(2.4 * scale)), joint="curve")
            last = point

    # Drawn larger and averaged: Pillow's lines have no smooth edges.
    small = mask.resize(
        (max(1, mask.width // SMOOTH), max(1, mask.height // SMOOTH)), Image.Resampling.LANCZOS
    )
    sheet.paste(INK, (*place, place[0] + small.width, place[1] + small.height), small)

    return small.height
