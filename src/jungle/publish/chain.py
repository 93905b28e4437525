"""``jungle make``: from nothing, or from a model, to a folder that opens in a browser."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import config
from ..diffusion.model import Model
from ..errors import BadInput
from ..folders import scan
from ..images.gallery import Gallery, paint_animals
from ..recipes import SampleRecipe
from ..records import Species
from ..sources import resolve
from ..species import invent
from ..store import make_folder
from .site import write_site

PICTURES = "generated_images"


def check_species(species: Sequence[Species], source: str, cache: Path, where: Path) -> None:
    """Refuse species of a jungle.toml whose parents are not among the classes of the photos, before training on them.

    Raises:
        BadInput: there are such species; or there is no such source.
    """
    if not species:
        return
    classes = {photo.name for photo in scan(resolve(source, cache)).files}
    for one in species:
        for name in one.mix:
            if name not in classes:
                raise BadInput(
                    f"{where}: '{one.slug}' is mixed from '{name}', which is not among the photos: choose another --out or edit it."
                )


def make(model: Model, out: Path, count: int, seed: int, recipe: SampleRecipe, progress: Callable[[int], object]) -> tuple[Path, Gallery]:
    """Invent species (kept in jungle.toml; an existing one is used as it is), paint them and write the page.

    Returns:
        The page and the pictures.

    Raises:
        BadInput: a jungle.toml that cannot be used, or with classes that the model does not know.
    """
    make_folder(out)
    known = config.read(out)
    species = known.species or invent(model.classes, count, seed)
    gallery = paint_animals(model, species, recipe, out / PICTURES, progress=progress)
    if not known.species:
        config.write_species(out, seed, species)
    placed = [dataclasses.replace(picture, file=f"{PICTURES}/{picture.file}") for picture in gallery.pictures]
    return write_site(out, list(zip(species, placed, strict=True))), gallery
