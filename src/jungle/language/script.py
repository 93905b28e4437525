"""A script for any language of the jungle: one glyph a syllable, drawn from its sounds, so that the
sounds can be read from it.

The frame is the manner of the first consonant, the stroke inside its place, a bar its voice. A mark
at the left is the vowel: as high as the mouth is closed, lying for the front, upright for the back,
hooked if the lips are round. A stroke at the right is the tone. A second consonant is drawn small
above, a last one small below, and a line under everything is the stress.
"""

import itertools
import math
import re
from collections.abc import Sequence
from functools import cache
from typing import TypedDict

from ..errors import BadInput
from .grammar.word_table import InflectedWord
from .phonology.phonology import Phonology, Segments
from .phonology.segments import CONSONANTS, VOWELS, is_vowel, quality, tone

SIZE = 40  # units of a glyph's square
GAP = SIZE // 2  # between words
Lines = list[list[tuple[float, float]]]
FRAMES: dict[str, Lines] = {  # by manner
    "stop": [[(10, 8), (30, 8), (30, 28), (10, 28), (10, 8)]],
    "affricate": [[(10, 8), (30, 8), (30, 28), (18, 28), (10, 20), (10, 8)]],
    "fricative": [[(10, 28), (20, 8), (30, 28), (10, 28)]],
    "nasal": [[(10, 28), (10, 16), (14, 10), (20, 8), (26, 10), (30, 16), (30, 28), (10, 28)]],
    "liquid": [[(20, 8), (30, 18), (20, 28), (10, 18), (20, 8)]],
    "glide": [[(10, 20), (12, 13), (16, 9), (20, 8), (24, 9), (28, 13), (30, 20)]],
    "click": [[(10, 8), (30, 28)], [(30, 8), (10, 28)]],
    "": [[(12, 28), (28, 28)]],
}
PLACES = ("labial", "coronal", "palatal", "lateral", "dorsal", "uvular", "nasal", "glottal")
TONE_LINES: dict[str, Lines] = {
    "": [],
    "˥": [[(35, 10), (35, 22)]],
    "˥˩": [[(33, 10), (37, 22)]],
    "˩˥": [[(37, 10), (33, 22)]],
}
STRESS: Lines = [[(4, 38.5), (36, 38.5)]]
SMALL = 0.32  # of the size: consonants that are not first


class Drawing(TypedDict):
    """A line of writing: one path for each syllable, all in one box."""

    width: float
    height: float
    paths: tuple[str, ...]


@cache
def glyph(syllable: Segments, *, stressed: bool = False) -> str:
    """The path of a syllable in a square of :data:`SIZE` units, as the value of the attribute ``d``
    of an SVG path.
    """
    return "".join(_stroke(line) for line in _lines(syllable, stressed))


def _lines(syllable: Segments, stressed: bool) -> Lines:
    place = next(number for number, segment in enumerate(syllable) if is_vowel(segment))
    onset, vowel, coda = syllable[:place], syllable[place], syllable[place + 1 :]
    lines = _consonant(onset[0] if onset else "") + _vowel(vowel) + TONE_LINES[tone(vowel)]
    lines += _moved(_consonant(onset[1]), 26, -2) if len(onset) > 1 else []
    lines += _moved(_consonant(coda[0]), 13.6, 27.5) if coda else []
    return lines + (STRESS if stressed else [])


def _stroke(line: list[tuple[float, float]], x: int = 0) -> str:
    return "M" + "L".join(f"{round(item, 1) + x:g} {round(y, 1):g}" for item, y in line)


def _moved(lines: Lines, dx: float, dy: float) -> Lines:
    return [[(x * SMALL + dx, y * SMALL + dy) for x, y in line] for line in lines]


def _consonant(segment: str) -> Lines:
    """Frame, stroke and bar; ticks tell apart consonants that share them."""
    if not segment:
        return FRAMES[""]
    one = CONSONANTS[segment]
    angle = math.pi * PLACES.index(one.place) / len(PLACES)
    dx, dy = 5 * math.cos(angle), 5 * math.sin(angle)
    twins = [
        other.ipa
        for other in CONSONANTS.values()
        if (other.kind, other.place, other.voiced) == (one.kind, one.place, one.voiced)
    ]
    bar: Lines = [[(16, 25.5), (24, 25.5)]] if one.voiced else []
    ticks: Lines = [
        [(29.0 + 3 * index, 4), (29.0 + 3 * index, 7)] for index in range(twins.index(segment))
    ]

    return FRAMES[one.kind] + [[(20 - dx, 19 - dy), (20 + dx, 19 + dy)]] + bar + ticks


