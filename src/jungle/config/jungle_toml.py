"""``jungle.toml``: the wishes of one jungle, editable by hand. Options on the command line win over it.

``jungle new`` writes one with every entry explained (new_jungle.toml); all of them may be left out.
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

NAME = "jungle.toml"
MOST_TEXT, MOST_TRAITS = 200, 8
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NO_SPECIES = re.compile(
    r"""^[ \t]*(?:species|"species"|'species')[ \t]*=[ \t]*\[(?:\s|#[^\n]*\n)*\][^\n]*\n?""",
    re.MULTILINE,
)


TEXTS = {  # entries of text, with what they are where they are missing
    "recipe": "", "model": "", "sound_model": "", "title": "Postcards from my jungle", "base_url": "",
    "world": "A jungle that nobody has seen, where every animal has a voice of its own.",
    "look": "painterly", "metadata": "full", "calls": "embedded", "phrases_by": "embedded", "negative": "",
}  # fmt: skip
CHOICES = {
    "look": ("painterly", "smooth", "crisp"), "metadata": ("full", "credit", "none"),
    "calls": ("embedded", "stable-audio"), "phrases_by": ("embedded", "openai"),
}  # fmt: skip
TABLES = ("train", "images", "sounds")
TONGUE = (
    "voice",
    "kind",
    "order",
    "theme",
    "mode",
    "base_url",
    "model",
)  # texts of [language], beside its concepts and intents
NUMBERS = {
    "seed": (0, 0, 2**63 - 1),
    "count": (12, 1, 100_000),
    "phrases": (4, 1, 16),
    "sketches": (32, 1, 64),
}  # default, least, most


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What a text-to-audio engine shall make for an animal."""

    text: str
    seconds: float = 0.0  # 0 = as long as is natural


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A read ``jungle.toml``; everything as by default where there is no file."""

    seed: int = 0
    count: int = 12  # species to invent where none are named
    phrases: int = 4  # on a postcard
    sketches: int = (
        32  # pictures painted of each animal, of which the one that shows it best is kept
    )
    recipe: str = ""
    model: str = ""
    sound_model: str = ""
    title: str = TEXTS["title"]
    world: str = TEXTS["world"]
    base_url: str = ""  # where the page will stand
    look: Literal["painterly", "smooth", "crisp"] = "painterly"
    metadata: Literal["full", "credit", "none"] = "full"
    calls: Literal["embedded", "stable-audio"] = "embedded"
    phrases_by: Literal["embedded", "openai"] = "embedded"
    negative: str = ""  # what stable-audio avoids
    train: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    sounds: dict[str, str] = field(default_factory=dict)
    language: dict[str, Any] = field(
        default_factory=dict
    )  # texts by TONGUE, and the tables concepts and intents
    prompts: tuple[Prompt, ...] = ()
    species: tuple[Species, ...] = ()


def _is(value: Any, kind: type, what: str, where: Path) -> Any:
    if value is None:
        raise BadInput(f"{where}: {what} is missing; add it.")
    if not isinstance(value, kind) or isinstance(value, bool):
        words = {
            int: "a whole number",
            str: "text in quotes",
            dict: "a table",
            list: "a list of tables",
        }
        raise BadInput(f"{where}: {what} must be {words[kind]}, not {value!r:.60}; mend that line.")
    return value


def _options(table: Any, what: str, where: Path) -> dict[str, str]:
    for key, value in _is(table, dict, f"[{what}]", where).items():
        if not isinstance(value, int | float | str) or isinstance(value, bool):
            raise BadInput(
                f"{where}: {key} in [{what}] must be a number or text in quotes, not {value!r}; mend that line."
            )
    return {key: str(value) for key, value in table.items()}


def _species(entry: Any, where: Path) -> Species:
    table = _is(entry, dict, "each [[species]]", where)
    slug = _is(table.get("slug"), str, "slug of a [[species]]", where)
    if not SLUG.fullmatch(slug):
        raise BadInput(
            f"{where}: slug = '{slug}' must be made of a-z, 0-9 and single '-', for example 'cat-panda'."
        )
    mix = _is(table.get("mix", {}), dict, f"mix of '{slug}'", where)
    for name, share in mix.items():
        if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1e9:
            raise BadInput(
                f"{where}: the share of {name} in the mix of '{slug}' must be a number from 0 to 1000000000, not {share!r:.40}."
            )
    seed = _is(table.get("seed", 0), int, f"seed of '{slug}'", where)
    if not 0 <= seed < 2**63:
        raise BadInput(
            f"{where}: seed of '{slug}' must be a whole number from 0 to 2^63 - 1, not {seed}."
        )
    texts = {
        key: _is(table.get(key, ""), str, f"{key} of '{slug}'", where)[:MOST_TEXT]
        for key in ("name", "voice", "binomial", "habitat")
    }
    traits = _is(table.get("traits", []), list, f"traits of '{slug}'", where)
    told = tuple(
        _is(trait, str, f"each of the traits of '{slug}'", where)[:MOST_TEXT]
        for trait in traits[:MOST_TRAITS]
    )
    unknown = sorted(set(table) - {"slug", "mix", "seed", "traits", *texts})
    if unknown:
        known = "slug, name, seed, mix, voice, binomial, habitat and traits"
        raise BadInput(
            f"{where}: the species '{slug}' has no entry '{unknown[0]}'; it may have {known}."
        )
    return Species(
        slug=slug,
        seed=seed,
        mix={key: float(share) for key, share in mix.items()},
        traits=told,
        **texts,
    )


def _language(table: Any, where: Path) -> dict[str, Any]:
    """[language]: its texts; what its concepts and intents say is for the language to judge."""
    unknown = sorted(set(_is(table, dict, "[language]", where)) - {*TONGUE, "concepts", "intents"})
    if unknown:
        raise BadInput(
            f"{where}: [language] has no entry '{unknown[0]}'; it may hold {', '.join(TONGUE)}, concepts and intents."
        )
    texts = {
        key: _is(table[key], str, f"{key} of [language]", where) for key in TONGUE if key in table
    }
    return {**table, **texts}


def _prompt(entry: Any, where: Path) -> Prompt:
    table = _is(entry, dict, "each [[prompts]]", where)
    text = _is(table.get("text"), str, "text of each [[prompts]]", where)
    seconds = table.get("seconds", 0)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= 600:
        raise BadInput(
            f"{where}: seconds of a prompt must be a number from 0 (its natural length) to 600, not {seconds!r:.40}."
        )
    return Prompt(text=text, seconds=float(seconds))


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
    except NotADirectoryError:
        raise BadInput(
            f"{folder} is a file, not the folder of a jungle: name another place."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(
            f"{where} cannot be read as TOML ({reason}): mend it, or move it away to start anew."
        ) from None
    known = (*NUMBERS, *TEXTS, *TABLES, "language", "prompts", "species")
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise BadInput(
            f"{where}: there is no entry '{unknown[0]}'; it may hold {', '.join(known)}."
        )
    numbers = {
        key: _number(table.get(key, default), key, least, most, where)
        for key, (default, least, most) in NUMBERS.items()
    }
    texts = {key: _is(table.get(key, default), str, key, where) for key, default in TEXTS.items()}
    for key, choices in CHOICES.items():
        if texts[key] not in choices:
            raise BadInput(
                f"{where}: {key} = '{texts[key]:.60}' must be one of {', '.join(choices)}."
            )
    options = {key: _options(table.get(key, {}), key, where) for key in TABLES}
    species = tuple(
        _species(entry, where)
        for entry in _is(table.get("species", []), list, "[[species]]", where)
    )
    prompts = tuple(
        _prompt(entry, where) for entry in _is(table.get("prompts", []), list, "[[prompts]]", where)
    )
    slugs = [one.slug for one in species]
    for slug in slugs:
        if slugs.count(slug) > 1:
            raise BadInput(
                f"{where}: the slug '{slug}' is used {slugs.count(slug)} times; give each species its own."
            )
    language = _language(table.get("language", {}), where)
    return Config(
        species=species, prompts=prompts, language=language, **numbers, **texts, **options
    )  # type: ignore[arg-type]


def _number(value: Any, key: str, least: int, most: int, where: Path) -> int:
    number: int = _is(value, int, key, where)
    if not least <= number <= most:
        raise BadInput(
            f"{where}: {key} must be a whole number from {least} to {most if most < 2**62 else '2^63 - 1'}, not {number}."
        )
    return number


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


def write_species(
    folder: Path, seed: int, species: tuple[Species, ...], known: Sequence[str] = ()
) -> None:
    """``jungle.toml`` with these species, for a person to edit; what a file that is there already says stays as it is.

    All but an empty ``species = []``, because TOML allows no [[species]] after it.
    """
    where = folder / NAME
    lines = [
        "# The animals of this jungle: change a seed or a mix, give one a name, a habitat or traits, and run  jungle make  again."
    ]
    lines += (
        [f"# They can be mixed from: {', '.join(name for name in known if name.isprintable())}."]
        if known
        else []
    )
    if where.exists():
        lines = [NO_SPECIES.sub("", where.read_text(encoding="utf-8")).rstrip("\n"), "", *lines]
    else:
        lines += [f"seed = {seed}", ""]
    for one in species:
        mix = ", ".join(f"{_quoted(name)} = {share:g}" for name, share in one.mix.items())
        named = [f"name = {_quoted(one.name)}"] if one.name else []
        lines += [
            "[[species]]",
            f'slug = "{one.slug}"',
            *named,
            f"seed = {one.seed}",
            f"mix = {{ {mix} }}",
            "",
        ]
    write_bytes(where, "\n".join(lines).encode())


def commented() -> str:
    """A jungle.toml with every entry explained, all as by default."""
    return resources.files(__package__).joinpath("new_jungle.toml").read_text(encoding="utf-8")
