"""A contact sheet: every animal of the jungle, small, with its name and seed, on A4."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..records import Postcard
from . import raster
from .canvas import PrintCanvas, card_tint
from .card import card_name
from .paper import Box
from .text_layout import DISPLAY, DISPLAY_ITALIC, ROMAN, clean_for_print

PAGE = (210.0, 297.0)  # A4
COLUMNS, ROWS = 4, 5
RIM, HEAD = 14.0, 17.0
SIDE, GAP = 41.0, 6.0  # of a picture, and between two
STEP = (PAGE[1] - 2 * RIM - HEAD) / ROWS


def draw_contact(
    jungle: Path, cards: Sequence[Postcard], title: str
) -> Iterator[Callable[[PrintCanvas], None]]:
    """What draws each page."""
    every = COLUMNS * ROWS
    pages = -(-len(cards) // every)
    for number in range(pages):
        some = cards[number * every : (number + 1) * every]
        yield lambda pen, some=some, number=number: _page(
            pen, jungle, some, title, f"{number + 1} of {pages}"
        )  # type: ignore[misc]


def _page(
    pen: PrintCanvas, jungle: Path, cards: Sequence[Postcard], title: str, where: str
) -> None:
    top = PAGE[1] - RIM
    pen.text(RIM, top - 6.5, title, DISPLAY, 17)
    pen.text(PAGE[0] - RIM, top - 6.5, where, ROMAN, 9, align="right")
    pen.line(RIM, top - 10, PAGE[0] - RIM, top - 10, thick=0.4)
    for index, card in enumerate(cards):
        row, column = divmod(index, COLUMNS)
        _cell(pen, jungle, card, RIM + column * (SIDE + GAP), top - HEAD - row * STEP)


def _cell(pen: PrintCanvas, jungle: Path, card: Postcard, x: float, top: float) -> None:
    """A picture at the foot of a square whose upper left corner is (x, top), the names below."""
    picture = raster.open_master(jungle, card)
    scale = SIDE / max(picture.size)
    wide, high = picture.width * scale, picture.height * scale
    pen.picture(
        raster.print_jpeg(raster.enlarged(picture, wide)),
        Box(x + (SIDE - wide) / 2, top - SIDE, wide, high),
    )
    pen.fitted(x, top - SIDE - 4.0, card_name(card), DISPLAY, 8.5, SIDE, least=5.5)

    # The seed is what somebody needs to ask for this animal again.
    seed = f"seed {card.species.seed}"
    pen.fitted(
        x,
        top - SIDE - 7.4,
        clean_for_print(card.species.binomial),
        DISPLAY_ITALIC,
        6.5,
        SIDE,
        least=5,
    )
    pen.fitted(x + SIDE, top - SIDE - 10.4, seed, ROMAN, 6, SIDE / 2, least=4, align="right")
    pen.fitted(
        x,
        top - SIDE - 10.4,
        clean_for_print(card.own_name),
        ROMAN,
        6,
        SIDE / 2,
        least=4,
        colour=card_tint(card.colours).ink,
    )
