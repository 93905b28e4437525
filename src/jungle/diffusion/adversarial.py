"""Adversarial training of a diffusion model in the feature space of a pretrained network: a sampler of few evaluations.

The generator is the denoiser itself, asked at a few noise levels: it answers with a clean picture, noise of the next level is added,
and it answers again (multistep consistency sampling, Song et al. 2023, arXiv 2303.01469, algorithm 1). The discriminator reads maps of
a frozen network through fixed random projections (Projected GAN, Sauer et al. 2021, arXiv 2111.01007, section 3; on diffusion models
ADD, arXiv 2311.17042). What the lower levels see in training are the generator's own pictures (backward simulation, DMD2, Yin et al.
2024, arXiv 2405.14867, section 4.5), kept from the update before: so simulating the whole chain costs no evaluation.

Letters: B pictures, K classes, L levels, N = B / L pictures of each level.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from .denoiser import Trainable, expand
from .train import seed_of, update_ema

Perceive = Callable[[Tensor], list[Tensor]]
"""Maps of a frozen network: (B, 3, S, S) in [-1, 1] -> (B, C_i, S_i, S_i) each; the last is pooled to name what is seen."""

PROJECTED = 64  # channels of a map after its fixed projection
SLOPE = 0.2  # of the leaky ReLU, below zero


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversarialRecipe:
    """What decides the second part of a training run."""

    batch: int = 32  # generated pictures an update, and as many photos
    photo_share: float = 0.25  # of the batch: photos with noise, whose answer is compared with the photo
    lr: float = 2e-4  # of the generator
    head_lr: float = 4e-4  # of the discriminator
    beta2: float = 0.99
    warmup: int = 100  # updates
    ema: float = 0.05  # relative width of the power-function average
    sizes: tuple[int, ...] = (80, 96, 112, 128)  # sides that the frozen network sees pictures at, at random
    mixed: float = 0.15  # share of pictures asked for as a mix of two classes
    pixel_weight: float = 0.5  # of the discriminator of pixels, against those of maps
    class_weight: float = 0.2  # of the cross-entropy of the class asked for
    drift_weight: float = 0.0  # of the pull to features of photos
    photo_weight: float = 1.0  # of the squared error to photos


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


class Head(nn.Module):
    """Scores one map at every place: spectrally normed convolutions, and a projection term for the classes.

    The projection (Miyato and Koyama 2018, arXiv 1802.05637, equation 3) is linear in the mix, so a mix is judged by both parents.
    """

    scale: Tensor

    def __init__(self, channels: int, classes: int, stride: int, fixed: bool = True) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, PROJECTED, 1, bias=False).requires_grad_(not fixed)
        nn.init.normal_(self.project.weight, std=channels**-0.5)
        self.look = spectral_norm(nn.Conv2d(PROJECTED, PROJECTED, 3, stride=stride, padding=1))
        self.look_again = spectral_norm(nn.Conv2d(PROJECTED, PROJECTED, 3, padding=1))
        self.norms = nn.ModuleList(nn.GroupNorm(4, PROJECTED) for _ in range(2))
        self.score = spectral_norm(nn.Conv2d(PROJECTED, 1, 1))
        self.classes = spectral_norm(nn.Linear(classes, PROJECTED, bias=False))
        self.register_buffer("scale", torch.zeros(()))

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """(B, channels, S, S) and mix (B, K) -> scores (B, S', S')."""
        if self.scale == 0:  # maps of unit mean square: measured once, on the first pictures
            self.scale.copy_(x.detach().square().mean().rsqrt())
        h = self.project(x * self.scale)
        h = _leaky(self.norms[0](self.look(h)))
        h = _leaky(self.norms[1](self.look_again(h)))
        match = (h * self.classes(mix)[:, :, None, None]).sum(dim=1) / math.sqrt(PROJECTED)
        score: Tensor = self.score(h)[:, 0] + match
        return score


class PixelHead(nn.Module):
    """Scores squares of pixels, which the frozen network sees only blurred."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (3, 32, 64)
        self.shrink = nn.ModuleList(
            spectral_norm(nn.Conv2d(inside, outside, 4, stride=2, padding=1)) for inside, outside in zip(widths, widths[1:], strict=False)
        )
        self.head = Head(widths[-1], classes, stride=2, fixed=False)

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """(B, 3, H, W) and mix (B, K) -> scores (B, H / 8, W / 8)."""
        for shrink in self.shrink:
            x = _leaky(shrink(x))
        scores: Tensor = self.head(x, mix)
        return scores


