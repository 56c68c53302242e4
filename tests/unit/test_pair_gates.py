"""What a pair of services means for offer gates: the gates of the presets, and named limits."""

from __future__ import annotations

from typing import Any

import pytest

from stacking.catalogue import design_names, load_design
from stacking.config import Design
from stacking.errors import StackingError
from stacking.pair_gates import MW_NOT_ASSET, ONE_DELIVERY, local_service, pair_gates, with_pair
from stacking.pairs import load_matrix, matrix_from

GB = load_matrix()


def offers(design: Design) -> dict[str, tuple[Any, Any]]:
    """Return what the offer gates of a design see and refuse, by book."""
    return {gate.book: (gate.sees, gate.refuses_offered) for gate in design.gates if gate.kind == "offer"}


def matrix(co_delivery: str, splitting: str, jumping: str) -> Any:
    """Return a matrix of one pair."""
    rule = {"a": ["A"], "b": ["B"], "co_delivery": co_delivery, "splitting": splitting, "jumping": jumping, "source": "me"}
    services = {"A": {"title": "A", "buyer": "DSO"}, "B": {"title": "B", "buyer": "ESO"}}
    return matrix_from({"title": "mine", "sources": {"me": "assumed"}, "services": services, "pairs": [rule]}, "mine.toml")


@pytest.mark.parametrize(
    ("verdicts", "undecided", "preset", "beyond"),
    [
        ("YYY", "refuse", "parallel", ()),
        ("y--", "refuse", "parallel", ()),
        ("NYY", "refuse", "parallel_adjusted", ()),
        ("?yY", "refuse", "parallel_adjusted", ()),
        ("?yY", "allow", "parallel", ()),
        ("N?Y", "refuse", "exclusive", (MW_NOT_ASSET,)),
        ("N?Y", "allow", "parallel_adjusted", ()),
        ("NNn", "allow", "exclusive", (MW_NOT_ASSET, ONE_DELIVERY)),
        ("---", "allow", "exclusive", (MW_NOT_ASSET, ONE_DELIVERY)),
        ("NN?", "refuse", "exclusive", (MW_NOT_ASSET, ONE_DELIVERY)),
        ("NN?", "allow", "exclusive", (MW_NOT_ASSET,)),
    ],
)
def test_verdicts_give_the_gates_of_a_preset(verdicts: str, undecided: Any, preset: str, beyond: tuple[str, ...]) -> None:
    found = pair_gates(matrix(*verdicts), "A", "B", undecided=undecided)
    assert found.behaviour == preset
    assert found.beyond == beyond
    design = with_pair(load_design("parallel"), found, "gb_stacking")
    assert offers(design) == offers(load_design(preset))
    assert "".join(found.verdicts.values()) == verdicts


def test_great_britain_ahead_is_split_and_real_time_is_excluded() -> None:
    early, late = load_design("parallel"), load_design("parallel_late")
    assert local_service(early.products["lfm"]) == "SU"
    assert local_service(late.products["lfm"]) == "OUr"
    split, excluded = pair_gates(GB, "SU", "BM"), pair_gates(GB, "our", "bm")
    assert (split.behaviour, split.rules) == ("parallel_adjusted", {"block_opposite_balancing": True})
    assert (excluded.behaviour, excluded.rules) == ("exclusive", {"block_opposite_balancing": False})
    design = with_pair(late, excluded, "gb_stacking_late")
    assert design.name == "gb_stacking_late"
    assert design.products == late.products
    assert [gate for gate in design.gates if gate.kind != "offer"] == [gate for gate in late.gates if gate.kind != "offer"]
    made, preset = with_pair(early, split, "gb_stacking"), load_design("gb_stacking")
    assert (made.rules, made.gates, made.products) == (preset.rules, preset.gates, preset.products)


def test_no_energy_service_of_great_britain_leads_to_blind_sale() -> None:
    dso = [name for name, service in GB.table.services.items() if service.buyer == "DSO"]
    eso = [name for name, service in GB.table.services.items() if service.buyer == "ESO"]
    found = {pair_gates(GB, a, b).behaviour for a in dso for b in eso}
    assert found == {"parallel_adjusted", "exclusive"}


@pytest.mark.parametrize("name", [name for name in design_names() if load_design(name).shares])
def test_a_design_that_forwards_is_refused(name: str) -> None:
    with pytest.raises(StackingError, match="no forwarding"):
        with_pair(load_design(name), pair_gates(GB, "SU", "BM"), "gb_stacking")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("SU", "XX", "refuse"), "Unknown service"), (("SU", "su", "refuse"), "itself"), (("SU", "BM", "ask"), "undecided")],
)
def test_bad_arguments_are_refused(arguments: tuple[str, str, Any], says: str) -> None:
    with pytest.raises(StackingError, match=says):
        pair_gates(GB, arguments[0], arguments[1], undecided=arguments[2])
