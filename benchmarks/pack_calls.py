"""The files that ship, from a model of train_experts.py:  pack_calls.py MODEL RECORDINGS... --ear EAR --out FOLDER

``call.safetensors`` in 8 bits, and ``call.reference``, what the recordings were, with the features of EAR.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from jungle import __version__
from jungle.diffusion import checkpoint
from jungle.diffusion.export import export_safetensors
from jungle.folders import gather
from jungle.media import RECORDINGS
from jungle.sounds import clips
from jungle.sounds.ear import Ear
from jungle.sounds.reference import Reference
from jungle.workbench import cache


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("recordings", type=Path, nargs="+", help="folders, one sub-folder a class: those it learned from")
    parser.add_argument("--without", type=Path, help="a list of files to leave out")
    parser.add_argument("--ear", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()

    made = checkpoint.read(given.model)
    if not isinstance(made, checkpoint.Checkpoint):
        raise SystemExit(f"{given.model} is not a model of jungle.")
    data = clips.load(gather(given.recordings, RECORDINGS, given.without), made.recipe, cache())
    if data.classes != made.classes:
        raise SystemExit(f"{given.model} knows {', '.join(made.classes)}, and the recordings are of {', '.join(data.classes)}.")

    made = dataclasses.replace(made, version=__version__)
    about = {"jungle": json.dumps(made.about(), sort_keys=True)}
    export_safetensors(checkpoint.quantised(made.best), given.out / "call.safetensors", about)
    Reference.of(data, Ear.load(given.ear)).save(given.out / "call.reference")
    for name in ("call.safetensors", "call.reference"):
        print(name, (given.out / name).stat().st_size, "bytes")


if __name__ == "__main__":
    main()
