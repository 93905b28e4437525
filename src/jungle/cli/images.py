"""``jungle images``."""

import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..config.jungle_toml import JungleFolder
from ..config.recipes import SampleRecipe, Solver
from ..diffusion.model import LOAD_OPTIONS, Model, with_guide
from ..images.generate import export, paint_animals
from ..records import Species
from ..species import kinds, select
from ..storage.atomic import check_writable
from .models import model_file, open_model, sample_recipe
from .options import CommonOptions, common_options, log, print_result, progress_bar

_SOLVERS = typing.get_args(Solver)
_FAITHFUL = {"solver": "ddpm", "steps": "1000", "guidance": "1", "batch": "1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageOptions:
    """The options of ``jungle images``; None or "" where an option is left out."""

    model: str
    count: int
    out: str
    seed: int | None
    mix: str | None
    species: str | None
    steps: int | None
    solver: str | None
    guidance: float | None
    weak: str
    keep: int
    of: int
    faithful: bool
    export: str


@click.command("images")
@click.option(
    "--model",
    default="",
    metavar="FILE",
    help="A model; the one in this folder, or the shipped one, by default.",
)
@click.option("-n", "--count", default=50, help="How many pictures.")
@click.option(
    "--out",
    default="generated_images",
    metavar="DIR",
    help="Folder of the pictures; the zip goes beside it.",
)
@click.option(
    "--seed", default=None, type=int, help="Seed of the first picture; the next has the next."
)
@click.option(
    "--mix", default=None, metavar="A=0.6,B=0.4", help="Which animals are mixed, and how strongly."
)
@click.option("--species", default=None, metavar="SLUG", help="A species of jungle.toml.")
@click.option("--steps", default=None, type=int, help="Noise levels; more is finer and slower.")
@click.option(
    "--solver",
    default=None,
    metavar="NAME",
    help=f"{', '.join(_SOLVERS[:-1])} or {_SOLVERS[-1]}.",
)
@click.option(
    "--guidance", default=None, type=float, help="How strongly to obey the mix; 1 means none."
)
@click.option(
    "--weak",
    default="",
    metavar="FILE",
    help="Guide away from this weaker model (autoguidance), not from no class.",
)
@click.option("--keep", default=0, help="Keep so many of --of, the best by score.")
@click.option("--of", "of", default=0, help="Paint so many to keep --keep of them.")
@click.option(
    "--faithful",
    is_flag=True,
    help="The original loop: steps 999 to 0, one picture at a time, float32.",
)
@click.option(
    "--export",
    "export",
    default="",
    metavar="FORM",
    help="Write the model as safetensors, int8 or diffusers; paint nothing.",
)
@common_options
def images_command(common: CommonOptions, **arguments: Any) -> None:
    """Paint pictures with a model: fictional_animal_1.png ..., a zip and a contact sheet."""
    options, jungle = ImageOptions(**arguments), JungleFolder.open(Path())
    out = Path(options.out)
    painter = _open_painter(common, options, jungle)
    if options.export:
        written = export(painter, options.export, out)
        print_result(common.as_json, f"Wrote {written}", file=written)
        return

    # All that can be wrong is refused before anything is painted.
    recipe = _recipe(common, options, jungle, painter)
    check_writable(out)
    report = kinds.of_model(model_file(options.model, jungle, "photos"), painter.hash)
    chosen = _choose_species(options, jungle, kinds.to_invent_from(painter.classes, report))
    for species in chosen:
        painter.mix(species.mix)  # refuses classes that the model does not know

    with progress_bar(len(chosen), "picture", common.quiet) as progress:
        labels = kinds.labels_by_kind(report) if options.keep else None
        result = paint_animals(
            painter,
            chosen,
            recipe,
            out,
            options.keep,
            lambda done: progress.update(1),
            labels=labels,
        )
    if result.trouble:
        log(f"Look at them closely: {result.trouble}", common.quiet)

    best = f": the best of {options.of} by score" if options.keep else ""
    print_result(
        common.as_json,
        f"{len(result.pictures)} pictures in {out}, and their zip beside it{best}",
        out=options.out,
        trouble=result.trouble,
        pictures=[picture.to_json() for picture in result.pictures],
    )


def _open_painter(common: CommonOptions, options: ImageOptions, jungle: JungleFolder) -> Model:
    """The model, with the weaker one that it is guided away from, if one is given."""
    load_options = {key: value for key, value in common.options.items() if key in LOAD_OPTIONS}

    # An export takes a model of either kind; the original loop was written for float32.
    painter = open_model(
        common,
        model_file(options.model, jungle, "photos"),
        media=None if options.export else "photos",
        device=":float32" if options.faithful else "",
        load_options=load_options,
    )
    if not options.weak:
        return painter
    return with_guide(painter, open_model(common, Path(options.weak), load_options=load_options))


def _recipe(
    common: CommonOptions, options: ImageOptions, jungle: JungleFolder, painter: Model
) -> SampleRecipe:
    changes = {key: value for key, value in common.options.items() if key not in LOAD_OPTIONS}
    if options.faithful:
        changes = _FAITHFUL | changes
    return sample_recipe(
        painter,
        jungle,
        changes,
        steps=options.steps,
        solver=options.solver,
        guidance=options.guidance,
    )


def _choose_species(
    options: ImageOptions, jungle: JungleFolder, classes: tuple[str, ...]
) -> list[Species]:
    return select.choose_animals(
        classes,
        options.of or options.count,
        jungle.config.seed if options.seed is None else options.seed,
        options.mix,
        slug=options.species,
        known=jungle.config.species,
        keep=options.keep,
        of=options.of,
    )
