"""Measures of the languages: that phrases read back, that no form has two meanings, how fast, how
natural, how varied they are.

    python benchmarks/language.py            all, the full bars: about ten minutes python
    benchmarks/language.py speed      one of: round-trip homophones speed nature voice variety words
    python benchmarks/language.py --small    a tenth of everything

language_peers.py measures two other generators of languages.
"""

import argparse
import itertools
import math
import random
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from random_meanings import random_meaning

from jungle.language.dialects import make_dialect
from jungle.language.grammar.blocklist import is_allowed
from jungle.language.grammar.syntax import NotInLanguage
from jungle.language.grammar.typology import KINDS, ORDERS
from jungle.language.language import Language
from jungle.language.phonology.vocal_tract import VOICES
from jungle.language.semantics.concepts import concepts
from jungle.language.semantics.meaning import violations

KNOWN = concepts()
DICTIONARIES = (Path("/usr/share/dict/words"), Path("/usr/share/dict/american-english"))


def round_trip(share: float) -> None:
    """10,000 random meanings and as many drawn phrases for each voice and kind of grammar, in every
    order of words.
    """
    chance, count, wrong, total = random.Random(1), round(10_000 * share), 0, 0
    meanings = [random_meaning(chance) for _ in range(count)]
    assert not any(violations(one, KNOWN) for one in meanings)
    for place, (voice, kind) in enumerate(itertools.product(VOICES, KINDS)):
        spoken = Language(place, VOICES[voice], kind=kind, order=list(ORDERS)[place % 6])
        said = (spoken.say(one) for one in meanings)
        for phrase in itertools.chain(said, map(spoken.phrase, range(count))):
            wrong += spoken.parse(phrase.text) != phrase.meaning
            total += 1
    print(
        f"round trip: {total:,} phrases, {len(VOICES)} voices x {len(KINDS)} kinds of grammar; "
        f"read as something else: {wrong}"
    )
    print(
        f"hurt input: {_hurt(round(2000 * share)):,} phrases with typing errors; each refused in a "
        "sentence, or read as what it now says"
    )


def _hurt(count: int) -> int:
    chance = random.Random(2)
    spoken = Language(5, VOICES["parrot"])
    for index in range(count):
        text = list(spoken.phrase(index).text)
        for _ in range(1 + chance.randrange(3)):
            place = chance.randrange(len(text))
            kind = chance.randrange(3)
            text[place : place + 1] = [[], [text[place]] * 2, [chance.choice("aeiou' \u200b<а")]][
                kind
            ] or [""]
        try:
            meaning = spoken.parse("".join(text))
        except NotInLanguage:
            continue
        assert spoken.grammar.text(meaning) == " ".join("".join(text).split())
    return count


