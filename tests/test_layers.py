"""The house: layers, length of files, the public list, the frozen command line, and its help."""

import ast
import json
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest

import jungle
from jungle.cli.main import cli

PACKAGE = Path(jungle.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = [
    "errors",
    "records prosody seeds",
    "storage weights evaluation",
    "config",
    "mastering species",
    "encoding data",
    "diffusion",
    "images sounds language",
    "postcards",
    "site printing diagnostics",
    "api",
    "cli",
    "__main__",
]
"""Folders and files of the package from the ground up: each imports from lines above its own, or
from inside itself."""
MAX_FILE, MAX_HELP_SECONDS = 400, 0.3


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module: str) -> int:
    """The line of LAYERS a module stands in; the package itself, with its version, is under all."""
    folder = module.split(".")[1] if "." in module else ""
    return next((index for index, line in enumerate(LAYERS) if folder in line.split()), -1)


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, at the top or inside functions."""
    here = module_name(path).split(".")
    package = here if path.name == "__init__.py" else here[:-1]
    imported = set()
    modules = {module_name(p) for p in FILES}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join(base + (node.module.split(".") if node.module else []))
            if module.split(".")[0] == "jungle":
                imported |= {
                    f"{module}.{a.name}" if f"{module}.{a.name}" in modules else module
                    for a in node.names
                }
        elif isinstance(node, ast.Import):
            imported |= {a.name for a in node.names if a.name.split(".")[0] == "jungle"}
    return imported


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    own = module_name(path).split(".")[:2]
    others = [name for name in imports(path) if name.split(".")[:2] != own]
    wrong = [name for name in others if layer(name) >= layer(".".join(own))]
    assert not wrong, (
        f"{path.relative_to(PACKAGE)} imports from its own layer or one above: {wrong}"
    )


def test_every_folder_stands_in_a_layer() -> None:
    folders = {module_name(path).split(".")[1] for path in FILES if "." in module_name(path)}
    assert folders <= {name for line in LAYERS for name in line.split()}


def test_mastering_knows_no_models() -> None:
    wrong = {path.name: imports(path) for path in FILES if "mastering" in path.parts}
    assert not [
        name
        for names in wrong.values()
        for name in names
        if name.startswith(
            ("jungle.diffusion", "jungle.images", "jungle.sounds", "jungle.language")
        )
    ]


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
def test_files_are_short(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= MAX_FILE, f"{path.name} has {lines} lines: at most {MAX_FILE}"


def test_public_list_is_sorted_and_exact() -> None:
    assert jungle.__all__ == sorted(jungle.__all__)
    assert all(hasattr(jungle, name) for name in jungle.__all__)


def test_diffusers_is_imported_in_three_places() -> None:
    users = [
        p.name
        for p in FILES
        if "import diffusers" in p.read_text() or "from diffusers" in p.read_text()
    ]
    assert users == ["ddpm.py", "export.py", "pipeline.py"]


def test_options_are_frozen() -> None:
    """A new option is a decision: change tests/options.json by hand when it is meant."""
    options = {
        name: sorted(
            option
            for parameter in command.params
            for option in parameter.opts
            if isinstance(parameter, click.Option)
        )
        for name, command in sorted(cli.commands.items())
    }
    assert options == json.loads(Path(__file__).with_name("options.json").read_text())


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys; from jungle.cli.main import cli; "
        "cli.main(['--help'], standalone_mode=False); sys.exit('torch' in sys.modules)"
    )
    seconds = []

    # Processor time, and the best of three, because other work may run on the machine.
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0, f"--help imported torch or failed: {done.stderr}"
    assert "make" in done.stdout
    assert min(seconds) < MAX_HELP_SECONDS


def test_commands_import_at_the_top() -> None:
    """The group is lazy, so that its commands need not be."""
    for path in (PACKAGE / "cli").glob("*.py"):
        tree = ast.parse(path.read_text())
        inside = [
            node.lineno
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert not inside, f"{path.name}: imports inside functions, lines {inside}"
