"""docs/suites.md and docs/bench-v1.md are true: the example is valid, the table is that of the submissions, the hash is right."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stacking.config import validated
from stacking.experiments import cli
from stacking.experiments.suites.record import Suite, read_suite, suite_hash
from stacking.experiments.suites.submissions import read_submissions
from stacking.experiments.suites.table import lines_of, markdown

DOCS = Path(__file__).resolve().parents[2] / "docs"
SUITES, BENCH = ((DOCS / name).read_text("utf-8") for name in ("suites.md", "bench-v1.md"))


def test_the_example_of_a_suite_is_valid() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", SUITES, re.S)
    suite = validated(Suite, tomllib.loads(text), "docs/suites.md")
    assert [cell.name for cell in suite.all_cells()] == ["norflex_eam-battery", "my_design-battery"]


def test_the_table_is_that_of_the_submissions() -> None:
    _, suite = read_suite("bench-v1")
    table = markdown(suite, lines_of(suite, read_submissions("bench-v1", suite)))
    assert table.count("\n") > 20
    assert BENCH.endswith(table)


def test_the_page_states_the_hash_and_all_cells_parts() -> None:
    _, suite = read_suite("bench-v1")
    assert f"`{suite_hash(suite)}`" in BENCH
    for part in {Path(name).stem for group in suite.cells for name in (*group.designs, *group.portfolios)}:
        assert f"`{part}`" in BENCH


@pytest.mark.parametrize("page", [SUITES, BENCH], ids=["suites", "bench-v1"])
def test_commands_have_the_options_that_are_shown(page: str) -> None:
    commands = [line for block in re.findall(r"```bash\n(.*?)```", page, re.S) for line in block.splitlines() if line]
    assert commands
    for line in commands:
        name = line.split()[1]
        told = CliRunner().invoke(cli.app, [name, "--help"], env={"COLUMNS": "200"}).stdout
        for option in re.findall(r"--[a-z-]+", line.split("#")[0]):
            assert option in told, line
