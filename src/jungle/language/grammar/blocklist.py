"""Words that no animal may say by chance: English, and insults."""

import re
from functools import cache
from importlib import resources


@cache
def _lists() -> tuple[frozenset[str], re.Pattern[str]]:
    lines = (
        resources.files(__package__).joinpath("words_to_avoid.txt").read_text("utf-8").splitlines()
    )
    words = [word for line in lines if not line.startswith("#") for word in line.split()]
    pieces = "|".join(re.escape(word[1:]) for word in words if word[0] == "*")
    return frozenset(word for word in words if word[0] != "*"), re.compile(pieces)


def is_allowed(text: str) -> bool:
    """Whether a written word is on no list of words_to_avoid.txt."""
    words, pieces = _lists()
    return text not in words and pieces.search(text) is None
