"""The site in real browsers, by double click and over http: silence in the console, live buttons, sound without a seam, nothing without script missing.

Playwright's Python client drives the system's Chromium, puppeteer-core (web/node_modules) the system's Firefox; tests skip without them.
"""

import functools
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cards import make_cards

from jungle.publish.site import SiteSettings, build_site

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # the client's own pipes
]
WEB = Path(__file__).parent.parent / "web"
COUNT = 5


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small site."""
    jungle = tmp_path_factory.mktemp("jungle")
    cards = make_cards(jungle, COUNT, 3, distinct=2, size=192)
    build_site(jungle, cards, jungle / "site", SiteSettings(world="A jungle for tests.", ledger=(("Time", "1 s"),)))
    return jungle / "site"


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    """Its address over http, from a sub-path."""
    handler = functools.partial(Quiet, directory=str(site.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/site/"
        server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The system's Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("no Chromium here")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page, and everything that went wrong on it."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda line: self.wrong.append(line.text) if line.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on("response", lambda answer: self.wrong.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None)
        self.page.on("request", lambda request: self.asked.append(request.url))

    def until(self, question: str, seconds: float = 8.0) -> Any:
        """Ask until the answer is true; the strict policy forbids the client's own waiting."""
        answer = None
        for _ in range(int(seconds * 20)):
            answer = self.page.evaluate(f"() => {question}")
            if answer:
                return answer
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{question} was never true: {answer!r}; {self.wrong}")


@pytest.fixture(params=["file", "http"])
def watched(request: pytest.FixtureRequest, chromium: Any, site: Path, served: str) -> Iterator[tuple[Watched, str]]:
    """A page of its own, and the address of the site."""
    one = Watched(chromium)
    yield one, f"{site.as_uri()}/" if request.param == "file" else served
    one.context.close()


@pytest.fixture
def quiet(chromium: Any, served: str) -> Iterator[tuple[Watched, str]]:
    """As ``watched``, over http only."""
    one = Watched(chromium)
    yield one, served
    one.context.close()


PAGES = ("index.html", "dictionary.html", "about.html", "send.html", "404.html")


def test_all_pages_are_quiet_and_ask_nobody_else(watched: tuple[Watched, str], site: Path) -> None:
    one, base = watched
    for path in (*PAGES, *(f"c/{page.name}" for page in sorted((site / "c").glob("*.html"))[:2])):
        one.page.goto(base + path)
        one.until("!document.documentElement.classList.contains('setting')")
    assert one.wrong == []
    origin = base.split("/site/")[0]
    assert [address for address in one.asked if not address.startswith((origin, "data:", "blob:"))] == []


def test_every_button_of_the_guide_does_something(watched: tuple[Watched, str]) -> None:
    """Press each button; the page, its storage or the sound must differ afterwards."""
    one, base = watched
    one.page.goto(base + "index.html")
    one.page.evaluate(
        "() => { window.seen = 0; new MutationObserver((m) => (window.seen += m.length)).observe(document, "
        "{subtree: true, childList: true, attributes: true, characterData: true}); navigator.clipboard.writeText = async () => {}; "
        "navigator.share = undefined; HTMLAnchorElement.prototype.click = function () { window.seen++; }; }"
    )
    dead = []
    for number in range(one.page.locator("main button:visible, .tools button:visible").count()):
        button = one.page.locator("main button:visible, .tools button:visible").nth(number)
        before = one.page.evaluate("() => window.seen")
        name = button.inner_text()
        if button.get_attribute("data-mood") == "":
            continue  # "All" is on already
        button.click()
        one.page.wait_for_timeout(120)
        if one.page.evaluate("() => window.seen") == before:
            dead.append(name)
        for dialog in ("dialog.slip[open] [data-do=done]", "dialog.viewer[open] [data-do=close]"):
            if one.page.locator(dialog).count():
                one.page.locator(dialog).click()
        if button.get_attribute("data-mood"):
            one.page.locator('[data-mood=""]').click()
        elif button.get_attribute("data-do") in {"listen", "starred"}:
            button.click()
    one.page.locator("a.postcard").first.click()
    one.until("document.querySelector('dialog.viewer .leaf')")
    one.page.locator("dialog [data-do=turn]").click()
    buttons = one.page.locator("dialog.viewer button:visible")
    for number in range(buttons.count()):
        button = one.page.locator("dialog.viewer button:visible").nth(number)
        if button.get_attribute("data-do") in {"close", "next", "previous", "turn"}:
            continue
        before = one.page.evaluate("() => window.seen")
        button.click()
        one.page.wait_for_timeout(250)
        if one.page.evaluate("() => window.seen") == before:
            dead.append(button.get_attribute("data-do"))
    for action in ("next", "previous", "turn", "close"):
        before = one.page.evaluate("() => window.seen")
        one.page.locator(f"dialog [data-do={action}]").click()
        one.page.wait_for_timeout(250)
        if one.page.evaluate("() => window.seen") == before:
            dead.append(action)
    assert dead == []
    assert one.wrong == []


