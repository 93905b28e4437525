"""Keeping the best of many pictures: which of them shows the animals that were asked for?"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .classifier import ImageNetClassifier
from .efficientnet import ANIMALS, LABELS

FLOOR = 1e-3
"""Added to a probability before its logarithm: one hopeless parent must not decide alone."""


def rank(
    pictures: NDArray[np.uint8],
    mixes: NDArray[np.float32],
    classes: Sequence[str],
    labels: Mapping[str, Mapping[int, float]],
    judge: ImageNetClassifier,
) -> NDArray[np.float64]:
    """A score of each picture (N,), higher is better, to keep the best of many.

    The log-probability that the picture is any animal, plus, for each kind asked for, its share
    times the log-probability of the labels that photos of the kind usually get. A sum of logarithms
    is high only where no parent is missing, so of two mixes the one that shows both parents wins.
    Kinds without known labels do not count.

    Args:
        pictures: (N, H, W, 3) uint8.
        mixes: (N, K) shares of ``classes`` that were asked for.
        labels: the usual labels of kinds, as ``kinds.labels_by_kind`` gives them.
        judge: who looks.
    """
    probabilities = judge.probabilities(pictures).astype(np.float64)
    score = np.log(probabilities[:, :ANIMALS].sum(axis=1) + FLOOR)

    usual = np.zeros((LABELS, len(classes)))
    for column, name in enumerate(classes):
        usual[list(labels.get(name, ())), column] = 1
    known = usual.any(axis=0)

    shares = mixes[:, known].astype(np.float64)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
    seen = np.log(probabilities @ usual[:, known] + FLOOR)
    out: NDArray[np.float64] = score + (shares * seen).sum(axis=1)
    return out
