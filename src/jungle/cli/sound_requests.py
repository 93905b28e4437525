"""``jungle sounds``: from its options to an engine, and the calls that are asked of it."""

import os
from dataclasses import dataclass
from pathlib import Path

from ..config.jungle_toml import JungleFolder
from ..diffusion import device as devices
from ..errors import BadInput
from ..postcards.calls import Wanted
from ..records import Species
from ..sounds.engine import CallRequest, SoundEngine
from ..sounds.memorisation import MemorisationIndex
from ..sounds.stable_audio.clap import Clap
from ..sounds.stable_audio.engine import faithful_requests
from ..sounds.stable_audio.hub_access import find_token
from ..sounds.stable_audio.prompts import DEFAULT_NEGATIVE, build_prompt, subjects
from ..species import select
from .models import open_sound_engine, open_stable_audio
from .options import CommonOptions

_COUNTS = {"embedded": 12, "stable-audio": 4}
_MOST_TAKES = 64
_LONGEST = 600.0  # seconds of one call


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundOptions:
    """The options of ``jungle sounds`` that decide its calls; None where an option is left out."""

    engine: str
    model: str
    count: int | None
    seed: int | None
    mix: str | None
    species: str | None
    seconds: float
    takes: int
    prompt: str
    negative: str | None
    steps: int | None
    guidance: float | None
    faithful: bool
    clap: str


@dataclass(frozen=True, slots=True)
class SoundJobs:
    """Who makes which calls.

    ``reference`` tells copies of the recordings that the engine learned from, where they are
    known; ``listener`` compares takes with their prompts.
    """

    engine: SoundEngine
    jobs: list[Wanted]
    reference: MemorisationIndex | None
    listener: Clap | None


def build_sound_jobs(
    common: CommonOptions, jungle: JungleFolder, options: SoundOptions
) -> SoundJobs:
    """Open the engine, and ask it for calls.

    Raises:
        BadInput: a number out of range, an unknown class or species, options that contradict each
            other, or no access to a model.
    """
    count = _COUNTS[options.engine] if options.count is None else options.count
    seed = jungle.config.seed if options.seed is None else options.seed
    _check_numbers(options, count, seed)
    _check_contradictions(options)
    if options.engine == "embedded":
        return _embedded_jobs(common, jungle, options, count=count, seed=seed)

    # Everything is refused before a listener or the engine is downloaded.
    if options.faithful:
        jobs = _faithful_jobs(options, seed)
    else:
        jobs = _prompted_jobs(jungle, options, count, seed)
    listener = _open_listener(common, options.clap) if options.clap else None
    engine = open_stable_audio(
        common,
        options.model,
        faithful=options.faithful,
        steps=options.steps,
        guidance=options.guidance,
    )
    return SoundJobs(engine, jobs, None, listener)


def _check_numbers(options: SoundOptions, count: int, seed: int) -> None:
    select.check_numbers(count, seed, what="calls")
    seconds = options.seconds
    if not 0 <= seconds <= _LONGEST:
        raise BadInput(
            f"--seconds {seconds:g}: use a length from 0.1 to {_LONGEST:g} seconds, "
            "or 0 for the natural one."
        )
    if 0 < seconds < 0.1:
        raise BadInput(
            f"--seconds {seconds:g}: a call takes at least 0.1 seconds; 0 means its natural length."
        )
    if not 1 <= options.takes <= _MOST_TAKES:
        raise BadInput(f"--takes {options.takes}: use 1 to {_MOST_TAKES} takes of each call.")


def _check_contradictions(options: SoundOptions) -> None:
    if options.engine == "embedded":
        # Ours draws from classes, and reads no text.
        if options.prompt or options.negative is not None or options.faithful:
            raise BadInput(
                "--prompt, --negative and --faithful belong to --engine stable-audio: add it, "
                "or leave them out."
            )
        if options.clap:
            raise BadInput(
                "--clap compares takes with their prompt and belongs to --engine stable-audio: "
                "add it, or leave --clap out."
            )

    elif options.prompt and options.mix is not None:
        raise BadInput(
            "--prompt and --mix contradict each other: without a prompt, one is built from the "
            "mix; give one of the two."
        )


def _embedded_jobs(
    common: CommonOptions, jungle: JungleFolder, options: SoundOptions, *, count: int, seed: int
) -> SoundJobs:
    """Calls of our own engine: a mix of the voices of its recordings for each animal."""
    engine, reference = open_sound_engine(
        common,
        options.model,
        jungle,
        common.options,
        steps=options.steps,
        guidance=options.guidance,
    )

    jobs = []
    for species in _choose_species(jungle, options, engine.classes, count=count, seed=seed):
        # A species of jungle.toml may be mixed from animals that only pictures know.
        if options.species is None:
            engine.check_mix(species.mix)
        request = CallRequest(
            seed=species.seed,
            mix=select.voices(species.mix, engine.classes),
            seconds=options.seconds,
            takes=options.takes,
        )
        jobs.append(Wanted(species, request))
    return SoundJobs(engine, jobs, reference, None)


def _choose_species(
    jungle: JungleFolder,
    options: SoundOptions,
    classes: tuple[str, ...],
    *,
    count: int,
    seed: int,
) -> list[Species]:
    return select.choose_animals(
        classes,
        count,
        seed,
        options.mix,
        slug=options.species,
        known=jungle.config.species,
        what="calls",
    )


def _faithful_jobs(options: SoundOptions, seed: int) -> list[Wanted]:
    """The four calls of the original recipe, which no option may change."""
    changes = {
        "count": options.count,
        "mix": options.mix,
        "species": options.species,
        "seconds": options.seconds or None,
        "prompt": options.prompt or None,
        "negative": options.negative,
        "steps": options.steps,
        "guidance": options.guidance,
        "clap": options.clap or None,
    }

    # The first option that was given, in the order of this table, is named.
    for name, value in changes.items():
        if value is not None:
            raise BadInput(
                f"--faithful and --{name} contradict each other: the recipe's four calls are "
                "fixed; leave one of the two out."
            )
    return [
        Wanted(Species(slug="", name="", seed=request.seed), request)
        for request in faithful_requests(seed)
    ]


def _prompted_jobs(
    jungle: JungleFolder, options: SoundOptions, count: int, seed: int
) -> list[Wanted]:
    """Calls that follow prompts: the given one, or one built from each animal."""
    negative = DEFAULT_NEGATIVE if options.negative is None else options.negative

    jobs = []
    for species in _choose_species(jungle, options, subjects(), count=count, seed=seed):
        # Our own engine refuses such a mix itself; a prompt would be built from nothing.
        shares = species.mix.values()
        if shares and (min(shares) < 0 or not sum(shares) > 0):
            raise BadInput(
                "The shares of a mix must not be negative and must not sum to 0, "
                "for example lion=0.6,frog=0.4."
            )
        request = CallRequest(
            seed=species.seed,
            prompt=options.prompt or build_prompt(species.mix, species.seed),
            negative=negative,
            seconds=options.seconds,
            takes=options.takes,
        )
        jobs.append(Wanted(species, request))
    return jobs


def _open_listener(common: CommonOptions, name: str) -> Clap:
    token = find_token(os.environ, Path.home(), Path())
    return Clap.open(name, devices.choose_device(common.device).device, token)
