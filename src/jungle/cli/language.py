"""``jungle language``: phrases of the embedded engine, or of a language model in that language."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..config.jungle_toml import CHOICES, Config, JungleFolder
from ..config.paths import cache_folder
from ..errors import BadInput
from ..language import export
from ..language.family import family_of
from ..language.language import Language
from ..language.llm.converse import Conversation, converse, write_conversation
from ..language.llm.session import MODES, LlmWishes
from ..language.phonology.vocal_tract import voice_named
from ..storage.atomic import check_writable
from .options import CommonOptions, common_options, log, print_result

_SHOWN = 16  # phrases on the screen


@dataclass(frozen=True, slots=True)
class LanguageResult:
    """Phrases and the files they are in: the phrases' own first, the grammar last."""

    name: str  # of the language
    files: Sequence[Path]
    lines: Sequence[tuple[str, str]]  # phrase, and its English, or "" where it is not known
    extra: Mapping[str, Any] = field(default_factory=dict)  # more for --json


@click.command("language")
@click.option(
    "--engine",
    default="embedded",
    type=click.Choice(CHOICES["phrases_by"]),
    help="Ours, or any server of OpenAI's protocol.",
)
@click.option("-n", "--count", default=16, help="How many phrases.")
@click.option("--seed", default=None, type=int, help="Another seed, another language.")
@click.option(
    "--voice",
    default="",
    metavar="NAME",
    help="The body that speaks: frog, songbird (the default) ...",
)
@click.option(
    "--out",
    default="language",
    metavar="DIR",
    help="Folder of animal_language.txt, phrases, lexicon and grammar.",
)
@click.option(
    "--base-url",
    default=None,
    metavar="URL",
    help="The server of openai; JUNGLE_LLM_BASE_URL, or OpenAI's, by default.",
)
@click.option(
    "--model", default=None, metavar="NAME", help="Its model; JUNGLE_LLM_MODEL by default."
)
@click.option("--theme", default=None, help="What openai's phrases are about.")
@click.option(
    "--mode",
    default=None,
    type=click.Choice(MODES),
    help="How openai is asked.",
)
@click.option(
    "--deadline",
    default=None,
    type=float,
    metavar="N",
    help="Seconds for all of openai's answers; 60 by default.",
)
@click.option(
    "--faithful",
    is_flag=True,
    default=None,
    help="The original request to openai: continue a list of 16 phrases.",
)
@click.option(
    "--require-llm",
    is_flag=True,
    default=None,
    help="Fail, with exit code 3, where openai delivers too few phrases.",
)
@common_options
def language_command(
    common: CommonOptions, engine: str, count: int, out: str, **arguments: Any
) -> None:
    """Phrases of a language that exists: animal_language.txt, with their meaning,
    a dictionary and a grammar beside it.
    """
    folder = Path(out)
    check_writable(folder)
    if common.options:
        raise BadInput(
            f"-o {next(iter(common.options))}: a language has no such option; leave -o out."
        )
    config = JungleFolder.open(Path()).config
    seed, voice = arguments.pop("seed"), arguments.pop("voice")
    language = _open_language(config, config.seed if seed is None else seed, voice)

    # What is left of the arguments are the wishes for a language model.
    if engine == "openai":
        result = _write_asked(common, language, count, llm_wishes(config, arguments), folder)
    else:
        _refuse_llm_options(arguments)
        result = _write_embedded(language, count, folder)
    _print_language(common, result)


def _open_language(config: Config, seed: int, voice: str) -> Language:
    """The language of a family; the command line's ``voice`` wins over that of [language].

    Raises:
        BadInput: there is no such voice.
    """
    family = family_of(seed, {"voice": "songbird"} | config.language, voice)
    voice_named(family.voice)
    return family.language


def _refuse_llm_options(given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if value is not None:
            flag = f"--{key.replace('_', '-')}"
            raise BadInput(f"{flag} belongs to --engine openai: add it, or leave {flag} out.")


def _write_embedded(language: Language, count: int, out: Path) -> LanguageResult:
    if not 1 <= count <= export.MOST:
        raise BadInput(f"Cannot say {count} phrases: ask for 1 to {export.MOST}.")
    phrases = list(language.phrases(count))
    files = export.write_language(out, language, phrases)
    lines = [(phrase.text, phrase.english) for phrase in phrases]
    return LanguageResult(language.name, files, lines)


def _write_asked(
    common: CommonOptions, language: Language, count: int, wishes: LlmWishes, out: Path
) -> LanguageResult:
    talk = ask_model(common, language, count, wishes)
    files = write_conversation(out, talk)
    lines = [(line.text, line.phrase.english if line.phrase else "") for line in talk.lines]
    extra = {
        "provenance": [line.provenance for line in talk.lines],
        "warnings": list(talk.warnings),
    }
    return LanguageResult(talk.tongue.name, files, lines, extra)


def _print_language(common: CommonOptions, result: LanguageResult) -> None:
    count, files = len(result.lines), result.files
    shown = "\n".join("   ".join(filter(None, line)) for line in result.lines[:_SHOWN])
    more = f"\n... and {count - _SHOWN} more" if count > _SHOWN else ""
    places = f"{count} phrases of {result.name} in {files[0]}; how it works: {files[-1]}"
    print_result(
        common.as_json,
        f"{shown}{more}\n{places}",
        files=files,
        language=result.name,
        phrases=[phrase for phrase, _ in result.lines],
        **result.extra,
    )


def llm_wishes(config: Config, given: Mapping[str, Any]) -> LlmWishes:
    """What is wanted of a language model: jungle.toml, changed by the options that were given."""
    wishes: dict[str, Any] = {"world": config.world}
    for key in ("base_url", "model", "theme", "mode"):
        if config.language.get(key):
            wishes[key] = config.language[key]
    wishes |= {key: value for key, value in given.items() if value is not None}

    # --require-llm says whose it is; the wishes are a language model's anyway.
    require = wishes.pop("require_llm", False)
    return LlmWishes(**wishes, require=require)


def ask_model(
    common: CommonOptions, language: Language, count: int, wishes: LlmWishes
) -> Conversation:
    """Phrases by a language model; what it does on the way and its warnings go to stderr."""
    talk = converse(
        language,
        count,
        wishes,
        os.environ,
        cache_folder(),
        time.monotonic,
        lambda sentence: log(sentence, common.quiet),
    )
    for warning in talk.warnings:
        log(warning, common.quiet)
    return talk
