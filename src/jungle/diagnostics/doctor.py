"""``jungle doctor``: what this machine can do and what is missing, before any download."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..diffusion.device import choose_device
from ..errors import JungleError
from ..errors.installation import install_command
from ..sounds.stable_audio.hub_access import (
    DISK_GIB,
    MEMORY_GIB,
    STABLE_AUDIO,
    TOKENS_PAGE,
    Token,
    check_access,
    find_token,
    missing_resources,
    model_page,
)

_EXTRAS = {
    "diffusers": (
        "faithful",
        "the faithful recipe, other people's UNet2DModel files and Stable Audio",
    ),
    "kagglehub": ("kaggle", "photos from kaggle:OWNER/NAME"),
    "huggingface_hub": ("hf", "photos from hf:OWNER/NAME"),
    "datasets": ("hf", "photos from hf:OWNER/NAME kept as tables"),
    "transformers": ("dinov2", "scores in the DINOv2 feature space and Stable Audio"),
    "torchsde": ("stable-audio", "Stable Audio's own solver (without it, a deterministic one)"),
}
"""Optional library -> the extra of pyproject.toml that installs it, and what needs it."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the examination. ``ok`` is None where it is neither good nor bad."""

    topic: str
    ok: bool | None
    text: str


def memory_gib() -> float | None:
    """Physical memory in GiB, None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return None


def check_machine(
    folder: Path, device: str, environment: Mapping[str, str], home: Path, ask: bool = False
) -> list[CheckResult]:
    """Look at the device, memory, disk, optional libraries and tokens, and show no token.

    Args:
        folder: the disk it stands on is measured, and its .env is read.
        device: as after ``--device``; "" for the best.
        ask: ask the hub whether the licence of Stable Audio is accepted; the network is not used
            otherwise.
    """
    free = shutil.disk_usage(folder).free / 2**30
    memory = memory_gib()
    torch = importlib.metadata.version("torch")
    versions = f"{__version__} on Python {platform.python_version()}, torch {torch}"
    results = [
        CheckResult("jungle", True, versions),
        CheckResult("device", True, str(choose_device(device))),
        CheckResult(
            "memory",
            None if memory is None else memory >= 3,
            "unknown" if memory is None else f"{memory:.0f} GiB (3 are enough for 64x64)",
        ),
        CheckResult("disk", free >= 2, f"{free:.0f} GiB free here (training wants 2)"),
        *_check_libraries(),
    ]

    # Public data sets need neither token, so a missing one is never an error.
    token = find_token(environment, home, folder)
    none = "none; public data sets need none, others: "
    kaggle = _has_kaggle_token(environment, home)
    results += [
        CheckResult(
            "Kaggle token",
            True if kaggle else None,
            "found" if kaggle else f"{none}kaggle.com/settings",
        ),
        CheckResult(
            "Hugging Face token",
            True if token else None,
            f"found in {token.where}" if token else f"{none}{TOKENS_PAGE}",
        ),
        _check_stable_audio(token, free, memory, ask),
    ]
    return results


def _check_libraries() -> list[CheckResult]:
    """One result for each optional library, without importing it."""
    results = []
    for module, (extra, purpose) in _EXTRAS.items():
        installed = importlib.util.find_spec(module) is not None
        if installed:
            text = f"{importlib.metadata.version(module)}, for {purpose}"
        else:
            text = f"not installed: {purpose} needs  {install_command(extra, module)}"
        results.append(CheckResult(module, True if installed else None, text))
    return results


def _has_kaggle_token(environment: Mapping[str, str], home: Path) -> bool:
    """Whether kagglehub will find one; it is not read."""
    files = (home / ".kaggle" / name for name in ("kaggle.json", "access_token"))
    in_environment = environment.get("KAGGLE_API_TOKEN") or environment.get("KAGGLE_KEY")
    return bool(in_environment) or any(file.is_file() for file in files)


def _check_stable_audio(
    token: Token | None, free: float, memory: float | None, ask: bool
) -> CheckResult:
    """Whether Stable Audio can make calls here, as far as can be told."""
    missing = [
        module
        for module in ("diffusers", "transformers")
        if importlib.util.find_spec(module) is None
    ]
    wishes = []
    if missing:
        command = install_command("stable-audio", *missing)
        wishes.append(f"{command} ({', '.join(missing)})")
    if token is None:
        wishes.append(f"a token from {TOKENS_PAGE}")
    wishes += missing_resources(free, memory)

    # The hub knows about the licence, and is asked only where the network may be used.
    licence = f"its licence must be accepted once at {model_page(STABLE_AUDIO)}"
    if ask:
        try:
            check_access(STABLE_AUDIO, token)
        except JungleError as error:
            return CheckResult("Stable Audio", None, f"optional; {error.for_shell()}")
        licence = "its licence is accepted"
    if wishes:
        text = f"optional; it wants {', '.join(wishes)}; {licence}"
        return CheckResult("Stable Audio", None, text)

    there = f"{DISK_GIB:.0f} GiB of disk and {MEMORY_GIB:.0f} GiB of memory are there"
    return CheckResult("Stable Audio", True, f"{there}; {licence}")


def to_text(results: list[CheckResult]) -> str:
    """One line a result: ok, -- (optional) or !! (mend this)."""
    signs = {True: "ok", None: "--", False: "!!"}
    width = max(len(result.topic) for result in results)
    return "\n".join(
        f"{signs[result.ok]}  {result.topic:<{width}}  {result.text}" for result in results
    )
