"""Train the enlarger (``jungle.images.upscaler_net``) on a folder of photos, one sub-folder a
class.

    python benchmarks/train_enlarger.py PHOTOS --out enlarge.safetensors

Pairs are cut from photos at their own size: the large one lightly painted over, the small one
reduced from the photo and worn as
pictures of our diffusion model are: soft, with a little grain and blotches of colour. Two networks,
times two and times four, learn first by the difference of the pixels, then against a critic as
well, that tells enlarged pictures from painted ones. A fixed 15 % of the photos (by a checksum of
``class/file``) are never trained on. The shipped file learned with the features of an older judge,
judge64, where this script now takes those of EfficientNet-Lite0; so a new run gives another file.
PATH.state keeps the position: the same command goes on after an interruption.
"""

import argparse
import copy
import math
import time
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from jungle.images.efficientnet import shipped_lite0
from jungle.images.upscaler_net import Upscaler, save_upscalers
from jungle.storage.atomic import write_atomic

PATCH = 128  # side of the large patches
# pixels at a patch's edge that no loss looks at: there the network sees padding instead of the
# photo
EDGE = 8
BATCH = 8
PAINTED = 0.25  # share of the painted-over photo in what the network should make
# weights of structure, the judge's features and the critic, beside 1 for the pixels
STRUCTURE, SEEN, FOOLED = (
    0.4,
    0.1,
    0.03,
)
PLAIN_RATE, CRITIC_RATE = 5e-4, 2e-4  # top learning rates without and with the critic
SEEN_AFTER = (2, 4)  # blocks of the judge, whose maps have a quarter and an eighth of the side
SAVE = 250  # updates


@dataclass(frozen=True)
class Part:
    """One part of the run: which network, how many updates, and whether against the critic."""

    factor: int
    steps: int
    critic: bool


def schedule(scale: float) -> list[Part]:
    """The parts of a run, ``scale`` times as long as that of the shipped file; the file is usable
    after the second.
    """
    parts = [Part(2, 1500, False), Part(4, 2500, False), Part(4, 1300, True), Part(2, 800, False)]
    return [Part(part.factor, max(1, round(part.steps * scale)), part.critic) for part in parts]


def held_out(path: Path) -> bool:
    """Whether a photo is kept for judging."""
    return zlib.crc32(f"{path.parent.name}/{path.name}".encode()) % 100 < 15


def read_photos(folder: Path) -> list[Tensor]:
    """Every photo to train on at its own size, uint8 (3, H, W), except those smaller than a
    patch.
    """
    photos = []
    for path in sorted(folder.glob("*/*")):
        if not held_out(path):
            with Image.open(path) as photo:
                if min(photo.size) >= PATCH:
                    photos.append(
                        torch.from_numpy(np.asarray(photo.convert("RGB")).copy()).permute(2, 0, 1)
                    )
    return photos


def patches(photos: list[Tensor], generator: torch.Generator) -> Tensor:
    """A batch of random patches, turned and mirrored: float32 (BATCH, 3, PATCH, PATCH) in [-1,
    1].
    """
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
    """Each pixel becomes the mean of the calmest of the four squares around it: flat strokes with
    sharp edges.

    Kuwahara et al. 1976; the four means are weighted by variance instead of chosen (Papari et al.
    2007), so that it does not flicker.
    """
    side, (high, wide) = radius + 1, x.shape[2:]
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    mean = F.avg_pool2d(padded, side, 1)
    variance = (F.avg_pool2d(padded**2, side, 1) - mean**2).sum(1, keepdim=True).clamp_min(0)
    corners = [(top, left) for top in (0, radius) for left in (0, radius)]
    weights = torch.stack(
        [(variance[:, :, t : t + high, f : f + wide] + 1e-3) ** -4 for t, f in corners]
    )
    means = torch.stack([mean[:, :, t : t + high, f : f + wide] for t, f in corners])
    return (means * weights).sum(0) / weights.sum(0)


def painted(x: Tensor) -> Tensor:
    """What the network should make of a small copy of the photo ``x``."""
    return torch.lerp(x, kuwahara(x), PAINTED)


