"""Batches of calls for training: windows of recordings as spectrogram images."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..config.recipes import Recipe
from . import spectrogram
from .augment import random_window
from .dataset import AudioDataset

_REFERENCE_SECONDS = 10  # of a clip that are looked at for its loudest sound


def peak_magnitude(wave: np.ndarray) -> float:
    """The largest magnitude in the spectrogram of a wave (samples,) float32."""
    count = -(-len(wave) // spectrogram.HOP) * spectrogram.HOP
    padded = torch.nn.functional.pad(torch.from_numpy(wave), (0, count - len(wave)))
    return float(spectrogram.stft(padded[None]).abs().max())


@dataclass
class CallBatches:
    """Batches of clips as a function of the update number: see ``diffusion.train.Batches``."""

    clips: AudioDataset
    recipe: Recipe
    device: torch.device
    _cumulative: np.ndarray = field(init=False)
    _loudest: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        labels, classes = self.clips.labels, self.clips.classes
        counts = np.bincount(labels, minlength=len(classes)).astype(np.float64)
        self.set_weights(counts[labels] ** -self.recipe.balance)

        # Levels are relative to the loudest sound of the clip, and not of the window: a quiet
        # stretch of a loud call stays quiet.
        beginnings = (
            self.clips.waveform(index)[: _REFERENCE_SECONDS * spectrogram.RATE]
            for index in range(len(self.clips))
        )
        self._loudest = np.array([peak_magnitude(wave) for wave in beginnings], dtype=np.float32)

    def set_weights(self, weights: np.ndarray) -> None:
        """From now on draw each clip in proportion to its weight, (N,), not negative."""
        self._cumulative = np.cumsum(weights) / weights.sum()

    @property
    def updates_an_epoch(self) -> int:
        """Batches that show as many clips as there are."""
        return -(-len(self.clips) // self.recipe.batch)

    def __call__(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, 1, BINS, T) float32 in [-1, 1] and class weights (B, K), on the device."""
        # The step seeds everything, so that a resumed run sees the batches it would have seen.
        random = np.random.default_rng([self.recipe.seed, step, 1])
        draws = np.searchsorted(self._cumulative, random.random(self.recipe.batch))
        chosen = draws.clip(max=len(self._cumulative) - 1)

        count = self.recipe.size[1] * spectrogram.HOP
        varied = self.recipe.augment != "none"
        windows = [
            random_window(self.clips.waveform(int(index)), count, random, vary_speed=varied)
            for index in chosen
        ]

        images = spectrogram.waves_to_images(
            torch.from_numpy(np.stack(windows)).to(self.device),
            torch.from_numpy(self._loudest[chosen]).to(self.device),
        )
        labels = torch.from_numpy(self.clips.labels[chosen]).to(self.device)
        return images, torch.nn.functional.one_hot(labels, len(self.clips.classes)).float()
