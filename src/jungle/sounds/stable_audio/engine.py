"""Calls by Stable Audio Open (arXiv 2407.14358) through the ``StableAudioPipeline`` of diffusers.

The pipeline takes one duration for a whole batch, returns broken sound without a word and never clamps. This module gives
every take its own seed and duration, repeats what is broken, and tells in :attr:`Take.note` what it mended.
"""

import contextlib
import importlib.util
import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ...diffusion.device import out_of_memory
from ...errors import BadInput, JungleError, MissingExtra
from ..engine import Audio, CallRequest, Take, take_seed
from .hub_access import STABLE_AUDIO, Token
from .pipeline import choose_compute, fetch_model, load_pipeline
from .prompts import build_prompt

NATURAL = 5.0  # seconds of a call that nobody gave a length
SILENCE = 1e-3  # peak, -60 dBFS: below it a take counts as silent
FULL = 0.99  # peak above which a take is scaled down, to:
HEADROOM = 10 ** (-1 / 20)  # -1 dBFS
SPARES = 2  # other seeds tried when a take stays broken in float32

FAITHFUL_STEPS = 200
FAITHFUL_NEGATIVE = "Low quality."
FAITHFUL_PROMPTS = (
    (5.0, "A small winged lion chirps and growls in a forest at dawn."),
    (10.0, "A giant frog sings a slow booming call across a swamp at night."),
    (15.0, "A herd of feathered elephants trumpets and rumbles on an open plain."),
    (20.0, "A pack of unknown night animals howls and clicks in deep jungle rain."),
)
"""(seconds, prompt): the four calls of the faithful recipe."""


def faithful_requests(seed: int = 0) -> list[CallRequest]:
    """The four requests of the faithful recipe, each with a seed of its own."""
    return [
        CallRequest(
            seed=take_seed(seed, number), prompt=prompt, negative=FAITHFUL_NEGATIVE, seconds=seconds
        )
        for number, (seconds, prompt) in enumerate(FAITHFUL_PROMPTS)
    ]


@dataclass(frozen=True, slots=True)
class _Job:
    """One take to make: ``samples`` at the model's rate, for request ``index``."""

    index: int
    seed: int
    prompt: str
    negative: str
    seconds: float
    samples: int
    note: str


