"""``jungle make``: from nothing, or from a model, to a folder that opens in a browser."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from .. import config
from ..diffusion.model import Model
from ..images.gallery import Gallery, paint_animals
from ..recipes import SampleRecipe
from ..species import invent
from ..store import make_folder
from .site import write_site

PICTURES = "generated_images"


def make(model: Model, out: Path, count: int, seed: int, recipe: SampleRecipe, progress: Callable[[int], object]) -> tuple[Path, Gallery]:
    """Invent species (kept in jungle.toml; an existing one is used as it is), paint them and write the page.

    Returns:
        The page and the pictures.

    Raises:
        BadInput: a jungle.toml that cannot be used, or with classes that the model does not know.
    """
    make_folder(out)
    known = config.read(out)
    species = known.species or invent(model.classes, count, known.seed or seed)
    gallery = paint_animals(model, species, recipe, out / PICTURES, progress=progress)
    if not known.species:
        config.write_species(out, seed, species)
    placed = [dataclasses.replace(picture, file=f"{PICTURES}/{picture.file}") for picture in gallery.pictures]
    return write_site(out, list(zip(species, placed, strict=True))), gallery
