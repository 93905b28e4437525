"""Pictures: ours against what people would use instead, in one run on one machine.

    python benchmarks/images.py speed  [--threads 2] [--rounds 5]
    python benchmarks/images.py growth [--threads 2]
    python benchmarks/images.py score PHOTOS --arm original|example|ours [--minutes 20] --out DIR

``speed`` runs every arm in a process of its own, in turn, ``--rounds`` times, and prints medians,
peak memory and ratios. ``score`` trains one arm for a wall-clock time on the same photos, paints,
and lets the same judge score it.

Arms: ``original`` is the loop that this project replaces (diffusers' UNet2DModel of 63 M parameters
in float32, one picture at a time, 1000 steps); ``pipeline`` is diffusers' DDPMPipeline on the same
network, batched; ``same`` is ours with the same network and weights; ``before`` is ours with two
networks and 16 evaluations; ``own`` the shipped model, 50 pictures as PNG files; ``DDIM`` and
``DPM-Solver++`` are diffusers' with the original network; ``example`` is the network and the
settings of diffusers' unconditional training example (114 M parameters, lr 1e-4, cosine, 500
warm-up updates, EMA).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

FED_UPDATES = 30  # with real batches
MEASURED_STEPS = 50  # of the 1000 of the original loop; the rest is extrapolated, and said so
TRAIN_BATCH, PAINT_BATCH = 16, 8
OWN_COUNT = 50  # pictures of the shipped model
EXAMPLE_BLOCKS: dict[str, Any] = {
    "block_out_channels": (128, 128, 256, 256, 512, 512),
    "down_block_types": ("DownBlock2D",) * 4 + ("AttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "AttnUpBlock2D") + ("UpBlock2D",) * 4,
}


def original_net(size: int = 64, **blocks: Any) -> Any:
    """The original UNet2DModel, or with ``blocks`` another one, as plain diffusers builds it."""
    from diffusers import UNet2DModel

    settings = {
        "block_out_channels": (64, 128, 256, 512),
        "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    }
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=size, in_channels=3, out_channels=3, layers_per_block=2, **(settings | blocks)
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# --- painting: seconds a picture
# ------------------------------------------------------------------------------------


def paint_original(size: int) -> tuple[float, int]:
    """The original loop, batch 1, float32; MEASURED_STEPS steps measured, 1000 extrapolated."""
    from diffusers import DDPMScheduler

    net, scheduler = original_net(size).eval(), DDPMScheduler(num_train_timesteps=1000)
    x = torch.randn(1, 3, size, size)

    def loop() -> None:
        nonlocal x
        with torch.no_grad():
            for t in range(999, 999 - MEASURED_STEPS, -1):
                x = scheduler.step(net(x, t).sample, t, x).prev_sample

    with torch.no_grad():
        net(x, 999)
    return timed(loop) / MEASURED_STEPS * 1000, 1000


def paint_pipeline(size: int) -> tuple[float, int]:
    """DDPMPipeline, batch of PAINT_BATCH, float32; 10 of 1000 steps measured, the rest
    extrapolated.
    """
    from diffusers import DDPMPipeline, DDPMScheduler

    pipeline = DDPMPipeline(original_net(size), DDPMScheduler(num_train_timesteps=1000))
    pipeline.set_progress_bar_config(disable=True)
    pipeline(batch_size=PAINT_BATCH, num_inference_steps=1)
    return timed(
        lambda: pipeline(batch_size=PAINT_BATCH, num_inference_steps=10)
    ) * 100 / PAINT_BATCH, 1000


def paint_same(size: int) -> tuple[float, int]:
    """Ours with the original's network and weights: DPM-Solver++(2M), 25 evaluations."""
    from jungle.config.recipe_table import find_recipe
    from jungle.config.recipes import SampleRecipe, override
    from jungle.diffusion.device import choose_device
    from jungle.diffusion.diffusers_compat.ddpm import DdpmDenoiser
    from jungle.diffusion.model import Model

    recipe = override(find_recipe("faithful"), {"image_size": str(size)})
    model = Model(
        DdpmDenoiser(original_net(size).eval(), choose_device("").dtype),
        recipe,
        (),
        0,
        "",
        "",
        torch.device("cpu"),
    )
    return _paint_ours(model, SampleRecipe(guidance=1.0))


