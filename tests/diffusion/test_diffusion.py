"""The engine against closed forms and against itself."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from jungle.config.recipe_table import RECIPES, find_recipe
from jungle.config.recipes import NetRecipe, Recipe, SampleRecipe, override
from jungle.diffusion import model
from jungle.diffusion.denoiser import EdmDenoiser, EpsilonDenoiser
from jungle.diffusion.device import Compute, choose_device
from jungle.diffusion.sampler import evaluations, noise_levels, sample
from jungle.diffusion.time_budget import CALIBRATION, SMALL_COST, TimeBudget, two_digits
from jungle.diffusion.train import (
    BANDS,
    Progress,
    begin_training,
    ema_exponent,
    learning_rate,
    train,
    update_ema,
)
from jungle.errors import BadInput, JungleError

TINY = find_recipe("tiny")
CPU = Compute(torch.device("cpu"), torch.float32, "test")


class Gaussian:
    """The exact denoiser of data that is normal with ``mean`` and ``std``: its samples are known in
    closed form.
    """

    sigma_min, sigma_max = 0.002, 80.0
    schedule: Tensor | None = None

    def __init__(self, mean: float, std: float) -> None:
        self.mean, self.std, self.calls = mean, std, 0

    def start(self, noise: Tensor, sigma: float) -> Tensor:
        return noise * sigma

    def __call__(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
        self.calls += 1
        weight = self.std**2 / (self.std**2 + sigma[:, None, None, None] ** 2)
        return self.mean + weight * (x - self.mean)


def last(steps: Iterator[object]) -> Tensor:
    *_, final = steps
    return final.x  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(("solver", "fall"), [("heun", 3.5), ("dpm2m", 3.5), ("ddim", 1.9)])
def test_deterministic_solvers_converge_to_the_exact_trajectory_at_their_order(
    solver: str, fall: float
) -> None:
    """For normal data the probability-flow ODE maps x at sigma_max to mean + (x - mean) * std /
    sqrt(std^2 + sigma_max^2).
    """
    start = torch.randn((3, 8, 8), generator=torch.Generator().manual_seed(5)) * 80.0
    exact = 0.3 + (start - 0.3) * 0.5 / math.sqrt(0.25 + 80.0**2)
    errors = []
    for steps in (40, 80, 160):
        denoiser = Gaussian(0.3, 0.5)
        recipe = SampleRecipe(solver=solver, steps=steps, guidance=1.0)  # type: ignore[arg-type]
        found = last(sample(denoiser, [5], torch.zeros(1, 2), (3, 8, 8), recipe))[0]
        errors.append(float((found - exact).abs().max()))
        assert denoiser.calls == evaluations(recipe)
    assert errors[-1] < (1e-3 if fall > 2 else 0.03)
    # halving the step divides the error by four, at first order by two
    assert errors[0] / errors[1] > fall
    assert errors[1] / errors[2] > fall


def test_ancestral_samples_have_the_right_mean_and_deviation() -> None:
    recipe = SampleRecipe(solver="ancestral", steps=200, guidance=1.0)
    found = last(sample(Gaussian(0.3, 0.5), range(40), torch.zeros(40, 0), (3, 16, 16), recipe))
    assert abs(float(found.mean()) - 0.3) < 0.02
    assert abs(float(found.std()) - 0.5) < 0.02


def test_consistency_sampling_answers_adds_noise_and_answers_again() -> None:
    """With the exact denoiser of normal data every step is known: the mean of the clean picture,
    then new noise.
    """
    recipe = SampleRecipe(
        solver="consistency", steps=4, sigma_max=20.0, sigma_min=0.4, rho=100.0, guidance=1.0
    )
    denoiser = Gaussian(0.3, 0.5)
    levels = noise_levels(denoiser, recipe)
    assert levels == pytest.approx([20.0, 5.52, 1.5, 0.4, 0.0], rel=0.02)
    found = last(sample(denoiser, [5], torch.zeros(1, 2), (3, 8, 8), recipe))[0]
    assert denoiser.calls == evaluations(recipe) == 4
    generator = torch.Generator().manual_seed(5)
    clean = torch.zeros(3, 8, 8)
    for sigma in levels[:-1]:
        noisy = clean + sigma * torch.randn((3, 8, 8), generator=generator)
        clean = 0.3 + (noisy - 0.3) * 0.25 / (0.25 + sigma**2)
    torch.testing.assert_close(found, clean, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("solver", ["dpm2m", "heun", "ancestral", "consistency"])
def test_an_item_does_not_depend_on_its_batch(solver: str) -> None:
    recipe = SampleRecipe(solver=solver, steps=5)  # type: ignore[arg-type]
    denoiser = model.build_model(TINY, 3, CPU)
    mix = torch.eye(3)
    together = last(sample(denoiser, [4, 5, 6], mix, (3, 16, 16), recipe))
    for index, seed in enumerate((4, 5, 6)):
        alone = last(sample(denoiser, [seed], mix[index : index + 1], (3, 16, 16), recipe))
        assert torch.equal(alone[0], together[index])


def test_guidance_of_one_is_none_and_the_interval_is_kept() -> None:
    class Two:
        sigma_min, sigma_max, schedule = 0.002, 80.0, None

        def start(self, noise: Tensor, sigma: float) -> Tensor:
            return noise * sigma

        def __call__(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
            return torch.zeros_like(x) + mix.sum(dim=1)[:, None, None, None]

    from jungle.diffusion.sampler import Guided

    x, mix = torch.zeros(2, 1, 2, 2), torch.ones(2, 1)
    guided = Guided(Two(), SampleRecipe(guidance=3.0, guidance_low=1.0, guidance_high=5.0))
    assert float(guided(x, torch.full((2,), 2.0), mix).mean()) == 3.0  # 0 + 3 (1 - 0)
    assert float(guided(x, torch.full((2,), 0.5), mix).mean()) == 1.0
    assert float(guided(x, torch.full((2,), 9.0), mix).mean()) == 1.0
    assert (
        float(Guided(Two(), SampleRecipe(guidance=1.0))(x, torch.full((2,), 2.0), mix).mean())
        == 1.0
    )
    assert float(
        Guided(Two(), SampleRecipe(guidance=2.0), weak=Gaussian(0.5, 1e-6))(
            x, torch.full((2,), 2.0), mix
        ).mean()
    ) == pytest.approx(1.5)
    # the weak one says what it is told: told + 2 (1 - told)
    for told, clean in (
        (1.0, 1.0),
        (0.5, 1.5),
        (0.0, 2.0),
    ):
        assert (
            float(
                Guided(Two(), SampleRecipe(guidance=2.0, weak_mix=told), weak=Two())(
                    x, torch.full((2,), 2.0), mix
                ).mean()
            )
            == clean
        )
    with pytest.raises(BadInput, match="weak_mix"):
        SampleRecipe(weak_mix=1.5)


def test_noise_levels_fall_from_high_to_zero() -> None:
    levels = noise_levels(Gaussian(0, 1), SampleRecipe(steps=10))
    assert levels[0] == pytest.approx(80.0)
    assert levels[-2] == pytest.approx(0.002)
    assert levels[-1] == 0.0
    assert levels == sorted(levels, reverse=True)
    with pytest.raises(BadInput, match="ancestral"):
        noise_levels(Gaussian(0, 1), SampleRecipe(solver="ddpm", steps=10))


def test_edm_preconditioning_predicts_the_mean_when_the_network_says_nothing() -> None:
    """With a network of zeros the denoiser is c_skip x, the best linear guess for data of standard
    deviation sigma_data.
    """
    denoiser = EdmDenoiser(torch.nn.Module(), TINY)
    denoiser.net.forward = lambda x, noise, mix: torch.zeros_like(x)  # type: ignore[method-assign]
    x = torch.randn(3, 3, 4, 4)
    sigma = torch.tensor([0.1, 0.5, 20.0])
    expected = x * (0.25 / (0.25 + sigma**2))[:, None, None, None]
    torch.testing.assert_close(denoiser(x, sigma, torch.zeros(3, 0)), expected)


def test_epsilon_that_is_found_gives_the_picture_and_its_loss_has_the_min_snr_weight() -> None:
    denoiser = EpsilonDenoiser(torch.nn.Module(), dataclasses.replace(TINY, p_mean=0.0, p_std=1.0))
    x, noise, sigma = (
        torch.randn(3, 3, 4, 4),
        torch.randn(3, 3, 4, 4),
        torch.tensor([0.1, 0.5, 20.0]),
    )
    denoiser.net.forward = lambda inside, level, mix: noise  # type: ignore[method-assign]
    torch.testing.assert_close(
        denoiser(x + sigma[:, None, None, None] * noise, sigma, torch.zeros(3, 0)), x
    )
    denoiser.net.forward = lambda inside, level, mix: torch.zeros_like(inside)  # type: ignore[method-assign]
    many = torch.zeros(4000, 1, 4, 4)
    loss, told = denoiser.loss(many, torch.zeros(4000, 0), torch.Generator().manual_seed(0))
    # nothing found: the mean square of the noise is 1
    for low, high in (
        (0.05, 0.2),
        (0.3, 0.4),
        (0.5, 5.0),
    ):
        some = (told > low) & (told < high)
        expected = (5 * told[some] ** 2).clamp(max=1)  # min(SNR, 5) / SNR with SNR = 1 / sigma^2
        assert float(loss[some].mean() / expected.mean()) == pytest.approx(1, rel=0.05)


def test_ema_width_follows_the_run() -> None:
    """The power-function average of 1, 2 ... n has the relative deviation that was asked for (EDM2,
    section 3.1).
    """
    n, width = 4000, 0.1
    net = torch.nn.Linear(1, 1, bias=False)
    weights = np.zeros(n)
    gamma = ema_exponent(width)
    profile = (np.arange(1, n + 1) / n) ** gamma
    profile /= profile.sum()
    ema = {"weight": torch.zeros(1, 1)}
    with torch.no_grad():
        for step in range(1, n + 1):
            net.weight.fill_(step)
            update_ema(ema, net, step, width)
    weights = np.arange(1, n + 1)
    assert float(ema["weight"]) == pytest.approx(float((profile * weights).sum()), rel=2e-3)
    deviation = math.sqrt(float((profile * (weights - (profile * weights).sum()) ** 2).sum())) / n
    assert deviation == pytest.approx(width, rel=0.02)


def test_a_short_run_does_not_average_its_random_start() -> None:
    net = torch.nn.Linear(1, 1, bias=False)
    ema = {"weight": torch.full((1, 1), 1e6)}
    with torch.no_grad():
        net.weight.fill_(1.0)
    update_ema(ema, net, 1, 0.1)
    assert float(ema["weight"]) == 1.0


def batches(step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    labels = torch.randint(0, 3, (8,), generator=generator)
    x = (
        torch.randn((8, 3, 16, 16), generator=generator) * 0.1
        + (labels - 1.0)[:, None, None, None] * 0.5
    )
    return x, torch.nn.functional.one_hot(labels, 3).float()


def run(
    recipe: Recipe,
    total: int,
    stops: tuple[int, ...] = (),
    packed: list[dict[str, object]] | None = None,
) -> dict[str, Tensor]:
    """Weights after ``total`` updates, going through a saved file at each of ``stops``."""
    import io

    data: bytes | None = None
    for stop in (*stops, total):
        denoiser = model.build_model(recipe, 3, CPU)
        state = begin_training(denoiser, recipe, total)
        if data is not None:
            state.unpack(denoiser.net, torch.load(io.BytesIO(data), weights_only=True))
        for progress in train(denoiser, batches, recipe, state):
            if progress.step == stop:
                break
        buffer = io.BytesIO()
        torch.save(state.pack(denoiser.net), buffer)
        data = buffer.getvalue()
    return {f"ema {k}": v for k, v in state.ema.items()} | dict(denoiser.net.state_dict())


def test_resumed_equals_straight_bit_for_bit() -> None:
    recipe = dataclasses.replace(TINY, net=dataclasses.replace(TINY.net, dropout=0.2))
    straight, resumed = run(recipe, 12), run(recipe, 12, stops=(1, 5, 6, 11))
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    other = run(dataclasses.replace(recipe, seed=1), 12)
    assert not torch.equal(straight["stem.weight"], other["stem.weight"])


# noise stays in the latter two
@pytest.mark.parametrize(
    ("objective", "falls_to"),
    [("edm", 0.8), ("flow", 0.95), pytest.param("epsilon", 0.95, marks=pytest.mark.slow)],
)
def test_training_learns_what_the_classes_look_like(objective: str, falls_to: float) -> None:
    recipe = dataclasses.replace(TINY, objective=objective, small_share=0.0, lr=4e-3)
    denoiser = model.build_model(recipe, 3, CPU)
    losses = [
        p.loss for p in train(denoiser, batches, recipe, begin_training(denoiser, recipe, 200))
    ]
    assert np.mean(losses[-20:]) < falls_to * np.mean(losses[:10])
    denoiser.net.eval()
    if objective == "epsilon":
        # 8 channels cannot carry the noise of the 48 values of a patch, so its pictures stay noise
        # in so small a network
        return
    found = last(
        sample(denoiser, [0, 1, 2], torch.eye(3), (3, 16, 16), SampleRecipe(steps=10, guidance=1.0))
    )
    means = found.mean(dim=(1, 2, 3))
    assert float(means[0]) < float(means[1]) < float(means[2])


def test_nan_goes_back_lowers_the_rate_and_says_so() -> None:
    recipe = dataclasses.replace(TINY, steps=30)
    denoiser = model.build_model(recipe, 3, CPU)
    poisoned = {"left": 1}

    def poison(step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, mix = batches(step, generator)
        if step == 7 and poisoned["left"]:
            poisoned["left"] = 0
            x[0] = float("nan")
        return x, mix

    state = begin_training(denoiser, recipe, 30)
    notes = [p.note for p in train(denoiser, poison, recipe, state) if p.note]
    assert len(notes) == 1
    assert "learning rate halved" in notes[0]
    assert state.lr_scale == 0.5
    assert state.step == 30
    assert all(bool(p.isfinite().all()) for p in denoiser.net.parameters())


def test_hopeless_training_ends_with_a_sentence() -> None:
    denoiser = model.build_model(TINY, 3, CPU)

    def broken(step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, mix = batches(step, generator)
        return x * float("nan"), mix

    with pytest.raises(JungleError, match="-o lr="):
        list(train(denoiser, broken, TINY, begin_training(denoiser, TINY, 5)))


def test_memory_guard_halves_the_micro_batch_and_keeps_the_batch() -> None:
    recipe = dataclasses.replace(TINY, steps=3)
    denoiser = model.build_model(recipe, 3, CPU)
    honest = denoiser.loss

    def greedy(
        x: Tensor, mix: Tensor, generator: torch.Generator, shrunk: int = 1
    ) -> tuple[Tensor, Tensor]:
        if len(x) > 2:
            raise torch.OutOfMemoryError("test")
        return honest(x, mix, generator, shrunk)

    denoiser.loss = greedy  # type: ignore[method-assign]
    state = begin_training(denoiser, recipe, 3)
    seen: list[Progress] = list(train(denoiser, batches, recipe, state))
    assert state.micro_batch == 2
    assert seen[0].images == 8
    assert any("Memory ran out" in p.note for p in seen)
    assert sum(seen[0].band_count) == 8
    assert len(seen[0].band_loss) == len(BANDS) + 1


def test_schedules() -> None:
    assert learning_rate(
        dataclasses.replace(TINY, warmup=10, lr=1.0, decay="constant"), 4, 100
    ) == pytest.approx(0.5)
    assert learning_rate(
        dataclasses.replace(TINY, warmup=0, lr=1.0, decay="wsd"), 80, 100
    ) == pytest.approx(0.5)
    assert learning_rate(
        dataclasses.replace(TINY, warmup=0, lr=1.0, decay="rsqrt"), 40, 100
    ) == pytest.approx(0.5)


def clocked(budget: TimeBudget, total: int, now: list[float], seconds: float, until: int) -> int:
    for step in range(1, until + 1):
        now[0] += seconds
        total = budget.plan(step, total)
        if step >= total:
            return step
    return total


def test_the_plan_fits_the_time_and_repeats_itself() -> None:
    now = [0.0]
    budget = TimeBudget(10, lambda: now[0], 0.0)
    planned = clocked(budget, 10**9, now, 0.5, 10)
    assert planned == two_digits(600 * 0.88 / 0.5) == 1000
    now = [0.0]
    again = TimeBudget(10, lambda: now[0], 0.0, known_seconds=budget.known_seconds)
    # a little slower this time: the same plan
    assert clocked(again, 10**9, now, 0.56, 10) == planned


@pytest.mark.parametrize("slower_from", [20, 300, 700, 1000])
@pytest.mark.parametrize("slower", [1.6, 3.0, 10.0])
def test_a_machine_that_slows_down_still_ends_in_time(slower_from: int, slower: float) -> None:
    """Half of the updates are cheap ones at half size, so a forecast from their speed alone would
    promise too much.
    """
    now, share = [0.0], 0.5
    budget = TimeBudget(10, lambda: now[0], 0.0, small_share=share)
    total = planned = clocked(budget, 10**9, now, 0.5, CALIBRATION)
    step = CALIBRATION
    while step < total:
        now[0] += (
            0.5
            * (SMALL_COST if step < share * total else 1.0)
            * (slower if step >= slower_from else 1.0)
        )
        step += 1
        total = budget.plan(step, total)
    assert 600 * 0.85 < now[0] < 600 * 1.06
    assert step < planned


def test_a_pause_of_half_a_minute_does_not_change_the_plan() -> None:
    now = [0.0]
    budget = TimeBudget(10, lambda: now[0], 0.0)
    total = planned = clocked(budget, 10**9, now, 0.5, CALIBRATION)
    for step in range(CALIBRATION + 1, planned + 1):
        now[0] += 30.5 if step == planned // 2 else 0.5
        total = budget.plan(step, total)
    assert total == planned


def test_recipes_travel_as_json_and_refuse_nonsense() -> None:
    for recipe in RECIPES.values():
        assert Recipe.from_json(recipe.to_json()) == recipe
    assert override(TINY, {"lr": "0.01", "order": "path"}).lr == 0.01
    for key, value in (
        ("lr", "fast"),
        ("lr", "nan"),
        ("order", "up"),
        ("limt", "3"),
        ("batch", "0"),
        ("image_size", "65"),
        ("net", "x"),
    ):
        with pytest.raises(BadInput):
            override(TINY, {key: value})
    assert dataclasses.replace(TINY, image_size=64, aspect="3:2").size == (64, 96)


def test_device_choice_is_explained() -> None:
    assert choose_device("cpu:float32").dtype == torch.float32
    assert str(choose_device("cpu")).startswith("cpu in ")
    for wrong in ("tpu", "cpu:int8", "cuda" if not torch.cuda.is_available() else "mps"):
        with pytest.raises(BadInput):
            choose_device(wrong)


def test_network_gradients_and_shapes(tmp_path: Path) -> None:
    from jungle.diffusion.unet import UNet

    net = UNet(
        NetRecipe(widths=(16, 64), blocks=(1, 1), attention=(1,), extra_channels=2, embedding=32), 4
    )
    x = torch.randn(2, 5, 32, 48)
    with torch.no_grad():
        out = net(x, torch.zeros(2), torch.eye(4)[:2])
    assert out.shape == (2, 3, 32, 48)
    assert float(out.abs().max()) == 0.0  # a new network says nothing


def test_each_noise_level_has_its_expert(tmp_path: Path) -> None:
    """Below the edge the fine network answers, above it the coarse one, item by item; both learn,
    and both are saved.
    """
    from jungle.diffusion import checkpoint
    from jungle.diffusion.expert_denoisers import NoiseLevelExperts

    recipe = dataclasses.replace(TINY, fine=dataclasses.replace(TINY.net, patch=2), fine_below=0.5)
    assert Recipe.from_json(recipe.to_json()) == recipe
    for wrong in ({"fine": None}, {"fine_below": 0.0}, {"fine_below": -1.0}):
        with pytest.raises(BadInput, match="fine_below"):
            dataclasses.replace(recipe, **wrong)
    denoiser = model.build_model(recipe, 3, CPU)
    net = denoiser.net
    assert isinstance(net, NoiseLevelExperts)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    list(
        train(
            denoiser,
            lambda s, g: (torch.randn((8, 3, 16, 16), generator=g), torch.eye(3)[[0, 1, 2, 0] * 2]),
            recipe,
            begin_training(denoiser, recipe, 10),
        )
    )
    changed = {
        name.split(".")[0]
        for name, value in net.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"coarse", "fine"}
    x, noise, mix = torch.randn(3, 3, 16, 16), torch.tensor([0.1, 2.0, 0.4]).log() / 4, torch.eye(3)
    with torch.no_grad():
        together = net(x, noise, mix)
        for item, expert in enumerate((net.fine, net.coarse, net.fine)):
            one = slice(item, item + 1)
            assert torch.allclose(together[one], expert(x[one], noise[one], mix[one]), atol=1e-5)
            assert torch.allclose(together[one], net(x[one], noise[one], mix[one]), atol=1e-5)
    assert not torch.allclose(net.fine(x, noise, mix), net.coarse(x, noise, mix), atol=1e-3)
    checkpoint.save_checkpoint(
        tmp_path / "m.pth",
        checkpoint.Checkpoint(recipe, ("a", "b", "c"), 10, "", dict(net.state_dict()), {}),
    )
    loaded = model.load_model(tmp_path / "m.pth", CPU)
    assert torch.equal(loaded.denoiser.net(x, noise, mix), together)


def test_a_weaker_network_travels_in_the_file(tmp_path: Path) -> None:
    """A model guided away from a weaker one paints the same after it was exported with it, and
    otherwise than without it.
    """
    from jungle.diffusion import checkpoint
    from jungle.diffusion.batched_sampling import SampleRequest
    from jungle.images.generate import export
    from jungle.images.sampling import sample_pictures

    def trained(name: str, recipe: Recipe, classes: tuple[str, ...]) -> model.Model:
        torch.manual_seed(len(name))
        weights = {
            key: value + 0.1 * torch.randn_like(value)
            for key, value in model.build_model(recipe, len(classes), CPU).net.state_dict().items()
        }
        checkpoint.save_checkpoint(
            tmp_path / name,
            checkpoint.Checkpoint(
                recipe, classes, 5, "", {k: v.bfloat16().float() for k, v in weights.items()}, {}
            ),
        )
        return model.load_model(tmp_path / name, CPU)

    def painted(one: model.Model) -> np.ndarray:
        sampling = SampleRecipe(steps=3, guidance=2.0, weak_mix=0.0)
        return np.stack(
            [
                pixels
                for _, pixels in sample_pictures(
                    one,
                    [SampleRequest(0, torch.eye(2)[0]), SampleRequest(1, torch.eye(2)[1])],
                    sampling,
                )
            ]
        )

    strong = trained("strong.pth", TINY, ("a", "b"))
    small = dataclasses.replace(TINY, net=dataclasses.replace(TINY.net, widths=(8, 8)))
    both = model.with_guide(strong, trained("weak.pth", small, ("a", "b")))
    assert len({strong.hash, both.hash}) == 2
    assert np.abs(painted(both).astype(int) - painted(strong)).max() > 3
    again = model.load_model(export(both, "safetensors", tmp_path), CPU)
    assert again.recipe.weak == small.net
    assert np.array_equal(painted(again), painted(both))
    assert again.hash == both.hash
    assert (
        np.abs(
            painted(model.load_model(export(again, "int8", tmp_path), CPU)).astype(int)
            - painted(both)
        ).mean()
        < 3
    )

    with pytest.raises(BadInput, match="other animals"):
        model.with_guide(strong, trained("other.pth", TINY, ("a", "c")))
    with pytest.raises(BadInput, match="same kind"):
        export(
            model.with_guide(
                strong, trained("edm.pth", dataclasses.replace(TINY, objective="edm"), ("a", "b"))
            ),
            "int8",
            tmp_path,
        )
    begun = model.build_model(strong.recipe, 2, CPU)
    # training goes on with the strong one alone
    model.inherit(begun, strong.recipe, ("a", "b"), both)
    assert all(
        torch.equal(value, strong.denoiser.net.state_dict()[name])
        for name, value in begun.net.state_dict().items()
    )


def test_a_model_saved_in_the_half_size_part_paints_at_half_size(tmp_path: Path) -> None:
    """The small part tells the network twice the noise it sees; a model saved then must be painted
    with in the same way.
    """
    from jungle.diffusion import checkpoint
    from jungle.diffusion.batched_sampling import SampleRequest
    from jungle.images.sampling import sample_pictures

    recipe = dataclasses.replace(TINY, image_size=32, small_share=0.5)
    denoiser = model.build_model(recipe, 3, CPU)
    state = begin_training(denoiser, recipe, 30)
    seen = list(
        train(
            denoiser,
            lambda s, g: (torch.randn((4, 3, 32, 32), generator=g), torch.eye(3)[[0, 1, 2, 0]]),
            recipe,
            state,
        )
    )
    assert len(seen) == 30
    weights = dict(denoiser.net.state_dict())
    checkpoint.save_checkpoint(
        tmp_path / "m.pth",
        checkpoint.Checkpoint(recipe, ("a", "b", "c"), 12, "", weights, {}, shrunk=2),
    )
    loaded = model.load_model(tmp_path / "m.pth", CPU)
    assert loaded.size == (16, 16)
    assert "half size" in loaded.note
    ((_, picture),) = sample_pictures(
        loaded, [SampleRequest(0, torch.zeros(3))], SampleRecipe(steps=3)
    )
    assert picture.shape == (16, 16, 3)
    x, sigma = torch.randn(2, 3, 16, 16), torch.tensor([0.5, 1.0])
    assert not torch.equal(
        loaded.denoiser(x, sigma, torch.zeros(2, 3)), denoiser(x, sigma, torch.zeros(2, 3))
    )
