"""One self-describing model file. ``torch.load(weights_only=True)`` opens it; no code is ever run from it.

    animal_diffusion_model.pth    {"jungle": version, "recipe": JSON, "classes", "step", "data", "weights", "ema"}
    animal_diffusion_model.state  optimizer and position, only to go on with training

The faithful recipe writes what the original script wrote, a bare state dict, and its description beside it as .json.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .. import __version__
from ..errors import BadCheckpoint
from ..recipes import Recipe
from ..store import write_atomic, write_json
from .foreign import read_pth

MODEL_NAME = "animal_diffusion_model.pth"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model. ``weights`` are raw, ``ema`` averaged (empty where there is no average)."""

    recipe: Recipe
    classes: tuple[str, ...]
    step: int
    data: str  # fingerprint of the photos
    weights: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    version: str = __version__

    @property
    def best(self) -> Mapping[str, Tensor]:
        """The weights to sample with."""
        return self.ema or self.weights

    def about(self) -> dict[str, Any]:
        """Everything but the tensors, as plain values."""
        return {
            "jungle": self.version,
            "recipe": self.recipe.to_json(),
            "classes": list(self.classes),
            "step": self.step,
            "data": self.data,
        }


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically; for a ``unet2d`` network as a bare state dict with a .json beside it."""
    if checkpoint.recipe.network == "unet2d":
        write_atomic(path, lambda file: torch.save(dict(checkpoint.best), file))
        write_json(path.with_suffix(".json"), checkpoint.about())
        return
    content = checkpoint.about() | {"weights": dict(checkpoint.weights), "ema": dict(checkpoint.ema)}
    write_atomic(path, lambda file: torch.save(content, file))


def _describe(about: Mapping[str, Any], weights: Any, ema: Any, path: Path) -> Checkpoint:
    try:
        recipe = Recipe.from_json(about["recipe"])
        return Checkpoint(recipe, tuple(about["classes"]), int(about["step"]), str(about["data"]), weights, ema, str(about["jungle"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(
            f"{path} was written by jungle {about.get('jungle', '?')} and this is {__version__}, which cannot read its description "
            f"({type(error).__name__}: {error}): install the version that wrote it, or train again."
        ) from None


def read_safetensors(path: Path) -> Checkpoint:
    """A model exported or shipped as safetensors, with its description in the file's metadata.

    Raises:
        BadCheckpoint: not a safetensors file, or without our description.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("jungle", "null"))
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise BadCheckpoint(f"{path} cannot be read as safetensors ({error}): copy or export it again.") from None
    if not isinstance(about, dict):
        raise BadCheckpoint(
            f"{path} holds weights but no description of their network: export it with  jungle images --export safetensors."
        )
    return _describe(about, weights, {}, path)


def read(path: Path) -> Checkpoint | dict[str, Tensor]:
    """Our checkpoint, or the tensors of somebody else's file (a bare state dict, for ``foreign.recognise``).

    Raises:
        BadCheckpoint: missing, damaged, or a pickle that would run code.
    """
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    content = read_pth(path)
    if "jungle" in content:
        return _describe(content, content.get("weights", {}), content.get("ema", {}), path)
    beside = path.with_suffix(".json")
    if beside.is_file():
        try:
            about = json.loads(beside.read_text())
        except ValueError:
            raise BadCheckpoint(f"{beside} beside the model is damaged: delete it, and the model is read without it.") from None
        if isinstance(about, dict) and "jungle" in about:
            return _describe(about, content, {}, path)
    return content


def save_state(path: Path, packed: Mapping[str, Any], key: str) -> None:
    """Write a training state; ``key`` names the run it belongs to."""
    write_atomic(path, lambda file: torch.save({"key": key, **packed}, file))


def read_state(path: Path) -> dict[str, Any] | None:
    """The training state, or None where there is none.

    Raises:
        BadCheckpoint: the file is damaged.
    """
    return read_pth(path) if path.is_file() else None
