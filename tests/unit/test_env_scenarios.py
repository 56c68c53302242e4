"""Which scenarios environments play: sequences by seed, splits without a common scenario, one library for many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stacking.envs import StackingEnv, scenarios
from stacking.envs.scenarios import ScenarioStreams
from stacking.errors import StackingError

from ..env_toy import single, uneven, vector

SHORT: dict[str, Any] = {"portfolio": "battery", "days": 1}


def played(split: str, seed: int, count: int = 6, **settings: Any) -> list[str]:
    """Return the keys of the scenarios of the first episodes of an environment."""
    env = single(split=split, **SHORT, **settings)
    keys = []
    for k in range(count):
        env.reset(seed=seed if k == 0 else None)
        keys.append(str(env.engine.library.keys[int(env.engine.scenario[0])]))
    return keys


def test_splits_are_disjoint_for_any_number_of_environments() -> None:
    """A dozen environments of each split, vector rows included: no key and no series in common."""
    found: dict[str, set[str]] = {}
    series: dict[str, set[bytes]] = {}
    for split in ("train", "validation", "test"):
        keys = {key for seed in range(12) for key in played(split, seed, scenarios=20, scenario_seed=seed % 3)}
        rows = vector(20, split=split, scenarios=20, **SHORT)
        rows.reset(seed=1)
        keys |= {str(rows.engine.library.keys[k]) for k in rows.engine.scenario}
        found[split] = keys
        series[split] = {rows.engine.library.series[k].tobytes() for k in range(20)}
        assert {key.partition("/")[0] for key in keys} == {split}
        assert len(keys) > 30
        assert len(series[split]) == 20
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not found[a] & found[b]
        assert not series[a] & series[b]


def test_a_seed_is_a_sequence_and_other_seeds_are_others() -> None:
    assert played("train", 3) == played("train", 3)
    assert played("train", 3) != played("train", 4)
    assert len(set(played("train", 3, 20))) > 10
    env, sequences = single(**SHORT), []
    for _ in range(2):
        env.reset(seed=3)
        sequences.append([env.reset() and int(env.engine.scenario[0]) for _ in range(6)])
    assert sequences[0] == sequences[1]


def test_rows_are_seeded_with_their_number_added() -> None:
    rows = vector(5, **SHORT)
    rows.reset(seed=7)
    for row in range(5):
        one = single(**SHORT)
        one.reset(seed=7 + row)
        assert one.engine.scenario[0] == rows.engine.scenario[row]
    rows.reset(seed=[7, 7, 7, 8, 7])
    assert len(set(rows.engine.scenario.tolist())) == 2


def test_without_a_seed_environments_differ() -> None:
    first = {tuple(played_unseeded()) for _ in range(4)}
    assert len(first) == 4


def played_unseeded() -> list[int]:
    env = single(**SHORT)
    found = []
    for _ in range(8):
        env.reset()
        found.append(int(env.engine.scenario[0]))
    return found


def test_every_scenario_of_the_library_is_played_about_as_often() -> None:
    streams = ScenarioStreams(1000, 10)
    streams.seed(np.arange(1000), np.arange(1000, dtype=np.uint64))
    counts = np.bincount(np.concatenate([streams.draw(np.arange(1000)) for _ in range(50)]), minlength=10)
    assert counts.size == 10
    assert counts.min() > 4700
    assert counts.max() < 5300


def test_equal_wishes_share_one_library_and_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios, "_KEPT", type(scenarios._KEPT)())
    a, b = (StackingEnv(design=name, scenarios=2, **SHORT) for name in ("norflex", "parallel"))
    assert a.engine.library is b.engine.library
    c = StackingEnv(design="norflex", scenarios=2, scenario_seed=1, **SHORT)
    assert c.engine.library is not a.engine.library
    for seed in range(2, 12):
        StackingEnv(design="norflex", scenarios=2, scenario_seed=seed, **SHORT)
    assert len(scenarios._KEPT) == scenarios.KEPT_LIBRARIES
    assert StackingEnv(design="norflex", scenarios=2, **SHORT).engine.library is not a.engine.library
    assert len(StackingEnv(design="norflex", **SHORT).engine.library) == scenarios.SCENARIOS


def test_price_files_are_replayed_by_split(tmp_path: Path) -> None:
    lines = ["utc,da_price"]
    for hour in range(24 * 60):
        day, clock = divmod(hour, 24)
        date = np.datetime64("2025-03-01") + day
        lines.append(f"{date} {clock:02d}:00:00+00:00,{40 + 20 * (clock in (7, 8, 17, 18, 19)) + day}")
    file = tmp_path / "prices.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    windows = {}
    for split in ("train", "validation", "test", "all"):
        env = StackingEnv(design="parallel", prices=file, split=split, timezone="UTC", **SHORT)
        windows[split] = {str(stamp) for stamp in env.engine.library.start_utc}
        env.reset(seed=1)
        assert env.engine.library.keys[0].source == "prices"
    assert not windows["train"] & windows["test"]
    assert not windows["validation"] & windows["test"]
    assert windows["train"] | windows["validation"] | windows["test"] < windows["all"]
    assert (
        len(StackingEnv(design="parallel", prices=(file,), scenarios=3, split="all", timezone="UTC", **SHORT).engine.library) == 3
    )


def test_a_library_of_ones_own_is_played() -> None:
    env = StackingEnv(design="parallel", portfolio="battery", library=uneven())
    assert env.engine.library is uneven()
    env.reset(options={"scenario": 3})
    assert env.engine.scenario.tolist() == [3]


def test_a_seed_that_is_none_is_refused_in_streams() -> None:
    with pytest.raises(StackingError, match="seed"):
        scenarios.stream_seeds([-1], np.random.default_rng(0))
    assert scenarios.stream_seeds([2**70], np.random.default_rng(0)).tolist() == [0]
