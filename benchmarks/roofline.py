"""How near our network comes to what the machine can multiply, and where the time goes.

    python benchmarks/roofline.py [--threads 2] [--device cpu]

In one run: the rate of plain square matrix products (the roof; convolutions may pass it), the rates
that our network and its peers reach in training and painting at 64x64 with arithmetic counted by
PyTorch, seconds for 1 and for 50 pictures, peak memory against batch and picture size, and the
operations that take the most time (``torch.profiler``). denoising-diffusion-pytorch is not in it
(it needs torchvision).
"""

import argparse
import dataclasses
import functools
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import images
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from jungle.config.paths import SHIPPED_MODELS
from jungle.config.recipe_table import find_recipe
from jungle.config.recipes import Recipe
from jungle.diffusion import device, model
from jungle.diffusion.batched_sampling import SampleRequest
from jungle.diffusion.model import Model, load_model
from jungle.diffusion.train import begin_training, train
from jungle.images.sampling import sample_pictures
from jungle.weights import shipped

SIDE, SIZE, BATCH, UPDATES, WARM = 1536, 64, 32, 12, 4
MEMORY = ((64, 8), (64, 32), (64, 128), (128, 32), (256, 8))  # (picture size, batch)
SHOWN = 12  # operations in the table


def seconds_of(work: Callable[[], object], rounds: int, where: torch.device) -> float:
    """Median seconds of ``rounds`` calls after one that does not count."""
    spent = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        if where.type == "cuda":
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent[1:])


def roof(dtype: torch.dtype, where: torch.device) -> float:
    """GFLOP/s of a square matrix product."""
    a, b = (torch.randn(SIDE, SIDE, device=where).to(dtype) for _ in range(2))
    return 2 * SIDE**3 / seconds_of(lambda: a @ b, 8, where) / 1e9


def forward_flops(net: torch.nn.Module, *inputs: Any) -> float:
    """Floating-point operations of one forward pass, counted by PyTorch (matrix products and
    convolutions only).
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(*inputs)
    return float(counter.get_total_flops())


def updates_of(recipe: Recipe, compute: device.Compute) -> Callable[[], object]:
    """One update of our training on random pictures after the other."""
    recipe = dataclasses.replace(recipe, small_share=0.0)
    net = model.build_model(recipe, 38, compute)
    x = torch.randn(recipe.batch, 3, *recipe.size, device=compute.device)
    mix = torch.eye(38, device=compute.device)[torch.arange(recipe.batch) % 38]
    updates = train(
        net, lambda step, generator: (x, mix), recipe, begin_training(net, recipe, 10**6)
    )
    return lambda: next(updates)


def use(compute: device.Compute) -> None:
    """Rates against the roof."""
    where = compute.device
    roofs = {
        name: roof(dtype, where)
        for name, dtype in (("bfloat16", torch.bfloat16), ("float32", torch.float32))
    }
    print(
        f"matrix products of {SIDE}: "
        + ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in roofs.items())
    )
    recipe = find_recipe("photo64")
    net = model.build_model(recipe, 38, compute).net.eval()
    x = torch.randn(1, 3, SIZE, SIZE, device=where).to(compute.dtype)
    flops = forward_flops(net, x, torch.zeros(1, device=where), torch.zeros(1, 38, device=where))
    rows = {
        "ours, training": (
            3 * flops * BATCH,
            seconds_of(updates_of(recipe, compute), UPDATES, where),
            BATCH,
        )
    }
    full, level = (
        x.expand(BATCH, -1, -1, -1).contiguous(memory_format=torch.channels_last),
        torch.zeros(BATCH, device=where),
    )
    with torch.no_grad():
        spent = seconds_of(
            lambda: net(full, level, torch.zeros(BATCH, 38, device=where)), UPDATES, where
        )
    rows["ours, painting"] = (flops * BATCH, spent, BATCH)
    for name, blocks in (("original", {}), ("example of diffusers", images.EXAMPLE_BLOCKS)):
        peer = images.original_net(SIZE, **blocks).to(where)
        theirs = forward_flops(peer, torch.randn(1, 3, SIZE, SIZE, device=where), 0)
        if where.type == "cpu":  # its loop works on the CPU
            spent, batch = (
                seconds_of(
                    functools.partial(next, images.plain_updates(peer, SIZE, 1e-4)), 1, where
                ),
                images.TRAIN_BATCH,
            )
            rows[f"{name}, training in float32"] = (3 * theirs * batch, spent, batch)
    print(
        "| | GFLOP a picture | pictures/s | GFLOP/s | of the bfloat16 roof |\n|---|---|---|---|---|"
    )
    for name, (work, seconds, batch) in rows.items():
        rate = work / seconds / 1e9
        print(
            f"| {name} | {work / batch / 1e9:.2f} | {batch / seconds:.1f} | {rate:.0f} | "
            f"{rate / roofs['bfloat16']:.0%} |"
        )


def _paint_all(
    model: Model, wishes: Sequence[SampleRequest]
) -> list[tuple[int, NDArray[np.uint8]]]:
    return list(sample_pictures(model, wishes, model.recipe.sample))


def latency(compute: device.Compute) -> None:
    """Seconds for 1 and 50 pictures with the shipped model and its own settings."""
    ours = load_model(shipped(SHIPPED_MODELS["photos"]), compute)
    for count in (1, 50):
        wishes = [
            SampleRequest(seed, ours.mix({ours.classes[seed % 38]: 1.0})) for seed in range(count)
        ]
        painting = partial(_paint_all, ours, wishes)
        seconds = seconds_of(painting, 3, compute.device)
        print(
            f"{count} picture{'s' if count > 1 else ''} in {ours.recipe.sample.steps} evaluations: "
            f"{seconds:.2f} s"
        )


def memory(size: int, batch: int) -> float:
    """Peak GiB of three updates in this process."""
    step = updates_of(
        dataclasses.replace(find_recipe("photo64"), image_size=size, batch=batch),
        device.choose_device("cpu"),
    )
    for _ in range(3):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def profiled(compute: device.Compute) -> None:
    """Which operations an update spends its time in."""
    step = updates_of(find_recipe("photo64"), compute)
    for _ in range(WARM):
        step()
    with torch.profiler.profile() as found:
        for _ in range(UPDATES):
            step()
    own = sorted(found.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in own)
    print("| operation | share of the time | calls an update |\n|---|---|---|")
    for event in own[:SHOWN]:
        print(
            f"| {event.key} | {event.self_cpu_time_total / total:.1%} | "
            f"{event.count / UPDATES:.0f} |"
        )


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    # [size, batch]: in a process of its own
    parser.add_argument("--memory", type=json.loads, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.memory:
        print(memory(*given.memory))
        return
    compute = device.choose_device(given.device)
    print(f"{compute}, {given.threads} threads, {SIZE}x{SIZE}, batch {BATCH}, medians of {UPDATES}")
    for size, batch in MEMORY:  # first: a new process counts the peak of this one as its own
        command = [
            sys.executable,
            __file__,
            "--threads",
            str(given.threads),
            "--memory",
            json.dumps([size, batch]),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"training at {size}x{size}, batch {batch}: {float(done.stdout):.2f} GiB at most")
    use(compute)
    latency(compute)
    profiled(compute)


if __name__ == "__main__":
    main()
