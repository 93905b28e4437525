"""Postcards on paper: read back by programs and libraries that are not ours."""

import dataclasses
import io
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cards import make_cards
from PIL import Image

from jungle.errors import BadInput, JungleError, MissingExtra
from jungle.language.phonology.segments import CONSONANTS, TONES, VOWELS
from jungle.records import Colour, Glyphs, Postcard

pikepdf = pytest.importorskip("pikepdf")
pytest.importorskip("reportlab")
pytest.importorskip("uharfbuzz")
pytest.importorskip("segno")

from jungle.printing import canvas, paper, qr_code, raster, text_layout  # noqa: E402
from jungle.printing.pdf import make_pdf, write_pdf  # noqa: E402

MM = 72 / 25.4
BASE = "https://me.github.io/jungle/"
EVIL = (
    "<b>&lt;/x</b>\x00\x07\u202egnp.\u2066 Ŵ"
    + "ő" * 300
    + "\U0001f98a漢字\ud800 \u0301"
    + "a\u0301\u0302\u0303" * 40
    + "\n\t(]) Tj ET %"
)


@pytest.fixture(scope="module")
def jungle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Postcard]]:
    folder = tmp_path_factory.mktemp("print")
    return folder, make_cards(folder, 3, seed=5, distinct=1, size=96)


@pytest.fixture(scope="module")
def printed(
    jungle: tuple[Path, list[Postcard]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The PDF of a format, made once."""
    folder = tmp_path_factory.mktemp("pdf")

    def make(kind: str) -> Path:
        path = folder / f"{kind}.pdf"
        if not path.exists():
            cards = jungle[1][:1] if kind in ("a6", "6x4") else jungle[1]
            write_pdf(path, jungle[0], cards, kind, BASE)  # type: ignore[arg-type]
        return path

    return make


def tool(*command: str) -> str:
    """What a program prints; the test is skipped where it is not installed."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(
        command, check=True, capture_output=True, text=True, errors="replace"
    ).stdout


def box(page: object, name: str) -> list[float]:
    return [float(one) / MM for one in page.obj[name]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "size", "bleed"), [("a6", (105.0, 148.0), 3.0), ("6x4", (101.6, 152.4), 3.175)]
)
def test_boxes_of_a_card(
    printed: Callable[[str], Path], kind: str, size: tuple[float, float], bleed: float
) -> None:
    with pikepdf.open(printed(kind)) as pdf:
        assert len(pdf.pages) == 2
        for page in pdf.pages:
            trim, rim, media = box(page, "/TrimBox"), box(page, "/BleedBox"), box(page, "/MediaBox")
            assert (trim[2] - trim[0], trim[3] - trim[1]) == pytest.approx(size, abs=0.01)
            assert [abs(a - b) for a, b in zip(trim, rim, strict=True)] == pytest.approx(
                [bleed] * 4, abs=0.01
            )
            assert media[0] < rim[0] < rim[3] < media[3], "no room for crop marks"


@pytest.mark.parametrize("kind", ["a6", "6x4", "a4", "contact"])
def test_every_picture_has_300_pixels_an_inch_and_a_profile(
    printed: Callable[[str], Path], kind: str
) -> None:
    rows = [
        line.split() for line in tool("pdfimages", "-list", str(printed(kind))).splitlines()[2:]
    ]
    assert len(rows) == {"a6": 2, "6x4": 2, "a4": 6, "contact": 3}[kind]
    assert all(row[5] == "icc" and int(row[12]) >= 300 and int(row[13]) >= 300 for row in rows), (
        rows
    )


@pytest.mark.parametrize("kind", ["a6", "contact"])
def test_fonts_are_embedded_subsets(printed: Callable[[str], Path], kind: str) -> None:
    rows = tool("pdffonts", str(printed(kind))).splitlines()[2:]
    assert len(rows) >= 3
    assert all(re.search(r"^[A-Z]{6}\+.*yes +yes +yes", row) for row in rows), rows


@pytest.mark.parametrize("kind", ["a6", "a4", "contact"])
def test_the_syntax_is_right(printed: Callable[[str], Path], kind: str) -> None:
    assert "No syntax or stream encoding errors" in tool("qpdf", "--check", str(printed(kind)))


