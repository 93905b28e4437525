"""The site as files: what is built, what is built again, what is refused, and what a host would
break.
"""

import base64
import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import partial
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from cards import make_cards
from conftest import TESTS, listing
from jinja2 import Environment, UndefinedError, nodes
from PIL import Image

import jungle.site
from jungle.encoding import provenance
from jungle.errors import BadInput
from jungle.records import Glyphs, Postcard
from jungle.site import check, feed, render, share_image, viewing
from jungle.site import images as renditions
from jungle.site.build import SiteReport, SiteSettings, build_site
from jungle.site.check import check_site
from jungle.site.dictionary import entries
from jungle.site.images import Fixed
from jungle.site.incremental import LEDGER, BuildStep, bring_up_to_date, open_folder
from jungle.site.sanitize import sanitize
from jungle.site.worker_pool import run_in_processes
from jungle.storage.build_cache import BuildCache

QUICK = SiteSettings(
    title="My jungle",
    world="Mist & fig trees.",
    base_url="https://me.github.io/jungle",
    encoder=Fixed(),
    workers=1,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Postcard]]:
    """Four postcards of two different pictures, for everybody to read."""
    folder = tmp_path_factory.mktemp("jungle")
    return folder, make_cards(folder, 4, distinct=2, size=192)


@pytest.fixture(scope="module")
def site(world: tuple[Path, list[Postcard]]) -> Path:
    """Their site, for everybody to read."""
    folder, cards = world
    build_site(folder, cards, folder / "site", QUICK)
    return folder / "site"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def handed(script: bytes) -> list[object]:
    """The arguments of a JUNGLE.put."""
    text = script.decode()
    assert text.startswith("JUNGLE.put(")
    assert text.endswith(");\n")
    return list(json.loads(f"[{text[11:-3]}]"))


# -------------------------------------------------------------------------------------------------------------
# what is built


def test_every_file_of_the_contract_is_there(
    world: tuple[Path, list[Postcard]], site: Path
) -> None:
    built = contents(site)
    pages = {
        "index.html",
        "dictionary.html",
        "about.html",
        "send.html",
        "404.html",
        "search.js",
        "feed.xml",
        ".nojekyll",
        "build.json",
    }
    assert pages | {"site.js", "site.css"} <= built.keys()
    for card in world[1]:
        name = card.species.slug
        for path in (
            f"c/{name}.html",
            f"c/{name}.js",
            f"c/{name}.call.js",
            f"c/{name}.voice.js",
            f"s/{name}.jpg",
            f"m/{name}-call.webp",
        ):
            assert built[path], path
        assert built[f"m/{name}.opus"] == (world[0] / "postcards" / name / "call.opus").read_bytes()
        assert f"m/{name}.flac" not in built  # the script has it


def test_scripts_hand_over_what_the_record_says(
    world: tuple[Path, list[Postcard]], site: Path
) -> None:
    card, following = world[1][:2]
    name = card.species.slug
    kind, known, value = handed((site / f"c/{name}.js").read_bytes())
    assert (kind, known) == ("card", name)
    assert isinstance(value, dict)
    assert value["name"] == card.species.name
    assert value["notes"] == card.notes
    assert (value["previous"], value["next"], value["volume"]) == (
        world[1][-1].species.slug,
        following.species.slug,
        "index.html",
    )
    assert [word["gloss"] for word in value["phrases"][0]["words"]] == card.phrases[0].gloss.split()
    paths = [path for source in value["picture"]["sources"] for path, _ in source["srcset"]]
    assert all(
        (site / path).is_file()
        for path in [*paths, value["call"]["opus"], value["call"]["spectrogram"], value["page"]]
    )
    flac = handed((site / value["call"]["script"]).read_bytes())
    assert (
        base64.b64decode(str(flac[2])) == (world[0] / "postcards" / name / "call.flac").read_bytes()
    )
    voices = handed((site / value["call"]["voices"]).read_bytes())[2]
    assert isinstance(voices, list)
    assert [base64.b64decode(one)[:4] for one in voices] == [b"OggS"] * len(card.phrases)