def families(count: int) -> Iterator[Language]:
    """Languages, every other one a dialect of the one before, half of those in another body."""
    for seed in range(count // 2):
        family = Language(seed, list(VOICES.values())[seed % len(VOICES)])
        yield family
        yield make_dialect(
            family, seed, list(VOICES.values())[seed // 10 % len(VOICES)] if seed % 2 else None
        ).language


def homophones(share: float) -> None:
    """Forms with two meanings, inflected ones included, over 1,000 languages, half of them
    dialects.
    """
    count = forms = doubled = 0
    times = []
    start = time.process_time()
    for spoken in families(round(1000 * share)):
        times.append(time.process_time() - start)
        texts = Counter(word.text for word in spoken.grammar.table.words.values())
        forms += len(texts)
        doubled += sum(number > 1 for number in texts.values())
        count += 1
        start = time.process_time()
    times.sort()
    print(
        f"homophones: {doubled} among {forms:,} forms of {count} languages (half of them dialects)"
    )
    quantiles = (
        f"median {times[len(times) // 2] * 1000:.0f} ms, 95 % within "
        f"{times[int(len(times) * 0.95)] * 1000:.0f} ms"
    )
    print(f"time to build: {quantiles}, longest {times[-1] * 1000:.0f} ms (CPU)")


def speed(share: float) -> None:
    """Phrases with gloss, IPA and English a second on one core: the best of five rounds, and of
    reading them.
    """
    count = round(20_000 * share)
    for kind in KINDS:
        spoken = Language(1, VOICES["primate"], kind=kind)
        texts = [spoken.phrase(index).text for index in range(count)]

        def say(spoken: Language = spoken) -> None:
            for index in range(count):
                spoken.phrase(index)

        def read(spoken: Language = spoken, texts: list[str] = texts) -> None:
            for text in texts:
                spoken.parse(text)

        print(
            f"speed, {kind}: {count / _best(say):,.0f} phrases/s said, "
            f"{count / _best(read):,.0f}/s read (CPU time of this process)"
        )


def _best(action: Callable[[], None], rounds: int = 5) -> float:
    found = []
    for _ in range(rounds):
        start = time.process_time()
        action()
        found.append(time.process_time() - start)
    return min(found)


def nature(share: float) -> None:
    """Held-out trigram bits a segment on the roots (Pimentel 2020: human languages 2.2 to 3.6), and
    the law of abbreviation.
    """
    bits, rhos, spread = [], [], []
    for seed in range(round(320 * share)):
        spoken = Language(seed, list(VOICES.values())[seed % len(VOICES)])
        stems = spoken.grammar.table.stems
        bits.append(trigram_bits([stem[0].form for stem in stems.values() if len(stem) == 1]))
        pairs = [
            (KNOWN[name].use, sum(len(morph.form) for morph in stem))
            for name, stem in stems.items()
        ]
        rhos.append(spearman([a for a, _ in pairs], [b for _, b in pairs]))
        kind = spoken.typology
        spread.append((*(getattr(kind, name) for name in kind.__slots__), spoken.phonology.stress))
    inside = sum(2.2 <= one <= 3.6 for one in bits) / len(bits)
    print(
        f"bits a segment: {statistics.mean(bits):.2f} [{min(bits):.2f}, {max(bits):.2f}], "
        f"{inside:.1%} of {len(bits)} within 2.2 to 3.6"
    )
    print(f"rank and length: Spearman {statistics.mean(rhos):.2f}, least {min(rhos):.2f}")
    apart = [
        sum(a != b for a, b in zip(one, other, strict=True)) / len(one)
        for one, other in itertools.combinations(spread[:100], 2)
    ]
    print(
        f"typological spread: two languages differ in {statistics.mean(apart):.2f} of "
        f"{len(spread[0])} choices"
    )


def trigram_bits(roots: Sequence[Sequence[str]]) -> float:
    """Cross-entropy of every fifth root under an interpolated trigram model of the others."""
    three: Counter[tuple[str, str, str]] = Counter()
    two: Counter[tuple[str, str]] = Counter()
    one: Counter[str] = Counter()
    for place, root in enumerate(roots):
        if place % 5:
            line = ("#", "#", *root, "$")
            three.update(zip(line, line[1:], line[2:], strict=False))
            two.update(itertools.pairwise(line))
            one.update(line[2:])
    total, letters, bits, count = sum(one.values()), len(one) + 1, 0.0, 0
    before: Counter[str] = Counter()
    for (first, _), number in two.items():
        before[first] += number
    for root in roots[::5]:
        line = ("#", "#", *root, "$")
        for a, b, c in zip(line, line[1:], line[2:], strict=False):
            p = (one[c] + 0.5) / (total + 0.5 * letters)
            p = (two[b, c] + 2 * p) / (before[b] + 2)
            bits -= math.log2((three[a, b, c] + 2 * p) / (two[a, b] + 2))
            count += 1
    return bits / count


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Rank correlation."""

    def ranks(values: Sequence[float]) -> list[float]:
        places = defaultdict(list)
        for place, value in enumerate(sorted(values)):
            places[value].append(place)
        return [statistics.mean(places[value]) for value in values]

    return statistics.correlation(ranks(one), ranks(other))


def voice(share: float) -> None:
    """The voice of a language, told from the segments of 16 phrases by a naive Bayes classifier, on
    seeds that it has not seen.
    """
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    tests = []
    for seed in range(round(320 * share)):
        name = list(VOICES)[seed % len(VOICES)]
        words = (word for index in range(16) for word in kept_phrase(seed, name, index).words)
        segments = Counter(
            segment for word in words for form, _ in word.syllables for segment in form
        )
        if seed < 160 * share:
            seen[name] += segments
        else:
            tests.append((name, segments))
    every = {segment for counts in seen.values() for segment in counts}
    totals = {name: sum(counts.values()) + 0.5 * len(every) for name, counts in seen.items()}

    def likelihood(name: str, segments: Counter[str]) -> float:
        return sum(
            number * math.log((seen[name][one] + 0.5) / totals[name])
            for one, number in segments.items()
        )

    right = 0
    for true, segments in tests:
        right += max(seen, key=lambda name: likelihood(name, segments)) == true
    print(
        f"voice: {right / len(tests):.1%} of {len(tests)} unseen languages told from 16 phrases "
        f"({len(VOICES)} classes)"
    )


_SPOKEN: dict[tuple[int, str], Language] = {}


def kept_phrase(seed: int, name: str, index: int) -> Any:
    """A phrase of a language that is kept until the next one is asked for."""
    if (seed, name) not in _SPOKEN:
        _SPOKEN.clear()
        _SPOKEN[seed, name] = Language(seed, VOICES[name])
    return _SPOKEN[seed, name].phrase(index)


def variety(share: float) -> None:
    """Distinct-1 and -2 on morphs, self-BLEU-2, distinct meanings, and lexical consistency, for
    draws of 16 phrases.
    """
    ones, twos, bleus, pairs, consistent = [], [], [], 0, 0
    for seed in range(max(2, round(20 * share))):
        spoken = Language(seed, VOICES[list(VOICES)[seed % len(VOICES)]])
        phrases = [spoken.phrase(index) for index in range(16)]
        lines = [re.split("[-~ ]", phrase.parts) for phrase in phrases]
        bigrams = [list(itertools.pairwise(line)) for line in lines]
        ones.append(len(set(itertools.chain(*lines))) / sum(map(len, lines)))
        twos.append(len(set(itertools.chain(*bigrams))) / sum(map(len, bigrams)))
        bleus.append(
            statistics.mean(
                _bleu2(line, lines[:at] + lines[at + 1 :]) for at, line in enumerate(lines)
            )
        )
        meant = [
            (
                set(
                    zip(
                        re.split("[-~ ]", phrase.parts),
                        re.split("[-~ ]", phrase.gloss),
                        strict=True,
                    )
                ),
                phrase.meaning,
            )
            for phrase in phrases
        ]
        for (a, _), (b, _) in itertools.combinations(meant, 2):
            shared = {form for form, _ in a} & {form for form, _ in b}
            both = {gloss for _, gloss in a} & {gloss for _, gloss in b}
            if shared or both:
                pairs += 1
                consistent += bool(shared) == bool(both)
    print(
        f"variety of 16 phrases: distinct-1 {statistics.mean(ones):.2f}, distinct-2 "
        f"{statistics.mean(twos):.2f}"
    )
    print(
        f"self-BLEU-2 {statistics.mean(bleus):.2f}; a shared form is a shared meaning and the "
        f"reverse in {consistent} of {pairs} pairs"
    )
    for name in ("primate", "frog", "whale"):
        spoken = Language(1, VOICES[name])
        drawn = [spoken.phrase(index) for index in range(round(10_000 * share))]
        words = [len(phrase.words) for phrase in drawn]
        meanings, english = (
            len({phrase.meaning for phrase in drawn}),
            len({phrase.english for phrase in drawn}),
        )
        print(
            f"  {name}: {len(drawn):,} draws, {meanings:,} meanings, {english:,} in English; "
            f"{min(words)} to {max(words)} words"
        )


def _bleu2(line: list[str], others: list[list[str]]) -> float:
    """Geometric mean of the clipped precisions of single morphs and pairs against the other
    lines.
    """
    logs = 0.0
    for size in (1, 2):
        mine = Counter(zip(*(line[start:] for start in range(size)), strict=False))
        most: Counter[tuple[str, ...]] = Counter()
        for other in others:
            most |= Counter(zip(*(other[start:] for start in range(size)), strict=False))
        logs += math.log(max(sum((mine & most).values()), 1e-9) / max(sum(mine.values()), 1)) / 2
    return math.exp(logs)


def words(share: float) -> None:
    """Written words that are on the list of words to avoid, and, for information, in the English
    dictionary of this machine.
    """
    english = {
        one
        for path in DICTIONARIES
        if path.exists()
        for one in path.read_text("utf-8").split()
        if len(one) > 3 and one.islower()
    }
    count = bad = like = 0
    for seed in itertools.count():
        if count >= 100_000 * share:
            break
        for text in Language(seed, list(VOICES.values())[seed % len(VOICES)]).grammar.table.reading:
            count += 1
            bad += not is_allowed(text)
            like += text in english
    note = (
        f"; {like} of four letters or more stand in a dictionary of {len(english):,} English words"
        if english
        else ""
    )
    print(f"words to avoid: {bad} of {count:,} written words{note}")


PARTS: dict[str, Callable[[float], None]] = {
    "round-trip": round_trip,
    "homophones": homophones,
    "speed": speed,
    "nature": nature,
    "voice": voice,
    "variety": variety,
    "words": words,
}


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--small", action="store_true", help="a tenth of everything")
    options = parser.parse_args(None if arguments is None else list(arguments))
    unknown = [one for one in options.parts if one not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    for name in options.parts or PARTS:
        PARTS[name](0.1 if options.small else 1.0)


if __name__ == "__main__":
    main()
