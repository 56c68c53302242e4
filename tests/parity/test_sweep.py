"""A sweep: many parameter values side by side earn to the cent what each earns alone in the table of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from stacking.agents.strategies import (
    DayAheadArbitrage,
    Strategy,
    decides_by_row,
    make_strategy,
    one_by_row,
    parameters_of,
    strategy_names,
)
from stacking.catalogue import default_portfolios, load_design
from stacking.experiments import sweep
from stacking.experiments.runner import Contest, run
from stacking.scenario import generate, scenario_keys

DESIGNS = tuple(load_design(name) for name in ("parallel", "norflex_eam", "finflex"))
PORTFOLIOS = default_portfolios()
LIBRARY = generate(scenario_keys("train", 3), portfolios=PORTFOLIOS, days=2)
TUNABLE = [name for name in strategy_names() if parameters_of(make_strategy(name))]


def _drawn(name: str, count: int = 4) -> list[Strategy]:
    """Return strategies with values from their whole ranges."""
    rng = np.random.default_rng(7)
    found = parameters_of(make_strategy(name))
    return [make_strategy(name, **{p.name: float(rng.uniform(p.low, p.high)) for p in found}) for _ in range(count)]


def _alone(strategies: list[Strategy]) -> np.ndarray:
    """Return the cash (K, D, S) of a comparison."""
    contest = Contest(DESIGNS, {str(k): s for k, s in enumerate(strategies)}, PORTFOLIOS, LIBRARY)
    rows = run(contest).episodes.groupby(["strategy", "design", "scenario"])["net_eur"].sum()
    keys = [str(key) for key in LIBRARY.keys]
    return np.array([[[rows[str(k), d.name, key] for key in keys] for d in DESIGNS] for k in range(len(strategies))])


@pytest.mark.parametrize("name", TUNABLE)
def test_side_by_side_is_one_after_the_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    strategies, reported = _drawn(name), []
    assert all(decides_by_row(s) for s in strategies)
    monkeypatch.setattr(sweep, "MAX_WORLDS", 16)  # batches that end inside a candidate
    found = sweep.net_eur(sweep.Trial(DESIGNS, PORTFOLIOS, LIBRARY), strategies, reported.append)
    np.testing.assert_allclose(found, _alone(strategies), rtol=0, atol=1e-8)
    assert len(np.unique(found.sum(axis=(1, 2)))) == len(strategies)  # the values matter
    assert sum(reported) == LIBRARY.length.sum() * len(PORTFOLIOS) * len(DESIGNS) * len(strategies)


@dataclass(frozen=True)
class Scalar(DayAheadArbitrage):
    """A user's class that would not understand arrays."""

    name = "scalar"

    def act(self, observation, mask, state):
        assert isinstance(self.da_volume_frac, float)
        return super().act(observation, mask, state)


def test_a_class_that_does_not_say_so_plays_one_by_one() -> None:
    strategies = [Scalar(da_volume_frac=x) for x in (0.2, 0.9)]
    assert not decides_by_row(strategies[0])
    found = sweep.net_eur(sweep.Trial(DESIGNS[:1], PORTFOLIOS, LIBRARY), strategies)
    shipped = [make_strategy("da_arbitrage", da_volume_frac=x) for x in (0.2, 0.9)]
    assert np.array_equal(found, sweep.net_eur(sweep.Trial(DESIGNS[:1], PORTFOLIOS, LIBRARY), shipped))
    assert found[0].sum() != found[1].sum()


def test_one_by_row_takes_the_values_of_its_rows() -> None:
    index = np.array([1, 0, 1])
    made = one_by_row(_drawn("stacked", 2), index)
    for p in parameters_of(made):
        assert getattr(made, p.name).tolist() == [getattr(_drawn("stacked", 2)[k], p.name) for k in index]
