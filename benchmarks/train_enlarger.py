"""Train the enlarger (``jungle.images.enlarger``) on folders of photos, one sub-folder a class.

    python benchmarks/train_enlarger.py PHOTOS [MORE ...] --painted PICTURES --out enlarge.safetensors
        [--exclude benchmarks/heldout_photos.txt] [--start FILE]

The networks, times four and then times two, learn from a projected discriminator (Sauer et al. 2021,
arXiv 2111.01007) that reads maps of the shipped EfficientNet-Lite0, and from what of the photo is
certain: its pixels at half the size, and its features. What the discriminator gets are squares of
any place and size, shown to the frozen network at 112 pixels or more: below that its features say
little.

Two kinds of batches take turns for times four. In the first, photos are reduced by four and enlarged
to their own size. In the second, photos at 160 pixels are reduced to the 64 that our model paints,
enlarged by four, reduced to 160 and compared there; some of its inputs are PICTURES, painted by our
model (``jungle images``), which have no true large version and learn from the discriminator alone.

PATH.state keeps the position: the same command goes on after an interruption.
"""

import argparse
import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from jungle.diffusion.discriminator import Discriminator, hinge
from jungle.images.efficientnet import shipped_lite0
from jungle.images.enlarger import SHAPES, Enlarger, back_project, load, save
from jungle.store import write_atomic

PATCH = 128
"""Side of the photos' squares that are reduced and enlarged again, in pixels."""

PAINTED_SIDE = 64
"""Side of what our model paints, in pixels."""

PHOTO_SIDE = 160
"""Side at which enlarged pictures of PAINTED_SIDE are compared with photos, in pixels."""

WINDOW = 40
"""Side of the square of PAINTED_SIDE pixels that is enlarged in training, to save time."""

BATCH = 8
PAINTED_COUNT = 3
"""Pictures of our model in a batch of the second kind."""

EDGE = 2
"""Small pixels at an edge that no loss looks at: there the network sees padding."""

AFTER = (0, 2, 4, 10)
"""Blocks of the frozen network whose maps the discriminator reads, at a half to a sixteenth of the side."""

SHOWN = (112, 128, 144, 160)
"""Sides at which the frozen network sees squares, in pixels."""

SMALLEST = 48
"""Side of the smallest square that is shown, in pixels."""

HEADS = (0.3, 0.1, 0.02, 0.01, 6.0)
"""Weights of the discriminator's heads, that of pixels last, so that the gradients at the pixels are of
about one size: with equal ones those of the deepest are many times those of the first, and texture
is what the first ones see."""

PIXELS, FEATURES, TEXTURE, PULL = 40.0, 0.5, 2.0, 2.0
"""Weights of differences of pixels, of features and of texture, and of the pull."""

NOISE = 0.02
"""What the strengths of the noise begin with."""

KEEP_SHIFT = 0.98
"""How much of the mean shift of features is kept from one update to the next."""

KEEP_WEIGHTS = 0.998
"""The same of the averaged weights, which are what is saved."""

RATE, HEAD_RATE = 1e-4, 5e-4
WARM = 20
"""Updates in which the network's learning rate rises from 0."""

ALONE, RAMP = 100, 200
"""Updates in which the network learns from pixels alone, while the discriminator learns already, and
those in which everything else comes in."""

FALL = 0.3
"""Share of the updates at the end in which learning rates fall to 0."""

SAVE = 100
"""Updates from one saved state to the next."""

TRAINED = {4: 0.6, 2: 0.3}
"""How much of what training changed in each network is kept (network interpolation, Wang et al. 2018,
arXiv 1809.00219, section 3.4). All of it is too much texture for an eye, and further from photos."""


@dataclass(frozen=True)
class Data:
    """Photos (3, H, W) and painted pictures (3, PAINTED_SIDE, PAINTED_SIDE), uint8."""

    photos: list[Tensor]
    painted: list[Tensor]


