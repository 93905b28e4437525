"""Free English for a meaning: what a patient translator would write. A function of the meaning alone, so that it cannot lie.

Languages of the jungle say how the speaker knows and leave articles out; English is the other way round. So articles are chosen by what
a listener would know already, and the source of knowledge becomes "I hear the storm crossing" or "they say". Where English has several
wordings, the meaning decides between them: the same meaning always reads the same.
"""

from functools import cached_property

from .concepts import Concept
from .english_words import NOT, Verb, article, idioms, plural, shortened
from .meaning import NP, Clause, Meaning

OBJECTS = {"I": "me", "we": "us", "who": "who"}
POSSESSIVES = {"I": "my", "you": "your", "we": "our", "who": "whose", "what": "whose"}
MINE = {"I": "mine", "we": "ours", "you": "yours"}
NAMED = frozenset(("mother", "father", "sister", "brother"))  # spoken of by name
PLURALS = frozenset(("we", "you"))  # take the verb of the plural
GIVING = frozenset(("give", "teach", "bring"))  # "teach the birds a song"
WHENEVER = frozenset(("when", "if", "ere"))  # links after which English does not go on doing
MINDED = frozenset(("want", "need", "smell", "see", "hear"))  # states whose object may be new
PERCEPTION = {"AUD": ("I hear", "I can hear"), "OLF": ("I smell", "I can smell")}
PERCEIVED = {"AUD": "I heard", "OLF": "I smelled"}
GUESSES = {
    "AUD": ("by the sound of it,", "my ears tell me", "I can hear it:"),
    "OLF": ("by the scent of it,", "my nose tells me", "I can smell it:"),
    "REP": ("they say", "I am told", "word has it that"),
}
NEW = frozenset(("animal", "threat", "food", "gift", "thing", "harm", "rival", "young", "weather"))  # "a hawk"
KNOWN = frozenset(("sky", "home", "time", "elder", "group", "burning"))  # "the moon", whatever else it is
FRONTED = frozenset(("tomorrow", "tonight", "yesterday", "today", "soon"))
MASSES = {"many": "much", "few": "a little"}  # of what is not counted
LONG_AGO, TOLD = "long.ago", "long ago, they say, "


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
        self.new = {
            name
            for name, one in known.items()
            if one.kind == "N" and one.tags & NEW and not one.tags & KNOWN and (name not in self.mass or "place" not in one.tags)
        }
        self.food = {name for name, one in known.items() if "food" in one.tags}
        self.making = {name for name, one in known.items() if "make" in one.tags}
        self.of_known = {name for name, one in known.items() if "state" in one.tags} - MINDED  # verbs of what the listener knows
        self._number = {name: place for place, name in enumerate(known)}
        self._phrases: dict[tuple[NP, str, bool], str] = {}  # what was worded before
        self._openings: dict[tuple[str, int, NP | None, int], str] = {}

    @cached_property
    def verbs(self) -> dict[str, Verb]:
        """English verbs by concept."""
        return {name: Verb(concept) for name, concept in self.known.items() if concept.predicate}

    def np(self, np: NP, role: str = "", *, new: bool = False) -> str:
        """A noun phrase.

        Args:
            np: what it means.
            role: "object" for the pronouns, "call" for one that is spoken to.
            new: whether the listener need not know it: "a hawk" for "the hawk", where English can say so.
        """
        key = (np, role, new)
        found = self._phrases.get(key)
        if found is None:
            found = self._phrases[key] = self._np(np, role, new)
        return found

    def _np(self, np: NP, role: str, new: bool) -> str:
        noun, number, quality, owner = np
        if noun in self.alone:
            return OBJECTS.get(noun, noun) if role in ("object", "made") else noun
        several = number not in ("SG", "one")
        word = self.many[noun] if several and noun not in self.mass else self.plain[noun]
        head = f"{self.plain[quality]} {word}" if quality else word
        if noun in NAMED and number == "SG" and not quality and not owner:
            return head.capitalize()
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
            return f"{self.plain[number]} of {first} {quality and self.plain[quality] + ' '}{several_of}"
        if number not in ("SG", "PL"):
            count = MASSES.get(number, f"{self.plain[number]} kinds of") if noun in self.mass and number != "all" else self.plain[number]
            return f"{count} {head}"
        if role == "call" or (noun in self.bare and not quality and not several):
            return head
        if not new or (noun not in self.new and role != "made"):
            return f"the {head}"
        return head if several or noun in self.mass else f"{article(head)} {head}"

    def clause(self, clause: Clause, *, plainly: bool = False, told: bool = False, salt: int = 0) -> str:
        """A clause without a capital or a mark at its end.

        Args:
            clause: what it means.
            plainly: "goes" for "is going".
            told: that others say so is known already.
            salt: decides between wordings.
        """
        verb, actor = self.verbs[clause.verb], clause.actor
        if actor is None:
            return self._order(clause, verb, salt)
        if plainly or clause.source == "REP" or actor.noun == "what":
            verb = verb.habit
        if clause.mood == "Q":
            return self._question(clause, verb, self._tail(clause))
        fresh = not (plainly or clause.negative or clause.adverb == LONG_AGO or verb.being)
        source = "" if plainly or (told and clause.source == "REP") else clause.source
        if source in PERCEPTION and not (clause.negative or verb.being or verb.state or actor.noun in self.alone or clause.tense == "FUT"):
            if clause.tense == "PRS":
                return f"{PERCEPTION[source][salt % 2]} {self.np(actor, 'object', new=fresh)} {verb.ing}{self._tail(clause)}"
            if source == "AUD":
                return f"{PERCEIVED[source]} {self.np(actor, 'object', new=fresh)} {verb.base}{self._tail(clause)}"
        body, when = self._owned(clause, salt) if clause.verb == "own" else "", self._front(clause) if clause.adverb else ""
        body = body or f"{self._finite(clause, verb, self.np(actor, new=fresh), salt)}{self._tail(clause, front=bool(when))}"
        if clause.adverb == LONG_AGO:
            return f"{when}, they say, {body}" if source == "REP" else f"{when} {body}"
        if source == "REP" and salt % 4 == 3:
            return f"{when and when + ' '}{body}, they say"
        if source in GUESSES:
            return f"{GUESSES[source][salt % 3]} {body}{when and ' ' + when}"
        return f"{when} {body}" if when else body

    def _front(self, clause: Clause) -> str:
        """An adverb of time that opens the clause."""
        front = clause.adverb == LONG_AGO or (clause.adverb in FRONTED and clause.place is not None and clause.tense != "PRS")
        return self.plain[clause.adverb] if front else ""

    def _tail(self, clause: Clause, *, front: bool = False) -> str:
        """What follows the verb; ``front``: without the adverb that opens the clause."""
        told = clause.negative or clause.adverb == LONG_AGO or clause.mood == "URG"
        patient, place, tail = clause.patient, clause.place, ""
        if patient:
            new = not told and clause.verb not in self.of_known and (clause.mood != "IMP" or patient.noun in self.food)
            tail = f" {self.np(patient, 'made' if clause.verb in self.making else 'object', new=new)}"
        if place:
            loose = clause.relation == "without" and place.number == "PL"
            where = self.np(place, "call" if loose else "object", new=not told and place.noun in ("rock", "branch", "leaf", "stone"))
            if clause.relation == "to" and where == "home":
                tail += " home"
            elif clause.verb in GIVING and patient and clause.relation == "to" and self._given(patient, place):
                tail = f" {where}{tail}"
            else:
                tail += f" {self.plain[clause.relation]} {where}"
        if clause.adverb and not front:
            tail += f" {self.plain[clause.adverb]}"
        return tail

    def _given(self, patient: NP, place: NP) -> bool:
        """Whether English gives somebody something, and not something to somebody."""
        return self.known[place.noun].animate and patient.noun not in self.alone

    def _order(self, clause: Clause, verb: Verb, salt: int) -> str:
        order = ("don't " if clause.negative else "") + verb.base + self._tail(clause)
        if clause.mood != "URG":
            return order
        return f"quick, {order}" if salt % 2 and not clause.negative else f"{order}, quick"

    def _owned(self, clause: Clause, salt: int) -> str:
        """To have, or to belong to."""
        assert clause.actor
        assert clause.patient
        owner, thing = clause.actor, clause.patient
        if not clause.negative and clause.tense == "PRS" and self.known[thing.noun].tags & {"body", "feeling", "sound"}:
            return f"{self.np(owner)} {'has' if self._person(owner) == 1 else 'have'}{self._tail(clause)}"
        if salt % 2 or clause.negative or clause.place or clause.adverb or clause.tense != "PRS" or thing.noun in self.alone:
            return ""
        copula = "are" if self._person(thing) == 2 else "is"
        if owner.noun in MINE:
            return f"{self.np(thing)} {copula} {MINE[owner.noun]}"
        return f"{self.np(thing)} {'belong' if copula == 'are' else 'belongs'} to {self.np(owner, 'object')}"

    def _person(self, actor: NP) -> int:
        """0 for I, 1 for one, 2 for several or you."""
        if actor.noun == "I":
            return 0
        several = actor.noun in PLURALS or (actor.number not in ("SG", "one") and actor.noun not in self.mass)
        return 2 if several else 1

    def _auxiliary(self, clause: Clause, verb: Verb) -> tuple[str, str]:
        """The finite auxiliary and the form that follows it."""
        assert clause.actor
        person = self._person(clause.actor)
        if clause.tense == "FUT":
            return "will", verb.base
        if verb.being:
            return ("am", "is", "are")[person] if clause.tense == "PRS" else ("was", "was", "were")[person], verb.quality
        if clause.tense == "PST":
            return "did", verb.base
        if verb.state:
            return ("does" if person == 1 else "do"), verb.base
        return ("am", "is", "are")[person], verb.ing

    def _finite(self, clause: Clause, verb: Verb, subject: str, salt: int) -> str:
        """Subject and verb."""
        auxiliary, main = self._auxiliary(clause, verb)
        if clause.negative:
            if auxiliary == "am":
                return f"{shortened(subject, auxiliary)} not {main}"
            return f"{subject} {NOT[auxiliary]} {main}"
        if auxiliary == "did":
            return f"{subject} {verb.past}"
        if auxiliary in ("do", "does"):
            return f"{subject} {verb.third if auxiliary == 'does' else verb.base}"
        if auxiliary == "will" or salt % 2:
            return f"{shortened(subject, auxiliary)} {main}"
        return f"{subject} {auxiliary} {main}"

    def _question(self, clause: Clause, verb: Verb, tail: str) -> str:
        actor = clause.actor
        assert actor
        if actor.noun in ("who", "what"):
            return f"{self._finite(clause, verb, actor.noun, 0)}{tail}"
        auxiliary, main = self._auxiliary(clause, verb)
        subject = f"{self.np(actor)} not" if clause.negative else self.np(actor)
        if clause.patient and clause.patient.noun in ("who", "what"):
            asked = self.np(clause.patient, "object")
            return f"{asked} {auxiliary} {subject} {main}{tail.replace(f' {asked}', '', 1)}"
        return f"{auxiliary} {subject} {main}{tail}"

    def _salt(self, meaning: Meaning) -> int:
        """A number that differs with the meaning, but not with the machine."""
        number, total = self._number, 5 * meaning.level
        for clause in (meaning.first, meaning.second):
            if clause:
                verb, _, _, _, _, actor, patient, _, place, _ = clause
                total += number[verb] + (3 * number[actor.noun] if actor else 1)
                total += (5 * number[patient.noun] if patient else 0) + (7 * number[place.noun] if place else 0)
        return total

    def _opening(self, call: str, level: int, to: NP | None, salt: int) -> str:
        """The call, and who is spoken to."""
        spoken = self.address(to, salt) if to else ""
        if not call:
            return spoken
        wordings = idioms()["calls"].get(call) or [self.plain[call]]
        word = wordings[salt % len(wordings)] if level == 1 else wordings[salt % 2 % len(wordings)]
        said = ", ".join([word] * level) + (f", {spoken}" if spoken else "")
        return said[0].upper() + said[1:] + ("!" if "loud" in self.known[call].tags else ".")

    def address(self, to: NP, salt: int = 0) -> str:
        """Somebody spoken to."""
        wordings = idioms()["address"].get(to.noun)
        return wordings[salt % len(wordings)] if wordings and to == NP(to.noun) else self.np(to, "call")

    def _joined(self, meaning: Meaning, body: str, salt: int) -> str:
        """Two clauses; of questions that ask for the same, the second leaves "what" out."""
        first, second, link = meaning.first, meaning.second, meaning.link
        assert first
        assert second
        bare = "bare" in self.known[link].tags
        said = self.clause(second, plainly=bare and second.mood == "IND", told=first.source == "REP", salt=salt if second.actor else 0)
        if first.actor and first.actor == second.actor and second.mood == "Q" and first.actor.noun in ("who", "what"):
            verb = self.verbs[second.verb].habit
            never = f"never {verb.third}{self._tail(second)}"
            shared = second.negative and second.tense == "PRS" and not verb.being
            return f"{body} {self.plain[link]} {never if shared else said.partition(' ')[2]}"
        return f"{body}{'' if bare else ','} {self.plain[link]} {said}"

    def sentence(self, meaning: Meaning) -> str:
        """The whole phrase, with capitals and marks."""
        call, level, to, first, link, second = meaning
        salt = self._salt(meaning)
        key = (call, level, to, salt % 12)
        opening = self._openings.get(key)
        if opening is None:
            opening = self._openings[key] = self._opening(*key)
        if not first:
            return opening if call else f"{opening[0].upper()}{opening[1:]}!"
        body = self.clause(first, plainly=link in WHENEVER and first.source == "VIS" and first.tense == "PRS", salt=salt)
        if second:
            body = self._joined(meaning, body, salt // 2)
        moods = (first.mood, second.mood if second else "")
        if opening and not call:
            if body.startswith(TOLD):
                body = f"{body[: TOLD.index(',')]}, {opening}, they say {body[len(TOLD) :]}"
            else:
                body = f"{body}, {opening}" if salt % 3 == 0 and not second else f"{opening}, {body}"
        mark = "?" if "Q" in moods else "!" if "URG" in moods or (second is None and first.mood == "IMP") else "."
        body = f"{body[0].upper()}{body[1:]}{mark}"
        return f"{opening} {body}" if call else body
