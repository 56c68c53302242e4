from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from stacking import layout as at
from stacking.agents.consent import parse_consent, with_consent
from stacking.agents.population import Population
from stacking.agents.seeds import row_seeds, seed_of, uniform
from stacking.agents.strategies import closed_action, make_strategy
from stacking.errors import StackingError

from .observations import observation, open_mask


@dataclass
class Recorder:
    """Notes its calls and answers with a number per row that tells who asked."""

    name: str
    answer: float
    calls: list[int] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def start(self, n: int, seed: Any) -> int:
        self.seeds = [int(s) for s in seed]
        return 0

    def act(self, observation: np.ndarray, mask: np.ndarray, state: int) -> tuple[np.ndarray, int]:
        self.calls.append(len(observation))
        action = closed_action(len(observation))
        action[:, at.CONSENTS] = self.answer
        action[:, at.MFRR_PRICE_UP] = observation[:, at.CONTENT_MWH]
        return action, state + 1


def worlds(b: int, f: int) -> tuple[np.ndarray, np.ndarray]:
    o = np.stack([observation(f) for _ in range(b)])
    o[:, :, at.CONTENT_MWH] = np.arange(b * f).reshape(b, f)
    return o, np.stack([open_mask(f) for _ in range(b)])


def test_each_strategy_is_called_once_a_tick_for_all_its_rows_in_all_worlds() -> None:
    a, b = Recorder("a", 0.25), Recorder("b", 0.75)
    population = Population({"a": a, "b": b}, ["a", "b", "a"])
    population.start([1, 2])
    o, mask = worlds(2, 3)
    action = [population.act(o, mask) for _ in range(3)][-1]
    assert (a.calls, b.calls) == ([4, 4, 4], [2, 2, 2])
    assert action[:, :, at.CONSENTS].tolist() == [[[0.25] * 2, [0.75] * 2, [0.25] * 2]] * 2
    assert np.array_equal(action[:, :, at.MFRR_PRICE_UP], o[:, :, at.CONTENT_MWH])  # every row got its own answer


def test_a_strategy_without_portfolio_is_not_called() -> None:
    a, b = Recorder("a", 0.25), Recorder("b", 0.75)
    population = Population({"a": a, "b": b}, ["a", "a"])
    population.start([0])
    population.act(*worlds(1, 2))
    assert b.calls == []


def test_seeds_depend_on_names_not_on_order_or_number() -> None:
    def seeds(order: list[str], names: list[str], scenarios: list[object]) -> dict[tuple[object, str], int]:
        strategies = {"a": Recorder("a", 0.0), "b": Recorder("b", 0.0)}
        population = Population(strategies, order, portfolio_names=names)
        population.start(scenarios)
        found = {}
        for label, recorder in strategies.items():
            own = [n for n, o in zip(names, order, strict=True) if o == label]
            keys = [(s, n) for s in scenarios for n in own]
            found |= dict(zip(keys, recorder.seeds, strict=True))
        return found

    small = seeds(["a"], ["x"], [7])
    large = seeds(["b", "a", "a"], ["y", "x", "z"], [3, 7])
    assert large[7, "x"] == small[7, "x"]
    assert len(set(large.values())) == 6
    assert seed_of("a", "bc") != seed_of("ab", "c")


def test_a_bad_row_is_named_by_world_and_portfolio() -> None:
    class Bad(Recorder):
        def act(self, observation: np.ndarray, mask: np.ndarray, state: int) -> tuple[np.ndarray, int]:
            action, state = super().act(observation, mask, state)
            action[3, at.CONSENTS] = 2.0
            return action, state

    population = Population({"a": Recorder("a", 0.0), "b": Bad("b", 0.0)}, ["a", "b", "b"], portfolio_names=["x", "y", "z"])
    population.start([0, 1])
    with pytest.raises(StackingError, match="world 1, portfolio z") as caught:
        population.act(*worlds(2, 3))
    assert caught.value.key == "consent_up"


def test_a_row_alone_decides_as_in_its_group() -> None:
    strategies = {"a": with_consent(make_strategy("stacked"), "random:0.5"), "b": make_strategy("rebid")}
    population = Population(strategies, ["a", "b", "a", "a"], portfolio_names=["w", "x", "y", "z"])
    population.start(["key"])
    states = [population.start_row("key", row) for row in range(4)]
    rng = np.random.default_rng(1)
    for call in range(12):
        o, mask = worlds(1, 4)
        o[0, :, at.CONTENT_MWH] = rng.uniform(0.5, 9.5, 4)
        o[0, :, at.HOURS_TO_END] = 40.0 - call / 4
        together = population.act(o, mask)
        for row in range(4):
            own = slice(row, row + 1)
            alone, states[row] = population.act_row(row, o[0, own], mask[0, own], states[row], call)
            assert alone[0].tobytes() == together[0, row].tobytes()