@dataclass(frozen=True)
class Batch:
    """What one update works on. The last ``len(small) - paired`` inputs have no true large version."""

    small: Tensor  # (B, 3, h, w) in [-1, 1]
    target: Tensor  # (B, 3, S, S) photos, the first ``paired`` of them of the inputs
    paired: int


def read_pictures(paths: Sequence[Path], smallest: int) -> list[Tensor]:
    """Pictures as uint8 (3, H, W) at their own size, without those that have a shorter side."""
    pictures = []
    for path in paths:
        with Image.open(path) as picture:
            if min(picture.size) >= smallest:
                pixels = np.asarray(picture.convert("RGB")).copy()
                pictures.append(torch.from_numpy(pixels).permute(2, 0, 1))
    return pictures


def list_photos(folders: Sequence[Path], excluded: Sequence[str], without: Sequence[str]) -> list[Path]:
    """Every photo FOLDER/CLASS/FILE whose path does not end with an excluded one, or whose name does not
    begin with a prefix of ``without``."""
    out = set(excluded)
    return [
        path
        for folder in folders
        for path in sorted(folder.glob("*/*"))
        if "/".join(path.parts[-3:]) not in out and not path.name.startswith(tuple(without))
    ]


def squares(photos: Sequence[Tensor], count: int, side: int, generator: torch.Generator) -> Tensor:
    """Random squares, half of them mirrored: float32 (count, 3, side, side) in [-1, 1]."""
    chosen: list[Tensor] = []
    while len(chosen) < count:
        photo = photos[int(torch.randint(len(photos), (), generator=generator))]
        u = torch.rand(3, generator=generator).tolist()
        if min(photo.shape[1:]) >= side:
            top, left = (int(u[i] * (photo.shape[1 + i] - side + 1)) for i in (0, 1))
            square = photo[:, top : top + side, left : left + side]
            chosen.append(square.flip(2) if u[2] < 0.5 else square)
    return torch.stack(chosen).float() / 127.5 - 1


def resized(x: Tensor, side: int, mode: str = "bicubic") -> Tensor:
    """(B, 3, S, S) -> (B, 3, side, side), averaging where pictures become smaller."""
    return F.interpolate(x, (side, side), mode=mode, antialias=True, align_corners=False)


