"""How a run goes: statistics of its updates, raw against averaged weights, and the report at its
end, in plain words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .adversarial import AdversarialProgress
from .denoiser import Trainable
from .train import BANDS, Batches, Progress, State


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean loss on the same photos and noise with the raw and the averaged weights."""

    raw: float
    averaged: float

    @property
    def raw_is_better(self) -> bool:
        """By more than one per cent."""
        return self.raw < 0.99 * self.averaged


@torch.no_grad()
def compare_averages(
    model: Trainable, state: State, batches: Batches, seed: int, rounds: int = 4
) -> Comparison | None:
    """Raw against averaged weights on ``rounds`` batches; None where there is no average. The model
    keeps its raw weights.
    """
    if not state.ema:
        return None
    raw = {name: value.clone() for name, value in model.net.state_dict().items()}
    device = next(model.net.parameters()).device
    means = []
    model.net.eval()

    # Both see the same photos and the same noise, or chance would decide between them.
    for weights in (raw, state.ema):
        model.net.load_state_dict(weights)
        generator = torch.Generator(device).manual_seed(seed)
        losses = [
            model.loss(*batches(10**9 + index, generator), generator)[0].mean()
            for index in range(rounds)
        ]
        means.append(float(torch.stack(losses).mean()))

    model.net.load_state_dict(raw)
    model.net.train()

    return Comparison(*means)


def describe_window(window: Sequence[Progress]) -> dict[str, Any]:
    """One line of statistics for the updates in ``window``: means, and the mean loss per noise band
    (None if unseen).
    """
    good = [p for p in window if p.band_count]
    sums = np.sum([p.band_loss for p in good], axis=0) if good else np.zeros(len(BANDS) + 1)
    counts = np.sum([p.band_count for p in good], axis=0) if good else np.zeros(len(BANDS) + 1)
    last = window[-1]

    return {
        "step": last.step,
        "total": last.total,
        "images": last.images,
        "loss": round(float(np.mean([p.loss for p in good])), 5) if good else None,
        "lr": last.lr,
        "grad_norm": round(good[-1].grad_norm, 4) if good else None,
        "band_loss": [
            round(float(s / c), 5) if c else None for s, c in zip(sums, counts, strict=True)
        ],
        "notes": [p.note for p in window if p.note],
    }


def in_brief(window: Sequence[AdversarialProgress]) -> dict[str, float]:
    """The means over some adversarial updates that the report tells."""
    good = [p for p in window if p.is_finite]
    if not good:
        return {}
    colour = np.abs(np.mean([p.colour for p in good], axis=0)).max()
    return {
        "generator_loss": round(float(np.mean([p.generator_loss for p in good])), 4),
        "colour": round(float(colour), 4),
        "saturation": round(float(np.mean([p.saturation for p in good])), 4),
    }


def describe_adversarial(window: Sequence[AdversarialProgress]) -> dict[str, Any]:
    """One line of statistics for the adversarial updates in ``window``: means.

    "colour" is the largest difference of a mean channel from that of photos, of 2.
    """
    good = [p for p in window if p.is_finite]
    names = ("discriminator_loss", "real_score", "fake_score", "class_loss", "photo_loss")
    means = {
        name: round(float(np.mean([getattr(p, name) for p in good])), 5) for name in names if good
    }
    last = window[-1]

    return {
        "part": "adversarial",
        "step": last.step,
        "total": last.total,
        "images": last.images,
        **means,
        **in_brief(window),
        "lr": last.lr,
        "notes": [p.note for p in window if p.note],
    }


WON = 4.0
"""Generator loss from which the discriminator has won: specks of colour appear (docs/LOG.md)."""


