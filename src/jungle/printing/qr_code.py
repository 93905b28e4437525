"""A QR code (ISO/IEC 18004) of a card's page, drawn as rectangles."""

import re
from urllib.parse import quote, urlsplit

from ..errors import BadInput
from .canvas import BLACK, PrintCanvas
from .paper import Box

QUIET = 4  # modules that stay empty around it (section 6.3.8)


def address(base_url: str, slug: str) -> str:
    """The address of a card's page on the site at ``base_url``; empty without one.

    Raises:
        BadInput: that is no address of a web site.
    """
    if not base_url:
        return ""

    try:
        parts = urlsplit(base_url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False

    # An address with a query or odd letters would scan on some telephones only.
    if (
        not good
        or len(base_url) > 200
        or re.search(r"[^!-~]", base_url)
        or parts.query
        or parts.fragment
    ):
        raise BadInput(
            f"'{base_url[:80]}' is no address of a site: give <--base-url> one like "
            "https://me.github.io/jungle/"
        )

    return f"{base_url.rstrip('/')}/c/{quote(slug, safe='')}.html"


def draw_qr(pen: PrintCanvas, text: str, box: Box) -> None:
    """``text`` as a code that fills ``box``, its quiet zone included: as few modules as will do,
    and the best correction that they hold.
    """
    import segno

    rows = [bytes(row) for row in segno.make_qr(text, error="l", boost_error=True).matrix]
    module = box.width / (len(rows) + 2 * QUIET)
    for index, row in enumerate(rows):
        y = box.y + box.height - (QUIET + index + 1) * module
        for run in re.finditer(rb"\x01+", row):
            x = box.x + (QUIET + run.start()) * module
            # no hair between the rows
            pen.fill(Box(x, y, (run.end() - run.start()) * module, 1.02 * module), BLACK)
