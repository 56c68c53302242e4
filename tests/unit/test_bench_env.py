"""The speed benchmarks of environments measure what they say; no test asserts a time."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from stacking.experiments.benchmarks import envs as bench
from stacking.experiments.benchmarks.registry import ENV_SPECS, env_bench_spec
from stacking.experiments.cli import app

NAMES = [spec.name for spec in ENV_SPECS]


@pytest.mark.parametrize("name", ["env-make-battery-v0", "env-vector-1024-battery-v0", "env-vector-1024-battery-spread-v0"])
def test_figures_follow_from_the_times_and_something_trades(name: str) -> None:
    spec = env_bench_spec(name)
    (speed,) = bench.measure([replace(spec, rows=min(spec.rows, 8), steps=120)], 2)
    assert speed.env_steps_per_s == pytest.approx(1e6 * speed.rows / speed.step_us)
    assert speed.engine_us == pytest.approx(speed.engine_frac * speed.step_us)
    assert speed.engine_steps_per_s == pytest.approx(1e6 * speed.rows / speed.engine_us)
    assert 0.0 < speed.engine_frac < 1.0
    assert speed.accepted_mw > 0.01
    assert (speed.ended > 0) == spec.spread


def test_the_adapter_is_measured() -> None:
    pytest.importorskip("stable_baselines3")
    (speed,) = bench.measure([replace(env_bench_spec("env-sb3-256-v0"), rows=4, steps=60)], 1)
    assert speed.accepted_mw > 0.0


def test_the_stopwatch_is_taken_off_again() -> None:
    face, engine_of = bench._face(replace(env_bench_spec("env-vector-1024-battery-v0"), rows=2))
    engine = engine_of()
    with bench._Stopwatch(engine) as watch:
        face.reset(seed=1)
        face.step(np.zeros(face.action_space.shape))
        assert watch.seconds > 0.0
    assert "step" not in vars(engine)
    assert "reset" not in vars(engine)


def test_targets_that_are_missed_are_named() -> None:
    (speed,) = bench.measure([replace(env_bench_spec("env-make-battery-v0"), steps=20)], 1)
    slow, fast = (replace(speed, env_steps_per_s=x) for x in (4e4, 5e4))
    assert [line for _, line in bench.missed(slow)] == ["env-make-battery-v0: 40,000 env-steps/s, asked at least 50,000"]
    assert bench.missed(fast) == []
    assert "Targets met: 0 of 1" in bench.to_text([slow])
    assert "Targets met: 1 of 1" in bench.to_text([fast])
    assert "Others took the core" in bench.to_text([replace(fast, running_frac=0.5)])
    assert bench.to_data([slow])[0]["not_met"]


def test_the_command_prints_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "measure", lambda specs, repetitions, advance: MEASURE(short(specs), 1, advance))
    done = CliRunner().invoke(app, ["bench", "env", "--only", "env-make-battery-v0", "--json"])
    assert done.exit_code == 0
    assert [x["name"] for x in json.loads(done.stdout)] == ["env-make-battery-v0"]
    assert CliRunner().invoke(app, ["bench", "env", "--only", "nothing"]).exit_code == 2
    assert len(set(NAMES)) == len(NAMES)


MEASURE = bench.measure


def short(specs):
    return [replace(spec, steps=20) for spec in specs]
