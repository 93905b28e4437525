"""One training run in one folder: the loop, checkpoints, previews and statistics, and going on where it stopped.

animal_diffusion_model.pth    the model, usable at any moment
animal_diffusion_model.state  what going on needs
stats.jsonl                   one line every few seconds
report.txt                    how it went, in plain words
skipped.txt                   files that were not used, and why
"""

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from ..errors import BadInput
from ..recipes import Recipe
from ..store import digest, make_folder, write_bytes, write_json
from . import checkpoint, model
from .budget import TimeBudget, mean_cost
from .denoiser import OwnDenoiser
from .device import Compute
from .health import Comparison, Health, compare_averages, describe
from .train import BANDS, Progress, State, begin, seed_of, shrunk_at, train

SAVE_SECONDS = 90.0  # with a preview and a slow update after it still less than two minutes: no more work is ever lost
PREVIEW_SECONDS = 180.0
STATS_SECONDS = 5.0
SPEEDS = "speed.json"
UNPLANNED = 10**9  # updates of a run with a time budget, before its first few are timed
STATE_NAME = "animal_diffusion_model.state"

Shown = TypeVar("Shown")


class Data(Protocol):
    """What a run learns from."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of the mix."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names the data: another one is another run."""
        ...

    @property
    def skipped(self) -> Sequence[tuple[str, str]]:
        """Files that are not used, and why."""
        ...

    def __len__(self) -> int:
        """Items."""
        ...


class Feed(Protocol):
    """Batches as a function of the update number; see ``diffusion.train.Batches``."""

    @property
    def updates_an_epoch(self) -> int:
        """Updates that show every item once."""
        ...

    def __call__(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Items (B, C, H, W) and mix (B, K), on the device."""
        ...


def _speeds(cache: Path) -> dict[str, float]:
    """Seconds an update at full size that earlier runs measured on this machine."""
    try:
        known = json.loads((cache / SPEEDS).read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _speed_key(recipe: Recipe, compute: Compute) -> str:
    return digest(recipe.network, repr((recipe.net, recipe.fine)), recipe.size, recipe.batch, str(compute))


def trial(recipe: Recipe, classes: int, compute: Compute, clock: Callable[[], float]) -> tuple[float, int | None]:
    """Training images a second over a whole run, and the peak memory of this process in bytes (None where unknown).

    Measured on four real updates with nothing for photos, the first of which does not count.
    """
    net = model.build(recipe, classes, compute)
    x = torch.zeros((recipe.batch, recipe.net.image_channels, *recipe.size), device=compute.device)
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


class Run(ABC, Generic[Shown]):
    """One training run in one folder. Opening a folder that holds the same run goes on with it.

    Args:
        minutes: time budget; 0 = as many updates as the recipe says.
        clock: seconds, monotonic; ``started`` is its value when the command began.
        cache: folder that remembers seconds an update by machine and recipe, for the plan of the next run.
        start: begin with the weights of this model.

    Raises:
        BadInput: the folder holds another run, the recipe asks for nothing to be trained, or ``start`` has another network.
    """

    def __init__(
        self,
        out: Path,
        data: Data,
        feed: Feed,
        recipe: Recipe,
        compute: Compute,
        minutes: float,
        clock: Callable[[], float],
        started: float,
        cache: Path,
        start: model.Model | None = None,
    ) -> None:
        self.out, self.data, self.recipe, self.compute, self.clock, self.cache = make_folder(out), data, recipe, compute, clock, cache
        self.feed = feed
        self.model = model.build(recipe, len(data.classes), compute)
        self.key = digest(recipe.to_json(), data.fingerprint, str(compute.dtype), minutes, *([start.hash] if start else []))
        total = recipe.steps or max(1, round(recipe.epochs * self.feed.updates_an_epoch))
        self.state: State = begin(self.model, recipe, recipe.steps or UNPLANNED if minutes else total)
        self.resumed_at = self._resume()
        if start and not self.resumed_at:
            model.inherit(self.model, recipe, data.classes, start)
            self.state.ema = begin(self.model, recipe, 1).ema
        spent = float(self.state.extra.get("seconds", 0.0))
        known = self.state.extra.get("seconds_an_update") or _speeds(cache).get(_speed_key(recipe, compute))
        started = clock() if self.resumed_at else started  # opening the data again is not training
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
                f"{self.out} holds a run with another recipe, other data or another time: "
                f"choose another --out, or delete {checkpoint.MODEL_NAME} and {STATE_NAME} in it to start anew."
            )
        if packed["total"] >= UNPLANNED:
            return 0  # stopped in its first seconds, before the plan was made: begin again
        for part in self.out.glob(".animal_diffusion_model.*.part"):
            part.unlink()  # what a kill -9 in the middle of a save leaves
        self.state.unpack(self.model.net, packed)
        return self.state.step

    def list_skipped(self) -> list[str]:
        """One line for each reason why files were skipped, with a few names; every name goes into skipped.txt."""
        reasons: dict[str, list[str]] = {}
        for path, reason in self.data.skipped:
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
        made = checkpoint.Checkpoint(self.recipe, self.data.classes, self.state.step, self.data.fingerprint, weights, averaged, shrunk)
        checkpoint.save(self.out / checkpoint.MODEL_NAME, made)

    def preview(self, averaged: bool = True) -> Shown:
        """What :meth:`show` draws with the averaged or the raw weights."""
        raw = {name: value.clone() for name, value in self.model.net.state_dict().items()}
        if self.state.ema and averaged:
            self.model.net.load_state_dict(self.state.ema)
        self.model.net.eval()
        shrunk = shrunk_at(self.recipe, self.state)
        now = model.Model(self.model, self.recipe, self.data.classes, self.state.step, "", "", self.compute.device, shrunk=shrunk)
        if isinstance(self.model, OwnDenoiser):
            self.model.shrink(shrunk)
        try:
            return self.show(now)
        finally:
            self.model.net.load_state_dict(raw)
            self.model.net.train()

    @abstractmethod
    def show(self, now: model.Model) -> Shown:
        """Draw the fixed seeds with the model as it is now into the run's folder."""

    @abstractmethod
    def end(self) -> Health:
        """Finish, and write the report."""

    def finish(self) -> tuple[Shown, Comparison | None]:
        """The last save and preview, with the better of raw and averaged weights."""
        self.save()
        comparison = compare_averages(self.model, self.state, self.feed, seed_of(self.recipe.seed, 10**9))
        averaged = comparison is None or not comparison.raw_is_better
        if not averaged:
            self._save_model({})
        return self.preview(averaged), comparison

    def report(self, comparison: Comparison | None, verdict: str, recognisable: int) -> Health:
        """The report on a finished run, written as report.txt; ``verdict`` is a sentence on the preview."""
        data, state = self.data, self.state
        health = Health(
            self.out, self.recipe.media, len(data), len(data.skipped), len(data.classes), state.step, state.images, self.budget.used(),
            state.rollbacks, comparison, verdict, recognisable,
        )  # fmt: skip
        write_bytes(self.out / "report.txt", health.to_text().encode())
        return health
