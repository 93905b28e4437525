"""The language of a frog, with its dictionary:  python examples/language.py OUT"""

import json
import sys
from pathlib import Path

import jungle

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)

frog = jungle.Language(seed=1, voice="frog")
for phrase in frog.phrases(4):
    # Four lines, as linguists write them; the grammar reads the first one back to its meaning.
    print(f"{phrase.text}\n  {phrase.parts}\n  {phrase.gloss}\n  {phrase.english}\n")
    assert frog.parse(phrase.text) == phrase.meaning

words = frog.dictionary()
print(f"{frog.name}: {len(words)} words, about 10^{frog.distinct_meanings():.0f} meanings")
text = json.dumps({word: entry["english"] for word, entry in words.items()}, ensure_ascii=False)
(out / "dictionary.json").write_text(text, encoding="utf-8")
