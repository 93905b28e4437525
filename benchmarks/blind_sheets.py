"""Sheets for asking people: single kinds among real photos (row 3 of the table of pictures), and
mixes of two kinds (row 4).

    python benchmarks/blind_sheets.py MODEL PHOTOS --heldout LIST --out FOLDER
    python benchmarks/blind_sheets.py MODEL PHOTOS --heldout LIST --out FOLDER --score FORM.csv ...

Pictures are painted with the model's own settings and not chosen among: six of each kind of
``--kinds``, and 60 mixes of two kinds as ``jungle make`` draws them from the kinds that it invents
from. Viewers get ``singles_*.png``, ``mixes_*.png`` and the questions in ``questions.txt``, never
``answers.json``. They fill in ``number,clear,free,listed`` for singles (clear: yes, unsure, no;
free: in their own words, before they have seen the list; listed: from the list), and
``number,one,traits`` for mixes (one: yes or no; traits: the animals whose traits they see,
separated by +).
"""

import argparse
import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from judge_pictures import list_photos, open_photos, paint_kinds
from numpy.typing import NDArray

from jungle.config.paths import SHIPPED_MODELS
from jungle.diffusion import device
from jungle.diffusion.batched_sampling import SampleRequest
from jungle.diffusion.model import Model, load_model
from jungle.evaluation.contact_sheet import numbered_page
from jungle.images.blind_sheet import PER_KIND, shuffle_cells
from jungle.images.sampling import sample_pictures
from jungle.species import kinds as reports
from jungle.species.invent import parents
from jungle.weights import shipped

A_PAGE = 24
SIDE = 224
MIXES = 60

QUESTIONS = """\
singles_*.png: numbered pictures. Some are painted by a program, some are real photos at the same size. For every number write one
line  number,clear,free,listed  into your form:
  clear   is it clearly an animal? yes, unsure or no
  free    which animal, in your own words (write your guess, or - if you have none)
  listed  which one of this list: {kinds}
Do all numbers of "free" before you look at the list.

mixes_*.png: each is meant to be one animal that is a mix of two kinds. For every number write one line  number,one,traits:
  one     is it one animal, and not two side by side, and not a shapeless thing? yes or no
  traits  the animals whose traits you see in it, separated by + (cow+zebra), from the same list; one name if you see only one
"""


def write_pages(out: Path, name: str, pictures: list[NDArray[np.uint8]]) -> None:
    """``name_1.png`` ... with the numbers 1, 2 ..."""
    for page, start in enumerate(range(0, len(pictures), A_PAGE), 1):
        numbered_page(pictures[start : start + A_PAGE], start + 1, columns=6, side=SIDE).save(
            out / f"{name}_{page}.png"
        )


