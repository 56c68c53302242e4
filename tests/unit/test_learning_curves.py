"""Learning curves from records of trainings, against figures set by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from stacking.errors import StackingError
from stacking.experiments import cli
from stacking.experiments.chart import Chart, svg
from stacking.experiments.stats import Interval
from stacking.experiments.training import progress_file
from stacking.experiments.training.curves import chart_of, curves_of, write_curves


def _training(folder: Path, seed: int, gains: dict[int, float], name: str = "ppo", **env: Any) -> Path:
    folder.mkdir(parents=True)
    record = {"name": name, "seed": seed, "training": {"algorithm": "PPO", "env": {"advice": "rebid", "design": "a", **env}}}
    (folder / "training.json").write_text(json.dumps(record))
    progress_file.begin(folder, 0)
    for leg, (steps, gain) in enumerate(gains.items(), start=1):
        progress_file.append(folder, progress_file.Line(leg, steps, 1.0, 0.0, gain_eur=gain))
    return folder


def test_seeds_are_one_curve_and_settings_tell_curves_apart(tmp_path: Path) -> None:
    _training(tmp_path / "a1", 1, {100: 3.0, 200: float("nan"), 300: 9.0})
    _training(tmp_path / "a0", 0, {100: 1.0, 200: 5.0, 300: 5.0})
    _training(tmp_path / "b", 0, {100: -4.0}, design="b")
    first, second = curves_of([tmp_path])
    assert (first.name, second.name) == ("ppo, design=a", "ppo, design=b")
    assert (first.seeds, first.steps) == ((0, 1), (100, 300))  # at 200 one of them was not looked at
    assert first.gain_eur.tolist() == [[1.0, 5.0], [3.0, 9.0]]
    assert second.gain_eur.tolist() == [[-4.0]]
    chart = chart_of([first, second])
    line, band = chart.lines["ppo, design=a (2 seeds)"], chart.bands["ppo, design=a (2 seeds)"]
    assert [None if p is None else p.estimate for p in line] == [None, 2.0, 7.0]
    assert band[1:] == [(1.0, 3.0), (5.0, 9.0)]
    assert np.isnan(band[0]).all()
    assert [None if p is None else p.estimate for p in chart.lines["ppo, design=b (1 seed)"]] == [None, -4.0, None]


def test_the_command_writes_a_figure_and_says_where_it_ends(tmp_path: Path) -> None:
    _training(tmp_path / "runs" / "s0", 0, {k * 100_000: float(k) for k in range(1, 41)})
    out = tmp_path / "curves.svg"
    done = CliRunner().invoke(cli.app, ["curves", str(tmp_path / "runs"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "after 4,000,000 steps +40 EUR" in done.output
    text = out.read_text("utf-8")
    assert text.startswith("<svg")
    assert "not to scale" not in text
    assert "nan" not in text
    data = json.loads(CliRunner().invoke(cli.app, ["curves", str(tmp_path / "runs"), "--out", str(out), "--json"]).stdout)
    assert data[0]["gain_eur"][0][:2] == [1.0, 2.0]
    before = out.read_bytes()
    write_curves([tmp_path / "runs", tmp_path / "runs" / "s0"], out)  # a folder that is named twice is one training
    assert out.read_bytes() == before


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StackingError, match="no training in this folder"):
        curves_of([tmp_path])
    run = _training(tmp_path / "a", 0, {100: float("nan")})
    with pytest.raises(StackingError, match="not been looked at"):
        curves_of([run])
    twin = [_training(tmp_path / "t" / name, 0, {100: 1.0}) for name in ("x", "y")]
    with pytest.raises(StackingError, match="same settings and seed"):
        curves_of(twin)
    with pytest.raises(StackingError, match="svg"):
        write_curves([twin[0]], tmp_path / "curves.png")
    (twin[0] / "training.json").write_text("{")
    with pytest.raises(StackingError, match="record of the training"):
        curves_of([twin[0]])
    (twin[1] / progress_file.FILE).write_text("a,b\n1,2\n")
    with pytest.raises(StackingError, match="other columns"):
        curves_of([twin[1]])


def test_places_without_a_name_need_no_room() -> None:
    point = Interval(1.0, 1.0, 1.0, 0.95, 2)
    names = ["0", *[""] * 99, "100"]
    drawn = Chart("t", "x", "y", names, [float(k) for k in range(101)], {"a": [point] * 101})
    assert "not to scale" not in svg(drawn)
    crowded = Chart("t", "x", "y", [str(k) for k in range(101)], [float(k) for k in range(101)], {"a": [point] * 101})
    assert "not to scale" in svg(crowded)


def test_things_that_have_no_order_are_not_joined() -> None:
    point = Interval(1.0, 0.0, 2.0, 0.95, 2)
    apart = Chart("t", "x", "y", ["a", "b"], None, {"line": [point, point]}, joined=False)
    assert "polyline" not in svg(apart)
    assert svg(apart).count("circle") == 2


def test_names_that_would_run_into_each_other_are_slanted() -> None:
    point = Interval(1.0, 0.0, 2.0, 0.95, 2)
    names = [f"norflex_eam-battery-{k}" for k in range(12)]
    crowded = Chart("t", "x", "y", names, None, {"line": [point] * 12}, joined=False)
    assert svg(crowded).count("rotate(-60") == 12
    assert "rotate" not in svg(Chart("t", "x", "y", names[:2], None, {"line": [point] * 2}, joined=False))
