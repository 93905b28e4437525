"""Every file of a site as a batch: where it lies, what decides its bytes, and how it is made."""

import base64
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import PIL

from .. import __version__
from ..encoding.provenance import Provenance
from ..errors import BadInput
from ..records import Postcard
from ..storage.atomic import digest
from ..storage.build_cache import BuildCache
from . import images as renditions
from . import share_image
from .feed import feed
from .images import Encoder, ImageManifest
from .incremental import BuildStep
from .render import page, put, script_json, static_files, templates_digest
from .viewing import VOLUME, card_json, search_row, sections
from .views import CardView, SiteView

PAGES = ("dictionary.html", "about.html", "send.html", "404.html")
LIBRARY = f"Pillow {PIL.__version__}"  # with the encoders that come with it


@dataclass(frozen=True, slots=True)
class Origin:
    """The folder of a postcard, the digests of its files by name, and what its pictures tell of
    themselves.
    """

    folder: Path
    digests: Mapping[str, str]
    facts: Provenance


def image_key(origin: Origin, card: Postcard, encoder: Encoder) -> str:
    """The name under which the build_cache keeps what is made of a picture."""
    return digest("renditions", origin.digests[card.master], encoder.version)


def media_steps(
    one: CardView,
    origin: Origin,
    looks: ImageManifest,
    piece: str,
    title: str,
    build_cache: BuildCache,
) -> Iterator[BuildStep]:
    """Pictures and sounds of a card."""
    name, master, told = one.id, one.card.master, digest(origin.facts.told())
    source = origin.folder / master
    yield BuildStep(
        tuple(file.path(name) for file in looks.files),
        digest(piece, told),
        partial(_renditions, build_cache, piece, origin.facts),
    )
    species = one.card.species
    words = share_image.ShareTexts(
        species.name, species.binomial, one.card.own_name, title, one.stamp
    )
    key = digest(origin.digests[master], words, told, share_image.VERSION, LIBRARY)
    yield BuildStep(
        (one.share,),
        key,
        partial(share_image.share_picture, source, words, origin.facts),
        heavy=True,
    )
    key = digest(origin.digests["spectrogram.png"], told, LIBRARY)
    yield BuildStep(
        (one.call.spectrogram,),
        key,
        partial(renditions.spectrogram, origin.folder / "spectrogram.png", origin.facts),
    )

    for path, file in (
        (one.call.opus, "call.opus"),
        (one.call.m4a, "call.m4a"),
        (one.call.flac, "call.flac"),
    ):
        if path:
            yield BuildStep((path,), origin.digests[file], partial(_copy, origin.folder / file))

    # A master without losses is published where no rendition is one.
    if one.picture.master not in {file.path(name) for file in looks.files}:
        key = digest(origin.digests[master], told)
        yield BuildStep(
            (one.picture.master,), key, partial(renditions.lossless, source, origin.facts)
        )

    yield BuildStep(
        (one.call.script,),
        origin.digests["call.flac"],
        partial(_call_script, name, origin.folder / "call.flac"),
    )

    if one.call.voices:
        files = [phrase.file for phrase in one.card.phrases]
        key = digest([origin.digests.get(file, "") for file in files])
        yield BuildStep(
            (one.call.voices,),
            key,
            partial(
                _voice_script, name, [origin.folder / file if file else None for file in files]
            ),
        )


def _renditions(build_cache: BuildCache, piece: str, facts: Provenance) -> list[bytes]:
    packed = build_cache.get(piece)
    if packed is None:
        raise BadInput(
            f"The memory in {build_cache.folder} was deleted while it was used: run the same "
            "command "
            "again."
        )
    return renditions.unpacked(packed, facts)


def _copy(path: Path) -> list[bytes]:
    return [path.read_bytes()]


def _base64(path: Path | None) -> str:
    return base64.b64encode(path.read_bytes()).decode() if path else ""


def _call_script(name: str, path: Path) -> list[bytes]:
    return [put("call", name, _base64(path))]


def _voice_script(name: str, paths: Sequence[Path | None]) -> list[bytes]:
    return [put("voice", name, [_base64(path) for path in paths])]


def _ready(path: str, data: bytes) -> BuildStep:
    """A file whose bytes are known already."""
    return BuildStep((path,), digest(data), lambda: [data])


def text_steps(site: SiteView, cards: Sequence[CardView]) -> Iterator[BuildStep]:
    """Scripts, pages, search and feed, the files that others link to first."""
    about = digest(templates_digest(), script_json(_plain(site)), __version__)
    told: list[bytes] = []

    # A page names its neighbours, so its key holds all three.
    for index, one in enumerate(cards):
        neighbours = cards[index - 1], cards[(index + 1) % len(cards)]
        told.append(
            put(
                "card",
                one.id,
                card_json(one, neighbours[0].id, neighbours[1].id, volume_of(site, one)),
            )
        )
        yield _ready(one.script, told[-1])

    for index, one in enumerate(cards):
        around = (told[index - 1], told[index], told[(index + 1) % len(cards)])
        yield BuildStep(
            (one.page,), digest(about, *around), partial(_card_page, site, cards, index)
        )

    yield _ready(
        "search.js",
        put("search", "all", [search_row(card, volume_of(site, card)) for card in cards]),
    )
    yield _ready("feed.xml", feed(site, cards))
    for name in PAGES:
        yield BuildStep((name,), digest(about, name), partial(_page, name, site))

    for number, name in enumerate(site.volumes, 1):
        shown = sections(cards, number)
        key = digest(
            about, number, *(told[item.number - 1] for section in shown for item in section)
        )
        yield BuildStep((name,), key, partial(_index, site, shown, number))

    yield _ready(".nojekyll", b"")


def volume_of(site: SiteView, one: CardView) -> str:
    """The page on which a card lies."""
    return site.volumes[(one.number - 1) // VOLUME]


def _plain(site: SiteView) -> Any:
    return dataclasses.asdict(site)


def _card_page(site: SiteView, cards: Sequence[CardView], place: int) -> list[bytes]:
    near = {"previous": cards[place - 1], "next": cards[(place + 1) % len(cards)]}
    return [page("card.html", site=site, card=cards[place], root="../", **near)]


def _page(name: str, site: SiteView) -> list[bytes]:
    return [page(name, site=site, root=(site.base_url or "./") if name == "404.html" else "")]


def _index(site: SiteView, shown: list[list[CardView]], volume: int) -> list[bytes]:
    return [page("index.html", site=site, sections=shown, volume=volume, root="")]


def static_steps() -> Iterator[BuildStep]:
    """The style sheet, the script and the fonts."""
    for path, data in static_files().items():
        yield _ready(path, data)
