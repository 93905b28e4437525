"""The embedded engine: calls drawn by our own diffusion model as spectrograms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch

from ..config.recipes import Recipe, SampleRecipe
from ..diffusion.batched_sampling import SampleRequest, draw_samples
from ..diffusion.model import Model
from ..errors import BadInput
from . import spectrogram
from .engine import Audio, CallRequest, Take, take_seed
from .fit_length import fit_length

_LONGEST = 4.0  # seconds drawn in one piece; longer calls are composed
_PEAK = 0.89  # -1 dBFS: images know levels only relative to their loudest

# Columns; widths are multiples of it, so that every level of the network can halve them.
_STRIDE = 32


@dataclass(frozen=True, slots=True)
class _Job:
    """One take to draw, for request ``index``."""

    index: int
    request: CallRequest
    seed: int


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that cannot learn or draw spectrograms.

    Raises:
        BadInput: one for photos, of another number of frequencies than spectrograms have, of a
            width that the network cannot halve, or of a network in three colours.
    """
    if recipe.media != "recordings":
        raise BadInput(
            "This model was trained on photos and paints pictures: give one that was trained on "
            "recordings, or none."
        )
    if recipe.image_size != spectrogram.BINS or recipe.size[1] % _STRIDE:
        raise BadInput(
            f"image_size={recipe.image_size} with aspect={recipe.aspect} fits no recordings: "
            f"spectrograms have {spectrogram.BINS} frequencies; use aspect=1:1 for calls of 2 "
            "seconds or aspect=3:2 for 3."
        )
    if recipe.network != "unet":
        raise BadInput(
            f"network={recipe.network} paints photos in three colours: use network=unet for "
            "recordings."
        )


class SpectrogramEngine:
    """A :class:`~jungle.sounds.engine.SoundEngine` around a model trained on recordings.

    On one device with one number of threads, the samples of a take depend on its seed, mix and
    seconds alone.

    Raises:
        BadInput: the model does not draw spectrograms (see :func:`check_recipe`).
    """

    name = "embedded"
    rate = spectrogram.RATE

    def __init__(self, model: Model, recipe: SampleRecipe) -> None:
        check_recipe(model.recipe)
        self._model, self.recipe = model, recipe
        self.model, self.classes = model.hash, model.classes

    def with_sampling(self, recipe: SampleRecipe) -> "SpectrogramEngine":
        """The same engine with another way to draw."""
        return SpectrogramEngine(self._model, recipe)

    def make(self, requests: Sequence[CallRequest]) -> Iterator[tuple[int, Take]]:
        """All takes of all requests in order, each with the index of its request.

        Raises:
            BadInput: a class that the model does not know, or a negative length.
        """
        jobs = [
            _Job(index, request, take_seed(request.seed, take))
            for index, request in enumerate(requests)
            for take in range(request.takes)
        ]

        # A batch has one width. Runs of equal widths and not all jobs of a width at once: takes
        # come in the order of their requests.
        for width, run in groupby(jobs, lambda job: self._width(job.request.seconds)):
            yield from self._draw(list(run), width)

    def _draw(self, jobs: Sequence[_Job], width: int) -> Iterator[tuple[int, Take]]:
        shrunk = self._model.shrunk
        shape = (1, spectrogram.BINS // shrunk, width // shrunk)
        items = [SampleRequest(job.seed, self._model.mix(job.request.mix)) for job in jobs]
        for position, image in draw_samples(self._model, items, self.recipe, shape):
            job = jobs[position]
            audio = self._to_audio(image, shrunk, job.request.seconds, job.seed)
            yield job.index, Take(audio, self.rate, job.seed)

    def check_mix(self, mix: dict[str, float]) -> None:
        """Refuse a mix that cannot be drawn.

        Raises:
            BadInput: a class that the model does not know, or shares that are negative or sum to
                nothing.
        """
        self._model.mix(mix)

    def _width(self, seconds: float) -> int:
        """Columns to draw for a call of so many seconds."""
        if not 0 <= seconds < float("inf"):
            raise BadInput(
                f"A call of {seconds:g} seconds cannot be made: use a length above 0, or 0 for its "
                "natural one."
            )
        natural = self._model.recipe.size[1]
        if seconds == 0:
            return natural
        drawn = min(seconds, _LONGEST) * spectrogram.RATE / spectrogram.HOP
        return max(natural, -(-int(drawn + 0.999) // _STRIDE) * _STRIDE)

    def _to_audio(self, image: torch.Tensor, shrunk: int, seconds: float, seed: int) -> Audio:
        """A drawn image (1, BINS / shrunk, T / shrunk) as (samples, 1) with a peak of -1 dBFS."""
        batch = image[None]
        if shrunk > 1:
            batch = torch.nn.functional.interpolate(
                batch, scale_factor=shrunk, mode="bilinear", align_corners=False
            )
        wave = spectrogram.images_to_waves(batch)[0].numpy()
        gain = np.float32(_PEAK / max(float(abs(wave).max()), 1e-6))
        audio: Audio = (wave * gain)[:, None]
        return fit_length(audio, self.rate, seconds, seed) if seconds else audio
