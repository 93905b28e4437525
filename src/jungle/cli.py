"""The command line: a command parses, calls one function and prints. Heavy imports are inside the commands."""

import dataclasses
import functools
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import BadInput, JungleError

if TYPE_CHECKING:
    from .diffusion.model import Model
    from .recipes import SampleRecipe

Command = Callable[..., Any]
MODEL = "animal_diffusion_model.pth"
DEBUG_HELP = "Show the traceback of an error."


def option_pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """``-o key=value`` -> {"key": "value"}."""
    pairs = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not (key and sign):
            raise BadInput(f"-o {text}: write key=value, for example -o limit=1024.")
        pairs[key.strip()] = value.strip()
    return pairs


def common(command: Command) -> Command:
    """The options that every command shares."""
    decorators = [
        click.option("-C", "folder", default=".", metavar="DIR", help="Work in this folder."),
        click.option("--device", default="", metavar="NAME", help="cpu, cuda or mps, with :float32 or :bfloat16; best by default."),
        click.option("-o", "options", multiple=True, callback=option_pairs, metavar="KEY=VALUE", help="Change one value of the recipe."),
        click.option("--quiet", is_flag=True, help="No progress, no log."),
        click.option("--json", "as_json", is_flag=True, help="One JSON summary on stdout."),
        click.option("--debug", is_flag=True, help=DEBUG_HELP),
    ]

    @functools.wraps(command)
    def wrapped(*, folder: str, debug: bool, **arguments: Any) -> Any:
        try:
            os.chdir(folder)
        except OSError as error:
            raise BadInput(f"-C {folder}: cannot work there ({error.strerror}); name a folder that exists.") from None
        return command(**arguments)

    return functools.reduce(lambda inner, decorate: decorate(inner), reversed(decorators), wrapped)


def say(text: str, quiet: bool) -> None:
    """A line of log on stderr."""
    if not quiet:
        click.echo(text, err=True)


def answer(as_json: bool, text: str, **values: Any) -> None:
    """The result on stdout: plain text, or one JSON object."""
    click.echo(json.dumps(values, default=str, ensure_ascii=False) if as_json else text)


def bar(total: int, unit: str, quiet: bool) -> Any:
    """A progress bar with an estimate on stderr."""
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, disable=quiet, dynamic_ncols=True, mininterval=0.5 if sys.stderr.isatty() else 20.0)


def cache() -> Path:
    """Where decoded photos are kept: JUNGLE_CACHE, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("JUNGLE_CACHE") or platformdirs.user_cache_dir("jungle", appauthor=False))


def open_model(path: str, device: str, quiet: bool, image_size: int = 0) -> "Model":
    """The model at ``path``, the one in this folder, or the shipped one, in that order."""
    from .diffusion import device as devices
    from .diffusion import model
    from .weights import shipped

    compute = devices.choose(device)
    file = Path(path) if path else Path(MODEL) if Path(MODEL).is_file() else shipped("photo64.safetensors")
    loaded = model.load(file, compute, image_size)
    say(f"Model {file.name} on {compute}. {loaded.note}".strip(), quiet)
    return loaded


def sampling(model: "Model", options: dict[str, str], **given: Any) -> "SampleRecipe":
    """The model's own way to sample, changed by jungle.toml, -o and the options that were given."""
    from . import config, recipes

    named = {key: str(value) for key, value in given.items() if value is not None}
    return recipes.override(model.recipe.sample, config.read(Path()).images | options | named)


class Stop:
    """Ctrl-C and SIGTERM ask for a stop between two updates; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self)

    def __call__(self, number: int, frame: object) -> None:
        """Handle the signal."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="jungle %(version)s")
def cli() -> None:
    """Animals that never lived: their pictures, from a folder of photos or from nothing at all."""


