"""A small convolutional classifier, whose features judge what a model makes; its file says what its
classes are.

It is a plain residual network (He et al. 2016, arXiv 1512.03385). ``sounds/classifier.py`` judges
calls with it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadCheckpoint, MissingExtra

FEATURES = 128


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; ``stride`` 2 halves the sides."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.shortcut: nn.Module = nn.Identity()
        if stride == 2:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(2), nn.Conv2d(inside, outside, 1, bias=False)
            )
        nn.init.zeros_(self.norm2.weight)  # every block starts as its shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, outside, H / stride, W / stride)."""
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.norm2(self.conv2(h)))


class Classifier(nn.Module):
    """(N, channels, H, W) in [-1, 1] -> features (N, 128) with mean 0 and variance 1 over the
    training data, and logits (N, K).

    The features read two depths: parts (an eighth of the side) and the whole (a sixteenth).
    """

    def __init__(
        self, classes: int, channels: int = 3, widths: tuple[int, int, int] = (64, 128, 256)
    ) -> None:
        super().__init__()
        low, middle, high = widths
        self.stem = nn.Sequential(
            nn.Conv2d(channels, 32, 3, 2, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            ResidualBlock(32, low, 2),
        )
        self.parts = nn.Sequential(ResidualBlock(low, middle, 2), ResidualBlock(middle, middle, 1))
        self.whole = nn.Sequential(ResidualBlock(middle, high, 2), ResidualBlock(high, high, 1))
        self.neck = nn.Sequential(
            nn.Linear(middle + high, FEATURES, bias=False), nn.BatchNorm1d(FEATURES, affine=False)
        )
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(FEATURES, classes))

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


def load_classifier(
    path: Path, what: str, channels: int = 3, widths: tuple[int, int, int] = (64, 128, 256)
) -> tuple[Classifier, tuple[str, ...], str]:
    """Read a file written by :func:`save_classifier`: the network, its classes and a name that
    follows from its content.

    Args:
        what: what it is called in an error sentence, for example "ear".

    Raises:
        MissingExtra: there is no such file.
        BadCheckpoint: it is not such a classifier.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as parse

    script = f"benchmarks/train_{what}.py"

    # Shipped files are asked for by name: what is missing is a broken installation.
    try:
        content = path.read_bytes()
    except OSError:
        raise MissingExtra(
            f"There is no {what} at {path}: install jungle again, or train one with {script}."
        ) from None
    try:
        classes = tuple(json.loads(read_metadata(content)["classes"]))
        net = Classifier(len(classes), channels, widths)
        net.load_state_dict(
            {
                key: value.float() if value.is_floating_point() else value
                for key, value in parse(content).items()
            }
        )
    except (SafetensorError, ValueError, KeyError, RuntimeError) as problem:
        reason = str(problem).splitlines()[0]
        raise BadCheckpoint(
            f"{path.name} is no {what} ({reason}): use a file of {script}."
        ) from None
    return net, classes, f"{path.stem}-{hashlib.sha256(content).hexdigest()[:8]}"


def read_metadata(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file: eight bytes of length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    metadata: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return metadata


def save_classifier(
    path: Path, net: Classifier, classes: tuple[str, ...], recipe: dict[str, Any]
) -> None:
    """Write a classifier: matrices as float16, the small statistics of the norms as float32,
    classes and recipe as metadata.
    """
    from safetensors.torch import save_file

    # float16 halves the file; statistics of the norms lie outside its range.
    tensors = {
        key: (value.half() if value.ndim > 1 else value).contiguous()
        for key, value in net.state_dict().items()
    }
    save_file(
        tensors,
        path,
        metadata={
            "format": "pt",
            "classes": json.dumps(classes),
            "recipe": json.dumps(recipe, sort_keys=True),
        },
    )
