"""Calls as images for people: spectrograms in colour, low notes at the bottom."""

import numpy as np
from numpy.typing import NDArray

from .engine import Audio

WIDTH, HEIGHT = 192, 128  # pixels

_WINDOW = 0.032  # seconds
_TOP = 8_000  # Hz; nearly all of an animal's voice lies under it
_RANGE_DB = 70.0  # from black to white

# From silence to the loudest.
_COLOURS = (
    (13, 12, 40),
    (66, 30, 110),
    (176, 50, 104),
    (244, 124, 56),
    (252, 232, 160),
)


def spectrogram_image(
    audio: Audio, rate: int, width: int = WIDTH, height: int = HEIGHT
) -> NDArray[np.uint8]:
    """The spectrogram of a call: time to the right, 0 Hz at the bottom, 8 kHz at the top.

    Where half of the rate is less than 8 kHz, it is the top.

    Args:
        audio: (samples, channels); their mean is shown.
        rate: in Hz.
        width: in pixels.
        height: in pixels.

    Returns:
        uint8 (height, width, 3).
    """
    size = 2 * round(_WINDOW * rate / 2)
    mono = np.concatenate([np.zeros(size // 2), audio.mean(axis=1), np.zeros(size // 2)])
    starts = np.linspace(0, len(mono) - size, width).astype(int)
    frames = np.stack([mono[start : start + size] for start in starts]) * np.hanning(size)

    # The maximum of the bins of a row, so that a pure tone is as bright at any height.
    bins = min(size // 2, round(_TOP * size / rate))
    power = np.abs(np.fft.rfft(frames, axis=1))[:, :bins] ** 2
    first_bins = np.linspace(0, bins, height, endpoint=False).astype(int)
    rows = np.maximum.reduceat(power, first_bins, axis=1)

    # Each image is as bright as the next, however loud its call.
    level = 10 * np.log10(np.maximum(rows, 1e-12))
    shade = np.clip(1 + (level - level.max()) / _RANGE_DB, 0, 1).T[::-1]
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [
        np.interp(shade, stops, [colour[channel] for colour in _COLOURS]) for channel in range(3)
    ]
    return np.stack(channels, axis=-1).round().astype(np.uint8)
