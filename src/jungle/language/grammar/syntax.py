"""From a meaning to words and back: the concrete syntax of one language, in the sense of
Grammatical Framework (Ranta 2011).

Both directions are total on their side: every meaning without
:func:`jungle.language.meaning.violations` has one phrase, and a text is either read as exactly the
meaning whose phrase it is, or refused with a reason.
"""

import unicodedata
from collections.abc import Iterable
from functools import partial
from operator import itemgetter

from ...errors import BadInput
from ..memo import Memo
from ..semantics.concepts import Concept
from ..semantics.meaning import NP, Clause, Meaning, violations
from .morphology import PREDICATES, Key
from .typology import CASES, NUMBERS, Typology
from .word_table import InflectedWord, WordTable

PARTS = "SVOLD"  # of a clause: subject, verb, object, place (locus), adverb
WordSequence = tuple[InflectedWord, ...]


class NotInLanguage(BadInput):
    """A text that is no phrase of the language."""


class Grammar:
    """Syntax of one language over its table of words."""

    def __init__(self, table: WordTable, known: dict[str, Concept]) -> None:
        self.table, self.known = table, known
        self.typology = table.morphology.typology
        self.mark = {case: table.morphology.mark(case) for case in CASES}
        self.transitive = {name for name, concept in known.items() if concept.kind == "T"}
        self.prepositions = not self.typology.postpositions
        self.counted = {
            one.name: "PL" if self.typology.counted_plural and one.name != "one" else "SG"
            for one in known.values()
        }

        # Parts of phrases are kept: sentences share most of them.
        self._actors, self._subjects, self._patients, self._located, self._called, _ = (
            Memo(partial(self._np, case)) for case in CASES
        )
        self._places, self._verbs, self._calls = (
            Memo(self._place),
            Memo(self._verb),
            Memo(self._call),
        )
        self._adverbs: dict[str, WordSequence] = {
            name: (table.words["D", name],) for name, one in known.items() if one.kind == "D"
        }
        self._arranged = itemgetter(*map(PARTS.index, _order(self.typology)))

        if self.typology.kind == "isolating":
            self._nouns = {
                tuple(table.morphology.noun_marks(next(iter(known.values())), number, mark)): (
                    number,
                    mark,
                )
                for number in NUMBERS
                for mark in table.morphology.marks()
            }
            self._predicates = {
                (tuple(table.morphology.verb_marks(*features)), features[0] == "URG"): features
                for features in PREDICATES
            }

    def words(self, meaning: Meaning) -> list[InflectedWord]:
        """The words of a phrase, in order."""
        call, level, to, first, link, second = meaning
        results: list[InflectedWord] = []
        if call:
            results.append(self._calls[call, level])
        if to:
            results += self._called[to]
        if first:
            self._clause(first, results)
        if second:
            results.append(self.table.words["C", link])
            self._clause(second, results)
        return results

    def text(self, meaning: Meaning) -> str:
        """The phrase for a meaning."""
        return " ".join([word.text for word in self.words(meaning)])

    def _clause(self, clause: Clause, found: list[InflectedWord]) -> None:
        _, _, _, _, _, actor, patient, relation, place, adverb = clause
        parts: tuple[WordSequence, ...] = (  # as in PARTS
            (self._actors if patient else self._subjects)[actor] if actor else (),
            self._verbs[clause[:5]],
            self._patients[patient] if patient else (),
            self._places[relation, place] if place else (),
            self._adverbs[adverb] if adverb else (),
        )
        one, two, three, four, five = self._arranged(parts)
        found += (*one, *two, *three, *four, *five)

    def _np(self, case: str, np: NP) -> WordSequence:
        typology, table = self.typology, self.table.words
        noun, number, quality, owner = np
        quantity = ""
        if number not in NUMBERS:
            quantity, number = number, self.counted[number]
        before: list[InflectedWord] = []
        after: list[InflectedWord] = []
        if owner:
            (before if typology.owner_first else after).append(table["N", owner, "SG", "POSS"])
        if quantity:
            (before if typology.quantity_first else after).append(table["Q", quantity])
        if quality:
            (before if typology.quality_first else after).append(table["A", quality])
        return (*before, table["N", noun, number, self.mark[case]], *reversed(after))

    def _call(self, loud: tuple[str, int]) -> InflectedWord:
        call, level = loud
        return self.table.words["X", call, str(level)]

    def _verb(self, features: tuple[str, str, str, str, bool]) -> WordSequence:
        return (self.table.words[_verb_key(Clause(*features))],)

    def _place(self, where: tuple[str, NP]) -> WordSequence:
        relation, place = where
        word, np = self.table.words["P", relation], self._located[place]
        return (word, *np) if self.prepositions else (*np, word)

    def parse(self, text: str) -> Meaning:
        """What a text means.

        Capitals, blanks and a mark at the end are forgiven, nothing else. Keep the :meth:`text` of
        the meaning, not the text that came.

        Raises:
            NotInLanguage: it is no phrase of this language; the message names the first word that
                is to blame.
        """
        tokens = normal(text).split()
        keys: list[Key] = []

        for number, token in enumerate(tokens, 1):
            key = self.table.reading.get(token)
            if key is None:
                raise NotInLanguage(
                    f"Word {number}, {token[:40]!r}, is not in the lexicon: use words of this "
                    "language only."
                )
            keys.append(key)

        if self.typology.kind == "isolating":
            keys = list(self._gathered(keys))

        # Read first, then said again: only what comes out the same was meant.
        meaning = self._read(keys)
        if violations(meaning, self.known) or self.text(meaning) != " ".join(tokens):
            raise NotInLanguage(
                f"The words of {' '.join(tokens)[:80]!r} are known, but do not stand in an order "
                "that means anything."
            )

        return meaning

    def _gathered(self, keys: list[Key]) -> Iterable[Key]:
        """Words and the particles that belong to them, taken together: the keys that one inflected
        word would have.
        """
        particles: list[str] = []
        heads: list[tuple[Key, list[str]]] = []

        for key in keys:
            if key[0] != "M":
                heads.append((key, particles if self.typology.prefixing else []))
                particles = [] if self.typology.prefixing else heads[-1][1]
            elif self.typology.prefixing:
                particles.insert(0, key[1])
            else:
                particles.append(key[1])

        if particles and (self.typology.prefixing or not heads):
            raise NotInLanguage(
                "A particle stands where there is no word for it: put it beside a noun or a verb."
            )

        # A root and its particles are what another language says with one inflected word.
        for key, labels in heads:
            if key[0] != "R":
                if labels:
                    raise NotInLanguage(
                        f"The particle {labels[0]} stands beside a word that takes none: put it "
                        "beside a noun or a verb."
                    )
                yield key
                continue

            _, name, copied = key
            kind = self.known[name].kind

            noun, verb = (
                self._nouns.get(tuple(labels)),
                self._predicates.get((tuple(labels), copied == "URG")),
            )
            if kind == "N" and noun:
                yield "N", name, *noun
            elif kind != "N" and verb:
                yield _verb_key(Clause(name, *verb))
            elif kind == "A" and not labels and not copied:
                yield "A", name
            else:
                raise NotInLanguage(
                    f"The particles of the word for {name!r} do not go together: see the grammar."
                )

    def _read(self, keys: list[Key]) -> Meaning:
        call, level, link = "", 0, ""
        if keys and keys[0][0] == "X":
            call, level = keys[0][1], int(keys[0][2])
            keys = keys[1:]
        links = [index for index, key in enumerate(keys) if key[0] == "C"]
        first, second = keys, None
        if links:
            link = keys[links[0]][1]
            first, second = keys[: links[0]], keys[links[0] + 1 :]
        to, clause = self._read_clause(first)
        return Meaning(
            call, level, to, clause, link, self._read_clause(second)[1] if second else None
        )

    def _read_clause(self, keys: list[Key]) -> tuple[NP | None, Clause | None]:  # noqa: C901
        """Who is spoken to, and the clause. Whatever does not fit is dropped here: the phrase will
        differ from the text then.
        """
        typology = self.typology
        to = verb = place = None
        relation = adverb = ""
        found: list[NP] = []  # the one spoken to, participants and place in the order of the text
        spoken: NP | None = None
        placed = -1
        pending: dict[str, str] = {}

        for key in keys:
            kind, name = key[0], key[1]
            slot, first = "", False

            if kind == "N" and key[3] == "POSS":
                slot, first = "owner", typology.owner_first
            elif kind == "A":
                slot, first = "quality", typology.quality_first
            elif kind == "Q":
                slot, first = "number", typology.quantity_first

            # A modifier before its noun waits for it; one behind it belongs to the last noun.
            if slot and first:
                pending[slot] = name
            elif slot and found:
                found[-1] = found[-1]._replace(**{slot: name})
            elif kind == "N":
                found.append(NP(name, key[2])._replace(**pending))
                pending = {}
                if key[3] == "VOC" and len(found) == 1:
                    spoken = found[0]
                elif relation and self.prepositions and placed < 0:
                    placed = len(found) - 1
            elif kind == "P":
                relation = name
                placed = -1 if self.prepositions else len(found) - 1
            elif kind == "D":
                adverb = name
            elif kind == "V":
                verb = key

        if placed >= 0:
            place = found.pop(placed)
        if spoken and found:
            to = found.pop(0)
        if not verb:
            return to, None
        _, name, mood, tense, source, negative = verb
        roles: dict[str, NP] = {}

        # With two participants the order of subject and object tells who does what.
        if name in self.transitive and len(found) == 2:
            subject_first = typology.order.index("S") < typology.order.index("O")
            roles = dict(
                zip(
                    ("actor", "patient") if subject_first else ("patient", "actor"),
                    found,
                    strict=True,
                )
            )
        elif found:
            roles = {"patient" if name in self.transitive else "actor": found[0]}

        clause = Clause(
            name,
            mood,
            tense,
            source,
            negative == "NEG",
            relation=relation,
            place=place,
            adverb=adverb,
        )

        return to, clause._replace(actor=roles.get("actor"), patient=roles.get("patient"))


def _order(typology: Typology) -> str:
    """The :data:`PARTS` of a clause, as they follow one another."""
    order = "L" + typology.order if typology.place_first else typology.order + "L"
    return "D" + order if typology.adverb_first else order + "D"


def _verb_key(clause: Clause) -> Key:
    return (
        "V",
        clause.verb,
        clause.mood,
        clause.tense,
        clause.source,
        "NEG" if clause.negative else "",
    )


def normal(text: str) -> str:
    """A text as the table spells it: composed letters, no capitals, single spaces, no mark at the
    end.
    """
    return " ".join(unicodedata.normalize("NFC", text).lower().split()).rstrip(".!?").rstrip()
