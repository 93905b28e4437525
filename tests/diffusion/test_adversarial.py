"""Adversarial training: resumable bit for bit, guarded, and a part of a run."""

import dataclasses
import io
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MODEL, TESTS, Jungle, is_refused
from torch import Tensor
from torch.nn import functional as F

from jungle.config.recipe_table import CONSISTENCY, find_recipe
from jungle.config.recipes import AdversarialRecipe, Recipe
from jungle.diffusion import adversarial, checkpoint, guards, model
from jungle.diffusion.adversarial import AdversarialProgress, AdversarialSetup, AdversarialState
from jungle.diffusion.denoiser import Trainable
from jungle.diffusion.device import Compute, choose_device
from jungle.diffusion.feature_drift import FeatureQueues, drift
from jungle.diffusion.guards import Guard, Sight, Statistics, Watch
from jungle.errors import BadInput, JungleError
from jungle.images import dataset, training

FIXTURES = TESTS / "fixtures"
TINY = find_recipe("tiny")
CPU = Compute(torch.device("cpu"), torch.float32, "test")
QUICK = AdversarialRecipe(batch=8, sizes=(16, 24), warmup=2)
LEVELS = (20.0, 5.5, 1.5, 0.4)


class Toy:
    """A frozen network of fixed random convolutions, in the place of EfficientNet-Lite0."""

    def __init__(self, seed: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)
        widths = (3, 8, 12, 16)
        shapes = [(widths[i + 1], widths[i], 3, 3) for i in range(3)]
        self.weights = [torch.randn(shape, generator=generator) * 0.3 for shape in shapes]
        self.labels = torch.randn(widths[-1], 5, generator=generator)

    def classifier(self, features: Tensor) -> Tensor:
        return features.float() @ self.labels

    def to(self, *target: object) -> "Toy":
        return self

    def maps(self, x: Tensor, after: object = None) -> list[Tensor]:
        found = []
        x = x.float()
        for weight in self.weights:
            x = F.relu(F.conv2d(x, weight, stride=2, padding=1))
            found.append(x)
        return found


