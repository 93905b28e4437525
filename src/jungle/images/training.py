"""``jungle train`` for photos: batches, previews and the health report of one run folder.

preview.png, previews/        the same seeds, painted every few minutes
and what diffusion/training_run.py writes
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..config.recipes import Recipe, SampleRecipe
from ..diffusion.adversarial import AdversarialSetup
from ..diffusion.batched_sampling import SampleRequest
from ..diffusion.device import Compute
from ..diffusion.model import Model
from ..diffusion.report import TrainingReport
from ..diffusion.train import seed_of
from ..diffusion.training_run import TrainingRun
from ..evaluation.contact_sheet import contact_sheet
from ..storage.atomic import write_atomic
from . import augment
from .dataset import ImageDataset
from .efficientnet import shipped_lite0
from .evaluate import looks_wrong
from .sampling import sample_pictures

RECOGNISABLE = 400_000  # training images of the shipped model at 64x64 (docs/LOG.md)
PREVIEWS = 12
PREVIEW_SAMPLING = SampleRecipe(steps=16)

MAPS = (2, 4, 10, 15)
"""Blocks of EfficientNet-Lite0 whose maps the discriminator reads: at 1/4, 1/8, 1/16 and 1/32."""


@dataclass
class PhotoBatches:
    """Batches of photos as a function of the update number: see ``diffusion.train.Batches``."""

    photos: ImageDataset
    recipe: Recipe
    device: torch.device
    _cumulative: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        counts = np.bincount(self.photos.labels, minlength=len(self.photos.classes)).astype(
            np.float64
        )
        weights = counts[self.photos.labels] ** -self.recipe.balance
        self._cumulative = np.cumsum(weights) / weights.sum()

    @property
    def updates_an_epoch(self) -> int:
        """Batches that show every photo once; the last may be smaller."""
        return -(-len(self.photos.labels) // self.recipe.batch)

    def indices(self, step: int) -> np.ndarray:
        """Which photos update ``step`` sees: every photo once an epoch, or, with ``balance``, small
        classes more often.
        """
        if self.recipe.balance == 0:
            epoch, position = divmod(step, self.updates_an_epoch)
            order = np.random.default_rng([self.recipe.seed, epoch]).permutation(
                len(self.photos.labels)
            )
            return np.sort(order[position * self.recipe.batch : (position + 1) * self.recipe.batch])
        draws = np.random.default_rng([self.recipe.seed, step, 1]).random(self.recipe.batch)
        return np.sort(np.searchsorted(self._cumulative, draws).clip(max=len(self._cumulative) - 1))

    def __call__(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) float32 in [-1, 1], augmented, and mix (B, K), on the device."""
        chosen = self.indices(step)

        where = self.device
        if where.type == "mps":  # lacks float64 and bicubic sampling: augment on the CPU
            where, generator = (
                torch.device("cpu"),
                torch.Generator().manual_seed(seed_of(self.recipe.seed, step)),
            )

        pixels = (
            torch.from_numpy(np.ascontiguousarray(self.photos.images[chosen]))
            .to(where)
            .permute(0, 3, 1, 2)
        )

        # The original recipe augments bytes, ours floats.
        if self.recipe.augment == "original":
            pixels = augment.original(pixels, generator)
        x = pixels.float() / 127.5 - 1

        if self.recipe.augment == "safe":
            x = augment.safe(x, generator)
        elif self.recipe.augment == "flip":
            x = augment.flip(x, generator)

        labels = torch.from_numpy(self.photos.labels[chosen]).to(self.device)

        return x.to(self.device), torch.nn.functional.one_hot(
            labels, len(self.photos.classes)
        ).float()

    def draw(self, step: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """``count`` photos for adversarial training: see ``diffusion.adversarial.Photos``.

        Small classes come more often, as ``balance`` says; half of the photos are mirrored, and
        nothing else is changed, because what is done to photos would be done to generated pictures.
        """
        draws = np.random.default_rng([self.recipe.seed, step, 2]).random(count)
        chosen = np.searchsorted(self._cumulative, draws).clip(max=len(self._cumulative) - 1)
        pixels = torch.from_numpy(np.ascontiguousarray(self.photos.images[chosen])).permute(
            0, 3, 1, 2
        )
        x = pixels.float() / 127.5 - 1
        if self.recipe.augment != "none":
            x = augment.flip(x, generator)
        labels = torch.from_numpy(self.photos.labels[chosen])
        mix = torch.nn.functional.one_hot(labels, len(self.photos.classes)).float()
        return x.to(self.device), mix.to(self.device)


class PhotoRun(TrainingRun[np.ndarray]):
    """A run on photos; see :class:`~jungle.diffusion.run.Run`. It previews the same pictures every
    few minutes.
    """

    def __init__(  # noqa: PLR0913
        self,
        out: Path,
        photos: ImageDataset,
        recipe: Recipe,
        compute: Compute,
        minutes: float,
        clock: Callable[[], float],
        started: float,
        cache: Path,
        start: Model | None = None,
    ) -> None:
        self.photos = photos
        self.feed: PhotoBatches = PhotoBatches(photos, recipe, compute.device)
        super().__init__(
            out, photos, self.feed, recipe, compute, minutes, clock, started, cache, start
        )

    def setup(self) -> AdversarialSetup:
        """Maps of the shipped EfficientNet-Lite0, and the photos of this run."""
        dtype = self.compute.dtype
        frozen = copy.deepcopy(shipped_lite0()).to(self.compute.device, dtype)
        return AdversarialSetup(
            perceive=(lambda x: [found.float() for found in frozen.maps(x.to(dtype), MAPS)],),
            names=(lambda features: frozen.classifier(features.to(dtype)).float(),),
            photos=self.feed.draw,
            classes=len(self.data.classes),
            size=self.recipe.size,
            levels=(),
        )

    def list_skipped(self) -> list[str]:
        """As of every run, and the classes that curation kept whole."""
        return [*super().list_skipped(), *self.photos.notes]

    def end(self) -> TrainingReport:
        """Finish, and write the report."""
        pictures, comparison = self.finish()
        verdict = (
            looks_wrong(pictures)
            or "The preview looks like pictures: neither noise nor one flat colour."
        )
        return self.report(comparison, verdict, RECOGNISABLE)

    def show(self, now: Model) -> np.ndarray:
        """Paint the fixed seeds into preview.png and previews/; returns them (N, H, W, 3) uint8."""
        count, own = len(now.classes), now.recipe.network == "unet"
        classes = torch.eye(count) if own else torch.zeros(count, 0)
        number = PREVIEWS if own else PREVIEWS // 3  # the faithful network is 50 times slower
        fast = now.recipe.sample.solver == "consistency"
        sampling = now.recipe.sample if fast else PREVIEW_SAMPLING
        wishes = [
            SampleRequest(seed, classes[seed * count // number % count]) for seed in range(number)
        ]
        pictures = np.stack([picture for _, picture in sample_pictures(now, wishes, sampling)])
        sheet: Image.Image = contact_sheet(pictures, columns=PREVIEWS, scale=2 * now.shrunk)
        for path in (
            self.out / "preview.png",
            self.out / "previews" / f"update_{now.step:07d}.png",
        ):
            write_atomic(path, lambda file: sheet.save(file, "PNG"))
        return pictures
