"""Train the judge (``jungle.images.judge``) on a folder of photos, one sub-folder a class.

    python benchmarks/train_judge.py PHOTOS --minutes 15 --out judge64.safetensors
    python benchmarks/train_judge.py PHOTOS --steps 4500 --out judge64.safetensors     # the same run every time

A fixed 15 % of the photos, chosen by a checksum of ``class/file``, is never trained on; its accuracy is printed and written into
the file. Pictures grow during the run (32, 48, then 64 pixels): early lessons need few pixels and cost a quarter.
"""

import argparse
import json
import math
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from jungle.classifier import Classifier, save
from jungle.images.judge import SIZE, Judge

CACHED = 80  # side of the stored squares: a quarter more than the judge sees, so that zooming in stays sharp
BATCH = 64
LR = 2e-3
WEIGHT_DECAY = 0.05
SIZES = ((0.3, 32), (0.6, 48), (1.0, SIZE))  # (until this part of the run, side in pixels)


@dataclass(frozen=True)
class Photos:
    """Squares uint8 (N, 80, 80, 3), labels (N,), and which are held out (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    classes: tuple[str, ...]


def read_photos(folder: Path) -> Photos:
    """Centre squares of every photo in ``folder/class/``, in the order of their names."""
    classes = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir()))
    images, labels, held_out = [], [], []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            with Image.open(path) as photo:
                rgb = photo.convert("RGB")
            side = min(rgb.size)
            left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
            images.append(np.asarray(rgb.resize((CACHED, CACHED), Image.Resampling.BOX, box=(left, top, left + side, top + side))))
            labels.append(label)
            held_out.append(zlib.crc32(f"{name}/{path.name}".encode()) % 100 < 15)
    return Photos(np.stack(images), np.array(labels), np.array(held_out), classes)


def augment(images: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Flip, zoom (0.6 to 1), shift, turn (up to 12 degrees), colour jitter and one cut-out: (N, 3, H, W) -> (N, 3, size, size)."""
    n = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    zoom, angle = uniform(0.6, 1.0), uniform(-0.2, 0.2)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    cos, sin, room = angle.cos() * zoom, angle.sin() * zoom, 1.05 - zoom
    rows = [cos * flip, -sin, uniform(-1, 1) * room, sin * flip, cos, uniform(-1, 1) * room]
    grid = F.affine_grid(torch.stack(rows, dim=1).view(n, 2, 3), [n, 3, size, size], align_corners=False)
    x = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    contrast, brightness, colour = (uniform(*limits).view(n, 1, 1, 1) for limits in ((0.7, 1.3), (-0.3, 0.3), (0.6, 1.4)))
    grey = x.mean(dim=1, keepdim=True)
    x = ((grey + (x - grey) * colour) * contrast + brightness).clamp(-1, 1)
    side = torch.arange(size) / size
    hole = [(side[None] - uniform(0, 1)[:, None]).abs() < 0.17 for _ in "yx"]
    return x.masked_fill((hole[0][:, None, :, None] & hole[1][:, None, None, :]), 0.0)


def mixup(x: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend each picture with another of the batch (Zhang et al. 2018, arXiv 1710.09412), the other one at most a third."""
    share = torch.rand(len(x), generator=generator) / 3
    order = torch.randperm(len(x), generator=generator)
    return torch.lerp(x, x[order], share.view(-1, 1, 1, 1)), torch.lerp(target, target[order], share.view(-1, 1))


def one_cycle(progress: float) -> float:
    """Share of the top learning rate: up over the first 15 %, then a half cosine to zero."""
    return progress / 0.15 if progress < 0.15 else 0.5 + 0.5 * math.cos(math.pi * (progress - 0.15) / 0.85)


def train(photos: Photos, minutes: float, steps: int, seed: int) -> tuple[Classifier, int]:
    """Train by the clock, or for exactly ``steps`` updates where that is above 0; returns the averaged network and the updates."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    images = torch.from_numpy(photos.images[~photos.held_out])
    labels = torch.from_numpy(photos.labels[~photos.held_out])
    weights = labels.bincount().float().rsqrt()[labels]  # a class of n photos is drawn in proportion to the square root of n
    net = Classifier(len(photos.classes)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
    decay = torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)  # type: ignore[no-untyped-call]
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=decay, use_buffers=True)
    start, step, progress = time.monotonic(), 0, 0.0
    while progress < 1:
        size = next(pixels for until, pixels in SIZES if progress < until)
        for group in optimizer.param_groups:
            group["lr"] = LR * one_cycle(progress)
        drawn = torch.multinomial(weights, BATCH, generator=generator)
        x = augment(images[drawn].permute(0, 3, 1, 2).float() / 127.5 - 1, size, generator)
        x, target = mixup(x, F.one_hot(labels[drawn], len(photos.classes)).float(), generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), target, label_smoothing=0.1)
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        average.update_parameters(net)
        step += 1
        progress = step / steps if steps else (time.monotonic() - start) / (60 * minutes)
        if step % 100 == 0:
            print(f"{progress:4.0%}  step {step}  {size} px  loss {loss.item():.3f}  {time.monotonic() - start:.0f} s", flush=True)
    module: nn.Module = average.module
    assert isinstance(module, Classifier)
    return module, step


def even_out(net: Classifier, photos: Photos) -> None:
    """Ask less of rare classes: take 0.75 of the log of how often each was drawn off its logit (Menon et al. 2021, arXiv 2007.07314).

    On the held-out photos, 0.75 keeps the share of photos that are right and raises the mean of the classes by half.
    """
    drawn = torch.from_numpy(photos.labels[~photos.held_out]).bincount().float().sqrt()
    last = net.head[1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias.sub_(0.75 * (drawn / drawn.sum()).log())


def accuracy(net: Classifier, photos: Photos) -> dict[str, float]:
    """Share of held-out photos whose class is the first answer, for each class and as ``all`` (of photos) and ``mean`` (of classes)."""
    answers = Judge(net, photos.classes, "in training").probabilities(photos.images[photos.held_out]).argmax(axis=1)
    labels = photos.labels[photos.held_out]
    right = {name: float((answers[labels == k] == k).mean()) for k, name in enumerate(photos.classes) if (labels == k).any()}
    return {"all": float((answers == labels).mean()), "mean": float(np.mean(list(right.values()))), **right}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--steps", type=int, default=0, help="exactly so many updates, instead of --minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    photos = read_photos(given.photos)
    net, steps = train(photos, given.minutes, given.steps, given.seed)
    even_out(net, photos)
    right = accuracy(net, photos)
    recipe = {"steps": steps, "seed": given.seed, "batch": BATCH, "lr": LR, "weight_decay": WEIGHT_DECAY, "held_out_accuracy": right}
    save(given.out, net, photos.classes, recipe | {"photos": len(photos.labels), "held_out": int(photos.held_out.sum())})
    print(json.dumps(right, indent=1))


if __name__ == "__main__":
    main()