def draw(step: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Photos of two classes: smooth noise, bright or dark."""
    labels = torch.randint(0, 2, (count,), generator=generator)
    x = F.interpolate(torch.randn((count, 3, 4, 4), generator=generator), size=16, mode="bilinear")
    x = 0.4 * x + (labels - 0.5)[:, None, None, None] * 0.4
    return x.clamp(-1, 1), F.one_hot(labels, 2).float()


def setup(photographs: adversarial.Photos = draw, networks: int = 1) -> AdversarialSetup:
    toys = [Toy(seed) for seed in range(1, networks + 1)]
    frozen, names = tuple(toy.maps for toy in toys), tuple(toy.classifier for toy in toys)
    return AdversarialSetup(
        perceive=frozen, names=names, photos=photographs, classes=2, size=(16, 16), levels=LEVELS
    )


def begun(
    recipe: AdversarialRecipe = QUICK, total: int = 12, dropout: float = 0.0, networks: int = 1
) -> tuple[Trainable, AdversarialState]:
    denoiser = model.build_model(
        dataclasses.replace(TINY, net=dataclasses.replace(TINY.net, dropout=dropout)), 2, CPU
    )
    return denoiser, adversarial.begin_adversarial(
        denoiser, setup(networks=networks), recipe, total
    )


# ------------------------------------------------------------------------------------------------
# the loop


def test_resumed_equals_straight_bit_for_bit() -> None:
    """Through a saved file, in the chain's first updates, within a window of the guards, with
    dropout, queues and two networks.
    """
    recipe = dataclasses.replace(QUICK, drift_weight=0.1)

    def run(stops: tuple[int, ...]) -> dict[str, Tensor]:
        data = b""
        for stop in (*stops, 12):
            denoiser, state = begun(recipe, dropout=0.2, networks=2)
            if data:
                packed = torch.load(io.BytesIO(data), weights_only=True)
                state.unpack(denoiser.net, packed)
                state.good = packed["good"]
            for progress in adversarial.adversarial_train(
                denoiser, setup(networks=2), recipe, state
            ):
                if progress.step == stop:
                    break
            buffer = io.BytesIO()
            torch.save(state.pack(denoiser.net) | {"good": state.good}, buffer)
            data = buffer.getvalue()
        networks = {
            "net": denoiser.net.state_dict(),
            "heads": state.critics[0].discriminator.state_dict(),
            "second": state.critics[1].discriminator.state_dict(),
            "ema": state.ema,
        }
        flat = {
            f"{part}.{name}": value
            for part, values in networks.items()
            for name, value in values.items()
        }
        for index, critic in enumerate(state.critics):
            assert critic.queues is not None
            assert critic.moments is not None
            packed = critic.queues.pack() | critic.moments.pack()
            flat |= {f"{index}.{name}": value for name, value in packed.items()}
        return flat | {"chain": state.chain, "spectrum": state.watch.fake.spectrum}

    straight, resumed = run(()), run((1, 2, 7, 11))
    assert straight.keys() == resumed.keys()
    assert [name for name in straight if not torch.equal(straight[name], resumed[name])] == []
    assert float(straight["1.fake"].abs().max()) > 0  # the queues were filled


def test_each_level_gets_what_the_level_above_answered() -> None:
    """The chain holds the generator's own answers, one level further down after each update, with
    the mix asked for.
    """
    denoiser, state = begun()
    asked: list[Tensor] = []
    answered: list[Tensor] = []

    class Watched:
        net = denoiser.net

        def __call__(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
            asked.append(sigma)
            answered.append(denoiser(x, sigma, mix))
            return answered[-1]

    for progress in adversarial.adversarial_train(Watched(), setup(), QUICK, state):  # type: ignore[arg-type]
        active = min(progress.step, 4)
        levels = torch.tensor(LEVELS).repeat_interleave(2)[: 2 * active]
        assert torch.equal(asked[-1][: 2 * active], levels)
        assert len(asked[-1]) == 2 * active + 2  # two photos with noise
        kept = min(active, 3)
        assert torch.equal(
            state.chain[:kept], answered[-1].detach()[: 2 * kept].reshape(kept, 2, 3, 16, 16)
        )
    assert progress.images == (1 + 2 + 3) * 2 + 9 * 8


@pytest.mark.parametrize("who", ["generator", "discriminator"])
@pytest.mark.slow
def test_each_side_learns_against_the_other_standing_still(who: str) -> None:
    still = {"head_lr": 1e-12} if who == "generator" else {"lr": 1e-12}
    recipe = dataclasses.replace(
        QUICK,
        **{
            "lr": 1e-2,
            "head_lr": 2e-3,
            "fall": 0.0,
            "mixed": 0.0,
            "drift_weight": 0.0,
            "photo_weight": 1.0,
        }
        | still,
    )  # type: ignore[arg-type]
    denoiser, state = begun(recipe, total=30)
    losses = [
        getattr(p, f"{who}_loss")
        for p in adversarial.adversarial_train(denoiser, setup(), recipe, state)
    ]
    assert np.mean(losses[-8:]) < np.mean(losses[3:11]) - 0.03


def test_rates_warm_up_and_fall() -> None:
    from jungle.diffusion.adversarial_update import rate

    recipe = AdversarialRecipe(warmup=10, fall=0.3)
    assert [rate(recipe, step, 100) for step in (0, 4, 50, 70)] == pytest.approx(
        [0.1, 0.5, 1.0, 1.0]
    )
    assert rate(recipe, 85, 100) == pytest.approx(0.5)
    assert rate(dataclasses.replace(recipe, fall=0.0, warmup=0), 99, 100) == 1.0


def test_drift_vanishes_where_both_are_spread_alike_and_points_to_photos_elsewhere() -> None:
    generator = torch.Generator().manual_seed(0)
    cloud = torch.randn((40, 4), generator=generator)
    alike = FeatureQueues.empty(1, 48, 4, torch.device("cpu"))
    alike.push(cloud, torch.zeros(40, dtype=torch.long), real=True)
    alike.push(cloud, torch.zeros(40, dtype=torch.long), real=False)
    labels = torch.zeros(5, dtype=torch.long)
    assert float(drift(cloud[:5], labels, alike).abs().max()) < 1e-5
    apart = FeatureQueues.empty(1, 48, 4, torch.device("cpu"))
    apart.push(cloud + 3, torch.zeros(40, dtype=torch.long), real=True)
    apart.push(cloud, torch.zeros(40, dtype=torch.long), real=False)
    assert bool((drift(cloud[:5], labels, apart).sum(dim=1) > 1).all())


# ------------------------------------------------------------------------------------------------
# guards


def sight(pictures: Tensor, features: Tensor | None = None) -> Sight:
    maps = Toy().maps(pictures)[-1].mean(dim=(2, 3)) if features is None else features
    mix = F.one_hot(torch.arange(len(pictures)) % 2, 2).float()
    return Sight(pictures, maps, mix)


def pictures(seed: int, count: int = 64) -> Tensor:
    return draw(0, count, torch.Generator().manual_seed(seed))[0]


def texture(x: Tensor) -> Tensor:
    """Stripes eight pixels wide and apart by as many as the discriminator's stride."""
    return x + 0.5 * (torch.arange(16) % 8 < 4)[None, None, :, None]


def one_class_alike(x: Tensor) -> Tensor:
    x = x.clone()
    x[1::2] = x[1] + 0.01 * x[1::2]
    return x


PROVOKED: dict[str, Callable[[Tensor], Tensor]] = {
    "colour": lambda x: x + torch.tensor([0.5, 0, 0])[:, None, None],
    "saturation": lambda x: x.mean(dim=1, keepdim=True) + 0.2 * (x - x.mean(dim=1, keepdim=True)),
    "variety": lambda x: x[:1] + 0.01 * x,
    "class": one_class_alike,
    "texture": texture,
}


@pytest.mark.parametrize("name", PROVOKED)
def test_a_guard_fires_at_its_fault_and_not_at_photos(name: str) -> None:
    watch = Watch.begin(2, 16, (16, 16))
    watch.add(sight(pictures(1)), sight(pictures(2)))
    assert watch.close() == ("", True)
    watch.add(sight(PROVOKED[name](pictures(3))), sight(pictures(4)))
    guard: Guard = next(guard for guard in guards.GUARDS if guard.name == name)
    value = watch.measures()[name]
    assert value > guard.limit
    fault, calm = watch.close()
    assert guard.sentence.format(value) in fault
    assert not calm
    watch.add(sight(pictures(5)), sight(pictures(6)))
    assert watch.close() == ("", True)  # the window before is forgotten


def test_a_poor_start_is_no_divergence() -> None:
    """A model whose pictures are far off from the first window on may stay so, and may not become
    much worse.
    """
    watch = Watch.begin(2, 16, (16, 16))
    for shift, fires in ((0.4, False), (0.45, False), (0.9, True)):
        watch.add(
            sight(pictures(1) + torch.tensor([shift, 0, 0])[:, None, None]), sight(pictures(2))
        )
        assert bool(watch.close()[0]) == fires


def test_spread_is_half_the_mean_squared_distance_of_pairs() -> None:
    features = torch.randn((10, 5), dtype=torch.float64)
    statistics = Statistics.empty(2, 5, (16, 16))
    for part in (slice(0, 4), slice(4, 10)):
        statistics.add(sight(pictures(0, 10)[part], features[part]))
    expected = [torch.pdist(features[k::2]).square().mean() / 2 for k in range(2)]
    torch.testing.assert_close(statistics.spread(), torch.stack(expected))


class Faulty:
    """A denoiser with a fault at the updates of ``when``, at first sight only or always."""

    def __init__(
        self,
        denoiser: Trainable,
        fault: Callable[[Tensor], Tensor],
        when: range,
        always: bool = False,
    ) -> None:
        self.denoiser, self.net, self.fault, self.when, self.always = (
            denoiser,
            denoiser.net,
            fault,
            when,
            always,
        )
        self.step, self.seen = 0, set[int]()

    def __call__(self, x: Tensor, sigma: Tensor, mix: Tensor) -> Tensor:
        answer = self.denoiser(x, sigma, mix)
        step, self.step = self.step, self.step + 1
        if step in self.when and (self.always or step not in self.seen):
            self.seen.add(step)
            return answer + (self.fault(answer.detach()) - answer.detach())
        return answer


def train_with(
    fault: Callable[[Tensor], Tensor], when: range, always: bool = False
) -> tuple[AdversarialState, list[AdversarialProgress]]:
    denoiser, state = begun(total=24)
    faulty = Faulty(denoiser, fault, when, always)
    seen = []
    for progress in adversarial.adversarial_train(faulty, setup(), QUICK, state):  # type: ignore[arg-type]
        faulty.step = state.step
        seen.append(progress)
    assert all(bool(p.isfinite().all()) for p in denoiser.net.parameters())
    return state, seen


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda x: x * float("nan"), "not a number"),
        (lambda x: x + torch.tensor([0.9, 0, 0])[:, None, None], "a mean channel is"),
        (texture, "a texture repeats"),
    ],
    ids=["nan", "colour", "texture"],
)
@pytest.mark.slow
def test_training_goes_back_halves_the_rates_and_says_why(
    fault: Callable[[Tensor], Tensor], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adversarial, "WINDOW", 5)
    state, seen = train_with(fault, range(13, 18))
    notes = [p.note for p in seen if p.note]
    assert words in notes[0]
    back = re.search(r"Back to update (\d+), learning rates halved\.", notes[0])
    assert back
    assert int(back[1]) in (8, 13)  # 3 updates to fill the chain, then windows of five
    assert state.step == 24
    assert state.lr_scale == 0.5 ** len(notes)
    assert seen[-1].lr < seen[12].lr


