"""What training may see of a recording: any window of it, played a little faster or slower."""

import numpy as np
from numpy.typing import NDArray

from . import spectrogram

_LEAD = 0.1  # seconds; the most silence before a short call
_SPEEDS = 0.06  # a recording is played up to so much faster or slower, as of another body size


def random_window(
    wave: NDArray[np.float32], count: int, random: np.random.Generator, *, vary_speed: bool
) -> NDArray[np.float32]:
    """``count`` samples of a wave (samples,) at 16 kHz; what reaches beyond its ends is silence.

    A wave shorter than the window begins near the start of it, of a longer one any stretch is
    taken.

    Args:
        wave: float32 (samples,).
        count: samples of the window.
        random: gives speed, lead and, for a long wave, the beginning, in this order.
        vary_speed: whether the speed is drawn at all.
    """
    speed = 1.0
    if vary_speed:
        speed = float(random.uniform(1 - _SPEEDS, 1 + _SPEEDS))
    length = int(len(wave) / speed)
    spare = length - count

    # Linear interpolation is enough for a few per cent, and far quicker than a resampler.
    lead = int(random.uniform(0, _LEAD) * spectrogram.RATE)
    begin = int(random.integers(-lead, spare + 1)) if spare > 0 else -lead
    positions = (begin + np.arange(count)) * speed
    window: NDArray[np.float32] = np.interp(
        positions, np.arange(len(wave)), wave, left=0.0, right=0.0
    ).astype(np.float32)
    return window
