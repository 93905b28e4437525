"""The examples run, write into the folder they are given and nowhere else, and print no warning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, draw, listing

EXAMPLES = REPOSITORY / "examples"
NOTEBOOK = """
import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""
WRITTEN = {
    "paint.py": ["cat-pandas.png"],
    "train_on_a_folder.py": ["run/animal_diffusion_model.pth", "mix-of-all.png"],
    "call_and_master.py": ["call.wav", "mastered.wav"],
    "language.py": ["dictionary.json"],
    "postcard.py": ["leopabbit/manifest.json", "leopabbit/call.flac"],
    "own_solver.py": ["tiger-1.png", "tiger-6.png"],
}


def run(arguments: list[str], folder: Path) -> str:
    """Standard output of a Python process that works in ``folder``."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(WRITTEN)


@pytest.mark.parametrize("script", sorted(WRITTEN))
def test_examples_are_short(script: str) -> None:
    lines = (EXAMPLES / script).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 35
    assert script in lines[0] or script in lines[1], "the docstring says how to run it"


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(WRITTEN))
def test_examples_run(script: str, tmp_path: Path) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    work.mkdir()
    draw(tmp_path / "photos")
    before = listing(EXAMPLES)
    arguments = ["-W", "error", str(EXAMPLES / script), str(out)]
    assert run([*arguments, str(tmp_path / "photos")], work)
    for file in WRITTEN[script]:
        assert (out / file).stat().st_size > 0, file
    assert list(work.iterdir()) == []
    assert listing(EXAMPLES) == before


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    source = EXAMPLES / "tour.ipynb"
    run(["-c", NOTEBOOK, str(source), str(tmp_path / "done.ipynb")], tmp_path)

    shown = {
        form
        for cell in nbformat.read(tmp_path / "done.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
        for form in output.get("data", {})
    }
    assert {"image/png", "text/html"} <= shown  # pictures, and players of sounds
    assert (tmp_path / "out/leopabbit/manifest.json").is_file()
    stored = nbformat.read(source, as_version=4)
    assert not any(cell.get("outputs") for cell in stored.cells), "commit it without its outputs"
