"""From what a user writes after ``jungle train`` to a local folder of photos or recordings.

my-photos/              a folder, used where it lies my-photos.zip           unpacked once, into the
cache kaggle:OWNER/NAME       downloaded by ``kagglehub``, which keeps its own cache hf:OWNER/NAME
downloaded by ``huggingface_hub``: folders of files, one zip, or parquet files (by ``datasets``)
"""

import contextlib
import os
import re
import shutil
import stat
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInput, JungleError, MissingExtra
from ..storage.atomic import need_space, new_folder
from ..storage.hashing import digest_file
from .folders import holds_none, is_hidden, scan_folder
from .formats import HEAD, MEDIA, PHOTOS, RECORDINGS, FileFormats, media_of

# bytes of one unpacked file; an hour of 16-bit stereo at 48 kHz is 700 MB, and far more than a call
MAX_FILE = 512 << 20
# unpacked size over the size of the zip; photos reach 1.1, recordings of silence 10, bombs a
# thousand and more
MAX_RATIO = 100
SMALL = 64 << 20  # unpacked bytes below which any ratio is harmless
_HANDLE = r"[\w.-]+/[\w.-]+"
_UNZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def resolve(source: str, cache: Path, media: FileFormats | None = None) -> Path:
    """The local folder that ``source`` stands for; downloads and unpacks what is not there yet,
    photos and recordings alike.

    Args:
        media: what is wanted, if that is known: a source without any of it is refused.

    Raises:
        BadInput: nothing there, an unsafe or damaged zip, or a download that fails.
        MissingExtra: the library for this source is not installed.
    """
    kind, _, handle = source.partition(":")
    if kind == "kaggle":
        return _kaggle(handle)
    if kind == "hf":
        return _hugging_face(handle, cache, media)

    if "://" in source:
        raise BadInput(
            f"'{source}' is a web address: download it and give the folder or zip, or write "
            "kaggle:OWNER/NAME or hf:OWNER/NAME."
        )

    # What exists on this disk goes before what might be meant.
    path = Path(os.path.expanduser(source))
    if source and os.path.isdir(path):  # unlike Path.is_dir, no error for a name that is too long
        return path
    if source and os.path.isfile(path):
        return unzip(path, cache, media)
    raise BadInput(
        f"There is no folder or zip '{source}': check the spelling, or write kaggle:OWNER/NAME or "
        "hf:OWNER/NAME."
    )


def unzip(path: Path, cache: Path, media: FileFormats | None = None) -> Path:
    """Unpack the photos and recordings of a zip into a folder of the cache named by its content; at
    once if that is there.

    Raises:
        BadInput: not a zip, damaged, locked, without files of ``media``, or dangerous.
    """
    if not zipfile.is_zipfile(path):
        raise BadInput(
            f"'{path}' is neither a folder nor a zip: give the folder that holds the "
            f"{_wanted(media)}."
        )

    # By content: a zip that was changed is unpacked anew, the same one never twice.
    home = cache / "unzipped" / path.stem / digest_file(path)
    if home.is_dir():
        return home

    try:
        with zipfile.ZipFile(path) as archive:
            entries, word = _safe_entries(path, archive, media)
            need_space(cache, sum(entry.file_size for entry in entries), word)
            with new_folder(home) as temporary:
                for entry in entries:
                    _unpack(archive, entry, temporary)
    except _UNZIP_ERRORS as problem:
        raise BadInput(f"The zip '{path}' is damaged ({problem}): download it again.") from problem
    except OSError as problem:
        raise BadInput(
            f"The zip '{path}' cannot be unpacked into '{home}' ({problem.strerror or problem}): "
            "free some space."
        ) from problem

    return home


def _wanted(media: FileFormats | None) -> str:
    return f"{media.word}s" if media else "photos or recordings"


