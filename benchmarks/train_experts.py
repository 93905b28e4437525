"""Two networks for a model of calls, one for each range of noise levels.

    python benchmarks/train_experts.py RECORDINGS... --start MODEL --part fine --minutes 45 \\
        --out DIR

The shipped network folds 8x8 squares, which tells noise from detail no better than a linear filter
does (docs/LOG.md). ``fine`` folds 2x2, learns from strips of spectrograms at low noise alone, and
takes over below ``--below`` (``diffusion/expert_denoisers.py``). ``coarse`` is the network above,
which then need not learn low noise any more and is taught more of the rest. A part that MODEL has
learns on. Saves every two minutes a model of both for ``jungle sounds --model``, and prints the
error of the estimates at a few noise levels.

Kinds that MODEL does not know are added to it: each begins as the kind whose voice it borrows by
animals.toml. What a shipped model must not learn from is in ``calls_left_out.txt``. The same
command goes on with a run that was stopped.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jungle.config.paths import cache_folder
from jungle.config.recipes import NetRecipe, Recipe
from jungle.data.folders import gather_folders
from jungle.data.formats import RECORDINGS
from jungle.diffusion import checkpoint, device, model
from jungle.diffusion.denoiser import Trainable
from jungle.diffusion.train import State, begin_training, train
from jungle.sounds.batches import CallBatches
from jungle.sounds.dataset import AudioDataset, load_audio_dataset
from jungle.species.animals import voice_among

FINE = NetRecipe(
    image_channels=1, patch=2, widths=(64, 128, 256), blocks=(2, 2, 2), attention=(), embedding=64
)
COLUMNS = 64  # of a strip: half a second
TIMED = range(20, 61)  # updates whose speed says how many fit


@dataclass(frozen=True, kw_only=True)
class Part:
    """How one of the two networks learns."""

    batch: int  # items an update
    p_mean: float  # of the density of log sigma
    p_std: float
    lr: float  # learning rate
    tested: tuple[float, ...]  # sigmas at which the error is printed


PARTS = {
    "fine": Part(batch=8, p_mean=-1.5, p_std=1.0, lr=3e-3, tested=(0.03, 0.1, 0.3)),
    "coarse": Part(batch=32, p_mean=2.0, p_std=1.3, lr=2e-3, tested=(1.0, 3.0, 10.0, 30.0, 100.0)),
}


@dataclass(frozen=True)
class Both:
    """A model in parts."""

    about: checkpoint.Checkpoint
    nets: Mapping[str, Mapping[str, Tensor]]  # weights by name; ``fine``, ``weak`` may be absent

    @classmethod
    def of(cls, start: checkpoint.Checkpoint) -> "Both":
        """Take a model apart."""
        nets: dict[str, dict[str, Tensor]] = {}
        for name, value in start.best.items():
            net, _, rest = name.partition(".")
            if start.recipe.fine or (start.recipe.weak and net == "weak"):
                nets.setdefault(net, {})[rest] = value
            else:
                nets.setdefault("coarse", {})[name] = value
        return cls(start, nets)

    def widened(self, classes: Sequence[str]) -> "Both":
        """The same with more classes.

        A new one begins as the voice it borrows, one that borrows none as the mean of all.
        """
        old = self.about.classes

        def row(name: str, value: Tensor) -> Tensor:
            kin = voice_among(name, frozenset(old))
            return value[:, old.index(kin)] if kin else value.mean(dim=1)

        def wider(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
            weights = dict(values)
            for name, value in values.items():
                if name.endswith("classes.weight"):
                    rows = [row(class_name, value) for class_name in classes]
                    weights[name] = torch.stack(rows, dim=1)
            return weights

        nets = {net: wider(values) for net, values in self.nets.items()}
        return Both(dataclasses.replace(self.about, classes=tuple(classes)), nets)

    def without_weak(self) -> "Both":
        """The same without a weaker network.

        Guidance leads away from the first network without its classes.
        """
        recipe = self.about.recipe
        sample = dataclasses.replace(recipe.sample, weak_mix=1.0)
        about = dataclasses.replace(
            self.about, recipe=dataclasses.replace(recipe, weak=None, sample=sample)
        )
        return Both(about, {net: values for net, values in self.nets.items() if net != "weak"})

    def joined(self, below: float) -> checkpoint.Checkpoint:
        """The model whose ``fine`` network works under sigma ``below``, where nothing guides."""
        sample = dataclasses.replace(self.about.recipe.sample, steps=16, guidance_low=below)
        recipe = dataclasses.replace(
            self.about.recipe, fine=self.about.recipe.fine or FINE, fine_below=below, sample=sample
        )
        weights = {
            f"{net}.{name}": value
            for net, values in self.nets.items()
            for name, value in values.items()
        }
        return dataclasses.replace(self.about, recipe=recipe, weights=weights, ema={})


class Strips:
    """Batches for training: one strip of :data:`COLUMNS` out of each window of a feed."""

    def __init__(self, feed: CallBatches) -> None:
        self.feed = feed

    def __call__(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, 1, BINS, COLUMNS) and the mix (B, K)."""
        x, mix = self.feed(step, generator)
        most = (x.shape[3] - COLUMNS) // 16 + 1
        starts = np.random.default_rng([5, step]).integers(0, most, len(x)) * 16
        strips = [
            image[:, :, start : start + COLUMNS] for image, start in zip(x, starts, strict=True)
        ]
        return torch.stack(strips), mix