class Discriminator(nn.Module):
    """One head for each map of the frozen network, one for pixels, and a linear classifier of the pooled last map."""

    def __init__(self, channels: Sequence[int], sides: Sequence[int], classes: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            Head(width, classes, stride=2 if side > 8 else 1) for width, side in zip(channels[:-1], sides[:-1], strict=True)
        )
        self.pixels = PixelHead(classes)
        self.classifier = nn.Linear(channels[-1], classes)

    def scores(self, maps: Sequence[Tensor], pictures: Tensor, mix: Tensor) -> list[Tensor]:
        """Scores of every head, that of the pixels last: (B, S_i, S_i) each, above 0 for photos."""
        return [head(x, mix) for head, x in zip(self.heads, maps, strict=True)] + [self.pixels(pictures, mix)]

    def logits(self, last: Tensor) -> Tensor:
        """Class logits (B, K) of the last map (B, C, S, S)."""
        out: Tensor = self.classifier(last.mean(dim=(2, 3)))
        return out


# ---- what the discriminator sees ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class View:
    """One way to show a batch to the frozen network, the same for photos and generated pictures of an update."""

    side: int
    bicubic: bool


def draw_view(sizes: Sequence[int], generator: torch.Generator) -> View:
    """One size, or the discriminator learns what its stride makes of pixels; and one of two filters."""
    index = int(torch.randint(len(sizes), (), generator=generator))
    return View(sizes[index], bool(torch.rand((), generator=generator) < 0.5))


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Weak colour, shifts and cut-outs, with gradients (DiffAugment, Zhao et al. 2020, arXiv 2006.10738, section 3).

    Strong colour is left out: it leaves the generator free to drift in colour.
    """
    count, _, high, wide = x.shape

    def uniform(low: float, top: float) -> Tensor:
        return low + (top - low) * torch.rand((count, 1, 1, 1), generator=generator)

    x = x + uniform(-0.1, 0.1)
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * uniform(0.8, 1.2)
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    x = middle + (x - middle) * uniform(0.9, 1.1)

    reach = max(1, high // 8)
    padded = F.pad(x, (reach, reach, reach, reach), mode="reflect")
    shifts = torch.randint(0, 2 * reach + 1, (count, 2), generator=generator).tolist()
    x = torch.stack([padded[i, :, top : top + high, left : left + wide] for i, (top, left) in enumerate(shifts)])

    centres = torch.rand((count, 2), generator=generator)
    cut = torch.rand((count,), generator=generator) < 0.3
    rows = (torch.arange(high)[None] - centres[:, :1] * high).abs() < high / 5
    columns = (torch.arange(wide)[None] - centres[:, 1:] * wide).abs() < wide / 5
    hole = rows[:, :, None] & columns[:, None, :] & cut[:, None, None]
    return x * ~hole[:, None]


def show(x: Tensor, view: View) -> Tensor:
    """(B, 3, H, W) -> (B, 3, side, side), as the frozen network wants it."""
    filtered = F.interpolate(x, size=(view.side, view.side), mode="bicubic" if view.bicubic else "bilinear", align_corners=False)
    return filtered.contiguous(memory_format=torch.channels_last)


# ---- a pull to photos, without a discriminator -------------------------------------------------------------------------------


@dataclass
class FeatureQueues:
    """The last features of photos and of generated pictures of each class, (K, depth, D), oldest replaced first."""

    real: Tensor
    fake: Tensor
    real_count: Tensor  # (K,) features seen so far
    fake_count: Tensor

    @classmethod
    def empty(cls, classes: int, depth: int, width: int) -> "FeatureQueues":
        """Queues that hold nothing."""
        zeros = torch.zeros(classes, depth, width)
        return cls(zeros, zeros.clone(), torch.zeros(classes, dtype=torch.long), torch.zeros(classes, dtype=torch.long))

    def push(self, features: Tensor, labels: Tensor, real: bool) -> None:
        """Add features (B, D) of classes (B,)."""
        queue, count = (self.real, self.real_count) if real else (self.fake, self.fake_count)
        for feature, label in zip(features, labels.tolist(), strict=True):
            queue[label, int(count[label]) % queue.shape[1]] = feature
            count[label] += 1

    def held(self, label: int, real: bool) -> Tensor:
        """The features of a class, (n, D)."""
        queue, count = (self.real, self.real_count) if real else (self.fake, self.fake_count)
        return queue[label, : min(int(count[label]), queue.shape[1])]


TEMPERATURES = (0.5, 1.0, 2.0)  # of the kernel, in units of the typical distance / sqrt(D) ... see drift
FEWEST = 8  # features of a class on both sides before it is pulled


def drift(features: Tensor, labels: Tensor, queues: FeatureQueues) -> Tensor:
    """Where each feature (B, D) should go: to photos of its class, away from generated pictures of it; length about 1 each.

    The mean shift of a kernel to photos minus that to generated pictures: it vanishes where both are spread alike (drifting models,
    arXiv 2602.04770; the gradient of a kernel distance).
    """
    out = torch.zeros_like(features)
    for index, label in enumerate(labels.tolist()):
        real, fake = queues.held(label, True), queues.held(label, False)
        if min(len(real), len(fake)) < FEWEST:
            continue
        near = (features[index] - real).norm(dim=1)
        far = (features[index] - fake).norm(dim=1)
        unit = near.mean()
        for temperature in TEMPERATURES:
            width = temperature * unit / 5
            pull = torch.softmax(-near / width, dim=0) @ real
            push = torch.softmax(-far / width, dim=0) @ fake
            out[index] += (pull - push) / len(TEMPERATURES)
    return out


# ---- the loop ----------------------------------------------------------------------------------------------------------------


@dataclass
class AdversarialState:
    """All that changes during a run."""

    discriminator: Discriminator
    optimizer: torch.optim.Optimizer
    head_optimizer: torch.optim.Optimizer
    ema: dict[str, Tensor]
    chain: Tensor  # (L - 1, N, 3, H, W): what each level answered in the update before
    chain_mix: Tensor  # (L, N, K): what is asked for, by level
    queues: FeatureQueues | None
    total: int
    step: int = 0
    images: int = 0
    extra: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdversarialProgress:
    """What one update did; means over its pictures."""

    step: int
    images: int
    generator_loss: float
    discriminator_loss: float
    real_score: float
    fake_score: float
    class_loss: float
    photo_loss: float
    colour: tuple[float, float, float]  # mean channels of generated pictures minus those of photos, in [-2, 2]
    saturation: float  # mean distance of channels from grey, of generated pictures over that of photos


Photos = Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
"""``photos(step, count, generator)`` -> photos (count, 3, H, W) in [-1, 1] and mix (count, K)."""


def begin(model: Trainable, perceive: Perceive, recipe: AdversarialRecipe, classes: int, size: int, levels: int, total: int) -> AdversarialState:
    """A state before the first update."""
    with torch.no_grad():
        maps = perceive(torch.zeros(1, 3, 96, 96))
    discriminator = Discriminator([m.shape[1] for m in maps], [m.shape[2] for m in maps], classes)
    count = recipe.batch // levels
    queues = FeatureQueues.empty(classes, 48, maps[-1].shape[1]) if recipe.drift_weight else None
    trained = [p for p in discriminator.parameters() if p.requires_grad]
    return AdversarialState(
        discriminator,
        torch.optim.Adam(model.net.parameters(), lr=recipe.lr, betas=(0.0, recipe.beta2)),
        torch.optim.Adam(trained, lr=recipe.head_lr, betas=(0.0, recipe.beta2)),
        {name: value.detach().clone() for name, value in model.net.state_dict().items()},
        torch.zeros(levels - 1, count, 3, size, size),
        torch.zeros(levels, count, classes),
        queues,
        total,
    )


def draw_mix(mix: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Some of the one-hot mixes (B, K) become mixes with another of the batch, as inventing an animal asks for."""
    other = mix[torch.randperm(len(mix), generator=generator)]
    weight = 0.5 + 0.3 * torch.rand(len(mix), 1, generator=generator)
    mixed = torch.rand(len(mix), 1, generator=generator) < share
    return torch.where(mixed, weight * mix + (1 - weight) * other, mix)


