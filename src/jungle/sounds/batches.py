"""Batches of calls for training: windows of recordings as spectrogram pictures."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..config.recipes import Recipe
from . import spectrogram
from .dataset import ClipSet

LEAD = 0.1  # seconds; the most silence before a short call
SPEEDS = 0.06  # a recording is played up to so much faster or slower, as a smaller or larger animal
REFERENCE_SECONDS = 10  # of a clip that are looked at for its loudest sound


def loudest(wave: np.ndarray) -> float:
    """The largest magnitude in the spectrogram of a wave (N,) float32."""
    count = -(-len(wave) // spectrogram.HOP) * spectrogram.HOP
    padded = torch.nn.functional.pad(torch.from_numpy(wave), (0, count - len(wave)))
    return float(spectrogram.transform(padded[None]).abs().max())


@dataclass
class Feed:
    """Batches of clips as a function of the update number: see ``diffusion.train.Batches``."""

    clips: ClipSet
    recipe: Recipe
    device: torch.device
    _cumulative: np.ndarray = field(init=False)
    _loudest: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        counts = np.bincount(self.clips.labels, minlength=len(self.clips.classes)).astype(
            np.float64
        )
        self.draw_by(counts[self.clips.labels] ** -self.recipe.balance)
        beginnings = (
            self.clips.sound(i)[: REFERENCE_SECONDS * spectrogram.RATE]
            for i in range(len(self.clips))
        )
        self._loudest = np.array([loudest(wave) for wave in beginnings], dtype=np.float32)

    def draw_by(self, weights: np.ndarray) -> None:
        """From now on draw each clip in proportion to its weight, (N,), not negative."""
        self._cumulative = np.cumsum(weights) / weights.sum()

    @property
    def updates_an_epoch(self) -> int:
        """Batches that show as many clips as there are."""
        return -(-len(self.clips) // self.recipe.batch)

    def _window(self, index: int, source: np.random.Generator, count: int) -> np.ndarray:
        """``count`` samples of a clip: a short one begins at the start, a long one anywhere, and its end is silence."""
        wave = self.clips.sound(index)
        speed = 1.0
        if self.recipe.augment != "none":
            speed = float(source.uniform(1 - SPEEDS, 1 + SPEEDS))
        length = int(len(wave) / speed)
        spare = length - count
        lead = int(source.uniform(0, LEAD) * spectrogram.RATE)
        begin = int(source.integers(-lead, spare + 1)) if spare > 0 else -lead
        places = (begin + np.arange(count)) * speed
        played: np.ndarray = np.interp(
            places, np.arange(len(wave)), wave, left=0.0, right=0.0
        ).astype(np.float32)
        return played

    def __call__(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures (B, 1, BINS, T) float32 in [-1, 1] and mix (B, K), on the device."""
        source = np.random.default_rng([self.recipe.seed, step, 1])
        chosen = np.searchsorted(self._cumulative, source.random(self.recipe.batch)).clip(
            max=len(self._cumulative) - 1
        )
        count = self.recipe.size[1] * spectrogram.HOP
        waves = torch.from_numpy(
            np.stack([self._window(int(index), source, count) for index in chosen])
        )
        images = spectrogram.to_images(
            waves.to(self.device), torch.from_numpy(self._loudest[chosen]).to(self.device)
        )
        labels = torch.from_numpy(self.clips.labels[chosen]).to(self.device)
        return images, torch.nn.functional.one_hot(labels, len(self.clips.classes)).float()
