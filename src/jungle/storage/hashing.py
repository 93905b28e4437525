"""Digests of file contents, remembered so that thousands of photos are recognised without reading
them again.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

BLOCK = 1 << 20  # bytes read at once
_TABLE = (
    "CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, "
    "digest TEXT)"
)


def digest_file(path: Path) -> str:
    """Hash of a file's content: 32 hexadecimal digits; empty if the file cannot be read."""
    result = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                result.update(block)
    except OSError:
        return ""
    return result.hexdigest()


def open_memo(cache: Path, name: str, table: str) -> sqlite3.Connection | None:
    """The database ``name`` in the cache, with ``table`` (an SQL statement) made if need be; None
    if it cannot be used.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        memo = sqlite3.connect(cache / name, timeout=30)
    except (OSError, sqlite3.Error):
        return None
    try:
        memo.execute(table)
    except sqlite3.Error:
        memo.close()
        return None
    return memo


def _remembered(path: Path, memo: sqlite3.Connection) -> str:
    try:
        stat = path.stat()
    except OSError:
        return ""
    key = (os.fsencode(os.path.abspath(path)), stat.st_size, stat.st_mtime_ns)
    row = memo.execute(
        "SELECT digest FROM digests WHERE path = ? AND size = ? AND mtime = ?", key
    ).fetchone()
    if row:
        return str(row[0])
    result = digest_file(path)
    if result:
        memo.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", (*key, result))
    return result


def remembered_digests(paths: Iterable[Path], cache: Path) -> Iterator[str]:
    """:func:`digest_file` of each file; one of the same path, size and time as before is not read
    again.

    The memory is ``cache/digests.sqlite``. It only saves time: if it is damaged, busy or not
    writable, every file is read.
    """
    memo = open_memo(cache, "digests.sqlite", _TABLE)

    # Without a memo every file is read: slower, and just as right.
    if memo is None:
        yield from map(digest_file, paths)
        return

    with closing(memo):
        for path in paths:
            try:
                result = _remembered(path, memo)
            except sqlite3.Error:
                result = digest_file(path)
            yield result
        try:
            memo.commit()
        except sqlite3.Error:
            memo.rollback()
