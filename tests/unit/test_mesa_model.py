from __future__ import annotations

import gc
import weakref

import mesa
import numpy as np
import pytest

from stacking import flows as f
from stacking import layout as at
from stacking.agents.consent import with_consent
from stacking.agents.fsp import FspAgent
from stacking.agents.model import StackingModel
from stacking.agents.population import Population
from stacking.agents.strategies import make_strategy
from stacking.catalogue import default_portfolios, load_design
from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.scenario import generate, scenario_keys

NAMES = ("north", "east", "south")
PORTFOLIOS = tuple(default_portfolios()[0].model_copy(update={"name": name}) for name in NAMES)
LIBRARY = generate(scenario_keys("train", 2, seed=3), portfolios=PORTFOLIOS, days=1)


def make_population() -> Population:
    strategies = {
        "stacked": with_consent(make_strategy("stacked", lfm_need_mw=0.0), "random:0.5"),
        "mfrr_only": make_strategy("mfrr_only"),
    }
    return Population(strategies, ["stacked", "mfrr_only", "stacked"], portfolio_names=NAMES)


def make_engine(worlds: int = 1) -> Engine:
    return Engine(load_design("norflex_eam"), PORTFOLIOS, LIBRARY, worlds=worlds)


def test_a_model_is_the_engine_step_by_step_bit_for_bit() -> None:
    engine, population = make_engine(), make_population()
    engine.reset([1])
    population.start(["key"])
    traded = np.zeros(f.FLOWS_W)
    with StackingModel(make_engine(), make_population(), scenario=1, seed_key="key", rng=1) as model:
        while model.running:
            assert model.observation.tobytes() == engine.observation[0].tobytes()
            model.step()
            engine.step(population.act(engine.observation, engine.mask))
            assert model.engine.flows.tobytes() == engine.flows.tobytes()
            traded += engine.flows[0].sum(axis=0)
            for agent in model.fsps:
                state = engine.row_state(0, agent.row)
                assert agent.content_mwh == state["content_mwh"]
                assert agent.revenue_eur == state["cash_eur"]
                assert agent.consent == (state["consent_up"] >= 0.5, state["consent_dn"] >= 0.5)
                assert (agent.power_mw, agent.position_mw) == (state["power_mw"], state["position_mw"])
        assert engine.ended.all()
        assert model.tick == engine.clock[0] == model.steps
        assert any(agent.revenue_eur != 0.0 for agent in model.fsps)
        for column in (f.ACTIVATED_MFRR, f.FORWARDED_MWH, f.OPTED_OUT):
            assert traded[column] > 0.0


def test_agents_that_decide_one_by_one_are_the_group_bit_for_bit() -> None:
    found = []
    for decide, rng in (("group", 1), ("each", 1), ("each", 2)):
        with StackingModel(make_engine(), make_population(), scenario=1, decide=decide, rng=rng) as model:  # type: ignore[arg-type]
            trace = []
            while model.running:
                model.step()
                trace += [model.engine.flows.tobytes(), model.engine.reward.tobytes()]
            found.append(trace)
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) > 10


class LeavesAfterLoss(FspAgent):
    """Takes its consent back once it has lost money."""

    def decide(self) -> None:
        super().decide()
        if self.revenue_eur < -20.0:
            self.action[at.CONSENTS] = 0.0


def test_an_agent_that_opts_out_after_a_loss_stays_in_the_model() -> None:
    with StackingModel(make_engine(), make_population(), scenario=1, agent_class=LeavesAfterLoss) as model:
        losses = 0
        while model.running:
            lost = [a.revenue_eur < -20.0 for a in model.fsps]
            model.step()
            losses += sum(lost)
            assert not model.last_action[lost, at.CONSENTS].any()
        assert losses > 0
        assert len(model.fsps) == len(model.agents_by_type[LeavesAfterLoss]) == 3


def test_agents_are_named_views_and_cannot_be_written() -> None:
    with StackingModel(make_engine(), make_population()) as model:
        assert [(a.portfolio_name, a.strategy_name) for a in model.fsps] == [
            ("north", "stacked"), ("east", "mfrr_only"), ("south", "stacked"),
        ]  # fmt: skip
        assert len(model.agents_by_type[FspAgent]) == 3
        groups = model.agents.groupby("strategy_name", result_type="list").groups
        assert {name: len(group) for name, group in groups.items()} == {"stacked": 2, "mfrr_only": 1}
        for name in ("content_mwh", "revenue_eur", "position_mw", "power_mw", "consent"):
            with pytest.raises(AttributeError):
                setattr(model.fsps[0], name, 1.0)
        model.run_model()
        steps, content = model.tick, model.fsps[0].content_mwh
        model.engine.step(np.zeros(model.engine.mask.shape))
        assert (model.tick, model.fsps[0].content_mwh) == (steps, content)  # an ended world stands still


def test_a_closed_model_is_freed() -> None:
    known = set(mesa.Agent._ids) if hasattr(mesa.Agent, "_ids") else set()
    references = []
    for _ in range(3):
        model = StackingModel(make_engine(), make_population())
        model.step()
        references.append(weakref.ref(model))
        model.close()
        del model
    gc.collect()
    assert [r() for r in references] == [None] * 3
    if hasattr(mesa.Agent, "_ids"):
        assert set(mesa.Agent._ids) == known


def test_mesa_s_own_randomness_is_a_generator_and_changes_nothing() -> None:
    found = []
    for rng in (1, 2, np.random.default_rng(1)):
        with StackingModel(make_engine(), make_population(), rng=rng) as model:
            assert isinstance(model.rng, np.random.Generator)
            model.run_model()
            found.append((model.fsps[0].revenue_eur, float(model.rng.random())))
    assert found[0][0] == found[1][0] == found[2][0]
    assert found[0][1] == found[2][1] != found[1][1]


def test_a_model_is_one_world_with_a_strategy_for_each_portfolio() -> None:
    with pytest.raises(StackingError, match="worlds=1"):
        StackingModel(make_engine(worlds=2), make_population())
    with pytest.raises(StackingError, match="1 world of 1 portfolios"):
        StackingModel(make_engine(), Population({"a": make_strategy("rebid")}, ["a"]))
