"""The files that ship, from a model of train_experts.py:  pack_calls.py MODEL RECORDINGS... --ear
EAR --out FOLDER

``call.safetensors`` in 8 bits, and ``call.reference``, what the recordings were, with the features
of EAR. ``--leave-out pig,bear``
forgets kinds: their vectors and their recordings. (Clean only where nothing but their vectors
learned from them.)
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

    made = checkpoint.read_checkpoint(given.model)
    if not isinstance(made, checkpoint.Checkpoint):
        raise SystemExit(f"{given.model} is not a model of jungle.")
    found = gather_folders(given.recordings, RECORDINGS, given.without)
    left_out = given.leave_out.split(",")
    data = dataset.load_audio_dataset(
        FolderContents(found.root, [file for file in found.files if file.name not in left_out], []),
        made.recipe,
        cache_folder(),
    )
    kept = [number for number, name in enumerate(made.classes) if name not in left_out]
    if data.classes != tuple(made.classes[number] for number in kept):
        raise SystemExit(
            f"{given.model} knows {', '.join(made.classes)}, and the recordings are of "
            f"{', '.join(data.classes)}."
        )
    weights = {
        name: value[:, kept] if name.endswith("classes.weight") else value
        for name, value in made.best.items()
    }

    made = dataclasses.replace(
        made, classes=data.classes, data=data.fingerprint, version=__version__
    )
    about = {"jungle": json.dumps(made.about(), sort_keys=True)}
    export_safetensors(checkpoint.quantised(weights), given.out / "call.safetensors", about)
    MemorisationIndex.from_dataset(data, AudioClassifier.load(given.ear)).save(
        given.out / "call.reference"
    )
    for name in ("call.safetensors", "call.reference"):
        print(name, (given.out / name).stat().st_size, "bytes")


if __name__ == "__main__":
    main()
