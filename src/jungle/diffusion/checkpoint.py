"""One self-describing model file. ``torch.load(weights_only=True)`` opens it; no code is ever run
from it.

    animal_diffusion_model.pth    {"jungle": version, "recipe": JSON, "classes", "step", "data",
    "weights", "ema"} animal_diffusion_model.state  optimizer and position, only to go on with
    training

The faithful recipe writes what the original script wrote, a bare state dict, and its description
beside it as .json.
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
from ..config.recipes import Recipe
from ..errors import BadCheckpoint, BadInput
from ..storage.atomic import write_atomic, write_json
from .diffusers_compat.state_dict import read_pth

STATE_NAME = "animal_diffusion_model.state"
MODEL_NAME = "animal_diffusion_model.pth"
QUANTISED = 16_384  # numbers from which a matrix is stored in 8 bits, where that is asked for
SCALE = ".scale"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model. ``weights`` are raw, ``ema`` averaged (empty where there is no average)."""

    recipe: Recipe
    classes: tuple[str, ...]
    step: int
    data: str  # fingerprint of the photos
    weights: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    shrunk: int = 1  # 2 while the run is in its first part, which works at half size
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
            "shrunk": self.shrunk,
        }


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically; for a ``unet2d`` network as a bare state dict with a .json beside
    it.
    """
    if checkpoint.recipe.network == "unet2d":
        write_atomic(path, lambda file: _save(dict(checkpoint.best), file))
        write_json(path.with_suffix(".json"), checkpoint.about())
        return
    content = checkpoint.about() | {
        "weights": dict(checkpoint.weights),
        "ema": dict(checkpoint.ema),
    }
    write_atomic(path, lambda file: _save(content, file))


def _save(content: dict[str, Any], path: Path) -> None:
    # given a path, torch.save would write its (temporary) name into the file
    with path.open("wb") as file:
        torch.save(content, file)


def _describe(about: Mapping[str, Any], weights: Any, ema: Any, path: Path) -> Checkpoint:
    try:
        recipe = Recipe.from_json(about["recipe"])
        classes = tuple(about["classes"])
        if not all(isinstance(name, str) for name in classes):
            raise TypeError("classes")
        step, data, shrunk = int(about["step"]), str(about["data"]), int(about.get("shrunk", 1))
        made = Checkpoint(
            recipe, classes, step, data, dict(weights), dict(ema), shrunk, str(about["jungle"])
        )

    # Files of other versions fail here: the sentence names both versions.
    except (KeyError, TypeError, ValueError, AttributeError, BadInput) as error:
        absent, reason = isinstance(error, KeyError), "an entry is unknown or of the wrong kind"
        reason = (
            f"{error} is missing"
            if absent
            else str(error).rstrip(".")
            if isinstance(error, BadInput)
            else reason
        )
        raise BadCheckpoint(
            f"{path} was written by jungle {about.get('jungle', '?')} and this is {__version__}, "
            "which cannot read its description "
            f"({reason}): install the version that wrote it, or train again."
        ) from None

    # A training that broke can leave NaN behind, which would paint black pictures without a word.
    for name, value in (*made.weights.items(), *made.ema.items()):
        if not isinstance(value, Tensor) or not bool(value.isfinite().all()):
            raise BadCheckpoint(
                f"{path}: the weights '{name}' are not finite numbers, its training broke: take an "
                "earlier model, or train again."
            )

    return made


def quantised(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The large matrices as int8 with a float32 scale for each of their rows, named NAME.scale,
    everything else in bfloat16.

    Half the bytes of bfloat16. The root mean square of the rounding error is 1 / (127 * sqrt(12)) =
    0.23 % of a row's largest weight.
    """
    packed: dict[str, Tensor] = {}

    for name, value in weights.items():
        # Small tensors (norms, biases) cost nothing and are the most sensitive to rounding.
        if value.ndim > 1 and value.numel() >= QUANTISED:
            scale = (
                value.float()
                .abs()
                .amax(dim=tuple(range(1, value.ndim)), keepdim=True)
                .clamp_min(1e-12)
                / 127
            )
            packed[name] = (value.float() / scale).round().to(torch.int8)
            packed[f"{name}{SCALE}"] = scale
        else:
            packed[name] = value.bfloat16()

    return packed


def unquantised(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`quantised`, in float32; tensors without a scale stay as they are."""
    scales = {
        name for name in packed if name.endswith(SCALE) and name.removesuffix(SCALE) in packed
    }
    plain = {name: value for name, value in packed.items() if name not in scales}
    return {
        name: value * packed[name + SCALE] if name + SCALE in scales else value
        for name, value in plain.items()
    }


def read_safetensors(path: Path) -> Checkpoint | dict[str, Tensor]:
    """A model exported or shipped as safetensors, with its description in the file's metadata; bare
    tensors without one.

    Raises:
        BadCheckpoint: not a safetensors file.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("jungle", "null"))
            names = list(file.keys())
            weights = unquantised({name: file.get_tensor(name).float() for name in names})
    except (SafetensorError, OSError, ValueError) as error:
        raise BadCheckpoint(
            f"{path} cannot be read as safetensors ({error}): copy or export it again."
        ) from None
    if not isinstance(about, dict):
        return weights
    return _describe(about, weights, {}, path)


def read_checkpoint(path: Path) -> Checkpoint | dict[str, Tensor]:
    """Our checkpoint, or the tensors of somebody else's file (a bare state dict, for
    ``foreign.recognise``).

    Raises:
        BadCheckpoint: missing, damaged, or a pickle that would run code.
    """
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    content = read_pth(path)
    if "jungle" in content:
        return _describe(content, content.get("weights", {}), content.get("ema", {}), path)

    # Safetensors exported by us carry their description in a file beside them.
    beside = path.with_suffix(".json")
    if beside.is_file():
        try:
            about = json.loads(beside.read_text())
        except ValueError:
            raise BadCheckpoint(
                f"{beside} beside the model is damaged: delete it, and the model is read without "
                "it."
            ) from None
        if isinstance(about, dict) and "jungle" in about:
            return _describe(about, content, {}, path)

    return content


def save_state(path: Path, packed: Mapping[str, Any], key: str) -> None:
    """Write a training state; ``key`` names the run it belongs to."""
    write_atomic(path, lambda file: _save({"key": key, **packed}, file))


def read_state(path: Path) -> dict[str, Any] | None:
    """The training state, or None where there is none.

    Raises:
        BadCheckpoint: the file is damaged.
    """
    try:
        return read_pth(path) if path.is_file() else None
    except BadCheckpoint:
        raise BadCheckpoint(
            f"{path} is damaged, so the run cannot go on: choose another <--out>, or delete that "
            "file and the model beside it to start anew."
        ) from None


def read_run_state(folder: Path) -> dict[str, Any] | None:
    """The training state in the folder of a run; None where the folder holds no run.

    Raises:
        BadInput: there is a model without a state, which may be somebody else's.
    """
    packed = read_state(folder / STATE_NAME)
    if packed is None and (folder / MODEL_NAME).exists():
        raise BadInput(
            f"{folder} holds a model, {MODEL_NAME}, without a run to go on with: choose another "
            "<--out>, or move it."
        )
    return packed