def _vowel(vowel: str) -> Lines:
    own = VOWELS[quality(vowel)]
    y = 28 - 19 * own.height
    if own.back < 0.3:
        ends = (2.0, y, 7.0, y)
    elif own.back < 0.7:
        ends = (2.5, y + 3, 6.5, y - 3)
    else:
        ends = (4.5, y - 3, 4.5, y + 3)
    line = [ends[:2], ends[2:]]
    return [line, [ends[2:], (ends[2] + 2, ends[3] - 3)]] if own.round else [line]


def decode(path: str, phonology: Phonology) -> tuple[Segments, bool]:
    """The syllable, and whether it is stressed, that a path of :func:`glyph` shows.

    Raises:
        BadInput: it shows no syllable of these sounds.
    """
    for first in ("", *phonology.consonants):
        if not path.startswith("".join(map(_stroke, _consonant(first)))):
            continue
        seconds = ("", *(pair[1] for pair in phonology.onsets if pair[0] == first))

        # Drawn again and compared: the script has no second rule that could differ from the first.
        for second, vowel, coda in itertools.product(
            sorted(seconds), phonology.vowels, ("", *sorted(phonology.codas))
        ):
            syllable = tuple(filter(None, (first, second, vowel, coda)))
            for stressed in (False, True):
                if glyph(syllable, stressed=stressed) == path:
                    return syllable, stressed

    raise BadInput(
        "These strokes show no syllable of the language: draw glyphs with the script of the same "
        "language."
    )


def drawn(words: Sequence[InflectedWord]) -> Drawing:
    """Words as path data: the values of ``d`` of SVG paths, made of M, L, digits, points, minus
    signs and blanks and of nothing else.

    Half a square parts the words. Strokes reach to within 1 unit of the box: draw them 2 units
    wide, without a fill.
    """
    paths, x = [], 0
    for word in words:
        for syllable, stressed in word.syllables:
            paths.append("".join(_stroke(line, x) for line in _lines(syllable, stressed)))
            x += SIZE
        x += GAP
    return {"width": max(x - GAP, SIZE), "height": SIZE, "paths": tuple(paths)}


def read_script(paths: Sequence[str], phonology: Phonology) -> list[list[tuple[Segments, bool]]]:
    """The words that :func:`drawn` wrote: syllables, and whether they are stressed.

    Raises:
        BadInput: a path shows no syllable of these sounds, or stands where none can.
    """
    words: list[list[tuple[Segments, bool]]] = [[]]
    x = 0

    for path in paths:
        for word, start in ((words[-1], x), ([], x + GAP)):
            # A syllable is drawn at its place in the line: moved back, it can be compared.
            def moved(match: re.Match[str], start: float = start) -> str:
                return f"{round(float(match[1]) - start, 1):g}"

            back = re.sub(r"(?<=[ML])(\S+)", moved, path)
            try:
                word.append(decode(back, phonology))
            except BadInput:
                continue
            if word is not words[-1]:
                words.append(word)
            x = start + SIZE
            break
        else:
            raise BadInput(
                "These strokes show no syllable of the language: draw glyphs with the script of "
                "the same language."
            )

    return words


def svg(words: Sequence[InflectedWord], *, label: str = "") -> str:
    """A line of writing as one SVG image."""
    drawing = drawn(words)
    paths = "".join(f'<path d="{path}"/>' for path in drawing["paths"])
    title = f"<title>{_escaped(label)}</title>" if label else ""
    style = (
        'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" '
        'stroke-linejoin="round"'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing["width"]} {SIZE}" '
        f"{style}>{title}{paths}</svg>\n"
    )


def _escaped(text: str) -> str:
    return re.sub(r"[<>&\"']", lambda found: f"&#{ord(found.group())};", text)
