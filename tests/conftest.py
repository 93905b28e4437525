"""The test world: a cache of its own, no sockets but loopback, the command line in this process.

Real photos are used where they are.
"""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from jungle.cli import main
from jungle.config.recipe_table import find_recipe
from jungle.diffusion import checkpoint, model
from jungle.diffusion import device as devices
from jungle.images.feature_spaces import square

TESTS = Path(__file__).parent
REPOSITORY = TESTS.parent
DATA = REPOSITORY.parent / "shared" / "data"
"""Real photos and recordings; tests that need them are skipped without."""
PHOTOS = DATA / "photos"

# Toy networks are too small to share: threads that wait for each other cost minutes.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's cache, or talks to another machine."""
    monkeypatch.setenv("JUNGLE_CACHE", str(tmp_path_factory.mktemp("cache")))
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
        if host not in {"127.0.0.1", "::1", "localhost"}:
            raise OSError(f"tests do not talk to {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def real_photos() -> Path:
    """The folder of real photos; skips where it is missing."""
    if not PHOTOS.is_dir():
        pytest.skip("no real photos here")
    return PHOTOS


@pytest.fixture(scope="session")
def real_animals() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """150 real photos (150, 64, 64, 3) uint8, the index of the kind of each, and the kinds' names.

    Skips where they are missing.
    """
    if not PHOTOS.is_dir():
        pytest.skip("no real photos here")
    files = sorted(PHOTOS.glob("*/*"))
    chosen = [files[i] for i in np.random.default_rng(0).choice(len(files), 150, replace=False)]
    squares = []
    for path in chosen:
        with Image.open(path) as photo:
            x = square(np.asarray(photo.convert("RGB"))[None], 64)
        squares.append(((x[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy())
    classes = sorted({path.parent.name for path in chosen})
    return (
        np.stack(squares),
        np.array([classes.index(path.parent.name) for path in chosen]),
        classes,
    )


@pytest.fixture
def drawn_photos(tmp_path: Path) -> Path:
    """24 drawn pictures of three classes: discs, bars and checks in noisy colours."""
    source = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for label, name in enumerate(("bar", "check", "disc")):
        (folder / name).mkdir(parents=True)
        for index in range(8):
            y, x = np.mgrid[0:40, 0:48]
            shape = [
                abs(x - 24) < 6,
                (x // 8 + y // 8) % 2 == 0,
                (x - 24) ** 2 + (y - 20) ** 2 < 150,
            ][label]
            colour, ground = source.integers(30, 226, (2, 3))
            pixels = np.where(shape[..., None], colour, ground) + source.normal(0, 8, (40, 48, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(
                folder / name / f"{index}.png"
            )
    return folder


# ----------------------------------------------------------------------------------------- commands


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON object that it must be."""

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is no JSON")

        value = json.loads(self.out, parse_constant=refuse)
        assert isinstance(value, dict)
        assert self.out.count("\n") == 1
        return value


Command = Callable[[Sequence[str]], Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``jungle`` with these arguments in this process, as ``main`` would from a shell."""

    def run(arguments: Sequence[str]) -> Done:
        monkeypatch.setattr(sys, "argv", ["jungle", *arguments])
        handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
        code: Any = 0
        try:
            main.main()
        except SystemExit as stop:
            code = stop.code
        finally:
            for signum, handler in handlers.items():
                signal.signal(signum, handler)
        return Done(code, *capsys.readouterr())

    return run


# ------------------------------------------------------------------------------------------ jungles

MODEL = "animal_diffusion_model.pth"
TRAIN = "train photos --recipe tiny --out run --device cpu:float32"
Jungle = Callable[[str], Done]


@pytest.fixture
def jungle(drawn_photos: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Jungle:
    """Run a command line in this process, in a folder that holds ``photos``."""
    monkeypatch.chdir(drawn_photos.parent)
    return lambda line: command(shlex.split(line))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model, trained by the command line on a few drawn photos."""
    folder = tmp_path_factory.mktemp("trained")
    draw(folder / "photos")
    environment = os.environ | {"JUNGLE_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "jungle", *TRAIN.split()],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / "run"


def draw(folder: Path) -> None:
    source = np.random.default_rng(3)
    for name in ("bar", "check", "disc"):
        (folder / name).mkdir(parents=True)
        for index in range(4):
            pixels = np.repeat(np.repeat(source.integers(0, 256, (4, 4, 3)), 5, 0), 5, 1)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{index}.png")


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def give_voice() -> None:
    """A tiny untrained model of calls where ``jungle make`` looks for one: ours takes its time."""
    recipe = find_recipe("tiny", "recordings")
    net = model.build_model(recipe, 2, devices.choose_device("cpu:float32")).net
    weights = {
        name: value + 0.05 * torch.ones_like(value) for name, value in net.state_dict().items()
    }
    untrained = checkpoint.Checkpoint(recipe, ("cat", "cow"), 1, "", weights, {})
    checkpoint.save_checkpoint(Path("sounds") / MODEL, untrained)


def listing(*folders: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder with its size and time of change."""
    entries = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            facts = path.lstat()
            entries[str(path)] = (0, 0) if path.is_dir() else (facts.st_size, facts.st_mtime_ns)
    return entries


def is_refused(done: Done, word: str) -> None:
    """Exit code 2, and one line on stderr that starts with jungle: and holds ``word``."""
    lines = done.err.splitlines()
    assert done.code == 2, done
    assert len(lines) == 1, done.err
    assert lines[0].startswith("jungle: ")
    assert lines[0].endswith((".", "?")), lines[0]
    assert len(lines[0]) < 700, lines[0]
    for forbidden in ("Traceback", "an unexpected", "object at 0x", "None", "Errno"):
        assert forbidden not in lines[0]
    assert word.lower() in lines[0].lower(), f"{word!r} is not in: {lines[0]}"
    assert done.out == ""


def refuse(
    world: Path, arguments: list[str], word: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In ``world`` these arguments are refused by a sentence with ``word``, and change nothing."""
    cache = Path(os.environ["JUNGLE_CACHE"])
    monkeypatch.chdir(world)
    before = listing(world)
    is_refused(
        command([arguments[0], "--quiet", *arguments[1:]] if len(arguments) > 1 else arguments),
        word,
    )
    assert listing(world) == before
    assert not [path for path in cache.rglob("*") if path.name.endswith(".part")]


@contextlib.contextmanager
def somebody() -> Iterator[None]:
    """Without the rights of root, for whom no file is forbidden."""
    root = os.geteuid() == 0
    if root:
        os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)
