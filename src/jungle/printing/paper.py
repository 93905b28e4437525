"""Paper: formats, where cards lie on a sheet, and where the knife goes. All lengths in millimetres,
the origin at the bottom left.
"""

from dataclasses import dataclass
from typing import Literal

PaperFormat = Literal["a6", "6x4", "a4", "letter", "contact"]

INCH = 25.4
A6 = (105.0, 148.0)  # ISO 216
SINGLES = {"a6": (A6, 3.0), "6x4": ((4 * INCH, 6 * INCH), 0.125 * INCH)}  # trimmed size and bleed
SHEETS = {"a4": (210.0, 297.0), "letter": (8.5 * INCH, 11 * INCH)}
MARK = 5.0  # length of a crop mark
GAP = 1.0  # between bleed and mark, so that no ink of it is left after a cut that is a little off
PRINTER = 4.5  # rim that home printers leave white


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    def grown(self, by: float) -> "Box":
        """With a rim of ``by`` on all sides."""
        return Box(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def inside(self, other: "Box") -> bool:
        """Whether it lies within ``other``, within a micrometre."""
        rim = other.grown(1e-3)
        right, top = self.x + self.width, self.y + self.height
        return (
            rim.x <= self.x
            and rim.y <= self.y
            and right <= rim.x + rim.width
            and top <= rim.y + rim.height
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """A page: its size, the cards on it, and the boxes that a print shop reads (PDF 2.0, section
    14.11.2).
    """

    page: tuple[float, float]
    card: tuple[float, float]  # size at which a card is drawn, before it is scaled
    scale: float
    bleed: float  # on paper
    cells: tuple[Box, ...]  # trimmed cards on paper, left to right, top to bottom
    columns: int
    mark: float
    gap: float
    trim: Box  # of the page
    bleed_box: Box

    def back(self, place: int) -> Box:
        """Where the back of the card in cell ``place`` lies, so that it meets its front when the
        sheet is turned over its long edge.
        """
        row, column = divmod(place, self.columns)
        return self.cells[row * self.columns + self.columns - 1 - column]

    def marks(self) -> list[tuple[float, float, float, float]]:
        """Crop marks as lines (x1, y1, x2, y2), outside the bleed of every card."""
        xs = sorted({edge for cell in self.cells for edge in (cell.x, cell.x + cell.width)})
        ys = sorted({edge for cell in self.cells for edge in (cell.y, cell.y + cell.height)})
        near = self.bleed + self.gap
        far = near + self.mark

        # Only at the outer edges: between cards a mark would be printed on one of them.
        upright = [
            (x, y + way * near, x, y + way * far)
            for x in xs
            for y, way in ((ys[0], -1), (ys[-1], 1))
        ]
        level = [
            (x + way * near, y, x + way * far, y)
            for y in ys
            for x, way in ((xs[0], -1), (xs[-1], 1))
        ]

        return upright + level


def layout(kind: PaperFormat) -> Layout:
    """The page of a format; "contact" has no cards and is not here."""
    if kind in SINGLES:
        return _single(*SINGLES[kind])
    return _sheet(SHEETS[kind])


def _single(card: tuple[float, float], bleed: float) -> Layout:
    rim = bleed + GAP + MARK + GAP
    trim = Box(rim, rim, *card)
    page = (card[0] + 2 * rim, card[1] + 2 * rim)
    return Layout(page, card, 1.0, bleed, (trim,), 1, MARK, GAP, trim, trim.grown(bleed))


def _sheet(page: tuple[float, float]) -> Layout:
    """Four cards, each with its own bleed. Four of A6 are as large as A4 without a rim: they are
    scaled down by whole per cent.
    """
    bleed, gap, mark = 3.0, 0.5, 3.5
    rim = 2 * (bleed + gap + mark + PRINTER) + 2 * bleed
    scale = (
        int(100 * min((side - rim) / (2 * item) for side, item in zip(page, A6, strict=True))) / 100
    )
    wide, high = A6[0] * scale, A6[1] * scale
    left, low = page[0] / 2 - bleed - wide, page[1] / 2 - bleed - high
    cells = tuple(
        Box(left + c * (wide + 2 * bleed), low + r * (high + 2 * bleed), wide, high)
        for r in (1, 0)
        for c in (0, 1)
    )
    whole = Box(0, 0, *page)
    return Layout(page, A6, scale, bleed, cells, 2, mark, gap, whole, whole)
