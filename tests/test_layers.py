"""The house: import columns, budgets, the public list, the frozen command line, and a help page that loads no torch."""

import ast
import json
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest

import jungle
from jungle.cli import cli

PACKAGE = Path(jungle.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
COLUMNS = [
    ["jungle", "jungle.errors", "jungle.records", "jungle.prosody", "jungle.animals"],
    [
        "jungle.recipes",
        "jungle.store",
        "jungle.config",
        "jungle.species",
        "jungle.casting",
        "jungle.weights",
        "jungle.kinds",
        "jungle.sheets",
    ],
    ["jungle.shelf"],
    ["jungle.sources", "jungle.folders", "jungle.media", "jungle.digests", "jungle.decoding", "jungle.twins", "jungle.wording"],
    ["jungle.classifier", "jungle.measures"],
    ["jungle.diffusion"],
    ["jungle.images", "jungle.sounds", "jungle.language"],
    ["jungle.mastering"],
    ["jungle.album", "jungle.biography"],
    ["jungle.postcards", "jungle.binding", "jungle.ledger"],
    ["jungle.publish"],
    ["jungle.inspection", "jungle.doctor"],
    ["jungle.console"],
    ["jungle.workbench"],
    ["jungle.choir"],
    ["jungle.commands"],
    ["jungle.cli"],
    ["jungle.__main__"],
]
SIBLINGS = ("jungle.images", "jungle.sounds", "jungle.language")  # they meet further right
MAX_FILE, MAX_FUNCTION, MAX_HELP_SECONDS = 400, 60, 0.3


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def column(module: str) -> int:
    found = [
        (len(name), number)
        for number, names in enumerate(COLUMNS)
        for name in names
        if module == name or (module.startswith(name + ".") and name != "jungle")
    ]
    assert found, f"{module} stands in no column: add it to COLUMNS where it belongs"
    return max(found)[1]


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, at the top or inside functions."""
    here = module_name(path).split(".")
    package = here if path.name == "__init__.py" else here[:-1]
    found = set()
    known = {module_name(p) for p in FILES}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join(base + (node.module.split(".") if node.module else []))
            if module.split(".")[0] == "jungle":
                found |= {f"{module}.{a.name}" if f"{module}.{a.name}" in known else module for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.split(".")[0] == "jungle"}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_left(path: Path) -> None:
    own = column(module_name(path))
    wrong = [name for name in imports(path) if column(name) > own]
    assert not wrong, f"{path.name} imports from its right: {wrong}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_siblings_do_not_know_each_other(path: Path) -> None:
    own = [name for name in SIBLINGS if module_name(path).startswith(name)]
    wrong = [name for name in imports(path) if own and name.startswith(SIBLINGS) and not name.startswith(own[0])]
    assert not wrong, f"{path.name} imports from a sibling: {wrong}"


def test_mastering_knows_no_models() -> None:
    wrong = {path.name: imports(path) for path in FILES if "mastering" in path.parts}
    assert not [name for names in wrong.values() for name in names if name.startswith(("jungle.diffusion", *SIBLINGS))]


def test_no_import_cycle() -> None:
    graph = {module_name(p): imports(p) for p in FILES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"cycle: {' -> '.join((*trail, name))}"
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_budgets(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_FILE, f"{path.name} has more than {MAX_FILE} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MAX_FUNCTION, f"{path.name}: {node.name} has {length} lines"


def test_public_list_is_sorted_and_exact() -> None:
    assert jungle.__all__ == sorted(jungle.__all__)
    assert all(hasattr(jungle, name) for name in jungle.__all__)


def test_diffusers_is_imported_in_three_places() -> None:
    users = [p.name for p in FILES if "import diffusers" in p.read_text() or "from diffusers" in p.read_text()]
    assert users == ["export.py", "faithful.py", "pipelines.py"]


def test_options_are_frozen() -> None:
    """A new option is a decision: change tests/options.json by hand when it is meant."""
    found = {
        name: sorted(option for parameter in command.params for option in parameter.opts if isinstance(parameter, click.Option))
        for name, command in sorted(cli.commands.items())
    }
    assert found == json.loads(Path(__file__).with_name("options.json").read_text())


def test_help_is_quick_and_light() -> None:
    code = "import sys; from jungle.cli import cli; cli.main(['--help'], standalone_mode=False); sys.exit('torch' in sys.modules)"
    seconds = []
    for _ in range(3):  # processor time, and the best of three, because other work may run on the machine
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0, f"--help imported torch or failed: {done.stderr}"
    assert "make" in done.stdout
    assert min(seconds) < MAX_HELP_SECONDS
