"""The network behind ``painterly``: residual convolutions at the small picture's size, then pixels
out of channels.

The shipped file holds two, times four and times two; :mod:`.enlarge` applies them in turn until the
picture is large enough.
"""

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..diffusion.checkpoint import quantised, read_safetensors
from ..errors import BadCheckpoint

SHAPES = {4: (64, 8), 2: (32, 6)}  # factor: channels and residual blocks
# pixels that a picture is mirrored outwards by, so that its edge looks to the network like its
# middle
MARGIN = 8


class UpscalerBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut, without norms: these would wash out colours (Lim et
    al. 2017, arXiv 1707.02921).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to the same."""
        out: Tensor = x + self.conv2(F.leaky_relu(self.conv1(x), 0.1))
        return out


class Upscaler(nn.Module):
    """(B, 3, H, W) -> (B, 3, H * factor, W * factor), any H and W: a bicubic picture and what the
    network adds to it.

    Channels become pixels in steps of two (Shi et al. 2016, arXiv 1609.05158), each followed by a
    convolution among the new pixels,
    the last one at full size: without these, neighbouring pixels come from different weights and
    show as a checkerboard.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        width, blocks = SHAPES[factor]
        self.factor = factor
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*(UpscalerBlock(width) for _ in range(blocks)))
        # channels at 1, 2, (4) times the size
        inside = [width // 2**step for step in range(factor.bit_length())]
        self.grow = nn.ModuleList(nn.Conv2d(a, 4 * b, 3, padding=1) for a, b in pairwise(inside))
        self.head = nn.Conv2d(inside[-1], 3, 3, padding=1)
        self._start()

    def _start(self) -> None:
        """Begin as the bicubic picture, with four equal pixels out of each (Aitken et al. 2017,
        arXiv 1707.02937).
        """
        for block in self.body:
            assert isinstance(block, UpscalerBlock)
            with torch.no_grad():
                block.conv2.weight.mul_(0.1)
        for conv in self.grow:
            assert isinstance(conv, nn.Conv2d)
            with torch.no_grad():
                conv.weight.copy_(conv.weight[::4].repeat_interleave(4, dim=0))
                assert conv.bias is not None
                conv.bias.copy_(conv.bias[::4].repeat_interleave(4))
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Values in about [-1, 1], to the same; float32 whatever the arithmetic inside."""
        h = self.stem(x.to(self.stem.weight.dtype)).contiguous(memory_format=torch.channels_last)
        h = h + self.body(h)
        for conv in self.grow:
            h = F.leaky_relu(F.pixel_shuffle(conv(h), 2), 0.1).contiguous(
                memory_format=torch.channels_last
            )
        base = F.interpolate(
            x.float(), scale_factor=self.factor, mode="bicubic", align_corners=False
        )
        out: Tensor = base + self.head(h).float()
        return out


def save_upscalers(path: Path, nets: Mapping[int, Upscaler], recipe: Mapping[str, Any]) -> None:
    """Write the networks of all factors into one safetensors file: large matrices in 8 bits, the
    rest in bfloat16, the recipe as text.
    """
    from safetensors.torch import save_file

    weights = {
        f"x{factor}.{name}": value
        for factor, net in nets.items()
        for name, value in net.state_dict().items()
    }
    tensors = {name: value.contiguous() for name, value in quantised(weights).items()}
    # one entry: several come in any order
    save_file(tensors, path, metadata={"recipe": json.dumps(recipe, sort_keys=True)})


def load_upscalers(path: Path) -> dict[int, Upscaler]:
    """The networks of a file of :func:`save_upscalers` by factor, in float32 on the CPU.

    Raises:
        BadCheckpoint: damaged, or not such a file.
    """
    result = read_safetensors(path)
    weights = result if isinstance(result, dict) else {}

    nets = {factor: Upscaler(factor) for factor in SHAPES}

    # One file holds a network for each factor, its names behind a prefix.
    for factor, net in nets.items():
        start = f"x{factor}."

        try:
            net.load_state_dict(
                {
                    name.removeprefix(start): value
                    for name, value in weights.items()
                    if name.startswith(start)
                }
            )
        except RuntimeError:
            raise BadCheckpoint(
                f"{path} is no enlarger: use a file of benchmarks/train_enlarger.py."
            ) from None

        if not all(bool(value.isfinite().all()) for value in net.state_dict().values()):
            raise BadCheckpoint(
                f"{path}: its weights are not finite numbers, its training broke: train again."
            )

    return nets
