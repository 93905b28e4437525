"""From a folder of recordings to samples for training: chosen, decoded once, kept in a memory-mapped cache.

    CACHE/clips/KEY/waves.npy       (S,) int16: all clips one after the other, mono, 16 kHz
    CACHE/clips/KEY/offsets.npy     (N + 1,) int64: clip i is waves[offsets[i]:offsets[i + 1]]
    CACHE/clips/KEY/labels.npy      (N,) int64
    CACHE/clips/KEY/groups.npy      (N,) int64
    CACHE/clips/KEY/manifest.json   classes, paths, what was skipped and why; written last

KEY follows from the content of the chosen recordings, their classes and order: a changed recording makes a new cache, an
unchanged one is opened in a moment.
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
from ..data.decoding import Progress, decode_all, mapped
from ..data.folders import File, Found, Skipped, choose, require_enough, scan
from ..data.formats import RECORDINGS
from ..storage.atomic import cached, new_folder
from ..storage.hashing import digests
from . import fingerprint as likeness
from .decode import Audio, Facts, Unreadable, open_recording

Mono = NDArray[np.float32]
Wave = NDArray[np.int16]

RATE = 16_000  # Hz of every clip
FRAME = RATE // 50  # samples: 20 ms
ACTIVE = 45.0  # dB below the loudest frame within which a frame belongs to the call
MARGIN = 0.03  # seconds kept on both sides of the call
SHORTEST, LONGEST = 0.1, 10.0  # seconds of a clip
SILENT = -60.0  # dBFS of the loudest frame, below which nothing is heard
PEAK = 0.9  # of every clip
RAIL = 0.98  # a peak above this touches full scale
CLIPPED = 0.2  # share of samples at full scale above which a recording is nothing but clipping
_VERSION = 1  # of the decoding; a change makes old caches unused


@dataclass(frozen=True)
class ClipSet:
    """Clips ready for training, N of K classes."""

    waves: Wave  # (S,), read from the disk where it is touched
    offsets: NDArray[np.int64]  # (N + 1,)
    labels: NDArray[np.int64]  # (N,), index into ``classes``
    groups: NDArray[np.int64]  # (N,); clips of the same recording share a number: never split them
    classes: tuple[str, ...]  # sorted, those with at least one usable recording
    paths: tuple[str, ...]  # N, relative to the folder
    skipped: list[Skipped]  # what is not used, and why
    fingerprint: str  # of the data: equal only for equal recordings, classes and order

    def __len__(self) -> int:
        """The number of clips."""
        return len(self.labels)

    def clip(self, index: int) -> Wave:
        """(samples,) int16 at :data:`RATE`, peak :data:`PEAK` of full scale."""
        return self.waves[self.offsets[index] : self.offsets[index + 1]]

    def sound(self, index: int) -> NDArray[np.float32]:
        """(samples,) float32 in [-1, 1]."""
        return np.asarray(self.clip(index), dtype=np.float32) / np.float32(32768)


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording brought to the form of training, and what was found on the way."""

    wave: Wave  # (samples,)
    print: likeness.Prints  # its fingerprint
    facts: Facts
    clipped: float  # share of samples at full scale
    level: float  # dBFS of the loudest 20 ms


def mono(audio: Audio) -> Mono:
    """(samples,) from (samples, channels): the mean, or the loudest channel where the mean would cancel them out."""
    mixed: Mono = audio.mean(axis=1, dtype=np.float32)
    energies = np.einsum("sc,sc->c", audio, audio)
    loudest = int(energies.argmax())
    if float(mixed @ mixed) < 0.1 * float(
        energies[loudest]
    ):  # a dead channel leaves a quarter, opposite phases nothing
        return np.ascontiguousarray(audio[:, loudest])
    return mixed


def at_rail(audio: Audio) -> float:
    """The share of samples in [0, 1] that lie at full scale, as clipping leaves them; 0 where the peak is below it."""
    size = np.abs(audio)
    peak = float(size.max(initial=0.0))
    return float((size >= 0.999 * min(peak, 1.0)).mean()) if peak >= RAIL else 0.0


def levels(wave: Mono) -> NDArray[np.float64]:
    """dBFS of each frame of 20 ms, by its RMS (a full-scale square wave has 0); the last frame is filled with zeros."""
    padded = np.pad(wave.astype(np.float64), (0, -len(wave) % FRAME)).reshape(-1, FRAME)
    return np.asarray(10 * np.log10(np.maximum((padded**2).mean(axis=1), 1e-20)), np.float64)


def trim(wave: Mono) -> Mono:
    """The active part with its margin: from the first to the last frame within :data:`ACTIVE` dB of the loudest."""
    found = levels(wave)
    active = np.flatnonzero(found >= found.max() - ACTIVE)
    margin = round(MARGIN * RATE)
    return wave[max(0, int(active[0]) * FRAME - margin) : (int(active[-1]) + 1) * FRAME + margin]


def loudest(wave: Mono) -> Mono:
    """At most :data:`LONGEST` seconds: those with the most energy."""
    length = round(LONGEST * RATE)
    if len(wave) <= length:
        return wave
    energy = np.concatenate([[0.0], np.cumsum(wave.astype(np.float64) ** 2)])
    start = int(np.argmax(energy[length:] - energy[:-length]))
    return wave[start : start + length]


