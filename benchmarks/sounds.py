"""Calls: ours against what people would use instead, in one run on one machine.

Prints a table, writes JSON to ``--out``.

    python benchmarks/sounds.py speed [--model M] [--threads 2] [--rounds 5] --out speed.json
    python benchmarks/sounds.py mastering RECORDINGS [--count 100] [--program ffmpeg-normalize] \\
        --out mastering.json
    python benchmarks/sounds.py train-mel RECORDINGS --minutes 20 --out MEL
    python benchmarks/sounds.py score RECORDINGS --ear EAR [--model M] \\
        [--mel-model MEL/animal_diffusion_model.pth] --out score.json

``speed`` makes calls with the embedded engine and says where the time goes; and it calls Stable
Audio at toy size through our ``StableAudioEngine`` and directly, in turn. ``mastering`` brings
recordings to -16 LUFS and -1 dBTP with ours and with ffmpeg-normalize, each as one process over a
folder, and lets FFmpeg measure both. ``train-mel`` trains the mel baseline of ``baselines.py``.
``score`` lets an ear that ranked nothing (``train_ear.py --seed 1``) judge ours, that baseline,
synthesis by rule, and recordings that went through the two representations and back.
"""

import argparse
import dataclasses
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loudness
import numpy as np
from sound_speed import speed
from timing import medians, print_table, timed

if TYPE_CHECKING:
    from jungle.sounds.engine import Audio
    from jungle.sounds.evaluate import CallScores


def _copy_recordings(recordings: Path, count: int, seed: int, out: Path) -> None:
    """``count`` recordings, drawn at random, as WAV of 24 bits: what both programs can read."""
    import soundfile

    from jungle.data.folders import scan_folder
    from jungle.data.formats import RECORDINGS
    from jungle.sounds.decode import open_recording

    paths = [file.path for file in scan_folder(recordings, RECORDINGS).files]
    chosen = np.random.default_rng([seed, 11]).permutation(len(paths))[:count]
    for position, index in enumerate(chosen):
        audio, rate, _ = open_recording(recordings / paths[index])
        soundfile.write(out / f"{position:03}.wav", audio, rate, subtype="PCM_24")


def mastering(recordings: Path, count: int, program: str, rounds: int, seed: int) -> dict[str, Any]:
    """``count`` recordings through ours and through ffmpeg-normalize.

    Each a process of its own, in turn, ``rounds`` times.
    """
    foreign = shutil.which(program)
    if not foreign or not shutil.which("ffmpeg"):
        raise SystemExit(
            f"There is no {program if not foreign else 'ffmpeg'} here: pip install "
            "ffmpeg-normalize, and apt install ffmpeg."
        )
    with tempfile.TemporaryDirectory() as temporary:
        names = ("untouched", "ours", "ffmpeg-normalize")
        folders = {name: Path(temporary) / name for name in names}
        for folder in folders.values():
            folder.mkdir()
        _copy_recordings(recordings, count, seed, folders["untouched"])

        files = [str(file) for file in sorted(folders["untouched"].iterdir())]
        goal = ["-t", f"{loudness.TARGET:g}", "-tp", f"{loudness.CEILING:g}"]
        form = ["-ar", "48000", "-ext", "wav", "-f", "-q"]
        commands = {
            "ours": [
                sys.executable,
                loudness.__file__,
                str(folders["untouched"]),
                str(folders["ours"]),
            ],
            "ffmpeg-normalize": [
                foreign,
                *files,
                "-of",
                str(folders["ffmpeg-normalize"]),
                *goal,
                *form,
            ],
        }

        # Ours prints the seconds that it took without start and files.
        spent: list[dict[str, float]] = []
        for _ in range(rounds):
            done = {
                name: timed(functools.partial(subprocess.run, c, check=True, capture_output=True))
                for name, c in commands.items()
            }
            alone = float(done["ours"][0].stdout)
            taken = {name: seconds / count for name, (_, seconds) in done.items()}
            spent.append(taken | {"alone": alone / count})
        seconds = medians(spent)
        rows = {
            name: loudness.measured(folder, count) | {"s a clip": seconds.get(name)}
            for name, folder in folders.items()
        }
    print_table(rows)
    print(
        f"{count} recordings to {loudness.TARGET:g} LUFS and {loudness.CEILING:g} dBTP at 48 kHz; "
        f"seconds with the start of the process, medians of {rounds} rounds."
    )
    print(
        f"Ours also cleans, trims and loops ({seconds['alone']:.4f} s a clip without start and "
        "files); it limits peaks by 10 dB at most."
    )
    return {"count": count, "rounds": rounds, "alone": seconds["alone"], "arms": rows}


def frechet_ratio(ours: "CallScores", other: "CallScores") -> float | None:
    """(Frechet distance of ours - floor) / (that of the other - floor).

    None where there are too few calls for it.
    """
    if (
        ours.frechet is None
        or ours.frechet_floor is None
        or other.frechet is None
        or other.frechet_floor is None
    ):
        return None
    return (ours.frechet - ours.frechet_floor) / (other.frechet - other.frechet_floor)


