"""One update of adversarial training: a step of the discriminator and one of the generator.

Letters: B pictures, K classes, L levels, N = B / L pictures of each level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..config.recipes import AdversarialRecipe
from .adversarial_state import AdversarialProgress, AdversarialSetup, AdversarialState, Critic
from .denoiser import Trainable, expand
from .discriminator import View, augment, draw_view, hinge, show
from .feature_drift import class_gap, drift
from .guards import Sight
from .moments import colour_statistics, confidence
from .train import seed_of, update_ema

SEEDS = 10**12
"""Update n of this part draws from ``seed_of(seed, SEEDS + n)``: other numbers than diffusion."""

CLIP = 5.0
"""The largest norm of the generator's gradient."""


def rate(recipe: AdversarialRecipe, step: int, total: int) -> float:
    """The factor of both learning rates: a linear warm-up, 1, and a linear fall at the end."""
    warm = min(1.0, (step + 1) / recipe.warmup) if recipe.warmup else 1.0
    return warm * min(1.0, (1 - step / max(total, 1)) / recipe.fall) if recipe.fall else warm


def draw_mix(mix: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A ``share`` of the one-hot rows (B, K) becomes a mix with another of the batch."""
    other = mix[torch.randperm(len(mix), generator=generator).to(mix.device)]
    weight = (0.5 + 0.3 * torch.rand(len(mix), 1, generator=generator)).to(mix.device)
    mixed = (torch.rand(len(mix), 1, generator=generator) < share).to(mix.device)
    return torch.where(mixed, weight * mix + (1 - weight) * other, mix)


def add_noise(
    fake: Tensor, real: Tensor, recipe: AdversarialRecipe, generator: torch.Generator
) -> list[Tensor]:
    """Both with noise of the same sigma, in some updates.

    The frozen network answers to patterns too fine to be seen, and the generator finds them; under
    noise they do not pay (randomised smoothing, Cohen et al. 2019, arXiv 1902.02918).
    """
    if float(torch.rand((), generator=generator)) >= recipe.noise_share:
        return [fake, real]
    sigma = recipe.noise * float(torch.rand((), generator=generator))
    return [
        x + sigma * torch.randn(x.shape, generator=generator).to(x.device) for x in (fake, real)
    ]


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one update works on: A pictures to be generated, R photos, P photos with noise."""

    real: Tensor  # (R, 3, H, W)
    real_mix: Tensor  # (R, K)
    hidden: Tensor  # (P, 3, H, W), the photos that get noise
    x: Tensor  # (A + P, 3, H, W), what the generator is asked
    sigma: Tensor  # (A + P,)
    mix: Tensor  # (A + P, K)
    active: int  # A


@dataclass(frozen=True, slots=True)
class _Seen:
    """Pictures as the discriminator gets them."""

    pictures: Tensor
    maps: list[Tensor]
    mix: Tensor
    view: View

    @property
    def features(self) -> Tensor:
        """The pooled last map, (B, D)."""
        return self.maps[-1].mean(dim=(2, 3))

    @property
    def labels(self) -> Tensor:
        """The class, or the stronger one of a mix, (B,)."""
        return self.mix.argmax(dim=1)

    @property
    def pure(self) -> Tensor:
        """Which pictures are of one class, (B,)."""
        return self.mix.amax(dim=1) > 0.99

    def detached(self) -> "_Seen":
        """The same without gradients to the generator, so that the frozen network reads it once."""
        return _Seen(self.pictures.detach(), [m.detach() for m in self.maps], self.mix, self.view)


class Updates:
    """One update after the other."""

    def __init__(
        self,
        model: Trainable,
        setup: AdversarialSetup,
        recipe: AdversarialRecipe,
        state: AdversarialState,
    ) -> None:
        self.model, self.setup, self.recipe, self.state = model, setup, recipe, state
        self.device = state.chain.device
        self.levels = torch.tensor(setup.levels, device=self.device)
        self.count = recipe.batch // len(setup.levels)
        self.trained = [
            [p for p in critic.discriminator.parameters() if p.requires_grad]
            for critic in state.critics
        ]
        self.turn = 0  # of the frozen networks

    @property
    def critic(self) -> Critic:
        """The one whose turn it is."""
        return self.state.critics[self.turn]

    @property
    def weights(self) -> list[float]:
        """Of each head, that of pixels last."""
        return [1.0] * len(self.critic.discriminator.heads) + [self.recipe.pixel_weight]

    def update(self) -> AdversarialProgress:
        """One step of the discriminator and one of the generator."""
        state, seed = self.state, self.setup.seed

        # Every draw is a function of the update's number: a resumed run draws the same.
        generator = torch.Generator().manual_seed(seed_of(seed, SEEDS + state.step))
        torch.manual_seed(seed_of(seed, -SEEDS - state.step))  # dropout draws from the global one
        self.turn = state.step % len(state.critics)
        perceive = self.setup.perceive[self.turn]
        factor = rate(self.recipe, state.step, state.total) * state.lr_scale
        for optimizer, lr in (
            (state.optimizer, self.recipe.lr),
            (self.critic.optimizer, self.recipe.head_lr),
        ):
            for group in optimizer.param_groups:
                group["lr"] = lr * factor

        # One pass of the generator serves both sides.
        batch = self._compose(generator)
        answer = self.model(batch.x, batch.sigma, batch.mix)
        fake, restored = answer[: batch.active], answer[batch.active :]

        # Photos and pictures are seen through the same window, or the window would tell them apart.
        view = draw_view(self.recipe.sizes, generator)
        fake_pictures = augment(fake, generator)
        real_pictures = augment(batch.real, generator)
        fake_shown, real_shown = add_noise(fake_pictures, real_pictures, self.recipe, generator)
        fake_maps = perceive(show(fake_shown, view))
        with torch.no_grad():
            real_maps = perceive(show(real_shown, view))
        seen_fake = _Seen(fake_pictures, fake_maps, batch.mix[: batch.active], view)
        seen_real = _Seen(real_pictures, real_maps, batch.real_mix, view)

        # The discriminator goes first, on pictures without gradients; the generator answers to what
        # it learned.
        judged = self._teach_discriminator(seen_real, seen_fake.detached())
        photo_loss = (restored - batch.hidden).square().mean()
        pull = self._pull(seen_fake, seen_real) + self._pull_pixels(fake, batch.real)
        taught = self._teach_generator(seen_fake, photo_loss, pull)
        self._remember(fake.detach())
        colours = self._look(fake.detach(), seen_fake.detached(), batch.real, seen_real)
        losses = {**judged, **taught, **colours, "lr": self.recipe.lr * factor}
        return AdversarialProgress(state.step, state.total, state.images, **losses)

    def _compose(self, generator: torch.Generator) -> _Batch:
        state, count, levels = self.state, self.count, len(self.levels)
        whole = count * levels
        hidden_count = int(self.recipe.photo_share * self.recipe.batch)
        real, real_mix = self.setup.photos(state.step, whole + hidden_count, generator)

        # The chain moves down by one level: what a level answered is what the next one gets.
        chosen = torch.randperm(whole, generator=generator)[:count].to(self.device)
        first = draw_mix(real_mix[chosen], self.recipe.mixed, generator)
        state.chain_mix = torch.cat([first[None], state.chain_mix[:-1]])
        begun = torch.cat([torch.zeros_like(real[None, :count]), state.chain]).flatten(0, 1)
        active = min(state.step + 1, levels) * count  # lower levels have nothing to go on with yet

        # Photos with noise keep the generator a denoiser.
        lowest = torch.randint(min(1, levels - 1), levels, (hidden_count,), generator=generator)
        hidden = real[whole:]
        x = torch.cat([begun[:active], hidden])
        sigma = torch.cat([self.levels.repeat_interleave(count)[:active], self.levels[lowest]])
        mix = torch.cat([state.chain_mix.flatten(0, 1)[:active], real_mix[whole:]])
        noise = torch.randn(x.shape, generator=generator).to(self.device)
        x = x + expand(sigma) * noise
        return _Batch(real[:whole], real_mix[:whole], hidden, x, sigma, mix, active)

    def _teach_discriminator(self, real: _Seen, fake: _Seen) -> dict[str, Any]:
        discriminator, trained = self.critic.discriminator, self.trained[self.turn]

        # Frozen again at the end, so that the generator's step leaves no gradients here.
        for parameter in trained:
            parameter.requires_grad_(True)
        real_scores = discriminator.scores(real.maps[:-1], real.pictures, real.mix)
        fake_scores = discriminator.scores(fake.maps[:-1], fake.pictures, fake.mix)
        loss = hinge(real_scores, fake_scores, self.weights)

        # Its classifier learns from photos alone: generated pictures of a class may not look like
        # it yet.
        naming = F.cross_entropy(discriminator.logits(real.maps[-1]), real.mix)
        self.critic.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss + naming)
        self.critic.optimizer.step()
        for parameter in trained:
            parameter.requires_grad_(False)
        return {
            "discriminator_loss": float(loss.detach()),
            "real_score": _mean(real_scores),
            "fake_score": _mean(fake_scores),
        }

    def _teach_generator(self, fake: _Seen, photo_loss: Tensor, pull: Tensor) -> dict[str, Any]:
        state, recipe, discriminator = self.state, self.recipe, self.critic.discriminator
        scores = discriminator.scores(fake.maps[:-1], fake.pictures, fake.mix)

        # Weights of heads are shares: more heads must not mean a louder adversary.
        weighed = [w * s.mean() for s, w in zip(scores, self.weights, strict=True)]
        adversarial = -torch.stack(weighed).sum() / sum(self.weights)
        logits = discriminator.logits(fake.maps[-1])
        naming = F.cross_entropy(logits, fake.mix, label_smoothing=0.1)
        loss = adversarial + recipe.class_weight * naming + recipe.photo_weight * photo_loss
        loss = loss + pull
        state.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.model.net.parameters(), CLIP)
        state.optimizer.step()

        return {
            "generator_loss": float(adversarial.detach()),
            "class_loss": float(naming.detach()),
            "photo_loss": float(photo_loss.detach()),
            "grad_norm": float(norm),
        }

    def _pull(self, fake: _Seen, real: _Seen) -> Tensor:
        """What the features do against the pulls to photos; lengths count in distances between
        photos.

        Three pulls add up: :func:`~.feature_drift.drift`, whose mean step has the length 1; the gap
        between the means of a class; and that between the means of all pictures of a level.
        """
        recipe, queues = self.recipe, self.critic.queues
        if queues is None:
            return fake.features.sum() * 0

        photos, labels, pure = real.features, fake.labels, fake.pure[:, None]
        queues.push(photos, real.labels, real=True)

        # The pulls are targets, not functions of the features: no gradient goes through them.
        with torch.no_grad():
            unit = torch.cdist(photos, photos).mean().clamp_min(1e-6)
            step = drift(fake.features, labels, queues) * pure
            step = step / (step.norm(dim=1).mean() * unit).clamp_min(1e-6)
            against = -recipe.drift_weight * unit * step
            against += recipe.gap_weight * class_gap(labels, queues, recipe.contrast) / unit * pure
            against += recipe.moment_weight * self._gaps(fake, photos / unit, unit) * pure
        queues.push(fake.features.detach()[fake.pure], labels[fake.pure], real=False)
        moved: Tensor = (fake.features / unit * against).sum(dim=1).mean()
        return moved + recipe.confidence_weight * self._against_confidence(fake, real)

    def _against_confidence(self, fake: _Seen, real: _Seen) -> Tensor:
        """What the confidence of the frozen network in pure pictures does against the pull to
        photos.
        """
        moments, name = self.critic.moments, self.setup.names[self.turn]
        if moments is None or not fake.pure.any():
            return fake.features.sum() * 0
        return moments.pull_confidence(
            confidence(name(fake.features[fake.pure])), confidence(name(real.features))
        )

    def _gaps(self, fake: _Seen, photos: Tensor, unit: Tensor) -> Tensor:
        """The running gap between generated pictures of each level and photos, for each picture (A,
        D).
        """
        moments = self.critic.moments
        assert moments is not None
        features, pure = fake.features / unit, fake.pure
        gaps = torch.zeros_like(features)
        for level in range(len(features) // self.count):
            rows = slice(level * self.count, (level + 1) * self.count)
            chosen = features[rows][pure[rows]]
            if len(chosen):
                gaps[rows] = moments.pull_features(chosen, photos, level, fake.view.side)
        return gaps

    def _pull_pixels(self, fake: Tensor, real: Tensor) -> Tensor:
        """What the colours of the two lowest levels do against the pull to photos, and detail that
        repeats.
        """
        moments, recipe = self.critic.moments, self.recipe
        if moments is None:
            return fake.sum() * 0
        lowest = colour_statistics(fake[-2 * self.count :])
        colours = moments.pull_colours(lowest, colour_statistics(real))
        return recipe.colour_weight * colours + recipe.repeat_weight * moments.repetition(
            fake, real
        )

    def _remember(self, fake: Tensor) -> None:
        """Keep the answers of all levels but the last for the next update, and the average."""
        state, count = self.state, self.count
        kept = fake.reshape(-1, count, *fake.shape[1:])[: len(self.levels) - 1]
        state.chain[: len(kept)] = kept
        state.step += 1
        state.images += len(fake)
        update_ema(state.ema, self.model.net, state.step, self.recipe.ema)

    @torch.no_grad()
    def _look(self, fake: Tensor, seen: _Seen, real: Tensor, seen_real: _Seen) -> dict[str, Any]:
        """Colours of the lowest level against photos; and the guards look at the same pictures."""
        last = slice(len(fake) - self.count, len(fake))
        colour = (fake[last].mean(dim=(0, 2, 3)) - real.mean(dim=(0, 2, 3))).tolist()
        distances = [(x - x.mean(dim=1, keepdim=True)).abs().mean() for x in (fake[last], real)]
        whole = len(fake) == self.count * len(self.levels)  # the first updates have no lowest level
        if whole and self.turn == 0:  # features of one network only
            features = [s.features for s in (seen, seen_real)]
            self.state.watch.add(
                Sight(fake[last], features[0][last], seen.mix[last]),
                Sight(real, features[1], seen_real.mix),
            )
        saturation = float(distances[0] / distances[1].clamp(min=1e-6))
        return {"colour": tuple(colour), "saturation": saturation}


def _mean(scores: Sequence[Tensor]) -> float:
    return float(torch.stack([s.mean() for s in scores]).mean().detach())
