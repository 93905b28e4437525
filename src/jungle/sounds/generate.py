"""The embedded engine: calls drawn by our own diffusion model as spectrograms."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch

from ..config.recipes import Recipe, SampleRecipe
from ..diffusion.batched_sampling import Wish, draw
from ..diffusion.model import Model
from ..errors import BadInput
from . import spectrogram
from .engine import Audio, CallRequest, Take, take_seed
from .fit_length import compose

LONGEST = 4.0  # seconds drawn in one piece; longer calls are composed
PEAK = 0.89  # -1 dBFS: pictures know levels only relative to their loudest
STRIDE = (
    32  # columns; widths are multiples of it, so that every level of the network can halve them
)


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that cannot learn or draw spectrograms.

    Raises:
        BadInput: one for photos, of another number of frequencies than theirs, or of a width that the network cannot halve.
    """
    if recipe.media != "recordings":
        raise BadInput(
            "This model was trained on photos and paints pictures: give one that was trained on recordings, or none."
        )
    if recipe.image_size != spectrogram.BINS or recipe.size[1] % STRIDE:
        raise BadInput(
            f"image_size={recipe.image_size} with aspect={recipe.aspect} fits no recordings: spectrograms have {spectrogram.BINS} "
            "frequencies; use aspect=1:1 for calls of 2 seconds or aspect=3:2 for 3."
        )
    if recipe.network != "unet":
        raise BadInput(
            f"network={recipe.network} paints photos in three colours: use network=unet for recordings."
        )


class EmbeddedMaker:
    """Draws calls with a model trained on recordings.

    On one device with one number of threads, the samples of a take depend on its seed, mix and seconds alone.

    Raises:
        BadInput: the model does not draw spectrograms (see :func:`check_recipe`).
    """

    name = "embedded"
    rate = spectrogram.RATE

    def __init__(self, model: Model, recipe: SampleRecipe) -> None:
        check_recipe(model.recipe)
        self._model, self.recipe = model, recipe
        self.model, self.classes = model.hash, model.classes

    def drawing(self, recipe: SampleRecipe) -> "EmbeddedMaker":
        """The same engine with another way to draw."""
        return EmbeddedMaker(self._model, recipe)

    def make(self, requests: Sequence[CallRequest]) -> Iterator[tuple[int, Take]]:
        """All takes of all requests in order, each with the index of its request.

        Raises:
            BadInput: a class that the model does not know, or a negative length.
        """
        jobs = [
            (index, one, take_seed(one.seed, number))
            for index, one in enumerate(requests)
            for number in range(one.takes)
        ]
        for width, group in groupby(jobs, lambda job: self._width(job[1].seconds)):
            some = list(group)
            wishes = [Wish(seed, self._model.mix(one.mix)) for _, one, seed in some]
            shrunk = self._model.shrunk
            for place, item in draw(
                self._model, wishes, self.recipe, (1, spectrogram.BINS // shrunk, width // shrunk)
            ):
                index, one, seed = some[place]
                yield index, Take(self._perform(item, shrunk, one.seconds, seed), self.rate, seed)

    def check(self, mix: dict[str, float]) -> None:
        """Refuse a mix that cannot be sung.

        Raises:
            BadInput: a class that the model does not know, or shares that are negative or sum to nothing.
        """
        self._model.mix(mix)

    def _width(self, seconds: float) -> int:
        """Columns to draw for a call of so many seconds."""
        if not 0 <= seconds < float("inf"):
            raise BadInput(
                f"A call of {seconds:g} seconds cannot be made: use a length above 0, or 0 for its natural one."
            )
        drawn = min(seconds, LONGEST) * spectrogram.RATE / spectrogram.HOP
        natural = self._model.recipe.size[1]
        return natural if seconds == 0 else max(natural, -(-int(drawn + 0.999) // STRIDE) * STRIDE)

    def _perform(self, item: torch.Tensor, shrunk: int, seconds: float, seed: int) -> Audio:
        image = item[None]
        if shrunk > 1:
            image = torch.nn.functional.interpolate(
                image, scale_factor=shrunk, mode="bilinear", align_corners=False
            )
        wave = spectrogram.to_waves(image)[0].numpy()
        audio: Audio = (wave * np.float32(PEAK / max(float(abs(wave).max()), 1e-6)))[:, None]
        return compose(audio, self.rate, seconds, seed) if seconds else audio
