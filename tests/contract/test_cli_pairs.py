"""`stacking designs --pairs`: the matrix, a pair and why, files of users, and bad input as clear text with exit code 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stacking.experiments import cli
from stacking.pairs import PAIRS_FILE, load_matrix

GB = load_matrix()


def call(*arguments: str) -> Any:
    """Run `stacking designs` in this process."""
    return CliRunner().invoke(cli.app, ["designs", *arguments])


def test_the_matrix_prints_every_cell_of_every_mode() -> None:
    done = call("--pairs")
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines() if line.split()[:1] and line.split()[0] in GB.services]
    grid = [row for row in rows if len(row) == 23 and all(len(cell) == 1 for cell in row[1:])]
    assert len(grid) == 3 * 22
    for mode, block in zip(("co_delivery", "splitting", "jumping"), (grid[:22], grid[22:44], grid[44:]), strict=True):
        for name, *cells in block:
            assert cells == [GB.verdict(name, other, mode)[0] for other in GB.services]
    assert max(len(line) for line in done.stdout.splitlines()) <= 120


def test_the_matrix_as_json() -> None:
    data = json.loads(call("--pairs", "--json").stdout)
    assert data["modes"]["jumping"]["counts"]["Y"] == 292
    assert data["modes"]["splitting"]["rows"]["BM"][list(data["services"]).index("SU")] == "y"


def test_two_services_get_three_answers_with_reason_and_source() -> None:
    text = " ".join(call("--pairs", "bm", "SU").stdout.split())
    for words in (
        "Balancing Mechanism", "co-delivery", "not decided [?]. Why: no data.", "yes, implied [y]; same direction only.",
        "60-minute baseline", "jumping", "yes [Y]. Why", "Source: ENA Open Networks",
    ):  # fmt: skip
        assert words in text
    pair = json.loads(call("--pairs", "bm", "SU", "--json").stdout)
    assert [cell["verdict"] for cell in pair["modes"].values()] == ["?", "y", "Y"]


def test_another_reading_and_an_own_file(tmp_path: Path) -> None:
    told = json.loads(call("--pairs", "DFS", "SU", "--reading", "enwl", "--json").stdout)
    assert told["modes"]["co_delivery"]["verdict"] == "Y"
    file = tmp_path / "mine.toml"
    file.write_text(PAIRS_FILE.read_text("utf-8").replace('splitting = "y"', 'splitting = "N"'), "utf-8")
    mine = json.loads(call("--pairs", "BM", "SU", "--matrix", str(file), "--json").stdout)
    assert mine["modes"]["splitting"]["verdict"] == "N"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--pairs", "BM"), "no service, or two"),
        (("--pairs", "BM", "SU", "DC"), "no service, or two"),
        (("--pairs", "BM", "XX"), "Unknown service"),
        (("--pairs", "BM", "bm"), "two different services"),
        (("--pairs", "--reading", "other"), "enwl"),
        (("--pairs", "--matrix", "none.toml"), "Cannot read"),
        (("parallel", "exclusive"), "one design"),
        (("--matrix", "mine.toml"), "Add --pairs"),
        (("parallel", "--reading", "enwl"), "Add --pairs"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[str, ...], says: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert says in done.stderr
    assert says in str(json.loads(call(*arguments, "--json").stdout)["error"])


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(PAIRS_FILE.read_text("utf-8").replace('b = ["dso"]', 'b = ["dsos"]'), "utf-8")
    done = call("--pairs", "--matrix", str(file))
    assert done.exit_code == 2
    for words in ("mine.toml [[pairs]] 2", "dsos", "STOR"):
        assert words in done.stderr


def test_designs_still_shows_one_design_and_all() -> None:
    assert "Blind parallel sale" in call("parallel").stdout
    assert len(json.loads(call("--json").stdout)) >= 8
    assert call("nonsense").exit_code == 2
