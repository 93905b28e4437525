"""The judge: a small animal classifier that gives pictures a feature space to be scored in, offline.

It is a plain residual network (He et al. 2016, arXiv 1512.03385) on 64x64 pictures, trained by ``benchmarks/train_judge.py`` and
shipped as ``weights/judge64.safetensors``. Scores from its features compare models with each other; they do not name species.
"""

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadCheckpoint, BadInput, MissingExtra

SIZE = 64  # side in pixels of what the judge looks at
CHUNK = 128  # pictures at once

Images = NDArray[np.uint8] | Tensor  # uint8 (N, H, W, 3), or float in [-1, 1] (N, 3, H, W)


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut; ``stride`` 2 halves the sides."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.shortcut: nn.Module = nn.Identity()
        if stride == 2:
            self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inside, outside, 1, bias=False))
        nn.init.zeros_(self.norm2.weight)  # every block starts as its shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, outside, H / stride, W / stride)."""
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.norm2(self.conv2(h)))


class JudgeNet(nn.Module):
    """(N, 3, S, S) in [-1, 1] -> features (N, 128) with mean 0 and variance 1 over the training photos, and logits (N, K).

    The features read two depths: parts of animals (an eighth of the side) and whole animals (a sixteenth).
    """

    def __init__(self, classes: int, widths: tuple[int, int, int] = (64, 128, 256), features: int = 128) -> None:
        super().__init__()
        low, middle, high = widths
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), Residual(32, low, 2))
        self.parts = nn.Sequential(Residual(low, middle, 2), Residual(middle, middle, 1))
        self.whole = nn.Sequential(Residual(middle, high, 2), Residual(high, high, 1))
        self.neck = nn.Sequential(nn.Linear(middle + high, features, bias=False), nn.BatchNorm1d(features, affine=False))
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(features, classes))

    def features(self, x: Tensor) -> Tensor:
        """Features (N, 128)."""
        parts = self.parts(self.stem(x))
        pooled = torch.cat([parts.mean(dim=(2, 3)), self.whole(parts).mean(dim=(2, 3))], dim=1)
        out: Tensor = self.neck(pooled)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K)."""
        out: Tensor = self.head(self.features(x))
        return out


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

    def __init__(self, net: JudgeNet, classes: tuple[str, ...], name: str, device: str = "cpu") -> None:
        self._net = net.to(device=device, dtype=torch.float32, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._device = device
        self.classes = classes
        self.name = name

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Read a safetensors file written by :func:`save`.

        Raises:
            MissingExtra: there is no such file.
            BadCheckpoint: it is not a judge.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            content = path.read_bytes()
        except OSError:
            raise MissingExtra(f"There is no judge at {path}: install jungle again, or train one with benchmarks/train_judge.py.") from None
        try:
            classes = tuple(json.loads(read_metadata(content)["classes"]))
            net = JudgeNet(len(classes))
            net.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in load(content).items()})
        except (SafetensorError, ValueError, KeyError, RuntimeError) as problem:
            reason = str(problem).splitlines()[0]
            raise BadCheckpoint(f"{path.name} is no judge ({reason}): use a file of benchmarks/train_judge.py.") from None
        return cls(net, classes, f"{path.stem}-{hashlib.sha256(content).hexdigest()[:8]}", device)

    @classmethod
    def shipped(cls, device: str = "cpu") -> Self:
        """The judge in this package."""
        with resources.as_file(resources.files(__package__.rpartition(".")[0]) / "weights" / "judge64.safetensors") as path:
            return cls.load(path, device)

    def features(self, images: Images) -> NDArray[np.float32]:
        """Features (N, 128) float32 of uint8 (N, H, W, 3) or float [-1, 1] (N, 3, H, W) pictures of any size."""
        return self._batched(images, self._net.features, 128)

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


def read_metadata(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file: eight bytes of length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    metadata: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return metadata


def save(path: Path, net: JudgeNet, classes: tuple[str, ...], recipe: dict[str, Any]) -> None:
    """Write a judge: matrices as float16, the small statistics of the norms as float32, classes and recipe as metadata."""
    from safetensors.torch import save_file

    tensors = {key: (value.half() if value.ndim > 1 else value).contiguous() for key, value in net.state_dict().items()}
    save_file(tensors, path, metadata={"format": "pt", "classes": json.dumps(classes), "recipe": json.dumps(recipe, sort_keys=True)})
