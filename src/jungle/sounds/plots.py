"""Calls as pictures for people: spectrograms in colour, low notes at the bottom."""

import numpy as np
from numpy.typing import NDArray

from .engine import Audio

WIDTH, HEIGHT = 192, 128  # pixels
WINDOW = 0.032  # seconds
TOP = 8_000  # Hz; nearly all of an animal's voice lies under it
RANGE = 70.0  # dB from black to white
INK = (
    (13, 12, 40),
    (66, 30, 110),
    (176, 50, 104),
    (244, 124, 56),
    (252, 232, 160),
)  # from silence to the loudest


def picture(audio: Audio, rate: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """The spectrogram of a call (N, C) as (height, width, 3) uint8: time to the right, 0 Hz at the bottom, :data:`TOP` at the top.

    Where half the rate is less than that, it is the top.
    """
    size = 2 * round(WINDOW * rate / 2)
    mono = np.concatenate([np.zeros(size // 2), audio.mean(axis=1), np.zeros(size // 2)])
    starts = np.linspace(0, len(mono) - size, width).astype(int)
    frames = np.stack([mono[start : start + size] for start in starts]) * np.hanning(size)
    bins = min(size // 2, round(TOP * size / rate))
    power = np.abs(np.fft.rfft(frames, axis=1))[:, :bins] ** 2
    rows = np.maximum.reduceat(
        power, np.linspace(0, bins, height, endpoint=False).astype(int), axis=1
    )
    level = 10 * np.log10(np.maximum(rows, 1e-12))
    shade = np.clip(1 + (level - level.max()) / RANGE, 0, 1).T[::-1]
    stops = np.linspace(0, 1, len(INK))
    colours = [np.interp(shade, stops, [ink[channel] for ink in INK]) for channel in range(3)]
    return np.stack(colours, axis=-1).round().astype(np.uint8)
