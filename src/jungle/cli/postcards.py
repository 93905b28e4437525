"""``jungle postcards``."""

from typing import Any

import click

from .jungle_options import (
    count_option,
    metadata_option,
    model_option,
    out_option,
    seed_option,
    sound_model_option,
)
from .make import MakeOptions, make_jungle
from .options import CommonOptions, common_options


@click.command("postcards")
@out_option
@count_option
@seed_option
@model_option
@sound_model_option
@metadata_option
@common_options
def postcards_command(common: CommonOptions, **arguments: Any) -> None:
    """Bind species, pictures, calls and phrases to postcards;
    what is missing is made, and no page.
    """
    make_jungle(common, MakeOptions(**arguments), site=False)
