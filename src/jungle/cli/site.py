"""``jungle site``."""

import click

from ..errors import BadInput
from ..postcards.folder import check_metadata
from ..site.check import check_site
from ..site.publish import SITE, publish
from ..storage.build_cache import BuildCache
from .jungle_options import (
    base_url_option,
    existing_postcards,
    metadata_option,
    open_jungle,
    out_option,
)
from .options import CommonOptions, common_options, print_result, progress_bar


@click.command("site")
@out_option
@click.option(
    "--check",
    is_flag=True,
    help="Only look for what GitHub Pages would break, and print the sizes.",
)
@metadata_option
@base_url_option
@common_options
def site_command(
    common: CommonOptions, out: str, check: bool, metadata: str | None, base_url: str | None
) -> None:
    """The page again from the postcards that are there:
    a folder that opens by double click and goes to GitHub Pages as it is.
    """
    jungle = open_jungle(out, metadata=metadata, base_url=base_url)
    folder, config = jungle.path, jungle.config
    if not check:
        cards = existing_postcards(common, folder)
        check_metadata(folder, config.metadata)
        with progress_bar(len(cards), "card", common.quiet) as progress:
            publish(
                folder, cards, config, BuildCache(folder), lambda stage, done: progress.update(done)
            )

    site = folder / SITE
    inspection = check_site(site)
    problems = [f"{item.level}: {item.path} {item.what}" for item in inspection.problems]
    page = site / "index.html"
    print_result(
        common.as_json,
        "\n".join([*inspection.table(), *problems, f"Open {page}"]),
        page=page,
        problems=problems,
        first=inspection.first,
    )

    # After the result, which lists them: the exit code is for scripts.
    errors = sum(item.level == "error" for item in inspection.problems)
    if errors:
        raise BadInput(
            f"{site} has {errors} errors, listed above: mend them before you publish it."
        )
