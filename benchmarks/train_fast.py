"""A student of the shipped photo64 that paints in four evaluations:  train_fast.py PHOTOS --minutes 30 --out DIR

Progressive distillation (arXiv 2202.00512, section 3) in one stage, with the teacher's guidance inside (arXiv 2210.03142, section 3): a
photo with noise of one of the student's levels is brought to the next level by ``SUBSTEPS`` steps of the guided teacher, and the student
learns to get there in one. It begins with the teacher's weights; the loss is that of the velocity. Writes a model file that ``jungle images
--model`` paints with, and judges it by ``sampling.py``. Going on with the same ``--out`` continues from its last weights.
"""

import argparse
import dataclasses
import time
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from jungle.diffusion import checkpoint, device, model
from jungle.diffusion.denoiser import FlowDenoiser
from jungle.diffusion.sampler import Guided, Move, dpm2m, noise_levels
from jungle.diffusion.train import begin, train
from jungle.images import photos as photo_files
from jungle.images.training import Feed
from jungle.recipes import SampleRecipe, find
from jungle.weights import shipped
from jungle.workbench import cache

FAST = SampleRecipe(steps=4, solver="ddim", guidance=1.0, sigma_max=30.0, sigma_min=0.4)
TEACHER = SampleRecipe(guidance=4.0, guidance_low=0.3, guidance_high=3.0)
SUBSTEPS = 4  # of the teacher for one of the student's
LAST = 0.02  # the teacher's last level above 0


def never(*_: object) -> Tensor:
    """What the solver would ask for noise or for a second answer: DPM-Solver++(2M) needs neither."""
    raise NotImplementedError


class Student(FlowDenoiser):
    """A denoiser whose target is where the teacher arrives, not the photo."""

    teacher: Guided

    def loss(self, x: Tensor, mix: Tensor, generator: torch.Generator, shrunk: int = 1) -> tuple[Tensor, Tensor]:
        """Mean squared error of the velocity of each item, and its noise level, both (B,); the levels share the batch equally."""
        levels = noise_levels(self, FAST)
        pieces = torch.arange(len(x)) * FAST.steps // len(x)
        noisy, target, told = torch.empty_like(x), torch.empty_like(x), torch.empty(len(x))
        noise = torch.randn(x.shape, generator=generator)
        for piece, (s, t) in enumerate(pairwise(levels)):
            mine = pieces == piece
            noisy[mine] = x[mine] + s * noise[mine]
            there = self.arrive(noisy[mine], s, t, mix[mine])
            target[mine], told[mine] = (there - noisy[mine] * (t / s)) / (1 - t / s), s
        share = (told / (1 + told))[:, None, None, None]  # velocity = (x - clean) / t of the path
        return ((self(noisy, told, mix) - target) / share).square().mean(dim=(1, 2, 3)), told

    @torch.no_grad()
    def arrive(self, x: Tensor, s: float, t: float, mix: Tensor) -> Tensor:
        """Where the teacher brings ``x`` from level ``s`` to level ``t``."""
        end = t or LAST
        inside = [s * (end / s) ** (i / SUBSTEPS) for i in range(SUBSTEPS + 1)]
        previous: tuple[Tensor, float] | None = None
        for high, low in pairwise([*inside, 0.0] if t == 0 else inside):
            clean = self.teacher(x, torch.full((len(x),), high), mix)
            x = dpm2m(Move(never, never, x, clean, high, low, previous))
            previous = clean, high
        return x


def main() -> None:
    """Train, and save every two minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--updates", type=int, default=0, help="the plan; by default as many as the first ten promise")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    compute = device.choose("cpu")
    teacher = model.load(shipped("photo64.safetensors"), compute)
    recipe = dataclasses.replace(
        find("photo64"), name="fast64", small_share=0.0, lr=given.lr, warmup=50, seed=given.seed, drop_mix=0.05, sample=FAST
    )
    data = photo_files.load(given.photos, recipe, cache())
    student = Student(model.build(recipe, len(data.classes), compute).net, recipe, compute.dtype)
    before = given.out / checkpoint.MODEL_NAME
    start = model.load(before, compute) if before.exists() else teacher
    model.inherit(student, recipe, data.classes, dataclasses.replace(start, recipe=recipe))
    student.teacher = Guided(teacher.denoiser, TEACHER)
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
            checkpoint.save(before, made)
            saved = now
            rate = state.images / (now - start_time)
            print(f"{state.step} of {state.total}, {rate:.1f} images a second, loss {progress.loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
