"""From a network to a denoiser: preconditioning, loss, guidance. A denoiser maps (x, sigma, mix) to
the clean image.

Letters: B items, C channels, K classes. ``x`` is (B, C, H, W) float32, the clean image in [-1, 1]
plus noise of standard deviation ``sigma`` (B,); ``mix`` is (B, K) float32, class weights that sum
to 1, or all zeros for "any animal".
"""

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from ..config.recipes import Recipe

Network = Callable[[Tensor, Tensor, Tensor], Tensor]


class Denoiser(Protocol):
    """What samplers and the training loop need. Ours (:class:`EdmDenoiser`) and the faithful one
    are both one.
    """

    sigma_min: float
    sigma_max: float
    # sigma of each training timestep, ascending; None where training was continuous
    schedule: Tensor | None

    def __call__(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
        """The expected clean image (B, C, H, W), float32."""
        ...

    def start(self, noise: Tensor, sigma: float) -> Tensor:
        """Where sampling begins: unit ``noise`` brought to level ``sigma`` (EDM: noise * sigma)."""
        ...


class Trainable(Denoiser, Protocol):
    """A denoiser that can be trained."""

    net: nn.Module

    def loss(
        self, x: Tensor, mix: Tensor, generator: torch.Generator, shrunk: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Weighted squared error of each item (B,) float32, and the noise level (B,) each was
        measured at.

        ``shrunk``: how many times ``x`` was shrunk. Averaging k x k pixels divides white noise by
        k, so a shrunk picture gets sigma / k and the network is still told sigma: what is left
        visible at a level is the same at both sizes.
        """
        ...


def expand(sigma: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1)."""
    return sigma[:, None, None, None]


def draw_sigma(x: Tensor, mean: float, deviation: float, generator: torch.Generator) -> Tensor:
    """A log-normal noise level for each item of ``x``, (B,), one in each of B equal parts of the
    density: less variance.
    """
    count = x.shape[0]
    inside = torch.rand(count, generator=generator, device=x.device)
    part = torch.randperm(count, generator=generator, device=x.device)
    uniform = (part + inside.clamp(1e-4, 1 - 1e-4)) / count
    # the inverse of the normal distribution function
    normal: Tensor = math.sqrt(2) * torch.erfinv(2 * uniform - 1)
    return (normal * deviation + mean).exp()


class OwnDenoiser(nn.Module):
    """What our two objectives share.

    Args:
        net: maps (x scaled to unit variance, log(sigma)/4, mix) to an image.
        recipe: gives sigma_data, p_mean, p_std and the sampler's range of sigma.
        dtype: of the activations inside ``net``; everything outside stays float32.
    """

    def __init__(self, net: nn.Module, recipe: Recipe, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.net = net
        self.dtype = dtype
        self.schedule: Tensor | None = None
        self.sigma_data, self.p_mean, self.p_std = recipe.sigma_data, recipe.p_mean, recipe.p_std
        self.sigma_min, self.sigma_max = recipe.sample.sigma_min, recipe.sample.sigma_max
        self.shrunk = 1

    def shrink(self, shrunk: int) -> None:
        """From now on denoise pictures that are shrunk so many times, as the first part of a run
        trains it to.
        """
        self.sigma_max *= self.shrunk / shrunk
        self.shrunk = shrunk

    def start(self, noise: Tensor, sigma: float) -> Tensor:
        """Unit noise times sigma."""
        return noise * sigma

    def ask(self, inside: Tensor, told: Tensor, mix: Tensor) -> Tensor:
        """What the network answers (B, C, H, W) float32 to unit-variance pictures and the noise
        level it is told.
        """
        out: Tensor = self.net(
            inside.to(self.dtype, memory_format=torch.channels_last), told.log() / 4, mix
        )
        return out.float()


class EdmDenoiser(OwnDenoiser):
    """Preconditioning and loss of Karras et al. 2022 (arXiv 2206.00364), table 1."""

    def forward(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
        """The expected clean image (B, C, H, W), float32 (equation 7)."""
        s, d = expand(sigma), self.sigma_data
        c_skip = d**2 / (s**2 + d**2)
        c_out = s * d / (s**2 + d**2).sqrt()
        c_in = 1 / (s**2 + d**2).sqrt()
        return c_skip * x + c_out * self.ask(c_in * x, sigma * self.shrunk, mix)

    def loss(
        self, x: Tensor, mix: Tensor, generator: torch.Generator, shrunk: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Equation 8, sigma log-normal: lambda(sigma) * mean squared error of each item, and sigma;
        both (B,).
        """
        self.shrink(shrunk)
        told = draw_sigma(x, self.p_mean, self.p_std, generator)
        sigma = told / shrunk
        noise = torch.randn(x.shape, generator=generator, device=x.device) * expand(sigma)
        weight = (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2
        return weight * (self(x + noise, sigma, mix) - x).square().mean(dim=(1, 2, 3)), told


class FlowDenoiser(OwnDenoiser):
    """Flow matching on straight paths with logit-normal times (arXiv 2403.03206, sections 2 and
    3.1).

    The path z = (1 - t) x + t noise is EDM's x + sigma noise divided by 1 + sigma, with sigma = t /
    (1 - t): so the same samplers serve both. ``p_mean`` and ``p_std`` are those of logit(t) =
    log(sigma); 2 z has about unit variance.
    """

    def forward(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
        """The expected clean image (B, C, H, W), float32: z - t * velocity."""
        s = expand(sigma)
        z = x / (1 + s)
        return z - s / (1 + s) * self.ask(2 * z, sigma * self.shrunk, mix)

    def loss(
        self, x: Tensor, mix: Tensor, generator: torch.Generator, shrunk: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Mean squared error of the velocity noise - x of each item, and sigma; both (B,)."""
        self.shrink(shrunk)
        told = draw_sigma(x, self.p_mean, self.p_std, generator)
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        sigma = told / shrunk
        t = expand(sigma / (1 + sigma))
        velocity = self.ask(2 * ((1 - t) * x + t * noise), told, mix)
        return (velocity - (noise - x)).square().mean(dim=(1, 2, 3)), told


class EpsilonDenoiser(OwnDenoiser):
    """Noise prediction with the min-SNR weight (arXiv 2303.09556, section 3.4) on noise levels as
    continuous as EDM's.
    """

    GAMMA = 5.0  # arXiv 2303.09556, section 4.1

    def forward(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
        """The expected clean image (B, C, H, W), float32: x - sigma * noise."""
        s = expand(sigma)
        return x - s * self.ask(x / (s**2 + self.sigma_data**2).sqrt(), sigma * self.shrunk, mix)

    def loss(
        self, x: Tensor, mix: Tensor, generator: torch.Generator, shrunk: int = 1
    ) -> tuple[Tensor, Tensor]:
        """min(SNR, gamma) / SNR * mean squared error of the noise of each item, SNR = 1 / sigma^2;
        and sigma; both (B,).
        """
        self.shrink(shrunk)
        told = draw_sigma(x, self.p_mean, self.p_std, generator)
        sigma = told / shrunk
        s = expand(sigma)
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        result = self.ask((x + s * noise) / (s**2 + self.sigma_data**2).sqrt(), told, mix)
        return (self.GAMMA * sigma**2).clamp(max=1) * (result - noise).square().mean(
            dim=(1, 2, 3)
        ), told


OBJECTIVES: dict[str, Callable[[nn.Module, Recipe, torch.dtype], Trainable]] = {
    "edm": EdmDenoiser,
    "flow": FlowDenoiser,
    "epsilon": EpsilonDenoiser,
}
"""By ``Recipe.objective``; "ddpm" belongs to the faithful network."""
