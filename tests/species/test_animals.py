"""animals.toml: every row is whole, every kind that we have photos or recordings of is there, and
old kinds are what they were.
"""

import dataclasses
import hashlib
import json

import pytest
from conftest import DATA

from jungle.diffusion import checkpoint
from jungle.language.phonology.vocal_tract import VOICES
from jungle.postcards.captions import HABITATS, complete_species
from jungle.records import Species
from jungle.sounds.classifier import AudioClassifier
from jungle.sounds.stable_audio import prompts
from jungle.species import select as casting
from jungle.species.animals import animals, bodies, english_names, voice_among
from jungle.weights import shipped

FIRST_PAINTED = (
    "ape", "bear", "bison", "butterfly", "cat", "chicken", "cougar", "cow", "crab", "crocodile",
    "deer", "dog", "dolphin", "duck", "eagle", "elephant", "fish", "flamingo", "giraffe", "horse",
    "ibis", "kangaroo", "leopard", "lion", "llama", "lobster", "panda", "pig", "rabbit",
    "scorpion", "sea_turtle", "shark", "snake", "spider", "starfish", "trilobite", "turkey",
    "wolf",
)  # fmt: skip
RECORDED = ("bird", "cat", "chicken", "cow", "dog", "donkey", "frog", "lion", "monkey", "sheep")
OF_THE_SCIENCE = (
    "sheep",
    "squirrel",
    "zebra",
    "tiger",
    "fox",
    "penguin",
    "raccoon",
    "parrot",
    "rhino",
    "seal",
)


def painted() -> tuple[str, ...]:
    """The classes of the shipped model of pictures."""
    model = checkpoint.read_safetensors(shipped("photo64.safetensors"))
    assert isinstance(model, checkpoint.Checkpoint)
    return model.classes


def recorded() -> tuple[str, ...]:
    """The classes of the shipped model of calls."""
    model = checkpoint.read_safetensors(shipped("call.safetensors"))
    assert isinstance(model, checkpoint.Checkpoint)
    return model.classes


@pytest.mark.parametrize("name", animals())
def test_every_row_is_whole(name: str) -> None:
    animal = animals()[name]
    assert animal.body in VOICES
    assert animal.body in HABITATS
    assert voice_among(name, frozenset(RECORDED)) in RECORDED
    assert voice_among(name, frozenset(recorded())) in recorded()
    assert animal.genus.istitle()
    assert animal.genus.isalpha()
    assert animal.epithet.islower()
    assert animal.epithet.isalpha()
    assert all(verb.endswith("s") and verb.isalpha() for verb in animal.verbs)


def test_rows_are_in_alphabetical_order_and_nothing_is_translated_twice() -> None:
    assert list(animals()) == sorted(animals())
    assert len(english_names()) == 10
    assert not set(english_names()) & set(animals())


def test_every_kind_of_the_shipped_models_has_a_row() -> None:
    assert {*painted(), *recorded(), *OF_THE_SCIENCE} <= set(animals())


def test_the_shipped_voices_are_heard_and_used() -> None:
    kinds = recorded()
    assert set(RECORDED) < set(kinds) <= set(AudioClassifier.shipped().classes)
    assert all(casting.voices({kind: 1.0}, kinds) == {kind: 1.0} for kind in kinds)
    assert casting.voices({"bat": 0.5, "zebra": 0.5}, kinds) == {"bat": 0.5, "donkey": 0.5}


def test_what_ships_is_small() -> None:
    assert shipped("call.safetensors").stat().st_size <= 11_000_000
    assert shipped("call.reference").stat().st_size <= 4_000_000
    assert (
        sum(
            path.stat().st_size
            for path in shipped("call.safetensors").parent.iterdir()
            if path.is_file()
        )
        <= 40_000_000
    )


@pytest.mark.parametrize("folder", ["photos", "more_photos", "calls", "more_calls"])
def test_every_kind_of_our_data_has_a_row(folder: str) -> None:
    if not (DATA / folder).is_dir():
        pytest.skip("no real data here")
    kinds = {path.name for path in (DATA / folder).iterdir() if path.is_dir()}
    assert kinds <= set(animals())


def test_a_kind_without_recordings_asks_its_kin_and_theirs() -> None:
    assert voice_among("zebra", frozenset({"horse", "donkey"})) == "horse"
    assert voice_among("zebra", frozenset({"donkey"})) == "donkey"
    assert voice_among("zebra", frozenset({"bird"})) == ""
    assert voice_among("yeti", frozenset({"bird"})) == ""
    assert voice_among("yeti", frozenset({"yeti"})) == "yeti"


def test_new_kinds_have_a_body_of_their_own() -> None:
    assert bodies()["gallina"] == "songbird"
    one = complete_species(
        Species(slug="zebrox", name="", seed=1, mix={"guinea_pig": 0.6, "snow_leopard": 0.4})
    )
    assert (one.voice, one.binomial) == ("rodent", "Cavia unciae")
    assert prompts.build_prompt({"seal": 1.0}, 0).startswith(
        ("a strange seal barks", "a strange seal moans")
    )


def test_old_kinds_are_what_they_were() -> None:
    """What the six tables before animals.toml made of the kinds that ship, for several seeds:
    written down with that version.
    """
    kinds = sorted({*FIRST_PAINTED, *RECORDED})
    lines: list[object] = []
    for index, kind in enumerate(kinds):
        mix = {kind: 0.7, kinds[index - 5]: 0.3}
        lines.append(casting.voices(mix, RECORDED))
        for seed in range(5):
            lines.append(
                dataclasses.astuple(
                    complete_species(Species(slug=kind, name="", seed=seed, mix=mix), "russet")
                )
            )
            lines.append(prompts.build_prompt(mix, seed))
    digest = hashlib.blake2b(json.dumps(lines).encode(), digest_size=16).hexdigest()
    assert digest == "778a2963e114b4f2862aeea64e3dc0b4"


def test_prompts_without_a_mix_are_about_the_same_kinds_as_before() -> None:
    kinds = (
        "bird butterfly cat chicken cow dog donkey elephant frog horse lion monkey sheep spider "
        "squirrel"
    )
    assert prompts.subjects() == tuple(kinds.split())
