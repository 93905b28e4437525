"""Text that attacks: in every field of a record, through every page and script of the site, and
once in a real browser.
"""

import dataclasses
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cards import make_cards

from jungle.records import Call, Colour, Glyphs, Phrase, Picture, Postcard, Species
from jungle.site import feed, render, viewing
from jungle.site.build import SiteSettings, build_site
from jungle.site.images import Fixed, ImageManifest, RenditionFile
from jungle.site.sanitize import LINE, MESSAGE, NAME, PHRASE, sanitize, sanitize_card
from jungle.site.views import CardView, DictionaryEntry, SiteView

ATTACKS = json.loads(Path(__file__).with_name("attacks.json").read_text(encoding="utf-8"))
WRAPS = ("{}", '">{}', "'>{}", "x{}x")
PAYLOADS = tuple(dict.fromkeys(wrap.replace("{}", attack) for wrap in WRAPS for attack in ATTACKS))[
    :500
]
# checked, not printed: test_site.py has what happens to them
FIXED = {
    "slug",
    "file",
    "hex",
    "master",
    "paths",
    "plan",
}
OURS = {
    "href",
    "src",
    "srcset",
    "sizes",
    "id",
    "class",
    "type",
    "rel",
    "http-equiv",
    "content-security-policy",
    "data-script",
    "data-card",
    "width",
    "d",
}


def poisoned(value: Any, text: str) -> Any:
    """The record with ``text`` in every field that holds a text."""
    found = {}
    for field in dataclasses.fields(value):
        old = getattr(value, field.name)
        if field.name in FIXED:
            continue
        if isinstance(old, str):
            found[field.name] = text
        elif isinstance(old, dict):
            found[field.name] = dict.fromkeys([text], 1.0)
        elif isinstance(old, tuple) and field.name not in ("loop",):
            found[field.name] = tuple(
                text if isinstance(one, str) else poisoned(one, text) for one in old
            )
        elif dataclasses.is_dataclass(old):
            found[field.name] = poisoned(old, text)
    return dataclasses.replace(value, **found)


PLAIN = Postcard(
    species=Species(
        slug="plain",
        name="a",
        seed=1,
        mix={"a": 1.0},
        voice="a",
        binomial="a",
        habitat="a",
        traits=("a",),
    ),
    own_name="a",
    language="a",
    family="a",
    picture=Picture(
        file="p.png",
        width=64,
        height=64,
        seed=1,
        mix={"a": 1.0},
        model="a",
        solver="a",
        steps=1,
        guidance=1.0,
        species="a",
    ),
    call=Call(
        file="c.wav",
        seconds=1.0,
        rate=48_000,
        seed=1,
        take=1,
        mix={"a": 1.0},
        engine="a",
        model="a",
        prompt="a",
        notes=("a",),
    ),
    phrases=(
        Phrase(
            text="a",
            parts="a",
            gloss="a",
            ipa="a",
            english="a",
            intent="a",
            mood="a",
            plan={},
            provenance="a",
        ),
    ),
    stamp=Glyphs(text="a", width=40.0, height=40.0, paths=("M0 0L1 1",)),
    colours=(Colour(name="a", hex="#123456", share=1.0),),
    alt="a",
    call_in_words="a",
    notes="a",
    postmark=("a", "a"),
)
LOOKS = ImageManifest(
    512,
    512,
    5,
    "data:image/webp;base64,AA==",
    (RenditionFile("avif", 512, 1), RenditionFile("jpeg", 512, 1)),
)


def site_of(text: str) -> SiteView:
    short, pairs = sanitize(text, NAME), ((sanitize(text, LINE), sanitize(text, MESSAGE)),)
    entry = DictionaryEntry(
        word=short, ipa=short, english=short, kind=short, made_of=sanitize(text), gloss=short
    )
    return SiteView(
        title=short,
        world=sanitize(text, MESSAGE),
        base_url="https://me.github.io/",
        version="1",
        count=1,
        volumes=("index.html",),
        language=short,
        ledger=pairs,
        models=pairs,
        credits=pairs,
        dictionary=(entry,),
    )


def view_of(text: str) -> CardView:
    return viewing.card_view(
        sanitize_card(poisoned(PLAIN, text)), 1, LOOKS, masters=False, prompts=True
    )


