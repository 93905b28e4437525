"""What an adversarial run works with, everything that changes during it, and what it reports.

Letters: B pictures, K classes, L levels, N = B / L pictures of each level.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .discriminator import Discriminator
from .feature_drift import FeatureQueues
from .guards import Watch
from .moments import RunningMoments

Perceive = Callable[[Tensor], list[Tensor]]
"""Maps of a frozen network: (B, 3, S, S) in [-1, 1] -> (B, C_i, S_i, S_i) each, with gradients.

The last is pooled to tell classes.
"""

LabelHead = Callable[[Tensor], Tensor]
"""Logits (B, N) of the labels of a frozen network, from its pooled last map (B, D)."""

Photos = Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
"""``photos(step, count, generator)`` -> photos (count, 3, H, W) in [-1, 1] and class weights
(count, K), both on the device."""


@dataclass
class Critic:
    """What learns against the generator through one frozen network."""

    discriminator: Discriminator
    optimizer: torch.optim.Optimizer
    queues: FeatureQueues | None
    moments: RunningMoments | None

    def pack(self) -> dict[str, Any]:
        """Everything :meth:`unpack` needs; a view of the live state."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "queues": self.queues.pack() if self.queues else None,
            "moments": self.moments.pack() if self.moments else None,
        }

    def unpack(self, packed: dict[str, Any]) -> None:
        """Go on from a packed critic."""
        self.discriminator.load_state_dict(packed["discriminator"])
        self.optimizer.load_state_dict(packed["optimizer"])
        for part, name in ((self.queues, "queues"), (self.moments, "moments")):
            if part:
                part.unpack(packed[name])


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversarialSetup:
    """What a run works with, beside its recipe."""

    perceive: tuple[Perceive, ...]  # frozen networks, which take turns, an update each
    names: tuple[LabelHead, ...]  # of the same networks
    photos: Photos
    classes: int
    size: tuple[int, int]  # (H, W) of the pictures
    levels: tuple[float, ...]  # the sigmas of sampling, descending, without the 0
    seed: int = 0


@dataclass
class AdversarialState:
    """All that changes during a run. ``total`` may be changed between updates: the rate follows
    it.
    """

    critics: list[Critic]  # of each frozen network
    optimizer: torch.optim.Optimizer  # of the generator
    ema: dict[str, Tensor]
    chain: Tensor  # (L - 1, N, 3, H, W): what each level answered in the update before
    chain_mix: Tensor  # (L, N, K): what is asked for, by level
    watch: Watch
    total: int
    step: int = 0
    images: int = 0  # generated
    lr_scale: float = 1.0
    rollbacks: int = 0
    good: dict[str, Any] | None = None  # the packed state to go back to
    extra: dict[str, Any] = field(default_factory=dict)  # the consumer's own: time spent, for one

    PLAIN: ClassVar[tuple[str, ...]] = ("total", "step", "images", "lr_scale", "rollbacks", "extra")

    def pack(self, net: nn.Module) -> dict[str, Any]:
        """Everything :meth:`unpack` needs but ``good``; a view of the live state, copy it to keep
        it.
        """
        return {
            "net": net.state_dict(),
            "ema": self.ema,
            "critics": [critic.pack() for critic in self.critics],
            "optimizer": self.optimizer.state_dict(),
            "chain": self.chain,
            "chain_mix": self.chain_mix,
            "watch": self.watch.pack(),
            **{key: getattr(self, key) for key in self.PLAIN},
        }

    def unpack(self, net: nn.Module, packed: dict[str, Any]) -> None:
        """Go on from a packed state."""
        net.load_state_dict(packed["net"])
        for critic, of_critic in zip(self.critics, packed["critics"], strict=True):
            critic.unpack(of_critic)
        self.optimizer.load_state_dict(packed["optimizer"])
        for name, value in packed["ema"].items():
            self.ema[name].copy_(value)
        self.chain.copy_(packed["chain"])
        self.chain_mix.copy_(packed["chain_mix"])
        self.watch.unpack(packed["watch"])
        for key in self.PLAIN:
            setattr(self, key, packed[key])


@dataclass(frozen=True, slots=True)
class AdversarialProgress:
    """What one update did; means over its pictures. ``note`` is a sentence or ""."""

    step: int
    total: int
    images: int
    generator_loss: float
    discriminator_loss: float
    real_score: float
    fake_score: float
    class_loss: float
    photo_loss: float
    colour: tuple[float, float, float]  # mean channels, minus those of photos, in [-2, 2]
    saturation: float  # mean distance of channels from grey, over that of photos
    grad_norm: float
    lr: float
    note: str = ""

    @property
    def is_finite(self) -> bool:
        """Whether no loss and no gradient is a NaN or infinite."""
        losses = (self.generator_loss, self.discriminator_loss, self.class_loss, self.photo_loss)
        return all(math.isfinite(value) for value in (*losses, self.grad_norm))

    @property
    def loss(self) -> float:
        """The generator's."""
        return self.generator_loss
