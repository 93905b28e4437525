"""From a folder of recordings to samples for training: chosen, decoded once, kept in a cache.

    CACHE/clips/KEY/waves.npy       (S,) int16: all clips one after the other, mono, 16 kHz
    CACHE/clips/KEY/offsets.npy     (N + 1,) int64: clip i is waves[offsets[i]:offsets[i + 1]]
    CACHE/clips/KEY/labels.npy      (N,) int64
    CACHE/clips/KEY/groups.npy      (N,) int64
    CACHE/clips/KEY/manifest.json   classes, paths, what was skipped and why; written last

KEY follows from the content of the chosen recordings, their classes and order: a changed recording
makes a new cache, an unchanged one is opened in a moment.
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
from ..data.decoding import DecodeProgress, decode_all, mapped
from ..data.folders import (
    FolderContents,
    SkippedFile,
    SourceFile,
    choose_files,
    require_enough,
    scan_folder,
)
from ..data.formats import RECORDINGS
from ..storage.atomic import cached, new_folder
from ..storage.hashing import remembered_digests
from .decode import Audio, AudioInfo, UnreadableRecording, open_recording
from .fingerprint import Fingerprints, audio_fingerprint, group_recordings

Mono = NDArray[np.float32]
"""(samples,), nominal range [-1, 1]."""

PcmArray = NDArray[np.int16]
"""(samples,), full scale 32768."""

RATE = 16_000  # Hz of every clip
SHORTEST, LONGEST = 0.1, 10.0  # seconds of a clip
PEAK = 0.9  # of every clip

_FRAME = RATE // 50  # samples: 20 ms
_ACTIVE_DB = 45.0  # below the loudest frame, within which a frame belongs to the call
_MARGIN = 0.03  # seconds kept on both sides of the call
_SILENT_DB = -60.0  # dBFS of the loudest frame, below which nothing is heard
_RAIL = 0.98  # a peak above this touches full scale
_CLIPPED = 0.2  # share of samples at full scale above which a recording is nothing but clipping
_VERSION = 1  # of the decoding; a change makes old caches unused


@dataclass(frozen=True)
class AudioDataset:
    """Clips ready for training, N of K classes."""

    waves: PcmArray  # (S,), read from the disk where it is touched
    offsets: NDArray[np.int64]  # (N + 1,)
    labels: NDArray[np.int64]  # (N,), index into ``classes``
    groups: NDArray[np.int64]  # (N,); clips of one recording share a number: never split them
    classes: tuple[str, ...]  # sorted, those with at least one usable recording
    paths: tuple[str, ...]  # N, relative to the folder
    skipped: list[SkippedFile]  # what is not used, and why
    fingerprint: str  # of the data: equal only for equal recordings, classes and order

    def __len__(self) -> int:
        """The number of clips."""
        return len(self.labels)

    def pcm(self, index: int) -> PcmArray:
        """(samples,) int16 at :data:`RATE`, peak :data:`PEAK` of full scale."""
        return self.waves[self.offsets[index] : self.offsets[index + 1]]

    def waveform(self, index: int) -> NDArray[np.float32]:
        """(samples,) float32 at :data:`RATE`, in [-1, 1]."""
        return np.asarray(self.pcm(index), dtype=np.float32) / np.float32(32768)


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording brought to the form of training, and what was measured on the way."""

    wave: PcmArray  # (samples,)
    fingerprint: Fingerprints  # (D,)
    facts: AudioInfo
    clipped: float  # share of samples at full scale
    level: float  # dBFS of the loudest 20 ms


def downmix(audio: Audio) -> Mono:
    """(samples,) from (samples, channels): the mean, or the loudest channel.

    The loudest one where the mean would cancel them out: a dead channel leaves a quarter of the
    energy, opposite phases leave nothing.
    """
    mixed: Mono = audio.mean(axis=1, dtype=np.float32)
    energies = np.einsum("sc,sc->c", audio, audio)
    loudest = int(energies.argmax())
    if float(mixed @ mixed) < 0.1 * float(energies[loudest]):
        return np.ascontiguousarray(audio[:, loudest])
    return mixed


def full_scale_share(audio: Audio) -> float:
    """The share of samples in [0, 1] that lie at full scale, as clipping leaves them.

    0 where the peak is below 0.98.
    """
    size = np.abs(audio)
    peak = float(size.max(initial=0.0))
    return float((size >= 0.999 * min(peak, 1.0)).mean()) if peak >= _RAIL else 0.0


def frame_rms_db(wave: Mono) -> NDArray[np.float64]:
    """dBFS of each frame of 20 ms, by its RMS; the last frame is filled with zeros.

    A full-scale square wave has 0 dBFS, a sine -3.
    """
    padded = np.pad(wave.astype(np.float64), (0, -len(wave) % _FRAME)).reshape(-1, _FRAME)
    return np.asarray(10 * np.log10(np.maximum((padded**2).mean(axis=1), 1e-20)), np.float64)


def trim_silence(wave: Mono) -> Mono:
    """From the first to the last frame within 45 dB of the loudest, with 30 ms on both sides."""
    levels = frame_rms_db(wave)
    active = np.flatnonzero(levels >= levels.max() - _ACTIVE_DB)
    margin = round(_MARGIN * RATE)
    start = max(0, int(active[0]) * _FRAME - margin)
    return wave[start : (int(active[-1]) + 1) * _FRAME + margin]


def loudest_part(wave: Mono) -> Mono:
    """At most :data:`LONGEST` seconds: those with the most energy."""
    length = round(LONGEST * RATE)
    if len(wave) <= length:
        return wave
    energy = np.concatenate([[0.0], np.cumsum(wave.astype(np.float64) ** 2)])
    start = int(np.argmax(energy[length:] - energy[:-length]))
    return wave[start : start + length]


