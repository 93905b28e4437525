"""The network and objective of the original recipe (DDPM, arXiv 2006.11239) behind our denoiser
contract.

DDPM works in "variance preserving" coordinates x_t = sqrt(abar) * clean + sqrt(1 - abar) * noise;
the contract works in EDM's x = clean + sigma * noise. They differ by the factor sqrt(1 + sigma^2) =
1 / sqrt(abar), where sigma = sqrt((1 - abar) / abar). Letters as in ``denoiser.py``; T timesteps.
"""

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...errors import BadInput, MissingExtra
from ..denoiser import expand
from .fast_blocks import retune

if TYPE_CHECKING:
    from diffusers import UNet2DModel

Betas = Literal["linear", "scaled_linear", "squaredcos_cap_v2"]
Prediction = Literal["epsilon", "v_prediction", "sample"]

BETA_START, BETA_END = 1e-4, 0.02  # of the original recipe, and of DDPMScheduler


def from_config(config: dict[str, Any]) -> "UNet2DModel":
    """A ``UNet2DModel`` of any shape, freshly initialised.

    Raises:
        MissingExtra: diffusers is not installed.
    """
    try:
        from diffusers import UNet2DModel
    except ImportError:
        raise MissingExtra.library("diffusers", "faithful", "A UNet2DModel") from None
    return UNet2DModel(**config)


def config(
    size: int, widths: tuple[int, ...] = (64, 128, 256, 512), groups: int = 32
) -> dict[str, Any]:
    """The original network for pictures of side ``size``; tests use smaller ``widths`` (each a
    multiple of ``groups``).
    """
    return {
        "sample_size": size,
        "in_channels": 3,
        "out_channels": 3,
        "layers_per_block": 2,
        "block_out_channels": widths,
        "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        "norm_num_groups": groups,
    }


def build_unet2d(
    size: int, widths: tuple[int, ...] = (64, 128, 256, 512), groups: int = 32
) -> "UNet2DModel":
    """The original network, 63.2 million parameters at the default widths.

    Raises:
        MissingExtra: diffusers is not installed.
    """
    return from_config(config(size, widths, groups))


def alpha_bar(
    betas: Betas = "linear", steps: int = 1000, start: float = BETA_START, end: float = BETA_END
) -> Tensor:
    """Share of the signal's variance after each of the T = ``steps`` noise steps: (T,) float32,
    falling.

    The arithmetic is float32 as in ``DDPMScheduler``, so that both agree in every bit that matters.

    Raises:
        BadInput: an unknown schedule, or one that does not rise within (0, 1).
    """
    if not (2 <= steps <= 100_000 and 0 < start < end < 1):
        raise BadInput(
            f"A noise schedule of {steps} steps from {start} to {end} is none: use 2 to 100000 "
            "steps and 0 < start < end < 1."
        )
    if betas == "linear":
        beta = torch.linspace(start, end, steps, dtype=torch.float32)
    elif betas == "scaled_linear":  # latent diffusion, arXiv 2112.10752
        beta = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float32) ** 2
    elif betas == "squaredcos_cap_v2":  # arXiv 2102.09672, equation 17

        def bar(t: float) -> float:
            return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

        beta = torch.tensor(
            [min(1 - bar((i + 1) / steps) / bar(i / steps), 0.999) for i in range(steps)],
            dtype=torch.float32,
        )
    else:
        raise BadInput(
            f"There is no noise schedule '{betas}'; choose linear, scaled_linear or "
            "squaredcos_cap_v2."
        )
    return torch.cumprod(1.0 - beta, dim=0)


