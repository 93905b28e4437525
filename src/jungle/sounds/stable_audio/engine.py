"""Calls by Stable Audio Open (arXiv 2407.14358) through the ``StableAudioPipeline`` of diffusers.

The pipeline takes one duration for a whole batch, returns broken sound without a word and never
clamps. This module gives every take its own seed and duration, repeats what is broken, and tells in
:attr:`Take.note` what it mended.
"""

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
from .pipeline import choose_compute, fetch_model, in_float32, load_pipeline, own_durations
from .prompts import build_prompt

NATURAL = 5.0  # seconds of a call that nobody gave a length
SILENCE = 1e-3  # peak, -60 dBFS: below it a take counts as silent
FULL = 0.99  # peak above which a take is scaled down, to:
HEADROOM = 10 ** (-1 / 20)  # -1 dBFS
SPARES = 2  # other seeds tried when a take stays broken in float32

FAITHFUL_STEPS = 200
FAITHFUL_GUIDANCE = 7.0
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
            seed=take_seed(seed, index), prompt=prompt, negative=FAITHFUL_NEGATIVE, seconds=seconds
        )
        for index, (seconds, prompt) in enumerate(FAITHFUL_PROMPTS)
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class StableAudioSampling:
    """How takes are drawn.

    Raises:
        BadInput: no step, or a guidance below 1, which the pipeline would take without a word.
    """

    steps: int = 100
    guidance: float = 7.0  # 1 = none
    batch: int = 0  # takes at once; 0 = 4, on a CPU 1
    on_step: Callable[[int, int], None] | None = None  # called with (done, of) after each step

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise BadInput(
                f"steps={self.steps} would return noise: use at least 1, better 50 to 200."
            )
        if not 1 <= self.guidance < math.inf:
            raise BadInput(f"guidance={self.guidance:g} is below 1: use 1 for none, 7 as usual.")


