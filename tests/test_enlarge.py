"""Enlarging: against Pillow, against PyTorch's bicubic filter, and against Lanczos on photos that were kept from training."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from jungle.diffusion.device import choose
from jungle.errors import BadCheckpoint, BadInput
from jungle.images import enlarger
from jungle.images.enlarge import LOOKS, Look, enlarge, shipped_name, steps
from jungle.images.imagenet import shipped_judge
from jungle.weights import shipped

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def soft_pictures(high: int, wide: int, count: int = 1) -> Tensor:
    """Smooth coloured noise in [-1, 1]."""
    generator = torch.Generator().manual_seed(5)
    coarse = torch.rand(count, 3, max(1, high // 4), max(1, wide // 4), generator=generator) * 2 - 1
    return F.interpolate(coarse, (high, wide), mode="bilinear")


def levels(pictures: Tensor) -> np.ndarray:
    """(B, H, W, 3) in 0 to 255, not rounded."""
    return ((pictures + 1) * 127.5).permute(0, 2, 3, 1).double().numpy()


def from_benchmarks(name: str) -> ModuleType:
    """A script, as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The training script."""
    return from_benchmarks("train_enlarger")


@pytest.fixture(scope="module")
def comparison() -> ModuleType:
    """The script that compares enlargers."""
    return from_benchmarks("enlarge")


def test_crisp_repeats_pixels_and_smooth_is_pillows_lanczos() -> None:
    pictures = soft_pictures(12, 17, 2)
    np.testing.assert_array_equal(enlarge(pictures, 3, "crisp").numpy(), pictures.repeat_interleave(3, 2).repeat_interleave(3, 3).numpy())
    ours = levels(enlarge(pictures, (30, 42), "smooth"))
    for picture, large in zip(levels(pictures).round().astype(np.uint8), ours, strict=True):
        theirs = np.asarray(Image.fromarray(picture).resize((42, 30), Image.Resampling.LANCZOS))
        assert np.abs(theirs - large).max() < 2  # theirs is rounded before and after


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    ("shape", "to", "size"), [((16, 24), 4, (64, 96)), ((9, 14), (30, 47), (30, 47)), ((1, 1), 8, (8, 8)), ((5, 3), 1, (5, 3))]
)
def test_any_size_in_any_look(look: Look, shape: tuple[int, int], to: int | tuple[int, int], size: tuple[int, int]) -> None:
    result = enlarge(soft_pictures(*shape, 2), to, look)
    assert result.shape == (2, 3, *size)
    assert result.dtype == torch.float32
    assert -1 <= result.min() <= result.max() <= 1


def test_the_networks_are_applied_until_the_picture_is_large_enough() -> None:
    assert [steps(ratio) for ratio in (1, 1.5, 2, 2.5, 4, 5, 8, 16)] == [[], [2], [2], [4], [4], [4, 2], [4, 2], [4, 2, 2]]


@pytest.mark.parametrize("look", LOOKS)
def test_a_picture_is_the_same_alone_and_in_a_batch(look: Look) -> None:
    pictures = soft_pictures(16, 16, 7)
    whole = enlarge(pictures, 8, look)
    assert torch.equal(enlarge(pictures[3:4], 8, look), whole[3:4])
    assert torch.equal(enlarge(pictures, 8, look), whole)


def test_flat_colours_stay_flat_and_keep_their_colour() -> None:
    """No colour shift, no checkerboard, and nothing at the edge of the picture."""
    colours = torch.tensor([[-1, -1, -1], [1, 1, 1], [0, 0, 0], [0.6, -0.5, -0.7], [-0.6, 0.3, -0.4], [-0.3, 0.1, 0.8]])
    result = levels(enlarge(colours[:, :, None, None].expand(-1, 3, 16, 16), 8))
    expected = ((colours + 1) * 127.5)[:, None, None].double().numpy()
    assert np.abs(result - expected).max() < 3
    assert result.std(axis=(1, 2)).max() < 0.7


def test_an_edge_becomes_sharper_than_lanczos_makes_it_and_rings_less_further_off() -> None:
    """Beside it there is a halo, larger than that of Lanczos: training photos have such ones too."""
    edge = torch.full((1, 3, 24, 24), -0.6)
    edge[:, :, :, 12:] = 0.6
    ours, lanczos = (enlarge(edge, 4, look)[0, 1, 48] for look in ("painterly", "smooth"))
    assert ours.diff().max() > 1.5 * lanczos.diff().max()
    assert ours.abs().max() - 0.6 < 1.7 * (lanczos.abs().max() - 0.6)
    aside = (
        torch.cat([ours[8:44], ours[52:88]]),
        torch.cat([lanczos[8:44], lanczos[52:88]]),
    )  # from the second small pixel beside the edge on
    rings = [(part.abs() - 0.6).abs().max() for part in aside]
    assert rings[0] < 0.8 * rings[1]


def test_what_was_added_averages_out() -> None:
    pictures = soft_pictures(32, 24, 3)
    back = F.interpolate(enlarge(pictures, 8), (32, 24), mode="area")
    assert (levels(back) - levels(pictures)).std() < 3


def test_nearer_to_real_photos_than_lanczos(real_photos: Path, comparison: ModuleType) -> None:
    """Squares of photos that were kept from training, reduced and enlarged, against such of other photos."""
    paths = comparison.list_photos(real_photos.parent, BENCHMARKS / "heldout_photos.txt")
    result = comparison.distance(paths, shipped_judge(), {"network": None}, None, 40)
    for route in ("32 to 128", "64 to 160"):
        kid = {name: value for name, (value, _) in result[route]["patches"].items()}
        assert kid["network"] < 0.8 * kid["lanczos"]


def test_better_than_lanczos_on_photos_kept_from_training(real_photos: Path, comparison: ModuleType, tmp_path: Path) -> None:
    """Texture that is made up costs likeness, but not more than a blur does."""
    score = pytest.importorskip("ssimulacra2").compute_ssimulacra2
    paths = comparison.list_photos(real_photos.parent, BENCHMARKS / "heldout_photos.txt")
    photos = comparison.centres(paths, 128, 8)
    better = 0
    for photo in photos:
        small = comparison.as_tensor([photo.resize((32, 32), Image.Resampling.BOX)])
        photo.save(tmp_path / "photo.png")
        for look in LOOKS:
            Image.fromarray(levels(enlarge(small, 4, look)).round().astype(np.uint8)[0]).save(tmp_path / f"{look}.png")
        lanczos, ours = (score(str(tmp_path / "photo.png"), str(tmp_path / f"{look}.png")) for look in ("smooth", "painterly"))
        better += ours > lanczos
    assert len(photos) == 8
    assert better >= 0.8 * len(photos)


def test_a_new_network_is_the_bicubic_filter() -> None:
    x = soft_pictures(10, 13)
    for factor in enlarger.SHAPES:
        with torch.no_grad():
            result = enlarger.Enlarger(factor)(x)
        torch.testing.assert_close(result, F.interpolate(x, scale_factor=factor, mode="bicubic"))


def test_the_file_keeps_the_networks(tmp_path: Path) -> None:
    torch.manual_seed(0)
    nets = {factor: enlarger.Enlarger(factor) for factor in enlarger.SHAPES}
    for net in nets.values():
        torch.nn.init.normal_(net.head.weight, std=0.02)
    enlarger.save(tmp_path / "a.safetensors", nets, {"seed": 0})
    x = soft_pictures(12, 12)
    with torch.no_grad():
        for factor, net in enlarger.load(tmp_path / "a.safetensors").items():
            own = nets[factor](x) - F.interpolate(x, scale_factor=factor, mode="bicubic")
            assert (net(x) - nets[factor](x)).std() < 0.02 * own.std()


def test_the_shipped_file_is_small_and_has_a_card() -> None:
    path = shipped("enlarge.safetensors")
    assert path.stat().st_size < 4e6
    assert path.with_suffix(".md").is_file()
    assert shipped_name() in path.with_suffix(".md").read_text()


@pytest.mark.parametrize(
    ("pictures", "to", "look"),
    [
        (torch.zeros(3, 8, 8), 2, "crisp"),
        (torch.zeros(1, 4, 8, 8), 2, "crisp"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 2, "smooth"),
        (torch.zeros(1, 3, 0, 8), 2, "smooth"),
        (torch.zeros(1, 3, 8, 8), 0, "crisp"),
        (torch.zeros(1, 3, 8, 8), -2, "painterly"),
        (torch.zeros(1, 3, 8, 8), (8, 4), "crisp"),
        (torch.zeros(1, 3, 8, 8), (16, 24), "painterly"),
        (torch.zeros(1, 3, 8, 8), 1000, "crisp"),
        (torch.zeros(1, 3, 8, 8), 2, "blurry"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(pictures: Tensor, to: Any, look: Any) -> None:
    with pytest.raises(BadInput) as caught:
        enlarge(pictures, to, look)
    is_one_sentence(str(caught.value))


def is_one_sentence(text: str) -> None:
    assert "\n" not in text
    assert text.endswith(".")
    assert len(text) < 400  # paths of test folders are long


def test_a_file_that_is_no_enlarger_is_refused(tmp_path: Path) -> None:
    whole = shipped("enlarge.safetensors").read_bytes()
    nets = {factor: enlarger.Enlarger(factor) for factor in enlarger.SHAPES}
    torch.nn.init.constant_(nets[2].head.weight, float("nan"))
    enlarger.save(tmp_path / "broken.safetensors", nets, {})
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.safetensors").write_text("no weights at all")
    save_file({"x4.stem.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    for path in (*tmp_path.glob("*.safetensors"), shipped("photo64.safetensors"), shipped("lite0.safetensors"), tmp_path / "missing"):
        with pytest.raises(BadCheckpoint) as caught:
            enlarge(torch.zeros(1, 3, 8, 8), 2, compute=choose("cpu"), weights=path)
        is_one_sentence(str(caught.value))


def test_small_copies_for_training_are_worn_reductions(script: ModuleType) -> None:
    x = 0.2 * soft_pictures(32, 32, 12)
    small = script.worn(x, 8, torch.Generator().manual_seed(1))
    assert small.shape == (12, 3, 8, 8)
    apart = (small - F.interpolate(x, (8, 8), mode="area")).abs().mean(dim=(1, 2, 3))
    assert apart.min() < 0.01 < 0.02 < apart.max() < 0.1  # some are almost clean


def test_windows_of_small_photos_lie_where_those_of_the_photos_do(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "worn", lambda x, side, generator: script.resized(x, side))
    photos = [(soft_pictures(160, 170)[0] * 127.5 + 127.5).byte()]
    painted = [torch.full((3, 64, 64), 255, dtype=torch.uint8)]
    batch = script.as_painted(script.Data(photos, painted), torch.Generator().manual_seed(2))
    assert batch.paired == script.BATCH - script.PAINTED_COUNT
    assert batch.small[batch.paired :].min() == 1
    again = script.resized(batch.target[: batch.paired], script.WINDOW)
    inside = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    assert (again - batch.small[: batch.paired])[inside].abs().max() < 0.05


def test_an_interrupted_training_ends_with_the_same_file(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PATCH": 64, "BATCH": 2, "PAINTED_COUNT": 1, "SAVE": 1, "WINDOW": 32, "SHOWN": (32,)}.items():
        monkeypatch.setattr(script, name, value)
    generator = torch.Generator().manual_seed(3)
    photos = [torch.randint(0, 256, (3, 160, 164), dtype=torch.uint8, generator=generator) for _ in range(3)]
    painted = [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=generator)]
    data = script.Data(photos, painted)

    def run(name: str) -> None:
        torch.manual_seed(7)
        script.train(data, {factor: enlarger.Enlarger(factor) for factor in (4, 2)}, {4: 2, 2: 1}, tmp_path / name, 0)

    run("whole.safetensors")
    update, calls = script.Fit.update, 0

    def interrupted(self: Any, data: Any) -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        losses: dict[str, float] = update(self, data)
        return losses

    monkeypatch.setattr(script.Fit, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("broken.safetensors")
    run("broken.safetensors")
    assert calls == 4
    assert (tmp_path / "broken.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_noise_decides_what_is_open_and_is_the_same_for_every_picture() -> None:
    net = enlarger.Enlarger(2)
    torch.nn.init.normal_(net.head.weight, std=0.1)
    for strength in net.noise:
        torch.nn.init.ones_(strength)
    x = torch.zeros(2, 3, 12, 12)
    with torch.no_grad():
        fixed, drawn = net(x), net(x, torch.Generator().manual_seed(1))
    assert torch.equal(fixed[0], fixed[1])
    assert torch.equal(fixed, net(x).detach())
    assert (drawn[0] - drawn[1]).std() > 0.1 * drawn.std()
