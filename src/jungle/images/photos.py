"""From a folder of photos to arrays for training: chosen, decoded once, kept in a memory-mapped cache.

    CACHE/photos/KEY/images.npy      (N, H, W, 3) uint8
    CACHE/photos/KEY/labels.npy      (N,) int64
    CACHE/photos/KEY/manifest.json   classes, paths, what was skipped and why; written last

KEY follows from the content of the chosen photos, their classes and order, and the size: a changed photo or
option makes a new cache, an unchanged one is opened in a moment.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..decoding import Progress, Unreadable, decode_all, mapped
from ..digests import digests
from ..folders import File, Skipped, choose, require_enough, scan
from ..media import PHOTOS
from ..recipes import Recipe
from ..store import cached, need_space, new_folder
from .opening import open_photo, open_sized
from .suspect import dark_corners

__all__ = ["PhotoSet", "Skipped", "choose", "load", "open_photo", "scan"]

TURNED = "its corners are dark and empty, as of a picture turned on black, and a model would learn them; -o corners=keep uses it"
_VERSION = 1  # of the decoding; a change makes old caches unused


@dataclass(frozen=True)
class PhotoSet:
    """Photos ready for training, N pictures of K classes."""

    images: NDArray[np.uint8]  # (N, H, W, 3), read from the disk where it is touched
    labels: NDArray[np.int64]  # (N,), index into ``classes``
    classes: tuple[str, ...]  # sorted, those with at least one usable photo
    paths: tuple[str, ...]  # N, relative to the folder
    skipped: list[Skipped]  # what is not used, and why
    enlarged: int  # photos that were smaller than (H, W)
    fingerprint: str  # of the data: equal only for equal photos, classes, order and size

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.labels)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow's warnings about damaged files; what matters in them comes back as a reason. Filters belong to all threads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def decode_photos(paths: Iterable[Path], decode: Callable[[Path], Any]) -> Iterator[Any]:
    """:func:`decode_all` without Pillow's warnings."""
    with quiet_pillow():
        yield from decode_all(paths, decode)


def _key(root: Path, photos: Sequence[File], recipe: Recipe, cache: Path) -> str:
    result = hashlib.blake2b(json.dumps([_VERSION, recipe.size, recipe.crop, recipe.corners]).encode(), digest_size=16)
    contents = digests((root / photo.path for photo in photos), cache)
    for photo, content in zip(photos, contents, strict=True):
        result.update(json.dumps([*photo, content]).encode())
    return result.hexdigest()


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The .npy header. NumPy pads it so that its length does not depend on the number of rows."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _decode(root: Path, photos: Sequence[File], recipe: Recipe, file: BinaryIO, progress: Progress | None) -> dict[str, Any]:
    """Write the pictures row by row; returns the manifest."""
    high, wide = recipe.size
    used: list[File] = []
    skipped: list[Skipped] = []
    enlarged = 0
    _write_header(file, (len(photos), high, wide, 3))
    start = file.tell()
    results = decode_photos((root / photo.path for photo in photos), lambda path: open_sized(path, recipe.size, recipe.crop))
    for done, (photo, result) in enumerate(zip(photos, results, strict=True), 1):
        if isinstance(result, Unreadable):
            skipped.append(Skipped(photo.path, result.reason))
        elif recipe.corners == "skip" and dark_corners(result[0][None])[0]:
            skipped.append(Skipped(photo.path, TURNED))
        else:
            pixels, facts = result
            file.write(pixels.tobytes())
            used.append(photo)
            enlarged += facts.height < high or facts.width < wide
        if progress:
            progress(done, len(photos))
    file.seek(0)
    _write_header(file, (len(used), high, wide, 3))
    assert file.tell() == start
    return {"paths": [p.path for p in used], "names": [p.name for p in used], "skipped": skipped, "enlarged": enlarged}


def _build(root: Path, photos: Sequence[File], recipe: Recipe, home: Path, progress: Progress | None) -> None:
    high, wide = recipe.size
    need_space(home, len(photos) * high * wide * 3, "photos")
    with new_folder(home) as temporary:
        with open(temporary / "images.npy", "wb") as file:
            manifest = _decode(root, photos, recipe, file, progress)
            file.flush()
            os.fsync(file.fileno())
        names = manifest.pop("names")
        require_enough(root, len(names), manifest["skipped"], PHOTOS)
        manifest["classes"] = sorted(set(names))
        np.save(temporary / "labels.npy", np.searchsorted(manifest["classes"], names).astype(np.int64))
        (temporary / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _open(home: Path) -> PhotoSet | None:
    """The cached set; None if it is missing or damaged."""
    try:
        manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
        images = mapped(home / "images.npy")
        labels = np.load(home / "labels.npy")
        skipped = [Skipped(*item) for item in manifest["skipped"]]
        if len(images) != len(labels) or len(labels) != len(manifest["paths"]):
            return None
        return PhotoSet(images, labels, tuple(manifest["classes"]), tuple(manifest["paths"]), skipped, manifest["enlarged"], home.name)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load(folder: Path, recipe: Recipe, cache: Path, progress: Progress | None = None) -> PhotoSet:
    """The photos of ``folder`` as the recipe wants them, from the cache or decoded now.

    Args:
        recipe: its ``size``, ``crop``, ``corners``, ``limit``, ``order`` and ``seed`` decide.
        cache: a folder for decoded photos; safe to delete.
        progress: called with (done, total) while photos are decoded; not called when they come from the cache.

    Raises:
        BadInput: fewer than two usable photos (with the first reasons), or no room for the cache.
    """
    found = scan(folder)
    chosen = [found.files[i] for i in choose([p.name for p in found.files], recipe.limit, recipe.order, recipe.seed)]
    require_enough(folder, len(chosen), found.skipped, PHOTOS)
    home = cache / "photos" / _key(folder, chosen, recipe, cache)
    result = cached(cache, lambda: _open(home), lambda: _build(folder, chosen, recipe, home, progress))
    return replace(result, skipped=found.skipped + result.skipped)
