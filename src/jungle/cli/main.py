"""The command line: a group that imports a command only when it is asked for, and its exit codes.

A command has a file of its own name. It parses, calls one function of a lower layer, and prints.
"""

import sys
import time
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import cast

import click

from .. import __version__
from ..errors import JungleError
from .invocation import Invocation

SUMMARIES = {
    "doctor": "Device, memory, disk, libraries and tokens, before anything is downloaded.",
    "evaluate": "How good a model is, against the photos or recordings it was trained on; "
    "every score with its real-against-real floor.",
    "images": "Paint pictures with a model: fictional_animal_1.png ..., a zip and a contact sheet.",
    "inspect": "What is this folder, model, picture or sound? A health report in plain words.",
    "language": "Phrases of a language that exists: animal_language.txt, with their meaning, "
    "a dictionary and a grammar beside it.",
    "make": "Species, pictures, calls, phrases, postcards and a page, from nothing, "
    "or trained on the photos of SOURCE first.",
    "new": "A folder with a jungle.toml in which every wish is explained.",
    "postcards": "Bind species, pictures, calls and phrases to postcards; "
    "what is missing is made, and no page.",
    "print": "Postcards on paper: a PDF with bleed and crop marks, fronts and backs, "
    "300 dots an inch.",
    "reproduce": "Make every file of the postcards NAMES (or of all) again from their manifests, "
    "and say which bytes differ.",
    "site": "The page again from the postcards that are there: "
    "a folder that opens by double click and goes to GitHub Pages as it is.",
    "sounds": "Make calls, master them and write them: animal_sound_1.wav ..., "
    "FLAC, Opus and M4A of each, and all takes.",
    "train": "Train a model on photos or recordings: "
    "folders, zips, kaggle:OWNER/NAME or hf:OWNER/NAME.",
}
"""Command -> what it does. The list of commands is printed without importing any of them."""


class _LazyCommands(Mapping[str, click.Command]):
    """``train`` is ``train_command`` of ``cli/train.py``, which is imported at the first access."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in SUMMARIES:
            raise KeyError(name)
        command: click.Command = getattr(import_module(f".{name}", __package__), f"{name}_command")
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(SUMMARIES)

    def __len__(self) -> int:
        return len(SUMMARIES)


class LazyGroup(click.Group):
    """A group whose ``--help`` costs no import of torch."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from SUMMARIES, in click's own layout."""
        stubs = [click.Command(name, help=summary) for name, summary in SUMMARIES.items()]
        click.Group(commands=stubs).format_commands(ctx, formatter)


@click.group(
    cls=LazyGroup,
    # click never adds to it, so a mapping that cannot be changed will do
    commands=cast("MutableMapping[str, click.Command]", _LazyCommands()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="jungle %(version)s")
def cli() -> None:
    """Animals that never lived: their pictures, calls and language,
    from folders of photos and recordings or from nothing at all.
    """


def main() -> None:
    """Run the command line; a mistake of the user is one sentence and exit code 2."""
    invocation = Invocation(started=time.monotonic())
    try:
        cli.main(standalone_mode=False, obj=invocation)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        path = context.command_path if context else "jungle"
        _fail(f"{error.format_message().rstrip('.')}; see  {path} --help.", 2, invocation)
    except JungleError as error:
        _fail(error.for_shell(), error.exit_code, invocation)
    except (KeyboardInterrupt, click.Abort):
        _fail("stopped.", 130, invocation)
    except BrokenPipeError:
        sys.exit(141)  # as the shell reports SIGPIPE: 128 + 13

    # The last line of defence: no traceback ever reaches a user who did not ask for it.
    except Exception as error:  # noqa: BLE001
        _fail(
            f"an unexpected {type(error).__name__} ({error}); "
            "run the same command with --debug and report what it prints.",
            1,
            invocation,
        )


def _fail(sentence: str, code: int, invocation: Invocation) -> None:
    """Say what is wrong and leave; with ``--debug`` the traceback comes first."""
    if invocation.debug:
        traceback.print_exc()
    click.echo(f"jungle: {' '.join(sentence.split())}", err=True)
    sys.exit(code)
