"""What the pretrained network sees in photos: what is left out, what is kept whole, and windows
that follow the animal.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jungle.config.recipe_table import find_recipe
from jungle.config.recipes import Recipe, override
from jungle.data.folders import FolderContents, SourceFile
from jungle.images import curation, dataset, dataset_report
from jungle.images.curation import (
    DRAWN,
    EMPTY,
    PhotoAnalysis,
    analyse_photo,
    analyse_photos,
    curate,
    place_window,
    read_small,
)
from jungle.images.decode import CENTRE, open_photo
from jungle.images.efficientnet import shipped_lite0

RECIPE = dataclasses.replace(find_recipe("quick"), image_size=32)


def seen(animals: float, depictions: float = 0.0) -> PhotoAnalysis:
    return PhotoAnalysis(animals, depictions, 1.0, (1.0,), (1.0,))


GOOD, TOY, NOTHING = seen(0.9), seen(0.3, 0.4), seen(0.01)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which photos the network looked at; it takes those called toy for toys, and those called wall
    for nothing.
    """
    paths: list[Path] = []
    reading = curation.read_small

    def read(path: Path) -> tuple[object, Path]:
        reading(path)  # refuses what cannot be read
        return None, path

    def look(net: object, x: object, path: Path) -> PhotoAnalysis:
        paths.append(path)
        return {"toy": TOY, "wall": NOTHING}.get(path.stem.rstrip("0123456789"), GOOD)

    monkeypatch.setattr(curation, "read_small", read)
    monkeypatch.setattr(curation, "analyse_photo", look)
    monkeypatch.setattr(curation, "shipped_lite0", lambda: None)
    return paths


def fill(folder: Path, *names: str) -> Path:
    source = np.random.default_rng(len(names))
    for name in names:
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(source.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)
    return folder


def zoo(folder: Path) -> Path:
    """Ten cats with a toy and a wall among them, and three dogs of which two are toys."""
    cats = [f"cat/cat{number}" for number in range(8)]
    return fill(folder / "zoo", *cats, "cat/toy1", "cat/wall1", "dog/dog1", "dog/toy1", "dog/toy2")


def test_a_photo_needs_an_animal_or_a_good_excuse() -> None:
    assert seen(0.9, 0.1).reason == ""
    assert seen(0.6, 0.4).reason == ""  # most of it is animal
    assert seen(0.3, 0.0).reason == ""  # an animal among things
    assert seen(0.3, 0.4).reason == DRAWN
    assert seen(0.01, 0.0).reason == EMPTY
    assert seen(0.01, 0.5).reason == DRAWN


def test_a_class_that_the_network_does_not_know_is_kept_whole() -> None:
    classes = ["cat"] * 9 + ["robot"] * 3
    verdict = curate(classes, [GOOD] * 8 + [TOY] + [TOY, TOY, GOOD])
    assert [bool(reason) for reason in verdict.reasons] == [False] * 8 + [True] + [False] * 3
    assert len(verdict.notes) == 1
    assert "2 of 3 photos of robot" in verdict.notes[0]


def test_a_third_of_a_class_may_be_left_out_and_no_more() -> None:
    assert curate(["cat"] * 30 + ["dog"] * 3, [GOOD] * 30 + [TOY, GOOD, GOOD]).reasons[30] == DRAWN
    assert curate(["cat"] * 30 + ["dog"] * 2, [GOOD] * 30 + [TOY, GOOD]).reasons[30] == ""


def test_a_set_that_the_network_does_not_know_is_kept_whole() -> None:
    verdict = curate(["a", "b", "c"] * 2, [TOY, TOY, GOOD] * 2)
    assert verdict.reasons == ("",) * 6
    assert "4 of 6 photos:" in verdict.notes[0]


def test_photos_that_cannot_be_read_do_not_count() -> None:
    assert curate(["cat"] * 4, [None, None, None, TOY]).reasons == ("",) * 4
    assert curate([], []).reasons == ()


