"""The discriminator of adversarial training: heads on the maps of a frozen network, one on pixels.

Projected GAN (Sauer et al. 2021, arXiv 2111.01007, section 3): each map goes through a fixed random
projection to a small head.

Letters: B pictures, K classes, S sides of maps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

PROJECTED = 64
"""Channels of a map after its fixed projection."""

SLOPE = 0.2
"""Of the leaky ReLU, below zero."""

PIXEL_WIDTHS = (48, 64)
"""Channels of the convolutions before the head of pixels; the second halves the sides."""

DETAIL = 4.0
"""How much detail is made larger for the head of pixels: it is that much smaller than the rest."""


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


class Head(nn.Module):
    """Scores every position of one map: spectrally normed convolutions, and a term for the classes.

    The term (projection discriminator, Miyato and Koyama 2018, arXiv 1802.05637, equation 3) is
    linear in the class weights, so a mix is judged by both parents.
    """

    scale: Tensor

    def __init__(self, channels: int, classes: int, stride: int, fixed: bool = True) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, PROJECTED, 1, bias=False).requires_grad_(not fixed)
        nn.init.normal_(self.project.weight, std=channels**-0.5)
        self.look = spectral_norm(nn.Conv2d(PROJECTED, PROJECTED, 3, stride=stride, padding=1))
        self.look_again = spectral_norm(nn.Conv2d(PROJECTED, PROJECTED, 3, padding=1))
        self.norms = nn.ModuleList(nn.GroupNorm(4, PROJECTED) for _ in range(2))
        self.score = spectral_norm(nn.Conv2d(PROJECTED, 1, 1))
        self.classes = spectral_norm(nn.Linear(classes, PROJECTED, bias=False))
        self.register_buffer("scale", torch.zeros(()))

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """(B, channels, S, S) and class weights (B, K) -> scores (B, S', S')."""
        if self.scale == 0:  # maps of unit mean square: measured once, on the first pictures
            self.scale.copy_(x.detach().square().mean().clamp_min(1e-12).rsqrt())
        h = self.project(x * self.scale)
        h = _leaky(self.norms[0](self.look(h)))
        h = _leaky(self.norms[1](self.look_again(h)))
        match = (h * self.classes(mix)[:, :, None, None]).sum(dim=1) / math.sqrt(PROJECTED)
        score: Tensor = self.score(h)[:, 0] + match
        return score


def detail(x: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) without their means over 5x5 pixels."""
    padded = F.pad(x, (2, 2, 2, 2), mode="reflect")
    return x - F.avg_pool2d(padded, 5, stride=1)


class PixelHead(nn.Module):
    """Scores squares of pixels and of their detail, which the frozen network sees only blurred."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        first, second = PIXEL_WIDTHS
        self.look = spectral_norm(nn.Conv2d(6, first, 3, padding=1))
        self.shrink = spectral_norm(nn.Conv2d(first, second, 4, stride=2, padding=1))
        self.head = Head(second, classes, stride=2, fixed=False)

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """(B, 3, H, W) and class weights (B, K) -> scores (B, H / 4, W / 4)."""
        x = torch.cat([x, DETAIL * detail(x)], dim=1)
        x = _leaky(self.look(x))
        x = _leaky(self.shrink(x))
        scores: Tensor = self.head(x, mix)
        return scores


class Discriminator(nn.Module):
    """One head for each map but the last, one for pixels, and a classifier of the pooled last map.

    Args:
        channels, sides: of the maps of the frozen network.
        classes: K.
    """

    def __init__(self, channels: Sequence[int], sides: Sequence[int], classes: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            Head(width, classes, stride=2 if side > 8 else 1)
            for width, side in zip(channels[:-1], sides[:-1], strict=True)
        )
        self.pixels = PixelHead(classes)
        self.features = channels[-1]
        self.classifier = nn.Linear(self.features, classes)

    def scores(self, maps: Sequence[Tensor], pictures: Tensor, mix: Tensor) -> list[Tensor]:
        """Scores of every head, that of the pixels last: (B, S_i, S_i) each, above 0 for photos."""
        of_maps = [head(x, mix) for head, x in zip(self.heads, maps, strict=True)]
        return [*of_maps, self.pixels(pictures, mix)]

    def logits(self, last: Tensor) -> Tensor:
        """Class logits (B, K) of the last map (B, C, S, S)."""
        out: Tensor = self.classifier(last.mean(dim=(2, 3)))
        return out


def hinge(real: Sequence[Tensor], fake: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The hinge loss of a discriminator (Lim and Ye 2017, arXiv 1705.02894), averaged over
    heads.
    """
    losses = [
        weight * (F.relu(1 - r).mean() + F.relu(1 + f).mean())
        for r, f, weight in zip(real, fake, weights, strict=True)
    ]
    return torch.stack(losses).sum() / sum(weights)


