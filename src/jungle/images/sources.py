"""From what a user writes after ``jungle train`` to a local folder of photos.

my-photos/              a folder, used where it lies
my-photos.zip           unpacked once, into the cache
kaggle:OWNER/NAME       downloaded by ``kagglehub``, which keeps its own cache
hf:OWNER/NAME           downloaded by ``huggingface_hub``: folders of pictures, one zip, or parquet files (by ``datasets``)
"""

import contextlib
import os
import re
import shutil
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInput, JungleError, MissingExtra
from ..store import new_folder
from .digests import digest_file
from .folders import HEAD, SUFFIXES, is_hidden, is_picture_data, scan
from .photos import need_space

MAX_PHOTO = 512 << 20  # bytes of one unpacked photo
MAX_RATIO = 100  # unpacked size over the size of the zip; photos reach 1.1, bombs a thousand and more
SMALL = 64 << 20  # unpacked bytes below which any ratio is harmless
_HANDLE = r"[\w.-]+/[\w.-]+"
_UNZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def resolve(source: str, cache: Path) -> Path:
    """The local folder that ``source`` stands for; downloads and unpacks what is not there yet.

    Raises:
        BadInput: nothing there, an unsafe or damaged zip, or a download that fails.
        MissingExtra: the library for this source is not installed.
    """
    kind, _, handle = source.partition(":")
    if kind == "kaggle":
        return _kaggle(handle)
    if kind == "hf":
        return _hugging_face(handle, cache)
    if "://" in source:
        raise BadInput(f"'{source}' is a web address: download it and give the folder or zip, or write kaggle:OWNER/NAME or hf:OWNER/NAME.")
    path = Path(os.path.expanduser(source))
    if source and os.path.isdir(path):  # unlike Path.is_dir, no error for a name that is too long
        return path
    if source and os.path.isfile(path):
        return unzip(path, cache)
    raise BadInput(f"There is no folder or zip '{source}': check the spelling, or write kaggle:OWNER/NAME or hf:OWNER/NAME.")


def unzip(path: Path, cache: Path) -> Path:
    """Unpack the photos of a zip into a folder of the cache named by its content; at once if that is there.

    Raises:
        BadInput: not a zip, damaged, locked, without photos, or dangerous.
    """
    if not zipfile.is_zipfile(path):
        raise BadInput(f"'{path}' is neither a folder nor a zip: give the folder that holds the photos.")
    home = cache / "unzipped" / path.stem / digest_file(path)
    if home.is_dir():
        return home
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _safe_entries(path, archive)
            need_space(cache, sum(entry.file_size for entry in entries))
            with new_folder(home) as temporary:
                for entry in entries:
                    _unpack(archive, entry, temporary)
    except _UNZIP_ERRORS as problem:
        raise BadInput(f"The zip '{path}' is damaged ({problem}): download it again.") from problem
    except OSError as problem:
        raise BadInput(f"The zip '{path}' cannot be unpacked into '{home}' ({problem.strerror or problem}): free some space.") from problem
    return home


