"""The judge of the table of pictures: planted looks with known figures, and lists of photos."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY
from PIL import Image

from jungle.errors import BadInput
from jungle.images.classifier import ImageNetScores


@pytest.fixture(scope="module")
def script() -> ModuleType:
    sys.path.insert(0, str(REPOSITORY / "benchmarks"))
    try:
        import judge_pictures
    finally:
        sys.path.pop(0)
    module: ModuleType = judge_pictures
    return module


class Planted:
    """Takes the red of a one-coloured picture for its label, and draws features from one normal
    distribution.
    """

    name = "planted"

    def look(self, images: np.ndarray) -> ImageNetScores:
        probabilities = np.full((len(images), 1000), 1e-4, dtype=np.float32)
        probabilities[np.arange(len(images)), images[:, 0, 0, 0]] = 0.9
        features = (
            np.random.default_rng(len(images)).normal(0, 1, (len(images), 8)).astype(np.float32)
        )
        return ImageNetScores(features, probabilities)


def flat(labels: np.ndarray) -> np.ndarray:
    pictures = np.zeros((len(labels), 4, 4, 3), dtype=np.uint8)
    pictures[..., 0] = labels[:, None, None]
    return pictures


def test_figures_of_a_planted_judge(script: ModuleType) -> None:
    kinds = np.repeat(np.arange(3), 40)
    photos = script.Photos(flat(kinds * 10 + 7), kinds, ("bison", "cat", "shark"))
    asked = np.arange(90) % 3
    seen = np.where(asked == 2, 0, asked * 10 + 7)  # sharks are taken for another animal
    model: Any = SimpleNamespace(hash="0123")
    found = script.judge(model, photos, Planted(), flat(seen), asked, 20, 0)

    assert found["names"] == {"animal": 1.0, "sure": 1.0, "named": pytest.approx(2 / 3)}
    assert found["names_of_photos"]["named"] == 1.0
    assert (found["pictures"], found["photos"]) == (90, 60)
    assert abs(found["kid"][0]) < 3 * found["kid"][1]
    red = found["colours"][0]
    usual = np.repeat([7, 17, 27], 20).std(ddof=1)
    assert red["shift"] == pytest.approx((seen.mean() - 17) / usual)
    assert red["shift_floor"] == 0  # both halves hold the same kinds
    assert "named rightly %" in script.to_text(found)
    assert "66.7" in script.to_text(found)


def test_both_halves_hold_every_kind_alike(script: ModuleType) -> None:
    labels = np.repeat(np.arange(4), (30, 50, 25, 26))
    rows = script.balanced(labels, 24, 0)
    assert len(set(rows.tolist())) == len(rows) == 96
    for half in np.split(rows, 2):
        assert np.bincount(labels[half]).tolist() == [12] * 4


def test_photos_are_those_of_the_list_and_of_kinds_with_enough(
    script: ModuleType, tmp_path: Path
) -> None:
    for kind, count in (("bison", 3), ("cat", 4), ("shark", 1), ("unicorn", 3)):
        folder = tmp_path / "photos" / kind
        folder.mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (20, 16), (number, 0, 0)).save(folder / f"{number}.png")
    (tmp_path / "list.txt").write_text(
        "photos/cat/1.png\nphotos/cat/3.png\nphotos/bison/0.png\nphotos/bison/2.png\n"
    )
    listed = script.list_photos(tmp_path, tmp_path / "list.txt")
    found = script.open_photos(listed, ("bison", "cat", "shark"), (8, 8), 2)
    assert found.kinds == ("bison", "cat")
    assert (found.labels.tolist(), found.pixels[:, 0, 0, 0].tolist()) == (
        [0, 0, 1, 1],
        [0, 2, 1, 3],
    )
    every = script.open_photos(
        script.list_photos(tmp_path / "photos", None), ("bison", "cat", "shark"), (8, 8), 3
    )
    assert (every.kinds, len(every.pixels)) == (("bison", "cat"), 7)
    with pytest.raises(BadInput, match="lower --each"):
        script.open_photos(listed, ("bison", "cat"), (8, 8), 3)
