"""What the commands share: the cache, models, the way to sample, and training with a progress bar."""

import dataclasses
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, JungleError
from .options import Shared, Stop, bar, follow, say, work_bar

if TYPE_CHECKING:
    from ..config.recipes import Media, Recipe, SampleRecipe
    from ..data.folders import Found
    from ..diffusion.model import Model
    from ..diffusion.report import Health
    from ..diffusion.training_run import Run
    from ..images.evaluate import Scores
    from ..sounds.evaluate import CallScores
    from ..sounds.generate import EmbeddedMaker
    from ..sounds.memorisation import Reference

MODEL = "animal_diffusion_model.pth"
START = {
    "small_share": "0",
    "lr": "0.002",
}  # where a run begins with a model, which has learned the rough shapes at half size
SHIPPED = {"photos": "photo64.safetensors", "recordings": "call.safetensors"}


def cache() -> Path:
    """Where decoded photos and recordings are kept: JUNGLE_CACHE, or the user's cache folder."""
    import platformdirs

    return Path(
        os.environ.get("JUNGLE_CACHE") or platformdirs.user_cache_dir("jungle", appauthor=False)
    )


def model_file(path: str, folder: Path, media: "Media") -> Path:
    """The model at ``path``, that of ``folder``/jungle.toml, the one in ``folder``, in this folder, or the shipped one, in that order.

    A model of recordings is looked for in the sub-folder ``sounds``, because one of photos may lie beside it.
    """
    from ..config import jungle_toml
    from ..weights import shipped

    known = jungle_toml.read(folder)
    of_config = known.model if media == "photos" else known.sound_model
    named = path or (of_config and str(folder / of_config))
    places = (folder, Path()) if media == "photos" else (folder / "sounds", Path("sounds"))
    near = [place / MODEL for place in places if (place / MODEL).is_file()]
    return Path(named) if named else near[0] if near else shipped(SHIPPED[media])


def open_model(
    shared: Shared,
    path: str,
    device: str = "",
    hints: dict[str, str] | None = None,
    folder: Path = Path(),
    media: "Media | None" = "photos",
) -> "Model":
    """Load :func:`model_file` on the wanted device and say which it is; ``media`` None takes either kind.

    Raises:
        BadInput: it was trained on the other kind of data.
    """
    from ..diffusion import device as devices
    from ..diffusion import model

    file = model_file(path, folder, media or "photos")
    compute = devices.choose(shared.device or device)
    loaded = model.load(file, compute, hints)
    if media and loaded.recipe.media != media:
        other = "jungle sounds" if media == "photos" else "jungle images"
        raise BadInput(
            f"{file} was trained on {loaded.recipe.media}, not on {media}: use it with  {other}, or give another --model."
        )
    say(f"Model {file.name} on {compute}. {loaded.note}".strip(), shared.quiet)
    return loaded


def sampling(
    model: "Model",
    options: dict[str, str],
    folder: Path = Path(),
    wishes: dict[str, str] | None = None,
    **given: Any,
) -> "SampleRecipe":
    """The model's own way to sample, changed by ``wishes``, then by ``folder``/jungle.toml, -o and the options that were given."""
    from ..config import jungle_toml
    from ..config.recipes import override

    known = jungle_toml.read(folder)
    named = {key: str(value) for key, value in given.items() if value is not None}
    of_config = known.images if model.recipe.media == "photos" else known.sounds
    return jungle_toml.change(
        override(model.recipe.sample, wishes or {}), of_config, folder, options | named
    )


def open_singer(
    shared: Shared, path: str, folder: Path, options: dict[str, str] | None = None, **given: Any
) -> "tuple[EmbeddedMaker, Reference | None]":
    """The embedded engine of calls with the model at ``path`` (see :func:`model_file`), and the recordings it learned from."""
    from ..sounds.generate import EmbeddedMaker
    from ..sounds.memorisation import Reference

    file = model_file(path, folder, "recordings")
    model = open_model(shared, path, folder=folder, media="recordings")
    recipe = sampling(model, options or {}, folder, **given)
    try:
        maker = EmbeddedMaker(model, recipe)
    except BadInput as error:
        raise BadInput(f"{file}: {error}") from None
    return maker, Reference.load(file.with_suffix(".reference"))


