"""Languages that can be read back: over voices and kinds of grammar, with nothing of the parser
trusted in the checks.
"""

import ast
import dataclasses
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pytest

from jungle.errors import BadInput
from jungle.language.dialects import SoundChange, kinship, make_dialect
from jungle.language.english.sentences import EnglishGenerator
from jungle.language.export import MOST, array, utterances, write_language
from jungle.language.grammar.blocklist import is_allowed
from jungle.language.grammar.syntax import NotInLanguage
from jungle.language.grammar.typology import EVIDENTIALS, KINDS, MOODS, ORDERS, TENSES
from jungle.language.language import Language
from jungle.language.names import binomial, own_name
from jungle.language.phonology.phonology import vowel_depth
from jungle.language.phonology.segments import CONSONANTS, TONES, VOWELS, is_vowel
from jungle.language.phonology.vocal_tract import AXES, VOICES, measured_voice, voice_named
from jungle.language.prosody_plan import make_plan
from jungle.language.script import decode, glyph, svg
from jungle.language.semantics.concepts import concepts
from jungle.language.semantics.meaning import NP, Clause, Meaning, violations
from jungle.prosody import Plan
from jungle.seeds import NamedRandom

KNOWN = concepts()
ALL = [(voice, kind) for voice in VOICES for kind in KINDS]
# every voice, every kind; not every pair, for the sake of time
CELLS = [cell for place, cell in enumerate(ALL) if place % 4 != 3]


@cache
def language(voice: str, kind: str) -> Language:
    place = ALL.index((voice, kind))
    return Language(place, VOICES[voice], kind=kind, order=list(ORDERS)[place % 6])


@cache
def names(kinds: str) -> list[str]:
    return [one.name for one in KNOWN.values() if one.kind in kinds]


def random_np(dice: NamedRandom) -> NP:
    noun = dice.choice(names("N"))
    if KNOWN[noun].tags & {"pronoun", "asking"}:
        return NP(noun)
    return NP(
        noun,
        dice.choice(["SG", "PL", *names("Q")]),
        dice.choice(["", dice.choice(names("A"))]),
        dice.choice(["", "", dice.choice(names("N"))]),
    )


def random_clause(dice: NamedRandom) -> Clause:
    verb, mood, placed = dice.choice(names("ITA")), dice.choice(MOODS), dice.random() < 0.4
    order = mood in ("IMP", "URG")
    return Clause(
        verb,
        mood,
        "" if order else dice.choice(TENSES),
        dice.choice(EVIDENTIALS) if mood == "IND" else "",
        dice.random() < 0.3,
        None if order else random_np(dice),
        random_np(dice) if KNOWN[verb].kind == "T" else None,
        dice.choice(names("P")) if placed else "",
        random_np(dice) if placed else None,
        dice.choice(["", dice.choice(names("D"))]),
    )


def random_meaning(dice: NamedRandom) -> Meaning:
    """Any meaning at all, sensible or not."""
    call = dice.choice(["", dice.choice(names("X"))])
    first = random_clause(dice) if not call or dice.random() < 0.9 else None
    second = random_clause(dice) if first and dice.random() < 0.4 else None
    to = random_np(dice) if dice.random() < 0.4 else None
    return Meaning(
        call,
        1 + dice.below(3) if call else 0,
        to,
        first,
        dice.choice(names("C")) if second else "",
        second,
    )


MEANINGS = [random_meaning(NamedRandom("meanings", number)) for number in range(60)]


@pytest.mark.parametrize(("voice", "kind"), CELLS)
def test_whatever_is_meant_is_read_back(voice: str, kind: str) -> None:
    spoken = language(voice, kind)
    for meaning in MEANINGS:
        assert not violations(meaning, KNOWN)
        phrase = spoken.say(meaning)
        assert spoken.parse(phrase.text) == meaning
    for index in range(40):
        phrase = spoken.phrase(index)
        assert spoken.parse(phrase.text) == phrase.meaning


