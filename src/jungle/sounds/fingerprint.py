"""Which clips are the same recording, at another rate, level or encoding.

A collection gathered from the web holds many of these. If one duplicate is learnt from and the
other is judged by, every score lies; so they share a group, and a group is never split.
"""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.duplicates import components

Fingerprints = NDArray[np.float32]
"""(N, BANDS * FRAMES), or (BANDS * FRAMES,) for one; each row has length 1."""

BANDS, FRAMES = 32, 64

# Hz: below the top of an 8 kHz recording, so that its duplicate at 44.1 kHz looks the same.
LOW, HIGH = 60.0, 3_600.0

# Samples at 16 kHz: 64 and 32 ms, so 64 frames are the first two seconds of the active part.
WINDOW, HOP = 1_024, 512

_FLOOR = 1e-4  # of the loudest cell in power (-40 dB): the hiss of 8 bits lies below
_SHIFTS = 3  # frames that the beginning may differ by, each way
_BLOCK = 512  # rows of the similarity table held at once

# Measured on 875 recordings of ten animals, against the correlation of their waveforms between 80
# and 3400 Hz, which is above 0.8 for 190 pairs that are surely the same. From 0.86 on, one of those
# is in two groups (717 in all); from 0.88 on, 24 are (731), and below 0.85 strangers begin to
# chain. From 0.95 on, four pairs of five are sure, the others take after each other.
SAME = 0.86  # cosine from which two clips must not be split
SURE = 0.95  # cosine from which a person is told that they are the same


def hertz_to_mel(hertz: ArrayLike) -> NDArray[np.float64]:
    """Hertz in mel: 2595 log10(1 + f / 700) (O'Shaughnessy, Speech Communication, 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0), np.float64)


@cache
def _filters(rate: int) -> NDArray[np.float32]:
    """(BANDS, WINDOW // 2 + 1) triangles, evenly spaced in mel from LOW to HIGH."""
    edges = np.linspace(hertz_to_mel(LOW), hertz_to_mel(HIGH), BANDS + 2)[:, None]
    bins = hertz_to_mel(np.fft.rfftfreq(WINDOW, 1 / rate))[None]
    up = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(up, down)).astype(np.float32)


def audio_fingerprint(wave: NDArray[np.int16], rate: int) -> Fingerprints:
    """The log-mel image of the first two seconds, without its mean: (BANDS * FRAMES,), length 1.

    Args:
        wave: (samples,) int16.
        rate: in Hz; 16 kHz is what the thresholds were measured at.
    """
    padded = np.zeros(WINDOW + HOP * (FRAMES - 1), np.float32)
    padded[: min(len(wave), len(padded))] = wave[: len(padded)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    frames = windows * np.hanning(WINDOW).astype(np.float32)

    # Without the mean and at length 1 the level of the recording no longer counts.
    power = _filters(rate) @ (np.abs(np.fft.rfft(frames)) ** 2).T
    image = np.log10(np.maximum(power, max(_FLOOR * float(power.max()), 1e-9)))
    image -= image.mean()
    norm = float(np.linalg.norm(image))
    return np.asarray(image / norm if norm > 0 else image, np.float32).reshape(-1)


def fingerprint_similarity(rows: Fingerprints, columns: Fingerprints) -> NDArray[np.float32]:
    """(A, B) cosines in [-1, 1] of (A, D) with (B, D) fingerprints.

    Each is the best over shifts in time of up to three frames either way.
    """
    best = rows @ columns.T
    images = rows.reshape(-1, BANDS, FRAMES)
    for shift in range(1, _SHIFTS + 1):
        later, earlier = slice(shift, None), slice(None, -shift)
        for source, target in ((later, earlier), (earlier, later)):
            moved = np.zeros_like(images)
            moved[..., target] = images[..., source]
            np.maximum(best, moved.reshape(rows.shape) @ columns.T, out=best)
    return best


def group_recordings(fingerprints: Fingerprints, least: float = SAME) -> NDArray[np.int64]:
    """The group (N,) of each of N fingerprints (N, D), numbered by first member.

    Clips that are similar by ``least``, and those that are so to these, share a group.
    """
    left: list[NDArray[np.intp]] = []
    right: list[NDArray[np.intp]] = []

    # Block by block: all pairs of a large collection at once would fill the memory.
    for start in range(0, len(fingerprints), _BLOCK):
        block = fingerprints[start : start + _BLOCK]
        a, b = np.nonzero(fingerprint_similarity(block, fingerprints[start:]) >= least)
        left.append(a[a < b] + start)
        right.append(b[a < b] + start)

    none = [np.empty(0, np.intp)]
    return components(
        np.concatenate(left or none), np.concatenate(right or none), len(fingerprints)
    )