@pytest.mark.slow
def test_training_that_cannot_be_saved_ends_with_the_last_good_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adversarial, "WINDOW", 5)
    state, seen = train_with(lambda x: x * float("nan"), range(15, 99), always=True)
    assert state.step == state.total
    assert state.total in (8, 13)
    assert "where training ends" in seen[-1].note
    with pytest.raises(JungleError, match="learned for longer"):
        train_with(lambda x: x * float("nan"), range(99), always=True)


# ------------------------------------------------------------------------------------------------
# in a run


@pytest.fixture
def toy_run(
    drawn_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., training.PhotoRun]:
    """A run of 8 + 8 updates on drawn photos with the toy network, in the folder of that name."""
    monkeypatch.setattr(training, "shipped_lite0", Toy)
    monkeypatch.setattr(training, "PREVIEWS", 3)

    def start(
        name: str, begin_with: model.Model | None = None, **changes: object
    ) -> training.PhotoRun:
        told = {
            "steps": 16,
            "adversarial_share": 0.5,
            "adversarial": QUICK,
            "checkpoint_every": 3,
        } | changes
        recipe = dataclasses.replace(TINY, **told)  # type: ignore[arg-type]
        folder = drawn_photos.parent
        data = dataset.load_photos(drawn_photos, recipe, folder / "cache")
        clock = time.monotonic
        return training.PhotoRun(
            folder / name,
            data,
            recipe,
            choose_device("cpu:float32"),
            0,
            clock,
            clock(),
            folder / "cache",
            begin_with,
        )

    return start


