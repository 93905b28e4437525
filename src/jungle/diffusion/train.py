"""The training loop, as a generator. It reads no clock and writes no file: who consumes it decides
when to save or stop.

Every random number of update n is a function of (seed, n), so a run that stops and goes on equals
one that never stopped.
"""

import copy
import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..config.recipes import Recipe
from ..errors import JungleError
from .denoiser import Trainable
from .device import out_of_memory
from .time_budget import CALIBRATION

Batches = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]
"""``batches(step, generator)`` -> images (B, C, H, W) float32 in [-1, 1] and mix (B, K), both on
the device.
"""

BANDS = (0.1, 0.4, 1.6, 6.4)  # edges in sigma: texture, detail, shape, layout, composition
SNAPSHOT_EVERY = 100  # updates between the states that a NaN goes back to
MAX_ROLLBACKS = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """What one update did. ``band_loss`` and ``band_count`` are per noise band (see BANDS),
    ``note`` a sentence or "".
    """

    step: int
    total: int
    images: int
    loss: float
    lr: float
    grad_norm: float
    band_loss: tuple[float, ...]
    band_count: tuple[int, ...]
    note: str = ""


@dataclass
class State:
    """All that changes during a run. ``total`` may be changed between updates: the schedule follows
    it.
    """

    optimizer: torch.optim.Optimizer
    ema: dict[str, Tensor]
    total: int
    micro_batch: int
    step: int = 0
    images: int = 0
    lr_scale: float = 1.0
    rollbacks: int = 0
    extra: dict[str, Any] = field(default_factory=dict)  # the consumer's own: time spent, for one

    def pack(self, net: nn.Module) -> dict[str, Any]:
        """Everything :meth:`unpack` needs, as tensors and plain values; a view of the live state,
        copy it to keep it.
        """
        plain = {
            k: getattr(self, k)
            for k in ("total", "micro_batch", "step", "images", "lr_scale", "rollbacks", "extra")
        }
        return {
            "net": net.state_dict(),
            "ema": self.ema,
            "optimizer": self.optimizer.state_dict(),
            **plain,
        }

    def unpack(self, net: nn.Module, packed: dict[str, Any]) -> None:
        """Go on from a packed state."""
        net.load_state_dict(packed["net"])
        for name, value in packed["ema"].items():
            self.ema[name].copy_(value)
        self.optimizer.load_state_dict(packed["optimizer"])
        for key in ("total", "micro_batch", "step", "images", "lr_scale", "rollbacks", "extra"):
            setattr(self, key, packed[key])


def begin_training(model: Trainable, recipe: Recipe, total: int) -> State:
    """A state before the first update: AdamW, and the EMA equal to the weights."""
    fused = next(model.net.parameters()).device.type in {"cpu", "cuda"}
    optimizer = torch.optim.AdamW(
        model.net.parameters(),
        lr=recipe.lr,
        betas=(0.9, recipe.beta2),
        weight_decay=recipe.weight_decay,
        fused=fused,
    )
    ema = (
        {name: value.detach().clone() for name, value in model.net.state_dict().items()}
        if recipe.ema
        else {}
    )
    return State(optimizer, ema, total, recipe.micro_batch or recipe.batch)


def learning_rate(recipe: Recipe, step: int, total: int) -> float:
    """Linear warm-up, then constant, inverse square root (EDM2, arXiv 2312.02696, section 2.5), or
    "wsd": constant, and linear to zero over the last 40 % (MiniCPM, arXiv 2404.06395, section 4.2).
    """
    warm: float = min(1.0, (step + 1) / recipe.warmup) if recipe.warmup else 1.0
    if recipe.decay == "wsd":
        return recipe.lr * warm * min(1.0, (1 - step / max(total, 1)) / 0.4)
    if recipe.decay == "rsqrt":
        return recipe.lr * warm / math.sqrt(max(1.0, step / max(0.1 * total, 1)))
    return recipe.lr * warm


def ema_exponent(width: float) -> float:
    """gamma of the power-function EMA whose relative standard deviation is ``width`` (EDM2,
    algorithm 2).
    """
    roots = np.roots([1, 7, 16 - width**-2, 12 - width**-2])
    return float(roots.real.max())


@torch.no_grad()
def update_ema(ema: dict[str, Tensor], net: nn.Module, step: int, width: float) -> None:
    """ema <- beta ema + (1 - beta) weights, beta = (1 - 1/step)^(gamma + 1) (EDM2, equation 127):
    its length follows the run.
    """
    beta = (1 - 1 / step) ** (ema_exponent(width) + 1)
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            ema[name].lerp_(value, 1 - beta)
        else:
            ema[name].copy_(value)


def seed_of(seed: int, step: int) -> int:
    """A 32-bit seed for update ``step``; 32 bits because the CPU generator uses no more."""
    return int.from_bytes(
        hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=4).digest(), "little"
    )


