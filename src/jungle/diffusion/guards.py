"""Guards of adversarial training: what generated pictures look like beside photos, window by
window.

A guard measures a fault on the sums of a window of updates. It fires where the fault is above its
limit and clearly above the least that this run had in a window before, because a poor model to
begin with is no divergence.

Letters: N pictures, K classes, D features.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

WINDOW = 100
"""Updates of a window."""

WORSE = 1.5
"""How far above the least of the windows before a fault must be."""

CALM = 0.7
"""Of its limit: a state in which no fault is above this share is good to go back to."""

FEWEST = 8
"""Pictures of a class, on both sides, before its spread is measured."""

COARSEST = 8
"""The longest period of a repeating texture in pixels: the stride of the discriminator of
pixels.
"""


@dataclass(frozen=True, slots=True)
class Sight:
    """Some pictures and what the frozen network makes of them."""

    pictures: Tensor  # (N, 3, H, W) in [-1, 1]
    features: Tensor  # (N, D), the pooled last map
    mix: Tensor  # (N, K) class weights


@dataclass
class Statistics:
    """Sums over the pictures of a window, on the CPU."""

    count: Tensor  # ()
    channels: Tensor  # (3,) of the mean of each channel
    saturation: Tensor  # () of the mean distance of the channels from grey
    spectrum: Tensor  # (H, W) of the power at each frequency, each picture with a power of 1
    class_count: Tensor  # (K,)
    class_features: Tensor  # (K, D)
    class_squares: Tensor  # (K,) of the squared length of the features

    @classmethod
    def empty(cls, classes: int, features: int, size: tuple[int, int]) -> "Statistics":
        """Sums over nothing."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.float64)

        per_class = zeros(classes), zeros(classes, features), zeros(classes)
        return cls(zeros(), zeros(3), zeros(), zeros(*size), *per_class)

    @torch.no_grad()
    def add(self, sight: Sight) -> None:
        """Add pictures; those asked for as a mix do not count for the spread of a class."""
        pictures = sight.pictures.detach().cpu().double()
        grey = pictures.mean(dim=1, keepdim=True)
        self.count += len(pictures)
        self.channels += pictures.mean(dim=(2, 3)).sum(dim=0)
        self.saturation += (pictures - grey).abs().mean(dim=(1, 2, 3)).sum()

        # Texture that repeats shows as peaks of the spectrum, whatever the colours are.
        power = torch.fft.fft2(grey[:, 0] - grey.mean(dim=(1, 2, 3))[:, None, None]).abs().square()
        self.spectrum += (power / power.sum(dim=(1, 2), keepdim=True).clamp_min(1e-12)).sum(dim=0)

        # A mix is allowed to lie between classes, so it says nothing about their spread.
        mix = sight.mix.detach().cpu()
        pure = mix.amax(dim=1) > 0.99
        labels = mix.argmax(dim=1)[pure]
        features = sight.features.detach().cpu().double()[pure]
        self.class_count.index_add_(0, labels, torch.ones(len(labels), dtype=torch.float64))
        self.class_features.index_add_(0, labels, features)
        self.class_squares.index_add_(0, labels, features.square().sum(dim=1))

    def spread(self) -> Tensor:
        """Half the mean squared distance between two pictures of each class, (K,)."""
        between = self.class_features.square().sum(dim=1) / self.class_count.clamp_min(1)
        return (self.class_squares - between).clamp_min(0) / (self.class_count - 1).clamp_min(1)

    def stride_power(self) -> float:
        """Share of the power that stands out at the frequencies of texture with a period of 2, 4
        or 8 pixels from the frequencies beside them.
        """
        spectrum = self.spectrum / self.count
        shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
        around = torch.stack([spectrum.roll(shift, dims=(0, 1)) for shift in shifts]).mean(dim=0)
        high, wide = spectrum.shape
        peaks = (spectrum - around)[:: high // COARSEST, :: wide // COARSEST]
        return float(peaks.sum() - peaks[0, 0])


def colour_drift(fake: Statistics, real: Statistics) -> float:
    """The largest difference of a mean channel, in [0, 2]."""
    return float((fake.channels / fake.count - real.channels / real.count).abs().max())


def saturation_drift(fake: Statistics, real: Statistics) -> float:
    """How many times more, or less, saturated the generated pictures are, minus 1."""
    ratio = float((fake.saturation / fake.count) / (real.saturation / real.count).clamp_min(1e-6))
    return max(ratio, 1 / max(ratio, 1e-6)) - 1


def _spread_ratios(fake: Statistics, real: Statistics) -> tuple[Tensor, Tensor]:
    """Spread of photos over that of generated pictures, and the number of the latter, by class."""
    enough = (fake.class_count >= FEWEST) & (real.class_count >= FEWEST)
    spread = fake.spread()[enough].clamp_min(1e-9)
    return real.spread()[enough] / spread, fake.class_count[enough]


def lost_variety(fake: Statistics, real: Statistics) -> float:
    """How many times closer together, in squared distance, generated pictures of a class lie."""
    ratios, counts = _spread_ratios(fake, real)
    if not len(ratios):
        return 0.0
    return float((ratios.log() * counts).sum().div(counts.sum()).exp())


def collapsed_class(fake: Statistics, real: Statistics) -> float:
    """As :func:`lost_variety`, of the class that is worst."""
    ratios, _ = _spread_ratios(fake, real)
    return float(ratios.max()) if len(ratios) else 0.0


def repeating_texture(fake: Statistics, real: Statistics) -> float:
    """Share of the power in texture that repeats with the discriminator's strides, beyond
    photos'.
    """
    return fake.stride_power() - real.stride_power()


@dataclass(frozen=True, slots=True)
class Guard:
    """One fault, how it is measured, the most of it that is allowed, and what is said about it."""

    name: str
    measure: Callable[[Statistics, Statistics], float]
    limit: float
    sentence: str


GUARDS = (
    Guard(
        "colour",
        colour_drift,
        0.3,
        "the colours drift: a mean channel is {0:.2f} from the photos'",
    ),
    Guard(
        "saturation",
        saturation_drift,
        0.8,
        "the colours drift: saturation is {0:.0%} off",
    ),
    Guard(
        "variety",
        lost_variety,
        4.0,
        "variety is lost: pictures of a class are {0:.1f} times more alike than photos",
    ),
    Guard(
        "class",
        collapsed_class,
        8.0,
        "a class collapses: its pictures are {0:.0f} times more alike than photos",
    ),
    Guard(
        "texture",
        repeating_texture,
        0.08,
        "a texture repeats: it has {0:.0%} more of the contrast than in photos",
    ),
)
"""Limits far above what healthy runs show (docs/LOG.md)."""


@dataclass
class Watch:
    """The window that is being filled, and the least of each fault in the windows before."""

    fake: Statistics
    real: Statistics
    updates: int = 0
    least: dict[str, float] = field(default_factory=dict)

    @classmethod
    def begin(cls, classes: int, features: int, size: tuple[int, int]) -> "Watch":
        """Nothing seen so far. ``size`` is (H, W)."""
        shape = (classes, features, size)
        return cls(Statistics.empty(*shape), Statistics.empty(*shape))

    def add(self, fake: Sight, real: Sight) -> None:
        """What an update generated, and the photos it was compared with."""
        self.fake.add(fake)
        self.real.add(real)
        self.updates += 1

    def measures(self) -> dict[str, float]:
        """Every fault of the window so far, by name."""
        return {guard.name: guard.measure(self.fake, self.real) for guard in GUARDS}

    def close(self) -> tuple[str, bool]:
        """Judge the window and open the next.

        Returns:
            What is wrong ("" = nothing), and whether the state is good to go back to.
        """
        values = self.measures()
        wrong = [
            guard.sentence.format(values[guard.name])
            for guard in GUARDS
            if self._fires(guard, values)
        ]
        calm = all(self._is_calm(guard, values) for guard in GUARDS)
        for name, value in values.items():
            self.least[name] = min(self.least.get(name, value), value)

        # Zeroed in place: the tensors are part of the state that is saved.
        for statistics in (self.fake, self.real):
            for tensor in vars(statistics).values():
                tensor.zero_()
        self.updates = 0
        return "; ".join(wrong), calm and not wrong

    def _fires(self, guard: Guard, values: dict[str, float]) -> bool:
        value = values[guard.name]
        return value > max(guard.limit, WORSE * self.least.get(guard.name, value))

    def _is_calm(self, guard: Guard, values: dict[str, float]) -> bool:
        value = values[guard.name]
        return value <= max(CALM * guard.limit, self.least.get(guard.name, value))

    def pack(self) -> dict[str, Any]:
        """What :meth:`unpack` needs."""
        sums = {"fake": dict(vars(self.fake)), "real": dict(vars(self.real))}
        return {**sums, "updates": self.updates, "least": dict(self.least)}

    def unpack(self, packed: dict[str, Any]) -> None:
        """Go on from a packed watch."""
        for name in ("fake", "real"):
            for key, value in packed[name].items():
                getattr(getattr(self, name), key).copy_(value)
        self.updates = packed["updates"]
        self.least = dict(packed["least"])
