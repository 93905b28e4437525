"""Write docs/cli.md: the help of every command, as the program prints it. ``--check`` fails where the page is stale."""

import sys
from pathlib import Path

import click

from jungle.cli.main import cli

PAGE = Path(__file__).with_name("cli.md")


def render() -> str:
    """The page as Markdown."""
    top = click.Context(cli, info_name="jungle", max_content_width=100, terminal_width=100)
    parts = [
        "# Command line",
        "Made by `make docs` from the program itself.",
        f"```\n{cli.get_help(top)}\n```",
    ]
    for name, command in sorted(cli.commands.items()):
        context = click.Context(
            command, info_name=name, parent=top, max_content_width=100, terminal_width=100
        )
        parts += [f"## jungle {name}", f"```\n{command.get_help(context)}\n```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text() == render() else "docs/cli.md is stale: run  make docs")
    PAGE.write_text(render())
