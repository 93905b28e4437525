"""An Atom feed of the jungle (RFC 4287): the same bytes for the same postcards, because its dates
are those of the postmarks.
"""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from ..storage.atomic import digest
from .views import CardView, SiteView

SPACE = "http://www.w3.org/2005/Atom"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
YEAR = 2026  # of postmarks that name none
LONGEST = 60  # entries


def moment(date: str) -> str:
    """A postmark's date such as "12 Mar" or "3 August 2027" at noon, as RFC 3339; the first of the
    year where it is none.
    """
    match = re.search(r"(\d{1,2}) ([A-Za-z]{3})[a-z]*(?: (\d{4}))?", date)
    month = match[2].lower() if match else ""
    if match is None or month not in MONTHS or not 1 <= int(match[1]) <= 28:
        return f"{YEAR}-01-01T12:00:00Z"
    return f"{int(match[3] or YEAR):04}-{MONTHS.index(month) + 1:02}-{int(match[1]):02}T12:00:00Z"


def feed(site: SiteView, cards: Sequence[CardView]) -> bytes:
    """The newest cards as Atom. Without a base address links are relative, and readers have to know
    where the feed came from.
    """
    shown = list(cards[-LONGEST:])[::-1]
    root = ElementTree.Element("feed", xmlns=SPACE)
    _text(root, "id", site.base_url or _urn(site.title, *(card.id for card in cards)))
    _text(root, "title", site.title)
    _text(
        root, "updated", max((moment(card.card.postmark[1]) for card in shown), default=moment(""))
    )
    ElementTree.SubElement(
        root, "link", rel="self", type="application/atom+xml", href=f"{site.base_url}feed.xml"
    )
    ElementTree.SubElement(
        root, "link", rel="alternate", type="text/html", href=f"{site.base_url}index.html"
    )
    author = ElementTree.SubElement(root, "author")
    _text(author, "name", site.title)

    # The newest first, with ids that stay when the title changes.
    for card in shown:
        entry = ElementTree.SubElement(root, "entry")
        _text(
            entry,
            "id",
            f"{site.base_url}{card.page}"
            if site.base_url
            else _urn(card.id, card.card.species.seed),
        )
        _text(entry, "title", card.card.species.name)
        _text(entry, "updated", moment(card.card.postmark[1]))
        ElementTree.SubElement(
            entry, "link", rel="alternate", type="text/html", href=f"{site.base_url}{card.page}"
        )
        _text(entry, "summary", f"{card.card.alt} {card.card.notes}")

    ElementTree.indent(root, " ")
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)

    return body + b"\n"


def _text(parent: ElementTree.Element, name: str, value: str) -> None:
    ElementTree.SubElement(parent, name).text = value


def _urn(*parts: object) -> str:
    name = digest(*parts)
    return f"urn:uuid:{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"
