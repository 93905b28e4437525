"""Who sings for ``jungle sounds``: the engine, the calls that are wanted of it, and the recordings that it learned from."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import jungle_toml
from ..errors import BadInput
from ..postcards.calls import Wanted
from ..records import Species
from ..sounds.engine import CallMaker, CallRequest
from ..sounds.memorisation import Reference
from ..species import select as casting
from .models import open_singer
from .options import Shared, say

if TYPE_CHECKING:
    from ..sounds.stable_audio.clap import Clap
    from ..sounds.stable_audio.engine import StableAudioMaker

COUNTS = {"embedded": 12, "stable-audio": 4}
MOST_TAKES = 64
LONGEST = 600.0  # seconds of one call


def assemble(
    shared: Shared, *, engine: str, model: str, count: int | None, seed: int | None, mix: str | None, species: str | None, seconds: float,
    takes: int, prompt: str, negative: str | None, steps: int | None, guidance: float | None, faithful: bool, clap: str,
) -> tuple[CallMaker, list[Wanted], Reference | None, "Clap | None"]:  # fmt: skip
    """The engine, the calls, the reference of the recordings (None where it is not known), and who compares takes with prompts.

    Raises:
        BadInput: a number out of range, an unknown class or species, options that contradict each other, or no access to a model.
    """
    known = jungle_toml.read(Path())
    base = known.seed if seed is None else seed
    number = COUNTS[engine] if count is None else count
    casting.check_numbers(number, base, what="calls")
    if not 0 <= seconds <= LONGEST:
        raise BadInput(
            f"--seconds {seconds:g}: use a length from 0.1 to {LONGEST:g} seconds, or 0 for the natural one."
        )
    if 0 < seconds < 0.1:
        raise BadInput(
            f"--seconds {seconds:g}: a call takes at least 0.1 seconds; 0 means its natural length."
        )
    if not 1 <= takes <= MOST_TAKES:
        raise BadInput(f"--takes {takes}: use 1 to {MOST_TAKES} takes of each call.")
    if engine == "embedded":
        if prompt or negative is not None or faithful:
            raise BadInput(
                "--prompt, --negative and --faithful belong to --engine stable-audio: add it, or leave them out."
            )
        if clap:
            raise BadInput(
                "--clap compares takes with their prompt and belongs to --engine stable-audio: add it, or leave --clap out."
            )
        given = {"steps": steps, "guidance": guidance}
        return *_embedded(
            shared, model, number, base, mix, species, seconds, takes, given, known
        ), None
    if prompt and mix is not None:
        raise BadInput(
            "--prompt and --mix contradict each other: without a prompt, one is built from the mix; give one of the two."
        )
    if faithful:
        changed = {
            "count": count,
            "mix": mix,
            "species": species,
            "seconds": seconds or None,
            "prompt": prompt or None,
        }
        wanted = _faithful(
            base,
            changed
            | {"negative": negative, "steps": steps, "guidance": guidance, "clap": clap or None},
        )
    else:
        wanted = _prompted(number, base, mix, species, seconds, takes, prompt, negative, known)
    listener = _listener(shared, clap) if clap else None
    return _stable_audio(shared, model, faithful, steps, guidance), wanted, None, listener


def _faithful(seed: int, changed: dict[str, Any]) -> list[Wanted]:
    """The four calls of the original recipe, which no option may change."""
    from ..sounds.stable_audio.engine import faithful_requests

    for name, value in changed.items():
        if value is not None:
            raise BadInput(
                f"--faithful and --{name} contradict each other: the recipe's four calls are fixed; leave one of the two out."
            )
    return [
        Wanted(Species(slug="", name="", seed=one.seed), one) for one in faithful_requests(seed)
    ]


def _embedded(
    shared: Shared, model: str, number: int, seed: int, mix: str | None, slug: str | None, seconds: float, takes: int,
    given: dict[str, Any], known: jungle_toml.Config,
) -> tuple[CallMaker, list[Wanted], Reference | None]:  # fmt: skip
    maker, reference = open_singer(shared, model, Path(), shared.options, **given)
    wanted = []
    for one in casting.choose(maker.classes, number, seed, mix, slug, known.species, what="calls"):
        if slug is None:
            maker.check(one.mix)
        request = CallRequest(
            seed=one.seed, mix=casting.voices(one.mix, maker.classes), seconds=seconds, takes=takes
        )
        wanted.append(Wanted(one, request))
    return maker, wanted, reference


def _listener(shared: Shared, name: str) -> "Clap":
    from ..diffusion import device as devices
    from ..sounds.stable_audio.clap import Clap
    from ..sounds.stable_audio.hub_access import find_token

    return Clap.open(
        name, devices.choose(shared.device).device, find_token(os.environ, Path.home(), Path())
    )


def open_engine(shared: Shared, model: str) -> CallMaker:
    """Stable Audio Open with its own settings; ``model`` is a folder, a hub name, or "" for the usual one."""
    return _stable_audio(shared, model, False, None, None)


def _stable_audio(
    shared: Shared, model: str, faithful: bool, steps: int | None, guidance: float | None
) -> "StableAudioMaker":
    from ..sounds.stable_audio.engine import StableAudioMaker
    from ..sounds.stable_audio.hub_access import STABLE_AUDIO, find_token

    if shared.options:
        raise BadInput(
            f"-o {next(iter(shared.options))}: stable-audio takes --steps and --guidance; leave -o out."
        )
    token = find_token(os.environ, Path.home(), Path())
    given = {
        key: value for key, value in (("steps", steps), ("guidance", guidance)) if value is not None
    }
    maker = StableAudioMaker.open(
        model or STABLE_AUDIO, shared.device, token=token, faithful=faithful, **given
    )  # type: ignore[arg-type]
    say(f"Model {maker.model} on {maker.about}.", shared.quiet)
    return maker


def _prompted(
    number: int, seed: int, mix: str | None, slug: str | None, seconds: float, takes: int, prompt: str, negative: str | None,
    known: jungle_toml.Config,
) -> list[Wanted]:  # fmt: skip
    """Calls that follow prompts: the given one, or one built from each animal."""
    from ..sounds.stable_audio.prompts import DEFAULT_NEGATIVE, build_prompt, subjects

    unwanted = DEFAULT_NEGATIVE if negative is None else negative
    wanted = []
    for one in casting.choose(subjects(), number, seed, mix, slug, known.species, what="calls"):
        if one.mix and (min(one.mix.values()) < 0 or not sum(one.mix.values()) > 0):
            raise BadInput(
                "The shares of a mix must not be negative and must not sum to 0, for example lion=0.6,frog=0.4."
            )
        text = prompt or build_prompt(one.mix, one.seed)
        wanted.append(
            Wanted(
                one,
                CallRequest(
                    seed=one.seed, prompt=text, negative=unwanted, seconds=seconds, takes=takes
                ),
            )
        )
    return wanted