def finish(run: training.PhotoRun) -> checkpoint.Checkpoint:
    list(run.steps())
    run.end()
    found = checkpoint.read_checkpoint(run.out / MODEL)
    assert isinstance(found, checkpoint.Checkpoint)
    return found


def test_a_run_of_both_parts_goes_on_anywhere(toy_run: Callable[..., training.PhotoRun]) -> None:
    """Stopped by hand, or killed after its last checkpoint, in both parts and between them: the
    same bits.
    """
    straight = finish(toy_run("straight"))
    for stop, saved in (
        (2, True),
        (4, False),
        (8, True),
        (9, True),
        (11, False),
        (14, True),
        (16, True),
    ):
        run = toy_run("stopped")
        for _ in run.steps():
            if run.step == stop:
                break
        if saved:
            run.save()
    resumed = finish(toy_run("stopped"))
    assert toy_run("stopped").resumed_at == 16
    for part in ("weights", "ema"):
        mine, other = getattr(straight, part), getattr(resumed, part)
        assert [name for name in mine if not torch.equal(mine[name], other[name])] == []
    assert straight.step == resumed.step == 16


def test_what_a_run_of_both_parts_leaves(toy_run: Callable[..., training.PhotoRun]) -> None:
    run = toy_run("both")
    assert run.plan == "First 8 updates of diffusion, then 8 updates of adversarial training."
    done = []
    for progress in run.steps():
        done.append(run.done)
        assert progress.total == 8
    assert done == sorted(done)
    assert done[-1] == 1.0
    health = run.end()
    assert (health.updates, health.adversarial.updates if health.adversarial else 0) == (8, 8)
    text = (run.out / "report.txt").read_text()
    assert "8 adversarial updates, 52 generated pictures" in text
    assert "paints in 4 evaluations" in text
    lines = [json.loads(line) for line in (run.out / "stats.jsonl").read_text().splitlines()]
    last = lines[-1]
    assert last["part"] == "adversarial"
    for name in (
        "generator_loss",
        "discriminator_loss",
        "real_score",
        "fake_score",
        "class_loss",
        "colour",
        "saturation",
    ):
        assert np.isfinite(last[name]), name
    assert "part" not in lines[0]
    assert (run.out / "previews" / "update_0000016.png").is_file()

    found = model.load_model(run.out / MODEL, CPU)
    assert found.recipe.sample == CONSISTENCY
    assert found.recipe.adversarial == QUICK
    assert Recipe.from_json(found.recipe.to_json()) == found.recipe


