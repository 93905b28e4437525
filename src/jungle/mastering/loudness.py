"""Loudness and true peak by the standards, and a clip brought to one level.

Integrated loudness: ITU-R BS.1770-4, annex 1 (400 ms blocks, 75 % overlap, gates at -70 LUFS and
-10 LU), as EBU R128 asks. True peak: annex 2, four times oversampled.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .clean import Audio, amplitude_to_db, check_clip

STANDARD = "BS.1770-4"
REPEATED = "BS.1770-4 over the clip repeated to 3 s"

_BLOCK, _HOP = 0.4, 0.1  # seconds: the gating blocks of the standard
_OVERSAMPLING = 4  # of the true peak
_RING = 32  # samples: a clip that ends at once rings on, which is part of its peak


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """Where a set of clips is brought."""

    target: float = -16.0  # LUFS, integrated
    ceiling: float = -1.0  # dBTP
    # dB that the limiter may take from the highest peak; a clip that needs more stays quieter
    # than the target
    most: float = 10.0

    def __post_init__(self) -> None:
        if not (-60 <= self.target <= -5 and -20 <= self.ceiling <= 0 and 0 <= self.most <= 24):
            raise BadInput(
                f"These levels make no sense: {self}; take a target of -60 to -5 LUFS, a ceiling "
                "of -20 to 0 dBTP, most 0 to 24 dB."
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


def integrated_loudness(audio: Audio, rate: int) -> tuple[float, str]:
    """Integrated loudness in LUFS, and the method: :data:`STANDARD` or :data:`REPEATED`.

    The standard needs one block of 400 ms: a shorter clip is repeated to 3 s, and the method says
    so. A clip under the gate of -70 LUFS is measured at full scale and the gain subtracted: there
    is a number for everything that is not silent.

    Args:
        audio: float32 (samples, channels): front left and right, centre, and surrounds.
        rate: in Hz.

    Raises:
        BadInput: silent, NaN, or shorter than 20 ms.
    """
    import pyloudnorm

    check_clip(audio, rate)
    method = STANDARD
    if len(audio) < _BLOCK * rate:
        audio = np.tile(audio, (-(-3 * rate // len(audio)), 1))[: 3 * rate]
        method = REPEATED

    # The standard drops the last, incomplete block.
    hops = int((len(audio) / rate - _BLOCK) / _HOP + 1e-9)
    whole = audio[: round((_BLOCK + hops * _HOP) * rate)].astype(np.float64)

    # DeMan computes the standard's own filters at any rate; the default of the library differs by
    # 0.04 LU.
    meter = pyloudnorm.Meter(rate, filter_class="DeMan")
    measured = float(meter.integrated_loudness(whole))
    if np.isfinite(measured):
        return measured, method

    peak = float(np.abs(whole).max())
    if peak == 0:  # all sound lies in the incomplete block
        silence = np.zeros((int(_BLOCK * rate), audio.shape[1]), np.float32)
        return integrated_loudness(np.concatenate([audio, silence]), rate)
    return float(meter.integrated_loudness(whole / peak)) + amplitude_to_db(peak), method


def peak_envelope(audio: Audio) -> NDArray[np.float32]:
    """The highest magnitude of each sample and the instants up to the next.

    Four times oversampled, (samples, channels) as ``audio``.
    """
    from scipy import signal

    # The filter is open up to half the rate, as that of the standard is.
    padded = np.pad(audio, ((_RING, _RING), (0, 0)))
    dense = np.abs(signal.resample_poly(padded, _OVERSAMPLING, 1, axis=0))

    # What rings before the first sample and after the last counts as theirs.
    first = _RING * _OVERSAMPLING
    last = (_RING + len(audio)) * _OVERSAMPLING - 1
    dense[first] = np.maximum(dense[first], dense[:first].max(axis=0))
    dense[last] = np.maximum(dense[last], dense[last:].max(axis=0))
    dense = dense[first : last + 1]
    between = dense.reshape(len(audio), _OVERSAMPLING, audio.shape[1]).max(axis=1)
    return np.asarray(np.maximum(between, np.abs(audio)), dtype=np.float32)


def true_peak(audio: Audio) -> float:
    """True peak in dBTP of float32 (samples, channels); -200 for silence."""
    return amplitude_to_db(float(peak_envelope(audio).max()) if len(audio) else 0.0)


def limit_peaks(audio: Audio, envelope: NDArray[np.float32], rate: int, ceiling: float) -> Audio:
    """A look-ahead limiter: no instant stays above the ceiling, and the gain moves smoothly.

    The gain falls over the 5 ms ahead of a peak and comes back by 60 dB a second. A minimum over
    the smoothing window ahead of the smoothing makes sure that the smooth gain is never above the
    one that is needed.

    Args:
        audio: float32 (samples, channels).
        envelope: the peaks (samples, channels) of this audio, by :func:`peak_envelope`.
        rate: in Hz.
        ceiling: in dB re full scale.
    """
    from scipy import ndimage

    excess = 20 * np.log10(np.maximum(envelope.max(axis=1), 1e-10)) - ceiling  # dB, (samples,)
    if excess.max() <= 0:
        return audio

    # Adding the fall and taking it off again makes the release a straight line in dB.
    fall = np.arange(len(audio)) * (60 / rate)
    held = np.maximum.accumulate(np.maximum(excess, 0) + fall) - fall
    width = int(0.005 * rate) | 1
    gain = ndimage.minimum_filter1d(10 ** (-held / 20), 2 * width - 1, mode="nearest")

    # Two boxes make a triangle, as wide as the minimum.
    for _ in range(2):
        gain = ndimage.uniform_filter1d(gain, width, mode="nearest")
    return np.asarray(audio * gain[:, None], dtype=np.float32)


def level_clip(
    audio: Audio, rate: int, levels: Levels, finish: Callable[[Audio], Audio] | None = None
) -> Levelled:
    """Bring a clip to its loudness under its ceiling, limiting gently where a peak forbids it.

    The gain is found by the secant method: limiting and ``finish`` change loudness, and have no
    closed form.

    Args:
        audio: float32 (samples, channels).
        rate: in Hz.
        levels: target and ceiling.
        finish: what is done to the levelled audio afterwards (a crossfade, a pause); loudness and
            peak are those of the result.

    Raises:
        BadInput: silent, NaN, or shorter than 20 ms.
    """
    shape = finish or (lambda x: x)
    before, method = integrated_loudness(shape(audio), rate)
    envelope = peak_envelope(audio)
    highest = amplitude_to_db(float(envelope.max()))

    # Rounding, dither and the filters of other meters move a peak by less than 0.1 dB.
    room = levels.ceiling - 0.1
    last_gain, last_loudness = 0.0, before
    gain, slope = levels.target - before, 1.0
    for _ in range(12):
        gain = min(gain, room + levels.most - highest)
        factor = np.float32(10 ** (gain / 20))
        out = shape(limit_peaks(audio * factor, envelope * factor, rate, room))
        after, peak = integrated_loudness(out, rate)[0], true_peak(out)

        # A crossfade may have added two peaks: leave room for their sum, and try again.
        if peak > levels.ceiling - 0.05:
            room -= peak - (levels.ceiling - 0.1)
            continue
        error = levels.target - after
        if abs(error) < 0.03 or (error > 0 and gain > room + levels.most - highest - 1e-3):
            break

        # Under a limiter a decibel of gain is less than a decibel of loudness.
        if abs(gain - last_gain) > 1e-3:
            slope = min(1.0, max(0.25, (after - last_loudness) / (gain - last_gain)))
        last_gain, last_loudness = gain, after
        gain += error / slope

    # The search may have ended on a peak: the ceiling counts more than the target.
    if peak > levels.ceiling:
        out = (out * np.float32(10 ** ((levels.ceiling - 0.1 - peak) / 20))).astype(np.float32)
        after, peak = integrated_loudness(out, rate)[0], true_peak(out)
    return Levelled(
        audio=out,
        before=before,
        after=after,
        true_peak=peak,
        method=method,
        gain=gain,
        limited=max(0.0, highest + gain - room),
    )