def test_sound_comes_after_the_button_and_melts_into_the_next_card(watched: tuple[Watched, str]) -> None:
    one, base = watched
    one.page.goto(base + "index.html")
    assert one.page.evaluate("() => JUNGLE.sound.now().state") == "none"
    one.page.locator("a.postcard").first.click()
    one.until("document.querySelector('dialog.viewer .leaf')")
    one.page.locator("dialog [data-do=play]").click()
    one.until("JUNGLE.sound.now().state === 'running' && JUNGLE.sound.now().peak > 0.001")
    first = one.page.evaluate("() => JUNGLE.sound.playing()")
    one.page.keyboard.press("ArrowRight")
    one.until(f"JUNGLE.sound.playing() && JUNGLE.sound.playing() !== {first!r}")
    one.until("JUNGLE.sound.now().peak > 0.001")
    one.page.keyboard.press("Escape")
    one.until("JUNGLE.sound.playing() === ''")
    one.page.locator("[data-do=listen]").click()  # the whole jungle
    one.until("JUNGLE.sound.now().peak > 0.001")
    assert one.wrong == []


def test_loops_are_exact_and_fades_keep_their_power(quiet: tuple[Watched, str], site: Path) -> None:
    """Rendered offline: sample i of three repeats is sample i modulo the loop; two crossing fades sum to one in power."""
    one, base = quiet
    one.page.goto(base + "index.html")
    name = sorted((site / "c").glob("*.call.js"))[0].name.split(".")[0]
    found = one.page.evaluate(
        """async (id) => {
          const buffer = await JUNGLE.sound.samples(id);
          const data = buffer.getChannelData(0);
          const wrong = async (loop) => {
            const [from, to] = loop[1] ? loop : [0, data.length], size = to - from;
            const offline = new OfflineAudioContext(1, from + 3 * size, buffer.sampleRate);
            const source = JUNGLE.sound.looped(offline, buffer, loop);
            source.connect(offline.destination);
            source.start();
            const out = (await offline.startRendering()).getChannelData(0);
            let count = 0;
            for (let i = 0; i < out.length; i++) count += out[i] !== data[i < to ? i : from + ((i - from) % size)];
            return count;
          };
          const offline = new OfflineAudioContext(2, 24000, 48000);
          const merger = offline.createChannelMerger(2);
          [true, false].forEach((up, channel) => {
            const one = offline.createConstantSource(), gain = offline.createGain();
            JUNGLE.sound.fade(gain.gain, 0, 0.4, up);
            one.connect(gain).connect(merger, 0, channel);
            one.start();
          });
          merger.connect(offline.destination);
          const both = await offline.startRendering();
          let worst = 0;
          for (let i = 0; i < 19000; i++) worst = Math.max(worst, Math.abs(both.getChannelData(0)[i] ** 2 + both.getChannelData(1)[i] ** 2 - 1));
          return [await wrong([0, 0]), await wrong([4800, data.length - 2400]), worst];
        }""",
        name,
    )
    assert found[:2] == [0, 0]
    assert found[2] < 0.005


