"""A pen for paper: ReportLab's canvas in millimetres, with shaped text, colours that are never
transparent, and drawn scripts.
"""

import contextlib
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..records import Colour, Glyphs
from .paper import Box
from .text_layout import POINT, Style, fit_text, runs, shaped, width

RGB = tuple[float, float, float]  # 0 to 1
PAPER: RGB = (0.988, 0.976, 0.949)
BLACK: RGB = (0.0, 0.0, 0.0)
KAPPA = 4 / 3 * math.tan(math.pi / 8)  # of a Bézier curve that is nearly a quarter of a circle
Align = Literal["left", "centre", "right"]


@dataclass(frozen=True, slots=True)
class Tint:
    """A colour of the picture as ink (dark enough for lines on paper), as itself and as a pale
    ground.
    """

    ink: RGB
    pale: RGB


def card_tint(colours: Sequence[Colour]) -> Tint:
    """From the most colourful of a card's colours; green where there is none."""
    results = [_rgb(colour) for colour in colours if re.fullmatch(r"#[0-9a-fA-F]{6}", colour.hex)]
    red, green, blue = max(results, key=lambda one: max(one) - min(one), default=(0.25, 0.42, 0.30))
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    down = min(1.0, 0.30 / max(light, 0.01))
    ink = (red * down, green * down, blue * down)
    pale = (0.80 + 0.17 * red, 0.80 + 0.17 * green, 0.80 + 0.17 * blue)
    return Tint(ink, pale)


def _rgb(colour: Colour) -> RGB:
    return (
        int(colour.hex[1:3], 16) / 255,
        int(colour.hex[3:5], 16) / 255,
        int(colour.hex[5:7], 16) / 255,
    )