def errors(denoiser: Trainable, x: Tensor, mix: Tensor, sigmas: Sequence[float]) -> list[float]:
    """Root mean square error of the clean estimates of ``x`` at each sigma."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        differences = [
            denoiser(x + sigma * noise, torch.full((len(x),), sigma), mix) - x for sigma in sigmas
        ]
    return [round(float(difference.square().mean().sqrt()), 5) for difference in differences]


def only_new(net: Trainable, feed: CallBatches, old: Sequence[str]) -> None:
    """Let nothing but the vectors of classes that are not ``old`` learn.

    From recordings of those alone: old calls stay what they are.
    """
    new = torch.tensor([name not in old for name in feed.clips.classes])
    for name, value in net.net.named_parameters():
        value.requires_grad_(name.endswith("classes.weight"))
        if value.requires_grad:
            value.register_hook(lambda slope: slope * new)  # type: ignore[no-untyped-call]
    weights = (
        np.bincount(feed.clips.labels)[feed.clips.labels] ** -feed.recipe.balance
        * new.numpy()[feed.clips.labels]
    )
    feed.set_weights(weights)


def averaged(net: Trainable, state: State, test: Callable[[Trainable], list[float]]) -> list[float]:
    """What ``test`` says of the averaged weights."""
    raw = {name: value.clone() for name, value in net.net.state_dict().items()}
    net.net.load_state_dict(state.ema)
    result = test(net)
    net.net.load_state_dict(raw)
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", type=Path, nargs="+", help="folders, one sub-folder a class")
    parser.add_argument("--without", type=Path, help="a list of files to leave out")
    parser.add_argument(
        "--start",
        type=Path,
        required=True,
        help="the model that gets the second network, or has it",
    )
    parser.add_argument("--part", choices=PARTS, default="fine")
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--lr", type=float, default=0.0, help="learning rate; 0 = that of the part")
    parser.add_argument(
        "--balance",
        type=float,
        default=-1.0,
        help="1 = as many of each kind, 0 = as they occur; that of MODEL by default",
    )
    parser.add_argument(
        "--only-new", action="store_true", help="nothing but the vectors of new kinds learns"
    )
    parser.add_argument("--below", type=float, default=0.7, help="sigma")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, required=True)
    return parser


def part_recipe(start: Recipe, given: argparse.Namespace) -> Recipe:
    """How the part of ``given`` learns: as the model did, but for what ``given`` changes."""
    part = PARTS[given.part]
    recipe: Recipe = dataclasses.replace(
        start,
        net=(start.fine or FINE) if given.part == "fine" else start.net,
        fine=None,
        fine_below=0.0,
        weak=None,
        small_share=0.0,
        lr=given.lr or part.lr,
        warmup=100,
        batch=part.batch,
        p_mean=part.p_mean,
        p_std=part.p_std,
        drop_mix=0.2,
        seed=given.seed,
        balance=start.balance if given.balance < 0 else given.balance,
    )

    # Vectors that are dropped or decay would change, of old kinds too.
    if given.only_new:
        recipe = dataclasses.replace(recipe, drop_mix=0.0, weight_decay=0.0)
    return recipe


def read_start(given: argparse.Namespace) -> Both:
    """The model of ``--start`` in parts."""
    start = checkpoint.read_checkpoint(given.start)
    if not isinstance(start, checkpoint.Checkpoint):
        raise SystemExit(f"{given.start} is not a model of jungle.")
    both = Both.of(start)
    if given.part == "coarse" and "fine" not in both.nets:
        raise SystemExit(
            f"{given.start} has one network for all noise levels: jungle train --start goes on "
            "with it."
        )
    return both


def load_recordings(given: argparse.Namespace, recipe: Recipe, old: Sequence[str]) -> AudioDataset:
    """The recordings, of all kinds that the model knows and maybe of more."""
    data = load_audio_dataset(
        gather_folders(given.recordings, RECORDINGS, given.without), recipe, cache_folder()
    )
    missing = sorted(set(old) - set(data.classes))
    if missing:
        raise SystemExit(
            f"{given.start} knows {', '.join(missing)}, and there are no recordings of that: give "
            "them too."
        )
    return data


def main() -> None:
    """Parse and train."""
    given = _parser().parse_args()
    torch.set_num_threads(given.threads)
    compute = device.choose_device("")

    both, part = read_start(given), PARTS[given.part]
    old_classes = both.about.classes
    recipe = part_recipe(both.about.recipe, given)
    data = load_recordings(given, recipe, old_classes)
    if data.classes != old_classes:
        both = both.without_weak().widened(data.classes)

    # What is printed is measured on the same recordings all along, unchanged.
    feed = CallBatches(data, recipe, compute.device)
    plain = dataclasses.replace(recipe, augment="none", batch=16)
    x, mix = CallBatches(data, plain, compute.device)(0, torch.Generator())

    def test(denoiser: Trainable) -> list[float]:
        return errors(denoiser, x, mix, part.tested)

    net = model.build_model(recipe, len(data.classes), compute)
    if given.part in both.nets:
        net.net.load_state_dict(dict(both.nets[given.part]))
    if given.only_new:
        only_new(net, feed, old_classes)
    print(f"{len(data)} recordings of {len(data.classes)} kinds. Before:", test(net), flush=True)

    state = begin_training(net, recipe, 10**6)
    given.out.mkdir(parents=True, exist_ok=True)
    state_file = given.out / "experts.state"
    key = f"{given.part} {given.only_new} {data.fingerprint} {recipe.to_json()}"
    packed = checkpoint.read_state(state_file)
    if packed:
        if packed.pop("key") != key:
            raise SystemExit(f"{given.out} holds another run: choose another --out.")
        state.unpack(net.net, packed)

    # How many updates fit into the time is known once some are timed.
    began = saved = timed = time.monotonic()
    for progress in train(net, Strips(feed) if given.part == "fine" else feed, recipe, state):
        now = time.monotonic()
        if progress.step == TIMED.start:
            timed = now
        if progress.step == TIMED.stop and not packed:
            left = 60 * given.minutes - (now - began)
            state.total = int(TIMED.stop + left * len(TIMED) / (now - timed))
        if now - saved > 120 or state.step >= state.total:
            saved = now
            nets = {**both.nets, given.part: state.ema}
            joined = dataclasses.replace(both, nets=nets).joined(given.below)
            joined = dataclasses.replace(joined, data=data.fingerprint)
            checkpoint.save_checkpoint(given.out / checkpoint.MODEL_NAME, joined)
            checkpoint.save_state(state_file, state.pack(net.net), key)
            print(
                f"{state.step} of {state.total}:",
                averaged(net, state, test),
                f"loss {progress.loss:.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
