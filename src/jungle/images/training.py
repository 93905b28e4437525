"""``jungle train`` for photos: data, loop, checkpoints, previews and the health report of one run folder.

animal_diffusion_model.pth    the model, usable at any moment
animal_diffusion_model.state  what going on needs
stats.jsonl                   one line every few seconds
preview.png, previews/        the same seeds, painted every few minutes
report.txt                    how it went, in plain words
skipped.txt                   photos that were not used, and why
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..diffusion import checkpoint, model
from ..diffusion.budget import TimeBudget, mean_cost
from ..diffusion.denoiser import OwnDenoiser
from ..diffusion.device import Compute
from ..diffusion.train import BANDS, Progress, State, begin, seed_of, shrunk_at, train
from ..errors import BadInput
from ..recipes import Recipe, SampleRecipe
from ..store import digest, make_folder, write_atomic, write_bytes, write_json
from . import augment
from .health import Health, compare_averages, describe
from .paint import Wish, contact_sheet, paint
from .photos import PhotoSet

SAVE_SECONDS = 90.0  # with a preview and a slow update after it still less than two minutes: no more work is ever lost
PREVIEW_SECONDS = 180.0
STATS_SECONDS = 5.0
PREVIEWS = 12
SPEEDS = "speed.json"
UNPLANNED = 10**9  # updates of a run with a time budget, before its first few are timed
STATE_NAME = "animal_diffusion_model.state"
PREVIEW_SAMPLING = SampleRecipe(steps=16)


@dataclass
class Feed:
    """Batches of photos as a function of the update number: see ``diffusion.train.Batches``."""

    photos: PhotoSet
    recipe: Recipe
    device: torch.device
    _cumulative: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        counts = np.bincount(self.photos.labels, minlength=len(self.photos.classes)).astype(np.float64)
        weights = counts[self.photos.labels] ** -self.recipe.balance
        self._cumulative = np.cumsum(weights) / weights.sum()

    @property
    def updates_an_epoch(self) -> int:
        """Batches that show every photo once; the last may be smaller."""
        return -(-len(self.photos.labels) // self.recipe.batch)

    def indices(self, step: int) -> np.ndarray:
        """Which photos update ``step`` sees: every photo once an epoch, or, with ``balance``, small classes more often."""
        if self.recipe.balance == 0:
            epoch, position = divmod(step, self.updates_an_epoch)
            order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.photos.labels))
            return np.sort(order[position * self.recipe.batch : (position + 1) * self.recipe.batch])
        draws = np.random.default_rng([self.recipe.seed, step, 1]).random(self.recipe.batch)
        return np.sort(np.searchsorted(self._cumulative, draws).clip(max=len(self._cumulative) - 1))

    def __call__(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) float32 in [-1, 1], augmented, and mix (B, K), on the device."""
        chosen = self.indices(step)
        where = self.device
        if where.type == "mps":  # lacks float64 and bicubic sampling: augment on the CPU
            where, generator = torch.device("cpu"), torch.Generator().manual_seed(seed_of(self.recipe.seed, step))
        pixels = torch.from_numpy(np.ascontiguousarray(self.photos.images[chosen])).to(where).permute(0, 3, 1, 2)
        if self.recipe.augment == "original":
            pixels = augment.original(pixels, generator)
        x = pixels.float() / 127.5 - 1
        if self.recipe.augment == "safe":
            x = augment.safe(x, generator)
        elif self.recipe.augment == "flip":
            x = augment.flip(x, generator)
        labels = torch.from_numpy(self.photos.labels[chosen]).to(self.device)
        return x.to(self.device), torch.nn.functional.one_hot(labels, len(self.photos.classes)).float()