class DdpmDenoiser(nn.Module):
    """A ``UNet2DModel`` trained on discrete timesteps, as a denoiser over sigma.

    The blocks of ``net`` are swapped in place for faster ones with the same parameters
    (``blocks2d.py``).

    Args:
        net: a ``UNet2DModel``; it stays float32 whatever ``dtype`` says, and its state dict is the
            original's.
        dtype: of weights and activations inside the network; the float32 weights are cast once an
            evaluation.
        betas, steps: the noise schedule it was trained on.
        prediction: what the network returns: the noise, v (arXiv 2202.00512) or the clean image.
        clip: clamp the clean estimate to [-1, 1], as DDPMScheduler's ``clip_sample`` does.
    """

    abar: Tensor  # (T,) float32

    def __init__(
        self,
        net: nn.Module,
        dtype: torch.dtype = torch.float32,
        betas: Betas = "linear",
        steps: int = 1000,
        prediction: Prediction = "epsilon",
        clip: bool = True,
    ) -> None:
        super().__init__()
        self.net = net
        retune(net)
        self.dtype, self.prediction, self.clip = dtype, prediction, clip
        self.abar = alpha_bar(betas, steps)
        exact = self.abar.double()
        self.schedule: Tensor | None = ((1 - exact) / exact).sqrt().float()  # (T,), rising
        self.sigma_min, self.sigma_max = float(self.schedule[0]), float(self.schedule[-1])
        self._cast: tuple[tuple[int, ...], dict[str, Tensor]] = ((), {})

    def timestep(self, sigma: Tensor) -> Tensor:
        """(B,) float32 in [0, T - 1]: log sigma interpolated in the schedule; whole where sigma is
        a level of it.
        """
        assert self.schedule is not None
        levels = self.schedule.to(sigma.device)
        above = torch.searchsorted(
            levels, sigma.clamp(self.sigma_min, self.sigma_max).contiguous()
        ).clamp(1, len(levels) - 1)
        low, high, here = levels[above - 1].log(), levels[above].log(), sigma.log()
        share = ((here - low) / (high - low)).clamp(0, 1)
        return (above - 1) + share

    def _weights(self) -> dict[str, Tensor]:
        """The parameters in ``dtype``. While no gradient is wanted they are kept until a parameter
        changes.
        """
        named = dict(self.net.named_parameters())
        if torch.is_grad_enabled():
            return {name: self._in_dtype(p) for name, p in named.items()}
        key = tuple(value for p in named.values() for value in (p.data_ptr(), p._version))
        if self._cast[0] != key:
            self._cast = (key, {name: self._in_dtype(p) for name, p in named.items()})
        return self._cast[1]

    def _in_dtype(self, parameter: Tensor) -> Tensor:
        if parameter.ndim == 4:
            return parameter.to(self.dtype, memory_format=torch.channels_last)
        return parameter.to(self.dtype)

    def _network(self, noisy: Tensor, timestep: Tensor, mix: Tensor) -> Tensor:
        """What the network predicts (B, C, H, W) float32 for VP images and timesteps (B,)."""
        # learned for whole timesteps only
        if isinstance(getattr(self.net, "time_proj", None), nn.Embedding):
            timestep = timestep.round().long()

        inside: tuple[Any, ...] = (
            noisy.to(self.dtype, memory_format=torch.channels_last),
            timestep,
        )
        labels: dict[str, Any] = {"return_dict": False}

        # somebody else's; it knows one class at a time
        if getattr(self.net, "class_embedding", None) is not None:
            labels["class_labels"] = (
                mix.argmax(1)
                if mix.shape[1]
                else torch.zeros(len(noisy), dtype=torch.long, device=noisy.device)
            )

        # The parameters stay float32 for the optimiser; a copy in the lower precision computes.
        if self.dtype == torch.float32:
            out: Tensor = self.net(*inside, **labels)[0]
        else:
            out = functional_call(self.net, self._weights(), inside, labels)[0]

        return out.float()

    def forward(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
        """The expected clean image (B, C, H, W), float32; ``mix`` matters only to a network with
        classes of its own.
        """
        root = expand((1 + sigma**2).sqrt())  # 1 / sqrt(abar)
        noisy = x / root
        out = self._network(noisy, self.timestep(sigma), mix)
        if self.prediction == "epsilon":
            out = x - expand(sigma) * out
        elif self.prediction == "v_prediction":
            out = (noisy - expand(sigma) * out) / root
        return out.clamp(-1, 1) if self.clip else out

    def start(self, noise: Tensor, sigma: float) -> Tensor:
        """Such that the network first sees exactly the unit ``noise``, as the original loop
        starts.
        """
        return noise * math.sqrt(1 + sigma**2)

    def loss(
        self, x: Tensor, mix: Tensor, generator: torch.Generator, shrunk: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Mean squared error of each item's prediction at a uniform timestep (equation 14), and its
        sigma; both (B,).

        ``shrunk`` other than 1 is not part of the original recipe and changes nothing but the
        picture's size.
        """
        assert self.schedule is not None
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        timestep = torch.randint(
            0, len(self.abar), (x.shape[0],), generator=generator, device=x.device
        )
        abar = expand(self.abar.to(x.device)[timestep])
        noisy = abar.sqrt() * x + (1 - abar).sqrt() * noise
        target = {
            "epsilon": noise,
            "v_prediction": abar.sqrt() * noise - (1 - abar).sqrt() * x,
            "sample": x,
        }[self.prediction]
        out = self._network(noisy, timestep, mix)
        return (out - target).square().mean(dim=(1, 2, 3)), self.schedule.to(x.device)[timestep]