def _safe_entries(
    path: Path, archive: zipfile.ZipFile, wanted: FileFormats | None
) -> tuple[list[zipfile.ZipInfo], str]:
    """The photos and recordings of a zip, after all checks that need no unpacking, and which of the
    two most are.

    Nothing else is ever written.
    """
    entries: list[zipfile.ZipInfo] = []
    counts: Counter[str] = Counter()

    for entry in archive.infolist():
        name = entry.filename.replace("\\", "/")

        # Nothing may leave the folder it is unpacked into (zip slip).
        if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/"):
            raise BadInput(
                f"The zip '{path}' wants to write outside its folder ('{entry.filename}'): nothing "
                "was unpacked."
            )

        if entry.is_dir() or is_hidden(name) or stat.S_ISLNK(entry.external_attr >> 16):
            continue

        if entry.flag_bits & 1:
            raise BadInput(
                f"The zip '{path}' is locked with a password: unpack it yourself and give the "
                "folder."
            )

        if media := media_of(name, partial(_head, archive, entry)):
            entries.append(entry)
            counts[f"{media.word}s"] += 1

    if not counts or (wanted and not counts[f"{wanted.word}s"]):
        raise BadInput(holds_none(f"The zip '{path}'", "folder", *([wanted] if wanted else [])))
    most, total = max(counts, key=counts.__getitem__), sum(entry.file_size for entry in entries)

    # The sizes in the directory are promises: a small zip that promises very much is a bomb.
    if any(entry.file_size > MAX_FILE for entry in entries) or total > max(
        SMALL, MAX_RATIO * path.stat().st_size
    ):
        raise BadInput(
            f"The zip '{path}' would unpack to {total / 1e9:.1f} GB, more than {most} can (a "
            "bomb?): nothing was unpacked."
        )

    return entries, most


