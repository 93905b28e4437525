"""The language as a context-free grammar that a server can hold a model to: GBNF of llama.cpp (vLLM
reads it too), and Lark.

It says less than the language, to stay small and within a breath: at most one modifier beside a
noun. What it says is a phrase. Endings are factored out where a form contains its stem, so that the
rules grow with stems plus endings, not with their product.
"""

import json
from collections.abc import Iterable

from ..grammar.morphology import PREDICATES
from ..language import Language

SPACE = '" "'


class Rules:
    """Rules by name; equal ones share a name. Names are lower-case letters and digits, which GBNF
    and Lark both take.
    """

    def __init__(self, tongue: Language) -> None:
        """Write down the rules of a language; ``phrase`` is where they start."""
        self.tongue, self.rules = tongue, dict[str, str]()
        table, known = tongue.grammar.table, tongue.known
        stems = {name: table.word(stem) for name, stem in table.stems.items()}
        self._stems = {name: stem.text for name, stem in stems.items() if stem}
        self._words = table.words
        alone = {name for name, concept in known.items() if concept.tags & {"pronoun", "asking"}}
        self._pronouns = [name for name in self._of("N") if name in alone]
        self._nouns = [name for name in self._of("N") if name not in alone]
        self._owner = self._forms(
            {name: self._words["N", name, "SG", "POSS"].text for name in self._of("N")}
        )
        self._quality = self._plain("A")

        # Calls stand alone or open a phrase.
        calls = [word.text for key, word in self._words.items() if key[0] == "X"]
        clause, call, to = self._clause(), self._any(map(_quoted, calls)), self._np("VOC")
        self.rules["phrase"] = (
            f"({call} {SPACE})? ({to} {SPACE})? {clause} ({SPACE} {self._plain('C')} {SPACE} "
            f"{clause})? | {call} ({SPACE} {to})?"
        )

    def gbnf(self, lines: int) -> str:
        """GBNF of so many lines, a phrase each. Repetition is written out: servers refuse large
        counts.
        """
        root = ' "\\n" '.join(["phrase"] * lines)
        return (
            "\n".join(
                [f"root ::= {root}", *(f"{name} ::= {rule}" for name, rule in self.rules.items())]
            )
            + "\n"
        )

    def lark(self) -> str:
        """Lark, for one phrase."""
        return (
            "\n".join(["start: phrase", *(f"{name}: {rule}" for name, rule in self.rules.items())])
            + "\n"
        )

    def _of(self, kinds: str) -> list[str]:
        return [name for name, one in self.tongue.known.items() if one.kind in kinds]

    def _any(self, alternatives: Iterable[str]) -> str:
        """The name of a rule with these alternatives."""
        text = " | ".join(dict.fromkeys(alternatives))
        for name, rule in self.rules.items():
            if rule == text:
                return name
        name = f"r{len(self.rules)}"
        self.rules[name] = text
        return name

    def _forms(self, forms: dict[str, str]) -> str:
        """A rule for the forms of some concepts: grouped by what stands around their stems."""
        groups: dict[tuple[str, str], list[str]] = {}

        # Grouped by affixes, the rules of a language of 600 words stay a few hundred lines.
        for name, form in forms.items():
            before, stem, after = form.partition(self._stems[name])
            groups.setdefault((before, after) if stem else (form, ""), []).append(stem)

        results = []

        for (before, after), stems in groups.items():
            middle = (
                self._any(map(_quoted, stems))
                if len(stems) > 1
                else _quoted(stems[0])
                if stems[0]
                else ""
            )
            results.append(
                " ".join(
                    filter(None, (before and _quoted(before), middle, after and _quoted(after)))
                )
            )

        return self._any(results)

    def _plain(self, kind: str) -> str:
        return self._any(_quoted(self._words[kind, name].text) for name in self._of(kind))

    def _np(self, case: str) -> str:
        typology, mark = self.tongue.typology, self.tongue.grammar.mark[case]
        one, many = (
            self._forms({name: self._words["N", name, number, mark].text for name in self._nouns})
            for number in ("SG", "PL")
        )
        pronoun = self._forms(
            {name: self._words["N", name, "SG", mark].text for name in self._pronouns}
        )
        noun = self._any([one, many])
        found = [
            pronoun,
            noun,
            _beside(self._quality, noun, typology.quality_first),
            _beside(self._owner, noun, typology.owner_first),
        ]

        # Whether a counted noun is plural is for the language to say.
        for number, head in (("SG", one), ("PL", many)):
            counts = [name for name in self._of("Q") if self.tongue.grammar.counted[name] == number]
            if counts:
                quantity = self._any(_quoted(self._words["Q", name].text) for name in counts)
                found.append(_beside(quantity, head, typology.quantity_first))

        return self._any(found)

    def _verb(self, kinds: str, moods: tuple[str, ...]) -> str:
        cells = [
            {
                name: self._words["V", name, mood, tense, source, "NEG" if negative else ""].text
                for name in self._of(kinds)
            }
            for mood, tense, source, negative in PREDICATES
            if mood in moods
        ]
        return self._any(map(self._forms, cells))

    def _clause(self) -> str:
        typology = self.tongue.typology
        relation, where = self._plain("P"), self._np("LOC")
        place, adverb = (
            self._any([_beside(relation, where, not typology.postpositions)]),
            self._plain("D"),
        )
        outer = [(adverb, typology.adverb_first), (place, typology.place_first)]
        found = []

        # Orders name no subject, and only transitive verbs have an object.
        for kinds, transitive in (("IA", False), ("T", True)):
            for moods, order in ((("IND", "Q"), False), (("IMP", "URG"), True)):
                roles = {"V": self._verb(kinds, moods)}
                if not order:
                    roles["S"] = self._np("ACT" if transitive else "SBJ")
                if transitive:
                    roles["O"] = self._np("PAT")
                core = f" {SPACE} ".join(roles[role] for role in typology.order if role in roles)
                before = [f"({item} {SPACE})?" for item, first in outer if first]
                after = [f"({SPACE} {one})?" for one, first in reversed(outer) if not first]
                found.append(" ".join([*before, core, *after]))

        return self._any(found)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _beside(modifier: str, head: str, first: bool) -> str:
    return f"{modifier} {SPACE} {head}" if first else f"{head} {SPACE} {modifier}"
