"""Calls as pictures and back: log magnitudes of a short-time Fourier transform, and the phases that fit to them.

A picture is (1, BINS, T): row k is k * RATE / FFT Hz, column n the HOP samples around n * HOP, value -1 to 1 = FLOOR to 0 dB.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from torch import Tensor

RATE = 16_000  # Hz
FFT = 512  # samples of a window; a quarter of it between two columns, as phase recovery needs
HOP = 128
BINS = 256  # the Nyquist bin is left out
FLOOR = -80.0  # dB; everything below is silence
POLISH = 16  # rounds of Griffin-Lim after the phases are integrated
AUDIBLE = 1e-5  # of the loudest bin; the phase of weaker bins is random

_GAMMA = (
    0.25645 * FFT**2
)  # of the Gaussian window nearest to a Hann window (Prusa et al. 2017, table 1)


def _window(like: Tensor) -> Tensor:
    return torch.hann_window(FFT, dtype=like.dtype, device=like.device)


def transform(waves: Tensor) -> Tensor:
    """(B, T * HOP) float -> complex (B, BINS, T), scaled so that a sine of amplitude 1 in the middle of a bin has magnitude 1."""
    spectrum = torch.stft(
        waves,
        FFT,
        HOP,
        window=_window(waves),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    return spectrum[:, :BINS, :-1] / (FFT / 4)


def inverse(spectrum: Tensor) -> Tensor:
    """The least-squares inverse of :func:`transform`: complex (B, BINS, T) -> (B, T * HOP) float."""
    full = torch.nn.functional.pad(spectrum * (FFT / 4), (0, 1, 0, 1))
    return torch.istft(
        full, FFT, HOP, window=_window(spectrum.real), center=True, length=spectrum.shape[2] * HOP
    )


def to_images(waves: Tensor, loudest: Tensor | float = 1.0) -> Tensor:
    """(B, T * HOP) at RATE -> (B, 1, BINS, T) in [-1, 1]; ``loudest`` (scalar or (B,)) is the magnitude that becomes 1."""
    reference = (
        torch.as_tensor(loudest, dtype=waves.dtype, device=waves.device)
        .reshape(-1, 1, 1)
        .clamp_min(1e-9)
    )
    level = 20 * (transform(waves).abs() / reference).clamp_min(1e-9).log10()
    return (1 - 2 * level / FLOOR).clamp(-1, 1)[:, None]


def magnitudes(images: Tensor) -> Tensor:
    """The inverse of the level scale: (B, 1, BINS, T) -> (B, BINS, T), silence exactly 0."""
    level = (1 - images[:, 0].clamp(-1, 1)) * FLOOR / 2
    return torch.where(level > FLOOR, 10 ** (level / 20), 0.0)


def to_waves(images: Tensor, polish: int = POLISH) -> Tensor:
    """Calls that look like ``images`` (B, 1, BINS, T): (B, T * HOP) float32 at RATE; the same picture gives the same samples.

    The phases are integrated from the levels alone (:func:`integrate_phases`), then polished by ``polish`` rounds of the
    fast Griffin-Lim algorithm (Perraudin et al. 2013, algorithm 2, alpha = 0.99).
    """
    wanted = magnitudes(images.float().cpu())
    phases = torch.from_numpy(np.stack([integrate_phases(one) for one in wanted.numpy()]))
    spectrum = torch.polar(wanted, phases)
    before = spectrum
    for _ in range(polish):
        consistent = transform(inverse(spectrum))
        spectrum = torch.polar(wanted, (consistent + 0.99 * (consistent - before)).angle())
        before = consistent
    return inverse(spectrum)


def phase_steps(magnitude: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How the phase grows from each bin to the next one in time and in frequency, both (BINS, T), from levels alone.

    Prusa, Balazs, Sondergaard 2017 (IEEE/ACM TASLP 25(5)), equations 18 and 19, for windows centred at n * HOP, turned by
    pi a bin because a transform counts time from the start of its window.
    """
    level = np.log(np.maximum(magnitude.astype(np.float64), 1e-10))
    in_time = (
        HOP * FFT / _GAMMA * np.gradient(level, axis=0)
        + 2 * np.pi * HOP / FFT * np.arange(BINS)[:, None]
    )
    in_frequency = -_GAMMA / (HOP * FFT) * np.gradient(level, axis=1) - np.pi
    return in_time, in_frequency


def integrate_phases(magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """A phase (BINS, T) in radians for each magnitude (BINS, T), by phase gradient integration.

    Prusa et al. 2017 walk from the loudest bins to weaker ones with a heap. The paths of that walk are a maximum spanning
    tree of the grid whose edges weigh as their weaker end, which scipy builds at once. Each sound of its own, parted from
    the others by inaudible bins, starts at phase 0 in its loudest bin.
    """
    high, wide = magnitude.shape
    count = high * wide
    in_time, in_frequency = phase_steps(magnitude)
    number = np.arange(count).reshape(high, wide)
    audible = (magnitude > AUDIBLE * magnitude.max(initial=0.0)) & (magnitude > 0)
    parts = []
    for first, second, grown in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None)), in_time),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None)), in_frequency),
    ):
        both = audible[first] & audible[second]
        step = (grown[first] + grown[second]) / 2
        weight = np.minimum(magnitude[first], magnitude[second])
        parts.append((number[first][both], number[second][both], step[both], weight[both]))
    start, end, step, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    # the tree must be connected to be walked: a root beside the grid is tied to every bin, so weakly that it is used last
    ties = np.flatnonzero(audible)
    cost = np.concatenate(
        [
            1 - np.log(weight / magnitude.max(initial=1e-30)),
            100 - np.log(magnitude.ravel()[ties] + 1e-30),
        ]
    )
    rows, columns = np.concatenate([start, np.full(len(ties), count)]), np.concatenate([end, ties])
    tree = minimum_spanning_tree(csr_array((cost, (rows, columns)), shape=(count + 1, count + 1)))
    order, before = breadth_first_order(tree, count, directed=False)
    growth = csr_array(
        (
            np.concatenate([step, -step]),
            (np.concatenate([start, end]), np.concatenate([end, start])),
        ),
        shape=tree.shape,
    )
    phase = np.zeros(count + 1)
    random = np.random.default_rng(0).uniform(-math.pi, math.pi, count)
    reached = order[1:]
    delta = np.zeros(count + 1)
    inner = reached[before[reached] != count]
    delta[inner] = np.asarray(growth[before[inner], inner]).ravel()
    parent = np.where(before < 0, count, before)
    while True:  # pointer doubling: every round the sums reach twice as far up the tree
        if bool((parent == count).all()):
            break
        delta, parent = delta + delta[parent], parent[parent]
    phase = np.where(audible.ravel(), delta[:count], random)
    wrapped: NDArray[np.float32] = (
        np.angle(np.exp(1j * phase)).reshape(high, wide).astype(np.float32)
    )
    return wrapped
