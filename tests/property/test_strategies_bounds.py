"""Whatever is observed, actions are finite and inside their bounds; a row decides the same alone and in any batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacking import layout as at
from stacking.agents.consent import with_consent
from stacking.agents.seeds import row_seeds
from stacking.agents.strategies import ACTION_LAYOUT, factory_of, make_strategy, parameters_of, strategy_names

NAMES = strategy_names()
FIELDS = at.observation_layout().fields
LARGEST = 1e6  # of the columns without bounds


@st.composite
def wild_observations(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows inside the layout's bounds: a seed for the bulk, and some columns at zero or at an extreme."""
    n = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = np.maximum([f.low for f in FIELDS], -LARGEST)
    high = np.minimum([f.high for f in FIELDS], LARGEST)
    scale = draw(st.sampled_from([1e-4, 1e-3, 1.0]))  # prices and powers of usual size, and absurd ones
    wide = high - low > 1e3
    o = np.where(
        wide,
        np.clip(rng.normal(0.0, LARGEST * scale, (n, len(FIELDS))), low, high),
        rng.uniform(low, high, (n, len(FIELDS))),
    )
    for _ in range(draw(st.integers(0, 6))):
        column = draw(st.integers(0, len(FIELDS) - 1))
        o[draw(st.integers(0, n - 1)), column] = draw(st.sampled_from([low[column], high[column], max(0.0, low[column])]))
    mask = rng.random((n, at.ACTIONS_W)) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    return o.astype(np.float32), mask


@st.composite
def usual_observations(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows of portfolios that could exist: a battery, and often a fleet and a load beside it, in any order of cost."""
    n = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    o = np.zeros((n, at.OBSERVATIONS_W))
    o[:, at.DA : at.DA + 36] = rng.normal(60.0, 80.0, (n, 36))
    o[:, at.BALANCING : at.BALANCING + 12] = rng.normal(60.0, 80.0, (n, 12))
    o[:, at.LOCAL : at.LOCAL + 8] = rng.normal(0.0, 2.0, (n, 8)) * (rng.random((n, 8)) < 0.5)
    o[:, at.LOCAL + 8 : at.LOCAL + 16] = rng.normal(0.0, 600.0, (n, 8))
    rated, capacity = rng.uniform(0.05, 10.0, n), rng.uniform(0.05, 20.0, n)
    o[:, at.RATED_MW], o[:, at.CAPACITY_MWH], o[:, at.ROUND_TRIP_FRAC] = rated, capacity, rng.uniform(0.6, 1.0, n)
    o[:, at.STORED_FRAC] = rng.uniform(0.0, 1.0, n)
    o[:, at.CONTENT_MWH] = o[:, at.STORED_FRAC] * capacity
    o[:, at.MIN_CONTENT_FRAC], o[:, at.MAX_CONTENT_FRAC] = rng.uniform(0.0, 0.5, n), rng.uniform(0.5, 1.0, n)
    o[:, at.FEASIBLE_UP_MFRR : at.FEASIBLE_DN_LFM + 1] = rng.uniform(0.0, 2.0, (n, 4)) * rated[:, None]
    share = rng.dirichlet((1.0, 1.0, 1.0), n) if draw(st.booleans()) else np.tile([1.0, 0.0, 0.0], (n, 1))
    o[:, at.TIER_KIND : at.TIER_KIND + 3] = rng.permuted(np.tile([0.0, 1.0, 2.0], (n, 1)), axis=1)
    for k in range(4):
        whole = o[:, at.FEASIBLE_UP_MFRR + k]
        o[:, at.TIER_UP_MFRR + 3 * k : at.TIER_UP_MFRR + 3 * k + 3] = share * whole[:, None]
    o[:, at.TIER_COST_UP : at.TIER_COST_UP + 6] = rng.uniform(0.0, 100.0, (n, 6))
    o[:, at.BOOK : at.BOOK + 36] = rng.uniform(-1.0, 1.0, (n, 36)) * rated[:, None]
    o[:, at.COST_UP], o[:, at.COST_DN] = rng.uniform(0.0, 20.0, n), rng.uniform(0.0, 20.0, n)
    o[:, at.HOURS_TO_END] = rng.integers(1, 720, n) / 4.0
    o[:, at.TERMINAL_PRICE_FORECAST] = rng.uniform(0.0, 100.0, n)
    return o.astype(np.float32), rng.random((n, at.ACTIONS_W)) < 0.8


def drawn_parameters(name: str, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    return {p.name: float(rng.uniform(p.low, p.high)) for p in parameters_of(factory_of(name))}


@pytest.mark.parametrize("name", NAMES)
@given(first=wild_observations(), seed=st.integers(0, 1000))
@settings(max_examples=60)
def test_any_observation_gives_finite_actions_inside_the_bounds(
    name: str, first: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    o, mask = first
    strategy = make_strategy(name, **drawn_parameters(name, seed))
    state = strategy.start(len(o), 0)
    for _ in range(3):  # the second and third call meet a state that was made from the first
        action, state = strategy.act(o, mask, state)
        assert action.shape == mask.shape
        assert action.dtype == np.float64
        assert np.isfinite(action).all()
        assert np.all(action >= ACTION_LAYOUT.low)
        assert np.all(action <= ACTION_LAYOUT.high)
        assert np.all(action[~mask] == 0.0)
        o = o[::-1].copy()


@pytest.mark.parametrize("name", NAMES)
@given(first=usual_observations(), second=usual_observations(), seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_a_row_alone_decides_as_in_a_batch_bit_for_bit(
    name: str, first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    n = min(len(first[0]), len(second[0]))
    strategy = with_consent(make_strategy(name, **drawn_parameters(name, seed)), "random:0.5")
    seeds = row_seeds(n, seed)
    state = strategy.start(n, seeds)
    together = []
    for o, mask in (first, second):
        action, state = strategy.act(o[:n], mask[:n], state)
        together.append(action)
    chosen = np.random.default_rng(seed).integers(0, n, 3)
    for row in chosen:
        alone = strategy.start(1, seeds[row : row + 1])
        for k, (o, mask) in enumerate((first, second)):
            action, alone = strategy.act(o[row : row + 1].copy(), mask[row : row + 1].copy(), alone)
            assert action.tobytes() == together[k][row : row + 1].tobytes()
    if name != "do_nothing":
        assert any(np.any(action != 0.0) for action in together)  # something was decided
