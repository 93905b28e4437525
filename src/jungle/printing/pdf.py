"""``jungle print``: postcards as a PDF that a print shop or a printer at home takes.

ReportLab draws; pikepdf writes the boxes, the colour profile and the metadata, and nothing of the
day on which it was made.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from .. import __version__
from ..encoding.provenance import TRAINED, Level, Provenance, provenance_packet, select_facts
from ..errors import BadInput
from ..postcards import captions
from ..records import Postcard
from ..storage.atomic import write_bytes
from . import raster
from .canvas import PrintCanvas
from .card import Sheet, card_name, draw_back, draw_front
from .contact_sheet import PAGE, draw_contact
from .paper import Box, Layout, PaperFormat, layout
from .qr_code import address
from .text_layout import ROMAN, need_libraries, runs

MM = 72 / 25.4  # points
CREDIT = "Postcards from my jungle"


def write_pdf(
    path: Path,
    jungle: Path,
    cards: Sequence[Postcard],
    kind: PaperFormat = "a6",
    base_url: str = "",
    metadata: Level = "full",
) -> None:
    """:func:`make_pdf` into a file, which is there whole or not at all.

    Raises:
        JungleError: as there; or the file cannot be written.
    """
    write_bytes(path, make_pdf(jungle, cards, kind, base_url, metadata))


def make_pdf(
    jungle: Path,
    cards: Sequence[Postcard],
    kind: PaperFormat = "a6",
    base_url: str = "",
    metadata: Level = "full",
    title: str = CREDIT,
) -> bytes:
    """The postcards of a jungle on paper. The same arguments make the same bytes.

    Args:
        jungle: the folder with postcards/SLUG/.
        kind: "a6" (105 x 148 mm, 3 mm bleed) or "6x4" (upright 4 x 6 in, 0.125 in bleed): front and
            back of each card with crop marks; "a4" or "letter": four cards a sheet, scaled down so
            that bleed and marks fit, a sheet of fronts and one of backs in turn, to be turned over
            the long edge; "contact": all of them, small, on A4.
        base_url: of the published site: a QR code on each back leads to the card's page. Empty: no
            code.
        metadata: what the file tells of its origin: everything, the credit only, or nothing.
        title: of the jungle, over a contact sheet.

    Every picture has at least 300 pixels an inch, to which it is enlarged. That adds no detail: it
    shows what the master shows, which has 124 pixels an inch where 512 of them cover 105 mm.

    Raises:
        MissingExtra: the libraries of the extra "print" are not installed.
        BadInput: no cards, no such format, no such address, or a card whose picture is missing.
    """
    if kind not in get_args(PaperFormat):
        raise BadInput(f"There is no format '{kind}': use {', '.join(get_args(PaperFormat))}.")
    if not cards:
        raise BadInput("There is no postcard to print: run  jungle make  first.")
    told = select_facts(_facts(cards), metadata)
    addresses = [address(base_url, card.species.slug) for card in cards]
    need_libraries()
    if kind == "contact":
        whole = Box(0, 0, *PAGE)
        return _finished(_drawn(PAGE, draw_contact(jungle, cards, title)), whole, whole, told)
    page = layout(kind)
    return _finished(
        _drawn(page.page, _pages(jungle, cards, page, addresses)), page.trim, page.bleed_box, told
    )


def _facts(cards: Sequence[Postcard]) -> Provenance:
    one = cards[0] if len(cards) == 1 else None
    names = ", ".join(card_name(card) for card in cards[:12]) + (", ..." if len(cards) > 12 else "")
    return Provenance(
        title=f"{card_name(one)}: a postcard from my jungle"
        if one
        else f"{len(cards)} postcards from my jungle",
        credit=CREDIT,
        description=one.alt
        if one
        else f"Animals that never lived: {names}. Pictures, calls and words were made by AI.",
        source=TRAINED,
        software=f"jungle {__version__}",
        model=" ".join(sorted({card.picture.model for card in cards})),
        seed=" ".join(str(card.species.seed) for card in cards),
        mix=captions.mix_in_words(one.species.mix) if one else "",
    )


def _pages(
    jungle: Path, cards: Sequence[Postcard], page: Layout, addresses: Sequence[str]
) -> Iterator[Callable[[PrintCanvas], None]]:
    """What draws each page: fronts, then the backs of the same cards."""
    every = len(page.cells)
    for first in range(0, len(cards), every):
        sheet = cards[first : first + every]
        links = addresses[first : first + every]
        yield partial(_side, jungle=jungle, cards=sheet, page=page, links=None)
        yield partial(_side, jungle=jungle, cards=sheet, page=page, links=links)


def _side(
    pen: PrintCanvas,
    jungle: Path,
    cards: Sequence[Postcard],
    page: Layout,
    links: Sequence[str] | None,
) -> None:
    """One side of a sheet with the fronts of ``cards``, or their backs with ``links``."""
    sheet = Sheet(page.card, page.bleed / page.scale, page.scale)

    for index, card in enumerate(cards):
        cell = page.cells[index] if links is None else page.back(index)
        picture = raster.open_master(jungle, card)
        with pen.at(cell.x, cell.y, scale=page.scale):
            pen.clip(Box(0, 0, *page.card).grown(sheet.bleed))
            if links is None:
                draw_front(pen, card, picture, sheet)
            else:
                draw_back(pen, card, picture, sheet, links[index])

    # The marks come last, above every bleed.
    for x1, y1, x2, y2 in page.marks():
        pen.line(x1, y1, x2, y2)
    side = "front" if links is None else "back (turn over the long edge)"
    scaled = f" at {100 * page.scale:.0f} %" if page.scale != 1 else ""
    text = f"{side}, {page.card[0]:.4g} x {page.card[1]:.4g} mm{scaled}, bleed {page.bleed:.4g} mm"
    foot = min(page.cells, key=lambda cell: (cell.y, cell.x))
    pen.text(
        foot.x + foot.width / 2,
        foot.y - page.bleed - page.gap - 2.2,
        text,
        ROMAN,
        5,
        align="centre",
    )


def _drawn(size: tuple[float, float], pages: Iterable[Callable[[PrintCanvas], None]]) -> bytes:
    """A PDF as ReportLab writes it, with the date of its choice: that of no day."""
    from reportlab import rl_config
    from reportlab.pdfgen.canvas import Canvas

    # loads the face, so that no page begins with one that is not embedded
    ((first, _),) = runs("x", ROMAN)
    buffer = io.BytesIO()
    # pictures as bytes: as letters they would be a quarter longer
    letters, rl_config.useA85 = (
        rl_config.useA85,
        0,
    )
    try:
        # invariant leaves out dates and random numbers: the same cards give the same bytes.
        canvas = Canvas(
            buffer,
            pagesize=(size[0] * MM, size[1] * MM),
            invariant=1,
            pageCompression=1,
            initialFontName=first,
        )
        for draw in pages:
            canvas.scale(MM, MM)
            draw(PrintCanvas(canvas))
            canvas.showPage()
        canvas.save()
    finally:
        rl_config.useA85 = letters
    return buffer.getvalue()


def _finished(drawn: bytes, trim: Box, bleed: Box, facts: Provenance) -> bytes:
    """With boxes, sRGB as the meaning of every colour, and ``facts``; the file's name for itself
    follows from its content.
    """
    import pikepdf

    with pikepdf.open(io.BytesIO(drawn)) as pdf:
        del pdf.docinfo
        profile = pdf.make_stream(raster.srgb_profile(), N=3, Alternate=pikepdf.Name.DeviceRGB)
        space = pikepdf.Array([pikepdf.Name.ICCBased, profile])

        # Print shops cut by the boxes, and trust colours that have a profile.
        for page in pdf.pages:
            page.trimbox, page.bleedbox, page.cropbox = _points(trim), _points(bleed), page.mediabox
            # PDF 2.0, section 8.6.5.6
            page.resources[pikepdf.Name.ColorSpace] = pikepdf.Dictionary(DefaultRGB=space)
            # all are pictures
            for picture in page.resources.get(pikepdf.Name.XObject, pikepdf.Dictionary()).values():
                picture[pikepdf.Name.ColorSpace] = space
        _tell(pdf, facts)
        out = io.BytesIO()
        pdf.save(
            out,
            deterministic_id=True,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            min_version="1.7",
        )
        return out.getvalue()


def _points(box: Box) -> Any:
    import pikepdf

    return pikepdf.Array(
        [round(item * MM, 3) for item in (box.x, box.y, box.x + box.width, box.y + box.height)]
    )


def _tell(pdf: Any, facts: Provenance) -> None:
    """The facts as XMP, and those that old readers look for in the information dictionary."""
    import pikepdf

    pdf.Root.Lang = pikepdf.String("en")

    # --metadata none leaves the file without a word of its origin.
    if not facts.told():
        return
    pdf.Root.Metadata = pdf.make_stream(
        provenance_packet(facts), Type=pikepdf.Name.Metadata, Subtype=pikepdf.Name.XML
    )
    told = {
        "/Title": facts.title,
        "/Author": facts.credit,
        "/Subject": facts.description,
        "/Creator": facts.software,
    }
    for name, text in told.items():
        if text:
            pdf.docinfo[name] = pikepdf.String(text)
    if facts.title:
        pdf.Root.ViewerPreferences = pikepdf.Dictionary(DisplayDocTitle=True)
