"""The commands of a whole jungle: new, make, postcards, site, print, reproduce."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from .models import (
    MODEL,
    Sources,
    cache,
    model_file,
    open_model,
    open_singer,
    run_training,
    sampling,
)
from .options import Shared, answer, bar, common, say

if TYPE_CHECKING:
    from ..config.jungle_toml import Config
    from ..postcards.cost import Spent
    from ..postcards.pipeline import Studio, Writer
    from ..records import Postcard

MOST_TOLD = (
    240  # phrases that a language model is asked for; animals beyond them speak for themselves
)
PLACE = click.option("--out", default="my-jungle", metavar="DIR", help="The jungle's folder.")
PAINTER = click.option(
    "--model", default="", metavar="FILE", help="Paint with this model instead of the shipped one."
)
SINGER = click.option(
    "--sound-model",
    default="",
    metavar="FILE",
    help="Make calls with this model instead of the shipped one.",
)
BASE_URL = click.option(
    "--base-url", default=None, metavar="URL", help="Where the page will stand."
)
METADATA = click.option(
    "--metadata",
    default=None,
    type=click.Choice(["full", "credit", "none"]),
    help="What files tell of themselves.",
)


@click.command()
@click.argument("out", metavar="[DIR]", required=False, default="my-jungle")
@common
def new(shared: Shared, out: str) -> None:
    """A folder with a jungle.toml in which every wish is explained."""
    from ..config import jungle_toml
    from ..storage.atomic import check_place, write_bytes

    place = Path(out)
    check_place(place)
    where = place / jungle_toml.NAME
    if where.exists():
        raise BadInput(f"{where} is there already: edit it, or choose another folder.")
    write_bytes(where, jungle_toml.commented().encode())
    answer(shared.as_json, f"Edit {where}, then run  jungle make --out {out}", file=where)


@click.command()
@click.argument("source", required=False)
@PLACE
@click.option("-n", "--count", default=None, type=int, help="How many species; 12 by default.")
@click.option("--seed", default=None, type=int, help="Another seed, another jungle.")
@PAINTER
@SINGER
@click.option("--recipe", default="quick", metavar="NAME", help="How to train on SOURCE.")
@click.option("--minutes", default=30.0, metavar="N", help="Time to train on SOURCE.")
@METADATA
@BASE_URL
@common
def make(shared: Shared, source: str | None, **wishes: Any) -> None:
    """Species, pictures, calls, phrases, postcards and a page, from nothing, or trained on the photos of SOURCE first."""
    _make(shared, source, wishes, site=True)


@click.command()
@PLACE
@click.option("-n", "--count", default=None, type=int, help="How many species; 12 by default.")
@click.option("--seed", default=None, type=int, help="Another seed, another jungle.")
@PAINTER
@SINGER
@METADATA
@common
def postcards(shared: Shared, **wishes: Any) -> None:
    """Bind species, pictures, calls and phrases to postcards; what is missing is made, and no page."""
    _make(shared, None, {**wishes, "recipe": "quick", "minutes": 0.0, "base_url": None}, site=False)


def _make(shared: Shared, source: str | None, wishes: dict[str, Any], *, site: bool) -> None:
    started = time.monotonic()
    from ..config import jungle_toml, recipes
    from ..language.family import family_of
    from ..postcards import cost as ledger
    from ..postcards import pipeline
    from ..postcards.compose import FOLDER as POSTCARDS
    from ..site.publish import SITE, publish
    from ..species import select as casting
    from ..storage import atomic
    from ..storage.build_cache import Shelf

    out = Path(wishes["out"])
    atomic.check_place(out)
    known = _config(
        out, wishes
    )  # all that can be wrong is refused before anything is trained or written
    count, base = len(known.species) or known.count, known.seed
    casting.check_numbers(known.count, base, what="animals")
    recipes.override(recipes.SampleRecipe(), shared.options)
    family_of(base, known.language).language.phrase(0)
    pipeline.check_voices(known.species, out / "jungle.toml")
    if known.species and wishes["count"] not in (None, len(known.species)):
        told = f"{out / 'jungle.toml'} names its {count} species, so --count changes nothing: edit it, or choose another --out."
        say(told, shared.quiet)
    written = jungle_toml.read(out)
    if (out / jungle_toml.NAME).exists() and base != written.seed:
        raise BadInput(
            f"{out / jungle_toml.NAME} has seed = {written.seed}, not {base}: change it there, or choose another --out."
        )
    if source:
        if wishes["model"]:
            raise BadInput(
                "SOURCE and --model contradict each other: train on SOURCE, or paint with the model; give one of the two."
            )
        pipeline.check_species(known.species, source, cache(), out / "jungle.toml")
        if not run_training(
            shared,
            Sources([source]),
            str(out),
            wishes["recipe"],
            wishes["minutes"],
            {},
            {"seed": str(base)},
        ):
            answer(
                shared.as_json,
                f"Stopped; the model so far: {out / MODEL}",
                stopped=True,
                model=out / MODEL,
            )
            return
        wishes["model"] = str(out / MODEL)
    studio = _open_studio(shared, out, known, wishes)
    species = pipeline.find_species(out, known, studio, count, base)
    shelf, spent = Shelf(out), ledger.Spent()
    atomic.sweep(out, (pipeline.PICTURES, pipeline.SOUNDS, pipeline.LANGUAGE, SITE, POSTCARDS))
    with bar(
        (known.sketches + pipeline.TAKES + 1 + site) * len(species), "piece", shared.quiet
    ) as progress:

        def follow(stage: str, number: int) -> None:
            progress.set_description(stage, refresh=False)
            progress.update(number)

        try:
            cards, trouble = pipeline.make_cards(
                studio, out, species, known, shelf, follow, _writer(shared, known, spent)
            )
            page = publish(out, cards, known, shelf, follow) if site else None
        except KeyboardInterrupt:
            say("What is done is kept; the same command goes on from here.", shared.quiet)
            raise
    shelf.forget_unused()
    for line in trouble:
        say(f"Look closely: {line}", shared.quiet)
    device = str(studio.painter.device)
    cost = ledger.Cost(
        seconds=time.monotonic() - started,
        device=device,
        dollars=spent.dollars,
        tokens=spent.tokens,
    )
    ledger.enter(out, cost)
    text = (
        f"{len(cards)} animals: open {page}"
        if page
        else f"{len(cards)} postcards in {out / 'postcards'}"
    )
    answer(
        shared.as_json, f"{text}\nIt took {cost.in_words()}.", page=page, postcards=[card.species.slug for card in cards], trouble=trouble,
        seconds=round(cost.seconds, 1),
    )  # fmt: skip


def _writer(shared: Shared, known: "Config", spent: "Spent") -> "Writer | None":
    """The language model that jungle.toml wants, or None; what it costs is added to ``spent``."""
    if known.phrases_by == "embedded":
        return None
    from ..language.language import Language
    from ..postcards.compose import Told
    from .language import ask_model, model_wishes

    def write(tongue: Language, count: int) -> list[Told]:
        talk = ask_model(shared, tongue, min(count, MOST_TOLD), model_wishes(known, {}))
        spent.dollars += talk.cost or 0.0
        spent.tokens += talk.usage.sent + talk.usage.received
        return [
            Told(one.phrase.meaning, one.phrase.intent, one.phrase.mood, one.provenance)
            for one in talk.lines
            if one.phrase
        ]

    return write


def _config(out: Path, wishes: dict[str, Any]) -> "Config":
    """jungle.toml, with what the command line says instead."""
    import dataclasses

    from ..config import jungle_toml
    from ..site.build import check_address

    given = {
        key: wishes.get(key)
        for key in ("count", "seed", "model", "sound_model", "metadata", "base_url")
    }
    known = dataclasses.replace(
        jungle_toml.read(out),
        **{key: value for key, value in given.items() if value not in (None, "")},
    )
    check_address(known.base_url)
    return known


def _open_studio(shared: Shared, out: Path, known: "Config", wishes: dict[str, Any]) -> "Studio":
    import dataclasses

    from ..postcards.pipeline import Studio, portrait
    from ..species import kinds
    from .sound_requests import open_engine

    painter = open_model(shared, wishes["model"], folder=out)
    report = kinds.of_model(model_file(wishes["model"], out, "photos"), painter.hash)
    painting = sampling(painter, shared.options, out, portrait(painter))
    if known.calls == "embedded":
        singer, reference = open_singer(shared, wishes["sound_model"], out)
        return Studio(
            painter,
            painting,
            singer,
            singer.classes,
            dataclasses.asdict(singer.recipe),
            reference,
            report,
        )
    engine = open_engine(shared, wishes["sound_model"] or known.sound_model)
    return Studio(painter, painting, engine, (), {}, None, report)


@click.command()
@PLACE
@click.option(
    "--check",
    is_flag=True,
    help="Only look for what GitHub Pages would break, and print the sizes.",
)
@METADATA
@BASE_URL
@common
def site(shared: Shared, out: str, check: bool, **wishes: Any) -> None:
    """The page again from the postcards that are there: a folder that opens by double click and goes to GitHub Pages as it is."""
    from ..postcards.folder import check_metadata
    from ..site.check import check_site
    from ..site.publish import SITE, publish
    from ..storage.build_cache import Shelf

    folder = Path(out)
    known = _config(folder, wishes)
    if not check:
        cards = _cards(shared, folder)
        check_metadata(folder, known.metadata)
        with bar(len(cards), "card", shared.quiet) as progress:
            publish(
                folder, cards, known, Shelf(folder), lambda stage, number: progress.update(number)
            )
    found = check_site(folder / SITE)
    told = [f"{one.level}: {one.path} {one.what}" for one in found.problems]
    page = folder / SITE / "index.html"
    answer(
        shared.as_json,
        "\n".join([*found.table(), *told, f"Open {page}"]),
        page=page,
        problems=told,
        first=found.first,
    )
    errors = sum(one.level == "error" for one in found.problems)
    if errors:
        raise BadInput(
            f"{folder / SITE} has {errors} errors, listed above: mend them before you publish it."
        )


def _cards(shared: Shared, folder: Path) -> "list[Postcard]":
    """The postcards of a jungle; says which are missing."""
    from ..postcards.folder import missing_cards, read_cards

    missing = missing_cards(folder)
    if missing:
        say(
            f"No postcard yet for {', '.join(missing[:8])}: run  jungle make --out {folder}  to make what is missing.",
            shared.quiet,
        )
    return read_cards(folder)


@click.command("print")
@PLACE
@click.option(
    "--format",
    "form",
    default="a6",
    type=click.Choice(["a6", "6x4", "a4", "letter", "contact"]),
    help="Paper; a4 and letter: four a page.",
)
@click.option(
    "--file",
    default="",
    metavar="FILE",
    help="The PDF; postcards-FORMAT.pdf in the jungle's folder by default.",
)
@METADATA
@BASE_URL
@common
def print_(shared: Shared, out: str, form: Any, file: str, **wishes: Any) -> None:
    """Postcards on paper: a PDF with bleed and crop marks, fronts and backs, 300 dots an inch."""
    from ..printing import pdf
    from ..storage.atomic import write_bytes

    folder = Path(out)
    known = _config(folder, wishes)
    cards = _cards(shared, folder)
    target = Path(file) if file else folder / f"postcards-{form}.pdf"
    write_bytes(
        target, pdf.make_pdf(folder, cards, form, known.base_url, known.metadata, known.title)
    )
    answer(shared.as_json, f"{len(cards)} postcards in {target}", file=target, postcards=len(cards))


@click.command()
@click.argument("names", nargs=-1)
@PLACE
@PAINTER
@SINGER
@common
def reproduce(
    shared: Shared, names: tuple[str, ...], out: str, model: str, sound_model: str
) -> None:
    """Make every file of the postcards NAMES (or of all) again from their manifests, and say which bytes differ."""
    from ..postcards.folder import names_of_cards, read_manifest
    from ..postcards.reproduce import reproduce as reproduce_card

    folder = Path(out)
    wanted = names or names_of_cards(folder)
    for name in wanted:
        read_manifest(folder, name)  # refused before a model is opened
    studio = _open_studio(
        shared, folder, _config(folder, {}), {"model": model, "sound_model": sound_model}
    )
    differing = {}
    with bar(len(wanted), "postcard", shared.quiet) as progress:
        for name in wanted:
            differing[name] = reproduce_card(studio, folder, name)
            progress.update(1)
    lines = [
        f"{name}: {'every byte the same' if not files else 'differs in ' + ', '.join(files)}"
        for name, files in differing.items()
    ]
    answer(shared.as_json, "\n".join(lines), differing=differing)
