"""From one drawn call to one of a given length.

Cut, or repeated as an animal repeats itself, never as a tape loop.
"""

import numpy as np
import soxr

from .engine import Audio

_FRAME = 0.02  # seconds
_QUIET_DB = -40.0  # under the loudest frame: silence around a call
_MARGIN = 0.02  # seconds kept before and after the audible part
_FADE = 0.01  # seconds
_PITCH = 0.06  # a repetition is up to so much higher or lower
_GAP = (0.15, 0.6)  # seconds between two repetitions
_SHORTEST = 0.3  # seconds of a repetition that is cut at the end
_SOFTER_DB = 5.0  # that a repetition may be softer


def audible_range(audio: Audio, rate: int) -> tuple[int, int]:
    """Where a call (samples, channels) begins and ends, in samples; the end is exclusive.

    Its frames of 20 ms within 40 dB of the loudest, with a margin of 20 ms.
    """
    size = max(1, int(_FRAME * rate))
    count = max(1, len(audio) // size)
    power = (audio[: count * size].astype(np.float64) ** 2).reshape(count, -1).mean(axis=1)
    loud = np.flatnonzero(power >= power.max(initial=0.0) * 10 ** (_QUIET_DB / 10))
    margin = int(_MARGIN * rate)
    start = max(0, int(loud[0]) * size - margin)
    return start, min(len(audio), (int(loud[-1]) + 1) * size + margin)


def _fade_ends(audio: Audio, rate: int) -> Audio:
    """A copy with raised-cosine fades of 10 ms at both ends.

    Sampled between the ends of the cosine, so that no sample becomes 0, unlike
    ``mastering.clean.fade_ends``.
    """
    count = min(int(_FADE * rate), len(audio) // 2)
    phase = np.pi * (np.arange(count) + 0.5) / max(count, 1)
    ramp = (0.5 - 0.5 * np.cos(phase))[:, None].astype(np.float32)
    result = audio.copy()
    result[:count] *= ramp
    result[len(result) - count :] *= ramp[::-1]
    return result


def vary_call(audio: Audio, rate: int, random: np.random.Generator) -> Audio:
    """The call (samples, channels) once more, as the same animal would give it.

    A little higher and shorter, or lower and longer, and a little softer.
    """
    factor = 1 + random.uniform(-_PITCH, _PITCH)
    resampled: Audio = soxr.resample(audio, rate, rate * factor, quality="HQ")
    return (resampled * 10 ** (-random.uniform(0, _SOFTER_DB) / 20)).astype(np.float32)


def fit_length(audio: Audio, rate: int, seconds: float, seed: int) -> Audio:
    """Exactly round(seconds * rate) samples of a call.

    A longer call is cut with a fade. A shorter one is repeated after pauses, every time a little
    different, the last time as much of it as fits; under 0.3 seconds the end stays silent.

    Args:
        audio: float32 (samples, channels).
        rate: in Hz.
        seconds: of the result.
        seed: of pauses and differences.

    Returns:
        float32 (samples, channels).
    """
    length = round(seconds * rate)
    begin, end = audible_range(audio, rate)
    call = audio[begin : min(end, begin + length)]
    result = np.zeros((length, audio.shape[1]), dtype=np.float32)
    random = np.random.default_rng([seed, 7])

    # The first time the call is as it was drawn: with one repetition nothing sounds altered.
    offset, repetition = 0, _fade_ends(call, rate)
    while length - offset >= min(len(repetition), _SHORTEST * rate):
        if len(repetition) > length - offset:
            repetition = _fade_ends(repetition[: length - offset], rate)
        result[offset : offset + len(repetition)] += repetition
        offset += len(repetition) + int(random.uniform(*_GAP) * rate)
        repetition = _fade_ends(vary_call(call, rate, random), rate)
    return result
