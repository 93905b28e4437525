"""Free English for a meaning: what a patient translator would write. A function of the meaning alone, so that it cannot lie."""

from copy import copy
from functools import cached_property

from .concepts import Concept
from .meaning import NP, Clause, Meaning

OBJECTS = {"I": "me", "we": "us", "who": "who"}
POSSESSIVES = {"I": "my", "you": "your", "we": "our", "who": "whose", "what": "whose"}
PARENTS = frozenset(("mother", "father"))  # spoken of by name
PLURALS = frozenset(("we", "you"))  # take the verb of the plural
SENSES = {"AUD": "hear", "OLF": "smell"}
GUESSES = {"AUD": "by the sound of it,", "OLF": "by the scent of it,", "REP": "they say"}


def plural(noun: str) -> str:
    """A regular plural."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun + "s"


class Verb:
    """The English forms of a verb; of a quality: those of "to be" with it."""

    def __init__(self, concept: Concept) -> None:
        forms = concept.english.split(",")
        first, _, rest = forms[0].partition(" ")
        self.rest = f" {rest}" if rest else ""
        self.being = concept.kind == "A"
        self.state = "state" in concept.tags
        self.base = first + self.rest
        self.third = (f"{first[:-1]}ies" if first[-1] == "y" and first[-2] not in "aeiou" else self._third(first)) + self.rest
        self.past = forms[1] if len(forms) > 1 else f"{first}ed" + self.rest
        self.ing = forms[2] if len(forms) > 2 else self._ing(first) + self.rest
        if self.being:
            self.base, self.ing = f"be {forms[0]}", f"being {forms[0]}"
            self.quality = forms[0]

    @cached_property
    def habit(self) -> "Verb":
        """The same verb in the simple present."""
        verb = copy(self)
        verb.state = True
        return verb

    @staticmethod
    def _third(first: str) -> str:
        return first + ("es" if first.endswith(("s", "x", "ch", "sh", "o")) else "s")

    @staticmethod
    def _ing(first: str) -> str:
        return (first[:-1] if first.endswith("e") and not first.endswith("ee") else first) + "ing"


class English:
    """Renders meanings over a set of concepts."""

    def __init__(self, known: dict[str, Concept]) -> None:
        self.known = known
        self.plain = {name: concept.english.split(",")[0] for name, concept in known.items()}
        self.many = {
            name: concept.english.split(",")[1] if "," in concept.english else plural(self.plain[name])
            for name, concept in known.items()
            if concept.kind == "N"
        }
        self.alone = {name for name, one in known.items() if one.tags & {"pronoun", "asking"}}
        self.bare = {name for name, one in known.items() if "bare" in one.tags}
        self.mass = {name for name, one in known.items() if "mass" in one.tags}

    @cached_property
    def verbs(self) -> dict[str, Verb]:
        """English verbs by concept."""
        return {name: Verb(concept) for name, concept in self.known.items() if concept.predicate}

    def np(self, np: NP, role: str = "") -> str:
        """A noun phrase. ``role``: "object" for the pronouns, "call" for one that is spoken to."""
        noun, number, quality, owner = np
        if noun in self.alone:
            return OBJECTS.get(noun, noun) if role == "object" else noun
        several = number not in ("SG", "one")
        head = self.many[noun] if several and noun not in self.mass else self.plain[noun]
        if quality:
            head = f"{self.plain[quality]} {head}"
        if noun in PARENTS and number == "SG" and not quality and not owner and role != "call":
            return head.capitalize()
        if owner:
            first = POSSESSIVES.get(owner) or (f"{self.plain[owner].capitalize()}'s" if owner in PARENTS else f"the {self.plain[owner]}'s")
            counted = "" if number in ("SG", "PL") else "all " if number == "all" else f"{self.plain[number]} of "
            if counted and counted != "all ":
                head = f"{quality and self.plain[quality] + ' '}{self.many[noun] if noun not in self.mass else self.plain[noun]}"
            return f"{counted}{first} {head}"
        if number not in ("SG", "PL"):
            return f"{self.plain[number]} {head}"
        return head if role == "call" or (noun in self.bare and not quality and not several) else f"the {head}"

    def clause(self, clause: Clause, *, plainly: bool = False, told: bool = False) -> str:
        """A clause without a capital or a mark at its end. ``plainly``: "goes" for "is going"; ``told``: that others say so is known."""
        verb, actor = self.verbs[clause.verb], clause.actor
        if plainly or clause.source == "REP" or (actor and actor.noun == "what"):
            verb = verb.habit
        tail = f" {self.np(clause.patient, 'object')}" if clause.patient else ""
        if clause.place:
            where = self.np(clause.place, "call" if clause.relation == "without" and clause.place.number == "PL" else "object")
            tail += f" {where}" if (clause.relation, where) == ("to", "home") else f" {self.plain[clause.relation]} {where}"
        if clause.adverb:
            tail += f" {self.plain[clause.adverb]}"
        if actor is None:
            order = ("do not " if clause.negative else "") + verb.base + tail
            return f"{order}, quick" if clause.mood == "URG" else order
        if clause.mood == "Q":
            return self._question(clause, verb, tail)
        sensed = clause.source in SENSES and clause.tense == "PRS" and not clause.negative and not plainly
        if sensed and not verb.being and not verb.state and actor.noun not in self.alone:
            return f"I {SENSES[clause.source]} {self.np(actor, 'object')} {verb.ing}{tail}"
        guess = "" if plainly or (told and clause.source == "REP") else GUESSES.get(clause.source)
        subject, finite = self.np(actor), self._finite(clause, verb)
        return f"{guess} {subject} {finite}{tail}" if guess else f"{subject} {finite}{tail}"

    def _person(self, actor: NP) -> int:
        """0 for I, 1 for one, 2 for several or you."""
        if actor.noun == "I":
            return 0
        several = actor.noun in PLURALS or (actor.number not in ("SG", "one") and actor.noun not in self.mass)
        return 2 if several else 1

    def _finite(self, clause: Clause, verb: Verb) -> str:
        assert clause.actor
        person, no = self._person(clause.actor), " not" if clause.negative else ""
        if clause.tense == "FUT":
            return f"will{no} {verb.base}"
        if verb.being:
            return f"{(('am', 'is', 'are') if clause.tense == 'PRS' else ('was', 'was', 'were'))[person]}{no} {verb.quality}"
        if clause.tense == "PST":
            return f"did not {verb.base}" if no else verb.past
        if verb.state:
            do = "does" if person == 1 else "do"
            return f"{do} not {verb.base}" if no else verb.third if person == 1 else verb.base
        return f"{('am', 'is', 'are')[person]}{no} {verb.ing}"

    def _question(self, clause: Clause, verb: Verb, tail: str) -> str:
        assert clause.actor
        if clause.actor.noun in ("who", "what"):
            return f"{clause.actor.noun} {self._finite(clause, verb)}{tail}"
        person, subject, no = self._person(clause.actor), self.np(clause.actor), " not" if clause.negative else ""
        if clause.tense == "FUT":
            auxiliary, main = "will", verb.base
        elif verb.being:
            auxiliary, main = (("am", "is", "are") if clause.tense == "PRS" else ("was", "was", "were"))[person], verb.quality
        elif clause.tense == "PST":
            auxiliary, main = "did", verb.base
        elif verb.state:
            auxiliary, main = ("does" if person == 1 else "do"), verb.base
        else:
            auxiliary, main = ("am", "is", "are")[person], verb.ing
        if clause.patient and clause.patient.noun in ("who", "what"):
            asked = self.np(clause.patient, "object")
            return f"{asked} {auxiliary} {subject}{no} {main}{tail.removeprefix(f' {asked}')}"
        return f"{auxiliary} {subject}{no} {main}{tail}"

    def sentence(self, meaning: Meaning) -> str:
        """The whole phrase, with capitals and marks."""
        call, level, to, first, link, second = meaning
        spoken = self.np(to, "call") if to else ""
        said = ""
        if call:
            said = ", ".join([self.plain[call]] * level) + (f", {spoken}" if spoken else "")
            said = said[0].upper() + said[1:] + ("!" if "loud" in self.known[call].tags else ".")
        elif spoken and not first:
            said = spoken[0].upper() + spoken[1:] + "!"
        if not first:
            return said
        body = self.clause(first)
        if spoken and not call:
            body = f"{spoken}, {body}"
        if second:
            comma = "" if "bare" in self.known[link].tags else ","
            said_so = self.clause(second, plainly=not comma, told=first.source == "REP")
            body = f"{body}{comma} {self.plain[link]} {said_so}"
        moods = (first.mood, second.mood if second else "")
        mark = "?" if "Q" in moods else "!" if "URG" in moods or (second is None and first.mood == "IMP") else "."
        body = body[0].upper() + body[1:] + mark
        return f"{said} {body}" if said else body
