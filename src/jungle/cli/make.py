"""``jungle make``, and what ``jungle postcards`` shares with it."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from ..config.jungle_toml import CONFIG_FILE, JungleFolder, read_config
from ..config.paths import MODEL_FILE, cache_folder
from ..config.recipes import SampleRecipe, override
from ..errors import BadInput
from ..language.family import family_of
from ..language.language import Language
from ..language.llm.converse import MOST_ASKED
from ..postcards import pipeline
from ..postcards.compose import FOLDER as POSTCARDS
from ..postcards.compose import PlannedPhrase
from ..postcards.cost import Cost, Spent, add_cost
from ..records import Postcard
from ..site.publish import SITE, publish
from ..species import select
from ..storage import atomic
from ..storage.build_cache import BuildCache
from .jungle_options import (
    base_url_option,
    count_option,
    metadata_option,
    model_option,
    out_option,
    override_config,
    seed_option,
    sound_model_option,
)
from .language import ask_model, llm_wishes
from .models import open_engines
from .options import CommonOptions, common_options, log, print_result, progress_bar
from .train import TrainingRequest, TrainingSources, print_stopped, run_training


@dataclass(frozen=True, kw_only=True, slots=True)
class MakeOptions:
    """The options of ``jungle make``; None or "" where an option is left out."""

    out: str
    count: int | None
    seed: int | None
    model: str
    sound_model: str
    metadata: str | None
    base_url: str | None = None
    source: str | None = None
    recipe: str = ""  # of SOURCE
    minutes: float = 0.0  # likewise


@dataclass(frozen=True, slots=True)
class MakeResult:
    """What was made; ``page`` is None where none was asked for."""

    cards: list[Postcard]
    trouble: list[str]
    page: Path | None
    cost: Cost


@click.command("make")
@click.argument("source", required=False)
@out_option
@count_option
@seed_option
@model_option
@sound_model_option
@click.option("--recipe", default="quick", metavar="NAME", help="How to train on SOURCE.")
@click.option("--minutes", default=30.0, metavar="N", help="Time to train on SOURCE.")
@metadata_option
@base_url_option
@common_options
def make_command(common: CommonOptions, **arguments: Any) -> None:
    """Species, pictures, calls, phrases, postcards and a page, from nothing,
    or trained on the photos of SOURCE first.
    """
    make_jungle(common, MakeOptions(**arguments), site=True)


def make_jungle(common: CommonOptions, options: MakeOptions, *, site: bool) -> None:
    """Everything of a jungle up to its postcards, and its page if ``site``; prints the result."""
    jungle = _validate(common, options)
    model = _maybe_train(common, options, jungle)
    if model is None:
        print_stopped(common, jungle.path / MODEL_FILE)
        return
    result = _build(common, jungle, model, options.sound_model, site=site)
    add_cost(jungle.path, result.cost)
    _report(common, jungle, result)


def _validate(common: CommonOptions, options: MakeOptions) -> JungleFolder:
    """Refuse all that can be wrong before anything is trained or written."""
    out = Path(options.out)
    atomic.check_writable(out)
    written = read_config(out)
    keys = ("count", "seed", "model", "sound_model", "metadata", "base_url")
    given = asdict(options)
    config = override_config(written, {key: given[key] for key in keys})
    select.check_numbers(config.count, config.seed, what="animals")
    override(SampleRecipe(), common.options)

    # A language that its table makes impossible fails at its first phrase, and is cheap to try.
    family_of(config.seed, config.language).language.phrase(0)
    file = out / CONFIG_FILE
    pipeline.check_voices(config.species, file)

    # Species have a seed each, and those of the file were invented with the file's.
    count = len(config.species)
    if count and options.count not in (None, count):
        log(
            f"{file} names its {count} species, so --count changes nothing: edit it, "
            "or choose another --out.",
            common.quiet,
        )
    if file.exists() and config.seed != written.seed:
        raise BadInput(
            f"{file} has seed = {written.seed}, not {config.seed}: change it there, "
            "or choose another --out."
        )
    if options.source and options.model:
        raise BadInput(
            "SOURCE and --model contradict each other: train on SOURCE, or paint with the model; "
            "give one of the two."
        )
    return JungleFolder(out, config)


def _maybe_train(common: CommonOptions, options: MakeOptions, jungle: JungleFolder) -> str | None:
    """The model to paint with, trained on SOURCE where one is given; None when asked to stop."""
    if not options.source:
        return options.model
    file = jungle.path / CONFIG_FILE
    pipeline.check_species(jungle.config.species, options.source, cache_folder(), file)

    # -o and the tables of jungle.toml are about painting here; training has its own command.
    request = TrainingRequest(
        sources=TrainingSources([options.source]),
        out=str(jungle.path),
        recipe=options.recipe,
        minutes=options.minutes,
        options={"seed": str(jungle.config.seed)},
    )
    report = run_training(common, request)
    return str(jungle.path / MODEL_FILE) if report else None


def _build(
    common: CommonOptions, jungle: JungleFolder, model: str, sound_model: str, *, site: bool
) -> MakeResult:
    out, config = jungle.path, jungle.config
    engines = open_engines(common, jungle, model, sound_model)
    count = len(config.species) or config.count
    species = pipeline.find_species(out, config, engines, count, config.seed)
    build_cache, spent = BuildCache(out), Spent()
    atomic.remove_leftovers(
        out, (pipeline.PICTURES, pipeline.SOUNDS, pipeline.LANGUAGE, SITE, POSTCARDS)
    )

    # Of each animal: its sketches, its takes, its card, and its part of the page.
    pieces = (config.sketches + pipeline.TAKES + 1 + site) * len(species)
    with progress_bar(pieces, "piece", common.quiet) as progress:

        def report(stage: str, done: int) -> None:
            progress.set_description(stage, refresh=False)
            progress.update(done)

        try:
            writer = _llm_writer(common, jungle, spent)
            cards, trouble = pipeline.make_cards(
                engines, out, species, config, build_cache, report, writer
            )
            page = publish(out, cards, config, build_cache, report) if site else None
        except KeyboardInterrupt:
            log("What is done is kept; the same command goes on from here.", common.quiet)
            raise
    build_cache.prune()

    cost = Cost(
        seconds=time.monotonic() - common.started,
        device=str(engines.image_model.device),
        dollars=spent.dollars,
        tokens=spent.tokens,
    )
    return MakeResult(cards, trouble, page, cost)


def _llm_writer(
    common: CommonOptions, jungle: JungleFolder, spent: Spent
) -> pipeline.PhraseWriter | None:
    """The language model that jungle.toml wants, or None; its cost is added to ``spent``."""
    if jungle.config.phrases_by == "embedded":
        return None

    def write(language: Language, count: int) -> list[PlannedPhrase]:
        # Animals beyond what may be asked for speak for themselves.
        wishes = llm_wishes(jungle.config, {})
        talk = ask_model(common, language, min(count, MOST_ASKED), wishes)
        spent.dollars += talk.cost or 0.0
        spent.tokens += talk.usage.sent + talk.usage.received
        return [
            PlannedPhrase(
                line.phrase.meaning, line.phrase.intent, line.phrase.mood, line.provenance
            )
            for line in talk.lines
            if line.phrase
        ]

    return write


def _report(common: CommonOptions, jungle: JungleFolder, result: MakeResult) -> None:
    for line in result.trouble:
        log(f"Look closely: {line}", common.quiet)

    # The page is what to open; without one, the folder is what there is.
    count = len(result.cards)
    where = (
        f"{count} animals: open {result.page}"
        if result.page
        else f"{count} postcards in {jungle.path / POSTCARDS}"
    )

    print_result(
        common.as_json,
        f"{where}\nIt took {result.cost.in_words()}.",
        page=result.page,
        postcards=[card.species.slug for card in result.cards],
        trouble=result.trouble,
        seconds=round(result.cost.seconds, 1),
    )
