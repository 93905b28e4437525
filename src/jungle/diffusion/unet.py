"""One U-Net on (B, C, H, W) tensors, built so that a CPU spends its time in matrix arithmetic and
little else.

Each `patch` x `patch` square of pixels is folded into channels first (space to depth), so no layer
works at full resolution; there is one skip per level, added, not concatenated. Parameters stay
float32; the arithmetic runs in the dtype of the picture, in channels_last layout, so bfloat16
pictures get bfloat16 convolutions.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config.recipes import NetRecipe

HEAD_WIDTH = 64
"""Channels of one attention head; narrow heads cost a CPU far more time than they are worth."""

EXPANSION = 3
"""How much wider a block is inside than outside."""

FREQUENCIES = 32
"""Sine and cosine pairs that describe the noise level, from 1 to 100 radians a unit of log(sigma) /
4.
"""


class Conv(nn.Module):
    """A convolution that keeps height and width; its float32 weights are cast once to the dtype of
    its input.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, groups: int = 1, zero: bool = False
    ) -> None:
        super().__init__()
        self.groups = groups
        std = 0.0 if zero else (inputs // groups * kernel**2) ** -0.5
        weight = std * torch.randn(outputs, inputs // groups, kernel, kernel)
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return F.conv2d(x, weight, bias, padding=self.weight.shape[-1] // 2, groups=self.groups)


class Norm(nn.Module):
    """Group normalisation over 16 channels at a time (Wu and He 2018, arXiv 1803.08494, equation
    1).
    """

    def __init__(self, channels: int, *, affine: bool) -> None:
        super().__init__()
        self.groups = channels // 16 if channels % 16 == 0 else 1
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape; each picture is normalised alone."""
        weight: Tensor | None = self.weight
        bias: Tensor | None = self.bias
        # only the CPU kernel mixes dtypes
        if x.device.type != "cpu" and weight is not None and bias is not None:
            weight, bias = weight.to(x.dtype), bias.to(x.dtype)
        return F.group_norm(x, self.groups, weight, bias)


def rowwise(x: Tensor, weight: Tensor) -> Tensor:
    """The product x @ weight.T, (B, I) and (O, I) -> (B, O), whose rows do not depend on how many
    there are.

    Float32 matrix products choose their order of summation by the batch size, which changes the
    last bits of a picture with the company it is drawn in. These products are tiny, so a plain sum
    is good enough. (The activations after it keep the promise where `embedding` is a multiple of
    32: a CPU treats the last odd elements differently.)
    """
    return (x[:, None, :] * weight).sum(dim=2)


class Condition(nn.Module):
    """What the network is told: the noise level and the classes, as one float32 vector per picture.

    Classes enter linearly, so a mix of classes is the weighted mean of their vectors and no class
    is zero.
    """

    frequencies: Tensor

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        frequencies = torch.logspace(0.0, 2.0, FREQUENCIES)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.hidden = nn.Linear(2 * FREQUENCIES, width)
        self.level = nn.Linear(width, width)
        self.classes = nn.Linear(classes, width, bias=False)
        nn.init.normal_(self.classes.weight, std=0.5)

    def forward(self, noise: Tensor, mix: Tensor) -> Tensor:
        """Noise (B,) = log(sigma) / 4 and mix (B, classes) -> (B, width)."""
        angle = noise.float()[:, None] * self.frequencies
        waves = torch.cat([angle.cos(), angle.sin()], dim=1)
        hidden = F.silu(rowwise(waves, self.hidden.weight) + self.hidden.bias)
        level = rowwise(hidden, self.level.weight) + self.level.bias
        return F.silu(level + rowwise(mix.float(), self.classes.weight))


class Attention(nn.Module):
    """Self-attention over all positions of one level (Vaswani et al. 2017, arXiv 1706.03762,
    equation 1).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // HEAD_WIDTH)
        self.norm = Norm(channels, affine=True)
        self.project = Conv(channels, 3 * channels, 1)
        self.merge = Conv(channels, channels, 1, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape; plain matrix products beat the fused kernel on
        short sequences.
        """
        b, c, h, w = x.shape
        split = (
            self.project(self.norm(x))
            .permute(0, 2, 3, 1)
            .reshape(b, h * w, 3, self.heads, c // self.heads)
        )
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (query @ key.transpose(2, 3) * (c // self.heads) ** -0.5).softmax(dim=3)
        mixed = (weights @ value).transpose(1, 2).reshape(b, h, w, c).permute(0, 3, 1, 2)
        merged: Tensor = self.merge(mixed)
        return x + merged


class Block(nn.Module):
    """A residual block that looks with a 3x3 filter per channel, then thinks with two dense layers
    per position.

    After ConvNeXt (Liu et al. 2022, arXiv 2201.03545, section 2), with the adaptive scale and shift
    of Dhariwal and Nichol (2021, arXiv 2105.05233, section 3) after the norm. The last layer starts
    at zero: a new block changes nothing.
    """

    def __init__(
        self, channels: int, recipe: NetRecipe, *, attention: bool, dropout: float
    ) -> None:
        super().__init__()
        self.look = Conv(channels, channels, 3, groups=channels)
        self.norm = Norm(channels, affine=False)
        self.modulate = Conv(recipe.embedding, 2 * channels, 1, zero=True)
        self.widen = Conv(channels, EXPANSION * channels, 1)
        self.dropout = nn.Dropout(dropout)
        self.narrow = Conv(EXPANSION * channels, channels, 1, zero=True)
        self.attention = Attention(channels) if attention else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, channels, H, W) and (B, embedding) -> (B, channels, H, W)."""
        scale, shift = self.modulate(condition.to(x.dtype)[:, :, None, None]).chunk(2, dim=1)
        h = torch.addcmul(shift, self.norm(self.look(x)), 1 + scale)
        h = self.narrow(self.dropout(F.silu(self.widen(h))))
        out: Tensor = self.attention(x + h)
        return out


class Stage(nn.Module):
    """The blocks of one level on the way down or up."""

    def __init__(self, recipe: NetRecipe, level: int) -> None:
        super().__init__()
        attention = level in recipe.attention
        dropout = recipe.dropout if level == len(recipe.widths) - 1 else 0.0
        blocks = (
            Block(recipe.widths[level], recipe, attention=attention, dropout=dropout)
            for _ in range(recipe.blocks[level])
        )
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, width, H, W) and (B, embedding) -> (B, width, H, W)."""
        for block in self.blocks:
            x = block(x, condition)
        return x


def fold(x: Tensor, factor: int) -> Tensor:
    """Space to depth: (B, C, H, W) -> (B, C * factor**2, H / factor, W / factor), channels_last."""
    return F.pixel_unshuffle(x, factor).contiguous(memory_format=torch.channels_last)


def unfold(x: Tensor, factor: int) -> Tensor:
    """Depth to space, the inverse of `fold`: (B, C * factor**2, H, W) -> (B, C, H * factor, W *
    factor).
    """
    return F.pixel_shuffle(x, factor).contiguous(memory_format=torch.channels_last)


class UNet(nn.Module):
    """A class-conditional U-Net (Ronneberger et al. 2015, arXiv 1505.04597) with residual blocks
    and attention.

    Height and width may be any multiples of `patch * 2 ** (len(widths) - 1)`. No picture sees
    another one of its batch. A new network returns zeros.
    """

    def __init__(self, recipe: NetRecipe, classes: int) -> None:
        super().__init__()
        self.recipe = recipe
        widths, area = recipe.widths, recipe.patch**2
        steps = list(pairwise(widths))
        self.condition = Condition(classes, recipe.embedding)
        self.stem = Conv((recipe.image_channels + recipe.extra_channels) * area, widths[0], 3)
        self.encode = nn.ModuleList(Stage(recipe, level) for level in range(len(widths)))
        self.shrink = nn.ModuleList(Conv(4 * fine, coarse, 1) for fine, coarse in steps)
        self.grow = nn.ModuleList(Conv(coarse, 4 * fine, 1) for fine, coarse in steps)
        self.decode = nn.ModuleList(Stage(recipe, level) for level in range(len(widths) - 1))
        self.norm = Norm(widths[0], affine=True)
        self.head = Conv(widths[0], recipe.image_channels * area, 3, zero=True)

    def forward(self, x: Tensor, noise: Tensor, mix: Tensor) -> Tensor:
        """Read the noisy picture, and what is known of it; return the network's raw answer.

        x: (B, image_channels + extra_channels, H, W), float32 or bfloat16: the dtype of the
        arithmetic.
        noise: (B,) float32, log(sigma) / 4 (Karras et al. 2022, arXiv 2206.00364, table 1,
        c_noise).
        mix: (B, classes) float32, weights that sum to 1; all zeros means unconditional.
        Returns (B, image_channels, H, W) in the dtype of x.
        """
        condition = self.condition(noise, mix)
        h = self.stem(fold(x, self.recipe.patch))
        skips: list[Tensor] = []
        for stage, shrink in zip(self.encode, self.shrink, strict=False):
            skips.append(stage(h, condition))
            h = shrink(fold(skips[-1], 2))
        h = self.encode[-1](h, condition)
        for stage, grow in zip(reversed(self.decode), reversed(self.grow), strict=True):
            h = stage(skips.pop() + unfold(grow(h), 2), condition)
        answer: Tensor = self.head(F.silu(self.norm(h)))
        return F.pixel_shuffle(answer, self.recipe.patch)
