"""Training and evaluation on folders of photos or recordings."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from ..config.recipe_table import find_recipe
from ..config.recipes import Recipe, override
from ..data import folders, sources
from ..data.formats import PHOTOS
from ..diffusion import checkpoint, device
from ..diffusion.training_run import TrainingRun
from ..errors import BadInput
from ..images import best_of_n
from ..images import dataset as image_dataset
from ..images.evaluate import Scores
from ..images.training import PhotoRun
from ..sounds import dataset as sound_dataset
from ..sounds import evaluate as sound_evaluate
from ..sounds.evaluate import CallScores
from ..sounds.training import CallRun
from .models import ImageModel, SoundModel

_MOST_PICTURES, _CALLS = 500, 300
"""Pictures that are judged at most, and calls, where no count is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingStep:
    """One update of a training run."""

    update: int
    """How many were done, of both parts of the run."""
    done: float
    """Share of the work, 0 to 1."""
    loss: float
    note: str
    """What the guards of the run have to say; "" as a rule."""
    model: Path
    """The model file, which is there after the first save and usable at any moment from then on."""


def train(
    source: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    recipe: str = "quick",
    minutes: float = 0.0,
    options: Mapping[str, object] | None = None,
    device: str = "",
) -> Iterator[TrainingStep]:
    """Train a model on photos or recordings, yielding after each update.

    The run lives in ``out``: the same call goes on where it was stopped. Stop consuming at any
    time; what was learned is saved when the generator is closed or the loop is left. At its end
    there are ``animal_diffusion_model.pth``, previews and ``report.txt``.

    Args:
        source: a folder, zip, "kaggle:OWNER/NAME" or "hf:OWNER/NAME", or several of one kind.
            Sub-folders are the classes.
        out: folder of the run.
        recipe: tiny, quick, photo64 or faithful; for recordings tiny, quick or call.
        minutes: fit the run into so many; 0: as many updates as the recipe says.
        options: fields of the recipe, such as ``{"steps": 2000, "image_size": 64}``.
        device: "cpu", "cuda" or "mps", with ":float32" or ":bfloat16"; the best by default.

    Raises:
        JungleError: nothing to learn from, an unknown recipe or option, or ``out`` holds another
            run.
    """
    names = [source] if isinstance(source, str | Path) else list(source)
    run = _open_run(names, Path(out), recipe, minutes, options or {}, device)
    model = run.out / checkpoint.MODEL_NAME
    try:
        for step in run.steps():
            yield TrainingStep(
                update=run.step, done=run.done, loss=step.loss, note=step.note, model=model
            )
    except GeneratorExit:
        # The consumer left its loop, between two updates: the run must be able to go on.
        run.save()
        raise
    run.end()


def evaluate(
    model: ImageModel | SoundModel,
    source: str | Path,
    *,
    count: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
) -> Scores | CallScores:
    """Score what a model makes against real photos or recordings, each score beside its floor.

    A floor is what as many real photos (recordings) get against the same others: a score that
    reaches it cannot be told from real ones.

    Args:
        source: a folder, zip, "kaggle:OWNER/NAME" or "hf:OWNER/NAME".
        count: pictures or calls to judge; by default 500 or half of the photos, and 300 calls.
        seed: of the first one.
        out: folder for scores.json, report.txt and the sheets to look at; None keeps none of them.

    Raises:
        JungleError: too few photos or recordings, or kinds that the judge does not know.
    """
    if out is None:
        with tempfile.TemporaryDirectory() as temporary:
            return evaluate(model, source, count=count, seed=seed, out=temporary)

    # All photos are the reference, however many the model was trained on.
    cache = _cache_folder()
    folder = sources.resolve(str(source), cache)
    if isinstance(model, ImageModel):
        whole = override(model.model.recipe, {"limit": "0"})
        photos = image_dataset.load_photos(folder, whole, cache)
        order = best_of_n.EvaluationRequest(
            min(_MOST_PICTURES, len(photos) // 2) if count is None else count, seed, Path(out)
        )
        return best_of_n.evaluate_model(
            model.model, photos, model.model.recipe.sample, order, lambda painted: None
        )

    clips = sound_dataset.load_audio_dataset(folder, find_recipe("call", "recordings"), cache)
    return sound_evaluate.evaluate_calls(
        model.engine, clips, _CALLS if count is None else count, seed, out=Path(out)
    )


def _open_run(
    names: Sequence[str | Path],
    out: Path,
    recipe: str,
    minutes: float,
    options: Mapping[str, object],
    device_name: str,
) -> TrainingRun[Any]:
    started = time.monotonic()
    if not 0 <= minutes <= 100_000:
        raise BadInput(f"minutes={minutes}: use a number of minutes above 0, or 0 for none.")
    cache, compute = _cache_folder(), device.choose_device(device_name)
    opened = [sources.resolve(str(name), cache) for name in names]
    medium = folders.medium_of_folder(opened[0])
    files = folders.gather_folders(opened, medium)

    # Opening a folder that holds the same run goes on with it; the data decide part of "the same".
    photos = medium is PHOTOS
    chosen = _recipe(recipe, photos, options)
    load = image_dataset.load_photos if photos else sound_dataset.load_audio_dataset
    data: Any = load(files, chosen, cache)
    kind: Any = PhotoRun if photos else CallRun
    run: TrainingRun[Any] = kind(
        out, data, chosen, compute, minutes, time.monotonic, started, cache
    )
    run.list_skipped()  # writes skipped.txt
    return run


def _recipe(name: str, photos: bool, options: Mapping[str, object]) -> Recipe:
    named = find_recipe(name, "photos" if photos else "recordings")
    recipe = override(named, {key: str(value) for key, value in options.items()})
    if recipe.adversarial_share == 1:
        raise BadInput(
            "Adversarial training alone begins with a trained model: run  "
            "jungle train PHOTOS --recipe adversarial --start MODEL  on the command line."
        )
    return recipe


def _cache_folder() -> Path:
    """Where decoded photos and recordings are kept: JUNGLE_CACHE, or the user's cache folder."""
    return Path(
        os.environ.get("JUNGLE_CACHE") or platformdirs.user_cache_dir("jungle", appauthor=False)
    )
