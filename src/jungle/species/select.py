"""Which animals a command makes: numbers, mixes and species as a user names them."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from ..errors import BadInput
from ..records import Species
from .animals import voice_among
from .invent import parents

MOST = 100_000  # pictures or calls in one command
HIGHEST_SEED = 2**63 - 1


def parse_mix(text: str) -> dict[str, float]:
    """``cat=0.6,panda=0.4`` -> shares; a name alone counts 1.

    Raises:
        BadInput: a share that is not a number.
    """
    shares: dict[str, float] = {}

    for part in text.split(","):
        name, _, share = part.strip().partition("=")

        name = name.strip()
        if name in shares:
            raise BadInput(
                f"<--mix> {text}: {name} is there twice; write each class once, for example "
                "<--mix> "
                "cat=0.6,panda=0.4."
            )

        try:
            shares[name] = float(share) if share else 1.0
        except ValueError:
            raise BadInput(
                f"<--mix> {text}: '{share}' is not a number; write for example <--mix> "
                "cat=0.6,panda=0.4."
            ) from None

        # float() reads nan and inf without an error.
        if not name or not math.isfinite(shares[name]):
            raise BadInput(
                f"<--mix> {text}: write a class and its share, for example <--mix> "
                "cat=0.6,panda=0.4."
            )

    return shares


def check_numbers(count: int, seed: int, name: str = "--count", what: str = "pictures") -> None:
    """Refuse a number of ``what``, called ``name`` by the user, or a seed that is out of range.

    Raises:
        BadInput: it is.
    """
    if not 1 <= count <= MOST:
        raise BadInput(f"{name} {count}: use 1 to {MOST} {what}.")
    if not 0 <= seed <= HIGHEST_SEED - MOST:
        raise BadInput(f"<--seed> {seed}: use a whole number from 0 to {HIGHEST_SEED - MOST}.")


def choose_animals(  # noqa: PLR0913
    classes: tuple[str, ...],
    count: int,
    seed: int,
    mix: str | None = None,
    slug: str | None = None,
    known: Sequence[Species] = (),
    keep: int = 0,
    of: int = 0,
    what: str = "pictures",
) -> list[Species]:
    """Which animals to make: ``count`` seeds from ``seed`` on, of one mix, of one known species, or
    each of its own mix of ``classes``.

    ``classes`` are the kinds to invent from: of a model of pictures those that
    ``kinds.to_invent_from`` chooses.

    Raises:
        BadInput: a number out of range, an unknown species, or options that contradict each other.
    """
    check_numbers(count, seed, "--of" if of else "--count", what)

    if (keep or of) and not 1 <= keep <= of:
        raise BadInput(
            f"<--keep> {keep} <--of> {of}: give both, and keep at least 1 and at most as many as "
            "are "
            "painted, for example <--keep> 50 <--of> 200."
        )

    # Each seed is an animal: of the mix that was given, or of parents that the seed draws.
    if slug is None:
        shares = None if mix is None else parse_mix(mix)
        return [
            Species(
                slug="",
                name="",
                seed=item,
                mix=parents(classes, item) if shares is None else shares,
            )
            for item in range(seed, seed + count)
        ]

    if mix is not None:
        raise BadInput(
            "<--mix> and <--species> contradict each other: a species of jungle.toml has its own "
            "mix; "
            "give one of the two."
        )

    for item in known:
        if item.slug == slug:
            return [dataclasses.replace(item, seed=item.seed + index) for index in range(count)]

    names = (
        ", ".join(item.slug for item in known)
        or "none: there is no jungle.toml with species in this folder"
    )
    raise BadInput(f"<--species> {slug}: there is no such species; jungle.toml knows {names}.")


def voices(mix: Mapping[str, float], classes: Sequence[str]) -> dict[str, float]:
    """A mix of animals as a mix of the voices in ``classes``: an animal without recordings has the
    voice of its kin in animals.toml.

    Animals without either are left out, and the shares still sum to 1; empty where nothing is left:
    any voice.
    """
    known = frozenset(classes)
    heard: dict[str, float] = {}
    for name, share in mix.items():
        if voice := voice_among(name, known):
            heard[voice] = heard.get(voice, 0.0) + share
    total = sum(heard.values())
    return {name: share / total for name, share in heard.items()} if total else {}
