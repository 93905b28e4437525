"""What a site weighs and how long it takes: bytes before the first interaction, 50 cards, rebuilds
at 1,000 cards, frames while scrolling.

python benchmarks/site.py [--cards 1000] [--encoder searched|fixed] [--skip-browser]

The postcards are drawn and synthesised (tests/cards.py), or those of a real jungle given with
--jungle. Bytes on the wire are counted by a server of our own that compresses as GitHub Pages does;
scrolling is measured in Debian's Chromium with software rendering.
"""

import argparse
import dataclasses
import functools
import gzip
import http.server
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from cards import make_cards  # type: ignore[import-not-found]

from jungle.records import Postcard, postcard_from_json
from jungle.site.build import SiteSettings, build_site
from jungle.site.check import check_site
from jungle.site.images import Encoder, Fixed, Searched

VIEWS = {"mobile": (390, 844, 2.0), "desktop": (1280, 800, 1.0)}
PACKED = (".html", ".css", ".js", ".xml", ".json")
SCROLL = """async () => {
  const frames = []; let last = performance.now();
  await new Promise(done => {
    const step = now => {
      frames.push(now - last); last = now; scrollBy(0, 60);
      const more = scrollY + innerHeight < document.documentElement.scrollHeight - 2;
      if (more && frames.length < 3000) requestAnimationFrame(step); else done();
    };
    requestAnimationFrame(step);
  });
  return frames.slice(2);
}"""
SHIFT = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => { for (const one of list.getEntries()) if (!one.hadRecentInput) sum += one.value; })
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(sum), 300);
})"""


class Server(http.server.SimpleHTTPRequestHandler):
    """Static files, compressed where hosts compress, with every byte of every body counted."""

    sent: list[tuple[str, int]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        """Answer, and count."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        if path.suffix in PACKED:
            data = gzip.compress(data, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.sent.append((path.name, len(data)))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, seconds and processor seconds of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def build(name: str, jungle: Path, cards: Sequence[Postcard], settings: SiteSettings) -> Any:
    report, wall, cpu = timed(lambda: build_site(jungle, cards, jungle / "site", settings))
    print(
        f"{name}: {wall:.1f} s (processor {cpu:.1f} s), {report.written:,} files written, "
        f"{report.bytes / 1e6:.1f} MB in all",
        flush=True,
    )
    return report


def rebuilds(folder: Path, count: int, settings: SiteSettings) -> Path:
    cards = make_cards(folder, count, distinct=min(count, 48))
    build(f"{count:,} cards, first build", folder, cards, settings)
    before = {path: path.read_bytes() for path in (folder / "site").rglob("*") if path.is_file()}
    build(f"{count:,} cards, unchanged", folder, cards, settings)
    assert {
        path: path.read_bytes() for path in (folder / "site").rglob("*") if path.is_file()
    } == before, "a rebuild changed bytes"
    cards[count // 2] = dataclasses.replace(cards[count // 2], notes="It was seen again.")
    build(f"{count:,} cards, one changed", folder, cards, settings)
    found, wall, _ = timed(lambda: check_site(folder / "site"))
    print(f"{count:,} cards, check: {wall:.1f} s, {len(found.problems)} problems")
    return folder / "site"


def real(jungle: Path) -> list[Postcard]:
    return [
        postcard_from_json(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(jungle.glob("postcards/*/record.json"))
    ]


def weigh(folder: Path, count: int, settings: SiteSettings, jungle: Path | None) -> Path:
    """A site of ``count`` cards; of a real jungle's where one is given, which take turns under
    other names.
    """
    known = real(jungle) if jungle else []
    cards = make_cards(folder, count, distinct=count if count <= 50 else 48) if not known else []
    for number in range(count if known else 0):
        source = known[number % len(known)]
        slug = f"{source.species.slug[:50]}-{number}"
        shutil.copytree(
            Path(jungle or ".") / "postcards" / source.species.slug, folder / "postcards" / slug
        )
        cards.append(
            dataclasses.replace(source, species=dataclasses.replace(source.species, slug=slug))
        )
    build(f"{count} cards", folder, cards, settings)
    found = check_site(folder / "site")
    print("\n".join(found.table()))
    return folder / "site"


def browse(sites: dict[int, Path]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for count, site in sites.items():
            handler = functools.partial(Server, directory=str(site))
            with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
                threading.Thread(target=server.serve_forever, daemon=True).start()
                for name, (width, height, density) in VIEWS.items():
                    Server.sent.clear()
                    page = browser.new_page(
                        viewport={"width": width, "height": height}, device_scale_factor=density
                    )
                    page.goto(
                        f"http://127.0.0.1:{server.server_address[1]}/index.html",
                        wait_until="networkidle",
                    )
                    what, size = f"{count} cards, {name}", sum(bytes_ for _, bytes_ in Server.sent)
                    print(
                        f"{what}: {size / 1000:.0f} kB on the wire in {len(Server.sent)} requests "
                        "before the first interaction"
                    )
                    print(f"{what}: layout shift {page.evaluate(SHIFT):.4f}")
                    frames = sorted(page.evaluate(SCROLL))
                    slow, most = (
                        sum(frame > 20 for frame in frames) / len(frames),
                        frames[len(frames) * 95 // 100],
                    )
                    print(
                        f"{what}: {len(frames)} frames, {slow:.1%} over 20 ms, 95 % within "
                        f"{most:.1f} ms"
                    )
                    page.close()
                server.shutdown()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cards", type=int, default=1000)
    parser.add_argument("--encoder", choices=("searched", "fixed"), default="searched")
    parser.add_argument("--jungle", type=Path, help="a real jungle, for bytes")
    parser.add_argument("--skip-browser", action="store_true")
    chosen = parser.parse_args()
    encoder: Encoder = Searched() if chosen.encoder == "searched" else Fixed()
    settings = SiteSettings(
        title="My jungle", world="Mist.", base_url="https://me.github.io/jungle", encoder=encoder
    )
    with tempfile.TemporaryDirectory() as folder:
        sites = {
            50: weigh(Path(folder, "50"), 50, settings, chosen.jungle),
            240: weigh(Path(folder, "240"), 240, settings, chosen.jungle),
        }
        sites[chosen.cards] = rebuilds(
            Path(folder, "many"), chosen.cards, dataclasses.replace(settings, encoder=Fixed())
        )
        if not chosen.skip_browser:
            browse(sites)


if __name__ == "__main__":
    main()
