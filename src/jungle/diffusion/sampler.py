"""Noise levels and solvers. Sampling is a generator; each item has its own seed, so a batch changes
nothing.

A solver step maps (x at sigma s, clean estimate) to x at sigma t < s. All solvers work in EDM's
coordinates x = clean + sigma * noise and serve every :class:`~jungle.diffusion.denoiser.Denoiser`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..config.recipes import SampleRecipe
from ..errors import BadInput
from .denoiser import Denoiser


@dataclass(frozen=True, slots=True)
class Step:
    """One solver step: ``x`` and the ``clean`` estimate are (B, C, H, W) float32; ``sigma`` is the
    level of ``x``.
    """

    index: int
    total: int
    sigma: float
    x: Tensor
    clean: Tensor


@dataclass(frozen=True, slots=True)
class Move:
    """What a solver may use to go from level ``s`` down to level ``t`` (``t`` may be 0)."""

    denoise: Callable[[Tensor, float], Tensor]
    draw: Callable[[], Tensor]
    x: Tensor
    clean: Tensor
    s: float
    t: float
    previous: tuple[Tensor, float] | None  # the clean estimate one level up, and that level


class Guided:
    """A denoiser pushed away from a weaker one: weak + scale * (strong - weak), where low < sigma
    <= high.

    Args:
        weak: None for classifier-free guidance (the same network without its classes, arXiv
            2207.12598); another denoiser for autoguidance (a smaller or less trained copy, arXiv
            2406.02507). Told less of the classes (``weak_mix``), it does both at once.
    """

    def __init__(
        self, strong: Denoiser, recipe: SampleRecipe, weak: Denoiser | None = None
    ) -> None:
        self.strong, self.weak, self.recipe = strong, weak, recipe
        self.sigma_min, self.sigma_max, self.schedule = (
            strong.sigma_min,
            strong.sigma_max,
            strong.schedule,
        )

    def start(self, noise: Tensor, sigma: float) -> Tensor:
        """As the strong denoiser starts."""
        return self.strong.start(noise, sigma)

    def __call__(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
        """The guided clean estimate (B, C, H, W); ``sigma`` is the same for all items."""
        inside = self.recipe.guidance_low < float(sigma[0]) <= self.recipe.guidance_high
        nothing_to_leave_out = self.weak is None and mix.shape[1] == 0
        if self.recipe.guidance == 1.0 or not inside or nothing_to_leave_out:
            return self.strong(x, sigma, mix)

        # Autoguidance asks two networks; classifier-free guidance asks one network twice, in one
        # pass.
        if self.weak is not None:
            weak, strong = (
                self.weak(x, sigma, self.recipe.weak_mix * mix),
                self.strong(x, sigma, mix),
            )
        else:
            both = self.strong(
                torch.cat([x, x]),
                torch.cat([sigma, sigma]),
                torch.cat([torch.zeros_like(mix), mix]),
            )
            weak, strong = both.chunk(2)

        return weak.lerp(strong, self.recipe.guidance)


def noise_levels(denoiser: Denoiser, recipe: SampleRecipe) -> list[float]:
    """``steps`` levels from sigma_max down to sigma_min, then 0 (EDM, equation 5); for ``ddpm`` the
    model's own schedule.

    Raises:
        BadInput: the ddpm solver was asked of a model without a schedule, or for more steps than
            the schedule has.
    """
    if recipe.solver == "ddpm":
        return _schedule_levels(denoiser, recipe.steps)
    low, high = max(recipe.sigma_min, denoiser.sigma_min), min(recipe.sigma_max, denoiser.sigma_max)
    if low >= high:
        raise BadInput(
            f"sigma_min={low:g} is not below sigma_max={high:g}, the most noise that this model "
            "knows: choose a smaller sigma_min."
        )
    if recipe.steps == 1:
        return [high, 0.0]
    a, b = high ** (1 / recipe.rho), low ** (1 / recipe.rho)
    return [(a + i / (recipe.steps - 1) * (b - a)) ** recipe.rho for i in range(recipe.steps)] + [
        0.0
    ]


def _schedule_levels(denoiser: Denoiser, steps: int) -> list[float]:
    schedule = denoiser.schedule
    if schedule is None:
        raise BadInput(
            "solver=ddpm follows the noise schedule of a DDPM model and this model has none; use "
            "solver=ancestral instead."
        )
    if steps > len(schedule):
        raise BadInput(
            f"steps={steps}: this model was trained on {len(schedule)} noise steps; use at most so "
            "many."
        )
    stride = len(schedule) // steps  # "leading" spacing: timesteps 0, stride, 2 stride ...
    return [float(schedule[i * stride]) for i in reversed(range(steps))] + [0.0]


def heun(move: Move) -> Tensor:
    """Heun's 2nd order step (EDM, algorithm 1); two evaluations, one for the step to 0."""
    slope = (move.x - move.clean) / move.s
    euler = move.x + (move.t - move.s) * slope
    if move.t == 0:
        return euler
    slope_there = (euler - move.denoise(euler, move.t)) / move.t
    return move.x + (move.t - move.s) * (slope + slope_there) / 2


