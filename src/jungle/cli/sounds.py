"""``jungle sounds``."""

from pathlib import Path
from typing import Any

import click

from ..config.jungle_toml import CHOICES, JungleFolder
from ..postcards import calls as call_files
from ..sounds.classifier import AudioClassifier
from ..storage.atomic import check_writable
from .options import CommonOptions, common_options, log, print_result, progress_bar
from .sound_requests import SoundOptions, build_sound_jobs


@click.command("sounds")
@click.option(
    "--engine",
    default="embedded",
    type=click.Choice(CHOICES["calls"]),
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
@common_options
def sounds_command(common: CommonOptions, out: str, speak: bool, **arguments: Any) -> None:
    """Make calls, master them and write them: animal_sound_1.wav ..., FLAC, Opus and M4A of each,
    and all takes.
    """
    folder = Path(out)
    check_writable(folder)
    work = build_sound_jobs(common, JungleFolder.open(Path()), SoundOptions(**arguments))

    takes = sum(job.request.takes for job in work.jobs)
    with progress_bar(takes, "take", common.quiet) as progress:
        # The original recipe wrote what the engine made, and mastered nothing.
        if arguments["faithful"]:
            calls = call_files.write_plain(work.engine, work.jobs, folder, progress.update)
        else:
            calls = call_files.make_album(
                work.engine,
                work.jobs,
                folder,
                AudioClassifier.shipped(),
                work.reference,
                progress.update,
                work.listener,
            )
    spoken = call_files.speak_calls(folder, calls) if speak else []

    for call in calls:
        for flag in call.flags:
            log(f"{call.file}: {flag}", common.quiet)
    flagged = sum(bool(call.flags) for call in calls)
    text = f"{len(calls)} calls in {folder}, {flagged} of them flagged"
    records = [call.to_json() for call in calls]
    print_result(common.as_json, text, out=out, calls=records, spoken=spoken)
