"""From one drawn call to one of a wanted length: cut, or repeated as an animal repeats itself, never as a tape loop."""

import numpy as np
import soxr

from .engine import Audio

FRAME = 0.02  # seconds
QUIET = -40.0  # dB under the loudest frame: silence around a call
MARGIN = 0.02  # seconds kept before and after the audible part
FADE = 0.01  # seconds
PITCH = 0.06  # a repetition is up to so much higher or lower
GAP = (0.15, 0.6)  # seconds between two repetitions
SHORTEST = 0.3  # seconds of a repetition that is cut at the end
SOFTER = 5.0  # dB that a repetition may be softer


def active_part(audio: Audio, rate: int) -> tuple[int, int]:
    """Where a call (N, C) begins and ends, in samples: its frames within QUIET of the loudest, with a margin."""
    size = max(1, int(FRAME * rate))
    count = max(1, len(audio) // size)
    power = (audio[: count * size].astype(np.float64) ** 2).reshape(count, -1).mean(axis=1)
    loud = np.flatnonzero(power >= power.max(initial=0.0) * 10 ** (QUIET / 10))
    margin = int(MARGIN * rate)
    return max(0, int(loud[0]) * size - margin), min(
        len(audio), (int(loud[-1]) + 1) * size + margin
    )


def faded(audio: Audio, rate: int) -> Audio:
    """A copy with raised-cosine fades of FADE seconds at both ends."""
    count = min(int(FADE * rate), len(audio) // 2)
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / max(count, 1)))[:, None].astype(
        np.float32
    )
    result = audio.copy()
    result[:count] *= ramp
    result[len(result) - count :] *= ramp[::-1]
    return result


def varied(audio: Audio, rate: int, source: np.random.Generator) -> Audio:
    """The call once more, as the same animal would give it: a little higher or lower, shorter or longer, softer."""
    factor = 1 + source.uniform(-PITCH, PITCH)
    turned: Audio = soxr.resample(audio, rate, rate * factor, quality="HQ")
    return (turned * 10 ** (-source.uniform(0, SOFTER) / 20)).astype(np.float32)


def compose(audio: Audio, rate: int, seconds: float, seed: int) -> Audio:
    """Exactly round(seconds * rate) samples, (N, C).

    A longer call is cut with a fade. A shorter one is repeated after pauses, every time a little different, the last time as much of
    it as fits; under SHORTEST seconds the end stays silent.
    """
    wanted = round(seconds * rate)
    begin, end = active_part(audio, rate)
    call = audio[begin : min(end, begin + wanted)]
    result = np.zeros((wanted, audio.shape[1]), dtype=np.float32)
    source = np.random.default_rng([seed, 7])
    place, again = 0, faded(call, rate)
    while wanted - place >= min(len(again), SHORTEST * rate):
        again = again if len(again) <= wanted - place else faded(again[: wanted - place], rate)
        result[place : place + len(again)] += again
        place += len(again) + int(source.uniform(*GAP) * rate)
        again = faded(varied(call, rate, source), rate)
    return result
