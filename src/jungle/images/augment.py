"""Changing photos a little each time they are seen; on batches, on their device, with randomness
only from a generator.

B pictures of H x W pixels. Every picture has its own draws, taken in picture order, so on the CPU
two half batches with one generator give what the whole batch gives.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

DEGREES = 15.0  # largest rotation, both ways
STRENGTH = 0.15  # brightness and contrast of `safe` change by up to this share
JITTER = 0.2  # the same for `original`
GREY = (19595, 38470, 7471)  # ITU-R 601 luma in units of 1/65536, as Pillow rounds it


def _draws(
    count: int, kinds: int, generator: torch.Generator, device: torch.device
) -> tuple[Tensor, ...]:
    """``kinds`` columns (B,) of uniform numbers in [0, 1)."""
    return (
        torch.rand(count, kinds, generator=generator, device=generator.device).to(device).unbind(1)
    )


def _grid(x: Tensor, angle: Tensor, mirrored: Tensor) -> Tensor:
    """Where each output pixel is read, (B, H, W, 2): turned by ``angle`` and enlarged just enough
    to stay inside the picture.
    """
    high, wide = x.shape[-2:]
    cos, sin = angle.cos(), angle.sin()
    # The centres of the four corner pixels, turned and divided by the zoom, must lie within the
    # centres of the outermost pixels.
    ratio = max((high - 1) / (wide - 1), (wide - 1) / (high - 1))
    zoom = cos + sin.abs() * ratio
    cos, sin = cos / zoom, sin / zoom
    flip = 1 - 2 * mirrored
    zero = torch.zeros_like(cos)
    across = torch.stack([cos * flip, -sin * (high / wide), zero], dim=1)
    down = torch.stack([sin * flip * (wide / high), cos, zero], dim=1)
    return functional.affine_grid(
        torch.stack([across, down], dim=1), list(x.shape), align_corners=False
    )


def flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Every other picture mirrored: float (B, 3, H, W) to the same shape and range."""
    (mirrored,) = _draws(len(x), 1, generator, x.device)
    return torch.where((mirrored < 0.5)[:, None, None, None], x.flip(3), x)


def safe(x: Tensor, generator: torch.Generator) -> Tensor:
    """Flip, rotation up to 15 degrees without a single invented pixel, brightness and contrast.

    The rotation zooms in by what its angle needs (at most 1.22 for a square), so that no corner is
    ever empty.

    Args:
        x: float (B, 3, H, W) in [-1, 1].
        generator: on any device; the same state gives the same pictures.

    Returns:
        float (B, 3, H, W) in [-1, 1].
    """
    mirrored, turn, bright, contrast = _draws(len(x), 4, generator, x.device)
    angle = (2 * turn - 1) * math.radians(DEGREES)
    grid = _grid(x, angle, (mirrored < 0.5).float()).to(x.dtype)
    # Bicubic: at 64 pixels a bilinear rotation blurs visibly, and a model would learn the blur.
    # The border mode concerns only the filter's taps beyond the outermost pixels.
    y = functional.grid_sample(x, grid, mode="bicubic", padding_mode="border", align_corners=False)
    bright, contrast = (
        1 + STRENGTH * (2 * u - 1).to(x.dtype)[:, None, None, None] for u in (bright, contrast)
    )
    # Brightness scales light (x + 1), contrast the distance from the picture's mean; both in one
    # pass.
    middle = y.mean(dim=(1, 2, 3), keepdim=True)

    return torch.addcmul(
        bright - 1 + (1 - contrast) * bright * middle, y, bright * contrast
    ).clamp_(-1, 1)


def _rotate_nearest(images: Tensor, degrees: Tensor) -> Tensor:
    """Pillow's ``rotate(degrees, NEAREST, fillcolor=0)`` pixel for pixel: it computes in 1/65536 of
    a pixel.
    """
    channels, high, wide = images.shape[1:]
    angle = -degrees.double().deg2rad()
    cos, sin = angle.cos(), angle.sin()

    # The centre of the picture stays where it is.
    left = wide / 2 - cos * (wide / 2) - sin * (high / 2)
    top = high / 2 + sin * (wide / 2) - cos * (high / 2)

    # Pillow rounds once, to whole 65536ths, and counts in whole numbers from there.
    def fixed(value: Tensor) -> Tensor:
        return (value * 65536 + 0.5).floor().long()[:, None, None]  # (B, 1, 1)

    across = torch.arange(wide, device=images.device)[None, None, :]
    down = torch.arange(high, device=images.device)[None, :, None]
    column = (
        fixed(left + cos / 2 + sin / 2) + fixed(cos) * across + fixed(sin) * down
    ) >> 16  # (B, H, W)
    row = (fixed(top - sin / 2 + cos / 2) + fixed(-sin) * across + fixed(cos) * down) >> 16
    inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
    source = (row.clamp(0, high - 1) * wide + column.clamp(0, wide - 1)).flatten(1)  # (B, H * W)
    turned = images.flatten(2).gather(2, source[:, None].expand(-1, channels, -1)).view_as(images)
    return turned * inside[:, None]


def _blend(below: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    """Pillow's ``Image.blend`` of uint8 pictures: float32, cut to 0..255, decimals dropped."""
    low = below.float()
    return (
        (low + factor.float()[:, None, None, None] * (images.float() - low))
        .clamp(0, 255)
        .to(torch.uint8)
    )


def _brightness(images: Tensor, factor: Tensor) -> Tensor:
    return _blend(torch.zeros_like(images), images, factor)


def _contrast(images: Tensor, factor: Tensor) -> Tensor:
    weights = torch.tensor(GREY, device=images.device)[None, :, None, None]
    grey = ((images.long() * weights).sum(1) + 0x8000) >> 16  # (B, H, W)
    middle = (grey.double().mean(dim=(1, 2)) + 0.5).floor()[:, None, None, None]
    return _blend(middle, images, factor)


def original(images: Tensor, generator: torch.Generator) -> Tensor:
    """The augmentation of the original recipe, with its black corners.

    torchvision's ``RandomHorizontalFlip``, ``RandomRotation(15)`` and ``ColorJitter(brightness=0.2,
    contrast=0.2)`` (the last two in random order) on Pillow pictures: the same distribution and the
    same rounding, other random numbers.

    Args:
        images: uint8 (B, 3, H, W).
        generator: on any device.

    Returns:
        uint8 (B, 3, H, W).
    """
    mirrored, turn, bright, contrast, first = _draws(len(images), 5, generator, images.device)
    bright, contrast = (1 + JITTER * (2 * u - 1) for u in (bright, contrast))
    result = torch.where((mirrored < 0.5)[:, None, None, None], images.flip(-1), images)
    result = _rotate_nearest(result, (2 * turn - 1) * DEGREES)
    brightness_first = _contrast(_brightness(result, bright), contrast)
    contrast_first = _brightness(_contrast(result, contrast), bright)
    return torch.where((first < 0.5)[:, None, None, None], brightness_first, contrast_first)
