"""Running moments pull where the means of many pictures differ, and stop where they do not."""

import pytest
import torch
from torch import Tensor

from jungle.diffusion.moments import (
    HORIZON,
    LARGE,
    RunningMoments,
    colour_statistics,
    confidence,
    repeated_energy,
)


def filled(*colours: tuple[float, float, float]) -> Tensor:
    """Flat pictures (B, 3, 4, 4) in [-1, 1] of colours from 0 to 1."""
    rgb = torch.tensor(colours)[:, :, None, None].expand(-1, -1, 4, 4)
    return rgb * 2 - 1


def test_statistics_of_flat_pictures() -> None:
    found = colour_statistics(filled((0.5, 0.25, 0.0), (0.6, 0.6, 0.6), (0.02, 0.0, 0.0)))
    # the dark one: over 5 %
    expected = [
        [0.5, 0.25, 0.0, 1.0],
        [0.6, 0.6, 0.6, 0.0],
        [0.02, 0.0, 0.0, 0.4],
    ]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_the_gap_is_an_even_mean_at_first_and_a_running_one_later() -> None:
    moments = RunningMoments.empty(2, 1, torch.device("cpu"))
    photos = torch.zeros(4, 1)
    for value in (1.0, 2.0, 6.0):
        gap = moments.pull_features(torch.full((4, 1), value), photos, 0, LARGE)
    assert gap.item() == pytest.approx(3.0)

    for _ in range(300):
        gap = moments.pull_features(torch.zeros(4, 1), photos, 0, LARGE)
    # those before are averaged evenly: 100 updates are count / (count + 1) = HORIZON
    steps = 303 - 100
    assert gap.item() == pytest.approx(9 / 100 * HORIZON**steps, rel=0.02)


def test_levels_and_sizes_of_views_are_counted_apart() -> None:
    moments = RunningMoments.empty(2, 1, torch.device("cpu"))
    ones, zeros = torch.ones(4, 1), torch.zeros(4, 1)
    moments.pull_features(ones, zeros, 0, LARGE)
    assert moments.pull_features(zeros, zeros, 1, LARGE).item() == 0
    assert moments.pull_features(zeros, zeros, 0, LARGE - 1).item() == 0
    assert moments.pull_features(zeros, zeros, 0, LARGE).item() == 0.5


@pytest.mark.parametrize(("offset", "scale"), [(0.2, 1.0), (0.0, 0.5), (0.0, 2.0), (-0.3, 1.5)])
def test_descent_brings_mean_and_spread_to_those_of_photos(offset: float, scale: float) -> None:
    generator = torch.Generator().manual_seed(2)
    moments = RunningMoments.empty(1, 1, torch.device("cpu"))
    a, b = torch.tensor(scale, requires_grad=True), torch.tensor(offset, requires_grad=True)
    optimizer = torch.optim.SGD([{"params": [a], "lr": 3e-3}, {"params": [b], "lr": 3e-5}])
    for _ in range(2000):
        photos = 0.5 + 0.1 * torch.randn(64, 4, generator=generator)
        colours = 0.5 + b + a * 0.1 * torch.randn(64, 4, generator=generator)
        optimizer.zero_grad()
        torch.autograd.backward(moments.pull_colours(colours, photos))
        optimizer.step()
    assert abs(b.item()) < 0.01
    assert a.item() == pytest.approx(1, abs=0.1)


def test_descent_makes_pictures_as_sure_as_photos() -> None:
    generator = torch.Generator().manual_seed(6)
    moments = RunningMoments.empty(1, 1, torch.device("cpu"))
    logits = torch.randn(64, 10, generator=generator)
    scale = torch.tensor(0.3, requires_grad=True)
    optimizer = torch.optim.SGD([scale], lr=0.003)
    for _ in range(1500):
        optimizer.zero_grad()
        torch.autograd.backward(
            moments.pull_confidence(confidence(scale * logits), confidence(logits))
        )
        optimizer.step()
    assert scale.item() == pytest.approx(1, abs=0.02)


def test_no_pull_between_equals() -> None:
    x = torch.rand(64, 4, generator=torch.Generator().manual_seed(3), requires_grad=True)
    moments = RunningMoments.empty(1, 1, torch.device("cpu"))
    torch.autograd.backward(moments.pull_colours(x, x.detach()))
    assert x.grad is not None
    assert x.grad.abs().max() < 1e-6


def test_packed_moments_go_on_alike() -> None:
    generator = torch.Generator().manual_seed(4)
    first = RunningMoments.empty(2, 3, torch.device("cpu"))
    x, y = torch.rand(8, 4, generator=generator), torch.rand(8, 4, generator=generator)
    first.pull_features(x[:, :3], y[:, :3], 1, 128)
    first.pull_colours(x, y)
    second = RunningMoments.empty(2, 3, torch.device("cpu"))
    second.unpack(first.pack())
    assert torch.equal(
        first.pull_features(x[:, :3], y[:, :3], 1, 128),
        second.pull_features(x[:, :3], y[:, :3], 1, 128),
    )
    assert torch.equal(first.pull_colours(y, x), second.pull_colours(y, x))


def test_a_pattern_that_repeats_is_told_from_noise() -> None:
    generator = torch.Generator().manual_seed(5)
    noise = 0.2 * torch.randn(8, 3, 64, 64, generator=generator)
    pattern = 0.1 * torch.randn(1, 3, 8, 8, generator=generator).repeat(1, 1, 8, 8)
    share = repeated_energy(noise) / noise.square().mean()
    assert share[0].item() == pytest.approx(1 / 64, rel=0.2)  # the mean of 64 squares
    assert share[1].item() == pytest.approx(1 / 16, rel=0.2)

    moments = RunningMoments.empty(1, 1, torch.device("cpu"))
    assert moments.repetition(noise, noise).item() == pytest.approx(0, abs=1e-4)
    assert moments.repetition(noise + pattern, noise).item() > 10
    # sides that are no multiples
    assert moments.repetition(noise[:, :, :50, :40], noise[:, :, :50, :40]).item() < 2
