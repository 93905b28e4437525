"""Train the enlarger (``jungle.images.enlarger``) on a folder of photos, one sub-folder a class.

    python benchmarks/train_enlarger.py PHOTOS --out enlarge.safetensors

Pairs are cut from photos at their own size: the large one lightly painted over, the small one reduced from the photo and worn as
pictures of our diffusion model are: soft, with a little grain and blotches of colour. Two networks, times two and times four, learn
first by the difference of the pixels, then against a critic as well, that tells enlarged pictures from painted ones.
The photos that the judge never saw (15 %, by a checksum of ``class/file``) are never trained on here either.
PATH.state keeps the position: the same command goes on after an interruption.
"""

import argparse
import copy
import math
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from jungle.classifier import Classifier
from jungle.classifier import load as load_judge
from jungle.images.enlarger import Enlarger, save
from jungle.weights import shipped

PATCH = 128  # side of the large patches
EDGE = 8  # pixels at a patch's edge that no loss looks at: there the network sees padding instead of the photo
BATCH = 8
PAINTED = 0.75  # share of the painted-over photo in what the network should make
PLAIN_RATE, CRITIC_RATE = 5e-4, 1e-4


@dataclass(frozen=True)
class Part:
    """One part of the run: which network, how many updates, and whether against the critic."""

    factor: int
    steps: int
    critic: bool


def schedule(scale: float) -> list[Part]:
    """The parts of a run, ``scale`` times as long as that of the shipped file; the file is usable after the second."""
    parts = [Part(2, 1500, False), Part(4, 3000, False), Part(4, 4000, True), Part(2, 1500, True)]
    return [Part(part.factor, max(1, round(part.steps * scale)), part.critic) for part in parts]


def held_out(path: Path) -> bool:
    """Whether a photo is kept for judging; the rule of ``train_judge.py``."""
    return zlib.crc32(f"{path.parent.name}/{path.name}".encode()) % 100 < 15


def read_photos(folder: Path) -> list[Tensor]:
    """Every photo to train on at its own size, uint8 (3, H, W), except those smaller than a patch."""
    photos = []
    for path in sorted(folder.glob("*/*")):
        if not held_out(path):
            with Image.open(path) as photo:
                if min(photo.size) >= PATCH:
                    photos.append(torch.from_numpy(np.asarray(photo.convert("RGB")).copy()).permute(2, 0, 1))
    return photos


def patches(photos: list[Tensor], generator: torch.Generator) -> Tensor:
    """A batch of random patches, turned and mirrored: float32 (BATCH, 3, PATCH, PATCH) in [-1, 1]."""
    out = []
    for index in torch.randint(len(photos), (BATCH,), generator=generator).tolist():
        photo = photos[index]
        u = torch.rand(4, generator=generator)
        top, left = (int(u[i] * (photo.shape[1 + i] - PATCH + 1)) for i in (0, 1))
        patch = photo[:, top : top + PATCH, left : left + PATCH]
        patch = patch.flip(2) if u[2] < 0.5 else patch
        out.append(patch.transpose(1, 2) if u[3] < 0.25 else patch)
    return torch.stack(out).float() / 127.5 - 1


def kuwahara(x: Tensor, radius: int = 1) -> Tensor:
    """Each pixel becomes the mean of the calmest of the four squares around it: flat strokes with sharp edges.

    Kuwahara et al. 1976; the four means are weighted by variance instead of chosen (Papari et al. 2007), so that it does not flicker.
    """
    side, (high, wide) = radius + 1, x.shape[2:]
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    mean = F.avg_pool2d(padded, side, 1)
    variance = (F.avg_pool2d(padded**2, side, 1) - mean**2).sum(1, keepdim=True).clamp_min(0)
    corners = [(top, left) for top in (0, radius) for left in (0, radius)]
    weights = torch.stack([(variance[:, :, t : t + high, f : f + wide] + 1e-3) ** -4 for t, f in corners])
    means = torch.stack([mean[:, :, t : t + high, f : f + wide] for t, f in corners])
    return (means * weights).sum(0) / weights.sum(0)


def painted(x: Tensor) -> Tensor:
    """What the network should make of a small copy of the photo ``x``."""
    return torch.lerp(x, kuwahara(x), PAINTED)


