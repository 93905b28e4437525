"""``jungle sounds``: a set of calls, made, chosen, mastered and written, so that it sounds like one
place.

animal_sound_1.wav ...     the masters (48 kHz, 16 bit, with loop points), and .flac, .opus and .m4a
of the same name takes/                     every take as the engine made it, to choose by ear
takes.png                  their spectrograms, one row a call, the chosen take first sounds.json
seeds, scores, loudness, loops and what was done, for each call
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import __version__
from ..encoding import audio_files
from ..errors import BadInput
from ..evaluation.contact_sheet import contact_sheet
from ..mastering.chain import Mastered, MasterSettings, master_clips
from ..mastering.clean import Cleaning
from ..mastering.loop import Looping
from ..records import Call, Species
from ..sounds.classifier import AudioClassifier
from ..sounds.engine import CallRequest, SoundEngine, Take
from ..sounds.memorisation import MemorisationIndex
from ..sounds.plots import spectrogram_image
from ..sounds.rank import PromptScorer, RankedTake, rank_takes
from ..sounds.speech import babble_plan, render_speech
from ..storage.atomic import check_writable, make_folder, write_atomic, write_bytes, write_json

# a wanted length stays as it is
EXACT = MasterSettings(cleaning=Cleaning(dead_air=0.0), looping=Looping(pause=0.0))
DISCLOSURE = "trainedAlgorithmicMedia: made by a generative model, no recording of an animal"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call to make, and whose it is."""

    species: Species
    request: CallRequest


def call_tags(call: Call, name: str) -> dict[str, str]:
    """What every written file says of itself."""
    mix = ", ".join(f"{animal} {share:g}" for animal, share in call.mix.items()) or "any animal"
    results = {
        "title": name,
        "artist": "Postcards from my jungle",
        "source": DISCLOSURE,
        "software": f"jungle {__version__}",
        "seed": str(call.seed),
        "mix": mix,
        "prompt": call.prompt,
        "engine": call.engine,
        "model": call.model,
    }
    return {key: value for key, value in results.items() if value}


def make_album(  # noqa: PLR0913
    maker: SoundEngine,
    wanted: Sequence[Wanted],
    out: Path,
    ear: AudioClassifier,
    reference: MemorisationIndex | None,
    progress: Callable[[int], object] = lambda takes: None,
    listener: PromptScorer | None = None,
) -> list[Call]:
    """Make every wanted call in ``out``: all its takes, the best of them mastered. ``progress`` is
    called after each take.

    Args:
        listener: whose opinion on prompts counts too when the best is chosen.

    Raises:
        JungleError: the engine could not make a call that is one.
    """
    _check_place(out)
    takes: list[list[Take]] = [[] for _ in wanted]

    for index, take in maker.make([item.request for item in wanted]):
        takes[index].append(take)
        progress(1)

    judged = [
        rank_takes(some, item.request.mix, ear, reference, item.request.prompt, listener)
        for some, item in zip(takes, wanted, strict=True)
    ]
    mastered = master_clips(
        [best[0].take.audio for best in judged],
        maker.rate,
        EXACT if any(item.request.seconds for item in wanted) else None,
    )
    make_folder(out)

    # Calls of an earlier, larger set would be taken for calls of this one.
    for old in (*out.glob("animal_sound_*"), *(out / "takes").glob("animal_sound_*_take_*.wav")):
        old.unlink()
    calls = []

    for number, (item, found, made) in enumerate(zip(wanted, judged, mastered, strict=True), 1):
        chosen = next(
            position for position, take in enumerate(takes[number - 1], 1) if take is found[0].take
        )
        calls.append(_record(maker, item, found[0], made, number, chosen))
        _write(out, calls[-1], made, item.species.name or f"Call {number}")
        for position, take in enumerate(takes[number - 1], 1):
            write_bytes(out / "takes" / f"animal_sound_{number}_take_{position}.wav", raw_wav(take))

    # The sheet shows the rejected takes, too: the choice can be checked.
    _sheet(out / "takes.png", judged)
    write_json(
        out / "sounds.json", {"jungle": __version__, "calls": [call.to_json() for call in calls]}
    )

    return calls


def _check_place(out: Path) -> None:
    """Raises BadInput, before anything is made, where something is in the way of what
    :func:`make_album` writes.
    """
    check_writable(out / "takes")
    for path in (*out.glob("animal_sound_*"), out / "takes.png", out / "sounds.json"):
        if path.is_dir():
            raise BadInput(
                f"{path} is a folder, and a file of this name is to be written: rename it, or "
                "choose another place with <--out>."
            )


