"""What a change of the recipe is worth: every arm trains for the same core time on the same photos,
paints the same seeds, and is judged.

    python benchmarks/ablation.py PHOTOS [--minutes 4] [--arms base,edm,...] [--start MODEL] --out
    DIR

One thread, time by the processor's clock, so two of these may run beside each other on two cores:
give them different ``--arms`` and the same ``--out``. An arm whose figures lie in ``--out`` is not
run again; sheets of 64 with fixed seeds lie beside them. Arms whose names begin with ``+`` go on
from ``--start`` (the shipped model by default) at full size, the others start from nothing. The
scores are
those of the same 250 seeds: a small set, so differences under about 5 of KID x 1000 mean nothing.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sampling import head, row
from torch import Tensor

from jungle.config.paths import SHIPPED_MODELS, cache_folder
from jungle.config.recipe_table import find_recipe
from jungle.config.recipes import Recipe, SampleRecipe
from jungle.diffusion import device, model
from jungle.diffusion.batched_sampling import SampleRequest
from jungle.diffusion.denoiser import FlowDenoiser, Trainable
from jungle.diffusion.model import Model
from jungle.diffusion.train import State, begin_training, train, update_ema
from jungle.diffusion.unet import UNet
from jungle.evaluation.contact_sheet import contact_sheet
from jungle.images import augment
from jungle.images import dataset as photo_files
from jungle.images.classifier import shipped_classifier
from jungle.images.evaluate import RequestedKinds, evaluate_pictures
from jungle.images.sampling import sample_pictures
from jungle.images.training import PhotoBatches
from jungle.weights import shipped

SAMPLING = SampleRecipe(steps=12, guidance=2.0)
# pictures on a sheet; updates that are timed at each size before the plan is made
SHOWN, TIMED = (
    64,
    8,
)
EMA_WIDTHS = (0.02, 0.1, 0.2)  # followed beside the recipe's own in the arm ``base``
COLUMNS = {
    "images": "photos seen", "rate": "images/s a core", "parameters": "M parameters",
    "kid": "KID x 1000", "kid_error": "±", "kid_floor": "its floor", "recall": "recall %",
    "named": "named %", "real": "of photos %",
}  # fmt: skip

BASE = dataclasses.replace(find_recipe("photo64"), warmup=100)


def arm(**changes: Any) -> Recipe:
    """The base recipe with these fields changed; ``net`` is a dict of its fields."""
    net = dataclasses.replace(BASE.net, **changes.pop("net", {}))
    return dataclasses.replace(BASE, net=net, **changes)


ARMS: dict[str, Recipe] = {
    "base": BASE,
    "edm": arm(objective="edm", p_mean=-1.2, p_std=1.2),
    "epsilon": arm(objective="epsilon"),
    "transformer": arm(net={"widths": (384,), "blocks": (4,), "attention": (0,)}),
    "convolutions": arm(net={"attention": ()}),
    "patch2": arm(
        net={"patch": 2, "widths": (64, 128, 384), "blocks": (1, 1, 3), "attention": (2,)}
    ),
    "narrow": arm(net={"widths": (64, 256)}),
    "wide": arm(net={"widths": (192, 512)}),
    "batch64": arm(batch=64),
    "full-size": arm(small_share=0.0),
    "more-small": arm(small_share=0.75),
    "lower-rate": arm(lr=1.5e-3),
    "+base": arm(small_share=0.0, lr=2e-3),
    "+safe": arm(small_share=0.0, lr=2e-3, augment="safe"),
    "+told": arm(small_share=0.0, lr=2e-3),
    "+dropout": arm(small_share=0.0, lr=2e-3, net={"dropout": 0.1}),
    "+as-found": arm(small_share=0.0, lr=2e-3, balance=0.0),
    "+balanced": arm(small_share=0.0, lr=2e-3, balance=1.0),
}


class Told(FlowDenoiser):
    """Flow matching that is told whether a photo was turned and brightened, by one more entry of
    the mix; painting says it was not.

    Half of the photos are; after EDM (arXiv 2206.00364, appendix F), with one flag instead of the
    parameters.
    """

    columns: int  # of the mixes that the network knows: the classes and the flag

    def ask(self, inside: Tensor, told: Tensor, mix: Tensor) -> Tensor:
        """As ours, with mixes (B, K) or (B, K + 1)."""
        return super().ask(
            inside, told, torch.nn.functional.pad(mix, (0, self.columns - mix.shape[1]))
        )

    def loss(
        self, x: Tensor, mix: Tensor, generator: torch.Generator, shrunk: int = 1
    ) -> tuple[Tensor, Tensor]:
        """As ours, after changing half of the photos."""
        changed = (torch.rand(len(x), generator=generator) < 0.5).to(x.dtype)
        x = torch.where(changed[:, None, None, None] > 0, augment.safe(x, generator), x)
        return super().loss(x, torch.cat([mix, changed[:, None]], dim=1), generator, shrunk)


def built(
    name: str, recipe: Recipe, data: photo_files.ImageDataset, compute: device.Compute, start: Path
) -> Trainable:
    """The arm's network with its first weights."""
    if name == "+told":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            told = Told(UNet(recipe.net, len(data.classes) + 1), recipe, compute.dtype)
        told.columns = len(data.classes) + 1
        made: Trainable = told
    else:
        made = model.build_model(recipe, len(data.classes), compute)
    if name.startswith("+"):
        before = model.load_model(start, compute)
        # dropout has no weights
        before = dataclasses.replace(
            before, recipe=dataclasses.replace(before.recipe, net=recipe.net)
        )
        model.inherit(
            made, recipe, (*data.classes, "told") if name == "+told" else data.classes, before
        )
    return made


