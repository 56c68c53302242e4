"""Policies as files and as strategies: same bytes, same decisions as in the environment, and clear errors for bad files."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stacking import layout as v
from stacking import state as s
from stacking.agents.strategies import values_of
from stacking.envs.learned import Learned, named_strategy
from stacking.envs.network import RELU, TANH, forward
from stacking.envs.policy import Card, Policy, layout_hash, load_policy, save_policy
from stacking.envs.spaces import level_counts, price_table, seen_width
from stacking.errors import StackingError
from stacking.experiments.players import Mixed
from stacking.experiments.runner import Contest, run

from ..env_toy import ID, library, portfolios, single, vector

OPEN = {"da_min_spread": 20.0}  # a decision that is not the policy's own


def policy(head: str = "clipped", *, advice: str | None = "rebid", seed: int = 3, **more: Any) -> Policy:
    """Return a policy with random parameters that decides lively."""
    compiled = single(portfolio="battery", library=library()).engine.compiled
    outs = int(level_counts(5).sum()) if head == "levels" else v.ACTIONS_W
    sizes = (seen_width(advice is not None, more.get("steer_eur_per_mwh", 0.0), True), 16, 8, outs)
    random = np.random.default_rng(seed)
    pairs = list(pairwise(sizes))
    weights = np.concatenate([random.normal(0.0, 1.0 / np.sqrt(a), a * b) for a, b in pairs])
    biases = random.normal(0.0, 0.1, sum(sizes[1:]))
    low_high = compiled.bounds.tolist()
    card = Card(
        layout_hash=layout_hash(), layout_version=v.LAYOUT_VERSION, name="taught", algorithm="PPO", env=ID, seed=0, steps=1,
        advice=advice, advice_parameters=values_of(named_strategy(advice)) if advice else {}, reach=(0.3,) * v.ACTIONS_W,
        head=head, levels=5 if head == "levels" else None, activation="tanh", sizes=sizes, bounds=tuple(map(tuple, low_high)),
        prices=tuple(map(tuple, price_table(compiled).tolist())), **more,
    )  # fmt: skip
    return Policy(card, weights.astype(np.float32), biases.astype(np.float32))


def test_a_network_is_the_hand_solved_one() -> None:
    # 2 -> 2 (ReLU) -> 1: h = (1 - 2 + 0.5, 3 + 4 - 1) = (-0.5, 6) -> (0, 6); out = 0 x 10 + 6 x 0.5 + 1 = 4
    sizes, work, out = np.array([2, 2, 1]), np.zeros((2, 2)), np.zeros((1, 1))
    weights, biases = np.array([1.0, 3.0, -1.0, 2.0, 10.0, 0.5]), np.array([0.5, -1.0, 1.0])
    forward(np.array([[1.0, 2.0]]), sizes, weights, biases, RELU, work, out)
    assert out[0, 0] == 4.0
    forward(np.array([[1.0, 2.0]]), sizes, weights, biases, TANH, work, out)
    assert out[0, 0] == pytest.approx(10.0 * np.tanh(-0.5) + 0.5 * np.tanh(6.0) + 1.0)


def test_a_file_gives_the_policy_back_and_has_the_same_bytes(tmp_path: Path) -> None:
    one, two = save_policy(policy(), tmp_path / "a.npz"), save_policy(policy(), tmp_path / "b.npz")
    assert one.read_bytes() == two.read_bytes()
    found = load_policy(one)
    assert found.card == policy().card
    assert found.weights.tobytes() == policy().weights.tobytes()
    assert one.stat().st_size < 100_000


@pytest.mark.parametrize(
    ("head", "advice", "steer"),
    [("clipped", "rebid", 0.0), ("tanh", "rebid", 0.0), ("clipped", None, 0.0), ("levels", "rebid", 0.0),
     ("clipped", "stacked", 20.0), ("levels", "rebid", 20.0)],
)  # fmt: skip
def test_a_policy_earns_as_a_strategy_what_it_earns_in_the_environment(head: str, advice: str | None, steer: float) -> None:
    taught, rows = Learned(policy(head, advice=advice, steer_eur_per_mwh=steer)), 6
    settings: dict[str, Any] = {"steer_eur_per_mwh": steer, **({"levels": 5} if head == "levels" else {})}
    env = vector(rows, portfolio="battery", library=library(), advice=advice, mask_seen=True,
                 reach=dict.fromkeys(v.action_layout((0, 0), (0, 0)).names, 0.3) if advice else {}, **settings)  # fmt: skip
    seen, info = env.reset(options={"scenario": np.arange(rows)})
    for tick in range(144):
        numbers = taught._decided(seen, env.worlds.is_open[:, 0])
        if head == "levels":
            numbers = np.stack([np.rint((numbers[:, k] + 1.0) / 2.0 * (n - 1)) for k, n in enumerate(level_counts(5))], axis=1)
        seen, _, _, ended, info = env.step(numbers.astype(np.int64) if head == "levels" else numbers)
        assert ended.all() == (tick == 143)
    contest = Contest((env.engine.design,), {"taught": Mixed({"taught": taught}, ("taught",))}, portfolios("battery"), library())
    found = run(contest).episodes
    own = found[found["strategy"] == "taught"].sort_values("scenario")["net_eur"].to_numpy()
    order = np.argsort([str(key) for key in library().keys])
    expected = np.full(len(library()), np.nan)
    expected[:rows] = info["final_info"]["net_eur"]
    assert own[np.isfinite(expected[order])] == pytest.approx(expected[order][np.isfinite(expected[order])], abs=1e-6)
    assert np.std(expected[:rows]) > 1.0


def test_a_row_decides_alone_as_in_any_batch() -> None:
    taught = Learned(policy())
    env = vector(7, portfolio="battery", library=library())
    env.reset(options={"scenario": np.arange(7)})
    state, alone = taught.start(7, 0), [taught.start(1, 0) for _ in range(7)]
    acted = 0
    for _ in range(30):
        observation, mask = (x[:, 0] for x in env.worlds.physical)
        action, state = taught.act(observation, mask, state)
        for k in range(7):
            own, alone[k] = taught.act(observation[k : k + 1], mask[k : k + 1], alone[k])
            assert own.tobytes() == action[k : k + 1].tobytes()
        env.engine.step(action[:, None])
        acted += int((action != 0.0).sum())
    assert acted > 500


def test_a_policy_scales_with_the_portfolio_it_plays() -> None:
    """Half the battery behind half the connection sees the same numbers, so it decides the same."""
    (whole,) = portfolios("battery")
    own = whole.battery
    assert own is not None
    battery = own.model_copy(update={"power_mw": own.power_mw / 2, "capacity_mwh": own.capacity_mwh / 2})
    half = whole.model_copy(update={"battery": battery, "connection_mw": whole.connection_mw / 2})
    seen = []
    for portfolio in (whole, half):
        env = single(portfolio=portfolio, days=1, scenarios=2)
        env.reset(options={"scenario": 0})
        observation, mask = env.worlds.physical
        taught = Learned(policy(advice=None))
        seen.append(taught._seen(observation[0], mask[0], np.arange(1), np.full((1, v.ACTIONS_W), np.nan))[0][0])
    names = v.observation_layout().names
    for name in ("stored_frac", "capacity_mwh", "rated_mw", "connection_mw", "feasible_up_mfrr_mw"):
        assert seen[0][names.index(name)] == pytest.approx(seen[1][names.index(name)], rel=1e-5), name


def test_decisions_that_are_not_its_own_are_fixed() -> None:
    env = single(portfolio="battery", library=library())
    env.reset(options={"scenario": 0})
    while not env.worlds.physical[1][0, 0, v.DA_MIN_SPREAD]:
        env.step(np.zeros(v.ACTIONS_W, np.float32))
    observation, mask = (x[:, 0] for x in env.worlds.physical)
    taught = Learned(policy(fixed=OPEN))
    assert taught.act(observation, mask, taught.start(1, 0))[0][0, v.DA_MIN_SPREAD] == 20.0


# ---- bad files -------------------------------------------------------------------------------------------------------
def with_card(path: Path, **changes: Any) -> Path:
    """Write a policy whose card was changed."""
    with np.load(path) as stored:
        arrays = dict(stored)
    card = json.loads(arrays["card"].tobytes().decode())
    card.update(changes)
    arrays["card"] = np.frombuffer(json.dumps(card).encode(), np.uint8)
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layout_hash": "0" * 16}, "another layout"),
        ({"sizes": [4, 2]}, "its card asks for"),
        ({"head": "softmax"}, "head"),
        ({"activation": "gelu"}, "activation"),
        ({"format": 7}, "format"),
        ({"reach": [1.0]}, "reach"),
        ({"more": 1}, "more"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = with_card(save_policy(policy(), tmp_path / "p.npz"), **changes)
    with pytest.raises(StackingError, match=words):
        load_policy(path)


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    good = save_policy(policy(), tmp_path / "p.npz").read_bytes()
    cases = {
        "cut.npz": good[: len(good) // 2],
        "flipped.npz": good[:300] + bytes(b ^ 255 for b in good[300:400]) + good[400:],
        "empty.npz": b"",
        "text.npz": b"no archive",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StackingError, match="policy"):
            load_policy(tmp_path / name)
    np.savez(tmp_path / "foreign.npz", weights=np.zeros(3))
    with pytest.raises(StackingError, match="it has no card; it is no file of this kind"):
        load_policy(tmp_path / "foreign.npz")
    np.savez(tmp_path / "pickled.npz", card=np.array([{"a": 1}], dtype=object), weights=np.zeros(1), biases=np.zeros(1))
    with pytest.raises(StackingError, match="cannot be read"):
        load_policy(tmp_path / "pickled.npz")
    with pytest.raises(StackingError, match="no such policy"):
        load_policy(tmp_path / "nowhere.npz")


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    spoilt = policy()
    spoilt.weights[5] = np.nan
    with pytest.raises(StackingError, match="not finite"):
        load_policy(save_policy(spoilt, tmp_path / "p.npz"))


def test_a_policy_plays_in_compare_and_beside_others(tmp_path: Path) -> None:
    from stacking.experiments.strategy_input import one_strategy

    path = str(save_policy(policy(), tmp_path / "p.npz"))
    strategy, origin = one_strategy(path)
    assert strategy.name == "taught"
    assert origin.startswith("policy p.npz sha256:")
    with pytest.raises(StackingError, match="takes no parameters"):
        one_strategy(path, values={"x": 1.0})
    env = single(portfolio="battery", co_players={path: 2}, days=1, scenarios=2)
    env.reset(seed=1)
    for _ in range(20):
        env.step(np.zeros(v.ACTIONS_W, np.float32))
    assert env.engine.state.shape[1] == 3
    assert np.abs(env.engine.state[0, 1:, s.CASH]).max() > 0.0