class Skeleton(HTMLParser):
    """A page without its texts: elements, attribute names, and the values of those attributes that
    no text may reach.
    """

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.bones: list[Any] = []
        self.words: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.bones.append((tag, [(name, value if name in OURS else None) for name, value in attrs]))
        self.words += [value or "" for _, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.bones.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.bones.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.bones.append(decl)

    def handle_pi(self, data: str) -> None:
        self.bones.append("instruction")

    def unknown_decl(self, data: str) -> None:
        self.bones.append("declaration")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def pages(text: str) -> Iterator[tuple[str, bytes]]:
    site, card = site_of(text), view_of(text)
    yield (
        "card.html",
        render.page("card.html", site=site, card=card, previous=card, next=card, root="../"),
    )
    yield "index.html", render.page("index.html", site=site, sections=[[card]], volume=1, root="")


def harmless(text: str) -> str:
    """As long, with the same spaces and the same letters alike, and nothing but letters."""
    return "".join(character if character == " " else "x" for character in text)


def test_there_are_500_payloads() -> None:
    assert len(PAYLOADS) == 500


@pytest.mark.parametrize("part", range(10))
def test_pages_keep_their_bones(part: int) -> None:
    for text in PAYLOADS[part::10]:
        plain = dict(pages(harmless(sanitize(text, MESSAGE))))
        for name, page in pages(text):
            found = Skeleton(page)
            assert found.bones == Skeleton(plain[name]).bones, (name, text)
            for expected in (sanitize(text, NAME), sanitize(text, MESSAGE)):
                assert any(expected in words for words in found.words), (name, text)


def test_pages_of_the_whole_site_keep_their_bones() -> None:
    for text in PAYLOADS[::10]:
        for name in ("dictionary.html", "about.html", "send.html", "404.html"):
            plain = render.page(name, site=site_of(harmless(sanitize(text, MESSAGE))), root="")
            assert (
                Skeleton(render.page(name, site=site_of(text), root="")).bones
                == Skeleton(plain).bones
            ), (name, text)


def test_scripts_parse_back_to_the_text() -> None:
    for text in PAYLOADS:
        card = view_of(text)
        script = render.put(
            "card", "plain", viewing.card_json(card, "plain", "plain", "index.html")
        )
        search = render.put("search", "all", [viewing.search_row(card, "index.html")])
        for data in (script, search):
            assert not {"<", ">", "\u2028", "\u2029"} & set(data.decode())
        value = json.loads(b"[" + script.removeprefix(b"JUNGLE.put(").removesuffix(b");\n") + b"]")[
            2
        ]
        assert value["name"] == sanitize(text, NAME)
        assert value["notes"] == sanitize(text, MESSAGE)
        assert value["phrases"][0]["text"] == sanitize(text, PHRASE)
        assert value["colours"][0]["name"] == sanitize(text, NAME)
    assert (
        json.loads(render.script_json("\u2028</script><!--&\U0001f600"))
        == "\u2028</script><!--&\U0001f600"
    )
    with pytest.raises(ValueError, match="JSON"):
        render.script_json(float("nan"))


def test_the_feed_stays_xml() -> None:
    for text in PAYLOADS:
        root = ElementTree.fromstring(feed.feed(site_of(text), [view_of(text)]))
        assert root.findtext("{*}entry/{*}title") == sanitize(text, NAME) or not sanitize(
            text, NAME
        )
        assert [one.tag.split("}")[1] for one in root] == [
            "id",
            "title",
            "updated",
            "link",
            "link",
            "author",
            "entry",
        ]


# -----------------------------------------------------------------------------------------------------------------
# a real browser

pytest_plugins = ["browsers"]


@pytest.mark.slow
def test_nothing_runs_and_nothing_overflows_in_a_browser(chromium: Any, tmp_path: Path) -> None:
    texts = PAYLOADS[:: len(PAYLOADS) // 48][:48]
    cards = [
        poisoned(card, text)
        for card, text in zip(
            make_cards(tmp_path, len(texts), distinct=2, size=160), texts, strict=True
        )
    ]
    pairs = tuple((text, text) for text in texts)
    settings = SiteSettings(
        title=texts[3],
        world=texts[7],
        models=pairs,
        credits=pairs,
        ledger=pairs,
        encoder=Fixed(),
        workers=1,
    )
    out = tmp_path / "site"
    build_site(tmp_path, cards, out, settings)
    wrong: list[str] = []
    page = chromium.new_page(viewport={"width": 320, "height": 640})
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on(
        "console",
        lambda line: (
            wrong.append(f"console {line.text}") if line.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: wrong.append(f"error {error}"))
    page.on(
        "request",
        lambda one: (
            wrong.append(f"request {one.url}")
            if not one.url.startswith(("file:", "data:", "blob:"))
            else None
        ),
    )
    names = [
        "index.html",
        "about.html",
        "dictionary.html",
        "send.html",
        "404.html",
        *(f"c/{card.species.slug}.html" for card in cards),
    ]
    for name in names:
        page.goto((out / name).as_uri())
        page.wait_for_timeout(20)
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= 320, (
            f"{name} is {wide} pixels wide: "
            f"{[text for card, text in zip(cards, texts, strict=True) if card.species.slug in name]}"
        )
    page.goto((out / "index.html").as_uri())
    for number in range(0, len(cards), 6):
        page.evaluate(
            "number => document.querySelectorAll('.cards a.postcard')[number].click()", number
        )
        page.wait_for_timeout(150)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 320
        page.keyboard.press("Escape")
    page.close()
    assert wrong == []
