"""The recipes that have a name, as ``jungle train --recipe NAME`` takes it."""

import dataclasses

from ..errors import BadInput
from .recipes import Medium, NetRecipe, Recipe, SampleRecipe

CONSISTENCY = SampleRecipe(
    steps=4, solver="consistency", sigma_max=20.0, sigma_min=2.2, rho=100.0, guidance=1.0
)
"""How a model is drawn from after adversarial training: noise levels of about 20, 9.6, 4.6 and 2.2.

The lowest is high on purpose: anatomy is decided between 0.7 and 4, and lower levels add grain
(docs/LOG.md).
"""

ADVERSARIAL_LEVELS = dataclasses.replace(CONSISTENCY, sigma_min=1.8)
"""What adversarial training asks for, 20, 9, 4 and 1.8: a little lower than what is drawn with,
which measured best."""

_TINY_NET = NetRecipe(widths=(8, 16), blocks=(1, 1), attention=(), embedding=32)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        # Seconds on any machine; the recipe of the tests. Not curated, because the network that
        # does it would take longer than the training.
        Recipe(
            name="tiny",
            image_size=16,
            curate="no",
            net=_TINY_NET,
            batch=8,
            steps=20,
            warmup=5,
            sample=SampleRecipe(steps=6),
        ),
        # An hour on a laptop: half of it diffusion, half of it adversarial.
        Recipe(name="quick", adversarial_share=0.5),
        # From a diffusion model to a sampler of four evaluations.
        Recipe(name="adversarial", adversarial_share=1.0),
        # What the shipped model began with.
        Recipe(
            name="photo64",
            augment="flip",
            epochs=65,
            adversarial_share=0.5,
            sample=SampleRecipe(steps=16, guidance=4.0, guidance_low=0.3, guidance_high=3.0),
        ),
        # The original recipe of this project, figure by figure: DDPM, 63 M parameters, no EMA.
        Recipe(
            name="faithful",
            crop="squash",
            corners="keep",
            curate="no",
            limit=1024,
            order="path",
            augment="original",
            balance=0.0,
            network="unet2d",
            objective="ddpm",
            small_share=0.0,
            batch=16,
            epochs=30,
            lr=2e-5,
            warmup=0,
            decay="constant",
            beta2=0.999,
            weight_decay=0.01,
            clip=0.0,
            ema=0.0,
            drop_mix=0.0,
            sample=SampleRecipe(guidance=1.0),
        ),
    )
}
"""For photos."""

# Recordings become pictures of 256 frequencies and 2.05 s (sounds/spectrogram.py). A patch of 8 x 8
# is 250 Hz and 64 ms.
_CALL = Recipe(
    name="call",
    media="recordings",
    curate="no",
    image_size=256,
    epochs=120,
    p_mean=1.0,
    lr=2e-3,
    warmup=100,
    net=NetRecipe(
        image_channels=1, patch=8, widths=(128, 256, 384), blocks=(1, 2, 3), attention=(2,)
    ),
    sample=SampleRecipe(guidance=2.0, sigma_max=160.0),
)

CALL_RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        dataclasses.replace(
            _CALL,
            name="tiny",
            batch=8,
            steps=20,
            warmup=5,
            sample=SampleRecipe(steps=6),
            net=dataclasses.replace(_TINY_NET, image_channels=1, patch=16, widths=(16, 32)),
        ),
        dataclasses.replace(_CALL, name="quick"),
        _CALL,
    )
}
"""For recordings."""


def find_recipe(name: str, media: Medium = "photos") -> Recipe:
    """The recipe of that name for photos or for recordings.

    Raises:
        BadInput: there is no such recipe; the sentence lists those that exist.
    """
    recipes = RECIPES if media == "photos" else CALL_RECIPES
    if name not in recipes:
        raise BadInput(
            f"There is no recipe '{name}' for {media}; choose one of {', '.join(recipes)}."
        )
    return recipes[name]
