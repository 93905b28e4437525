"""Hints to install an optional library name what this copy came from, and no index."""

import ast
import importlib.metadata
import json
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY

import jungle
from jungle.errors import MissingExtra, installation

EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
SOURCES = sorted(Path(jungle.__file__).parent.rglob("*.py"))


@pytest.fixture
def come_from(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let this copy have come from what a direct_url.json says; None: it was not installed."""

    class Distribution:
        def __init__(self, text: str | None) -> None:
            self.text = text

        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return self.text

    def set_origin(origin: dict[str, Any] | str | None) -> None:
        text = json.dumps(origin) if isinstance(origin, dict) else origin

        def distribution(name: str) -> Distribution:
            if text is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return Distribution(text or None)

        monkeypatch.setattr(importlib.metadata, "distribution", distribution)

    return set_origin


def arguments(*libraries: str) -> list[str]:
    """What pip is told, as a shell would split it."""
    words = shlex.split(installation.install_command("kaggle", *libraries or ("kagglehub",)))
    return words[words.index("install") + 1 :]


def test_a_checkout_is_named_by_its_absolute_path(come_from: Any, tmp_path: Path) -> None:
    checkout = tmp_path / "it's my jungle"
    checkout.mkdir()
    url = {"url": checkout.as_uri(), "dir_info": {"editable": True}}
    come_from(url)
    assert arguments() == ["-e", f"{checkout}[kaggle]"]
    come_from(url | {"dir_info": {}})
    assert arguments() == [f"{checkout}[kaggle]"]


def test_a_wheel_is_named_by_its_file(come_from: Any, tmp_path: Path) -> None:
    wheel = tmp_path / "jungle_postcards-0.2.0-py3-none-any.whl"
    wheel.touch()
    come_from({"url": wheel.as_uri(), "archive_info": {}})
    assert arguments() == [f"{wheel}[kaggle]"]


def test_a_repository_is_named_with_its_commit(come_from: Any) -> None:
    origin = {
        "url": "https://example.org/jungle.git",
        "vcs_info": {"vcs": "git", "commit_id": "abc123", "requested_revision": "main"},
    }
    requirement = "jungle-postcards[kaggle] @ git+https://example.org/jungle.git@abc123"
    come_from(origin)
    assert arguments() == [requirement]
    come_from(origin | {"subdirectory": "py"})
    assert arguments() == [f"{requirement}#subdirectory=py"]


def test_an_archive_of_the_web_is_named_by_its_address(come_from: Any) -> None:
    come_from({"url": "https://example.org/jungle.zip", "archive_info": {}})
    assert arguments() == ["jungle-postcards[kaggle] @ https://example.org/jungle.zip"]


@pytest.mark.parametrize("origin", [None, "", "[]", "no json", '{"url": "file:///no/such/place"}'])
def test_where_it_came_from_is_not_known_the_library_is_named(
    origin: str | None, come_from: Any
) -> None:
    come_from(origin)
    assert arguments() == ["kagglehub"]
    assert arguments("diffusers", "transformers") == ["diffusers", "transformers"]


def test_pip_is_that_of_the_environment_that_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(here))
    assert installation.install_command("kaggle", "kagglehub").startswith("pip install ")
    monkeypatch.setenv("PATH", str(tmp_path))
    command = installation.install_command("kaggle", "kagglehub")
    assert shlex.split(command)[:3] == [sys.executable, "-m", "pip"]


def test_the_sentence_of_a_missing_library(come_from: Any) -> None:
    come_from(None)
    error = MissingExtra.library("kagglehub", "kaggle", "Downloading from Kaggle")
    sentence = str(error)
    assert sentence.startswith("Downloading from Kaggle needs the library 'kagglehub': install it")
    assert "install kagglehub  and run the same command again." in sentence


def test_no_hint_names_an_index() -> None:
    """``jungle`` on PyPI is somebody else's: nothing sends a reader there for it."""
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert "jungle[" not in text, path
        assert "pip install jungle" not in text, path


def test_every_extra_that_an_error_names_exists() -> None:
    extras = {
        node.args[1].value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "MissingExtra.library"
        and isinstance(node.args[1], ast.Constant)
    }
    assert extras
    assert extras <= set(EXTRAS)


def test_errors_load_no_metadata() -> None:
    code = "import sys, jungle.errors; sys.exit('importlib.metadata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