def write_sheets(
    model: Model, report: reports.ClassQualityReport, given: argparse.Namespace
) -> None:
    """Everything that viewers get, and the answers."""
    kinds = tuple(sorted(given.kinds.split(","))) if given.kinds else tuple(model.classes)
    photos = open_photos(list_photos(given.photos, given.heldout), kinds, model.recipe.size, 1)
    pictures, labels = paint_kinds(model, kinds, PER_KIND * len(kinds), given.seed)
    shown = np.array([kinds.index(photos.kinds[label]) for label in photos.labels])
    cells = shuffle_cells(labels, shown, kinds, given.seed)

    given.out.mkdir(parents=True, exist_ok=True)
    write_pages(
        given.out,
        "singles",
        [(photos.pixels if cell.photo else pictures)[cell.index] for cell in cells],
    )

    invented = reports.to_invent_from(model.classes, report)
    mixes = [parents(invented, given.seed + i) for i in range(MIXES)]
    wishes = [SampleRequest(given.seed + i, model.mix(mix)) for i, mix in enumerate(mixes)]
    write_pages(
        given.out,
        "mixes",
        [pixels for _, pixels in sample_pictures(model, wishes, model.recipe.sample)],
    )

    (given.out / "questions.txt").write_text(QUESTIONS.format(kinds=", ".join(kinds)))
    answers = {
        "model": model.hash,
        "kinds": kinds,
        "singles": [dataclasses.asdict(cell) for cell in cells],
        "mixes": mixes,
    }
    (given.out / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")


def read_form(path: Path) -> dict[str, dict[int, list[str]]]:
    """``singles`` and ``mixes``: the fields of each number; lines with four fields are singles,
    with three mixes.
    """
    form: dict[str, dict[int, list[str]]] = {"singles": {}, "mixes": {}}
    for row in csv.reader(path.read_text(encoding="utf-8").splitlines()):
        if row and row[0].strip().isdigit():
            form["singles" if len(row) == 4 else "mixes"][int(row[0])] = [
                field.strip().lower().replace(" ", "_") for field in row[1:]
            ]
    return form


def share(yes: list[bool]) -> str:
    """Of those that are true, in percent, with the counts."""
    return f"{100 * sum(yes) / max(len(yes), 1):.1f} % ({sum(yes)} of {len(yes)})"


def score(answers: dict[str, Any], path: Path) -> None:
    """Print one viewer's figures."""
    form = read_form(path)
    print(path)
    for photo in (False, True):
        rows = [
            (cell["kind"], form["singles"][cell["number"]])
            for cell in answers["singles"]
            if cell["photo"] is photo
        ]
        print(
            f"  {'photos' if photo else 'pictures'}: clearly an animal",
            share([row[0] == "yes" for _, row in rows]),
        )
        print("    rightly named from the list", share([row[2] == kind for kind, row in rows]))
        print("    the same word in free naming", share([kind in row[1] for kind, row in rows]))
    rows = [(set(mix), form["mixes"][number]) for number, mix in enumerate(answers["mixes"], 1)]
    print("  mixes: one animal", share([row[0] == "yes" for _, row in rows]))
    print(
        "    and traits of both parents",
        share([row[0] == "yes" and mix <= set(row[1].split("+")) for mix, row in rows]),
    )
    print(
        "    and at least two kinds of traits, one of them a parent's",
        share(
            [
                row[0] == "yes"
                and len(row[1].split("+")) > 1
                and bool(mix & set(row[1].split("+")))
                for mix, row in rows
            ]
        ),
    )


def agreement(answers: dict[str, Any], first: Path, second: Path) -> None:
    """Print how often two viewers say the same."""
    a, b = read_form(first), read_form(second)
    numbers = [cell["number"] for cell in answers["singles"] if not cell["photo"]]
    for index, what in ((0, "clear"), (2, "listed")):
        same = [a["singles"][number][index] == b["singles"][number][index] for number in numbers]
        print(f"the same answer to {what}:", share(same))
    print(
        "the same answer to one animal:",
        share([a["mixes"][n][0] == b["mixes"][n][0] for n in a["mixes"]]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help='a model file, or "shipped"')
    parser.add_argument("photos", type=Path)
    parser.add_argument(
        "--heldout",
        type=Path,
        help="a list of photos that were not trained on; default: all of the folder",
    )
    parser.add_argument(
        "--kinds", default="", help="separated by commas; default: all that the model knows"
    )
    parser.add_argument("--seed", type=int, default=5000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--score", type=Path, nargs="+", help="the forms of viewers")
    given = parser.parse_args()

    if given.score:
        answers = json.loads((given.out / "answers.json").read_text())
        for path in given.score:
            score(answers, path)
        if len(given.score) == 2:
            agreement(answers, *given.score)
        return

    path = shipped(SHIPPED_MODELS["photos"]) if given.model == "shipped" else Path(given.model)
    model = load_model(path, device.choose_device())
    report = reports.of_model(path, model.hash)
    write_sheets(model, report, given)


if __name__ == "__main__":
    main()
