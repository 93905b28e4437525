"""Sheets for people: what is on them, and that the answers are those of the cells."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from jungle.evaluation.contact_sheet import labelled_rows
from jungle.images.blind_sheet import A_PAGE, PER_KIND, shuffle_cells, write_blind_sheet

CLASSES = ("bison", "cat", "shark")


def flat(shades: list[int], channel: int) -> np.ndarray:
    """One-coloured pictures (N, 8, 8, 3) that tell their index by the shade of one channel."""
    pictures = np.zeros((len(shades), 8, 8, 3), dtype=np.uint8)
    pictures[..., channel] = np.array(shades)[:, None, None]
    return pictures


def test_the_answers_are_those_of_the_cells(tmp_path: Path) -> None:
    asked = np.repeat(np.arange(3), 30)
    shown = np.repeat(np.arange(3), 20)
    pictures, photos = flat([60 + i for i in range(90)], 0), flat([60 + i for i in range(60)], 2)
    cells = shuffle_cells(asked, shown, CLASSES, 0)
    assert [cell.number for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(not cell.photo for cell in cells) == 3 * PER_KIND
    assert sum(cell.photo for cell in cells) == 3  # one in seven
    assert {cell.kind for cell in cells if cell.photo} == set(CLASSES)

    pages = write_blind_sheet(tmp_path, cells, pictures, photos)
    answers = json.loads((tmp_path / "blind_answers.json").read_text(encoding="utf-8"))
    assert answers["kinds"] == list(CLASSES)
    with Image.open(pages[0]) as page:
        sheet = np.asarray(page.convert("RGB"))
    for index, answer in enumerate(answers["cells"]):
        row, column = divmod(index, 10)
        colour = sheet[8 + row * 186 + 80, 8 + column * 168 + 80]
        shade = 60 + answer["index"]
        assert colour.tolist() == ([0, 0, shade] if answer["photo"] else [shade, 0, 0])
        assert answer["kind"] == CLASSES[(shown if answer["photo"] else asked)[answer["index"]]]


def test_the_form_tells_nothing_and_old_pages_go(tmp_path: Path) -> None:
    asked = np.repeat(np.arange(12), 9)
    classes = tuple(f"kind{i}" for i in range(12))
    (tmp_path / "blind_3.png").write_bytes(b"of an earlier, longer sheet")
    cells = shuffle_cells(asked, asked, classes, 3)
    pictures = flat([100] * len(asked), 1)
    pages = write_blind_sheet(tmp_path, cells, pictures, pictures)
    assert len(cells) == 84 > A_PAGE
    assert (
        sorted(path.name for path in tmp_path.glob("*.png"))
        == ["blind_1.png", "blind_2.png"]
        == [path.name for path in pages]
    )
    rows = list(csv.reader((tmp_path / "blind_form.csv").read_text(encoding="utf-8").splitlines()))
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(1, 85)]
    assert not any(value for row in rows[1:] for value in row[1:])


def test_the_same_seed_gives_the_same_sheet_and_the_order_tells_nothing() -> None:
    asked = np.repeat(np.arange(3), 6)
    cells = shuffle_cells(asked, asked, CLASSES, 0)
    assert (
        cells == shuffle_cells(asked, asked, CLASSES, 0) != shuffle_cells(asked, asked, CLASSES, 1)
    )
    assert [cell.kind for cell in cells] != sorted(cell.kind for cell in cells)
    without_kinds = shuffle_cells(np.full(12, -1), asked, CLASSES, 0)
    assert sum(cell.kind == "" for cell in without_kinds) == PER_KIND


def test_rows_are_labelled() -> None:
    rows = {"bison": flat([200, 210], 0), "a long name": flat([220], 1)}
    sheet = np.asarray(labelled_rows(rows, side=20, gap=4))
    assert sheet.shape[0] == 4 + 2 * 24
    label = sheet.shape[1] - 2 * 24
    assert sheet[14, label + 10].tolist() == [200, 0, 0]
    assert sheet[14, label + 24 + 10].tolist() == [210, 0, 0]
    assert sheet[38, label + 10].tolist() == [0, 220, 0]
    assert sheet[:28, :label].min() < 128  # something is written
