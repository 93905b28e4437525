"""Train the ear (``jungle.sounds.classifier``) on a folder of recordings, one sub-folder a class.

    python benchmarks/train_ear.py RECORDINGS --out ear.safetensors
    # another network, another share held out
    python benchmarks/train_ear.py RECORDINGS --seed 1 --out other.safetensors
    # one that knows more animals
    python benchmarks/train_ear.py RECORDINGS MORE --start ear.safetensors \\
        --learned RECORDINGS --out wider.safetensors

A seventh of the groups of near-duplicates is never trained on; its accuracy is printed and written
into the file. The last form goes on from an ear that knows fewer animals: what it held out stays
held out, and nothing that it learned from is.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jungle.config.recipe_table import find_recipe
from jungle.data.folders import gather_folders
from jungle.data.formats import RECORDINGS
from jungle.evaluation.classifier import Classifier, load_classifier, save_classifier
from jungle.sounds.classifier import MELS, SAMPLES, WIDTHS, AudioClassifier, log_mel_levels
from jungle.sounds.dataset import AudioDataset, load_audio_dataset

BATCH = 48
LR = 2e-3
WEIGHT_DECAY = 0.05
HELD_OUT = 7  # one group of so many


def held_out(clips: AudioDataset, seed: int) -> np.ndarray:
    """(N,) bool: the clips of a seventh of the groups, drawn by ``seed``."""
    groups = np.unique(clips.groups)
    chosen = np.random.default_rng([seed, 99]).permutation(groups)[: len(groups) // HELD_OUT]
    return np.isin(clips.groups, chosen)


def held_out_further(clips: AudioDataset, learned: AudioDataset, seed: int) -> np.ndarray:
    """(N,) bool: what an ear that learned from ``learned`` held out, and a seventh of the rest.

    The rest are the groups that are new. A group that holds any clip the old ear was trained on is never held out.
    """
    contents = {
        learned.pcm(i).tobytes(): bool(out) for i, out in enumerate(held_out(learned, seed))
    }
    before = np.array(
        [contents.get(clips.pcm(i).tobytes()) for i in range(len(clips))], dtype=object
    )
    trained = np.unique(clips.groups[before == False])  # noqa: E712 - elementwise
    aside = np.setdiff1d(clips.groups[before == True], trained)  # noqa: E712
    new = np.setdiff1d(clips.groups, np.concatenate([trained, aside]))
    chosen = np.random.default_rng([seed, 99]).permutation(new)[: -(-len(new) // HELD_OUT)]
    return np.isin(clips.groups, np.concatenate([aside, chosen]))


def begun(classes: Sequence[str], start: Path | None) -> Classifier:
    """A new network, or that of ``start`` with one row of its head for each of ``classes``."""
    net = Classifier(len(classes), 1, WIDTHS)
    if start:
        old, old_classes, _ = load_classifier(start, "ear", 1, WIDTHS)
        weights = net.state_dict()
        for name, value in old.state_dict().items():
            if weights[name].shape == value.shape and not name.startswith("head."):
                weights[name] = value
                continue
            for row, class_name in enumerate(old_classes):
                weights[name][list(classes).index(class_name)] = value[row]
        net.load_state_dict(weights)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def window(wave: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """SAMPLES samples from anywhere in a clip (samples,).

    A little faster or slower, sometimes duller or noisier.
    """
    speed = random.uniform(0.92, 1.08)
    spare = int(len(wave) / speed) - SAMPLES
    begin = int(random.integers(min(0, spare), max(0, spare) + 1))
    positions = (begin + np.arange(SAMPLES)) * speed
    out = np.interp(positions, np.arange(len(wave)), wave, left=0.0, right=0.0)

    # Neither the hiss of a recorder nor its rate, where it is low, may name the animal.
    if random.random() < 0.5:
        level = 10 ** (random.uniform(-70, -30) / 20)
        out = out + level * np.abs(out).max() * random.standard_normal(SAMPLES)
    if random.random() < 0.3:
        spectrum = np.fft.rfft(out)
        spectrum[int(random.uniform(0.35, 0.9) * len(spectrum)) :] = 0
        out = np.fft.irfft(spectrum, SAMPLES)
    played: np.ndarray = out.astype(np.float32)
    return played


def spoil(x: Tensor, generator: torch.Generator) -> Tensor:
    """Hide one band and one stretch of time of each image (N, 1, H, W).

    SpecAugment, Park et al. 2019, arXiv 1904.08779, section 2.
    """
    n, _, high, wide = x.shape
    rows, columns = torch.arange(high) / high, torch.arange(wide) / wide
    band = (rows[None] - torch.rand(n, 1, generator=generator)).abs() < 0.08
    stretch = (columns[None] - torch.rand(n, 1, generator=generator)).abs() < 0.08
    return x.masked_fill(band[:, None, :, None] | stretch[:, None, None, :], -1.0)


def learning_rate(progress: float) -> float:
    """A tenth of warm-up, then half a cosine to 0; ``progress`` is in [0, 1)."""
    if progress < 0.1:
        return LR * (progress / 0.1)
    return LR * (0.5 + 0.5 * math.cos(math.pi * (progress - 0.1) / 0.9))


def train(
    clips: AudioDataset, out: np.ndarray, steps: int, seed: int, start: Path | None = None
) -> Classifier:
    """The averaged network after ``steps`` updates on everything but the clips that are ``out``."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    usable = np.flatnonzero(~out)
    labels = clips.labels[usable]
    weights = np.bincount(labels)[labels] ** -0.5
    weights /= weights.sum()

    net = begun(clips.classes, start)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
    decay = torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)  # type: ignore[no-untyped-call]
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=decay, use_buffers=True)
    began = time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step / steps)

        random = np.random.default_rng([seed, step])
        drawn = random.choice(usable, BATCH, p=weights)
        waves = np.stack([window(clips.waveform(int(i)), random) for i in drawn])
        x = spoil(log_mel_levels(torch.from_numpy(waves)), generator)
        target = F.one_hot(torch.from_numpy(clips.labels[drawn]), len(clips.classes)).float()

        # mixup, arXiv 1710.09412, the other call at most a third
        share = torch.rand(BATCH, generator=generator) / 3
        order = torch.randperm(BATCH, generator=generator)
        x = torch.lerp(x, x[order], share.view(-1, 1, 1, 1))
        target = torch.lerp(target, target[order], share.view(-1, 1))

        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x.contiguous(memory_format=torch.channels_last))
        torch.autograd.backward(F.cross_entropy(logits.float(), target, label_smoothing=0.1))
        optimizer.step()
        optimizer.zero_grad()
        average.update_parameters(net)
        if (step + 1) % 100 == 0:
            print(f"{step + 1} of {steps}, {time.monotonic() - began:.0f} s", flush=True)
    module: nn.Module = average.module
    assert isinstance(module, Classifier)
    return module


