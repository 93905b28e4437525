"""``jungle language``: phrases by the embedded engine, or by a language model inside the same language."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from .options import Shared, answer, common, say

if TYPE_CHECKING:
    from ..config.jungle_toml import Config
    from ..language.family import Family
    from ..language.language import Language
    from ..language.llm.converse import Conversation
    from ..language.llm.session import LlmWishes

SHOWN = 16  # phrases on the screen
OF_A_MODEL = ("base_url", "model", "theme", "faithful", "require_llm", "mode", "deadline")


@click.command()
@click.option(
    "--engine",
    default="embedded",
    type=click.Choice(["embedded", "openai"]),
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
    type=click.Choice(["auto", "list", "plan", "grammar"]),
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
@common
def language(
    shared: Shared, engine: str, count: int, seed: int | None, voice: str, out: str, **wishes: Any
) -> None:
    """Phrases of a language that exists: animal_language.txt, with their meaning, a dictionary and a grammar beside it."""
    from ..config import jungle_toml
    from ..language import export
    from ..language.phonology.vocal_tract import voice_named
    from ..storage.atomic import check_place

    check_place(Path(out))
    if shared.options:
        raise BadInput(
            f"-o {next(iter(shared.options))}: a language has no such option; leave -o out."
        )
    known = jungle_toml.read(Path())
    family = _family(known.language, known.seed if seed is None else seed, voice)
    voice_named(family.voice)
    if engine == "openai":
        talk = ask_model(shared, family.language, count, model_wishes(known, wishes))
        files, lines = (
            _write(Path(out), talk),
            [(line.text, line.phrase.english if line.phrase else "") for line in talk.lines],
        )
        name = talk.tongue.name
        extra = {
            "provenance": [line.provenance for line in talk.lines],
            "warnings": list(talk.warnings),
        }
    else:
        for key in OF_A_MODEL:
            if wishes[key] is not None:
                raise BadInput(
                    f"--{key.replace('_', '-')} belongs to --engine openai: add it, or leave --{key.replace('_', '-')} out."
                )
        if not 1 <= count <= export.MOST:
            raise BadInput(f"Cannot say {count} phrases: ask for 1 to {export.MOST}.")
        phrases = list(family.language.phrases(count))
        files = export.write_language(Path(out), family.language, phrases)
        lines, name, extra = (
            [(phrase.text, phrase.english) for phrase in phrases],
            family.language.name,
            {},
        )
    told_lines = "\n".join("   ".join(filter(None, line)) for line in lines[:SHOWN])
    more = f"\n... and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    text = f"{told_lines}{more}\n{len(lines)} phrases of {name} in {files[0]}; how it works: {files[-1]}"
    answer(
        shared.as_json,
        text,
        files=files,
        language=name,
        phrases=[line[0] for line in lines],
        **extra,
    )


def _family(table: dict[str, Any], seed: int, voice: str) -> "Family":
    from ..language.family import family_of

    return family_of(seed, {"voice": "songbird"} | table, voice)


def model_wishes(known: "Config", given: dict[str, Any]) -> "LlmWishes":
    """What is wanted of a language model: jungle.toml, and what was ``given`` on the command line, which wins."""
    from ..language.llm.session import LlmWishes

    told = {
        key: known.language[key]
        for key in ("base_url", "model", "theme", "mode")
        if known.language.get(key)
    }
    wishes = {
        "world": known.world,
        **told,
        **{key: value for key, value in given.items() if value is not None},
    }
    wishes["require"] = wishes.pop("require_llm", False)
    return LlmWishes(**wishes)


def ask_model(
    shared: Shared, tongue: "Language", count: int, wishes: "LlmWishes"
) -> "Conversation":
    """Phrases by a language model; what it does on the way and its warnings are said on stderr."""
    from ..language.llm.converse import converse
    from .models import cache

    talk = converse(
        tongue,
        count,
        wishes,
        os.environ,
        cache(),
        time.monotonic,
        lambda sentence: say(sentence, shared.quiet),
    )
    for warning in talk.warnings:
        say(warning, shared.quiet)
    return talk


def _write(out: Path, talk: "Conversation") -> list[Path]:
    from ..language.llm.converse import write_conversation

    return write_conversation(out, talk)
