"""How fast this machine trains: measured on a few updates, and remembered from run to run."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from ..config.recipes import Recipe
from ..storage.atomic import digest, write_json
from . import model
from .device import Compute
from .time_budget import ADVERSARIAL_COST, mean_cost
from .train import begin_training, train

SPEEDS = "speed.json"


def known_speeds(cache: Path) -> dict[str, float]:
    """Seconds an update at full size that earlier runs measured on this machine."""
    try:
        known = json.loads((cache / SPEEDS).read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def speed_key(recipe: Recipe, compute: Compute, part: str = "") -> str:
    """Names what decides the time of an update; ``part`` is "" for diffusion."""
    parts = (
        recipe.network,
        repr((recipe.net, recipe.fine)),
        recipe.size,
        recipe.batch,
        str(compute),
    )
    return digest(*parts, part) if part else digest(*parts)


def remember_speed(cache: Path, key: str, seconds: float) -> None:
    """For the plan of the next run."""
    write_json(cache / SPEEDS, known_speeds(cache) | {key: seconds})


def mean_update(recipe: Recipe) -> float:
    """Of an update over a whole run, against one of diffusion at full size."""
    share = recipe.adversarial_share
    return (1 - share) * mean_cost(recipe.small_share) + share * ADVERSARIAL_COST


def trial(
    recipe: Recipe, classes: int, compute: Compute, clock: Callable[[], float]
) -> tuple[float, int | None]:
    """Training images a second over a whole run, and the peak memory of this process in bytes (None
    where unknown).

    Measured on four real updates with nothing for photos, the first of which does not count.
    """
    net = model.build_model(recipe, classes, compute)
    x = torch.zeros((recipe.batch, recipe.net.image_channels, *recipe.size), device=compute.device)
    mix = torch.zeros((recipe.batch, classes), device=compute.device)
    updates = train(net, lambda step, generator: (x, mix), recipe, begin_training(net, recipe, 4))

    # The first update allocates and compiles; it is not timed.
    next(updates)
    start = clock()
    list(updates)
    seconds = (clock() - start) / 3

    try:
        import resource
    except ImportError:  # not on Windows
        return recipe.batch / (seconds * mean_update(recipe)), None

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )

    return recipe.batch / (seconds * mean_update(recipe)), peak
