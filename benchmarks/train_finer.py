"""A model with squares half as large, from one that is trained.

    python benchmarks/train_finer.py DATA --start MODEL --steps 2000 --out DIR

Smaller squares cost more, and shape and layout are learned as well with large ones. So the new
network gets one more level on the outside (``unet.py``: half the patch) around the levels of the
old one, as progressive growing does it (arXiv 1710.10196, section 2). First only the new level
learns, to answer as the old network does; then ``jungle train`` goes on as always, and so does this
command when it was stopped. Photos or recordings; prints the throughput. ``-o key=value`` changes
the recipe.
"""

import argparse
import dataclasses
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from jungle.config import recipes
from jungle.config.paths import cache_folder
from jungle.config.recipes import NetRecipe, Recipe
from jungle.data.folders import medium_of_folder
from jungle.data.sources import resolve
from jungle.diffusion import device, model
from jungle.diffusion.denoiser import draw_sigma, expand
from jungle.diffusion.training_run import TrainingRun
from jungle.images import dataset as photo_files
from jungle.images.training import PhotoRun
from jungle.sounds import dataset
from jungle.sounds.training import CallRun

OUTER = 64  # channels of the new level
QUIET = 0.3  # of their usual size: what the new channels say to the old levels at first
LEARNING_RATE = 2e-3


def finer(net: NetRecipe) -> NetRecipe:
    """The same shape with one more level outside.

    Squares half as large, one block, no attention there.
    """
    attention = tuple(level + 1 for level in net.attention)
    return dataclasses.replace(
        net,
        patch=net.patch // 2,
        widths=(OUTER, *net.widths),
        blocks=(1, *net.blocks),
        attention=attention,
    )


@torch.no_grad()
def carry(net: nn.Module, old: Mapping[str, Tensor], recipe: NetRecipe) -> list[str]:
    """Give ``net``, of shape ``recipe``, the levels of the old network.

    Returns the names of the parameters that are new. Of the new level, the first channels carry the pixels themselves, and go into the next level as
    they went into the middle of the old stem.
    """
    weights, new = net.state_dict(), []
    for name in weights:
        match = re.match(r"(encode|decode|shrink|grow)\.(\d+)\.(.*)", name)
        inner = f"{match[1]}.{int(match[2]) - 1}.{match[3]}" if match else name
        if (match and match[2] == "0") or name.split(".")[0] in {"stem", "norm", "head"}:
            new.append(name)
        else:
            weights[name].copy_(old[inner])

    side, pixels = recipe.patch, recipe.image_channels * recipe.patch**2
    stem, shrink = weights["stem.weight"], weights["shrink.0.weight"]
    stem[:pixels] = 0
    stem[range(pixels), range(pixels), 1, 1] = 1
    shrink.mul_(QUIET)

    # Channel, row and column of the square of squares, row and column inside a square: as two
    # foldings number them, from one folding.
    numbers = (
        torch.arange(4 * pixels)
        .reshape(recipe.image_channels, 2, side, 2, side)
        .permute(0, 2, 4, 1, 3)
        .flatten()
    )
    shrink[:, : 4 * pixels, 0, 0] = old["stem.weight"][:, numbers, 1, 1]
    weights["shrink.0.bias"].copy_(old["stem.bias"])
    net.load_state_dict(weights)
    return new


def teach(run: TrainingRun[Any], old: model.Model, new: list[str], steps: int) -> None:
    """Let the parameters ``new`` alone learn to answer as the old model, in ``steps`` updates."""
    parameters = [value for name, value in run.model.net.named_parameters() if name in new]
    for name, value in run.model.net.named_parameters():
        value.requires_grad_(name in new)
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.0)

    for step in range(steps):
        generator = torch.Generator().manual_seed(10**6 + step)
        x, mix = run.feed(step, generator)
        sigma = draw_sigma(x, run.recipe.p_mean, run.recipe.p_std, generator)
        noisy = x + torch.randn(x.shape, generator=generator) * expand(sigma)
        with torch.no_grad():
            target = old.denoiser(noisy, sigma, mix)

        # Of the velocity: an error of the estimate counts more at low noise.
        error = (run.model(noisy, sigma, mix) - target) / expand(sigma / (1 + sigma))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 30, 3 * (1 - step / steps))
        loss = error.square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 25 == 0:
            print(f"the new level: {step + 1} of {steps}, error {loss.item():.4f}", flush=True)

    for value in run.model.net.parameters():
        value.requires_grad_(True)


def main() -> None:
    """Parse and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="photos or recordings")
    parser.add_argument(
        "--start", type=Path, required=True, help="the model with squares twice as large"
    )
    parser.add_argument("--steps", type=int, required=True, help="updates")
    parser.add_argument("--taught", type=int, default=300, help="updates of the new level alone")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    compute = device.choose_device("")
    old = model.load_model(given.start, compute)
    options = {"small_share": "0", "lr": "0.002", "steps": str(given.steps)}
    options |= dict(option.split("=", 1) for option in given.options)
    wider = dataclasses.replace(old.recipe, net=finer(old.recipe.net), weak=None)
    recipe: Recipe = recipes.override(wider, options)

    folder = resolve(given.data, cache_folder())
    data: Any
    run: TrainingRun[Any]
    if medium_of_folder(folder).word == "recording":
        data = dataset.load_audio_dataset(folder, recipe, cache_folder())
        run = CallRun(
            given.out, data, recipe, compute, 0, time.monotonic, time.monotonic(), cache_folder()
        )
    else:
        data = photo_files.load_photos(folder, recipe, cache_folder())
        run = PhotoRun(
            given.out, data, recipe, compute, 0, time.monotonic, time.monotonic(), cache_folder()
        )
    if old.classes != data.classes:
        raise SystemExit(
            f"{given.start} knows {', '.join(old.classes)}, the data are of "
            f"{', '.join(data.classes)}: give the same kinds."
        )

    # A run that was stopped has its new level.
    if not run.resumed_at:
        new = carry(run.model.net, old.denoiser.net.state_dict(), recipe.net)
        teach(run, old, new, given.taught)
        for name, value in run.model.net.state_dict().items():
            run.state.ema[name].copy_(value)

    began = time.monotonic()
    for progress in run.steps():
        if progress.step % 50 == 0:
            rate = 50 * recipe.batch / (time.monotonic() - began)
            print(
                f"{progress.step} of {progress.total}, {rate:.1f} a second, loss "
                f"{progress.loss:.4f}",
                flush=True,
            )
            began = time.monotonic()
    print(run.end().to_text())


if __name__ == "__main__":
    main()
