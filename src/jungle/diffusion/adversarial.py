"""Adversarial training of a diffusion model in the feature space of a pretrained network: from many
evaluations to a few.

The generator is the denoiser itself, asked at a few noise levels: it answers with a clean picture,
noise of the next level is added, and it answers again (multistep consistency sampling, Song et al.
2023, arXiv 2303.01469, algorithm 1). The discriminator reads maps of a frozen network
(``discriminator.py``; on diffusion models ADD, Sauer et al. 2023, arXiv 2311.17042). What the lower
levels get in training are the generator's own pictures (backward simulation, DMD2, Yin et al. 2024,
arXiv 2405.14867, section 4.5), kept from the update before: so the whole chain is simulated at the
cost of one evaluation.

Letters: B pictures, K classes, L levels, N = B / L pictures of each level.
"""

import copy
import dataclasses
from collections.abc import Iterator

import torch
from torch import nn

from ..config.recipes import AdversarialRecipe
from ..errors import JungleError
from .adversarial_state import (
    AdversarialProgress,
    AdversarialSetup,
    AdversarialState,
    Critic,
    Perceive,
    Photos,
)
from .adversarial_update import SEEDS, Updates
from .denoiser import Trainable
from .discriminator import Discriminator
from .feature_drift import DEPTH, FeatureQueues
from .guards import WINDOW, Watch
from .moments import RunningMoments
from .train import MAX_ROLLBACKS, seed_of

__all__ = [
    "AdversarialProgress",
    "AdversarialRecipe",
    "AdversarialSetup",
    "AdversarialState",
    "Critic",
    "Discriminator",
    "Perceive",
    "Photos",
    "adversarial_train",
    "begin_adversarial",
]


def begin_adversarial(
    model: Trainable, setup: AdversarialSetup, recipe: AdversarialRecipe, total: int
) -> AdversarialState:
    """A state before the first of ``total`` updates; the model keeps its weights."""
    device = next(model.net.parameters()).device
    levels, classes = len(setup.levels), setup.classes
    count = recipe.batch // levels
    critics = [_begin_critic(setup, index, recipe, device) for index in range(len(setup.perceive))]
    return AdversarialState(
        critics,
        torch.optim.Adam(model.net.parameters(), lr=recipe.lr, betas=(0.0, recipe.beta2)),
        {name: value.detach().clone() for name, value in model.net.state_dict().items()},
        torch.zeros(levels - 1, count, 3, *setup.size, device=device),
        torch.zeros(levels, count, classes, device=device),
        Watch.begin(classes, critics[0].discriminator.features, setup.size),
        total,
    )


def _begin_critic(
    setup: AdversarialSetup, index: int, recipe: AdversarialRecipe, device: torch.device
) -> Critic:
    """A discriminator on the maps of frozen network ``index``, and running features of nothing."""
    side = min(recipe.sizes)

    # The widths of the maps belong to the frozen network: one blank picture tells them.
    with torch.no_grad():
        maps = setup.perceive[index](torch.zeros(1, 3, side, side, device=device))
    channels, sides = zip(*(m.shape[1:3] for m in maps), strict=True)

    # Its own seed, so that a second network does not change the heads of the first.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(setup.seed, SEEDS - 1 - index))
        discriminator = Discriminator(channels, sides, setup.classes).to(device)

    trained = [p for p in discriminator.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=recipe.head_lr, betas=(0.0, recipe.beta2))
    if not recipe.drift_weight:
        return Critic(discriminator, optimizer, None, None)
    features = discriminator.features
    queues = FeatureQueues.empty(setup.classes, DEPTH, features, device)
    return Critic(
        discriminator, optimizer, queues, RunningMoments.empty(len(setup.levels), features, device)
    )


def adversarial_train(
    model: Trainable, setup: AdversarialSetup, recipe: AdversarialRecipe, state: AdversarialState
) -> Iterator[AdversarialProgress]:
    """Train until ``state.step`` reaches ``state.total``, yielding after each update.

    A loss that is not a number, or a guard that fires (``guards.py``), goes back to the last good
    state with half the learning rates and says so; after MAX_ROLLBACKS times training ends there.

    Raises:
        JungleError: it breaks down before any state is good.
    """
    if state.good is None:
        state.good = copy.deepcopy(state.pack(model.net))
    loop = Updates(model, setup, recipe, state)
    while state.step < state.total:
        progress = loop.update()
        fault = "" if progress.is_finite else "a loss is not a number"
        if not fault and state.watch.updates == WINDOW:
            fault, calm = state.watch.close()
            if calm:
                state.good = copy.deepcopy(state.pack(model.net))
        yield _go_back(model.net, state, progress, fault) if fault else progress


def _go_back(
    net: nn.Module, state: AdversarialState, progress: AdversarialProgress, fault: str
) -> AdversarialProgress:
    """Take the last good state with half the learning rates; ``progress`` with a note on it."""
    # Unpacking restores the counters, too; these three must outlive it.
    rollbacks, scale, total = state.rollbacks + 1, state.lr_scale / 2, state.total
    state.unpack(net, copy.deepcopy(state.good or {}))
    state.rollbacks, state.lr_scale, state.total = rollbacks, scale, total
    note = f"Adversarial update {progress.step}: {fault}. Back to update {state.step}"
    if rollbacks <= MAX_ROLLBACKS:
        note += ", learning rates halved."
        return dataclasses.replace(progress, step=state.step, images=state.images, note=note)

    if state.step == 0:
        raise JungleError(
            f"Adversarial training broke down {rollbacks} times at its start ({fault}): "
            "begin with a model that learned for longer, or train with -o adversarial_share=0."
        )
    state.total = state.step
    note += f" for the {rollbacks}th time, where training ends: the model is the last good one."
    step, images = state.step, state.images
    return dataclasses.replace(progress, step=step, total=step, images=images, note=note)
