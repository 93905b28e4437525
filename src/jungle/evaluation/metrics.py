"""How far apart two sets of features are. Arrays in, numbers out; nothing here knows of pictures.

Letters: N samples, M reference items, D features. No array of more than ``BLOCK`` rows of the N x M
table is ever held.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

BLOCK = 512  # rows and columns of a distance or kernel table held at once
HALVES = 50  # random halves behind a standard error


def blocks(rows: Floats) -> Iterator[Floats]:
    """``rows`` in slices of BLOCK."""
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))


def _halves(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, 1 + HALVES) of zeros and ones: everybody, then random halves."""
    chosen = rng.permuted(np.tile(np.arange(n) < n // 2, (HALVES, 1)), axis=1).T
    return np.concatenate([np.ones((n, 1)), chosen], axis=1)


def _kernel_sums(
    a: Floats, b: Floats, in_a: NDArray[np.float64], in_b: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For each column of the subsets: the sum over its pairs of the kernel (a.b / D + 1) ** 3."""
    total = np.zeros(in_a.shape[1])
    for i in range(0, len(a), BLOCK):
        for j in range(0, len(b), BLOCK):
            base = (
                a[i : i + BLOCK].astype(np.float64)
                @ b[j : j + BLOCK].T.astype(np.float64)
                / a.shape[1]
                + 1
            )
            total += (in_a[i : i + BLOCK] * (base * base * base @ in_b[j : j + BLOCK])).sum(axis=0)
    return total


class KernelDistance:
    """Kernel inception distance (Binkowski et al. 2018, arXiv 1801.01401) to a reference, with its
    standard error.

    The estimate is unbiased, so it may be a little below zero when the sets are alike. The standard
    error is the spread of the estimate over random halves of both sets, which stands for the spread
    of the whole (delete-half jackknife, Shao and Wu 1989); where the sets are alike it is up to
    twice too large, which errs on the careful side.
    """

    def __init__(self, reference: Floats, seed: int = 0) -> None:
        """``reference`` is (M, D), M at least 4."""
        self.reference, self.seed = reference, seed
        self.inside = _halves(len(reference), np.random.default_rng((seed, 1)))
        self.own = self._own(reference, self.inside)

    @staticmethod
    def _own(rows: Floats, inside: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean kernel over the pairs of different rows, for each column of the subsets."""
        alone = (np.square(rows.astype(np.float64)).sum(axis=1) / rows.shape[1] + 1) ** 3
        count = inside.sum(axis=0)
        out: NDArray[np.float64] = (_kernel_sums(rows, rows, inside, inside) - alone @ inside) / (
            count * (count - 1)
        )
        return out

    def __call__(self, samples: Floats) -> tuple[float, float]:
        """Distance of ``samples`` (N, D), N at least 4, and its standard error."""
        inside = _halves(len(samples), np.random.default_rng((self.seed, 0)))
        pairs = inside.sum(axis=0) * self.inside.sum(axis=0)
        cross = _kernel_sums(samples, self.reference, inside, self.inside) / pairs
        every = self._own(samples, inside) + self.own - 2 * cross
        return float(every[0]), float(every[1:].std())


class LeadingComponents:
    """Projection onto the ``count`` directions in which a reference (M, D) varies most (principal
    components); all D where D is less.

    A Frechet distance of more features than half of the samples is mostly an accident of the draw;
    of the leading components of the photos it is not, and it still holds most of their variance.
    """

    def __init__(self, reference: Floats, count: int) -> None:
        x = reference.astype(np.float64)
        self.mean = x.mean(axis=0)
        vectors = np.linalg.eigh(np.cov(x, rowvar=False))[1]  # ascending
        self.directions = vectors[:, ::-1][:, :count]

    def __call__(self, rows: Floats) -> Floats:
        """(N, D) -> (N, count)."""
        out: Floats = ((rows - self.mean) @ self.directions).astype(np.float32)
        return out


def frechet(samples: Floats, reference: Floats) -> float:
    """Frechet distance of two Gaussians with the sets' means and covariances (Heusel et al. 2017,
    arXiv 1706.08500).

    Biased upwards for few samples: see :func:`enough_for_frechet`. Needs no matrix square root: the
    trace of the root of ``A B`` is the sum of the square roots of its eigenvalues, which are those
    of the symmetric ``A^1/2 B A^1/2``.
    """
    x, y = samples.astype(np.float64), reference.astype(np.float64)
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ b @ root).clip(min=0)).sum()
    return float(
        np.square(x.mean(axis=0) - y.mean(axis=0)).sum() + np.trace(a) + np.trace(b) - 2 * cross
    )


def enough_for_frechet(samples: Floats) -> bool:
    """At least twice as many samples as features; with fewer, the covariance is mostly an accident
    of the draw.
    """
    return bool(len(samples) >= 2 * samples.shape[1])


def squared_distances(a: Floats, b: Floats) -> Floats:
    """(N, M) squared distances; good to about a millionth of the squared norms."""
    table = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)[None] - 2 * (a @ b.T)
    out: Floats = table.clip(min=0)
    return out


