"""What every command shares: its options, log, result, progress bars, and how it is stopped."""

import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click
from tqdm import tqdm

from ..errors import BadInput
from .invocation import Invocation

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class CommonOptions:
    """The options that every command has, but -C and --debug, which are obeyed before it runs."""

    device: str = ""
    options: dict[str, str] = field(default_factory=dict)  # of -o
    quiet: bool = True
    as_json: bool = False
    started: float = field(default_factory=time.monotonic)  # see Invocation


def option_pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """``-o key=value`` -> {"key": "value"}."""
    pairs = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not (key and sign):
            raise BadInput(f"-o {text}: write key=value, for example -o limit=1024.")
        pairs[key.strip()] = value.strip()
    return pairs


def _remember_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    """Keep ``--debug`` for the error that ends the command."""
    invocation = context.find_object(Invocation)
    if invocation is not None:
        invocation.debug = value


def common_options(command: Command) -> Command:
    """Give a command the common options as its first argument, and work in the folder of -C."""
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
        click.option(
            "--debug",
            is_flag=True,
            is_eager=True,  # known before another option is refused
            expose_value=False,
            callback=_remember_debug,
            help="Show the traceback of an error.",
        ),
    ]

    # -C and --debug end here: a command sees the folder it works in, and nothing of tracebacks.
    @click.pass_context
    @functools.wraps(command)
    def wrapped(
        context: click.Context, /, folder: str, device: str, options: dict[str, str], **rest: Any
    ) -> Any:
        _work_in(folder)
        quiet, as_json = rest.pop("quiet"), rest.pop("as_json")
        invocation = context.find_object(Invocation) or Invocation(time.monotonic())
        common = CommonOptions(device, options, quiet, as_json, invocation.started)
        return command(common, **rest)

    return functools.reduce(lambda inner, decorate: decorate(inner), reversed(decorators), wrapped)


def _work_in(folder: str) -> None:
    """Obey ``-C``, as make and git do.

    The only place that changes the working folder of the process, which belongs to the command
    line: every path that a person wrote, and every path that is printed, is relative to it, and
    code below ``cli/`` gets its folders as arguments.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise BadInput(
            f"-C {folder}: cannot work there ({error.strerror}); name a folder that exists."
        ) from None


def log(text: str, quiet: bool) -> None:
    """A line of log on stderr."""
    if not quiet:
        click.echo(text, err=True)


def print_result(as_json: bool, text: str, **values: Any) -> None:
    """The result on stdout: plain text, or one JSON object."""
    click.echo(json.dumps(values, default=str, ensure_ascii=False) if as_json else text)


def _interval() -> float:
    """Seconds between two drawings of a bar: a log file keeps every one of them."""
    return 0.5 if sys.stderr.isatty() else 20.0


def progress_bar(total: int, unit: str, quiet: bool) -> Any:
    """A progress bar with an estimate on stderr."""
    return tqdm(total=total, unit=unit, disable=quiet, dynamic_ncols=True, mininterval=_interval())


def training_bar(done: float, quiet: bool) -> Any:
    """A progress bar on stderr in shares of the work, of which ``done`` was done before."""
    return tqdm(
        total=1.0,
        initial=done,
        bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
        disable=quiet,
        dynamic_ncols=True,
        mininterval=_interval(),
    )


def progress_callback(progress: Any) -> Callable[[int, int], None]:
    """``report(done, total)`` that moves a progress bar; a total of 0 is not known yet."""

    def report(done: int, total: int) -> None:
        progress.total = total or None
        progress.update(done - progress.n)

    return report


class GracefulStop:
    """Ctrl-C and SIGTERM ask for a stop between two updates; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before = {
            signum: signal.signal(signum, self) for signum in (signal.SIGINT, signal.SIGTERM)
        }

    def end(self) -> None:
        """Let the signals do again what they did before."""
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def __call__(self, signum: int, frame: object) -> None:
        """Handle the signal."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
