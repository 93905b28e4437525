"""Write docs/cli.md: the help of every command, as the program prints it.

``--check`` fails where the page is stale.
"""

import sys
from pathlib import Path

import click

from jungle.cli.main import cli

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 98
"""Columns of help in a terminal of 100 or more: the group's limit, less click's margin of two."""


def render() -> str:
    """The page as Markdown."""
    # The group's own settings name -h; a context made without them would show click's --help.
    top = click.Context(cli, info_name="jungle", terminal_width=WIDTH, **cli.context_settings)
    parts = [
        "# Command line",
        "Made by `make docs` from the program itself.",
        f"```\n{cli.get_help(top)}\n```",
    ]
    for name in cli.list_commands(top):
        command = cli.commands[name]
        context = click.Context(command, info_name=name, parent=top)
        parts += [f"## jungle {name}", f"```\n{command.get_help(context)}\n```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text() == render() else "docs/cli.md is stale: run  make docs")
    PAGE.write_text(render())
