"""Submissions to a suite and the table that is made from them, with figures set by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from stacking.errors import StackingError
from stacking.experiments import cli
from stacking.experiments.suites.play import Played
from stacking.experiments.suites.players import Player
from stacking.experiments.suites.record import Suite, read_suite, suite_hash, suite_names
from stacking.experiments.suites.submissions import FOLDER, read_submissions, submissions_of, write_submissions
from stacking.experiments.suites.table import lines_of, markdown

RECORD = """
title = "Two designs"
question = "Which is larger?"
steps = [100, 1000]
seeds = 2

[[training]]
name = "ppo"
algorithm = "ppo"

[[rival]]
name = "rebid"

[[cells]]
designs = ["norflex_eam", "onenet"]
portfolios = ["battery"]

[[test]]
name = "generated"
days = 7
scenarios = 2
cross = true
"""
NORFLEX, ONENET = "norflex_eam-battery", "onenet-battery"


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    file = tmp_path / "two.toml"
    file.write_text(RECORD, encoding="utf-8")
    return read_suite(str(file))[1]


def _played(suite: Suite, cell: str, player: Player, flex: list[float], keys: str = "k") -> Played:
    found = next(c for c in suite.all_cells() if c.name == cell)
    rows = pd.DataFrame({"scenario": [f"test/{keys}/{n}" for n in range(len(flex))], "flex_eur": flex})
    return Played(found, found.tests[0], player, rows)


@pytest.fixture
def submitted(suite: Suite, tmp_path: Path) -> Path:
    """A rival of two budgets, two seeds of a policy that also visits, and a strategy that was entered."""
    tuned = tmp_path / "rebid.toml"
    tuned.write_text('strategy = "rebid"\n[parameters]\nda_volume_frac = 0.25\n')
    all_played = [
        _played(suite, NORFLEX, Player("rebid", "rival", 100, None, NORFLEX, tuned), [100.0, 200.0]),
        _played(suite, NORFLEX, Player("rebid", "rival", 1000, None, NORFLEX, tuned), [110.0, 210.0]),
        _played(suite, NORFLEX, Player("ppo", "trained", 1000, 0, NORFLEX), [121.0, 231.0]),
        _played(suite, NORFLEX, Player("ppo", "trained", 1000, 1, NORFLEX), [110.004, 210.0]),
        _played(suite, NORFLEX, Player("ppo", "trained", 1000, 0, ONENET), [90.0, 190.0]),
        _played(suite, NORFLEX, Player("mine", "entry", 0, None, "", None, "mfrr_only"), [50.0, -0.001]),
    ]
    folder = tmp_path / "submissions"
    write_submissions(submissions_of("two", suite, all_played), folder)
    return folder


def test_a_file_for_each_player_and_budget_comes_back_as_it_was(suite: Suite, submitted: Path) -> None:
    assert sorted(file.name for file in submitted.iterdir()) == [
        "mine.json",
        "ppo-1000.json",
        "rebid-100.json",
        "rebid-1000.json",
    ]
    found = {one.file_name: one for one in read_submissions("two", suite, [submitted])}
    ppo = found["ppo-1000.json"]
    assert [(r.trained_in, r.seed, r.flex_eur) for r in ppo.results] == [
        (NORFLEX, 0, (121.0, 231.0)), (NORFLEX, 1, (110.0, 210.0)), (ONENET, 0, (90.0, 190.0)),
    ]  # fmt: skip
    assert found["mine.json"].results[0].flex_eur == (50.0, 0.0)  # to the cent
    assert found["mine.json"].made_with == {"entered": "mfrr_only"}
    assert found["rebid-100.json"].made_with == {NORFLEX: {"da_volume_frac": 0.25}}
    before = {file: file.read_bytes() for file in submitted.iterdir()}
    write_submissions(tuple(found.values()), submitted)
    assert {file: file.read_bytes() for file in submitted.iterdir()} == before


def test_each_is_beside_the_rival_of_its_budget(suite: Suite, submitted: Path) -> None:
    lines = lines_of(suite, read_submissions("two", suite, [submitted]))
    by = {(line.name, line.steps, line.trained_in): line for line in lines}
    own = by[("ppo", 1000, "")]
    assert (own.seeds, own.mean_eur) == (2, pytest.approx((121.0 + 231.0 + 110.0 + 210.0) / 4.0))
    assert own.against is not None
    assert own.against.eur.estimate == pytest.approx((11.0 + 21.0) / 4.0)  # less 110 and 210, not 100 and 200
    visitor = by[("ppo", 1000, ONENET)].against
    assert visitor is not None
    assert visitor.eur.estimate == pytest.approx(-20.0)
    mine = by[("mine", 0, "")].against
    assert mine is not None
    assert mine.eur.estimate == pytest.approx((-50.0 - 200.0) / 2.0)  # nothing was tuned: less the rival of the smallest budget
    assert by[("rebid", 100, "")].against is None


def test_the_table_is_markdown_with_cross_play_apart(suite: Suite, submitted: Path) -> None:
    text = markdown(suite, lines_of(suite, read_submissions("two", suite, [submitted])))
    means, beside, crossed = text.split("\n\n**")
    assert means.splitlines()[2:] == [
        "| cell | `mine` | `rebid` 100 | `ppo` 1,000 | `rebid` 1,000 |",
        "| --- | ---: | ---: | ---: | ---: |",
        f"| `{NORFLEX}` | 25.0 | 150 | 168 | 160 |",
    ]
    assert [line.split("|")[2].strip() for line in beside.splitlines() if line.startswith("| `")] == ["`mine`", "`ppo`"]
    assert crossed.startswith("Cross-play")
    assert f"| `{NORFLEX}` | `{ONENET}` | `ppo` | 1,000 | 1 | 140 | 90.0 | -20.0 |" in crossed


def test_the_command_reads_files_and_folders(suite: Suite, submitted: Path, tmp_path: Path) -> None:
    def call(*places: str) -> Any:
        return CliRunner().invoke(cli.app, ["suite-table", str(tmp_path / "two.toml"), *places])

    whole, parts = call(str(submitted)), call(*(str(file) for file in sorted(submitted.iterdir())))
    assert whole.exit_code == 0, whole.output
    assert whole.stdout == parts.stdout
    data = json.loads(call(str(submitted), "--json").stdout)
    assert {row["name"] for row in data} == {"ppo", "rebid", "mine"}
    assert call(str(submitted), str(submitted / "mine.json")).exit_code == 2  # twice


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"suite_hash": "0" * 16}, "another suite"),
        ({"steps": 7}, "no such budget"),
        ({"name": "../x"}, "small letters"),
        ({"kind": "winner"}, "kind"),
        ({"results": []}, "results"),
        ({"cell": "gone-battery"}, "no such test"),
        ({"flex_eur": [1.0, float("nan")]}, "flex_eur"),
        ({"flex_eur": [1.0, 2.0, 3.0]}, "same scenarios"),
        ({"scenarios": "f" * 16}, "same scenarios"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_bad_submission_is_refused(suite: Suite, submitted: Path, change: dict[str, Any], message: str) -> None:
    file = submitted / "mine.json"
    data = json.loads(file.read_text("utf-8"))
    for key, value in change.items():
        (data["results"][0] if key in data["results"][0] else data)[key] = value
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(StackingError, match=message):
        read_submissions("two", suite, [submitted])


def test_a_file_that_is_no_json_or_says_a_thing_twice_is_refused(suite: Suite, submitted: Path) -> None:
    file = submitted / "mine.json"
    data = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**data, "results": data["results"] * 2}), encoding="utf-8")
    with pytest.raises(StackingError, match="twice"):
        read_submissions("two", suite, [submitted])
    file.write_text("{", encoding="utf-8")
    with pytest.raises(StackingError, match="cannot be read"):
        read_submissions("two", suite, [submitted])


def test_a_strategy_of_ones_own_is_entered(tmp_path: Path) -> None:
    """By name, in one cell, without any training: rows are kept, the record of openings counts, the file is read back."""
    record = tmp_path / "two.toml"
    record.write_text(RECORD.replace("days = 7", "days = 1"), encoding="utf-8")
    out = tmp_path / "mine"
    command = ["suite-enter", str(record), "lfm_only", "--name", "local", "--by", "me", "--only", NORFLEX, "--out", str(out)]
    done = CliRunner().invoke(cli.app, command)
    assert done.exit_code == 0, done.output
    suite = read_suite(str(record))[1]
    (found,) = read_submissions("two", suite, [out / "submissions" / "local.json"])
    assert (found.by, found.kind, found.steps, found.made_with) == ("me", "entry", 0, {"entered": "lfm_only"})
    assert [(r.cell, len(r.flex_eur)) for r in found.results] == [(NORFLEX, 2)]
    assert json.loads((out / "test-opened.json").read_text("utf-8"))["times"] == 1
    assert CliRunner().invoke(cli.app, [*command[:2], "no_such", *command[3:]]).exit_code == 2
    assert CliRunner().invoke(cli.app, [*command, "--steps", "7"]).exit_code == 2


@pytest.mark.parametrize("name", suite_names())
def test_shipped_submissions_are_to_the_suite_as_it_is(name: str) -> None:
    _, suite = read_suite(name)
    found = read_submissions(name, suite)
    assert len(found) == len(list((FOLDER / name).glob("*.json")))
    assert all(one.suite_hash == suite_hash(suite) and one.suite == name for one in found)
