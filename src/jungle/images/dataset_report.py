"""``jungle inspect photos/``: what is in a folder of photos, before hours go into training on it,
in plain words.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..config.recipes import Recipe
from ..data.decoding import DecodeProgress, Unreadable
from ..data.duplicates import connected, repeated
from ..data.folders import FEWEST, SkippedFile, SourceFile, scan_folder
from ..data.report_text import (
    FEW,
    bars,
    bytes_text,
    count_noun,
    counts,
    describe_duplicates,
    duration,
    list_examples,
    skipped_files,
)
from ..storage.hashing import remembered_digests
from . import curation
from .decode import ImageInfo, decode_photos, open_rgb

Hashes = NDArray[np.uint64]

HASHED_AT = (64, 64)  # pixels that are enough for a perceptual hash
# Two photos are near duplicates if both hashes agree this well, of 64 bits. Found by eye on 6,193
# photos: pHash alone
# pairs starfish of the same pose from 8 bits on, dHash alone pairs anything on a plain ground;
# together they do not.
PHASH_BITS = 8
DHASH_BITS = 13
# photos up to which every pair is compared; beyond, pairs that share 16 bits of the hash
ALL_PAIRS = 50_000
BLOCK = 512  # rows of the distance table held at once


@dataclass(frozen=True)
class LeftOut:
    """A photo that training leaves out."""

    path: str
    name: str  # of its class
    reason: str
    animals: float  # probability that the network puts on animals, 0 to 1


@dataclass(frozen=True)
class Report:
    """What :func:`inspect_photos` found. All paths are relative to the folder."""

    folder: str
    photos: int  # that can be used
    classes: dict[str, int]  # usable photos of each, most first
    skipped: tuple[SkippedFile, ...]
    smallest: tuple[int, int]  # (width, height) in pixels of the photo with the shortest short side
    median: int  # short side in pixels
    largest: tuple[int, int]
    enlarged: int  # photos smaller than the training size
    size: tuple[int, int]  # (height, width) for training
    modes: dict[str, int]
    formats: dict[str, int]
    duplicates: tuple[tuple[str, ...], ...]  # groups of files with the same bytes
    near: tuple[tuple[str, ...], ...]  # groups of different files that show almost the same
    disputed: tuple[tuple[str, ...], ...]  # those groups whose files lie in different classes
    cache_bytes: int  # disk that the decoded photos take
    images: int  # photos shown in the whole training
    seconds: float | None  # of training, if its speed is known
    memory_bytes: int | None  # of training, if known
    left_out: tuple[
        LeftOut, ...
    ] = ()  # by curation, the least animal first; they count in ``photos`` and ``classes``
    kept_whole: tuple[str, ...] = ()  # sentences about classes that curation does not know

    @property
    def small_classes(self) -> tuple[str, ...]:
        """Classes with fewer than :data:`FEW` photos."""
        return tuple(name for name, count in self.classes.items() if count < FEW)

    def to_json(self) -> str:
        """Everything, on one line."""
        return json.dumps(asdict(self) | {"small_classes": self.small_classes}, ensure_ascii=False)

    def to_text(self) -> str:
        """The report for people, without a line break at the end."""
        total, files = count_noun(self.photos, "photo"), skipped_files(self.skipped)

        if self.photos < FEWEST:
            return "\n".join(
                [f"{total} in {self.folder} can be used: too few to train on.", *files]
            )

        lines = [
            f"{total} of {len(self.classes)} class{'es' * (len(self.classes) != 1)} in "
            f"{self.folder}",
            "",
            *bars(self.classes),
            "",
        ]
        same = describe_duplicates("photo", self.duplicates, self.near, self.disputed)

        return "\n".join(
            [*lines, *files, *self._pictures(), *self._curation(), *same, *self._cost()]
        )

    def _pictures(self) -> list[str]:
        small, large = ("{} x {}".format(*size) for size in (self.smallest, self.largest))
        lines = [f"Sizes: {small} to {large}, the median short side is {self.median} pixels."]

        if self.enlarged:
            high, wide = self.size
            lines.append(
                f"  {self.enlarged:,} are smaller than {wide} x {high} and will be enlarged; they "
                "look soft."
            )

        lines.append(f"Formats: {counts(self.formats)}. Modes: {counts(self.modes)}.")

        if self.small_classes:
            lines.append(
                f"Small classes (under {FEW} photos, hardly learnt): "
                f"{', '.join(self.small_classes)}."
            )

        return lines

    def _curation(self) -> list[str]:
        if not self.left_out:
            return list(self.kept_whole)
        classes = dict(Counter(sorted(photo.name for photo in self.left_out)).most_common())
        lines = [
            f"Left out in training: {count_noun(len(self.left_out), 'photo')} ({counts(classes)}); "
            "-o curate=no uses them."
        ]
        lines += list_examples(
            [
                f"{photo.path}: {photo.reason} ({photo.animals:.0%} animal)"
                for photo in self.left_out
            ]
        )
        return [*lines, *self.kept_whole]

    def _cost(self) -> list[str]:
        lines = [
            f"Disk for the decoded photos: {bytes_text(self.cache_bytes)}; they are read from "
            "there and do not fill the memory."
        ]
        if self.memory_bytes is not None:
            lines.append(f"Memory for training: about {bytes_text(self.memory_bytes)}.")
        time = "" if self.seconds is None else f", about {duration(self.seconds)} on this machine"
        return [*lines, f"Training shows {self.images:,} photos{time}."]


def _look(path: Path) -> tuple[ImageInfo, int, int]:
    """Facts, pHash and dHash of one photo."""
    import imagehash

    image, facts = open_rgb(path, HASHED_AT)
    # A box filter first: the library's own resize of a full photo would cost more than decoding it.
    small = image.convert("L").resize(HASHED_AT, Image.Resampling.BOX)
    phash, dhash = (
        int.from_bytes(np.packbits(h.hash).tobytes(), "big")
        for h in (imagehash.phash(small), imagehash.dhash(small))
    )
    return facts, phash, dhash


def _candidates(hashes: Hashes) -> Iterator[NDArray[np.intp]]:
    """Groups of indices within which every pair is compared."""
    if len(hashes) <= ALL_PAIRS:
        yield np.arange(len(hashes))
        return
    for shift in range(0, 64, 16):
        band = (hashes >> np.uint64(shift)) & np.uint64(0xFFFF)
        order = np.argsort(band, kind="stable")
        yield from np.split(order, np.flatnonzero(np.diff(band[order])) + 1)


def near_duplicates(phashes: Hashes, dhashes: Hashes) -> list[list[int]]:
    """Groups of two or more indices, connected by pairs that are close in both hashes.

    Up to 50,000 photos every pair is compared, block by block. Beyond, only pairs that share a
    quarter of their pHash: all within 3 bits and most of the others.
    """
    left: list[NDArray[np.intp]] = []
    right: list[NDArray[np.intp]] = []

    for group in _candidates(phashes):
        for start in range(0, len(group), BLOCK):
            rows, columns = group[start : start + BLOCK], group[start:]
            a, b = np.nonzero(
                np.bitwise_count(phashes[rows, None] ^ phashes[None, columns]) <= PHASH_BITS
            )

            # Two hashes of different kinds must agree: each alone calls too many photos alike.
            close = (a < b) & (
                np.bitwise_count(dhashes[rows[a]] ^ dhashes[columns[b]]) <= DHASH_BITS
            )
            left.append(rows[a[close]])
            right.append(columns[b[close]])

    if not left:
        return []
    return connected(np.concatenate(left), np.concatenate(right), len(phashes))


def inspect_photos(
    folder: Path,
    recipe: Recipe,
    cache: Path,
    images_per_second: float | None = None,
    memory_bytes: int | None = None,
    progress: DecodeProgress | None = None,
) -> Report:
    """Open every photo of a folder and report; nothing is changed and nothing is decoded into the
    cache.

    Args:
        recipe: gives the training size and length, and whether photos without an animal are looked
            for (``curate``).
        cache: remembers the digests of files, and what was seen in them.
        images_per_second: measured speed of training, for the estimated time.
        memory_bytes: measured or estimated memory of training.
        progress: called with (done, total).
    """
    found = scan_folder(folder)
    skipped, used, facts = list(found.skipped), list[SourceFile](), list[ImageInfo]()
    hashes: list[tuple[int, int]] = []
    results = decode_photos((folder / photo.path for photo in found.files), _look)
    for done, (photo, result) in enumerate(zip(found.files, results, strict=True), 1):
        if isinstance(result, Unreadable):
            skipped.append(SkippedFile(photo.path, result.reason))
        else:
            used.append(photo)
            facts.append(result[0])
            hashes.append(result[1:])
        if progress:
            progress(done, len(found.files))
    contents = list(remembered_digests((folder / photo.path for photo in used), cache))

    # Copies byte by byte are reported apart; near duplicates are looked for among what is left.
    same = repeated(contents)
    copies = {index for group in same for index in group[1:]}
    unique = np.array([index for index in range(len(used)) if index not in copies], dtype=np.intp)
    phashes, dhashes = np.array(hashes, dtype=np.uint64).reshape(-1, 2)[unique].T
    near = [[int(unique[index]) for index in group] for group in near_duplicates(phashes, dhashes)]
    report = _report(
        folder, recipe, used, facts, skipped, same, near, images_per_second, memory_bytes
    )
    if recipe.curate == "no":
        return report

    # The slow part comes last: a network looks at every photo that can be used.
    looks = curation.analyse_photos(
        [folder / photo.path for photo in used], contents, cache, progress
    )
    verdict = curation.curate([photo.name for photo in used], looks)
    left_out = [
        LeftOut(photo.path, photo.name, reason, round(look.animals, 3))
        for photo, reason, look in zip(used, verdict.reasons, looks, strict=True)
        if reason and look
    ]
    ranked = tuple(sorted(left_out, key=lambda photo: (photo.animals, photo.path)))
    return replace(report, left_out=ranked, kept_whole=verdict.notes)


def _report(  # noqa: PLR0913
    folder: Path,
    recipe: Recipe,
    used: Sequence[SourceFile],
    facts: Sequence[ImageInfo],
    skipped: Sequence[SkippedFile],
    same: list[list[int]],
    near: list[list[int]],
    images_per_second: float | None,
    memory_bytes: int | None,
) -> Report:
    high, wide = recipe.size
    short = sorted((min(f.width, f.height), f.width, f.height) for f in facts) or [(0, 0, 0)]
    count = min(len(used), recipe.limit or len(used))
    images = recipe.steps * recipe.batch if recipe.steps else round(recipe.epochs * count)

    # One photo in two classes teaches a contradiction.
    disputed = [group for group in same + near if len({used[index].name for index in group}) > 1]

    def paths(groups: list[list[int]]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(used[index].path for index in group) for group in groups)

    return Report(
        folder=str(folder),
        photos=len(used),
        classes=dict(Counter(sorted(photo.name for photo in used)).most_common()),
        skipped=tuple(skipped),
        smallest=short[0][1:],
        median=short[len(short) // 2][0],
        largest=short[-1][1:],
        enlarged=sum(f.height < high or f.width < wide for f in facts),
        size=(high, wide),
        modes=dict(Counter(f.mode for f in facts).most_common()),
        formats=dict(Counter(f.format for f in facts).most_common()),
        duplicates=paths(same),
        near=paths(near),
        disputed=paths(disputed),
        cache_bytes=count * high * wide * 3,
        images=images,
        seconds=images / images_per_second if images_per_second else None,
        memory_bytes=memory_bytes,
    )