@pytest.mark.parametrize("kind", ["a4", "letter"])
def test_four_on_a_sheet_leave_room_for_bleed_and_marks(kind: paper.PaperFormat) -> None:
    page = paper.layout(kind)
    sheet = paper.Box(0, 0, *page.page)
    for number, cell in enumerate(page.cells):
        assert cell.grown(page.bleed).inside(sheet.grown(-paper.PRINTER))
        assert cell.width / cell.height == pytest.approx(105 / 148)
        for other in page.cells[number + 1 :]:  # no card lies in another's bleed
            assert (
                abs(cell.x - other.x) >= cell.width + 2 * page.bleed - 1e-9
                or abs(cell.y - other.y) >= cell.height + 2 * page.bleed - 1e-9
            )
    bleeds = [cell.grown(page.bleed) for cell in page.cells]
    for x1, y1, x2, y2 in page.marks():
        assert all(
            0 <= x <= page.page[0] and 0 <= y <= page.page[1] for x, y in ((x1, y1), (x2, y2))
        )
        middle = ((x1 + x2) / 2, (y1 + y2) / 2)
        assert not any(
            one.x < middle[0] < one.x + one.width and one.y < middle[1] < one.y + one.height
            for one in bleeds
        )


@pytest.mark.parametrize("kind", ["a4", "letter", "a6"])
def test_backs_meet_their_fronts(kind: paper.PaperFormat) -> None:
    """Turned over the long edge, what was x mm from the left is x mm from the right."""
    page = paper.layout(kind)
    for place, front in enumerate(page.cells):
        back = page.back(place)
        assert (back.x, back.y) == pytest.approx((page.page[0] - front.x - front.width, front.y))


def pixels(path: Path, page: int, dpi: int = 100) -> Image.Image:
    out = path.with_suffix(f".{page}")
    tool(
        "pdftoppm",
        "-r",
        str(dpi),
        "-f",
        str(page),
        "-l",
        str(page),
        "-singlefile",
        "-png",
        str(path),
        str(out),
    )
    return Image.open(out.with_name(out.name + ".png")).convert("RGB")


def test_backs_are_printed_where_they_meet_their_fronts(printed: Callable[[str], Path]) -> None:
    """Three cards: the cell that stays white lies at the right of the fronts and at the left of the
    backs.
    """
    front, back = pixels(printed("a4"), 1, 20), pixels(printed("a4"), 2, 20)
    low, left, right = front.height * 2 // 3, front.width // 3, front.width * 2 // 3
    assert front.getpixel((right, low)) == (255, 255, 255) != front.getpixel((left, low))
    assert back.getpixel((left, low)) == (255, 255, 255) != back.getpixel((right, low))


def test_the_bleed_is_inked_to_its_edge_and_the_picture_is_whole(
    tmp_path: Path, jungle: tuple[Path, list[Postcard]]
) -> None:
    card = jungle[1][0]
    place = tmp_path / "postcards" / card.species.slug
    place.mkdir(parents=True)
    # dark at the left
    Image.linear_gradient("L").rotate(90).resize((96, 96)).convert("RGB").save(
        place / "picture.png"
    )
    path = tmp_path / "one.pdf"
    write_pdf(path, tmp_path, [card])
    shown = pixels(path, 1, 254)  # 10 pixels a mm; the trim begins 10 mm from the edges of the page
    row = [shown.getpixel((x, 300))[0] for x in range(shown.width)]  # type: ignore[index]
    assert row[65] == 255 > row[75], "the bleed does not begin 3 mm outside the trim"
    left, right = row[102], row[shown.width - 102]
    assert left < 6 < 249 < right, "an edge of the picture is cut away"
    assert row[80] == pytest.approx(row[120], abs=4), "the bleed does not mirror the picture"
    assert shown.getpixel((75, shown.height - 75)) != (255, 255, 255)


@pytest.mark.parametrize("size", [(96, 48), (48, 96)])
def test_pictures_of_any_shape_keep_it(
    tmp_path: Path, jungle: tuple[Path, list[Postcard]], size: tuple[int, int]
) -> None:
    card = jungle[1][0]
    place = tmp_path / "postcards" / card.species.slug
    place.mkdir(parents=True)
    Image.new("RGB", size, (200, 30, 30)).save(place / "picture.png")
    path = tmp_path / "one.pdf"
    write_pdf(path, tmp_path, [card])
    trimmed = pixels(path, 1, 127).crop((50, 50, 575, 790))
    red = (np.asarray(trimmed)[..., 0] > 180) & (np.asarray(trimmed)[..., 1] < 80)
    (high,), (wide,) = (np.ptp(np.nonzero(red), axis=1, keepdims=True) + 1).tolist()
    assert wide / high == pytest.approx(size[0] / size[1], rel=0.02)


