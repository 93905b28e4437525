"""The judge of pictures: its packed weights against the published ones, what it takes, and what it
calls things.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from jungle.errors import BadCheckpoint, BadInput
from jungle.images import classifier, efficientnet, imagenet_labels
from jungle.images.feature_spaces import square
from jungle.images.rank import rank
from jungle.species.kinds import ClassQualityReport, labels_by_kind
from jungle.weights import shipped

RealAnimals = tuple[np.ndarray, np.ndarray, list[str]]
GIANT_PANDA, TENCH, PUFFER, SNOWMOBILE = 388, 0, 397, 802


def noise(count: int, side: int = 64) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_the_weights_say_what_they_are_and_come_with_card_and_licence() -> None:
    path = shipped("lite0.safetensors")
    assert path.stat().st_size < 5_500_000
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["about"])
    assert about["licence"] == "Apache-2.0"
    assert (
        classifier.shipped_classifier().name
        == f"lite0-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]} at 160 pixels"
    )
    card = shipped("lite0.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("Apache-2.0", "ImageNet", "8 bits", "not"))
    assert "Apache License" in shipped("LICENSE-lite0.txt").read_text(encoding="utf-8")


def test_a_folded_normalisation_is_the_normalisation() -> None:
    source = torch.Generator().manual_seed(0)
    convolution = torch.nn.Conv2d(3, 32, 3, stride=2, bias=False)
    norm = torch.nn.BatchNorm2d(32, eps=1e-3).eval()
    for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        value.data.copy_(torch.rand(32, generator=source) + 0.5)  # type: ignore[union-attr]
    published = {
        f"_conv_stem.{name}": value.detach() for name, value in convolution.state_dict().items()
    }
    published |= {f"_bn0.{name}": value.detach() for name, value in norm.state_dict().items()}
    published |= {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}
    folded = efficientnet.fold_batch_norm(published)

    x = torch.rand(2, 3, 9, 9, generator=source)
    expected = norm(torch.nn.functional.conv2d(x, convolution.weight, stride=2))
    got = torch.nn.functional.conv2d(x, folded["stem.weight"], folded["stem.bias"], stride=2)
    torch.testing.assert_close(got, expected)


def test_the_judge_is_deterministic_and_blind_to_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, pictures = classifier.shipped_classifier(), noise(5)
    whole = judge.look(pictures)
    assert whole.features.shape == (5, 1280)
    assert whole.probabilities.shape == (5, 1000)
    assert whole.features.dtype == whole.probabilities.dtype == np.float32
    assert np.array_equal(whole.features, judge.features(pictures))
    monkeypatch.setattr(classifier, "CHUNK", 2)
    np.testing.assert_allclose(judge.features(pictures), whole.features, atol=1e-4)
    np.testing.assert_allclose(whole.probabilities.sum(axis=1), 1, atol=1e-5)


def test_the_judge_takes_any_form_and_size() -> None:
    judge, pictures = classifier.shipped_classifier(), noise(2)
    floats = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1
    np.testing.assert_allclose(judge.features(floats), judge.features(pictures), atol=1e-4)
    framed = np.pad(pictures, ((0, 0), (0, 0), (20, 20), (0, 0)))
    np.testing.assert_allclose(judge.features(framed), judge.features(pictures), atol=1e-4)
    assert judge.features(noise(1, 300)).shape == (1, 1280)
    assert judge.features(pictures[:, ::4, ::4]).shape == (2, 1280)
    for wrong in (pictures.astype(np.float64), pictures[..., :1], pictures[0]):
        with pytest.raises(BadInput, match="uint8"):
            judge.features(wrong)


def test_squares_stay_in_range_and_large_pictures_are_averaged() -> None:
    edges = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    edges[:, :, 4:] = 255
    enlarged = square(edges, 64)
    # cubic interpolation overshoots without the limit
    assert (enlarged.min(), enlarged.max()) == (
        -1,
        1,
    )
    np.testing.assert_allclose(square(edges, 1).numpy(), 0, atol=1e-6)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    content = shipped("lite0.safetensors").read_bytes()
    for bad in (b"", b"hello", content[:1000], shipped("ear.safetensors").read_bytes()):
        (tmp_path / "bad.safetensors").write_bytes(bad)
        with pytest.raises(BadCheckpoint, match="install jungle again"):
            efficientnet.load_efficientnet(tmp_path / "bad.safetensors")
    with pytest.raises(BadCheckpoint, match="lite2"):
        efficientnet.load_efficientnet(shipped("lite0.safetensors"), "lite2")


def test_checks_are_no_animals_and_noise_is_surely_none() -> None:
    judge, (y, x) = classifier.shipped_classifier(), np.mgrid[:64, :64]
    checks = [
        np.repeat(((x // size + y // size) % 2 * 255)[..., None], 3, 2) for size in range(2, 10)
    ]
    assert not judge.look(np.stack(checks).astype(np.uint8)).animal.any()
    # its best guess for grains is a worm, at a tenth: only a probability tells
    look = judge.look(noise(8))
    assert not look.sure.any()
    assert look.probabilities[:, : efficientnet.ANIMALS].sum(axis=1).max() < 0.6


def test_photos_of_animals_are_named(real_animals: RealAnimals) -> None:
    photos, kinds, classes = real_animals
    judge = classifier.shipped_classifier()
    look = judge.look(photos)
    assert look.animal.mean() > 0.88
    assert look.sure.mean() > 0.5
    pandas = look.top[kinds == classes.index("panda")]
    assert (pandas == GIANT_PANDA).mean() > 0.7


def test_labels_below_398_are_animals_and_sure_is_above_a_half() -> None:
    probabilities = np.full((4, 1000), 0.0001, dtype=np.float32)
    for row, (label, value) in enumerate(
        ((TENCH, 0.9), (PUFFER, 0.4), (PUFFER + 1, 0.9), (SNOWMOBILE, 0.4))
    ):
        probabilities[row, label] = value
    look = classifier.ImageNetScores(np.zeros((4, 1280), np.float32), probabilities)
    assert look.animal.tolist() == [True, True, False, False]
    assert look.sure.tolist() == [True, False, False, False]


# Names


def test_usual_labels_are_those_of_a_twentieth_and_more_where_a_kind_has_many() -> None:
    # the last five are of another kind
    top = np.array([7] * 50 + [8] * 44 + [9] * 4 + [3] * 2 + [5] * 5)
    kinds = np.array([0] * 100 + [1] * 5)
    assert imagenet_labels.usual_labels(top, kinds, 3) == [{7: 0.5, 8: 0.44}, {5: 1.0}, {}]

    breeds = np.repeat(np.arange(151, 201), 2)  # fifty breeds, two photos each
    none = np.zeros(100, dtype=np.int64)
    assert imagenet_labels.usual_labels(breeds, none, 1, cover=0) == [{}]
    assert len(imagenet_labels.usual_labels(breeds, none, 1)[0]) == 25
    # a label that one photo gets is an accident
    assert imagenet_labels.usual_labels(np.arange(40), none[:40], 1) == [{}]


def test_pictures_are_named_as_photos_of_their_kind() -> None:
    probabilities = np.zeros((4, 1000), dtype=np.float32)
    probabilities[np.arange(4), [GIANT_PANDA, GIANT_PANDA, TENCH, SNOWMOBILE]] = 0.8
    look = classifier.ImageNetScores(np.zeros((4, 1280), np.float32), probabilities)
    usual = [{GIANT_PANDA: 0.9}, {TENCH: 0.5}]
    found = imagenet_labels.naming(look, np.array([0, 1, 1, -1]), usual)
    assert (found.animal, found.sure) == (0.75, 0.75)
    assert found.named == pytest.approx(2 / 3)
    assert imagenet_labels.naming(look, np.full(4, -1), usual).named is None
    assert imagenet_labels.naming(look, None, usual).named is None

    table = imagenet_labels.kinds_of(
        look, np.array([0, 1, 1, -1]), look, np.array([0, 0, 1, 1]), ("panda", "fish")
    )
    assert (table["panda"].named, table["panda"].pictures, table["panda"].photos_named) == (
        1.0,
        1,
        1.0,
    )
    assert (table["fish"].named, table["fish"].animal, table["fish"].photos_animal) == (
        0.0,
        1.0,
        0.5,
    )
    assert [line.split()[0] for line in imagenet_labels.table_of_kinds(table)] == [
        "kind",
        "panda",
        "fish",
    ]


# The best of many


@pytest.mark.slow
def test_rank_prefers_the_animal_asked_for(real_animals: RealAnimals) -> None:
    photos, kinds, names = real_animals
    judge, usual = classifier.shipped_classifier(), labels_by_kind(ClassQualityReport())
    classes = ["unicorn", *names]
    for name in ("cat", "panda"):
        right = kinds == names.index(name)
        mixes = np.zeros((len(photos), len(classes)), dtype=np.float32)
        mixes[:, classes.index(name)] = 1
        score = rank(photos, mixes, classes, usual, judge)
        assert right[score.argsort()[::-1][: right.sum()]].mean() > 0.6 > 2 * right.mean()

    both = np.concatenate([photos[:20], noise(20)])
    asked_for_nothing = np.zeros((40, len(classes)), dtype=np.float32)
    unknown = asked_for_nothing.copy()
    unknown[:, 0] = 1
    for mixes in (asked_for_nothing, unknown):  # then the best is the surest animal
        score = rank(both, mixes, classes, usual, judge)
        assert np.isfinite(score).all()
        assert (score.argsort()[::-1][:20] < 20).mean() > 0.8


def test_of_two_mixes_the_one_that_shows_both_parents_wins() -> None:
    class Planted:
        def probabilities(self, pictures: np.ndarray) -> np.ndarray:
            seen = np.zeros((3, 1000), dtype=np.float32)
            seen[0, [GIANT_PANDA, TENCH]] = 0.98, 0.001  # the stronger parent alone
            seen[1, [GIANT_PANDA, TENCH]] = 0.6, 0.3
            seen[2, SNOWMOBILE] = 1.0
            return seen

    mixes = np.repeat(np.array([[0.7, 0.3]], dtype=np.float32), 3, axis=0)
    usual = {"panda": {GIANT_PANDA: 0.9}, "fish": {TENCH: 0.9}}
    score = rank(noise(3), mixes, ("panda", "fish"), usual, Planted())  # type: ignore[arg-type]
    assert score.argsort().tolist() == [2, 0, 1]
    expected = np.log(0.9 + 1e-3) + 0.7 * np.log(0.6 + 1e-3) + 0.3 * np.log(0.3 + 1e-3)
    assert score[1] == pytest.approx(expected, rel=1e-5)