def _gradients(
    model: Trainable, x: Tensor, mix: Tensor, micro: int, generator: torch.Generator, shrunk: int
) -> tuple[Tensor, Tensor]:
    """Backward through the batch in pieces of ``micro``; returns loss and sigma of each item
    (B,).
    """
    losses, sigmas = [], []
    for piece, piece_mix in zip(torch.split(x, micro), torch.split(mix, micro), strict=True):
        loss, sigma = model.loss(piece, piece_mix, generator, shrunk)
        torch.autograd.backward(loss.sum() / x.shape[0])
        losses.append(loss.detach())
        sigmas.append(sigma)
    return torch.cat(losses), torch.cat(sigmas)


def _attempt(
    model: Trainable, x: Tensor, mix: Tensor, state: State, seed: int, shrunk: int
) -> tuple[Tensor, Tensor, str]:
    """Gradients of one update; when memory runs out the micro-batch is halved and the effective
    batch kept.
    """
    note = ""
    while True:
        generator = torch.Generator(x.device).manual_seed(seed)
        torch.manual_seed(seed)  # dropout draws from the global generator
        state.optimizer.zero_grad(set_to_none=True)
        try:
            return *_gradients(model, x, mix, state.micro_batch, generator, shrunk), note
        except RuntimeError as error:
            if not out_of_memory(error) or state.micro_batch == 1:
                raise
        state.micro_batch = max(1, state.micro_batch // 2)
        if x.device.type == "cuda":
            torch.cuda.empty_cache()
        note = (
            f"Memory ran out: now {state.micro_batch} pictures at once, the batch of {x.shape[0]} "
            "stays the same."
        )


def _bands(loss: Tensor, sigma: Tensor) -> tuple[tuple[float, ...], tuple[int, ...]]:
    index = torch.bucketize(sigma, torch.tensor(BANDS, device=sigma.device))
    count = torch.bincount(index, minlength=len(BANDS) + 1)
    total = torch.bincount(index, weights=loss, minlength=len(BANDS) + 1)
    return tuple(total.tolist()), tuple(count.tolist())


def shrunk_at(recipe: Recipe, state: State) -> int:
    """How many times the pictures of the next update are shrunk: 2 in the first part of the run,
    then 1.
    """
    return 2 if CALIBRATION <= state.step < recipe.small_share * state.total else 1


def train(model: Trainable, batches: Batches, recipe: Recipe, state: State) -> Iterator[Progress]:
    """Train until ``state.step`` reaches ``state.total``, yielding after each update.

    A loss or gradient that is not finite goes back to the last good state with half the learning
    rate and says so.

    Raises:
        JungleError: it happened more than MAX_ROLLBACKS times.
    """
    device = next(model.net.parameters()).device
    good = copy.deepcopy(state.pack(model.net))

    while state.step < state.total:
        seed = seed_of(recipe.seed, state.step)
        draw = torch.Generator(device).manual_seed(seed)
        x, mix = batches(state.step, draw)

        # Some photos lose their class, so that the network also learns "any animal" (Ho and
        # Salimans 2022, arXiv 2207.12598).
        keep = torch.rand(len(mix), generator=draw, device=device) >= recipe.drop_mix
        shrunk = shrunk_at(recipe, state)
        if shrunk > 1:
            x = nn.functional.avg_pool2d(x, shrunk)
        loss, sigma, note = _attempt(
            model, x, mix * keep[:, None], state, seed_of(recipe.seed, -1 - state.step), shrunk
        )
        norm = nn.utils.clip_grad_norm_(model.net.parameters(), recipe.clip or float("inf"))

        mean = float(loss.mean())

        # A loss that is no number has spoilt nothing yet: the step is not taken, and the last good
        # state comes back.
        if not (np.isfinite(mean) and bool(norm.isfinite())):
            rollbacks, scale, failed = state.rollbacks + 1, state.lr_scale / 2, state.step
            if rollbacks > MAX_ROLLBACKS:
                raise JungleError(
                    f"Training broke down {rollbacks} times (a loss that is not a number): start "
                    f"again with -o lr={recipe.lr / 10:g}."
                )
            state.unpack(model.net, copy.deepcopy(good))
            state.rollbacks, state.lr_scale = rollbacks, scale
            note = (
                f"The loss of update {failed} was not a number: back to update {state.step}, "
                "learning rate halved."
            )
            yield Progress(
                state.step, state.total, state.images, mean, 0.0, float(norm), (), (), note
            )
            continue

        lr = learning_rate(recipe, state.step, state.total) * state.lr_scale
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        state.optimizer.step()
        state.step += 1
        state.images += len(x)
        if state.ema:
            update_ema(state.ema, model.net, state.step, recipe.ema)

        # A copy in memory, so that going back costs no file.
        if state.step % SNAPSHOT_EVERY == 0:
            good = copy.deepcopy(state.pack(model.net))
        yield Progress(
            state.step, state.total, state.images, mean, lr, float(norm), *_bands(loss, sigma), note
        )
