"""What a static host such as GitHub Pages would break, found before it is uploaded; and what a page
weighs.

Limits: docs.github.com, "About large files on GitHub" (100 MB a file) and "GitHub Pages limits" (1
GB a site). Git LFS is not resolved
by Pages: visitors would get the text of the pointer. Hosts tell upper from lower case, and many
disks do not.
"""

import gzip
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from ..errors import BadInput
from .incremental import LEDGER, PARTS

FILE_LIMIT, SITE_LIMIT = 100 * 2**20, 10**9  # bytes
POINTER = b"version https://git-lfs.github.com/spec/"
KINDS = {
    "HTML": (".html", ".xml"), "CSS": (".css",), "JavaScript": (".js",),
    "fonts": (".woff2", ".woff", ".ttf", ".otf"),
    "pictures": (".avif", ".webp", ".jpg", ".jpeg", ".png", ".svg", ".gif"),
    "audio": (".flac", ".opus", ".m4a", ".ogg", ".mp3", ".wav"),
}  # fmt: skip
PACKED = ("HTML", "CSS", "JavaScript", "other")  # kinds that hosts compress
ADDRESSES = {"href", "src", "srcset", "poster", "data-script"}
# CSS Values 4, section 4.5
URL = re.compile(r"""url\(\s*(?:(?P<mark>["'])(?P<quoted>.*?)(?P=mark)|(?P<bare>[^"')\s]+))\s*\)""")
ROOTED = {"data-script"}  # attributes with paths from the site's root, whatever page they are on


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a visitor would miss. Errors are refused; warnings can be lived with."""

    path: str
    what: str
    level: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True)
class Weight:
    """A row of the size budget."""

    kind: str
    files: int
    raw: int  # bytes
    packed: int  # bytes on the wire


@dataclass(frozen=True, slots=True)
class Inspection:
    """What :func:`check_site` found."""

    problems: tuple[Problem, ...]
    budget: tuple[Weight, ...]
    # bytes on the wire before the first interaction, at most: page, style, script, all fonts,
    # pictures that are not lazy
    first: int

    def table(self) -> list[str]:
        """The size budget as lines for people."""
        rows = [
            *self.budget,
            Weight(
                "all",
                *(
                    sum(getattr(row, name) for row in self.budget)
                    for name in ("files", "raw", "packed")
                ),
            ),
        ]
        lines = [f"{'':12} {'files':>7} {'kB':>9} {'kB gzip':>9}"]
        lines += [
            f"{row.kind:12} {row.files:7,} {row.raw / 1000:9,.1f} {row.packed / 1000:9,.1f}"
            for row in rows
        ]

        return [*lines, f"Before the first interaction: at most {self.first / 1000:,.0f} kB."]


def check_site(folder: Path) -> Inspection:
    """Look at every file of a site as a host and a browser would.

    Raises:
        BadInput: there is no index.html in the folder.
    """
    if not (folder / "index.html").is_file():
        raise BadInput(
            f"There is no index.html in {folder}, so it is no site: run  jungle site  first."
        )

    problems: list[Problem] = []
    files: dict[str, Path] = {}

    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            problems.append(
                Problem(name, "is a link: hosts refuse it or show its target's path; copy the file")
            )
        else:
            files[name] = path

    problems += _sizes(files)
    problems += _names(files)

    # GitHub Pages tells upper from lower case, many people's disks do not.
    lower = {name.lower(): name for name in files}

    for name, path in files.items():
        if path.suffix in (".html", ".css"):
            problems += _links(
                name, path.read_text(encoding="utf-8", errors="replace"), files, lower
            )

    if b"og:image" not in files["index.html"].read_bytes():
        problems.append(
            Problem(
                "index.html",
                "has no picture for shared links: set base_url, the address of the site",
                "warning",
            )
        )

    return Inspection(tuple(problems), _budget(files), _first(files))


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in (".git", PARTS))
        yield from (Path(root, name) for name in folders if Path(root, name).is_symlink())
        yield from (Path(root, name) for name in sorted(names))


def _sizes(files: Mapping[str, Path]) -> Iterator[Problem]:
    total = 0

    for name, path in files.items():
        size = path.stat().st_size
        total += size
        if size > FILE_LIMIT:
            yield Problem(
                name,
                f"has {size / 2**20:,.0f} MiB, and the limit of a file is {FILE_LIMIT // 2**20}",
            )
        with path.open("rb") as file:
            # Hosts serve the pointer, not the file: every picture would be broken.
            if file.read(len(POINTER)) == POINTER:
                yield Problem(
                    name,
                    "is a pointer of Git LFS, which visitors would get as it is: keep the site out "
                    "of LFS",
                )

    if total > SITE_LIMIT:
        yield Problem(
            ".",
            f"has {total / 1e6:,.0f} MB in all, and the limit of a site is {SITE_LIMIT // 10**6}",
        )


def _names(files: Mapping[str, Path]) -> Iterator[Problem]:
    counts = Counter(name.lower() for name in files)
    for name in files:
        if counts[name.lower()] > 1:
            yield Problem(
                name, "differs from another file only by upper and lower case: rename one of them"
            )
        if (
            any(part.startswith("_") for part in PurePosixPath(name).parts)
            and ".nojekyll" not in files
        ):
            yield Problem(
                name, "starts with '_' and is left out by Jekyll: add an empty file .nojekyll"
            )


class _Addresses(HTMLParser):
    """Every address that a page loads or leads to, and which pictures it loads at once."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []  # attribute, address
        self.eager: list[str] = []
        self.lazy = False
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser for each element."""
        values = {name: value or "" for name, value in attrs}
        for name in ADDRESSES & values.keys():
            addresses = (
                [word.split()[0] for word in values[name].split(",") if word.strip()]
                if name == "srcset"
                else [values[name]]
            )
            self.found += [(name, one) for one in addresses]
            if tag == "source" and name == "srcset":
                self.sources.append(addresses[-1])

        # What is fetched before the first interaction is what an eager picture takes: its last
        # source.
        if tag == "picture":
            self.sources = []
        elif tag == "img":
            if values.get("loading") != "lazy":
                self.eager.append(self.sources[0] if self.sources else values.get("src", ""))
            self.sources = []
        elif (
            tag == "script" or (tag == "link" and values.get("rel") == "stylesheet")
        ) and values.get("src" if tag == "script" else "href"):
            self.eager.append(values["src" if tag == "script" else "href"])


def _addresses(text: str) -> _Addresses:
    parser = _Addresses()
    parser.feed(text)
    parser.close()
    return parser


def _links(
    page: str, text: str, files: Mapping[str, Path], lower: Mapping[str, str]
) -> Iterator[Problem]:
    result = (
        [("url", match["quoted"] or match["bare"]) for match in URL.finditer(text)]
        if page.endswith(".css")
        else _addresses(text).found
    )
    for attribute, address in dict.fromkeys(result):
        try:
            parts = urlsplit(address)
        except ValueError:
            yield Problem(page, f"has the address '{address}', which cannot be read")
            continue

        if parts.scheme or not parts.path:
            continue

        if address.startswith("/"):
            yield Problem(
                page,
                f"has the absolute path '{address}', which breaks in a sub-folder of a host: make "
                "it relative",
            )
            continue

        # Search and share cards name paths from the root of the site, pages from their own folder.
        target = _target("" if attribute in ROOTED else page, unquote(parts.path))
        if target in files:
            continue

        if target.lower() in lower:
            yield Problem(
                page,
                f"leads to '{address}', but the file is called '{lower[target.lower()]}': upper "
                "and lower case count",
            )
        else:
            yield Problem(page, f"leads to '{address}', which does not exist")


def _target(page: str, path: str) -> str:
    """A path relative to a page, from the site's root; ".." beyond the root stays."""
    return os.path.normpath(f"{PurePosixPath(page).parent}/{path}").replace(os.sep, "/") + (
        "/index.html" if path.endswith("/") else ""
    )


def _kind(name: str) -> str:
    return next(
        (kind for kind, endings in KINDS.items() if name.lower().endswith(endings)), "other"
    )


def _packed(path: Path, kind: str) -> int:
    data = path.read_bytes()
    return len(gzip.compress(data, 6, mtime=0)) if kind in PACKED else len(data)


def _budget(files: Mapping[str, Path]) -> tuple[Weight, ...]:
    rows = []
    for kind in (*KINDS, "other"):
        own = [path for name, path in files.items() if _kind(name) == kind and name != LEDGER]
        if own:
            rows.append(
                Weight(
                    kind,
                    len(own),
                    sum(path.stat().st_size for path in own),
                    sum(_packed(path, kind) for path in own),
                )
            )
    return tuple(rows)


def _first(files: Mapping[str, Path]) -> int:
    text = files["index.html"].read_text(encoding="utf-8", errors="replace")
    wanted = {_target("index.html", item) for item in _addresses(text).eager} | {"index.html"}
    wanted |= {name for name in files if _kind(name) == "fonts"}
    return sum(_packed(files[name], _kind(name)) for name in wanted if name in files)
