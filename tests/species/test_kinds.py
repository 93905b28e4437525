"""Which kinds animals are invented from: the file that evaluate writes, and the rule that reads
it.
"""

from pathlib import Path

import pytest

from jungle.errors import BadInput
from jungle.images.classifier import shipped_classifier
from jungle.species import kinds
from jungle.species.invent import invent_species, parents_of, partners
from jungle.species.kinds import ClassQualityReport, KindQuality, to_invent_from
from jungle.weights import shipped


def report(**named: float) -> ClassQualityReport:
    measured = {
        name: KindQuality({1: 0.5}, 30, 0.8, 0.9, 10, share, 0.9) for name, share in named.items()
    }
    return ClassQualityReport("0123", "lite0", measured)


def many(count: int) -> dict[str, float]:
    """k00 is named always, and each next one less often; the last never."""
    return {f"k{i:02}": 1 - i / (count - 1) for i in range(count)}


def test_the_better_half_is_invented_from() -> None:
    shares = many(24)
    chosen = to_invent_from(tuple(shares), report(**shares))
    assert chosen == tuple(shares)[:12]
    # the order is the model's
    assert to_invent_from(tuple(reversed(shares)), report(**shares)) == tuple(reversed(chosen))


def test_kinds_that_are_hardly_ever_named_are_left_out_while_enough_remain() -> None:
    weak = many(40) | {f"k{i:02}": 0.1 for i in range(10, 40)}
    assert to_invent_from(tuple(weak), report(**weak)) == tuple(weak)[:10]
    hopeless = dict.fromkeys(many(40), 0.0)
    assert len(to_invent_from(tuple(hopeless), report(**hopeless))) == kinds.FEWEST


def test_there_are_kinds_enough_for_different_pairs() -> None:
    shares = many(24)
    names = tuple(shares)
    assert len(to_invent_from(names, report(**shares), 66)) == 12  # 12 kinds make 66 pairs
    assert len(to_invent_from(names, report(**shares), 67)) == 13
    assert to_invent_from(names, report(**shares), 10**6) == names


def test_a_model_without_a_report_invents_from_all_its_kinds() -> None:
    assert to_invent_from(("cat", "dog"), ClassQualityReport()) == ("cat", "dog")
    assert to_invent_from((), ClassQualityReport()) == ()
    assert to_invent_from(("cat", "dog"), report(cat=1.0)) == ("cat", "dog")
    # fewer than FEWEST: all of them
    assert to_invent_from(("a", "b", "c"), report(a=0.0, b=1.0, c=0.5)) == (
        "a",
        "b",
        "c",
    )


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = kinds.path_beside(tmp_path / "animal_diffusion_model.pth")
    assert path.name == "animal_diffusion_model.kinds.json"
    written = report(cat=0.25, dog=1.0)
    path.write_text(written.to_json(), encoding="utf-8")
    assert kinds.read_report(path) == written
    assert kinds.of_model(tmp_path / "animal_diffusion_model.pth", "0123") == written
    assert (
        kinds.of_model(tmp_path / "animal_diffusion_model.pth", "other weights")
        == ClassQualityReport()
    )
    assert kinds.of_model(tmp_path / "another.pth", "0123") == ClassQualityReport()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "model": "", "judge": "", "kinds": {"cat": {}}}',
        "\x00",
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.kinds.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match="evaluate --kinds"):
        kinds.of_model(tmp_path / "model.pth", "0123")


def test_the_shipped_report_is_of_the_shipped_model_and_judge() -> None:
    found = kinds.read_report(shipped(kinds.SHIPPED))
    assert found.judge == shipped_classifier().name
    assert len(found.kinds) == 48
    assert min(kind.pictures for kind in found.kinds.values()) >= 10
    assert all(kind.labels for kind in found.kinds.values())
    chosen = to_invent_from(tuple(sorted(found.kinds)), found)
    assert kinds.FEWEST <= len(chosen) <= 24
    assert {"bison", "panda"} <= set(chosen)
    assert set(kinds.labels_by_kind(ClassQualityReport())) == set(found.kinds)
    assert kinds.labels_by_kind(report(cat=1.0))["cat"] == {1: 0.5}


def test_the_same_seed_invents_the_same_animals() -> None:
    shares = many(24)
    names = to_invent_from(tuple(shares), report(**shares), 12)
    first = invent_species(names, 12, 5)
    assert first == invent_species(names, 12, 5) != invent_species(names, 12, 6)
    assert {name for one in first for name in one.mix} <= set(names)


def test_parents_are_of_one_build_where_they_can_be() -> None:
    kinds = ("ape", "bear", "butterfly", "eagle", "ibis", "shark", "zebra", "unheard")
    assert partners("ape", kinds) == ["bear", "zebra"]
    assert partners("ibis", kinds) == ["eagle"]
    # the only one that swims
    assert partners("shark", kinds) == [name for name in kinds if name != "shark"]
    # nothing is known of either
    assert partners("first", ("first", "second", "zebra")) == ["second"]

    pairs = [
        set(parents_of(species.mix))
        for species in invent_species(("ape", "bear", "eagle", "ibis"), 6, 0)
    ]
    assert {frozenset(pair) for pair in pairs} == {
        frozenset({"ape", "bear"}),
        frozenset({"eagle", "ibis"}),
    }
