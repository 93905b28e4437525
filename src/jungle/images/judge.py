"""The judge: a small animal classifier that gives pictures a feature space to be scored in, offline.

It is the network of ``classifier.py`` on 64x64 pictures, trained by ``benchmarks/train_judge.py`` and
shipped as ``weights/judge64.safetensors``. Scores from its features compare models with each other; they do not name species.
"""

from importlib import resources
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from .. import classifier
from ..classifier import FEATURES, Classifier
from ..errors import BadInput

SIZE = 64  # side in pixels of what the judge looks at
CHUNK = 128  # pictures at once

Images = NDArray[np.uint8] | Tensor  # uint8 (N, H, W, 3), or float in [-1, 1] (N, 3, H, W)


def square(images: Images, size: int) -> Tensor:
    """Centre-crop to a square and resize (area when smaller, bilinear when larger): float32 (N, 3, size, size) in [-1, 1].

    Raises:
        BadInput: neither uint8 (N, H, W, 3) nor float (N, 3, H, W).
    """
    if isinstance(images, Tensor):
        x = images.detach().float()
    elif images.ndim == 4 and images.dtype == np.uint8:
        x = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1  # a copy: a memory map may be read-only
    else:
        x = torch.empty(0)
    if x.ndim != 4 or x.shape[1] != 3:
        kind = f"{images.dtype} {tuple(images.shape)}"
        raise BadInput(f"Pictures to score must be uint8 (N, H, W, 3) or a float tensor (N, 3, H, W) in -1 to 1; these are {kind}.")
    side = min(x.shape[2:])
    top, left = (x.shape[2] - side) // 2, (x.shape[3] - side) // 2
    x = x[:, :, top : top + side, left : left + side]
    if side > size:
        return F.interpolate(x, size=(size, size), mode="area")
    return x if side == size else F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


class Judge:
    """A trained judge: a feature space with class names. Scores in float32, in evaluation mode, without gradients."""

    def __init__(self, net: Classifier, classes: tuple[str, ...], name: str, device: str = "cpu") -> None:
        self._net = net.to(device=device, dtype=torch.float32, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._device = device
        self.classes = classes
        self.name = name

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Read a safetensors file of ``benchmarks/train_judge.py``.

        Raises:
            MissingExtra: there is no such file.
            BadCheckpoint: it is not a judge.
        """
        net, classes, name = classifier.load(path, "judge")
        return cls(net, classes, name, device)

    @classmethod
    def shipped(cls, device: str = "cpu") -> Self:
        """The judge in this package."""
        with resources.as_file(resources.files(__package__.rpartition(".")[0]) / "weights" / "judge64.safetensors") as path:
            return cls.load(path, device)

    def features(self, images: Images) -> NDArray[np.float32]:
        """Features (N, 128) float32 of uint8 (N, H, W, 3) or float [-1, 1] (N, 3, H, W) pictures of any size."""
        return self._batched(images, self._net.features, FEATURES)

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """Probabilities (N, K) float32 of the classes in :attr:`classes`."""
        return self._batched(images, lambda x: self._net(x).softmax(dim=1), len(self.classes))

    def _batched(self, images: Images, function: Any, width: int) -> NDArray[np.float32]:
        out = np.empty((len(images), width), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(images), CHUNK):
                x = square(images[start : start + CHUNK], SIZE).to(self._device, memory_format=torch.channels_last)
                out[start : start + CHUNK] = function(x).cpu().numpy()
        return out
