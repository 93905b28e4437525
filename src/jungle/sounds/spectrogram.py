"""Calls as images and back: log magnitudes of a short-time Fourier transform, and their phases.

An image is (1, BINS, T): row k is k * RATE / FFT Hz, column n the HOP samples around n * HOP, value
-1 to 1 = FLOOR to 0 dB.
"""

import math
from typing import NamedTuple

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

_POLISH = 16  # rounds of Griffin-Lim after the phases are integrated
_AUDIBLE = 1e-5  # of the loudest bin; the phase of weaker bins is random

# Of the Gaussian window nearest to a Hann window (Prusa et al. 2017, table 1).
_GAMMA = 0.25645 * FFT**2


def _window(like: Tensor) -> Tensor:
    return torch.hann_window(FFT, dtype=like.dtype, device=like.device)


def stft(waves: Tensor) -> Tensor:
    """The short-time Fourier transform: (B, T * HOP) float to complex (B, BINS, T).

    Scaled so that a sine of amplitude 1 in the middle of a bin has magnitude 1.
    """
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


def inverse_stft(spectrum: Tensor) -> Tensor:
    """The least-squares inverse of :func:`stft`: complex (B, BINS, T) to (B, T * HOP) float."""
    full = torch.nn.functional.pad(spectrum * (FFT / 4), (0, 1, 0, 1))
    return torch.istft(
        full, FFT, HOP, window=_window(spectrum.real), center=True, length=spectrum.shape[2] * HOP
    )


def waves_to_images(waves: Tensor, loudest: Tensor | float = 1.0) -> Tensor:
    """(B, T * HOP) at RATE to (B, 1, BINS, T) in [-1, 1].

    Args:
        waves: float, (B, T * HOP).
        loudest: the magnitude that becomes 1, for all or for each (B,).
    """
    reference = (
        torch.as_tensor(loudest, dtype=waves.dtype, device=waves.device)
        .reshape(-1, 1, 1)
        .clamp_min(1e-9)
    )
    level = 20 * (stft(waves).abs() / reference).clamp_min(1e-9).log10()
    return (1 - 2 * level / FLOOR).clamp(-1, 1)[:, None]


def image_magnitudes(images: Tensor) -> Tensor:
    """The inverse of the level scale: (B, 1, BINS, T) to (B, BINS, T), silence exactly 0."""
    level = (1 - images[:, 0].clamp(-1, 1)) * FLOOR / 2
    return torch.where(level > FLOOR, 10 ** (level / 20), 0.0)


def images_to_waves(images: Tensor, polish: int = _POLISH) -> Tensor:
    """Calls that look like ``images``; the same picture gives the same samples in any batch.

    The phases are integrated from the levels alone (:func:`integrate_phases`), then polished by the
    fast Griffin-Lim algorithm (Perraudin et al. 2013, algorithm 2, alpha = 0.99).

    Args:
        images: (B, 1, BINS, T) in [-1, 1].
        polish: rounds of that algorithm.

    Returns:
        (B, T * HOP) float32 at RATE, on the CPU.
    """
    magnitudes = image_magnitudes(images.float().cpu())

    # One call after the other: some CPUs transform several signals by another route, whose last
    # bits differ, and a call must not depend on its company.
    return torch.cat([_magnitudes_to_wave(call, polish) for call in magnitudes[:, None]])


def _magnitudes_to_wave(magnitudes: Tensor, polish: int) -> Tensor:
    """(1, BINS, T) -> (1, T * HOP)."""
    phases = integrate_phases(magnitudes[0].numpy())[None]
    spectrum = torch.polar(magnitudes, torch.from_numpy(phases))

    # To the nearest spectrum that a wave can have, and back to the wanted magnitudes; the step is
    # extrapolated, which is what makes it fast.
    before = spectrum
    for _ in range(polish):
        consistent = stft(inverse_stft(spectrum))
        spectrum = torch.polar(magnitudes, (consistent + 0.99 * (consistent - before)).angle())
        before = consistent
    return inverse_stft(spectrum)


