"""Scores of pictures: against other implementations, on planted cases, and by the labels of
ImageNet.
"""

import io
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import linalg, ndimage
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from jungle.errors import BadInput, MissingExtra
from jungle.evaluation import metrics
from jungle.images import classifier, evaluate, feature_spaces, memorisation, quality_checks
from jungle.images.colour_statistics import channel_means


class Patches:
    """A feature space to test with: the mean colours of 16 patches, of about unit variance."""

    name = "patches"

    def features(self, images: feature_spaces.Images) -> np.ndarray:
        return feature_spaces.square(images, 4).flatten(1).numpy() * 4


def clouds(count: int, seed: int, side: int = 32) -> np.ndarray:
    """Smooth coloured pictures, uint8 (N, S, S, 3), with a little grain: as photos, they get
    rougher when made smaller.
    """
    source = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(source.standard_normal((count, side, side, 3)), (0, 3, 3, 0))
    smooth *= 50 / smooth.std(axis=(1, 2, 3), keepdims=True)
    return (smooth + source.normal(125, 3, smooth.shape)).clip(0, 255).astype(np.uint8)


def noise(count: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


# Measures


def test_kid_equals_the_sum_over_all_pairs() -> None:
    source = np.random.default_rng(0)
    x, y = (
        source.normal(shift, 1, (count, 5)).astype(np.float32)
        for shift, count in ((0.3, 7), (0.0, 9))
    )

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 5 + 1) ** 3)

    within = [
        np.mean([kernel(a, b) for a, b in itertools.permutations(rows, 2)]) for rows in (x, y)
    ]
    expected = sum(within) - 2 * np.mean([kernel(a, b) for a, b in itertools.product(x, y)])
    assert metrics.KernelDistance(y)(x)[0] == pytest.approx(expected, rel=1e-5)


def test_kid_is_unbiased_and_its_error_is_the_spread_of_repeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "BLOCK", 64)  # several blocks
    source = np.random.default_rng(1)
    for shift, low, high in ((0.0, 1.0, 2.5), (0.5, 0.7, 1.4)):  # cautious where the sets are alike
        found = []
        for seed in range(40):
            x, y = (
                source.normal(shift, 1, (60, 8)).astype(np.float32),
                source.normal(0, 1, (200, 8)).astype(np.float32),
            )
            found.append(metrics.KernelDistance(y, seed)(x))
        values, errors = np.array(found).T
        assert low < errors.mean() / values.std() < high
        if shift == 0:
            assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))


def test_frechet_equals_scipy_and_the_closed_form() -> None:
    source = np.random.default_rng(2)
    x, y = (
        source.normal(0, 1, (300, 6)) @ source.normal(0, 1, (6, 6)),
        source.normal(0.5, 1, (400, 6)),
    )
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * linalg.sqrtm(a @ b).real)
    assert metrics.frechet(x.astype(np.float32), y.astype(np.float32)) == pytest.approx(
        expected, rel=1e-4
    )
    wide, narrow = (source.normal(0, scale, (200_000, 2)).astype(np.float32) for scale in (3, 1))
    assert metrics.frechet(wide, narrow) == pytest.approx(2 * (3 - 1) ** 2, rel=0.02)


def test_leading_components_hold_what_varies_most() -> None:
    source = np.random.default_rng(5)
    scales = np.array([9, 4, 1, 0.1])
    turn = np.linalg.qr(source.normal(0, 1, (4, 4)))[0]
    rows = (source.normal(0, 1, (4000, 4)) * scales @ turn + 3).astype(np.float32)
    project = metrics.LeadingComponents(rows, 2)
    np.testing.assert_allclose(project(rows).std(axis=0), [9, 4], rtol=0.05)
    np.testing.assert_allclose(project(rows).mean(axis=0), 0, atol=1e-3)
    assert project(rows).shape == (4000, 2)
    every = metrics.LeadingComponents(rows, 128)
    other = rows[:1000] + 0.5
    assert metrics.frechet(every(other), every(rows)) == pytest.approx(
        metrics.frechet(other, rows), rel=1e-3
    )


