"""Enlarging: against Pillow, against PyTorch's bicubic filter, and against Lanczos on photos that
were kept from training.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from jungle.diffusion.device import choose_device
from jungle.errors import BadCheckpoint, BadInput
from jungle.images import upscaler_net
from jungle.images.upscale import LOOKS, UpscaleStyle, shipped_name, steps, upscale
from jungle.weights import shipped


def soft_pictures(high: int, wide: int, count: int = 1) -> Tensor:
    """Smooth coloured noise in [-1, 1]."""
    generator = torch.Generator().manual_seed(5)
    coarse = torch.rand(count, 3, max(1, high // 4), max(1, wide // 4), generator=generator) * 2 - 1
    return F.interpolate(coarse, (high, wide), mode="bilinear")


def levels(pictures: Tensor) -> np.ndarray:
    """(B, H, W, 3) in 0 to 255, not rounded."""
    return ((pictures + 1) * 127.5).permute(0, 2, 3, 1).double().numpy()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The training script, as a module."""
    sys.path.insert(0, str(REPOSITORY / "benchmarks"))
    try:
        import train_enlarger
    finally:
        sys.path.pop(0)
    module: ModuleType = train_enlarger
    return module


def test_crisp_repeats_pixels_and_smooth_is_pillows_lanczos() -> None:
    pictures = soft_pictures(12, 17, 2)
    np.testing.assert_array_equal(
        upscale(pictures, 3, "crisp").numpy(),
        pictures.repeat_interleave(3, 2).repeat_interleave(3, 3).numpy(),
    )
    ours = levels(upscale(pictures, (30, 42), "smooth"))
    for picture, large in zip(levels(pictures).round().astype(np.uint8), ours, strict=True):
        theirs = np.asarray(Image.fromarray(picture).resize((42, 30), Image.Resampling.LANCZOS))
        assert np.abs(theirs - large).max() < 2  # theirs is rounded before and after


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    ("shape", "to", "size"),
    [
        ((16, 24), 4, (64, 96)),
        ((9, 14), (30, 47), (30, 47)),
        ((1, 1), 8, (8, 8)),
        ((5, 3), 1, (5, 3)),
    ],
)
def test_any_size_in_any_look(
    look: UpscaleStyle, shape: tuple[int, int], to: int | tuple[int, int], size: tuple[int, int]
) -> None:
    result = upscale(soft_pictures(*shape, 2), to, look)
    assert result.shape == (2, 3, *size)
    assert result.dtype == torch.float32
    assert -1 <= result.min() <= result.max() <= 1


def test_the_networks_are_applied_until_the_picture_is_large_enough() -> None:
    assert [steps(ratio) for ratio in (1, 1.5, 2, 2.5, 4, 5, 8, 16)] == [
        [],
        [2],
        [2],
        [4],
        [4],
        [4, 2],
        [4, 2],
        [4, 2, 2],
    ]


@pytest.mark.parametrize("look", LOOKS)
def test_a_picture_is_the_same_alone_and_in_a_batch(look: UpscaleStyle) -> None:
    pictures = soft_pictures(16, 16, 7)
    whole = upscale(pictures, 8, look)
    assert torch.equal(upscale(pictures[3:4], 8, look), whole[3:4])
    assert torch.equal(upscale(pictures, 8, look), whole)


def test_flat_colours_stay_flat_and_keep_their_colour() -> None:
    """No colour shift, no checkerboard, and nothing at the edge of the picture."""
    colours = torch.tensor(
        [[-1, -1, -1], [1, 1, 1], [0, 0, 0], [0.6, -0.5, -0.7], [-0.6, 0.3, -0.4], [-0.3, 0.1, 0.8]]
    )
    result = levels(upscale(colours[:, :, None, None].expand(-1, 3, 16, 16), 8))
    expected = ((colours + 1) * 127.5)[:, None, None].double().numpy()
    assert np.abs(result - expected).max() < 3
    assert result.std(axis=(1, 2)).max() < 0.7


def test_an_edge_becomes_sharper_than_lanczos_makes_it_and_does_not_ring() -> None:
    edge = torch.full((1, 3, 24, 24), -0.6)
    edge[:, :, :, 12:] = 0.6
    ours, lanczos = (upscale(edge, 4, look)[0, 1, 48] for look in ("painterly", "smooth"))
    assert ours.diff().max() > 2 * lanczos.diff().max()
    assert ours.abs().max() - 0.6 < 0.8 * (lanczos.abs().max() - 0.6)
    # from the second small pixel beside the edge on
    aside = (
        torch.cat([ours[8:44], ours[52:88]]),
        torch.cat([lanczos[8:44], lanczos[52:88]]),
    )
    rings = [(part.abs() - 0.6).abs().max() for part in aside]
    assert rings[0] < rings[1] / 2


def test_what_was_added_averages_out() -> None:
    pictures = soft_pictures(32, 24, 3)
    back = F.interpolate(upscale(pictures, 8), (32, 24), mode="area")
    assert (levels(back) - levels(pictures)).std() < 3


