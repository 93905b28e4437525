"""From a folder of photos to arrays for training: chosen, decoded once, kept in a memory-mapped
cache.

    CACHE/photos/KEY/images.npy      (N, H, W, 3) uint8
    CACHE/photos/KEY/labels.npy      (N,) int64
    CACHE/photos/KEY/manifest.json   classes, paths, what was skipped and why; written last

KEY follows from the content of the chosen photos, their classes and order, and the size: a changed
photo or option makes a new cache, an unchanged one is opened in a moment.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..config.recipes import Recipe
from ..data.decoding import DecodeProgress, Unreadable, mapped
from ..data.folders import (
    FolderContents,
    SkippedFile,
    SourceFile,
    choose_files,
    require_enough,
    scan_folder,
)
from ..data.formats import PHOTOS
from ..storage.atomic import cached, need_space, new_folder
from ..storage.hashing import remembered_digests
from . import curation
from .decode import CENTRE, decode_photos, open_photo, open_sized
from .quality_checks import dark_corners

__all__ = [
    "ImageDataset",
    "SkippedFile",
    "choose_files",
    "load_photos",
    "open_photo",
    "scan_folder",
]

TURNED = (
    "its corners are dark and empty, as of a picture turned on black, and a model would learn "
    "them; -o corners=keep uses it"
)
_VERSION = 1  # of the decoding; a change makes old caches unused


@dataclass(frozen=True)
class ImageDataset:
    """Photos ready for training, N pictures of K classes."""

    images: NDArray[np.uint8]  # (N, H, W, 3), read from the disk where it is touched
    labels: NDArray[np.int64]  # (N,), index into ``classes``
    classes: tuple[str, ...]  # sorted, those with at least one usable photo
    paths: tuple[str, ...]  # N, relative to the folder
    skipped: list[SkippedFile]  # what is not used, and why
    enlarged: int  # photos that were smaller than (H, W)
    fingerprint: str  # of the data: equal only for equal photos, classes, order and size
    notes: tuple[str, ...] = ()  # sentences about classes that curation kept whole

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.labels)


def _key(photos: Sequence[SourceFile], contents: Sequence[str], recipe: Recipe) -> str:
    options: list[object] = [_VERSION, recipe.size, recipe.crop, recipe.corners]
    if looks_needed(recipe):
        options += [curation.VERSION, recipe.curate]
    result = hashlib.blake2b(json.dumps(options).encode(), digest_size=16)
    for photo, content in zip(photos, contents, strict=True):
        result.update(json.dumps([*photo, content]).encode())
    return result.hexdigest()


def looks_needed(recipe: Recipe) -> bool:
    """Whether the pretrained network must look at the photos."""
    return recipe.curate == "yes" or recipe.crop == "animal"


@dataclass(frozen=True)
class _Plan:
    """What to decode: photos, and where the window of each lies; and what curation left out."""

    photos: list[SourceFile]
    windows: list[tuple[float, float]]
    left_out: list[SkippedFile]
    notes: tuple[str, ...]


def _plan(
    root: Path,
    photos: Sequence[SourceFile],
    contents: Sequence[str],
    recipe: Recipe,
    cache: Path,
    progress: DecodeProgress | None,
) -> _Plan:
    if not looks_needed(recipe):
        return _Plan(list(photos), [CENTRE] * len(photos), [], ())
    looks = curation.analyse_photos(
        [root / photo.path for photo in photos], contents, cache, progress
    )

    windows = [CENTRE] * len(photos)
    if recipe.crop == "animal":
        windows = [curation.place_window(look, recipe.size) for look in looks]
    if recipe.curate == "no":
        return _Plan(list(photos), windows, [], ())

    # A class that the network does not know is kept whole; the notes say so.
    verdict = curation.curate([photo.name for photo in photos], looks)
    kept = [index for index, reason in enumerate(verdict.reasons) if not reason]
    left_out = [
        SkippedFile(photo.path, f"{reason}; -o curate=no uses it")
        for photo, reason in zip(photos, verdict.reasons, strict=True)
        if reason
    ]
    return _Plan(
        [photos[index] for index in kept],
        [windows[index] for index in kept],
        left_out,
        verdict.notes,
    )


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The .npy header. NumPy pads it so that its length does not depend on the number of rows."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )


def _decode(
    root: Path, plan: _Plan, recipe: Recipe, file: BinaryIO, progress: DecodeProgress | None
) -> dict[str, Any]:
    """Write the pictures row by row; returns the manifest."""
    high, wide = recipe.size
    photos = plan.photos
    used: list[SourceFile] = []
    skipped = list(plan.left_out)
    enlarged = 0

    # The number of pictures is only known at the end; a header of the same length holds its place.
    _write_header(file, (len(photos), high, wide, 3))
    start = file.tell()
    where = {root / photo.path: window for photo, window in zip(photos, plan.windows, strict=True)}

    results = decode_photos(
        where, lambda path: open_sized(path, recipe.size, recipe.crop, where=where[path])
    )
    for done, (photo, result) in enumerate(zip(photos, results, strict=True), 1):
        if isinstance(result, Unreadable):
            skipped.append(SkippedFile(photo.path, result.reason))
        elif recipe.corners == "skip" and dark_corners(result[0][None])[0]:
            skipped.append(SkippedFile(photo.path, TURNED))
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

    return {
        "paths": [photo.path for photo in used],
        "names": [photo.name for photo in used],
        "skipped": skipped,
        "notes": plan.notes,
        "enlarged": enlarged,
    }


def _build(
    root: Path, plan: _Plan, recipe: Recipe, home: Path, progress: DecodeProgress | None
) -> None:
    high, wide = recipe.size
    need_space(home, len(plan.photos) * high * wide * 3, "photos")
    with new_folder(home) as temporary:
        with open(temporary / "images.npy", "wb") as file:
            manifest = _decode(root, plan, recipe, file, progress)
            file.flush()
            os.fsync(file.fileno())
        names = manifest.pop("names")
        require_enough(root, len(names), manifest["skipped"], PHOTOS)
        manifest["classes"] = sorted(set(names))
        np.save(
            temporary / "labels.npy", np.searchsorted(manifest["classes"], names).astype(np.int64)
        )
        (temporary / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _open(home: Path) -> ImageDataset | None:
    """The cached set; None if it is missing or damaged."""
    try:
        manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
        images = mapped(home / "images.npy")
        labels = np.load(home / "labels.npy")
        skipped = [SkippedFile(*item) for item in manifest["skipped"]]

        # A cache that contradicts itself is as good as none: it is built again.
        if len(images) != len(labels) or len(labels) != len(manifest["paths"]):
            return None
        return ImageDataset(
            images=images,
            labels=labels,
            classes=tuple(manifest["classes"]),
            paths=tuple(manifest["paths"]),
            skipped=skipped,
            enlarged=manifest["enlarged"],
            fingerprint=home.name,
            notes=tuple(manifest.get("notes", ())),  # older caches have none
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load_photos(
    folder: Path | FolderContents,
    recipe: Recipe,
    cache: Path,
    progress: DecodeProgress | None = None,
) -> ImageDataset:
    """The photos of ``folder`` as the recipe wants them, from the cache or decoded now.

    Args:
        folder: a folder, or the photos that :func:`jungle.folders.gather_folders` found in several.
        recipe: its ``size``, ``crop``, ``curate``, ``corners``, ``limit``, ``order`` and ``seed``
            decide.
        cache: a folder for decoded photos; safe to delete.
        progress: called with (done, total) while the network looks at photos, and again while they
            are decoded; not called when they come from the cache.

    Raises:
        BadInput: fewer than two usable photos (with the first reasons), or no room for the cache.
    """
    found = folder if isinstance(folder, FolderContents) else scan_folder(folder)
    root = found.root
    chosen = [
        found.files[i]
        for i in choose_files(
            [p.name for p in found.files], recipe.limit, recipe.order, recipe.seed
        )
    ]
    require_enough(root, len(chosen), found.skipped, PHOTOS)

    # The key is the content of the photos, so that a changed file makes a new set.
    contents = list(remembered_digests((root / photo.path for photo in chosen), cache))
    home = cache / "photos" / _key(chosen, contents, recipe)

    def build() -> None:
        plan = _plan(root, chosen, contents, recipe, cache, progress)
        _build(root, plan, recipe, home, progress)

    result = cached(cache, lambda: _open(home), build)
    return replace(result, skipped=found.skipped + result.skipped)
