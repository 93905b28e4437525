"""What a jungle's language is made from: a few plain values that a manifest can hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .language import Language
from .phonology.vocal_tract import voice_named
from .semantics.user_additions import additions


@dataclass(frozen=True, kw_only=True)
class Family:
    """All that decides the language of a jungle, of which its animals speak dialects."""

    seed: int
    # has lips, tongue and throat: whatever another body lacks, it finds something near
    voice: str = "primate"
    kind: str = ""
    order: str = ""
    concepts: str = ""  # further lines of concepts.tsv
    intents: str = ""  # further tables of intents.toml

    @cached_property
    def language(self) -> Language:
        """The language itself.

        Raises:
            BadInput: one of the entries is not sound.
        """
        return Language(
            self.seed,
            voice_named(self.voice),
            kind=self.kind,
            order=self.order,
            more_concepts=self.concepts,
            more_intents=self.intents,
        )


def family_of(seed: int, table: Mapping[str, Any], voice: str = "") -> Family:
    """The family that a ``[language]`` table of jungle.toml describes; ``voice`` wins over it.

    Raises:
        BadInput: an entry that makes no language; the sentence names it.
    """
    concepts, intents = additions(table)
    texts = {key: table[key] for key in ("voice", "kind", "order") if table.get(key)} | (
        {"voice": voice} if voice else {}
    )
    return Family(seed=seed, concepts=concepts, intents=intents, **texts)