def paint_with(scheduler_name: str, steps: int, size: int) -> tuple[float, int]:
    """A diffusers scheduler of few steps with the original network, batch of PAINT_BATCH, float32;
    all steps measured.
    """
    import diffusers

    net, scheduler = (
        original_net(size).eval(),
        getattr(diffusers, scheduler_name)(num_train_timesteps=1000),
    )
    x = torch.randn(PAINT_BATCH, 3, size, size)

    def loop() -> None:
        nonlocal x
        scheduler.set_timesteps(steps)
        with torch.no_grad():
            for t in scheduler.timesteps:
                x = scheduler.step(net(x, t).sample, t, x).prev_sample

    return timed(loop) / PAINT_BATCH, steps


def shipped_model(size: int) -> Any:
    """The shipped model; at another size than its own the same network with new weights."""
    import dataclasses

    from jungle.diffusion import device, model
    from jungle.weights import shipped

    compute = device.choose_device("")
    ours = model.load_model(shipped("photo64.safetensors"), compute)
    if size == ours.recipe.image_size:
        return ours
    recipe = dataclasses.replace(ours.recipe, image_size=size)
    denoiser = model.build_model(recipe, len(ours.classes), compute)
    denoiser.net.eval()
    return dataclasses.replace(ours, denoiser=denoiser, recipe=recipe)


def paint_own(size: int) -> tuple[float, int]:
    """Ours with the shipped model and its settings: OWN_COUNT pictures, written as PNG."""
    ours = shipped_model(size)
    return _paint_ours(ours, ours.recipe.sample, OWN_COUNT)


def paint_before(size: int) -> tuple[float, int]:
    """Ours until 2026-11-23: 16 evaluations of two such networks, one led away from the other."""
    import dataclasses

    from jungle.config.recipes import SampleRecipe

    ours = shipped_model(size)
    before = SampleRecipe(steps=16, guidance=2.0, guidance_low=0.3, weak_mix=0.5)
    return _paint_ours(dataclasses.replace(ours, weak=ours.denoiser), before, PAINT_BATCH)


def _paint_ours(model: Any, recipe: Any, count: int = PAINT_BATCH) -> tuple[float, int]:
    """``count`` pictures of single kinds, as PNG files."""
    import dataclasses

    from PIL import Image

    from jungle.diffusion.batched_sampling import SampleRequest
    from jungle.images.sampling import sample_pictures

    kinds = torch.eye(max(1, len(model.classes)))[:, : len(model.classes)]
    wishes = [SampleRequest(seed, kinds[seed % len(kinds)]) for seed in range(count)]
    list(sample_pictures(model, wishes[:PAINT_BATCH], dataclasses.replace(recipe, steps=1)))

    def work(folder: str) -> None:
        for index, pixels in sample_pictures(model, wishes, recipe):
            Image.fromarray(pixels).save(f"{folder}/{index}.png", optimize=True)

    with tempfile.TemporaryDirectory() as folder:
        return timed(lambda: work(folder)) / count, recipe.steps


# --- training: images a second
# --------------------------------------------------------------------------------------


def plain_updates(net: Any, size: int, lr: float) -> Iterator[None]:
    """The original training loop on random pictures, one update a step."""
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(num_train_timesteps=1000)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr)
    x = torch.randn(TRAIN_BATCH, 3, size, size)
    while True:
        noise, t = torch.randn_like(x), torch.randint(0, 1000, (TRAIN_BATCH,))
        loss = torch.nn.functional.mse_loss(net(scheduler.add_noise(x, noise, t), t).sample, noise)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        yield