def test_search_finds_without_accents(world: tuple[Path, list[Postcard]], site: Path) -> None:
    rows = handed((site / "search.js").read_bytes())[2]
    assert isinstance(rows, list)
    assert [row[:2] for row in rows] == [
        [card.species.slug, number] for number, card in enumerate(world[1], 1)
    ]
    assert render.folded("Čičóẽ ŊGO") in render.folded("a čičóẽ ŋgo b")
    assert render.folded("é") == "e"
    assert render.folded(world[1][2].phrases[0].english) in rows[2][5]


def test_pictures_tell_where_they_come_from_as_much_as_is_wanted(
    world: tuple[Path, list[Postcard]], tmp_path: Path
) -> None:
    folder, cards = world
    out = tmp_path / "site"
    card = cards[0]
    for level, facts in (
        ("full", card.species.name),
        ("none", ""),
        ("credit", ""),
        ("full", card.species.name),
    ):
        build_site(folder, cards[:1], out, dataclasses.replace(QUICK, metadata=level))  # type: ignore[arg-type]
        pictures = [
            path for path in (out / "m").iterdir() if path.suffix in (".avif", ".webp", ".jpg")
        ] + [*(out / "s").iterdir()]
        found = [provenance.read_provenance(path.read_bytes()) for path in pictures]
        assert {one.title for one in found} == {facts}
        assert all(bool(one.credit) == (level != "none") for one in found)
        assert (card.call.prompt in (out / "c" / f"{card.species.slug}.html").read_text()) == (
            level == "full"
        )


def test_masters_are_published_when_asked_for(
    world: tuple[Path, list[Postcard]], tmp_path: Path
) -> None:
    folder, cards = world
    build_site(folder, cards[:1], tmp_path / "site", dataclasses.replace(QUICK, masters=True))
    name = cards[0].species.slug
    with (
        Image.open(tmp_path / "site" / "m" / f"{name}.png") as own,
        Image.open(folder / "postcards" / name / "picture.png") as master,
    ):
        assert own.tobytes() == master.tobytes()
    assert (tmp_path / "site" / "m" / f"{name}.flac").read_bytes() == (
        folder / "postcards" / name / "call.flac"
    ).read_bytes()
    assert check_site(tmp_path / "site").problems == ()


def test_volumes_have_names() -> None:
    assert [viewing.volumes(count) for count in (1, 240, 241, 481)] == [
        ("index.html",),
        ("index.html",),
        ("index.html", "v2.html"),
        ("index.html", "v2.html", "v3.html"),
    ]


def test_tint_and_proportions(tmp_path: Path) -> None:
    for colour, size, tint in (
        ((255, 0, 64), (300, 200), 49),
        ((0, 127, 128), (160, 400), 6),
        ((255, 255, 255), (20, 20), 63),
    ):
        Image.new("RGB", size, colour).save(tmp_path / "a.png")
        looks = renditions.looks_of(renditions.pack(tmp_path / "a.png", Fixed()))
        assert (looks.width, looks.height, looks.tint) == (*size, tint)
        assert max(file.width for file in looks.files) <= size[0]
        assert looks.placeholder.startswith("data:image/webp;base64,")


@pytest.mark.parametrize("name", ["bomb.png", "not.png", "missing.png"])
def test_bad_masters_are_refused(tmp_path: Path, name: str) -> None:
    Image.new("1", (5000, 10)).save(tmp_path / "bomb.png")
    (tmp_path / "not.png").write_bytes(b"GIF89a")
    with pytest.raises(BadInput, match=name):
        renditions.open_png(tmp_path / name)