def test_a_model_with_a_weaker_network_learns_a_new_class(
    toy_run: Callable[..., training.PhotoRun], tmp_path: Path
) -> None:
    """Adversarial training alone: the weights begin as the model's without the weaker network, a
    new class as the mean.
    """
    recipe = dataclasses.replace(TINY, steps=1)
    denoiser = model.build_model(recipe, 2, CPU)
    weights = {
        name: value + 0.05 * torch.ones_like(value)
        for name, value in denoiser.net.state_dict().items()
    }
    for name in ("strong", "weak"):
        checkpoint.save_checkpoint(
            tmp_path / f"{name}.pth",
            checkpoint.Checkpoint(recipe, ("bar", "disc"), 1, "", weights, {}),
        )
    both = model.with_guide(
        model.load_model(tmp_path / "strong.pth", CPU), model.load_model(tmp_path / "weak.pth", CPU)
    )
    still = dataclasses.replace(QUICK, lr=1e-12)
    run = toy_run("new", both, adversarial_share=1.0, steps=2, adversarial=still)
    assert run.plan == "2 updates of adversarial training."
    found = finish(run)
    assert (found.classes, found.step, found.recipe.weak) == (("bar", "check", "disc"), 2, None)
    for name, value in weights.items():
        if name.endswith("classes.weight"):
            value = torch.stack([value[:, 0], value.mean(dim=1), value[:, 1]], dim=1)
        torch.testing.assert_close(found.weights[name], value, atol=1e-5, rtol=0)
    assert "8 updates" not in (run.out / "report.txt").read_text()


