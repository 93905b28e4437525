"""What is told of an animal: the body it speaks with, where it lives, how it behaves, and what its
picture and call are like.

Everything follows from the species, the picture's colours and the call's measures: nothing is drawn
twice differently.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence

from .. import __version__
from ..encoding.provenance import TRAINED, Provenance
from ..language.names import binomial
from ..records import Call, Colour, Postcard, Species
from ..species.animals import bodies
from ..species.invent import blend, parents_of

HABITATS = {
    "songbird": (
        "in the crowns of fig trees",
        "along reed beds",
        "on the ledges of a wet cliff",
        "in gardens that nobody owns",
    ),
    "parrot": (
        "in loud company above the river",
        "where the palms bear twice a year",
        "in hollow trees by the clay banks",
    ),
    "cat": (
        "on warm rocks above the valley",
        "in the long shade of the bamboo",
        "along the tree line at dusk",
        "among fallen trunks",
    ),
    "herd": (
        "on the high meadows",
        "at the salt licks",
        "where the savannah floods",
        "between the orchard and the marsh",
    ),
    "frog": (
        "in the pools that the rain leaves",
        "under lily leaves",
        "at the edge of the slow water",
        "in moss that never dries",
    ),
    "insect": (
        "under bark",
        "among the roots of old figs",
        "in tide pools",
        "on the sunny side of ruined walls",
    ),
    "whale": (
        "where the river meets the sea",
        "in the cold current off the point",
        "in the flooded forest",
    ),
    "rodent": (
        "in burrows beneath the ferns",
        "along dry stone walls",
        "in the lower branches",
        "where the grain falls",
    ),
    "primate": (
        "high in the canopy",
        "on the rope-like vines over the gorge",
        "near the hot springs",
    ),
    "reptile": (
        "on sand that keeps the day's heat",
        "in the mangroves",
        "under the only flat stone",
        "along the drying creek",
    ),
}
TRAITS = (
    "listens before it moves", "never crosses its own tracks", "shares food with strangers",
    "sleeps with one eye open", "collects shiny things", "hums when it is alone",
    "is afraid of its reflection", "returns to the same stone every evening",
    "counts its young by voice", "follows the rain", "greets the moon",
    "buries what it cannot carry", "walks backwards out of its den", "imitates thunder",
    "yawns before it runs", "keeps its feet dry", "sings only after midnight",
    "guards a single tree all its life", "can stand still for an hour", "remembers every face",
    "dances when the wind turns", "drinks dew from leaves", "leaves gifts of feathers",
    "argues with echoes", "warms stones for its young", "paints itself with mud before a feast",
)  # fmt: skip
CREDIT = "Postcards from my jungle"
PLACES = (
    "Port Heron", "Two Rivers", "Fern Landing", "Cape Lantern", "Old Ferry", "Mosswater",
    "Lower Canopy", "Salt Steps", "Quiet Falls", "Vine Bridge", "Ember Hill", "Reed End",
    "Night Market", "Cloud Station", "Hollow Tree",
)  # fmt: skip
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _pick(options: Sequence[str], seed: int, what: str) -> str:
    # A hash and not `random`, whose choices may change with the version of Python
    number = int.from_bytes(
        hashlib.blake2b(f"{seed}/biography/{what}".encode(), digest_size=8).digest(), "little"
    )
    return options[number % len(options)]


def body_of(mix: Mapping[str, float]) -> str:
    """The voice in ``language.voices`` of the largest share: "cat" for a lion; that of a herd
    animal for kinds without a row.
    """
    for name in parents_of(mix):
        words = [name.lower(), *name.lower().replace("_", " ").split()[::-1]]
        for word in (*words, *(one.removesuffix("s") for one in words)):
            if word in bodies():
                return bodies()[word]
    return "herd"


def complete_species(species: Species, colour: str = "") -> Species:
    """The species with everything that was left empty: name, voice, binomial, habitat and traits.

    Args:
        colour: the name of the picture's first colour, which a name that nobody chose begins with:
            "russet leopabbit".
    """
    seed, mix = species.seed, species.mix
    voice = species.voice or body_of(mix)
    words = [name.replace("_", " ").split()[-1] for name in parents_of(mix)] or ["animal"]
    name = (
        species.name
        or f"{colour} {blend(words[0], words[min(1, len(words) - 1)])}".strip().capitalize()
    )

    # Each pick has a seed of its own: a new list of habitats does not change the traits.
    first = _pick(TRAITS, seed, "trait")
    second = _pick([trait for trait in TRAITS if trait != first], seed, "second trait")

    return dataclasses.replace(
        species,
        name=name,
        voice=voice,
        binomial=species.binomial or binomial(mix),
        habitat=species.habitat or _pick(HABITATS[voice], seed, "habitat"),
        traits=species.traits or (first, second),
    )


def mix_in_words(mix: Mapping[str, float]) -> str:
    """A mix as people say it: "70 % leopard, 30 % rabbit"."""
    total = sum(mix.values())
    return (
        ", ".join(
            f"{100 * mix[name] / total:.0f} % {name.replace('_', ' ')}" for name in parents_of(mix)
        )
        or "any animal"
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def alt_text(species: Species, colours: Sequence[Colour]) -> str:
    """The picture in words, for those who do not see it."""
    kinds = (
        _listed([_a(name.replace("_", " ")) for name in parents_of(species.mix)[:2]])
        or "no animal that anybody knows"
    )
    shades = _listed([colour.name for colour in colours[:2]])
    return f"{species.name}, an animal like {kinds}" + (
        f", painted mostly in {shades}." if shades else "."
    )


def _a(word: str) -> str:
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def call_in_words(call: Call) -> str:
    """A caption of the call, for those who do not hear it."""
    kinds = _listed([name.replace("_", " ") for name in parents_of(call.mix)[:2]])
    length = f"{call.seconds:.1f} seconds long"
    return f"A call {length}, with the voice of {_a(kinds)}." if kinds else f"A call {length}."


def field_notes(species: Species, colours: Sequence[Colour], own_name: str, meaning: str) -> str:
    """A paragraph as a naturalist would write it; ``meaning`` is that of ``own_name`` in
    English.
    """
    traits = _listed(list(species.traits))
    shade = (
        f" Its coat runs from {colours[0].name} to {colours[1].name}." if len(colours) > 1 else ""
    )
    calls = f" It calls itself {own_name}, the {meaning}." if own_name else ""
    return f"Lives {species.habitat}.{shade} It {traits}.{calls}"


def postmark(seed: int) -> tuple[str, str]:
    """Place and date of the stamp's cancel; the year is left to the reader."""
    day = 1 + int(_pick([str(index) for index in range(28)], seed, "day"))
    return _pick(PLACES, seed, "place"), f"{day} {_pick(MONTHS, seed, 'month')}"


def facts_of(card: Postcard) -> Provenance:
    """What every published file of a postcard tells of itself."""
    species, call = card.species, card.call
    return Provenance(
        title=species.name,
        credit=CREDIT,
        description=card.alt,
        source=TRAINED,
        software=f"jungle {__version__}",
        seed=str(species.seed),
        engine="jungle" if call.engine == "embedded" else f"jungle, {call.engine}",
        prompt=call.prompt,
        mix=", ".join(f"{animal} {species.mix[animal]:g}" for animal in parents_of(species.mix))
        or "any animal",
        model=", ".join(dict.fromkeys((card.picture.model, call.model))),
    )
