"""The wheel and the source distribution hold all that the program needs."""

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from conftest import REPOSITORY

import jungle
from jungle.errors.installation import DISTRIBUTION

PACKAGE = Path(jungle.__file__).parent
STEM = f"{DISTRIBUTION.replace('-', '_')}-{jungle.__version__}"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, built without a network."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(build, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def package_files() -> dict[str, bytes]:
    """Every file of the package, by its path in a wheel."""
    return {
        path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(distributions: Path) -> None:
    files = package_files()
    suffixes = {Path(name).suffix for name in files}
    assert {".toml", ".tsv", ".html", ".js", ".css", ".safetensors", ".md"} <= suffixes
    info = f"{STEM}.dist-info"
    with zipfile.ZipFile(distributions / f"{STEM}-py3-none-any.whl") as wheel:
        names = [name for name in wheel.namelist() if not name.startswith(f"{info}/")]
        assert sorted(names) == sorted(files)
        assert all(wheel.read(name) == data for name, data in files.items())

        metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
        assert metadata["Name"] == DISTRIBUTION
        assert metadata["Version"] == jungle.__version__
        assert len(metadata.get_all("License-File", [])) == 2
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()
        assert "jungle = jungle.cli.main:main" in entry_points


@pytest.mark.slow
def test_the_source_distribution_holds_the_package_and_its_tests(distributions: Path) -> None:
    with tarfile.open(distributions / f"{STEM}.tar.gz") as archive:
        names = {name.removeprefix(f"{STEM}/") for name in archive.getnames()}
    assert {f"src/{name}" for name in package_files()} <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "tests/conftest.py"} <= names
    assert not [name for name in names if name.startswith((".git/", ".venv", "build", "my-jungle"))]
