"""Options of the commands of a whole jungle, and its jungle.toml as they change it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..config.jungle_toml import CHOICES, Config, JungleFolder, read_config
from ..postcards.folder import missing_cards, read_cards
from ..records import Postcard
from ..site.build import check_address
from .options import CommonOptions, log

out_option = click.option("--out", default="my-jungle", metavar="DIR", help="The jungle's folder.")
count_option = click.option(
    "-n", "--count", default=None, type=int, help="How many species; 12 by default."
)
seed_option = click.option("--seed", default=None, type=int, help="Another seed, another jungle.")
model_option = click.option(
    "--model", default="", metavar="FILE", help="Paint with this model instead of the shipped one."
)
sound_model_option = click.option(
    "--sound-model",
    default="",
    metavar="FILE",
    help="Make calls with this model instead of the shipped one.",
)
base_url_option = click.option(
    "--base-url", default=None, metavar="URL", help="Where the page will stand."
)
metadata_option = click.option(
    "--metadata",
    default=None,
    type=click.Choice(CHOICES["metadata"]),
    help="What files tell of themselves.",
)


def override_config(config: Config, given: Mapping[str, Any]) -> Config:
    """A jungle.toml, with what was given on the command line instead; None and "" change nothing.

    Raises:
        BadInput: the address of the page is not one.
    """
    changes = {key: value for key, value in given.items() if value not in (None, "")}
    changed = dataclasses.replace(config, **changes)
    check_address(changed.base_url)
    return changed


def open_jungle(out: str, **given: Any) -> JungleFolder:
    """The folder ``--out``, with its jungle.toml as :func:`override_config` changes it.

    Raises:
        BadInput: the file cannot be used, see ``config.jungle_toml.read_config``.
    """
    folder = Path(out)
    return JungleFolder(folder, override_config(read_config(folder), given))


def existing_postcards(common: CommonOptions, folder: Path) -> list[Postcard]:
    """The postcards of a jungle; logs which are missing."""
    missing = missing_cards(folder)
    if missing:
        log(
            f"No postcard yet for {', '.join(missing[:8])}: "
            f"run  jungle make --out {folder}  to make what is missing.",
            common.quiet,
        )
    return read_cards(folder)
