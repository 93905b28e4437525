"""Calls: ours against what people would use instead, in one run on one machine. Prints a table,
writes JSON to ``--out``.

    python benchmarks/sounds.py speed                [--model M] [--threads 2] [--rounds 5] --out
    speed.json python benchmarks/sounds.py mastering RECORDINGS [--count 100] [--program
    ffmpeg-normalize] --out mastering.json python benchmarks/sounds.py train-mel RECORDINGS
    --minutes 20 --out MEL python benchmarks/sounds.py score RECORDINGS     --ear EAR [--model M]
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
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

import loudness
import numpy as np

if TYPE_CHECKING:
    from jungle.sounds.classifier import AudioClassifier
    from jungle.sounds.engine import Audio, CallRequest
    from jungle.sounds.evaluate import CallScores
    from jungle.sounds.generate import SpectrogramEngine
    from jungle.sounds.memorisation import MemorisationIndex
    from jungle.sounds.stable_audio.engine import StableAudioEngine

TOY_STEPS, TOY_TAKES, TOY_SECONDS = 50, 4, 2.0
TOY_PROMPT, TOY_NEGATIVE = "a lion roars in a misty forest", "low quality music"
R = TypeVar("R")


def timed(work: Callable[[], R]) -> tuple[R, float]:
    """What ``work`` returns, and the seconds it takes."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def table(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """One line a row, the keys of the first row as headings."""
    widths = {title: max(12, len(title) + 3) for title in next(iter(rows.values()))}
    print(" " * 20 + "".join(f"{title:>{wide}}" for title, wide in widths.items()))
    for name, row in rows.items():
        cells = (
            f"{row[title]:.3f}" if isinstance(row[title], float) else row[title] for title in widths
        )
        print(
            f"{name:20}"
            + "".join(
                f"{'' if cell is None else cell:>{wide}}"
                for cell, wide in zip(cells, widths.values(), strict=True)
            )
        )


# --- speed
# ----------------------------------------------------------------------------------------------------------


def sing(
    maker: "SpectrogramEngine",
    requests: "Sequence[CallRequest]",
    ear: "AudioClassifier",
    reference: "MemorisationIndex | None",
) -> dict[str, float]:
    """Seconds of each part of making, ranking and mastering ``requests``, and the seconds of sound
    drawn.
    """
    from jungle.mastering.chain import master_clips
    from jungle.sounds import spectrogram
    from jungle.sounds.rank import rank_takes

    recovering = 0.0
    recover = spectrogram.images_to_waves

    def clocked(*images: Any) -> Any:
        nonlocal recovering
        waves, seconds = timed(lambda: recover(*images))
        recovering += seconds
        return waves

    with mock.patch.object(spectrogram, "to_waves", clocked):
        takes, drawing = timed(lambda: [take for _, take in maker.make(requests)])
    _, ranking = timed(
        lambda: [
            rank_takes([take], one.mix, ear, reference)
            for take, one in zip(takes, requests, strict=True)
        ]
    )
    _, mastering = timed(lambda: master_clips([take.audio for take in takes], maker.rate))
    parts = {
        "network": drawing - recovering,
        "phase recovery": recovering,
        "ranking": ranking,
        "mastering": mastering,
    }
    return parts | {"sound": sum(len(take.audio) / take.rate for take in takes)}


def through_ours(maker: "StableAudioEngine") -> "list[Audio]":
    """TOY_TAKES takes by our maker, all in one batch."""
    from jungle.sounds.engine import CallRequest

    wanted = [
        CallRequest(seed=seed, prompt=TOY_PROMPT, negative=TOY_NEGATIVE, seconds=TOY_SECONDS)
        for seed in range(TOY_TAKES)
    ]
    return [take.audio for _, take in maker.make(wanted)]


def through_pipeline(pipeline: Any) -> "list[Audio]":
    """The same takes by the plainest call of the same pipeline."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Should have t[ab]", category=UserWarning, module="torchsde"
        )
        answer = pipeline(
            [TOY_PROMPT] * TOY_TAKES,
            negative_prompt=[TOY_NEGATIVE] * TOY_TAKES,
            num_inference_steps=TOY_STEPS,
            guidance_scale=7.0,
            audio_end_in_s=TOY_SECONDS,
            generator=[torch.Generator().manual_seed(seed) for seed in range(TOY_TAKES)],
            output_type="np",
        ).audios
    return [one.T for one in answer]


def speed(model: str, calls: int, rounds: int) -> dict[str, Any]:
    """The embedded engine, and Stable Audio at toy size through ours and directly; all arms in
    turn, ``rounds`` times.
    """
    import toy_stable_audio

    from jungle.cli.models import open_sound_engine
    from jungle.cli.options import CommonOptions
    from jungle.config.jungle_toml import JungleFolder
    from jungle.sounds.classifier import AudioClassifier
    from jungle.sounds.engine import CallRequest
    from jungle.sounds.stable_audio.engine import StableAudioEngine, StableAudioSampling

    maker, reference = open_sound_engine(CommonOptions(), model, JungleFolder.open(Path()))
    ear = AudioClassifier.shipped()
    wanted = [
        CallRequest(seed=seed, mix={maker.classes[seed % len(maker.classes)]: 1.0})
        for seed in range(calls)
    ]
    with tempfile.TemporaryDirectory() as folder:
        toy = StableAudioEngine.open(
            str(toy_stable_audio.build(Path(folder) / "toy")),
            "cpu",
            sampling=StableAudioSampling(steps=TOY_STEPS, batch=TOY_TAKES),
        )
    arms: dict[str, Callable[[], Any]] = {
        "ours": lambda: through_ours(toy),
        "pipeline": lambda: through_pipeline(toy.pipeline),
    }
    apart = max(
        float(np.abs(a - b).max()) for a, b in zip(*(arm() for arm in arms.values()), strict=True)
    )
    sing(maker, wanted[:1], ear, reference)  # all warm now
    sung, taken = [], []
    for _ in range(rounds):
        sung.append(sing(maker, wanted, ear, reference))
        taken.append({name: timed(arm)[1] / TOY_TAKES for name, arm in arms.items()})
    engine, stable = medians(sung), medians(taken)
    sound = engine.pop("sound")
    rows = engine | {
        "drawing": engine["network"] + engine["phase recovery"],
        "everything": sum(engine.values()),
    }
    table(
        {
            name: {"s a call": spent / calls, "times real time": sound / spent}
            for name, spent in rows.items()
        }
    )
    ratio = stable["ours"] / stable["pipeline"]
    print(
        f"{calls} calls of {sound / calls:.2f} s; ranking with{'' if reference else 'out'} a look "
        "for copies of recordings."
    )
    print(
        f"Stable Audio at toy size, {TOY_STEPS} steps: {stable['ours']:.4f} s a take through ours, "
        f"{stable['pipeline']:.4f} s directly: "
        f"{ratio:.3f} times as long, {1000 * (stable['ours'] - stable['pipeline']):+.1f} ms; "
        f"samples at most {apart:.1e} apart."
    )
    return {
        "calls": calls,
        "sound": sound,
        "seconds": engine,
        "stable_audio": stable,
        "ratio": ratio,
        "apart": apart,
    }


# --- mastering
# ------------------------------------------------------------------------------------------------------


def mastering(recordings: Path, count: int, program: str, rounds: int, seed: int) -> dict[str, Any]:
    """``count`` recordings through ours and through ffmpeg-normalize, each a process of its own, in
    turn, ``rounds`` times.
    """
    import soundfile

    from jungle.data.folders import scan_folder
    from jungle.data.formats import RECORDINGS
    from jungle.sounds.decode import open_recording

    foreign = shutil.which(program)
    if not foreign or not shutil.which("ffmpeg"):
        raise SystemExit(
            f"There is no {program if not foreign else 'ffmpeg'} here: pip install "
            "ffmpeg-normalize, and apt install ffmpeg."
        )
    paths = [file.path for file in scan_folder(recordings, RECORDINGS).files]
    chosen = np.random.default_rng([seed, 11]).permutation(len(paths))[:count]
    with tempfile.TemporaryDirectory() as temporary:
        folders = {
            name: Path(temporary) / name for name in ("untouched", "ours", "ffmpeg-normalize")
        }
        for folder in folders.values():
            folder.mkdir()
        for number, index in enumerate(chosen):
            audio, rate, _ = open_recording(recordings / paths[index])
            soundfile.write(
                folders["untouched"] / f"{number:03}.wav", audio, rate, subtype="PCM_24"
            )
        files = [str(file) for file in sorted(folders["untouched"].iterdir())]
        settings = [
            "-t",
            f"{loudness.TARGET:g}",
            "-tp",
            f"{loudness.CEILING:g}",
            "-ar",
            "48000",
            "-ext",
            "wav",
            "-f",
            "-q",
        ]
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
                *settings,
            ],
        }
        spent: list[dict[str, float]] = []
        for _ in range(rounds):
            done = {
                name: timed(functools.partial(subprocess.run, c, check=True, capture_output=True))
                for name, c in commands.items()
            }
            alone = float(done["ours"][0].stdout)
            spent.append(
                {name: taken / count for name, (_, taken) in done.items()}
                | {"alone": alone / count}
            )
        seconds = medians(spent)
        rows = {
            name: loudness.measured(folder, count) | {"s a clip": seconds.get(name)}
            for name, folder in folders.items()
        }
    table(rows)
    goal = f"{loudness.TARGET:g} LUFS and {loudness.CEILING:g} dBTP at 48 kHz"
    print(
        f"{count} recordings to {goal}; seconds with the start of the process, medians of {rounds} "
        "rounds."
    )
    print(
        f"Ours also cleans, trims and loops ({seconds['alone']:.4f} s a clip without start and "
        "files); it limits peaks by 10 dB at most."
    )
    return {"count": count, "rounds": rounds, "alone": seconds["alone"], "arms": rows}


# --- score
# ----------------------------------------------------------------------------------------------------------


def row_nine(ours: "CallScores", other: "CallScores") -> float | None:
    """(Frechet distance of ours - floor) / (that of the other - floor); None where there are too
    few calls for it.
    """
    if (
        ours.frechet is None
        or ours.frechet_floor is None
        or other.frechet is None
        or other.frechet_floor is None
    ):
        return None
    return (ours.frechet - ours.frechet_floor) / (other.frechet - other.frechet_floor)


def score(
    recordings: Path,
    model: str,
    mel_model: str,
    ear_file: Path,
    count: int,
    balanced: bool,
    seed: int,
) -> dict[str, Any]:
    """Every arm against the recordings, by the ear in ``ear_file``."""
    import baselines

    from jungle.cli.models import open_sound_engine
    from jungle.cli.options import CommonOptions
    from jungle.config.jungle_toml import JungleFolder
    from jungle.config.paths import cache_folder
    from jungle.config.recipe_table import find_recipe
    from jungle.evaluation.classifier import FEATURES
    from jungle.sounds.classifier import AudioClassifier
    from jungle.sounds.dataset import RATE, load_audio_dataset
    from jungle.sounds.engine import CallRequest, SoundEngine
    from jungle.sounds.evaluate import ComparisonSet, score_calls
    from jungle.sounds.memorisation import MemorisationIndex

    clips, ear = (
        load_audio_dataset(recordings, find_recipe("call", "recordings"), cache_folder()),
        AudioClassifier.load(ear_file),
    )
    if not set(clips.classes) <= set(ear.classes):
        raise SystemExit(
            f"{ear_file} knows {', '.join(ear.classes)}, and {recordings} holds "
            f"{', '.join(clips.classes)}."
        )
    against = ComparisonSet(
        clips=clips,
        classifier=ear,
        index=MemorisationIndex.from_dataset(clips, ear),
        seed=seed,
    )
    occurring = np.random.default_rng([seed, 7]).choice(clips.labels, count)
    wanted = np.arange(count) % len(clips.classes) if balanced else occurring
    requests = [
        CallRequest(seed=seed + i, mix={clips.classes[label]: 1.0})
        for i, label in enumerate(wanted)
    ]
    scores: dict[str, CallScores] = {}

    def judge(name: str, calls: "Sequence[Audio]", labels: Any) -> None:
        scores[name] = score_calls(calls, RATE, labels, against)
        print(f"{name}: {scores[name].to_text()}\n", flush=True)

    def sung(maker: SoundEngine) -> "list[Audio]":
        return [take.audio for _, take in maker.make(requests)]

    judge(
        "ours",
        sung(open_sound_engine(CommonOptions(), model, JungleFolder.open(Path()))[0]),
        wanted,
    )
    if mel_model:
        with baselines.as_mel():
            drawn = sung(
                open_sound_engine(CommonOptions(), mel_model, JungleFolder.open(Path()))[0]
            )
        judge("mel, Griffin-Lim", drawn, wanted)
    judge("by rule", sung(baselines.ParametricMaker()), wanted)
    aside = baselines.set_aside(clips, count, seed)
    judge("recordings, ours", baselines.copy_synthesis(clips, aside), clips.labels[aside])
    with baselines.as_mel():
        copies = baselines.copy_synthesis(clips, aside)
    judge("recordings, mel", copies, clips.labels[aside])
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
    table(
        {
            name: {title: getattr(one, key) for title, key in columns.items()}
            for name, one in scores.items()
        }
    )
    ratios = {
        name: row_nine(scores["ours"], scores[name])
        for name in ("mel, Griffin-Lim", "by rule")
        if name in scores
    }
    for name, ratio in ratios.items():
        told = (
            f"too few calls for a Frechet distance: use --count {2 * FEATURES} or more"
            if ratio is None
            else f"{ratio:.3f}"
        )
        print(f"(Frechet of ours - floor) / (Frechet of {name} - floor): {told}.")
    print(
        "Recordings went through each representation and back: they are copies by design, and the "
        "best that a model could reach."
    )
    return {
        "balanced": balanced,
        "scores": {name: dataclasses.asdict(one) for name, one in scores.items()},
        "ratios": ratios,
    }


def main() -> None:
    """Parse and run."""
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
    given = parser.parse_args()
    if given.what != "speed" and not given.recordings:
        parser.error(f"{given.what} needs a folder of recordings")
    if given.what == "score" and not given.ear:
        parser.error(
            "score needs --ear: python benchmarks/train_ear.py RECORDINGS --seed 1 --out EAR makes "
            "one"
        )
    if given.threads:
        import torch

        torch.set_num_threads(given.threads)
    recordings, count = Path(given.recordings), given.count
    if given.what == "train-mel":
        import baselines

        print(baselines.train_mel(recordings, given.recipe, given.minutes, given.out))
        return
    if given.what == "speed":
        found = speed(given.model, count or 12, given.rounds)
    elif given.what == "mastering":
        found = mastering(recordings, count or 100, given.program, given.rounds, given.seed)
    else:
        found = score(
            recordings,
            given.model,
            given.mel_model,
            given.ear,
            count or 300,
            given.balanced,
            given.seed,
        )
    given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