def test_nearest_equals_a_tree() -> None:
    source = np.random.default_rng(3)
    queries, keys = (
        source.normal(0, 1, (30, 4)).astype(np.float32),
        source.normal(0, 1, (101, 4)).astype(np.float32),
    )
    distance, index = metrics.nearest(queries, (keys[i : i + 7] for i in range(0, 101, 7)), k=5)
    expected, where = cKDTree(keys).query(queries, k=5)
    assert np.array_equal(index, where)
    np.testing.assert_allclose(distance, expected, rtol=1e-5)
    distance, index = metrics.nearest(keys, iter([keys[:50], keys[50:]]), k=1, own=np.arange(101))
    expected, where = cKDTree(keys).query(keys, k=2)
    assert np.array_equal(index[:, 0], where[:, 1])
    np.testing.assert_allclose(distance[:, 0], expected[:, 1], rtol=1e-5)
    assert np.isinf(metrics.nearest(queries[:1], iter([keys[:2]]), k=3)[0][0, 2])


def test_precision_and_recall_equal_brute_force() -> None:
    source = np.random.default_rng(4)
    photos, pictures = (
        source.normal(0, 1, (90, 3)).astype(np.float32),
        source.normal(1.5, 0.8, (70, 3)).astype(np.float32),
    )
    for points, centres in ((pictures, photos), (photos, pictures)):
        radius = np.sort(cdist(centres, centres), axis=1)[:, 3]  # column 0 is the centre itself
        expected = (cdist(points, centres) <= radius).any(axis=1).mean()
        assert metrics.Manifold(centres).share(points) == pytest.approx(expected)
        assert 0.05 < expected < 0.999


# Copies


def test_planted_copies_are_found_and_new_pictures_are_not() -> None:
    photos = clouds(200, seed=0)
    grain = np.random.default_rng(5).normal(0, 6, photos[3].shape)
    planted = [
        photos[0],
        photos[1][:, ::-1],
        photos[2] // 2 + 40,
        (photos[3] + grain).clip(0, 255).astype(np.uint8),
    ]
    pictures = np.concatenate([clouds(20, seed=1), np.stack(planted)])
    space = Patches()
    found = memorisation.closest_photos(pictures, photos, space, space.features(photos))
    assert {(match.picture, match.photo) for match in found if match.copy} == {
        (20, 0),
        (21, 1),
        (22, 2),
        (23, 3),
    }
    assert [match.closeness for match in found] == sorted(match.closeness for match in found)
    assert len(found) == 24


def test_photos_that_are_there_twice_do_not_hide_a_copy() -> None:
    photos = clouds(60, seed=0)
    photos = np.concatenate([photos, photos[:1]])
    space = Patches()
    noisy = (
        (photos[:1] + np.random.default_rng(6).normal(0, 4, photos[:1].shape))
        .clip(0, 255)
        .astype(np.uint8)
    )
    found = memorisation.closest_photos(
        np.concatenate([noisy, clouds(9, seed=1)]), photos, space, space.features(photos)
    )
    assert [match.picture for match in found if match.copy] == [0]


def test_sheet_frames_the_copies() -> None:
    photos = clouds(40, seed=0)
    found = (memorisation.Match(0, 7, 0.1, 0.1, 0.2), memorisation.Match(1, 8, 2.0, 2.0, 4.0))
    image = Image.open(io.BytesIO(memorisation.pairs_sheet(photos[:2], photos, found, side=40)))
    assert image.getpixel((2, 2)) == (220, 30, 30)
    assert image.getpixel((2 * 40 + 18 + 2, 2)) == (255, 255, 255)


# The plain check


