"""``jungle make``: from nothing, or from a model, to a folder that opens in a browser."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import casting, config
from ..album import Wanted, make_album
from ..diffusion.model import Model
from ..errors import BadInput
from ..folders import scan
from ..images.gallery import Gallery, paint_animals
from ..recipes import SampleRecipe
from ..records import Call, Species
from ..sounds.calls import EmbeddedMaker
from ..sounds.ear import Ear
from ..sounds.maker import CallRequest
from ..sounds.reference import Reference
from ..sources import resolve
from ..species import invent
from ..store import make_folder
from .site import write_site

PICTURES = "generated_images"
SOUNDS = "sounds"
TAKES = 2  # of each call


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


def make_calls(
    maker: EmbeddedMaker, species: Sequence[Species], out: Path, reference: Reference | None, progress: Callable[[int], object]
) -> list[Call]:
    """A call for each species, in ``out``/sounds; files are relative to ``out``."""
    wanted = [Wanted(one, CallRequest(seed=one.seed, mix=casting.voices(one.mix, maker.classes), takes=TAKES)) for one in species]
    calls = make_album(maker, wanted, out / SOUNDS, Ear.shipped(), reference, progress)
    return [dataclasses.replace(call, file=f"{SOUNDS}/{call.file}") for call in calls]


def paint_species(
    model: Model, out: Path, count: int, seed: int, recipe: SampleRecipe, progress: Callable[[int], object]
) -> tuple[tuple[Species, ...], Gallery]:
    """Invent species (kept in jungle.toml; an existing one is used as it is) and paint them, in ``out``/generated_images.

    Raises:
        BadInput: a jungle.toml that cannot be used, or with classes that the model does not know.
    """
    make_folder(out)
    known = config.read(out)
    species = known.species or invent(model.classes, count, seed)
    gallery = paint_animals(model, species, recipe, out / PICTURES, progress=progress)
    if not known.species:
        config.write_species(out, seed, species)
    placed = tuple(dataclasses.replace(picture, file=f"{PICTURES}/{picture.file}") for picture in gallery.pictures)
    return species, dataclasses.replace(gallery, pictures=placed)


def publish(out: Path, species: Sequence[Species], gallery: Gallery, calls: Sequence[Call]) -> Path:
    """Write the page; returns it."""
    return write_site(out, list(zip(species, gallery.pictures, calls, strict=True)))
