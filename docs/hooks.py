"""Pages of the documentation that are no files of ``docs/``: cards, changelog, API reference.

A hook of MkDocs (mkdocs.yml). What lives beside the code is shown, not copied, and the reference
has an entry for every module, so that nothing can be forgotten or go stale.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "jungle"
MOVED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "docs/LOG.md": "log.md",
} | {
    card.relative_to(ROOT).as_posix(): f"cards/{card.name}"
    for card in sorted((PACKAGE / "weights").glob("*.md"))
}
"""File of the repository -> page of the site."""

FOLDERS = {
    "diffusion": "The engine: tensors, nothing of animals",
    "images": "Pictures",
    "sounds": "Calls",
    "language": "A language for each kind of body",
    "postcards": "Picture, call and phrases become one card",
    "site": "The static page",
    "printing": "Postcards on paper",
    "mastering": "Loudness, loops and cleaning of sounds",
    "encoding": "File formats and what they tell of themselves",
    "data": "From a source to files and classes",
    "species": "Animals, mixes and new species",
    "evaluation": "Metrics",
    "config": "Recipes and jungle.toml",
    "storage": "Files that are never half-written",
    "diagnostics": "inspect and doctor",
    "cli": "The command line",
}
"""Folders of the package with a page of the reference each, and its title."""


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made here, and put the reference into the navigation."""
    for source, page in MOVED.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    for folder, title in FOLDERS.items():
        page = f"reference/{folder}.md"
        files.append(File.generated(config, page, content=_reference(folder, title)))
    reference = next(part["Reference"] for part in config["nav"] if "Reference" in part)
    first = reference.index("cli.md")
    reference[first:first] = [f"reference/{folder}.md" for folder in FOLDERS]
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links between files of the repository lead to the pages they became."""
    here = page.file.src_uri
    if here == "tree.md":
        markdown += _every_file()
    source = next((file for file, target in MOVED.items() if target == here), f"docs/{here}")

    def relink(match: re.Match[str]) -> str:
        target, _, anchor = match[1].partition("#")
        if "://" in target or not target.endswith((".md", ".json", ".jpg", ".png")):
            return match[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        moved = MOVED.get(file, file.removeprefix("docs/"))
        relative = posixpath.relpath(moved, posixpath.dirname(here) or ".")
        return f"]({relative}{'#' if anchor else ''}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", relink, markdown)


def _every_file() -> str:
    """A table of the package's files with the first sentence of each docstring."""
    lines = ["\n## Every file\n", "| file of `src/jungle/` | what |", "|---|---|"]
    for path in sorted(PACKAGE.rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        if path.name != "__init__.py" and docstring:
            sentence = re.split(r"(?<=[.]) |  ", docstring.replace("\n", " "), maxsplit=1)[0]
            plain = sentence.replace("|", "\\|").replace("``", "`").rstrip(".:")
            lines.append(f"| `{path.relative_to(PACKAGE).as_posix()}` | {plain} |")
    return "\n".join([*lines, ""])


def _reference(folder: str, title: str) -> str:
    """The page of a folder: an entry for each of its modules, in alphabetical order."""
    modules = [
        path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        if not path.name.startswith("_")
    ]
    entries = "\n\n".join(f"## {module}\n\n::: {module}\n" for module in modules)
    options = "    options:\n      show_root_heading: false\n"
    entries = re.sub(r"^(::: .+)$", rf"\1\n{options}", entries, flags=re.MULTILINE)
    return f"# {folder}\n\n{title}.\n\n{entries}"
