"""Recorded episodes: they read back, play again bit for bit, have the same bytes for the same seed, and bad files are refused."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from typer.testing import CliRunner

import stacking.envs  # noqa: F401  (registers the ids)
from stacking.agents.parameters import shipped_parameters
from stacking.agents.population import Population
from stacking.agents.strategies import make_strategy
from stacking.engine import Engine
from stacking.envs.minari_data import to_minari
from stacking.envs.offline import Episodes, load_episodes, record_episodes, save_episodes
from stacking.errors import StackingError
from stacking.experiments.cli import app
from stacking.experiments.runner import ensure_compiled
from stacking.state import CASH

ENV = "stacking/NorFlexEam-v0"
SETTINGS = {"days": 1, "portfolio": "battery", "scenarios": 3, "split": "test"}


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    ensure_compiled("serial", lambda _: None)  # not inside the time limit of a strategy's call


@pytest.fixture(scope="module")
def rebid() -> Episodes:
    return record_episodes(ENV, episodes=2, strategy="rebid", **SETTINGS)


@pytest.fixture
def file(rebid: Episodes, tmp_path: Path) -> Path:
    return save_episodes(rebid, tmp_path / "rebid.npz")


def test_what_is_written_reads_back(rebid: Episodes, file: Path) -> None:
    back = load_episodes(file)
    assert back.card == rebid.card
    for field in dataclasses.fields(Episodes)[1:]:
        before, after = getattr(rebid, field.name), getattr(back, field.name)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
    assert [path.name for path in file.parent.iterdir()] == ["rebid.npz"]


@pytest.mark.parametrize(("strategy", "more"), [
    ("rebid", {}), (None, {}), ("stacked", {"portfolio": "default", "co_players": {"rebid": 2}}),
    ("stacked", {"advice": "rebid", "mask_seen": True}),
    ("stacked", {"advice": "rebid", "mask_seen": True, "steer_eur_per_mwh": 20.0}),
])  # fmt: skip
def test_actions_played_again_give_the_same_rewards(strategy: str | None, more: dict, tmp_path: Path) -> None:
    made = record_episodes(ENV, episodes=2, strategy=strategy, seed=5, **{**SETTINGS, **more})
    found = load_episodes(save_episodes(made, tmp_path / "x.npz"))
    env = gymnasium.make(found.card.env, **found.card.settings)
    assert len(found) == 2
    for k in range(2):
        each = found.episode(k)
        seen, info = env.reset(seed=99, options={"scenario": int(found.scenarios[k])})
        assert len(each["observations"]) == len(each["actions"]) + 1 == len(each["masks"]) == 145
        for t, action in enumerate(each["actions"]):
            assert np.abs(action).max() <= 1.0
            np.testing.assert_array_equal(seen, each["observations"][t])
            np.testing.assert_array_equal(info["action_mask"], each["masks"][t])
            seen, reward, terminated, truncated, info = env.step(action)
            assert (reward, terminated, truncated) == tuple(each[n][t] for n in ("rewards", "terminations", "truncations"))
        np.testing.assert_array_equal(seen, each["observations"][-1])
        assert each["truncations"].sum() == 1
        assert each["truncations"][-1]
        assert info["net_eur"] == found.net_eur[k]
        assert 100.0 * each["rewards"].sum() == pytest.approx(found.net_eur[k], abs=1e-6)


def test_a_strategy_earns_what_it_earns_by_itself(rebid: Episodes) -> None:
    scene = gymnasium.make(ENV, **SETTINGS).unwrapped.worlds.scene  # type: ignore[attr-defined]
    engine = Engine(scene.design, scene.portfolios, scene.library, 2)
    engine.reset([0, 1])
    population = Population({"rebid": make_strategy("rebid", **shipped_parameters("rebid"))}, ["rebid"],
                            portfolio_names=[p.name for p in scene.portfolios], layout=engine.compiled.layout)  # fmt: skip
    population.start([str(key) for key in scene.library.keys[:2]])
    while not engine.ended.all():
        engine.step(population.act(engine.observation, engine.mask))
    np.testing.assert_array_equal(rebid.net_eur, engine.state[:, 0, CASH])
    assert rebid.card.scenario_keys == tuple(str(key) for key in scene.library.keys[:2])


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    def digest(seed: int, name: str) -> str:
        found = record_episodes("norflex_eam", episodes=1, seed=seed, **SETTINGS)
        return hashlib.sha256(save_episodes(found, tmp_path / name).read_bytes()).hexdigest()

    assert digest(1, "a.npz") == digest(1, "b.npz") != digest(2, "c.npz")


def test_more_episodes_leave_the_first_as_they_were(rebid: Episodes) -> None:
    longer = record_episodes(ENV, episodes=3, strategy="rebid", **SETTINGS)
    for name, array in rebid.episode(1).items():
        np.testing.assert_array_equal(array, longer.episode(1)[name])
    assert len(set(longer.card.scenario_keys)) == 3


# ---- errors ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("more", "key"), [
    ({"episodes": 4}, "episodes"), ({"episodes": 0}, "episodes"), ({"seed": -1}, "seed"), ({"levels": 11}, "levels"),
    ({"portfolio": [object()]}, "portfolio"), ({"strategy": "nobody"}, None), ({"days": 0}, "days"),
])  # fmt: skip
def test_bad_wishes_are_refused(more: dict, key: str | None) -> None:
    with pytest.raises(StackingError) as caught:
        record_episodes(ENV, **{"episodes": 1, **SETTINGS, **more})
    assert key is None or key in str(caught.value.key)


def test_an_unknown_id_and_a_bad_path_are_refused(rebid: Episodes, tmp_path: Path) -> None:
    with pytest.raises(StackingError, match="Unknown environment"):
        record_episodes("stacking/No-v0", episodes=1)
    for path in (tmp_path / "x.zip", tmp_path / "no" / "x.npz"):
        with pytest.raises(StackingError, match=r"\.npz file in a folder"):
            save_episodes(rebid, path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_a_truncated_file_is_refused(file: Path, share: float) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(StackingError, match="cannot be read"):
        load_episodes(file)


def test_turned_bytes_are_refused_or_change_nothing(rebid: Episodes, file: Path) -> None:
    whole, refused, places = file.read_bytes(), 0, range(0, len(file.read_bytes()), len(file.read_bytes()) // 150)
    for at in places:
        turned = bytearray(whole)
        turned[at] ^= 0xFF
        file.write_bytes(bytes(turned))
        try:
            found = load_episodes(file)
        except StackingError:
            refused += 1
            continue
        assert found.card == rebid.card
        assert all(np.array_equal(found.episode(1)[name], array) for name, array in rebid.episode(1).items())
    assert refused > 0.9 * len(places)


def _changed(file: Path, **arrays: np.ndarray | None) -> None:
    with np.load(file) as stored:
        data = {**{name: stored[name] for name in stored.files}, **arrays}
    np.savez(file, **{name: array for name, array in data.items() if array is not None})


def test_a_foreign_file_and_arrays_that_do_not_fit_are_refused(rebid: Episodes, file: Path) -> None:
    whole = file.read_bytes()
    wrong_nan, wide = rebid.rewards.copy(), rebid.actions.copy()
    wrong_nan[3], wide[0, 0] = np.nan, 1.5
    card, narrow, scalar = np.zeros(3, np.uint8), rebid.rewards.astype(np.float32), np.array(1.0, np.float32)
    for arrays in (
        {"rewards": None}, {"rewards": rebid.rewards[:-1]}, {"rewards": wrong_nan}, {"rewards": narrow}, {"actions": wide},
        {"card": card}, {"card": np.array(3.0)}, {"observations": rebid.rewards}, {"observations": scalar},
        {"lengths": np.array([144], np.int64)}, {"lengths": np.array([288, 0], np.int64)},
    ):  # fmt: skip
        file.write_bytes(whole)
        _changed(file, **arrays)
        with pytest.raises(StackingError, match="cannot be read"):
            load_episodes(file)
    with pytest.raises(StackingError, match="no such episodes"):
        load_episodes(file.with_name("none.npz"))


def test_another_layout_is_refused(rebid: Episodes, file: Path) -> None:
    card = {**rebid.card.model_dump(mode="json"), "layout_hash": "0" * 16}
    _changed(file, card=np.frombuffer(json.dumps(card).encode(), np.uint8))
    with pytest.raises(StackingError, match="another layout"):
        load_episodes(file)


# ---- command and Minari ----------------------------------------------------------------------------------------------
def test_the_command_writes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["export", "norflex_eam", "--strategy", "rebid", "--episodes", "2", "--out", "r.npz", "--json"]
    for setting in ("days=1", "portfolio=battery", "scenarios=3", "split=test"):
        arguments += ["--set", setting]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    told, found = json.loads(done.stdout), load_episodes("r.npz")
    assert told["episodes"] == len(found) == 2
    assert told["steps"] == 288
    assert told["mean_net_eur"] == found.net_eur.mean()


def test_without_minari_the_command_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    done = CliRunner().invoke(app, ["export", "norflex_eam", "--out", str(tmp_path / "x.npz"), "--minari", "a-v0"])
    assert done.exit_code == 2
    assert "Minari is not installed" in done.stderr
    assert "stacking[offline]" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(find_spec("minari") is None or find_spec("PIL") is None, reason="needs minari")
def test_minari_holds_the_same(rebid: Episodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    to_minari(rebid, "stacking/rebid-v0")
    dataset = importlib.import_module("minari").load_dataset("stacking/rebid-v0")
    assert dataset.total_steps == 288
    for k, each in enumerate(dataset.iterate_episodes()):
        ours = rebid.episode(k)
        for name in ("observations", "actions", "rewards", "terminations", "truncations"):
            np.testing.assert_array_equal(getattr(each, name), ours[name])
        np.testing.assert_array_equal(each.infos["action_mask"], ours["masks"])
    assert [about["scenario_key"] for about in dataset.storage.get_episode_metadata([0, 1])] == list(rebid.card.scenario_keys)
    assert dataset.recover_environment().spec.kwargs["portfolio"] == "battery"
    with pytest.raises(StackingError, match="Minari does not take"):
        to_minari(rebid, "stacking/rebid-v0")