def our_updates(name: str, size: int, batch: int, share: float) -> Iterator[None]:
    """Our training loop on random pictures; ``share`` 0 trains at full size, 1 at half size."""
    import dataclasses

    from jungle.config.recipe_table import find_recipe
    from jungle.config.recipes import override
    from jungle.diffusion.device import choose_device
    from jungle.diffusion.model import build_model
    from jungle.diffusion.train import begin_training, train

    recipe = override(
        find_recipe(name),
        {"image_size": str(size), "batch": str(batch), "small_share": str(min(share, 0.9))},
    )
    classes = 38 if name == "photo64" else 0
    model = build_model(recipe, classes, choose_device(""))
    x, mix = (
        torch.randn(batch, 3, size, size),
        torch.eye(max(classes, 1))[:1].expand(batch, -1)[:, :classes],
    )
    state = begin_training(model, dataclasses.replace(recipe, steps=10**6), 10**6)
    for _ in train(model, lambda step, generator: (x, mix), recipe, state):
        yield


def train_rate(updates: Iterator[None], batch: int, warm: int, count: int) -> float:
    """Images a second: the median of ``count`` updates after ``warm``."""
    for _ in range(warm):
        next(updates)
    return batch / statistics.median(timed(lambda: next(updates)) for _ in range(count))


PAINTERS: dict[str, Callable[[int], tuple[float, int]]] = {
    "original": paint_original,
    "pipeline": paint_pipeline,
    "DDIM": lambda size: paint_with("DDIMScheduler", 50, size),
    "DPM-Solver++": lambda size: paint_with("DPMSolverMultistepScheduler", 25, size),
    "same": paint_same,
    "before": paint_before,
    "own": paint_own,
}
TRAINERS: dict[str, Callable[[int], float]] = {
    "original": lambda size: train_rate(
        plain_updates(original_net(size), size, 2e-5), TRAIN_BATCH, 1, 2
    ),
    "example": lambda size: train_rate(
        plain_updates(original_net(size, **EXAMPLE_BLOCKS), size, 1e-4), TRAIN_BATCH, 1, 2
    ),
    "same": lambda size: train_rate(
        our_updates("faithful", size, TRAIN_BATCH, 0.0), TRAIN_BATCH, 1, 2
    ),
    "own": lambda size: train_rate(our_updates("photo64", size, 32, 0.0), 32, 5, 12),
    "own, half size": lambda size: train_rate(our_updates("photo64", size, 32, 0.9), 32, 15, 12),
}