@dataclass(frozen=True, kw_only=True, slots=True)
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
    """A :class:`~jungle.sounds.engine.SoundEngine` around a loaded ``StableAudioPipeline``.

    A take depends on its request alone, not on what it is made with, up to the last bits of batched
    arithmetic. The first noise is drawn on the CPU and is the same in every dtype; the noise inside
    the solver depends on the device too.

    Args:
        pipeline: taken over, and no longer used by anybody else.
        model: the hub name or the hash of its weights.
        sampling: how takes are drawn; 100 steps with guidance 7 by default.
        about: where, how and why it computes so.
        note: for every take.
    """

    name = "stable-audio"

    def __init__(
        self,
        pipeline: Any,
        model: str,
        sampling: StableAudioSampling | None = None,
        *,
        about: str = "",
        note: str = "",
    ) -> None:
        sampling = sampling or StableAudioSampling()
        pipeline.set_progress_bar_config(disable=True)
        self.pipeline, self.model = pipeline, model
        self.steps, self.guidance, self.on_step = (
            sampling.steps,
            sampling.guidance,
            sampling.on_step,
        )
        self.batch = sampling.batch or (1 if pipeline.device.type == "cpu" else 4)
        self.about, self.note = about, note

        # Seconds and samples of the model's window, by the pipeline's own arithmetic.
        self.rate = int(pipeline.vae.config.sampling_rate)
        latents: int = pipeline.transformer.config.sample_size
        self.longest: float = latents * pipeline.vae.hop_length / self.rate
        self._window = int(self.longest * self.rate)

    @classmethod
    def open(
        cls,
        source: str = STABLE_AUDIO,
        device: str = "",
        *,
        token: Token | None = None,
        faithful: bool = False,
        sampling: StableAudioSampling | None = None,
    ) -> "StableAudioEngine":
        """Open a model.

        Args:
            source: a folder, or a model of the hub ("OWNER/NAME", downloaded once).
            device: see ``diffusion.device.choose_device``.
            token: of the hub.
            faithful: the original recipe: 200 steps with guidance 7 and the model's own solver,
                float16 on a CUDA device; elsewhere float32, which each take's note then says.
            sampling: how takes are drawn; a faithful engine keeps its own steps and guidance.

        Raises:
            BadInput: no access to the model, with the page to visit; no such folder, device, or
                room on the disk.
            BadCheckpoint: the folder or model is no Stable Audio model.
            MissingExtra: the libraries of the extra ``stable-audio`` are not installed.
        """
        sampling = sampling or StableAudioSampling()
        if faithful:
            sampling = replace(sampling, steps=FAITHFUL_STEPS, guidance=FAITHFUL_GUIDANCE)

        # All that can be refused is refused before the download.
        compute = choose_compute(device, faithful)
        own_solver = importlib.util.find_spec("torchsde") is not None
        if faithful and not own_solver:
            raise MissingExtra.library("torchsde", "stable-audio", "The faithful recipe")

        folder, model = fetch_model(source, token)
        pipeline = load_pipeline(folder, compute, deterministic=not own_solver)
        about = str(compute)
        if not own_solver:
            about += "; a deterministic solver, as torchsde is not installed"
        note = ""
        if faithful and compute.dtype != torch.float16:
            note = "made in float32: the recipe's float16 wants a CUDA device"
        return cls(pipeline, model, sampling, about=about, note=note)

    def make(self, requests: Sequence[CallRequest]) -> Iterator[tuple[int, Take]]:
        """All takes of all requests in order, each with the index of its request.

        All are checked before the first is made. A take of s seconds has exactly round(s * rate)
        samples. Whatever its duration, the model works on its full window: short takes cost as much
        as long ones.

        Raises:
            BadInput: a duration, a number of takes or a seed out of range.
            JungleError: (while iterating) a take that stays broken after all repeats, or too little
                memory for a single take.
        """
        return self._run(
            [job for index, request in enumerate(requests) for job in self._jobs(index, request)]
        )

    def _jobs(self, index: int, request: CallRequest) -> Iterator[_Job]:
        seconds, samples = self._duration(request)
        if request.takes < 1:
            raise BadInput(f"{request.takes} takes cannot be made: use 1 or more.")
        if not 0 <= request.seed < 2**63:
            raise BadInput(f"{request.seed} is no seed: use a whole number from 0 to 2^63 - 1.")

        # What the model will not hear is told, because it does not tell.
        prompt = request.prompt or build_prompt(request.mix, request.seed)
        notes = [
            self.note,
            self._truncation_note("prompt", prompt),
            self._truncation_note("negative prompt", request.negative),
        ]
        if request.negative and self.guidance == 1:
            notes.append("the negative prompt has no effect at guidance 1")

        for take in range(request.takes):
            yield _Job(
                index=index,
                seed=take_seed(request.seed, take),
                prompt=prompt,
                negative=request.negative,
                seconds=seconds,
                samples=samples,
                note=_join_notes(notes),
            )

    def _duration(self, request: CallRequest) -> tuple[float, int]:
        """Seconds and samples of a take."""
        seconds = request.seconds or min(NATURAL, self.longest)
        samples = round(seconds * self.rate) if 0 < seconds < math.inf else 0
        if not 1 <= samples <= self._window:
            limit = math.floor(self.longest * 100) / 100
            raise BadInput(
                f"A call of {request.seconds:g} s cannot be made: {self.model} makes up to "
                f"{limit:g} s (0 = as is natural)."
            )
        return seconds, samples

    def _truncation_note(self, kind: str, text: str) -> str:
        """The note for a text longer than the tokenizer's limit: the pipeline drops the rest."""
        limit = self.pipeline.tokenizer.model_max_length
        count = len(self.pipeline.tokenizer(text, verbose=False).input_ids)
        if count <= limit:
            return ""
        return f"the {kind} has {count} tokens, and only the first {limit} count"

    def _run(self, jobs: Sequence[_Job]) -> Iterator[tuple[int, Take]]:
        # No negative prompt is not the same as an empty one, and a batch has it for all or for
        # none. Runs and not all jobs of a kind at once: takes come in the order of their requests.
        for _, run in itertools.groupby(jobs, key=lambda job: bool(job.negative)):
            waiting = list(run)
            while waiting:
                part, waiting = waiting[: self.batch], waiting[self.batch :]
                for job, (audio, note) in zip(part, self._denoise_within_memory(part), strict=True):
                    yield job.index, self._finish(job, audio, note)

    def _finish(self, job: _Job, audio: Audio, note: str) -> Take:
        """A sound take from what the model made of ``job``.

        Mended where it is broken, scaled where it is too loud.
        """
        notes, seed = [job.note, note], job.seed
        problem = find_fault(audio, job.samples)
        if problem:
            audio, seed, note = self._mend(job, problem)
            notes.append(note)
        audio, note = scale_to_headroom(audio)
        return Take(audio, self.rate, seed, _join_notes([*notes, note]))

    def _mend(self, job: _Job, problem: str) -> tuple[Audio, int, str]:
        """Another attempt in float32: with the same seed, unless it was that, then with others.

        Returns:
            The audio (samples, channels), its seed, and a note.
        """
        # Numbers below 0 belong to no take.
        dtype = self.pipeline.transformer.dtype
        seeds = [take_seed(job.seed, -spare) for spare in range(1, SPARES + 1)]
        if dtype != torch.float32:
            seeds.insert(0, job.seed)
        try:
            with in_float32(self.pipeline):
                for seed in seeds:
                    [(audio, _)] = self._denoise_within_memory([replace(job, seed=seed)])
                    if not find_fault(audio, job.samples):
                        note = f"{problem} from seed {job.seed} in {_dtype_name(dtype)}: "
                        change = "" if seed == job.seed else f" with seed {seed}"
                        return audio, seed, f"{note}repeated in float32{change}"
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            raise self._no_memory() from error
        raise JungleError(
            f"{self.model} gave {problem} for '{job.prompt}' with seed {job.seed} and in "
            f"{len(seeds)} repeats in float32: use another prompt, seed or model."
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

        # Outside of the handler, whose traceback would hold the tensors of the failed attempt.
        half = len(jobs) // 2
        self.batch = half
        return [
            *self._denoise_within_memory(jobs[:half]),
            *self._denoise_within_memory(jobs[half:]),
        ]

    def _no_memory(self) -> JungleError:
        return JungleError(
            f"There is not enough memory on '{self.pipeline.device}' for one take of "
            f"{self.model}: use <--device> cpu."
        )

    def _denoise(self, jobs: Sequence[_Job]) -> list[tuple[Audio, str]]:
        """One call of the pipeline.

        Returns:
            For each job its samples, as many as it asks for if there are, (samples, channels)
            float32, and a note.
        """

        def on_step(step: int, *_: Any) -> None:
            if self.on_step:
                self.on_step(step + 1, self.steps)

        generators = [torch.Generator().manual_seed(job.seed) for job in jobs]
        durations = own_durations(self.pipeline, [job.seconds for job in jobs])
        with durations, warnings.catch_warnings():
            # The solver asks for noise just outside of the interval it named, by rounding and at
            # its last step; that is harmless.
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
                callback=on_step,
            )

        audios = torch.as_tensor(answer.audios)  # (takes, channels, samples)
        note = ""
        if audios.dtype != torch.float32:
            note = f"the model answered in {_dtype_name(audios.dtype)}: converted to float32"
        arrays = audios.float().cpu().numpy()
        return [
            (np.ascontiguousarray(array[:, : job.samples].T), note)
            for array, job in zip(arrays, jobs, strict=True)
        ]


def find_fault(audio: Audio, samples: int) -> str:
    """Why ``audio`` (samples, channels) cannot be a take of ``samples`` samples; "" if it can."""
    if len(audio) < samples:
        return f"{len(audio)} instead of {samples} samples"
    if not np.isfinite(audio).all():
        return "values that are not numbers"
    return "silence" if np.abs(audio).max() < SILENCE else ""


def scale_to_headroom(audio: Audio) -> tuple[Audio, str]:
    """Audio scaled to a peak of -1 dBFS, and a note, where its peak is above :data:`FULL`.

    Elsewhere the audio as it is, and "".
    """
    peak = float(np.abs(audio).max())
    if peak <= FULL:
        return audio, ""
    scaled = (audio * np.float32(HEADROOM / peak)).astype(np.float32)
    return scaled, f"a peak of {20 * math.log10(peak):+.1f} dBFS, scaled down to -1 dBFS"


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _join_notes(notes: Sequence[str]) -> str:
    return "; ".join(note for note in notes if note)
