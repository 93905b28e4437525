"""Small pictures made large, in one of three looks.

``crisp`` repeats pixels, for those who love them; ``smooth`` is the Lanczos filter; ``painterly``
is the network of :mod:`.enlarger`, which puts edges and brushwork where a filter puts blur. All
three are deterministic, and no picture sees another one of its batch.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ..diffusion.device import Compute, choose_device
from ..errors import BadInput
from ..weights import shipped
from .upscaler_net import MARGIN, Upscaler, load_upscalers

UpscaleStyle = Literal["crisp", "smooth", "painterly"]
LOOKS: tuple[UpscaleStyle, ...] = get_args(UpscaleStyle)
WEIGHTS = "enlarge.safetensors"
MAX_SIDE = 4096  # pixels; the network needs 1.9 GB there

# How much of what a network changed at the small picture's own size is put back after each step
# (back-projection: Irani and Peleg 1991).
# 0 paints most calmly but loses fur and grass, and by SSIMULACRA 2 then loses to Lanczos; 1 brings
# the diffusion model's grain back.
FAITHFUL = 0.5


def upscale(
    pictures: Tensor,
    to: int | tuple[int, int],
    look: UpscaleStyle = "painterly",
    compute: Compute | None = None,
    weights: Path | None = None,
) -> Tensor:
    """Make pictures larger.

    Args:
        pictures: float (B, 3, H, W) in [-1, 1], of any size.
        to: how many times larger, or the new (height, width): at least the old one, and of its
            proportions to within a pixel.
        look: one of LOOKS.
        compute: where and in which numbers the network runs; by default the best there is.
        weights: another file of ``benchmarks/train_enlarger.py`` than the shipped one.

    Returns:
        float32 (B, 3, height, width) in [-1, 1] on the CPU. A picture alone and in a batch comes
        out the same to the last bit.

    Raises:
        BadInput: not such pictures, an unknown look, or a size that cannot be.
        BadCheckpoint: ``weights`` is no enlarger.
        MissingExtra: the installation lacks the shipped file.
    """
    if (
        pictures.ndim != 4
        or pictures.shape[1] != 3
        or not pictures.is_floating_point()
        or 0 in pictures.shape[2:]
    ):
        kind = f"{str(pictures.dtype).removeprefix('torch.')} {tuple(pictures.shape)}"
        raise BadInput(
            "Pictures to enlarge must be floats (N, 3, height, width) in -1 to 1; these are "
            f"{kind}."
        )

    if look not in LOOKS:
        raise BadInput(f"There is no look '{look}': choose one of {', '.join(LOOKS)}.")
    size = _target(pictures.shape[2], pictures.shape[3], to)

    # Always on the CPU in float32: enlarged bytes must not depend on the device that painted.
    small = pictures.detach().float().cpu().clamp(-1, 1)
    out = torch.empty(len(small), 3, *size)

    if look == "painterly":
        compute = compute or choose_device()
        nets = _ready(weights or shipped(WEIGHTS), compute)
        # one by one: a batch may be summed in another order, and so round otherwise
        for index, picture in enumerate(small):
            out[index] = _resize(
                _painted(picture, size, nets, compute), size, Image.Resampling.LANCZOS
            )
    else:
        way = Image.Resampling.NEAREST if look == "crisp" else Image.Resampling.LANCZOS
        for index, picture in enumerate(small):
            out[index] = _resize(picture, size, way)

    return out.clamp_(-1, 1)


def shipped_name() -> str:
    """The shipped network's name for records: its file and the first eight digits of the file's
    SHA-256.
    """
    path = shipped(WEIGHTS)
    return f"{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def steps(ratio: float) -> list[int]:
    """The factors that are applied in turn until a picture is at least ``ratio`` times as large.

    Four first, by the wide network that knows what small pictures of animals look like; after that
    only edges are to be kept sharp, and two by two costs a quarter.
    """
    results: list[int] = []
    reached = 1
    while reached < ratio:
        results.append(4 if reached == 1 and ratio > 2 else 2)
        reached *= results[-1]
    return results


def _target(high: int, wide: int, to: int | tuple[int, int]) -> tuple[int, int]:
    size = (high * to, wide * to) if isinstance(to, int) else to
    asked = f"{size[0]} x {size[1]}"

    if size[0] < high or size[1] < wide:
        raise BadInput(
            f"A picture of {high} x {wide} pixels cannot be enlarged to {asked}: give a factor of "
            "1 or more, or a larger size."
        )

    if max(size) > MAX_SIDE:
        raise BadInput(
            f"{asked} pixels are more than an enlarged picture can have: stay within {MAX_SIDE} on "
            "each side."
        )

    # A pixel of rounding is allowed, stretching is not.
    ratio = max(size[0] / high, size[1] / wide)
    if abs(high * ratio - size[0]) > 1 or abs(wide * ratio - size[1]) > 1:
        raise BadInput(
            f"{asked} would stretch a picture of {high} x {wide} pixels: keep its proportions, and "
            "crop it before or after."
        )

    return size


@lru_cache(maxsize=2)
def _ready(path: Path, compute: Compute) -> dict[int, Upscaler]:
    nets: dict[int, Any] = dict(load_upscalers(path))
    return {
        factor: net.eval().to(compute.device, compute.dtype, memory_format=torch.channels_last)
        for factor, net in nets.items()
    }


@torch.inference_mode()
def _painted(
    picture: Tensor, size: tuple[int, int], nets: dict[int, Upscaler], compute: Compute
) -> Tensor:
    """(3, H, W) -> (3, at least ``size``), by the networks."""
    x = picture[None].to(compute.device)
    for factor in steps(max(size[0] / picture.shape[1], size[1] / picture.shape[2])):
        margin = [min(MARGIN, side - 1) for side in x.shape[2:]]
        padded = F.pad(x, (margin[1], margin[1], margin[0], margin[0]), mode="reflect")
        y = nets[factor](padded.contiguous(memory_format=torch.channels_last))
        top, left = (factor * edge for edge in margin)
        y = y[:, :, top : y.shape[2] - top, left : y.shape[3] - left]
        missing = x - F.avg_pool2d(y, factor)
        x = (
            y
            + FAITHFUL
            * F.interpolate(missing, scale_factor=factor, mode="bicubic", align_corners=False)
        ).clamp(-1, 1)
    return x[0].cpu()


def _resize(picture: Tensor, size: tuple[int, int], way: Image.Resampling) -> Tensor:
    """(3, H, W) -> (3, *size) in float32 by Pillow's filters, which also average where a picture
    becomes smaller.
    """
    if tuple(picture.shape[1:]) == size:
        return picture
    planes = [
        np.asarray(Image.fromarray(plane).resize(size[::-1], way)) for plane in picture.numpy()
    ]
    return torch.from_numpy(np.stack(planes))
