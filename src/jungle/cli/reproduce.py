"""``jungle reproduce``."""

import click

from ..postcards.folder import names_of_cards, read_manifest
from ..postcards.reproduce import reproduce
from .jungle_options import model_option, open_jungle, out_option, sound_model_option
from .models import open_engines
from .options import CommonOptions, common_options, print_result, progress_bar


@click.command("reproduce")
@click.argument("names", nargs=-1)
@out_option
@model_option
@sound_model_option
@common_options
def reproduce_command(
    common: CommonOptions, names: tuple[str, ...], out: str, model: str, sound_model: str
) -> None:
    """Make every file of the postcards NAMES (or of all) again from their manifests,
    and say which bytes differ.
    """
    jungle = open_jungle(out)
    slugs = names or names_of_cards(jungle.path)
    for slug in slugs:
        read_manifest(jungle.path, slug)  # refused before a model is opened
    engines = open_engines(common, jungle, model, sound_model)

    differing = {}
    with progress_bar(len(slugs), "postcard", common.quiet) as progress:
        for slug in slugs:
            differing[slug] = reproduce(engines, jungle.path, slug)
            progress.update(1)
    lines = [
        f"{slug}: {'differs in ' + ', '.join(files) if files else 'every byte the same'}"
        for slug, files in differing.items()
    ]
    print_result(common.as_json, "\n".join(lines), differing=differing)
