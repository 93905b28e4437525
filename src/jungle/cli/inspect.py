"""``jungle inspect``."""

import time
from pathlib import Path

import click

from ..config.jungle_toml import JungleFolder, apply_config
from ..config.paths import cache_folder
from ..config.recipe_table import find_recipe
from ..config.recipes import Medium, Recipe
from ..diagnostics.inspect import inspect_path
from ..diffusion import device as devices
from .options import CommonOptions, common_options, print_result, progress_bar, progress_callback


@click.command("inspect")
@click.argument("file")
@common_options
def inspect_command(common: CommonOptions, file: str) -> None:
    """What is this folder, model, picture or sound? A health report in plain words."""
    jungle = JungleFolder.open(Path())
    compute = devices.choose_device(common.device)

    # Asked only for a folder, and then it depends on what the folder holds.
    def recipe(media: Medium) -> Recipe:
        named = find_recipe(jungle.config.recipe or "quick", media)
        return apply_config(named, jungle.config.train, jungle.path, common.options)

    with progress_bar(0, "file", common.quiet) as progress:
        text, values = inspect_path(
            file,
            cache_folder(),
            compute,
            recipe,
            clock=time.perf_counter,
            progress=progress_callback(progress),
        )
    print_result(common.as_json, text, **values)
