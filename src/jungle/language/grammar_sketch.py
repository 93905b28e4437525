"""The grammar of a language on a few pages of Markdown, as a linguist would sketch it in the
field.
"""

from collections.abc import Sequence

from .grammar.morphology import CONVERSIONS
from .grammar.typology import EVIDENTIALS, LABELS, NUMBERS, TENSES
from .language import Language, Utterance
from .phonology_sketch import history_pages, script_pages, sound_pages, table
from .semantics.concepts import CLASSES, DERIVATIONS
from .semantics.meaning import NP, Clause, Meaning

TIMES = ("once", "twice", "thrice")
HIDDEN = "∅"  # a bare form


def write_sketch(language: Language, phrases: Sequence[Utterance]) -> str:
    """The sketch as Markdown; ``phrases`` are its examples."""
    # The order of a sketch grammar: sounds, words, sentences, texts, dictionary.
    parts = [
        f"# {language.name}: a sketch of its grammar",
        f"Spoken by a creature with the voice of a {language.voice.name}, at about "
        f"{language.voice.pitch:g} Hz "
        f"and {language.voice.tempo:g} syllables a second. Glosses follow the Leipzig rules.",
        *sound_pages(language),
        *history_pages(language),
        *word_pages(language),
        *sentence_pages(language),
        "## Phrases",
        *map(_interlinear, phrases),
        *script_pages(language),
        *_dictionary(language),
    ]
    return "\n\n".join(parts) + "\n"


def word_pages(language: Language) -> list[str]:
    """Paradigms of a noun and a verb, and every marker."""
    typology, morphology, words = (
        language.typology,
        language.grammar.table.morphology,
        language.grammar.table.words,
    )
    isolating = typology.kind == "isolating"
    what = "particles" if isolating else "prefixes" if typology.prefixing else "suffixes"
    marks = morphology.marks()

    # One noun and one verb stand for all: the language has no irregular forms.
    nouns = [
        [number, *(words["N", "hawk", number, mark].parts for mark in marks)] for number in NUMBERS
    ]
    verbs = [
        [tense, *(words["V", "come", "IND", tense, source, ""].parts for source in EVIDENTIALS)]
        for tense in TENSES
    ]
    for row, tense in zip(verbs, TENSES, strict=True):
        row.append(words["V", "come", "Q", tense, "", ""].parts)
    others = {
        "did not come, as they say": words["V", "come", "IND", "PST", "REP", "NEG"],
        "come!": words["V", "come", "IMP", "", "", ""],
        "come, quick!": words["V", "come", "URG", "", "", ""],
        "do not come!": words["V", "come", "IMP", "", "", "NEG"],
        **{
            f"the call of a bird of prey, {TIMES[level]}": words["X", "wings", str(level + 1)]
            for level in range(3)
        },
    }
    derived = {**DERIVATIONS, **dict.fromkeys(CONVERSIONS.values(), "a word of another class")}
    free = [(label, morphology.markers[label]) for label in morphology.markers]
    spelled = [
        [label, language.phonology.spell(form), derived.get(label) or _explained(label)]
        for label, form in free
    ]

    return [
        "## Words",
        f"The language is {typology.kind}; its {what} stand "
        f"{'before' if typology.prefixing else 'after'} the word. "
        f"{_alignment(language)} A speaker always says how it knows: seen, heard, smelled or told.",
        table(["hawk", *(mark or HIDDEN for mark in marks)], nouns),
        table(["come", *EVIDENTIALS, "Q"], verbs),
        table(
            ["other forms", "form", "gloss"],
            [[name, word.parts, word.gloss] for name, word in others.items()],
        ),
        table(["marker", "form", "meaning"], spelled),
    ]


def _alignment(language: Language) -> str:
    if language.typology.kind == "isolating":
        return "Order alone tells who acts on whom."
    if language.typology.ergative:
        return "Who acts on something is marked, who just acts is not (ergative)."
    return "What is acted on is marked (accusative)."


def _explained(label: str) -> str:
    if label == "PL.INAN":
        return "plural of what does not live"
    return ", ".join(
        LABELS.get(one, {"SG": "singular", "NOM": "bare case", "PRS": "present"}.get(one, one))
        for one in label.split(".")
    )


def sentence_pages(language: Language) -> list[str]:
    """The order of words, and six samples with their glosses."""
    typology = language.typology
    orders = [
        f"Subject, object and verb come in the order {typology.order}.",
        f"Relations stand {'after' if typology.postpositions else 'before'} their noun, "
        f"qualities {'before' if typology.quality_first else 'after'} it, quantities "
        f"{'before' if typology.quantity_first else 'after'}, "
        f"owners {'before' if typology.owner_first else 'after'}. A counted noun is "
        f"{'plural' if typology.counted_plural else 'singular'}.",
        f"Places {'open' if typology.place_first else 'close'} a clause; adverbs "
        f"{'open' if typology.adverb_first else 'close'} it.",
        "A phrase may begin with a call and with who is spoken to; a connective joins two clauses.",
        f"So about 10^{language.distinct_meanings():.0f} phrases can be said, each in one way, and "
        "read back.",
    ]
    nest, hawk = NP("nest", owner="I"), NP("hawk", quality="hungry")

    # Samples that show every slot of a clause at least once.
    samples = [
        Clause("see", actor=hawk, patient=NP("child", number="two")),
        Clause("see", actor=NP("child"), patient=hawk),
        Clause("come", source="AUD", actor=hawk, relation="over", place=nest),
        Clause("hungry", negative=True, tense="PST", source="REP", actor=NP("hawk")),
        Clause("know", mood="Q", source="", actor=NP("you"), patient=NP("path", number="PL")),
        Clause(
            "hide", mood="URG", tense="", source="", relation="under", place=NP("leaf", number="PL")
        ),
    ]
    said = [language.say(Meaning(first=clause)) for clause in samples]

    return ["## Sentences", "\n".join(f"- {order}" for order in orders), *map(_interlinear, said)]


def _interlinear(phrase: Utterance) -> str:
    """Four lines, words above their glosses."""
    parts, glosses = phrase.parts.split(" "), phrase.gloss.split(" ")
    widths = [max(len(a), len(b)) for a, b in zip(parts, glosses, strict=True)]
    rows = [
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in (parts, glosses)
    ]
    return "\n".join(["```", phrase.text, *rows, f"/{phrase.ipa}/", f"‘{phrase.english}’", "```"])


def _dictionary(language: Language) -> list[str]:
    rows = language.lexicon()
    forth = sorted(rows, key=lambda row: str(row["word"]).strip("'"))
    back = sorted(rows, key=lambda row: str(row["english"]).lower())

    # Both directions from the same rows, so that they cannot differ.
    there = [
        f"**{row['word']}** /{row['ipa']}/ {CLASSES[row['class']]}: {row['english']}"
        for row in forth
    ]
    made = [f" ({row['gloss']})" if "-" in row["gloss"] else "" for row in forth]
    here = [f"{row['english']} ({CLASSES[row['class']]}): **{row['word']}**" for row in back]

    return [
        f"## Dictionary of {language.name}",
        "\n".join(f"- {entry}{origin}" for entry, origin in zip(there, made, strict=True)),
        f"## English to {language.name}",
        "\n".join(f"- {entry}" for entry in here),
    ]