def test_training_leaves_out_what_is_no_animal(tmp_path: Path, looked: list[Path]) -> None:
    data = dataset.load_photos(zoo(tmp_path), RECIPE, tmp_path / "cache")
    assert [Path(path).stem for path in data.paths] == [f"cat{n}" for n in range(8)] + [
        "dog1",
        "toy1",
        "toy2",
    ]
    assert {(skip.path, skip.reason.split(";")[0]) for skip in data.skipped} == {
        ("cat/toy1.png", DRAWN),
        ("cat/wall1.png", EMPTY),
    }
    assert all("-o curate=no" in skip.reason for skip in data.skipped)
    assert "2 of 3 photos of dog" in data.notes[0]
    assert len(looked) == 13

    again = dataset.load_photos(tmp_path / "zoo", RECIPE, tmp_path / "cache")
    assert (again.notes, again.skipped, again.fingerprint) == (
        data.notes,
        data.skipped,
        data.fingerprint,
    )
    dataset.load_photos(
        tmp_path / "zoo", dataclasses.replace(RECIPE, image_size=48), tmp_path / "cache"
    )
    assert len(looked) == 13  # every size shares one pass


def test_what_was_seen_follows_the_content_of_a_photo(tmp_path: Path, looked: list[Path]) -> None:
    folder, cache = zoo(tmp_path), tmp_path / "cache"
    dataset.load_photos(folder, RECIPE, cache)
    (folder / "cat" / "cat3.png").write_bytes((folder / "dog" / "dog1.png").read_bytes())
    fill(folder, "cat/cat9")
    dataset.load_photos(folder, RECIPE, cache)
    assert [path.name for path in looked[13:]] == ["cat9.png"]

    (cache / "looks.sqlite").write_bytes(b"nonsense" * 1000)  # it only saves time
    changed = dataset.load_photos(folder, dataclasses.replace(RECIPE, image_size=48), cache)
    assert len(changed) == 12


def test_curate_no_looks_at_nothing_and_keeps_the_caches_of_before(
    tmp_path: Path, looked: list[Path]
) -> None:
    plain = override(RECIPE, {"curate": "no"})
    data = dataset.load_photos(zoo(tmp_path), plain, tmp_path / "cache")
    assert len(data) == 13
    assert not looked
    assert (
        data.fingerprint
        != dataset.load_photos(tmp_path / "zoo", RECIPE, tmp_path / "cache").fingerprint
    )


def test_a_damaged_photo_is_skipped_with_its_own_reason(tmp_path: Path, looked: list[Path]) -> None:
    folder = zoo(tmp_path)
    (folder / "cat" / "cat0.png").write_bytes(b"")
    data = dataset.load_photos(folder, RECIPE, tmp_path / "cache")
    assert ("cat/cat0.png", "empty file (0 bytes)") in data.skipped


def test_inspect_ranks_what_will_be_left_out(tmp_path: Path, looked: list[Path]) -> None:
    report = dataset_report.inspect_photos(zoo(tmp_path), RECIPE, tmp_path / "cache")
    assert [(photo.path, photo.animals) for photo in report.left_out] == [
        ("cat/wall1.png", 0.01),
        ("cat/toy1.png", 0.3),
    ]
    text = report.to_text()
    assert "Left out in training: 2 photos (cat 2); -o curate=no uses them." in text
    assert f"cat/wall1.png: {EMPTY} (1% animal)" in text
    assert "2 of 3 photos of dog" in text
    assert (
        dataset_report.inspect_photos(
            tmp_path / "zoo", override(RECIPE, {"curate": "no"}), tmp_path / "cache"
        ).left_out
        == ()
    )


def test_recipes_from_before_curation_and_the_exact_ones_have_none() -> None:
    assert [find_recipe(name).curate for name in ("tiny", "quick", "photo64", "faithful")] == [
        "no",
        "yes",
        "yes",
        "no",
    ]
    assert find_recipe("faithful").crop == "squash"
    old = find_recipe("faithful")
    assert "curate" not in old.to_json()  # so that a run begun before goes on
    assert Recipe.from_json(old.to_json()) == old
    assert Recipe.from_json(find_recipe("quick").to_json()) == find_recipe("quick")


# Windows


def test_a_window_goes_where_the_animal_is_and_stays_in_the_middle_otherwise() -> None:
    wide = PhotoAnalysis(0.9, 0.0, 2.0, (1.0, 0.2, 0.1, 0.0), (1.0, 1.0))
    assert place_window(wide, (64, 64)) == (0.0, 0.5)
    assert place_window(dataclasses.replace(wide, across=(0.0, 0.1, 0.2, 1.0)), (64, 64)) == (
        1.0,
        0.5,
    )
    assert place_window(dataclasses.replace(wide, across=(0.0, 0.0, 0.0, 0.0)), (64, 64))[
        0
    ] == pytest.approx(0.5, abs=0.01)
    assert place_window(dataclasses.replace(wide, across=(1.0, 1.0, 1.0, 1.0)), (64, 64))[
        0
    ] == pytest.approx(0.5, abs=0.01)
    tall = PhotoAnalysis(0.9, 0.0, 0.5, (1.0, 1.0), (0.0, 0.0, 0.2, 1.0))
    assert place_window(tall, (64, 64)) == (0.5, 1.0)
    assert place_window(tall, (64, 96)) == (0.5, 1.0)
    assert place_window(dataclasses.replace(tall, aspect=1.0), (64, 64)) == CENTRE
    assert place_window(None, (64, 64)) == CENTRE


