"""English noun phrases for meanings, with the articles that a listener expects."""

from functools import partial

from ..memo import Memo
from ..semantics.concepts import Concept
from ..semantics.meaning import NP
from .inflection import article, plural_noun

OBJECTS = {"I": "me", "we": "us", "who": "who"}
POSSESSIVES = {"I": "my", "you": "your", "we": "our", "who": "whose", "what": "whose"}
NAMED = frozenset(("mother", "father", "sister", "brother"))  # spoken of by name
PLURALS = frozenset(("we", "you"))  # take the verb of the plural
# "a hawk"
NEW = frozenset(("animal", "threat", "food", "gift", "thing", "harm", "rival", "young", "weather"))
# "the moon", whatever else it is
KNOWN = frozenset(("sky", "home", "time", "elder", "group", "burning"))
MASSES = {"many": "much", "few": "a little"}  # of what is not counted


class NounPhrases:
    """Renders noun phrases over a set of concepts."""

    def __init__(self, known: dict[str, Concept]) -> None:
        self.known = known
        self.plain = {name: concept.english.split(",")[0] for name, concept in known.items()}
        self.many = {
            name: concept.english.split(",")[1]
            if "," in concept.english
            else plural_noun(self.plain[name])
            for name, concept in known.items()
            if concept.kind == "N"
        }
        self.alone = {name for name, one in known.items() if one.tags & {"pronoun", "asking"}}
        self.bare = {name for name, one in known.items() if "bare" in one.tags}
        self.mass = {name for name, one in known.items() if "mass" in one.tags}
        self.new = {
            name
            for name, one in known.items()
            if one.kind == "N"
            and one.tags & NEW
            and not one.tags & KNOWN
            and (name not in self.mass or "place" not in one.tags)
        }

        # The same few noun phrases come again in thousands of sentences.
        self._person = Memo(self._person_of)
        self._subjects, self._objects, self._made, self._called = map(
            self._wordings, ("", "object", "made", "call")
        )

    def _wordings(self, role: str) -> tuple[Memo[NP, str], Memo[NP, str]]:
        """Noun phrases in a role, worded as known, and as perhaps new."""
        return Memo(partial(self._worded, role, False)), Memo(partial(self._worded, role, True))

    def np(self, np: NP, role: str = "", *, new: bool = False) -> str:
        """A noun phrase.

        Args:
            np: what it means.
            role: "object" for the pronouns, "made" for what was not there before, "call" for one
                that is spoken to.
            new: whether the listener need not know it: "a hawk" for "the hawk", where English can
                say so.
        """
        return self._worded(role, new, np)

    def _worded(self, role: str, new: bool, np: NP) -> str:
        noun, number, quality, owner = np
        if noun in self.alone:
            return OBJECTS.get(noun, noun) if role in ("object", "made") else noun
        several = number not in ("SG", "one")
        word = self.many[noun] if several and noun not in self.mass else self.plain[noun]
        head = f"{self.plain[quality]} {word}" if quality else word
        if noun in NAMED and number == "SG" and not quality and not owner:
            return head.capitalize()

        # An owner takes the place of the article.
        if owner:
            named = self.plain[owner].capitalize() if owner in NAMED else f"the {self.plain[owner]}"
            first = POSSESSIVES.get(owner) or (f"{named}'" if named.endswith("s") else f"{named}'s")
            if number in ("SG", "PL"):
                return f"{first} {head}"
            if number == "all":
                return f"all {first} {head}"
            if noun in self.mass:
                return f"{MASSES.get(number, self.plain[number])} of {first} {head}"
            several_of = self.many[noun]
            return (
                f"{self.plain[number]} of {first} "
                f"{quality and self.plain[quality] + ' '}{several_of}"
            )

        if number not in ("SG", "PL"):
            count = (
                MASSES.get(number, f"{self.plain[number]} kinds of")
                if noun in self.mass and number != "all"
                else self.plain[number]
            )
            return f"{count} {head}"

        if role == "call" or (noun in self.bare and not quality and not several):
            return head

        # What the listeners know has "the"; what is new to them has "a".
        if not new or (noun not in self.new and role != "made"):
            return f"the {head}"
        return head if several or noun in self.mass else f"{article(head)} {head}"

    def _person_of(self, actor: NP) -> int:
        """0 for I, 1 for one, 2 for several or you."""
        if actor.noun == "I":
            return 0
        several = actor.noun in PLURALS or (
            actor.number not in ("SG", "one") and actor.noun not in self.mass
        )
        return 2 if several else 1