@pytest.mark.parametrize(("voice", "kind"), CELLS)
def test_no_form_has_two_meanings_and_every_form_can_be_said(voice: str, kind: str) -> None:
    spoken = language(voice, kind)
    table, sounds = spoken.grammar.table, spoken.phonology
    by_text: dict[str, set[object]] = {}
    for key, word in table.words.items():
        by_text.setdefault(word.text, set()).add(key)
        for token in word.text.split():
            assert is_allowed(token), token
    assert all(len(keys) == 1 for keys in by_text.values())
    for text in sorted(table.reading)[::5]:
        form = sounds.decode(text)
        assert form is not None
        assert sounds.spell(form) == text
        syllables = sounds.syllables(form)
        assert syllables is not None
        for syllable in syllables:  # rises to one vowel, falls after it
            peak = [place for place, one in enumerate(syllable) if is_vowel(one)]
            assert len(peak) == 1
            rising = [CONSONANTS[one].sonority for one in syllable[: peak[0]]]
            assert all(b - a >= 2 for a, b in itertools.pairwise(rising))
            assert set(syllable[peak[0] + 1 :]) <= sounds.codas
    for segment in sounds.consonants:
        assert CONSONANTS[segment].fits(spoken.voice) > 0


@pytest.mark.parametrize(("voice", "kind"), CELLS)
def test_glosses_follow_leipzig_and_plans_fit_a_breath(voice: str, kind: str) -> None:
    spoken = language(voice, kind)
    for index in range(20):
        phrase = spoken.phrase(index)
        lines = [line.split(" ") for line in (phrase.text, phrase.parts, phrase.gloss, phrase.ipa)]
        assert len({len(line) for line in lines}) == 1  # rule 1
        for text, parts, gloss, _ in zip(*lines, strict=True):
            assert re.sub("[-~]", "", parts) == text
            assert re.findall("[-~]", parts) == re.findall("[-~]", gloss)  # rules 2 and 10
        plan = spoken.plan(phrase)
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
        assert "".join(one.text for one in plan.syllables) == phrase.text.replace(" ", "")
        assert len(plan.syllables) <= spoken.voice.breath


def test_the_last_syllable_of_a_question_rises_and_moods_differ() -> None:
    spoken = language("primate", "agglutinating")
    words = spoken.phrase(0).words
    asked, told = (
        make_plan(words, spoken.voice, "calm", spoken.phonology.letters, question=question)
        for question in (True, False)
    )
    assert asked.syllables[-1].pitch > told.syllables[-1].pitch
    assert asked.syllables[:-1] == told.syllables[:-1]
    clause = Meaning(first=Clause("come", actor=NP("hawk")))
    angry, sad = (spoken.plan(spoken.say(clause, mood=mood)) for mood in ("angry", "sad"))
    assert angry.seconds < sad.seconds
    assert angry.syllables[0].noise > sad.syllables[0].noise


def test_english_reads_like_english() -> None:
    english = EnglishGenerator(KNOWN)
    drawn = [language(*cell).phrase(index).english for cell in CELLS for index in range(36)]
    assert not [sentence for sentence in drawn if re.search(r"\b(\w+) \1\b", sentence)]
    for sentence in [*drawn, *map(english.sentence, MEANINGS)]:
        assert re.fullmatch(r"[A-Z][A-Za-z',:. !?]*[.!?]", sentence), sentence
        assert not re.search(r"  | [.,!?]|,,|[.!?]{2}|\ba [aeiou]|\ban [^aeiou]", sentence), (
            sentence
        )
        assert all(part[0].isupper() for part in re.split(r"[.!?] ", sentence)), sentence


