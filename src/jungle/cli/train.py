"""``jungle train``."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..config.jungle_toml import JungleFolder, apply_config
from ..config.paths import MODEL_FILE, SHIPPED_MODELS, cache_folder
from ..config.recipe_table import CALL_RECIPES, RECIPES, find_recipe
from ..config.recipes import Medium, Recipe
from ..data import folders, formats
from ..data.folders import FolderContents
from ..data.sources import resolve
from ..diffusion import checkpoint
from ..diffusion import device as devices
from ..diffusion.device import Compute
from ..diffusion.model import Model
from ..diffusion.report import TrainingReport
from ..diffusion.training_run import TrainingRun
from ..errors import BadInput, JungleError
from ..images import dataset as image_dataset
from ..images.training import PhotoRun
from ..sounds import dataset as sound_dataset
from ..sounds.training import CallRun
from ..storage.atomic import check_writable
from ..weights import shipped
from .models import open_model
from .options import (
    CommonOptions,
    GracefulStop,
    common_options,
    log,
    print_result,
    progress_bar,
    progress_callback,
    training_bar,
)

_START = {"small_share": "0", "lr": "0.002"}
"""Of a run that begins with a model, which has learned the rough shapes at half size."""


@dataclass(frozen=True, slots=True)
class TrainingSources:
    """What to train on: folders, zips or data sets; and a list of files in them to leave out."""

    names: Sequence[str]
    exclude: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRequest:
    """A training run as a command asks for it."""

    sources: TrainingSources
    out: str  # folder of the run, as it was written: it is shown so
    recipe: str
    minutes: float  # 0 = as many updates as the recipe says
    configured: Mapping[str, str] = field(default_factory=dict)  # of [train] in jungle.toml
    options: Mapping[str, str] = field(default_factory=dict)  # given, which wins over it
    start: str = ""  # a model file to begin with, or "shipped"; the run gets its network


@click.command("train")
@click.argument("source", nargs=-1, required=True)
@click.option(
    "--recipe",
    default="",
    metavar="NAME",
    help=f"{', '.join(RECIPES)}; {', '.join(CALL_RECIPES)} for recordings; quick by default.",
)
@click.option("--minutes", default=0.0, metavar="N", help="Fit the run into so many minutes.")
@click.option(
    "--out",
    default=".",
    metavar="DIR",
    help="Where the model goes; the same command goes on with it.",
)
@click.option("--seed", default=None, type=int, help="Seed of weights, order and noise.")
@click.option(
    "--start",
    default="",
    metavar="FILE",
    help="Begin with the network and weights of this model, or of 'shipped'.",
)
@click.option(
    "--exclude",
    default="",
    metavar="FILE",
    help="Leave out the files of this list, one path a line, as cat/1.jpg.",
)
@common_options
def train_command(
    common: CommonOptions, source: tuple[str, ...], seed: int | None, **arguments: Any
) -> None:
    """Train a model on photos or recordings: folders, zips, kaggle:OWNER/NAME or hf:OWNER/NAME.

    Classes of the same name in several sources are one class.
    """
    config = JungleFolder.open(Path()).config
    seed_given = {} if seed is None else {"seed": str(seed)}
    out, model = arguments["out"], Path(arguments["out"]) / MODEL_FILE

    # jungle.toml always has a seed, 0 where it names none: --seed and -o win over it.
    health = run_training(
        common,
        TrainingRequest(
            sources=TrainingSources(source, arguments["exclude"]),
            out=out,
            recipe=arguments["recipe"] or config.recipe or "quick",
            minutes=arguments["minutes"],
            configured={"seed": str(config.seed)} | config.train,
            options=seed_given | common.options,
            start=arguments["start"],
        ),
    )

    if health is None:
        print_stopped(common, model)
        return
    text = f"{health.to_text()}Model: {model}"
    print_result(common.as_json, text, model=model, **dataclasses.asdict(health))


def print_stopped(common: CommonOptions, model: Path) -> None:
    """The result of a run that was asked to stop."""
    print_result(common.as_json, f"Stopped; the model so far: {model}", stopped=True, model=model)


def run_training(common: CommonOptions, request: TrainingRequest) -> TrainingReport | None:
    """Train to the end and return the health report, or save and return None when asked to stop.

    Raises:
        BadInput: the request contradicts itself, its data or what is in its folder.
    """
    minutes, out = request.minutes, Path(request.out)
    if not 0 <= minutes <= 100_000:
        raise BadInput(f"--minutes {minutes}: use a number of minutes above 0, or leave it out.")

    # Refused before anything is downloaded; whether it is photos or recordings is not known yet.
    if request.recipe not in CALL_RECIPES:
        check_start(find_recipe(request.recipe), request.start)
    compute = devices.choose_device(common.device)
    check_writable(out)

    media, files = open_sources(request.sources)
    begun = _open_start(common, request.start, media)
    recipe = _recipe(request, find_recipe(request.recipe, media), begun)
    check_start(recipe, request.start)
    run = _open_run(common, request, files, recipe, compute, begun)
    summary = (
        f"{len(run.data)} {media} of {len(run.data.classes)} classes, "
        f"recipe {request.recipe}, on {compute}"
    )
    return _follow(common, run, request.out, summary)


def check_start(recipe: Recipe, start: str) -> None:
    """Refuse adversarial training of nothing.

    Raises:
        BadInput: the recipe trains adversarially only, and there is no model to begin with.
    """
    if recipe.adversarial_share == 1 and not start:
        raise BadInput(
            "Adversarial training alone begins with a trained model: "
            "train one first and give it with --start MODEL, or take --start shipped."
        )


def open_sources(sources: TrainingSources) -> tuple[Medium, FolderContents]:
    """Whether the sources hold photos or recordings, and which; downloads and unpacks them.

    Raises:
        BadInput: a source cannot be opened, the list cannot be read, or some hold photos and
            others recordings.
    """
    opened = [resolve(name, cache_folder()) for name in sources.names]
    media = [folders.medium_of_folder(folder) for folder in opened]
    for name, medium in zip(sources.names, media, strict=True):
        if medium is not media[0]:
            raise BadInput(
                f"{sources.names[0]} holds {media[0].word}s and {name} {medium.word}s: a model "
                "learns from one or the other, so give sources of one kind."
            )
    files = folders.gather_folders(
        opened, media[0], Path(sources.exclude) if sources.exclude else None
    )
    return "photos" if media[0] is formats.PHOTOS else "recordings", files


def _open_start(common: CommonOptions, start: str, media: Medium) -> Model | None:
    """The model to begin with, if one is given."""
    if not start:
        return None
    file = shipped(SHIPPED_MODELS[media]) if start == "shipped" else Path(start)
    return open_model(common, file, media=media)


def _recipe(request: TrainingRequest, named: Recipe, begun: Model | None) -> Recipe:
    """The named recipe, as the model to begin with, a begun run and the options change it."""
    if begun and begun.recipe.network == named.network:
        keys = ("net", "fine", "fine_below", "objective", "p_mean", "p_std")
        named = _as_in(named, begun.recipe, keys)

    # Diffusion would undo what made it fast, and its pictures stay what they are.
    if begun and named.adversarial_share and begun.recipe.sample.solver == "consistency":
        named = dataclasses.replace(named, adversarial_share=1.0)
    if begun and named.adversarial_share == 1:
        named = _as_in(named, begun.recipe, ("image_size", "aspect", "sigma_data"))

    defaults = (_START if request.start else {}) | _begun_options(Path(request.out))
    return apply_config(named, {**defaults, **request.configured}, Path(), request.options)


def _as_in(recipe: Recipe, other: Recipe, keys: Sequence[str]) -> Recipe:
    return dataclasses.replace(recipe, **{key: getattr(other, key) for key in keys})


def _begun_options(out: Path) -> dict[str, str]:
    """What a half-trained run in ``out`` goes on with, although the default has changed since."""
    try:
        begun = checkpoint.read_checkpoint(out / MODEL_FILE) if (out / MODEL_FILE).is_file() else {}
    except JungleError:
        return {}  # the run itself says what is wrong with the file
    return {"curate": begun.recipe.curate} if isinstance(begun, checkpoint.Checkpoint) else {}


def _open_run(
    common: CommonOptions,
    request: TrainingRequest,
    files: FolderContents,
    recipe: Recipe,
    compute: Compute,
    begun: Model | None,
) -> TrainingRun[Any]:
    """Decode the data, and open the run in its folder."""
    cache, photos = cache_folder(), recipe.media == "photos"
    kind: Any = PhotoRun if photos else CallRun

    # The bar stays on the screen until the run is open: reading its state may take seconds.
    with progress_bar(0, recipe.media.removesuffix("s"), common.quiet) as progress:
        load = image_dataset.load_photos if photos else sound_dataset.load_audio_dataset
        data: Any = load(files, recipe, cache, progress_callback(progress))
        run: TrainingRun[Any] = kind(
            Path(request.out),
            data,
            recipe,
            compute,
            request.minutes,
            time.monotonic,
            common.started,
            cache,
            begun,
        )
    return run


def _follow(
    common: CommonOptions, run: TrainingRun[Any], out: str, summary: str
) -> TrainingReport | None:
    """Train ``run`` to its end with a progress bar; None when asked to stop."""
    for line in run.list_skipped():
        log(line, common.quiet)
    stop = GracefulStop()
    goes_on = f", going on at update {run.resumed_at}" if run.resumed_at else ""
    log(f"{summary}{goes_on}.", common.quiet)
    for line in filter(None, (run.note, run.plan)):
        log(line, common.quiet)

    with training_bar(run.done, common.quiet) as progress:
        for update in run.steps():
            progress.update(run.done - progress.n)
            progress.set_postfix_str(f"update {run.step}, loss {update.loss:.3f}", refresh=False)
            if update.note:
                log(update.note, common.quiet)

            # Between two updates, when weights and averages are of the same step.
            if stop.asked:
                run.save()
                log(
                    f"Stopped at update {run.step}; the model is in {out}. "
                    "The same command goes on from here.",
                    common.quiet,
                )
                return None
    health = run.end()
    stop.end()
    return health
