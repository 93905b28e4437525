"""Photos: what counts as one, how any of them is opened, the subset, the cache, and the report
before training.
"""

import dataclasses
import json
import os
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jungle.config.recipe_table import find_recipe
from jungle.config.recipes import Recipe
from jungle.data.folders import gather_folders, scan_folder
from jungle.data.formats import PHOTOS
from jungle.errors import BadInput
from jungle.images import dataset, dataset_report
from jungle.images.decode import UnreadablePhoto, open_photo
from jungle.storage import hashing

SIZE = (32, 32)
# curation has tests of its own
RECIPE = dataclasses.replace(find_recipe("quick"), image_size=32, curate="no")


def picture(
    colour: tuple[int, int, int] = (200, 100, 50), size: tuple[int, int] = (48, 40)
) -> Image.Image:
    return Image.new("RGB", size, colour)


def noise(seed: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Smooth noise that survives JPEG."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def fill(folder: Path, *paths: str) -> Path:
    for number, path in enumerate(paths):
        save(noise(number), folder / path)
    return folder


def labelled(folder: Path) -> list[tuple[str, str]]:
    return [tuple(photo) for photo in scan_folder(folder).files]


# Which files, which classes


def test_italian_classes_are_shown_in_english_and_keep_their_path_order(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "raw-img/gatto/1.jpeg",
        "raw-img/cane/2.JPG",
        "raw-img/cane/10.png",
        "raw-img/ragno/a.webp",
        "translate/.hidden/x.png",
    )
    (tmp_path / "translate.py").write_text("translate = {}")
    assert labelled(tmp_path) == [
        ("raw-img/cane/10.png", "dog"),
        ("raw-img/cane/2.JPG", "dog"),
        ("raw-img/gatto/1.jpeg", "cat"),
        ("raw-img/ragno/a.webp", "spider"),
    ]


@pytest.mark.parametrize(
    ("paths", "classes"),
    [
        (["a.png", "b.png"], {"zoo"}),
        (["owl/a.png", "owl/b.png"], {"owl"}),
        (["pack/v2/owl/a.png", "pack/v2/fox/red/b.png", "pack/v2/fox/c.png"], {"owl", "fox"}),
        (["train/owl/a.png", "train/fox/b.png", "test/owl/c.png", "val/fox/d.png"], {"owl", "fox"}),
        (["train/a.png", "test/b.png"], {"zoo"}),
        (["train/a.png", "plane/b.png"], {"train", "plane"}),
        (["__MACOSX/owl/._a.png", "owl/a.png", ".cache/b.png"], {"owl"}),
    ],
)
def test_classes_are_the_sub_folders_of_the_deepest_folder_that_holds_all(
    tmp_path: Path, paths: list[str], classes: set[str]
) -> None:
    assert {name for _, name in labelled(fill(tmp_path / "zoo", *paths))} == classes


def test_a_download_cache_does_not_name_the_class(tmp_path: Path) -> None:
    assert labelled(fill(tmp_path / "owner" / "owls" / "versions" / "3", "a.png")) == [
        ("a.png", "owls")
    ]
    assert labelled(
        fill(tmp_path / "datasets--me--foxes" / "snapshots" / ("0f" * 20), "a.png")
    ) == [("a.png", "foxes")]


def test_loose_photos_are_listed_and_wrong_names_are_found_by_content(tmp_path: Path) -> None:
    fill(tmp_path, "owl/a.png", "fox/b.png", "cover.png")
    (tmp_path / "owl" / "a.png").rename(tmp_path / "owl" / "photo.download")
    (tmp_path / "fox" / "notes.txt").write_text("not a photo")
    found = scan_folder(tmp_path)
    assert [photo.path for photo in found.files] == ["fox/b.png", "owl/photo.download"]
    assert [(s.path, "beside" in s.reason) for s in found.skipped] == [("cover.png", True)]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    fill(tmp_path, "owl/a.png", "fox/b.png")
    (tmp_path / "owl" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert {photo.path for photo in scan_folder(tmp_path).files} == {"owl/a.png", "fox/b.png"}


# Opening


def sixteen_bits(path: Path) -> Path:
    return save(Image.fromarray(np.full((40, 48), 40000, np.uint16)), path)


def animated(path: Path) -> Path:
    return save(
        picture((250, 10, 10)), path, save_all=True, append_images=[picture((10, 10, 250))] * 2
    )


ODD = {
    "grey": (lambda d: save(Image.new("L", (48, 40), 90), d / "a.png"), (90, 90, 90)),
    "one bit": (lambda d: save(Image.new("1", (48, 40), 1), d / "a.png"), (255, 255, 255)),
    "palette": (lambda d: save(picture().quantize(4), d / "a.png"), (200, 100, 50)),
    "cmyk": (
        lambda d: save(picture((255, 0, 0)).convert("CMYK"), d / "a.jpg", quality=95),
        (254, 0, 0),
    ),
    "cmyk tiff": (lambda d: save(picture().convert("CMYK"), d / "a.tif"), (200, 100, 50)),
    "16 bits": (lambda d: sixteen_bits(d / "a.png"), (156, 156, 156)),
    "16 bit tiff": (lambda d: sixteen_bits(d / "a.tiff"), (156, 156, 156)),
    "32 bits": (
        lambda d: save(Image.fromarray(np.full((40, 48), 0.5, np.float32)), d / "a.tif"),
        (128, 128, 128),
    ),
    "half transparent": (
        lambda d: save(Image.new("RGBA", (48, 40), (255, 0, 0, 128)), d / "a.png"),
        (128, 0, 127),
    ),
    "grey, transparent": (
        lambda d: save(Image.new("LA", (48, 40), (90, 0)), d / "a.png"),
        (0, 0, 255),
    ),
    "palette, transparent": (
        lambda d: save(picture().quantize(4), d / "a.gif", transparency=0),
        (0, 0, 255),
    ),
    "animated gif": (lambda d: animated(d / "a.gif"), (250, 10, 10)),
    "animated webp": (lambda d: animated(d / "a.webp"), (250, 10, 10)),
    "wrong suffix": (lambda d: save(picture(), d / "a.png").rename(d / "a.jpg"), (200, 100, 50)),
    "avif": (lambda d: save(picture(), d / "a.avif"), (200, 100, 50)),
    "bmp": (lambda d: save(picture(), d / "a.bmp"), (200, 100, 50)),
    "smaller than asked": (lambda d: save(picture(size=(5, 7)), d / "a.png"), (200, 100, 50)),
    "one pixel high": (lambda d: save(picture(size=(400, 1)), d / "a.png"), (200, 100, 50)),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("crop", ["crop", "squash"])
def test_any_picture_becomes_rgb(tmp_path: Path, kind: str, crop: str) -> None:
    make, colour = ODD[kind]
    pixels = open_photo(make(tmp_path), (32, 48), crop, background=(0, 0, 255))
    assert pixels.shape == (32, 48, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - colour).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(tmp_path: Path, orientation: int) -> None:
    """The camera's stored picture, and the tag that makes it upright; the inverse of each turn is
    written here.
    """
    upright = Image.new("RGB", (96, 64), "white")
    ImageDraw.Draw(upright).rectangle((0, 0, 31, 31), fill="red")
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose of the stored picture
    stored = (
        upright.transpose(Image.Transpose(inverse[orientation])) if orientation > 1 else upright
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = open_photo(save(stored, tmp_path / "a.jpg", exif=exif, quality=95), (64, 96))
    assert pixels[4:28, 4:28, 1].max() < 60
    assert pixels[36:, 36:].min() > 200


def broken(folder: Path) -> dict[str, Path]:
    whole = save(noise(0, (200, 200)), folder / "whole.jpg").read_bytes()
    files = {
        "empty": b"",
        "cut short": whole[: len(whole) // 2],
        "not a picture": b"<html>404</html>" * 20,
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
        "damaged": save(noise(0), folder / "whole.png").read_bytes()[:41]
        + b"\xff" * 5000,  # in the pixels
        "pixels": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
        + (60_000).to_bytes(4, "big") * 2
        + b"\x08\x02\0\0\0",
    }
    suffixes = {"HEIC": ".heic", "pixels": ".png", "damaged": ".png"}
    header = files["pixels"][12:]
    files["pixels"] += (
        zlib.crc32(header).to_bytes(4, "big")
        + b"\0\0\0\0IDAT"
        + zlib.crc32(b"IDAT").to_bytes(4, "big")
    )
    paths = {}
    for reason, data in files.items():
        paths[reason] = (
            folder / "broken" / (reason.replace(" ", "_") + suffixes.get(reason, ".jpg"))
        )
        paths[reason].parent.mkdir(exist_ok=True)
        paths[reason].write_bytes(data)
    return paths


def test_broken_files_are_refused_with_a_reason(tmp_path: Path) -> None:
    for reason, path in broken(tmp_path).items():
        with pytest.raises(UnreadablePhoto) as caught:
            open_photo(path, SIZE)
        assert reason in caught.value.reason
        assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match="no such file"):
        open_photo(tmp_path / "nowhere.jpg", SIZE)


def test_a_moderate_bomb_is_refused_without_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(Image.new("1", (9500, 9500)), tmp_path / "a.png")
    with pytest.raises(UnreadablePhoto, match="pixels"):
        open_photo(path, SIZE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UnreadablePhoto, match="9500 x 9500"):
            open_photo(path, SIZE)


def test_crop_keeps_proportions_and_squash_is_what_torchvision_does(tmp_path: Path) -> None:
    image = Image.new("RGB", (120, 60), "white")
    ImageDraw.Draw(image).ellipse((40, 10, 79, 49), fill="black")
    path = save(image, tmp_path / "a.png")
    dark = open_photo(path, (60, 60), "crop")[..., 0] < 128
    assert abs(int(dark.any(0).sum()) - int(dark.any(1).sum())) <= 1
    np.testing.assert_array_equal(
        open_photo(path, (64, 64), "squash"),
        np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)),
    )


def test_fast_jpeg_decoding_gives_almost_the_same_picture(tmp_path: Path) -> None:
    """Draft mode decodes at a fraction of the size; a full decode of the same file is the
    reference.
    """
    path = save(noise(3, (1200, 900)), tmp_path / "a.jpg", quality=92)
    full = save(Image.open(path), tmp_path / "a.png")
    difference = open_photo(path, (64, 64)).astype(int) - open_photo(full, (64, 64))
    assert np.abs(difference).mean() < 1.0


# Subsets and the cache


def test_limit_keeps_photos_by_path_by_class_in_turn_or_by_seed() -> None:
    names = ["dog"] * 5 + ["cat"] * 2 + ["owl"] * 3
    assert dataset.choose_files(names, 0, "shuffled", 0) == list(range(10))
    assert dataset.choose_files(names, 4, "path", 0) == [0, 1, 2, 3]
    assert [names[i] for i in dataset.choose_files(names, 7, "balanced", 0)] == [
        "cat",
        "dog",
        "owl",
        "cat",
        "dog",
        "owl",
        "dog",
    ]
    shuffled = dataset.choose_files(names, 6, "shuffled", 1)
    assert (
        shuffled
        == dataset.choose_files(names, 6, "shuffled", 1)
        != dataset.choose_files(names, 6, "shuffled", 2)
    )
    assert len(set(shuffled)) == 6


def zoo(folder: Path) -> Path:
    return fill(
        folder / "zoo", *(f"{name}/{n}.png" for name in ("cane", "gatto") for n in range(6))
    )


def test_photos_are_decoded_once_and_what_is_skipped_is_listed(tmp_path: Path) -> None:
    folder, cache, seen = zoo(tmp_path), tmp_path / "cache", []
    for path in broken(tmp_path).values():
        path.rename(folder / "cane" / path.name)
    save(picture(size=(20, 20)), folder / "gatto" / "small.png")
    first = dataset.load_photos(
        folder, RECIPE, cache, lambda done, total: seen.append((done, total))
    )
    assert (first.classes, len(first), first.enlarged) == (("cat", "dog"), 13, 1)
    assert seen[-1] == (19, 19)
    assert len(first.skipped) == 6
    assert {skip.path.split("/")[0] for skip in first.skipped} == {"cane"}
    assert first.labels.tolist() == [1] * 6 + [0] * 7  # path order: cane before gatto
    for index in (0, 7, 12):
        np.testing.assert_array_equal(
            first.images[index], open_photo(folder / first.paths[index], SIZE)
        )
    assert isinstance(first.images, np.memmap)
    again = dataset.load_photos(
        folder, RECIPE, cache, lambda done, total: pytest.fail("decoded twice")
    )
    assert (again.fingerprint, again.paths, again.skipped, again.enlarged) == (
        first.fingerprint,
        first.paths,
        first.skipped,
        1,
    )
    assert not [path for path in (cache / "photos").iterdir() if path.name != first.fingerprint]


def test_the_cache_follows_content_not_names_of_places_or_times(tmp_path: Path) -> None:
    folder, cache = zoo(tmp_path), tmp_path / "cache"
    first = dataset.load_photos(folder, RECIPE, cache)
    moved = folder.rename(tmp_path / "elsewhere")
    for path in moved.rglob("*.png"):
        os.utime(path, ns=(1, 1))
    assert dataset.load_photos(moved, RECIPE, cache).fingerprint == first.fingerprint
    save(noise(99), moved / "cane" / "0.png")
    changed = dataset.load_photos(moved, RECIPE, cache)
    assert changed.fingerprint != first.fingerprint
    assert (changed.images[0] != first.images[0]).any()
    prints = {dataset.load_photos(moved, other, cache).fingerprint for other in others()}
    assert len(prints | {changed.fingerprint}) == len(others()) + 1


def test_unchanged_files_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache, read = zoo(tmp_path), tmp_path / "cache", []
    original = hashing.digest_file
    monkeypatch.setattr(
        hashing, "digest_file", lambda path: read.append(path.name) or original(path)
    )
    dataset.load_photos(folder, RECIPE, cache)
    assert len(read) == 12
    save(noise(50), folder / "cane" / "4.png")
    dataset.load_photos(folder, RECIPE, cache)
    assert read[12:] == ["4.png"]


def others() -> list[Recipe]:
    changes = [
        {"image_size": 48},
        {"aspect": "3:2"},
        {"crop": "squash"},
        {"limit": 4},
        {"limit": 4, "order": "path"},
    ]
    changes += [{"limit": 4, "order": "shuffled", "seed": seed} for seed in (1, 2)]
    return [dataclasses.replace(RECIPE, **change) for change in changes]


def test_aspect_decides_the_shape(tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, image_size=64, aspect="3:2", limit=2)
    assert dataset.load_photos(zoo(tmp_path), recipe, tmp_path / "cache").images.shape == (
        2,
        64,
        96,
        3,
    )


@pytest.mark.parametrize("file", ["manifest.json", "images.npy", "labels.npy"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, file: str) -> None:
    folder, cache = zoo(tmp_path), tmp_path / "cache"
    first = dataset.load_photos(folder, RECIPE, cache)
    pixels = np.array(first.images)
    (cache / "photos" / first.fingerprint / file).write_bytes(b"half")
    (cache / "digests.sqlite").write_bytes(b"nonsense" * 1000)
    np.testing.assert_array_equal(dataset.load_photos(folder, RECIPE, cache).images, pixels)


def test_an_interrupted_decoding_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset.load_photos(zoo(tmp_path), RECIPE, tmp_path / "cache", stop)
    assert list((tmp_path / "cache" / "photos").iterdir()) == []


def test_too_few_photos_is_one_sentence_with_reasons(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no photos"):
        dataset.load_photos(tmp_path / "empty", RECIPE, tmp_path / "cache")
    for path in broken(tmp_path).values():
        assert path.exists()
    save(picture(), tmp_path / "broken" / "good.png")
    with pytest.raises(
        BadInput, match=r"1 usable photo, at least 2 are needed \(6 skipped: .*; \.\.\.\)"
    ):
        dataset.load_photos(tmp_path / "broken", RECIPE, tmp_path / "cache")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"cannot be written|Cannot"):
        dataset.load_photos(zoo(tmp_path), RECIPE, tmp_path / "file")


# The report before training


def test_the_report_counts_classes_sizes_and_twins(tmp_path: Path) -> None:
    folder = fill(
        tmp_path / "zoo", *(f"owl/{n}.png" for n in range(40)), *(f"fox/{n}.png" for n in range(5))
    )
    (folder / "owl" / "copy.png").write_bytes((folder / "owl" / "3.png").read_bytes())
    save(
        Image.open(folder / "owl" / "7.png").resize((90, 75)),
        folder / "fox" / "near.jpg",
        quality=60,
    )
    save(picture(size=(20, 24)), folder / "fox" / "tiny.gif")
    (folder / "owl" / "bad.jpg").write_bytes(b"")
    report = dataset_report.inspect_photos(
        folder, RECIPE, tmp_path / "cache", images_per_second=10, memory_bytes=3 * 10**9
    )
    # fill() numbers the pictures from 0 to 44 across both classes, so only the planted ones are
    # alike.
    assert report.classes == {"owl": 41, "fox": 7}
    assert report.duplicates == (("owl/3.png", "owl/copy.png"),)
    assert report.near == report.disputed == (("fox/near.jpg", "owl/7.png"),)
    assert (report.smallest, report.median, report.largest, report.enlarged) == (
        (20, 24),
        40,
        (90, 75),
        1,
    )
    assert report.formats == {"PNG": 46, "JPEG": 1, "GIF": 1}
    assert report.small_classes == ("fox",)
    assert report.cache_bytes == 48 * 32 * 32 * 3
    assert report.images == 48 * 30
    text = report.to_text()
    for words in (
        "48 photos of 2 classes",
        "owl/bad.jpg: empty file (0 bytes)",
        "fox/near.jpg = owl/7.png",
        "2 minutes",
        "3.0 GB",
    ):
        assert words in text
    assert json.loads(report.to_json())["small_classes"] == ["fox"]


def test_the_report_of_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    assert (
        "too few"
        in dataset_report.inspect_photos(tmp_path / "zoo", RECIPE, tmp_path / "cache").to_text()
    )


def test_bucketed_search_finds_what_comparing_all_pairs_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = np.random.default_rng(0)
    hashes = source.integers(0, 2**64, 3000, dtype=np.uint64)
    for index in range(0, 300, 3):  # planted: pairs that differ in three bits
        bits = source.choice(64, 3, replace=False).astype(np.uint64)
        hashes[index + 1] = hashes[index] ^ np.bitwise_or.reduce(np.uint64(1) << bits)
    everything = dataset_report.near_duplicates(hashes, hashes)
    assert [[i, i + 1] for i in range(0, 300, 3)] == everything
    monkeypatch.setattr(dataset_report, "ALL_PAIRS", 10)
    assert dataset_report.near_duplicates(hashes, hashes) == everything


def test_real_photos(real_photos: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(find_recipe("quick"), limit=60, corners="keep")
    result = dataset.load_photos(real_photos, recipe, tmp_path)
    assert len(result) == 60
    assert len(result.classes) >= 30
    assert not result.skipped
    assert 40 < float(result.images.std()) < 100


# Several folders, and lists of files to leave out


def test_one_folder_is_found_as_before(tmp_path: Path) -> None:
    folder = zoo(tmp_path)
    assert gather_folders([folder], PHOTOS) == scan_folder(folder)


def test_classes_of_several_folders_are_joined(tmp_path: Path) -> None:
    first = fill(tmp_path / "a" / "photos", "cat/1.png", "dog/1.png")
    second = fill(tmp_path / "b" / "more", "cat/1.png", "cow/1.png")
    found = gather_folders([first, second], PHOTOS)
    assert found.root == tmp_path
    assert [(file.path, file.name) for file in found.files] == [
        ("a/photos/cat/1.png", "cat"),
        ("a/photos/dog/1.png", "dog"),
        ("b/more/cat/1.png", "cat"),
        ("b/more/cow/1.png", "cow"),
    ]
    data = dataset.load_photos(found, RECIPE, tmp_path / "cache")
    assert data.classes == ("cat", "cow", "dog")
    assert data.labels.tolist() == [0, 2, 0, 1]


def test_a_folder_inside_another_one_counts_once(tmp_path: Path) -> None:
    folder = zoo(tmp_path)
    assert len(gather_folders([folder, folder], PHOTOS).files) == len(scan_folder(folder).files)
    assert len(gather_folders([folder, folder / "cane"], PHOTOS).files) == len(
        scan_folder(folder).files
    )


def test_listed_files_are_left_out(tmp_path: Path) -> None:
    folder = zoo(tmp_path)
    listed = tmp_path / "held.txt"
    listed.write_text(f"cane/0.png\n\n{folder.name}/gatto/1.png\nelsewhere/cane/2.png\n")
    found = gather_folders([folder], PHOTOS, listed)
    before = {file.path for file in scan_folder(folder).files}
    assert before - {file.path for file in found.files} == {"cane/0.png", "gatto/1.png"}
    assert [skip.path for skip in found.skipped] == ["cane/0.png", "gatto/1.png"]
    assert "held.txt" in found.skipped[0].reason


def test_a_list_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    listed = tmp_path / "held.txt"
    listed.write_text("cane/none.png\n")
    with pytest.raises(BadInput, match=r"No line of .*held.txt names a file"):
        gather_folders([zoo(tmp_path)], PHOTOS, listed)
    listed.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not text"):
        gather_folders([tmp_path / "zoo"], PHOTOS, listed)
    with pytest.raises(BadInput, match=r"cannot be read"):
        gather_folders([tmp_path / "zoo"], PHOTOS, tmp_path / "missing.txt")
