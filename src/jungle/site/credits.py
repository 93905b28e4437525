"""Whom a site thanks, and which models it names."""

from collections.abc import Sequence
from importlib import resources

from ..records import Postcard

Pairs = tuple[tuple[str, str], ...]

# hash of the weights: their model card
SHIPPED = {
    "50639433c87ca2fa": "photo64",
    "57b1b087589f54b0": "call",
}
DATA = {
    "photo64": (
        (
            "Photos",
            "PyImageSearch's animals set (with cats and dogs of Asirra, pandas of ImageNet), no "
            "licence stated",
        ),
        (
            "Photos",
            "InputBlackBoxOutput/popular-animals-dataset, gathered from the web (MIT by its "
            "repository)",
        ),
        ("Photos", "Caltech-101 (CC BY 4.0 by its dataset card)"),
        ("Photos", "the photo part of PACS, no licence stated"),
        (
            "Photos",
            "Kaggle alessiocorrado99/animals10 (GPL 2 by its card), from a web image search",
        ),
        ("Photos", "Kaggle 10 Monkey Species (CC0 by its card)"),
        (
            "Photos",
            "18 smaller Kaggle, course and web sets, no licence stated (listed in the model card)",
        ),
    ),
    "call": (
        ("Recordings", "YashNita/Animal-Sound-Dataset, no licence stated"),
        (
            "Recordings",
            "adithya-manoj/Animal-Sound-Detection-, origin and licence not stated (bats)",
        ),
    ),
}


def models(cards: Sequence[Postcard]) -> Pairs:
    """The models that made these cards, as (name, what it is)."""
    results: dict[str, str] = {}
    for card in cards:
        for what, name in (("pictures", card.picture.model), ("calls", card.call.model)):
            shipped = SHIPPED.get(name)
            results[f"{shipped or name} ({what})"] = (
                _heading(shipped) if shipped else "a model of the maker's own choice"
            )
    return tuple(sorted(results.items()))


def credits_of(cards: Sequence[Postcard]) -> Pairs:
    """The sets of photos and recordings that the shipped models among them learned from."""
    used = {
        SHIPPED[name]
        for card in cards
        for name in (card.picture.model, card.call.model)
        if name in SHIPPED
    }
    return tuple(pair for name in sorted(used, reverse=True) for pair in DATA[name])


def _heading(name: str) -> str:
    """What a model card says in its first line: "48 kinds of animals and their mixes ..."."""
    card = resources.files("jungle.weights").joinpath(f"{name}.md").read_text(encoding="utf-8")
    return card.splitlines()[0].partition(": ")[2]
