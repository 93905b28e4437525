"""A small classifier of animal calls: it names a call's animal and gives calls a feature space.

It is the network of ``evaluation/classifier.py`` on log mel spectrograms of 2 s, trained by
``benchmarks/train_ear.py`` and shipped as ``weights/ear.safetensors``; it works offline. It ranks
takes and compares models with each other; it does not identify recordings.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..evaluation import classifier
from ..evaluation.classifier import FEATURES, Classifier
from ..weights import shipped
from .engine import Audio

RATE = 16_000  # Hz
FFT, HOP, MELS = 512, 256, 64
_FRAMES = 128  # 2.05 s
LOW, HIGH = 60.0, 7_600.0  # Hz
_RANGE_DB = 70.0  # under the loudest, that can be heard
WIDTHS = (32, 64, 128)
SAMPLES = _FRAMES * HOP
_MOST_WINDOWS = 9


def mel_filters() -> Tensor:
    """(MELS, FFT / 2 + 1) triangles, each of area 1, evenly spaced on the mel scale.

    2595 log10(1 + f / 700) mel (O'Shaughnessy 1987) from :data:`LOW` to :data:`HIGH`.
    """

    def mel(hertz: float) -> float:
        return float(2595 * np.log10(1 + hertz / 700))

    edges = 700 * (10 ** (np.linspace(mel(LOW), mel(HIGH), MELS + 2) / 2595) - 1)
    bins = np.arange(FFT // 2 + 1) * RATE / FFT
    up = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(up, down))
    areas = triangles.sum(axis=1, keepdims=True)
    return torch.from_numpy(triangles / np.maximum(areas, 1e-9)).float()


def log_mel_levels(waves: Tensor) -> Tensor:
    """What the network sees of (B, SAMPLES) float32 at RATE: (B, 1, MELS, FRAMES) in [-1, 1].

    Levels in dB: the loudest of each window is 1, 70 dB under it and below is -1.
    """
    spectrum = torch.stft(
        waves,
        FFT,
        HOP,
        window=torch.hann_window(FFT),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.abs() ** 2

    # The frame that the transform centres on the end of the window is left out.
    level = 10 * (mel_filters() @ power[:, :, :_FRAMES]).clamp_min(1e-10).log10()
    loudest = level.amax(dim=(1, 2), keepdim=True)
    return ((level - loudest) / _RANGE_DB * 2 + 1).clamp(-1, 1)[:, None]


def split_windows(audio: Audio, rate: int) -> NDArray[np.float32]:
    """A call (samples, channels) as mono windows (W, SAMPLES) at RATE that overlap by half.

    The last one is filled with silence; of a long call the first nine are taken.
    """
    mono = audio.mean(axis=1)
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE)
    step = SAMPLES // 2
    count = max(1, min(_MOST_WINDOWS, -(-2 * len(mono) // SAMPLES) - 1))
    padded = np.zeros((count + 1) * step, dtype=np.float32)
    padded[: min(len(mono), len(padded))] = mono[: len(padded)]
    return np.stack([padded[i * step : i * step + SAMPLES] for i in range(count)])


class AudioClassifier:
    """A trained classifier: a feature space with class names. Float32, without gradients."""

    def __init__(self, net: Classifier, classes: tuple[str, ...], name: str) -> None:
        self._net = net.float().eval()
        self.classes, self.name = classes, name

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a safetensors file of ``benchmarks/train_ear.py``.

        Raises:
            MissingExtra: there is no such file.
            BadCheckpoint: the file holds no such classifier.
        """
        return cls(*classifier.load_classifier(path, "ear", 1, WIDTHS))

    @classmethod
    def shipped(cls) -> Self:
        """The classifier in this package."""
        return cls.load(shipped("ear.safetensors"))

    def classify(
        self, calls: Sequence[Audio], rate: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features (N, 128) and class probabilities (N, K) of calls, (samples, channels) each.

        Both are means over the windows of a call.
        """
        features = np.empty((len(calls), FEATURES), dtype=np.float32)
        probabilities = np.empty((len(calls), len(self.classes)), dtype=np.float32)
        with torch.inference_mode():
            # Call by call: the last bits of an answer would depend on the size of a batch.
            for index, call in enumerate(calls):
                images = log_mel_levels(torch.from_numpy(split_windows(call, rate)))
                embedded = self._net.features(images)
                features[index] = embedded.mean(dim=0).numpy()
                probabilities[index] = self._net.head(embedded).softmax(dim=1).mean(dim=0).numpy()
        return features, probabilities
