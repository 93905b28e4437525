"""Loudness and true peak by the standards, and a set of clips brought to one level.

Integrated loudness: ITU-R BS.1770-4, annex 1 (400 ms blocks, 75 % overlap, gates at -70 LUFS and -10 LU), as EBU R128 asks.
True peak: annex 2, four times oversampled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .clean import Audio, check, decibels

STANDARD = "BS.1770-4"
REPEATED = "BS.1770-4 over the clip repeated to 3 s"
BLOCK, HOP = 0.4, 0.1  # seconds: the gating blocks of the standard
OVER = 4  # times the rate


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """Where a set of clips is brought."""

    target: float = -16.0  # LUFS, integrated
    ceiling: float = -1.0  # dBTP
    most: float = 10.0  # dB the limiter may take from the highest peak; a clip that needs more stays quieter than the target

    def __post_init__(self) -> None:
        if not (-60 <= self.target <= -5 and -20 <= self.ceiling <= 0 and 0 <= self.most <= 24):
            raise BadInput(
                f"These levels make no sense: {self}; take a target of -60 to -5 LUFS, a ceiling of -20 to 0 dBTP, most 0 to 24 dB."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Levelled:
    """A clip at its level, and how it came there."""

    audio: Audio
    before: float  # LUFS
    after: float  # LUFS
    true_peak: float  # dBTP
    method: str  # how loudness was measured: STANDARD or REPEATED
    gain: float  # dB
    limited: float  # dB that the limiter took from the highest peak; 0 = it had nothing to do


def loudness(audio: Audio, rate: int) -> tuple[float, str]:
    """Integrated loudness in LUFS, and the method.

    The standard needs one block of 400 ms: a shorter clip is repeated to 3 s, and the method says so. A clip under the gate of
    -70 LUFS is measured at full scale and the gain subtracted: there is a number for everything that is not silent.

    Args:
        audio: float32 (samples, channels), front left and right, centre, and surrounds.

    Raises:
        BadInput: silent, NaN, or shorter than 20 ms.
    """
    import pyloudnorm

    check(audio, rate)
    method = STANDARD
    if len(audio) < BLOCK * rate:
        audio = np.tile(audio, (-(-3 * rate // len(audio)), 1))[: 3 * rate]
        method = REPEATED
    hops = int((len(audio) / rate - BLOCK) / HOP + 1e-9)
    whole = audio[: round((BLOCK + hops * HOP) * rate)].astype(
        np.float64
    )  # the standard drops the last, incomplete block
    meter = pyloudnorm.Meter(
        rate, filter_class="DeMan"
    )  # the standard's own filters at any rate; the default differs by 0.04 LU
    measured = float(meter.integrated_loudness(whole))
    if not np.isfinite(measured):
        peak = float(np.abs(whole).max())
        if peak == 0:  # all sound lies in the incomplete block
            return loudness(
                np.concatenate([audio, np.zeros((int(BLOCK * rate), audio.shape[1]), np.float32)]),
                rate,
            )
        measured = float(meter.integrated_loudness(whole / peak)) + decibels(peak)
    return measured, method


def peaks(audio: Audio) -> NDArray[np.float32]:
    """The highest magnitude of each sample and the instants up to the next, four times oversampled: (samples, channels)."""
    from scipy import signal

    ring = 32  # samples: a clip that ends at once rings on, which is part of its peak
    padded = np.pad(audio, ((ring, ring), (0, 0)))
    dense = np.abs(
        signal.resample_poly(padded, OVER, 1, axis=0)
    )  # its filter is open up to half the rate, as that of the standard
    dense[ring * OVER] = np.maximum(dense[ring * OVER], dense[: ring * OVER].max(axis=0))
    last = (ring + len(audio)) * OVER - 1
    dense[last] = np.maximum(dense[last], dense[last:].max(axis=0))
    dense = dense[ring * OVER : last + 1]
    between = dense.reshape(len(audio), OVER, audio.shape[1]).max(axis=1)
    return np.asarray(np.maximum(between, np.abs(audio)), dtype=np.float32)


def true_peak(audio: Audio) -> float:
    """True peak in dBTP of float32 (samples, channels); -200 for silence."""
    return decibels(float(peaks(audio).max())) if len(audio) else decibels(0.0)


def limit(audio: Audio, envelope: NDArray[np.float32], rate: int, ceiling: float) -> Audio:
    """A look-ahead limiter: no instant of ``envelope`` stays above ``ceiling`` (dB), and the gain moves smoothly.

    The gain falls over the 5 ms ahead of a peak and comes back by 60 dB a second. A minimum over the smoothing window ahead of the
    smoothing makes sure that the smooth gain is never above the one that is needed.

    Args:
        audio: float32 (samples, channels).
        envelope: the peaks (samples, channels) of this audio.
    """
    from scipy import ndimage

    excess = 20 * np.log10(np.maximum(envelope.max(axis=1), 1e-10)) - ceiling
    if excess.max() <= 0:
        return audio
    fall = np.arange(len(audio)) * (60 / rate)
    held = (
        np.maximum.accumulate(np.maximum(excess, 0) + fall) - fall
    )  # dB: a release that is a straight line
    width = int(0.005 * rate) | 1
    gain = ndimage.minimum_filter1d(10 ** (-held / 20), 2 * width - 1, mode="nearest")
    for _ in range(2):  # two boxes: a triangle as wide as the minimum
        gain = ndimage.uniform_filter1d(gain, width, mode="nearest")
    return np.asarray(audio * gain[:, None], dtype=np.float32)


def level(
    audio: Audio, rate: int, levels: Levels, finish: Callable[[Audio], Audio] | None = None
) -> Levelled:
    """Bring a clip to its loudness under its ceiling, limiting gently where a peak forbids it.

    Args:
        audio: float32 (samples, channels).
        finish: what is done to the levelled audio afterwards (a crossfade, a pause); loudness and peak are those of the result.

    Raises:
        BadInput: silent, NaN, or shorter than 20 ms.
    """
    shape = finish or (lambda x: x)
    before, method = loudness(shape(audio), rate)
    envelope = peaks(audio)
    highest = decibels(float(envelope.max()))
    room = (
        levels.ceiling - 0.1
    )  # rounding, dither and the filters of other meters move a peak by less
    last = (0.0, before)
    gain, slope = levels.target - before, 1.0
    for _ in range(12):
        gain = min(gain, room + levels.most - highest)
        factor = np.float32(10 ** (gain / 20))
        out = shape(limit(audio * factor, envelope * factor, rate, room))
        after, peak = loudness(out, rate)[0], true_peak(out)
        if peak > levels.ceiling - 0.05:  # a crossfade added two peaks
            room -= peak - (levels.ceiling - 0.1)
            continue
        error = levels.target - after
        if abs(error) < 0.03 or (error > 0 and gain > room + levels.most - highest - 1e-3):
            break
        if (
            abs(gain - last[0]) > 1e-3
        ):  # under a limiter a decibel of gain is less than a decibel of loudness
            slope = min(1.0, max(0.25, (after - last[1]) / (gain - last[0])))
        last = (gain, after)
        gain += error / slope
    if peak > levels.ceiling:
        out = (out * np.float32(10 ** ((levels.ceiling - 0.1 - peak) / 20))).astype(np.float32)
        after, peak = loudness(out, rate)[0], true_peak(out)
    limited = max(0.0, highest + gain - room)
    return Levelled(
        audio=out,
        before=before,
        after=after,
        true_peak=peak,
        method=method,
        gain=gain,
        limited=limited,
    )


def level_set(clips: Sequence[Audio], rate: int, levels: Levels | None = None) -> list[Levelled]:
    """Bring each clip of a set to the same loudness, -16 LUFS by default, with a true peak of at most -1 dBTP.

    Raises:
        BadInput: a clip is silent, holds NaN, or is shorter than 20 ms.
    """
    return [level(clip, rate, levels or Levels()) for clip in clips]
