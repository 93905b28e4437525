"""Which clips are the same recording, at another rate, level or encoding: small fingerprints and their agreement.

A collection gathered from the web holds many of these. If one twin is learnt from and the other is judged by, every score
lies; so they share a group, and a group is never split.
"""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.duplicates import components

Wave = NDArray[np.int16]
Prints = NDArray[np.float32]

BANDS, FRAMES = 32, 64
LOW, HIGH = (
    60.0,
    3_600.0,
)  # Hz: below the top of an 8 kHz recording, so that its twin at 44.1 kHz looks the same
WINDOW, HOP = (
    1_024,
    512,
)  # samples at 16 kHz: 64 and 32 ms, so 64 frames are the first two seconds of the active part
FLOOR = 1e-4  # of the loudest cell in power (-40 dB): the hiss of 8 bits lies below
SHIFTS = 3  # frames that the beginning may differ by, each way
# Found on 875 recordings of ten animals, against the correlation of their waveforms between 80 and 3400 Hz, which is above
# 0.8 for 190 pairs that are surely the same. From 0.86 on, one of those is in two groups (717 in all); from 0.88 on, 24 are
# (731), and below 0.85 strangers begin to chain. From 0.95 on, four pairs of five are sure, the others take after each other.
SAME = 0.86  # cosine from which two clips must not be split
SURE = 0.95  # cosine from which a person is told that they are the same
BLOCK = 512  # rows of the table held at once


def mel(hertz: ArrayLike) -> NDArray[np.float64]:
    """Hertz in mel: 2595 log10(1 + f / 700) (O'Shaughnessy, Speech Communication, 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0), np.float64)


@cache
def _filters(rate: int) -> NDArray[np.float32]:
    """(BANDS, WINDOW // 2 + 1) triangles, evenly spaced in mel from LOW to HIGH."""
    edges = np.linspace(mel(LOW), mel(HIGH), BANDS + 2)[:, None]
    bins = mel(np.fft.rfftfreq(WINDOW, 1 / rate))[None]
    up = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(up, down)).astype(np.float32)


def fingerprint(wave: Wave, rate: int) -> Prints:
    """(BANDS * FRAMES,) float32 of length 1: the log-mel picture of the first two seconds, without its mean."""
    padded = np.zeros(WINDOW + HOP * (FRAMES - 1), np.float32)
    padded[: min(len(wave), len(padded))] = wave[: len(padded)]
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(
        WINDOW
    ).astype(np.float32)
    power = _filters(rate) @ (np.abs(np.fft.rfft(frames)) ** 2).T
    picture = np.log10(np.maximum(power, max(FLOOR * float(power.max()), 1e-9)))
    picture -= picture.mean()
    norm = float(np.linalg.norm(picture))
    return np.asarray(picture / norm if norm > 0 else picture, np.float32).reshape(-1)


def agreement(rows: Prints, columns: Prints) -> Prints:
    """(A, B) cosines in [-1, 1] of (A, D) with (B, D) fingerprints, each the best over small shifts in time."""
    best = rows @ columns.T
    pictures = rows.reshape(-1, BANDS, FRAMES)
    for shift in range(1, SHIFTS + 1):
        for cut, place in (
            (slice(shift, None), slice(None, -shift)),
            (slice(None, -shift), slice(shift, None)),
        ):
            moved = np.zeros_like(pictures)
            moved[..., place] = pictures[..., cut]
            np.maximum(best, moved.reshape(rows.shape) @ columns.T, out=best)
    return best


def groups(prints: Prints, least: float = SAME) -> NDArray[np.int64]:
    """The group (N,) of each of N fingerprints (N, D), numbered by first member.

    Clips that agree by ``least``, and those that agree with these, share a group.
    """
    left: list[NDArray[np.intp]] = []
    right: list[NDArray[np.intp]] = []
    for start in range(0, len(prints), BLOCK):
        a, b = np.nonzero(agreement(prints[start : start + BLOCK], prints[start:]) >= least)
        left.append(a[a < b] + start)
        right.append(b[a < b] + start)
    none = [np.empty(0, np.intp)]
    return components(np.concatenate(left or none), np.concatenate(right or none), len(prints))