def words(path: Path) -> list[tuple[int, str, list[float]]]:
    """(page, word, [left, top, right, bottom] in mm) as poppler reads them."""
    found, page = [], 0
    for line in tool("pdftotext", "-bbox", str(path), "-").splitlines():
        page += line.strip().startswith("<page ")
        if hit := re.search(
            r'<word xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">(.*)</word>', line
        ):
            found.append((page, hit[5], [float(hit[number]) / MM for number in range(1, 5)]))
    return found


def test_hostile_text_stays_on_the_card(
    tmp_path: Path, jungle: tuple[Path, list[Postcard]]
) -> None:
    card = jungle[1][0]
    evil = dataclasses.replace(
        card,
        species=dataclasses.replace(
            card.species, name=EVIL, binomial=EVIL, mix={EVIL: 0.5, "cat": 0.5}, habitat=EVIL
        ),
        own_name=EVIL,
        language=EVIL,
        family=EVIL[::-1],
        alt=EVIL,
        notes=f"{EVIL} " * 30,
        postmark=(EVIL, EVIL),
        phrases=tuple(
            dataclasses.replace(one, text=EVIL, gloss=EVIL * 3, ipa="", english=EVIL)
            for one in card.phrases
        ),
        stamp=Glyphs(
            text=EVIL,
            width=float("nan"),
            height=-1.0,
            paths=("M1e999 nanL9 9Q", "L", "M-99999 3L4 4e9", EVIL),
        ),
        colours=(
            Colour(name=EVIL, hex="#12345", share=9.0),
            Colour(name="", hex="url(x)", share=-1.0),
        ),
    )
    path = tmp_path / "evil.pdf"
    write_pdf(path, jungle[0], [evil], "a6", BASE)
    with pikepdf.open(path) as pdf:
        assert len(pdf.pages) == 2
    placed = words(path)
    assert len(placed) > 20
    for page, word, (left, top, right, bottom) in placed:
        slug = bottom > 168 - 7 or right < 7  # outside the bleed: what kind of page it is
        assert slug or (left > 12 and top > 12 and right < 113 and bottom < 156), (
            page,
            word,
            left,
            top,
            right,
            bottom,
        )
    everything = tool("pdftotext", str(path), "-")
    assert not [
        one
        for one in everything
        if unicodedata.category(one) in ("Cf", "Cs", "Cc") and one not in "\n\f"
    ]
    assert "<b>" in everything, "markup is shown, not followed"


@pytest.mark.parametrize(
    "text",
    ["", " ", "\x00", "\u0301", "\u202e", "漢字\U0001f98a", "W" * 999, "a b " * 99, "y\u030c" * 50],
)
def test_any_text_can_be_fitted_and_wrapped(text: str) -> None:
    line = text_layout.clean_for_print(text)
    for style in (text_layout.ROMAN, text_layout.DISPLAY, text_layout.HAND):
        shown, size = text_layout.fit_text(line, style, 12, 30, 8)
        assert text_layout.width(shown, style, size) <= 30.001
        lines = text_layout.wrap(line, style, 12, 30, 3)
        assert len(lines) <= 3
        assert all(text_layout.width(one, style, 12) <= 30.001 for one in lines)


def test_clean_keeps_words_and_heaps_no_marks() -> None:
    assert (
        text_layout.clean_for_print("  Qu\u00e9\u200b\n\u0301\u0301\u0301 ")
        == "Qu\u00e9 \u0301\u0301"
    )
    assert text_layout.clean_for_print("x" * 999, 10) == "x" * 9 + "…"


def test_every_sound_and_spelling_has_letters() -> None:
    """In the faces that print it, and not as a box."""
    spelt = "".join(
        letter for one in (*CONSONANTS.values(), *VOWELS.values()) for letter in one.letters
    )
    marked = "".join(
        unicodedata.normalize("NFC", one.letters[0] + tone)
        for one in VOWELS.values()
        for tone in TONES.values()
    )
    ipa = "".join((*CONSONANTS, *VOWELS, *TONES)) + "ˈ."
    for style, text in (
        (text_layout.ROMAN, ipa),
        (text_layout.HAND, spelt + marked),
        (text_layout.ITALIC, (spelt + marked).title()),
    ):
        assert text_layout.MISSING not in "".join(
            piece for _, piece in text_layout.runs(text, style)
        )
    assert text_layout.runs("漢", text_layout.ROMAN) == (
        ("EBGaramond-Regular", text_layout.MISSING),
    )


