"""Pictures and calls from a trained model: one call gives one picture or one sound."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..config.recipes import Medium, SampleRecipe, Solver, override
from ..diffusion import batched_sampling, checkpoint, device, model, sampler
from ..errors import BadInput
from ..images import sampling
from ..mastering import chain
from ..sounds import rank
from ..sounds.classifier import AudioClassifier
from ..sounds.engine import CallRequest
from ..sounds.generate import SpectrogramEngine
from ..sounds.memorisation import MemorisationIndex
from ..species import kinds, select
from ..weights import shipped

_SHIPPED = ("photo64", "call")
"""Models that come with the package, by the name that ``load`` takes."""

_OPENED_BY = {"photos": "jungle.ImageModel", "recordings": "jungle.SoundModel"}


class Sound(NamedTuple):
    """A sound: ``samples`` is float32 (samples, channels) in [-1, 1], ``rate`` is in Hz."""

    samples: NDArray[np.float32]
    rate: int


@dataclass(frozen=True, slots=True)
class DenoisingStep:
    """One step of the sampler: ``index`` counts from 1 to ``total``.

    ``image`` is the picture as it is now, at noise level ``sigma``: the last one is the result.
    ``estimate`` is what the network takes for the finished picture.
    """

    index: int
    total: int
    sigma: float
    image: Image.Image
    estimate: Image.Image


class ImageModel:
    """A diffusion model of pictures.

    On one device with one number of threads, a picture depends on its class weights and its seed
    alone: the same call gives the same pixels, in any batch.
    """

    def __init__(
        self, loaded: model.Model, kind_report: kinds.ClassQualityReport | None = None
    ) -> None:
        """Wrap a model that is open already; :meth:`load` opens one."""
        self.model = loaded
        self.kind_report = kind_report or kinds.ClassQualityReport()

    @classmethod
    def load(
        cls,
        name: str | Path = "photo64",
        *,
        device: str = "",
        options: Mapping[str, object] | None = None,
    ) -> "ImageModel":
        """Open a model.

        Args:
            name: "photo64", which comes with the package, a model file, or the folder of a run.
            device: "cpu", "cuda" or "mps", with ":float32" or ":bfloat16"; the best by default.
            options: what another project's file does not say: ``image_size``, ``betas``,
                ``timesteps``, ``prediction``, ``head_dim``.

        Raises:
            JungleError: there is no such file or device, or the file holds no model of pictures.
        """
        path = _model_path(name)
        loaded = _open_model(path, "photos", device, options)
        return cls(loaded, kinds.of_model(path, loaded.hash))

    @property
    def classes(self) -> tuple[str, ...]:
        """The kinds of animals that it knows; the keys of class weights."""
        return self.model.classes

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a picture in pixels."""
        return self.model.size

    def __call__(
        self,
        weights: Mapping[str, float] | None = None,
        seed: int = 0,
        *,
        steps: int | None = None,
        solver: str | None = None,
        guidance: float | None = None,
    ) -> Image.Image:
        """Paint one picture.

        Args:
            weights: share of each class, such as ``{"cat": 0.6, "panda": 0.4}``; scaled to sum
                to 1. Empty: any animal.
            seed: 0 or more.
            steps: noise levels; the model's own number by default.
            solver: a key of ``jungle.diffusion.sampler.SOLVERS``; the model's own by default.
            guidance: how strongly to obey the weights; 1 means none.

        Raises:
            JungleError: an unknown class or solver, or a value out of range.
        """
        how = {"steps": steps, "solver": solver, "guidance": guidance}
        return next(self._paint(weights, [seed], self.sample_recipe(how)))

    def generate(
        self,
        weights: Mapping[str, float] | None,
        seeds: Iterable[int],
        *,
        steps: int | None = None,
        solver: str | None = None,
        guidance: float | None = None,
    ) -> Iterator[Image.Image]:
        """Paint a picture for each seed, in their order; the network sees several at once.

        Arguments and errors are those of a single picture.
        """
        how = {"steps": steps, "solver": solver, "guidance": guidance}
        return self._paint(weights, seeds, self.sample_recipe(how))

    def sample_recipe(self, changes: Mapping[str, object]) -> SampleRecipe:
        """The model's own way to sample, with ``changes`` by field; None leaves a field as it is.

        Raises:
            JungleError: an unknown field or solver, or a value out of range.
        """
        given = {key: value for key, value in changes.items() if value is not None}
        solver = given.pop("solver", None)
        recipe = override(
            self.model.recipe.sample, {key: str(value) for key, value in given.items()}
        )
        if solver is None:
            return recipe

        # SOLVERS is open: a solver of one's own is a function added there under a new name, which
        # the recipe's list of shipped solvers cannot know.
        if solver not in sampler.SOLVERS:
            raise BadInput(
                f"There is no solver '{solver}'; choose one of {', '.join(sampler.SOLVERS)}."
            )
        return dataclasses.replace(recipe, solver=cast(Solver, solver))

    def _paint(
        self, weights: Mapping[str, float] | None, seeds: Iterable[int], recipe: SampleRecipe
    ) -> Iterator[Image.Image]:
        mix = self.model.mix(dict(weights or {}))
        requests = [batched_sampling.SampleRequest(_checked(seed), mix) for seed in seeds]
        for _, pixels in sampling.sample_pictures(self.model, requests, recipe):
            yield Image.fromarray(pixels)