def dpm2m(move: Move) -> Tensor:
    """DPM-Solver++(2M) (arXiv 2211.01095, algorithm 2) in the data prediction; one evaluation."""
    if move.t == 0:
        return move.clean
    h = math.log(move.s / move.t)  # step in log-SNR / 2
    target = move.clean
    if move.previous is not None:
        clean_above, sigma_above = move.previous
        r = math.log(sigma_above / move.s) / h
        target = move.clean + (move.clean - clean_above) / (2 * r)
    return move.x * (move.t / move.s) + target * (1 - move.t / move.s)


def ddim(move: Move) -> Tensor:
    """DDIM (arXiv 2010.02502, equation 12 without noise): straight to the clean estimate; one
    evaluation.
    """
    return move.x * (move.t / move.s) + move.clean * (1 - move.t / move.s)


def ancestral(move: Move) -> Tensor:
    """A draw from q(x_t | x_s, clean): the posterior of DDPM (arXiv 2006.11239, equations 6 and 7)
    in EDM's coordinates.
    """
    ratio = (move.t / move.s) ** 2
    mean = ratio * move.x + (1 - ratio) * move.clean
    if move.t == 0:
        return mean
    return mean + move.t * math.sqrt(1 - ratio) * move.draw()


def consistency(move: Move) -> Tensor:
    """Multistep consistency sampling (arXiv 2303.01469, algorithm 1): the clean estimate with new
    noise; one evaluation.

    The step to 0 adds none: the last estimate is the result.
    """
    if move.t == 0:
        return move.clean
    return move.clean + move.t * move.draw()


SOLVERS: dict[str, Callable[[Move], Tensor]] = {
    "heun": heun,
    "dpm2m": dpm2m,
    "ddim": ddim,
    "ancestral": ancestral,
    "consistency": consistency,
    "ddpm": ancestral,
}


def evaluations(recipe: SampleRecipe) -> int:
    """Evaluations of the denoiser for one picture (guidance doubles the work inside an
    evaluation).
    """
    return 2 * recipe.steps - 1 if recipe.solver == "heun" else recipe.steps


@torch.no_grad()
def sample(  # noqa: PLR0913
    denoiser: Denoiser,
    seeds: Sequence[int],
    mix: Tensor,
    shape: tuple[int, int, int],
    recipe: SampleRecipe,
    weak: Denoiser | None = None,
    least: int = 1,
) -> Iterator[Step]:
    """Draw one item for each seed, yielding after every solver step; the last step's ``x`` is the
    result.

    Args:
        seeds: one for each item; the noise comes from a CPU generator of its own, so item and seed
            belong together in any batch and on any device.
        mix: (B, K) on the device to work on.
        shape: (C, H, W) of one item.
        weak: see :class:`Guided`.
        least: smaller batches are filled up with copies to so many items inside the network, see
            ``images.paint.lot``.

    Raises:
        BadInput: see :func:`noise_levels`.
    """
    device = mix.device
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    guided = Guided(denoiser, recipe, weak)
    levels = noise_levels(denoiser, recipe)

    def draw() -> Tensor:
        return torch.stack([torch.randn(shape, generator=g) for g in generators]).to(device)

    def denoise(x: Tensor, sigma: float) -> Tensor:
        # Kernels round differently at other batch sizes: filling up keeps an item's bytes in any
        # company.
        missing = max(0, least - x.shape[0])
        full, full_mix = (
            torch.cat([v, v[-1:].expand(missing, *v.shape[1:])]) if missing else v for v in (x, mix)
        )
        return guided(full, torch.full((full.shape[0],), sigma, device=device), full_mix)[
            : x.shape[0]
        ]

    x = guided.start(draw(), levels[0])
    previous: tuple[Tensor, float] | None = None
    for index, (s, t) in enumerate(pairwise(levels)):
        clean = denoise(x, s)
        x = SOLVERS[recipe.solver](Move(denoise, draw, x, clean, s, t, previous))
        previous = (clean, s)
        yield Step(index + 1, len(levels) - 1, t, x, clean)
