"""Audit a built site: axe-core over pages, widths, themes and states, layout shift, and Lighthouse
with its mobile settings.

Run:  (cd web && npm ci --ignore-scripts) && python benchmarks/site_audit.py SITE [--lighthouse]
[--shots FOLDER]

SITE is a folder that  jungle make  or  build_site  wrote. Needs Chromium, the Python client of
playwright, and node for Lighthouse. The policy of the pages is switched off for axe, which adds a
script; content-visibility, motion and the grain of the paper are switched off, because axe cannot
measure the contrast of what is not painted, is on its way, or lies on a picture.
"""

import argparse
import functools
import gzip
import http.server
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WEB = Path(__file__).parent.parent / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"mobile": (390, 844), "desktop": (1280, 800)}
COMPRESSED = {".html", ".js", ".css", ".svg", ".xml", ".json", ".txt"}
SHIFT = (
    "window.shift = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) => "
    "e.hadRecentInput || (window.shift += e.value)))"
    ".observe({type: 'layout-shift', buffered: true});"
)


class Gzipped(http.server.SimpleHTTPRequestHandler):
    """Serves as GitHub Pages does: text compressed, everything cached for ten minutes."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """A file."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        data, packed = path.read_bytes(), path.suffix in COMPRESSED
        self.send_response(200)
        self.send_header(
            "Content-Type",
            {".avif": "image/avif", ".woff2": "font/woff2"}.get(
                path.suffix, self.guess_type(str(path))
            ),
        )
        self.send_header("Cache-Control", "max-age=600")
        if packed:
            data = gzip.compress(data, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serve(site: Path) -> Iterator[str]:
    """The site on a free port of this machine; yields its address."""
    handler = functools.partial(Gzipped, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def states(name: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What is looked at: a label, its address, and what is pressed there."""
    return {
        "guide": ("index.html", ()),
        "settings": ("index.html", ("[data-do=settings]",)),
        "help": ("index.html", ("[data-do=help]",)),
        "starred": ("index.html", ("[data-do=starred]",)),
        "front": (f"index.html#/{name}", ()),
        "back": (f"index.html#/{name}", ("[data-do=meaning]", "[data-do=ipa]")),
        "card": (f"c/{name}.html", ("summary",)),
        "dictionary": ("dictionary.html", ()),
        "write": (f"send.html#/to/{name}", ()),
        "about": ("about.html", ()),
        "lost": ("404.html", ()),
    }


def axe(browser: Any, base: str, name: str, shots: Path | None) -> int:
    """Print the broken rules of every state; returns how many."""
    broken = count = 0
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            options = {
                "viewport": {"width": width, "height": height},
                "color_scheme": scheme,
                "bypass_csp": True,
            }
            context = browser.new_context(**options, reduced_motion="reduce")
            for label, (path, presses) in states(name).items():
                page = context.new_page()
                page.goto(base + path)
                page.wait_for_timeout(500)
                for selector in presses:
                    page.locator(selector).first.click()
                page.add_style_tag(
                    content=(
                        "* { content-visibility: visible !important; background-image: none "
                        "!important; }"
                    )
                )
                page.wait_for_timeout(300)
                page.add_script_tag(path=str(AXE))
                found = page.evaluate(
                    "async () => { const r = await axe.run(); return [r.violations, r.incomplete]; "
                    "}"
                )
                unsure = sum(
                    len(rule["nodes"]) for rule in found[1] if rule["id"] == "color-contrast"
                )
                print(
                    f"axe {size:8} {scheme:6} {label:11} {len(found[0])} broken rules, {unsure} "
                    "contrasts to look at by eye"
                )
                for rule in found[0]:
                    print("   ", rule["id"], [node["html"][:120] for node in rule["nodes"]][:4])
                broken, count = broken + len(found[0]), count + 1
                if shots:
                    page.screenshot(path=shots / f"{label}-{size}-{scheme}.png")
                page.close()
            context.close()
    print(f"axe: {broken} broken rules in {count} states")
    return broken


def weight(browser: Any, base: str) -> None:
    """Print bytes on the wire and layout shift, before any interaction and after scrolling to the
    end.
    """
    for size, (width, height) in SIZES.items():
        phone = size == "mobile"
        context = browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=2 if phone else 1,
            is_mobile=phone,
        )
        context.add_init_script(SHIFT)
        page = context.new_page()
        wire = context.new_cdp_session(page)
        wire.send("Network.enable")
        bytes_seen: list[float] = []
        wire.on(
            "Network.loadingFinished",
            lambda event, seen=bytes_seen: seen.append(event["encodedDataLength"]),
        )
        page.goto(base)
        page.wait_for_timeout(2500)
        before, requests = sum(bytes_seen), len(bytes_seen)
        page.mouse.move(width / 2, height / 2)
        for _ in range(40):
            page.mouse.wheel(0, 1200)
            page.wait_for_timeout(40)
        page.wait_for_timeout(500)
        shift = page.evaluate("() => window.shift")
        print(
            f"{size:8} {before / 1000:.0f} kB in {requests} requests before interaction; layout "
            f"shift {shift:.4f} to the end of the page"
        )
        context.close()


def lighthouse(base: str, chromium: str, runs: int) -> dict[str, float]:
    """Median scores, 0 to 100, with Lighthouse's own mobile settings."""
    scores: dict[str, list[float]] = {}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "report.json"
            command = [
                str(WEB / "node_modules/.bin/lighthouse"),
                base,
                "--quiet",
                "--output=json",
                f"--output-path={out}",
            ]
            flags = "--chrome-flags=--headless=new --no-sandbox"
            subprocess.run(
                [*command, flags],
                check=True,
                env={**os.environ, "CHROME_PATH": chromium},
                stdout=subprocess.DEVNULL,
            )
            report = json.loads(out.read_text())
        for name, part in report["categories"].items():
            scores.setdefault(name, []).append(100 * part["score"])
            for reference in part["auditRefs"]:
                audit = report["audits"][reference["id"]]
                if audit["score"] is not None and audit["score"] < 1 and reference["weight"]:
                    print(
                        "   ", name, reference["id"], audit["score"], audit.get("displayValue", "")
                    )
    return {name: statistics.median(values) for name, values in scores.items()}


def main() -> None:
    """Audit one site."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("site", type=Path)
    parser.add_argument(
        "--lighthouse", type=int, default=0, metavar="RUNS", help="how often to run Lighthouse"
    )
    parser.add_argument("--shots", type=Path, help="a folder for pictures of all states")
    given = parser.parse_args()
    chromium = (
        shutil.which("chromium")
        or shutil.which("google-chrome")
        or parser.error("no Chromium here")
    )
    if given.shots:
        given.shots.mkdir(parents=True, exist_ok=True)
    name = sorted((given.site / "c").glob("*.html"))[0].stem
    with serve(given.site) as base:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            broken = axe(browser, base, name, given.shots)
            weight(browser, base)
            browser.close()
        if given.lighthouse:
            print(
                "Lighthouse",
                {
                    key: round(value)
                    for key, value in lighthouse(base, chromium, given.lighthouse).items()
                },
            )
            page = f"{base}c/{name}.html"
            print(
                "Lighthouse, a card's page",
                {
                    key: round(value)
                    for key, value in lighthouse(page, chromium, given.lighthouse).items()
                },
            )
    raise SystemExit(broken > 0)


if __name__ == "__main__":
    main()