def prepare_recording(path: Path) -> Clip:
    """One recording as a clip: mono, 16 kHz, without DC, trimmed, at most ten seconds, peak 0.9.

    Raises:
        UnreadableRecording: it cannot be opened, is silent, too short, or nothing but clipping.
    """
    import soxr

    audio, rate, facts = open_recording(path)
    clipped = full_scale_share(audio)
    if clipped > _CLIPPED:
        share = f"{100 * clipped:.0f} % of the samples are at full scale"
        raise UnreadableRecording(path, f"nothing but clipping ({share})")

    # DC goes before resampling, which would make clicks of its steps at the ends.
    wave = downmix(audio)
    wave = wave - np.float32(wave.mean(dtype=np.float64))
    if rate != RATE:
        wave = soxr.resample(wave, rate, RATE, quality="HQ")
    if len(wave) < SHORTEST * RATE:
        raise UnreadableRecording(path, f"shorter than {SHORTEST:g} seconds")

    level = float(frame_rms_db(wave).max())
    if level < _SILENT_DB:
        raise UnreadableRecording(path, f"silent (nothing above {_SILENT_DB:.0f} dBFS)")
    wave = loudest_part(trim_silence(wave))
    if len(wave) < SHORTEST * RATE:
        raise UnreadableRecording(path, f"shorter than {SHORTEST:g} seconds without its silence")

    samples = np.rint(wave * (PEAK * 32767 / float(np.abs(wave).max()))).astype(np.int16)
    return Clip(samples, audio_fingerprint(samples, RATE), facts, clipped, level)


def _key(root: Path, files: Sequence[SourceFile], cache: Path) -> str:
    result = hashlib.blake2b(json.dumps([_VERSION, RATE]).encode(), digest_size=16)
    contents = remembered_digests((root / file.path for file in files), cache)
    for file, content in zip(files, contents, strict=True):
        result.update(json.dumps([*file, content]).encode())
    return result.hexdigest()


def _write_header(file: BinaryIO, length: int) -> None:
    """The .npy header. NumPy pads it so that its size does not depend on the sample count."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<i2", "fortran_order": False, "shape": (length,)}
    )


def _decode(
    root: Path, files: Sequence[SourceFile], target: BinaryIO, progress: DecodeProgress | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the samples clip by clip; returns the arrays and the manifest."""
    used: list[SourceFile] = []
    skipped: list[SkippedFile] = []
    offsets = [0]
    fingerprints: list[Fingerprints] = []

    # How many samples there are is known at the end: the header is written twice.
    _write_header(target, 0)
    start = target.tell()
    results = decode_all((root / file.path for file in files), prepare_recording)
    for done, (file, result) in enumerate(zip(files, results, strict=True), 1):
        if isinstance(result, UnreadableRecording):
            skipped.append(SkippedFile(file.path, result.reason))
        else:
            target.write(result.wave.astype("<i2").tobytes())
            offsets.append(offsets[-1] + len(result.wave))
            fingerprints.append(result.fingerprint)
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
        "groups": group_recordings(np.stack(fingerprints)),
    }
    return arrays, {"classes": classes, "paths": [file.path for file in used], "skipped": skipped}


def _build(
    root: Path, files: Sequence[SourceFile], home: Path, progress: DecodeProgress | None
) -> None:
    with new_folder(home) as temporary:
        with open(temporary / "waves.npy", "wb") as file:
            arrays, manifest = _decode(root, files, file, progress)
            file.flush()
            os.fsync(file.fileno())
        for name, values in arrays.items():
            np.save(temporary / f"{name}.npy", values)
        (temporary / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _open(home: Path) -> AudioDataset | None:
    """The cached set; None if it is missing or damaged."""
    try:
        manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
        waves = mapped(home / "waves.npy")
        offsets, labels, groups = (
            np.load(home / f"{name}.npy") for name in ("offsets", "labels", "groups")
        )
        paths = tuple(manifest["paths"])
        skipped = [SkippedFile(*item) for item in manifest["skipped"]]

        # A cache from a full disk can have arrays of other lengths: it is built again.
        same_length = len(labels) == len(groups) == len(paths) == len(offsets) - 1
        if not same_length or offsets[-1] != len(waves):
            return None
        classes = tuple(manifest["classes"])
        return AudioDataset(waves, offsets, labels, groups, classes, paths, skipped, home.name)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load_audio_dataset(
    folder: Path | FolderContents,
    recipe: Recipe,
    cache: Path,
    progress: DecodeProgress | None = None,
) -> AudioDataset:
    """The recordings of ``folder`` as clips, from the cache or decoded now.

    Args:
        folder: a folder, or the recordings that :func:`jungle.data.folders.gather_folders` found in
            several.
        recipe: its ``limit``, ``order`` and ``seed`` decide.
        cache: a folder for decoded recordings; safe to delete.
        progress: called with (done, total) while recordings are decoded; not called when they
            come from the cache.

    Raises:
        BadInput: fewer than two usable recordings (with the first reasons), or no room for the
            cache.
    """
    listing = folder if isinstance(folder, FolderContents) else scan_folder(folder, RECORDINGS)
    root = listing.root
    names = [file.name for file in listing.files]
    indices = choose_files(names, recipe.limit, recipe.order, recipe.seed)
    files = [listing.files[index] for index in indices]
    require_enough(root, len(files), listing.skipped, RECORDINGS)

    home = cache / "clips" / _key(root, files, cache)
    result = cached(cache, lambda: _open(home), lambda: _build(root, files, home, progress))
    return replace(result, skipped=listing.skipped + result.skipped)
