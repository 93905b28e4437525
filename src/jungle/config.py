"""``jungle.toml``: the wishes of one jungle, editable by hand. Options on the command line win over it.

seed = 0
recipe = "quick"              # for jungle train
model = "run/animal_diffusion_model.pth"
sound_model = "sounds/animal_diffusion_model.pth"
[train]                       # the keys of -o for training
limit = 1024
[images]                      # the keys of -o for painting
guidance = 2.0
[sounds]                      # the keys of -o for calls
steps = 20
[[species]]
slug = "canda"
name = "Canda"
seed = 7
mix = { cat = 0.6, panda = 0.4 }
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import BadInput
from .recipes import R, override
from .records import Species
from .store import write_bytes

NAME = "jungle.toml"
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NO_SPECIES = re.compile(r"""^[ \t]*(?:species|"species"|'species')[ \t]*=[ \t]*\[(?:\s|#[^\n]*\n)*\][^\n]*\n?""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Config:
    """A read ``jungle.toml``; everything empty where there is no file."""

    seed: int = 0
    recipe: str = ""
    model: str = ""
    sound_model: str = ""
    train: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    sounds: dict[str, str] = field(default_factory=dict)
    species: tuple[Species, ...] = ()


def _is(value: Any, kind: type, what: str, where: Path) -> Any:
    if value is None:
        raise BadInput(f"{where}: {what} is missing; add it.")
    if not isinstance(value, kind) or isinstance(value, bool):
        words = {int: "a whole number", str: "text in quotes", dict: "a table", list: "a list of tables"}
        raise BadInput(f"{where}: {what} must be {words[kind]}, not {value!r:.60}; mend that line.")
    return value


def _options(table: Any, what: str, where: Path) -> dict[str, str]:
    for key, value in _is(table, dict, f"[{what}]", where).items():
        if not isinstance(value, int | float | str) or isinstance(value, bool):
            raise BadInput(f"{where}: {key} in [{what}] must be a number or text in quotes, not {value!r}; mend that line.")
    return {key: str(value) for key, value in table.items()}


def _species(entry: Any, where: Path) -> Species:
    table = _is(entry, dict, "each [[species]]", where)
    slug = _is(table.get("slug"), str, "slug of a [[species]]", where)
    if not SLUG.fullmatch(slug):
        raise BadInput(f"{where}: slug = '{slug}' must be made of a-z, 0-9 and single '-', for example 'cat-panda'.")
    mix = _is(table.get("mix", {}), dict, f"mix of '{slug}'", where)
    for name, share in mix.items():
        if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1e9:
            raise BadInput(f"{where}: the share of {name} in the mix of '{slug}' must be a number from 0 to 1000000000, not {share!r:.40}.")
    seed = _is(table.get("seed", 0), int, f"seed of '{slug}'", where)
    if not 0 <= seed < 2**63:
        raise BadInput(f"{where}: seed of '{slug}' must be a whole number from 0 to 2^63 - 1, not {seed}.")
    name = _is(table.get("name", slug.replace("-", " ").capitalize()), str, f"name of '{slug}'", where)
    return Species(slug=slug, name=name, seed=seed, mix={key: float(share) for key, share in mix.items()})


def read(folder: Path) -> Config:
    """The ``jungle.toml`` of a jungle folder; an empty :class:`Config` where there is none.

    Raises:
        BadInput: the file is not TOML, or an entry is unknown or of the wrong kind; the sentence names the file and entry.
    """
    where = folder / NAME
    try:
        table = tomllib.loads(where.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{where} cannot be read as TOML ({reason}): mend it, or delete it to start anew.") from None
    unknown = sorted(set(table) - {"seed", "recipe", "model", "sound_model", "train", "images", "sounds", "species"})
    if unknown:
        known = "seed, recipe, model, sound_model, [train], [images], [sounds] and [[species]]"
        raise BadInput(f"{where}: there is no entry '{unknown[0]}'; it may hold {known}.")
    seed = _is(table.get("seed", 0), int, "seed", where)
    if not 0 <= seed < 2**63:
        raise BadInput(f"{where}: seed must be a whole number from 0 to 2^63 - 1, not {seed}.")
    species = tuple(_species(entry, where) for entry in _is(table.get("species", []), list, "[[species]]", where))
    slugs = [one.slug for one in species]
    for slug in slugs:
        if slugs.count(slug) > 1:
            raise BadInput(f"{where}: the slug '{slug}' is used {slugs.count(slug)} times; give each species its own.")
    texts = {key: _is(table.get(key, ""), str, key, where) for key in ("recipe", "model", "sound_model")}
    options = {key: _options(table.get(key, {}), key, where) for key in ("train", "images", "sounds")}
    return Config(seed=seed, species=species, **texts, **options)  # type: ignore[arg-type]


def change(recipe: R, table: Mapping[str, str], folder: Path, given: Mapping[str, str]) -> R:
    """``recipe`` with the values of a ``table`` of ``folder``/jungle.toml, and of ``given`` from the command line, which win.

    Raises:
        BadInput: an unknown key or a wrong value; where the table is to blame, the sentence names the file.
    """
    try:
        return override(recipe, {**table, **given})
    except BadInput as error:
        override(recipe, given)  # raises if the command line alone is wrong
        raise BadInput(f"{folder / NAME}: {error}") from None


def _quoted(text: str) -> str:
    """A TOML string; its escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def write_species(folder: Path, seed: int, species: tuple[Species, ...]) -> None:
    """``jungle.toml`` with these species, for a person to edit; what a file that is there already says stays as it is.

    All but an empty ``species = []``, because TOML allows no [[species]] after it.
    """
    where = folder / NAME
    lines = ["# The animals of this jungle. Change a name, a seed or a mix, and run  jungle make  again."]
    if where.exists():
        lines = [NO_SPECIES.sub("", where.read_text(encoding="utf-8")).rstrip("\n"), "", *lines]
    else:
        lines += [f"seed = {seed}", ""]
    for one in species:
        mix = ", ".join(f"{_quoted(name)} = {share:g}" for name, share in one.mix.items())
        lines += ["[[species]]", f'slug = "{one.slug}"', f"name = {_quoted(one.name)}", f"seed = {one.seed}", f"mix = {{ {mix} }}", ""]
    write_bytes(where, "\n".join(lines).encode())
