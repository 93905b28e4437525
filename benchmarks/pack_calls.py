"""The files that ship, from a model of train_experts.py.

    python benchmarks/pack_calls.py MODEL RECORDINGS... --ear EAR --out FOLDER

``call.safetensors`` in 8 bits, and ``call.reference``, what the recordings were, with the features
of EAR. ``--leave-out pig,bear`` forgets kinds: their vectors and their recordings. (Clean only
where nothing but their vectors learned from them.)
"""

import argparse
import dataclasses
import json
from pathlib import Path

from jungle import __version__
from jungle.config.paths import cache_folder
from jungle.data.folders import FolderContents, gather_folders
from jungle.data.formats import RECORDINGS
from jungle.diffusion import checkpoint
from jungle.diffusion.export import export_safetensors
from jungle.sounds import dataset
from jungle.sounds.classifier import AudioClassifier
from jungle.sounds.memorisation import MemorisationIndex


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "recordings",
        type=Path,
        nargs="+",
        help="folders, one sub-folder a class: those it learned from",
    )
    parser.add_argument("--without", type=Path, help="a list of files to leave out")
    parser.add_argument(
        "--leave-out", default="", metavar="KINDS", help="kinds that the files do not know"
    )
    parser.add_argument("--ear", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()

    model = checkpoint.read_checkpoint(given.model)
    if not isinstance(model, checkpoint.Checkpoint):
        raise SystemExit(f"{given.model} is not a model of jungle.")
    listing = gather_folders(given.recordings, RECORDINGS, given.without)
    left_out = given.leave_out.split(",")
    files = [file for file in listing.files if file.name not in left_out]
    data = dataset.load_audio_dataset(
        FolderContents(listing.root, files, []),
        model.recipe,
        cache_folder(),
    )

    # The vectors of the kinds that stay must be those of the recordings, in order.
    kept = [index for index, name in enumerate(model.classes) if name not in left_out]
    if data.classes != tuple(model.classes[index] for index in kept):
        raise SystemExit(
            f"{given.model} knows {', '.join(model.classes)}, and the recordings are of "
            f"{', '.join(data.classes)}."
        )
    weights = {
        name: value[:, kept] if name.endswith("classes.weight") else value
        for name, value in model.best.items()
    }

    model = dataclasses.replace(
        model, classes=data.classes, data=data.fingerprint, version=__version__
    )
    about = {"jungle": json.dumps(model.about(), sort_keys=True)}
    export_safetensors(checkpoint.quantised(weights), given.out / "call.safetensors", about)
    index = MemorisationIndex.from_dataset(data, AudioClassifier.load(given.ear))
    index.save(given.out / "call.reference")
    for name in ("call.safetensors", "call.reference"):
        print(name, (given.out / name).stat().st_size, "bytes")


if __name__ == "__main__":
    main()
