"""Agents that decide in groups or one by one, on a small stand-in for the engine."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from stacking import layout as at
from stacking.agents.consent import with_consent
from stacking.agents.fsp import FspAgent
from stacking.agents.model import StackingModel
from stacking.agents.neighbours import neighbour_graph
from stacking.agents.population import Population
from stacking.agents.seeds import row_seeds, uniform
from stacking.agents.strategies import ACTION_LAYOUT, closed_action, make_strategy
from stacking.errors import StackingError

from .observations import observation, open_mask

LENGTH = 40


class ToyEngine:
    """One world whose observation and cash follow from the actions, with the attributes of the engine."""

    def __init__(self, names: list[str], worlds: int = 1) -> None:
        n = len(names)
        self.portfolios = tuple(SimpleNamespace(name=name) for name in names)
        self.worlds, self.rows = worlds, n
        self.observation = np.zeros((worlds, n, at.OBSERVATIONS_W), np.float32)
        self.mask = np.stack([open_mask(n)] * worlds)
        self.clock, self.ended = np.zeros(worlds, np.int64), np.zeros(worlds, np.bool_)
        self.cash, self.consent = np.zeros(n), np.zeros((n, 2))
        self.actions: list[bytes] = []

    def reset(self, scenarios: np.ndarray) -> None:
        self.clock[:], self.ended[:], self.cash[:] = 0, False, 0.0
        self._see()

    def step(self, action: np.ndarray) -> None:
        assert action.shape == self.mask.shape
        low, high = np.array(ACTION_LAYOUT.low), np.array(ACTION_LAYOUT.high)
        assert ((action >= low) & (action <= high) | ~self.mask).all()
        self.actions.append(action.tobytes())
        self.consent = action[0, :, at.CONSENTS]
        self.cash += np.sin(action[0] @ np.arange(at.ACTIONS_W)) - 0.1
        self.clock += 1
        self.ended[:] = self.clock >= LENGTH
        self._see()

    def _see(self) -> None:
        for world in range(self.worlds):
            tick = int(self.clock[world])
            self.observation[world] = observation(
                self.rows, hours_to_end=(LENGTH - tick) / 4, lfm_need_h2=2.0, lfm_limit_h2=300.0
            )
            self.observation[world, :, at.CONTENT_MWH] = 1.0 + np.abs(np.sin(self.cash + np.arange(self.rows)))
            self.mask[world, :, at.CONSENTS] = tick % 4 != 1

    def row_state(self, world: int, row: int) -> dict[str, float]:
        up, dn = self.consent[row]
        state = {"cash_eur": self.cash[row], "consent_up": up, "consent_dn": dn}
        return {**state, "content_mwh": 1.0, "position_mw": 0.0, "power_mw": 0.0}


class Dice:
    """Keeps a counter and a generator's number per row: state and seed matter, and rows are independent."""

    name = "dice"

    def start(self, n: int, seed: Any) -> tuple[np.ndarray, np.ndarray]:
        return row_seeds(n, seed), np.zeros(n, np.uint64)

    def act(self, observation: np.ndarray, mask: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        seeds, counter = state
        action = closed_action(len(observation))
        action[:, at.CONSENTS] = uniform(seeds, counter)[:, None]
        action[:, at.MFRR_PRICE_UP] = 10.0 * observation[:, at.CONTENT_MWH] + counter
        return action, (seeds, counter + np.uint64(1) + (action[:, at.CONSENT_UP] > 0.5))


def population(n: int = 9) -> Population:
    strategies = {
        "dice": Dice(),
        "stacked": with_consent(make_strategy("stacked"), "random:0.5"),
        "rebid": make_strategy("rebid"),
    }
    labels = [("dice", "stacked", "rebid")[k % 3] for k in range(n)]
    return Population(strategies, labels, portfolio_names=[f"fsp {k}" for k in range(n)])


def model(n: int = 9, **options: Any) -> StackingModel:
    engine = ToyEngine([f"fsp {k}" for k in range(n)])
    return StackingModel(cast(Any, engine), population(n), **options)


def played(**options: Any) -> list[bytes]:
    with model(**options) as world:
        world.run_model()
        assert world.tick == LENGTH
        return world.engine.actions


# ---- in groups and one by one ----------------------------------------------------------------------------------------
def test_one_by_one_is_the_group_bit_for_bit_in_any_order() -> None:
    group = played()
    assert len(set(group)) > LENGTH // 2  # something happens
    for rng in (1, 2, 3):
        assert played(decide="each", rng=rng) == group
    assert played(seed_key="another") != group
    assert played(decide="each", seed_key="another") == played(seed_key="another")


def test_agents_are_asked_one_by_one_and_in_changing_order() -> None:
    asked: list[int] = []

    class Asked(FspAgent):
        def decide(self) -> None:
            asked.append(self.row)
            super().decide()

    with model(decide="each", agent_class=Asked, rng=1) as world:
        world.step()
        world.step()
    assert sorted(asked[:9]) == sorted(asked[9:]) == list(range(9))
    assert asked[:9] != asked[9:]


def test_in_groups_a_plain_agent_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: FspAgent) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(FspAgent, "take_turn", never)
    with model() as world:
        world.step()
        assert world.tick == 1


