"""Many items from one model, in lots of a fixed size, so that an item never depends on its
company.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config.recipes import SampleRecipe
from .device import out_of_memory
from .model import Model
from .sampler import sample


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """One item to draw: its seed and its class weights (K,), all zeros for any animal."""

    seed: int
    mix: Tensor


def batch_size(device: torch.device, recipe: SampleRecipe) -> int:
    """How many items the network always sees at once: ``batch`` items at most, and copies in the
    empty places.

    The last bits of an item depend on the number of items that a convolution or matrix product sees
    (measured on CPUs: docs/LOG.md), so that number is fixed by the device. The original loop is
    always one item at a time.
    """
    if recipe.solver == "ddpm" and recipe.batch == 1:
        return 1
    return max(4, torch.get_num_threads()) if device.type == "cpu" else 64


def draw_samples(
    model: Model, wishes: Sequence[SampleRequest], recipe: SampleRecipe, shape: tuple[int, int, int]
) -> Iterator[tuple[int, Tensor]]:
    """Draw every wish, yielding (its index, item (C, H, W) float32) as lots finish.

    On one device with one number of threads, the bytes of an item depend on its wish alone. Only
    when memory runs out is the lot halved, and the last bits may change.
    """
    size = batch_size(model.device, recipe)

    done = 0
    while done < len(wishes):
        part = wishes[done : done + min(recipe.batch or size, size)]
        mix = torch.stack([wish.mix for wish in part]).to(model.device)
        try:
            *_, last = sample(
                model.denoiser, [wish.seed for wish in part], mix, shape, recipe, model.weak, size
            )
        except RuntimeError as error:
            if size == 1 or not out_of_memory(error):
                raise

            # Half as many at once need half the memory; each item stays what it was.
            size //= 2
            continue
        for offset, item in enumerate(last.x):
            yield done + offset, item
        done += len(part)
