"""``jungle inspect recordings/``: what is in a folder of recordings, before hours go into training on it, in plain words."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..config.recipes import Recipe
from ..data.decoding import Progress, Unreadable, decode_all
from ..data.duplicates import repeated
from ..data.folders import FEWEST, File, Skipped, scan
from ..data.formats import RECORDINGS
from ..data.report_text import (
    FEW,
    bars,
    bytes_text,
    counts,
    duration,
    examples,
    plural,
    skipped_files,
    twins,
)
from ..storage.hashing import digests
from . import fingerprint
from .dataset import LONGEST, RATE, Clip, prepare
from .generate import check_recipe

CLIPPED = 0.01  # share of samples at full scale above which clipping is heard
QUIET = -40.0  # dBFS of the loudest 20 ms, below which the noise of the recorder is heard once the call is made louder

T = TypeVar("T", int, str)


@dataclass(frozen=True)
class Report:
    """What :func:`inspect` found. All paths are relative to the folder."""

    folder: str
    recordings: int  # that can be used
    classes: dict[str, int]  # usable recordings of each, most first
    skipped: tuple[Skipped, ...]
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
        total, files = plural(self.recordings, "recording"), skipped_files(self.skipped)
        if self.recordings < FEWEST:
            return "\n".join(
                [f"{total} in {self.folder} can be used: too few to train on.", *files]
            )
        lines = [
            f"{total} of {len(self.classes)} class{'es' * (len(self.classes) != 1)} in {self.folder}",
            "",
            *bars(self.classes),
            "",
        ]
        same = twins("recording", self.duplicates, self.near, self.disputed)
        return "\n".join([*lines, *files, *self._sound(), *same, *self._cost()])

    def _sound(self) -> list[str]:
        lines = [
            f"Lengths: {self.shortest:.1f} to {self.longest:.1f} seconds, median {self.median:.1f}, together {duration(self.total)}.",
            f"Rates: {counts({f'{rate:,} Hz': count for rate, count in self.rates.items()})}.",
            f"Encodings: {counts(self.encodings)}. Channels: {counts({str(n): count for n, count in self.channels.items()})}.",
        ]
        if self.dull:
            lines.append(
                f"  {self.dull:,} are below {RATE:,} Hz and stay dull: they have nothing above half of their rate."
            )
        if self.cut:
            lines.append(
                f"  {self.cut:,} are longer than {LONGEST:.0f} seconds: the loudest {LONGEST:.0f} of each are used."
            )
        for title, paths in (
            ("Clipped, and so will the calls sound", self.clipped),
            ("Quiet, so that noise is heard", self.quiet),
        ):
            lines += [f"{title}: {len(paths):,}.", *examples(paths)] if paths else []
        if self.small_classes:
            lines.append(
                f"Small classes (under {FEW} recordings, hardly learnt): {', '.join(self.small_classes)}."
            )
        return lines

    def _cost(self) -> list[str]:
        lines = [
            f"Disk for the decoded recordings: {bytes_text(self.cache_bytes)}; they are read from there and do not fill the memory."
        ]
        if self.memory_bytes is not None:
            lines.append(f"Memory for training: about {bytes_text(self.memory_bytes)}.")
        time = "" if self.seconds is None else f", about {duration(self.seconds)} on this machine"
        return [*lines, f"Training shows {self.clips:,} clips{time}."]


def inspect(
    folder: Path,
    recipe: Recipe,
    cache: Path,
    clips_per_second: float | None = None,
    memory_bytes: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Open every recording of a folder once and report; nothing is changed and nothing is decoded into the cache.

    Args:
        recipe: gives the length of training.
        cache: remembers the digests of files.
        clips_per_second: measured speed of training, for the estimated time.
        memory_bytes: measured or estimated memory of training.
        progress: called with (done, total).

    Raises:
        BadInput: the recipe is none for recordings.
    """
    check_recipe(recipe)
    found = scan(folder, RECORDINGS)
    skipped, used, clips = list(found.skipped), list[File](), list[Clip]()
    results = decode_all((folder / file.path for file in found.files), prepare)
    for done, (file, result) in enumerate(zip(found.files, results, strict=True), 1):
        if isinstance(result, Unreadable):
            skipped.append(Skipped(file.path, result.reason))
        else:
            used.append(file)
            clips.append(result)
        if progress:
            progress(done, len(found.files))
    same = repeated(list(digests((folder / file.path for file in used), cache)))
    copies = {index for group in same for index in group[1:]}
    unique = [index for index in range(len(used)) if index not in copies]
    prints = np.array([clips[index].print for index in unique], np.float32).reshape(
        len(unique), fingerprint.BANDS * fingerprint.FRAMES
    )
    near = [
        [unique[index] for index in group]
        for group in repeated(fingerprint.groups(prints, fingerprint.SURE).tolist())
    ]
    return _report(folder, recipe, used, clips, skipped, same, near, clips_per_second, memory_bytes)


def _most_first(values: Iterable[T]) -> dict[T, int]:
    return dict(Counter(values).most_common())


def _report(
    folder: Path, recipe: Recipe, used: Sequence[File], clips: Sequence[Clip], skipped: Sequence[Skipped],
    same: list[list[int]], near: list[list[int]], clips_per_second: float | None, memory_bytes: int | None,
) -> Report:  # fmt: skip
    facts = [clip.facts for clip in clips]
    seconds = [fact.seconds for fact in facts] or [0.0]
    count = min(len(used), recipe.limit or len(used))
    shown = recipe.steps * recipe.batch if recipe.steps else round(recipe.epochs * count)
    share = count / max(1, len(used))

    def paths(groups: list[list[int]]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(used[index].path for index in group) for group in groups)

    return Report(
        folder=str(folder),
        recordings=len(used),
        classes=_most_first(sorted(file.name for file in used)),
        skipped=tuple(skipped),
        rates=_most_first(fact.rate for fact in facts),
        encodings=_most_first(fact.encoding for fact in facts),
        channels=_most_first(fact.channels for fact in facts),
        shortest=min(seconds),
        median=statistics.median(seconds),
        longest=max(seconds),
        total=sum(seconds),
        dull=sum(fact.rate < RATE for fact in facts),
        cut=sum(len(clip.wave) >= LONGEST * RATE for clip in clips),
        clipped=tuple(
            file.path for file, clip in zip(used, clips, strict=True) if clip.clipped > CLIPPED
        ),
        quiet=tuple(
            file.path for file, clip in zip(used, clips, strict=True) if clip.level < QUIET
        ),
        duplicates=paths(same),
        near=paths(near),
        disputed=paths(
            [group for group in same + near if len({used[index].name for index in group}) > 1]
        ),
        cache_bytes=round(share * sum(clip.wave.nbytes for clip in clips)),
        clips=shown,
        seconds=shown / clips_per_second if clips_per_second else None,
        memory_bytes=memory_bytes,
    )
