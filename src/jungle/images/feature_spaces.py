"""Feature spaces that pictures are scored in: what one must offer, how pictures reach it, and
DINOv2 as an optional one.
"""

from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..errors import BadCheckpoint, BadInput, MissingExtra

CHUNK = 32  # pictures at once
# of the photos that DINOv2 was trained on, for values in 0 to 1
DINO_MEAN, DINO_STD = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
)

Images = NDArray[np.uint8] | Tensor
"""uint8 (N, H, W, 3), or float in [-1, 1] (N, 3, H, W)."""


def square(images: Images, size: int) -> Tensor:
    """Cut out the middle square and scale it (area when smaller, bicubic when larger): float32 (N,
    3, size, size) in [-1, 1].

    Raises:
        BadInput: neither uint8 (N, H, W, 3) nor float (N, 3, H, W).
    """
    if isinstance(images, Tensor):
        x = images.detach().float()
    elif images.ndim == 4 and images.dtype == np.uint8:
        # a copy: a memory map may be read-only
        x = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    else:
        x = torch.empty(0)
    if x.ndim != 4 or x.shape[1] != 3:
        kind = f"{images.dtype} {tuple(images.shape)}"
        raise BadInput(
            "Pictures to score must be uint8 (N, H, W, 3) or a float tensor (N, 3, H, W) in -1 to "
            f"1; these are {kind}."
        )

    # The middle square, as the networks saw ImageNet in training.
    side = min(x.shape[2:])
    top, left = (x.shape[2] - side) // 2, (x.shape[3] - side) // 2
    x = x[:, :, top : top + side, left : left + side]
    if side > size:
        return F.interpolate(x, size=(size, size), mode="area")
    return (
        x
        if side == size
        else F.interpolate(x, size=(size, size), mode="bicubic", align_corners=False).clamp(-1, 1)
    )


class FeatureSpace(Protocol):
    """What a score needs. The shipped :class:`~jungle.images.imagenet.ImageNetJudge` is one,
    :class:`Dino` another.

    Scores of two spaces, or of two versions of one, must not be compared; ``name`` keeps them
    apart.
    """

    name: str

    def features(self, images: Images) -> NDArray[np.float32]:
        """Features (N, D) of uint8 (N, H, W, 3) or float [-1, 1] (N, 3, H, W) pictures."""
        ...


class Dino:
    """DINOv2 (Oquab et al. 2023, arXiv 2304.07193) through ``transformers``: the class token of the
    last layer, normalised.

    Needs the extra ``dinov2``, and the weights: a folder saved by ``save_pretrained``, or a name on
    the Hugging Face hub such as ``facebook/dinov2-small`` (22 million parameters, Apache 2.0).
    """

    def __init__(self, model: Any, name: str, size: int = 224, device: str = "cpu") -> None:
        self._model = model.to(device).eval()
        self._device = device
        self._size = size
        self.name = name

    @classmethod
    def load(
        cls,
        source: str | Path = "facebook/dinov2-small",
        size: int = 224,
        device: str = "cpu",
        local_only: bool = False,
    ) -> Self:
        """Open the weights at ``source``; ``size`` is the side in pixels that pictures are brought
        to, a multiple of the patch (14).

        Raises:
            MissingExtra: the library, or the weights, are not there.
            BadCheckpoint: the weights are no DINOv2.
        """
        try:
            from transformers import Dinov2Model
        except ImportError:
            raise MissingExtra.library("transformers", "dinov2", "Scoring with DINOv2") from None

        try:
            model = Dinov2Model.from_pretrained(str(source), local_files_only=local_only)
        except OSError:
            raise MissingExtra(
                f"The DINOv2 weights '{source}' are no folder here and not to be had from the hub: "
                "give a folder, or use lite0."
            ) from None
        except (RuntimeError, ValueError) as problem:
            reason = str(problem).splitlines()[0]
            raise BadCheckpoint(
                f"'{source}' holds no DINOv2 weights ({reason}): use a model such as "
                "facebook/dinov2-small."
            ) from None

        return cls(model, f"dinov2-{Path(source).name}-{size}", size, device)

    def features(self, images: Images) -> NDArray[np.float32]:
        """Features (N, D) float32; D is 384 for the small model."""
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (DINO_MEAN, DINO_STD))
        out = []
        with torch.inference_mode():
            for start in range(0, len(images), CHUNK):
                x = (square(images[start : start + CHUNK], self._size) / 2 + 0.5 - mean) / std
                out.append(self._model(x.to(self._device)).pooler_output.float().cpu().numpy())
        return np.concatenate(out)
