"""Ids, settings from files, what an import costs, and what `stacking describe` says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from typer.testing import CliRunner

import stacking.envs
from stacking import layout as v
from stacking.catalogue import design_names, load_design
from stacking.envs.ids import NAMES, env_id, env_ids, settings_of
from stacking.errors import StackingError
from stacking.experiments.cli import app

from ..env_toy import single, vector

SHORT: dict[str, Any] = {"days": 1, "scenarios": 2}


def test_every_design_has_an_id_of_its_own() -> None:
    assert tuple(sorted(NAMES)) == design_names()
    assert len(set(NAMES.values())) == len(NAMES)
    for design, name in NAMES.items():
        assert name.lower() == design.replace("_", "")
        assert env_id(design) in gymnasium.registry
        assert single(env_id(design), **SHORT).worlds.scene.design == load_design(design)
    with pytest.raises(StackingError, match="design"):
        env_id("mine")
    assert settings_of("NorFlex-v0") == settings_of("norflex") == settings_of("stacking/NorFlex-v0")


def test_an_import_registers_and_loads_nothing_heavy() -> None:
    code = """
import sys
import gymnasium
import stacking.envs
assert "stacking/NorFlexEam-v0" in gymnasium.registry
heavy = {"numba", "mesa", "pandas", "torch", "pydantic", "pettingzoo", "stable_baselines3", "scipy", "networkx"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = 'import gymnasium; print(gymnasium.make("stacking.envs:stacking/NorFlex-v0", days=1, scenarios=1).spec.id)'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "stacking/NorFlex-v0"


def test_custom_takes_a_file_a_table_and_arguments(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'design = "norflex_eam"\ndays = 1\nscenarios = 2\nportfolio = "battery"\npooling = true\n'
        '[overrides]\n"rules.tso_penalty_factor" = 2.0\n"products.mfrr.min_mw" = 5.0\n[co_players]\nrebid = 1\n'
    )
    env = single("stacking/Custom-v0", config=str(file))
    rules, mfrr = env.worlds.scene.design.rules, env.worlds.scene.design.products["mfrr"]
    assert (rules.tso_penalty_factor, rules.pooling, mfrr.min_mw) == (2.0, True, 5.0)
    assert [p.name for p in env.engine.portfolios] == ["battery", "rebid 1"]
    other = single("stacking/Custom-v0", config=file, pooling=False, days=2)
    assert (other.worlds.scene.design.rules.pooling, other.config.days) == (False, 2)
    table = load_design("parallel").model_dump(mode="json")
    third = single("stacking/Custom-v0", config={"design": table, **SHORT})
    assert third.worlds.scene.design == load_design("parallel")
    rows = vector(2, "stacking/Custom-v0", config=str(file))
    rows.reset(seed=1)
    rows.step(np.zeros((2, v.ACTIONS_W)))
    with pytest.raises(StackingError, match="design"):
        gymnasium.make("stacking/Custom-v0")


def test_unknown_names_of_the_package_are_refused() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = stacking.envs.nothing
    assert set(env_ids()) == {name for name in gymnasium.registry if name.startswith("stacking/")}


# ---- describe --------------------------------------------------------------------------------------------------------
def call(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["describe", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_describe_names_every_column_with_unit_bounds_and_scaling() -> None:
    text = call("stacking/SthlmFlex-v0")
    for field in (*v.action_layout((0.0, 1.0), (0.0, 1.0)).fields, *v.observation_layout().fields):
        assert field.name in text
    assert "day-ahead price + 20 sinh(6.2 x)" in text
    assert "asinh(x / 50)" in text
    assert "T-45" in text


def test_described_bounds_are_those_that_actions_reach() -> None:
    """The lowest and highest number of every column stand for the bounds that are described."""
    found = json.loads(call("norflex_eam", "--json", "--set", "portfolio=battery"))
    assert [x["name"] for x in found["observation"]] == list(v.observation_layout().names)
    env = single("stacking/NorFlexEam-v0", portfolio="battery", **SHORT)
    for x, key in ((-1.0, "low"), (1.0, "high")):
        env.reset(options={"scenario": 0})
        env.step(np.full(v.ACTIONS_W, x))
        for k, record in enumerate(found["action"]):
            if "sinh" not in record["stands_for"]:
                assert env.worlds._action[0, 0, k] == record[key]


def test_describe_says_what_is_closed_and_who_plays() -> None:
    settings = ("--set", "co_players={rebid=2}", "--set", "choice=leave", "--set", "levels=5", "--set", "portfolio=load")
    found = json.loads(call("NorFlex-v0", "--json", *settings))
    assert found["co_players"] == {"rebid": 2}
    closed = {x["name"]: x["open_when"] for x in found["action"] if x["open_when"].startswith("never")}
    assert closed["lfm_up_share_frac"] == closed["consent_up"] == "never: 0"
    assert [x["levels"] for x in found["action"]][-1] == 2
    done = CliRunner().invoke(app, ["describe", "nowhere"])
    assert done.exit_code == 2
    assert "stacking/NorFlex-v0" in done.output
    assert CliRunner().invoke(app, ["describe", "norflex", "--set", "days"]).exit_code == 2
