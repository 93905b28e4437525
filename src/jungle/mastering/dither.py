"""Rounding to whole numbers without a trace of the signal in the error."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .clean import Audio


def dither(audio: Audio, bits: int = 16, seed: int = 0) -> NDArray[Any]:
    """Round to 16 or 24 bits with triangular dither.

    The dither is the difference of two uniform numbers of one step each (Lipshitz, Wannamaker,
    Vanderkooy 1992, "Quantization and dither"). The error is then noise of constant power that
    does not depend on the signal: a fade ends in hiss 90 dB down, not in a buzz.

    Args:
        audio: float32 (samples, channels) in [-1, 1); what lies outside is clipped.
        bits: 16 or 24.
        seed: the same seed gives the same noise.

    Returns:
        int16, or int32 with 24-bit numbers, of the same shape.

    Raises:
        BadInput: ``bits`` is neither 16 nor 24.
    """
    full = _full_scale(bits)
    generator = np.random.default_rng(seed)
    noise = generator.random(audio.shape) - generator.random(audio.shape)
    rounded = np.rint(audio.astype(np.float64) * full + noise)
    return np.clip(rounded, -full, full - 1).astype(np.int16 if bits == 16 else np.int32)


def _full_scale(bits: int) -> int:
    if bits not in (16, 24):
        raise BadInput(f"A WAV of {bits} bits cannot be written: use 16 or 24.")
    return 1 << (bits - 1)
