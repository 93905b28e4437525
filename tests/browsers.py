"""What the tests in real browsers share: a small site, its addresses by double click and over http,
and a page that is watched.

Playwright's Python client drives the system's Chromium; what needs it skips without it.

PYTEST_DONT_REWRITE: tests take the class from here before pytest takes the fixtures.
"""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cards import make_cards

from jungle.site.build import SiteSettings, build_site

WEB = Path(__file__).parent.parent / "web"
COUNT = 5
PAGES = ("index.html", "dictionary.html", "about.html", "send.html", "404.html")
MARKS = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # the client's own pipes
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small site."""
    jungle = tmp_path_factory.mktemp("jungle")
    cards = make_cards(jungle, COUNT, 3, distinct=2, size=192)
    build_site(
        jungle,
        cards,
        jungle / "site",
        SiteSettings(world="A jungle for tests.", ledger=(("Time", "1 s"),)),
    )
    return jungle / "site"


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """Its address over http, from a sub-path."""
    handler = functools.partial(Quiet, directory=str(site.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/site/"
        server.shutdown()


@pytest.fixture(scope="session")
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
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, **options}
        )
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on(
            "console",
            lambda line: (
                self.wrong.append(line.text) if line.type in {"error", "warning"} else None
            ),
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on(
            "response",
            lambda answer: (
                self.wrong.append(f"{answer.status}: {answer.url}")
                if answer.status >= 400
                else None
            ),
        )
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
def watched(
    request: pytest.FixtureRequest, chromium: Any, site: Path, served: str
) -> Iterator[tuple[Watched, str]]:
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
