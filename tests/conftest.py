"""The test world: a cache of its own, no sockets but loopback, real photos only where they are."""

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

PHOTOS = Path(__file__).parent.parent.parent / "shared" / "data" / "photos"


torch.set_num_threads(1)  # toy networks are too small to share; threads that wait for each other cost minutes


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


@pytest.fixture
def drawn_photos(tmp_path: Path) -> Path:
    """24 drawn pictures of three classes: discs, bars and checks in noisy colours."""
    source = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for label, name in enumerate(("bar", "check", "disc")):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            y, x = np.mgrid[0:40, 0:48]
            shape = [abs(x - 24) < 6, (x // 8 + y // 8) % 2 == 0, (x - 24) ** 2 + (y - 20) ** 2 < 150][label]
            colour, ground = source.integers(30, 226, (2, 3))
            pixels = np.where(shape[..., None], colour, ground) + source.normal(0, 8, (40, 48, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder
