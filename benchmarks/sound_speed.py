"""How long calls take: ``python benchmarks/sounds.py speed``."""

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from timing import medians, print_table, timed

if TYPE_CHECKING:
    from jungle.sounds.classifier import AudioClassifier
    from jungle.sounds.engine import Audio, CallRequest
    from jungle.sounds.generate import SpectrogramEngine
    from jungle.sounds.memorisation import MemorisationIndex
    from jungle.sounds.stable_audio.engine import StableAudioEngine

TOY_STEPS, TOY_TAKES, TOY_SECONDS = 50, 4, 2.0
TOY_PROMPT, TOY_NEGATIVE = "a lion roars in a misty forest", "low quality music"


def time_parts(
    engine: "SpectrogramEngine",
    requests: "Sequence[CallRequest]",
    classifier: "AudioClassifier",
    index: "MemorisationIndex | None",
) -> dict[str, float]:
    """Seconds of each part of making, ranking and mastering, and the seconds of sound drawn."""
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

    # Phase recovery is timed from inside: drawing is one call that does both.
    with mock.patch.object(spectrogram, "images_to_waves", clocked):
        takes, drawing = timed(lambda: [take for _, take in engine.make(requests)])
    _, ranking = timed(
        lambda: [
            rank_takes([take], request.mix, classifier, index)
            for take, request in zip(takes, requests, strict=True)
        ]
    )
    _, mastering = timed(lambda: master_clips([take.audio for take in takes], engine.rate))
    parts = {
        "network": drawing - recovering,
        "phase recovery": recovering,
        "ranking": ranking,
        "mastering": mastering,
    }
    return parts | {"sound": sum(len(take.audio) / take.rate for take in takes)}


def through_ours(engine: "StableAudioEngine") -> "list[Audio]":
    """TOY_TAKES takes by our engine, all in one batch."""
    from jungle.sounds.engine import CallRequest

    requests = [
        CallRequest(seed=seed, prompt=TOY_PROMPT, negative=TOY_NEGATIVE, seconds=TOY_SECONDS)
        for seed in range(TOY_TAKES)
    ]
    return [take.audio for _, take in engine.make(requests)]


def through_pipeline(pipeline: Any) -> "list[Audio]":
    """The same takes by the plainest call of the same pipeline."""
    import torch

    # The same harmless warning that our engine silences.
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
    return [audio.T for audio in answer]


def _toy_arms() -> dict[str, Callable[[], Any]]:
    """Stable Audio at toy size through our engine, and by a direct call of its pipeline."""
    import toy_stable_audio

    from jungle.sounds.stable_audio.engine import StableAudioEngine, StableAudioSampling

    with tempfile.TemporaryDirectory() as folder:
        toy = StableAudioEngine.open(
            str(toy_stable_audio.build(Path(folder) / "toy")),
            "cpu",
            sampling=StableAudioSampling(steps=TOY_STEPS, batch=TOY_TAKES),
        )
    return {
        "ours": lambda: through_ours(toy),
        "pipeline": lambda: through_pipeline(toy.pipeline),
    }


def speed(model: str, calls: int, rounds: int) -> dict[str, Any]:
    """The embedded engine, and Stable Audio at toy size through ours and directly.

    All arms in turn, ``rounds`` times.
    """
    from jungle.cli.models import open_sound_engine
    from jungle.cli.options import CommonOptions
    from jungle.config.jungle_toml import JungleFolder
    from jungle.sounds.classifier import AudioClassifier
    from jungle.sounds.engine import CallRequest

    engine, index = open_sound_engine(CommonOptions(), model, JungleFolder.open(Path()))
    classifier = AudioClassifier.shipped()
    requests = [
        CallRequest(seed=seed, mix={engine.classes[seed % len(engine.classes)]: 1.0})
        for seed in range(calls)
    ]
    arms = _toy_arms()
    pairs = zip(*(arm() for arm in arms.values()), strict=True)
    apart = max(float(np.abs(a - b).max()) for a, b in pairs)

    # The first call loads and compiles: it is not timed.
    time_parts(engine, requests[:1], classifier, index)
    parts, takes = [], []
    for _ in range(rounds):
        parts.append(time_parts(engine, requests, classifier, index))
        takes.append({name: timed(arm)[1] / TOY_TAKES for name, arm in arms.items()})

    seconds, stable = medians(parts), medians(takes)
    sound = seconds.pop("sound")
    ratio = stable["ours"] / stable["pipeline"]
    _print_seconds(seconds, sound, calls)
    print(
        f"{calls} calls of {sound / calls:.2f} s; ranking with{'' if index else 'out'} a look for "
        "copies of recordings."
    )
    print(
        f"Stable Audio at toy size, {TOY_STEPS} steps: {stable['ours']:.4f} s a take through ours, "
        f"{stable['pipeline']:.4f} s directly: {ratio:.3f} times as long, "
        f"{1000 * (stable['ours'] - stable['pipeline']):+.1f} ms; samples at most {apart:.1e} "
        "apart."
    )
    return {
        "calls": calls,
        "sound": sound,
        "seconds": seconds,
        "stable_audio": stable,
        "ratio": ratio,
        "apart": apart,
    }


def _print_seconds(seconds: Mapping[str, float], sound: float, calls: int) -> None:
    rows = dict(seconds) | {
        "drawing": seconds["network"] + seconds["phase recovery"],
        "everything": sum(seconds.values()),
    }
    print_table(
        {
            name: {"s a call": spent / calls, "times real time": sound / spent}
            for name, spent in rows.items()
        }
    )
