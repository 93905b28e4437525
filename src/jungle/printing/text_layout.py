"""Letters for paper: any text becomes words that the shipped faces can print, measured and broken
into lines.

Sizes are in points, lengths in millimetres. HarfBuzz shapes every run, so that pairs are kerned and
tone marks sit on their letters.
"""

import io
import itertools
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from ..errors import MissingExtra

POINT = 25.4 / 72  # mm
MISSING = "□"  # stands for what no face can print
MARKS = 2  # on one letter; more are an attack on the lines above and below

# Faces to try in turn; each chain ends with the one that has most letters. fonts/README.md says
# where they come from.
Style = tuple[str, ...]
ROMAN: Style = ("EBGaramond-Regular", "NotoSerif-Regular")
ITALIC: Style = ("EBGaramond-Italic", *ROMAN)
DISPLAY: Style = ("Fraunces-SemiBold", *ROMAN)
DISPLAY_ITALIC: Style = ("Fraunces-Italic", *ITALIC)
HAND: Style = ("Caveat-Medium", *ITALIC)
# they have accented letters, but no anchors to put marks on
STACKS_NO_MARKS = {
    "Fraunces-SemiBold",
    "Fraunces-Italic",
}


def need_libraries() -> None:
    """Raises MissingExtra unless everything that prints is installed."""
    for module in ("reportlab", "pikepdf", "segno", "uharfbuzz"):
        try:
            __import__(module)
        except ImportError:
            raise MissingExtra.library(module, "print", "Printing") from None


def clean_for_print(text: str, most: int = 400) -> str:
    """``text`` as one line of at most ``most`` characters: composed (NFC), without control or
    invisible characters and heaped marks.
    """
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text[: 4 * most]):
        category = unicodedata.category(character)
        if category in ("Cc", "Zs", "Zl", "Zp"):
            character = " "
        elif category in ("Cf", "Cs", "Co", "Cn", "Me"):
            continue
        marks = marks + 1 if category == "Mn" else 0
        if marks <= MARKS:
            kept.append(character)
    line = " ".join("".join(kept).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


@cache
def _font(name: str) -> Any:
    """A shipped face, known to ReportLab from now on."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    data = resources.files(__package__).joinpath("fonts", f"{name}.ttf").read_bytes()
    font = TTFont(name, io.BytesIO(data))
    pdfmetrics.registerFont(font)
    return font


def _prints(name: str, cluster: str) -> bool:
    """Whether a face has a letter with its marks, in one piece or in parts that it can put
    together.
    """
    known = _font(name).face.charToGlyph
    if all(ord(character) in known for character in cluster):
        return len(cluster) == 1 or name not in STACKS_NO_MARKS
    parts = unicodedata.normalize("NFD", cluster)
    return name not in STACKS_NO_MARKS and all(ord(character) in known for character in parts)


def _clusters(text: str) -> Iterator[str]:
    """Letters, each with the marks that follow it."""
    result = ""
    for character in text:
        if result and not unicodedata.combining(character):
            yield result
            result = ""
        result += character
    if result:
        yield result


@lru_cache(maxsize=4096)
def runs(text: str, style: Style) -> tuple[tuple[str, str], ...]:
    """``text`` as pairs (face, piece): in the first face that has all its letters; what that lacks
    from the next one, or MISSING.

    A word is never set in two faces because of one letter that the finer one lacks, but signs, such
    as tone letters, may come from another.
    """
    clusters = list(_clusters(text))
    letters = [cluster for cluster in clusters if cluster[0].isalpha()]
    main = [name for name in style if all(_prints(name, letter) for letter in letters)]
    chain = (*main, *style)
    placed = [(next((name for name in chain if _prints(name, one)), ""), one) for one in clusters]
    boxed = [(name, item) if name else (ROMAN[0], MISSING) for name, item in placed]
    return tuple(
        (name, "".join(one for _, one in pieces))
        for name, pieces in itertools.groupby(boxed, key=lambda pair: pair[0])
    )


@lru_cache(maxsize=4096)
def shaped(name: str, text: str) -> tuple[Any, float]:
    """A run as ReportLab draws it with kerning and marks in place, and its width in ems."""
    from reportlab.pdfbase.ttfonts import ShapedStr, shapeStr

    width = _font(name).stringWidth(text, 1.0)  # loads the face too
    drawn = shapeStr(text, name, 1.0)
    return (
        (drawn, sum(one.x_advance for one in drawn.__shapeData__) / 1000)
        if isinstance(drawn, ShapedStr)
        else (drawn, width)
    )


def width(text: str, style: Style, size: float) -> float:
    """Of a line, in mm."""
    return sum(shaped(name, piece)[1] for name, piece in runs(text, style)) * size * POINT


def fit_text(text: str, style: Style, size: float, room: float, least: float) -> tuple[str, float]:
    """The text and the size at which it fits into ``room`` mm: shrunk to ``least`` points at most,
    then cut with an ellipsis.
    """
    full = width(text, style, size)
    if full <= room:
        return text, size
    if full * least / size <= room:
        return text, size * room / full
    return cut(text, style, least, room), least


def cut(text: str, style: Style, size: float, room: float) -> str:
    """The text if it fits into ``room`` mm, else the longest beginning that fits with an
    ellipsis.
    """
    return text if width(text, style, size) <= room else _shortened(text, style, size, room)


def _shortened(text: str, style: Style, size: float, room: float) -> str:
    clusters = list(_clusters(text))
    fits, over = 0, len(clusters) + 1
    while over - fits > 1:
        middle = (fits + over) // 2
        wide = width("".join(clusters[:middle]).rstrip() + "…", style, size)
        fits, over = (middle, over) if wide <= room else (fits, middle)
    return "".join(clusters[:fits]).rstrip(" ,;.") + "…"


def wrap(text: str, style: Style, size: float, room: float, most: int) -> list[str]:
    """At most ``most`` lines of ``room`` mm, broken between words; a longer word and a longer text
    are cut with an ellipsis.
    """
    lines: list[str] = []
    for word in text.split():
        if lines and width(f"{lines[-1]} {word}", style, size) <= room:
            lines[-1] += f" {word}"
        elif len(lines) == most:
            lines[-1] = _shortened(lines[-1], style, size, room)
            break
        else:
            lines.append(cut(word, style, size, room))
    return lines
