"""The judge of pictures: EfficientNet-Lite0, trained on ImageNet by Google, as a feature space and
as a namer of animals.

Its 1,280 features (the last map, averaged) are what sets of pictures are compared in, and its 1,000
labels say whether a picture shows an animal, and which. It was never trained on photos of ours, and
it sees eyes, legs and wings where a classifier of our own saw colour and texture (docs/LOG.md).
"""

import functools
import hashlib
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..weights import shipped
from .efficientnet import ANIMALS, FEATURES, LABELS, EfficientNetLite, shipped_lite0
from .feature_spaces import Images, square

SIDE = 160
"""Side in pixels that pictures are scaled to, small ones and large ones.

Of photos of 64 pixels in 48 kinds, scaled up, the usual labels of their kinds name 66 % at 128
pixels, 72 % at 160, 73.5 % at 192 (other kinds' labels 0.6 %), and the nearest class mean of the
features is right in 82, 87 and 87.6 %; one core sees 217, 178, 72 of them a second. So below 160
labels get worse, and above it little better at more than twice the time.
"""

CHUNK = 32
"""Pictures at once: more is no faster on a CPU."""

SURE = 0.5
"""Probability above which the network is called sure."""


class ImageNetScores(NamedTuple):
    """What one look at N pictures gives: features (N, 1280) and probabilities of the labels (N,
    1000), both float32.
    """

    features: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    @property
    def top(self) -> NDArray[np.int64]:
        """The most probable label of each picture (N,)."""
        out: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return out

    @property
    def animal(self) -> NDArray[np.bool_]:
        """Whether that label is an animal (N,)."""
        return self.top < ANIMALS

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Whether it is an animal and has a probability above ``SURE`` (N,)."""
        out: NDArray[np.bool_] = self.animal & (self.probabilities.max(axis=1) > SURE)
        return out


class ImageNetClassifier:
    """A frozen network of the family, at one input size. Looks in float32, without gradients.

    Scores under different names must not be compared.
    """

    def __init__(self, net: EfficientNetLite, name: str, side: int = SIDE) -> None:
        """``name`` is that of the weights; the side is added to it."""
        self._net = net
        self._side = side
        self.name = f"{name} at {side} pixels"

    def look(self, images: Images) -> ImageNetScores:
        """Features and label probabilities of uint8 (N, H, W, 3) or float [-1, 1] (N, 3, H, W)
        pictures of any size.

        Raises:
            BadInput: they are neither.
        """
        features = np.empty((len(images), FEATURES), dtype=np.float32)
        probabilities = np.empty((len(images), LABELS), dtype=np.float32)

        with torch.inference_mode():
            for start in range(0, len(images), CHUNK):
                rows = slice(start, start + CHUNK)
                x = square(images[rows], self._side).contiguous(memory_format=torch.channels_last)
                pooled = self._net.feature_map(x).mean(dim=(2, 3))
                features[rows] = pooled.numpy()
                probabilities[rows] = self._net.classifier(pooled).softmax(dim=1).numpy()

        return ImageNetScores(features, probabilities)

    def features(self, images: Images) -> NDArray[np.float32]:
        """Features (N, 1280) float32: what makes this a
        :class:`~jungle.images.features.FeatureSpace`.
        """
        return self.look(images).features

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """Probabilities (N, 1000) float32 of the labels of ImageNet; the first 398 are animals."""
        return self.look(images).probabilities


@functools.cache
def shipped_classifier() -> ImageNetClassifier:
    """The judge in this package, opened once; its name carries the first eight digits of the
    SHA-256 of its weights.

    Raises:
        MissingExtra: the installation lacks the weights.
        BadCheckpoint: they are damaged.
    """
    content = shipped("lite0.safetensors").read_bytes()
    return ImageNetClassifier(shipped_lite0(), f"lite0-{hashlib.sha256(content).hexdigest()[:8]}")