def test_marks_take_no_room_and_pairs_are_kerned() -> None:
    assert text_layout.width("y\u030c", text_layout.HAND, 10) == pytest.approx(
        text_layout.width("y", text_layout.HAND, 10), rel=1e-3
    )
    apart = text_layout.width("A", text_layout.ROMAN, 10) + text_layout.width(
        "V", text_layout.ROMAN, 10
    )
    assert text_layout.width("AV", text_layout.ROMAN, 10) < apart


def test_strokes_are_those_of_the_script() -> None:
    from jungle.language.script import glyph

    drawn = glyph(("t", "a"))
    again = "".join(f"{command}{x:g} {y:g}" for command, x, y in canvas.strokes(drawn))
    assert again == drawn
    assert list(canvas.strokes("M1 2 3 4C1 1 2 2 3 3Z")) == [("M", 1, 2), ("L", 3, 4)]


def test_the_code_leads_to_the_page_of_the_card(
    printed: Callable[[str], Path], jungle: tuple[Path, list[Postcard]]
) -> None:
    zxing = pytest.importorskip("zxingcpp")
    found = zxing.read_barcodes(pixels(printed("a6"), 2, 200))
    assert [one.text for one in found] == [f"{BASE}c/{jungle[1][0].species.slug}.html"]


def test_no_code_without_an_address(jungle: tuple[Path, list[Postcard]]) -> None:
    assert qr_code.address("", "a") == ""
    assert qr_code.address("https://x.org/a", "é") == "https://x.org/a/c/%C3%A9.html"
    for wrong in (
        "x.org",
        "javascript:alert(1)",
        "https://",
        "https://x.org/\n",
        "https://x.org/?a",
        "file:///etc",
        "http://[",
        "https://é.org",
    ):
        with pytest.raises(BadInput):
            qr_code.address(wrong, "a")


def test_the_same_bytes_twice(
    printed: Callable[[str], Path], jungle: tuple[Path, list[Postcard]]
) -> None:
    make_pdf(jungle[0], jungle[1][1:2], "contact")  # other letters in between
    assert make_pdf(jungle[0], jungle[1][:1], "a6", BASE) == printed("a6").read_bytes()
    assert raster.srgb_profile() == raster.srgb_profile.__wrapped__()


def test_metadata_is_told_as_wanted(jungle: tuple[Path, list[Postcard]]) -> None:
    folder, (card, *_) = jungle
    full, credit, none = (
        make_pdf(folder, [card], "contact", metadata=level) for level in ("full", "credit", "none")
    )  # type: ignore[arg-type]
    with pikepdf.open(io.BytesIO(full)) as pdf, pdf.open_metadata() as told:
        assert pdf.docinfo["/Title"] == told["dc:title"]
        assert told["dc:creator"] == ["Postcards from my jungle"]
        assert told["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"].endswith(
            "/trainedAlgorithmicMedia"
        )
    with pikepdf.open(io.BytesIO(credit)) as pdf, pdf.open_metadata() as told:
        assert told["dc:creator"] == ["Postcards from my jungle"]
        assert "dc:title" not in told
        assert list(pdf.docinfo) == ["/Author"]
    with pikepdf.open(io.BytesIO(none)) as pdf:
        assert "/Metadata" not in pdf.Root
        assert "/Info" not in pdf.trailer
    assert not re.search(rb"(?i)reportlab|pikepdf|\d{14}", none)


def test_what_cannot_be_printed_is_one_sentence(
    tmp_path: Path, jungle: tuple[Path, list[Postcard]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cards = jungle
    for arguments in (
        (folder, []),
        (folder, cards, "a5"),
        (folder, cards, "a6", "x"),
        (folder, cards, "a6", "", "some"),
        (tmp_path, cards),
    ):
        with pytest.raises(BadInput, match=r"^[^\n]+$"):
            make_pdf(*arguments)  # type: ignore[arg-type]
    monkeypatch.setitem(__import__("sys").modules, "segno", None)
    with pytest.raises(MissingExtra, match=r"\[print\]"):
        make_pdf(folder, cards)
    with pytest.raises(JungleError):
        write_pdf(tmp_path / "x.pdf", folder, cards)
    assert not list(tmp_path.iterdir())
