"""One training run in one folder: the loop, checkpoints, previews and statistics, and going on
where it stopped.

A run has one or two parts: diffusion, and adversarial training that makes a sampler of few
evaluations.

animal_diffusion_model.pth    the model, usable at any moment
animal_diffusion_model.state  what going on needs
stats.jsonl                   one line every few seconds
report.txt                    how it went, in plain words
skipped.txt                   files that were not used, and why
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor

from ..config.recipe_table import ADVERSARIAL_LEVELS, CONSISTENCY
from ..config.recipes import Recipe
from ..errors import BadInput
from ..storage.atomic import digest, make_folder, write_bytes
from . import adversarial, checkpoint, model
from .adversarial import AdversarialProgress, AdversarialSetup, AdversarialState
from .denoiser import OwnDenoiser
from .device import Compute
from .report import (
    AdversarialReport,
    Comparison,
    TrainingReport,
    compare_averages,
    describe_plan,
    describe_skipped,
)
from .sampler import noise_levels
from .speed import known_speeds, remember_speed, speed_key
from .stats_log import StatsLog
from .time_budget import TimeBudget, share_done
from .train import Progress, State, begin_training, seed_of, shrunk_at, train
from .training_inputs import BatchSource, TrainingData

# with a preview and a slow update after it still less than two minutes: no more work is ever lost
SAVE_SECONDS = 90.0
PREVIEW_SECONDS = 180.0
UNPLANNED = 10**9  # updates of a run with a time budget, before its first few are timed
SECOND = "adversarial"
OLDER = (
    "This run was begun without adversarial training and ends so; afterwards, with another --out,  "
    "--recipe adversarial --start  makes its model a sampler of few evaluations."
)

Shown = TypeVar("Shown")


class TrainingRun(ABC, Generic[Shown]):
    """One training run in one folder. Opening a folder that holds the same run goes on with it.

    Args:
        minutes: time budget; 0 = as many updates as the recipe says.
        clock: seconds, monotonic; ``started`` is its value when the command began.
        cache: folder that remembers seconds an update by machine and recipe, for the plan of the
            next run.
        start: begin with the weights of this model.

    Raises:
        BadInput: the folder holds another run, the recipe asks for nothing to be trained, or
            ``start`` has another network.
    """

    def __init__(  # noqa: PLR0913
        self,
        out: Path,
        data: TrainingData,
        feed: BatchSource,
        recipe: Recipe,
        compute: Compute,
        minutes: float,
        clock: Callable[[], float],
        started: float,
        cache: Path,
        start: model.Model | None = None,
    ) -> None:
        self.out = make_folder(out)
        self.data = data
        self.compute = compute
        self.clock = clock
        self.cache = cache
        self.feed, self.minutes, self.note = feed, minutes, ""
        known = (data.fingerprint, str(compute.dtype), minutes, *([start.hash] if start else []))
        packed = checkpoint.read_run_state(self.out)

        # A run begun before adversarial training existed goes on as it began.
        plain = dataclasses.replace(recipe, adversarial_share=0.0)
        if packed and packed["key"] == digest(plain.to_json(), *known) and recipe.adversarial_share:
            recipe, self.note = plain, OLDER
        self.recipe, self.key = recipe, digest(recipe.to_json(), *known)
        self.model = model.build_model(recipe, len(data.classes), compute)

        # With minutes alone the number of updates is planned from the first ones that are timed.
        total = recipe.steps or max(1, round(recipe.epochs * feed.updates_an_epoch))
        second = int(total * recipe.adversarial_share)
        timed = bool(minutes and not recipe.steps)
        self._second_total = UNPLANNED if timed and second else second
        first_total = UNPLANNED if timed and recipe.adversarial_share < 1 else total - second
        self.state: State = begin_training(self.model, recipe, first_total)
        self.second: AdversarialState | None = None
        self.resumed_at = self._resume(packed) if packed else 0
        if start and not self.resumed_at:
            model.inherit(self.model, recipe, data.classes, start)
            self.state.ema = begin_training(self.model, recipe, 1).ema
        started = clock() if self.resumed_at else started  # opening the data again is not training
        self.budget = self._budget(started)
        self._saved = self._previewed = clock()
        self._stats = StatsLog(self.out / "stats.jsonl", clock)

    def _budget(self, started: float) -> TimeBudget:
        """Of the part that the run is in."""
        share = self.recipe.adversarial_share
        minutes = self.minutes * (share if self.second else 1 - share)
        extra = self.part.extra
        known = extra.get("seconds_an_update") or known_speeds(self.cache).get(self._speed_key)
        small_share = 0.0 if self.second else self.recipe.small_share
        return TimeBudget(
            minutes, self.clock, started, float(extra.get("seconds", 0.0)), known, small_share
        )

    @property
    def _speed_key(self) -> str:
        return speed_key(self.recipe, self.compute, SECOND if self.second else "")

    @property
    def part(self) -> State | AdversarialState:
        """The state of the part that the run is in."""
        return self.second or self.state

    @property
    def step(self) -> int:
        """Updates of both parts so far."""
        return self.state.step + (self.second.step if self.second else 0)

    @property
    def seconds(self) -> float:
        """Time used by both parts so far."""
        before = float(self.state.extra.get("seconds", 0.0)) if self.second else 0.0
        return before + self.budget.used()

    @property
    def plan(self) -> str:
        """What will be done, as a sentence."""
        totals = self.state.total, self._second_total
        return describe_plan(totals, self.recipe.adversarial_share, self.minutes)

    @property
    def done(self) -> float:
        """How much of the work is done, in [0, 1]; each part counts by its time."""
        first = (self.state.total if self.second else self.state.step), self.state.total
        second = (self.second.step, self.second.total) if self.second else (0, self._second_total)
        share = self.recipe.adversarial_share if self.minutes else None
        return share_done(first, second, self.recipe.small_share, share)

    def _resume(self, packed: dict[str, Any]) -> int:
        if packed.pop("key", None) != self.key:
            raise BadInput(
                f"{self.out} holds a run with another recipe, other data or another time: "
                f"choose another <--out>, or delete {checkpoint.MODEL_NAME} and "
                f"{checkpoint.STATE_NAME} in it "
                "to start anew."
            )

        if packed.get("part") != SECOND and packed["total"] >= UNPLANNED:
            return 0  # stopped in its first seconds, before the plan was made: begin again
        for part in self.out.glob(".animal_diffusion_model.*.part"):
            part.unlink()  # what a kill -9 in the middle of a save leaves

        # The diffusion part is over: of it only the counters are needed, for the report.
        if packed.get("part") == SECOND:
            for key, value in packed["diffusion"].items():
                setattr(self.state, key, value)
            self.second = self._begin_adversarial()
            self.second.unpack(self.model.net, packed)
            self.second.good = packed["good"]
        else:
            self.state.unpack(self.model.net, packed)

        return self.step

    def list_skipped(self) -> list[str]:
        """One line for each reason why files were skipped, with a few names; every name goes into
        skipped.txt.
        """
        lines, text = describe_skipped(self.data.skipped)
        if text:
            write_bytes(self.out / "skipped.txt", text.encode(errors="backslashreplace"))
        return lines

    def steps(self) -> Iterator[Progress | AdversarialProgress]:
        """Train to the end, saving, previewing and logging on the way; stop consuming at any time,
        then call :meth:`save`.
        """
        if self.second is None and self.state.step < self.state.total:
            yield from self._follow(train(self.model, self.feed, self.recipe, self.state))
        if self.second is None and self._second_total:
            self._take_better_weights()
            self.second = self._begin_adversarial()
            self.budget = self._budget(self.clock())
        if self.second is not None:
            setup, recipe = self._setup(), self.recipe.adversarial
            yield from self._follow(
                adversarial.adversarial_train(self.model, setup, recipe, self.second)
            )

    def _follow(
        self, updates: "Iterator[Progress] | Iterator[AdversarialProgress]"
    ) -> Iterator[Progress | AdversarialProgress]:
        for progress in updates:
            if self.minutes:
                self._follow_budget()
            self._log(progress)
            now = self.clock()
            every = self.recipe.checkpoint_every
            last = self.part.step >= self.part.total
            if now - self._saved >= SAVE_SECONDS or (every and self.step % every == 0) or last:
                self.save()
            if now - self._previewed >= PREVIEW_SECONDS:
                self.preview()
                self._previewed = self.clock()
            self.budget.pause(self.clock() - now)
            yield progress

    def setup(self) -> AdversarialSetup:
        """What adversarial training works with; its levels and seed are set by the run.

        Raises:
            BadInput: there is no frozen network for such data.
        """
        raise BadInput(
            "Adversarial training is for photos only: train with -o adversarial_share=0."
        )

    def _setup(self) -> AdversarialSetup:
        levels = tuple(noise_levels(self.model, ADVERSARIAL_LEVELS)[:-1])
        return dataclasses.replace(self.setup(), levels=levels, seed=self.recipe.seed)

    def _begin_adversarial(self) -> AdversarialState:
        if isinstance(self.model, OwnDenoiser):
            self.model.shrink(1)
        return adversarial.begin_adversarial(
            self.model, self._setup(), self.recipe.adversarial, self._second_total
        )

    def _take_better_weights(self) -> None:
        """The averaged weights of the first part go on, unless the raw ones have less loss."""
        if not self.state.step or not self.state.ema:
            return
        comparison = compare_averages(
            self.model, self.state, self.feed, seed_of(self.recipe.seed, 10**9)
        )
        if comparison and not comparison.raw_is_better:
            self.model.net.load_state_dict(self.state.ema)

    def _follow_budget(self) -> None:
        before, part = self.budget.known_seconds, self.part
        if part.total > part.step or not self.second:  # training that the guards ended stays ended
            part.total = self.budget.plan(part.step, part.total)
        part.extra["seconds_an_update"] = self.budget.known_seconds
        if self.budget.known_seconds != before and self.budget.known_seconds:
            remember_speed(self.cache, self._speed_key, self.budget.known_seconds)

    def _log(self, progress: Progress | AdversarialProgress) -> None:
        last = self.part.step >= self.part.total
        summary = self._stats.add(progress, last=last, seconds=self.seconds)
        if self.second and summary:
            self.second.extra["summary"] = summary

    def save(self) -> None:
        """Training state and model, atomically; the state first, because a model without one is
        somebody else's.
        """
        self.part.extra["seconds"] = self.budget.used()
        packed = self.part.pack(self.model.net)
        if self.second:
            first = {
                key: getattr(self.state, key)
                for key in ("total", "step", "images", "rollbacks", "extra")
            }
            packed |= {"part": SECOND, "diffusion": first, "good": self.second.good}
        checkpoint.save_state(self.out / checkpoint.STATE_NAME, packed, self.key)
        self._save_model(self.part.ema)
        self._saved = self.clock()

    def _as_it_is(self) -> tuple[Recipe, int]:
        """The recipe to sample the present model with, and how many times its pictures are
        shrunk.
        """
        if self.second:
            return dataclasses.replace(self.recipe, sample=CONSISTENCY), 1
        return self.recipe, shrunk_at(self.recipe, self.state)

    def _save_model(self, ema: dict[str, Tensor]) -> None:
        weights = {name: value.cpu() for name, value in self.model.net.state_dict().items()}
        averaged = {name: value.cpu() for name, value in ema.items()}
        recipe, shrunk = self._as_it_is()
        made = checkpoint.Checkpoint(
            recipe, self.data.classes, self.step, self.data.fingerprint, weights, averaged, shrunk
        )
        checkpoint.save_checkpoint(self.out / checkpoint.MODEL_NAME, made)

    def preview(self, averaged: bool = True) -> Shown:
        """What :meth:`show` draws with the averaged or the raw weights."""
        raw = {name: value.clone() for name, value in self.model.net.state_dict().items()}
        if self.part.ema and averaged:
            self.model.net.load_state_dict(self.part.ema)
        self.model.net.eval()
        recipe, shrunk = self._as_it_is()
        now = model.Model(
            self.model,
            recipe,
            self.data.classes,
            self.step,
            "",
            "",
            self.compute.device,
            shrunk=shrunk,
        )
        if isinstance(self.model, OwnDenoiser):
            self.model.shrink(shrunk)

        # Whatever a preview does, training goes on with the weights it had.
        try:
            return self.show(now)
        finally:
            self.model.net.load_state_dict(raw)
            self.model.net.train()

    @abstractmethod
    def show(self, now: model.Model) -> Shown:
        """Draw the fixed seeds with the model as it is now into the run's folder."""

    @abstractmethod
    def end(self) -> TrainingReport:
        """Finish, and write the report."""

    def finish(self) -> tuple[Shown, Comparison | None]:
        """The last save and preview, with the better of raw and averaged weights; after adversarial
        training the averaged ones.
        """
        self.save()
        if self.second:
            return self.preview(), None
        comparison = compare_averages(
            self.model, self.state, self.feed, seed_of(self.recipe.seed, 10**9)
        )
        averaged = comparison is None or not comparison.raw_is_better
        if not averaged:
            self._save_model({})
        return self.preview(averaged), comparison

    def report(
        self, comparison: Comparison | None, verdict: str, recognisable: int
    ) -> TrainingReport:
        """The report on a finished run, written as report.txt; ``verdict`` is a sentence on the
        preview.
        """
        data, state = self.data, self.state
        seconds = float(state.extra.get("seconds", 0.0)) if self.second else self.budget.used()
        health = TrainingReport(
            self.out,
            self.recipe.media,
            len(data),
            len(data.skipped),
            len(data.classes),
            state.step,
            state.images,
            seconds,
            state.rollbacks,
            comparison,
            verdict,
            recognisable,
            self._second_part(),
        )
        write_bytes(self.out / "report.txt", health.to_text().encode())

        return health

    def _second_part(self) -> AdversarialReport | None:
        second = self.second
        if second is None:
            return None
        summary = second.extra.get("summary", {})
        return AdversarialReport(
            second.step,
            second.images,
            self.budget.used(),
            second.rollbacks,
            CONSISTENCY.steps,
            **summary,
        )
