"""A second network for the last noise levels of a model of calls:  train_detail.py RECORDINGS --start MODEL --minutes 45 --out DIR

The shipped network folds 8x8 squares, which tells noise from detail no better than a linear filter does (docs/LOG.md). This one folds
2x2, learns from strips of spectrograms at low noise alone, and takes over below ``--below`` (``diffusion/experts.py``). Saves every two
minutes; writes a model of both for ``jungle sounds --model``, and prints the error of the estimates at three noise levels.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jungle.diffusion import checkpoint, device, model
from jungle.diffusion.denoiser import Trainable
from jungle.diffusion.train import State, begin, train
from jungle.recipes import NetRecipe, Recipe
from jungle.sounds import clips
from jungle.sounds.feed import Feed
from jungle.workbench import cache

NET = NetRecipe(image_channels=1, patch=2, widths=(64, 128, 256), blocks=(2, 2, 2), attention=(), embedding=64)
COLUMNS = 64  # of a strip: half a second
BATCH = 8  # strips an update, each from another recording
HEARD = (0.03, 0.1, 0.3)  # noise levels that are tried
TIMED = range(20, 61)  # updates whose speed says how many fit


def joined(start: checkpoint.Checkpoint, fine: NetRecipe, below: float, weights: dict[str, Tensor]) -> checkpoint.Checkpoint:
    """The model whose network is that of ``start``, and ``fine`` with ``weights`` under sigma ``below``, where nothing guides."""
    sample = dataclasses.replace(start.recipe.sample, steps=16, guidance_low=below)
    recipe = dataclasses.replace(start.recipe, fine=fine, fine_below=below, sample=sample)
    both = {f"coarse.{name}": value for name, value in start.best.items()} | {f"fine.{name}": value for name, value in weights.items()}
    return dataclasses.replace(start, recipe=recipe, weights=both, ema={})


class Strips:
    """Batches for training: one strip of :data:`COLUMNS` out of each window of a feed."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def __call__(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, 1, BINS, COLUMNS) and the mix (B, K)."""
        x, mix = self.feed(step, generator)
        places = np.random.default_rng([5, step]).integers(0, (x.shape[3] - COLUMNS) // 16 + 1, len(x)) * 16
        return torch.stack([one[:, :, place : place + COLUMNS] for one, place in zip(x, places, strict=True)]), mix


def errors(denoiser: Trainable, x: Tensor, mix: Tensor) -> list[float]:
    """Root mean square error of the clean estimates of ``x`` at each level of :data:`HEARD`."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = [denoiser(x + sigma * noise, torch.full((len(x),), sigma), mix) - x for sigma in HEARD]
    return [float(error.square().mean().sqrt()) for error in found]


def test(net: Trainable, state: State, x: Tensor, mix: Tensor) -> list[float]:
    """:func:`errors` of the averaged weights."""
    raw = {name: value.clone() for name, value in net.net.state_dict().items()}
    net.net.load_state_dict(state.ema)
    found = errors(net, x, mix)
    net.net.load_state_dict(raw)
    return found


def main() -> None:
    """Parse and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--start", type=Path, required=True, help="the model that gets the second network")
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--below", type=float, default=0.7, help="sigma")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    compute = device.choose("")
    start = checkpoint.read(given.start)
    if not isinstance(start, checkpoint.Checkpoint):
        raise SystemExit(f"{given.start} is not a model of jungle.")
    if start.recipe.fine:
        raise SystemExit(f"{given.start} has a second network already: give the model that it began with.")
    recipe: Recipe = dataclasses.replace(
        start.recipe, net=NET, small_share=0.0, lr=3e-3, warmup=100, batch=BATCH, p_mean=-1.5, p_std=1.0, drop_mix=0.2, seed=given.seed
    )
    data = clips.load(given.recordings, recipe, cache())
    if data.classes != start.classes:
        raise SystemExit(f"{given.start} knows {', '.join(start.classes)}, not {', '.join(data.classes)}.")
    x, mix = Feed(data, dataclasses.replace(recipe, augment="none", batch=16), compute.device)(0, torch.Generator())
    print("before:", errors(model.load(given.start, compute).denoiser, x, mix))
    fine = model.build(recipe, len(data.classes), compute)
    state = begin(fine, recipe, 10**6)
    given.out.mkdir(parents=True, exist_ok=True)
    began = saved = timed = time.monotonic()
    for progress in train(fine, Strips(Feed(data, recipe, compute.device)), recipe, state):
        now = time.monotonic()
        if progress.step == TIMED.start:
            timed = now
        if progress.step == TIMED.stop:
            state.total = int(TIMED.stop + (60 * given.minutes - (now - began)) * len(TIMED) / (now - timed))
        if now - saved > 120 or state.step >= state.total:
            saved = now
            checkpoint.save(given.out / checkpoint.MODEL_NAME, joined(start, NET, given.below, state.ema))
            print(f"{state.step} of {state.total}:", test(fine, state, x, mix), flush=True)


if __name__ == "__main__":
    main()
