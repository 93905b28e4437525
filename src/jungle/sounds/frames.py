"""Short pieces of a signal, their levels and spectra: what checks and grains share."""

import numpy as np
from numpy.typing import NDArray

from .engine import Audio

FloatArray = NDArray[np.float32]

SILENT_DB = -120.0  # the lowest level ever returned


def loudest_channel(audio: Audio) -> FloatArray:
    """(samples, channels) to (samples,): the channel with most energy.

    A mean would cancel channels of opposite phase.
    """
    if audio.shape[1] == 1:
        return audio[:, 0]
    return audio[:, int(np.square(audio, dtype=np.float64).sum(axis=0).argmax())]


def frames(signal: FloatArray, size: int, hop: int) -> FloatArray:
    """(samples,) to (frames, size), a read-only view.

    Zeros are appended so that every sample lies in a frame.
    """
    count = 1 + max(0, -(-(len(signal) - size) // hop))
    padded = np.pad(signal, (0, (count - 1) * hop + size - len(signal)))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]


def power_to_db(power: FloatArray) -> FloatArray:
    """Mean squares to dB re full scale, never under :data:`SILENT_DB`.

    A square wave of amplitude 1 is 0 dB, a sine -3.
    """
    out: FloatArray = 10 * np.log10(np.maximum(power, 10 ** (SILENT_DB / 10)))
    return out


def frame_levels(framed: FloatArray) -> FloatArray:
    """The level of each frame in dB re full scale: (frames, size) to (frames,)."""
    return power_to_db(np.einsum("fs,fs->f", framed, framed) / np.float32(framed.shape[1]))


def hann_window(size: int) -> FloatArray:
    """The periodic Hann window (size,) (Harris 1978); at a hop of half its size copies sum to 1."""
    out: FloatArray = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
    return out


def power_spectra(framed: FloatArray) -> FloatArray:
    """Hann-windowed power: (frames, size) to (frames, size // 2 + 1).

    The bins of a steady sound sum to its mean square.
    """
    window = hann_window(framed.shape[1])
    spectra = np.fft.rfft(framed * window)
    out: FloatArray = (np.square(spectra.real) + np.square(spectra.imag)).astype(np.float32)
    return out * np.float32(2 / (framed.shape[1] * np.square(window).sum()))
