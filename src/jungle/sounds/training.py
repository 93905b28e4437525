"""``jungle train`` for recordings: previews and the health report of one run folder.

preview.png, previews/            spectrograms of the same seeds, drawn every few minutes
preview.wav                       the same calls, one after the other
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
from .batches import CallBatches
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

_PAUSE = 0.25  # seconds between two calls of preview.wav


def write_preview_wav(path: Path, calls: list[Audio], rate: int) -> None:
    """Calls (samples, 1) one after the other at ``rate`` Hz, 16 bit, with pauses."""
    import soundfile

    pause = np.zeros((int(_PAUSE * rate), 1), dtype=np.float32)
    together = np.concatenate([part for call in calls for part in (call.clip(-1, 1), pause)])
    write_atomic(
        path, lambda file: soundfile.write(file, together, rate, format="WAV", subtype="PCM_16")
    )


class CallRun(TrainingRun[list[Take]]):
    """A run on recordings; see :class:`~jungle.diffusion.training_run.TrainingRun`."""

    def __init__(  # noqa: PLR0913
        self,
        out: Path,
        clips: AudioDataset,
        recipe: Recipe,
        compute: Compute,
        minutes: float,
        clock: Callable[[], float],
        started: float,
        cache: Path,
        start: Model | None = None,
    ) -> None:
        check_recipe(recipe)
        super().__init__(
            out,
            clips,
            CallBatches(clips, recipe, compute.device),
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
        index = MemorisationIndex.from_dataset(self.clips, AudioClassifier.shipped())
        index.save(self.out / INDEX_FILE)

        faults = [
            finding.sentence
            for take in takes
            for finding in check_quality(take.audio, take.rate)
            if finding.fatal
        ]
        verdict = "The preview calls pass every detector."
        if faults:
            verdict = f"{len(faults)} of {PREVIEWS} preview calls are faulty: {faults[0]}"
        return self.report(comparison, verdict, RECOGNISABLE)

    def show(self, now: Model) -> list[Take]:
        """Draw the fixed seeds into preview.png, previews/ and preview.wav; returns them."""
        engine = SpectrogramEngine(now, PREVIEW_SAMPLING)

        # Spread the previews evenly over the classes: with more classes than previews some have
        # none.
        count = len(now.classes)
        requests = []
        for seed in range(PREVIEWS):
            class_index = seed * count // PREVIEWS % count
            requests.append(CallRequest(seed=seed, mix={now.classes[class_index]: 1.0}))
        takes = [take for _, take in engine.make(requests)]

        images = np.stack([spectrogram_image(take.audio, take.rate) for take in takes])
        sheet = contact_sheet(images, columns=PREVIEWS // 2)
        for path in (
            self.out / "preview.png",
            self.out / "previews" / f"update_{now.step:07d}.png",
        ):
            write_atomic(path, lambda file: sheet.save(file, "PNG"))
        write_preview_wav(self.out / "preview.wav", [take.audio for take in takes], engine.rate)
        return takes