def _safe_entries(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The photos of a zip, after all checks that need no unpacking. Nothing else is ever written."""
    entries: list[zipfile.ZipInfo] = []
    for entry in archive.infolist():
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/"):
            raise BadInput(f"The zip '{path}' wants to write outside its folder ('{entry.filename}'): nothing was unpacked.")
        if entry.is_dir() or is_hidden(name) or stat.S_ISLNK(entry.external_attr >> 16):
            continue
        if entry.flag_bits & 1:
            raise BadInput(f"The zip '{path}' is locked with a password: unpack it yourself and give the folder.")
        if _is_photo(archive, entry):
            entries.append(entry)
    total = sum(entry.file_size for entry in entries)
    if any(entry.file_size > MAX_PHOTO for entry in entries) or total > max(SMALL, MAX_RATIO * path.stat().st_size):
        raise BadInput(f"The zip '{path}' would unpack to {total / 1e9:.1f} GB, more than photos can (a bomb?): nothing was unpacked.")
    if not entries:
        raise BadInput(f"The zip '{path}' holds no photos: it needs JPEG, PNG or WebP files, one folder for each animal.")
    return entries


def _is_photo(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    if PurePosixPath(entry.filename).suffix.lower() in SUFFIXES:
        return True
    with archive.open(entry) as file:
        return is_picture_data(file.read(HEAD))


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    target = folder.joinpath(*PurePosixPath(entry.filename.replace("\\", "/")).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as packed, open(target, "wb") as file:  # reads file_size bytes at most, whatever the data says
        shutil.copyfileobj(packed, file)


def _require_handle(kind: str, handle: str, pattern: str) -> None:
    if not re.fullmatch(pattern, handle) or not {".", ".."}.isdisjoint(handle.split("/")):
        raise BadInput(f"'{kind}:{handle}' is not a data set: write {kind}:OWNER/NAME as in its web address.")


def _download_failed(site: str, handle: str, login: str, problem: BaseException) -> JungleError:
    """One sentence for whatever a download library raised."""
    status: int | None = None
    cause: BaseException | None = problem  # the answer of the site may lie some causes deep
    while status is None and cause is not None:
        status, cause = getattr(getattr(cause, "response", None), "status_code", None), cause.__cause__
    if status in (401, 403):
        return BadInput(f"{site} does not give out '{handle}' ({status}): check the name, accept its terms there, and log in ({login}).")
    if status == 404:
        return BadInput(f"{site} has no data set '{handle}': check the spelling of OWNER/NAME.")
    if status == 429:
        return BadInput(f"{site} asks to wait (429, too many requests): try again in some minutes.")
    detail = f"error {status}" if status else type(problem).__name__
    return BadInput(f"'{handle}' could not be downloaded from {site} ({detail}): check the network, or get its zip by hand and give that.")


def _kaggle(handle: str) -> Path:
    _require_handle("kaggle", handle, rf"{_HANDLE}(/versions/\d+)?")
    try:
        import kagglehub
    except ImportError:
        raise MissingExtra.library("kagglehub", "kaggle", "Downloading from Kaggle") from None
    try:
        with contextlib.redirect_stdout(sys.stderr):  # it prints; our standard output carries only results
            return Path(kagglehub.dataset_download(handle))
    except Exception as problem:  # the library raises its own, requests', and the disk's errors
        raise _download_failed("Kaggle", handle, "a token from kaggle.com/settings", problem) from problem


def _hugging_face(handle: str, cache: Path) -> Path:
    _require_handle("hf", handle, _HANDLE)
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtra.library("huggingface_hub", "hf", "Downloading from Hugging Face") from None
    wanted = [f"*{suffix}" for suffix in sorted(SUFFIXES | {s.upper() for s in SUFFIXES})] + ["*.parquet", "*.zip"]
    try:
        snapshot = Path(snapshot_download(handle, repo_type="dataset", allow_patterns=wanted))
    except Exception as problem:  # the library raises its own, httpx', and the disk's errors
        raise _download_failed("Hugging Face", handle, "hf auth login", problem) from problem
    if scan(snapshot).photos:
        return snapshot
    if parquet := sorted(str(file) for file in snapshot.rglob("*.parquet")):
        return from_parquet(parquet, handle, cache / "parquet" / handle.replace("/", "--") / snapshot.name)
    zips = sorted(snapshot.rglob("*.zip"))
    if len(zips) == 1:
        return unzip(zips[0], cache)
    raise BadInput(f"The data set hf:{handle} holds {len(zips)} zips, no pictures and no parquet files: give the folder of photos itself.")


def from_parquet(files: list[str], handle: str, home: Path) -> Path:
    """Write the pictures of parquet files into class folders under ``home``; at once if that is there.

    The picture column is the first ``Image`` feature; the class column the first ``ClassLabel``, else text called
    label, class, species or animal. Rows without a label lie beside the class folders.

    Raises:
        BadInput: no picture column, or files that cannot be read.
        MissingExtra: ``datasets`` is not installed.
    """
    if home.is_dir():
        return home
    try:
        import datasets
    except ImportError:
        raise MissingExtra.library("datasets", "hf", f"Reading the parquet files of hf:{handle}") from None
    try:
        rows = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
        features: dict[str, Any] = dict(rows.features)
        pictures = [name for name, kind in features.items() if isinstance(kind, datasets.Image) or "bytes" in _fields(kind)]
        if not pictures:
            raise BadInput(f"The data set hf:{handle} has no picture column (it has {', '.join(features)}): choose another data set.")
        labels = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
        labels += [name for name in ("label", "class", "species", "animal") if name in features and name not in labels]
        if isinstance(features[pictures[0]], datasets.Image):
            rows = rows.cast_column(pictures[0], datasets.Image(decode=False))
        with new_folder(home) as temporary:
            _write_rows(rows, pictures[0], labels[0] if labels else None, features, temporary)
    except JungleError:
        raise
    except Exception as problem:  # datasets and pyarrow raise many kinds
        raise BadInput(f"The parquet files of hf:{handle} cannot be read ({type(problem).__name__}): give a folder of photos.") from problem
    return home


def _fields(kind: Any) -> Iterable[str]:
    return kind if isinstance(kind, dict) else ()


def _write_rows(rows: Iterable[dict[str, Any]], picture: str, label: str | None, features: dict[str, Any], folder: Path) -> None:
    for number, row in enumerate(rows, 1):
        data = (row[picture] or {}).get("bytes")
        value = row[label] if label else None
        if label and value is not None and hasattr(features[label], "int2str"):
            value = features[label].int2str(value) if value >= 0 else None  # -1 marks an unlabelled row
        name = re.sub(r"[^\w .()+-]", "_", str(value)).strip(" .") if value is not None else ""
        target = folder / name
        target.mkdir(exist_ok=True)
        # The suffix only marks it as a photo; photos are opened by content. No data is listed as an empty file.
        (target / f"{number:08}.jpg").write_bytes(data or b"")