@pytest.mark.slow
def test_a_run_with_minutes_shares_them(
    toy_run: Callable[..., training.PhotoRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part plans its half: with a clock of 1 s an update of diffusion and 4 s of adversarial
    training.
    """
    run = toy_run("timed", steps=0, small_share=0.0)
    now = [0.0]
    run = training.PhotoRun(
        run.out.with_name("clocked"),
        run.data,
        run.recipe,
        run.compute,
        4.0,
        lambda: now[0],
        0.0,
        run.cache,
    )  # type: ignore[arg-type]
    assert run.plan == "First diffusion for 2 minutes, then adversarial training for 2 minutes."
    monkeypatch.setattr(
        training.PhotoRun, "preview", lambda self, averaged=True: np.zeros((1, 16, 16, 3), np.uint8)
    )
    monkeypatch.setattr(
        training.PhotoRun, "save", lambda self: self.part.extra.update(seconds=self.budget.used())
    )
    updates = run.steps()
    while True:
        now[0] += 4.0 if run.second or run.state.step == run.state.total else 1.0
        if next(updates, None) is None:
            break
    assert run.second
    assert (run.state.step, run.second.step) == (100, 26)  # 88 % of two minutes each, in two digits
    assert 180 < now[0] < 240


def test_the_shipped_network_teaches(
    toy_run: Callable[..., training.PhotoRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    from jungle.images.efficientnet import shipped_lite0

    monkeypatch.setattr(training, "shipped_lite0", shipped_lite0)
    run = toy_run("real", steps=6, adversarial=dataclasses.replace(QUICK, sizes=(32, 48)))
    before = {name: value.clone() for name, value in shipped_lite0().state_dict().items()}
    found = finish(run)
    assert run.second
    assert [head.project.in_channels for head in run.second.critics[0].discriminator.heads] == [
        24,
        40,
        112,
        320,
    ]
    assert all(
        torch.equal(value, before[name]) for name, value in shipped_lite0().state_dict().items()
    )
    assert found.step == 6


# ------------------------------------------------------------------------------------------------
# older files, refusals


def test_recipes_from_before_still_open() -> None:
    """A recipe without adversarial training is written as it was before, and what was written then
    is read.
    """
    old = json.loads(TINY.to_json())
    assert not [key for key in old if key.startswith("adversarial")]
    assert Recipe.from_json(json.dumps(old)) == TINY
    assert find_recipe("quick").adversarial_share == 0.5
    assert Recipe.from_json(find_recipe("adversarial").to_json()) == find_recipe("adversarial")
    for wrong in (-0.1, 1.1):
        with pytest.raises(BadInput, match="adversarial_share"):
            dataclasses.replace(TINY, adversarial_share=wrong)
    for other in (find_recipe("faithful"), find_recipe("tiny", "recordings")):
        with pytest.raises(BadInput, match="photos only"):
            dataclasses.replace(other, adversarial_share=0.5)


def test_a_run_begun_before_goes_on(jungle: Jungle) -> None:
    """Half of a tiny run of the version before, and what that version made of it."""
    shutil.rmtree("photos")
    shutil.copytree(FIXTURES / "run_before_adversarial", ".", dirs_exist_ok=True)
    told = (
        "train photos --recipe tiny --out run --device cpu:float32 -o steps=12 -o "
        "checkpoint_every=5"
    )
    done = jungle(told)
    assert done.code == 0, done.err
    assert "going on at update 7." in done.err
    found, expected = (
        checkpoint.read_checkpoint(Path("run") / MODEL),
        checkpoint.read_checkpoint(Path("straight.pth")),
    )
    assert isinstance(found, checkpoint.Checkpoint)
    assert isinstance(expected, checkpoint.Checkpoint)
    assert found.step == 12
    for name, value in expected.weights.items():
        # other processors round otherwise
        torch.testing.assert_close(found.weights[name], value, atol=2e-3, rtol=0)


@pytest.mark.slow
def test_a_jungle_made_before_still_opens(jungle: Jungle) -> None:
    shutil.copytree(FIXTURES / "jungle_before_adversarial", "old")
    done = jungle("inspect old/postcards/diseck --json --quiet")
    assert (done.code, done.json["changed"]) == (0, [])
    assert jungle("inspect old --json --quiet").json["postcards"] == ["diseck"]
    page = jungle("site --out old --quiet")
    assert page.code == 0, page.err
    assert "diseck" in Path("old/site/index.html").read_text()
    is_refused(jungle("reproduce --out old --quiet"), "jungle 0.1.0 has it")


def test_a_run_of_a_recipe_that_had_one_part_ends_with_one(
    toy_run: Callable[..., training.PhotoRun],
) -> None:
    run = toy_run("old", adversarial_share=0.0)
    for _ in run.steps():
        if run.step == 5:
            break
    run.save()
    again = toy_run("old", adversarial_share=0.5)
    assert again.resumed_at == 5
    assert "without adversarial training" in again.note
    found = finish(again)
    assert (found.step, found.recipe.adversarial_share, again.second) == (16, 0.0, None)
    with pytest.raises(BadInput, match="another recipe"):
        toy_run("old", adversarial_share=0.25, steps=17)


@pytest.mark.slow
def test_going_on_from_a_sampler_of_few_evaluations_is_adversarial_alone(jungle: Jungle) -> None:
    """Diffusion would undo what made it fast; who wants it says so."""
    begun = jungle("train photos --recipe tiny -o steps=4 -o adversarial_share=0.5 --out first")
    assert begun.code == 0, begun.err
    again = (
        "train photos --recipe quick --start first/animal_diffusion_model.pth -o steps=2 -o "
        "curate=no"
    )
    for asked, plan in (
        ("--out second", "2 updates of adversarial training."),
        ("-o adversarial_share=0 --out third", ""),
    ):
        trained = jungle(f"{again} {asked}")
        assert trained.code == 0, trained.err
        assert (plan in trained.err) if plan else ("dversarial training" not in trained.err)


def test_adversarial_training_of_nothing_is_refused(jungle: Jungle) -> None:
    is_refused(jungle("train photos --recipe adversarial --out run --quiet"), "--start")
    is_refused(
        jungle("train photos --recipe tiny -o adversarial_share=1 --out run --quiet"), "--start"
    )
    is_refused(
        jungle("train photos --recipe tiny -o adversarial_share=2 --out run --quiet"),
        "adversarial_share",
    )
    assert not Path("run").exists()
