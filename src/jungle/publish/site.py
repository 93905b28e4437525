"""A contact sheet of the jungle as one plain HTML page: no script, no outside request, opens by double click."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment
from PIL import Image

from .. import __version__
from ..records import Call, Picture, Species
from ..store import write_atomic, write_bytes, write_json

SHOWN = 256  # least short side in pixels of a picture on the page


def in_words(mix: dict[str, float]) -> str:
    """A mix as people say it: "70 % leopard, 30 % rabbit"."""
    ordered = sorted(mix.items(), key=lambda item: (-item[1], item[0]))
    total = sum(mix.values())
    return ", ".join(f"{share / total:.0%} {name.replace('_', ' ')}".replace("%", " %") for name, share in ordered) or "any animal"


def enlarge(source: Path, target: Path) -> tuple[int, int]:
    """A copy of a small picture whose short side is at least SHOWN pixels (Lanczos, whole factor); returns (width, height)."""
    with Image.open(source) as picture:
        factor = max(1, -(-SHOWN // min(picture.size)))
        shown = picture.convert("RGB").resize((picture.width * factor, picture.height * factor), Image.Resampling.LANCZOS)
    write_atomic(target, lambda file: shown.save(file, "WEBP", quality=90, method=6))
    return shown.size


def write_site(folder: Path, animals: Sequence[tuple[Species, Picture, Call]]) -> Path:
    """Write index.html, its enlarged pictures and manifest.json into a jungle's folder; returns the page.

    The page's bytes follow from the records alone: two builds are identical.
    """
    cards = []
    for species, picture, call in animals:
        image = f"site/{species.slug}.webp"
        width, height = enlarge(folder / picture.file, folder / image)
        card = {
            "image": image,
            "width": width,
            "height": height,
            "name": species.name,
            "words": in_words(species.mix),
            "seed": picture.seed,
            "call": call.file.removesuffix(".wav"),
            "voice": in_words(call.mix),
        }
        cards.append(card)
    text = resources.files(__package__).joinpath("templates/index.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True).from_string(text)
    model = animals[0][1].model if animals else ""
    told = [{"species": one.to_json(), "picture": picture.to_json(), "call": call.to_json()} for one, picture, call in animals]
    write_json(folder / "manifest.json", {"jungle": __version__, "animals": told})
    write_bytes(folder / "index.html", page.render(cards=cards, version=__version__, model=model).encode())
    return folder / "index.html"
