"""A folder of files that is brought up to date: what did not change is not made again, what is no
longer wanted is removed.

``build.json`` in the folder lists each file with a digest of what it was made from. It is the mark
of a folder that we may write to, and the only list of files that are ever removed. While files are
being replaced, it says so of each: whenever the work is cut off, every file is whole, and the next
run goes on where it stopped.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..errors import BadInput
from ..storage.atomic import make_folder, write_json

LEDGER = "build.json"
FORM = 1  # of that file
PARTS = ".parts"  # folder of files that are being written
# what people keep beside a site
OWN = (
    ".git",
    ".gitattributes",
    ".gitignore",
    "CNAME",
    ".DS_Store",
)
SAFE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,99}/){0,3}\.?[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class BuildStep:
    """Files that are made together, from the same things.

    ``make`` gives their bytes in the order of ``paths``; it runs in another process where ``heavy``
    and there is one, so that it has to be a module's function with its arguments
    (``functools.partial``).
    """

    paths: tuple[str, ...]  # relative to the folder, with "/"
    key: str  # digest of everything that decides the bytes
    make: Callable[[], Sequence[bytes]]
    heavy: bool = False


@dataclass(slots=True)
class BuildManifest:
    """What is known of the files of a folder."""

    files: dict[str, tuple[str, int]] = field(default_factory=dict)  # path: (key, bytes)

    def save(self, folder: Path) -> None:
        """Write the ledger, whole or not at all."""
        files = {path: list(entry) for path, entry in self.files.items()}
        write_json(folder / LEDGER, {"form": FORM, "files": files})


@dataclass(frozen=True, slots=True)
class SiteChange:
    """What bringing a folder up to date did."""

    written: int
    unchanged: int
    removed: int
    bytes: int  # of all files but the ledger


def open_folder(folder: Path) -> BuildManifest:
    """The ledger of a folder that we may write to; an empty one for a folder that is new or empty.

    Raises:
        BadInput: the folder is somebody's home, the root, or holds files that we did not make and
            no ledger.
    """
    folder = folder.resolve()
    if folder in (Path(folder.anchor), Path.home().resolve()):
        raise BadInput(
            f"A site is not written into {folder}: choose a folder of its own with <--out>."
        )

    if not folder.exists():
        return BuildManifest()

    if not folder.is_dir():
        raise BadInput(
            f"Cannot write a site to {folder} (it is not a folder): choose another place with "
            "<--out>."
        )

    # A folder with files of somebody else's is never written into.
    ledger = _read(folder)
    if ledger is None:
        foreign = sorted(path.name for path in folder.iterdir() if path.name not in (*OWN, PARTS))
        if foreign:
            raise BadInput(
                f"The folder {folder} holds '{foreign[0]}' and no {LEDGER}, so it is not a site of "
                "ours: choose another one with <--out>."
            )
        return BuildManifest()

    return ledger


def _read(folder: Path) -> BuildManifest | None:
    """The ledger in a folder; None where there is none. Paths in it are not trusted: files will be
    removed by them.
    """
    where = folder / LEDGER

    try:
        value = json.loads(where.read_text(encoding="utf-8"))
        files = {path: (str(key), int(size)) for path, (key, size) in value["files"].items()}
        form = value["form"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadInput(
            f"{where} is damaged: delete the folder {folder}, and the site is made anew."
        ) from None

    # Paths are taken from a file that anybody could have edited: only plain relative ones are
    # believed.
    if form != FORM or not all(SAFE.fullmatch(path) for path in files):
        raise BadInput(
            f"{where} is of another version: delete the folder {folder}, and the site is made anew."
        )

    return BuildManifest(files)


Runner = Callable[[Sequence[BuildStep]], Iterable[Sequence[bytes]]]
"""Makes batches; their bytes come in the order of the batches."""


def in_turn(batches: Sequence[BuildStep]) -> Iterable[Sequence[bytes]]:
    """The :data:`Runner` that makes one after the other, in this process."""
    return (batch.make() for batch in batches)


def bring_up_to_date(
    folder: Path,
    ledger: BuildManifest,
    batches: Sequence[BuildStep],
    run: Runner = in_turn,
) -> SiteChange:
    """Make and write what changed, remove what is no longer wanted.

    Args:
        folder: where to.
        ledger: of :func:`open_folder`.
        batches: all files that the folder shall have, in the order in which they are written: what
            others link to comes first.
        run: makes what has to be made.

    Raises:
        BadInput: a file or link that we did not make is in the way, or the disk is full.
    """
    folder = folder.resolve()
    wanted = {path: batch.key for batch in batches for path in batch.paths}
    stale = [path for path in ledger.files if path not in wanted]
    due = [
        batch
        for batch in batches
        if not all(_is_there(folder, path, batch.key, ledger) for path in batch.paths)
    ]

    changed, written = {path for batch in due for path in batch.paths}, 0
    if changed or stale:
        _refuse_foreign(folder, changed, ledger)
        shutil.rmtree(folder / PARTS, ignore_errors=True)

        # Noted as unfinished before anything is written: after a crash just these are made again.
        ledger.files |= dict.fromkeys(changed, ("", 0))
        ledger.save(make_folder(folder))
        written = _write_all(folder, ledger, due, run)
        for path in stale:
            _remove(folder, path)
        ledger.files = {path: ledger.files[path] for path in wanted}
        ledger.save(folder)
        shutil.rmtree(folder / PARTS, ignore_errors=True)

    size = sum(entry[1] for entry in ledger.files.values())

    return SiteChange(written, len(wanted) - written, len(stale), size)


def _is_there(folder: Path, path: str, key: str, ledger: BuildManifest) -> bool:
    known = ledger.files.get(path)
    if known is None or known[0] != key:
        return False
    try:
        return (folder / path).stat().st_size == known[1]
    except OSError:
        return False


def _refuse_foreign(folder: Path, changed: Iterable[str], ledger: BuildManifest) -> None:
    """A link would lead out of the folder, and a file that is not in the ledger is somebody's."""
    for name in sorted(
        {
            str(parent)
            for path in (*changed, *ledger.files)
            for parent in PurePosixPath(path).parents
        }
        - {"."}
    ):
        if (folder / name).is_symlink():
            raise BadInput(
                f"{folder / name} is a link, and a site is not written through links: delete it, "
                "or choose another <--out>."
            )

    # What we did not write, we do not overwrite.
    for path in sorted(changed):
        if path not in ledger.files and os.path.lexists(folder / path):
            raise BadInput(
                f"{folder / path} is in the way, and we did not make it: move it, or choose "
                "another <--out>."
            )


def _write_all(folder: Path, ledger: BuildManifest, due: Sequence[BuildStep], run: Runner) -> int:
    """Returns how many files have other bytes than before."""
    part, written = make_folder(folder / PARTS) / "file", 0
    for batch, made in zip(due, run(due), strict=True):
        for path, data in zip(batch.paths, made, strict=True):
            written += _put(folder / path, data, part)
            ledger.files[path] = (batch.key, len(data))
    return written


def _put(path: Path, data: bytes, part: Path) -> bool:
    """Write and rename; whether there was anything to write.

    Nothing waits for the disk: after a power cut a file may be empty, and its size is then not that
    of the ledger.
    """
    try:
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise BadInput(
            f"Cannot write {path} ({error.strerror or error}): free some space or choose another "
            "place with <--out>."
        ) from None
    return True


def _remove(folder: Path, path: str) -> None:
    try:
        (folder / path).unlink(missing_ok=True)
        if "/" in path and not any((folder / path).parent.iterdir()):
            (folder / path).parent.rmdir()
    except OSError as error:
        raise BadInput(
            f"Cannot remove {folder / path} ({error.strerror or error}): delete it by hand and run "
            "the same command again."
        ) from None
