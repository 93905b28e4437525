"""Forms of English words: plurals, verbs, articles and contractions."""

import tomllib
from functools import cache
from importlib import resources

from ..semantics.concepts import Concept

NOT = {
    "will": "won't",
    "is": "isn't",
    "are": "aren't",
    "was": "wasn't",
    "were": "weren't",
    "did": "didn't",
    "do": "don't",
    "does": "doesn't",
}
SHORT = {"am": "'m", "are": "'re", "will": "'ll"}
# subjects that are spoken together with an auxiliary: "I'll", but "the moon will"
CONTRACTING = frozenset(("I", "you", "we"))
VOWEL_LETTERS, CONSONANT_STARTS, SILENT = (
    "aeiou",
    ("uni", "use", "eu", "one", "once"),
    ("hour", "honest", "heir"),
)


def article(words: str) -> str:
    """The indefinite article before these words: "an" before the sound of a vowel."""
    if words.startswith(SILENT):
        return "an"
    return (
        "an"
        if words[0].lower() in VOWEL_LETTERS and not words.startswith(CONSONANT_STARTS)
        else "a"
    )


def plural_noun(noun: str) -> str:
    """A regular plural."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun + "s"


@cache
def idioms() -> dict[str, dict[str, list[str]]]:
    """Wordings of calls and of forms of address, from idioms.toml."""
    return tomllib.loads(resources.files(__package__).joinpath("idioms.toml").read_text("utf-8"))


class Verb:
    """The English forms of a verb; of a quality: those of "to be" with it."""

    def __init__(self, concept: Concept) -> None:
        forms = concept.english.split(",")
        first, _, rest = forms[0].partition(" ")
        self.rest = f" {rest}" if rest else ""
        self.being = concept.kind == "A"
        self.state = "state" in concept.tags
        self.base = first + self.rest
        self.third = (
            f"{first[:-1]}ies"
            if first[-1] == "y" and first[-2] not in "aeiou"
            else self._third(first)
        ) + self.rest
        self.past = forms[1] if len(forms) > 1 else f"{first}ed" + self.rest
        self.ing = forms[2] if len(forms) > 2 else self._ing(first) + self.rest

        # A quality is a predicate with "to be": its forms are those of the copula.
        if self.being:
            self.base, self.ing = f"be {forms[0]}", f"being {forms[0]}"
            self.quality = forms[0]

    @staticmethod
    def _third(first: str) -> str:
        return first + ("es" if first.endswith(("s", "x", "ch", "sh", "o")) else "s")

    @staticmethod
    def _ing(first: str) -> str:
        return (first[:-1] if first.endswith("e") and not first.endswith("ee") else first) + "ing"