# What the discriminator sees. All random numbers come from a generator on the CPU.


@dataclass(frozen=True, slots=True)
class View:
    """One way to show a batch to the frozen network, the same for photos and generated pictures."""

    side: int
    bicubic: bool


def draw_view(sizes: Sequence[int], generator: torch.Generator) -> View:
    """One size and one of two filters.

    With a fixed size the discriminator learns what its strides make of pixels, and the generator
    paints that (docs/LOG.md).
    """
    index = int(torch.randint(len(sizes), (), generator=generator))
    return View(sizes[index], bool(torch.rand((), generator=generator) < 0.5))


def show(x: Tensor, view: View) -> Tensor:
    """(B, 3, H, W) -> the same pictures with the short side ``view.side``."""
    high, wide = x.shape[2:]
    short = min(high, wide)
    size = (round(view.side * high / short), round(view.side * wide / short))
    mode = "bicubic" if view.bicubic else "bilinear"
    resized = F.interpolate(x, size=size, mode=mode, align_corners=False)
    return resized.contiguous(memory_format=torch.channels_last)


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Weak colour, shifts and cut-outs, with gradients (DiffAugment, arXiv 2006.10738, section 3).

    Strong colour is left out: it leaves the generator free to drift in colour (docs/LOG.md).
    """
    return _cut_out(_shift(_colour(x, generator), generator), generator)


def _colour(x: Tensor, generator: torch.Generator) -> Tensor:
    def uniform(low: float, high: float) -> Tensor:
        draws = torch.rand((len(x), 1, 1, 1), generator=generator).to(x.device)
        return low + (high - low) * draws

    x = x + uniform(-0.1, 0.1)
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * uniform(0.8, 1.2)
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (x - middle) * uniform(0.9, 1.1)


def _shift(x: Tensor, generator: torch.Generator) -> Tensor:
    """By up to an eighth of the height; what comes in is mirrored."""
    count, _, high, wide = x.shape
    reach = max(1, high // 8)
    padded = F.pad(x, (reach, reach, reach, reach), mode="reflect")
    shifts = torch.randint(0, 2 * reach + 1, (count, 2), generator=generator).tolist()
    return torch.stack(
        [padded[i, :, y : y + high, left : left + wide] for i, (y, left) in enumerate(shifts)]
    )


def _cut_out(x: Tensor, generator: torch.Generator) -> Tensor:
    """A rectangle of two fifths of each side becomes grey in three of ten pictures."""
    count, _, high, wide = x.shape
    centres = torch.rand((count, 2), generator=generator)
    cut = torch.rand((count,), generator=generator) < 0.3
    rows = (torch.arange(high)[None] - centres[:, :1] * high).abs() < high / 5
    columns = (torch.arange(wide)[None] - centres[:, 1:] * wide).abs() < wide / 5
    hole = rows[:, :, None] & columns[:, None, :] & cut[:, None, None]
    return x * ~hole[:, None].to(x.device)