@dataclass(frozen=True, slots=True)
class AdversarialReport:
    """How adversarial training went; the losses and colours are those of its last updates."""

    updates: int
    images: int
    seconds: float
    rollbacks: int
    evaluations: int
    generator_loss: float | None = None
    colour: float = 0.0  # the largest difference of a mean channel from that of photos, of 2
    saturation: float = 1.0  # over that of photos

    def to_lines(self) -> list[str]:
        """Its part of the report."""
        lines = [
            f"{self.updates:,} adversarial updates, {self.images:,} generated pictures in "
            f"{self.seconds / 60:.1f} minutes: "
            f"the model paints in {self.evaluations} evaluations, with its averaged weights."
        ]

        if self.rollbacks:
            lines.append(
                f"The guards went back {self.rollbacks} times (the reasons are in stats.jsonl): "
                "more photos help most."
            )

        if self.generator_loss is not None:
            lines.append(
                f"At the end the mean colours differ by {self.colour / 2:.0%} of their range from "
                "the photos', saturation is "
                f"{self.saturation:.0%} of theirs."
            )

            # A discriminator that is always right has nothing more to teach.
            if self.generator_loss > WON:
                lines.append(
                    f"The discriminator has won (generator loss {self.generator_loss:.1f}): more "
                    "photos help, more time does not."
                )

        return lines


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a finished run tells its owner."""

    out: Path
    word: str  # what it was trained on: "photos" or "recordings"
    items: int
    skipped: int
    classes: int
    updates: int
    images: int
    seconds: float
    rollbacks: int
    comparison: Comparison | None
    verdict: str  # what the previews look like
    recognisable: int  # training images of the shipped model
    adversarial: AdversarialReport | None = None

    def to_text(self) -> str:
        """The report, a few short lines."""
        speed = self.images / max(self.seconds, 1e-9)
        lines = [
            f"Trained on {self.items:,} {self.word} of {self.classes} classes ({self.skipped} "
            "files skipped)."
        ]

        if self.updates or not self.adversarial:
            lines.append(
                f"{self.updates:,} updates, {self.images:,} training images "
                f"({self.images / self.items:.1f} epochs) "
                f"in {self.seconds / 60:.1f} minutes, {speed:.0f} images a second."
            )

        if self.rollbacks:
            lines.append(
                f"Training broke down {self.rollbacks} times and was rescued with a lower rate: "
                "next time start with a lower -o lr."
            )

        # Which weights paint is decided by measuring, not by habit.
        if self.comparison:
            kept = "raw" if self.comparison.raw_is_better else "averaged"
            lines.append(
                f"Loss with raw weights {self.comparison.raw:.4f}, averaged "
                f"{self.comparison.averaged:.4f}: the {kept} ones paint."
            )

        lines += self.adversarial.to_lines() if self.adversarial else []
        lines.append(self.verdict)
        lines += [self._advice(speed)] if self.updates or not self.adversarial else []

        return "\n".join(lines) + "\n"

    def _advice(self, speed: float) -> str:
        if self.images >= self.recognisable:
            return (
                f"Long enough for recognisable animals; more time and more {self.word} still make "
                "them better."
            )
        minutes = (self.recognisable - self.images) / max(speed, 1e-9) / 60
        return (
            f"The shipped model saw {self.recognisable:,} training images until animals could be "
            "recognised: at this speed that is "
            f"{minutes:,.0f} minutes more (a longer --minutes in a new --out)."
        )


def describe_plan(totals: tuple[int, int], share: float, minutes: float) -> str:
    """What a run will do, as a sentence; empty for diffusion alone.

    Args:
        totals: updates of diffusion and of adversarial training.
        share: of the time that belongs to adversarial training, 0 to 1.
        minutes: time budget of both; 0 = as many updates as ``totals`` says.
    """
    if not totals[1]:
        return ""

    parts = [(1 - share, totals[0], "diffusion"), (share, totals[1], "adversarial training")]
    steps = [
        f"{name} for {minutes * part:.3g} minutes" if minutes else f"{total:,} updates of {name}"
        for part, total, name in parts
        if part and total
    ]
    return f"First {', then '.join(steps)}." if len(steps) > 1 else f"{steps[0].capitalize()}."


def describe_skipped(skipped: Iterable[tuple[str, str]]) -> tuple[list[str], str]:
    """Files that were not used, as (path, reason): a line for each reason with a few names, and a
    text with every name.
    """
    reasons: dict[str, list[str]] = {}
    for path, reason in skipped:
        reasons.setdefault(reason, []).append(path)

    # The screen shows a few names; the text holds them all.
    few = {
        reason: ", ".join(paths[:3]) + (" ..." if len(paths) > 3 else "")
        for reason, paths in reasons.items()
    }
    lines = [f"Skipped {len(paths)} ({few[reason]}): {reason}" for reason, paths in reasons.items()]
    text = "".join(f"{path}: {reason}\n" for reason, paths in reasons.items() for path in paths)
    return lines, text
