"""From a folder, or a name on the Hugging Face hub, to a loaded ``StableAudioPipeline``.

The only place that downloads one, and that changes how one works.
"""

import contextlib
import hashlib
import itertools
import json
import math
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ...diffusion.device import Compute, choose_device, out_of_memory
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
    """Device and dtype for a text-to-audio model: float16 on CUDA and float32 elsewhere.

    float16 strays 7 times less from float32 than bfloat16 does (docs/LOG.md); what overflows in it
    is repeated in float32.

    Args:
        device: as for ``diffusion.device.choose_device``; a dtype in it ("cuda:bfloat16") wins.
        faithful: the original recipe, which no dtype in ``device`` changes.
    """
    chosen = choose_device(device)
    if ":" in device and not faithful:
        return chosen
    if chosen.device.type == "cuda":
        return Compute(chosen.device, torch.float16, "closer to float32 than bfloat16 is")
    return Compute(chosen.device, torch.float32, "half precision only on CUDA")


def fetch_model(source: str, token: Token | None) -> tuple[Path, str]:
    """The local folder of the model ``source``, downloaded if need be, and its name.

    The name is NAME@COMMIT, or the hash of a folder.

    Raises:
        BadInput: no such folder or model, no access to it (asked before anything is downloaded), no
            network or no room.
        MissingExtra: the libraries are not installed.
    """
    folder = local_folder(source)
    if folder:
        return folder, _digest(folder)
    check_model_name(source)
    pipeline = _pipeline_class()
    from huggingface_hub import constants, try_to_load_from_cache

    # A model in the cache opens without a network, token or room.
    if not isinstance(try_to_load_from_cache(source, "model_index.json"), str):
        check_access(source, token)
        _check_space(source, Path(constants.HF_HUB_CACHE))

    # The library raises errors of its own, of httpx, and of the disk.
    try:
        downloaded = pipeline.download(
            source, token=token.value if token else False, use_safetensors=True
        )
        snapshot = Path(downloaded)
    except Exception as problem:
        raise access_error(source, token, problem) from problem
    return snapshot, f"{source}@{snapshot.name[:12]}"


def _check_space(source: str, hub_cache: Path) -> None:
    # The cache may not exist yet: the folder that it will be made in does.
    cache = next(folder for folder in (hub_cache, *hub_cache.parents) if folder.is_dir())
    free = shutil.disk_usage(cache).free / 2**30
    if source == STABLE_AUDIO and free < DISK_GIB:
        raise BadInput(
            f"{cache} has {free:.1f} GiB left and {source} needs {DISK_GIB:.0f}: free some space, "
            "or set HF_HOME."
        )


def load_pipeline(folder: Path, compute: Compute, deterministic: bool = False) -> Any:
    """The pipeline in ``folder``; no code and no pickle of the folder is run.

    Args:
        folder: of a Stable Audio model.
        compute: device and dtype of the pipeline.
        deterministic: replace the solver of the model, which needs the library torchsde, by
            :func:`deterministic_solver`.

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

        # diffusers builds its autoencoder with what torch calls deprecated, and renames an argument
        # between versions.
        with warnings.catch_warnings():
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

    # diffusers, transformers and safetensors raise many kinds.
    except Exception as problem:
        if isinstance(problem, RuntimeError) and out_of_memory(problem):
            raise JungleError(
                f"There is not enough memory on '{compute.device}' for the model in '{folder}': "
                "use <--device> cpu."
            ) from problem
        raise BadCheckpoint(
            f"'{folder}' is no Stable Audio model that can be opened ({type(problem).__name__}): "
            "it needs model_index.json and the folders named there, with weights as .safetensors."
        ) from problem


def deterministic_solver(folder: Path) -> Any:
    """DPM-Solver++(2M) (arXiv 2211.01095, algorithm 2) for the model in ``folder``.

    With its noise levels and without torchsde. The class of diffusers tells a network the noise
    level as ln(sigma) / 4, as EDM networks want it (arXiv 2206.00364, table 1). Stable Audio's was
    trained on 2 arctan(sigma) / pi, and would take one level for quite another.
    """
    from diffusers import EDMDPMSolverMultistepScheduler

    # diffusers has no types
    class ArctanSolver(EDMDPMSolverMultistepScheduler):  # type: ignore[misc]
        def precondition_noise(self, sigma: Any) -> torch.Tensor:
            return torch.as_tensor(sigma).atan() * (2 / math.pi)

    # The settings that both solvers have: the model's own has some more.
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text("utf-8"))
    shared = (
        "sigma_min",
        "sigma_max",
        "sigma_data",
        "sigma_schedule",
        "prediction_type",
        "rho",
        "final_sigmas_type",
    )
    return ArctanSolver(**{name: config[name] for name in shared if name in config})


@contextlib.contextmanager
def own_durations(pipeline: Any, seconds: list[float]) -> Iterator[None]:
    """Tell the network each take's own duration inside.

    The pipeline accepts but one number for all of a batch.
    """
    encode = pipeline.encode_duration
    pipeline.encode_duration = lambda start, end, *rest: encode(start, seconds, *rest)
    try:
        yield
    finally:
        del pipeline.encode_duration  # the method of the class shows again


@contextlib.contextmanager
def in_float32(pipeline: Any) -> Iterator[None]:
    """All weights in float32 inside, in exactly their own dtypes again outside."""
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    weights = [
        weight
        for part in parts
        for weight in itertools.chain(part.parameters(), part.buffers())
        if weight.is_floating_point()
    ]

    # One by one, because some models mix dtypes.
    dtypes = [weight.dtype for weight in weights]
    try:
        for weight in weights:
            weight.data = weight.data.float()
        yield
    finally:
        for weight, dtype in zip(weights, dtypes, strict=True):
            weight.data = weight.data.to(dtype)


def _pipeline_class() -> Any:
    try:
        from diffusers import StableAudioPipeline
        from diffusers.utils import logging as diffusers_logging

        # Else diffusers offers a stand-in that fails much later.
        from transformers import T5EncoderModel  # noqa: F401
        from transformers.utils import logging as transformers_logging
    except ImportError as problem:
        name = re.split(r"\W", problem.name or "diffusers")[0]
        raise MissingExtra.library(name, "stable-audio", "Stable Audio") from None

    # Of the loading of parts; downloads keep their bars. What the libraries would warn of, the
    # notes of the takes tell.
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
    return StableAudioPipeline


def _digest(folder: Path) -> str:
    """32 hexadecimal digits of the settings and weights in ``folder``."""
    hasher = hashlib.blake2b(digest_size=16)
    suffixes = {".json", ".safetensors"}
    for path in sorted(folder.rglob("*")):
        if path.suffix in suffixes and path.is_file():
            name = path.relative_to(folder).as_posix().encode()
            with path.open("rb") as file:
                hasher.update(name + hashlib.file_digest(file, "blake2b").digest())
    return hasher.hexdigest()
