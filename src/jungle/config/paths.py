"""Names and places of files that several commands agree on."""

import os
from pathlib import Path

import platformdirs

MODEL_FILE = "animal_diffusion_model.pth"
"""The model that a training run writes, and that other commands look for."""

SHIPPED_MODELS = {"photos": "photo64.safetensors", "recordings": "call.safetensors"}
"""The model of the package for each medium, see ``weights/``."""


def cache_folder() -> Path:
    """Where decoded photos and recordings are kept: JUNGLE_CACHE, or the user's cache folder."""
    return Path(
        os.environ.get("JUNGLE_CACHE") or platformdirs.user_cache_dir("jungle", appauthor=False)
    )
