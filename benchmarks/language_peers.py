"""Homophones and sentences a second of two other generators of languages, conlang 0.1.0 and
conlanggen 2.1.0 (PyPI, both MIT).

    python benchmarks/language_peers.py            installs each into a folder of its own, because
    both are imported as "conlang"

Neither has a parser, so their sentences cannot be read back. A homophone is a written form that
stands for two words of the dictionary (conlanggen: or for two inflected words; conlang lists none).
Their sentences are "subject verb object" with a gloss; ours come with IPA and English too.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from jungle.language.grammar.typology import KINDS
from jungle.language.language import Language
from jungle.language.phonology.vocal_tract import VOICES

LANGUAGES, SENTENCES = 50, 2000
PROGRAMS = {
    "conlang==0.1.0": """
import itertools, json, sys, time
from collections import defaultdict
from conlang.language import Language
homophones, free = [], 0
for seed in range(int(sys.argv[1])):
    spoken = Language.generate(seed)
    words = defaultdict(set)
    for entry in spoken.lexicon.entries.values():
        words[str(entry.form)].add(entry.concept.gloss)
    homophones.append(sum(len(glosses) > 1 for glosses in words.values()))
of = lambda pos: [entry.concept.gloss for entry in spoken.lexicon.entries.values() if entry.concept.pos == pos]
nouns, verbs, count = of("noun"), of("verb"), int(sys.argv[2])
triples = list(itertools.islice(itertools.product(nouns, verbs, nouns), 0, None, 7))[:count]
start = time.process_time()
for subject, verb, patient in triples:
    spoken.make_sentence(subject, verb, patient).text
print(json.dumps([homophones, len(triples) / (time.process_time() - start)]))
""",
    "conlanggen==2.1.0": """
import itertools, json, sys, time
from collections import defaultdict
from conlang import Spec, generate
from conlang.syntax import build_clause
homophones = []
for seed in range(int(sys.argv[1])):
    spoken = generate(Spec(seed=seed))
    words = defaultdict(set)
    for word in spoken.words:
        words[word.form].add((word.lexeme_id, *word.tags))
    homophones.append(sum(len(meanings) > 1 for meanings in words.values()))
nouns = [one.id for one in spoken.lexemes if one.pos == "noun"]
verbs = [one.id for one in spoken.lexemes if one.pos == "verb" and len(one.places) > 1]
triples = list(itertools.islice(itertools.product(nouns, verbs, nouns), 0, None, 7))[: int(sys.argv[2])]
start = time.process_time()
for subject, verb, patient in triples:
    build_clause(spoken, subject, verb, patient)
print(json.dumps([homophones, len(triples) / (time.process_time() - start)]))
""",
}


def ours() -> tuple[list[int], float]:
    """The same two figures of this project: homophones among all forms, and phrases a second with
    gloss, IPA and English.
    """
    homophones = []
    for seed in range(LANGUAGES):
        spoken = Language(
            seed, list(VOICES.values())[seed % len(VOICES)], kind=list(KINDS)[seed % 3]
        )
        texts = [word.text for word in spoken.grammar.table.words.values()]
        homophones.append(len(texts) - len(set(texts)))
    start = time.process_time()
    for index in range(SENTENCES):
        spoken.phrase(index)
    return homophones, SENTENCES / (time.process_time() - start)


def theirs(requirement: str, program: str) -> tuple[list[int], float]:
    """The figures of a peer, run by itself.

    Raises:
        subprocess.CalledProcessError: it cannot be installed or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, requirement]
        subprocess.run(pip, check=True, capture_output=True)
        command = [sys.executable, "-c", program, str(LANGUAGES), str(SENTENCES)]
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": folder},
        )
    homophones, rate = json.loads(done.stdout)
    return homophones, rate


def main() -> None:
    forms, rate = ours()
    print(
        f"ours: {sum(forms) / len(forms):.1f} homophones a language, {rate:,.0f} phrases/s, 100 % "
        "read back (see language.py)"
    )
    for requirement, program in PROGRAMS.items():
        try:
            homophones, other = theirs(requirement, program)
        except subprocess.CalledProcessError as error:
            print(f"{requirement}: could not be measured: {str(error.stderr)[-300:]}")
            continue
        free = sum(not one for one in homophones)
        print(
            f"{requirement}: {sum(homophones) / len(homophones):.1f} homophones a language, {free} "
            f"of {len(homophones)} languages free of "
            f"them, {other:,.0f} sentences/s (ours {rate / other:.1f} times as many), no parser"
        )


if __name__ == "__main__":
    main()
