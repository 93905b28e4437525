"""Other people's models: a bare ``UNet2DModel`` state dict, recognised by the names and shapes of
its tensors.

What tensors cannot show is asked for, or assumed as in diffusers: heads of 8 channels, 32 groups, a
linear schedule of 1000 steps, prediction of the noise. :func:`read_pth` opens files without ever
running code from them.
"""

import math
import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import torch
from torch import Tensor

from ...errors import BadCheckpoint

if TYPE_CHECKING:
    from .ddpm import Betas, DdpmDenoiser, Prediction

# Averaged weights first: they paint better. Then what training scripts call the plain ones.
NESTS = (
    "ema_state_dict",
    "model_ema",
    "ema",
    "ema_model",
    "model_state_dict",
    "state_dict",
    "model",
    "unet",
    "net",
    "weights",
)
# names before diffusers 0.15
OLD_ATTENTION = {
    "query": "to_q",
    "key": "to_k",
    "value": "to_v",
    "proj_attn": "to_out.0",
}
ANCHOR = "conv_in.weight"  # in every UNet2DModel
# What readers raise on damaged files
DAMAGE = (
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    OSError,
    AttributeError,
    TypeError,
    AssertionError,
    struct.error,
    BadZipFile,
)


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A recognised state dict: ``state`` under the names of today's diffusers, and the network's
    ``config``.
    """

    state: dict[str, Tensor]
    config: dict[str, Any]
    betas: "Betas"
    steps: int
    prediction: "Prediction"
    summary: str

    def denoiser(self, dtype: torch.dtype = torch.float32) -> "DdpmDenoiser":
        """The network with its weights, ready to sample, on the CPU."""
        from . import ddpm

        net = ddpm.from_config(self.config)
        net.load_state_dict(self.state)
        return ddpm.DdpmDenoiser(net.eval(), dtype, self.betas, self.steps, self.prediction)


def _web_or_pointer(head: bytes) -> str | None:
    """What a file that begins with ``head`` is instead of a model, or None."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        return (
            "is only a pointer of Git LFS, not the model: run  git lfs pull  in its folder, or "
            "download the file itself"
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "is a web page, not a model: the download needs a login or another address"
    return None


