"""The two faces of a postcard on paper. The front stands upright; the back lies, as the post wants
it, and is turned to fit.

Both fill their trimmed size and a bleed around it; nothing that matters comes nearer than SAFE to
the knife.
"""

from dataclasses import dataclass

from PIL import Image

from ..postcards import captions
from ..records import Phrase, Postcard
from . import raster
from .canvas import PAPER, RGB, PrintCanvas, card_tint
from .paper import Box
from .qr_code import draw_qr
from .stamp import draw_postmark, draw_stamp
from .text_layout import DISPLAY, DISPLAY_ITALIC, HAND, ITALIC, ROMAN, clean_for_print, width, wrap

SAFE = 5.0  # mm
STRIP = 38.0  # mm that the caption needs
ROW, LINE = 11.7, 3.4  # mm: of a phrase, and of its meaning
RULE: RGB = (0.55, 0.53, 0.50)


@dataclass(frozen=True, slots=True)
class Sheet:
    """How large a card is and how it will be printed."""

    size: tuple[float, float]  # trimmed, upright
    bleed: float  # in the same measure
    scale: float  # of the card on paper


def card_name(card: Postcard) -> str:
    """The common name, or the binomial where nobody chose one."""
    return clean_for_print(card.species.name) or clean_for_print(card.species.binomial)


def draw_front(pen: PrintCanvas, card: Postcard, picture: Image.Image, sheet: Sheet) -> None:
    """The whole picture, never cropped, as wide as the card; below it the names."""
    wide, high = sheet.size
    pen.fill(Box(0, 0, wide, high).grown(sheet.bleed), PAPER)
    shown = wide * picture.height / picture.width
    if shown <= high - STRIP:
        _bleeding(pen, picture, Box(0, high - shown, wide, shown), sheet)
    else:  # too tall: framed by paper
        shown = high - STRIP - SAFE
        narrow = shown * picture.width / picture.height
        pen.picture(
            raster.print_jpeg(raster.enlarged(picture, narrow * sheet.scale)),
            Box((wide - narrow) / 2, high - SAFE - shown, narrow, shown),
        )
        shown += SAFE
    _caption(pen, card, wide, high - shown)


def _bleeding(pen: PrintCanvas, picture: Image.Image, box: Box, sheet: Sheet) -> None:
    """The picture in ``box`` with its mirrored rim around it: what the knife may leave on three
    sides is never white.
    """
    large = raster.enlarged(picture, box.width * sheet.scale)
    pixel = box.width / large.width
    rim = int(sheet.bleed / pixel) + 1
    with pen.at(0, 0):
        pen.clip(Box(-sheet.bleed, box.y, box.width + 2 * sheet.bleed, box.height + sheet.bleed))
        pen.picture(raster.print_jpeg(raster.mirrored(large, rim)), box.grown(rim * pixel))


def _caption(pen: PrintCanvas, card: Postcard, wide: float, high: float) -> None:
    """Names in the strip of ``high`` mm at the foot: in English, as a naturalist writes it, and in
    the animal's own script.
    """
    inks, middle, room = card_tint(card.colours), wide / 2, wide - 2 * SAFE - 4
    notes = wrap(clean_for_print(card.notes, 500), ROMAN, 9, room - 8, 5) if high > 68 else []
    top = (high + STRIP + 4.2 * len(notes)) / 2
    pen.fitted(middle, top - 11.5, card_name(card), DISPLAY, 19, room, least=9, align="centre")

    if clean_for_print(card.species.name):
        pen.fitted(
            middle,
            top - 17.2,
            clean_for_print(card.species.binomial),
            DISPLAY_ITALIC,
            10.5,
            room,
            least=7,
            align="centre",
        )

    for index, line in enumerate(notes):
        pen.text(middle, top - 24 - 4.2 * index, line, ROMAN, 9, align="centre")
    foot = top - 4.2 * len(notes) - (3.0 if notes else 0.0)
    pen.glyphs(card.stamp, Box(middle - room / 2, foot - 29, room, 8.2), inks.ink)
    own = clean_for_print(card.own_name)
    size = pen.fitted(
        middle, foot - 33.6, own, ITALIC, 8.5, room * 0.6, least=6, align="centre", colour=inks.ink
    )
    reach = width(own, ITALIC, size) / 2 + 3 if own else 0.0

    # A flourish on both sides of the name, where there is room for it.
    for way in (-1, 1):
        if own and reach < room / 2:
            pen.line(
                middle + way * reach,
                foot - 32.7,
                middle + way * (reach + 9),
                foot - 32.7,
                colour=inks.ink,
                thick=0.4,
            )


def draw_back(
    pen: PrintCanvas, card: Postcard, picture: Image.Image, sheet: Sheet, address: str
) -> None:
    """What the animal says at the left; stamp, postmark and lines for an address at the right;
    between them how it was made.
    """
    wide, high = sheet.size[1], sheet.size[0]  # it lies
    with pen.at(sheet.size[0], 0, turn=90):
        pen.fill(Box(0, 0, wide, high).grown(sheet.bleed), PAPER)
        fold = wide / 2
        _divider(pen, card, fold, high)
        draw_stamp(pen, card, picture, Box(wide - SAFE - 25, high - SAFE - 33, 25, 33), sheet.scale)
        draw_postmark(pen, card, wide - SAFE - 34.5, high - SAFE - 14, 10.5, 21)
        for number in range(4):
            y = 22 + 9.5 * number
            pen.line(fold + 7, y, wide - SAFE - 1, y, colour=RULE, thick=0.5)
        room = Box(SAFE + 1, SAFE, fold - SAFE - 5, high - 2 * SAFE)
        foot = _footer(pen, card, room, address)
        _message(pen, card, Box(room.x, foot, room.width, room.y + room.height - foot))


