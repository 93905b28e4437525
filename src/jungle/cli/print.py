"""``jungle print``."""

import typing
from pathlib import Path

import click

from ..printing import pdf
from ..printing.paper import PaperFormat
from ..storage.atomic import write_bytes
from .jungle_options import (
    base_url_option,
    existing_postcards,
    metadata_option,
    open_jungle,
    out_option,
)
from .options import CommonOptions, common_options, print_result


@click.command("print")
@out_option
@click.option(
    "--format",
    "form",
    default="a6",
    type=click.Choice(typing.get_args(PaperFormat)),
    help="Paper; a4 and letter: four a page.",
)
@click.option(
    "--file",
    default="",
    metavar="FILE",
    help="The PDF; postcards-FORMAT.pdf in the jungle's folder by default.",
)
@metadata_option
@base_url_option
@common_options
def print_command(
    common: CommonOptions, out: str, form: PaperFormat, file: str, **given: str | None
) -> None:
    """Postcards on paper: a PDF with bleed and crop marks, fronts and backs, 300 dots an inch."""
    jungle = open_jungle(out, **given)
    folder, config = jungle.path, jungle.config
    cards = existing_postcards(common, folder)
    target = Path(file) if file else folder / f"postcards-{form}.pdf"
    data = pdf.make_pdf(folder, cards, form, config.base_url, config.metadata, config.title)
    write_bytes(target, data)
    text = f"{len(cards)} postcards in {target}"
    print_result(common.as_json, text, file=target, postcards=len(cards))