def worn(x: Tensor, factor: int, generator: torch.Generator) -> Tensor:
    """The photo as a small picture: reduced in one of three ways; every other one a little soft,
    every other one grainy and blotchy.
    """
    high, wide = x.shape[2] // factor, x.shape[3] // factor

    def smaller(part: Tensor, way: int) -> Tensor:
        if way == 0:
            return F.interpolate(part, (high, wide), mode="area")
        return F.interpolate(
            part,
            (high, wide),
            mode="bilinear" if way == 1 else "bicubic",
            antialias=True,
            align_corners=False,
        )

    ways = torch.randint(3, (len(x),), generator=generator).tolist()
    small = torch.cat([smaller(part[None], way) for part, way in zip(x, ways, strict=True)])
    u = torch.rand(len(x), 4, 1, 1, 1, generator=generator)
    soft = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, 1)
    small = torch.where(u[:, 0] < 0.4, torch.lerp(small, soft, 0.5 * u[:, 1]), small)
    grain = torch.randn(small.shape, generator=generator)
    blotches = F.interpolate(
        torch.randn(len(x), 3, high // 2, wide // 2, generator=generator),
        (high, wide),
        mode="bilinear",
    )
    small = torch.where(u[:, 2] < 0.4, small + 0.05 * u[:, 3] * (grain + blotches), small)
    return ((small.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


class Critic(nn.Sequential):
    """(B, 3, H, W) -> (B, 1, H / 4, W / 4): how painted each neighbourhood looks (Isola et al.
    2017, arXiv 1611.07004).
    """

    def __init__(self) -> None:
        def conv(inside: int, outside: int, side: int, stride: int) -> nn.Module:
            return nn.utils.parametrizations.spectral_norm(
                nn.Conv2d(inside, outside, side, stride, 1)
            )

        layers = [conv(3, 48, 4, 2), conv(48, 96, 4, 2), conv(96, 96, 3, 1)]
        super().__init__(
            *(item for layer in layers for item in (layer, nn.LeakyReLU(0.2))),
            nn.Conv2d(96, 1, 3, padding=1),
        )


def structure(a: Tensor, b: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004) in windows of 7 pixels, averaged over the channels and three
    sizes, each half of the one before.
    """
    out = torch.zeros(())
    for _ in range(3):
        ma, mb, aa, bb, ab = F.avg_pool2d(
            torch.cat([a, b, a * a, b * b, a * b], dim=1), 7, 1
        ).chunk(5, dim=1)
        c1, c2 = 0.02**2, 0.06**2  # the usual constants, for values that span 2
        similar = (
            (2 * ma * mb + c1)
            * (2 * (ab - ma * mb) + c2)
            / ((ma**2 + mb**2 + c1) * (aa - ma**2 + bb - mb**2 + c2))
        )
        out = out + (1 - similar.mean()) / 3
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return out


def pixel_loss(ours: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the pixels, twice that of their steps to the right and down, and
    a little of the structure's.

    The last keeps contrast in fur and grass, where the smallest difference is a blur.
    """
    difference = ours - target
    steps = [difference.diff(dim=dim).abs().mean() for dim in (2, 3)]
    return difference.abs().mean() + 2 * (steps[0] + steps[1]) + STRUCTURE * structure(ours, target)


class Lessons:
    """The losses of the adversarial part; owns the critic and its optimizer."""

    def __init__(self) -> None:
        self.critic = Critic().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(
            self.critic.parameters(), lr=CRITIC_RATE, betas=(0.5, 0.99)
        )
        self.judge = shipped_lite0()

    def features(self, x: Tensor) -> list[Tensor]:
        """What the judge sees at a quarter and an eighth of the side."""
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.judge.maps(x.contiguous(memory_format=torch.channels_last), SEEN_AFTER)
            return [chosen.float() for chosen in maps[:-1]]

    def opinions(self, x: Tensor) -> Tensor:
        """The critic's answers (B, 1, H / 4, W / 4), 1 for painted and 0 for enlarged."""
        with torch.autocast("cpu", torch.bfloat16):
            out: Tensor = self.critic(x.contiguous(memory_format=torch.channels_last))
        return out.float()

    def loss(self, ours: Tensor, target: Tensor) -> Tensor:
        """Features like the target's, and a critic that takes ours for painted (least squares: Mao
        et al. 2017, arXiv 1611.04076).
        """
        seen = sum(
            (
                (a - b).abs().mean()
                for a, b in zip(self.features(ours), self.features(target), strict=True)
            ),
            torch.zeros(()),
        )
        self.critic.requires_grad_(False)
        fooled = ((self.opinions(ours) - 1) ** 2).mean()
        self.critic.requires_grad_(True)
        return SEEN * seen + FOOLED * fooled

    def teach(self, ours: Tensor, target: Tensor) -> float:
        """One update of the critic; returns its loss (0.5 when it knows nothing)."""
        loss = ((self.opinions(target) - 1) ** 2).mean() + (
            self.opinions(ours.detach()) ** 2
        ).mean()
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.item()


class Fit:
    """One part of the run in progress: everything that its next update depends on."""

    def __init__(self, net: Upscaler, part: Part, seed: int) -> None:
        torch.manual_seed(seed)
        self.part, self.step = part, 0
        self.top = CRITIC_RATE if part.critic else PLAIN_RATE
        self.generator = torch.Generator().manual_seed(seed)
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(net)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.top, betas=(0.9, 0.99))
        self.lessons = Lessons() if part.critic else None

    def _holders(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "net": self.net,
            "average": self.average,
            "optimizer": self.optimizer,
        }
        return found | (
            {"critic": self.lessons.critic, "critic_optimizer": self.lessons.optimizer}
            if self.lessons
            else {}
        )

    def state(self) -> dict[str, Any]:
        """What :meth:`restore` takes."""
        kept = {name: holder.state_dict() for name, holder in self._holders().items()}
        return kept | {"step": self.step, "generator": self.generator.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the run that gave ``state`` stood."""
        for name, holder in self._holders().items():
            holder.load_state_dict(state[name])
        self.step = state["step"]
        self.generator.set_state(state["generator"])

    def update(self, photos: list[Tensor]) -> str:
        """One update; returns the losses in words."""
        self.step += 1
        warm = min(1.0, self.step / 100)
        self.optimizer.param_groups[0]["lr"] = (
            self.top * warm * (0.52 + 0.48 * math.cos(math.pi * self.step / self.part.steps))
        )
        photo = patches(photos, self.generator)
        inside = slice(EDGE, -EDGE)
        target = painted(photo)[:, :, inside, inside]
        with torch.autocast("cpu", torch.bfloat16):
            ours = self.net(
                worn(photo, self.part.factor, self.generator).contiguous(
                    memory_format=torch.channels_last
                )
            )
        ours = ours[:, :, inside, inside]
        loss = pixel_loss(ours, target)
        words = f"pixels {loss.item():.4f}"
        if self.lessons:
            loss = loss + warm * self.lessons.loss(ours, target)
            words += f"  critic {self.lessons.teach(ours, target):.3f}"
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        keep = min(0.998, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        return words


def train(photos: list[Tensor], out: Path, scale: float, seed: int) -> None:
    """The whole run, or the rest of it; ``out`` is written every SAVE updates."""
    torch.manual_seed(seed)
    nets = {factor: Upscaler(factor) for factor in (4, 2)}
    beside, parts, start = out.with_suffix(".state"), schedule(scale), time.monotonic()
    kept: dict[str, Any] = (
        torch.load(beside, weights_only=True) if beside.is_file() else {"part": 0}
    )
    for factor, net in nets.items():
        if str(factor) in kept:
            net.load_state_dict(kept[str(factor)])
    for number in range(kept["part"], len(parts)):
        part = parts[number]
        fit = Fit(nets[part.factor], part, seed + number)
        if kept.get("fit") and number == kept["part"]:
            fit.restore(kept["fit"])
        best = nets | {part.factor: fit.average}
        while fit.step < part.steps:
            words = fit.update(photos)
            if fit.step % 100 == 0:
                print(
                    f"part {number + 1}  x{part.factor}  {fit.step} of {part.steps}  {words}  "
                    f"{time.monotonic() - start:.0f} s",
                    flush=True,
                )
            if fit.step % SAVE == 0 or fit.step == part.steps:
                weights = {str(factor): net.state_dict() for factor, net in best.items()}
                content = {"part": number, "fit": fit.state()} | weights
                write_atomic(beside, partial(torch.save, content))
                recipe = {
                    "parts": [vars(p) for p in parts[: number + 1]],
                    "step": fit.step,
                    "seed": seed,
                    "photos": len(photos),
                }
                save_upscalers(
                    out,
                    best,
                    recipe
                    | {
                        "batch": BATCH,
                        "patch": PATCH,
                        "painted": PAINTED,
                        "structure": STRUCTURE,
                        "seen": SEEN,
                        "fooled": FOOLED,
                    },
                )
        nets = best


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="length of the run, as a share of the shipped file's",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    train(read_photos(given.photos), given.out, given.scale, given.seed)


if __name__ == "__main__":
    main()
