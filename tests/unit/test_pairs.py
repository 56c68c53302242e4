"""The stacking matrix: the cells of Great Britain, and bad matrices as named errors."""

from __future__ import annotations

import copy
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from stacking.config import read_toml
from stacking.errors import StackingError
from stacking.pair_table import MODES
from stacking.pairs import PAIRS_FILE, load_matrix, matrix_from, mode_named, verdict

MATRIX = load_matrix()

PUBLISHED = {
    "co_delivery": {"Y": 20, "y": 0, "n": 16, "N": 78, "?": 250, "-": 120},
    "splitting": {"Y": 46, "y": 84, "n": 14, "N": 138, "?": 44, "-": 158},
    "jumping": {"Y": 292, "y": 2, "n": 22, "N": 24, "?": 38, "-": 106},
}
"""Cells by verdict of the table of the ENA (January 2025), 22 x 22 per mode, counted apart from the rules."""

PUBLISHED_ROWS = {
    "CM": "-YYYY-YYYYY?Y?nnnnnnnn",
    "WM": "Y-???-????????????????",
    "BM": "Y?-N?-NNNNN?N?????????",
    "BR": "Y?N-?-NNNNN?N?????????",
}
"""Rows of co-delivery as they stand in the source, its order of services: CM to DFS, then PR SU OUr OUw SAr SAa VAr VAa."""


def small() -> dict[str, Any]:
    """Return a valid matrix of three services."""
    rule = {"co_delivery": "N", "splitting": "Y", "jumping": "Y", "reason": "told so", "source": "me"}
    services = {name: {"title": f"Service {name}", "buyer": "DSO"} for name in "ABC"}
    pairs = [{"a": ["A"], "b": ["rest"], **rule}, {"a": ["B"], "b": ["C"], **rule}]
    return {
        "title": "mine", "sources": {"me": "assumed"}, "services": services, "groups": {"rest": ["B", "C"]}, "pairs": pairs,
    }  # fmt: skip


def changed(**entries: Any) -> dict[str, Any]:
    """Return the small matrix with entries of its second rule replaced."""
    data = small()
    data["pairs"][1].update(entries)
    return data


# ---- Great Britain ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", MODES)
def test_the_counts_are_those_of_the_source(mode: str) -> None:
    assert len(MATRIX.services) == 22
    assert MATRIX.counts(mode) == PUBLISHED[mode]
    assert sum(MATRIX.counts(mode).values()) == 484


@pytest.mark.parametrize("service", PUBLISHED_ROWS)
def test_rows_are_those_of_the_source(service: str) -> None:
    row = "".join(MATRIX.verdict(service, other, "co_delivery")[0] for other in MATRIX.services)
    assert row == PUBLISHED_ROWS[service]


@pytest.mark.parametrize(
    ("a", "b", "verdicts"),
    [
        ("CM", "DC", "Y--"), ("CM", "SU", "n--"), ("CM", "MWD", "??-"), ("CM", "DFS", "?--"),
        ("OUr", "OUw", "---"), ("OUr", "SAa", "--Y"), ("WM", "OUr", "?ny"), ("WM", "VAr", "?nY"), ("WM", "PR", "?yY"),
        ("BM", "SU", "?yY"), ("SFFR", "SAr", "?NY"), ("QR", "OUr", "?Nn"), ("STOR", "PR", "?yY"), ("STOR", "VAa", "?nY"),
        ("DFS", "OUr", "?YY"), ("DFS", "QR", "??N"), ("DFS", "LCM", "NNN"), ("DFS", "MWD", "???"), ("DFS", "DR", "?NN"),
        ("LCM", "QR", "N?N"), ("LCM", "DM", "NNY"), ("LCM", "OUr", "NNn"), ("LCM", "WM", "?yY"), ("MWD", "LCM", "N??"),
        ("MWD", "OUw", "?Nn"), ("MWD", "SAr", "?NY"), ("MWD", "WM", "???"), ("BM", "BR", "NYY"), ("BM", "STOR", "NNY"),
        ("DC", "DR", "NYY"), ("BR", "DC", "NNY"), ("QR", "WM", "???"), ("SR", "CM", "---"), ("WM", "SFFR", "?YY"),
    ],
)  # fmt: skip
def test_cells_of_every_row_of_rules(a: str, b: str, verdicts: str) -> None:
    assert "".join(MATRIX.verdict(a, b, mode)[0] for mode in MODES) == verdicts


def test_the_matrix_is_symmetric_and_every_cell_says_why() -> None:
    for a, b, mode in product(MATRIX.services, MATRIX.services, MODES):
        cell = MATRIX.cell(a, b, mode)
        assert cell == MATRIX.cell(b, a, mode)
        assert cell.reason
        assert cell.source or a == b


