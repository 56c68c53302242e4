"""The pages about learning are true: their Python runs, the commands exist, and the tuned trainings are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stacking.experiments.cli import app
from stacking.experiments.training.algorithms import ALGORITHMS
from stacking.experiments.training.record import shipped_trainings

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {name: (DOCS / f"{name}.md").read_text("utf-8") for name in ("learning", "many-learners", "suites")}
BLOCKS = re.findall(r"```python\n(.*?)```", PAGES["learning"], re.S)


@pytest.mark.parametrize("k", range(len(BLOCKS)))
def test_the_python_runs_and_prints(k: int, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(BLOCKS[k], f"docs/learning.md block {k}", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out.strip()


def test_every_command_is_there_with_its_options() -> None:
    found = 0
    for page in PAGES.values():
        for block in re.findall(r"```(?:bash)?\n(.*?)```", page, re.S):
            for line in re.findall(r"^stacking (.*?)(?:#.*)?$", block, re.M):
                name, *words = line.split()
                help_text = CliRunner().invoke(app, [name, "--help"], terminal_width=200).output
                assert "Usage" in help_text, line
                for option in (word for word in words if word.startswith("--")):
                    assert option in help_text, line
                    found += 1
    assert found > 15


def test_the_table_names_every_training() -> None:
    for name in (*shipped_trainings(), *(n for n in ALGORITHMS if n.lower() not in ("ppo", "sac", "maskableppo"))):
        assert f"`{name}`" in PAGES["learning"], name