def worn(x: Tensor, factor: int, generator: torch.Generator) -> Tensor:
    """The photo as a small picture: reduced in one of three ways; every other one a little soft, every other one grainy and blotchy."""
    high, wide = x.shape[2] // factor, x.shape[3] // factor

    def smaller(part: Tensor, way: int) -> Tensor:
        if way == 0:
            return F.interpolate(part, (high, wide), mode="area")
        return F.interpolate(part, (high, wide), mode="bilinear" if way == 1 else "bicubic", antialias=True, align_corners=False)

    ways = torch.randint(3, (len(x),), generator=generator).tolist()
    small = torch.cat([smaller(part[None], way) for part, way in zip(x, ways, strict=True)])
    u = torch.rand(len(x), 4, 1, 1, 1, generator=generator)
    soft = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, 1)
    small = torch.where(u[:, 0] < 0.5, torch.lerp(small, soft, 0.6 * u[:, 1]), small)
    grain = torch.randn(small.shape, generator=generator)
    blotches = F.interpolate(torch.randn(len(x), 3, high // 2, wide // 2, generator=generator), (high, wide), mode="bilinear")
    small = torch.where(u[:, 2] < 0.5, small + 0.05 * u[:, 3] * (grain + blotches), small)
    return ((small.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


class Critic(nn.Sequential):
    """(B, 3, H, W) -> (B, 1, H / 4, W / 4): how painted each neighbourhood looks (Isola et al. 2017, arXiv 1611.07004)."""

    def __init__(self) -> None:
        def conv(inside: int, outside: int, side: int, stride: int) -> nn.Module:
            return nn.utils.parametrizations.spectral_norm(nn.Conv2d(inside, outside, side, stride, 1))

        layers = [conv(3, 32, 3, 1), conv(32, 64, 4, 2), conv(64, 96, 4, 2), conv(96, 96, 3, 1)]
        super().__init__(*(item for layer in layers for item in (layer, nn.LeakyReLU(0.2))), nn.Conv2d(96, 1, 3, padding=1))


def pixel_loss(ours: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the pixels and, twice, of their steps to the right and down: sharp edges count."""
    difference = ours - target
    steps = [difference.diff(dim=dim).abs().mean() for dim in (2, 3)]
    return difference.abs().mean() + 2 * (steps[0] + steps[1])


class Lessons:
    """The losses of the adversarial part; owns the critic and its optimizer."""

    def __init__(self, judge: Classifier) -> None:
        self.critic = Critic().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=2 * CRITIC_RATE, betas=(0.5, 0.99))
        self.judge = judge

    def features(self, x: Tensor) -> list[Tensor]:
        """What the judge sees at a quarter and an eighth of the side."""
        stem = self.judge.stem(x)
        return [stem, self.judge.parts(stem)]

    def opinions(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            out: Tensor = self.critic(x.contiguous(memory_format=torch.channels_last))
        return out.float()

    def loss(self, ours: Tensor, target: Tensor) -> Tensor:
        """Features like the target's, and a critic that takes ours for painted (least squares: Mao et al. 2017, arXiv 1611.04076)."""
        with torch.autocast("cpu", torch.bfloat16):
            pairs = list(zip(self.features(ours), self.features(target), strict=True))
        seen = sum(((a.float() - b.float()).abs().mean() for a, b in pairs), torch.zeros(()))
        self.critic.requires_grad_(False)
        fooled = ((self.opinions(ours) - 1) ** 2).mean()
        self.critic.requires_grad_(True)
        return 0.05 * seen + 0.02 * fooled

    def teach(self, ours: Tensor, target: Tensor) -> float:
        """One update of the critic; returns its loss (0.5 when it knows nothing)."""
        loss = ((self.opinions(target) - 1) ** 2).mean() + (self.opinions(ours.detach()) ** 2).mean()
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.item()


def frozen_judge() -> Classifier:
    judge = load_judge(shipped("judge64.safetensors"), "judge")[0]
    return judge.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def fit(net: Enlarger, part: Part, photos: list[Tensor], seed: int) -> Iterator[tuple[int, str]]:
    """Train ``net`` in place, ending with the average of its last weights; yields (updates, losses in words)."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average, top = copy.deepcopy(net), CRITIC_RATE if part.critic else PLAIN_RATE
    optimizer = torch.optim.Adam(net.parameters(), lr=top, betas=(0.9, 0.99))
    lessons = Lessons(frozen_judge()) if part.critic else None
    inside = slice(EDGE, -EDGE)
    for step in range(1, part.steps + 1):
        warm = min(1.0, step / 100)
        optimizer.param_groups[0]["lr"] = top * warm * (0.52 + 0.48 * math.cos(math.pi * step / part.steps))
        photo = patches(photos, generator)
        target = painted(photo)[:, :, inside, inside]
        with torch.autocast("cpu", torch.bfloat16):
            ours = net(worn(photo, part.factor, generator).contiguous(memory_format=torch.channels_last))
        ours = ours[:, :, inside, inside]
        loss = pixel_loss(ours, target)
        words = f"pixels {loss.item():.4f}"
        if lessons:
            loss = loss + warm * lessons.loss(ours, target)
            words += f"  critic {lessons.teach(ours, target):.3f}"
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        keep = min(0.998, step / (step + 10))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), net.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        yield step, words
    net.load_state_dict(average.state_dict())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scale", type=float, default=1.0, help="length of the run, as a share of the shipped file's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    photos = read_photos(given.photos)
    nets = {factor: Enlarger(factor) for factor in (4, 2)}
    state = given.out.with_suffix(".state")
    done = 0
    if state.is_file():
        kept = torch.load(state, weights_only=True)
        done = kept["done"]
        for factor, net in nets.items():
            net.load_state_dict(kept[str(factor)])
    start, parts = time.monotonic(), schedule(given.scale)
    for number, part in enumerate(parts):
        if number < done:
            continue
        for step, words in fit(nets[part.factor], part, photos, given.seed + number):
            if step % 100 == 0:
                print(f"part {number + 1}  x{part.factor}  {step} of {part.steps}  {words}  {time.monotonic() - start:.0f} s", flush=True)
        torch.save({"done": number + 1} | {str(factor): net.state_dict() for factor, net in nets.items()}, state)
        recipe = {"parts": [vars(p) for p in parts[: number + 1]], "batch": BATCH, "patch": PATCH, "painted": PAINTED, "seed": given.seed}
        save(given.out, nets, recipe | {"photos": len(photos)})


if __name__ == "__main__":
    main()
