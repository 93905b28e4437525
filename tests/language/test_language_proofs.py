"""The same bytes everywhere, from nothing but the standard library; English, additions, script and
sketch.
"""

import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import jungle
from jungle.errors import BadInput
from jungle.language.dialects import make_dialect
from jungle.language.english.inflection import article
from jungle.language.english.sentences import EnglishGenerator
from jungle.language.grammar_sketch import write_sketch
from jungle.language.language import LONGEST, Language
from jungle.language.names import own_name
from jungle.language.phonology.vocal_tract import VOICES
from jungle.language.script import drawn, read_script
from jungle.language.semantics.concepts import concepts
from jungle.language.semantics.intents import intents
from jungle.language.semantics.meaning import NP, Clause, Meaning
from jungle.language.semantics.user_additions import additions

SOURCE = Path(jungle.__file__).parents[1]
ENGLISH = EnglishGenerator(concepts())
# SHA-256 of the four files of  jungle language --seed 1 -n 16 --voice frog . If you change the
# language on purpose, change these too:
# the test prints the new ones, and CHANGELOG.md should say that phrases are no longer the same.
GOLDEN = {
    "animal_language.txt": "8147ed6da1b0fb03c82881968cd2a5bd5f052b2a3c2fa89b2ea652c5412d61bc",
    "phrases.json": "27d19298c8d66c3da5f225fac6a4c0ae48ba75df12e245d09b212d224bc97b2c",
    "lexicon.json": "411a4418ac04c2a9de26dc63f1664f03af0854ed4b794527faf44186ae126363",
    "grammar.md": "7d24f2c2e2db0a447044567cbef405fd9041f6a7251aaa3540cc5810af2478f9",
}
ALONE = """
import importlib.abc, sys
class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top != "jungle" and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{name} is not of the standard library")
sys.meta_path.insert(0, Guard())
sys.path.insert(0, sys.argv[1])
import hashlib, json, pathlib
from jungle.language.language import Language
from jungle.language.export import write_language
from jungle.language.phonology.vocal_tract import voice_named
spoken = Language(1, voice_named("frog"))
paths = write_language(pathlib.Path(sys.argv[2]), spoken, list(spoken.phrases(16)))
print(json.dumps({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}))
"""


