"""The site for everybody: without script, by keyboard, at 320 pixels, for axe; its two renderers
agree; letters and stars are kept safe.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from browsers import COUNT, MARKS, PAGES, WEB, Watched

pytestmark = MARKS
pytest_plugins = ["browsers"]


def test_without_script_every_picture_name_phrase_and_call_is_there(
    chromium: Any, site: Path
) -> None:
    one = Watched(chromium, java_script_enabled=False)
    one.page.goto(f"{site.as_uri()}/index.html")
    assert one.page.locator("a.postcard img[alt]").count() == COUNT
    assert one.page.locator("a.postcard q").count() == COUNT
    assert one.page.locator("button:visible").count() == 0
    for script in sorted(path for path in (site / "c").glob("*.js") if path.name.count(".") == 1):
        card = json.loads(script.read_text("utf-8").split(",", 2)[2].rstrip().removesuffix(");"))
        one.page.goto(f"{site.as_uri()}/c/{card['id']}.html")
        text = one.page.locator("main").inner_text()
        for wanted in (
            card["binomial"],
            card["notes"],
            card["call_in_words"],
            *(phrase["english"] for phrase in card["phrases"]),
        ):
            assert wanted in text
        assert one.page.locator("audio[controls] source").count() >= 2
    assert one.wrong == []
    one.context.close()


def test_the_dialog_says_what_the_page_says(quiet: tuple[Watched, str]) -> None:
    """Two renderers, one in Jinja and one in TypeScript, must agree."""
    one, base = quiet
    one.page.goto(base + "index.html")
    one.page.locator("a.postcard").first.click()
    one.until("document.querySelector('dialog.viewer .leaf')")
    words = (
        "(node) => [...node.querySelectorAll('h1, h2, h3, p:not(.actions), ruby, dd, figcaption')]"
        ".map((e) => e.textContent.trim().replace(/\\s+/g, ' '))"
    )
    shown = [
        one.page.locator(f"dialog {part}").evaluate(words) for part in (".front", ".back", ".notes")
    ]
    name = one.page.evaluate("() => location.hash.slice(2)")
    one.page.goto(f"{base}c/{name}.html")
    assert [
        one.page.locator(f"main {part}").evaluate(words) for part in (".front", ".back", ".notes")
    ] == shown


def test_keyboard_alone(quiet: tuple[Watched, str]) -> None:
    """Tab reaches all that can be used; a card opens, turns, goes on, closes, and the focus is back
    on its card.
    """
    one, base = quiet
    one.page.goto(base + "index.html")
    wanted = one.page.evaluate(
        "() => [...document.querySelectorAll('a[href], button, input, select')]"
        ".filter((e) => e.checkVisibility() && !e.closest('dialog')).length"
    )
    reached = set()
    for _ in range(wanted + 2):
        one.page.keyboard.press("Tab")
        reached.add(
            one.page.evaluate(
                "() => [...document.querySelectorAll('a[href], button, input, "
                "select')].indexOf(document.activeElement)"
            )
        )
    assert len(reached - {-1}) == wanted
    one.page.locator("a.postcard").nth(1).focus()
    one.page.keyboard.press("Enter")
    one.until("document.querySelector('dialog.viewer .leaf')")
    one.page.keyboard.press("f")
    assert one.page.locator(".leaf.turned").count() == 1
    one.page.keyboard.press("t")
    assert one.page.locator(".leaf.meanings").count() == 1
    one.page.keyboard.press("ArrowRight")
    one.until("document.querySelector('.where').textContent.startsWith('3')")
    one.page.keyboard.press("Escape")
    place = "[...document.querySelectorAll('a.postcard')].indexOf(document.activeElement)"
    assert one.page.evaluate(f"() => {place}") == 2


def test_a_letter_lives_in_its_link_and_never_becomes_markup(quiet: tuple[Watched, str]) -> None:
    one, base = quiet
    one.page.goto(base + "send.html")
    one.until("document.querySelector('.letter')")
    text = "<img src=x onerror=alert(1)>\n</script><script>alert(2)</script> \u202e ñandú 🐆"
    one.page.locator("#message").fill(text)
    one.page.locator("#to").fill("<b>Ada</b>")
    one.until("document.querySelector('.letter .from').textContent.includes('Ada')")
    link = one.until("document.querySelector('#link').value")
    assert len(link) < 400
    one.asked.clear()
    one.page.goto("about:blank")
    one.page.goto(link)
    one.until("document.querySelector('.writing.read .message')")
    assert one.page.locator(".message").text_content() == text.replace("\u202e", "")
    assert one.page.locator(".letter b, .letter img[src=x], .letter script").count() == 0
    # servers see nothing of it
    assert all("read" not in address.split("#")[0] for address in one.asked)
    one.page.goto("about:blank")
    one.page.goto(f"{base}send.html#/read/nobody/1.AAAA")
    one.until("document.querySelector('.toast').textContent")
    assert [line for line in one.wrong if "alert" in line] == []


def test_search_chips_stars_and_their_zip(quiet: tuple[Watched, str], tmp_path: Path) -> None:
    one, base = quiet
    one.page.goto(base + "index.html")
    names = one.page.locator("a.postcard i").all_inner_texts()
    one.page.locator("#q").fill(names[2].upper())
    one.until("document.querySelectorAll('.cards li:not([hidden])').length === 1")
    one.page.locator("#q").fill("zzzz")
    one.until("!document.querySelector('.nobody').hidden")
    one.page.locator("[data-do=clear]").click()
    one.until(f"document.querySelectorAll('.cards li:not([hidden])').length === {COUNT}")
    one.page.locator("a.postcard").first.click()
    one.until("document.querySelector('dialog.viewer .leaf')")
    one.page.keyboard.press("s")
    one.page.keyboard.press("Escape")
    one.page.wait_for_load_state("networkidle")  # a reload would break off what is on its way
    one.page.reload()
    with one.page.expect_download() as download:
        one.page.locator("[data-do=selection]").click()
    download.value.save_as(tmp_path / "selection.zip")
    with zipfile.ZipFile(tmp_path / "selection.zip") as packed:
        assert packed.testzip() is None
        chosen = json.loads(packed.read("jungle/selection.json"))["selected"]
        assert [one["binomial"] for one in chosen] == [names[0]]
        assert any(name.endswith(".flac") for name in packed.namelist())
    assert one.wrong == []


def test_nothing_overflows_at_320_pixels_or_jumps(chromium: Any, served: str, site: Path) -> None:
    one = Watched(chromium, viewport={"width": 320, "height": 640})
    one.page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => "
        "list.getEntries().forEach((e) => e.hadRecentInput || (window.shift += "
        "e.value))).observe({type: 'layout-shift', buffered: true});"
    )
    name = sorted((site / "c").glob("*.html"))[0].stem
    for path in (*PAGES[:4], f"c/{name}.html", f"index.html#/{name}"):
        one.page.goto("about:blank")
        one.page.goto(served + path)
        one.until("!document.documentElement.classList.contains('setting')")
        one.page.wait_for_timeout(150)
        assert one.page.evaluate("() => document.documentElement.scrollWidth") == 320, path
        wide = (
            "[...document.querySelectorAll('dialog[open] *, main *')]"
            ".filter((e) => e.getBoundingClientRect().right > 321 && e.checkVisibility() && "
            "!e.closest('svg')).length"
        )
        assert one.page.evaluate(f"() => {wide}") == 0, path
        small = (
            "[...document.querySelectorAll('button, select, input, summary')].filter((e) => "
            "e.checkVisibility())"
            ".map((e) => [e, e.getBoundingClientRect()])"
            ".filter(([, r]) => r.width < 24 || r.height < 24).map(([e]) => e.outerHTML)"
        )
        assert one.page.evaluate(f"() => {small}") == [], path
        assert one.page.evaluate("() => window.shift") == 0, path
    one.context.close()


def test_no_rule_of_axe_is_broken(chromium: Any, served: str, site: Path) -> None:
    """The guide and a turned card; benchmarks/site_audit.py looks at all states."""
    axe = WEB / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("no axe-core: run  npm ci  in web/")
    one = Watched(chromium, bypass_csp=True, reduced_motion="reduce")
    name = sorted((site / "c").glob("*.html"))[0].stem
    for path in ("index.html", f"index.html#/{name}", f"c/{name}.html"):
        one.page.goto("about:blank")
        one.page.goto(served + path)
        one.until("!document.documentElement.classList.contains('setting')")
        if "#" in path:
            one.until("document.querySelector('dialog.viewer .leaf')")
            one.page.locator("[data-do=turn]").click()
        one.page.add_script_tag(path=str(axe))
        found = one.page.evaluate(
            "async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => "
            "n.html)])"
        )
        assert found == [], path
    one.context.close()
