"""From a folder, or a name on the Hugging Face hub, to a loaded ``StableAudioPipeline``. The only place that downloads one."""

import hashlib
import json
import math
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch

from ...diffusion.device import Compute, choose, out_of_memory
from ...errors import BadCheckpoint, BadInput, JungleError, MissingExtra
from .hub_access import (
    DISK_GIB,
    STABLE_AUDIO,
    Token,
    access_error,
    check_access,
    check_model_name,
    local_folder,
)


def choose_compute(device: str, faithful: bool = False) -> Compute:
    """Device and dtype for a text-to-audio model: as asked, else float16 on CUDA and float32 elsewhere.

    float16 strays 7 times less from float32 than bfloat16 does (docs/LOG.md); what overflows in it is repeated in float32.
    """
    chosen = choose(device)
    if ":" in device and not faithful:
        return chosen
    if chosen.device.type == "cuda":
        return Compute(chosen.device, torch.float16, "closer to float32 than bfloat16 is")
    return Compute(chosen.device, torch.float32, "half precision only on CUDA")


def fetch_model(source: str, token: Token | None) -> tuple[Path, str]:
    """The local folder of the model ``source``, downloaded if need be, and its name: NAME@COMMIT, or the hash of a folder.

    Raises:
        BadInput: no such folder or model, no access to it (asked before anything is downloaded), no network or no room.
        MissingExtra: the libraries are not installed.
    """
    if folder := local_folder(source):
        return folder, _digest(folder)
    check_model_name(source)
    pipeline = _pipeline_class()
    from huggingface_hub import constants, try_to_load_from_cache

    if not isinstance(try_to_load_from_cache(source, "model_index.json"), str):
        check_access(source, token)
        cache = next(
            place
            for place in (Path(constants.HF_HUB_CACHE), *Path(constants.HF_HUB_CACHE).parents)
            if place.is_dir()
        )
        free = shutil.disk_usage(cache).free / 2**30
        if source == STABLE_AUDIO and free < DISK_GIB:
            raise BadInput(
                f"{cache} has {free:.1f} GiB left and {source} needs {DISK_GIB:.0f}: free some space, or set HF_HOME."
            )
    try:
        snapshot = Path(
            pipeline.download(source, token=token.value if token else False, use_safetensors=True)
        )
    except Exception as problem:  # the library raises its own, httpx', and the disk's errors
        raise access_error(source, token, problem) from problem
    return snapshot, f"{source}@{snapshot.name[:12]}"


def load_pipeline(folder: Path, compute: Compute, deterministic: bool = False) -> Any:
    """The pipeline in ``folder`` on the device and in the dtype of ``compute``; no code and no pickle of the folder is run.

    ``deterministic`` replaces the solver of the model, which needs the library torchsde, by :func:`deterministic_solver`.

    Raises:
        BadCheckpoint: not the folder of a Stable Audio model, or a damaged one.
        JungleError: not enough memory.
        MissingExtra: the libraries are not installed.
    """
    pipeline = _pipeline_class()
    try:
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
        if index["_class_name"] != "StableAudioPipeline":
            raise BadCheckpoint(
                f"'{folder}' is a {index['_class_name']}: a StableAudioPipeline is needed."
            )
        parts = {"scheduler": deterministic_solver(folder)} if deterministic else {}
        with warnings.catch_warnings():
            # diffusers builds its autoencoder with what torch calls deprecated, and renames an argument between versions
            warnings.filterwarnings("ignore", message=".*weight_norm", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*torch_dtype", category=FutureWarning)
            loaded = pipeline.from_pretrained(
                str(folder),
                torch_dtype=compute.dtype,
                use_safetensors=True,
                local_files_only=True,
                low_cpu_mem_usage=False,
                **parts,
            )
        return loaded.to(compute.device)
    except JungleError:
        raise
    except Exception as problem:  # diffusers, transformers and safetensors raise many kinds
        if isinstance(problem, RuntimeError) and out_of_memory(problem):
            raise JungleError(
                f"There is not enough memory on '{compute.device}' for the model in '{folder}': use --device cpu."
            ) from problem
        raise BadCheckpoint(
            f"'{folder}' is no Stable Audio model that can be opened ({type(problem).__name__}): "
            "it needs model_index.json and the folders named there, with weights as .safetensors."
        ) from problem


def deterministic_solver(folder: Path) -> Any:
    """DPM-Solver++(2M) (arXiv 2211.01095, algorithm 2) with the noise levels of the model in ``folder``, without torchsde.

    The class of diffusers tells a network the noise level as ln(sigma) / 4, as EDM networks want it (arXiv 2206.00364,
    table 1). Stable Audio's was trained on 2 arctan(sigma) / pi, and would take one level for quite another.
    """
    from diffusers import EDMDPMSolverMultistepScheduler

    class ArctanSolver(EDMDPMSolverMultistepScheduler):  # type: ignore[misc]  # diffusers has no types
        def precondition_noise(self, sigma: Any) -> torch.Tensor:
            return torch.as_tensor(sigma).atan() * (2 / math.pi)

    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text("utf-8"))
    kept = (
        "sigma_min",
        "sigma_max",
        "sigma_data",
        "sigma_schedule",
        "prediction_type",
        "rho",
        "final_sigmas_type",
    )
    return ArctanSolver(**{name: config[name] for name in kept if name in config})


def _pipeline_class() -> Any:
    try:
        from diffusers import StableAudioPipeline
        from diffusers.utils import logging
        from transformers import T5EncoderModel  # noqa: F401 - else diffusers offers a stand-in that fails much later
        from transformers.utils import logging as logging_too
    except ImportError as problem:
        name = re.split(r"\W", problem.name or "diffusers")[0]
        raise MissingExtra.library(name, "stable-audio", "Stable Audio") from None
    for library in (logging, logging_too):
        library.disable_progress_bar()  # of the loading of parts; downloads keep theirs
        library.set_verbosity_error()  # what they would warn of, the notes of the takes tell
    return StableAudioPipeline


def _digest(folder: Path) -> str:
    """32 hexadecimal digits of the settings and weights in ``folder``."""
    hasher = hashlib.blake2b(digest_size=16)
    for path in sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in {".json", ".safetensors"} and path.is_file()
    ):
        with path.open("rb") as file:
            hasher.update(
                path.relative_to(folder).as_posix().encode()
                + hashlib.file_digest(file, "blake2b").digest()
            )
    return hasher.hexdigest()
