"""The command line: a command parses, calls one function and prints. Heavy imports are inside the commands."""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..errors import JungleError
from . import jungles, language
from .models import MODEL, Sources, cache, model_file, open_model, run_training, sampling
from .options import Shared, answer, bar, common, fail, follow, say


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="jungle %(version)s")
def cli() -> None:
    """Animals that never lived: their pictures, calls and language, from folders of photos and recordings or from nothing at all."""


for command in (
    jungles.new,
    jungles.make,
    jungles.postcards,
    jungles.site,
    jungles.print_,
    jungles.reproduce,
    language.language,
):
    cli.add_command(command)


@cli.command()
@click.argument("source", nargs=-1, required=True)
@click.option(
    "--recipe",
    default="",
    metavar="NAME",
    help="tiny, quick, adversarial, photo64, faithful; tiny, quick, call for recordings; quick by default.",
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
@common
def train(
    shared: Shared,
    source: tuple[str, ...],
    recipe: str,
    minutes: float,
    out: str,
    seed: int | None,
    start: str,
    exclude: str,
) -> None:
    """Train a model on photos or recordings: folders, zips, kaggle:OWNER/NAME or hf:OWNER/NAME.

    Classes of the same name in several sources are one class.
    """
    from ..config import jungle_toml

    known = jungle_toml.read(Path())
    of_config, given = (
        {"seed": str(known.seed)} | known.train,
        {} if seed is None else {"seed": str(seed)},
    )
    sources = Sources(source, exclude)
    health = run_training(
        shared,
        sources,
        out,
        recipe or known.recipe or "quick",
        minutes,
        of_config,
        given | shared.options,
        start,
    )
    if health is None:
        answer(
            shared.as_json,
            f"Stopped; the model so far: {Path(out) / MODEL}",
            stopped=True,
            model=Path(out) / MODEL,
        )
    else:
        answer(
            shared.as_json,
            health.to_text() + f"Model: {Path(out) / MODEL}",
            model=Path(out) / MODEL,
            **dataclasses.asdict(health),
        )


@cli.command()
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
    help="dpm2m, heun, ddim, ancestral, consistency or ddpm.",
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
@common
def images(
    shared: Shared, model: str, count: int, out: str, seed: int | None, mix: str | None, species: str | None, steps: int | None,
    solver: str | None, guidance: float | None, keep: int, of: int, faithful: bool, export: str, weak: str,
) -> None:  # fmt: skip
    """Paint pictures with a model: fictional_animal_1.png ..., a zip and a contact sheet."""
    from ..config import jungle_toml
    from ..diffusion.model import HINTS, weakened
    from ..images import generate
    from ..species import kinds
    from ..species import select as casting
    from ..storage.atomic import check_place

    hints = {key: value for key, value in shared.options.items() if key in HINTS}
    options = {key: value for key, value in shared.options.items() if key not in HINTS}
    painter = open_model(
        shared, model, ":float32" if faithful else "", hints, media=None if export else "photos"
    )
    if weak:
        painter = weakened(painter, open_model(shared, weak, hints=hints))
    if export:
        answer(
            shared.as_json,
            f"Wrote {(written := generate.export(painter, export, Path(out)))}",
            file=written,
        )
        return
    if faithful:
        options = {"solver": "ddpm", "steps": "1000", "guidance": "1", "batch": "1"} | options
    recipe = sampling(painter, options, steps=steps, solver=solver, guidance=guidance)
    check_place(Path(out))
    known = jungle_toml.read(Path())
    base = known.seed if seed is None else seed
    report = kinds.of_model(model_file(model, Path(), "photos"), painter.hash)
    classes = kinds.to_invent_from(painter.classes, report)
    chosen = casting.choose(classes, of or count, base, mix, species, known.species, keep, of)
    for one in chosen:
        painter.mix(one.mix)  # refuses classes that the model does not know
    with bar(len(chosen), "picture", shared.quiet) as progress:
        labels = kinds.labels_by_kind(report) if keep else None
        result = generate.paint_animals(
            painter, chosen, recipe, Path(out), keep, lambda done: progress.update(1), labels=labels
        )
    if result.trouble:
        say(f"Look at them closely: {result.trouble}", shared.quiet)
    text = f"{len(result.pictures)} pictures in {Path(out)}, and their zip beside it" + (
        f": the best of {of} by score" if keep else ""
    )
    answer(
        shared.as_json,
        text,
        out=out,
        trouble=result.trouble,
        pictures=[one.to_json() for one in result.pictures],
    )


@cli.command()
@click.option(
    "--engine",
    default="embedded",
    type=click.Choice(["embedded", "stable-audio"]),
    help="Ours, or Stable Audio Open.",
)
@click.option(
    "--model",
    default="",
    metavar="FILE",
    help="A model of recordings; sounds/, or the shipped one, by default.",
)
@click.option(
    "-n",
    "--count",
    default=None,
    type=int,
    help="How many calls; 12 by default, 4 with stable-audio.",
)
@click.option("--out", default="sounds", metavar="DIR", help="Folder of the calls.")
@click.option(
    "--seed", default=None, type=int, help="Seed of the first call; the next has the next."
)
@click.option(
    "--mix", default=None, metavar="A=0.6,B=0.4", help="Whose voices are mixed, and how strongly."
)
@click.option("--species", default=None, metavar="SLUG", help="A species of jungle.toml.")
@click.option(
    "--seconds", default=0.0, metavar="N", help="Length of a call; its natural one by default."
)
@click.option("--takes", default=3, help="Takes of each call, of which the best is kept.")
@click.option(
    "--prompt", default="", help="What stable-audio shall make; built from the mix by default."
)
@click.option("--negative", default=None, help="What stable-audio shall avoid.")
@click.option("--steps", default=None, type=int, help="Noise levels; more is finer and slower.")
@click.option(
    "--guidance",
    default=None,
    type=float,
    help="How strongly to obey the mix or the prompt; 1 means none.",
)
@click.option(
    "--faithful",
    is_flag=True,
    help="The original recipe of stable-audio: four prompts of 5, 10, 15 and 20 s, 200 steps.",
)
@click.option(
    "--clap",
    default="",
    metavar="NAME",
    help="Rank takes of stable-audio by their prompt, with a CLAP folder or hub name.",
)
@click.option("--speak", is_flag=True, help="Also let each creature speak: animal_speech_1.wav ...")
@common
def sounds(shared: Shared, out: str, speak: bool, **wishes: Any) -> None:
    """Make calls, master them and write them: animal_sound_1.wav ..., FLAC, Opus and M4A of each, and all takes."""
    from ..postcards import calls as album
    from ..sounds.classifier import Ear
    from ..storage.atomic import check_place
    from . import sound_requests

    check_place(Path(out))
    maker, wanted, reference, listener = sound_requests.assemble(shared, **wishes)
    with bar(sum(one.request.takes for one in wanted), "take", shared.quiet) as progress:
        if wishes["faithful"]:
            calls = album.write_plain(maker, wanted, Path(out), progress.update)
        else:
            calls = album.make_album(
                maker, wanted, Path(out), Ear.shipped(), reference, progress.update, listener
            )
    spoken = album.speak(Path(out), calls) if speak else []
    for call in calls:
        for flag in call.flags:
            say(f"{call.file}: {flag}", shared.quiet)
    text = f"{len(calls)} calls in {Path(out)}, {sum(bool(call.flags) for call in calls)} of them flagged"
    answer(shared.as_json, text, out=out, calls=[call.to_json() for call in calls], spoken=spoken)


@cli.command()
@click.argument("model", required=False, default="")
@click.option(
    "--data", required=True, metavar="SOURCE", help="The photos or recordings to compare with."
)
@click.option(
    "-n",
    "--count",
    default=None,
    type=int,
    help="How many pictures or calls to judge; 500 or 300 by default.",
)
@click.option("--seed", default=0, help="Seed of the first one.")
@click.option("--out", default="evaluation", metavar="DIR", help="Where scores and sheets go.")
@click.option(
    "--space",
    default="lite0",
    metavar="NAME",
    help="Feature space: lite0 (shipped), or a DINOv2 folder or hub name.",
)
@click.option(
    "--kinds",
    default="",
    metavar="FILE",
    help="Write how well each kind is shown; beside a model it guides make.",
)
@common
def evaluate(
    shared: Shared, model: str, data: str, count: int | None, seed: int, **wishes: str
) -> None:
    """How good a model is, against the photos or recordings it was trained on; every score with its real-against-real floor."""
    from ..storage.atomic import check_place
    from . import models

    check_place(Path(wishes["out"]))
    scores = models.run_evaluation(shared, model, data, count, seed, wishes)
    answer(shared.as_json, scores.to_text(), **json.loads(scores.to_json()))


@cli.command()
@click.argument("file")
@common
def inspect(shared: Shared, file: str) -> None:
    """What is this folder, model, picture or sound? A health report in plain words."""
    from ..config import jungle_toml, recipes
    from ..diagnostics import inspect as inspection
    from ..diffusion import device as devices

    known = jungle_toml.read(Path())
    compute = devices.choose(shared.device)
    with bar(0, "file", shared.quiet) as progress:
        text, values = inspection.inspect(
            file,
            cache(),
            compute,
            lambda media: jungle_toml.change(
                recipes.find(known.recipe or "quick", media), known.train, Path(), shared.options
            ),
            time.perf_counter,
            follow(progress),
        )
    answer(shared.as_json, text, **values)


@cli.command()
@common
def doctor(shared: Shared) -> None:
    """Device, memory, disk, libraries and tokens, before anything is downloaded."""
    from ..diagnostics import doctor as examination

    findings = examination.examine(Path(), shared.device, os.environ, Path.home())
    answer(
        shared.as_json,
        examination.to_text(findings),
        findings=[dataclasses.asdict(one) for one in findings],
    )


def main() -> None:
    """Run the command line; a mistake of the user is one sentence and exit code 2."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        fail(
            f"{error.format_message().rstrip('.')}; see  {context.command_path if context else 'jungle'} --help.",
            2,
        )
    except JungleError as error:
        fail(error.for_shell(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        fail("stopped.", 130)
    except BrokenPipeError:
        sys.exit(141)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback ever reaches a user
        fail(
            f"an unexpected {type(error).__name__} ({error}); run the same command with --debug and report what it prints.",
            1,
        )
