"""What the documentation shows exists: commands, options, paths, links, names. The site builds."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from conftest import REPOSITORY

import jungle
from jungle.cli.main import cli

DOCS = REPOSITORY / "docs"
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *(path for path in sorted(DOCS.rglob("*.md")) if path.name not in ("LOG.md", "models.md")),
]
"""Pages that speak of the program as it is; logs and the list of runs speak of what was."""

PACKAGE = Path(jungle.__file__).parent
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
MOST_README, MOST_COLUMNS, MOST_IMAGES = 150, 100, 600_000


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def commands(page: Path) -> Iterator[str]:
    """Every ``jungle ...`` that a page shows, in a block or in a sentence."""
    text = page.read_text(encoding="utf-8")
    for language, block in FENCE.findall(text):
        if language != "python" and page.name != "cli.md":
            for line in block.splitlines():
                if re.match(r"(\.venv/bin/)?jungle ", line):
                    yield line
    for span in SPAN.findall(FENCE.sub("", text)):
        if re.match(r"(\.venv/bin/)?jungle [a-z]", span):
            yield " ".join(span.split())


def snippets(page: Path) -> Iterator[str]:
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            yield block


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_that_are_shown_exist(page: Path) -> None:
    for line in commands(page):
        _, subcommand, *arguments = shlex.split(line, comments=True)
        assert subcommand in cli.commands, line
        command = cli.commands[subcommand]
        try:
            command.make_parser(click.Context(command)).parse_args(list(arguments))
        except click.UsageError as error:
            pytest.fail(f"{line}: {error.format_message()}")


def test_commands_are_found_at_all() -> None:
    assert len(list(commands(REPOSITORY / "README.md"))) >= 10
    shown = {shlex.split(line)[1] for page in PAGES for line in commands(page)}
    assert shown == set(cli.commands)


def test_a_wrong_option_would_be_seen() -> None:
    command = cli.commands["make"]
    with pytest.raises(click.UsageError):
        command.make_parser(click.Context(command)).parse_args(["--outt", "x"])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_paths_that_are_named_exist(page: Path) -> None:
    """From the root of the repository; in how-to pages and the tree also from the package."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    top = {path.name for path in REPOSITORY.iterdir()} - {"build"}
    inside = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    if page.parent.name != "howto" and page.name != "tree.md":
        inside = set()

    paths = (span for span in SPAN.findall(text) if re.fullmatch(r"[\w.-]+(/[\w.-]*)+", span))
    for path in paths:
        head = path.split("/")[0]
        if head in top | inside and "..." not in path:
            bases = (REPOSITORY, PACKAGE) if head in inside else (REPOSITORY,)
            assert any((base / path).exists() for base in bases), f"{name(page)}: {path}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        path, _, _ = unquote(target).partition("#")
        generated = page.parent / path if path else page
        in_reference = generated.resolve().is_relative_to(DOCS / "reference")
        if "://" in target or in_reference:
            continue  # pages of the reference are made by docs/hooks.py; the build checks them
        assert generated.exists(), f"{name(page)}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_that_is_shown_names_what_exists(page: Path) -> None:
    for block in snippets(page):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "jungle":
                assert node.attr in jungle.__all__, f"{name(page)}: jungle.{node.attr}"
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jungle."):
                imported = __import__(node.module or "", fromlist=["*"])
                assert all(hasattr(imported, alias.name) for alias in node.names), block


def test_every_public_name_has_its_entry() -> None:
    entries = re.findall(r"^::: jungle\.(\w+)$", (DOCS / "reference/index.md").read_text(), re.M)
    assert sorted(entries) == [entry for entry in jungle.__all__ if entry != "__version__"]


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"- ([\w/-]+\.md)", (REPOSITORY / "mkdocs.yml").read_text()))
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - {"LOG.md"}
    assert pages <= listed


def test_every_folder_of_the_package_is_in_the_tree() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    for page, form in (
        (REPOSITORY / "README.md", r"^      (\w+)/ "),
        (DOCS / "tree.md", r"`(\w+)/`"),
    ):
        assert folders <= set(re.findall(form, page.read_text(), re.MULTILINE)), name(page)


def test_readme_is_short() -> None:
    lines = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_README
    assert max(map(len, lines)) <= MOST_COLUMNS


def test_images_are_light() -> None:
    files = [path for path in (DOCS / "images").iterdir() if path.is_file()]
    assert files
    assert sum(path.stat().st_size for path in files) < MOST_IMAGES


def test_version_of_the_package_is_in_the_changelog() -> None:
    assert f"## {jungle.__version__}" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Strict: a link, an anchor or a name of the reference that is not there ends the build."""
    pytest.importorskip("mkdocs")
    arguments = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        arguments,
        cwd=REPOSITORY,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    index = json.loads((tmp_path / "search/search_index.json").read_text(encoding="utf-8"))
    places = {entry["location"] for entry in index["docs"]}
    for entry in jungle.__all__:
        assert entry == "__version__" or any(place.endswith(f".{entry}") for place in places), entry