@pytest.mark.parametrize(
    ("side", "low", "high"), [("left", 0.0, 0.25), ("middle", 0.35, 0.65), ("right", 0.75, 1.0)]
)
def test_an_animal_on_a_plain_ground_is_followed(
    real_photos: Path, tmp_path: Path, side: str, low: float, high: float
) -> None:
    path = sorted((real_photos / "panda").iterdir())[0]
    with Image.open(path) as opened:
        animal = opened.convert("RGB").resize((160, 160))
    left = {"left": 0, "middle": 160, "right": 320}[side]
    canvas = Image.new("RGB", (480, 160), (110, 120, 110))
    canvas.paste(animal, (left, 0))
    canvas.save(tmp_path / "wide.png")
    turned = canvas.transpose(Image.Transpose.TRANSPOSE)
    turned.save(tmp_path / "tall.png")

    wide, tall = (
        analyse_photo(shipped_lite0(), *read_small(tmp_path / name))
        for name in ("wide.png", "tall.png")
    )
    assert low <= place_window(wide, (64, 64))[0] <= high
    assert low <= place_window(tall, (64, 64))[1] <= high


def test_crop_animal_cuts_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked: list[Path]
) -> None:
    ramp = np.broadcast_to(np.arange(120, dtype=np.uint8)[None, :, None] * 2, (40, 120, 3))
    for number in range(2):
        (tmp_path / "zoo" / "owl").mkdir(parents=True, exist_ok=True)
        Image.fromarray(ramp + np.uint8(number)).save(tmp_path / "zoo" / "owl" / f"{number}.png")
    left = PhotoAnalysis(0.9, 0.0, 3.0, (1.0, 0.0, 0.0), (1.0,))
    monkeypatch.setattr(curation, "analyse_photo", lambda net, x, path: left)
    follow = dataset.load_photos(
        tmp_path / "zoo", override(RECIPE, {"crop": "animal"}), tmp_path / "cache"
    )
    middle = dataset.load_photos(tmp_path / "zoo", RECIPE, tmp_path / "cache")
    assert follow.images[0].max() < 85  # columns 0 to 39
    assert 75 < middle.images[0].min() < middle.images[0].max() < 165  # columns 40 to 79
    np.testing.assert_array_equal(
        middle.images[0], open_photo(tmp_path / "zoo" / "owl" / "0.png", (32, 32))
    )


def test_the_network_takes_a_page_of_text_for_one(tmp_path: Path) -> None:
    page = Image.new("RGB", (320, 320), "white")
    for row in range(14):
        ImageDraw.Draw(page).text(
            (10, 8 + 22 * row), "Lorem ipsum dolor sit amet consectetur", fill="black", font_size=17
        )
    page.save(tmp_path / "page.png")
    (look,) = analyse_photos([tmp_path / "page.png"], [""], tmp_path / "cache")
    assert look is not None
    assert look.reason == DRAWN


def test_the_network_sees_pandas(real_photos: Path, tmp_path: Path) -> None:
    pandas = sorted((real_photos / "panda").iterdir())[:6]
    looks = analyse_photos(pandas, [""] * 6, tmp_path / "cache")
    assert sum(look is not None and not look.reason for look in looks) >= 5


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    assert analyse_photos(
        [tmp_path / "bad.jpg", tmp_path / "missing.jpg"], ["", ""], tmp_path / "cache"
    ) == [None, None]


def test_found_photos_are_as_good_as_their_folder(tmp_path: Path, looked: list[Path]) -> None:
    folder = zoo(tmp_path)
    files = [SourceFile(f"cat/cat{number}.png", "cat") for number in range(8)]
    load: Callable[..., dataset.ImageDataset] = dataset.load_photos
    assert load(FolderContents(folder, files, []), RECIPE, tmp_path / "cache").classes == ("cat",)