def worn(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Squares reduced to ``side`` and worn as our model's pictures are, rounded to 8 bits.

    Two of five are a little soft, two of five have grain and blotches of colour.
    """
    ways = torch.randint(2, (len(x),), generator=generator).tolist()
    small = torch.cat([resized(part[None], side, ("bilinear", "bicubic")[way]) for part, way in zip(x, ways, strict=True)])

    u = torch.rand(len(x), 4, 1, 1, 1, generator=generator)
    soft = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, 1)
    small = torch.where(u[:, 0] < 0.4, torch.lerp(small, soft, 0.5 * u[:, 1]), small)

    grain = torch.randn(small.shape, generator=generator)
    coarse = torch.randn(len(x), 3, side // 2, side // 2, generator=generator)
    blotches = F.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    small = torch.where(u[:, 2] < 0.4, small + 0.05 * u[:, 3] * (grain + blotches), small)
    return ((small.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def same_size(data: Data, factor: int, generator: torch.Generator) -> Batch:
    """Photos, and what they are reduced by ``factor``."""
    target = squares(data.photos, BATCH, PATCH, generator)
    return Batch(worn(target, PATCH // factor, generator), target, BATCH)


def as_painted(data: Data, generator: torch.Generator) -> Batch:
    """Windows of photos reduced to PAINTED_SIDE, and of painted pictures."""
    scale = PHOTO_SIDE / PAINTED_SIDE
    count = PAINTED_COUNT if data.painted else 0
    whole = squares(data.photos, BATCH, PHOTO_SIDE, generator)
    small = torch.cat(
        [worn(whole[: BATCH - count], PAINTED_SIDE, generator), squares(data.painted, count, PAINTED_SIDE, generator)]
        if count
        else [worn(whole, PAINTED_SIDE, generator)]
    )

    places = 2 * torch.randint((PAINTED_SIDE - WINDOW) // 2 + 1, (BATCH, 2), generator=generator)
    inputs, targets = [], []
    for index, (top, left) in enumerate(places.tolist()):
        inputs.append(small[index, :, top : top + WINDOW, left : left + WINDOW])
        y, x, side = int(top * scale), int(left * scale), int(WINDOW * scale)
        targets.append(whole[index, :, y : y + side, x : x + side])
    return Batch(torch.stack(inputs), torch.stack(targets), BATCH - count)


@dataclass(frozen=True)
class View:
    """A square of the pictures and the side at which the frozen network sees it."""

    top: int
    left: int
    side: int
    shown: int


def draw_view(size: int, generator: torch.Generator) -> View:
    """Every third time the whole, otherwise a square of any size and place."""
    u = torch.rand(4, generator=generator).tolist()
    side = size if u[0] < 1 / 3 else SMALLEST + int(u[1] * (size - SMALLEST + 1))
    top, left = (int(share * (size - side + 1)) for share in u[2:])
    return View(top, left, side, SHOWN[int(torch.randint(len(SHOWN), (), generator=generator))])


class Fit:
    """Training of one network: everything that its next update depends on."""

    def __init__(self, net: Enlarger, updates: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.updates = updates
        self.step = 0
        self.generator = torch.Generator().manual_seed(seed)
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.no_grad():
            for strength in net.noise:
                strength.fill_(NOISE)
        self.average = copy.deepcopy(net)
        self.frozen = shipped_lite0()
        with torch.no_grad():
            maps = self.frozen.maps(torch.zeros(1, 3, SHOWN[0], SHOWN[0]), AFTER)
        channels, sides = zip(*(m.shape[1:3] for m in maps), strict=True)
        self.discriminator = Discriminator(channels, sides, classes=1)
        self.trained = [p for p in self.discriminator.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=RATE, betas=(0.5, 0.99))
        self.head_optimizer = torch.optim.Adam(self.trained, lr=HEAD_RATE, betas=(0.0, 0.99))
        self.shift = torch.zeros(2, channels[-1])  # of features, for both kinds of batches
        self.spread = torch.ones(())  # of a photo's features around their mean

    def _holders(self) -> dict[str, Any]:
        return {
            "net": self.net,
            "average": self.average,
            "discriminator": self.discriminator,
            "optimizer": self.optimizer,
            "head_optimizer": self.head_optimizer,
        }

    def state(self) -> dict[str, Any]:
        """What :meth:`restore` takes."""
        kept = {name: holder.state_dict() for name, holder in self._holders().items()}
        own = {"step": self.step, "generator": self.generator.get_state()}
        return kept | own | {"shift": self.shift, "spread": self.spread}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the run that gave ``state`` stood."""
        for name, holder in self._holders().items():
            holder.load_state_dict(state[name])
        self.step, self.shift, self.spread = state["step"], state["shift"], state["spread"]
        self.generator.set_state(state["generator"])

    def update(self, data: Data) -> dict[str, float]:
        """One step of the discriminator and one of the network; returns the losses."""
        self._set_rates()
        kind = self.step % 2 if self.net.factor == 4 else 0
        batch = as_painted(data, self.generator) if kind else same_size(data, self.net.factor, self.generator)
        ours, target = self._enlarged(batch)
        view = draw_view(ours.shape[2], self.generator)
        ours_cut, target_cut = (cut(x, view) for x in (ours, target))
        ours_maps = self._perceive(ours_cut, view)
        with torch.no_grad():
            maps = self._perceive(target_cut, view)

        losses = {"heads": self._teach_discriminator(ours_cut.detach(), [m.detach() for m in ours_maps], target_cut, maps)}
        self._teach_network(batch, kind, (ours, ours_cut, ours_maps), (target, maps), losses)
        self.step += 1
        return losses

    def _set_rates(self) -> None:
        fall = min(1.0, (1 - self.step / self.updates) / FALL)
        self.optimizer.param_groups[0]["lr"] = RATE * fall * min(1.0, (self.step + 1) / WARM)
        self.head_optimizer.param_groups[0]["lr"] = HEAD_RATE * fall

    def _enlarged(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the network makes of the inputs, at the photos' size, and the photos; without edges."""
        with torch.autocast("cpu", torch.bfloat16):
            large = self.net(batch.small.contiguous(memory_format=torch.channels_last), self.generator)
        size = batch.target.shape[2]
        large = back_project(large.float(), batch.small)
        ours = large if large.shape[2] == size else resized(large, size)
        edge = EDGE * size // batch.small.shape[2]
        inside = slice(edge, -edge)
        return ours[:, :, inside, inside], batch.target[:, :, inside, inside]

    def _perceive(self, x: Tensor, view: View) -> list[Tensor]:
        shown = F.interpolate(x, (view.shown, view.shown), mode="bicubic", align_corners=False)
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.frozen.maps(shown.contiguous(memory_format=torch.channels_last), AFTER)
        return [m.float() for m in maps]

    def _scores(self, x: Tensor, maps: list[Tensor]) -> list[Tensor]:
        return self.discriminator.scores(maps[:-1], x, torch.ones(len(x), 1))

    def _teach_discriminator(self, ours: Tensor, ours_maps: list[Tensor], target: Tensor, maps: list[Tensor]) -> float:
        for parameter in self.trained:
            parameter.requires_grad_(True)
        loss = hinge(self._scores(target, maps), self._scores(ours, ours_maps), [1.0] * len(HEADS))
        self.head_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.head_optimizer.step()
        for parameter in self.trained:
            parameter.requires_grad_(False)
        return loss.item()

    def _teach_network(
        self,
        batch: Batch,
        kind: int,
        ours: tuple[Tensor, Tensor, list[Tensor]],
        target: tuple[Tensor, list[Tensor]],
        losses: dict[str, float],
    ) -> None:
        scores = self._scores(ours[1], ours[2])
        pairs = slice(batch.paired)
        scales = [head.get_buffer("scale") for head in self.discriminator.heads]
        maps = [(scale * a[pairs], scale * b[pairs]) for scale, a, b in zip(scales, ours[2], target[1], strict=False)]
        terms = {
            "fooled": -sum((w * s.mean() for w, s in zip(HEADS, scores, strict=True)), torch.zeros(())),
            "pixels": F.avg_pool2d(ours[0][pairs] - target[0][pairs], 2).abs().mean(),
            "features": torch.stack([(a - b).abs().mean() for a, b in maps]).sum(),
            "texture": torch.stack([(gram(a) - gram(b)).abs().mean() for a, b in maps]).sum(),
            "pull": self._pull(ours[2][-1][pairs].mean(dim=(2, 3)), target[1][-1][pairs].mean(dim=(2, 3)), kind),
        }
        ramp = min(1.0, max(0.0, (self.step - ALONE) / RAMP))
        weights = {"fooled": ramp, "pixels": PIXELS, "features": ramp * FEATURES, "texture": ramp * TEXTURE, "pull": ramp * PULL}
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        keep = min(KEEP_WEIGHTS, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        losses |= {f"{name}{kind}": term.item() for name, term in terms.items() if name != "pull"}
        losses[f"shift{kind}"] = (self.shift[kind].norm() / self.spread).item()

    def _pull(self, ours: Tensor, target: Tensor, kind: int) -> Tensor:
        """How far features (N, D) go along their mean shift from those of photos, in units of their spread."""
        spread = (target - target.mean(dim=0)).norm(dim=1).mean()
        self.spread = spread if self.step == 0 else torch.lerp(spread, self.spread, KEEP_SHIFT)
        shift = ours.detach().mean(dim=0) - target.mean(dim=0)
        self.shift[kind] = torch.lerp(shift, self.shift[kind], KEEP_SHIFT)
        out: Tensor = (ours.mean(dim=0) - target.mean(dim=0)) @ self.shift[kind] / self.spread**2
        return out


def gram(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, C): how strongly channels go together, wherever (Gatys et al. 2015, arXiv 1505.07376)."""
    flat = x.flatten(2)
    return flat @ flat.mT / flat.shape[2]


def blended(start: dict[str, Tensor], net: Enlarger) -> Enlarger:
    """The network between the weights that it began with and its own, TRAINED of the way."""
    out = copy.deepcopy(net)
    weights = net.state_dict()
    out.load_state_dict({name: torch.lerp(value, weights[name], TRAINED[net.factor]) for name, value in start.items()})
    return out


def cut(x: Tensor, view: View) -> Tensor:
    """The square of a view."""
    return x[:, :, view.top : view.top + view.side, view.left : view.left + view.side]


def train(data: Data, nets: dict[int, Enlarger], parts: dict[int, int], out: Path, seed: int) -> None:
    """Train each network of ``parts`` (factor to updates) in turn, or the rest; ``out`` is written every SAVE updates."""
    beside = out.with_suffix(".state")
    starts = {factor: copy.deepcopy(net.state_dict()) for factor, net in nets.items()}
    kept: dict[str, Any] = torch.load(beside, weights_only=True) if beside.is_file() else {"done": 0}
    for factor, net in nets.items():
        if str(factor) in kept:
            net.load_state_dict(kept[str(factor)])

    for number, (factor, updates) in enumerate(parts.items()):
        if number < kept["done"]:
            continue
        fit = Fit(nets[factor], updates, seed + number)
        if "fit" in kept and number == kept["done"]:
            fit.restore(kept["fit"])
        nets = nets | {factor: fit.average}
        start, means = time.monotonic(), dict[str, float]()
        while fit.step < updates:
            for name, value in fit.update(data).items():
                means[name] = 0.95 * means.get(name, value) + 0.05 * value
            if fit.step % 50 == 0:
                words = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
                print(f"x{factor}  {fit.step} of {updates}  {words}  {time.monotonic() - start:.0f} s", flush=True)
            if fit.step % SAVE == 0 or fit.step == updates:
                weights = {str(key): value.state_dict() for key, value in nets.items()}
                write_atomic(beside, partial(torch.save, {"done": number, "fit": fit.state()} | weights))
                recipe = {"parts": parts, "factor": factor, "step": fit.step, "seed": seed, "photos": len(data.photos)}
                between = {key: blended(starts[key], net) for key, net in nets.items()}
                save(out, between, recipe | {"painted": len(data.painted), "batch": BATCH, "trained": TRAINED})
        kept.pop("fit", None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--painted", type=Path, help="folder of PNG files of our model")
    parser.add_argument("--exclude", type=Path, help="list of photos that are not trained on, one path a line")
    parser.add_argument("--without", nargs="*", default=[], help="beginnings of file names that are left out")
    parser.add_argument("--start", type=Path, help="a file whose networks are trained on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--updates", type=int, nargs=2, default=(3000, 900), help="of times four and times two")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()

    torch.set_num_threads(given.threads)
    excluded = given.exclude.read_text(encoding="utf-8").split("\n") if given.exclude else []
    photos = read_pictures(list_photos(given.photos, excluded, given.without), PATCH)
    painted = read_pictures(sorted(given.painted.glob("*.png")), PAINTED_SIDE) if given.painted else []
    nets = load(given.start) if given.start else {factor: Enlarger(factor) for factor in SHAPES}
    parts = dict(zip((4, 2), given.updates, strict=True))
    train(Data(photos, painted), nets, parts, given.out, given.seed)


if __name__ == "__main__":
    main()