# ---- agents with a say of their own ----------------------------------------------------------------------------------
class LeavesAfterLoss(FspAgent):
    """Does what its strategy wants, but consents to nothing once it has lost money."""

    def decide(self) -> None:
        super().decide()
        if self.revenue_eur < -0.5:
            self.action[at.CONSENTS] = 0.0


class Silent(FspAgent):
    """Never asks its strategy before the tenth tick."""

    def decide(self) -> None:
        if self.model.tick >= 10:
            super().decide()


def test_an_agent_may_change_its_decision_in_both_ways_to_decide() -> None:
    chosen = {"fsp 0": LeavesAfterLoss, "fsp 3": LeavesAfterLoss, "fsp 4": Silent}
    changed = played(agent_class=chosen)
    assert changed != played()
    for rng in (1, 2):
        assert played(agent_class=chosen, decide="each", rng=rng) == changed
        assert played(agent_class=chosen, rng=rng) == changed
    with model(agent_class=chosen) as world:
        left = 0
        while world.running:
            before = [a.revenue_eur for a in world.fsps]
            world.step()
            if before[0] < -0.5:
                left += 1
                assert not world.last_action[0, at.CONSENTS].any()
                assert world.fsps[0].consent == (False, False)
            if world.tick <= 10:
                assert not world.fsps[4].last_action.any()
        assert left > 5
        assert world.last_action[4].any()
        assert [type(a) for a in world.fsps[:2]] == [LeavesAfterLoss, FspAgent]


def test_others_decisions_are_closed_until_the_tick_is_over() -> None:
    class Peeks(FspAgent):
        def decide(self) -> None:
            super().decide()
            assert self.model.fsps[1].last_action.shape == (at.ACTIONS_W,)
            self.action[at.CONSENTS] = self.model.fsps[1].action[at.CONSENTS]

    with model(agent_class={"fsp 0": Peeks}) as world, pytest.raises(StackingError, match="only in its own") as caught:
        world.step()
    assert "fsp 1" in caught.value.place
    with model() as world:
        world.step()
        with pytest.raises(StackingError, match="only in its own"):
            world.fsps[0].action[at.CONSENTS] = 1.0
        world.fsps[0].last_action[:] = 5.0  # copies
        world.fsps[0].observation[:] = 5.0
        world.fsps[0].mask[:] = False
        assert not (world.last_action[0] == 5.0).any()
        assert not (world.engine.observation[0, 0] == 5.0).all()
        assert world.engine.mask[0, 0].any()