def hinge(real: Sequence[Tensor], fake: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The hinge loss of a discriminator (arXiv 1705.02894), over heads."""
    losses = [
        weight * (F.relu(1 - r).mean() + F.relu(1 + f).mean()) for r, f, weight in zip(real, fake, weights, strict=True)
    ]
    return torch.stack(losses).sum() / sum(weights)


def adversarial_train(
    model: Trainable,
    perceive: Perceive,
    photos: Photos,
    recipe: AdversarialRecipe,
    levels: Sequence[float],
    state: AdversarialState,
    seed: int = 0,
    rate: Callable[[int, int], float] = lambda step, total: 1.0,
) -> Iterator[AdversarialProgress]:
    """Train until ``state.step`` reaches ``state.total``, yielding after each update.

    Args:
        levels: the sigmas of sampling, descending.
        rate: the factor of both learning rates, by update and total.
    """
    discriminator, count = state.discriminator, recipe.batch // len(levels)
    total_batch = count * len(levels)
    weights = [1.0] * len(discriminator.heads) + [recipe.pixel_weight]
    sigmas = torch.tensor(levels).repeat_interleave(count)
    noisy_count = int(recipe.photo_share * recipe.batch)

    while state.step < state.total:
        generator = torch.Generator().manual_seed(seed_of(seed, state.step))
        real, real_mix = photos(state.step, total_batch + noisy_count, generator)
        real, noisy = real[:total_batch], real[total_batch:]
        factor = min(1.0, (state.step + 1) / recipe.warmup) * rate(state.step, state.total)
        for optimizer, lr in ((state.optimizer, recipe.lr), (state.head_optimizer, recipe.head_lr)):
            for group in optimizer.param_groups:
                group["lr"] = lr * factor

        # The chain moves down by one level: what a level answered is what the next one gets, with noise.
        first = draw_mix(real_mix[torch.randperm(total_batch, generator=generator)[:count]], recipe.mixed, generator)
        state.chain_mix = torch.cat([first[None], state.chain_mix[:-1]])
        begun = torch.cat([torch.zeros(1, *state.chain.shape[1:]), state.chain]).flatten(0, 1)
        mix = state.chain_mix.flatten(0, 1)
        active = min(state.step + 1, len(levels)) * count  # lower levels have nothing to go on with in the first updates

        # Photos with noise keep the generator a denoiser.
        chosen = torch.randint(1, len(levels), (noisy_count,), generator=generator)
        noisy_sigma = torch.tensor(levels)[chosen]
        x = torch.cat([begun[:active], noisy])
        sigma = torch.cat([sigmas[:active], noisy_sigma])
        asked = torch.cat([mix[:active], real_mix[total_batch:]])
        answer = model(x + expand(sigma) * torch.randn(x.shape, generator=generator), sigma, asked)
        fake, restored = answer[:active], answer[active:]
        mix = mix[:active]

        view = draw_view(recipe.sizes, generator)
        fake_seen = augment(fake, generator)
        real_seen = augment(real, generator)
        fake_maps = perceive(show(fake_seen, view))
        with torch.no_grad():
            real_maps = perceive(show(real_seen, view))

        # The discriminator learns from detached maps, so the frozen network reads the generated pictures once.
        real_scores = discriminator.scores(real_maps[:-1], real_seen, real_mix[:total_batch])
        fake_scores = discriminator.scores([m.detach() for m in fake_maps[:-1]], fake_seen.detach(), mix)
        naming = F.cross_entropy(discriminator.logits(real_maps[-1]), real_mix[:total_batch])
        discriminator_loss = hinge(real_scores, fake_scores, weights)
        state.head_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(discriminator_loss + naming)
        state.head_optimizer.step()

        for parameter in discriminator.parameters():
            parameter.requires_grad_(False)
        scores = discriminator.scores(fake_maps[:-1], fake_seen, mix)
        adversarial = -torch.stack([w * s.mean() for s, w in zip(scores, weights, strict=True)]).sum() / sum(weights)
        named = F.cross_entropy(discriminator.logits(fake_maps[-1]), mix, label_smoothing=0.1)
        photo_loss = (restored - noisy).square().mean()
        loss = adversarial + recipe.class_weight * named + recipe.photo_weight * photo_loss
        if state.queues is not None:
            pooled = fake_maps[-1].mean(dim=(2, 3))
            labels = mix.argmax(dim=1)
            pure = mix.max(dim=1).values > 0.99
            state.queues.push(real_maps[-1].mean(dim=(2, 3)), real_mix[:total_batch].argmax(dim=1), True)
            with torch.no_grad():
                target = drift(pooled, labels, state.queues) * pure[:, None]
                target = target / target.norm(dim=1).mean().clamp(min=1e-6)
            loss = loss - recipe.drift_weight * (pooled * target).sum(dim=1).mean()
            state.queues.push(pooled.detach()[pure], labels[pure], False)
        state.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.net.parameters(), 5.0)
        state.optimizer.step()
        for name, parameter in discriminator.named_parameters():
            parameter.requires_grad_(not (name.startswith("heads") and ".project." in name))

        kept = fake.detach()[: active - (count if active == total_batch else 0)]
        state.chain[: len(kept) // count] = kept.reshape(-1, *state.chain.shape[1:])
        state.step += 1
        state.images += active
        update_ema(state.ema, model.net, state.step, recipe.ema)

        with torch.no_grad():
            last = fake[-count:]
            colour = (last.mean(dim=(0, 2, 3)) - real.mean(dim=(0, 2, 3))).tolist()
            saturation = [(v - v.mean(dim=1, keepdim=True)).abs().mean() for v in (last, real)]
        yield AdversarialProgress(
            state.step,
            state.images,
            float(adversarial.detach()),
            float(discriminator_loss.detach()),
            float(torch.stack([s.mean() for s in real_scores]).mean().detach()),
            float(torch.stack([s.mean() for s in fake_scores]).mean().detach()),
            float(named.detach()),
            float(photo_loss.detach()),
            (colour[0], colour[1], colour[2]),
            float(saturation[0] / saturation[1].clamp(min=1e-6)),
        )
