"""Coordination schemes of one delivery period as stages of buyers, each solved to optimality, for divisible and for whole bids.

A stage takes what has been accepted so far and returns all that is accepted after it, MW a bid. Whatever the scheme, an accepted
set costs `Problem.cost_of`: bids as bid, shortfalls and surpluses at their penalties; what the operators pay is another matter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import Bounds, milp

from stacking.markets import joint as j

from .joint_toy import INF, Problem, clear, clear_many

HARD = 1e6  # EUR/MWh, in place of a limit that may not be exceeded
TIE = 1e-6  # of bids that are all better than the reference the DSO takes the best
Solve = Callable[[Problem], np.ndarray]


def cut(case: Problem) -> np.ndarray:
    """Return the least-cost acceptance of bids that can be cut anywhere, MW."""
    return clear(case).accepted


def uncut(whole: np.ndarray) -> Solve:
    """Return a solver that accepts the marked bids as a whole or not at all: every set of them, the others cleared around it."""

    def solve(case: Problem) -> np.ndarray:
        offered = case.bids[:, j.BID_MW]
        rows = np.flatnonzero(whole & (offered > 0.0))
        sets = (np.arange(2 ** len(rows))[:, None] >> np.arange(len(rows)) & 1).astype(float)
        taken = np.zeros((len(sets), len(offered)))
        taken[:, rows] = sets * offered[rows]
        bids, areas = (np.repeat(table[None], len(sets), axis=0) for table in (case.bids, case.areas))
        bids[:, rows, j.BID_MW] = 0.0
        areas[:, :, [j.LOWER_MW, j.UPPER_MW]] -= (taken @ case.below.T)[:, :, None]
        cost, rest, _ = clear_many(bids, areas, case.reference)
        best = int((cost + taken @ case.unit_cost).argmin())
        return taken[best] + rest[best]

    return solve


def least_cost_with_whole(case: Problem, whole: np.ndarray) -> float:
    """Return the least cost with whole bids by a mixed-integer program, EUR/h."""
    offered, k = case.bids[:, j.BID_MW], len(case.areas)
    lower, upper = case.areas[:, j.LOWER_MW], case.areas[:, j.UPPER_MW]
    cost = np.r_[case.unit_cost * offered, case.areas[:, j.SHORTFALL_EUR_PER_MWH], case.areas[:, j.SURPLUS_EUR_PER_MWH]]
    net, unit, none = case.below * offered, np.eye(k), np.zeros((k, k))
    limits = np.block([[net, unit, none], [net, none, -unit]]), np.r_[lower, np.full(k, -INF)], np.r_[np.full(k, INF), upper]
    most, integral = np.r_[np.ones(len(offered)), np.full(2 * k, INF)], np.r_[whole, np.zeros(2 * k)]
    found = milp(cost, integrality=integral, bounds=Bounds(0.0, most), constraints=limits, options={"mip_rel_gap": 0.0})
    assert found.status == 0, found.message
    return float(found.fun)


def dso_stage(case: Problem, before: np.ndarray, solve: Solve = cut) -> np.ndarray:
    """Let the DSOs buy at least cost for the needs of their areas from the bids there; they do not know what the TSO needs.

    Energy is worth the reference price to them and nothing is called for a gain alone: a MW costs max(0, sign (price -
    reference)), and of those that cost nothing the best are taken.
    """
    bids, areas = left(case, before)
    beyond = bids[:, j.BID_SIGN] * (bids[:, j.BID_EUR_PER_MWH] - case.reference)
    beyond = np.maximum(beyond, 0.0) + TIE * (beyond - beyond.min(initial=INF))
    bids[:, j.BID_EUR_PER_MWH] = bids[:, j.BID_SIGN] * beyond
    bids[bids[:, j.BID_AREA] == case.root, j.BID_MW] = 0.0
    areas[case.root, [j.LOWER_MW, j.UPPER_MW]] = -INF, INF
    return before + solve(Problem(bids, areas))


def tso_stage(case: Problem, before: np.ndarray, forwarding: bool, solve: Solve = cut) -> np.ndarray:
    """Let the TSO buy at least cost for the need of the root; no area may end further beyond its limits than it stands now.

    The check is on the sum of all that is accepted, not on single bids. Without forwarding only bids at the root can be bought.
    """
    bids, areas = left(case, before)
    if not forwarding:
        bids[bids[:, j.BID_AREA] != case.root, j.BID_MW] = 0.0
    below = slice(0, case.root)
    areas[below, j.LOWER_MW] = np.minimum(areas[below, j.LOWER_MW], 0.0)
    areas[below, j.UPPER_MW] = np.maximum(areas[below, j.UPPER_MW], 0.0)
    areas[below, [j.SHORTFALL_EUR_PER_MWH]] = areas[below, [j.SURPLUS_EUR_PER_MWH]] = HARD
    after = before + solve(Problem(bids, areas))
    beyond = [outside(case, case.net_of(accepted))[below] for accepted in (before, after)]
    assert (beyond[1] <= beyond[0] + 1e-6).all()
    return after


def left(case: Problem, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bids that are left and the areas with what is needed yet."""
    bids, areas = case.bids.copy(), case.areas.copy()
    bids[:, j.BID_MW] -= before
    areas[:, [j.LOWER_MW, j.UPPER_MW]] -= case.net_of(before)[:, None]
    return bids, areas


def outside(case: Problem, net: np.ndarray) -> np.ndarray:
    """Return how far each area stands beyond its limits, MW."""
    return np.maximum(case.areas[:, j.LOWER_MW] - net, 0.0) + np.maximum(net - case.areas[:, j.UPPER_MW], 0.0)


def costs(case: Problem, solve: Solve = cut) -> tuple[float, float, float]:
    """Return the cost of joint procurement, of forwarding with check and of no forwarding, EUR/h: one DSO stage for both."""
    local = dso_stage(case, np.zeros(len(case.bids)), solve)
    checked, off = (case.cost_of(tso_stage(case, local, forwarding, solve)) for forwarding in (True, False))
    return case.cost_of(solve(case)), checked, off


def cost_tso_first(case: Problem, solve: Solve = cut) -> float:
    """Return the cost where the TSO buys first from all bids and the DSOs from what is left, EUR/h."""
    return case.cost_of(dso_stage(case, tso_stage(case, np.zeros(len(case.bids)), True, solve), solve))
