"""The original recipe end to end: our loop against DDPMScheduler's, our file in plain diffusers,
theirs in our sampler.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

diffusers = pytest.importorskip("diffusers")

from jungle.cli.main import main  # noqa: E402
from jungle.config.recipes import SampleRecipe  # noqa: E402
from jungle.diffusion.diffusers_compat import ddpm  # noqa: E402
from jungle.diffusion.diffusers_compat.ddpm import DdpmDenoiser  # noqa: E402
from jungle.diffusion.sampler import sample  # noqa: E402

ORIGINAL: dict[str, Any] = {
    "sample_size": 64,
    "in_channels": 3,
    "out_channels": 3,
    "layers_per_block": 2,
    "block_out_channels": (64, 128, 256, 512),
    "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
}


def jungle(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["jungle", *map(str, arguments)])
    main()


@pytest.mark.slow
def test_a_trajectory_equals_the_schedulers() -> None:
    """The same noise, one picture, every step from the last level to 0: DDPMScheduler with its
    defaults against ours.
    """
    torch.manual_seed(0)
    net = ddpm.build_unet2d(16, widths=(8, 8, 16, 16), groups=8).eval()
    scheduler = diffusers.DDPMScheduler(num_train_timesteps=200)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn((1, 3, 16, 16), generator=generator)
    theirs = []
    with torch.no_grad():
        for t in range(199, -1, -1):
            x = scheduler.step(net(x, t).sample, t, x, generator=generator).prev_sample
            theirs.append(x)
    denoiser = DdpmDenoiser(net, steps=200)
    recipe = SampleRecipe(solver="ddpm", steps=200, guidance=1.0, batch=1)
    for step, expected in zip(
        sample(denoiser, [3], torch.zeros(1, 0), (3, 16, 16), recipe), theirs, strict=True
    ):
        # from sigma's coordinates to the variance-preserving ones
        ours = step.x / (1 + step.sigma**2) ** 0.5
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_the_faithful_file_is_the_originals(
    drawn_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained by us, loaded strictly by plain diffusers; then without its description, as others
    publish it, painted by us.
    """
    torch.set_num_threads(2)
    run = tmp_path / "run"
    jungle(
        monkeypatch,
        "train",
        drawn_photos,
        "--recipe",
        "faithful",
        "-o",
        "epochs=1",
        "-o",
        "limit=16",
        "--out",
        run,
        "--quiet",
    )
    state = torch.load(run / "animal_diffusion_model.pth", weights_only=True)
    diffusers.UNet2DModel(**ORIGINAL).load_state_dict(state, strict=True)
    (run / "animal_diffusion_model.json").unlink()
    out = tmp_path / "pictures"
    model = run / "animal_diffusion_model.pth"
    jungle(monkeypatch, "images", "--model", model, "-n", 2, "--steps", 3, "--out", out, "--quiet")
    pictures = [np.asarray(Image.open(out / f"fictional_animal_{number}.png")) for number in (1, 2)]
    assert pictures[0].shape == (64, 64, 3)
    assert not np.array_equal(*pictures)
    assert (tmp_path / "pictures.zip").is_file()
    torch.set_num_threads(1)