def test_better_than_lanczos_on_photos_kept_from_training(
    real_photos: Path, script: ModuleType, tmp_path: Path
) -> None:
    score = pytest.importorskip("ssimulacra2").compute_ssimulacra2
    kept = [path for path in sorted(real_photos.glob("*/*")) if script.held_out(path)][::130]
    better = 0
    for path in kept:
        photo = Image.open(path).convert("RGB").resize((128, 128), Image.Resampling.BOX)
        small = (
            torch.from_numpy(
                np.asarray(photo.resize((32, 32), Image.Resampling.BOX)).copy()
            ).permute(2, 0, 1)[None]
            / 127.5
            - 1
        )
        photo.save(tmp_path / "photo.png")
        for look in LOOKS:
            Image.fromarray(levels(upscale(small, 4, look)).round().astype(np.uint8)[0]).save(
                tmp_path / f"{look}.png"
            )
        lanczos, ours = (
            score(str(tmp_path / "photo.png"), str(tmp_path / f"{look}.png"))
            for look in ("smooth", "painterly")
        )
        better += ours > lanczos
    assert len(kept) >= 7
    assert better >= 0.8 * len(kept)


def test_a_new_network_is_the_bicubic_filter() -> None:
    x = soft_pictures(10, 13)
    for factor in upscaler_net.SHAPES:
        with torch.no_grad():
            result = upscaler_net.Upscaler(factor)(x)
        torch.testing.assert_close(result, F.interpolate(x, scale_factor=factor, mode="bicubic"))


def test_the_file_keeps_the_networks(tmp_path: Path) -> None:
    torch.manual_seed(0)
    nets = {factor: upscaler_net.Upscaler(factor) for factor in upscaler_net.SHAPES}
    for net in nets.values():
        torch.nn.init.normal_(net.head.weight, std=0.02)
    upscaler_net.save_upscalers(tmp_path / "a.safetensors", nets, {"seed": 0})
    x = soft_pictures(12, 12)
    with torch.no_grad():
        for factor, net in upscaler_net.load_upscalers(tmp_path / "a.safetensors").items():
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
        upscale(pictures, to, look)
    is_one_sentence(str(caught.value))


def is_one_sentence(text: str) -> None:
    assert "\n" not in text
    assert text.endswith(".")
    assert len(text) < 400  # paths of test folders are long


def test_a_file_that_is_no_enlarger_is_refused(tmp_path: Path) -> None:
    whole = shipped("enlarge.safetensors").read_bytes()
    nets = {factor: upscaler_net.Upscaler(factor) for factor in upscaler_net.SHAPES}
    torch.nn.init.constant_(nets[2].head.weight, float("nan"))
    upscaler_net.save_upscalers(tmp_path / "broken.safetensors", nets, {})
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.safetensors").write_text("no weights at all")
    save_file({"x4.stem.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    for path in (
        *tmp_path.glob("*.safetensors"),
        shipped("photo64.safetensors"),
        shipped("lite0.safetensors"),
        tmp_path / "missing",
    ):
        with pytest.raises(BadCheckpoint) as caught:
            upscale(torch.zeros(1, 3, 8, 8), 2, compute=choose_device("cpu"), weights=path)
        is_one_sentence(str(caught.value))


def test_kuwahara_by_its_definition(script: ModuleType) -> None:
    """Where one of the four squares is much calmer than the others, its mean is taken."""
    x = torch.zeros(1, 3, 12, 12)
    x[:, :, :, 6:] = 0.8
    torch.testing.assert_close(script.kuwahara(x, 2), x, atol=1e-3, rtol=0)  # an ideal edge stays
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    # a soft one becomes sharper
    assert script.kuwahara(blurred, 2).diff(dim=3).max() > 1.3 * blurred.diff(dim=3).max()
    noise = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert script.kuwahara(noise).std() < 0.75 * noise.std()


def test_small_copies_for_training_are_worn_reductions(script: ModuleType) -> None:
    x = 0.2 * soft_pictures(32, 32, 12)
    small = script.worn(x, 4, torch.Generator().manual_seed(1))
    assert small.shape == (12, 3, 8, 8)
    apart = (small - F.interpolate(x, (8, 8), mode="area")).abs().mean(dim=(1, 2, 3))
    assert apart.min() < 0.01 < 0.02 < apart.max() < 0.1  # some are almost clean


def test_an_interrupted_training_ends_with_the_same_file(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PATCH": 40, "BATCH": 1, "SAVE": 1, "EDGE": 4}.items():
        monkeypatch.setattr(script, name, value)
    parts = [script.Part(2, 1, False), script.Part(2, 2, True)]
    monkeypatch.setattr(script, "schedule", lambda scale: parts)
    photos = [
        torch.randint(
            0, 256, (3, 44, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(n)
        )
        for n in range(3)
    ]
    script.train(photos, tmp_path / "whole.safetensors", 1.0, 0)
    update, calls = script.Fit.update, 0

    def interrupted(self: Any, photos: list[Tensor]) -> str:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        words: str = update(self, photos)
        return words

    monkeypatch.setattr(script.Fit, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        script.train(photos, tmp_path / "broken.safetensors", 1.0, 0)
    script.train(photos, tmp_path / "broken.safetensors", 1.0, 0)
    assert calls == 4
    assert (tmp_path / "broken.safetensors").read_bytes() == (
        tmp_path / "whole.safetensors"
    ).read_bytes()