def one(kind: str, arm: str, size: int) -> dict[str, float]:
    """Measure one arm in this process."""
    if kind == "feed":
        seconds, share = feed_cost(int(arm))
        found = {"seconds": seconds, "share": share}
    elif kind == "paint":
        seconds, evaluations = PAINTERS[arm](size)
        found = {"seconds": seconds, "evaluations": float(evaluations)}
    else:
        found = {"rate": TRAINERS[arm](size)}
    return found | {"gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def spawn(kind: str, arm: str, size: int, threads: int) -> dict[str, float]:
    """Measure one arm in a fresh process, so that peak memory is its own."""
    command = [
        sys.executable,
        __file__,
        "one",
        kind,
        arm,
        "--size",
        str(size),
        "--threads",
        str(threads),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def median_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def speed(size: int, threads: int, rounds: int) -> None:
    """All arms in turn, ``rounds`` times; medians and ratios."""
    from jungle.diffusion.device import choose_device

    torch.set_num_threads(threads)
    print(
        f"{size}x{size}, {choose_device('')}, {threads} threads, medians of {rounds} rounds, arms in turn"
    )
    painted: dict[str, list[dict[str, float]]] = {arm: [] for arm in PAINTERS}
    trained: dict[str, list[dict[str, float]]] = {arm: [] for arm in TRAINERS}
    for _ in range(rounds):
        for arm, rows in painted.items():
            rows.append(spawn("paint", arm, size, threads))
        for arm, rows in trained.items():
            rows.append(spawn("train", arm, size, threads))
    base = median_of(painted["original"])["seconds"]
    print(
        f"{'painting':18}{'s a picture':>14}{'evaluations':>13}{'peak GiB':>10}{'times faster':>14}"
    )
    for arm, rows in painted.items():
        row = median_of(rows)
        print(
            f"{arm:18}{row['seconds']:14.3f}{row['evaluations']:13.0f}{row['gib']:10.2f}{base / row['seconds']:14.1f}"
        )
    rate = median_of(trained["original"])["rate"]
    print(f"{'training':18}{'images a s':>14}{'peak GiB':>23}{'times faster':>14}")
    for arm, rows in trained.items():
        row = median_of(rows)
        print(f"{arm:18}{row['rate']:14.2f}{row['gib']:23.2f}{row['rate'] / rate:14.2f}")
    print(
        f"original: {MEASURED_STEPS} of its 1000 steps measured, the rest extrapolated; pipeline: "
        "10 of 1000."
    )


def growth(threads: int) -> None:
    """How painting and training grow with the picture, and drawing a batch with the number of
    photos.
    """
    for size in (32, 64, 128):
        paint_row, train_row = (
            spawn("paint", "own", size, threads),
            spawn("train", "own", size, threads),
        )
        figures = (
            f"{paint_row['seconds']:8.3f} s a picture {train_row['rate']:8.1f} training images a s"
        )
        print(f"{size:4}x{size:<4} {figures} {train_row['gib']:6.2f} GiB")
    for count in (1_000, 10_000, 100_000, 1_000_000):
        row = spawn("feed", str(count), 64, threads)
        figures = (
            f"{row['seconds'] * 1e3:7.2f} ms to draw a batch of 32, {row['share']:.1%} of an update"
        )
        print(f"{count:9,} photos: {figures}, {row['gib']:.2f} GiB peak")


def feed_cost(count: int) -> tuple[float, float]:
    """From ``count`` synthetic photos on the disk: median seconds to draw a batch, and the share of
    the time that drawing takes.
    """
    import dataclasses

    from jungle.config.recipe_table import find_recipe
    from jungle.data.decoding import mapped
    from jungle.diffusion import device, model
    from jungle.diffusion.train import begin_training, train
    from jungle.images.dataset import ImageDataset
    from jungle.images.training import PhotoBatches

    recipe, compute = (
        dataclasses.replace(find_recipe("photo64"), small_share=0.0),
        device.choose_device("cpu"),
    )
    spent: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "images.npy"
        np.lib.format.open_memmap(file, "w+", np.uint8, (count, 64, 64, 3))
        photos = ImageDataset(
            mapped(file),
            np.arange(count, dtype=np.int64) % 38,
            tuple(map(str, range(38))),
            (),
            [],
            0,
            "",
        )
        feed = PhotoBatches(photos, recipe, compute.device)

        def clocked(step: int, generator: torch.Generator) -> Any:
            start = time.perf_counter()
            batch = feed(step, generator)
            spent.append(time.perf_counter() - start)
            return batch

        net = model.build_model(recipe, 38, compute)
        seconds = timed(
            lambda: list(train(net, clocked, recipe, begin_training(net, recipe, FED_UPDATES)))
        )
    return statistics.median(spent), sum(spent) / seconds


# --- score after equal time
# -----------------------------------------------------------------------------------------


def train_peer(arm: str, photos: Path, minutes: float, out: Path) -> int:
    """Train ``original`` or ``example`` in plain diffusers for a time; returns the number of
    training images.
    """
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_cosine_schedule_with_warmup
    from diffusers.training_utils import EMAModel

    from jungle.config.recipe_table import find_recipe
    from jungle.config.recipes import override
    from jungle.images import augment
    from jungle.images import dataset as photo_files

    original = arm == "original"
    recipe = (
        find_recipe("faithful")
        if original
        else override(find_recipe("faithful"), {"crop": "crop", "limit": "0"})
    )
    data = photo_files.load_photos(photos, recipe, out / "cache")
    net = original_net() if original else original_net(**EXAMPLE_BLOCKS)
    scheduler = DDPMScheduler(num_train_timesteps=1000)
    settings = (
        {"lr": 2e-5}
        if original
        else {"lr": 1e-4, "betas": (0.95, 0.999), "weight_decay": 1e-6, "eps": 1e-8}
    )
    optimizer = torch.optim.AdamW(net.parameters(), **settings)
    rate = (
        None
        if original
        else get_cosine_schedule_with_warmup(optimizer, 500, 100 * -(-len(data) // TRAIN_BATCH))
    )
    ema = (
        None
        if original
        else EMAModel(
            net.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75
        )
    )
    generator, order, seen = torch.Generator().manual_seed(0), np.random.default_rng(0), 0
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        pixels = torch.from_numpy(
            data.images[np.sort(order.choice(len(data), TRAIN_BATCH, replace=False))]
        ).permute(0, 3, 1, 2)
        x = (augment.original(pixels, generator) if original else pixels).float() / 127.5 - 1
        x = x if original else augment.flip(x, generator)
        noise, t = torch.randn_like(x), torch.randint(0, 1000, (TRAIN_BATCH,))
        loss = torch.nn.functional.mse_loss(net(scheduler.add_noise(x, noise, t), t).sample, noise)
        torch.autograd.backward(loss)
        if rate is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if rate is not None and ema is not None:
            rate.step()
            ema.step(net.parameters())
        seen += TRAIN_BATCH
    if ema is not None:
        ema.copy_to(net.parameters())
    torch.save(net.state_dict(), out / "animal_diffusion_model.pth")
    return seen


def score(arm: str, photos: Path, minutes: float, pictures: int, out: Path) -> None:
    """Train an arm for ``minutes``, paint ``pictures`` with our solver (1000 steps would take
    hours), and judge them.
    """
    out.mkdir(parents=True, exist_ok=True)
    if (out / "animal_diffusion_model.pth").exists():
        print(f"{arm}: judging the model that is there")
    elif arm == "ours":
        command = [
            "train",
            str(photos),
            "--recipe",
            "quick",
            "--minutes",
            str(minutes),
            "--out",
            str(out),
            "--quiet",
        ]
        subprocess.run([sys.executable, "-m", "jungle", *command], check=True)
    else:
        print(
            f"{arm}: {train_peer(arm, photos, minutes, out)} training images in {minutes} minutes"
        )
    judge(out / "animal_diffusion_model.pth", photos, pictures, out)


def judge(file: Path, photos: Path, pictures: int, out: Path) -> None:
    """Score a model: every arm against the same cropped photos, painted by the same solver, with
    its own settings.
    """
    from jungle.config.recipe_table import find_recipe
    from jungle.diffusion.device import choose_device
    from jungle.diffusion.model import load_model
    from jungle.images import best_of_n
    from jungle.images import dataset as photo_files

    model, seconds = load_model(file, choose_device("")), time.perf_counter()
    data = photo_files.load_photos(photos, find_recipe("photo64"), out / "cache")
    order = best_of_n.EvaluationRequest(pictures, 0, out / "scores")
    scores = best_of_n.evaluate_model(model, data, model.recipe.sample, order, lambda done: None)
    print(scores.to_text())
    print(f"painted and judged in {time.perf_counter() - seconds:.0f} s")


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["speed", "growth", "score", "one"])
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--arm", default="ours", choices=["original", "example", "ours"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("benchmark"))
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.what == "one":
        print(json.dumps(one(given.rest[0], given.rest[1], given.size)))
    elif given.what == "speed":
        speed(given.size, given.threads, given.rounds)
    elif given.what == "growth":
        growth(given.threads)
    else:
        score(given.arm, Path(given.rest[0]), given.minutes, given.pictures, given.out)


if __name__ == "__main__":
    main()