def _record(
    maker: SoundEngine, one: Wanted, best: RankedTake, made: Mastered, number: int, chosen: int
) -> Call:
    request = one.request
    note = (best.take.note,) if best.take.note else ()

    # Everything that is needed to make the call again, and why this take was kept.
    return Call(
        file=f"animal_sound_{number}.wav",
        seconds=round(len(made.pcm) / made.rate, 3),
        rate=made.rate,
        seed=best.take.seed,
        take=chosen,
        mix=request.mix,
        engine=maker.name,
        model=maker.model,
        prompt=request.prompt,
        negative=request.negative,
        species=one.species.slug,
        score=round(best.score, 4),
        why=best.why,
        flags=best.flags,
        loudness=round(made.after, 2),
        true_peak=round(made.true_peak, 2),
        loop=made.loop,
        notes=note + made.notes,
    )


def _write(out: Path, call: Call, made: Mastered, name: str) -> None:
    about = call_tags(call, name)
    stem = out / Path(call.file).stem
    write_bytes(stem.with_suffix(".wav"), audio_files.wav(made.pcm, made.rate, made.loop, about))
    write_bytes(stem.with_suffix(".flac"), audio_files.flac(made.pcm, made.rate, made.loop, about))
    write_bytes(
        stem.with_suffix(".opus"), audio_files.opus(made.audio, made.rate, made.loop, about)
    )
    write_bytes(stem.with_suffix(".m4a"), audio_files.aac(made.audio, made.rate, about))


def raw_wav(take: Take) -> bytes:
    """A take as the engine made it, 16 bit, at the engine's rate; only scaled down where it would
    clip.
    """
    import soundfile

    buffer = io.BytesIO()
    peak = float(np.abs(take.audio).max(initial=0.0))
    soundfile.write(buffer, take.audio / max(peak, 1.0), take.rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def write_plain(
    maker: SoundEngine, wanted: Sequence[Wanted], out: Path, progress: Callable[[int], object]
) -> list[Call]:
    """The faithful recipe: one take of each, not mastered, as animal_sound_1.wav ... of exactly the
    wanted length.
    """
    _check_place(out)
    calls = []

    for index, take in maker.make([one.request for one in wanted]):
        request, file = wanted[index].request, f"animal_sound_{index + 1}.wav"
        write_bytes(out / file, raw_wav(take))
        calls.append(
            Call(
                file=file,
                seconds=len(take.audio) / take.rate,
                rate=take.rate,
                seed=take.seed,
                take=1,
                mix={},
                engine=maker.name,
                model=maker.model,
                prompt=request.prompt,
                negative=request.negative,
                notes=(take.note,) if take.note else (),
            )
        )
        progress(1)

    # The list comes last: where it is, all sounds are.
    write_json(
        out / "sounds.json", {"jungle": __version__, "calls": [call.to_json() for call in calls]}
    )

    return calls


def speak_calls(out: Path, calls: Sequence[Call]) -> list[str]:
    """Let each creature of ``calls`` in ``out`` speak a babble with its own voice:
    animal_speech_N.wav; returns the files.

    Those of an earlier and longer call are removed.
    """
    import soundfile

    for old in out.glob("animal_speech_*.wav"):
        old.unlink()
    files = []
    for number, call in enumerate(calls, 1):
        audio, rate = soundfile.read(out / call.file, dtype="float32", always_2d=True)
        said = master_clips([render_speech(babble_plan(call.seed), audio, rate, call.seed)], rate)[
            0
        ]
        files.append(f"animal_speech_{number}.wav")
        write_bytes(
            out / files[-1],
            audio_files.wav(said.pcm, said.rate, None, call_tags(call, f"Speech {number}")),
        )
    return files


def _sheet(path: Path, judged: Sequence[Sequence[RankedTake]]) -> None:
    """One row a call, the chosen take first."""
    columns = max(len(found) for found in judged)
    tiles = [spectrogram_image(one.take.audio, one.take.rate) for found in judged for one in found]
    if any(len(found) != columns for found in judged):
        columns = 1
    sheet = contact_sheet(np.stack(tiles), columns=columns)
    write_atomic(path, lambda file: sheet.save(file, "PNG"))
