"""The faithful network against plain diffusers; other people's files; exports."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jungle.config.recipe_table import find_recipe
from jungle.config.recipes import SampleRecipe, override
from jungle.diffusion import export
from jungle.diffusion.batched_sampling import SampleRequest
from jungle.diffusion.diffusers_compat import ddpm, fast_blocks, state_dict
from jungle.diffusion.model import Model
from jungle.errors import BadCheckpoint, BadInput
from jungle.images.sampling import sample_pictures

diffusers = pytest.importorskip("diffusers")

WIDTHS, GROUPS, SIZE = (8, 16, 16, 16), 8, 16


def small(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return ddpm.build_unet2d(SIZE, WIDTHS, GROUPS).eval()


@pytest.fixture(scope="module")
def plain() -> Any:
    """Plain diffusers, never retuned."""
    return small()


@pytest.fixture
def ours() -> ddpm.DdpmDenoiser:
    return ddpm.DdpmDenoiser(small())


@pytest.fixture
def scheduler() -> Any:
    # 1000 steps, linear, fixed_small, clip_sample: the original recipe
    return diffusers.DDPMScheduler()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


NO_MIX = torch.zeros(3, 0)


def test_the_original_network_at_its_real_widths() -> None:
    """The figures of the recipe, written out here a second time on purpose."""
    with torch.device("meta"):
        net = ddpm.build_unet2d(64)
        expected = diffusers.UNet2DModel(
            sample_size=64,
            in_channels=3,
            out_channels=3,
            layers_per_block=2,
            block_out_channels=(64, 128, 256, 512),
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        )
    assert {**net.config, "_use_default_values": 0} == {**expected.config, "_use_default_values": 0}
    want = [(name, value.shape) for name, value in expected.state_dict().items()]
    ddpm.DdpmDenoiser(net)
    assert [(name, value.shape) for name, value in net.state_dict().items()] == want, (
        "faster blocks must keep names and order"
    )
    assert any(isinstance(part, fast_blocks.FastAttention) for part in net.modules())
    assert sum(value.numel() for value in net.parameters()) == 63_151_235


@pytest.mark.parametrize("betas", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("steps", [1000, 250])
def test_noise_schedules_are_those_of_diffusers(betas: Any, steps: int) -> None:
    reference = diffusers.DDPMScheduler(num_train_timesteps=steps, beta_schedule=betas)
    assert torch.equal(ddpm.alpha_bar(betas, steps), reference.alphas_cumprod)


def test_loss_is_the_original_one(plain: Any, ours: ddpm.DdpmDenoiser, scheduler: Any) -> None:
    x = noise(3, 3, SIZE, SIZE).clamp(-1, 1)
    loss, sigma = ours.loss(x, NO_MIX, torch.Generator().manual_seed(5))
    again = torch.Generator().manual_seed(5)
    target, steps = (
        torch.randn(x.shape, generator=again),
        torch.randint(0, 1000, (3,), generator=again),
    )
    reference = F.mse_loss(
        plain(scheduler.add_noise(x, target, steps), steps).sample, target, reduction="none"
    ).mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss, reference, rtol=0, atol=1e-5)
    abar = scheduler.alphas_cumprod[steps]
    torch.testing.assert_close(sigma, ((1 - abar) / abar).sqrt())


def test_gradients_are_the_original_ones(plain: Any, ours: ddpm.DdpmDenoiser) -> None:
    x, steps = noise(2, 3, SIZE, SIZE), torch.tensor([7, 700])
    ours.net(x, steps).sample.square().mean().backward()
    plain.zero_grad()
    plain(x, steps).sample.square().mean().backward()
    grads = {name: p.grad for name, p in plain.named_parameters()}
    for name, p in ours.net.named_parameters():
        torch.testing.assert_close(p.grad, grads[name], rtol=1e-3, atol=1e-6, msg=name)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("step", [0, 1, 500, 999])
def test_clean_estimate_and_ancestral_step_equal_ddpm(
    plain: Any, prediction: Any, step: int
) -> None:
    """One reverse step in sigma space, mean and spread, is DDPMScheduler's (fixed_small,
    clip_sample).
    """
    reference = diffusers.DDPMScheduler(prediction_type=prediction)
    ours = ddpm.DdpmDenoiser(small(), prediction=prediction)
    assert ours.schedule is not None
    s, t = float(ours.schedule[step]), float(ours.schedule[step - 1]) if step else 0.0
    vp = noise(3, 3, SIZE, SIZE)
    with torch.no_grad():
        predicted = plain(vp, step).sample
        clean = ours(ours.start(vp, s), torch.full((3,), s), NO_MIX)
    draw = noise(3, 3, SIZE, SIZE, seed=9)
    torch.manual_seed(1)
    out = reference.step(predicted, step, vp, generator=torch.Generator().manual_seed(9))
    torch.testing.assert_close(clean, out.pred_original_sample, rtol=0, atol=1e-4)
    keep = (t / s) ** 2
    x = keep * ours.start(vp, s) + (1 - keep) * clean + t * (1 - keep) ** 0.5 * draw
    torch.testing.assert_close(x / (1 + t**2) ** 0.5, out.prev_sample, rtol=0, atol=1e-4)


def test_timesteps_are_whole_on_the_schedule_and_between_elsewhere(ours: ddpm.DdpmDenoiser) -> None:
    assert ours.schedule is not None
    assert torch.equal(ours.timestep(ours.schedule), torch.arange(1000.0))
    middle = ours.timestep((ours.schedule[:-1] * ours.schedule[1:]).sqrt())
    torch.testing.assert_close(middle, torch.arange(999) + 0.5, rtol=0, atol=1e-2)
    assert ours.timestep(torch.tensor([1e-9, 1e9])).tolist() == [0.0, 999.0]


def test_sampling_starts_at_exactly_the_noise(ours: ddpm.DdpmDenoiser) -> None:
    seen: list[Tensor] = []
    ours.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    start = noise(1, 3, SIZE, SIZE)
    ours(ours.start(start, ours.sigma_max), torch.tensor([ours.sigma_max]), NO_MIX[:1])
    torch.testing.assert_close(seen[0], start, rtol=1e-6, atol=1e-6)


def test_bfloat16_uses_the_same_weights_and_trains_the_float32_ones(
    ours: ddpm.DdpmDenoiser,
) -> None:
    fast = ddpm.DdpmDenoiser(small(), dtype=torch.bfloat16, clip=False)
    ours.clip = False
    x, sigma = noise(3, 3, SIZE, SIZE), torch.full((3,), 1.0)
    with torch.no_grad():
        torch.testing.assert_close(
            fast(x, sigma, NO_MIX), ours(x, sigma, NO_MIX), rtol=0, atol=0.05
        )
        before = fast(x, sigma, NO_MIX)
    fast.loss(x, NO_MIX, torch.Generator().manual_seed(0))[0].mean().backward()
    grads = {name: p.grad for name, p in fast.net.named_parameters()}
    assert all(grad is not None and grad.dtype == torch.float32 for grad in grads.values())
    ours.loss(x, NO_MIX, torch.Generator().manual_seed(0))[0].mean().backward()
    for name, p in ours.net.named_parameters():
        if p.ndim == 4:
            assert F.cosine_similarity(p.grad.flatten(), grads[name].flatten(), dim=0) > 0.98, name
    torch.optim.SGD(fast.net.parameters(), lr=1.0).step()
    with torch.no_grad():
        assert not torch.equal(fast(x, sigma, NO_MIX), before), (
            "kept weights must follow the optimizer"
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_item_is_the_same_in_any_batch(dtype: torch.dtype) -> None:
    """The network alone does not keep this: oneDNN sums in another order for few items. Painting
    always shows it as many.
    """
    recipe = override(find_recipe("faithful"), {"image_size": str(SIZE)})
    ours = Model(ddpm.DdpmDenoiser(small(), dtype), recipe, (), 0, "", "", torch.device("cpu"))
    wishes = [SampleRequest(seed, torch.zeros(0)) for seed in range(9)]
    whole = [pixels for _, pixels in sample_pictures(ours, wishes, SampleRecipe(steps=3))]
    for size in (1, 2, 3):
        for (_, pixels), expected in zip(
            sample_pictures(ours, wishes, SampleRecipe(steps=3, batch=size)), whole, strict=True
        ):
            assert (pixels == expected).all(), size


def test_fast_group_norm_and_attention_against_pytorch() -> None:
    x = (
        noise(2, 16, 32, 32)
        .bfloat16()
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
    )
    layer, weight = fast_blocks.GroupNorm(4, 16), noise(2, 16, 32, 32, seed=1)
    nn.init.normal_(layer.weight)
    cast = [p.detach().bfloat16().requires_grad_() for p in (layer.weight, layer.bias)]
    out = torch.func.functional_call(layer, dict(zip(["weight", "bias"], cast, strict=True)), x)
    got = torch.autograd.grad((out.float() * weight).sum(), (x, *cast))
    exact = [value.detach().float().requires_grad_() for value in (x, *cast)]
    want = torch.autograd.grad((F.group_norm(exact[0], 4, *exact[1:]) * weight).sum(), exact)
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g.float(), w, rtol=0.03, atol=0.03 * float(w.abs().max()))
    q, k, v = (noise(2, 4, 64, 8, seed=i).bfloat16().requires_grad_() for i in range(3))
    exact = [value.detach().float().requires_grad_() for value in (q, k, v)]
    mine, reference = fast_blocks.attend(q, k, v), F.scaled_dot_product_attention(*exact)
    torch.testing.assert_close(mine.float(), reference, rtol=0, atol=0.03)
    pairs = zip(
        torch.autograd.grad(mine.float().square().sum(), (q, k, v)),
        torch.autograd.grad(reference.square().sum(), exact),
        strict=True,
    )
    for g, w in pairs:
        torch.testing.assert_close(g.float(), w, rtol=0.05, atol=0.03 * float(w.abs().max()))


def old_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for key, value in state.items():
        for old, new in state_dict.OLD_ATTENTION.items():
            key = key.replace(f".{new}.", f".{old}.") if "attentions" in key else key
        renamed[key] = value
    return renamed


STYLES: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "plain": lambda state: state,
    "data parallel": lambda state: {f"module.{key}": value for key, value in state.items()},
    "compiled": lambda state: {f"_orig_mod.module.{key}": value for key, value in state.items()},
    "nested": lambda state: {"epoch": 3, "model_state_dict": state, "optimizer": {"state": {}}},
    "nested twice": lambda state: {"checkpoint": 1, "state_dict": {"model": state}},
    "average first": lambda state: {
        "model": {key: value * 0 for key, value in state.items()},
        "ema": state,
    },
    "old attention": old_names,
    "half": lambda state: {key: value.half() for key, value in state.items()},
}


@pytest.mark.parametrize("style", STYLES)
def test_state_dicts_of_others_are_recognised(plain: Any, tmp_path: Path, style: str) -> None:
    path = tmp_path / "animal_diffusion_model.pth"
    torch.save(STYLES[style](plain.state_dict()), path)
    known = state_dict.recognise(state_dict.read_pth(path), size=SIZE, groups=GROUPS)
    assert known is not None
    assert known.config["block_out_channels"] == WIDTHS
    assert known.config["down_block_types"] == (
        "DownBlock2D",
        "DownBlock2D",
        "AttnDownBlock2D",
        "AttnDownBlock2D",
    )
    x, tolerance = noise(2, 3, SIZE, SIZE), 1e-2 if style == "half" else 1e-5
    with torch.no_grad():
        torch.testing.assert_close(
            known.denoiser().net(x, 500).sample, plain(x, 500).sample, rtol=0, atol=tolerance
        )


VARIANTS: dict[str, dict[str, Any]] = {
    "no attention": {
        "down_block_types": ("DownBlock2D",) * 2,
        "up_block_types": ("UpBlock2D",) * 2,
        "add_attention": False,
    },
    "one layer, wide time": {"layers_per_block": 1, "time_embedding_dim": 24},
    "scale and shift": {"resnet_time_scale_shift": "scale_shift"},
    "learned time": {"time_embedding_type": "learned", "num_train_timesteps": 50},
    "classes": {"num_class_embeds": 5},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_architecture_is_inferred(variant: str) -> None:
    torch.manual_seed(0)
    defaults: dict[str, Any] = {
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    }
    net = diffusers.UNet2DModel(
        sample_size=SIZE,
        block_out_channels=(8, 16),
        norm_num_groups=8,
        **(defaults | VARIANTS[variant]),
    ).eval()
    known = state_dict.recognise(net.state_dict(), size=SIZE)
    assert known is not None
    x, mix, labels = noise(2, 3, SIZE, SIZE), torch.zeros(2, 0), torch.tensor([3, 0])
    given = {"class_labels": labels} if variant == "classes" else {}
    ours = known.denoiser()
    ours.clip = False
    assert ours.schedule is not None
    if variant == "classes":
        mix = F.one_hot(labels, 5).float()
    sigma = ours.schedule[40].expand(2)
    with torch.no_grad():
        want = x - sigma[0] * net(x / (1 + sigma[0] ** 2).sqrt(), 40, **given).sample
        torch.testing.assert_close(ours(x, sigma, mix), want, rtol=0, atol=1e-5)


def test_what_is_no_picture_model_is_refused(plain: Any) -> None:
    state = plain.state_dict()
    assert state_dict.recognise({"layer.weight": torch.zeros(3, 3)}) is None
    assert state_dict.recognise({}) is None
    wide = "mid_block.resnets.0.conv1.weight"
    broken: dict[str, tuple[dict[str, Any], str]] = {
        "missing": (
            {key: value for key, value in state.items() if key != "conv_out.bias"},
            r"conv_out\.bias.*missing",
        ),
        "shape": (
            state | {wide: torch.zeros(4, 4, 3, 3)},
            rf"{wide}.*\(16, 16, 3, 3\).*\(4, 4, 3, 3\)",
        ),
        "extra": (state | {"extra.weight": torch.zeros(1)}, r"extra\.weight.*absent"),
        "grey": (state | {"conv_in.weight": torch.zeros(8, 1, 3, 3)}, "1 channels"),
        "nan": (
            state | {"conv_out.bias": torch.full((3,), float("nan"))},
            r"conv_out\.bias.*not finite",
        ),
        "text": (
            state
            | {"down_blocks.0.attentions.0.transformer_blocks.0.norm1.weight": torch.zeros(8)},
            "text-to-image",
        ),
        "fourier": (state | {"time_proj.weight": torch.zeros(8)}, "Fourier"),
        "flat": (state | {"conv_in.weight": torch.zeros(8)}, "0 channels"),
        "stump": (
            {"conv_in.weight": torch.zeros(8, 3, 3, 3), "down_blocks.0.x": torch.zeros(1)},
            "UNet2DModel",
        ),
    }
    for name, (content, sentence) in broken.items():
        with pytest.raises(BadCheckpoint, match=sentence) as caught:
            state_dict.recognise(content, groups=GROUPS)
        assert "\n" not in str(caught.value), name


def malformed(folder: Path, state: dict[str, Tensor]) -> dict[str, str]:
    """Files by name, and what the sentence must say."""
    whole = folder / "whole.pth"
    torch.save(state, whole)
    data = whole.read_bytes()
    script = torch.jit.script(nn.Linear(2, 2))
    script.save(str(folder / "script.pth"))
    torch.save(nn.Linear(2, 2), folder / "module.pth")
    torch.save([1, 2], folder / "list.pth")
    contents: dict[str, bytes] = {
        "empty.pth": b"",
        "cut.pth": data[: len(data) // 2],
        "head.pth": data[:100],
        "zip.pth": b"PK\x03\x04 and nothing else",
        "pickle.pth": pickle.dumps({"path": Path("x")}),
        "stump.pth": b"\x80\x02",
        "page.pth": b"\n<!DOCTYPE html><html>Sign in</html>",
        "lfs.pth": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 252\n",
        "photo.pth": b"\xff\xd8\xff\xe0" + bytes(600),
        "text.pth": b"hello",
        "tensors.pth": (9999).to_bytes(8, "little") + b'{"a":',
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.pth").mkdir()
    return {
        "nothing.pth": "no model file",
        "folder.pth": "folder",
        "empty.pth": "empty",
        "cut.pth": "damaged",
        "head.pth": "damaged",
        "zip.pth": "damaged",
        "pickle.pth": "Python objects|damaged",
        "stump.pth": "damaged",
        "page.pth": "web page",
        "lfs.pth": "git lfs pull",
        "photo.pth": "no model file",
        "text.pth": "no model file",
        "tensors.pth": "safetensors",
        "script.pth": "TorchScript",
        "module.pth": r"Linear.*state_dict\(\)",
        "list.pth": "list",
    }


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_every_malformed_file_is_one_sentence(plain: Any, tmp_path: Path) -> None:
    for name, sentence in malformed(tmp_path, plain.state_dict()).items():
        with pytest.raises(BadCheckpoint, match=sentence) as caught:
            state_dict.read_pth(tmp_path / name)
        text = str(caught.value)
        assert name in text, text
        assert "\n" not in text, text


def test_a_pickle_that_runs_code_does_not_run_it(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"conv_in.weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(BadCheckpoint, match="Python objects"):
        state_dict.read_pth(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_safetensors_round_trip_under_any_name(plain: Any, tmp_path: Path) -> None:
    from safetensors import safe_open

    path = tmp_path / "renamed.pth"
    export.export_safetensors(plain.state_dict(), path, {"jungle": "{}"})
    with safe_open(str(path), framework="pt") as file:
        assert file.metadata() == {"jungle": "{}"}
    read = state_dict.read_pth(path)
    assert all(torch.equal(read[name], value) for name, value in plain.state_dict().items())


def test_export_loads_and_samples_in_diffusers(plain: Any, tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    for _ in range(2):  # the second replaces the first
        export.export_diffusers(plain.state_dict(), folder, SIZE, betas="scaled_linear", steps=100)
    pipeline = diffusers.DDPMPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.scheduler.config.beta_schedule == "scaled_linear"
    x = noise(1, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(pipeline.unet(x, 10).sample, plain(x, 10).sample)
    picture = pipeline(num_inference_steps=2, generator=torch.Generator().manual_seed(0)).images[0]
    assert picture.size == (SIZE, SIZE)
    (folder / "model_index.json").unlink()
    with pytest.raises(BadInput, match="other files"):
        export.export_diffusers(plain.state_dict(), folder, SIZE)
    assert (folder / "unet").is_dir()
    with pytest.raises(BadCheckpoint, match="safetensors"):
        export.export_diffusers({"a": torch.zeros(1)}, tmp_path / "other", SIZE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exported"]
