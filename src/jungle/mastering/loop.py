"""Seamless loops: a sustained sound goes on inside itself, a single call comes again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .clean import Audio

_REACH = 0.01  # seconds by which a candidate moves to align its wave: half a period of 50 Hz
_CANDIDATES = 400  # points of a clip at most, 10 ms apart or more
_PAIRS = 32  # of candidates, whose waves are compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Looping:
    """How a loop is looked for."""

    window: float = 0.04  # seconds of wave that must agree around start and end
    fade: float = 0.06  # seconds of crossfade on each side of the end
    shortest: float = 1.0  # seconds: a shorter loop sounds like a machine
    likeness: float = 0.5  # correlation below which only a steady sound is looped inside itself
    pause: float = 0.4  # seconds before a single call comes again

    def __post_init__(self) -> None:
        if not (
            0.02 <= self.window <= 0.05
            and 0.03 <= self.fade <= 0.12
            and self.shortest >= 4 * self.fade
            and 0 <= self.pause <= 60
        ):
            raise BadInput(
                f"These settings of a loop make no sense: {self}; take a window of 0.02 to 0.05 s "
                "and a fade of 0.03 to 0.12 s."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """Where a clip goes on inside itself: from ``end`` (exclusive) back to ``start``, in samples.

    ``likeness`` is the normalised cross-correlation of the waves around start and end, -1 to 1.
    """

    start: int
    end: int
    fade: int  # samples of crossfade on each side of the end
    likeness: float


def find_loop(audio: Audio, rate: int, settings: Looping) -> Loop | None:
    """The best loop over at least half of a clip.

    Pairs of points are ranked by the distance of their short-time spectra (level included); the
    best are aligned to the sample by normalised cross-correlation; the pair then moves together to
    where the wave is nearly still.

    Args:
        audio: float32 (samples, 1).
        rate: in Hz.
        settings: what counts as a loop.

    Returns:
        None where no two points are alike: a bark, a single call.
    """
    wave = audio[:, 0].astype(np.float64)
    half = round(settings.window / 2 * rate)
    reach = round(_REACH * rate)
    fade = round(settings.fade * rate)

    # Whatever is cut out around a candidate must lie inside the clip.
    edge = max(half, fade) + 2 * reach
    shortest = max(round(settings.shortest * rate), len(wave) // 2)
    points = np.arange(edge, len(wave) - edge, max(reach, len(wave) // _CANDIDATES))
    if len(wave) - 2 * edge < shortest or len(points) < 2:
        return None

    starts, ends = _similar_pairs(wave, points, shortest, rate)
    if len(starts) == 0:
        return None
    ends, likeness = _align(wave, starts, ends, half=half, reach=reach)
    best = int(likeness.argmax())
    if likeness[best] < settings.likeness and not _is_steady(wave[starts[best] : ends[best]], rate):
        return None

    # The last sample and the first are heard one after the other: best small, and alike.
    near = wave[starts[best] - reach // 2 :][: reach + 1]
    unrest = np.abs(near[1:]) + np.abs(near[:-1]) + 4 * np.abs(np.diff(near))
    shift = int(unrest.argmin()) + 1 - reach // 2
    return Loop(
        start=int(starts[best]) + shift,
        end=int(ends[best]) + shift,
        fade=fade,
        likeness=float(likeness[best]),
    )


def _is_steady(wave: NDArray[np.float64], rate: int) -> bool:
    """Whether a sound keeps its level within 6 dB, as crickets and rain do.

    Its loop needs no likeness, a crossfade of equal power is enough.
    """
    frame = rate // 20
    power = np.square(wave[: len(wave) // frame * frame]).reshape(-1, frame).mean(axis=1)
    return bool(np.percentile(power, 95) < 4 * np.percentile(power, 5))


def _similar_pairs(
    wave: NDArray[np.float64], points: NDArray[np.int64], shortest: int, rate: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of points with the most similar spectra, ``shortest`` samples apart at least.

    Returns:
        Starts and ends, (pairs,) each, the most similar pair first.
    """
    width = 2 ** round(np.log2(0.04 * rate))
    padded = np.pad(wave, width // 2)  # so that the frames are centred on the points
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    frames = windows[points] * np.hanning(width)
    spectra = np.abs(np.fft.rfft(frames)) ** 0.3  # (points, bands); compressed as loudness is

    # |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, for all pairs at once.
    energy = np.square(spectra).sum(axis=1)
    sums = energy[:, None] + energy[None, :]
    distance = (sums - 2 * spectra @ spectra.T) / np.maximum(sums, 1e-12)

    # Of two equal pairs the longer loop; and none through silence, which is that of the whole clip.
    lengths = points[None, :] - points[:, None]
    distance += 0.05 * (1 - lengths / len(wave))
    loud = energy > 0.25 * np.percentile(energy, 95)
    distance[(lengths < shortest) | ~loud[:, None] | ~loud[None, :]] = np.inf

    order = np.argsort(distance, axis=None)[:_PAIRS]
    order = order[np.isfinite(distance.flat[order])]
    first, second = np.unravel_index(order, distance.shape)
    return points[first], points[second]


def _align(
    wave: NDArray[np.float64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    *,
    half: int,
    reach: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Move each end to where the wave around it correlates most with that around its start.

    Args:
        wave: (samples,).
        starts: in samples, (pairs,).
        ends: in samples, (pairs,).
        half: samples on each side of a point that are compared.
        reach: samples by which an end moves at most, either way.

    Returns:
        The ends, and the normalised cross-correlation there, (pairs,) each.
    """
    around = np.lib.stride_tricks.sliding_window_view
    pattern = around(wave, 2 * half)[starts - half]  # (pairs, 2 half)
    field = around(wave, 2 * (half + reach))[ends - half - reach]
    lags = 2 * reach + 1

    # The correlation at all lags by the transform; a power of two, for speed.
    size = 1 << int(field.shape[1] - 1).bit_length()
    spectra = np.fft.rfft(field, size) * np.conj(np.fft.rfft(pattern, size))
    products = np.fft.irfft(spectra, size)[:, :lags]

    # The energy of the field under the pattern at each lag, by running sums.
    total = np.pad(np.cumsum(np.square(field), axis=1), ((0, 0), (1, 0)))
    energy = total[:, 2 * half :] - total[:, :lags]
    norm = np.sqrt(np.square(pattern).sum(axis=1, keepdims=True) * np.maximum(energy, 1e-20))
    correlation = products / np.maximum(norm, 1e-12)
    lag = correlation.argmax(axis=1)
    return ends + lag - reach, correlation[np.arange(len(lag)), lag]


def bake_crossfade(audio: Audio, loop: Loop) -> Audio:
    """Crossfade into the clip what makes the loop seamless, on both sides of its end.

    Around the end the clip turns into what lies around the start and back again, so that neither
    going round nor leaving the loop is heard. The weights keep the power whatever the likeness r
    of the two: sin and cos over sqrt(1 + 2 r sin cos) (Fink, Holters, Zölzer 2016,
    "Signal-matched power-complementary cross-fading"): equal power for r = 0, equal gain for r = 1.

    Args:
        audio: float32 (samples, 1).
        loop: found in this audio, or in the same one at another level.
    """
    angle = np.pi / 2 * (1 - np.abs(np.arange(-loop.fade, loop.fade)) / loop.fade)[:, None]
    there, here = np.sin(angle), np.cos(angle)
    norm = np.sqrt(1 + 2 * max(loop.likeness, 0.0) * there * here)
    out = audio.copy()
    around_start = slice(loop.start - loop.fade, loop.start + loop.fade)
    around_end = slice(loop.end - loop.fade, loop.end + loop.fade)
    out[around_end] = (here * audio[around_end] + there * audio[around_start]) / norm
    return out


def append_pause(audio: Audio, rate: int, seconds: float) -> Audio:
    """The clip (samples, channels) and then silence: looped as a whole, it is a call again."""
    silence = np.zeros((round(seconds * rate), audio.shape[1]), dtype=np.float32)
    return np.concatenate([audio, silence])


def seam_steps(audio: Audio, start: int, end: int) -> tuple[float, float]:
    """How far the wave jumps at the seam of a loop, and how far it does inside the clip.

    The step from the last sample of the loop [start, end) to its first, and the 99th percentile of
    the clip's own steps. A seam is not heard where the first is below the second.

    Args:
        audio: (samples, channels), float or integer; both results are in its units.
        start: of the loop, in samples.
        end: of the loop, in samples, exclusive.
    """
    steps = np.abs(np.diff(audio.astype(np.float64), axis=0)).max(axis=1)
    step = np.abs(audio[start].astype(np.float64) - audio[end - 1]).max()
    return float(step), float(np.percentile(steps, 99))
