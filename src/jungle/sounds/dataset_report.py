"""``jungle inspect recordings/``: what is in a folder of recordings, in plain words.

Before hours go into training on it.
"""

import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..config.recipes import Recipe
from ..data.decoding import DecodeProgress, Unreadable, decode_all
from ..data.duplicates import repeated
from ..data.folders import FEWEST, SkippedFile, SourceFile, scan_folder
from ..data.formats import RECORDINGS
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
from . import fingerprint
from .dataset import LONGEST, RATE, Clip, prepare_recording
from .generate import check_recipe

_CLIPPED = 0.01  # share of samples at full scale above which clipping is heard

# dBFS of the loudest 20 ms, below which the noise of the recorder is heard once the call is made
# louder
_QUIET_DB = -40.0

_Value = TypeVar("_Value", int, str)


@dataclass(frozen=True)
class Report:
    """What :func:`inspect_recordings` found. All paths are relative to the folder."""

    folder: str
    recordings: int  # that can be used
    classes: dict[str, int]  # usable recordings of each, most first
    skipped: tuple[SkippedFile, ...]
    rates: dict[int, int]  # Hz -> recordings, most first; so for the next two
    encodings: dict[str, int]
    channels: dict[int, int]
    shortest: float  # seconds as found
    median: float
    longest: float
    total: float
    dull: int  # recordings at a rate below that of training
    cut: int  # recordings of which only the loudest seconds are used
    clipped: tuple[str, ...]
    quiet: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]  # groups of files with the same bytes
    near: tuple[tuple[str, ...], ...]  # groups of different files that hold the same recording
    disputed: tuple[tuple[str, ...], ...]  # those groups whose files lie in different classes
    cache_bytes: int  # disk that the decoded recordings take
    clips: int  # shown in the whole training
    seconds: float | None  # of training, if its speed is known
    memory_bytes: int | None  # of training, if known

    @property
    def small_classes(self) -> tuple[str, ...]:
        """Classes with fewer than :data:`FEW` recordings."""
        return tuple(name for name, count in self.classes.items() if count < FEW)

    def to_json(self) -> str:
        """Everything, on one line."""
        return json.dumps(asdict(self) | {"small_classes": self.small_classes}, ensure_ascii=False)

    def to_text(self) -> str:
        """The report for people, without a line break at the end."""
        total, files = count_noun(self.recordings, "recording"), skipped_files(self.skipped)
        if self.recordings < FEWEST:
            too_few = f"{total} in {self.folder} can be used: too few to train on."
            return "\n".join([too_few, *files])

        classes = f"class{'es' * (len(self.classes) != 1)}"
        lines = [
            f"{total} of {len(self.classes)} {classes} in {self.folder}",
            "",
            *bars(self.classes),
            "",
        ]
        same = describe_duplicates("recording", self.duplicates, self.near, self.disputed)
        return "\n".join([*lines, *files, *self._sound(), *same, *self._cost()])

    def _sound(self) -> list[str]:
        rates = {f"{rate:,} Hz": count for rate, count in self.rates.items()}
        channels = {str(channels): count for channels, count in self.channels.items()}
        lines = [
            f"Lengths: {self.shortest:.1f} to {self.longest:.1f} seconds, median "
            f"{self.median:.1f}, together {duration(self.total)}.",
            f"Rates: {counts(rates)}.",
            f"Encodings: {counts(self.encodings)}. Channels: {counts(channels)}.",
        ]

        # What follows is said only where it is so: a good folder has a short report.
        if self.dull:
            lines.append(
                f"  {self.dull:,} are below {RATE:,} Hz and stay dull: they have nothing above "
                "half of their rate."
            )
        if self.cut:
            lines.append(
                f"  {self.cut:,} are longer than {LONGEST:.0f} seconds: the loudest "
                f"{LONGEST:.0f} of each are used."
            )
        for title, paths in (
            ("Clipped, and so will the calls sound", self.clipped),
            ("Quiet, so that noise is heard", self.quiet),
        ):
            lines += [f"{title}: {len(paths):,}.", *list_examples(paths)] if paths else []
        if self.small_classes:
            lines.append(
                f"Small classes (under {FEW} recordings, hardly learnt): "
                f"{', '.join(self.small_classes)}."
            )
        return lines

    def _cost(self) -> list[str]:
        lines = [
            f"Disk for the decoded recordings: {bytes_text(self.cache_bytes)}; they are read from "
            "there and do not fill the memory."
        ]
        if self.memory_bytes is not None:
            lines.append(f"Memory for training: about {bytes_text(self.memory_bytes)}.")
        time = "" if self.seconds is None else f", about {duration(self.seconds)} on this machine"
        return [*lines, f"Training shows {self.clips:,} clips{time}."]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Usable:
    """The recordings that can be used, and which of them are the same; groups hold indices."""

    files: Sequence[SourceFile]
    clips: Sequence[Clip]  # one a file
    duplicates: list[list[int]]  # the same bytes
    near: list[list[int]]  # the same recording in other bytes