def read_pth(path: Path) -> dict[str, Any]:
    """What lies in a .pth or .safetensors file, on the CPU; no code from the file is run.

    Raises:
        BadCheckpoint: the file is missing, damaged, something else, or holds Python objects.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise BadCheckpoint(f"There is no model file {path}: check the name.") from None
    except IsADirectoryError:
        raise BadCheckpoint(f"{path} is a folder: name the model file in it.") from None
    except OSError as error:
        raise BadCheckpoint(
            f"{path} cannot be read ({error.strerror}): check its permissions."
        ) from None

    if not head:
        raise BadCheckpoint(f"{path} is empty: copy or download it again.")
    wrong = _web_or_pointer(head)
    if wrong:
        raise BadCheckpoint(f"{path} {wrong}.")
    if head[8:9] == b"{":  # safetensors: eight bytes of length, then JSON
        return _read_safetensors(path)

    # A zip is what torch.save writes, 0x80 begins an old pickle; nothing else is handed to torch.
    if not head.startswith((b"PK", b"\x80")):
        raise BadCheckpoint(
            f"{path} is no model file: jungle opens what torch.save or safetensors wrote."
        )

    content = _load(path)
    if not isinstance(content, dict):
        raise BadCheckpoint(
            f"{path} holds no state dict but a {type(content).__name__}: save with  "
            "torch.save(model.state_dict(), path)."
        )

    return content


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, *DAMAGE) as error:
        raise BadCheckpoint(
            f"{path} looks like safetensors but is damaged ({_line(error)}): copy or download it "
            "again."
        ) from None


def _load(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats; nothing that the user can change
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch refuses unknown classes and names them: that is the useful part of its message.
        match = re.search(r"(?:GLOBAL |Unsupported class |function )([\w.]+)", str(error))
        if match:
            raise BadCheckpoint(
                f"{path} holds Python objects ({match[1]}), which could run code and are not "
                "opened: "
                "save only the weights, with  torch.save(model.state_dict(), path)  where it was "
                "trained."
            ) from None
        raise BadCheckpoint(
            f"{path} is damaged or is no model: copy or download it again."
        ) from None
    except DAMAGE as error:
        if "TorchScript" in str(error):
            raise BadCheckpoint(
                f"{path} is a TorchScript program, which is not opened: save  model.state_dict()  "
                "instead."
            ) from None
        raise BadCheckpoint(
            f"{path} is damaged or cut off ({_line(error)}): copy or download it again."
        ) from None


def _line(error: BaseException) -> str:
    """The first sentence of ``error``, at most 120 characters."""
    text = re.split(r"\n|\. ", str(getattr(error, "strerror", None) or error).strip())[0]
    return text[:120].rstrip(".: ") or type(error).__name__


def unwrap(content: Mapping[str, Any]) -> dict[str, Tensor] | None:
    """The tensors of the ``UNet2DModel`` inside nested dictionaries and name prefixes, in float32;
    None if there is none.
    """
    for name in NESTS:
        inner = content.get(name)
        result = unwrap(inner) if isinstance(inner, Mapping) else None
        if result:
            return result

    anchors = [
        key
        for key in content
        if isinstance(key, str)
        and key.endswith(ANCHOR)
        and key.removesuffix(ANCHOR)[-1:] in ("", ".")
    ]
    if not anchors:
        return None

    # Where a file holds a network twice, the averaged one paints better.
    prefix = min(anchors, key=lambda key: ("ema" not in key, len(key))).removesuffix(ANCHOR)
    state: dict[str, Tensor] = {}

    # Names of attention layers before diffusers 0.17 are brought to those of today.
    for key, value in content.items():
        if (
            isinstance(key, str)
            and key.startswith(prefix)
            and isinstance(value, Tensor)
            and value.is_floating_point()
        ):
            parts = key.removeprefix(prefix)
            old = re.fullmatch(
                r"(.*attentions\.\d+)\.(query|key|value|proj_attn)\.(weight|bias)", parts
            )
            state[f"{old[1]}.{OLD_ATTENTION[old[2]]}.{old[3]}" if old else parts] = (
                value.detach().float()
            )

    return state if any(key.startswith("down_blocks.") for key in state) else None


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """One more than the largest number that ``pattern`` finds in a name."""
    return 1 + max(
        (int(found[1]) for key in state if (found := re.match(pattern, key))), default=-1
    )


def _refuse_unknown(state: Mapping[str, Tensor]) -> None:
    """Networks that share names with UNet2DModel and mean something else."""
    images = state[ANCHOR].shape[1] if state[ANCHOR].ndim == 4 else 0

    returned = len(state["conv_out.weight"]) if "conv_out.weight" in state else images
    if images != 3 or returned != 3:
        raise BadCheckpoint(
            f"This model maps pictures of {images} channels to {returned}; jungle paints colour "
            "pictures, 3 to 3."
        )

    # These load without an error into the wrong network, and paint noise.
    for part, kind in (
        ("transformer_blocks", "a text-to-image network (UNet2DConditionModel)"),
        ("skip_conv", "an NCSN++ network with skip blocks"),
        ("class_embedding.linear_1", "a network conditioned on a second number"),
    ):
        if any(part in key for key in state):
            raise BadCheckpoint(
                f"This model is {kind}; jungle opens plain UNet2DModel state dicts."
            )

    if state.get("time_proj.weight", torch.zeros(1, 1)).ndim == 1:
        raise BadCheckpoint(
            "This model knows continuous noise levels (Fourier time embedding), not DDPM steps; "
            "jungle cannot sample it."
        )


def _infer(state: Mapping[str, Tensor], size: int, head_dim: int, groups: int) -> dict[str, Any]:
    """The arguments of ``UNet2DModel`` that names and shapes betray."""
    blocks = _count(state, r"down_blocks\.(\d+)\.")
    widths = tuple(
        len(state.get(f"down_blocks.{i}.resnets.0.conv1.weight", torch.empty(1)))
        for i in range(blocks)
    )
    shift = state.get("down_blocks.0.resnets.0.time_emb_proj.weight", torch.empty(widths[0]))

    # Blocks with attention are told by the names of their tensors alone.
    def kinds(side: str) -> tuple[str, ...]:
        attends = [
            any(key.startswith(f"{side}_blocks.{i}.attentions.") for key in state)
            for i in range(blocks)
        ]
        return tuple(f"{'Attn' if attending else ''}{side.title()}Block2D" for attending in attends)

    config: dict[str, Any] = {
        "sample_size": size,
        "in_channels": 3,
        "out_channels": 3,
        "layers_per_block": _count(state, r"down_blocks\.0\.resnets\.(\d+)\."),
        "block_out_channels": widths,
        "down_block_types": kinds("down"),
        "up_block_types": kinds("up"),
        "mid_block_type": "UNetMidBlock2D"
        if any(key.startswith("mid_block.") for key in state)
        else None,
        "add_attention": any(key.startswith("mid_block.attentions.") for key in state),
        "attention_head_dim": head_dim,
        "norm_num_groups": groups or math.gcd(32, *widths),
        "resnet_time_scale_shift": "scale_shift" if len(shift) == 2 * widths[0] else "default",
    }

    # What differs from the defaults is only passed on where its tensors are there.
    if "time_embedding.linear_1.weight" in state:
        config["time_embedding_dim"] = len(state["time_embedding.linear_1.weight"])
    if "time_proj.weight" in state:
        config |= {
            "time_embedding_type": "learned",
            "num_train_timesteps": len(state["time_proj.weight"]),
        }
    if "class_embedding.weight" in state:
        config["num_class_embeds"] = len(state["class_embedding.weight"])
    return config


def _check(state: Mapping[str, Tensor], config: dict[str, Any]) -> None:
    """Compare every tensor with the network of ``config``, built without memory."""
    from . import ddpm

    try:
        # On the meta device a network has shapes and no memory.
        with torch.device("meta"):
            expected = {
                name: tuple(value.shape)
                for name, value in ddpm.from_config(config).state_dict().items()
            }
    except (ValueError, ZeroDivisionError, RuntimeError) as error:
        raise BadCheckpoint(
            f"This model's tensors fit no UNet2DModel ({_line(error)}): it may be incomplete."
        ) from None
    for name in sorted(expected.keys() | state.keys()):
        want, got = expected.get(name), tuple(state[name].shape) if name in state else None
        if want != got:
            raise BadCheckpoint(
                f"This model is no complete UNet2DModel: its tensor '{name}' should be "
                f"{want or 'absent'} and is {got or 'missing'}; "
                "save the whole state dict again with  torch.save(model.state_dict(), path)."
            )
        if not bool(state[name].isfinite().all()):
            raise BadCheckpoint(
                f"This model's tensor '{name}' is not finite: its training broke, so take an "
                "earlier checkpoint."
            )


def recognise(  # noqa: PLR0913
    content: Mapping[str, Any],
    size: int = 64,
    betas: "Betas" = "linear",
    steps: int = 0,
    prediction: "Prediction" = "epsilon",
    head_dim: int = 8,
    groups: int = 0,
) -> ForeignModel | None:
    """The ``UNet2DModel`` whose tensors lie in ``content`` (nested or prefixed as training scripts
    do), or None.

    The arguments are what tensors cannot show.

    Args:
        size: side of the pictures in pixels it was trained on.
        betas, steps: its noise schedule; 0 steps means as many as its time embedding knows, else
            1000.
        prediction: what it returns.
        head_dim: channels of an attention head.
        groups: of its norms; 0 means 32, or fewer where its widths are no multiples of 32.

    Raises:
        BadCheckpoint: it is a network of another kind, or its tensors do not fit together.
        MissingExtra: diffusers is not installed.
    """
    state = unwrap(content)
    if state is None:
        return None
    _refuse_unknown(state)
    config = _infer(state, size, head_dim, groups)
    _check(state, config)
    steps = steps or config.get("num_train_timesteps", 1000)
    millions = sum(value.numel() for value in state.values()) / 1e6
    classes = f", {config['num_class_embeds']} classes" if "num_class_embeds" in config else ""
    widths = "-".join(map(str, config["block_out_channels"]))
    summary = (
        f"a UNet2DModel of {millions:.1f} million parameters ({widths} channels{classes}); "
        f"assumed: pictures of {size}x{size}, "
        f"{betas} noise schedule of {steps} steps, {prediction} prediction, attention heads of "
        f"{head_dim} channels"
    )

    return ForeignModel(state, config, betas, steps, prediction, summary)
