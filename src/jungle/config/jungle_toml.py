"""``jungle.toml``: the wishes of one jungle, editable by hand. The command line wins over it.

``jungle new`` writes one with every entry explained (new_jungle.toml); all may be left out.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from ..errors import BadInput
from ..records import Species
from ..storage.atomic import write_bytes
from .recipes import R, override

CONFIG_FILE = "jungle.toml"
_MOST_TEXT, _MOST_TRAITS = 200, 8
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NO_SPECIES = re.compile(
    r"""^[ \t]*(?:species|"species"|'species')[ \t]*=[ \t]*\[(?:\s|#[^\n]*\n)*\][^\n]*\n?""",
    re.MULTILINE,
)


TEXT_ENTRIES = {
    "recipe": "",
    "model": "",
    "sound_model": "",
    "title": "Postcards from my jungle",
    "base_url": "",
    "world": "A jungle that nobody has seen, where every animal has a voice of its own.",
    "look": "painterly",
    "metadata": "full",
    "calls": "embedded",
    "phrases_by": "embedded",
    "negative": "",
}
"""Entries of text, with their defaults."""

CHOICES = {
    "look": ("painterly", "smooth", "crisp"),
    "metadata": ("full", "credit", "none"),
    "calls": ("embedded", "stable-audio"),
    "phrases_by": ("embedded", "openai"),
}
"""Entries of text that take one of a few values."""

TABLE_ENTRIES = ("train", "images", "sounds")
"""Tables of fields of a recipe."""

_LANGUAGE_TEXTS = ("voice", "kind", "order", "theme", "mode", "base_url", "model")
"""Texts of the table [language], which also holds its concepts and intents."""

NUMBER_ENTRIES = {
    "seed": (0, 0, 2**63 - 1),
    "count": (12, 1, 100_000),
    "phrases": (4, 1, 16),
    "sketches": (32, 1, 64),
}
"""Entries that are whole numbers: default, least, most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What a text-to-audio engine shall make for an animal."""

    text: str
    seconds: float = 0.0  # 0 = as long as is natural


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The content of a ``jungle.toml``; everything as by default where there is no file."""

    seed: int = 0
    count: int = 12  # species to invent where none are named
    phrases: int = 4  # on a postcard
    sketches: int = 32  # pictures painted of each animal, of which the best is kept
    recipe: str = ""
    model: str = ""
    sound_model: str = ""
    title: str = TEXT_ENTRIES["title"]
    world: str = TEXT_ENTRIES["world"]
    base_url: str = ""  # where the page will stand
    look: Literal["painterly", "smooth", "crisp"] = "painterly"
    metadata: Literal["full", "credit", "none"] = "full"
    calls: Literal["embedded", "stable-audio"] = "embedded"
    phrases_by: Literal["embedded", "openai"] = "embedded"
    negative: str = ""  # what stable-audio avoids
    train: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    sounds: dict[str, str] = field(default_factory=dict)
    language: dict[str, Any] = field(default_factory=dict)  # with its tables concepts and intents
    prompts: tuple[Prompt, ...] = ()
    species: tuple[Species, ...] = ()


@dataclass(frozen=True, slots=True)
class JungleFolder:
    """A folder with what its ``jungle.toml`` says, read once by a command."""

    path: Path
    config: Config

    @classmethod
    def open(cls, path: Path) -> "JungleFolder":
        """Read the file of the folder, if there is one; errors are those of :func:`read_config`."""
        return cls(path, read_config(path))


def read_config(folder: Path) -> Config:
    """The ``jungle.toml`` of a jungle folder; an empty :class:`Config` where there is none.

    Raises:
        BadInput: the file is not TOML, or an entry is unknown or of the wrong type; the sentence
            names file and entry.
    """
    path = folder / CONFIG_FILE
    table = _read_table(path)
    entries = (*NUMBER_ENTRIES, *TEXT_ENTRIES, *TABLE_ENTRIES, "language", "prompts", "species")
    unknown = sorted(set(table) - set(entries))
    if unknown:
        raise BadInput(
            f"{path}: there is no entry '{unknown[0]}'; it may hold {', '.join(entries)}."
        )

    scalars: dict[str, Any] = {
        key: _number(table.get(key, default), key, least, most, path)
        for key, (default, least, most) in NUMBER_ENTRIES.items()
    }
    scalars |= {
        key: _typed(table.get(key, default), str, key, path)
        for key, default in TEXT_ENTRIES.items()
    }
    for key, choices in CHOICES.items():
        if scalars[key] not in choices:
            raise BadInput(
                f"{path}: {key} = '{scalars[key]:.60}' must be one of {', '.join(choices)}."
            )

    # What the tables say is checked when it meets a recipe: their fields depend on the command.
    options: dict[str, Any] = {
        key: _options(table.get(key, {}), key, path) for key in TABLE_ENTRIES
    }
    species = _all_species(table.get("species", []), path)
    prompts = tuple(
        _prompt(entry, path)
        for entry in _typed(table.get("prompts", []), list, "[[prompts]]", path)
    )
    language = _language(table.get("language", {}), path)
    return Config(species=species, prompts=prompts, language=language, **scalars, **options)


def _read_table(path: Path) -> dict[str, Any]:
    """The file as TOML; an empty table where there is no file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except NotADirectoryError:
        raise BadInput(
            f"{path.parent} is a file, not the folder of a jungle: name another place."
        ) from None
    # tomllib calls itself for every bracket, so a file of brackets alone ends in RecursionError
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(
            f"{path} cannot be read as TOML ({reason}): mend it, or move it away to start anew."
        ) from None


def _typed(value: Any, kind: type, name: str, path: Path) -> Any:
    """``value``, if it is of that type; ``name`` is the entry's in an error sentence."""
    if value is None:
        raise BadInput(f"{path}: {name} is missing; add it.")

    # TOML's true is a bool, and Python's bool is an int.
    if not isinstance(value, kind) or isinstance(value, bool):
        words = {
            int: "a whole number",
            str: "text in quotes",
            dict: "a table",
            list: "a list of tables",
        }
        raise BadInput(f"{path}: {name} must be {words[kind]}, not {value!r:.60}; mend that line.")
    return value


def _number(value: Any, key: str, least: int, most: int, path: Path) -> int:
    number: int = _typed(value, int, key, path)
    if not least <= number <= most:
        limit = most if most < 2**62 else "2^63 - 1"
        raise BadInput(
            f"{path}: {key} must be a whole number from {least} to {limit}, not {number}."
        )
    return number


def _options(table: Any, name: str, path: Path) -> dict[str, str]:
    for key, value in _typed(table, dict, f"[{name}]", path).items():
        if not isinstance(value, int | float | str) or isinstance(value, bool):
            raise BadInput(
                f"{path}: {key} in [{name}] must be a number or text in quotes, not {value!r}; "
                "mend that line."
            )
    return {key: str(value) for key, value in table.items()}


def _all_species(entries: Any, path: Path) -> tuple[Species, ...]:
    species = tuple(_species(entry, path) for entry in _typed(entries, list, "[[species]]", path))
    slugs = [entry.slug for entry in species]
    for slug in slugs:
        if slugs.count(slug) > 1:
            raise BadInput(
                f"{path}: the slug '{slug}' is used {slugs.count(slug)} times; "
                "give each species its own."
            )
    return species


def _species(entry: Any, path: Path) -> Species:
    table = _typed(entry, dict, "each [[species]]", path)
    slug = _typed(table.get("slug"), str, "slug of a [[species]]", path)
    if not _SLUG.fullmatch(slug):
        raise BadInput(
            f"{path}: slug = '{slug}' must be made of a-z, 0-9 and single '-', "
            "for example 'cat-panda'."
        )
    mix = _mix(table.get("mix", {}), slug, path)
    seed = _typed(table.get("seed", 0), int, f"seed of '{slug}'", path)
    if not 0 <= seed < 2**63:
        raise BadInput(
            f"{path}: seed of '{slug}' must be a whole number from 0 to 2^63 - 1, not {seed}."
        )

    # Cut, not refused: these are printed on cards, and a person may paste a whole page.
    texts = {
        key: _typed(table.get(key, ""), str, f"{key} of '{slug}'", path)[:_MOST_TEXT]
        for key in ("name", "voice", "binomial", "habitat")
    }
    traits = tuple(
        _typed(trait, str, f"each of the traits of '{slug}'", path)[:_MOST_TEXT]
        for trait in _typed(table.get("traits", []), list, f"traits of '{slug}'", path)[
            :_MOST_TRAITS
        ]
    )
    unknown = sorted(set(table) - {"slug", "mix", "seed", "traits", *texts})
    if unknown:
        raise BadInput(
            f"{path}: the species '{slug}' has no entry '{unknown[0]}'; it may have "
            "slug, name, seed, mix, voice, binomial, habitat and traits."
        )
    return Species(slug=slug, seed=seed, mix=mix, traits=traits, **texts)


def _mix(value: Any, slug: str, path: Path) -> dict[str, float]:
    mix = _typed(value, dict, f"mix of '{slug}'", path)
    for name, share in mix.items():
        if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1e9:
            raise BadInput(
                f"{path}: the share of {name} in the mix of '{slug}' must be a number "
                f"from 0 to 1000000000, not {share!r:.40}."
            )
    return {name: float(share) for name, share in mix.items()}


def _language(table: Any, path: Path) -> dict[str, Any]:
    """[language]: its texts; what its concepts and intents say is for the language to judge."""
    entries = {*_LANGUAGE_TEXTS, "concepts", "intents"}
    unknown = sorted(set(_typed(table, dict, "[language]", path)) - entries)
    if unknown:
        raise BadInput(
            f"{path}: [language] has no entry '{unknown[0]}'; "
            f"it may hold {', '.join(_LANGUAGE_TEXTS)}, concepts and intents."
        )
    texts = {
        key: _typed(table[key], str, f"{key} of [language]", path)
        for key in _LANGUAGE_TEXTS
        if key in table
    }
    return {**table, **texts}


def _prompt(entry: Any, path: Path) -> Prompt:
    table = _typed(entry, dict, "each [[prompts]]", path)
    text = _typed(table.get("text"), str, "text of each [[prompts]]", path)
    seconds = table.get("seconds", 0)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= 600:
        raise BadInput(
            f"{path}: seconds of a prompt must be a number from 0 (its natural length) to 600, "
            f"not {seconds!r:.40}."
        )
    return Prompt(text=text, seconds=float(seconds))


def apply_config(recipe: R, table: Mapping[str, str], folder: Path, given: Mapping[str, str]) -> R:
    """``recipe`` changed by a ``table`` of ``folder``/jungle.toml, then by ``given``, which wins.

    Raises:
        BadInput: an unknown key or a wrong value; where the table is to blame, the sentence names
            the file.
    """
    try:
        return override(recipe, {**table, **given})
    except BadInput as error:
        override(recipe, given)  # raises if the command line alone is wrong
        raise BadInput(f"{folder / CONFIG_FILE}: {error.sentence}") from None


def _quoted(text: str) -> str:
    """A TOML string; its escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def write_species(
    folder: Path, seed: int, species: tuple[Species, ...], classes: Sequence[str] = ()
) -> None:
    """Write these species to ``jungle.toml``, for a person to edit; what it already says stays.

    Only an empty ``species = []`` goes, because TOML allows no [[species]] after it.

    Args:
        classes: animals that species can be mixed from, for the comment above them.
    """
    path = folder / CONFIG_FILE
    lines = [
        "# The animals of this jungle: change a seed or a mix, give one a name, a habitat or "
        "traits, and run  jungle make  again."
    ]
    if classes:
        # A class is the name of a folder, and a line break in one would end the comment.
        names = ", ".join(name for name in classes if name.isprintable())
        lines.append(f"# They can be mixed from: {names}.")

    if path.exists():
        text = _NO_SPECIES.sub("", path.read_text(encoding="utf-8"))
        lines = [text.rstrip("\n"), "", *lines]
    else:
        lines += [f"seed = {seed}", ""]

    for entry in species:
        mix = ", ".join(f"{_quoted(name)} = {share:g}" for name, share in entry.mix.items())
        lines += ["[[species]]", f'slug = "{entry.slug}"']
        if entry.name:
            lines.append(f"name = {_quoted(entry.name)}")
        lines += [f"seed = {entry.seed}", f"mix = {{ {mix} }}", ""]
    write_bytes(path, "\n".join(lines).encode())


def default_config_text() -> str:
    """A jungle.toml with every entry explained, all as by default."""
    return resources.files(__package__).joinpath("new_jungle.toml").read_text(encoding="utf-8")
