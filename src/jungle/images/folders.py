"""Which files of a folder are photos, and which class each belongs to.

The rule:
1. Hidden files, ``__MACOSX`` and everything that is not a picture are passed over.
2. Start at the deepest folder that holds all photos. If all its sub-folders are called train, val or test, they count as one.
3. Two or more sub-folders with photos are classes; whatever is nested inside one belongs to it. Photos lying
   beside them have no class and are listed as skipped.
4. Otherwise there is one class, named by the folder.
"""

import os
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif"})
SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
HEAD = 16  # bytes that tell a picture from anything else

# The classes of Animals-10 (kaggle:alessiocorrado99/animals10) have Italian folder names.
ENGLISH = {
    "cane": "dog", "cavallo": "horse", "elefante": "elephant", "farfalla": "butterfly", "gallina": "chicken",
    "gatto": "cat", "mucca": "cow", "pecora": "sheep", "ragno": "spider", "scoiattolo": "squirrel",
}  # fmt: skip


class Photo(NamedTuple):
    """A file and its class."""

    path: str  # relative to the scanned folder, with forward slashes
    name: str  # of the class, in English where it is one of Animals-10


class Skipped(NamedTuple):
    """A file that is not used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Found:
    """The photos of a folder in path order: class folders sorted by their own (Italian) names, then files by name."""

    photos: list[Photo]
    skipped: list[Skipped]


def is_picture_data(head: bytes) -> bool:
    """Whether the first :data:`HEAD` bytes of a file are those of a JPEG, PNG, GIF, WebP, AVIF, HEIC or TIFF."""
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*"))
        or (head[:4], head[8:12]) == (b"RIFF", b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1"))
    )


def is_hidden(path: str) -> bool:
    """Whether any part of a relative path is hidden or made by the macOS archiver."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


def _is_photo(folder: str, name: str) -> bool:
    if os.path.splitext(name)[1].lower() in SUFFIXES:
        return True
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return is_picture_data(file.read(HEAD))
    except OSError:
        return False


def _walk(root: str) -> dict[str, list[str]]:
    """Relative folder -> its photos. Links to folders are followed, each folder once."""
    result: dict[str, list[str]] = {}
    seen: set[str] = set()
    for here, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        photos = sorted(name for name in files if not is_hidden(name) and _is_photo(here, name))
        if photos:
            relative = os.path.relpath(here, root).replace(os.sep, "/")
            result["" if relative == "." else relative] = photos
    return result


def _own_name(folder: Path) -> str:
    """The folder's name; for a download cache, the data set's (not 'versions/3' or a commit)."""
    for part in (folder.absolute().name, *(parent.name for parent in folder.absolute().parents)):
        if part and not re.fullmatch(r"\d+|versions|snapshots|[0-9a-f]{12,}", part):
            return part.rsplit("--", 1)[-1]
    return "photos"


def _classes(folders: list[str], own_name: str) -> dict[str, str | None]:
    """Relative folder -> class name; None where photos lie beside the class folders."""
    parts = {folder: folder.split("/") if folder else [] for folder in folders}
    while True:
        depth = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, zip(*parts.values(), strict=False)))
        heads = {p[depth] for p in parts.values() if len(p) > depth}
        if not heads or any(head.lower() not in SPLITS for head in heads):
            break
        parts = {folder: p[:depth] + p[depth + 1 :] for folder, p in parts.items()}
    if len(heads) > 1:
        return {folder: p[depth] if len(p) > depth else None for folder, p in parts.items()}
    shared = [part for part in next(iter(parts.values()))[:depth] if part.lower() not in SPLITS]
    return dict.fromkeys(folders, shared[-1] if shared else own_name)


def scan(folder: Path) -> Found:
    """Find the photos of a folder, by the rule at the top of this file. No file is decoded."""
    files = _walk(str(folder))
    if not files:
        return Found([], [])
    classes = _classes(list(files), _own_name(folder))
    photos: list[Photo] = []
    skipped: list[Skipped] = []
    for relative in sorted(files, key=lambda f: (classes[f] or "", f)):
        name = classes[relative]
        paths = (f"{relative}/{file}" if relative else file for file in files[relative])
        if name is None:
            skipped += [Skipped(path, "lies beside the class folders, so its class is unknown") for path in paths]
        else:
            photos += [Photo(path, ENGLISH.get(name.lower(), name)) for path in paths]
    return Found(photos, skipped)
