"""Fit of the balancing law to prices and needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StackingError
from ..units import MTU_PER_HOUR
from .balancing import BOTH, DOWN, NONE, STATES, UP
from .moments import autocorrelation, correlation, memory_steps, normal_scores, quantile_table, run_law, run_lengths
from .parameters import Balancing

Floats = NDArray[np.float64]

PRICE_EPSILON = 0.005
"""A balancing price counts as different from day-ahead from this on, EUR/MWh."""

FEWEST_RUNS, MOST_UNSEEN_FRAC = 10, 0.02
FEWEST_STEPS = 50
"""Steps with an activation in one direction from which its premium, its volumes and its runs can be fitted."""


def states_of(da: Floats, up: Floats, down: Floats) -> NDArray[np.int64]:
    """Return the state of each step by its prices: which of them differ from day-ahead; -1 where one is missing."""
    above, below = up - da > PRICE_EPSILON, da - down > PRICE_EPSILON
    state = np.where(above & below, BOTH, np.where(above, UP, np.where(below, DOWN, NONE)))
    return np.where(np.isnan(da) | np.isnan(up) | np.isnan(down), -1, state)


def step_of(first_s: int, *columns: Floats) -> int:
    """Return 4 if no column ever changes within a clock hour, else 1."""
    skip = -(first_s // 900) % MTU_PER_HOUR
    for values in columns:
        whole = values[skip : skip + (len(values) - skip) // MTU_PER_HOUR * MTU_PER_HOUR].reshape(-1, MTU_PER_HOUR)
        if (np.abs(whole - whole[:, :1]) > PRICE_EPSILON).any():
            return 1
    return MTU_PER_HOUR


def fit_balancing(
    da: Floats, up: Floats, down: Floats, need_mw: Floats | None, step_mtu: int, base: Balancing
) -> tuple[dict[str, Any], list[str]]:
    """Return the entries of ``Balancing`` fitted to series in steps, and what was kept from ``base``.

    States by the prices; runs as mixtures of geometric laws; jumps counted; premium = up - day-ahead where up, discount
    = day-ahead - down where down, their normal scores against those of day-ahead (loading) and of the need.

    Args:
        da, up, down: EUR/MWh (N,), NaN where there is none.
        need_mw: needs up and down (2, N), or None.
        step_mtu: MTU of a step.
        base: for what the series do not hold.

    Raises:
        StackingError: fewer than 10 runs of a state that holds for over 2 % of the time.
    """
    state, da_score = states_of(da, up, down), normal_scores(da)
    fitted, kept = _runs_and_jumps(state, base)
    fitted["step_mtu"] = step_mtu
    memories: list[float] = []
    lags: list[float] = []
    rhos: list[float] = []
    for name, side, active, margin, need in (
        ("premium", "up", (state == UP) | (state == BOTH), up - da, None if need_mw is None else need_mw[0]),
        ("discount", "down", (state == DOWN) | (state == BOTH), da - down, None if need_mw is None else need_mw[1]),
    ):
        if active.sum() < FEWEST_STEPS:
            kept += [f"balancing.{name}", f"balancing.{name}_da_loading", f"balancing.volume_{side}"]
            continue
        fitted[name] = quantile_table(np.where(active, margin, np.nan))
        score = normal_scores(np.where(active, margin, np.nan))
        loading = _bounded(correlation(score[active], da_score[active]))
        fitted[f"{name}_da_loading"] = loading
        own = (score - loading * da_score) / np.sqrt(1.0 - loading * loading)
        with_need = active if need is None else active & (np.nan_to_num(need) > 0)
        if need is None or with_need.sum() < FEWEST_STEPS:
            kept.append(f"balancing.volume_{side}")
            lags.append(autocorrelation(own, 1))
            continue
        fitted[f"volume_{side}"] = quantile_table(np.where(with_need, need, np.nan), digits=3)
        volume = normal_scores(np.where(with_need, need, np.nan))
        memories.append(autocorrelation(volume, 1))
        rho = _bounded(correlation(own[with_need], volume[with_need]))
        rhos.append(rho)
        lags.append(autocorrelation((own - rho * volume) / np.sqrt(1.0 - rho * rho), 1))
    for name, found in (("volume_memory_steps", memories), ("price_memory_steps", lags)):
        known = [value for value in found if not np.isnan(value)]
        if known:
            fitted[name] = round(memory_steps(float(np.mean(known))), 2)
        else:
            kept.append(f"balancing.{name}")
    if rhos:
        fitted["price_volume_correlation"] = round(float(np.mean(rhos)), 3)
    else:
        kept.append("balancing.price_volume_correlation")
    return fitted, [*kept, "balancing.depth_mw", "balancing.minimal_need_mw"]


def _runs_and_jumps(state: NDArray[np.int64], base: Balancing) -> tuple[dict[str, Any], list[str]]:
    fitted: dict[str, Any] = {}
    kept, there = [], state >= 0
    now, later = state[:-1], state[1:]
    jumps = []
    for index, name in enumerate(STATES):
        lengths = run_lengths(state == index, there)
        leaves = (now == index) & (later >= 0) & (later != index)
        row = [int((leaves & (later == other)).sum()) for other in range(len(STATES))]
        if len(lengths) < FEWEST_RUNS or sum(row) == 0:
            if (state == index).sum() > MOST_UNSEEN_FRAC * there.sum():
                raise _too_steady(name, len(lengths))
            kept.append(f"balancing.run_{name}")
            jumps.append(base.jump[index])
            continue
        fitted[f"run_{name}"] = tuple(round(value, 3) for value in run_law(lengths))
        jumps.append(tuple(round(count / sum(row), 4) for count in row))
    fitted["jump"] = tuple(jumps)
    return fitted, kept


def _too_steady(name: str, count: int) -> StackingError:
    return StackingError(
        "The balancing prices change their direction too rarely to be fitted.",
        place="calibrate",
        key="mfrr_up_price",
        value=f"{count} whole runs in which the state is {name!r}",
        allowed=f"at least {FEWEST_RUNS} runs of each state that holds for over {100 * MOST_UNSEEN_FRAC:g} % of the time",
        remedy="Give a longer series, or leave the balancing prices out.",
    )


def _bounded(value: float) -> float:
    return round(min(max(0.0 if np.isnan(value) else value, -0.95), 0.95), 3)