def test_without_script_every_picture_name_phrase_and_call_is_there(chromium: Any, site: Path) -> None:
    one = Watched(chromium, java_script_enabled=False)
    one.page.goto(f"{site.as_uri()}/index.html")
    assert one.page.locator("a.postcard img[alt]").count() == COUNT
    assert one.page.locator("a.postcard q").count() == COUNT
    assert one.page.locator("button:visible").count() == 0
    for script in sorted(path for path in (site / "c").glob("*.js") if path.name.count(".") == 1):
        card = json.loads(script.read_text("utf-8").split(",", 2)[2].rstrip().removesuffix(");"))
        one.page.goto(f"{site.as_uri()}/c/{card['id']}.html")
        text = one.page.locator("main").inner_text()
        for wanted in (card["binomial"], card["notes"], card["call_in_words"], *(phrase["english"] for phrase in card["phrases"])):
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
    words = "(node) => [...node.querySelectorAll('h1, h2, h3, p:not(.actions), ruby, dd, figcaption')].map((e) => e.textContent.trim().replace(/\\s+/g, ' '))"
    shown = [one.page.locator(f"dialog {part}").evaluate(words) for part in (".front", ".back", ".notes")]
    name = one.page.evaluate("() => location.hash.slice(2)")
    one.page.goto(f"{base}c/{name}.html")
    assert [one.page.locator(f"main {part}").evaluate(words) for part in (".front", ".back", ".notes")] == shown


def test_keyboard_alone(quiet: tuple[Watched, str]) -> None:
    """Tab reaches all that can be used; a card opens, turns, goes on, closes, and the focus is back on its card."""
    one, base = quiet
    one.page.goto(base + "index.html")
    wanted = one.page.evaluate(
        "() => [...document.querySelectorAll('a[href], button, input, select')].filter((e) => e.checkVisibility() && !e.closest('dialog')).length"
    )
    reached = set()
    for _ in range(wanted + 2):
        one.page.keyboard.press("Tab")
        reached.add(
            one.page.evaluate("() => [...document.querySelectorAll('a[href], button, input, select')].indexOf(document.activeElement)")
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
    link = one.until("document.querySelector('#link').value.includes('read') && document.querySelector('.message').textContent.includes('ñandú') && document.querySelector('#link').value")
    assert len(link) < 400
    one.asked.clear()
    one.page.goto("about:blank")
    one.page.goto(link)
    one.until("document.querySelector('.writing.read .message')")
    assert one.page.locator(".message").text_content() == text.replace("\u202e", "")
    assert one.page.locator(".letter b, .letter img[src=x], .letter script").count() == 0
    assert all("#" not in address or "read" not in address.split("#")[0] for address in one.asked)
    one.page.goto("about:blank")
    one.page.goto(f"{base}send.html#/read/nobody/1.AAAA")
    one.until("document.querySelector('.toast').textContent")
    assert [line for line in one.wrong if "alert" in line] == []


def test_search_chips_stars_and_their_zip(quiet: tuple[Watched, str], tmp_path: Path) -> None:
    import zipfile

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
        "window.shift = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) => e.hadRecentInput || (window.shift += e.value)))"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    name = sorted((site / "c").glob("*.html"))[0].stem
    for path in (*PAGES[:4], f"c/{name}.html", f"index.html#/{name}"):
        one.page.goto("about:blank")
        one.page.goto(served + path)
        one.until("!document.documentElement.classList.contains('setting')")
        one.page.wait_for_timeout(150)
        assert one.page.evaluate("() => document.documentElement.scrollWidth") == 320, path
        wide = "[...document.querySelectorAll('dialog[open] *, main *')].filter((e) => e.getBoundingClientRect().right > 321 && e.checkVisibility() && !e.closest('svg')).length"
        assert one.page.evaluate(f"() => {wide}") == 0, path
        small = (
            "[...document.querySelectorAll('button, select, input, summary')].filter((e) => e.checkVisibility()).map((e) => [e, e.getBoundingClientRect()])"
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
        found = one.page.evaluate("async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html)])")
        assert found == [], path
    one.context.close()


def test_firefox(site: Path, served: str) -> None:
    """The same by file:// and http in the system's Firefox: no error, all cards open, the loop decoded and exact."""
    node, firefox = shutil.which("node"), shutil.which("firefox-esr") or shutil.which("firefox")
    if not (node and firefox and (WEB / "node_modules" / "puppeteer-core").is_dir()):
        pytest.skip("no Firefox, no node or no puppeteer-core: run  npm ci  in web/")
    for base in (f"{site.as_uri()}/", served):
        done = subprocess.run([node, WEB / "firefox.mjs", firefox, base], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["wrong"] == []
        assert report["shown"] == COUNT
        assert report["mismatches"] == 0
