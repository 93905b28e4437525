"""What animals say, and when: the templates of intents.toml, turned into choices between
meanings.
"""

import itertools
import math
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from sys import intern
from typing import Any, TypeVar

from ...errors import BadInput
from ..grammar.typology import NUMBERS
from .concepts import Concept, concepts
from .meaning import NP, Clause, Meaning, make_fast, violations

MOODS = ("calm", "glad", "afraid", "angry", "sad", "curious", "tender", "proud")
FIELDS = (
    "link",
    "verb",
    "mood",
    "tense",
    "source",
    "not",
    "actor",
    "patient",
    "relation",
    "place",
    "adverb",
)
PLAIN = 7  # nouns without a quality to one that has one, where none is asked for
SECONDS = 3  # phrases that end after their first clause to two that go on, less one
T = TypeVar("T")
PARTS = ("number", "quality", "owner")


@dataclass(frozen=True, slots=True)
class ClauseTemplate:
    """Choices that a clause draws from, one by one."""

    link: str
    heads: tuple[Clause, ...]  # verbs with tense, source and polarity
    actors: tuple[NP | None, ...]
    patients: tuple[NP | None, ...]
    places: tuple[tuple[str, NP | None], ...]
    adverbs: tuple[str, ...]
    _count: int = field(init=False, repr=False)  # of the clauses to draw
    # without who takes part
    _heads: list[tuple[str, str, str, str, bool]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        every = (self.heads, self.actors, self.patients, self.places, self.adverbs)
        object.__setattr__(self, "_count", math.prod(map(len, every)))
        object.__setattr__(self, "_heads", [head[:5] for head in self.heads])

    def draw(self, number: int) -> tuple[Clause, int]:
        """A clause from the low digits of a large number, and the digits that are left."""
        # low is a small integer: its digits are parted faster
        number, low = divmod(number, self._count)
        heads, actors, patients, places = self._heads, self.actors, self.patients, self.places
        verb, mood, tense, source, negative = heads[low % len(heads)]

        # Each list takes the digits of a mixed radix that it needs: every number is another clause.
        low //= len(heads)
        who = actors[low % len(actors)]
        low //= len(actors)
        whom = patients[low % len(patients)]
        low //= len(patients)
        relation, where = places[low % len(places)]
        adverb = self.adverbs[low // len(places)]
        if where and ((who and where.noun == who.noun) or (whom and where.noun == whom.noun)):
            relation, where = "", None  # not "the river sings in the river"
        return make_fast(
            Clause, (verb, mood, tense, source, negative, who, whom, relation, where, adverb)
        ), number


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that animals say to one another. Every meaning that it draws is free of faults."""

    name: str
    mood: str
    when: str
    calls: tuple[str, ...]
    levels: int
    to: tuple[NP | None, ...]
    say: tuple[ClauseTemplate, ...]
    then: tuple[ClauseTemplate, ...]

    # every call with its level, who is spoken to, and the first clause; what is named last here
    # changes slowest
    _starts: list[tuple[str, int, NP | None, ClauseTemplate]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        every = itertools.product(self.say, self.to, range(1, self.levels + 1), self.calls)
        starts = [(call, level if call else 0, to, template) for template, to, level, call in every]
        object.__setattr__(self, "_starts", starts)

    def draw(self, number: int) -> Meaning:
        """A meaning from the digits of a large number."""
        starts, then = self._starts, self.then
        number, which = divmod(number, len(starts))
        call, level, to, template = starts[which]
        first, number = template.draw(number)
        if then:
            number, which = divmod(number, SECONDS * len(then))
            if which < len(then):
                template = then[which]
                second, _ = template.draw(number)
                return make_fast(Meaning, (call, level, to, first, template.link, second))
        return make_fast(Meaning, (call, level, to, first, "", None))


class Reader:
    """Turns the text of a template into choices."""

    def __init__(
        self, known: dict[str, Concept], qualities: dict[str, str], places: dict[str, str]
    ) -> None:
        self.known = known
        self.qualities = {tag: self.names(text, "A") for tag, text in qualities.items()}
        self.suited = {
            relation: frozenset(self.names(text, "N")) for relation, text in places.items()
        }
        self._met: dict[Any, Any] = {}

    def _one(self, made: T) -> T:
        """The first of all that are equal to this: choices repeat, and are drawn and looked up
        faster if they are one object.
        """
        result: T = self._met.setdefault(made, made)
        return result

    def names(self, text: str, kinds: str) -> tuple[str, ...]:
        """Concepts of some classes from a list: names, @tags; a "?" at the end adds "" as often as
        all else together.
        """
        results: list[str] = []

        for item in filter(None, text.rstrip("?").split(",")):
            if item.startswith("@"):
                results += [
                    name
                    for name, concept in self.known.items()
                    if item[1:] in concept.tags and concept.kind in kinds
                ]
            elif item in NUMBERS or (item in self.known and self.known[item].kind in kinds):
                results.append(intern(item))  # one object for one name: quicker to compare
            else:
                raise BadInput(
                    f"An intent names {item!r}, which is no concept of class {' or '.join(kinds)}: "
                    "mend intents.toml."
                )

        return (*results, *([""] * max(len(results), 1) if text.endswith("?") else []))

    def nps(self, fields: dict[str, str], role: str, *, free: bool = True) -> tuple[NP | None, ...]:
        """Every noun phrase that the fields of a role allow; ``free``: with usual qualities too,
        where the fields name none.
        """
        nouns = self.names(fields.get(role, ""), "N")
        numbers = self.names(fields.get(f"{role}.number", "SG"), "Q")
        qualities = tuple(dict.fromkeys(self.names(fields.get(f"{role}.quality", "?"), "A")))
        owners = tuple(dict.fromkeys(self.names(fields.get(f"{role}.owner", "?"), "N")))
        given = f"{role}.quality" in fields
        found: list[NP | None] = []

        for noun in nouns:
            if not noun or self.known[noun].tags & {"pronoun", "asking"}:  # stand alone
                found.append(self._one(NP(noun)) if noun else None)
                continue

            own = qualities if given or not free else self.usual(noun)
            counts = ("SG",) if "mass" in self.known[noun].tags else numbers
            some = {
                quality: [
                    self._one(NP(noun, number, quality, owner))
                    for number in counts
                    for owner in owners
                    if owner != noun
                ]
                for quality in dict.fromkeys(own)
            }
            for quality in own:
                found += some[quality]

        return tuple(found) or (None,)

    def usual(self, noun: str) -> tuple[str, ...]:
        """Qualities that a noun may have now and then, and thrice as often none."""
        tags = self.known[noun].tags
        found = next(
            (names for tag, names in self.qualities.items() if tag in tags or tag == noun), ()
        )
        return (*found, *([""] * (PLAIN * len(found) or 1)))

    def suits(self, relation: str, place: NP | None) -> bool:
        """Whether a relation and a place make sense together."""
        return place is None or place.noun in self.suited.get(relation, (place.noun,))

    def clause(self, text: str) -> ClauseTemplate:
        """A clause template from "key=value key=value"."""
        pairs = [item.partition("=") for item in text.split()]
        fields = {key: value for key, _, value in pairs}
        allowed = {
            *FIELDS,
            *(f"{role}.{part}" for role in ("actor", "patient", "place") for part in PARTS),
        }

        unknown = sorted(fields.keys() - allowed)
        if unknown or not fields.get("verb"):
            raise BadInput(
                f"The clause {text!r} has {', '.join(unknown) or 'no verb'}: use the keys "
                f"{', '.join(FIELDS)}."
            )

        mood = fields.get("mood", "IND")
        default = {"IND": ("PRS", "VIS"), "Q": ("PRS", "")}.get(mood, ("", ""))
        heads = tuple(
            Clause(
                verb,
                one,
                tense if one in ("IND", "Q") else "",
                source if one == "IND" else "",
                fields.get("not") == "yes",
            )
            for verb in self.names(fields["verb"], "ITA")
            for one in map(intern, mood.split(","))
            for tense in map(intern, fields.get("tense", default[0]).split(","))
            for source in map(intern, fields.get("source", default[1]).split(","))
        )
        places: tuple[tuple[str, NP | None], ...] = (("", None),)

        if fields.get("place"):
            relation = fields["relation"]
            nps = self.nps(fields, "place")
            places = ()

            for name in self.names(relation.rstrip("?"), "P"):
                fit = {
                    np: self._one((name, np)) for np in dict.fromkeys(nps) if self.suits(name, np)
                }
                places += tuple(fit[np] for np in nps if np in fit)

            if not places:
                raise BadInput(
                    f"In the clause {text!r} no place suits its relation: see [places] in "
                    "intents.toml."
                )

            if relation.endswith("?"):
                places += len(places) * (("", None),)

        return ClauseTemplate(
            fields.get("link", ""),
            heads,
            self.nps(
                fields,
                "actor",
                free=not any(
                    self.known[one.verb].kind == "A" for one in heads if one.verb in self.known
                ),
            ),
            self.nps(fields, "patient"),
            places,
            self.names(fields.get("adverb", ""), "D") or ("",),
        )

    def intent(self, name: str, table: dict[str, Any]) -> Intent:
        """One table of intents.toml."""
        if table.get("mood") not in MOODS or not table.get("say"):
            raise BadInput(
                f"The intent {name!r} needs a mood of {', '.join(MOODS)} and something to say: "
                "mend intents.toml."
            )

        try:
            made = Intent(
                name,
                table["mood"],
                str(table.get("when", "")),
                self.names(table.get("call", ""), "X") or ("",),
                int(table.get("level", 1)),
                tuple(
                    self._one(NP(one)) if one else None
                    for one in self.names(table.get("to", ""), "N")
                )
                or (None,),
                tuple(map(self.clause, table["say"])),
                tuple(map(self.clause, table.get("then", ()))),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"The intent {name!r} cannot be read ({error}): compare it with the others in "
                "intents.toml."
            ) from None

        self._check(made)

        return made

    def _check(self, intent: Intent) -> None:
        """Refuse an intent that says what no language can, as a verb with too many participants."""
        second = Clause("sleep", "IMP", "", "")

        for template in (*intent.say, *intent.then):
            actor, patient, (relation, place) = (
                template.actors[0],
                template.patients[0],
                template.places[0],
            )

            for head in template.heads:
                clause = head._replace(
                    actor=actor,
                    patient=patient,
                    relation=relation,
                    place=place,
                    adverb=template.adverbs[0],
                )
                wrong = violations(
                    Meaning(
                        first=clause, link=template.link, second=second if template.link else None
                    ),
                    self.known,
                )
                if wrong:
                    raise BadInput(
                        f"The intent {intent.name!r} says what no language can, "
                        f"{'; '.join(wrong)}: mend intents.toml."
                    )


@cache
def _read(more: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath("intents.toml").read_text("utf-8")
    try:
        own, others = tomllib.loads(text), tomllib.loads(more)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"The intents are not valid TOML ({error}): mend that line.") from None
    merged = {name: {**own[name], **others.get(name, {})} for name in ("qualities", "places")}
    return {**own, **others, **merged}


def intents(more_concepts: str = "", more: str = "") -> tuple[Intent, ...]:
    """The intents of intents.toml, and of ``more`` in the same form, over the concepts and
    ``more_concepts``.

    Raises:
        BadInput: a template uses what is no concept, or says what no language can.
    """
    return _intents(more_concepts, more)  # one call for the cache, however arguments are given


@cache
def _intents(more_concepts: str, more: str) -> tuple[Intent, ...]:
    tables = dict(_read(more))
    reader = Reader(concepts(more_concepts), tables.pop("qualities"), tables.pop("places"))
    return tuple(reader.intent(name, table) for name, table in tables.items())