def _divider(pen: PrintCanvas, card: Postcard, x: float, high: float) -> None:
    """The line between message and address, with the recipe on it, where printers of postcards
    leave their name.
    """
    mix = captions.mix_in_words(card.species.mix)
    text = f"An animal that never lived, made by AI   ·   seed {card.species.seed}   ·   {mix}"
    with pen.at(x, high / 2, turn=90):
        pen.fitted(
            0,
            -0.7,
            clean_for_print(text),
            ROMAN,
            5.8,
            high - 2 * SAFE - 8,
            least=4.5,
            align="centre",
        )
        text_wide = min(width(clean_for_print(text), ROMAN, 5.8), high - 2 * SAFE - 8)
        for way in (-1, 1):
            pen.line(
                way * (text_wide / 2 + 2), 0, way * (high / 2 - SAFE), 0, colour=RULE, thick=0.5
            )


def _footer(pen: PrintCanvas, card: Postcard, room: Box, address: str) -> float:
    """Field notes, beside the code of the card's page if there is one; returns the height at which
    the message may end.
    """
    side = 17.0
    x = room.x + (side - 1 if address else 0.0)
    lines = wrap(
        clean_for_print(card.notes, 500), ITALIC, 7.5, room.x + room.width - x, 3 if address else 4
    )
    top = room.y + max(side - 3.0 if address else 0.0, 3.1 * len(lines))

    # Without an address there is no code, and the notes get its room.
    if address:
        # its quiet zone may stand out
        draw_qr(pen, address, Box(room.x - 2, room.y - 2, side, side))
        pen.fitted(
            x,
            top - 3.1,
            "hear it call",
            HAND,
            12,
            room.x + room.width - x,
            least=8,
            colour=card_tint(card.colours).ink,
        )
        top -= 4.4

    for number, line in enumerate(lines):
        pen.text(x, top - 2.3 - 3.1 * number, line, ITALIC, 7.5)
    return room.y + max(side if address else 0.0, 3.1 * len(lines)) + 1.0


def _message(pen: PrintCanvas, card: Postcard, room: Box) -> None:
    """The names, then as many phrases as there is room for."""
    y = room.y + room.height - 4.2
    pen.fitted(room.x, y, card_name(card), DISPLAY, 11, room.width, least=7)
    y -= 3.9
    family = (
        f" ({clean_for_print(card.family, 40)})"
        if card.family and card.family != card.language
        else ""
    )
    pen.fitted(
        room.x,
        y,
        f"says, in {clean_for_print(card.language, 40)}{family}:",
        ITALIC,
        8,
        room.width,
        least=6,
    )
    y -= 1.6
    chosen, left = [], y - room.y

    for phrase in card.phrases:
        block = _block(phrase, room.width)
        if block.height <= left:
            chosen.append(block)
            left -= block.height

    # What room is left is shared out between the phrases, up to a limit.
    for block in chosen:
        _phrase(pen, block, room.x, y, card_tint(card.colours).ink, room.width)
        y -= block.height + min(left / len(chosen), 4.0)


@dataclass(frozen=True, slots=True)
class PhraseBlock:
    """A phrase broken into lines: rows of (place in mm, (word, sounds, gloss)), and the lines of
    its meaning.
    """

    rows: list[list[tuple[float, tuple[str, ...]]]]
    meaning: list[str]
    height: float


def _block(phrase: Phrase, room: float) -> PhraseBlock:
    """Words over sounds over glosses in rows of ``room`` mm; whole lines over each other where the
    words do not match up.
    """
    lines = [clean_for_print(item, 160) for item in (phrase.text, phrase.ipa, phrase.gloss)]
    split = [one.split() for one in lines]
    words = (
        list(zip(*split, strict=True)) if len({len(one) for one in split}) == 1 else [tuple(lines)]
    )
    rows: list[list[tuple[float, tuple[str, ...]]]] = []
    x = 0.0

    # A column is as wide as the widest of its three lines.
    for word, ipa, gloss in words:
        wide = min(
            room, max(width(word, HAND, 15), width(ipa, ROMAN, 6.5), width(gloss, ROMAN, 6.0))
        )
        if not rows or x + wide > room:
            rows.append([])
            x = 0.0
        rows[-1].append((x, (word, ipa, gloss)))
        x += wide + 2.2

    english = clean_for_print(phrase.english)
    meaning = wrap(f"“{english}”", ITALIC, 8, room, 2) if english else []

    return PhraseBlock(rows, meaning, ROW * len(rows) + LINE * len(meaning) + 2.0)


def _phrase(
    pen: PrintCanvas, block: PhraseBlock, x: float, y: float, ink: RGB, room: float
) -> None:
    for row in block.rows:
        for (off, (word, ipa, gloss)), end in zip(
            row, [place for place, _ in row[1:]] + [room], strict=True
        ):
            pen.fitted(x + off, y - 5.6, word, HAND, 15, end - off, least=7, colour=ink)
            pen.fitted(x + off, y - 8.7, ipa, ROMAN, 6.5, end - off, least=4.5)
            pen.fitted(x + off, y - 11.1, gloss, ROMAN, 6.0, end - off, least=4.5)
        y -= ROW
    for line in block.meaning:
        pen.text(x, y - 3.0, line, ITALIC, 8)
        y -= LINE