@cli.command()
@click.argument("source", required=False)
@click.option("--out", default="my-jungle", metavar="DIR", help="The jungle's folder.")
@click.option("-n", "--count", default=12, help="How many species.")
@click.option("--seed", default=0, help="Another seed, another jungle.")
@click.option("--model", default="", metavar="FILE", help="Paint with this model instead of the shipped one.")
@click.option("--recipe", default="quick", metavar="NAME", help="How to train on SOURCE.")
@click.option("--minutes", default=30.0, metavar="N", help="Time to train on SOURCE.")
@common
def make(
    source: str | None, out: str, count: int, seed: int, model: str, recipe: str, minutes: float, device: str, options: dict[str, str], quiet: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Species, pictures and a page, from nothing, or trained on the photos of SOURCE first."""
    from .images.gallery import animals
    from .publish import chain

    if source:
        if not run_training(source, out, recipe, minutes, seed, device, {}, quiet):
            return
        model = str(Path(out) / MODEL)
    painter = open_model(model, device, quiet)
    animals(painter, count, seed, None)  # refuses a wrong count or seed before anything is written
    with bar(count, "picture", quiet) as progress:
        page, gallery = chain.make(painter, Path(out), count, seed, sampling(painter, options), lambda done: progress.update(1))
    if gallery.trouble:
        say(f"Look at them closely: {gallery.trouble}", quiet)
    answer(as_json, f"{len(gallery.pictures)} animals: open {page}", page=page, pictures=len(gallery.pictures), trouble=gallery.trouble)


@cli.command()
@click.argument("source")
@click.option("--recipe", default="", metavar="NAME", help="tiny, quick, photo64 or faithful; quick by default.")
@click.option("--minutes", default=0.0, metavar="N", help="Fit the run into so many minutes.")
@click.option("--out", default=".", metavar="DIR", help="Where the model goes; the same command goes on with it.")
@click.option("--seed", default=None, type=int, help="Seed of weights, order and noise.")
@common
def train(
    source: str, recipe: str, minutes: float, out: str, seed: int | None, device: str, options: dict[str, str], quiet: bool, as_json: bool
) -> None:
    """Train a model on photos: a folder, a zip, kaggle:OWNER/NAME or hf:OWNER/NAME."""
    from . import config

    known = config.read(Path())
    health = run_training(source, out, recipe or known.recipe or "quick", minutes, known.seed if seed is None else seed, device, known.train | options, quiet)
    if health:
        answer(as_json, health.to_text() + f"Model: {Path(out) / MODEL}", model=Path(out) / MODEL, **dataclasses.asdict(health))


def run_training(source: str, out: str, recipe: str, minutes: float, seed: int, device: str, options: dict[str, str], quiet: bool) -> Any:
    """Train to the end and return the health report, or save and return None when asked to stop."""
    started = time.monotonic()
    from . import recipes
    from .diffusion import device as devices
    from .images import photos, sources
    from .images.training import Run

    if not 0 <= minutes <= 100_000:
        raise BadInput(f"--minutes {minutes}: use a number of minutes above 0, or leave it out.")
    wanted = recipes.override(recipes.find(recipe), {"seed": str(seed)} | options)
    compute = devices.choose(device)
    stop = Stop()
    folder = sources.resolve(source, cache())
    with bar(0, "photo", quiet) as progress:
        loaded = photos.load(folder, wanted, cache(), lambda done, total: (setattr(progress, "total", total), progress.update(done - progress.n)))
    for skipped in loaded.skipped:
        say(f"Skipped {skipped.path}: {skipped.reason}", quiet)
    run = Run(Path(out), loaded, wanted, compute, minutes, time.monotonic, started, cache() / "speed.json")
    goes_on = f", going on at update {run.resumed_at}" if run.resumed_at else ""
    say(f"{len(loaded.labels)} photos of {len(loaded.classes)} classes, recipe {recipe}, on {compute}{goes_on}.", quiet)
    with bar(run.state.total if not minutes else 0, "update", quiet) as progress:
        for update in run.steps():
            progress.total = update.total if update.total < 10**9 else None
            progress.update(update.step - progress.n)
            progress.set_postfix(loss=f"{update.loss:.3f}", refresh=False)
            if update.note:
                say(update.note, quiet)
            if stop.asked:
                run.save()
                say(f"Stopped at update {run.state.step}; the model is in {out}. The same command goes on from here.", False)
                return None
    return run.finish()


@cli.command()
@click.option("--model", default="", metavar="FILE", help="A model; the one in this folder, or the shipped one, by default.")
@click.option("-n", "--count", default=50, help="How many pictures.")
@click.option("--out", default="generated_images", metavar="DIR", help="Folder of the pictures; the zip goes beside it.")
@click.option("--seed", default=None, type=int, help="Seed of the first picture; the next has the next.")
@click.option("--mix", default=None, metavar="A=0.6,B=0.4", help="Which animals are mixed, and how strongly.")
@click.option("--species", default=None, metavar="SLUG", help="A species of jungle.toml.")
@click.option("--steps", default=None, type=int, help="Noise levels; more is finer and slower.")
@click.option("--solver", default=None, metavar="NAME", help="dpm2m, heun, ancestral or ddpm.")
@click.option("--guidance", default=None, type=float, help="How strongly to obey the mix; 1 means none.")
@click.option("--keep", default=0, help="Keep so many of --of, the best by score.")
@click.option("--of", "of", default=0, help="Paint so many to keep --keep of them.")
@click.option("--faithful", is_flag=True, help="The original loop: steps 999 to 0, one picture at a time, float32.")
@click.option("--export", "export", default="", metavar="FORM", help="Write the model as safetensors or diffusers instead of painting.")
@common
def images(
    model: str, count: int, out: str, seed: int | None, mix: str | None, species: str | None, steps: int | None, solver: str | None,
    guidance: float | None, keep: int, of: int, faithful: bool, export: str, device: str, options: dict[str, str], quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Paint pictures with a model: fictional_animal_1.png ..., a zip and a contact sheet."""
    from . import config
    from .images import gallery

    painter = open_model(model, device or ("cpu:float32" if faithful else ""), quiet, int(options.pop("image_size", "0")))
    if export:
        answer(as_json, f"Wrote {(written := gallery.export(painter, export, Path(out)))}", file=written)
        return
    if faithful:
        options = {"solver": "ddpm", "steps": "1000", "guidance": "1", "batch": "1"} | options
    recipe = sampling(painter, options, steps=steps, solver=solver, guidance=guidance)
    known = config.read(Path())
    base = known.seed if seed is None else seed
    chosen = gallery.choose(painter, of or count, base, mix, species, known.species, keep, of)
    with bar(len(chosen), "picture", quiet) as progress:
        result = gallery.paint_animals(painter, chosen, recipe, Path(out), keep, lambda done: progress.update(1))
    if result.trouble:
        say(f"Look at them closely: {result.trouble}", quiet)
    text = f"{len(result.pictures)} pictures in {out}, and {out}.zip" + (f": the best of {of} by score" if keep else "")
    answer(as_json, text, out=out, trouble=result.trouble, pictures=[one.to_json() for one in result.pictures])


@cli.command()
@click.argument("model", required=False, default="")
@click.option("--data", required=True, metavar="SOURCE", help="The photos to compare with.")
@click.option("-n", "--count", default=500, help="How many pictures to judge.")
@click.option("--seed", default=0, help="Seed of the first picture.")
@click.option("--out", default="evaluation", metavar="DIR", help="Where the scores and the sheet of closest pairs go.")
@click.option("--space", default="judge", metavar="NAME", help="Feature space: judge (shipped), or a DINOv2 folder or hub name.")
@common
def evaluate(
    model: str, data: str, count: int, seed: int, out: str, space: str, device: str, options: dict[str, str], quiet: bool, as_json: bool
) -> None:
    """How good a model is, against the photos it was trained on; every score with its real-against-real floor."""
    from .images import judging, sources

    painter = open_model(model, device, quiet)
    folder = sources.resolve(data, cache())
    with bar(count, "picture", quiet) as progress:
        scores = judging.evaluate_model(
            painter, folder, sampling(painter, options), count, seed, Path(out), space, cache(), lambda done: progress.update(1)
        )
    answer(as_json, scores.to_text(), **scores.to_json())


@cli.command()
@click.argument("file")
@common
def inspect(file: str, device: str, options: dict[str, str], quiet: bool, as_json: bool) -> None:
    """What is this photo folder, model or picture? A health report in plain words."""
    from . import inspection

    text, values = inspection.inspect(file, cache(), device)
    answer(as_json, text, **values)


@cli.command()
@common
def doctor(device: str, options: dict[str, str], quiet: bool, as_json: bool) -> None:
    """Device, memory, disk, libraries and tokens, before anything is downloaded."""
    from . import doctor as examination

    findings = examination.examine(Path(), device, os.environ, Path.home())
    answer(as_json, examination.to_text(findings), findings=[dataclasses.asdict(one) for one in findings])


def main() -> None:
    """Run the command line; a mistake of the user is one sentence and exit code 2."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except (JungleError, click.ClickException) as error:
        fail(error.format_message() if isinstance(error, click.ClickException) else str(error), 2)
    except (KeyboardInterrupt, click.Abort):
        fail("stopped.", 130)
    except BrokenPipeError:
        sys.exit(141)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback ever reaches a user
        fail(f"an unexpected {type(error).__name__} ({error}); run the same command with --debug and report what it prints.", 1)


def fail(sentence: str, code: int) -> None:
    """Say what is wrong and leave; with ``--debug`` the traceback comes first."""
    if "--debug" in sys.argv:
        traceback.print_exc()
    click.echo(f"jungle: {' '.join(sentence.split())}", err=True)
    sys.exit(code)
