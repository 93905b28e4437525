"""The words of a language: roots that suit their meaning a little, derivations, compounds; never
two meanings for one form.
"""

from ...errors import BadInput
from ...seeds import NamedRandom
from ..phonology.phonology import Bias, Phonology, even, vowel_depth
from ..phonology.segments import CONSONANTS, SONORITY, is_vowel
from ..semantics.concepts import DERIVATIONS, Concept
from .morphology import (
    CONVERSIONS,
    Heritage,
    Morph,
    Morphology,
    Morphs,
    make_markers,
    marker_labels,
)
from .typology import Typology
from .word_table import WordTable

ATTEMPTS = 60  # forms tried for a concept; half way they grow by a syllable
LONGEST_STEM = 5  # syllables of a derived word; a longer one is given a root of its own
# by use
SYLLABLES = {
    1: ((1, 2), (0.45, 0.55)),
    2: ((1, 2, 3), (0.1, 0.8, 0.1)),
    3: ((2, 3), (0.8, 0.2)),
    4: ((2, 3), (0.4, 0.6)),
}


def make_table(
    phonology: Phonology,
    typology: Typology,
    known: dict[str, Concept],
    dice: NamedRandom,
    inherited: Heritage | None = None,
) -> WordTable:
    """All words of a language.

    Args:
        phonology: its sounds.
        typology: its grammar.
        known: the concepts.
        dice: chance.
        inherited: what a dialect has from its family; taken unless it would be a homophone or
            cannot be said.

    Raises:
        BadInput: the sounds do not suffice to tell so many concepts apart.
    """
    for attempt in range(20):
        markers = make_markers(phonology, typology, dice, inherited if attempt < 5 else None)
        table = WordTable(Morphology(phonology, typology, markers))
        if table.morphology.sound():
            break

    if typology.kind == "isolating" and not table.add_particles(_particles(typology)):
        raise BadInput(
            "These sounds do not suffice for the particles of a language: give the voice more that "
            "it can do."
        )

    # Frequent words first: they get the short forms (Zipf 1949).
    calls: list[str] = []
    by_use = sorted(
        known.values(),
        key=lambda concept: (bool(concept.parts), concept.kind not in "X", concept.use),
    )

    waiting = list(by_use)
    while waiting:
        later = []
        for concept in waiting:
            if any(part not in table.stems and part not in DERIVATIONS for part in concept.parts):
                later.append(concept)
            else:
                _name(table, concept, dice, inherited, calls)

        # No concept could be made of what is there, so none ever will be.
        if len(later) == len(waiting):
            raise BadInput(
                f"The concepts {', '.join(one.name for one in later)} are made of one another: "
                "make one of them a root."
            )
        waiting = later

    return table


def _particles(typology: Typology) -> list[str]:
    return [
        label
        for label in marker_labels(typology)
        if label not in DERIVATIONS and label not in CONVERSIONS.values()
    ]


def _name(
    table: WordTable,
    concept: Concept,
    dice: NamedRandom,
    inherited: Heritage | None,
    calls: list[str],
) -> None:
    """Find a word for a concept and take it into the table."""
    phonology = table.morphology.phonology

    def apart(text: str) -> bool:
        return all(_differ(text, other) for other in calls)

    fits = apart if concept.kind == "X" else None
    if concept.parts:
        stem = made_of(table, concept)
        if sum(
            is_vowel(item) for morph in stem for item in morph.form
        ) <= LONGEST_STEM and table.add(concept, stem):
            return

    # A dialect has the word of its family, if its sounds still tell it from others.
    for root in inherited(concept.name) if inherited else ():
        if root and table.add(concept, (Morph(root, concept.name, ""),), fits):
            if concept.kind == "X":
                calls.append(phonology.spell(root))
            return
    bias, free = (
        symbolism(concept, phonology),
        concept.kind == "N" and not table.morphology.typology.prefixing,
    )

    # Short forms first, longer ones when they are taken.
    for attempt in range(ATTEMPTS):
        count = (
            dice.weighted(*SYLLABLES[concept.use])
            + (attempt > ATTEMPTS // 4)
            + (attempt > ATTEMPTS // 2)
        )
        form = phonology.root(dice, count, bias)
        if (free or not is_vowel(form[0])) and table.add(
            concept, (Morph(form, concept.name, ""),), fits
        ):
            if concept.kind == "X":
                calls.append(phonology.spell(form))
            return
    raise BadInput(
        f"These sounds do not suffice for a word for {concept.name!r}: give the voice more that it "
        "can do."
    )


def made_of(table: WordTable, concept: Concept) -> Morphs:
    """The stem of a derivation or compound: its morphs stay visible in glosses."""
    morphology = table.morphology
    first, *rest = concept.parts
    stem = _stem(table, first)

    for part in rest or [CONVERSIONS[concept.kind]]:
        # A derivation is an affix; anything else is the other half of a compound.
        if part in morphology.markers:
            affix = Morph(morphology.harmonised(morphology.markers[part], stem), part)
            stem = (
                morphology.joined(affix, stem)
                if morphology.typology.prefixing
                else morphology.joined(stem, affix)
            )
        else:
            other = _stem(table, part)
            both = (stem, other) if morphology.typology.head_last else (other, stem)
            stem = morphology.joined(both[0], (both[1][0]._replace(joint="-"), *both[1][1:]))

    return stem


def _stem(table: WordTable, name: str) -> Morphs:
    stem = table.stems[name]
    return (stem[0]._replace(joint=""), *stem[1:])


def symbolism(concept: Concept, phonology: Phonology) -> Bias:
    """Sounds that suit a meaning, half again as likely: small is high and front, big is low, danger
    rasps (Blasi et al. 2016).
    """
    tags = concept.tags
    if not tags & {"small", "big", "bright", "danger", "soft"}:
        return even

    # Sound symbolism (Ohala 1994; Dingemanse et al. 2015), as a bias and no rule.
    smooth = SONORITY["nasal"]

    def bias(segment: str) -> float:
        """How much likelier than others the segment becomes, as a factor."""
        weight = 1.0
        if is_vowel(segment):
            depth = vowel_depth(segment)
            weight *= 2.0 if tags & {"small", "bright"} and depth < 0.3 else 1.0
            weight *= 2.0 if "big" in tags and depth > 0.5 else 1.0
        else:
            sonority = CONSONANTS[segment].sonority
            weight *= 1.8 if "danger" in tags and sonority < smooth else 1.0
            weight *= 1.8 if "soft" in tags and sonority >= smooth else 1.0
        return weight

    return bias


def _differ(one: str, other: str) -> bool:
    """Whether two words differ by more than one letter: calls of alarm must not be misheard."""
    if one.startswith(other * 2) or other.startswith(one * 2):
        return True
    if abs(len(one) - len(other)) > 1:
        return True
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) > 1
    short, long = sorted((one, other), key=len)
    return all(long[:index] + long[index + 1 :] != short for index in range(len(long)))
