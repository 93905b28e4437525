"""A pull of generated pictures to photos of their class in a feature space, without a
discriminator.

Letters: B pictures, K classes, D features.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

DEPTH = 48
"""Features of each class that are kept."""

TEMPERATURES = (0.1, 0.2, 0.4)
"""Widths of the kernel, in units of the mean distance to photos of the class."""

FEWEST = 8
"""Features of a class on both sides before it is pulled."""


@dataclass
class FeatureQueues:
    """The last features of photos and of generated pictures of each class, oldest replaced
    first.
    """

    real: Tensor  # (K, depth, D)
    fake: Tensor
    real_count: Tensor  # (K,) features seen so far
    fake_count: Tensor

    @classmethod
    def empty(cls, classes: int, depth: int, width: int, device: torch.device) -> "FeatureQueues":
        """Queues that hold nothing."""
        zeros = torch.zeros(classes, depth, width, device=device)
        counts = torch.zeros(classes, dtype=torch.long)
        return cls(zeros, zeros.clone(), counts, counts.clone())

    def push(self, features: Tensor, labels: Tensor, real: bool) -> None:
        """Add features (B, D) of classes (B,)."""
        queue, count = (self.real, self.real_count) if real else (self.fake, self.fake_count)
        for feature, label in zip(features, labels.tolist(), strict=True):
            queue[label, int(count[label]) % queue.shape[1]] = feature
            count[label] += 1

    def held(self, label: int, real: bool) -> Tensor:
        """The features of a class, (n, D)."""
        queue, count = (self.real, self.real_count) if real else (self.fake, self.fake_count)
        return queue[label, : min(int(count[label]), queue.shape[1])]

    def pack(self) -> dict[str, Tensor]:
        """What :meth:`unpack` needs."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def unpack(self, packed: dict[str, Tensor]) -> None:
        """Go on from packed queues."""
        for name, value in packed.items():
            getattr(self, name).copy_(value)


def drift(features: Tensor, labels: Tensor, queues: FeatureQueues) -> Tensor:
    """Where each feature (B, D) should go: to photos of its class, away from generated pictures.

    The mean shift of a kernel to photos minus that to generated pictures, which vanishes where
    both are spread alike (drifting models, arXiv 2602.04770). Zero for classes with few features.
    """
    out = torch.zeros_like(features)
    for index, label in enumerate(labels.tolist()):
        real, fake = queues.held(label, True), queues.held(label, False)
        if min(len(real), len(fake)) < FEWEST:
            continue
        to_real = (features[index] - real).norm(dim=1)
        to_fake = (features[index] - fake).norm(dim=1)
        unit = to_real.mean().clamp_min(1e-6)
        for temperature in TEMPERATURES:
            pull = torch.softmax(-to_real / (temperature * unit), dim=0) @ real
            push = torch.softmax(-to_fake / (temperature * unit), dim=0) @ fake
            out[index] += (pull - push) / len(TEMPERATURES)
    return out


def class_gap(labels: Tensor, queues: FeatureQueues, contrast: float) -> Tensor:
    """For each label (B,) how far the mean of generated pictures is from that of photos of the
    class, (B, D).

    ``contrast`` moves the goal away from the mean of all classes by that share, so that kinds are
    told apart more easily (guidance away from photos of all classes: arXiv 2602.04770, section on
    classifier-free guidance). Zero for classes with fewer features than half a queue.
    """
    means = torch.stack(
        [queues.held(k, True).mean(dim=0) for k in range(len(queues.real))]
    ).nan_to_num()
    centre = means.mean(dim=0)
    out = torch.zeros(len(labels), means.shape[1], device=means.device)
    for index, label in enumerate(labels.tolist()):
        fake = queues.held(label, False)
        if min(len(fake), len(queues.held(label, True))) >= queues.real.shape[1] // 2:
            goal = means[label] + contrast * (means[label] - centre)
            out[index] = fake.mean(dim=0) - goal
    return out
