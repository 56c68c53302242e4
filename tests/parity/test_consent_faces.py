"""Consent in the Mesa face = in the array face, bit for bit: policies with state inside a week, learners from week to week."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stacking import flows as f
from stacking import layout as at
from stacking.agents.consent import Bandit, Imitation
from stacking.agents.model import StackingModel
from stacking.agents.neighbours import neighbour_graph
from stacking.agents.population import Population
from stacking.agents.strategies import make_strategy
from stacking.engine import Engine
from stacking.experiments import weeks
from stacking.scenario import Library, generate, scenario_keys

from ..toy import FLEET, RESULTS, STATE, busy, design

CONSENT = ("random:0.5", "random_fsps:0.5", "logit:5", "break_even", "own", "always", "never", "random:0.2", "random_fsps:0.5")
PORTFOLIOS = tuple(FLEET[k % 5].model_copy(update={"name": f"fsp {k}"}) for k in range(len(CONSENT)))
NAMES = [p.name for p in PORTFOLIOS]
PLAYS = [("stacked", "rebid")[k % 2] for k in range(len(CONSENT))]
SETTING = design("norflex_eam", pooling=True)


@pytest.fixture(scope="module")
def lib() -> Library:
    return busy(generate(scenario_keys("train", 3, seed=4), rows=len(CONSENT), days=1), seed=4)


def population(consent: Any = CONSENT) -> Population:
    made = {name: make_strategy(name) for name in ("stacked", "rebid")}
    return Population(made, PLAYS, portfolio_names=NAMES, consent=consent)


def bytes_of(engine: Engine, world: int) -> bytes:
    return b"".join(np.ascontiguousarray(getattr(engine, name)[world]).tobytes() for name in STATE + RESULTS)


def in_arrays(lib: Library, consent: Any) -> tuple[list[list[bytes]], np.ndarray, np.ndarray]:
    """Return bytes of each world and tick, the answers given at local gates, (ticks, worlds, F, 2), and the sums of flows."""
    engine, deciding = Engine(SETTING, PORTFOLIOS, lib, worlds=len(lib)), population(consent)
    engine.reset(np.arange(len(lib)))
    deciding.start([str(key) for key in lib.keys])
    found, answers, sums = [[] for _ in lib.keys], [], np.zeros((len(lib), *engine.flows.shape[1:]))
    while not engine.ended.all():
        asked, action = engine.mask[..., at.CONSENTS], deciding.act(engine.observation, engine.mask)
        answers.append(np.where(asked, action[..., at.CONSENTS], np.nan))
        engine.step(action)
        sums += engine.flows
        for world, own in enumerate(found):
            own.append(bytes_of(engine, world))
    return found, np.array(answers), sums


def in_mesa(lib: Library, world: int, decide: Any, consent: Any) -> tuple[list[bytes], np.ndarray]:
    """Return bytes of each tick, and the sums of flows, (F, FLOWS_W)."""
    engine = Engine(SETTING, PORTFOLIOS, lib)
    found: list[bytes] = []
    sums = np.zeros(engine.flows.shape[1:])
    options = {"scenario": world, "seed_key": str(lib.keys[world]), "decide": decide, "rng": world}
    with StackingModel(engine, population(consent), **options) as model:
        while model.running:
            model.step()
            sums += engine.flows[0]
            found.append(bytes_of(engine, 0))
    return found, sums


def test_policies_decide_the_same_in_both_faces(lib: Library) -> None:
    arrays, answers, sums = in_arrays(lib, CONSENT)
    for row, policy in enumerate(CONSENT):
        given = answers[..., row, :][~np.isnan(answers[..., row, :])]
        wanted = {"always": {1.0}, "never": {0.0}}.get(policy, {0.0, 1.0})
        assert set(given) <= wanted, policy
        if policy.startswith(("random:", "logit")):
            assert set(given) == {0.0, 1.0}, policy
    fsps = answers[..., [1, 8], :]
    assert set(fsps[~np.isnan(fsps)]) == {0.0, 1.0}  # in some scenarios, not in others
    forwarded = sums[..., f.FORWARDED_MWH].sum(axis=0)
    assert forwarded[CONSENT.index("always")] > 1.0
    assert forwarded[CONSENT.index("never")] == 0.0
    assert 0.0 < sums[..., f.OPTED_OUT].sum() < sums[..., f.CONSENT_ASKED].sum()
    for decide in ("group", "each"):
        for world in range(len(lib)):
            mesa, _ = in_mesa(lib, world, decide, CONSENT)
            assert len(mesa) == len(arrays[world]) > 90
            assert mesa == arrays[world], (decide, world)


def test_consent_moves_the_world(lib: Library) -> None:
    """The comparison above would be empty if policies changed nothing."""
    assert in_arrays(lib, "always")[0] != in_arrays(lib, "never")[0]


def test_learners_end_with_the_same_choices_in_both_faces(lib: Library) -> None:
    graph = neighbour_graph(NAMES, [0] * len(NAMES), within=2, across=0, seed=1)

    def play(profile: tuple[int, ...], world: int, mesa: bool) -> np.ndarray:
        consent = ["always" if c else "never" for c in profile]
        sums = in_mesa(lib, world, "each", consent)[1] if mesa else in_arrays(lib, consent)[2][world]
        return sums[:, : f.CASH_W].sum(axis=-1)

    seeds, rated = weeks.fsp_seeds(NAMES, 2), [p.rated_mw for p in PORTFOLIOS]
    for policy in (Bandit(), Imitation.on(graph, NAMES, 0.5)):
        faces = [
            weeks.adapt(policy, [lambda p, w=w, m=mesa: play(p, w, m) for w in range(len(lib))], rated, seeds)
            for mesa in (False, True)
        ]
        assert faces[0].consent.tobytes() == faces[1].consent.tobytes()
        assert faces[0].earned_eur.tobytes() == faces[1].earned_eur.tobytes()
        assert len({row.tobytes() for row in faces[0].consent}) > 1, policy.name  # somebody changed its mind
        assert np.ptp(faces[0].earned_eur) > 0.0