def prepare(path: Path) -> Clip:
    """One recording as a clip: mono, 16 kHz, without DC, trimmed, at most ten seconds, with a fixed peak.

    Raises:
        Unreadable: it cannot be opened, is silent, too short, or nothing but clipping.
    """
    import soxr

    audio, rate, facts = open_recording(path)
    clipped = at_rail(audio)
    if clipped > CLIPPED:
        raise Unreadable(
            path, f"nothing but clipping ({100 * clipped:.0f} % of the samples are at full scale)"
        )
    wave = mono(audio)
    wave = wave - np.float32(
        wave.mean(dtype=np.float64)
    )  # before resampling, which would make clicks of its steps at the ends
    if rate != RATE:
        wave = soxr.resample(wave, rate, RATE, quality="HQ")
    if len(wave) < SHORTEST * RATE:
        raise Unreadable(path, f"shorter than {SHORTEST:g} seconds")
    level = float(levels(wave).max())
    if level < SILENT:
        raise Unreadable(path, f"silent (nothing above {SILENT:.0f} dBFS)")
    wave = loudest(trim(wave))
    if len(wave) < SHORTEST * RATE:
        raise Unreadable(path, f"shorter than {SHORTEST:g} seconds without its silence")
    samples = np.rint(wave * (PEAK * 32767 / float(np.abs(wave).max()))).astype(np.int16)
    return Clip(samples, likeness.fingerprint(samples, RATE), facts, clipped, level)


def _key(root: Path, files: Sequence[File], cache: Path) -> str:
    result = hashlib.blake2b(json.dumps([_VERSION, RATE]).encode(), digest_size=16)
    for file, content in zip(
        files, digests((root / file.path for file in files), cache), strict=True
    ):
        result.update(json.dumps([*file, content]).encode())
    return result.hexdigest()


def _write_header(file: BinaryIO, length: int) -> None:
    """The .npy header. NumPy pads it so that its size does not depend on the number of samples."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<i2", "fortran_order": False, "shape": (length,)}
    )


def _decode(
    root: Path, files: Sequence[File], target: BinaryIO, progress: Progress | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the samples clip by clip; returns the arrays and the manifest."""
    used: list[File] = []
    skipped: list[Skipped] = []
    offsets, prints = [0], list[likeness.Prints]()
    _write_header(target, 0)
    start = target.tell()
    for done, (file, result) in enumerate(
        zip(files, decode_all((root / f.path for f in files), prepare), strict=True), 1
    ):
        if isinstance(result, Unreadable):
            skipped.append(Skipped(file.path, result.reason))
        else:
            target.write(result.wave.astype("<i2").tobytes())
            offsets.append(offsets[-1] + len(result.wave))
            prints.append(result.print)
            used.append(file)
        if progress:
            progress(done, len(files))
    target.seek(0)
    _write_header(target, offsets[-1])
    assert target.tell() == start
    require_enough(root, len(used), skipped, RECORDINGS)
    classes = sorted({file.name for file in used})
    arrays = {
        "offsets": np.array(offsets, np.int64),
        "labels": np.searchsorted(classes, [file.name for file in used]).astype(np.int64),
        "groups": likeness.groups(np.stack(prints)),
    }
    return arrays, {"classes": classes, "paths": [file.path for file in used], "skipped": skipped}


def _build(root: Path, files: Sequence[File], home: Path, progress: Progress | None) -> None:
    with new_folder(home) as temporary:
        with open(temporary / "waves.npy", "wb") as file:
            arrays, manifest = _decode(root, files, file, progress)
            file.flush()
            os.fsync(file.fileno())
        for name, values in arrays.items():
            np.save(temporary / f"{name}.npy", values)
        (temporary / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _open(home: Path) -> ClipSet | None:
    """The cached set; None if it is missing or damaged."""
    try:
        manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
        waves = mapped(home / "waves.npy")
        offsets, labels, groups = (
            np.load(home / f"{name}.npy") for name in ("offsets", "labels", "groups")
        )
        paths, skipped = tuple(manifest["paths"]), [Skipped(*item) for item in manifest["skipped"]]
        if not len(labels) == len(groups) == len(paths) == len(offsets) - 1 or offsets[-1] != len(
            waves
        ):
            return None
        return ClipSet(
            waves, offsets, labels, groups, tuple(manifest["classes"]), paths, skipped, home.name
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load(
    folder: Path | Found, recipe: Recipe, cache: Path, progress: Progress | None = None
) -> ClipSet:
    """The recordings of ``folder`` as clips, from the cache or decoded now.

    Args:
        folder: a folder, or the recordings that :func:`jungle.folders.gather` found in several.
        recipe: its ``limit``, ``order`` and ``seed`` decide.
        cache: a folder for decoded recordings; safe to delete.
        progress: called with (done, total) while recordings are decoded; not called when they come from the cache.

    Raises:
        BadInput: fewer than two usable recordings (with the first reasons), or no room for the cache.
    """
    found = folder if isinstance(folder, Found) else scan(folder, RECORDINGS)
    root = found.root
    chosen = [
        found.files[i]
        for i in choose([f.name for f in found.files], recipe.limit, recipe.order, recipe.seed)
    ]
    require_enough(root, len(chosen), found.skipped, RECORDINGS)
    home = cache / "clips" / _key(root, chosen, cache)
    result = cached(cache, lambda: _open(home), lambda: _build(root, chosen, home, progress))
    return replace(result, skipped=found.skipped + result.skipped)