def turned(pictures: np.ndarray) -> np.ndarray:
    """Turned by up to 15 degrees on black, as the leaking augmentation does."""
    angles = np.random.default_rng(7).uniform(-15, 15, len(pictures))
    return np.stack(
        [
            ndimage.rotate(picture, angle, reshape=False, order=1)
            for picture, angle in zip(pictures, angles, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("pictures", "word"),
    [
        (noise(50), "noise"),
        (noise(50, side=64), "noise"),
        (
            (clouds(50, 0, 64) + np.random.default_rng(8).normal(0, 60, (50, 64, 64, 3)))
            .clip(0, 255)
            .astype(np.uint8),
            "noise",
        ),
        (np.full((50, 32, 32, 3), 128, dtype=np.uint8), "flat"),
        (np.full((50, 32, 32, 3), 60, dtype=np.uint8) + noise(50) // 64, "flat"),
        (turned(clouds(50, 0, 64)), "corners"),
    ],
    ids=["noise32", "noise64", "half denoised", "one colour", "nearly one colour", "turned"],
)
def test_wrong_pictures_are_named(pictures: np.ndarray, word: str) -> None:
    sentence = quality_checks.looks_wrong(pictures)
    assert sentence is not None
    assert word in sentence


def test_sound_pictures_are_not_called_wrong(
    real_animals: tuple[np.ndarray, np.ndarray, list[str]],
) -> None:
    for pictures in (clouds(50, 0), clouds(50, 0, 64), *np.split(real_animals[0], 3)):
        assert quality_checks.looks_wrong(pictures) is None


def test_an_animal_on_black_has_no_dark_corners() -> None:
    on_black = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    on_black[:, 16:48, 16:48] = 180
    grey = np.full((1, 64, 64, 3), 128, dtype=np.uint8)
    assert quality_checks.dark_corners(
        np.concatenate([on_black, grey, turned(np.repeat(grey, 5, 0))])
    ).tolist()[:2] == [False, False]
    corners = grey.copy()
    for rows, columns in itertools.product((slice(6), slice(-6, None)), repeat=2):
        corners[:, rows, columns] = 0
    assert quality_checks.dark_corners(corners).all()


# All together


def test_scores_are_ordered_and_told_in_words_and_json() -> None:
    photos, space = clouds(300, seed=0), Patches()
    like, unlike = (
        evaluate.evaluate_pictures(pictures, photos, space)
        for pictures in (clouds(100, seed=1), noise(100))
    )
    assert like.kid.value < 3 * (like.kid.error or 0) < unlike.kid.value
    assert unlike.recall.value < 0.3 < like.recall.value
    assert like.frechet is not None
    assert unlike.frechet is not None
    assert like.frechet.value < 2 * like.frechet.floor < unlike.frechet.value
    assert like.copies == 0
    assert (like.warning, like.animal, like.named, like.kinds) == (None, None, None, {})
    assert like.kid.floor_spread is None  # only one set of 100 others fits into half of 300
    assert "noise" in (unlike.warning or "")
    assert "patches" in like.to_text()
    assert evaluate.evaluate_pictures(clouds(40, seed=1), photos, space).frechet is None
    assert json.loads(unlike.to_json())["kid"]["value"] == unlike.kid.value
    assert like == evaluate.evaluate_pictures(clouds(100, seed=1), photos, space)


def test_colour_and_corners_are_counted() -> None:
    photos = clouds(100, seed=0)
    pictures = clouds(30, seed=1)
    pictures[..., 0] = pictures[..., 0].clip(0, 235) + 20
    pictures[:3] = turned(np.full((3, 32, 32, 3), 128, dtype=np.uint8))
    for rows, columns in itertools.product((slice(4), slice(-4, None)), repeat=2):
        pictures[:3, rows, columns] = 0
    found = evaluate.evaluate_pictures(pictures, photos, Patches())
    ours, real = pictures.mean(axis=(1, 2)), photos.mean(axis=(1, 2))
    expected = (ours.mean(axis=0) - real.mean(axis=0)) / real.std(axis=0, ddof=1)
    np.testing.assert_allclose([one.shift for one in found.colour[:3]], expected, atol=1e-6)
    np.testing.assert_allclose(
        [one.spread for one in found.colour[:3]],
        ours.std(0, ddof=1) / real.std(0, ddof=1) - 1,
        atol=1e-6,
    )
    assert [one.channel for one in found.colour] == ["red", "green", "blue", "saturation"]
    assert found.colour[0].shift > 3 * found.colour[0].shift_floor > 0
    assert found.corners == 3


def test_saturation_is_that_of_hsv() -> None:
    pictures = clouds(3, seed=2)
    expected = [
        np.asarray(Image.fromarray(one).convert("HSV"))[..., 1].mean() / 255 for one in pictures
    ]
    # Pillow rounds to steps of 1 / 255
    np.testing.assert_allclose(channel_means(pictures)[:, 3], expected, atol=0.003)
    grey = np.repeat(pictures[..., :1], 3, axis=3)
    assert channel_means(grey)[:, 3].max() == 0


def test_too_few_pictures_are_refused() -> None:
    for pictures, photos in ((9, 100), (20, 39)):
        with pytest.raises(BadInput, match="at least 10 pictures"):
            evaluate.evaluate_pictures(clouds(pictures, 0), clouds(photos, 1), Patches())


@pytest.mark.slow
def test_real_animals_reach_the_floor_and_are_named(
    real_animals: tuple[np.ndarray, np.ndarray, list[str]],
) -> None:
    photos, kinds, classes = real_animals
    judge = classifier.shipped_classifier()
    # 70 photos say what is usual: few, and enough to tell
    asked = evaluate.RequestedKinds(kinds[:40], kinds[40:], classes)
    real = evaluate.evaluate_pictures(photos[:40], photos[40:], judge, asked=asked)
    wrong = evaluate.evaluate_pictures(noise(40, 64), photos[40:], judge, asked=asked)
    assert real.kid.value < 0.1 * wrong.kid.value
    assert abs(real.kid.value - real.kid.floor) < 3 * (real.kid.error or 0)
    assert wrong.recall.value < real.recall.value
    assert real.animal is not None
    assert real.named is not None
    assert real.sure is not None
    assert wrong.sure is not None
    assert real.sure.value > 0.5 > 0.1 > wrong.sure.value
    assert wrong.named is not None
    assert real.animal.value > 0.85
    assert real.named.value > 0.1 > 0.05 > wrong.named.value
    assert real.named.floor == pytest.approx(real.named.value, abs=0.2)
    assert sum(kind.pictures for kind in real.kinds.values()) == 40
    assert sum(kind.photos for kind in real.kinds.values()) == len(photos) - 40
    assert "named as photos" in real.to_text()
    assert "kind " in real.to_text()


@pytest.mark.slow
def test_pictures_beyond_the_draw_count_in_the_table_of_kinds_alone(
    real_animals: tuple[np.ndarray, np.ndarray, list[str]],
) -> None:
    photos, kinds, classes = real_animals
    judge = classifier.shipped_classifier()
    plain = evaluate.RequestedKinds(kinds[:12], kinds[20:], classes)
    more = evaluate.RequestedKinds(kinds[:12], kinds[20:], classes, photos[12:20], kinds[12:20])
    without, with_more = (
        evaluate.evaluate_pictures(photos[:12], photos[20:], judge, asked=asked)
        for asked in (plain, more)
    )
    assert (without.kid, without.named, without.animal) == (
        with_more.kid,
        with_more.named,
        with_more.animal,
    )
    assert sum(kind.pictures for kind in without.kinds.values()) == 12
    assert sum(kind.pictures for kind in with_more.kinds.values()) == 20


# DINOv2


@pytest.mark.slow
def test_dino_reads_a_saved_model(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    transformers.Dinov2Model(config).save_pretrained(tmp_path / "toy")
    space = feature_spaces.Dino.load(tmp_path / "toy", size=28)
    assert space.name == "dinov2-toy-28"
    pictures = clouds(35, seed=0)
    found = space.features(pictures)
    assert found.shape == (35, 16)
    np.testing.assert_allclose(space.features(pictures[33:]), found[33:], atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    with pytest.raises(MissingExtra, match="DINOv2"):
        feature_spaces.Dino.load(tmp_path / "none", local_only=True)


def test_dino_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"\[dinov2\]"):
        feature_spaces.Dino.load("toy")