def test_share_pictures_hold_the_names(world: tuple[Path, list[Postcard]]) -> None:
    source = world[0] / "postcards" / world[1][0].species.slug / "picture.png"
    stamp = world[1][0].stamp
    drawn = {}
    for words in (
        ("A", "B c", "D", "T", stamp),
        ("Ω" * 300, "ѣ " * 200, "ა" * 90, "漢" * 90, stamp),
        ("A", "", "", "", Glyphs(text="", width=0, height=0, paths=())),
    ):
        [data] = share_image.share_picture(
            source, share_image.ShareTexts(*words), provenance.Provenance()
        )
        picture = Image.open(io.BytesIO(data))
        assert picture.size == (1200, 630)
        right = picture.crop((1150, 0, 1200, 630)).convert("L").getextrema()
        assert right[0] > 220, "nothing runs over the right edge"
        drawn[words[0][:1] + words[1][:1]] = (
            picture.crop((620, 60, 1150, 580)).convert("L").histogram()
        )
    assert sum(drawn["Ωѣ"][:100]) > sum(drawn["AB"][:100]) > sum(drawn["A"][:100]) > 0


# ------------------------------------------------------------------------------------------------------------
# what is built again


def test_a_second_build_writes_nothing_and_a_change_only_what_it_touches(
    world: tuple[Path, list[Postcard]], tmp_path: Path
) -> None:
    folder, cards = world
    out = tmp_path / "site"
    first = build_site(folder, cards, out, QUICK)
    before = listing(out)
    again = build_site(folder, cards, out, QUICK)
    assert (again.written, again.removed, again.unchanged) == (0, 0, first.written)
    assert listing(out) == before
    changed = [
        cards[0],
        dataclasses.replace(cards[1], call_in_words="A long, low hoot."),
        *cards[2:],
    ]
    report = build_site(folder, changed, out, QUICK)
    touched = {name for name, facts in listing(out).items() if facts != before[name] and facts[0]}
    name = cards[1].species.slug
    assert {str(out / "c" / f"{name}.html"), str(out / "c" / f"{name}.js")} <= touched
    assert touched <= {
        str(out / path)
        for path in (
            f"c/{name}.html",
            f"c/{name}.js",
            "build.json",
            "index.html",
            "feed.xml",
            "search.js",
        )
    }
    assert report.written == len(touched) - 1
    fewer = build_site(folder, [cards[0], *changed[2:]], out, QUICK)
    assert fewer.removed > 8
    assert not [path for path in contents(out) if f"/{name}." in path or f"/{name}-" in path]
    build_site(folder, [cards[0], *changed[2:]], tmp_path / "anew", QUICK)
    assert contents(out) == contents(tmp_path / "anew")


