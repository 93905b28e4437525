"""Files that are never half-written, and names that follow from their content.

Write to a temporary name beside the target, flush, rename: a crash leaves the old file or the new
one, never a part.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..errors import BadInput

T = TypeVar("T")


def digest(*parts: object) -> str:
    """32 hexadecimal digits that name ``parts``: bytes as they are, everything else by its sorted
    JSON.
    """
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = (
            part
            if isinstance(part, bytes)
            else json.dumps(part, sort_keys=True, default=str).encode()
        )
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest()


def check_writable(folder: Path) -> None:
    """Refuse, before any work is done and without making it, a folder that cannot be made or
    written.

    Raises:
        BadInput: a file is in the way, the rights are missing, or the name is too long.
    """
    # The folder may not exist yet: what counts is the nearest part of its path that does.
    nearest = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path)
    )
    if not os.path.isdir(nearest):
        raise BadInput(
            f"Cannot make the folder {folder} ({nearest} is not a folder): choose another place "
            "with <--out>."
        )

    if not os.access(nearest, os.W_OK | os.X_OK):
        raise BadInput(
            f"Cannot write into {nearest} (no permission): choose another place with <--out>."
        )

    try:
        folder.lstat()
    except FileNotFoundError:
        pass  # to be made
    except OSError as error:  # a name that is too long
        raise BadInput(
            f"Cannot make the folder {folder} ({error.strerror}): choose another place with "
            "<--out>."
        ) from None


def make_folder(folder: Path) -> Path:
    """The folder, made if need be.

    Raises:
        BadInput: it cannot be made, or a file of that name is in the way.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"Cannot make the folder {folder} ({error.strerror}): choose another place with "
            "<--out>."
        ) from None
    return folder


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it to ``path``.

    Raises:
        BadInput: the disk is full or the folder cannot be written.
    """
    make_folder(path.parent)

    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)

        try:
            write(temporary)

            # On the disk before the rename, or a power cut could leave an empty file under the
            # right name.
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(
            f"Cannot write {path} ({error.strerror or error}): free some space or choose another "
            "place with <--out>."
        ) from None


def write_bytes(path: Path, data: bytes) -> None:
    """:func:`write_atomic` for bytes."""
    write_atomic(path, lambda temporary: temporary.write_bytes(data))


def write_json(path: Path, value: Any) -> None:
    """:func:`write_atomic` for a value as indented, sorted JSON."""
    write_bytes(
        path, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    )


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside ``folder`` that takes its place when the block ends well, and
    vanishes otherwise.
    """
    make_folder(folder.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.chmod(0o755)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: Path, inside: Sequence[str]) -> None:
    """Remove what a killed run left half-written by this module: in ``folder``, and at any depth in
    its folders ``inside``.
    """
    left = f".*.{'?' * 8}.part"  # as tempfile names them
    for path in [
        *folder.glob(left),
        *(path for name in inside for path in (folder / name).rglob(left)),
    ]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def need_space(folder: Path, count: int, files: str) -> None:
    """Refuse early if the disk of ``folder`` has fewer than ``count`` bytes left; ``files`` is the
    word for what fills it.

    Raises:
        BadInput: it has.
    """
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if count > free:
        needed = f"has {free / 1e9:.1f} GB left, but {count / 1e9:.1f} GB are needed"
        raise BadInput(f"The disk of '{folder}' {needed}: free some space or use fewer {files}.")


def cached(cache: Path, read: Callable[[], T | None], build: Callable[[], object]) -> T:
    """What ``read`` finds in the folder ``cache``; where that is None, ``build`` makes it first.

    Raises:
        BadInput: the cache cannot be written, or does not keep what is written.
    """
    # Read again, rather than trusting what was built: both ways then give the same object.
    result = read()
    if result is None:
        try:
            build()
        except OSError as problem:
            reason = problem.strerror or type(problem).__name__
            raise BadInput(
                f"The cache folder '{cache}' cannot be written ({reason}): free some space or "
                "choose another one."
            ) from problem
        result = read()

    if result is None:
        raise BadInput(
            f"The cache folder '{cache}' does not keep what is written to it: choose another one."
        )

    return result