def test_a_bad_row_is_named_when_it_decides_alone() -> None:
    population = Population({"a": Recorder("a", 2.0)}, ["a", "a"], portfolio_names=["x", "y"])
    state = population.start_row(0, 1)
    o, mask = worlds(1, 2)
    with pytest.raises(StackingError, match="portfolio y") as caught:
        population.act_row(1, o[0, 1:], mask[0, 1:], state, 0)
    assert caught.value.key == "consent_up"


def test_misuse_is_refused() -> None:
    known = {"a": Recorder("a", 0.0)}
    with pytest.raises(StackingError, match="unknown strategy"):
        Population(known, ["a", "b"])
    with pytest.raises(StackingError, match="no portfolio"):
        Population(known, [])
    for names in (["x"], ["x", "x"]):
        with pytest.raises(StackingError, match="do not match"):
            Population(known, ["a", "a"], portfolio_names=names)
    with pytest.raises(StackingError, match="no act method"):
        Population({"a": type("Mute", (), {"name": "mute", "start": lambda self, n, seed: None})()}, ["a"])
    population = Population(known, ["a"])
    with pytest.raises(StackingError, match="not been started"):
        population.act(*worlds(1, 1))
    population.start([0])
    with pytest.raises(StackingError, match="does not fit"):
        population.act(*worlds(2, 1))


# ---- consent ---------------------------------------------------------------------------------------------------------
def test_a_policy_writes_the_consent_columns_and_nothing_else() -> None:
    o, mask = observation(4, lfm_need_h2=2.0, lfm_limit_h2=300.0), open_mask(4)
    mask[0, at.CONSENTS] = False
    own = make_strategy("stacked")
    plain, _ = own.act(o, mask, own.start(4, 0))
    for text, wanted in (("always", 1.0), ("never", 0.0), ("random:1", 1.0), ("random:0", 0.0)):
        wrapped = with_consent(own, text)
        action, _ = wrapped.act(o, mask, wrapped.start(4, 0))
        assert action[1:, at.CONSENTS].tolist() == [[wanted] * 2] * 3
        assert (action[0, at.CONSENTS] == plain[0, at.CONSENTS]).all()  # closed: left alone
        assert np.array_equal(np.delete(action, at.CONSENTS, 1), np.delete(plain, at.CONSENTS, 1))
    assert with_consent(own, "own") is own
    assert with_consent(own, "random:0.30").name == "stacked[random:0.3]"


def test_a_policy_leaves_the_array_that_a_strategy_keeps_alone() -> None:
    class Keeper(Recorder):
        kept = closed_action(2)

        def act(self, observation: np.ndarray, mask: np.ndarray, state: int) -> tuple[np.ndarray, int]:
            return self.kept, state

    wrapped = with_consent(Keeper("keeper", 0.0), "always")
    action, _ = wrapped.act(observation(2), open_mask(2), wrapped.start(2, np.array([1, 2])))
    assert action[:, at.CONSENTS].tolist() == [[1.0] * 2] * 2
    assert np.all(Keeper.kept == 0.0)


def draws(share: float, seeds: np.ndarray, hours: np.ndarray) -> np.ndarray:
    wrapped = with_consent(make_strategy("do_nothing"), f"random:{share}")
    state, found = wrapped.start(len(seeds), seeds), []
    for hours_to_end in hours:
        action, state = wrapped.act(observation(len(seeds), hours_to_end=hours_to_end), open_mask(len(seeds)), state)
        found.append(action[:, at.CONSENTS])
    return np.array(found)


def test_a_random_share_is_drawn_per_row_and_gate_and_has_its_mean() -> None:
    seeds, hours = row_seeds(200, 5), np.arange(100.0, 60.0, -1.0)
    found = draws(0.3, seeds, hours)
    assert set(np.unique(found)) == {0.0, 1.0}
    assert found.mean() == pytest.approx(0.3, abs=0.02)  # 8000 draws: three standard deviations are 0.015
    assert found.mean(axis=0).std() == pytest.approx((0.21 / 40) ** 0.5, rel=0.25)  # rows are independent
    assert found.mean(axis=1).std() == pytest.approx((0.21 / 200) ** 0.5, rel=0.35)  # gates are independent
    assert np.all(draws(0.6, seeds, hours) >= found)  # who consents at a share consents at a larger one
    assert np.array_equal(draws(0.3, seeds[7:8], hours)[:, 0], found[:, 7])  # alone as in the batch
    assert not np.array_equal(draws(0.3, row_seeds(200, 6), hours), found)


def test_uniform_numbers_fill_the_unit_interval() -> None:
    u = uniform(row_seeds(20000, 1), np.zeros(20000, np.uint64))
    assert 0.0 <= u.min() < 0.001
    assert 0.999 < u.max() < 1.0
    counts, _ = np.histogram(u, 10, (0.0, 1.0))
    assert np.abs(counts - 2000).max() < 200


@pytest.mark.parametrize("text", ["", "sometimes", "random", "random:", "random:1.5", "random:nan", "random:x", "always:1"])
def test_unknown_policies_are_refused(text: str) -> None:
    with pytest.raises(StackingError) as caught:
        parse_consent(text)
    assert caught.value.key == "consent"
    assert "random" in caught.value.remedy
