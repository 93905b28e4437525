"""``jungle evaluate``."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from ..config.jungle_toml import JungleFolder
from ..config.paths import cache_folder
from ..config.recipes import Medium, Recipe, SampleRecipe
from ..data.folders import medium_of_folder
from ..data.sources import resolve
from ..diffusion.model import Model
from ..errors import BadInput
from ..images import best_of_n
from ..images import dataset as image_dataset
from ..images.evaluate import Scores
from ..sounds import dataset as sound_dataset
from ..sounds.evaluate import CallScores
from ..sounds.evaluate import evaluate_calls as evaluate_calls
from ..sounds.generate import SpectrogramEngine
from ..storage.atomic import check_writable
from .models import model_file, open_model, sample_recipe
from .options import CommonOptions, common_options, print_result, progress_bar, progress_callback

_MOST_PICTURES, _CALLS = 500, 300


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationOptions:
    """The options of ``jungle evaluate``."""

    model: str
    data: str
    count: int | None
    seed: int
    out: str
    space: str
    kinds: str


@click.command("evaluate")
@click.argument("model", required=False, default="")
@click.option(
    "--data", required=True, metavar="SOURCE", help="The photos or recordings to compare with."
)
@click.option(
    "-n",
    "--count",
    default=None,
    type=int,
    help=f"How many pictures or calls to judge; {_MOST_PICTURES} or {_CALLS} by default.",
)
@click.option("--seed", default=0, help="Seed of the first one.")
@click.option("--out", default="evaluation", metavar="DIR", help="Where scores and sheets go.")
@click.option(
    "--space",
    default=best_of_n.SPACE,
    metavar="NAME",
    help=f"Feature space: {best_of_n.SPACE} (shipped), or a DINOv2 folder or hub name.",
)
@click.option(
    "--kinds",
    default="",
    metavar="FILE",
    help="Write how well each kind is shown; beside a model it guides make.",
)
@common_options
def evaluate_command(common: CommonOptions, **arguments: Any) -> None:
    """How good a model is, against the photos or recordings it was trained on;
    every score with its real-against-real floor.
    """
    options = EvaluationOptions(**arguments)
    check_writable(Path(options.out))
    scores = _evaluate(common, options)
    print_result(common.as_json, scores.to_text(), **json.loads(scores.to_json()))


def _evaluate(common: CommonOptions, options: EvaluationOptions) -> Scores | CallScores:
    """Score a model of pictures or of calls, as the data are photos or recordings.

    Raises:
        BadInput: a report on kinds of recordings was asked for.
    """
    folder = resolve(options.data, cache_folder())
    word = medium_of_folder(folder).word
    media: Medium = "recordings" if word == "recording" else "photos"
    if options.kinds and media == "recordings":
        raise BadInput(
            f"--kinds {Path(options.kinds)}: it reports on kinds of pictures, and {options.data} "
            "holds recordings: leave it out."
        )

    jungle = JungleFolder.open(Path())
    loaded = open_model(common, model_file(options.model, jungle, media), media=media)
    recipe = sample_recipe(loaded, jungle, common.options)

    # A model trained on a part of the data is still compared with all of them.
    whole = dataclasses.replace(loaded.recipe, limit=0)
    if media == "photos":
        return _score_pictures(common, options, loaded, recipe, _load_photos(common, folder, whole))
    return _score_calls(common, options, loaded, recipe, _load_clips(common, folder, whole))


def _load_photos(common: CommonOptions, folder: Path, recipe: Recipe) -> image_dataset.ImageDataset:
    with progress_bar(0, "photo", common.quiet) as progress:
        return image_dataset.load_photos(
            folder, recipe, cache_folder(), progress_callback(progress)
        )


def _load_clips(common: CommonOptions, folder: Path, recipe: Recipe) -> sound_dataset.AudioDataset:
    with progress_bar(0, "recording", common.quiet) as progress:
        return sound_dataset.load_audio_dataset(
            folder, recipe, cache_folder(), progress_callback(progress)
        )


def _score_pictures(
    common: CommonOptions,
    options: EvaluationOptions,
    loaded: Model,
    recipe: SampleRecipe,
    photos: image_dataset.ImageDataset,
) -> Scores:
    # Half of the photos stay for the floor: real photos against other real photos.
    count = min(_MOST_PICTURES, len(photos) // 2) if options.count is None else options.count
    kinds_file = Path(options.kinds) if options.kinds else None
    order = best_of_n.EvaluationRequest(
        count, options.seed, Path(options.out), options.space, kinds_file
    )
    drawn = best_of_n.draw_kinds(photos.labels, order, len(photos.classes))
    with progress_bar(sum(map(len, drawn)), "picture", common.quiet) as progress:
        return best_of_n.evaluate_model(
            loaded, photos, recipe, order, lambda done: progress.update(1)
        )


def _score_calls(
    common: CommonOptions,
    options: EvaluationOptions,
    loaded: Model,
    recipe: SampleRecipe,
    clips: sound_dataset.AudioDataset,
) -> CallScores:
    count = _CALLS if options.count is None else options.count
    with progress_bar(count, "call", common.quiet) as progress:
        return evaluate_calls(
            SpectrogramEngine(loaded, recipe),
            clips,
            count,
            options.seed,
            out=Path(options.out),
            progress=progress.update,
        )