def digests(python: str, folder: Path, hash_seed: str) -> dict[str, str]:
    """SHA-256 of the files of a language that a Python writes without any package."""
    command = [python, "-B", "-S", "-c", ALONE, str(SOURCE), str(folder)]
    environment = {"PYTHONHASHSEED": hash_seed, "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r'"([\w.]+)": "(\w{64})"', done.stdout))


def test_without_any_package_the_files_are_the_golden_ones(tmp_path: Path) -> None:
    found = [digests(sys.executable, tmp_path / seed, seed) for seed in ("1", "2")]
    assert found[0] == found[1] == GOLDEN


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_other_pythons_write_the_golden_files(tmp_path: Path, version: str) -> None:
    versions = Path.home() / ".pyenv" / "versions"
    found = [
        shutil.which(f"python{version}"),
        *map(str, versions.glob(f"{version}*/bin/python{version}")),
    ]
    able = [
        python
        for python in found
        if python
        and subprocess.run([python, "-V"], capture_output=True, check=False).returncode == 0
    ]
    if not able:
        pytest.skip(f"no Python {version} on this machine")
    assert digests(able[0], tmp_path, "3") == GOLDEN


@pytest.mark.parametrize(
    ("meaning", "sentence"),
    [
        (
            Meaning(
                to=NP("friend"),
                first=Clause("come", "IMP", "", "", relation="to", place=NP("home")),
                link="ere",
                second=Clause("wake", actor=NP("owl")),
            ),
            "FRIEND, come home before the owl wakes.",
        ),
        (
            Meaning(first=Clause("cross", source="AUD", actor=NP("storm"), patient=NP("river"))),
            "I hear a storm crossing the river.",
        ),
        (
            Meaning(
                first=Clause(
                    "give",
                    tense="FUT",
                    actor=NP("I"),
                    patient=NP("flower"),
                    relation="to",
                    place=NP("you"),
                )
            ),
            "I'll give you a flower.",
        ),
        (Meaning(first=Clause("own", actor=NP("we"), patient=NP("valley"))), "The valley is ours."),
        (
            Meaning(first=Clause("fall", tense="PST", source="AUD", actor=NP("tree"))),
            "I heard the tree fall.",
        ),
        (
            Meaning(first=Clause("touch", "IMP", "", "", True, patient=NP("nest", owner="I"))),
            "Don't touch my nest!",
        ),
        (Meaning(first=Clause("smell", actor=NP("I"), patient=NP("smoke"))), "I smell smoke."),
        (
            Meaning(first=Clause("eat", actor=NP("owl"), patient=NP("egg", quality="old"))),
            "An owl is eating an old egg.",
        ),
        (
            Meaning(
                first=Clause(
                    "teach",
                    tense="PST",
                    source="REP",
                    actor=NP("moon"),
                    patient=NP("song"),
                    relation="to",
                    place=NP("bird", "PL"),
                    adverb="long.ago",
                )
            ),
            "Long ago, they say, the moon taught the birds the song.",
        ),
        (
            Meaning(
                first=Clause("drink", "Q", source="", actor=NP("what"), patient=NP("moon")),
                link="but",
                second=Clause("sleep", "Q", "PRS", "", True, actor=NP("what")),
            ),
            "What drinks the moon but never sleeps?",
        ),
        (
            Meaning(first=Clause("want", actor=NP("I"), patient=NP("honey", "many"))),
            "I want much honey.",
        ),
    ],
)
def test_english_is_idiomatic(meaning: Meaning, sentence: str) -> None:
    said = ENGLISH.sentence(meaning)
    assert (
        re.sub(r"(Old friend|My friend|Friend),", "FRIEND,", said).replace("I can hear", "I hear")
        == sentence
    )
    assert said == EnglishGenerator(concepts()).sentence(meaning)


def test_articles() -> None:
    assert [article(word) for word in ("owl", "hawk", "old wolf", "unicorn", "hour", "eagle")] == [
        "an",
        "a",
        "an",
        "a",
        "an",
        "an",
    ]


def test_english_names_what_is_meant() -> None:
    """Nothing is left out: the actor, patient and place of every drawn clause can be found in its
    English.
    """
    spoken = Language(7, VOICES["parrot"])
    for index in range(300):
        phrase = spoken.phrase(index)
        said = f" {phrase.english.lower()} "
        for clause in (phrase.meaning.first, phrase.meaning.second):
            for np in (clause.actor, clause.patient, clause.place) if clause else ():
                if np and np.noun not in ENGLISH.alone:
                    words = {ENGLISH.plain[np.noun], ENGLISH.many[np.noun]}
                    assert any(re.search(rf"\b{word.lower()}\b", said) for word in words), (
                        np,
                        phrase.english,
                    )
                    assert not np.quality or f" {ENGLISH.plain[np.quality]} " in said, (
                        phrase.english
                    )


def test_phrases_are_varied_and_short() -> None:
    spoken = Language(3, VOICES["songbird"], kind="fusional")
    phrases = [spoken.phrase(index) for index in range(700)]
    assert len({phrase.meaning for phrase in phrases}) > 680
    assert len({phrase.english for phrase in phrases}) > 680
    sizes = [len(phrase.words) for phrase in phrases]
    assert min(sizes) >= 2
    assert max(sizes) <= LONGEST
    assert sum(size >= 3 for size in sizes) > 0.98 * len(sizes)


def test_every_place_suits_its_relation() -> None:
    for intent in intents():
        for template in (*intent.say, *intent.then):
            for relation, place in template.places:
                assert (relation == "") == (place is None)
                assert place is None or (relation, place.noun) not in {
                    ("under", "cave"),
                    ("over", "home"),
                    ("in", "rock"),
                    ("on", "sky"),
                }


TABLE = """
[language]
voice = "frog"
[[language.concepts]]
word = "kettle"
class = "noun"
tags = ["thing"]
[[language.concepts]]
word = "tea"
class = "noun"
tags = ["mass", "food"]
made_of = ["leaf", "water"]
[language.intents.tea-time]
mood = "glad"
when = "the water boils"
call = "hither"
say = ["verb=want actor=I,we patient=kettle,tea"]
"""


def test_concepts_and_intents_of_a_jungle_reach_its_dialects() -> None:
    more_concepts, more_intents = additions(tomllib.loads(TABLE)["language"])
    family = Language(1, VOICES["primate"], more_concepts=more_concepts, more_intents=more_intents)
    dialect = make_dialect(family, 2).language
    for spoken in (family, dialect):
        phrase = next(one for one in map(spoken.phrase, range(80)) if one.intent == "tea-time")
        assert re.search(r"want (an? (\w+ )?kettle|(\w+ )?tea)\.", phrase.english)
        assert spoken.parse(phrase.text) == phrase.meaning
    assert additions({}) == ("", "")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('class = "noun"', 'class = "fruit"', "choose one of noun"),
        ('class = "noun"', "", "has no class"),
        ('word = "kettle"', 'word = "hawk"', "repeats 'hawk'"),
        ('word = "kettle"', 'word = "ket\\ttle"', "tab"),
        ('tags = ["thing"]', "tags = 3", "must be a list of texts"),
        ('tags = ["thing"]', "colour = 3", "no key 'colour'"),
        ('made_of = ["leaf", "water"]', 'made_of = ["leaf", "sugar"]', "sugar"),
        ("tea-time", "greeting", "there already"),
        ('mood = "glad"', 'mood = "odd"', "needs a mood"),
        ("patient=kettle,tea", "patient=kettles", "'kettles'"),
        ("verb=want", "verb=sleep", "too many"),
        ("[language.intents.tea-time]", "[language.intents]", "must be tables"),
    ],
)
def test_wrong_additions_are_one_sentence(old: str, new: str, says: str) -> None:
    with pytest.raises(BadInput, match=re.escape(says)) as caught:
        additions(tomllib.loads(TABLE.replace(old, new, 1))["language"])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.slow
