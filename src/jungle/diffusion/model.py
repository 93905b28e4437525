"""From a recipe or a file to a model that can be sampled or trained: the one place where networks are built."""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import BadCheckpoint, BadInput
from ..recipes import Recipe, find
from . import checkpoint, foreign
from .denoiser import EdmDenoiser, FlowDenoiser, Trainable
from .device import Compute
from .train import seed_of
from .unet import UNet


@dataclass(frozen=True, slots=True)
class Model:
    """A network behind the denoiser contract, and what is known about it."""

    denoiser: Trainable
    recipe: Recipe
    classes: tuple[str, ...]
    step: int
    hash: str  # of the weights
    data: str  # fingerprint of the photos, "" where it is not known
    device: torch.device
    note: str = ""  # what was inferred, for somebody else's file

    def mix(self, shares: dict[str, float]) -> Tensor:
        """Class weights (K,) that sum to 1; an empty mix means any animal (all zeros).

        Raises:
            BadInput: a class that the model does not know, a negative share, or shares that sum to nothing.
        """
        weights = torch.zeros(len(self.classes))
        for name, share in shares.items():
            if name not in self.classes:
                known = ", ".join(self.classes) if self.classes else "none: it was trained without classes"
                raise BadInput(f"This model knows no '{name}'; its animals are {known}.")
            weights[self.classes.index(name)] = share
        if not shares:
            return weights
        if bool((weights < 0).any()) or not 0 < float(weights.sum()) < float("inf"):
            raise BadInput("The shares of a mix must not be negative and must not sum to 0, for example cat=0.6,panda=0.4.")
        return weights / weights.sum()


def build(recipe: Recipe, classes: int, compute: Compute) -> Trainable:
    """A new network with the weights that ``recipe.seed`` decides, on the device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(recipe.seed, 0))
        if recipe.network == "unet2d":
            from . import faithful

            denoiser: Trainable = faithful.DdpmDenoiser(faithful.build(recipe.image_size), dtype=compute.dtype)
        else:
            kind = FlowDenoiser if recipe.objective == "flow" else EdmDenoiser
            denoiser = kind(UNet(recipe.net, classes), recipe, compute.dtype)
    return _placed(denoiser, compute)


def _placed(denoiser: Trainable, compute: Compute) -> Trainable:
    denoiser.net.to(compute.device)
    for parameter in denoiser.net.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return denoiser


def fingerprint(weights: dict[str, Tensor]) -> str:
    """16 hexadecimal digits that name the weights, whatever file they lie in."""
    hasher = hashlib.blake2b(digest_size=8)
    for name in sorted(weights):
        hasher.update(name.encode() + weights[name].contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return hasher.hexdigest()


def load(path: Path, compute: Compute, image_size: int = 0, weights: str = "best") -> Model:
    """Open any model file: ours, safetensors, or a bare ``UNet2DModel`` state dict.

    Args:
        image_size: only for files that do not say at which size they were trained.
        weights: "best" (averaged where there are averages) or "raw".

    Raises:
        BadCheckpoint: the file cannot be used, or was trained at another size than ``image_size``.
    """
    found = checkpoint.read(path)
    if isinstance(found, checkpoint.Checkpoint):
        if image_size and image_size != found.recipe.image_size:
            raise BadCheckpoint(
                f"{path} was trained at image_size={found.recipe.image_size} and paints noise at {image_size}: leave image_size out, "
                "and enlarge the pictures afterwards."
            )
        denoiser = build(found.recipe, len(found.classes), compute)
        tensors = dict(found.best if weights == "best" else found.weights)
        try:
            denoiser.net.load_state_dict(tensors)
        except RuntimeError as error:
            raise BadCheckpoint(
                f"{path} does not hold the weights its description promises ({str(error).splitlines()[-1].strip()}): train again."
            ) from None
        denoiser.net.eval()
        return Model(denoiser, found.recipe, found.classes, found.step, fingerprint(tensors), found.data, compute.device)
    return _load_foreign(path, found, compute, image_size)


def _load_foreign(path: Path, state: dict[str, Tensor], compute: Compute, image_size: int) -> Model:
    known = foreign.recognise(state)
    if known is None:
        raise BadCheckpoint(
            f"{path} holds no network that jungle knows: it opens its own models and state dicts of diffusers' UNet2DModel."
        )
    denoiser = _placed(known.denoiser(compute.dtype), compute)
    denoiser.net.eval()
    recipe = dataclasses.replace(find("faithful"), name="imported", image_size=image_size or 64)
    return Model(denoiser, recipe, (), 0, fingerprint(known.state), "", compute.device, known.summary)
