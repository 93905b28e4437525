"""``jungle doctor``: what this machine can do, and what is missing, before anything is downloaded."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..diffusion.device import choose
from ..errors import JungleError
from ..sounds.stable_audio.hub_access import (
    DISK_GIB,
    MEMORY_GIB,
    STABLE_AUDIO,
    TOKENS_PAGE,
    Token,
    check_access,
    find_token,
    lacks,
    model_page,
)

EXTRAS = {
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


@dataclass(frozen=True, slots=True)
class Finding:
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


def examine(
    folder: Path, device: str, environment: Mapping[str, str], home: Path, ask: bool = False
) -> list[Finding]:
    """Look at the device, memory, disk, optional libraries and tokens. Nothing is downloaded, no token is shown.

    The network is not used, unless ``ask`` lets the hub be asked whether the licence of Stable Audio is accepted.
    """
    free = shutil.disk_usage(folder).free / 2**30
    memory = memory_gib()
    findings = [
        Finding(
            "jungle",
            True,
            f"{__version__} on Python {platform.python_version()}, torch {importlib.metadata.version('torch')}",
        ),
        Finding("device", True, str(choose(device))),
        Finding(
            "memory",
            None if memory is None else memory >= 3,
            "unknown" if memory is None else f"{memory:.0f} GiB (3 are enough for 64x64)",
        ),
        Finding("disk", free >= 2, f"{free:.0f} GiB free here (training wants 2)"),
    ]
    for module, (extra, purpose) in EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        text = (
            f"{importlib.metadata.version(module)}, for {purpose}"
            if there
            else f"not installed: {purpose} needs  pip install 'jungle[{extra}]'"
        )
        findings.append(Finding(module, True if there else None, text))
    kaggle = bool(environment.get("KAGGLE_API_TOKEN") or environment.get("KAGGLE_KEY")) or any(
        (home / ".kaggle" / name).is_file() for name in ("kaggle.json", "access_token")
    )
    token = find_token(environment, home, folder)
    findings.append(
        Finding(
            "Kaggle token",
            True if kaggle else None,
            "found" if kaggle else "none; public data sets need none, others: kaggle.com/settings",
        )
    )
    where = (
        f"found in {token.where}"
        if token
        else f"none; public data sets need none, others: {TOKENS_PAGE}"
    )
    findings.append(Finding("Hugging Face token", True if token else None, where))
    findings.append(_stable_audio(token, free, memory, ask))
    return findings


def _stable_audio(token: Token | None, free: float, memory: float | None, ask: bool) -> Finding:
    """Whether Stable Audio can make calls here, as far as can be told."""
    missing = [
        module
        for module in ("diffusers", "transformers")
        if importlib.util.find_spec(module) is None
    ]
    wants = [f"pip install 'jungle[stable-audio]' ({', '.join(missing)})"] if missing else []
    if token is None:
        wants.append(f"a token from {TOKENS_PAGE}")
    wants += lacks(free, memory)
    licence = f"its licence must be accepted once at {model_page(STABLE_AUDIO)}"
    if ask:
        try:
            check_access(STABLE_AUDIO, token)
        except JungleError as error:
            return Finding("Stable Audio", None, f"optional; {error}")
        licence = "its licence is accepted"
    if wants:
        return Finding("Stable Audio", None, f"optional; it wants {', '.join(wants)}; {licence}")
    return Finding(
        "Stable Audio",
        True,
        f"{DISK_GIB:.0f} GiB of disk and {MEMORY_GIB:.0f} GiB of memory are there; {licence}",
    )


def to_text(findings: list[Finding]) -> str:
    """One line a finding: ok, -- (optional) or !! (mend this)."""
    signs = {True: "ok", None: "--", False: "!!"}
    width = max(len(one.topic) for one in findings)
    return "\n".join(f"{signs[one.ok]}  {one.topic:<{width}}  {one.text}" for one in findings)
