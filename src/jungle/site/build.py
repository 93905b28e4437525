"""The site: a folder of files that opens by double click and can be published as it is. Two builds
from the same inputs are identical.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from .. import __version__
from ..encoding.provenance import Level, select_facts
from ..errors import BadInput
from ..postcards.captions import facts_of
from ..records import Postcard
from ..storage.build_cache import FOLDER, BuildCache
from ..storage.hashing import remembered_digests
from . import outputs
from .dictionary import entries
from .images import Encoder, ImageManifest, Searched, looks_of, pack
from .incremental import bring_up_to_date, open_folder
from .outputs import Origin
from .sanitize import LINE, MESSAGE, NAME, sanitize, sanitize_card
from .viewing import card_view, volumes
from .views import SiteView
from .worker_pool import run_in_processes

ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~-]+)*/?")
POSTCARDS, DICTIONARY = "postcards", "language/lexicon.json"
# of every postcard, besides its picture
FILES = (
    "call.flac",
    "call.opus",
    "call.m4a",
    "spectrogram.png",
)
LabelledRows = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteSettings:
    """What a site is like, besides its postcards."""

    title: str = "Postcards from my jungle"
    world: str = ""  # a sentence or two
    base_url: str = ""  # where it will lie, for the links that must be whole; "" is allowed
    metadata: Level = "full"  # of the pictures that are made here
    masters: bool = False  # publish PNG and FLAC beside the web forms
    models: LabelledRows = ()
    credits: LabelledRows = ()
    ledger: LabelledRows = ()
    encoder: Encoder = field(default_factory=Searched)
    workers: int = 2  # processes that encode


@dataclass(frozen=True, slots=True)
class SiteReport:
    """What a build did."""

    index: Path
    cards: int
    pages: int
    written: int  # files with other bytes than before
    unchanged: int
    removed: int
    bytes: int


def build_site(
    jungle: Path,
    cards: Sequence[Postcard],
    out: Path,
    settings: SiteSettings | None = None,
    progress: Callable[[int], object] = lambda done: None,
    build_cache: BuildCache | None = None,
) -> SiteReport:
    """Bring the site of a jungle up to date.

    Args:
        jungle: the folder with postcards/ and language/.
        cards: in the order in which they are shown.
        out: where to; a new folder, or one that was written here before.
        settings: what it is like.
        progress: is told how many more cards have their pictures; in the end all have.
        build_cache: the jungle's memory, where encoded pictures are kept.

    Raises:
        BadInput: no postcard, a record or file that cannot be published, or an output folder that
            is not ours.
    """
    chosen, memory = settings or SiteSettings(), build_cache or BuildCache(jungle)
    if not cards:
        raise BadInput(f"There are no postcards in {jungle}: run  jungle make  first.")
    ledger = open_folder(out)

    # From here on every text is safe to show: records may come from anybody.
    clean_cards = [sanitize_card(card) for card in cards]
    _refuse_twins(clean_cards)
    origins = _origins(jungle, clean_cards, chosen.metadata)
    pieces = [
        outputs.image_key(origin, card, chosen.encoder)
        for origin, card in zip(origins, clean_cards, strict=True)
    ]
    masters = {
        name: origin.folder / card.master
        for name, origin, card in zip(pieces, origins, clean_cards, strict=True)
    }
    looks = _looks(masters, chosen, memory, progress)
    progress(len(cards) - len(looks))  # two of the same picture
    views = [
        card_view(
            card, number, looks[name], masters=chosen.masters, prompts=chosen.metadata == "full"
        )
        for number, (card, name) in enumerate(zip(clean_cards, pieces, strict=True), 1)
    ]
    site = _site_view(jungle, clean_cards, chosen)
    batches = list(outputs.static_steps())
    for one, origin, name in zip(views, origins, pieces, strict=True):
        batches += outputs.media_steps(one, origin, looks[name], name, site.title, memory)
    batches += outputs.text_steps(site, views)

    # Only what is due is made, the heavy part of it in worker processes.
    change = bring_up_to_date(
        out,
        ledger,
        batches,
        lambda due: run_in_processes([(batch.make, batch.heavy) for batch in due], chosen.workers),
    )
    pages = sum(path.endswith(".html") for batch in batches for path in batch.paths)

    return SiteReport(
        out / "index.html",
        len(cards),
        pages,
        change.written,
        change.unchanged,
        change.removed,
        change.bytes,
    )


def _refuse_twins(cards: Sequence[Postcard]) -> None:
    known: set[str] = set()
    for card in cards:
        if card.species.slug in known:
            raise BadInput(
                f"Two postcards have the slug '{card.species.slug}': give each animal in "
                "jungle.toml its own."
            )
        known.add(card.species.slug)


def _origins(jungle: Path, cards: Sequence[Postcard], level: Level) -> list[Origin]:
    """The files of each postcard.

    Raises:
        BadInput: one of them is missing.
    """
    names = [
        [card.master, *FILES, *(phrase.file for phrase in card.phrases if phrase.file)]
        for card in cards
    ]
    folders = [jungle / POSTCARDS / card.species.slug for card in cards]
    paths = [folder / name for folder, own in zip(folders, names, strict=True) for name in own]

    # All digests in one pass, which remembers files that have not changed.
    known = dict(zip(paths, remembered_digests(paths, jungle / FOLDER), strict=True))
    for path, found in known.items():
        if not found:
            raise BadInput(
                f"The postcard {path.parent} has no file '{path.name}' that can be read: run  "
                "jungle make  again."
            )

    return [
        Origin(
            folder,
            {name: known[folder / name] for name in own},
            select_facts(facts_of(card), level),
        )
        for folder, own, card in zip(folders, names, cards, strict=True)
    ]


def _looks(
    masters: Mapping[str, Path],
    settings: SiteSettings,
    build_cache: BuildCache,
    progress: Callable[[int], object],
) -> dict[str, ImageManifest]:
    """What is made of each picture, by its name on the build_cache; what is not there yet is
    encoded, and kept at once.
    """
    known = {name: build_cache.get(name) for name in masters}
    found = {name: looks_of(packed) for name, packed in known.items() if packed is not None}
    progress(len(found))
    missing = [name for name in masters if name not in found]
    tasks = [(partial(pack, masters[name], settings.encoder), True) for name in missing]
    for name, packed in zip(missing, run_in_processes(tasks, settings.workers), strict=True):
        build_cache.put(name, packed)
        found[name] = looks_of(packed)
        progress(1)
    return found


def check_address(base: str) -> None:
    """Refuse a base address that is none; "" is allowed.

    Raises:
        BadInput: it is no address of a site.
    """
    if base and not ADDRESS.fullmatch(base):
        raise BadInput(
            f"The base address {base!r:.100} must look like https://me.github.io/jungle/: mend "
            "<--base-url> or jungle.toml."
        )


def _site_view(jungle: Path, cards: Sequence[Postcard], settings: SiteSettings) -> SiteView:
    base = settings.base_url
    check_address(base)

    # What a model card says is shown, too, and is cleaned like any other text.
    def pairs(rows: LabelledRows) -> LabelledRows:
        return tuple((sanitize(label, LINE), sanitize(value, MESSAGE)) for label, value in rows)

    return SiteView(
        title=sanitize(settings.title, NAME),
        world=sanitize(settings.world, MESSAGE),
        base_url=f"{base.rstrip('/')}/" if base else "",
        version=__version__,
        count=len(cards),
        volumes=volumes(len(cards)),
        language=cards[0].family if cards else "",
        ledger=pairs(settings.ledger),
        models=pairs(settings.models),
        credits=pairs(settings.credits),
        dictionary=entries(jungle / DICTIONARY),
    )