class StableAudioEngine:
    """A :class:`CallMaker` around a loaded ``StableAudioPipeline``. ``about`` says where, how and why it computes so.

    A take depends on its request alone, not on what it is made with, up to the last bits of batched arithmetic. The first
    noise is drawn on the CPU and is the same in every dtype; the noise inside the solver depends on the device too.
    """

    name = "stable-audio"

    def __init__(
        self,
        pipeline: Any,
        model: str,
        *,
        steps: int = 100,
        guidance: float = 7.0,
        batch: int = 0,
        about: str = "",
        note: str = "",
        on_step: Callable[[int, int], None] | None = None,
    ) -> None:
        """Take over ``pipeline``; ``batch`` takes at once (0 = 4, on a CPU 1), ``note`` for every take, ``on_step(done, of)``.

        Raises:
            BadInput: no step, or a guidance below 1.
        """
        check_sampling(steps, guidance)
        pipeline.set_progress_bar_config(disable=True)
        self.pipeline, self.model, self.steps, self.guidance = pipeline, model, steps, guidance
        self.batch = batch or (1 if pipeline.device.type == "cpu" else 4)
        self.about, self.note, self.on_step = about, note, on_step
        self.rate = int(pipeline.vae.config.sampling_rate)
        self.longest: float = (
            pipeline.transformer.config.sample_size * pipeline.vae.hop_length / self.rate
        )  # seconds
        self._window = int(self.longest * self.rate)  # samples; the pipeline's own arithmetic

    @classmethod
    def open(
        cls,
        source: str = STABLE_AUDIO,
        device: str = "",
        *,
        token: Token | None = None,
        faithful: bool = False,
        steps: int = 100,
        guidance: float = 7.0,
        batch: int = 0,
        on_step: Callable[[int, int], None] | None = None,
    ) -> "StableAudioEngine":
        """Open a folder, or a model of the hub ("OWNER/NAME", downloaded once), on ``device`` (see ``diffusion.device.choose``).

        ``faithful`` is the original recipe: 200 steps with guidance 7 and the model's own solver, float16 on a CUDA device;
        elsewhere float32, which each take's note then says. The other options are those of the constructor.

        Raises:
            BadInput: no access to the model, with the page to visit; no such folder, device, or room on the disk.
            BadCheckpoint: something else than a Stable Audio model.
            MissingExtra: the libraries of the extra ``stable-audio`` are not installed.
        """
        if faithful:
            steps, guidance = FAITHFUL_STEPS, 7.0
        check_sampling(steps, guidance)  # before the download
        compute = choose_compute(device, faithful)
        solver = (
            ""
            if importlib.util.find_spec("torchsde")
            else "; a deterministic solver, as torchsde is not installed"
        )
        if faithful and solver:
            raise MissingExtra.library("torchsde", "stable-audio", "The faithful recipe")
        note = (
            "made in float32: the recipe's float16 wants a CUDA device"
            if faithful and compute.dtype != torch.float16
            else ""
        )
        folder, model = fetch_model(source, token)
        pipeline, about = (
            load_pipeline(folder, compute, deterministic=bool(solver)),
            f"{compute}{solver}",
        )
        return cls(
            pipeline,
            model,
            steps=steps,
            guidance=guidance,
            batch=batch,
            about=about,
            note=note,
            on_step=on_step,
        )

    def make(self, requests: Sequence[CallRequest]) -> Iterator[tuple[int, Take]]:
        """All takes of all requests in order, each with the index of its request; all are checked before the first is made.

        A take of s seconds has exactly round(s * rate) samples. Whatever its duration, the model works on its full window:
        short takes cost as much as long ones.

        Raises:
            BadInput: a duration, a number of takes or a seed that cannot be.
            JungleError: (while iterating) a take that stays broken after all repeats, or too little memory for a single take.
        """
        return self._run(
            [job for index, request in enumerate(requests) for job in self._jobs(index, request)]
        )

    def _jobs(self, index: int, request: CallRequest) -> Iterator[_Job]:
        seconds = request.seconds or min(NATURAL, self.longest)
        if (
            not 0 < seconds < math.inf
            or not 1 <= (samples := round(seconds * self.rate)) <= self._window
        ):
            limit = math.floor(self.longest * 100) / 100
            raise BadInput(
                f"A call of {request.seconds:g} s cannot be made: {self.model} makes up to {limit:g} s (0 = as is natural)."
            )
        if request.takes < 1:
            raise BadInput(f"{request.takes} takes cannot be made: use 1 or more.")
        if not 0 <= request.seed < 2**63:
            raise BadInput(f"{request.seed} is no seed: use a whole number from 0 to 2^63 - 1.")
        prompt = request.prompt or build_prompt(request.mix, request.seed)
        notes = [
            self.note,
            self._cut("prompt", prompt),
            self._cut("negative prompt", request.negative),
        ]
        if request.negative and self.guidance == 1:
            notes.append("the negative prompt has no effect at guidance 1")
        for number in range(request.takes):
            yield _Job(
                index,
                take_seed(request.seed, number),
                prompt,
                request.negative,
                seconds,
                samples,
                _join(notes),
            )

    def _cut(self, what: str, text: str) -> str:
        """The note for a text longer than the tokenizer's limit, beyond which the pipeline drops it."""
        limit = self.pipeline.tokenizer.model_max_length
        count = len(self.pipeline.tokenizer(text, verbose=False).input_ids)
        return (
            f"the {what} has {count} tokens, and only the first {limit} count"
            if count > limit
            else ""
        )

    def _run(self, jobs: Sequence[_Job]) -> Iterator[tuple[int, Take]]:
        # No negative prompt is not the same as an empty one, and a batch has it for all or for none
        for _, group in itertools.groupby(jobs, key=lambda job: bool(job.negative)):
            waiting = list(group)
            while waiting:
                part, waiting = waiting[: self.batch], waiting[self.batch :]
                for job, (audio, note) in zip(part, self._denoise_within_memory(part), strict=True):
                    yield job.index, self._finish(job, audio, note)

    def _finish(self, job: _Job, audio: Audio, note: str) -> Take:
        """A sound take from what the model made of ``job``: mended where it is broken, scaled where it is too loud."""
        notes, seed = [job.note, note], job.seed
        if problem := find_fault(audio, job.samples):
            audio, seed, note = self._mend(job, problem)
            notes.append(note)
        audio, note = scale_to_headroom(audio)
        return Take(audio, self.rate, seed, _join([*notes, note]))

    def _mend(self, job: _Job, problem: str) -> tuple[Audio, int, str]:
        """Another attempt in float32 with the same seed (if it was not that already), then with other seeds."""
        dtype = self.pipeline.transformer.dtype
        seeds = [
            take_seed(job.seed, -spare) for spare in range(1, SPARES + 1)
        ]  # numbers below 0 belong to no take
        if dtype != torch.float32:
            seeds.insert(0, job.seed)
        try:
            with _in_float32(self.pipeline):
                for seed in seeds:
                    [(audio, _)] = self._denoise_within_memory([replace(job, seed=seed)])
                    if not find_fault(audio, job.samples):
                        change = "" if seed == job.seed else f" with seed {seed}"
                        return (
                            audio,
                            seed,
                            f"{problem} from seed {job.seed} in {str(dtype)[6:]}: repeated in float32{change}",
                        )
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            raise self._no_memory() from error
        raise JungleError(
            f"{self.model} gave {problem} for '{job.prompt}' with seed {job.seed} and in {len(seeds)} repeats in float32: "
            "use another prompt, seed or model."
        )

    def _denoise_within_memory(self, jobs: Sequence[_Job]) -> list[tuple[Audio, str]]:
        """:meth:`_denoise`, in halves from here on where memory runs out."""
        try:
            return self._denoise(jobs)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if len(jobs) == 1:
                raise self._no_memory() from error
        self.batch = half = (
            len(jobs) // 2
        )  # outside of the handler, whose traceback would hold the tensors of the failed attempt
        return [
            *self._denoise_within_memory(jobs[:half]),
            *self._denoise_within_memory(jobs[half:]),
        ]

    def _no_memory(self) -> JungleError:
        return JungleError(
            f"There is not enough memory on '{self.pipeline.device}' for one take of {self.model}: use --device cpu."
        )

    def _denoise(self, jobs: Sequence[_Job]) -> list[tuple[Audio, str]]:
        """One call of the pipeline: for each job its samples (as many as it wants, if there are), and a note."""
        generators = [torch.Generator().manual_seed(job.seed) for job in jobs]
        with (
            _own_durations(self.pipeline, [job.seconds for job in jobs]),
            warnings.catch_warnings(),
        ):
            # The solver asks for noise just outside of the interval it named, by rounding and at its last step; that is harmless
            warnings.filterwarnings(
                "ignore", message="Should have t[ab]", category=UserWarning, module="torchsde"
            )
            answer = self.pipeline(
                [job.prompt for job in jobs],
                negative_prompt=[job.negative for job in jobs] if jobs[0].negative else None,
                num_inference_steps=self.steps,
                guidance_scale=self.guidance,
                generator=generators,
                output_type="np",
                callback=lambda step, *_: (
                    self.on_step(step + 1, self.steps) if self.on_step else None
                ),
            ).audios
        audios = torch.as_tensor(answer)
        note = (
            ""
            if audios.dtype == torch.float32
            else f"the model answered in {str(audios.dtype)[6:]}: converted to float32"
        )
        whole = audios.float().cpu().numpy()  # (takes, channels, samples)
        return [
            (np.ascontiguousarray(one[:, : job.samples].T), note)
            for one, job in zip(whole, jobs, strict=True)
        ]


