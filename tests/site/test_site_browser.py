"""The site in real browsers: silence in the console, nobody else asked, live buttons, sound that
loops without a seam, Firefox too.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from browsers import COUNT, MARKS, PAGES, WEB, Watched

pytestmark = MARKS
pytest_plugins = ["browsers"]


def test_all_pages_are_quiet_and_ask_nobody_else(watched: tuple[Watched, str], site: Path) -> None:
    one, base = watched
    for path in (*PAGES, *(f"c/{page.name}" for page in sorted((site / "c").glob("*.html"))[:2])):
        one.page.goto(base + path)
        one.until("!document.documentElement.classList.contains('setting')")
        # going on would cut off a lazy picture, which counts as a failed request
        one.page.wait_for_load_state("networkidle")
    assert one.wrong == []
    origin = base.split("/site/")[0]
    assert [
        address for address in one.asked if not address.startswith((origin, "data:", "blob:"))
    ] == []


def test_every_button_of_the_guide_does_something(watched: tuple[Watched, str]) -> None:  # noqa: C901
    """Press each button; the page, its storage or the sound must differ afterwards."""
    one, base = watched
    one.page.goto(base + "index.html")
    one.page.evaluate(
        "() => { window.seen = 0; new MutationObserver((m) => (window.seen += "
        "m.length)).observe(document, "
        "{subtree: true, childList: true, attributes: true, characterData: true}); "
        "navigator.clipboard.writeText = async () => {}; "
        "navigator.share = undefined; HTMLAnchorElement.prototype.click = function () { "
        "window.seen++; }; }"
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


def test_sound_comes_after_the_button_and_melts_into_the_next_card(
    watched: tuple[Watched, str],
) -> None:
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
    """Rendered offline: sample i of three repeats is sample i modulo the loop; two crossing fades
    sum to one in power.
    """
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
          const [up, down] = [both.getChannelData(0), both.getChannelData(1)];
          for (let i = 0; i < 19000; i++) worst = Math.max(worst, Math.abs(up[i] ** 2 + down[i] ** 2 - 1));
          return [await wrong([0, 0]), await wrong([4800, data.length - 2400]), worst];
        }""",
        name,
    )
    assert found[:2] == [0, 0]
    assert found[2] < 0.005


def test_firefox(site: Path, served: str) -> None:
    """The same by file:// and http in the system's Firefox: no error, all cards open, the loop
    decoded and exact.
    """
    node, firefox = shutil.which("node"), shutil.which("firefox-esr") or shutil.which("firefox")
    if not (node and firefox and (WEB / "node_modules" / "puppeteer-core").is_dir()):
        pytest.skip("no Firefox, no node or no puppeteer-core: run  npm ci  in web/")
    for base in (f"{site.as_uri()}/", served):
        done = subprocess.run(
            [node, WEB / "firefox.mjs", firefox, base], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["wrong"] == []
        assert report["shown"] == COUNT
        assert report["mismatches"] == 0