class PrintCanvas:
    """Draws on one document. Lengths in mm, the origin at the bottom left, sizes of letters in
    points.
    """

    def __init__(self, canvas: Any):
        self.canvas = canvas

    @contextlib.contextmanager
    def at(self, x: float, y: float, *, turn: float = 0.0, scale: float = 1.0) -> Iterator[None]:
        """Draw inside with the origin moved to (x, y), turned by degrees anticlockwise, and
        scaled.
        """
        self.canvas.saveState()
        self.canvas.translate(x, y)
        if turn:
            self.canvas.rotate(turn)
        if scale != 1.0:
            self.canvas.scale(scale, scale)
        yield
        self.canvas.restoreState()

    def clip(self, box: Box) -> None:
        """Nothing is drawn outside from now until the end of the surrounding :meth:`at`."""
        path = self.canvas.beginPath()
        path.rect(box.x, box.y, box.width, box.height)
        self.canvas.clipPath(path, stroke=0, fill=0)

    def fill(self, box: Box, colour: RGB) -> None:
        """A rectangle without a line around it."""
        self._ink(colour)
        self.canvas.rect(box.x, box.y, box.width, box.height, stroke=0, fill=1)

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        *,
        colour: RGB = BLACK,
        thick: float = 0.25,
    ) -> None:
        """``thick`` in points."""
        self._stroke(colour, thick * POINT)
        self.canvas.line(x1, y1, x2, y2)

    def circle(self, x: float, y: float, radius: float, *, colour: RGB, thick: float) -> None:
        """Not filled."""
        self._stroke(colour, thick * POINT)
        self.canvas.circle(x, y, radius, stroke=1, fill=0)

    def wave(  # noqa: PLR0913
        self,
        x: float,
        y: float,
        length: float,
        *,
        colour: RGB,
        thick: float,
        period: float = 7.0,
        height: float = 0.9,
    ) -> None:
        """A wavy line to the right."""
        self._stroke(colour, thick * POINT)
        path = self.canvas.beginPath()
        path.moveTo(x, y)
        for number in range(round(2 * length / period)):
            start, up = x + number * period / 2, height if number % 2 == 0 else -height
            path.curveTo(
                start + period / 6, y + up, start + period / 3, y + up, start + period / 2, y
            )
        self.canvas.drawPath(path, stroke=1, fill=0)

    def perforated(self, box: Box, colour: RGB, *, pitch: float = 1.6) -> None:
        """A stamp's paper: ``box`` with half circles bitten out of its sides, about ``pitch``
        apart.
        """
        self._ink(colour)
        self._stroke((0.72, 0.70, 0.66), 0.3 * POINT)
        path = self.canvas.beginPath()
        path.moveTo(box.x, box.y)
        across, up = max(3, round(box.width / pitch)), max(3, round(box.height / pitch))
        _bites(path, box.x, box.y, 1, 0, box.width, across)
        _bites(path, box.x + box.width, box.y, 0, 1, box.height, up)
        _bites(path, box.x + box.width, box.y + box.height, -1, 0, box.width, across)
        _bites(path, box.x, box.y + box.height, 0, -1, box.height, up)
        path.close()
        self.canvas.drawPath(path, stroke=1, fill=1)

    def picture(self, jpeg: bytes, box: Box) -> None:
        """A JPEG, embedded as it is."""
        from reportlab.lib.utils import ImageReader

        self.canvas.drawImage(ImageReader(io.BytesIO(jpeg)), box.x, box.y, box.width, box.height)

    def glyphs(self, glyphs: Glyphs, box: Box, colour: RGB) -> None:
        """A name in its own script, as large as fits into the middle of ``box``."""
        wide, high = _side(glyphs.width), _side(glyphs.height)
        scale = min(box.width / wide, box.height / high)
        left, top = box.x + (box.width - wide * scale) / 2, box.y + (box.height + high * scale) / 2
        self._stroke(colour, 2 * scale)
        self.canvas.setLineCap(1)
        self.canvas.setLineJoin(1)

        # Clamped to its box: a damaged record must not draw over the card.
        for drawn in glyphs.paths:
            path, started = self.canvas.beginPath(), False
            for command, x, y in strokes(drawn):
                place = (
                    left + min(max(x, 0.0), wide) * scale,
                    top - min(max(y, 0.0), high) * scale,
                )
                path.moveTo(*place) if command == "M" or not started else path.lineTo(*place)
                started = True
            if started:
                self.canvas.drawPath(path, stroke=1, fill=0)

        self.canvas.setLineCap(0)
        self.canvas.setLineJoin(0)

    def text(  # noqa: PLR0913
        self,
        x: float,
        y: float,
        text: str,
        style: Style,
        size: float,
        *,
        align: Align = "left",
        colour: RGB = BLACK,
    ) -> float:
        """One line on the baseline ``y``, in whatever faces have its letters; returns its width."""
        wide = width(text, style, size)
        x -= {"left": 0.0, "centre": wide / 2, "right": wide}[align]
        self._ink(colour)
        for name, piece in runs(text, style):
            drawn, ems = shaped(name, piece)
            self.canvas.setFont(name, size * POINT)
            self.canvas.drawString(x, y, drawn)
            x += ems * size * POINT
        return wide

    def fitted(  # noqa: PLR0913
        self,
        x: float,
        y: float,
        text: str,
        style: Style,
        size: float,
        room: float,
        *,
        least: float,
        **more: Any,
    ) -> float:
        """:meth:`text`, shrunk to ``least`` points or cut so that it is not wider than ``room``;
        returns the size it has.
        """
        text, size = fit_text(text, style, size, room, least)
        self.text(x, y, text, style, size, **more)
        return size

    def spaced(  # noqa: PLR0913
        self,
        x: float,
        y: float,
        text: str,
        style: Style,
        size: float,
        room: float,
        *,
        align: Align,
        colour: RGB = BLACK,
    ) -> None:
        """Capitals set apart by a sixth of their size."""
        text, size = fit_text(text.upper(), style, size, room * 0.78, size * 0.6)
        gap = size * POINT / 6
        letters = [(item, width(item, style, size) + gap) for item in text]
        x -= {"left": 0.0, "centre": 0.5, "right": 1.0}[align] * (
            sum(wide for _, wide in letters) - gap
        )
        for item, wide in letters:
            self.text(x, y, item, style, size, colour=colour)
            x += wide

    def arc(  # noqa: PLR0913
        self,
        x: float,
        y: float,
        radius: float,
        text: str,
        style: Style,
        size: float,
        *,
        middle: float,
        colour: RGB,
    ) -> None:
        """Text around the point (x, y), its middle at the angle ``middle`` in degrees; below the
        point it reads from the left too.
        """
        upper = middle > 0
        gap = size * POINT / 8
        total = sum(width(one, style, size) + gap for one in text) - gap
        gone = 0.0

        # Letter by letter, each turned to stand on the circle.
        for one in text:
            wide = width(one, style, size)
            off = math.degrees((gone + wide / 2 - total / 2) / radius)
            angle = math.radians(middle - off if upper else middle + off)

            turn = math.degrees(angle) + (-90 if upper else 90)
            with self.at(x + radius * math.cos(angle), y + radius * math.sin(angle), turn=turn):
                self.text(
                    0,
                    0 if upper else -0.7 * size * POINT,
                    one,
                    style,
                    size,
                    align="centre",
                    colour=colour,
                )

            gone += wide + gap

    def _ink(self, colour: RGB) -> None:
        """Black is the ink and no mix of inks, so that small letters stay sharp."""
        self.canvas.setFillGray(0) if colour == BLACK else self.canvas.setFillColorRGB(*colour)

    def _stroke(self, colour: RGB, thick: float) -> None:
        self.canvas.setStrokeGray(0) if colour == BLACK else self.canvas.setStrokeColorRGB(*colour)
        self.canvas.setLineWidth(thick)


def _side(length: float) -> float:
    return length if math.isfinite(length) and length > 0 else 40.0


def _bites(  # noqa: PLR0913
    path: Any, x: float, y: float, dx: int, dy: int, length: float, count: int
) -> None:
    """A side of a stamp from (x, y) in the direction (dx, dy), whose left hand side is the stamp's
    inside.
    """
    pitch = length / count
    radius = 0.3 * pitch
    for index in range(count):
        middle = (index + 0.5) * pitch
        points = [(-1, 0), (-1, KAPPA), (-KAPPA, 1), (0, 1), (KAPPA, 1), (1, KAPPA), (1, 0)]
        (first, *rest) = [(middle + radius * a, radius * b) for a, b in points]
        placed = [(x + dx * a - dy * b, y + dy * a + dx * b) for a, b in (first, *rest)]
        path.lineTo(*placed[0])
        path.curveTo(*placed[1], *placed[2], *placed[3])
        path.curveTo(*placed[4], *placed[5], *placed[6])
    path.lineTo(x + dx * length, y + dy * length)


def strokes(path: str) -> Iterator[tuple[str, float, float]]:
    """The commands M and L of SVG path data as (command, x, y), which is all that the script uses;
    anything else is left out.
    """
    for command, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", path[:20_000]):
        if command in "ML":
            found = [float(match) for match in re.findall(r"-?\d{1,6}(?:\.\d{1,6})?", numbers)]
            for x, y in zip(found[::2], found[1::2], strict=False):
                yield command, x, y
                command = "L"  # further pairs after M are lines (SVG 2, section 9.3.3)
