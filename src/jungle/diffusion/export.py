"""Models for other people's programs: a diffusers folder, or one safetensors file."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ..errors import BadCheckpoint, BadInput
from ..storage.atomic import new_folder, write_atomic
from .diffusers_compat import ddpm, state_dict

if TYPE_CHECKING:
    from .diffusers_compat.ddpm import Betas, Prediction


def export_diffusers(
    state: Mapping[str, Tensor],
    folder: Path,
    size: int,
    betas: "Betas" = "linear",
    steps: int = 0,
    prediction: "Prediction" = "epsilon",
) -> None:
    """Write a folder that ``diffusers.DDPMPipeline.from_pretrained(folder)`` loads and samples.

    Args:
        state: state dict of a ``UNet2DModel`` without classes.
        folder: new, empty, or an earlier export, which is replaced once the new one is complete.
        size, betas, steps, prediction: as in :func:`~jungle.diffusion.foreign.recognise`.

    Raises:
        BadCheckpoint: only faithful models can be exported so.
        BadInput: the folder holds something else.
        MissingExtra: diffusers is not installed.
    """
    known = state_dict.recognise(state, size, betas, steps, prediction)
    if known is None or "num_class_embeds" in known.config:
        raise BadCheckpoint(
            "Only a UNet2DModel without classes fits into a DDPMPipeline: use <--export> "
            "safetensors "
            "for this model."
        )
    if folder.exists() and not (
        folder.is_dir() and ((folder / "model_index.json").is_file() or not any(folder.iterdir()))
    ):
        raise BadInput(f"{folder} holds other files: name a new folder for the export.")
    net = ddpm.from_config(known.config)
    net.load_state_dict(known.state)
    from diffusers import DDPMPipeline, DDPMScheduler

    # A pipeline needs the schedule that the network was trained with; a state dict does not hold
    # it.
    scheduler = DDPMScheduler(
        num_train_timesteps=known.steps,
        beta_start=ddpm.BETA_START,
        beta_end=ddpm.BETA_END,
        beta_schedule=known.betas,
        prediction_type=known.prediction,
    )
    with new_folder(folder) as temporary:
        DDPMPipeline(unet=net, scheduler=scheduler).save_pretrained(temporary)


def export_safetensors(
    state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]
) -> None:
    """Write the tensors and ``metadata`` (text) into one file, atomically.

    Raises:
        BadInput: the file cannot be written.
    """
    from safetensors.torch import save_file

    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    write_atomic(path, lambda temporary: save_file(tensors, temporary, dict(metadata)))
