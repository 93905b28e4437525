"""What every command shares: options, log, result, progress bar, stopping, and the way an error is shown."""

import functools
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from ..errors import BadInput

Command = Callable[..., Any]


def option_pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """``-o key=value`` -> {"key": "value"}."""
    pairs = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not (key and sign):
            raise BadInput(f"-o {text}: write key=value, for example -o limit=1024.")
        pairs[key.strip()] = value.strip()
    return pairs


@dataclass(frozen=True, slots=True)
class Shared:
    """The options that every command has."""

    device: str
    options: dict[str, str]  # of -o
    quiet: bool
    as_json: bool


def common(command: Command) -> Command:
    """Give a command the shared options, as its first argument, and work in the folder of ``-C``."""
    decorators = [
        click.option("-C", "folder", default=".", metavar="DIR", help="Work in this folder."),
        click.option(
            "--device",
            default="",
            metavar="NAME",
            help="cpu, cuda or mps, with :float32 or :bfloat16; best by default.",
        ),
        click.option(
            "-o",
            "options",
            multiple=True,
            callback=option_pairs,
            metavar="KEY=VALUE",
            help="Change one value of the recipe.",
        ),
        click.option("--quiet", is_flag=True, help="No progress, no log."),
        click.option("--json", "as_json", is_flag=True, help="One JSON summary on stdout."),
        click.option("--debug", is_flag=True, help="Show the traceback of an error."),
    ]

    @functools.wraps(command)
    def wrapped(
        *,
        folder: str,
        debug: bool,
        device: str,
        options: dict[str, str],
        quiet: bool,
        as_json: bool,
        **arguments: Any,
    ) -> Any:
        try:
            os.chdir(folder)
        except OSError as error:
            raise BadInput(
                f"-C {folder}: cannot work there ({error.strerror}); name a folder that exists."
            ) from None
        return command(Shared(device, options, quiet, as_json), **arguments)

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

    return tqdm(
        total=total,
        unit=unit,
        disable=quiet,
        dynamic_ncols=True,
        mininterval=0.5 if sys.stderr.isatty() else 20.0,
    )


def work_bar(done: float, quiet: bool) -> Any:
    """A progress bar with an estimate on stderr, in shares of the work, of which ``done`` was done before."""
    from tqdm import tqdm

    form = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
    interval = 0.5 if sys.stderr.isatty() else 20.0
    return tqdm(
        total=1.0,
        initial=done,
        bar_format=form,
        disable=quiet,
        dynamic_ncols=True,
        mininterval=interval,
    )


def follow(progress: Any) -> Callable[[int, int], None]:
    """``report(done, total)`` that moves a progress bar; a total of 0 is not known yet."""

    def report(done: int, total: int) -> None:
        progress.total = total or None
        progress.update(done - progress.n)

    return report


class Stop:
    """Ctrl-C and SIGTERM ask for a stop between two updates; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before = {
            number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def end(self) -> None:
        """Let the signals do again what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self, number: int, frame: object) -> None:
        """Handle the signal."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def fail(sentence: str, code: int) -> None:
    """Say what is wrong and leave; with ``--debug`` the traceback comes first."""
    if "--debug" in sys.argv:
        traceback.print_exc()
    click.echo(f"jungle: {' '.join(sentence.split())}", err=True)
    sys.exit(code)