@pytest.mark.parametrize(
    ("meaning", "sentence"),
    [
        (
            Clause(
                "circle",
                source="AUD",
                actor=NP("hawk"),
                relation="over",
                place=NP("nest", owner="I"),
            ),
            "I hear a hawk circling over my nest.",
        ),
        (
            Clause("hunt", tense="PST", source="REP", actor=NP("wolf", "two"), patient=NP("I")),
            "Two wolves hunted me, they say.",
        ),
        (Clause("see", "Q", source="", actor=NP("you"), patient=NP("what")), "What do you see?"),
        (Clause("hungry", negative=True, actor=NP("I")), "I'm not hungry."),
        (
            Clause("hide", "URG", "", "", relation="under", place=NP("leaf", "PL")),
            "Hide under the leaves, quick!",
        ),
        (
            Clause("lead", tense="FUT", actor=NP("mother"), patient=NP("child", "PL", "young")),
            "Mother will lead young children.",
        ),
        (
            Clause("seek", actor=NP("elder", "PL"), patient=NP("fruit", "many", "ripe")),
            "The old ones are looking for many ripe fruits.",
        ),
    ],
)
def test_english_of_known_sentences(meaning: Clause, sentence: str) -> None:
    said = EnglishGenerator(KNOWN).sentence(Meaning(first=meaning))
    for one, other in (
        ("I can hear", "I hear"),
        ("I am not", "I'm not"),
        ("I am told", "They say"),
        ("Word has it that", "They say"),
    ):
        said = said.replace(one, other)  # wordings that the meaning decides between
    assert said == sentence


def test_texts_that_are_no_phrases_are_refused() -> None:
    spoken = language("frog", "fusional")
    phrase = next(one for one in map(spoken.phrase, range(99)) if len(one.text.split()) > 4)
    words = phrase.text.split()
    wrong = [
        "",
        " ",
        words[0] + " <script>",
        phrase.text.replace("a", "а"),  # the Cyrillic letter
        phrase.text + "\u200b",
        " ".join([*words, "x" * 100_000]),
        "The hawk is coming.",
        language("songbird", "fusional").phrase(0).text,
    ]
    for text in wrong:
        with pytest.raises(NotInLanguage) as caught:
            spoken.parse(text)
        assert len(str(caught.value)) < 300
    # words left out or put elsewhere: refused, or read as what they now mean
    for one in range(len(words)):
        for mutant in (words[:one] + words[one + 1 :], words[one:] + words[:one]):
            try:
                read = spoken.parse(" ".join(mutant))
            except NotInLanguage:
                continue
            assert spoken.grammar.text(read) == " ".join(mutant)
    assert spoken.parse(f"  {phrase.text.upper()}! ") == phrase.meaning