def planned(denoiser: Trainable, feed: PhotoBatches, recipe: Recipe, seconds: float) -> int:
    """Updates that fit into so much processor time, from a few that are thrown away."""

    def cost(shrunk_share: float) -> float:
        trial = dataclasses.replace(recipe, small_share=shrunk_share)
        state = begin_training(denoiser, trial, 10**6)
        state.step = 100  # past the first updates, which are at full size
        updates, spent = train(denoiser, feed, trial, state), []
        for _ in range(TIMED):
            start = time.process_time()
            next(updates)
            spent.append(time.process_time() - start)
        return float(np.median(spent))

    full = cost(0.0)
    small = cost(0.9) if recipe.small_share else full
    return int(seconds / (recipe.small_share * small + (1 - recipe.small_share) * full))


def judged(
    denoiser: Trainable,
    weights: dict[str, Tensor],
    recipe: Recipe,
    data: photo_files.ImageDataset,
    count: int,
    sheet: Path,
) -> dict[str, Any]:
    """Scores of ``count`` pictures painted with these weights."""
    denoiser.net.load_state_dict(weights)
    denoiser.net.eval()
    ours = Model(denoiser, recipe, data.classes, 0, "", "", torch.device("cpu"))
    labels = np.random.default_rng([0, 7]).choice(data.labels, count)
    wishes = [
        SampleRequest(i, ours.mix({data.classes[label]: 1.0})) for i, label in enumerate(labels)
    ]
    pictures = np.stack([pixels for _, pixels in sample_pictures(ours, wishes, SAMPLING)])
    contact_sheet(pictures[:SHOWN]).save(sheet)
    asked = RequestedKinds(labels, data.labels, data.classes)
    found = evaluate_pictures(pictures, data.images, shipped_classifier(), asked=asked)
    assert found.named is not None
    return {
        "kid": 1000 * found.kid.value,
        "kid_error": 1000 * (found.kid.error or 0.0),
        "kid_floor": 1000 * found.kid.floor,
        "recall": 100 * found.recall.value,
        "named": 100 * found.named.value,
        "real": 100 * found.named.floor,
        "copies": found.copies,
    }


def followed(
    updates: Iterator[Any],
    state: State,
    net: torch.nn.Module,
    averages: dict[float, dict[str, Tensor]],
) -> None:
    """Run to the end, with more averages of the weights beside the recipe's own."""
    for _ in updates:
        for width, ema in averages.items():
            update_ema(ema, net, state.step, width)


def run(  # noqa: PLR0913
    name: str,
    recipe: Recipe,
    data: photo_files.ImageDataset,
    minutes: float,
    count: int,
    start: Path,
    out: Path,
) -> None:
    """Train one arm, judge it, and write its figures."""
    compute = device.choose_device("cpu")
    if name.startswith("+"):  # goes on, so it has the network of the model that it begins with
        net = dataclasses.replace(
            model.load_model(start, compute).recipe.net, dropout=recipe.net.dropout
        )
        recipe = dataclasses.replace(recipe, net=net)
    feed = PhotoBatches(data, recipe, compute.device)
    total = planned(built(name, recipe, data, compute, start), feed, recipe, 60 * minutes)
    denoiser = built(name, recipe, data, compute, start)
    state = begin_training(denoiser, recipe, total)
    widths = EMA_WIDTHS if name == "base" else ()
    averages = {width: {key: value.clone() for key, value in state.ema.items()} for width in widths}
    begun = time.process_time()
    followed(train(denoiser, feed, recipe, state), state, denoiser.net, averages)
    spent = time.process_time() - begun
    facts = {
        "images": float(state.images),
        "rate": state.images / spent,
        "minutes": spent / 60,
        "parameters": sum(p.numel() for p in denoiser.net.parameters()) / 1e6,
    }
    raw = {key: value.clone() for key, value in denoiser.net.state_dict().items()}
    kinds: dict[str, dict[str, Tensor]] = {name: state.ema}
    if widths:
        kinds |= {f"{name}, average of {width:g}": averages[width] for width in widths} | {
            f"{name}, no average": raw
        }
    for title, weights in kinds.items():
        values = facts | judged(denoiser, weights, recipe, data, count, out / f"{title}.png")
        (out / f"{title}.json").write_text(json.dumps(values, indent=1))
        print(row(COLUMNS, title, values), flush=True)
    torch.save(state.ema, out / f"{name}.pt")


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0, help="of one core, for each arm")
    parser.add_argument("--arms", default=",".join(ARMS), help="all by default")
    parser.add_argument(
        "--start", type=Path, default=None, help="a model file; the shipped one by default"
    )
    parser.add_argument("--count", type=int, default=250)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    data = photo_files.load_photos(given.photos, BASE, cache_folder())
    print(head(COLUMNS), flush=True)
    for name in given.arms.split(","):
        file = given.out / f"{name}.json"
        if file.exists():
            print(row(COLUMNS, name, json.loads(file.read_text())), flush=True)
        else:
            run(
                name,
                ARMS[name],
                data,
                given.minutes,
                given.count,
                given.start or shipped(SHIPPED_MODELS["photos"]),
                given.out,
            )


if __name__ == "__main__":
    main()
