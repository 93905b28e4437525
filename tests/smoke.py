"""Install the wheel into an empty environment, and make one postcard far from the repository.

Nothing is downloaded: the environment sees the packages of the Python that runs this.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def run(*words: str | Path, folder: Path) -> str:
    """Standard output of a command that must succeed."""
    # Neither a cache of the user nor a path to the checkout may help.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["JUNGLE_CACHE"] = str(folder / "cache")
    done = subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"failed ({done.returncode}): {' '.join(map(str, words))}")
    return done.stdout


def smoke(folder: Path) -> None:
    """Build, install and run in ``folder``."""
    wheels, environment = folder / "wheels", folder / "environment"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels]
    run(*build, folder=REPOSITORY)
    [wheel] = wheels.glob("*.whl")

    # Files with the suffix .pth count in the environment's own folder only: those of the other
    # one, with its editable installation of this checkout, are not read.
    run(sys.executable, "-m", "venv", "--without-pip", environment, folder=folder)
    python = environment / "bin" / "python"
    site = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder
    )
    Path(site.strip(), "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", python]
    run(*pip, "install", "--no-index", "--no-deps", wheel, folder=folder)

    package = run(python, "-c", "import jungle; print(jungle.__file__)", folder=folder).strip()
    if not package.startswith(str(environment)):
        sys.exit(f"the wheel is not what runs, but {package}")
    print(run(environment / "bin" / "jungle", "doctor", folder=folder))
    result = run(environment / "bin" / "jungle", "make", "--count", "1", "--quiet", folder=folder)
    page = folder / "my-jungle" / "site" / "index.html"
    cards = list((folder / "my-jungle" / "postcards").iterdir())
    if not page.is_file() or len(cards) != 1:
        sys.exit(f"no postcard was result: {result}")
    print(result)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        smoke(Path(temporary))