def test_two_builds_are_identical_with_any_number_of_processes(
    world: tuple[Path, list[Postcard]], site: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    cards = make_cards(copy, 4, distinct=2, size=192)
    assert cards == world[1]
    build_site(copy, cards, tmp_path / "out", QUICK)
    assert contents(tmp_path / "out") == contents(site)
    tasks = [(partial(pow, 3, number), number % 3 > 0) for number in range(12)]
    assert list(run_in_processes(tasks, 2)) == [3**number for number in range(12)]


def test_pictures_are_encoded_once(
    world: tuple[Path, list[Postcard]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cards = world
    seen: list[tuple[int, ...]] = []
    encode = Fixed.__call__
    monkeypatch.setattr(
        Fixed, "__call__", lambda self, master: (seen.append(master.shape), encode(self, master))[1]
    )
    build_cache = BuildCache(tmp_path)
    told: list[int] = []
    build_site(folder, cards, tmp_path / "one", QUICK, told.append, build_cache)
    assert (len(seen), sum(told)) == (2, 4)  # two of the four are the same picture
    build_site(
        folder,
        cards[::-1],
        tmp_path / "two",
        dataclasses.replace(QUICK, title="Renamed", metadata="credit"),
        told.append,
        build_cache,
    )
    assert (len(seen), sum(told)) == (2, 8)


def test_an_interrupted_build_leaves_a_whole_site_and_goes_on(
    world: tuple[Path, list[Postcard]], site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cards = world
    out = tmp_path / "site"
    replace = Path.replace

    def power_cut(self: Path, target: Path) -> Path:
        if self.name == "file" and not budget.pop():
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", power_cut)
    for whole in (1, 9, 20, 25):
        budget = [0, *[1] * whole]
        with pytest.raises(KeyboardInterrupt):
            build_site(folder, cards, out, QUICK)
        assert all(data for path, data in contents(out).items() if path != ".nojekyll"), (
            "no half file"
        )
    monkeypatch.setattr(Path, "replace", replace)
    build_site(folder, cards, out, QUICK)
    assert contents(out) == contents(site)


def test_a_build_that_is_cut_off_while_it_changes_back_is_not_believed(tmp_path: Path) -> None:
    def batch(text: bytes) -> BuildStep:
        return BuildStep(("a.txt",), text.decode(), lambda: [text])

    def stop(batches: object) -> list[list[bytes]]:
        # written, and killed before the ledger knows
        (tmp_path / "site" / "a.txt").write_bytes(b"two")
        raise KeyboardInterrupt

    out = tmp_path / "site"
    bring_up_to_date(out, open_folder(out), [batch(b"one")])
    with pytest.raises(KeyboardInterrupt):
        bring_up_to_date(out, open_folder(out), [batch(b"two")], stop)
    bring_up_to_date(out, open_folder(out), [batch(b"one")])
    assert (out / "a.txt").read_bytes() == b"one"


@pytest.mark.slow
def test_a_killed_build_is_finished_by_the_same_command(
    world: tuple[Path, list[Postcard]], site: Path, tmp_path: Path
) -> None:
    folder, cards = world
    out = tmp_path / "site"
    code = f"""
import os, sys
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / "site")!r}]
from pathlib import Path
import json
from jungle.site import incremental
from jungle.site.build import build_site
from jungle.records import postcard_from_json
from test_site_build import QUICK
put = incremental._put
def dying(path, data, part, left=[20]):
    left[0] -= 1
    if not left[0]:
        part.write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), 9)
    return put(path, data, part)
incremental._put = dying
folder, names = Path({str(folder)!r}), {[card.species.slug for card in cards]!r}
cards = [postcard_from_json(json.loads((folder / "postcards" / name / "record.json").read_text())) for name in names]
build_site(folder, cards, Path({str(out)!r}), QUICK)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == -9, done.stderr
    assert not (out / "index.html").exists()
    build_site(folder, cards, out, QUICK)
    assert contents(out) == contents(site)


# ------------------------------------------------------------------------------------------------------------------
# what is refused


def test_folders_that_are_not_ours_are_refused(
    world: tuple[Path, list[Postcard]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cards = world
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    (tmp_path / "home").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("do not touch")
    (tmp_path / "file").write_text("")
    for out in (Path("/"), tmp_path / "home", tmp_path / "theirs", tmp_path / "file", folder):
        with pytest.raises(BadInput, match=r"out|damaged"):
            build_site(folder, cards[:1], out, QUICK)
    assert (tmp_path / "theirs" / "thesis.txt").read_text() == "do not touch"
    assert [*(tmp_path / "home").iterdir()] == []


def test_files_beside_ours_stay_and_are_never_overwritten(
    world: tuple[Path, list[Postcard]], tmp_path: Path
) -> None:
    folder, cards = world
    out = tmp_path / "site"
    out.mkdir()
    (out / "CNAME").write_text("jungle.example")
    build_site(folder, cards[:1], out, QUICK)
    (out / "c" / "notes.txt").write_text("mine")
    (out / f"c/{cards[1].species.slug}.html").write_text("mine too")
    with pytest.raises(BadInput, match="in the way"):
        build_site(folder, cards[:2], out, QUICK)
    (out / f"c/{cards[1].species.slug}.html").unlink()
    build_site(folder, cards[1:2], out, QUICK)
    assert (out / "CNAME").read_text() == "jungle.example"
    assert (out / "c" / "notes.txt").read_text() == "mine"


def test_links_lead_nowhere(world: tuple[Path, list[Postcard]], tmp_path: Path) -> None:
    folder, cards = world
    out, outside = tmp_path / "site", tmp_path / "outside"
    build_site(folder, cards[:1], out, QUICK)
    (out / "m").rename(outside)
    (out / "m").symlink_to(outside)
    before = listing(outside)
    with pytest.raises(BadInput, match="is a link"):
        build_site(folder, cards[1:2], out, QUICK)
    assert listing(outside) == before


@pytest.mark.parametrize(
    "path",
    [
        "../thesis.txt",
        "/etc/passwd",
        "c/../../thesis.txt",
        "c//x",
        "..",
        "c/\u202e",
        "a" * 300,
        "c\\x",
    ],
)
def test_a_forged_ledger_removes_nothing(
    world: tuple[Path, list[Postcard]], tmp_path: Path, path: str
) -> None:
    folder, cards = world
    (tmp_path / "thesis.txt").write_text("do not touch")
    out = tmp_path / "site"
    out.mkdir()
    (out / LEDGER).write_text(json.dumps({"form": 1, "files": {path: ["", 0]}}))
    with pytest.raises(BadInput, match="delete the folder"):
        build_site(folder, cards[:1], out, QUICK)
    assert (tmp_path / "thesis.txt").read_text() == "do not touch"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"form": 2, "files": {}}',
        '{"form": 1, "files": {"a": 1}}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_damaged_ledger_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / LEDGER).write_text(text, encoding="latin-1")
    with pytest.raises(BadInput, match="delete the folder"):
        open_folder(tmp_path)


def test_records_that_cannot_be_published(
    world: tuple[Path, list[Postcard]], tmp_path: Path
) -> None:
    folder, [card, *_] = world
    species, call = card.species, card.call
    wrong = [
        dataclasses.replace(card, species=dataclasses.replace(species, slug="../x")),
        dataclasses.replace(card, species=dataclasses.replace(species, slug="a" * 65)),
        dataclasses.replace(card, master="../../secret.png"),
        dataclasses.replace(card, master="missing.png"),
        dataclasses.replace(
            card, phrases=(dataclasses.replace(card.phrases[0], file="/etc/passwd"),)
        ),
        dataclasses.replace(
            card, colours=(dataclasses.replace(card.colours[0], hex="red;}</style>"),)
        ),
        dataclasses.replace(
            card, stamp=dataclasses.replace(card.stamp, paths=('M0 0"/><script>',))
        ),
        dataclasses.replace(card, stamp=dataclasses.replace(card.stamp, width=float("nan"))),
        dataclasses.replace(card, call=dataclasses.replace(call, seconds="1</script>")),  # type: ignore[arg-type]
        dataclasses.replace(card, notes=7),  # type: ignore[arg-type]
    ]
    for one in wrong:
        with pytest.raises(BadInput):
            build_site(folder, [one], tmp_path / "site", QUICK)
    for cards in ([], [card, card]):
        with pytest.raises(BadInput):
            build_site(folder, cards, tmp_path / "site", QUICK)
    for base in ("javascript:alert(1)", "https://a/?q", 'https://a/"x', "//a.b/", "https://a b/"):
        with pytest.raises(BadInput, match="base address"):
            build_site(folder, [card], tmp_path / "site", dataclasses.replace(QUICK, base_url=base))
    assert not (tmp_path / "site").exists()


# ---------------------------------------------------------------------------------------------------------------------
# pages


def test_more_than_a_volume_is_cut_into_sections_and_pages(
    world: tuple[Path, list[Postcard]],
) -> None:
    card = world[1][0]
    looks = renditions.ImageManifest(10, 10, 0, "", (renditions.RenditionFile("jpeg", 10, 1),))
    views = [
        viewing.card_view(card, number, looks, masters=False, prompts=False)
        for number in range(1, 301)
    ]
    assert [len(section) for section in viewing.sections(views, 1)] == [48] * 5
    assert [section[0].number for section in viewing.sections(views, 2)] == [241, 289]
    assert len(viewing.sections(views, 2)[1]) == 12


def test_words_stand_over_glosses_only_where_they_match(world: tuple[Path, list[Postcard]]) -> None:
    phrase = dataclasses.replace(
        world[1][0].phrases[0], text="a b", parts="a b", gloss="one", ipa=""
    )
    [one] = [viewing._phrase(phrase)]
    assert [(word.text, word.parts, word.gloss, word.ipa) for word in one.words] == [
        ("a", "a", "", ""),
        ("b", "b", "", ""),
    ]


class Tags(HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_pages_load_nothing_from_elsewhere_and_nothing_inline(site: Path) -> None:
    for path in site.rglob("*.html"):
        for tag, attributes in Tags(path.read_text(encoding="utf-8")).tags:
            assert tag != "style"
            assert tag != "script" or attributes.get("src"), path
            assert not [name for name in attributes if name.startswith("on") or name == "style"], (
                path,
                tag,
                attributes,
            )
            loaded = [attributes.get(name) or "" for name in ("src", "srcset", "poster")]
            loaded += (
                [attributes["href"] or ""]
                if tag == "link" and attributes.get("rel") in ("stylesheet", "icon", "preload")
                else []
            )
            # Hosts show 404.html in place of any page, so that its addresses are whole
            own = QUICK.base_url if path.name == "404.html" else ""
            assert not [
                address
                for address in loaded
                if "//" in address and not (own and address.startswith(f"{own}/"))
            ], (path, tag)
        assert "Content-Security-Policy" in path.read_text(encoding="utf-8")


def test_templates_keep_the_rules() -> None:
    folder = resources.files(jungle.site).joinpath("templates")
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8")
        for pattern in (
            r"\|\s*safe\b",
            r"Markup\(",
            r"autoescape",
            r"=\s*\{\{",
            r"<style",
            r"<script(?![^>]*\ssrc=)",
            r"\sstyle=",
            r"\son[a-z]+=",
        ):
            assert not re.search(pattern, text), f"{file.name}: {pattern}"
        tree = Environment().parse(text)
        assert not [
            one for one in tree.find_all(nodes.Filter) if one.name in ("safe", "tojson", "xmlattr")
        ], file.name
    with pytest.raises(UndefinedError):
        render.environment().from_string("{{ card.nonsense }}").render(card=object())
    assert (
        render.environment().from_string("{{ a }}").render(a="<&\"'>") == "&lt;&amp;&#34;&#39;&gt;"
    )


def test_the_dictionary_has_every_word_of_the_family(
    world: tuple[Path, list[Postcard]], site: Path, tmp_path: Path
) -> None:
    words = json.loads((world[0] / "language" / "lexicon.json").read_text(encoding="utf-8"))[
        "words"
    ]
    page = (site / "dictionary.html").read_text(encoding="utf-8")
    missing = [one["word"] for one in words if one["word"].replace("'", "&#39;") not in page]
    assert not missing
    for text in ("{", '{"words": [{}]}', '{"words": 7}'):
        (tmp_path / "language").mkdir(exist_ok=True)
        (tmp_path / "language" / "lexicon.json").write_text(text)
        with pytest.raises(BadInput, match="dictionary"):
            entries(tmp_path / "language" / "lexicon.json")


def test_the_feed_is_atom(site: Path, world: tuple[Path, list[Postcard]]) -> None:
    space = {"a": "http://www.w3.org/2005/Atom"}
    root = ET.parse(site / "feed.xml").getroot()
    entries = root.findall("a:entry", space)
    assert [one.findtext("a:title", namespaces=space) for one in entries] == [
        card.species.name for card in world[1]
    ][::-1]
    for one in (root, *entries):
        for name in ("id", "title", "updated"):
            assert one.findtext(f"a:{name}", namespaces=space)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT12:00:00Z", one.findtext("a:updated", "", space))
    assert (
        entries[0].find("a:link", space).get("href")
        == f"https://me.github.io/jungle/c/{world[1][-1].species.slug}.html"
    )  # type: ignore[union-attr]
    assert [
        feed.moment(date) for date in ("12 Mar", "3 August 2027", "31 Feb", "tomorrow", "2 Foo", "")
    ] == ["2026-03-12T12:00:00Z", "2027-08-03T12:00:00Z", *["2026-01-01T12:00:00Z"] * 4]


# ----------------------------------------------------------------------------------------------------------------------
# checks


def test_a_built_site_passes(site: Path) -> None:
    found = check_site(site)
    assert found.problems == ()
    budget = {row.kind: row for row in found.budget}
    assert budget["pictures"].raw == sum(
        path.stat().st_size for path in site.rglob("*") if path.suffix in (".avif", ".webp", ".jpg")
    )
    assert budget["HTML"].packed < budget["HTML"].raw / 2
    assert found.first > (site / "site.js").stat().st_size / 10
    assert len(found.table()) == len(budget) + 3


def test_a_host_would_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "C").mkdir()
    page = (
        '<img src="/a.png"><img src="m/None.png"><a href="C/Page.html#x">x</a><a '
        'href="mailto:x">x</a><a href="#x">x</a>'
    )
    page += '<img srcset="x.webp 1w, y.webp 2w">'
    (tmp_path / "index.html").write_text(page)
    (tmp_path / "C" / "page.html").write_text(
        '<a href="../index.html?q#x">x</a><a href="../../out.html">x</a>'
    )
    (tmp_path / "x.webp").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    (tmp_path / "X.webp").write_bytes(b"1")
    (tmp_path / "_y.css").write_text(
        "a{background:url('data:x url(z)');src:url(gone.woff2) url( \"x.webp\" )}"
    )
    (tmp_path / "y.webp").symlink_to("x.webp")
    with (tmp_path / "huge.bin").open("wb") as file:
        file.truncate(101 * 2**20)
    monkeypatch.setattr(check, "SITE_LIMIT", 10**8)
    found = {(one.path, one.what.split(":")[0]) for one in check_site(tmp_path).problems}
    wanted = [
        ("index.html", "absolute path '/a.png'"),
        ("index.html", "'m/None.png', which does not exist"),
        ("index.html", "'C/Page.html#x', but the file is called 'C/page.html'"),
        ("index.html", "y.webp"),
        ("index.html", "shared links"),
        ("C/page.html", "../../out.html"),
        ("x.webp", "LFS"),
        ("x.webp", "upper and lower"),
        ("X.webp", "upper and lower"),
        ("_y.css", "Jekyll"),
        ("_y.css", "gone.woff2"),
        ("y.webp", "is a link"),
        ("huge.bin", "101 MiB"),
        (".", "MB in all"),
    ]
    for path, words in wanted:
        assert [one for one in found if one[0] == path and words in one[1]], (path, words)
    assert len(found) == len(wanted)
    with pytest.raises(BadInput, match=r"index\.html"):
        check_site(tmp_path / "C")


def test_texts_are_made_plain() -> None:
    for text, plain in (
        ("a\u202eb\u2066c\u200bd\u00ade\ufeff", "abcde"),
        ("a\u2028b\u2029c\x85d\te\r\nf", "a b c d e f"),
        ("n\u0303", "ñ"),
        ("\x00\x1b[31m", "[31m"),
        ("\ud800x\udfff", "x"),
        ("a" + "\u0301" * 50, "á" + "\u0301" * 4),
        ("  a  ", "a"),
        ("שלום", "שלום"),
        ("", ""),
        ("x" * 61, "x" * 59 + "…"),
    ):
        assert sanitize(text, 60) == plain
        assert sanitize(sanitize(text, 60), 60) == sanitize(text, 60)


def test_a_report_counts(world: tuple[Path, list[Postcard]], site: Path) -> None:
    report = build_site(world[0], world[1], site, QUICK)
    built = contents(site)
    assert isinstance(report, SiteReport)
    assert report.pages == sum(path.endswith(".html") for path in built)
    assert report.unchanged == len(built) - 1
    assert report.bytes == sum(map(len, built.values())) - len(built[LEDGER])
