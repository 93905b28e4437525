"""The chapters of a grammar sketch that are about sounds: charts, syllables, stress, history and
script.
"""

import base64
from collections.abc import Iterable, Sequence

from .language import Language
from .names import own_name
from .phonology.segments import CONSONANTS, SONORITY, TONES, VOWELS, quality, tone
from .script import svg

# from the lips to the throat
PLACES = (
    "labial",
    "coronal",
    "lateral",
    "palatal",
    "dorsal",
    "uvular",
    "glottal",
    "nasal",
)
HEIGHTS = (("close", 0.8), ("mid", 0.2), ("open", 0.0))
BACKS = (("front", 0.3), ("central", 0.7), ("back", 1.0))
TONE_NAMES = {"˥": "high", "˥˩": "falling", "˩˥": "rising"}
STRESSED = {
    "initial": "The first syllable of a word is stressed.",
    "penultimate": "The last syllable but one of a word is stressed.",
    "final": "The last syllable of a word is stressed.",
    "heaviest": (
        "The first closed syllable of a word is stressed; if there is none, the last but one."
    ),
}
EXAMPLES = ("river", "mother", "mountain", "hawk", "song", "moonlight")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def sound_pages(language: Language) -> list[str]:
    """The segments, syllables and stress of a language."""
    sounds = language.phonology
    frequent = ", ".join(f"/{one}/" for one in sounds.consonants)
    return [
        "## Sounds",
        f"{len(sounds.consonants)} consonants and "
        f"{len(dict.fromkeys(map(quality, sounds.vowels)))} vowels. "
        "Where the spelling differs from the symbol of the International Phonetic Alphabet, it "
        "stands in ‹ ›.",
        consonant_chart(language),
        vowel_chart(language),
        f"From the most to the least frequent: {frequent}.",
        "\n".join(f"- {rule}" for rule in _rules(language)),
        table(["word", "said", "meaning"], _examples(language)),
    ]


def consonant_chart(language: Language) -> str:
    """Consonants by manner, from the least sonorous, and place, from the lips; voiceless before
    voiced.
    """
    own = [CONSONANTS[consonant] for consonant in language.phonology.consonants]
    places = [place for place in PLACES if any(segment.place == place for segment in own)]
    rows = []

    for kind in dict.fromkeys(sorted(SONORITY, key=lambda name: SONORITY[name])):
        cells = [
            sorted(
                (one for one in own if (one.kind, one.place) == (kind, place)),
                key=lambda one: one.voiced,
            )
            for place in places
        ]
        if any(cells):
            rows.append(
                [
                    kind,
                    *(
                        " ".join(_sound(language, item.ipa) for item in cell) or "—"
                        for cell in cells
                    ),
                ]
            )

    return table(
        ["consonants", *("nasal click" if place == "nasal" else place for place in places)], rows
    )


def vowel_chart(language: Language) -> str:
    """Vowels by height and by how far back they are."""
    bases = [VOWELS[fromkey] for fromkey in dict.fromkeys(map(quality, language.phonology.vowels))]
    place = {vowel.ipa: next(name for name, most in BACKS if vowel.back <= most) for vowel in bases}
    height = {
        one.ipa: next(name for name, least in HEIGHTS if one.height >= least) for one in bases
    }

    # The chart of the International Phonetic Alphabet: rows by height, columns from the front.
    rows = []

    for row, _ in HEIGHTS:
        results = [
            [one for one in bases if (height[one.ipa], place[one.ipa]) == (row, column)]
            for column, _ in BACKS
        ]
        if any(results):
            rows.append(
                [
                    row,
                    *(
                        " ".join(_sound(language, one.ipa) for one in cell) or "—"
                        for cell in results
                    ),
                ]
            )

    return table(["vowels", *(name for name, _ in BACKS)], rows)


def _sound(language: Language, segment: str) -> str:
    spelled = language.phonology.letters[segment]
    return f"/{segment}/" if spelled == segment else f"/{segment}/ ‹{spelled}›"


def _rules(language: Language) -> list[str]:
    sounds = language.phonology
    codas = ", ".join(sorted(sounds.spell((coda,)) for coda in sounds.codas))
    onsets = (
        ", ".join(sorted(sounds.spell(onset) for onset in sounds.onsets)) if sounds.clusters else ""
    )
    shape = f"{'(C)(C)' if onsets else '(C)'}V{'(C)' if codas else ''}"
    tones = [
        f"{TONE_NAMES[one]} (a{TONES[one]})"
        for one in dict.fromkeys(map(tone, sounds.vowels))
        if one
    ]
    rules = [
        f"A syllable has the shape {shape}; only the first of a word may lack its consonant.",
        f"It may begin with the clusters {onsets}." if onsets else "There are no clusters.",
        f"It may end in {codas}." if codas else "Every syllable is open.",
        f"Pitch tells words apart: a vowel is {', '.join(tones)} or has no tone."
        if tones
        else "Pitch tells moods apart, not words.",
        STRESSED[sounds.stress],
    ]

    if language.typology.harmony:
        rules.append(
            "Vowel harmony: vowels of affixes are front or back like the nearest vowel of the "
            "stem, where there are both."
        )

    if language.typology.assimilation:
        rules.append(
            "Sandhi: a nasal before the consonant of an affix takes its place, where there is a "
            "nasal of that place."
        )

    return rules


def _examples(language: Language) -> list[list[str]]:
    rows = {row["concept"]: row for row in language.lexicon()}
    return [
        [str(rows[name][key]) for key in ("word", "ipa", "english")]
        for name in EXAMPLES
        if name in rows
    ]


def history_pages(language: Language) -> list[str]:
    """The changes of sound that made a dialect; nothing for a language that is none."""
    if not language.history:
        return []
    return [
        "## History",
        "A dialect: its words come from those of its family, each segment that this body cannot "
        "make having become the most similar "
        "one that it can. Then, in this order:",
        "\n".join(f"{number}. {change}." for number, change in enumerate(language.history, 1)),
        "A word that such a change would have made the same as another kept its older form or was "
        "replaced.",
    ]


def script_pages(language: Language) -> list[str]:
    """How the script works, and a name written in it."""
    name = own_name(language, "sample")
    image = base64.b64encode(
        svg(name.words, label=name.text).replace("currentColor", "#333").encode()
    ).decode()
    return [
        "## Script",
        "One glyph a syllable. The frame is the manner of its consonant (a square for a stop, a "
        "triangle for a fricative, a gate for a "
        "nasal, a diamond for a liquid, an arch for a glide, a cross for a click), the stroke "
        "inside tells the place and a bar the voice. "
        "The mark at the left is the vowel: high for a close one, lying for front, upright for "
        "back, hooked if the lips are round. A "
        "stroke at the right is the tone, a line underneath the stress.",
        f"![{name.text}](data:image/svg+xml;base64,{image})",
        f"*{name.text}*, /{name.ipa}/, “{name.meaning}”: a name.",
    ]
