"""Groups of files that are the same one, as indices."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IndexArray = NDArray[np.intp]


def components(left: IndexArray, right: IndexArray, count: int) -> NDArray[np.int64]:
    """For each of ``count`` items the number of its group: items joined by pairs (``left[i]``,
    ``right[i]``) share one.

    Groups are numbered in the order of their first item.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, found = connected_components(
        coo_array((np.ones(len(left), bool), (left, right)), shape=(count, count)), directed=False
    )
    _, first, group = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int64)[group]


def connected(left: IndexArray, right: IndexArray, count: int) -> list[list[int]]:
    """The groups of two or more of :func:`components`."""
    return repeated(components(left, right, count).tolist())


def repeated(marks: Sequence[object]) -> list[list[int]]:
    """Groups of two or more indices whose marks are equal, in the order of their first index."""
    groups: dict[object, list[int]] = {}
    for index, mark in enumerate(marks):
        groups.setdefault(mark, []).append(index)
    return [group for group in groups.values() if len(group) > 1]
