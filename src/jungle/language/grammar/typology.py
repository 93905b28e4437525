"""The kind of grammar that a family of languages has: drawn once a family, with the weights of
human languages where they are known.
"""

from dataclasses import dataclass

from ...seeds import NamedRandom

# Dryer 2013, World Atlas of Language Structures 81A, 85A, 86A, 87A; counts of languages, rounded.
ORDERS = {"SOV": 564, "SVO": 488, "VSO": 95, "VOS": 25, "OVS": 11, "OSV": 4}
KINDS = {"agglutinating": 45, "fusional": 25, "isolating": 30}
NUMBERS = ("SG", "PL")
TENSES = ("PRS", "PST", "FUT")
EVIDENTIALS = ("VIS", "AUD", "OLF", "REP")
MOODS = ("IND", "IMP", "URG", "Q")
CASES = ("ACT", "SBJ", "PAT", "LOC", "VOC", "POSS")
LABELS = {
    "PL": "plural",
    "ACC": "accusative: what is acted on",
    "ERG": "ergative: who acts on something",
    "LOC": "locative: where",
    "VOC": "vocative: who is spoken to",
    "POSS": "possessor",
    "PST": "past",
    "FUT": "future",
    "NEG": "negative",
    "IMP": "imperative",
    "URG": "urgent imperative",
    "Q": "question",
    "VIS": "seen by the speaker",
    "AUD": "heard",
    "OLF": "smelled",
    "REP": "told by others",
    "ALARM": "each repetition is a level of alarm",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Typology:
    """The choices of one family."""

    kind: str  # a key of KINDS
    order: str  # of subject, object and verb: a key of ORDERS
    prefixing: bool  # affixes and particles stand before their word
    ergative: bool
    postpositions: bool
    quality_first: bool  # in front of its noun
    quantity_first: bool
    owner_first: bool
    place_first: bool  # at the beginning of the clause, or at its end
    adverb_first: bool
    head_last: bool  # in compounds
    counted_plural: bool  # "two hawks", or "two hawk"
    harmony: bool  # vowels of affixes follow the last vowel of the root
    assimilation: bool  # a nasal at the end of a syllable follows the next consonant

    @property
    def verb_first(self) -> bool:
        """Whether the verb comes before its object: most other orders follow it."""
        return self.order.index("V") < self.order.index("O")


def draw_typology(dice: NamedRandom, *, kind: str = "", order: str = "") -> Typology:
    """A grammar; ``kind`` and ``order`` fix what would be drawn."""
    kind = kind or dice.weighted(list(KINDS), list(KINDS.values()))
    order = order or dice.weighted(list(ORDERS), list(ORDERS.values()))
    verb_first = order.index("V") < order.index("O")

    # Word orders go together: verb-object languages put relations before the noun (Dryer 1992).
    def harmonic(follows: bool, share: float) -> bool:
        return follows if dice.random() < share else not follows

    return Typology(
        kind=kind,
        order=order,
        prefixing=dice.random() < 0.25,
        ergative=kind != "isolating" and dice.random() < 0.25,
        postpositions=harmonic(not verb_first, 0.93),
        quality_first=harmonic(not verb_first, 0.55),
        quantity_first=dice.random() < 0.45,
        owner_first=harmonic(not verb_first, 0.85),
        place_first=dice.random() < 0.3,
        adverb_first=dice.random() < 0.4,
        head_last=harmonic(not verb_first, 0.7),
        counted_plural=dice.random() < 0.5,
        harmony=kind != "isolating" and dice.random() < 0.25,
        assimilation=dice.random() < 0.35,
    )
