"""Stable Audio: the real pipeline classes at toy size, a pipeline that misbehaves, and a hub that
refuses.
"""

import ast
import dataclasses
import runpy
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY

from jungle.diagnostics import doctor
from jungle.errors import BadCheckpoint, BadInput, JungleError, MissingExtra
from jungle.sounds.engine import CallRequest, Take, take_seed
from jungle.sounds.stable_audio import engine, hub_access, prompts
from jungle.sounds.stable_audio import pipeline as pipelines
from jungle.sounds.stable_audio.engine import (
    FAITHFUL_NEGATIVE,
    StableAudioEngine,
    StableAudioSampling,
    faithful_requests,
    find_fault,
    scale_to_headroom,
)
from jungle.sounds.stable_audio.hub_access import (
    STABLE_AUDIO,
    TOKENS_PAGE,
    Token,
    check_access,
    find_token,
    missing_resources,
    model_page,
)
from jungle.sounds.stable_audio.pipeline import choose_compute, deterministic_solver, load_pipeline
from jungle.species.animals import animals

TOY = runpy.run_path(str(REPOSITORY / "benchmarks" / "toy_stable_audio.py"))
RATE, WINDOW = TOY["RATE"], TOY["WINDOW"]


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the parts of Stable Audio Open, each the real class with toy numbers and random
    weights.
    """
    for needed in ("diffusers", "transformers", "torchsde"):
        pytest.importorskip(needed)
    folder: Path = TOY["build"](tmp_path_factory.mktemp("toy") / "stable-audio")
    return folder


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def pipeline(toy: Path) -> Any:
    return load_pipeline(toy, choose_compute("cpu"))


@pytest.fixture
def maker(pipeline: Any) -> StableAudioEngine:
    return StableAudioEngine(pipeline, "toy", StableAudioSampling(steps=4, batch=8))


def takes(maker: StableAudioEngine, requests: Sequence[CallRequest]) -> list[tuple[int, Take]]:
    return list(maker.make(requests))


def one(maker: StableAudioEngine, **request: Any) -> Take:
    [(_, take)] = maker.make(
        [CallRequest(**{"seed": 1, "prompt": "a lion roars", "seconds": 0.5} | request)]
    )
    return take


# -------------------------------------------------------------------------------------------------------------------
# takes


@pytest.mark.slow
def test_faithful_recipe_gives_four_wavs_of_exact_length(toy: Path, tmp_path: Path) -> None:
    """200 steps, guidance 7 and the negative prompt; durations are a tenth of the real."""
    soundfile = pytest.importorskip("soundfile")
    requests = [
        dataclasses.replace(request, seconds=request.seconds / 10)
        for request in faithful_requests(seed=3)
    ]
    assert [10 * request.seconds for request in requests] == [5, 10, 15, 20]
    assert len({request.seed for request in requests}) == 4
    maker = StableAudioEngine.open(
        str(toy), "cpu", faithful=True, sampling=StableAudioSampling(batch=4)
    )
    assert (maker.steps, maker.guidance, maker.rate) == (200, 7.0, RATE)
    assert "float32" in maker.about
    for index, take in maker.make(requests):
        assert "float16 wants a CUDA device" in take.note
        path = tmp_path / f"animal_sound_{index + 1}.wav"
        soundfile.write(path, take.audio, take.rate)
        assert soundfile.info(path).frames == round(requests[index].seconds * RATE)


def test_a_take_is_what_a_direct_call_of_the_pipeline_gives(maker: StableAudioEngine) -> None:
    request = dataclasses.replace(faithful_requests()[3], prompt="a lion roars", seconds=2.0)
    [(_, take)] = maker.make([request])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Should have t[ab]", category=UserWarning)
        audios = maker.pipeline(
            "a lion roars",
            negative_prompt=FAITHFUL_NEGATIVE,
            num_inference_steps=4,
            audio_end_in_s=2.0,
            output_type="np",
            generator=torch.Generator().manual_seed(request.seed),
        ).audios
    np.testing.assert_allclose(take.audio, audios[0].T, atol=1e-5)


def test_a_mix_without_a_prompt_gets_one(
    maker: StableAudioEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    built = prompts.build_prompt({"frog": 1.0}, 7)
    take, same = (
        one(maker, seed=7, **more)
        for more in ({"mix": {"frog": 1.0}, "prompt": ""}, {"prompt": built})
    )
    np.testing.assert_allclose(take.audio, same.audio, atol=1e-6)
    assert "tokens" in take.note  # the toy spells letter by letter
    assert capfd.readouterr() == ("", "")


def test_a_take_is_the_same_alone_and_in_any_batch(maker: StableAudioEngine) -> None:
    """Also among other durations, other prompts, and takes with and without a negative prompt."""
    expected = CallRequest(seed=5, prompt="a lion roars", negative="music", seconds=0.7, takes=2)
    others = [
        CallRequest(seed=6, prompt="the call of a frog", negative="low quality", seconds=2.0),
        CallRequest(seed=7, prompt="field recording"),
    ]
    together = takes(maker, [others[0], expected, others[1]])
    assert [index for index, _ in together] == [0, 1, 1, 2]
    assert [take.seed for _, take in together] == [6, 5, take_seed(5, 1), 7]
    assert [take.audio.shape for _, take in together] == [
        (16000, 2),
        (5600, 2),
        (5600, 2),
        (WINDOW, 2),
    ]
    assert all(
        take.audio.dtype == np.float32 and take.rate == RATE and take.note == ""
        for _, take in together
    )
    for alone in (
        takes(maker, [expected]),
        takes(
            StableAudioEngine(maker.pipeline, "toy", StableAudioSampling(steps=4, batch=1)),
            [expected],
        ),
    ):
        for (_, left), (_, right) in zip(alone, together[1:3], strict=True):
            np.testing.assert_allclose(left.audio, right.audio, atol=1e-5)
    assert np.abs(together[1][1].audio - together[2][1].audio).max() > 0.01
    [(_, plain)] = takes(maker, [others[1]])  # no negative prompt: not the same as an empty one
    np.testing.assert_allclose(plain.audio, together[3][1].audio, atol=1e-5)


def test_the_network_hears_each_takes_own_duration(maker: StableAudioEngine) -> None:
    """A shorter call is another call, not the beginning of a longer one; and the pipeline is left
    as it was.
    """
    short, long = (one(maker, seconds=seconds).audio for seconds in (0.5, 2.0))
    assert np.abs(short - long[:4000]).max() > 1e-5
    assert "encode_duration" not in vars(maker.pipeline)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"seconds": 2.1}, "2.1 s cannot be made: toy makes up to 2.04 s"),
        ({"seconds": -1.0}, "-1 s cannot be made"),
        ({"seconds": float("nan")}, "nan s cannot be made"),
        ({"seconds": float("inf")}, "inf s cannot be made"),
        ({"seconds": 1e-6}, "1e-06 s cannot be made"),
        ({"takes": 0}, "0 takes"),
        ({"seed": -1}, "-1 is no seed"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_made(
    maker: StableAudioEngine,
    monkeypatch: pytest.MonkeyPatch,
    request_: dict[str, Any],
    sentence: str,
) -> None:
    monkeypatch.setattr(StableAudioEngine, "_denoise", lambda *_: pytest.fail("made"))
    good, bad = (CallRequest(**{"seed": 1, "prompt": "a frog"} | more) for more in ({}, request_))
    with pytest.raises(BadInput, match=sentence):
        maker.make([good, bad])


def test_no_steps_and_no_such_guidance_are_refused(pipeline: Any) -> None:
    with pytest.raises(BadInput, match="would return noise"):
        StableAudioEngine(pipeline, "toy", StableAudioSampling(steps=0))
    with pytest.raises(BadInput, match=r"guidance=0\.5"):
        StableAudioEngine(pipeline, "toy", StableAudioSampling(guidance=0.5))
    with pytest.raises(BadInput, match="would return noise"):
        StableAudioEngine.open(
            "somebody/never-fetched", "cpu", sampling=StableAudioSampling(steps=0)
        )


def test_what_the_model_will_not_hear_is_told(pipeline: Any) -> None:
    done: list[tuple[int, int]] = []
    maker = StableAudioEngine(
        pipeline,
        "toy",
        StableAudioSampling(steps=2, guidance=1, on_step=lambda *step: done.append(step)),
    )
    note = one(maker, prompt="lion " * 40, negative="music").note
    assert "the prompt has" in note
    assert "only the first 32 count" in note
    assert "no effect at guidance 1" in note
    assert "negative prompt has" not in note.split("; ")[0]
    assert done == [(1, 2), (2, 2)]


def test_without_torchsde_the_solver_is_replaced_with_the_same_noise_levels(
    toy: Path, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchsde", None)
    maker = StableAudioEngine.open(str(toy), "cpu", sampling=StableAudioSampling(steps=4))
    assert "deterministic solver" in maker.about
    ours, own = maker.pipeline.scheduler, pipeline.scheduler
    for scheduler in (ours, own):
        scheduler.set_timesteps(50)
    assert type(ours) is not type(own)
    torch.testing.assert_close(ours.sigmas, own.sigmas)
    # what the network is told about the noise
    torch.testing.assert_close(ours.timesteps, own.timesteps)
    np.testing.assert_allclose(one(maker).audio, one(maker).audio, atol=1e-6)
    with pytest.raises(MissingExtra, match=r"torchsde.*\[stable-audio\]"):
        StableAudioEngine.open(str(toy), "cpu", faithful=True)


def test_the_replacing_solver_solves(toy: Path) -> None:
    """For data of one point the best network is known, and the solver must end at that point."""
    solver, point = deterministic_solver(toy), torch.tensor([0.7])
    solver.set_timesteps(30)
    x = torch.tensor([1.3]) * solver.init_noise_sigma
    for t in solver.timesteps:
        sigma = torch.tan(t * torch.pi / 2)
        scaled = solver.scale_model_input(x, t)
        assert abs(scaled - x / (sigma**2 + 1) ** 0.5) < 1e-3
        # point = c_skip x + c_out v
        v = (x / (sigma**2 + 1) - point) * (sigma**2 + 1) ** 0.5 / sigma
        x = solver.step(v, t, x).prev_sample
    torch.testing.assert_close(x, point, atol=1e-3, rtol=0)


# -----------------------------------------------------------------------------------------------------
# a pipeline that misbehaves

Spoil = Callable[[Any, list[int], torch.dtype], Any]


def spoiled(
    pipeline: Any, spoil: Spoil, **options: Any
) -> tuple[StableAudioEngine, list[tuple[list[int], torch.dtype]]]:
    """A maker whose real pipeline passes its sound (B, 2, N) with its seeds and dtype through
    ``spoil``; and the list of its calls.
    """
    calls: list[tuple[list[int], torch.dtype]] = []

    class Spoiled(type(pipeline)):  # type: ignore[misc]
        def __call__(self, *args: Any, **keywords: Any) -> Any:
            seeds = [generator.initial_seed() for generator in keywords["generator"]]
            calls.append((seeds, self.transformer.dtype))
            answer = super().__call__(*args, **keywords)
            answer.audios = spoil(answer.audios, seeds, self.transformer.dtype)
            return answer

    parts = dict(pipeline.components)
    return StableAudioEngine(
        Spoiled(**parts), "toy", StableAudioSampling(**{"steps": 2, "batch": 2} | options)
    ), calls


@pytest.fixture
def half(toy: Path) -> Any:
    return load_pipeline(toy, choose_compute("cpu:bfloat16"))


@pytest.mark.parametrize(
    ("value", "problem"),
    [(np.nan, "values that are not numbers"), (np.inf, "not numbers"), (0.0, "silence")],
)
def test_a_broken_take_is_repeated_in_float32_with_its_seed(
    half: Any, value: float, problem: str
) -> None:
    def spoil(audio: Any, seeds: list[int], dtype: torch.dtype) -> Any:
        if dtype == torch.bfloat16 and 2 in seeds:
            audio[seeds.index(2)] = value
        return audio

    maker, calls = spoiled(half, spoil)
    first, second = (
        take
        for _, take in maker.make(
            [CallRequest(seed=seed, prompt="a frog", seconds=1.0) for seed in (1, 2)]
        )
    )
    assert calls == [([1, 2], torch.bfloat16), ([2], torch.float32)]
    assert first.note == ""
    assert second.seed == 2
    assert problem in second.note
    assert "from seed 2 in bfloat16: repeated in float32" in second.note
    assert find_fault(second.audio, RATE) == ""
    assert {weight.dtype for weight in half.transformer.parameters()} == {torch.bfloat16}
    again = next(maker.make([CallRequest(seed=1, prompt="a frog", seconds=1.0)]))[1]
    np.testing.assert_allclose(again.audio, first.audio, atol=0.02)


def test_a_take_that_stays_broken_gets_another_seed_and_then_an_error(pipeline: Any) -> None:
    spare = [take_seed(7, -1), take_seed(7, -2)]

    def silent_twice(audio: Any, seeds: list[int], dtype: torch.dtype) -> Any:
        return audio * (seeds == spare[1:])

    maker, calls = spoiled(pipeline, silent_twice)
    take = one(maker, seed=7)
    assert [seeds for seeds, _ in calls] == [[7], spare[:1], spare[1:]]
    assert take.seed == spare[1]
    assert take.note == f"silence from seed 7 in float32: repeated in float32 with seed {spare[1]}"
    np.testing.assert_allclose(
        take.audio,
        one(StableAudioEngine(pipeline, "toy", StableAudioSampling(steps=2)), seed=spare[1]).audio,
        atol=1e-5,
    )

    maker, _ = spoiled(pipeline, lambda audio, *_: audio * np.nan)
    with pytest.raises(
        JungleError,
        match=(
            r"toy gave values that are not numbers for 'a lion roars' with seed 7 and in 2 repeats"
        ),
    ) as caught:
        one(maker, seed=7)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "convert", [lambda a: a.astype(np.float16), torch.tensor, lambda a: torch.tensor(a).bfloat16()]
)
def test_half_precision_is_converted_and_told(pipeline: Any, convert: Callable[[Any], Any]) -> None:
    maker, _ = spoiled(pipeline, lambda audio, *_: convert(audio))
    plain = one(StableAudioEngine(pipeline, "toy", StableAudioSampling(steps=2)))
    take = one(maker)
    assert take.audio.dtype == np.float32
    assert ("converted to float32" in take.note) == (convert is not torch.tensor)
    np.testing.assert_allclose(take.audio, plain.audio, atol=0.01)


def test_a_loud_take_is_scaled_never_clipped(pipeline: Any) -> None:
    plain = one(StableAudioEngine(pipeline, "toy", StableAudioSampling(steps=2))).audio
    maker, _ = spoiled(pipeline, lambda audio, *_: audio * 10)
    take = one(maker)
    assert np.abs(take.audio).max() == pytest.approx(10 ** (-1 / 20), abs=1e-6)
    assert "dBFS, scaled down to -1 dBFS" in take.note
    np.testing.assert_allclose(
        take.audio / np.abs(take.audio).max(), plain / np.abs(plain).max(), atol=1e-5
    )
    assert scale_to_headroom(np.full((4, 2), 0.98, np.float32))[1] == ""


def test_too_few_samples_are_no_take(pipeline: Any) -> None:
    maker, _ = spoiled(pipeline, lambda audio, *_: audio[:, :, :100])
    with pytest.raises(JungleError, match="100 instead of 4000 samples"):
        one(maker)


def test_out_of_memory_halves_the_batch_and_changes_nothing(pipeline: Any) -> None:
    sizes = []

    def tight(room: int) -> Spoil:
        def spoil(audio: Any, seeds: list[int], dtype: torch.dtype) -> Any:
            sizes.append(len(seeds))
            if len(seeds) > room:
                raise torch.OutOfMemoryError("out of memory")
            return audio

        return spoil

    requests = [CallRequest(seed=9, prompt="a frog", seconds=0.2, takes=6)]
    maker, _ = spoiled(pipeline, tight(2), batch=5)
    got = takes(maker, requests)
    assert sizes == [5, 2, 3, 1, 2, 1]
    for (_, left), (_, right) in zip(
        got,
        StableAudioEngine(pipeline, "toy", StableAudioSampling(steps=2, batch=6)).make(requests),
        strict=True,
    ):
        np.testing.assert_allclose(left.audio, right.audio, atol=1e-5)
    with pytest.raises(JungleError, match="not enough memory on 'cpu' for one take of toy"):
        takes(spoiled(pipeline, tight(0), batch=2)[0], requests)


# -------------------------------------------------------------------------------------------------------------------
# opening


def test_a_folder_is_opened_offline_and_named_by_its_content(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asked the network"))
    maker = StableAudioEngine.open(str(toy), "cpu")
    assert (maker.name, maker.steps, len(maker.model)) == ("stable-audio", 100, 32)
    assert maker.longest == pytest.approx(2.048)
    other = tmp_path / "other"
    subprocess.run(["cp", "-r", toy, other], check=True)
    assert StableAudioEngine.open(str(other), "cpu").model == maker.model
    with (other / "scheduler" / "scheduler_config.json").open("a") as file:
        file.write("\n")
    assert StableAudioEngine.open(str(other), "cpu").model != maker.model


def test_what_is_no_model_is_one_sentence(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model_index.json").write_text('{"_class_name": "DDPMPipeline"}')
    subprocess.run(["cp", "-r", toy, tmp_path / "cut"], check=True)
    weights = tmp_path / "cut" / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    for name, sentence in (
        ("empty", "FileNotFoundError"),
        ("other", "is a DDPMPipeline"),
        ("cut", "no Stable Audio model"),
    ):
        with pytest.raises(BadCheckpoint, match=sentence) as caught:
            StableAudioEngine.open(str(tmp_path / name), "cpu")
        assert "\n" not in str(caught.value)
    for source in ("./nowhere", "nowhere"):
        with pytest.raises(BadInput, match=f"There is no folder '{source}'"):
            StableAudioEngine.open(source, "cpu")


def test_missing_libraries_name_their_command(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"'transformers'.*pip install"):
        StableAudioEngine.open(str(toy), "cpu")


def test_half_precision_is_for_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert choose_compute("cpu").dtype == torch.float32
    assert choose_compute("cpu:bfloat16").dtype == torch.bfloat16
    assert choose_compute("cpu:bfloat16", faithful=True).dtype == torch.float32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_compute("").dtype == torch.float16
    assert choose_compute("cuda:bfloat16").dtype == torch.bfloat16
    assert choose_compute("cuda:bfloat16", faithful=True).dtype == torch.float16


# -------------------------------------------------------------------------------------------------------------------
# the hub


class Hub(BaseHTTPRequestHandler):
    """As huggingface.co answers for a gated model: no token and unknown ones 401, an account
    without the licence 403.
    """

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        status, code, message = {
            "hf_good": (200, "", ""),
            "hf_stranger": (
                403,
                "GatedRepo",
                "Access to model is restricted and you are not in the authorized list.",
            ),
            "hf_narrow": (
                403,
                "",
                "Please enable access to public gated repositories in your fine-grained token "
                "settings.",
            ),
            "hf_wrong": (401, "", "Invalid credentials in Authorization header"),
            "hf_busy": (500, "", ""),
        }.get(
            token, (401, "GatedRepo", "Access to model is restricted. You must be authenticated.")
        )
        if "/nobody/" in self.path:
            status, code = 404, "RepoNotFound"
        self.send_response(status)
        self.send_header("ETag", '"0"')
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    constants = pytest.importorskip("huggingface_hub.constants")

    class Mine(Hub):
        asked: list[str] = []  # noqa: RUF012

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Mine.address = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    monkeypatch.setattr(constants, "ENDPOINT", Mine.address)  # type: ignore[attr-defined]
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        Mine.address + "/{repo_id}/resolve/{revision}/{filename}",
    )  # type: ignore[attr-defined]
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    # what else it writes
    monkeypatch.setattr(
        constants, "AGENT_HARNESSES_PATH", str(tmp_path / "harnesses.json"), raising=False
    )
    yield Mine
    server.shutdown()
    thread.join()
    server.server_close()


REFUSALS = [
    (None, "needs a token: accept its licence at"),
    ("hf_wrong", "does not know the token from the environment"),
    (
        "hf_stranger",
        "The licence of .* is not accepted by the account of the token from the environment",
    ),
    ("hf_narrow", "a fine-grained token also needs read access"),
]


@pytest.mark.parametrize(("value", "sentence"), REFUSALS)
def test_no_access_is_one_sentence_with_the_pages_and_nothing_is_downloaded(
    hub: type[Hub], tmp_path: Path, value: str | None, sentence: str
) -> None:
    pytest.importorskip("diffusers")
    token = Token(value, "the environment (HF_TOKEN)") if value else None
    for attempt in (
        lambda: check_access(STABLE_AUDIO, token, hub.address),
        lambda: StableAudioEngine.open(device="cpu", token=token),
    ):  # type: ignore[attr-defined]
        with pytest.raises(BadInput, match=sentence) as caught:
            attempt()
        text = str(caught.value)
        assert "https://huggingface.co/stabilityai/stable-audio-open-1.0" in text
        assert "https://huggingface.co/settings/tokens" in text
        assert "\n" not in text
        assert (value or "hf_") not in text
    about_files = [line for line in hub.asked if "/api/" not in line]
    assert about_files == [f"HEAD /{STABLE_AUDIO}/resolve/main/model_index.json"] * 2
    assert not (tmp_path / "hub").exists()


def test_other_answers_of_the_hub(hub: type[Hub]) -> None:
    address = hub.address  # type: ignore[attr-defined]
    check_access(STABLE_AUDIO, Token("hf_good", "test"), address)
    with pytest.raises(BadInput, match="has no model 'nobody/nothing'"):
        check_access("nobody/nothing", Token("hf_good", "test"), address)
    with pytest.raises(BadInput, match=r"could not be asked .*error 500"):
        check_access(STABLE_AUDIO, Token("hf_busy", "test"), address)
    with pytest.raises(BadInput, match=r"could not be asked .*check the network"):
        check_access(STABLE_AUDIO, Token("hf_good", "test"), "http://127.0.0.1:1")
    with pytest.raises(BadInput, match="needs a token"):  # known without asking
        check_access(STABLE_AUDIO, None, "http://127.0.0.1:1")
    with pytest.raises(BadInput, match="holds spaces or odd characters") as caught:
        check_access(STABLE_AUDIO, Token("hf_a b", ".env"), address)
    assert "hf_a" not in str(caught.value)
    assert "hf_a" not in repr(Token("hf_a", ".env"))


def test_a_full_disk_is_noticed_before_the_download(
    hub: type[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    pytest.importorskip("diffusers")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=3 << 30))
    with pytest.raises(
        BadInput, match=r"3.0 GiB left and stabilityai/stable-audio-open-1.0 needs 10"
    ):
        StableAudioEngine.open(device="cpu", token=Token("hf_good", "test"))
    assert missing_resources(20, 16) == missing_resources(20, None) == []
    assert len(missing_resources(3, 2)) == 2


def test_a_token_is_found_where_the_tools_of_the_hub_keep_it(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "jungle"
    for position in (home / ".cache/huggingface", home / "elsewhere", folder):
        position.mkdir(parents=True)

    def where(**environment: str) -> tuple[str, str] | None:
        token = find_token(environment, home, folder)
        return token and (token.value, token.where)

    assert where() is None
    (folder / ".env").write_text(
        "# HF_TOKEN=no\nOPENAI_API_KEY=x\nexport HF_TOKEN = 'hf_env file' # mine\n"
    )
    assert where() == ("hf_env file", ".env (HF_TOKEN)")
    (folder / ".env").write_text("HF_TOKEN=\nHUGGING_FACE_HUB_TOKEN=hf_dot # mine")
    assert where() == ("hf_dot", ".env (HUGGING_FACE_HUB_TOKEN)")
    (home / ".cache/huggingface/token").write_text("hf_login\n")
    assert where() == ("hf_login", "hf auth login")
    (home / "elsewhere/token").write_text("hf_home")
    assert where(HF_HOME=str(home / "elsewhere")) == ("hf_home", "hf auth login")
    assert where(HF_TOKEN_PATH=str(home / "elsewhere/token")) == ("hf_home", "hf auth login")
    assert where(HUGGING_FACE_HUB_TOKEN="hf_old") == (
        "hf_old",
        "the environment (HUGGING_FACE_HUB_TOKEN)",
    )
    assert where(HUGGING_FACE_HUB_TOKEN="hf_old", HF_TOKEN=" hf_new ") == (
        "hf_new",
        "the environment (HF_TOKEN)",
    )


def test_doctor_tells_what_stable_audio_wants_without_the_network(
    hub: type[Hub], tmp_path: Path
) -> None:
    def finding(ask: bool = False, **environment: str) -> doctor.CheckResult:
        [result] = [
            item
            for item in doctor.check_machine(tmp_path, "cpu", environment, tmp_path, ask)
            if item.topic == "Stable Audio"
        ]
        return result

    assert TOKENS_PAGE in finding().text
    assert model_page(STABLE_AUDIO) in finding(HF_TOKEN="hf_good").text
    assert hub.asked == []
    assert "hf_good" not in doctor.to_text(
        doctor.check_machine(tmp_path, "cpu", {"HF_TOKEN": "hf_good"}, tmp_path)
    )
    assert "licence is accepted" in finding(ask=True, HF_TOKEN="hf_good").text
    assert "is not accepted" in finding(ask=True, HF_TOKEN="hf_stranger").text


def test_heavy_libraries_are_imported_only_inside_functions() -> None:
    for module in (hub_access, pipelines, prompts, engine, doctor):
        top = [
            node
            for node in ast.parse(Path(str(module.__file__)).read_text()).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert not {"diffusers", "transformers", "huggingface_hub"} & {
            word for node in top for word in ast.unparse(node).split()
        }


# -------------------------------------------------------------------------------------------------------------------
# prompts


def test_prompts_are_short_varied_and_the_same_on_any_machine() -> None:
    mix = {"lion": 0.6, "frog": 0.3, "cat": 0.1}
    built = [prompts.build_prompt(mix, seed) for seed in range(50)]
    assert built == [prompts.build_prompt(dict(reversed(mix.items())), seed) for seed in range(50)]
    assert len(set(built)) > 20
    assert all(
        prompt.startswith("a creature half lion half frog ") and len(prompt.split()) < 20
        for prompt in built
    )
    assert (
        prompts.build_prompt(mix, 1)
        == "a creature half lion half frog roars, by a river at night, clean wildlife recording"
    )
    assert prompts.build_prompt({}, 1).startswith("an unknown animal ")
    assert ", on the moon, " in prompts.build_prompt({"axolotl": 1.0}, 1, place="on the moon")
    for prompt in built + [prompts.build_prompt({name: 1.0}, 1) for name in animals()]:
        assert prompts.avoid_traps(prompt) == (prompt, [])


def test_traps_are_replaced_and_told() -> None:
    prompt, notes = prompts.avoid_traps("A frog humming by the Ocean, oceanic mood")
    assert prompt == "A frog low droning by the deep water, oceanic mood"
    assert "gulls" in notes[0]
    assert "melody" in notes[1]
    assert prompts.avoid_traps("word " * 21)[1] == [
        "The prompt has 21 words: up to 20 are followed best."
    ]


def test_faithful_prompts_avoid_the_traps_too() -> None:
    assert [seconds for seconds, _ in engine.FAITHFUL_PROMPTS] == [5, 10, 15, 20]
    assert all(prompts.avoid_traps(prompt) == (prompt, []) for _, prompt in engine.FAITHFUL_PROMPTS)
