"""The ear: a small classifier of animal calls, which names a call's animal and gives calls a feature space, offline.

It is the network of ``classifier.py`` on log mel spectrograms of 2 s, trained by ``benchmarks/train_ear.py`` and shipped as
``weights/ear.safetensors``. It ranks takes and compares models with each other; it does not identify recordings.
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
FRAMES = 128  # 2.05 s
LOW, HIGH = 60.0, 7_600.0  # Hz
RANGE = 70.0  # dB under the loudest that can be heard
WIDTHS = (32, 64, 128)
SAMPLES = FRAMES * HOP


def mel_filters() -> Tensor:
    """(MELS, FFT / 2 + 1) triangles, evenly spaced on the mel scale 2595 log10(1 + f / 700) (O'Shaughnessy 1987), each of area 1."""

    def mel(hertz: float) -> float:
        return float(2595 * np.log10(1 + hertz / 700))

    edges = 700 * (10 ** (np.linspace(mel(LOW), mel(HIGH), MELS + 2) / 2595) - 1)
    bins = np.arange(FFT // 2 + 1) * RATE / FFT
    up = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(up, down))
    return torch.from_numpy(
        triangles / np.maximum(triangles.sum(axis=1, keepdims=True), 1e-9)
    ).float()


def hear(waves: Tensor) -> Tensor:
    """(B, SAMPLES) at RATE -> (B, 1, MELS, FRAMES) in [-1, 1]: log mel levels, RANGE dB down from the loudest, which is 1."""
    power = (
        torch.stft(
            waves,
            FFT,
            HOP,
            window=torch.hann_window(FFT),
            center=True,
            pad_mode="constant",
            return_complex=True,
        ).abs()
        ** 2
    )
    level = 10 * (mel_filters() @ power[:, :, :FRAMES]).clamp_min(1e-10).log10()
    loudest = level.amax(dim=(1, 2), keepdim=True)
    return ((level - loudest) / RANGE * 2 + 1).clamp(-1, 1)[:, None]


def windows(audio: Audio, rate: int) -> NDArray[np.float32]:
    """A call (N, C) as windows (W, SAMPLES) at RATE, half overlapping, the last one filled with silence; at most 9."""
    mono = audio.mean(axis=1)
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE)
    count = max(1, min(9, -(-2 * len(mono) // SAMPLES) - 1))
    padded = np.zeros((count + 1) * SAMPLES // 2, dtype=np.float32)
    padded[: min(len(mono), len(padded))] = mono[: len(padded)]
    return np.stack([padded[i * SAMPLES // 2 : i * SAMPLES // 2 + SAMPLES] for i in range(count)])


class Ear:
    """A trained ear: a feature space with class names. Float32, without gradients."""

    def __init__(self, net: Classifier, classes: tuple[str, ...], name: str) -> None:
        self._net = net.float().eval()
        self.classes, self.name = classes, name

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a safetensors file of ``benchmarks/train_ear.py``.

        Raises:
            MissingExtra: there is no such file.
            BadCheckpoint: it is not an ear.
        """
        return cls(*classifier.load(path, "ear", 1, WIDTHS))

    @classmethod
    def shipped(cls) -> Self:
        """The ear in this package."""
        return cls.load(shipped("ear.safetensors"))

    def listen(
        self, calls: Sequence[Audio], rate: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features (N, 128) and class probabilities (N, K) of calls; both are means over a call's windows."""
        features = np.empty((len(calls), FEATURES), dtype=np.float32)
        probabilities = np.empty((len(calls), len(self.classes)), dtype=np.float32)
        with torch.inference_mode():
            for number, call in enumerate(calls):
                felt = self._net.features(hear(torch.from_numpy(windows(call, rate))))
                features[number] = felt.mean(dim=0).numpy()
                probabilities[number] = self._net.head(felt).softmax(dim=1).mean(dim=0).numpy()
        return features, probabilities