def test_a_name_is_written_and_read() -> None:
    for seed, voice in enumerate(VOICES):
        spoken = Language(seed, VOICES[voice])
        for number in range(3):
            name = own_name(spoken, number)
            drawing = drawn(name.words)
            assert read_script(drawing["paths"], spoken.phonology) == [
                list(word.syllables) for word in name.words
            ]
            for path in drawing["paths"]:
                assert re.fullmatch(r"[ML0-9. -]+", path)
                points = [float(one) for one in re.findall(r"-?[\d.]+", path)]
                assert all(0 <= x <= drawing["width"] for x in points[::2])
                assert all(-1 <= y <= drawing["height"] for y in points[1::2])
        with pytest.raises(BadInput, match="no syllable"):
            read_script(drawing["paths"][::-1], spoken.phonology)


def test_the_sketch_tells_every_sound_and_the_history() -> None:
    family = Language(2, VOICES["rodent"])
    dialect = make_dialect(family, 1)
    page = write_sketch(dialect.language, list(dialect.language.phrases(2)))
    assert all(f"/{one}/" in page for one in dialect.language.phonology.consonants)
    assert all(str(change) in page for change in dialect.changes)
    assert "## History" not in write_sketch(family, [])
    for rows in itertools.chain(re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)):
        assert len({line.count("|") - line.count("\\|") for line in rows.splitlines()}) == 1
