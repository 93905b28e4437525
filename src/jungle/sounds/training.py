"""``jungle train`` for recordings: previews and the health report of one run folder.

preview.png, previews/        spectrograms of the same seeds, drawn every few minutes
preview.wav                   the same calls, one after the other
animal_diffusion_model.reference  what the recordings were, to find copies of them
and what diffusion/training_run.py writes
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..config.recipes import Recipe, SampleRecipe
from ..diffusion.device import Compute
from ..diffusion.model import Model
from ..diffusion.report import TrainingReport
from ..diffusion.training_run import TrainingRun
from ..evaluation.contact_sheet import contact_sheet
from ..storage.atomic import write_atomic
from .batches import AudioBatchSource
from .classifier import AudioClassifier
from .dataset import AudioDataset
from .engine import Audio, CallRequest, Take
from .generate import SpectrogramEngine, check_recipe
from .memorisation import INDEX_FILE, MemorisationIndex
from .plots import spectrogram_image
from .quality_checks import check_quality

RECOGNISABLE = 70_000  # training clips until most calls could be told (docs/LOG.md)
PREVIEWS = 10
PREVIEW_SAMPLING = SampleRecipe(steps=16, guidance=2.0, sigma_max=160.0)
PAUSE = 0.25  # seconds between two calls of preview.wav


def write_preview_wav(path: Path, calls: list[Audio], rate: int) -> None:
    """Calls one after the other, 16 bit, with pauses."""
    import soundfile

    pause = np.zeros((int(PAUSE * rate), 1), dtype=np.float32)
    together = np.concatenate([part for call in calls for part in (call.clip(-1, 1), pause)])
    write_atomic(
        path, lambda file: soundfile.write(file, together, rate, format="WAV", subtype="PCM_16")
    )


class CallRun(TrainingRun[list[Take]]):
    """A run on recordings; see :class:`~jungle.diffusion.run.Run`."""

    def __init__(
        self, out: Path, clips: AudioDataset, recipe: Recipe, compute: Compute, minutes: float, clock: Callable[[], float], started: float,
        cache: Path, start: Model | None = None,
    ) -> None:  # fmt: skip
        check_recipe(recipe)
        super().__init__(
            out,
            clips,
            AudioBatchSource(clips, recipe, compute.device),
            recipe,
            compute,
            minutes,
            clock,
            started,
            cache,
            start,
        )
        self.clips = clips

    def end(self) -> TrainingReport:
        """Finish, and write the report."""
        takes, comparison = self.finish()
        MemorisationIndex.from_dataset(self.clips, AudioClassifier.shipped()).save(
            self.out / INDEX_FILE
        )
        wrong = [
            finding.sentence
            for take in takes
            for finding in check_quality(take.audio, take.rate)
            if finding.fatal
        ]
        verdict = (
            f"{len(wrong)} of {PREVIEWS} preview calls are faulty: {wrong[0]}"
            if wrong
            else "The preview calls pass every detector."
        )
        return self.report(comparison, verdict, RECOGNISABLE)

    def show(self, now: Model) -> list[Take]:
        """Draw the fixed seeds into preview.png, previews/ and preview.wav; returns them."""
        maker = SpectrogramEngine(now, PREVIEW_SAMPLING)
        names = [
            now.classes[seed * len(now.classes) // PREVIEWS % len(now.classes)]
            for seed in range(PREVIEWS)
        ]
        takes = [
            take
            for _, take in maker.make(
                [CallRequest(seed=seed, mix={name: 1.0}) for seed, name in enumerate(names)]
            )
        ]
        sheet = contact_sheet(
            np.stack([spectrogram_image(take.audio, take.rate) for take in takes]),
            columns=PREVIEWS // 2,
        )
        for path in (
            self.out / "preview.png",
            self.out / "previews" / f"update_{now.step:07d}.png",
        ):
            write_atomic(path, lambda file: sheet.save(file, "PNG"))
        write_preview_wav(self.out / "preview.wav", [take.audio for take in takes], maker.rate)
        return takes