@dataclass(frozen=True, slots=True)
class Sources:
    """What to train on: folders, zips or data sets, and a list of files in them to leave out (empty for none)."""

    names: Sequence[str]
    exclude: str = ""


def gather(sources: Sources) -> "tuple[Media, Found]":
    """Whether the sources hold photos or recordings, and which; it downloads and unpacks what must be.

    Raises:
        BadInput: a source cannot be opened, the list cannot be read, or some hold photos and others recordings.
    """
    from ..data import folders, formats
    from ..data.sources import resolve

    opened = [resolve(name, cache()) for name in sources.names]
    kinds = [folders.kind_of(folder) for folder in opened]
    for name, kind in zip(sources.names, kinds, strict=True):
        if kind is not kinds[0]:
            first = f"{sources.names[0]} holds {kinds[0].word}s"
            raise BadInput(
                f"{first} and {name} {kind.word}s: a model learns from one or the other, so give sources of one kind."
            )
    files = folders.gather(opened, kinds[0], Path(sources.exclude) if sources.exclude else None)
    return "photos" if kinds[0] is formats.PHOTOS else "recordings", files


def _begun_options(out: Path) -> dict[str, str]:
    """What a half-trained run in ``out`` was begun with and goes on with, although the default has changed since."""
    from ..diffusion import checkpoint

    try:
        begun = checkpoint.read(out / MODEL) if (out / MODEL).is_file() else {}
    except JungleError:
        return {}  # the run itself says what is wrong with the file
    return {"curate": begun.recipe.curate} if isinstance(begun, checkpoint.Checkpoint) else {}


def run_training(
    shared: Shared,
    sources: Sources,
    out: str,
    recipe: str,
    minutes: float,
    of_config: dict[str, str],
    options: dict[str, str],
    start: str = "",
) -> "Health | None":
    """Train to the end and return the health report, or save and return None when asked to stop.

    Args:
        of_config: changes the recipe: the table [train] of jungle.toml in this folder.
        options: changes it too, and wins: what was given.
        start: a model file to begin with, or "shipped"; the run gets its network.
    """
    started = time.monotonic()
    from ..config import jungle_toml, recipes
    from ..diffusion import device as devices
    from ..storage.atomic import check_place
    from ..weights import shipped

    if not 0 <= minutes <= 100_000:
        raise BadInput(f"--minutes {minutes}: use a number of minutes above 0, or leave it out.")
    if recipe not in recipes.CALL_RECIPES:
        check_start(recipes.find(recipe), start)  # refused before anything is downloaded
    compute = devices.choose(shared.device)
    check_place(Path(out))
    media, files = gather(sources)
    begun = (
        open_model(
            shared, str(shipped(SHIPPED[media])) if start == "shipped" else start, media=media
        )
        if start
        else None
    )
    named = recipes.find(recipe, media)
    if begun and begun.recipe.network == named.network:
        named = dataclasses.replace(
            named,
            **{
                key: getattr(begun.recipe, key)
                for key in ("net", "fine", "fine_below", "objective", "p_mean", "p_std")
            },
        )
    if begun and named.adversarial_share and begun.recipe.sample.solver == "consistency":
        named = dataclasses.replace(
            named, adversarial_share=1.0
        )  # diffusion would undo what made it fast
    if begun and named.adversarial_share == 1:  # its pictures stay what they are
        named = dataclasses.replace(
            named,
            **{key: getattr(begun.recipe, key) for key in ("image_size", "aspect", "sigma_data")},
        )
    base = (START if start else {}) | _begun_options(Path(out))
    wanted = jungle_toml.change(named, base | of_config, Path(), options)
    check_start(wanted, start)
    with bar(0, media.removesuffix("s"), shared.quiet) as progress:
        if media == "photos":
            from ..images import dataset as image_dataset
            from ..images.training import PhotoRun

            pictures = image_dataset.load(files, wanted, cache(), follow(progress))
            run: Run[Any] = PhotoRun(
                Path(out),
                pictures,
                wanted,
                compute,
                minutes,
                time.monotonic,
                started,
                cache(),
                begun,
            )
        else:
            from ..sounds import dataset as sound_dataset
            from ..sounds.training import CallRun

            heard = sound_dataset.load(files, wanted, cache(), follow(progress))
            run = CallRun(
                Path(out), heard, wanted, compute, minutes, time.monotonic, started, cache(), begun
            )
    return follow_run(
        shared,
        run,
        out,
        f"{len(run.data)} {media} of {len(run.data.classes)} classes, recipe {recipe}, on {compute}",
    )