PROGRAM = """
import hashlib, sys
from jungle.language.language import Language
from jungle.language.export import array, record
from jungle.language.grammar_sketch import write_sketch
from jungle.language.phonology.vocal_tract import VOICES
import json
spoken = Language(1, VOICES["frog"])
phrases = list(spoken.phrases(16))
text = array(phrases) + json.dumps([record(spoken, one) for one in phrases], sort_keys=True) + write_sketch(spoken, phrases)
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_the_same_bytes_under_any_hash_seed() -> None:
    found = set()
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
        )
        assert not run.stderr
        found.add(run.stdout)
    assert len(found) == 1


def test_phrases_by_index_do_not_depend_on_the_others() -> None:
    spoken = language("rodent", "isolating")
    straight = [spoken.phrase(index) for index in range(30)]
    assert [spoken.phrase(index) for index in reversed(range(30))] == straight[::-1]
    assert len({phrase.intent for phrase in straight[:16]}) == 16


def test_files_of_a_language(tmp_path) -> None:
    spoken = language("songbird", "agglutinating")
    phrases = list(spoken.phrases(16))
    digests = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        paths = write_language(folder, spoken, phrases)
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]
    text = (tmp_path / "a" / "animal_language.txt").read_text("utf-8")
    assert json.loads(text) == ast.literal_eval(text) == [phrase.text for phrase in phrases]
    assert len(set(json.loads(text))) == 16
    records = json.loads((tmp_path / "a" / "phrases.json").read_text("utf-8"))
    assert all(Plan.from_json(one["prosody"]).seconds <= 4 for one in records)
    words = json.loads((tmp_path / "a" / "lexicon.json").read_text("utf-8"))["words"]
    assert len(words) == len(KNOWN)
    grammar = (tmp_path / "a" / "grammar.md").read_text("utf-8")
    assert all(
        phrase.gloss.split()[0] in grammar and phrase.english in grammar for phrase in phrases
    )
    assert re.search(r"(?m)^\| PRS ", grammar)


def test_speak_refuses_what_it_cannot() -> None:
    assert array(utterances(1, "insect", 3)).count("\n") == 5
    with pytest.raises(BadInput, match="no voice 'unicorn'"):
        utterances(1, "unicorn", 3)
    for count in (0, MOST + 1):
        with pytest.raises(BadInput, match="ask for"):
            utterances(1, "frog", count)


def test_a_change_of_sound_is_regular() -> None:
    assert SoundChange("t", "d", "between vowels").apply(("t", "a", "t", "a", "t")) == (
        "t",
        "a",
        "d",
        "a",
        "t",
    )
    assert SoundChange("a", "o", "at the end").apply(("a", "t", "a")) == ("a", "t", "o")


@pytest.mark.parametrize(
    ("kind", "voice"), [("agglutinating", "rodent"), ("fusional", "songbird"), ("isolating", "cat")]
)
def test_dialects_are_kin_and_as_sound_as_any_language(kind: str, voice: str) -> None:
    family = language("rodent", kind)
    dialect = make_dialect(family, 1, VOICES[voice])
    spoken = dialect.language
    assert spoken.typology == family.typology
    assert len(dialect.changes) == 3
    assert spoken.grammar.table.stems != family.grammar.table.stems
    for meaning in MEANINGS[:40]:
        assert spoken.parse(spoken.say(meaning).text) == meaning
    if voice == "rodent":
        assert dialect.shared(family) > 0.6
        assert (
            kinship(family, spoken) > 0.5 > 0.25 > kinship(family, language("rodent", "isolating"))
        )


def test_alarms_cannot_be_misheard() -> None:
    for cell in CELLS[::5]:
        words = language(*cell).grammar.table.words
        calls = [words["X", name, "1"].text for name in names("X")]
        for one, other in itertools.combinations(calls, 2):
            if len(one) == len(other):
                assert sum(a != b for a, b in zip(one, other, strict=True)) > 1, (one, other)


def test_no_two_syllables_share_a_glyph() -> None:
    syllables = [
        (*onset, vowel, *coda)
        for onset in [(), *((c,) for c in CONSONANTS)]
        for vowel in VOWELS
        for coda in [(), ("m",), ("s",)]
    ]
    syllables += [("k", second, "a" + mark) for second in CONSONANTS for mark in TONES]
    assert len(
        {glyph(one, stressed=stressed) for one in syllables for stressed in (False, True)}
    ) == 2 * len(syllables)


def test_the_script_is_decodable() -> None:
    for cell in CELLS[::4]:
        spoken = language(*cell)
        seen = {}
        for index in range(12):
            for word in spoken.phrase(index).words:
                for syllable, stressed in word.syllables:
                    path = glyph(syllable, stressed=stressed)
                    assert seen.setdefault(path, (syllable, stressed)) == (syllable, stressed)
        for path, meant in list(seen.items())[:12]:
            assert decode(path, spoken.phonology) == meant
        phrase = spoken.phrase(0)
        root = ET.fromstring(svg(list(phrase.words), label="<a & 'b'>"))
        assert len(root.findall("{*}path")) == sum(len(word.syllables) for word in phrase.words)
        assert root.findtext("{*}title") == "<a & 'b'>"
    with pytest.raises(BadInput, match="no syllable"):
        decode("M0 0", spoken.phonology)


def test_names() -> None:
    assert binomial({"cat": 0.8, "panda": 0.2}) == "Felis ailuropus"
    assert binomial({"panda": 0.5, "snow leopards": 0.5}) == "Ailuropus pardinus"
    assert binomial({"blob": 1.0}) == "Mirabilis mirabilis" == binomial({})
    spoken = language("primate", "fusional")
    name = own_name(spoken, 4)
    assert name == own_name(spoken, 4)
    assert re.fullmatch(r"[^\W\d_][\w']* [^\W\d_][\w']*", name.text)


def test_the_voice_is_audible_in_the_sounds() -> None:
    depth = {}
    for voice in ("rodent", "frog"):
        vowels = [one for kind in KINDS for one in language(voice, kind).phonology.vowels]
        depth[voice] = sum(map(vowel_depth, vowels)) / len(vowels)
    assert depth["frog"] > depth["rodent"] + 0.1
    for kind in KINDS:
        assert not set("pbmfvw") & set(language("songbird", kind).phonology.consonants)
        assert not set("szʃʒ") & set(language("frog", kind).phonology.consonants)
        assert set("ǀǃǁ") & set(language("whale", kind).phonology.consonants)


def test_a_measured_voice_lies_between() -> None:
    body = voice_named("cat")
    high = measured_voice("whistler", body, pitch=4000, tonality=1.0, flatness=0.0, pulses=0.0)
    assert high.tone > body.tone
    assert high.depth < body.depth
    assert high.pulse < body.pulse
    Language(1, high)
    mute = dataclasses.replace(body, name="stone", **dict.fromkeys(AXES, 0.0))
    with pytest.raises(BadInput, match="'stone' can say only 0 consonants"):
        Language(1, mute)
    with pytest.raises(BadInput, match="pitch"):
        measured_voice("nothing", body, pitch=0, tonality=1, flatness=0, pulses=0)


def test_concepts_and_intents_can_be_added_and_are_checked() -> None:
    more = "kettle\tN\t4\tkettle\tthing\t\n"
    intent = (
        '[tea]\nmood = "glad"\nsay = ["verb=want tense=PRS source=VIS actor=I patient=kettle"]\n'
    )
    spoken = Language(1, VOICES["primate"], more_concepts=more, more_intents=intent)
    phrase = next(one for one in map(spoken.phrase, range(60)) if one.intent == "tea")
    assert phrase.english == "I want a kettle."
    for bad in ("hawk\tN\t1\thawk\t\t\n", "x\tN\t9\tx\t\t\n", "x\tN\t1\tx\t\tnothing+hawk\n"):
        with pytest.raises(BadInput):
            concepts(bad)
    for bad in (
        '[tea]\nmood = "glad"\nsay = ["verb=want actor=I"]',
        '[tea]\nmood = "odd"\nsay = []',
        "[tea",
        '[tea]\nmood = "glad"\nsay = ["colour=red"]',
    ):
        with pytest.raises(BadInput):
            Language(1, VOICES["primate"], more_intents=bad)


def test_the_command_writes_the_same_files_twice(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "jungle",
        "language",
        "--seed",
        "1",
        "-n",
        "16",
        "--voice",
        "frog",
        "--json",
    ]
    for hash_seed, out in (("0", "one"), ("7", "two")):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [*command, "--out", out],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    names = ["animal_language.txt", "grammar.md", "lexicon.json", "phrases.json"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == names
    assert all(
        (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        for name in names
    )
    phrases = json.loads((tmp_path / "one" / "animal_language.txt").read_text(encoding="utf-8"))
    assert len(phrases) == len(set(phrases)) == 16


@pytest.mark.parametrize(
    "wrong", ["-n 0", "-n 10000000", "--voice yeti", "-o steps=3", "--out file.txt/x"]
)
def test_a_wrong_language_is_one_sentence(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "file.txt").write_text("here")
    command = [sys.executable, "-m", "jungle", "language", *wrong.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("jungle: ")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