@torch.no_grad()
def settle(
    net: Classifier, clips: AudioDataset, out: np.ndarray, seed: int, batches: int = 40
) -> None:
    """Measure the statistics of the batch norms anew, on unmixed windows.

    Those gathered in training belong to other weights and to blended windows: with them, 77 % of
    the held-out clips are named right and hardly one of a rare animal; with these, 89 %.
    """
    usable = np.flatnonzero(~out)
    labels = clips.labels[usable]
    weights = np.bincount(labels)[labels] ** -0.5
    random = np.random.default_rng([seed, 10**6])
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the plain mean of all batches

    # Only in training mode does a batch norm measure.
    net.train()
    for _ in range(batches):
        drawn = random.choice(usable, BATCH, p=weights / weights.sum())
        waves = np.stack([window(clips.waveform(int(i)), random) for i in drawn])
        net(log_mel_levels(torch.from_numpy(waves)))
    net.eval()


def accuracy(ear: AudioClassifier, clips: AudioDataset, out: np.ndarray) -> dict[str, float]:
    """Share of held-out clips whose class is the first answer.

    Of clips (``all``), mean over the classes (``mean``), and by class.
    """
    chosen = np.flatnonzero(out)
    _, answers = ear.classify([clips.waveform(int(i))[:, None] for i in chosen], 16_000)
    labels = clips.labels[chosen]
    right = answers.argmax(axis=1) == labels
    by_class = {
        name: float(right[labels == k].mean())
        for k, name in enumerate(clips.classes)
        if (labels == k).any()
    }
    return {"all": float(right.mean()), "mean": float(np.mean(list(by_class.values()))), **by_class}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", type=Path, nargs="+", help="folders, one sub-folder a class")
    parser.add_argument("--without", type=Path, help="a list of files to leave out")
    parser.add_argument("--start", type=Path, help="an ear to go on from")
    parser.add_argument(
        "--learned", type=Path, help="the folder that it learned from, with the same --seed"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    given = parser.parse_args()
    if bool(given.start) != bool(given.learned):
        raise SystemExit("--start and --learned belong together.")
    torch.set_num_threads(given.threads)

    recipe = find_recipe("call", "recordings")
    clips = load_audio_dataset(
        gather_folders(given.recordings, RECORDINGS, given.without), recipe, given.cache
    )
    learned = load_audio_dataset(given.learned, recipe, given.cache) if given.start else None
    out = held_out_further(clips, learned, given.seed) if learned else held_out(clips, given.seed)
    net = train(clips, out, given.steps, given.seed, given.start)
    settle(net, clips, out, given.seed)

    right = accuracy(AudioClassifier(net, clips.classes, "in training"), clips, out)
    about = {
        "steps": given.steps,
        "seed": given.seed,
        "batch": BATCH,
        "lr": LR,
        "mels": MELS,
        "held_out_accuracy": right,
    }
    save_classifier(
        given.out, net, clips.classes, about | {"clips": len(clips), "held_out": int(out.sum())}
    )
    print(json.dumps(right, indent=1))


if __name__ == "__main__":
    main()
