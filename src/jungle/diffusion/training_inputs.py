"""What a training run is given: the data, and batches of it."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class TrainingData(Protocol):
    """What a run learns from."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of the mix."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names the data: another one is another run."""
        ...

    @property
    def skipped(self) -> Sequence[tuple[str, str]]:
        """Files that are not used, and why."""
        ...

    def __len__(self) -> int:
        """Items."""
        ...


class BatchSource(Protocol):
    """Batches as a function of the update number; see ``diffusion.train.Batches``."""

    @property
    def updates_an_epoch(self) -> int:
        """Updates that show every item once."""
        ...

    def __call__(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Items (B, C, H, W) and mix (B, K), on the device."""
        ...