def nearest(
    queries: Floats, chunks: Iterable[Floats], k: int = 1, own: Indices | None = None
) -> tuple[Floats, Indices]:
    """The ``k`` nearest keys of each query, nearest first.

    Args:
        queries: (N, D).
        chunks: the keys (M, D) in slices, so that they need not all be in memory.
        own: (N,) the key that is the query itself and does not count, where the queries are keys.

    Returns:
        Distances (N, k), computed from the differences and thus exact for copies; and which keys
        (N, k). Infinite where M < k.
    """
    n = len(queries)
    distance, index = np.full((n, k), np.inf, dtype=np.float32), np.full((n, k), -1, dtype=np.int64)
    first = 0

    for keys in chunks:
        take = min(k, len(keys))

        for i in range(0, n, BLOCK):
            rows = np.arange(i, min(i + BLOCK, n))
            table = squared_distances(queries[rows], keys)

            # A query that is a key itself must not find itself.
            if own is not None:
                inside = (own[rows] >= first) & (own[rows] < first + len(keys))
                table[inside.nonzero()[0], own[rows][inside] - first] = np.inf

            # Distances from products are inexact for near pairs: the few best are computed again.
            best = np.argpartition(table, take - 1, axis=1)[:, :take]
            exact = np.sqrt(np.square(queries[rows][:, None] - keys[best]).sum(axis=2))
            exact[np.isinf(np.take_along_axis(table, best, axis=1))] = np.inf
            both = np.concatenate([distance[rows], exact], axis=1)
            order = np.argsort(both, axis=1, kind="stable")[:, :k]
            distance[rows] = np.take_along_axis(both, order, axis=1)
            index[rows] = np.take_along_axis(
                np.concatenate([index[rows], best + first], axis=1), order, axis=1
            )

        first += len(keys)

    return distance, index


class Manifold:
    """The union of balls around ``centres`` (M, D), each as wide as to its ``k``-th nearest other
    centre.

    Precision is the share of pictures inside the manifold of the photos, recall the share of photos
    inside that of the pictures (Kynkaanniemi et al. 2019, arXiv 1904.06991, equations 1 and 2, k =
    3).
    """

    def __init__(self, centres: Floats, k: int = 3) -> None:
        self.centres = centres
        self.radius = nearest(centres, blocks(centres), k, own=np.arange(len(centres)))[0][:, -1]

    def share(self, points: Floats) -> float:
        """Share of ``points`` (N, D) that lie inside."""
        inside = np.zeros(len(points), dtype=bool)
        for i in range(0, len(points), BLOCK):
            for j in range(0, len(self.centres), BLOCK):
                table = squared_distances(points[i : i + BLOCK], self.centres[j : j + BLOCK])
                inside[i : i + BLOCK] |= (table <= np.square(self.radius[j : j + BLOCK])).any(
                    axis=1
                )
        return float(inside.mean())