def check_sampling(steps: int, guidance: float) -> None:
    """Raises BadInput for no step or a guidance below 1, which the pipeline would take without a word."""
    if steps < 1:
        raise BadInput(f"steps={steps} would return noise: use at least 1, better 50 to 200.")
    if not 1 <= guidance < math.inf:
        raise BadInput(f"guidance={guidance:g} is below 1: use 1 for none, 7 as usual.")


def find_fault(audio: Audio, samples: int) -> str:
    """Why ``audio`` (samples, channels) cannot be a take of ``samples`` samples; "" if it can."""
    if len(audio) < samples:
        return f"{len(audio)} instead of {samples} samples"
    if not np.isfinite(audio).all():
        return "values that are not numbers"
    return "silence" if np.abs(audio).max() < SILENCE else ""


def scale_to_headroom(audio: Audio) -> tuple[Audio, str]:
    """``audio``, scaled to a peak of -1 dBFS with a note where its peak is above :data:`FULL`, else as it is."""
    peak = float(np.abs(audio).max())
    if peak <= FULL:
        return audio, ""
    return (audio * np.float32(HEADROOM / peak)).astype(
        np.float32
    ), f"a peak of {20 * math.log10(peak):+.1f} dBFS, scaled down to -1 dBFS"


def _join(notes: Sequence[str]) -> str:
    return "; ".join(note for note in notes if note)


@contextlib.contextmanager
def _own_durations(pipeline: Any, seconds: list[float]) -> Iterator[None]:
    """Tell the network each take's own duration, where the pipeline accepts but one number for all of a batch."""
    encode = pipeline.encode_duration
    pipeline.encode_duration = lambda start, end, *rest: encode(start, seconds, *rest)
    try:
        yield
    finally:
        del pipeline.encode_duration  # the method of the class shows again


@contextlib.contextmanager
def _in_float32(pipeline: Any) -> Iterator[None]:
    """All weights in float32 inside, in exactly their own dtypes again outside (some models mix dtypes)."""
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    weights = [
        weight
        for part in parts
        for weight in itertools.chain(part.parameters(), part.buffers())
        if weight.is_floating_point()
    ]
    dtypes = [weight.dtype for weight in weights]
    try:
        for weight in weights:
            weight.data = weight.data.float()
        yield
    finally:
        for weight, dtype in zip(weights, dtypes, strict=True):
            weight.data = weight.data.to(dtype)