def sample(
    model: ImageModel,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    *,
    steps: int | None = None,
    solver: str | None = None,
    guidance: float | None = None,
) -> Iterator[DenoisingStep]:
    """Watch a picture appear: a record after every step of the solver.

    The last record's ``image`` is what ``model(weights, seed)`` gives with the same arguments.

    Raises:
        JungleError: an unknown class or solver, or a value out of range.
    """
    loaded = model.model
    recipe = model.sample_recipe({"steps": steps, "solver": solver, "guidance": guidance})
    mix = loaded.mix(dict(weights or {}))[None].to(loaded.device)

    # As many items as a batch of pictures has, filled up with copies: the last bits of a
    # convolution depend on that number, and the two ways to paint shall agree.
    walk = sampler.sample(
        loaded.denoiser,
        [_checked(seed)],
        mix,
        (3, *loaded.size),
        recipe,
        loaded.weak,
        batched_sampling.batch_size(loaded.device, recipe),
    )
    for step in walk:
        image, estimate = (Image.fromarray(sampling.to_uint8(x)[0]) for x in (step.x, step.clean))
        yield DenoisingStep(step.index, step.total, step.sigma, image, estimate)


class SoundModel:
    """A diffusion model of calls, drawn as spectrograms whose phases are found from levels alone.

    On one device with one number of threads, a call depends on its arguments alone.
    """

    def __init__(
        self, engine: SpectrogramEngine, reference: MemorisationIndex | None = None
    ) -> None:
        """Wrap an engine; ``reference`` tells copies of the recordings it learned from."""
        self.engine = engine
        self.reference = reference

    @classmethod
    def load(cls, name: str | Path = "call", *, device: str = "") -> "SoundModel":
        """Open a model.

        Args:
            name: "call", which comes with the package, a model file, or the folder of a run.
            device: "cpu", "cuda" or "mps", with ":float32" or ":bfloat16"; the best by default.

        Raises:
            JungleError: there is no such file or device, or the file holds no model of recordings.
        """
        path = _model_path(name)
        loaded = _open_model(path, "recordings", device)
        reference = MemorisationIndex.load(path.with_suffix(".reference"))
        return cls(SpectrogramEngine(loaded, loaded.recipe.sample), reference)

    @property
    def classes(self) -> tuple[str, ...]:
        """The kinds of animals that it knows; the keys of class weights."""
        return self.engine.classes

    def __call__(
        self,
        weights: Mapping[str, float] | None = None,
        seed: int = 0,
        *,
        seconds: float = 0.0,
        takes: int = 1,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Sound:
        """Make one call.

        Args:
            weights: share of each class, such as ``{"lion": 0.5, "frog": 0.5}``; scaled to sum
                to 1. Empty: any animal.
            seed: 0 or more.
            seconds: its length; 0 for the natural one.
            takes: how many to make; the best by score is returned (``jungle.sounds.rank``).
            steps: noise levels; the model's own number by default.
            guidance: how strongly to obey the weights; 1 means none.

        Raises:
            JungleError: an unknown class, or a value out of range.
        """
        changes = {"steps": steps, "guidance": guidance}
        given = {key: str(value) for key, value in changes.items() if value is not None}
        engine = self.engine.with_sampling(override(self.engine.recipe, given))
        if not 1 <= takes <= select.MOST:
            raise BadInput(f"takes={takes}: use 1 or more takes of a call.")

        # An unknown class is refused; what is left is told to the engine as the commands tell it.
        engine.check_mix(dict(weights or {}))
        mix = select.voices(weights or {}, engine.classes)
        request = CallRequest(seed=_checked(seed), mix=mix, seconds=seconds, takes=takes)
        results = [take for _, take in engine.make([request])]
        if takes > 1:
            results = [
                rank.rank_takes(results, mix, AudioClassifier.shipped(), self.reference)[0].take
            ]
        return Sound(results[0].audio, results[0].rate)


def master(
    sound: tuple[NDArray[np.float32], int], settings: chain.MasterSettings | None = None
) -> chain.Mastered:
    """Master a sound: clean, seamless loop, -16 LUFS, true peak at most -1 dBTP, 48 kHz.

    Args:
        sound: float32 samples, (samples,) or (samples, channels) in [-1, 1], and their rate in Hz.
        settings: of cleaning, looping and level; the usual ones by default.

    Returns:
        ``audio`` float32 (samples, 1), ``pcm`` its 16-bit form, ``loop`` [start, end) in samples,
        ``after`` in LUFS, ``true_peak`` in dBTP, and ``notes`` on what was done.

    Raises:
        JungleError: the sound is silent, holds NaN or is shorter than 20 ms.
    """
    samples, rate = sound
    clip = np.asarray(samples, dtype=np.float32)
    return chain.master_clips([clip[:, None] if clip.ndim == 1 else clip], rate, settings)[0]


def _model_path(name: str | Path) -> Path:
    """A shipped name, a file, or the folder of a training run -> the file."""
    if str(name) in _SHIPPED:
        return shipped(f"{name}.safetensors")
    path = Path(name)
    return path / checkpoint.MODEL_NAME if path.is_dir() else path


def _open_model(
    path: Path, media: Medium, device_name: str, options: Mapping[str, object] | None = None
) -> model.Model:
    hints = {key: str(value) for key, value in (options or {}).items()}
    loaded = model.load_model(path, device.choose_device(device_name), hints)
    if loaded.recipe.media != media:
        other = _OPENED_BY[loaded.recipe.media]
        raise BadInput(f"{path} was trained on {loaded.recipe.media}: open it with {other}.")
    return loaded


def _checked(seed: int) -> int:
    select.check_numbers(1, seed)
    return seed