def test_the_same_mw_is_paid_twice_with_the_capacity_market_only() -> None:
    both = {(a, b) for a, b in product(MATRIX.services, repeat=2) if MATRIX.verdict(a, b, "co_delivery")[0] in "Yy"}
    assert len(both) == 20
    assert all("CM" in pair for pair in both)


def test_names_and_modes_are_found_as_people_write_them() -> None:
    assert verdict("bm", "our", "co-delivery") == MATRIX.verdict("BM", "OUr", "co_delivery")
    assert verdict("BM", "BM", "jumping")[0] == "-"
    assert "baseline" in verdict("DC", "OUr", "splitting")[1]
    assert verdict("DC", "OUr", "co_delivery") == ("?", "no data")
    assert MATRIX.cell("BM", "SU", "splitting").same_direction
    assert not MATRIX.cell("BM", "SU", "jumping").same_direction


def test_another_reading_changes_what_it_names_and_nothing_else() -> None:
    other = load_matrix(reading="enwl")
    differ = {key for key in MATRIX.cells if MATRIX.cells[key] != other.cells[key]}
    assert differ == {("DFS", "SU", "co_delivery"), ("SU", "DFS", "co_delivery")}
    assert other.verdict("DFS", "SU", "co_delivery")[0] == "Y"


# ---- bad input ------------------------------------------------------------------------------------------------------------
BAD = {
    "not complete": ({**small(), "pairs": small()["pairs"][:1]}, "not complete", "B x C"),
    "not symmetric": (
        {**small(), "pairs": [*small()["pairs"], {**small()["pairs"][1], "a": ["C"], "b": ["B"], "splitting": "N"}]},
        "not symmetric", "B x C",
    ),
    "named twice": ({**small(), "pairs": [*small()["pairs"], small()["pairs"][1]]}, "two rules", "[[pairs]] 2 and 3"),
    "unknown service": (changed(b=["D"]), "Unknown service", "[[pairs]] 2"),
    "unknown member": ({**small(), "groups": {"rest": ["B", "D"]}}, "Unknown service", "[groups] rest"),
    "unknown source": (changed(source="you"), "Unknown source", "you"),
    "unknown verdict": (changed(jumping="maybe"), "not valid", "pairs.1.jumping"),
    "missing verdict": ({**small(), "pairs": [{"a": ["A"], "b": ["B"], "source": "me"}]}, "not valid", "co_delivery"),
    "reason of one mode": (changed(reason={"jumping": "so"}), "not valid", "co_delivery, splitting, jumping"),
    "with itself": (changed(a=["C"]), "no pair", "[[pairs]] 2"),
    "unknown key": (changed(colour="red"), "not valid", "colour"),
    "same name": ({**small(), "groups": {"a": ["B"], "rest": ["B", "C"]}}, "not valid", "letter case"),
    "one service": ({**small(), "services": {"A": {"title": "A", "buyer": "DSO"}}}, "not valid", "services"),
    "unknown buyer": ({**small(), "services": {"A": {"title": "A", "buyer": "me"}}}, "not valid", "buyer"),
    "empty": ({}, "not valid", "title"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_matrices_are_named_errors(kind: str) -> None:
    data, problem, says = BAD[kind]
    with pytest.raises(StackingError) as error:
        matrix_from(copy.deepcopy(data), "mine.toml")
    assert problem in error.value.problem
    assert "mine.toml" in error.value.place
    assert says in str(error.value)
    assert error.value.remedy


def test_the_small_matrix_is_good_and_its_reasons_reach_the_cells() -> None:
    matrix = matrix_from(small(), "mine.toml")
    assert matrix.verdict("c", "A", "co-delivery") == ("N", "told so")
    assert matrix.counts("splitting") == {"Y": 6, "y": 0, "n": 0, "N": 0, "?": 0, "-": 3}


def test_a_shipped_matrix_that_lost_a_rule_is_refused() -> None:
    data = read_toml(PAIRS_FILE)
    for k in range(len(data["pairs"])):
        with pytest.raises(StackingError, match="not complete"):
            matrix_from({**data, "pairs": data["pairs"][:k] + data["pairs"][k + 1 :]}, "pairs.toml")


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    for call in (
        lambda: verdict("BM", "XX", "jumping"),
        lambda: verdict("BM", "SU", "sharing"),
        lambda: mode_named(""),
        lambda: MATRIX.service(""),
        lambda: load_matrix(reading="other"),
        lambda: load_matrix(tmp_path / "none.toml"),
    ):
        with pytest.raises(StackingError) as error:
            call()
        assert error.value.remedy
