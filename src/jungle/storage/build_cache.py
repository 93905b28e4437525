"""A jungle's memory: what was made is not made again, and work goes on after an interruption.

.jungle/pieces/KEY        one painted picture, one take: bytes, named by all that decided them
.jungle/stages/NAME.json  for each stage: what it was made from, its record, and the digests of its
files

Both can be deleted at any time; they are only made again.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .atomic import write_bytes, write_json

FOLDER = ".jungle"


def cached_file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; "" where there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


class BuildCache:
    """The memory of the jungle in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pieces = folder / FOLDER / "pieces"
        self._used: set[str] = set()

    def get(self, key: str) -> bytes | None:
        """The piece with this key, or None; a piece that is damaged is none."""
        self._used.add(key)
        try:
            packed = (self._pieces / key).read_bytes()
        except OSError:
            return None
        head, data = packed[:32], packed[32:]
        return data if hashlib.sha256(data).digest() == head else None

    def put(self, key: str, data: bytes) -> None:
        """Remember a piece."""
        self._used.add(key)
        write_bytes(self._pieces / key, hashlib.sha256(data).digest() + data)

    def prune(self) -> None:
        """Remove the pieces that were neither asked for nor put since this build_cache was
        opened.
        """
        for path in self._pieces.glob("*"):
            if path.name not in self._used:
                path.unlink()

    def _stage(self, name: str) -> Path:
        return self.folder / FOLDER / "stages" / f"{name}.json"

    def lookup(self, stage: str, key: str) -> Any:
        """The record of a stage that was finished with this key and whose files are all as they
        were; else None.
        """
        try:
            result = json.loads(self._stage(stage).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(result, dict) or result.get("key") != key:
            return None
        whole = all(
            cached_file_digest(self.folder / name) == known
            for name, known in result["files"].items()
        )
        return result["record"] if whole else None

    def store(self, stage: str, key: str, record: Any, files: Iterable[Path]) -> None:
        """A stage is finished: ``record`` (plain values), and its files inside the jungle's
        folder.
        """
        digests = {
            path.relative_to(self.folder).as_posix(): cached_file_digest(path) for path in files
        }
        write_json(self._stage(stage), {"key": key, "record": record, "files": digests})
