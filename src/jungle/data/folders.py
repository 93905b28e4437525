"""Which files of a folder are photos or recordings, which class each belongs to, and which of them
a limit keeps.

The rule: 1. Hidden files, ``__MACOSX`` and everything that is not of the wanted medium are passed
over. 2. Start at the deepest folder that holds all files. If all its sub-folders are called train,
val or test, they count as one. 3. Two or more sub-folders with files are classes; whatever is
nested inside one belongs to it. Files lying
   beside them have no class and are listed as skipped.
4. Otherwise there is one class, named by the folder.
"""

import os
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile, zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..config.recipes import LimitOrder
from ..errors import BadInput
from ..species.animals import english_names
from .formats import HEAD, MEDIA, PHOTOS, FileFormats, media_of

FEWEST = 2  # files below which nothing can be learnt
SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


class SourceFile(NamedTuple):
    """A file and its class."""

    path: str  # relative to the scanned folder, with forward slashes
    name: str  # of the class, in English where it is one of Animals-10


class SkippedFile(NamedTuple):
    """A file that is not used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class FolderContents:
    """The files of a folder in path order: class folders sorted by their own (Italian) names, then
    files by name.
    """

    root: Path  # paths are relative to it
    files: list[SourceFile]
    skipped: list[SkippedFile]


def is_hidden(path: str) -> bool:
    """Whether any part of a relative path is hidden or made by the macOS archiver."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def _walk(root: str) -> dict[str, dict[str, FileFormats]]:
    """Relative folder -> its photos and recordings, sorted. Links to folders are followed, each
    folder once.
    """
    result: dict[str, dict[str, FileFormats]] = {}
    seen: set[str] = set()

    for here, folders, names in os.walk(root, followlinks=True):
        # A link may lead back up: each real folder is entered once.
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        relative = os.path.relpath(here, root).replace(os.sep, "/")
        result["" if relative == "." else relative] = found = {}
        for name in sorted(name for name in names if not is_hidden(name)):
            path = os.path.join(here, name)
            if media := media_of(name, partial(_head, path)):
                found[name] = media

    return result


def _own_name(folder: Path) -> str:
    """The folder's name; for a download cache, the data set's (not 'versions/3' or a commit)."""
    for part in (folder.absolute().name, *(parent.name for parent in folder.absolute().parents)):
        if part and not re.fullmatch(r"\d+|versions|snapshots|[0-9a-f]{12,}", part):
            return part.rsplit("--", 1)[-1]
    return "animals"


def _classes(folders: list[str], own_name: str) -> dict[str, str | None]:
    """Relative folder -> class name; None where files lie beside the class folders."""
    parts = {folder: folder.split("/") if folder else [] for folder in folders}

    # Folders such as train and val are taken out of the path wherever all paths have one at that
    # depth.
    while True:
        depth = sum(
            1
            for _ in takewhile(
                lambda level: len(set(level)) == 1, zip(*parts.values(), strict=False)
            )
        )
        heads = {p[depth] for p in parts.values() if len(p) > depth}
        if not heads or any(head.lower() not in SPLITS for head in heads):
            break
        parts = {folder: p[:depth] + p[depth + 1 :] for folder, p in parts.items()}

    if len(heads) > 1:
        return {folder: p[depth] if len(p) > depth else None for folder, p in parts.items()}
    shared = [part for part in next(iter(parts.values()))[:depth] if part.lower() not in SPLITS]

    return dict.fromkeys(folders, shared[-1] if shared else own_name)


def scan_folder(folder: Path, media: FileFormats = PHOTOS) -> FolderContents:
    """Find the files of one medium in a folder, by the rule at the top of this file. Nothing is
    decoded.
    """
    walked = {
        relative: [name for name, kind in names.items() if kind is media]
        for relative, names in _walk(str(folder)).items()
    }
    names = {relative: of_media for relative, of_media in walked.items() if of_media}
    if not names:
        return FolderContents(folder, [], [])
    classes = _classes(list(names), _own_name(folder))
    files: list[SourceFile] = []
    skipped: list[SkippedFile] = []

    for relative in sorted(names, key=lambda f: (classes[f] or "", f)):
        name = classes[relative]
        paths = (f"{relative}/{file}" if relative else file for file in names[relative])

        # Their class cannot be known; dropping them without a word would be worse.
        if name is None:
            skipped += [
                SkippedFile(path, "lies beside the class folders, so its class is unknown")
                for path in paths
            ]
        else:
            files += [SourceFile(path, english_names().get(name.lower(), name)) for path in paths]

    return FolderContents(folder, files, skipped)