def inspect_recordings(
    folder: Path,
    recipe: Recipe,
    cache: Path,
    clips_per_second: float | None = None,
    memory_bytes: int | None = None,
    progress: DecodeProgress | None = None,
) -> Report:
    """Open every recording of a folder once and report.

    Nothing is changed and nothing is decoded into the cache.

    Args:
        folder: with recordings in one sub-folder a class.
        recipe: gives the length of training.
        cache: remembers the digests of files.
        clips_per_second: measured speed of training, for the estimated time.
        memory_bytes: measured or estimated memory of training.
        progress: called with (done, total).

    Raises:
        BadInput: the recipe is none for recordings.
    """
    check_recipe(recipe)
    listing = scan_folder(folder, RECORDINGS)
    skipped = list(listing.skipped)
    files: list[SourceFile] = []
    clips: list[Clip] = []
    results = decode_all((folder / file.path for file in listing.files), prepare_recording)
    for done, (file, result) in enumerate(zip(listing.files, results, strict=True), 1):
        if isinstance(result, Unreadable):
            skipped.append(SkippedFile(file.path, result.reason))
        else:
            files.append(file)
            clips.append(result)
        if progress:
            progress(done, len(listing.files))

    duplicates = repeated(list(remembered_digests((folder / file.path for file in files), cache)))
    near = _near_duplicates(clips, duplicates)
    usable = _Usable(files=files, clips=clips, duplicates=duplicates, near=near)
    report = _report(folder, recipe, usable, skipped)
    return replace(
        report,
        seconds=report.clips / clips_per_second if clips_per_second else None,
        memory_bytes=memory_bytes,
    )


def _near_duplicates(clips: Sequence[Clip], duplicates: list[list[int]]) -> list[list[int]]:
    """Groups of indices whose fingerprints agree; of files with the same bytes, the first."""
    copies = {index for group in duplicates for index in group[1:]}
    unique = [index for index in range(len(clips)) if index not in copies]

    # The shape is given because there may be no clip at all.
    size = fingerprint.BANDS * fingerprint.FRAMES
    fingerprints = np.array([clips[index].fingerprint for index in unique], np.float32)
    groups = fingerprint.group_recordings(fingerprints.reshape(len(unique), size), fingerprint.SURE)
    return [[unique[index] for index in group] for group in repeated(groups.tolist())]


def _most_first(values: Iterable[_Value]) -> dict[_Value, int]:
    return dict(Counter(values).most_common())


def _report(
    folder: Path, recipe: Recipe, usable: _Usable, skipped: Sequence[SkippedFile]
) -> Report:
    """The report without what depends on the machine: time and memory of training."""
    files, clips = usable.files, usable.clips
    infos = [clip.facts for clip in clips]
    seconds = [info.seconds for info in infos] or [0.0]

    # A recipe may use a part of the recordings only.
    count = min(len(files), recipe.limit or len(files))
    share = count / max(1, len(files))

    def paths(groups: list[list[int]]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(files[index].path for index in group) for group in groups)

    def paths_where(condition: Callable[[Clip], bool]) -> tuple[str, ...]:
        pairs = zip(files, clips, strict=True)
        return tuple(file.path for file, clip in pairs if condition(clip))

    same = usable.duplicates + usable.near
    disputed = [group for group in same if len({files[index].name for index in group}) > 1]
    return Report(
        folder=str(folder),
        recordings=len(files),
        classes=_most_first(sorted(file.name for file in files)),
        skipped=tuple(skipped),
        rates=_most_first(info.rate for info in infos),
        encodings=_most_first(info.encoding for info in infos),
        channels=_most_first(info.channels for info in infos),
        shortest=min(seconds),
        median=statistics.median(seconds),
        longest=max(seconds),
        total=sum(seconds),
        dull=sum(info.rate < RATE for info in infos),
        cut=sum(len(clip.wave) >= LONGEST * RATE for clip in clips),
        clipped=paths_where(lambda clip: clip.clipped > _CLIPPED),
        quiet=paths_where(lambda clip: clip.level < _QUIET_DB),
        duplicates=paths(usable.duplicates),
        near=paths(usable.near),
        disputed=paths(disputed),
        cache_bytes=round(share * sum(clip.wave.nbytes for clip in clips)),
        clips=recipe.steps * recipe.batch if recipe.steps else round(recipe.epochs * count),
        seconds=None,
        memory_bytes=None,
    )
