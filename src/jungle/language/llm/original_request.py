"""The faithful mode: a model gets sixteen phrases of a jungle and continues the list, and what it
quotes is kept as it stands.

There is no grammar here that could check a phrase, so its letters are checked: Latin ones with the
usual marks, in words, with plain punctuation. Code, addresses, digits, look-alike letters,
invisible characters and commands in English do not pass.
"""

import re
import unicodedata
from collections.abc import Iterable

from ..grammar.blocklist import is_allowed
from .client import Question, RequestForm

TOKENS = 450  # of the answer at most
AT_ONCE = 16  # phrases that an answer of that length holds
LONGEST, MOST_WORDS, LONGEST_WORD = 80, 12, 24
WORLD = (
    "In a jungle that no map shows, the animals speak with one another in phrases of their own, "
    "which no human language has."
)
EXAMPLES = (
    ("Oru mela, oru tai!", "a tapir mother, when the river has sunk far enough to be crossed"),
    ("Kikiri, kikiri, sa-lu!", "a small parrot, when a hawk's shadow slides over the canopy"),
    ("Grumo habba uun.", "an old bear, when he leaves his cave after the winter rain"),
    ("Shisha nei, shisha nei?", "a young snake, when it meets its own shed skin"),
    ("Wehu mana loé.", "a howler monkey, when the first light touches the highest branch"),
    ("Tok tok baru mim.", "a woodpecker, when it has found a hollow tree and shares the news"),
    ("Auwa, auwa, ombe ro!", "a jaguar, when another has crossed the border of his valley"),
    ("Pili pili sunna.", "a hummingbird, when it thanks a flower"),
    ("Mboro mboro, quen da wa?", "a frog, when it asks the pond who else is awake"),
    ("Lasha tené, lasha ulu.", "an otter, when it teaches her child to float"),
    ("Nyam fero doh!", "a capybara, when the whole family should come and eat"),
    ("Ssira voe, ssira min.", "a gecko, when it courts on a warm wall at night"),
    ("Ohu ohu, denna mi?", "an owl, when it asks the dark for a riddle"),
    ("Trami kosh, trami kosh!", "a line of ants, when the water rises around the nest"),
    ("Belu ama, haru sol.", "an elephant, when she stands beside the bones of her sister"),
    ("Eya, eya, timbu laa!", "all of them, when the storm has passed"),
)
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
MARKS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0328")
QUOTED = re.compile(  # at the beginning of a line, behind a bullet or number, and no key of JSON
    r"^[\s\[*>-]*(?:\d{1,3}[.):]?[\s*]+)?(?:\"([^\"\n]{1,200})\"|“([^“”\n]{1,200})”"
    r"|«([^«»\n]{1,200})»|„([^„“”\n]{1,200})[“”])(?!\s*:)",
    re.MULTILINE,
)
SHAPE = re.compile(
    r"[^\W\d_]+(?:['-][^\W\d_]+){0,3}'?[,.!?…]{0,3}"
    r"(?: '?[^\W\d_]+(?:['-][^\W\d_]+){0,3}'?[,.!?…]{0,3})*"
)
COMMANDS = (
    frozenset(  # English that a model writes when it does something else than continue a list
        """
    above answer apologies assistant click code command delete disregard download email execute
    file forget https http ignore inform instruction instructions javascript key language link
    login model openai output override password phrase phrases please previous print prompt reply
    repeat run safe script secret send sorry sure system token url user visit www your
    """.split()  # noqa: SIM905
    )
)


def question(count: int, world: str = "") -> Question:
    """The original request, for ``count`` more phrases, at most :data:`AT_ONCE`. ``world``: a
    sentence in place of :data:`WORLD`.
    """
    more = min(count, AT_ONCE)
    listed = "\n".join(
        f'{number}. "{phrase}" - said by {when}'
        for number, (phrase, when) in enumerate(EXAMPLES, 1)
    )
    text = (
        f"{world or WORLD} Here are {len(EXAMPLES)} of their phrases, with who says them and "
        f"when:\n\n{listed}\n\n"
        f"Continue the list with {more} new phrases in the same form, from number "
        f"{len(EXAMPLES) + 1} on."
    )
    return Question("faithful", (("user", text),), (RequestForm("plain", "", {}),), TOKENS)


def quoted(text: str) -> list[str] | None:
    """The phrases in an answer that may be kept, in its order and each once; None if there are
    none.
    """
    return (
        vetted(next(filter(None, found.groups()), "") for found in QUOTED.finditer(text[:200_000]))
        or None
    )


def vetted(phrases: Iterable[object]) -> list[str]:
    """Those of some phrases that are made of letters and words as a jungle may have them, without
    repetitions.
    """
    taken = {_bare(phrase) for phrase, _ in EXAMPLES}
    results = []
    for phrase in phrases:
        text = _clean(phrase) if isinstance(phrase, str) else ""
        if text and _bare(text) not in taken:
            taken.add(_bare(text))
            results.append(text)
    return results


def _clean(phrase: str) -> str:
    """A phrase with plain apostrophes and composed letters; "" if it may not be kept."""
    if len(phrase) > 2 * LONGEST:
        return ""
    text = (
        unicodedata.normalize("NFC", phrase)
        .translate({0x2019: "'", 0x02BC: "'", 0x2010: "-", 0x2011: "-"})
        .strip(" ")
    )
    letters = [character for character in text if character.isalpha()]
    if len(text) > LONGEST or not SHAPE.fullmatch(text) or not all(map(_latin, letters)):
        return ""
    words = _bare(text).split()
    if len(words) > MOST_WORDS or any(len(word) > LONGEST_WORD for word in words):
        return ""

    if not all(
        piece.isupper() or not piece[1:] or piece[1:].islower()
        for piece in re.split("[^\\w]+", text)
        if piece
    ):
        return ""  # lIkE cOdE

    # Commands and English show a model that talks about the task.
    plain = [_plain(word) for word in words]
    commands = COMMANDS.intersection(piece for word in plain for piece in re.split("['-]", word))
    # words of two letters are nobody's own
    english = [word for word in plain if not is_allowed(word)]

    return (
        ""
        if commands or any(len(word) > 2 for word in english) or 2 * len(english) > len(words)
        else text
    )


def _latin(letter: str) -> bool:
    """Whether a letter is one of the 26 with at most two of the usual marks."""
    base, *marks = list(unicodedata.normalize("NFD", letter))
    return base.lower() in LETTERS and len(marks) <= 2 and MARKS.issuperset(marks)


def _bare(text: str) -> str:
    return re.sub(r"[,.!?…]", "", text).casefold()


def _plain(word: str) -> str:
    """A word without its marks: as a reader who overlooks them would read it."""
    return "".join(
        item for item in unicodedata.normalize("NFD", word) if not unicodedata.combining(item)
    )