def _speeds(cache: Path) -> dict[str, float]:
    """Seconds an update at full size that earlier runs measured on this machine."""
    try:
        known = json.loads((cache / SPEEDS).read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _speed_key(recipe: Recipe, compute: Compute) -> str:
    return digest(recipe.network, repr(recipe.net), recipe.size, recipe.batch, str(compute))


def trial(recipe: Recipe, classes: int, compute: Compute, clock: Callable[[], float]) -> tuple[float, int | None]:
    """Training images a second over a whole run, and the peak memory of this process in bytes (None where unknown).

    Measured on four real updates with noise for photos, the first of which does not count.
    """
    net = model.build(recipe, classes, compute)
    x = torch.zeros((recipe.batch, 3, *recipe.size), device=compute.device)
    mix = torch.zeros((recipe.batch, classes), device=compute.device)
    updates = train(net, lambda step, generator: (x, mix), recipe, begin(net, recipe, 4))
    next(updates)
    start = clock()
    list(updates)
    seconds = (clock() - start) / 3
    try:
        import resource
    except ImportError:  # not on Windows
        return recipe.batch / (seconds * mean_cost(recipe.small_share)), None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return recipe.batch / (seconds * mean_cost(recipe.small_share)), peak


class Run:
    """One training run in one folder. Opening a folder that holds the same run goes on with it.

    Args:
        minutes: time budget; 0 = as many updates as the recipe says.
        clock: seconds, monotonic; ``started`` is its value when the command began.
        cache: folder that remembers seconds an update by machine and recipe, for the plan of the next run.

    Raises:
        BadInput: the folder holds another run, or the recipe asks for nothing to be trained.
    """

    def __init__(
        self,
        out: Path,
        photos: PhotoSet,
        recipe: Recipe,
        compute: Compute,
        minutes: float,
        clock: Callable[[], float],
        started: float,
        cache: Path,
    ) -> None:
        self.out, self.photos, self.recipe, self.compute, self.clock, self.cache = make_folder(out), photos, recipe, compute, clock, cache
        self.feed = Feed(photos, recipe, compute.device)
        self.model = model.build(recipe, len(photos.classes), compute)
        self.key = digest(recipe.to_json(), photos.fingerprint, str(compute.dtype), minutes)
        total = recipe.steps or max(1, round(recipe.epochs * self.feed.updates_an_epoch))
        self.state: State = begin(self.model, recipe, recipe.steps or UNPLANNED if minutes else total)
        self.resumed_at = self._resume()
        spent = float(self.state.extra.get("seconds", 0.0))
        known = self.state.extra.get("seconds_an_update") or _speeds(cache).get(_speed_key(recipe, compute))
        started = clock() if self.resumed_at else started  # opening photos again is not training
        self.budget = TimeBudget(minutes, clock, started, spent, known, recipe.small_share)
        self.minutes = minutes
        self._saved = self._previewed = self._noted = clock()
        self._window: list[Progress] = []

    def _resume(self) -> int:
        packed = checkpoint.read_state(self.out / STATE_NAME)
        if packed is None:
            if (self.out / checkpoint.MODEL_NAME).exists():
                raise BadInput(
                    f"{self.out} holds a model, {checkpoint.MODEL_NAME}, without a run to go on with: choose another --out, or move it."
                )
            return 0
        if packed.pop("key", None) != self.key:
            raise BadInput(
                f"{self.out} holds a run with another recipe, other photos or another time: "
                f"choose another --out, or delete {checkpoint.MODEL_NAME} and {STATE_NAME} in it to start anew."
            )
        if packed["total"] >= UNPLANNED:
            return 0  # stopped in its first seconds, before the plan was made: begin again
        for part in self.out.glob(".animal_diffusion_model.*.part"):
            part.unlink()  # what a kill -9 in the middle of a save leaves
        self.state.unpack(self.model.net, packed)
        return self.state.step

    def list_skipped(self) -> list[str]:
        """One line for each reason why photos were skipped, with a few names; every name goes into skipped.txt."""
        reasons: dict[str, list[str]] = {}
        for path, reason in self.photos.skipped:
            reasons.setdefault(reason, []).append(path)
        if reasons:
            text = "".join(f"{path}: {reason}\n" for reason, paths in reasons.items() for path in paths)
            write_bytes(self.out / "skipped.txt", text.encode(errors="backslashreplace"))
        few = {reason: ", ".join(paths[:3]) + (" ..." if len(paths) > 3 else "") for reason, paths in reasons.items()}
        return [f"Skipped {len(paths)} ({few[reason]}): {reason}" for reason, paths in reasons.items()]

    @property
    def finished(self) -> bool:
        """Nothing is left to train."""
        return self.state.step >= self.state.total

    def steps(self) -> Iterator[Progress]:
        """Train to the end, saving, previewing and logging on the way; stop consuming at any time, then call :meth:`save`."""
        for progress in train(self.model, self.feed, self.recipe, self.state):
            if self.minutes:
                self._follow_budget()
            self._log(progress)
            now = self.clock()
            every = self.recipe.checkpoint_every
            if now - self._saved >= SAVE_SECONDS or (every and self.state.step % every == 0):
                self.save()
            if now - self._previewed >= PREVIEW_SECONDS:
                self.preview()
                self._previewed = self.clock()
            self.budget.pause(self.clock() - now)
            yield progress

    def _follow_budget(self) -> None:
        before = self.budget.known_seconds
        self.state.total = self.budget.plan(self.state.step, self.state.total)
        self.state.extra["seconds_an_update"] = self.budget.known_seconds
        if self.budget.known_seconds != before and self.budget.known_seconds:
            key = _speed_key(self.recipe, self.compute)
            write_json(self.cache / SPEEDS, _speeds(self.cache) | {key: self.budget.known_seconds})

    def _log(self, progress: Progress) -> None:
        self._window.append(progress)
        if self.clock() - self._noted < STATS_SECONDS and not self.finished and not progress.note:
            return
        self._noted = self.clock()
        line = describe(self._window) | {"seconds": round(self.budget.used(), 1), "bands": list(BANDS)}
        with (self.out / "stats.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._window.clear()

    def save(self) -> None:
        """Training state and model, atomically; the state first, because a model without one is somebody else's."""
        self.state.extra["seconds"] = self.budget.used()
        checkpoint.save_state(self.out / STATE_NAME, self.state.pack(self.model.net), self.key)
        self._save_model(self.state.ema)
        self._saved = self.clock()

    def _save_model(self, ema: dict[str, Tensor]) -> None:
        weights = {name: value.cpu() for name, value in self.model.net.state_dict().items()}
        averaged = {name: value.cpu() for name, value in ema.items()}
        shrunk = shrunk_at(self.recipe, self.state)
        made = checkpoint.Checkpoint(self.recipe, self.photos.classes, self.state.step, self.photos.fingerprint, weights, averaged, shrunk)
        checkpoint.save(self.out / checkpoint.MODEL_NAME, made)

    def _preview_wishes(self) -> list[Wish]:
        count, own = len(self.photos.classes), self.recipe.network == "unet"
        classes = torch.eye(count) if own else torch.zeros(count, 0)
        number = PREVIEWS if own else PREVIEWS // 3  # the faithful network is 50 times slower
        return [Wish(seed, classes[seed * count // number % count]) for seed in range(number)]

    def preview(self, averaged: bool = True) -> np.ndarray:
        """Paint the fixed seeds with the averaged or the raw weights into preview.png; returns them (N, H, W, 3) uint8."""
        raw = {name: value.clone() for name, value in self.model.net.state_dict().items()}
        if self.state.ema and averaged:
            self.model.net.load_state_dict(self.state.ema)
        self.model.net.eval()
        shrunk, step = shrunk_at(self.recipe, self.state), self.state.step
        now = model.Model(self.model, self.recipe, self.photos.classes, step, "", "", self.compute.device, shrunk=shrunk)
        if isinstance(self.model, OwnDenoiser):
            self.model.shrink(shrunk)
        try:
            pictures = np.stack([picture for _, picture in paint(now, self._preview_wishes(), PREVIEW_SAMPLING)])
        finally:
            self.model.net.load_state_dict(raw)
            self.model.net.train()
        sheet: Image.Image = contact_sheet(pictures, columns=PREVIEWS, scale=2 * shrunk)
        for path in (self.out / "preview.png", self.out / "previews" / f"update_{self.state.step:07d}.png"):
            write_atomic(path, lambda file: sheet.save(file, "PNG"))
        return pictures

    def finish(self) -> Health:
        """The last save and preview, the better of raw and averaged weights, and the report."""
        self.save()
        comparison = compare_averages(self.model, self.state, self.feed, seed_of(self.recipe.seed, 10**9))
        averaged = comparison is None or not comparison.raw_is_better
        if not averaged:
            self._save_model({})
        health = Health.of(self.out, self.photos, self.state, self.preview(averaged), comparison, self.budget.used())
        write_bytes(self.out / "report.txt", health.to_text().encode())
        return health
