"""Free English for a meaning: what a patient translator would write. A function of the meaning
alone, so that it cannot lie.

Languages of the jungle say how the speaker knows and leave articles out; English is the other way
round. So articles are chosen by what a listener would know already, and the source of knowledge
becomes "I hear the storm crossing" or "they say". Where English has several
wordings, the meaning decides between them: the same meaning always reads the same.
"""

from ..memo import Memo
from ..semantics.concepts import Concept
from ..semantics.meaning import NP, Clause, Meaning
from .inflection import CONTRACTING, NOT, SHORT, Verb, idioms
from .noun_phrases import NounPhrases

MINE = {"I": "mine", "we": "ours", "you": "yours"}
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
BITS = frozenset(("rock", "branch", "leaf", "stone"))  # of which a place has many
FRONTED = frozenset(("tomorrow", "tonight", "yesterday", "today", "soon"))
LONG_AGO, TOLD = "long.ago", "long ago, they say, "
MARKS = {"IND": ".", "Q": "?", "IMP": "!", "URG": "!"}  # at the end of a single clause


class EnglishGenerator(NounPhrases):
    """Renders meanings over a set of concepts."""

    def __init__(self, known: dict[str, Concept]) -> None:
        super().__init__(known)
        self.food = {name for name, one in known.items() if "food" in one.tags}
        self.making = {name for name, one in known.items() if "make" in one.tags}
        self.of_known = {
            name for name, one in known.items() if "state" in one.tags
        } - MINDED  # verbs of what the listener knows
        self.verbs = {name: Verb(concept) for name, concept in known.items() if concept.predicate}
        self._number = {name: index for index, name in enumerate(known)}
        self._openings = Memo(self._opening)
        self._predicates = Memo(self._predicate)

    def clause(
        self, clause: Clause, *, plainly: bool = False, told: bool = False, salt: int = 0
    ) -> str:
        """A clause without a capital or a mark at its end.

        Args:
            clause: what it means.
            plainly: "goes" for "is going".
            told: that others say so is known already.
            salt: decides between wordings.
        """
        return self._clause(clause, plainly, told, salt)

    def _clause(self, clause: Clause, plainly: bool, told: bool, salt: int) -> str:
        name, mood, tense, source, negative, actor, _, _, _, adverb = clause
        verb = self.verbs[name]
        if actor is None:
            return self._order(clause, verb, salt)
        habit = plainly or source == "REP" or actor.noun == "what"
        if mood == "Q":
            return self._question(clause, actor, habit)
        fresh = not (plainly or negative or adverb == LONG_AGO or verb.being)
        if plainly or (told and source == "REP"):
            source = ""

        # What is seen or heard happening is told as a perception: "I see the hawk coming".
        if source in PERCEPTION and not (
            negative or verb.being or verb.state or actor.noun in self.alone or tense == "FUT"
        ):
            if tense == "PRS":
                return (
                    f"{PERCEPTION[source][salt % 2]} {self._objects[fresh][actor]} "
                    f"{verb.ing}{self._tail(clause)}"
                )
            if source == "AUD":
                return (
                    f"{PERCEIVED[source]} {self._objects[fresh][actor]} "
                    f"{verb.base}{self._tail(clause)}"
                )

        body, when = (
            self._owned(clause, salt) if name == "own" else "",
            self._front(clause) if adverb else "",
        )
        if not body:
            body = self._finite(
                self._subjects[fresh][actor], actor, name, tense, negative, habit, salt
            ) + self._tail(clause, when)

        # Hearsay is said once, at the place where English would put it.
        if adverb == LONG_AGO:
            return f"{when}, they say, {body}" if source == "REP" else f"{when} {body}"
        if source == "REP" and salt % 4 == 3:
            return f"{when and when + ' '}{body}, they say"
        if source in GUESSES:
            return f"{GUESSES[source][salt % 3]} {body}{when and ' ' + when}"
        return f"{when} {body}" if when else body

    def _front(self, clause: Clause) -> str:
        """An adverb of time that opens the clause."""
        front = clause.adverb == LONG_AGO or (
            clause.adverb in FRONTED and clause.place is not None and clause.tense != "PRS"
        )
        return self.plain[clause.adverb] if front else ""

    def _tail(self, clause: Clause, front: str = "") -> str:
        """What follows the verb, but for an adverb that opens the clause: ``front``."""
        verb, mood, _, _, negative, _, patient, relation, place, adverb = clause
        told, tail = negative or adverb == LONG_AGO or mood == "URG", ""

        if patient:
            new = (
                not told
                and verb not in self.of_known
                and (mood != "IMP" or patient.noun in self.food)
            )
            tail = f" {(self._made if verb in self.making else self._objects)[new][patient]}"

        # English gives "to the child" before the thing that is given, and says "home" without a
        # preposition.
        if place:
            loose = relation == "without" and place.number == "PL"
            where = (self._called if loose else self._objects)[not told and place.noun in BITS][
                place
            ]
            if relation == "to" and where == "home":
                tail += " home"
            elif relation == "to" and patient and verb in GIVING and self._given(patient, place):
                tail = f" {where}{tail}"
            else:
                tail += f" {self.plain[relation]} {where}"

        if adverb and not front:
            tail += f" {self.plain[adverb]}"
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

        # Belonging is said of things that are at hand; elsewhere "to have" is the plain verb.
        if (
            not clause.negative
            and clause.tense == "PRS"
            and self.known[thing.noun].tags & {"body", "feeling", "sound"}
        ):
            return (
                f"{self.np(owner)} "
                f"{'has' if self._person[owner] == 1 else 'have'}{self._tail(clause)}"
            )

        if (
            salt % 2
            or clause.negative
            or clause.place
            or clause.adverb
            or clause.tense != "PRS"
            or thing.noun in self.alone
        ):
            return ""

        copula = "are" if self._person[thing] == 2 else "is"
        if owner.noun in MINE:
            return f"{self.np(thing)} {copula} {MINE[owner.noun]}"
        return (
            f"{self.np(thing)} {'belong' if copula == 'are' else 'belongs'} to "
            f"{self.np(owner, 'object')}"
        )

    def _auxiliary(self, verb: Verb, tense: str, person: int, habit: bool) -> tuple[str, str]:
        """The finite auxiliary and the form that follows it; ``habit``: in the simple present, not
        the progressive.
        """
        if tense == "FUT":
            return "will", verb.base
        if verb.being:
            return ("am", "is", "are")[person] if tense == "PRS" else ("was", "was", "were")[
                person
            ], verb.quality
        if tense == "PST":
            return "did", verb.base
        if verb.state or habit:
            return ("does" if person == 1 else "do"), verb.base
        return ("am", "is", "are")[person], verb.ing

    def _finite(  # noqa: PLR0913
        self, subject: str, actor: NP, verb: str, tense: str, negative: bool, habit: bool, salt: int
    ) -> str:
        """Subject and verb."""
        return (
            subject
            + self._predicates[
                verb, tense, negative, self._person[actor], habit, subject in CONTRACTING, salt % 2
            ]
        )

    def _predicate(self, features: tuple[str, str, bool, int, bool, bool, int]) -> str:
        """What follows a subject, with the blank or the apostrophe before it; ``light``: that the
        subject takes one.
        """
        name, tense, negative, person, habit, light, odd = features
        verb = self.verbs[name]
        auxiliary, main = self._auxiliary(verb, tense, person, habit)
        short = SHORT.get(auxiliary, f" {auxiliary}") if light else f" {auxiliary}"
        if negative:
            return f"{short} not {main}" if auxiliary == "am" else f" {NOT[auxiliary]} {main}"
        if auxiliary == "did":
            return f" {verb.past}"
        if auxiliary in ("do", "does"):
            return f" {verb.third if auxiliary == 'does' else verb.base}"
        return f"{short} {main}" if auxiliary == "will" or odd else f" {auxiliary} {main}"

    def _question(self, clause: Clause, actor: NP, habit: bool) -> str:
        tail, patient = self._tail(clause), clause.patient

        # A question for the subject keeps the order of a statement.
        if actor.noun in ("who", "what"):
            return (
                self._finite(
                    actor.noun, actor, clause.verb, clause.tense, clause.negative, habit, 0
                )
                + tail
            )

        auxiliary, main = self._auxiliary(
            self.verbs[clause.verb], clause.tense, self._person[actor], habit
        )
        subject = (
            f"{self._subjects[False][actor]} not"
            if clause.negative
            else self._subjects[False][actor]
        )

        # A question for the object brings it to the front.
        if patient and patient.noun in ("who", "what"):
            asked = self._objects[False][patient]
            return f"{asked} {auxiliary} {subject} {main}{tail.replace(f' {asked}', '', 1)}"

        return f"{auxiliary} {subject} {main}{tail}"

    def _salt(self, level: int, *clauses: Clause | None) -> int:
        """A number that differs with the meaning, but not with the machine."""
        number, total = self._number, 5 * level
        for clause in clauses:
            if clause:
                verb, _, _, _, _, actor, patient, _, place, _ = clause
                total += number[verb] + (3 * number[actor.noun] if actor else 1)
                if patient:
                    total += 5 * number[patient.noun]
                if place:
                    total += 7 * number[place.noun]
        return total

    def _opening(self, start: tuple[str, int, NP | None, int]) -> str:
        """The call, and who is spoken to."""
        call, level, to, salt = start
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
        return (
            wordings[salt % len(wordings)]
            if wordings and to == NP(to.noun)
            else self.np(to, "call")
        )

    def _joined(self, meaning: Meaning, body: str, salt: int) -> str:
        """Two clauses; of questions that ask for the same, the second leaves "what" out."""
        first, second, link = meaning.first, meaning.second, meaning.link
        assert first
        assert second
        bare = "bare" in self.known[link].tags
        said = self._clause(
            second,
            bare and second.mood == "IND",
            first.source == "REP",
            salt if second.actor else 0,
        )

        if (
            first.actor
            and first.actor == second.actor
            and second.mood == "Q"
            and first.actor.noun in ("who", "what")
        ):
            # Asked twice of the same one: "who knows the path and never tells it".
            verb = self.verbs[second.verb]
            never = f"never {verb.third}{self._tail(second)}"
            shared = second.negative and second.tense == "PRS" and not verb.being
            return f"{body} {self.plain[link]} {never if shared else said.partition(' ')[2]}"

        return f"{body}{'' if bare else ','} {self.plain[link]} {said}"

    def sentence(self, meaning: Meaning) -> str:
        """The whole phrase, with capitals and marks."""
        call, level, to, first, link, second = meaning
        salt = self._salt(level, first, second)
        opening = self._openings[call, level, to, salt % 12] if call or to else ""
        if not first:
            return opening if call else f"{opening[0].upper()}{opening[1:]}!"
        body = self._clause(
            first, link in WHENEVER and first.source == "VIS" and first.tense == "PRS", False, salt
        )
        if second:
            body = self._joined(meaning, body, salt // 2)

        if opening and not call:
            if body.startswith(TOLD):
                body = f"{body[: TOLD.index(',')]}, {opening}, they say {body[len(TOLD) :]}"
            else:
                body = (
                    f"{body}, {opening}" if salt % 3 == 0 and not second else f"{opening}, {body}"
                )

        # The strongest of the two moods decides the mark.
        if second is None:
            mark = MARKS[first.mood]
        else:
            moods = (first.mood, second.mood)
            mark = "?" if "Q" in moods else "!" if "URG" in moods else "."

        body = f"{body[0].upper()}{body[1:]}{mark}"

        return f"{opening} {body}" if call else body
