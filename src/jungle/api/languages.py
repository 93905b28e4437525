"""The language of a creature, by the name of its body."""

from typing import Any

from ..errors import BadInput
from ..language import language
from ..language.grammar.typology import KINDS, ORDERS
from ..language.phonology.vocal_tract import voice_named


class Language(language.Language):
    """A language with sounds that a body can make, words with one meaning, and a grammar.

    ``phrase(0)`` and ``phrases(16)`` say something; a phrase has ``text``, ``parts`` (its morphs),
    ``gloss`` (Leipzig rules), ``ipa`` and ``english``, and ``parse(text)`` reads its meaning back.
    ``lexicon()`` is the dictionary. It needs neither torch nor numpy, and
    is the same on every machine.
    """

    def __init__(
        self, seed: int | str = 0, voice: str = "songbird", *, kind: str = "", order: str = ""
    ) -> None:
        """Make the language that a seed and a body decide.

        Args:
            seed: another one, another language.
            voice: the body that speaks: songbird, parrot, cat, herd, frog, insect, whale, rodent,
                primate or reptile.
            kind: agglutinating, fusional or isolating; "" leaves it to chance.
            order: of subject, verb and object, as "SOV"; "" leaves it to chance.

        Raises:
            JungleError: there is no such voice, kind or order.
        """
        check_typology(kind, order)
        super().__init__(seed, voice_named(voice), kind=kind, order=order)

    def dictionary(self) -> dict[str, dict[str, Any]]:
        """The lexicon by word: each entry has its concept, English, gloss, IPA and word class."""
        return {row["word"]: row for row in self.lexicon()}


def check_typology(kind: str, order: str) -> None:
    """Refuse a kind of grammar or an order of words that does not exist; "" is left to chance.

    Raises:
        BadInput: it is not in KINDS or ORDERS of ``language/grammar/typology.py``.
    """
    for name, value, choices in (("kind", kind, KINDS), ("order", order, ORDERS)):
        if value and value not in choices:
            raise BadInput(f"{name}={value}: choose one of {', '.join(choices)}, or leave it out.")
