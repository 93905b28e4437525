"""Running moments over updates, which pull generated pictures to photos: of features, colours and
detail that repeats.

A discriminator or a kernel looks at one picture and its neighbours, and lets the mean of all
pictures
wander: measured, the whole kernel distance of a trained model to photos was a shift of the mean
feature (docs/LOG.md). Means over some hundred pictures show such a shift, and a pull in proportion
to it ends where there is none (moment matching: GMMN, Li et al. 2015, arXiv 1502.02761).

Letters: B pictures, V ranges of view sizes, L levels, D features.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from .discriminator import detail

HORIZON = 0.99
"""What a running mean keeps of itself at an update; fewer updates are averaged evenly."""

LARGE = 160
"""Views from this side on count apart: features depend on the size at which a picture is seen."""

STATISTICS = 4
"""Of the colours of a picture: the means of the channels, and of the saturation."""

PERIODS = (8, 16)
"""Pixels after which a pattern repeats that a U-Net's lattice leaves behind."""


def confidence(logits: Tensor) -> Tensor:
    """The logarithm of the highest probability of each row of logits (B, N), (B,)."""
    return torch.log_softmax(logits, dim=1).amax(dim=1)


def repeated_energy(x: Tensor) -> Tensor:
    """How much of the detail of pictures (B, 3, H, W) comes again after each of PERIODS, (2,): mean
    squares.

    The detail is cut into squares of one period; photos, which know no lattice, have little left in
    the mean square.
    """
    energies = []
    for period in PERIODS:
        rows, columns = (side // period for side in x.shape[2:])
        whole = detail(x)[:, :, : rows * period, : columns * period]
        squares = whole.reshape(*x.shape[:2], rows, period, columns, period)
        energies.append(squares.mean(dim=(2, 4)).square().mean())
    return torch.stack(energies)


def colour_statistics(x: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in [-1, 1] -> means of the channels and of the saturation (HSV), (B,
    4), from 0 to 1.

    The saturation of pixels darker than 5 % is divided by 5 %, or noise in the dark would decide.
    """
    rgb = (x.clamp(-1.1, 1.1) + 1) / 2
    brightest = rgb.amax(dim=1)
    saturation = (brightest - rgb.amin(dim=1)) / brightest.clamp(min=0.05)
    return torch.cat([rgb.mean(dim=(2, 3)), saturation.mean(dim=(1, 2))[:, None]], dim=1)


@dataclass
class RunningMoments:
    """Means over the last updates."""

    gap: Tensor  # (V, L, D): mean feature of generated pictures minus that of photos
    gap_count: Tensor  # (V, L) updates seen
    colours: Tensor  # (4, 4): means and mean squares of generated pictures, then of photos
    colour_count: Tensor  # (1,)
    confidence: Tensor  # (3,): mean of generated pictures, mean and variance of photos
    confidence_count: Tensor  # (1,)
    repeated: Tensor  # (2,): repeated energy of photos
    repeated_count: Tensor  # (1,)

    @classmethod
    def empty(cls, levels: int, width: int, device: torch.device) -> "RunningMoments":
        """Moments of nothing, for features of ``width``."""
        return cls(
            torch.zeros(2, levels, width, device=device),
            torch.zeros(2, levels, dtype=torch.long),
            torch.zeros(4, STATISTICS, device=device),
            torch.zeros(1, dtype=torch.long),
            torch.zeros(3, device=device),
            torch.zeros(1, dtype=torch.long),
            torch.zeros(len(PERIODS), device=device),
            torch.zeros(1, dtype=torch.long),
        )

    def pull_features(self, features: Tensor, photos: Tensor, level: int, side: int) -> Tensor:
        """Add one update's features (B, D) of a level, and those of photos; returns the running gap
        (D,).
        """
        view = int(side >= LARGE)
        kept = _kept(int(self.gap_count[view, level]))
        self.gap_count[view, level] += 1
        now = features.mean(dim=0) - photos.mean(dim=0)
        self.gap[view, level].mul_(kept).add_((1 - kept) * now)
        return self.gap[view, level].clone()

    def pull_colours(self, colours: Tensor, photos: Tensor) -> Tensor:
        """How far ``colours`` (B, 4) go where the running moments say that they should not; to be
        made small.

        The mean is pulled in proportion to its distance from that of photos, the spread in
        proportion to how much larger or smaller it is. Lengths count in standard deviations among
        photos.
        """
        now = torch.stack(
            [m for x in (colours.detach(), photos) for m in (x.mean(dim=0), x.square().mean(dim=0))]
        )
        kept = _kept(int(self.colour_count))
        self.colour_count += 1
        self.colours.mul_(kept).add_((1 - kept) * now)

        mean, square, photo_mean, photo_square = self.colours
        deviation = (square - mean.square()).clamp_min(1e-6).sqrt()
        photo_deviation = (photo_square - photo_mean.square()).clamp_min(1e-6).sqrt()

        # Gradients of the distance of mean and of spread, with the running moments held fixed.
        shift = (mean - photo_mean) / photo_deviation
        wider = deviation / photo_deviation - 1
        z = (colours - mean) / photo_deviation
        moved: Tensor = (shift * z + 0.5 * wider * z.square()).sum(dim=1).mean()
        return moved

    def pull_confidence(self, values: Tensor, photos: Tensor) -> Tensor:
        """How far the confidence of pictures (B,) goes against the pull to that of photos; to be
        made small.
        """
        kept = _kept(int(self.confidence_count))
        self.confidence_count += 1
        now = torch.stack([values.detach().mean(), photos.mean(), photos.var()])
        self.confidence.mul_(kept).add_((1 - kept) * now)
        mean, photo_mean, photo_variance = self.confidence.clone()
        moved: Tensor = (mean - photo_mean) / photo_variance.clamp_min(1e-6) * values.mean()
        return moved

    def repetition(self, x: Tensor, photos: Tensor) -> Tensor:
        """How many times more of the detail of ``x`` (B, 3, H, W) repeats than usually of photos,
        beyond once; 0 or more.
        """
        kept = _kept(int(self.repeated_count))
        self.repeated_count += 1
        self.repeated.mul_(kept).add_((1 - kept) * repeated_energy(photos))
        ratio = repeated_energy(x) / self.repeated.clamp_min(1e-8)
        return F.relu(ratio - 1).sum()

    def pack(self) -> dict[str, Tensor]:
        """What :meth:`unpack` needs."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def unpack(self, packed: dict[str, Tensor]) -> None:
        """Go on from packed moments."""
        for name, value in packed.items():
            getattr(self, name).copy_(value)


def _kept(count: int) -> float:
    return min(HORIZON, count / (count + 1))