def score(recordings: Path, count: int, given: argparse.Namespace) -> dict[str, Any]:
    """Every arm against the recordings, by the classifier in ``given.ear``."""
    import baselines

    from jungle.cli.models import open_sound_engine
    from jungle.cli.options import CommonOptions
    from jungle.config.jungle_toml import JungleFolder
    from jungle.config.paths import cache_folder
    from jungle.config.recipe_table import find_recipe
    from jungle.sounds.classifier import AudioClassifier
    from jungle.sounds.dataset import RATE, load_audio_dataset
    from jungle.sounds.engine import CallRequest, SoundEngine
    from jungle.sounds.evaluate import ComparisonSet, score_calls
    from jungle.sounds.memorisation import MemorisationIndex

    clips = load_audio_dataset(recordings, find_recipe("call", "recordings"), cache_folder())
    classifier = AudioClassifier.load(given.ear)
    if not set(clips.classes) <= set(classifier.classes):
        raise SystemExit(
            f"{given.ear} knows {', '.join(classifier.classes)}, and {recordings} holds "
            f"{', '.join(clips.classes)}."
        )
    index = MemorisationIndex.from_dataset(clips, classifier)
    against = ComparisonSet(clips=clips, classifier=classifier, index=index, seed=given.seed)

    occurring = np.random.default_rng([given.seed, 7]).choice(clips.labels, count)
    labels = np.arange(count) % len(clips.classes) if given.balanced else occurring
    requests = [
        CallRequest(seed=given.seed + i, mix={clips.classes[label]: 1.0})
        for i, label in enumerate(labels)
    ]
    scores: dict[str, CallScores] = {}

    def score_arm(name: str, calls: "Sequence[Audio]", labels: Any) -> None:
        scores[name] = score_calls(calls, RATE, labels, against)
        print(f"{name}: {scores[name].to_text()}\n", flush=True)

    def calls_of(engine: SoundEngine) -> "list[Audio]":
        return [take.audio for _, take in engine.make(requests)]

    def open_engine(model: str) -> SoundEngine:
        return open_sound_engine(CommonOptions(), model, JungleFolder.open(Path()))[0]

    score_arm("ours", calls_of(open_engine(given.model)), labels)
    if given.mel_model:
        with baselines.as_mel():
            drawn = calls_of(open_engine(given.mel_model))
        score_arm("mel, Griffin-Lim", drawn, labels)
    score_arm("by rule", calls_of(baselines.ParametricMaker()), labels)

    # What a perfect model could reach: recordings through each representation and back.
    aside = baselines.set_aside(clips, count, given.seed)
    score_arm("recordings, ours", baselines.copy_synthesis(clips, aside), clips.labels[aside])
    with baselines.as_mel():
        copies = baselines.copy_synthesis(clips, aside)
    score_arm("recordings, mel", copies, clips.labels[aside])
    return {
        "balanced": given.balanced,
        "scores": {name: dataclasses.asdict(scored) for name, scored in scores.items()},
        "ratios": _print_scores(scores),
    }


def _print_scores(scores: "Mapping[str, CallScores]") -> dict[str, float | None]:
    """The table of all arms, and how near ours is to the floor beside others; returns that."""
    from jungle.evaluation.classifier import FEATURES

    columns = {
        "agreement": "agreement",
        "mean of classes": "agreement_mean",
        "kernel x 1000": "kid",
        "its floor": "kid_floor",
        "Frechet": "frechet",
        "floor": "frechet_floor",
        "faulty": "flagged",
        "copies": "copies",
    }
    print_table(
        {
            name: {title: getattr(scored, key) for title, key in columns.items()}
            for name, scored in scores.items()
        }
    )
    ratios = {
        name: frechet_ratio(scores["ours"], scores[name])
        for name in ("mel, Griffin-Lim", "by rule")
        if name in scores
    }

    too_few = f"too few calls for a Frechet distance: use --count {2 * FEATURES} or more"
    for name, ratio in ratios.items():
        text = too_few if ratio is None else f"{ratio:.3f}"
        print(f"(Frechet of ours - floor) / (Frechet of {name} - floor): {text}.")
    print(
        "Recordings went through each representation and back: they are copies by design, and the "
        "best that a model could reach."
    )
    return ratios


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["speed", "mastering", "train-mel", "score"])
    parser.add_argument(
        "recordings",
        nargs="?",
        default="",
        help="folder of recordings, one sub-folder a class; not for speed",
    )
    parser.add_argument("--model", default="", help="of ours; the shipped one by default")
    parser.add_argument("--mel-model", default="", help="score: of train-mel; left out by default")
    parser.add_argument("--ear", type=Path, help="score: a file of train_ear.py")
    parser.add_argument(
        "--count",
        type=int,
        default=0,
        help="calls or clips; 12 for speed, 100 for mastering, 300 for score",
    )
    parser.add_argument(
        "--balanced",
        action="store_true",
        help="score: as many calls of each class, not as the recordings occur",
    )
    parser.add_argument("--program", default="ffmpeg-normalize", help="mastering: where it is")
    parser.add_argument("--minutes", type=float, default=20.0, help="train-mel")
    parser.add_argument("--recipe", default="call", help="train-mel: or tiny")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--threads", type=int, default=0, help="of PyTorch; as many as cores by default"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, required=True, help="the JSON file; for train-mel the run folder"
    )
    return parser


def main() -> None:
    """Parse and run."""
    parser = _parser()
    given = parser.parse_args()
    if given.what != "speed" and not given.recordings:
        parser.error(f"{given.what} needs a folder of recordings")
    if given.what == "score" and not given.ear:
        parser.error(
            "score needs --ear: python benchmarks/train_ear.py RECORDINGS --seed 1 --out EAR makes "
            "one"
        )

    # Before anything else of torch is used.
    if given.threads:
        import torch

        torch.set_num_threads(given.threads)

    recordings, count = Path(given.recordings), given.count
    if given.what == "train-mel":
        import baselines

        print(baselines.train_mel(recordings, given.recipe, given.minutes, given.out))
        return
    if given.what == "speed":
        result = speed(given.model, count or 12, given.rounds)
    elif given.what == "mastering":
        result = mastering(recordings, count or 100, given.program, given.rounds, given.seed)
    else:
        result = score(recordings, count or 300, given)
    given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