def phase_gradients(
    magnitude: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How the phase grows from each bin to the next one in time and in frequency.

    From levels alone: Prusa, Balazs, Sondergaard 2017 (IEEE/ACM TASLP 25(5)), equations 18 and 19,
    for windows centred at n * HOP, turned by pi a bin because a transform counts time from the
    start of its window.

    Args:
        magnitude: (BINS, T), not negative.

    Returns:
        Two (BINS, T) in radians.
    """
    level = np.log(np.maximum(magnitude.astype(np.float64), 1e-10))
    in_time = (
        HOP * FFT / _GAMMA * np.gradient(level, axis=0)
        + 2 * np.pi * HOP / FFT * np.arange(BINS)[:, None]
    )
    in_frequency = -_GAMMA / (HOP * FFT) * np.gradient(level, axis=1) - np.pi
    return in_time, in_frequency


class _Edges(NamedTuple):
    """Pairs of neighbouring audible bins, E of them; bins are numbered row by row."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    step: NDArray[np.float64]  # radians from start to end
    weight: NDArray[np.float32]  # magnitude of the weaker end


def integrate_phases(magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """A phase in radians for each magnitude, both (BINS, T), by phase gradient integration.

    Prusa et al. 2017 walk from the loudest bins to weaker ones with a heap. The paths of that walk
    are a maximum spanning tree of the grid whose edges weigh as their weaker end, which scipy
    builds at once. Each sound of its own, parted from the others by inaudible bins, starts at phase
    0 in its loudest bin.
    """
    audible = (magnitude > _AUDIBLE * magnitude.max(initial=0.0)) & (magnitude > 0)
    edges = _audible_edges(magnitude, audible)
    order, parent = _spanning_tree(magnitude, audible, edges)
    phase = _sum_along_tree(edges, order, parent)

    # Inaudible bins have no phase: a random one, always the same, does not buzz.
    random = np.random.default_rng(0).uniform(-math.pi, math.pi, magnitude.size)
    phase = np.where(audible.ravel(), phase, random).reshape(magnitude.shape)
    wrapped: NDArray[np.float32] = np.angle(np.exp(1j * phase)).astype(np.float32)
    return wrapped


def _audible_edges(magnitude: NDArray[np.float32], audible: NDArray[np.bool_]) -> _Edges:
    """All pairs of audible bins (BINS, T) that are neighbours in time or in frequency."""
    bins = np.arange(magnitude.size).reshape(magnitude.shape)
    in_time, in_frequency = phase_gradients(magnitude)
    directions = (
        (np.s_[:, :-1], np.s_[:, 1:], in_time),
        (np.s_[:-1, :], np.s_[1:, :], in_frequency),
    )

    parts = []
    for near, far, gradient in directions:
        both = audible[near] & audible[far]
        step = (gradient[near] + gradient[far]) / 2  # the trapezoidal rule
        weight = np.minimum(magnitude[near], magnitude[far])
        parts.append((bins[near][both], bins[far][both], step[both], weight[both]))
    return _Edges(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _spanning_tree(
    magnitude: NDArray[np.float32], audible: NDArray[np.bool_], edges: _Edges
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The maximum spanning tree of the audible bins, walked from a root beside the grid.

    A tree must be connected to be walked: the root is tied to every audible bin, so weakly that a
    tie is used once a sound, at its loudest bin.

    Returns:
        The nodes in the order of the walk, the root first, and the parent of each of the BINS * T
        + 1 nodes, negative where there is none.
    """
    root = magnitude.size
    ties = np.flatnonzero(audible)
    cost = np.concatenate(
        [
            1 - np.log(edges.weight / magnitude.max(initial=1e-30)),
            100 - np.log(magnitude.ravel()[ties] + 1e-30),
        ]
    )
    rows = np.concatenate([edges.start, np.full(len(ties), root)])
    columns = np.concatenate([edges.end, ties])

    # The logarithm keeps the order, so the least cost is the greatest weight.
    graph = csr_array((cost, (rows, columns)), shape=(root + 1, root + 1))
    tree = minimum_spanning_tree(graph)
    order, parent = breadth_first_order(tree, root, directed=False)
    return order, parent


def _sum_along_tree(
    edges: _Edges, order: NDArray[np.int32], parent: NDArray[np.int32]
) -> NDArray[np.float64]:
    """The sum of the steps from the root to each bin, (BINS * T,) in radians; 0 off the tree."""
    root = len(parent) - 1

    # Steps can be walked either way.
    steps = np.concatenate([edges.step, -edges.step])
    rows = np.concatenate([edges.start, edges.end])
    columns = np.concatenate([edges.end, edges.start])
    growth = csr_array((steps, (rows, columns)), shape=(root + 1, root + 1))

    reached = order[1:]
    inner = reached[parent[reached] != root]
    total = np.zeros(root + 1)
    total[inner] = np.asarray(growth[parent[inner], inner]).ravel()

    # Pointer doubling: every round the sums reach twice as far up the tree.
    ancestor = np.where(parent < 0, root, parent)
    while not (ancestor == root).all():
        total, ancestor = total + total[ancestor], ancestor[ancestor]
    return total[:root]
