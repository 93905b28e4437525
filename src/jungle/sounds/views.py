"""Calls as pictures for people: spectrograms in colour, low notes at the bottom."""

import numpy as np
from numpy.typing import NDArray

from .maker import Audio

WIDTH, HEIGHT = 192, 128  # pixels
FFT = 512
RANGE = 70.0  # dB from black to white
INK = ((13, 12, 40), (66, 30, 110), (176, 50, 104), (244, 124, 56), (252, 232, 160))  # from silence to the loudest


def picture(audio: Audio, rate: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """The spectrogram of a call (N, C) as (height, width, 3) uint8: time to the right, 0 Hz at the bottom, half the rate at the top."""
    mono = np.concatenate([np.zeros(FFT // 2), audio.mean(axis=1), np.zeros(FFT // 2)])
    starts = np.linspace(0, len(mono) - FFT, width).astype(int)
    frames = np.stack([mono[start : start + FFT] for start in starts]) * np.hanning(FFT)
    power = np.abs(np.fft.rfft(frames, axis=1))[:, : FFT // 2] ** 2
    rows = np.maximum.reduceat(power, np.linspace(0, FFT // 2, height, endpoint=False).astype(int), axis=1)
    level = 10 * np.log10(np.maximum(rows, 1e-12))
    shade = np.clip(1 + (level - level.max()) / RANGE, 0, 1).T[::-1]
    stops = np.linspace(0, 1, len(INK))
    colours = [np.interp(shade, stops, [ink[channel] for ink in INK]) for channel in range(3)]
    return np.stack(colours, axis=-1).round().astype(np.uint8)
