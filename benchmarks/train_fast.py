"""A student of the shipped photo64 that paints in four evaluations:  train_fast.py PHOTOS --minutes 30 --out DIR

Progressive distillation (arXiv 2202.00512, section 3) in one stage, with the teacher's guidance inside (arXiv 2210.03142, section 3).
The teacher paints from noise in its own 16 evaluations, and the student learns to get from each of its four noise levels to the next
in one: a seed still gives the same picture. It begins with the teacher's weights, or with those of ``--start``; the loss is that of
the velocity. The photos only say which kinds are asked for, and how often. Writes a model for ``jungle images --model``.
"""

import argparse
import dataclasses
import math
import time
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from jungle.diffusion import checkpoint, device, model
from jungle.diffusion.denoiser import FlowDenoiser, expand
from jungle.diffusion.sampler import Guided, Move, dpm2m, noise_levels
from jungle.diffusion.train import begin, train
from jungle.images import photos as photo_files
from jungle.images.training import Feed
from jungle.recipes import SampleRecipe, find
from jungle.weights import shipped
from jungle.workbench import cache

FAST = SampleRecipe(steps=4, solver="ddim", guidance=1.0, sigma_min=0.21, rho=100.0)


def never(*_: object) -> Tensor:
    """What DPM-Solver++(2M) never asks for: noise, and a second answer."""
    raise NotImplementedError


class Student(FlowDenoiser):
    """A denoiser that learns where the teacher arrives, not the photo."""

    teacher: Guided

    def levels(self) -> tuple[list[float], list[float]]:
        """The teacher's noise levels, the nearest ones moved onto the student's; and the student's."""
        theirs, mine = noise_levels(self.teacher, self.teacher.recipe), noise_levels(self, FAST)
        for level in mine[1:-1]:
            near = min(range(len(theirs) - 1), key=lambda i: abs(math.log(theirs[i] / level)))
            theirs[near] = level
        return theirs, mine

    @torch.no_grad()
    def paths(self, noise: Tensor, mix: Tensor) -> list[Tensor]:
        """Where the teacher passes from unit noise (B, C, H, W) to pictures: (B, C, H, W) at each of the student's levels, the last 0."""
        theirs, mine = self.levels()
        x, previous = noise * theirs[0], None
        passed = [x]
        for high, low in pairwise(theirs):
            clean = self.teacher(x, torch.full((len(x),), high), mix)
            x = dpm2m(Move(never, never, x, clean, high, low, previous))
            previous = clean, high
            if low in mine:
                passed.append(x)
        return passed

    def loss(self, x: Tensor, mix: Tensor, generator: torch.Generator, shrunk: int = 1) -> tuple[Tensor, Tensor]:
        """Mean squared error of the velocity of each item, and its noise level, both (B,): B / 4 of the teacher's paths, cut in four."""
        _, levels = self.levels()
        mix = mix[:: FAST.steps]  # a batch is sorted by class
        passed = self.paths(torch.randn(x[:: FAST.steps].shape, generator=generator), mix)
        noisy, there = torch.cat(passed[:-1]), torch.cat(passed[1:])
        told, next_told = (torch.tensor(some).repeat_interleave(len(mix)) for some in (levels[:-1], levels[1:]))
        ratio = expand(next_told / told)
        target = (there - noisy * ratio) / (1 - ratio)  # the clean estimate from which DDIM steps to where the teacher arrives
        error = (self(noisy, told, mix.repeat(FAST.steps, 1)) - target) / expand(told / (1 + told))  # velocity = (x - clean) / t
        return error.square().mean(dim=(1, 2, 3)), told


def main() -> None:
    """Train, and save every two minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--updates", type=int, default=0, help="the plan; by default as many as the first ten promise")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, default=None, help="a student to go on with")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    compute = device.choose("cpu")
    teacher = model.load(shipped("photo64.safetensors"), compute)
    recipe = dataclasses.replace(
        find("photo64"),
        name="fast64",
        net=teacher.recipe.net,
        small_share=0.0,
        lr=given.lr,
        warmup=50,
        seed=given.seed,
        drop_mix=0.05,
        sample=FAST,
    )
    data = photo_files.load(given.photos, recipe, cache())
    student = Student(model.build(recipe, len(data.classes), compute).net, recipe, compute.dtype)
    start = model.load(given.start, compute) if given.start else teacher
    model.inherit(student, recipe, data.classes, dataclasses.replace(start, recipe=recipe))
    student.teacher = Guided(teacher.denoiser, teacher.recipe.sample, teacher.weak)
    given.out.mkdir(parents=True, exist_ok=True)
    state = begin(student, recipe, given.updates or 10**6)
    start_time = saved = time.monotonic()
    for progress in train(student, Feed(data, recipe, compute.device), recipe, state):
        now = time.monotonic()
        if not given.updates and progress.step == 10:
            state.total = int(10 * 60 * given.minutes / (now - start_time))
        if now - saved > 120 or state.step >= state.total:
            weights = {name: value.clone() for name, value in student.net.state_dict().items()}
            made = checkpoint.Checkpoint(recipe, data.classes, state.step, data.fingerprint, weights, state.ema)
            checkpoint.save(given.out / checkpoint.MODEL_NAME, made)
            saved = now
            rate = state.images / (now - start_time)
            print(f"{state.step} of {state.total}, {rate:.1f} images a second, loss {progress.loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
