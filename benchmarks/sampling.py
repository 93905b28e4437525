"""One model, many ways to draw from it: which solver, noise levels and guidance give the best
scores, one row each.

    python benchmarks/sampling.py pictures PHOTOS     [--model M] [--count 500] steps=25,guidance=2
    steps=12,guidance=2 ... python benchmarks/sampling.py calls    RECORDINGS --ear EAR [--model M]
    [--count 300] guidance=3 guidance=2 ...

A setting is a list of options of ``SampleRecipe``; the others keep the model's own values. ``--weak
W`` guides away from the model W (autoguidance); a setting with ``weak=0`` leaves it, and the
model's own weaker network, out. The seeds and what is asked for are the same in every row, in the
proportions in which the classes occur. Sheets of 64 go into ``--out``, where a row that is there
already is not drawn again.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from jungle.config.recipes import SampleRecipe

SHOWN = 64
PICTURE_COLUMNS = {
    "kid": "KID x 1000", "kid_floor": "its floor", "frechet": "Frechet", "frechet_floor": "floor",
    "precision": "precision %", "recall": "recall %", "named": "named %", "real": "of photos %",
    "copies": "copies", "evaluations": "evaluations", "seconds": "s a picture",
}  # fmt: skip
CALL_COLUMNS = {
    "kid": "KID x 1000", "kid_floor": "its floor", "frechet": "Frechet", "frechet_floor": "floor",
    "agreement": "agreement", "agreement_mean": "mean of classes",
    "real_agreement": "of recordings", "flagged": "faulty", "copies": "copies",
    "seconds": "s a call",
}  # fmt: skip


def settings_of(text: str) -> tuple[dict[str, str], bool]:
    """``steps=25,guidance=2,weak=0`` as options, and whether a weaker model may guide."""
    options = dict(part.split("=", 1) for part in text.split(","))
    return options, options.pop("weak", "1") == "1"


def row(columns: Mapping[str, str], name: str, values: Mapping[str, Any]) -> str:
    """One line of a table."""
    cells = [
        f"{value:.3g}"
        if isinstance(value := values[key], float) and abs(value) < 1
        else f"{value:.1f}"
        for key in columns
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


def head(columns: Mapping[str, str]) -> str:
    """The first two lines of a table."""
    return (
        "| setting | " + " | ".join(columns.values()) + " |\n" + "|---" * (len(columns) + 1) + "|"
    )


class Pictures:
    """Paints with one model and scores against photos."""

    columns = PICTURE_COLUMNS

    def __init__(self, photos: Path, model: str, weak: str, count: int, seed: int) -> None:
        from jungle.config.paths import SHIPPED_MODELS, cache_folder
        from jungle.config.recipe_table import find_recipe
        from jungle.diffusion.device import choose_device
        from jungle.diffusion.model import load_model, with_guide
        from jungle.images import dataset as photo_files
        from jungle.weights import shipped

        compute = choose_device("")
        self.model = load_model(
            Path(model) if model else shipped(SHIPPED_MODELS["photos"]), compute
        )
        if weak:
            self.model = with_guide(self.model, load_model(Path(weak), compute))
        self.data = photo_files.load_photos(photos, find_recipe("photo64"), cache_folder())
        self.labels = np.random.default_rng([seed, 7]).choice(self.data.labels, count)
        self.seed, self.recipe = seed, self.model.recipe.sample

    def score(self, recipe: "SampleRecipe", weak: bool, sheet: Path) -> dict[str, Any]:
        """All figures of one setting."""
        from jungle.diffusion.batched_sampling import SampleRequest
        from jungle.diffusion.sampler import evaluations
        from jungle.evaluation.contact_sheet import contact_sheet
        from jungle.images.classifier import shipped_classifier
        from jungle.images.evaluate import RequestedKinds, evaluate_pictures
        from jungle.images.sampling import sample_pictures

        classes = self.data.classes
        wishes = [
            SampleRequest(self.seed + i, self.model.mix({classes[label]: 1.0}))
            for i, label in enumerate(self.labels)
        ]
        start = time.perf_counter()
        model = self.model if weak else dataclasses.replace(self.model, weak=None)
        pictures = np.stack([pixels for _, pixels in sample_pictures(model, wishes, recipe)])
        seconds = (time.perf_counter() - start) / len(pictures)
        contact_sheet(pictures[:SHOWN]).save(sheet)
        asked = RequestedKinds(self.labels, self.data.labels, classes)
        found = evaluate_pictures(
            pictures, self.data.images, shipped_classifier(), asked=asked, seed=self.seed
        )
        frechet, named = found.frechet, found.named
        return {
            "kid": 1000 * found.kid.value,
            "kid_error": 1000 * (found.kid.error or 0.0),
            "kid_floor": 1000 * found.kid.floor,
            "frechet": frechet.value if frechet else float("nan"),
            "frechet_floor": frechet.floor if frechet else float("nan"),
            "precision": 100 * found.precision.value,
            "recall": 100 * found.recall.value,
            "named": 100 * named.value if named else float("nan"),
            "real": 100 * named.floor if named else float("nan"),
            "copies": found.copies,
            "corners": found.corners,
            "evaluations": evaluations(recipe),
            "seconds": seconds,
        }


class Calls:
    """Sings with one model and scores against recordings, by an ear that ranked nothing."""

    columns = CALL_COLUMNS

    def __init__(self, recordings: Path, model: str, ear: Path, count: int, seed: int) -> None:
        from jungle.cli.models import open_sound_engine
        from jungle.cli.options import CommonOptions
        from jungle.config.jungle_toml import JungleFolder
        from jungle.config.paths import cache_folder
        from jungle.config.recipe_table import find_recipe
        from jungle.sounds.classifier import AudioClassifier
        from jungle.sounds.dataset import load_audio_dataset
        from jungle.sounds.memorisation import MemorisationIndex

        self.clips, self.ear = (
            load_audio_dataset(recordings, find_recipe("call", "recordings"), cache_folder()),
            AudioClassifier.load(ear),
        )
        self.reference = MemorisationIndex.from_dataset(self.clips, self.ear)
        self.maker: Any = open_sound_engine(CommonOptions(), model, JungleFolder.open(Path()))[0]
        self.labels = np.random.default_rng([seed, 7]).choice(self.clips.labels, count)
        self.seed, self.recipe = seed, self.maker.recipe

    def score(self, recipe: "SampleRecipe", weak: bool, sheet: Path) -> dict[str, Any]:
        """All figures of one setting."""
        from jungle.evaluation.contact_sheet import contact_sheet
        from jungle.sounds.dataset import RATE
        from jungle.sounds.engine import CallRequest
        from jungle.sounds.evaluate import ComparisonSet, score_calls
        from jungle.sounds.plots import spectrogram_image

        wanted = [
            CallRequest(seed=self.seed + i, mix={self.clips.classes[label]: 1.0})
            for i, label in enumerate(self.labels)
        ]
        start = time.perf_counter()
        calls = [take.audio for _, take in self.maker.with_sampling(recipe).make(wanted)]
        seconds = (time.perf_counter() - start) / len(calls)
        contact_sheet(np.stack([spectrogram_image(call, RATE) for call in calls[:SHOWN]])).save(
            sheet
        )
        against = ComparisonSet(
            clips=self.clips, classifier=self.ear, index=self.reference, seed=self.seed
        )
        found = score_calls(calls, RATE, self.labels, against)
        return dataclasses.asdict(found) | {"seconds": seconds}


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["pictures", "calls"])
    parser.add_argument("data", type=Path)
    parser.add_argument("settings", nargs="+")
    parser.add_argument("--model", default="", help="the shipped one by default")
    parser.add_argument("--weak", default="", help="pictures: a model that was trained less")
    parser.add_argument("--ear", type=Path, help="calls: a file of train_ear.py")
    parser.add_argument("--count", type=int, default=0, help="500 pictures or 300 calls by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the figures and the sheets"
    )
    given = parser.parse_args()
    from jungle.config.recipes import override

    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    arm: Pictures | Calls = (
        Pictures(given.data, given.model, given.weak, given.count or 500, given.seed)
        if given.what == "pictures"
        else Calls(given.data, given.model, given.ear, given.count or 300, given.seed)
    )
    print(head(arm.columns), flush=True)
    for text in given.settings:
        options, weak = settings_of(text)
        found = given.out / f"{text}.json"
        if not found.exists():
            values = arm.score(override(arm.recipe, options), weak, given.out / f"{text}.png")
            found.write_text(json.dumps(values, indent=1))
        print(row(arm.columns, text, json.loads(found.read_text())), flush=True)


if __name__ == "__main__":
    main()
