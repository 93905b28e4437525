"""What the post puts on a card: the stamp with the animal's portrait and name, and the postmark
that cancels it.
"""

from PIL import Image

from ..records import Postcard
from . import raster
from .canvas import RGB, PrintCanvas, card_tint
from .paper import Box
from .text_layout import DISPLAY, ROMAN, clean_for_print, fit_text, width, wrap

WHITE: RGB = (1.0, 1.0, 1.0)
CANCEL: RGB = (0.16, 0.17, 0.22)  # ink of the post office


def draw_stamp(
    pen: PrintCanvas, card: Postcard, picture: Image.Image, box: Box, scale: float
) -> None:
    """A perforated stamp of ``box``: the picture in two inks, and the name in the animals' script.
    ``scale``: of the card on paper.
    """
    inks = card_tint(card.colours)
    pen.perforated(box, WHITE)
    inner = box.grown(-1.7)
    side = inner.width

    # The picture takes a square, the names the strip below it.
    portrait = Box(inner.x, inner.y + inner.height - side, side, side)
    two = raster.duotone(picture, _bytes(inks.ink), _bytes(inks.pale))
    pen.picture(raster.print_jpeg(raster.enlarged(two, side * scale)), portrait)
    strip = Box(inner.x, inner.y, side, inner.height - side - 0.5)
    pen.fill(strip, inks.pale)
    pen.glyphs(
        card.stamp,
        Box(strip.x + 0.8, strip.y + 2.6, strip.width - 1.6, strip.height - 3.2),
        inks.ink,
    )
    pen.spaced(
        strip.x + side / 2,
        strip.y + 0.8,
        "Jungle Post",
        ROMAN,
        4.2,
        side,
        align="centre",
        colour=inks.ink,
    )


def _bytes(colour: RGB) -> tuple[int, int, int]:
    return (round(255 * colour[0]), round(255 * colour[1]), round(255 * colour[2]))


def draw_postmark(
    pen: PrintCanvas, card: Postcard, x: float, y: float, radius: float, reach: float
) -> None:
    """Two rings around (x, y) with place and date, and waves of ``reach`` mm that cancel the
    stamp.
    """
    place, date = (clean_for_print(item, 60) for item in card.postmark)

    with pen.at(x, y, turn=-9):
        pen.circle(0, 0, radius, colour=CANCEL, thick=0.9)
        pen.circle(0, 0, 0.64 * radius, colour=CANCEL, thick=0.5)

        # The waves run over the stamp and onto the card: that is what cancels it.
        for line in range(4):
            pen.wave(radius + 0.8, (line - 1.1) * 0.4 * radius, reach, colour=CANCEL, thick=0.8)
        text, size = fit_text(place.upper(), DISPLAY, 6.0, 1.7 * radius, 4.0)
        pen.arc(0, 0, 0.72 * radius, text, DISPLAY, size, middle=90, colour=CANCEL)
        pen.arc(0, 0, 0.72 * radius, "JUNGLE POST", DISPLAY, 4.4, middle=-90, colour=CANCEL)

        lines = (
            [date]
            if width(date, DISPLAY, 5.5) <= 1.15 * radius
            else wrap(date, DISPLAY, 5.5, 1.1 * radius, 2)
        )
        for index, part in enumerate(lines):
            down = -0.8 + 2.5 * ((len(lines) - 1) / 2 - index)
            pen.fitted(
                0,
                down,
                part,
                DISPLAY,
                7.0 if len(lines) == 1 else 5.5,
                1.15 * radius,
                least=4.5,
                align="centre",
                colour=CANCEL,
            )