def check_start(recipe: "Recipe", start: str) -> None:
    """Refuse adversarial training of nothing.

    Raises:
        BadInput: the recipe trains adversarially only, and there is no model to begin with.
    """
    if recipe.adversarial_share == 1 and not start:
        raise BadInput(
            "Adversarial training alone begins with a trained model: "
            "train one first and give it with --start MODEL, or take --start shipped."
        )


def follow_run(shared: Shared, run: "Run[Any]", out: str, what: str) -> "Health | None":
    """Train ``run`` to its end with a progress bar; None when asked to stop. ``what`` names data, recipe and device."""
    for line in run.list_skipped():
        say(line, shared.quiet)
    stop = Stop()
    goes_on = f", going on at update {run.resumed_at}" if run.resumed_at else ""
    say(f"{what}{goes_on}.", shared.quiet)
    for line in filter(None, (run.note, run.plan)):
        say(line, shared.quiet)
    with work_bar(run.done, shared.quiet) as progress:
        for update in run.steps():
            progress.update(run.done - progress.n)
            progress.set_postfix_str(f"update {run.step}, loss {update.loss:.3f}", refresh=False)
            if update.note:
                say(update.note, shared.quiet)
            if stop.asked:
                run.save()
                say(
                    f"Stopped at update {run.step}; the model is in {out}. The same command goes on from here.",
                    shared.quiet,
                )
                return None
    health = run.end()
    stop.end()
    return health


def run_evaluation(
    shared: Shared, model: str, source: str, count: int | None, seed: int, wishes: dict[str, str]
) -> "Scores | CallScores":
    """Score a model against the photos or recordings of ``source``.

    ``wishes`` has the folder ``out``, the feature ``space`` of pictures, and the file ``kinds`` for the report on kinds, or "".

    Raises:
        BadInput: a report on kinds of recordings is wanted.
    """
    from ..data.folders import kind_of
    from ..data.sources import resolve

    folder = resolve(source, cache())
    word = kind_of(folder).word
    media: Media = "recordings" if word == "recording" else "photos"
    out, kinds_file = Path(wishes["out"]), Path(wishes["kinds"]) if wishes["kinds"] else None
    if kinds_file and media == "recordings":
        raise BadInput(
            f"--kinds {kinds_file}: it reports on kinds of pictures, and {source} holds recordings: leave it out."
        )
    loaded = open_model(shared, model, media=media)
    recipe = sampling(loaded, shared.options)
    whole = dataclasses.replace(loaded.recipe, limit=0)
    with bar(0, word, shared.quiet) as progress:
        if media == "photos":
            from ..images import best_of_n
            from ..images import dataset as image_dataset

            data = image_dataset.load(folder, whole, cache(), follow(progress))
        else:
            from ..sounds import dataset as sound_dataset

            heard = sound_dataset.load(folder, whole, cache(), follow(progress))
    if media == "photos":
        number = min(500, len(data) // 2) if count is None else count
        order = best_of_n.Order(number, seed, out, wishes["space"], kinds_file)
        total = sum(
            len(part) for part in best_of_n.draw_kinds(data.labels, order, len(data.classes))
        )
        with bar(total, "picture", shared.quiet) as progress:
            return best_of_n.evaluate_model(
                loaded, data, recipe, order, lambda done: progress.update(1)
            )
    from ..sounds.classifier import Ear
    from ..sounds.evaluate import evaluate
    from ..sounds.generate import EmbeddedMaker

    number = 300 if count is None else count
    with bar(number, "call", shared.quiet) as progress:
        return evaluate(
            EmbeddedMaker(loaded, recipe), heard, Ear.shipped(), number, seed, out, progress.update
        )
