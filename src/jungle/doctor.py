"""``jungle doctor``: what this machine can do, and what is missing, before anything is downloaded."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import __version__
from .diffusion.device import choose

EXTRAS = {
    "diffusers": ("faithful", "the faithful recipe and other people's UNet2DModel files"),
    "kagglehub": ("kaggle", "photos from kaggle:OWNER/NAME"),
    "huggingface_hub": ("hf", "photos from hf:OWNER/NAME"),
    "datasets": ("hf", "photos from hf:OWNER/NAME kept as tables"),
    "transformers": ("dinov2", "scores in the DINOv2 feature space"),
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


def examine(folder: Path, device: str, environment: Mapping[str, str], home: Path) -> list[Finding]:
    """Look at the device, memory, disk, optional libraries and tokens. Nothing is downloaded, no token is shown."""
    free = shutil.disk_usage(folder).free / 2**30
    memory = memory_gib()
    findings = [
        Finding("jungle", True, f"{__version__} on Python {platform.python_version()}, torch {importlib.metadata.version('torch')}"),
        Finding("device", True, str(choose(device))),
        Finding(
            "memory", None if memory is None else memory >= 3, "unknown" if memory is None else f"{memory:.0f} GiB (3 are enough for 64x64)"
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
    face = bool(environment.get("HF_TOKEN")) or (Path(environment.get("HF_HOME", home / ".cache/huggingface")) / "token").is_file()
    findings.append(
        Finding(
            "Kaggle token", True if kaggle else None, "found" if kaggle else "none; public data sets need none, others: kaggle.com/settings"
        )
    )
    findings.append(
        Finding(
            "Hugging Face token",
            True if face else None,
            "found" if face else "none; public data sets need none, others: huggingface.co/settings/tokens",
        )
    )
    return findings


def to_text(findings: list[Finding]) -> str:
    """One line a finding: ok, -- (optional) or !! (mend this)."""
    signs = {True: "ok", None: "--", False: "!!"}
    width = max(len(one.topic) for one in findings)
    return "\n".join(f"{signs[one.ok]}  {one.topic:<{width}}  {one.text}" for one in findings)