def test_a_bad_strategy_is_named_by_its_portfolio_when_it_decides_alone() -> None:
    class Bad(Dice):
        def act(self, observation: np.ndarray, mask: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
            action, state = super().act(observation, mask, state)
            action[:, at.CONSENTS] = 2.0
            return action, state

    bad = Population({"a": Dice(), "b": Bad()}, ["a", "b"], portfolio_names=["x", "y"])
    with StackingModel(cast(Any, ToyEngine(["x", "y"])), bad, decide="each") as world:
        with pytest.raises(StackingError, match="portfolio y") as caught:
            world.step()
        assert caught.value.key == "consent_up"


# ---- neighbours ------------------------------------------------------------------------------------------------------
def test_agents_see_their_neighbours() -> None:
    names = [f"fsp {k}" for k in range(9)]
    graph = neighbour_graph(names, [0, 0, 0, 1, 1, 1, 2, 2, 2], within=2, across=0)
    with model(neighbours=graph) as world:
        assert [a.portfolio_name for a in world.fsps[4].neighbours] == ["fsp 3", "fsp 5"]
        graph.add_edge("fsp 4", "fsp 8")  # who sees whom may change
        assert [a.row for a in world.fsps[4].neighbours] == [3, 5, 8]
    with model() as world, pytest.raises(StackingError, match="no neighbourhood graph"):
        _ = world.fsps[0].neighbours


def test_imitation_of_the_last_tick_does_not_depend_on_the_order() -> None:
    graph = neighbour_graph([f"fsp {k}" for k in range(9)], [0] * 9)

    class Imitates(FspAgent):
        def decide(self) -> None:
            super().decide()
            best = max(self.neighbours, key=lambda a: (a.revenue_eur, a.row))
            self.action[at.CONSENTS] = best.last_action[at.CONSENTS]

    runs = [played(agent_class=Imitates, neighbours=graph, decide=d, rng=r) for d in ("group", "each") for r in (1, 2)]
    assert runs.count(runs[0]) == 4
    assert runs[0] != played()


# ---- misuse ----------------------------------------------------------------------------------------------------------
def test_misuse_is_refused() -> None:
    names = [f"fsp {k}" for k in range(9)]
    options: list[tuple[dict[str, Any], str]] = [
        ({"decide": "alone"}, "decide"),
        ({"agent_class": int}, "agent_class"),
        ({"agent_class": {"fsp 99": FspAgent}}, "agent_class"),
        ({"agent_class": {"fsp 1": "FspAgent"}}, "agent_class"),
        ({"neighbours": neighbour_graph([*names, "x"], [0] * 10)}, "neighbours"),
        ({"neighbours": neighbour_graph(names[:-1], [0] * 8)}, "neighbours"),
    ]
    for option, key in options:
        with pytest.raises(StackingError) as caught:
            model(**option)
        assert caught.value.key == key
    with pytest.raises(StackingError, match="another order") as caught:
        StackingModel(cast(Any, ToyEngine([*names[1:], names[0]])), population())
    assert (caught.value.key, caught.value.value, caught.value.allowed) == ("portfolio_names, row 0", "fsp 0", "fsp 1")


@pytest.mark.parametrize("classes", [{}, {"fsp 7": LeavesAfterLoss}])
def test_a_step_in_groups_makes_as_many_calls_for_many_agents_as_for_few(classes: dict[str, type[FspAgent]]) -> None:
    def calls(n: int, **options: Any) -> int:
        """Count calls of Python and C functions in one step, those of the stand-in for the engine left out."""
        count = 0

        def note(frame: Any, event: str, _: Any) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        with model(n, **options) as world:
            for _ in range(7):  # past the first calls, which the guard checks more thoroughly
                world.step()
            world.engine.step = lambda _: None
            sys.setprofile(note)
            try:
                world.step()
            finally:
                sys.setprofile(None)
        return count

    assert calls(900, agent_class=classes) == calls(9, agent_class=classes) < 1500
    assert calls(90, decide="each") > 5 * calls(9, decide="each")
