"""``jungle new``."""

from pathlib import Path

import click

from ..config.jungle_toml import CONFIG_FILE, default_config_text
from ..errors import BadInput
from ..storage.atomic import check_writable, write_bytes
from .options import CommonOptions, common_options, print_result


@click.command("new")
@click.argument("out", metavar="[DIR]", required=False, default="my-jungle")
@common_options
def new_command(common: CommonOptions, out: str) -> None:
    """A folder with a jungle.toml in which every wish is explained."""
    folder = Path(out)
    check_writable(folder)
    file = folder / CONFIG_FILE
    if file.exists():
        raise BadInput(f"{file} is there already: edit it, or choose another folder.")
    write_bytes(file, default_config_text().encode())
    print_result(common.as_json, f"Edit {file}, then run  jungle make --out {out}", file=file)
