"""A blind sheet: pictures and real photos, shuffled and numbered, for asking people what they see.

Whoever looks gets the pages and the form. The answers say what each number is: the back of the
sheet.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..evaluation.contact_sheet import numbered_page
from ..storage.atomic import write_atomic, write_bytes

PER_KIND = 6
"""Pictures of a kind on the sheet, at most."""

PHOTO_SHARE = 1 / 7
"""Share of the cells that are real photos: viewers who name these wrongly too say how hard the
question is.
"""

A_PAGE = 60
QUESTIONS = (
    "number",
    "is it an animal (yes, no)",
    "which one, in your own words",
    "which one of the list",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one number of the sheet is. ``index`` is that of the picture or photo where it came
    from.
    """

    number: int
    kind: str
    photo: bool
    index: int


def shuffle_cells(
    asked: NDArray[np.int64], shown: NDArray[np.int64], classes: Sequence[str], seed: int
) -> tuple[Cell, ...]:
    """Which pictures and photos go on the sheet, and in which order; the same seed gives the same
    sheet.

    Args:
        asked: (N,) which of ``classes`` each picture was asked for, -1 where none.
        shown: (M,) which of ``classes`` each photo shows.
    """
    random = np.random.default_rng([seed, 11])
    kinds = random.permutation(len(classes))
    groups = (-1, *range(len(classes))) if (asked < 0).any() else range(len(classes))
    pictures = np.concatenate([np.flatnonzero(asked == kind)[:PER_KIND] for kind in groups])

    # Photos of as many kinds as there are photos to show, and a second one of a kind only when
    # every kind has one.
    wanted = max(1, round(len(pictures) * PHOTO_SHARE / (1 - PHOTO_SHARE)))
    shuffled = [list(random.permutation(np.flatnonzero(shown == kind))) for kind in kinds]
    photos: list[int] = []
    while len(photos) < wanted and any(shuffled):
        photos += [int(rows.pop()) for rows in shuffled if rows]
    photos = photos[:wanted]

    named = [*classes, ""]
    cells = [(named[asked[index]], False, int(index)) for index in pictures]
    cells += [(named[shown[index]], True, index) for index in photos]
    order = random.permutation(len(cells))
    return tuple(Cell(number, *cells[place]) for number, place in enumerate(order, 1))


def write_blind_sheet(
    out: Path, cells: Sequence[Cell], pictures: NDArray[np.uint8], photos: NDArray[np.uint8]
) -> list[Path]:
    """Write ``blind_1.png`` ..., ``blind_form.csv`` to fill in and ``blind_answers.json`` into
    ``out``; returns the pages.

    ``pictures`` (N, H, W, 3) and ``photos`` (M, h, w, 3) are what the cells' indices mean; both are
    shown at the same size.
    """
    pages: list[Path] = []
    for start in range(0, len(cells), A_PAGE):
        shown = [
            np.asarray((photos if cell.photo else pictures)[cell.index])
            for cell in cells[start : start + A_PAGE]
        ]
        page = numbered_page(shown, cells[start].number)
        path = out / f"blind_{len(pages) + 1}.png"
        write_atomic(path, lambda file, page=page: page.save(file, "PNG"))  # type: ignore[misc]
        pages.append(path)

    # An earlier sheet may have had more pages; what is left of it would be filled in, too.
    for stale in set(out.glob("blind_[0-9]*.png")) - set(pages):
        stale.unlink()

    # The answers lie in a file of their own, so that the sheet can be given away without them.
    kinds = sorted({cell.kind for cell in cells if cell.kind})
    answers = {"kinds": kinds, "cells": [asdict(cell) for cell in cells]}
    write_bytes(out / "blind_answers.json", (json.dumps(answers, indent=1) + "\n").encode())

    form = io.StringIO()
    writer = csv.writer(form, lineterminator="\n")
    writer.writerow(QUESTIONS)
    writer.writerows([cell.number, "", "", ""] for cell in cells)
    write_bytes(out / "blind_form.csv", form.getvalue().encode())
    return pages
