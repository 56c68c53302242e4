from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from stacking import layout as at
from stacking.agents.guard import checked_act, checked_start
from stacking.agents.strategies import load_strategy, parameters_of, write_template
from stacking.errors import StackingError

from .observations import observation, open_mask

GOOD = """
class Mine:
    name = "mine"
    def __init__(self, depth=1.0):
        self.depth = depth
    def start(self, n, seed):
        return None
    def act(self, observation, mask, state):
        return observation[:, :14] * 0.0, state
"""


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_the_template_runs_at_once(tmp_path: Path) -> None:
    file = write_template(tmp_path / "first.py")
    strategy = load_strategy(f"{file}:MyStrategy")
    o, mask = observation(3), open_mask(3)
    action, _ = checked_act(strategy, o, mask, checked_start(strategy, 3, 0))
    assert strategy.name == "mine"
    assert action[0, at.MFRR_SHARE_UP] == 1.0
    assert action[0, at.MFRR_PRICE_UP] == pytest.approx(50.0 + 10.0 + 15.0)
    assert [p.name for p in parameters_of(strategy)] == ["markup_eur_per_mwh", "target_content_frac"]
    dear = load_strategy(f"{file}:MyStrategy", markup_eur_per_mwh=100.0)
    assert dear.act(o, mask, None)[0][0, at.MFRR_PRICE_UP] == pytest.approx(160.0)


def test_the_template_is_not_written_over_a_file_nor_elsewhere(tmp_path: Path) -> None:
    file = write(tmp_path, "mine")
    for path, match in ((file, "exists"), (tmp_path / "mine.txt", "ends in .py"), (tmp_path / "no" / "x.py", "folder")):
        with pytest.raises(StackingError, match=match):
            write_template(path)
    assert file.read_text() == "mine"


def test_a_users_class_is_loaded_with_its_parameters_and_shadows_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD, "numpy.py")
    strategy = load_strategy(f"{file}:Mine", depth=2.0)
    assert strategy.depth == 2.0  # type: ignore[attr-defined]
    assert sys.modules["numpy"] is np


@pytest.mark.parametrize(
    ("text", "spec", "expected"),
    [
        (None, "mine.py:Mine", ["no such strategy file", "new-strategy"]),
        (GOOD, "mine.py", ["FILE:Class"]),
        (GOOD, "mine.py:", ["FILE:Class"]),
        (GOOD, "mine.py:Other", ["no such class", "Mine"]),
        (GOOD, "mine.py:__name__", ["no such class"]),
        ("x = 1\n", "mine.py:Mine", ["defines no class"]),
        ("x = 1\ny = 1 / 0\n", "mine.py:Mine", ["ZeroDivisionError", "mine.py:2", "y = 1 / 0"]),
        ("import sys\nsys.exit(3)\n", "mine.py:Mine", ["SystemExit", "mine.py:2"]),
        ("class Mine\n", "mine.py:Mine", ["SyntaxError", "mine.py:1"]),
        ("import nothing_of_that_name\n", "mine.py:Mine", ["nothing_of_that_name"]),
        (GOOD.replace("depth=1.0", "depth"), "mine.py:Mine", ["depth", "default"]),
        (
            GOOD.replace("self.depth = depth", "raise OSError('no disk')"),
            "mine.py:Mine",
            ["OSError: no disk", "mine.py:5"],
        ),
        (GOOD.replace("def act", "def decide"), "mine.py:Mine", ["no act method", "observation, mask, state"]),
        (GOOD.replace("def start", "def begin"), "mine.py:Mine", ["no start method"]),
        (GOOD.replace("observation, mask, state", "observation"), "mine.py:Mine", ["act method cannot be called"]),
        (GOOD.replace('name = "mine"', "label = 1"), "mine.py:Mine", ["no name"]),
    ],
)
def test_a_broken_file_is_named_with_its_line_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, spec: str, expected: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        write(tmp_path, text)
    with pytest.raises(StackingError) as caught:
        load_strategy(spec)
    message = str(caught.value)
    for part in expected:
        assert part in message
    assert caught.value.remedy


def test_an_unknown_parameter_shows_the_signature(tmp_path: Path) -> None:
    with pytest.raises(StackingError, match="width") as caught:
        load_strategy(f"{write(tmp_path, GOOD)}:Mine", width=1.0)
    assert "depth" in caught.value.allowed