def _head(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        return file.read(HEAD)


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    target = folder.joinpath(*PurePosixPath(entry.filename.replace("\\", "/")).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    # reads file_size bytes at most, whatever the data says
    with (
        archive.open(entry) as packed,
        open(target, "wb") as file,
    ):
        shutil.copyfileobj(packed, file)


def _require_handle(kind: str, handle: str, pattern: str) -> None:
    if not re.fullmatch(pattern, handle) or not {".", ".."}.isdisjoint(handle.split("/")):
        raise BadInput(
            f"'{kind}:{handle}' is not a data set: write {kind}:OWNER/NAME as in its web address."
        )


def _download_failed(site: str, handle: str, login: str, problem: BaseException) -> JungleError:
    """One sentence for whatever a download library raised."""
    status: int | None = None

    cause: BaseException | None = problem  # the answer of the site may lie some causes deep
    while status is None and cause is not None:
        status, cause = (
            getattr(getattr(cause, "response", None), "status_code", None),
            cause.__cause__,
        )

    # The status tells what a person can do; the text of the library rarely does.
    if status in (401, 403):
        return BadInput(
            f"{site} does not give out '{handle}' ({status}): check the name, accept its terms "
            f"there, and log in ({login})."
        )

    if status == 404:
        return BadInput(f"{site} has no data set '{handle}': check the spelling of OWNER/NAME.")
    if status == 429:
        return BadInput(f"{site} asks to wait (429, too many requests): try again in some minutes.")
    detail = f"error {status}" if status else type(problem).__name__

    return BadInput(
        f"'{handle}' could not be downloaded from {site} ({detail}): check the network, or get its "
        "zip by hand and give that."
    )


def _kaggle(handle: str) -> Path:
    _require_handle("kaggle", handle, rf"{_HANDLE}(/versions/\d+)?")
    try:
        import kagglehub
    except ImportError:
        raise MissingExtra.library("kagglehub", "kaggle", "Downloading from Kaggle") from None
    try:
        # it prints; our standard output carries only results
        with contextlib.redirect_stdout(sys.stderr):
            return Path(kagglehub.dataset_download(handle))
    except Exception as problem:  # the library raises its own, requests', and the disk's errors
        raise _download_failed(
            "Kaggle", handle, "a token from kaggle.com/settings", problem
        ) from problem


def _hugging_face(handle: str, cache: Path, media: FileFormats | None) -> Path:
    _require_handle("hf", handle, _HANDLE)

    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtra.library(
            "huggingface_hub", "hf", "Downloading from Hugging Face"
        ) from None

    # Only what can be used is downloaded.
    suffixes = sorted(PHOTOS.suffixes | RECORDINGS.suffixes)
    wanted = [f"*{suffix}" for suffix in suffixes + [s.upper() for s in suffixes]] + [
        "*.parquet",
        "*.zip",
    ]

    try:
        snapshot = Path(snapshot_download(handle, repo_type="dataset", allow_patterns=wanted))
    except Exception as problem:  # the library raises its own, httpx', and the disk's errors
        raise _download_failed("Hugging Face", handle, "hf auth login", problem) from problem

    if any(scan_folder(snapshot, one).files for one in ([media] if media else MEDIA)):
        return snapshot

    if parquet := sorted(str(file) for file in snapshot.rglob("*.parquet")):
        return from_parquet(
            parquet, handle, cache / "parquet" / handle.replace("/", "--") / snapshot.name, media
        )

    # A data set may be files, parquet or one zip, tried in this order.
    zips = sorted(snapshot.rglob("*.zip"))
    if len(zips) == 1:
        return unzip(zips[0], cache, media)
    none = {PHOTOS: "no pictures", RECORDINGS: "no recordings", None: "no pictures or recordings"}[
        media
    ]
    result = f"holds {len(zips)} zips, {none} and no parquet files"
    raise BadInput(
        f"The data set hf:{handle} {result}: give the folder of {_wanted(media)} itself."
    )


def from_parquet(
    files: list[str], handle: str, home: Path, media: FileFormats | None = None
) -> Path:
    """Write the pictures or recordings of parquet files into class folders under ``home``; at once
    if that is there.

    They are in the first ``Image`` or ``Audio`` feature; the class is in the first ``ClassLabel``,
    else in text called label, class, species or animal. Rows without a label lie beside the class
    folders.

    Raises:
        BadInput: no such column, or files that cannot be read.
        MissingExtra: ``datasets`` is not installed.
    """
    if home.is_dir():
        return home

    try:
        import datasets
    except ImportError:
        raise MissingExtra.library(
            "datasets", "hf", f"Reading the parquet files of hf:{handle}"
        ) from None

    try:
        rows = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
        features: dict[str, Any] = dict(rows.features)
        column, suffix = _file_column(handle, features, media)
        labels = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
        labels += [
            name
            for name in ("label", "class", "species", "animal")
            if name in features and name not in labels
        ]

        # Bytes stay bytes: our own decoders read them and know their traps.
        if isinstance(features[column], datasets.Image | datasets.Audio):
            rows = rows.cast_column(column, type(features[column])(decode=False))
        with new_folder(home) as temporary:
            _write_rows(rows, column, suffix, labels[0] if labels else None, features, temporary)
    except JungleError:
        raise
    except Exception as problem:  # datasets and pyarrow raise many kinds
        raise BadInput(
            f"The parquet files of hf:{handle} cannot be read ({type(problem).__name__}): give a "
            f"folder of {_wanted(media)}."
        ) from problem

    return home


def _file_column(
    handle: str, features: dict[str, Any], media: FileFormats | None
) -> tuple[str, str]:
    """The column that holds the files, and the suffix they get: it only marks their kind, as files
    are opened by content.
    """
    import datasets

    # The type of a column tells what it holds; its name is the second guess.
    marks = [(PHOTOS, datasets.Image, ".jpg"), (RECORDINGS, datasets.Audio, ".wav")]
    for item, kind, suffix in marks:
        for name, feature in features.items():
            if media in (item, None) and isinstance(feature, kind):
                return name, suffix
    for name, feature in features.items():  # written without the types of the library
        if "bytes" in (feature if isinstance(feature, dict) else ()):
            return name, ".wav" if media is RECORDINGS or "audio" in name.lower() else ".jpg"
    none = {PHOTOS: "no picture", RECORDINGS: "no sound", None: "no sound and no picture"}[media]
    raise BadInput(
        f"The data set hf:{handle} has {none} column (it has {', '.join(features)}): choose "
        "another data set."
    )


def _write_rows(
    rows: Iterable[dict[str, Any]],
    column: str,
    suffix: str,
    label: str | None,
    features: dict[str, Any],
    folder: Path,
) -> None:
    for number, row in enumerate(rows, 1):
        data = (row[column] or {}).get("bytes")
        value = row[label] if label else None
        if label and value is not None and hasattr(features[label], "int2str"):
            # -1 marks an unlabelled row
            value = features[label].int2str(value) if value >= 0 else None
        name = re.sub(r"[^\w .()+-]", "_", str(value)).strip(" .") if value is not None else ""
        target = folder / name
        target.mkdir(exist_ok=True)
        # no data is listed as an empty file
        (target / f"{number:08}{suffix}").write_bytes(data or b"")