def gather_folders(
    folders: Sequence[Path], media: FileFormats, exclude: Path | None = None
) -> FolderContents:
    """The files of one medium in one or several folders; classes of the same name are one class.

    Args:
        folders: one or more. Of one, paths are relative to it, of several to the folder that holds
            them all.
        exclude: a list of files to leave out (:func:`read_list`).

    Raises:
        BadInput: the list cannot be read or names none of the files; or the folders lie on
            different disks of Windows.
    """
    scans = [scan_folder(folder, media) for folder in folders]
    if exclude:
        scans = _without(scans, exclude)
    if len(scans) == 1:
        return scans[0]

    try:
        root = Path(os.path.commonpath([folder.absolute() for folder in folders]))
    except ValueError:
        raise BadInput("The folders lie on different disks: copy them into one folder.") from None

    # Paths relative to one root keep files of the same name in two folders apart.
    prefixes = [folder.absolute().relative_to(root).as_posix() for folder in folders]
    files: dict[str, SourceFile] = {}  # by path: a folder may lie inside another one
    skipped: list[SkippedFile] = []
    for prefix, found in zip(prefixes, scans, strict=True):
        for file in found.files:
            path = posixpath.normpath(f"{prefix}/{file.path}")
            files.setdefault(path, SourceFile(path, file.name))
        skipped += [
            SkippedFile(posixpath.normpath(f"{prefix}/{skip.path}"), skip.reason)
            for skip in found.skipped
        ]
    return FolderContents(root, list(files.values()), skipped)


def read_list(path: Path) -> frozenset[str]:
    """A list of files: one path a line, relative to their folder (``cat/1.jpg``) or to the one
    above it (``photos/cat/1.jpg``).

    Raises:
        BadInput: it cannot be read as text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadInput(
            f"The list {path} cannot be read ({reason}): give a text file with one path a line."
        ) from None
    return frozenset(line.strip() for line in lines if line.strip())


def _without(scans: Sequence[FolderContents], exclude: Path) -> list[FolderContents]:
    """The scans without the files of a list, which become skipped ones."""
    listed = read_list(exclude)
    reason = f"is in the list {exclude.name} of files to leave out"
    results: list[FolderContents] = []
    for found in scans:
        above = found.root.absolute().name
        out = {
            file.path
            for file in found.files
            if file.path in listed or f"{above}/{file.path}" in listed
        }
        files = [file for file in found.files if file.path not in out]
        results.append(
            FolderContents(
                found.root,
                files,
                found.skipped + [SkippedFile(path, reason) for path in sorted(out)],
            )
        )

    # A list that fits no file is a mistake, and would let a model train on what it is to be judged
    # by.
    if all(len(new.files) == len(old.files) for new, old in zip(results, scans, strict=True)):
        names = " and ".join(f"'{found.root}'" for found in scans)
        raise BadInput(
            f"No line of {exclude} names a file in {names}: write paths relative to the folder, "
            "for example cat/1.jpg."
        )
    return results


def medium_of_folder(folder: Path) -> FileFormats:
    """Whether a folder holds photos or recordings: what it has more of.

    Raises:
        BadInput: neither.
    """
    counts = Counter(media for names in _walk(str(folder)).values() for media in names.values())
    if not counts:
        raise BadInput(holds_none(f"The folder '{folder}'", "sub-folder"))
    return max(MEDIA, key=lambda media: counts[media])


def holds_none(place: str, part: str, *wanted: FileFormats) -> str:
    """The sentence for a place without files of the wanted media (none given: of any); ``part`` is
    what a class lies in.
    """
    media = wanted or MEDIA
    words = " and no ".join(f"{item.word}s" for item in media)
    forms = ", or ".join(f"{one.forms} files" for one in media)
    return f"{place} holds no {words}: it needs {forms}, one {part} for each animal."


def require_enough(
    folder: Path, usable: int, skipped: Sequence[SkippedFile], media: FileFormats
) -> None:
    """Refuse to learn from fewer than :data:`FEWEST` files.

    Raises:
        BadInput: too few, with the first reasons.
    """
    if usable >= FEWEST:
        return
    if not usable and not skipped:
        raise BadInput(holds_none(f"The folder '{folder}'", "sub-folder", media))
    reasons = "; ".join(f"{s.path}: {s.reason}" for s in skipped[:3]) + (
        "; ..." if len(skipped) > 3 else ""
    )
    told = f" ({len(skipped)} skipped: {reasons})" if skipped else ""
    raise BadInput(
        f"The folder '{folder}' has {usable} usable {media.word}{'s' * (usable != 1)}, at least "
        f"{FEWEST} are needed{told}."
    )


def choose_files(names: Sequence[str], limit: int, order: LimitOrder, seed: int) -> list[int]:
    """Which files a limit keeps, as indices into ``names``, the class of each file in path order.

    Args:
        limit: how many at most; 0 = all, in path order.
        order: ``path`` keeps the first; ``balanced`` takes one of each class in turn, each class in
            path order; ``shuffled`` draws by ``seed``.
    """
    count = len(names)
    if limit == 0 or limit >= count:
        return list(range(count))
    if order == "path":
        return list(range(limit))
    if order == "shuffled":
        return [int(i) for i in np.random.default_rng(seed).permutation(count)[:limit]]
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        members[name].append(index)
    turns = zip_longest(*(members[name] for name in sorted(members)))
    return list(islice((i for turn in turns for i in turn if i is not None), limit))
