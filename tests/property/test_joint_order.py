"""One delivery period, identical bids and limits: joint procurement <= forwarding with a grid check <= no forwarding.

The DSOs buy first, in one optimisation of their own needs from the bids in their areas; energy is worth the reference price to
them and they call nothing for a gain alone. Then the TSO buys at least cost, and no area may move further beyond its limits than
the DSOs left it (the check). With forwarding off it has the bids at the root alone. All three are priced by one definition:
bids as bid, shortfalls and surpluses at their penalties.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from stacking.markets import joint as j

from ..joint_toy import INF, Problem, area, clear, problem, random_bids

CASES = 1500
HARD = 1e6  # EUR/MWh, in place of a limit that may not be exceeded
CAUSES = ("TSO need on the same path", "mixed directions", "limits")


def dso_stage(case: Problem) -> np.ndarray:
    """Return what the DSOs accept, MW: the same in every scheme with a local market."""
    bids, areas = case.bids.copy(), case.areas.copy()
    beyond = bids[:, j.BID_SIGN] * (bids[:, j.BID_EUR_PER_MWH] - case.reference)
    bids[:, j.BID_EUR_PER_MWH] = bids[:, j.BID_SIGN] * np.maximum(beyond, 0.0)
    bids[bids[:, j.BID_AREA] == case.root, j.BID_MW] = 0.0
    areas[case.root, [j.LOWER_MW, j.UPPER_MW]] = -INF, INF
    return clear(Problem(bids, areas)).accepted


def tso_stage(case: Problem, local: np.ndarray, forwarding: bool) -> np.ndarray:
    """Return all that is accepted once the TSO has bought from what is left, MW."""
    bids, areas = case.bids.copy(), case.areas.copy()
    bids[:, j.BID_MW] -= local
    if not forwarding:
        bids[bids[:, j.BID_AREA] != case.root, j.BID_MW] = 0.0
    net, below = case.net_of(local), slice(0, case.root)
    areas[below, j.LOWER_MW] = np.minimum(areas[below, j.LOWER_MW], net[below])
    areas[below, j.UPPER_MW] = np.maximum(areas[below, j.UPPER_MW], net[below])
    areas[below, j.SHORTFALL_EUR_PER_MWH : j.SURPLUS_EUR_PER_MWH + 1] = HARD
    areas[:, j.LOWER_MW] -= net
    areas[:, j.UPPER_MW] -= net
    return local + clear(Problem(bids, areas)).accepted


def costs(case: Problem) -> tuple[float, float, float]:
    """Return the cost of joint procurement, of forwarding with check and of no forwarding, EUR/h."""
    local = dso_stage(case)
    checked, off = (case.cost_of(tso_stage(case, local, forwarding)) for forwarding in (True, False))
    return case.cost_of(clear(case).accepted), checked, off


def random_case(seed: int, cause: str) -> Problem:
    """Draw DSOs' up needs with a TSO's up need, with a TSO's down need, or below and beside connection limits."""
    random = np.random.default_rng(seed)
    many = int(random.integers(2, 9))
    areas = []
    for a in range(many - 1):
        kind, mw = random.random(), float(random.uniform(0.5, 6.0))
        lower = mw if kind < 0.6 else -INF
        upper = max(mw, 0.0) + float(random.uniform(0.0, 2.0)) if cause == "limits" else INF
        areas.append(area(int(random.integers(a + 1, many)), lower, upper, float(random.uniform(40.0, 200.0)), 3000.0))
    need = float(random.uniform(0.0, 20.0)) * (-1.0 if cause == "mixed directions" else 1.0)
    areas.append(area(-1, need, need, float(random.uniform(60.0, 300.0)), float(random.uniform(60.0, 300.0))))
    return replace(problem(areas, []), bids=random_bids(random, many, whole=False))


@pytest.mark.parametrize("cause", CAUSES)
def test_joint_costs_at_most_forwarding_and_that_at_most_none(cause: str):
    strict: Counter[str] = Counter()
    for seed in range(CASES):
        joint, checked, off = costs(random_case(seed, cause))
        slack = 1e-6 * max(1.0, abs(joint), abs(off))
        assert joint <= checked + slack
        assert checked <= off + slack
        strict["joint < checked"] += joint < checked - slack and not (cause == "limits" and strict_without_limits(seed))
        strict["checked < off"] += checked < off - slack
    assert strict["joint < checked"] >= 30, strict
    assert strict["checked < off"] >= 500, strict


def strict_without_limits(seed: int) -> bool:
    """Return whether joint procurement is also cheaper where the limits are taken away, so that they are not the cause."""
    case = random_case(seed, "limits")
    case.areas[:-1, j.UPPER_MW] = INF
    joint, checked, _ = costs(case)
    return joint < checked - 1e-6 * max(1.0, abs(joint), abs(checked))
