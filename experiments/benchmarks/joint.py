"""Joint procurement by the kernel against the same problem built and solved by HiGHS each time, on one core.

`python -m stacking.experiments.benchmarks.joint` prints medians over random trees and ratios; all must find the same cost.
HiGHS gets the problem in a lean form (one sparse row an area, arrays made by NumPy, one thread, the same solver object): as
it comes, and with the fastest of some settings for problems of this size.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from stacking.build import build, prange
from stacking.errors import StackingError
from stacking.markets import joint as j
from stacking.markets.joint import clear_jointly

Floats = NDArray[np.float64]

AREAS, BIDS, TREES, REPEATS = 50, 200, 40, 10
LEAST_RATIO = 50.0
DEFAULT: Mapping[str, str | int] = {}
TUNED: tuple[Mapping[str, str | int], ...] = (
    {"presolve": "off"},
    {"presolve": "off", "simplex_strategy": 4},  # primal simplex
)

Method = Callable[[Floats, Floats], tuple[float, float]]
"""From bids and areas to the least cost, EUR/h, and the time of the solution alone, s."""


@dataclass(frozen=True)
class Speed:
    """Medians over trees, microseconds for one delivery period."""

    kernel_us: float
    default_us: float  # HiGHS as it comes, built and solved
    tuned_us: float  # the fastest settings
    solve_us: float  # the fastest settings without building and passing the problem

    @property
    def ratio(self) -> float:
        """Return how many times as fast the kernel is as building and solving in HiGHS as it comes."""
        return self.default_us / self.kernel_us


def random_tree(seed: int, areas: int = AREAS, bids: int = BIDS) -> tuple[Floats, Floats]:
    """Return bids (bid, BIDS_W) and areas (area, AREAS_W): a third of the areas each with a need, a limit, neither."""
    random = np.random.default_rng(seed)
    table = np.zeros((areas, j.AREAS_W))
    table[:-1, j.PARENT] = [random.integers(a + 1, min(a + 8, areas)) for a in range(areas - 1)]
    table[:, j.LOWER_MW], table[:, j.UPPER_MW] = -np.inf, np.inf
    table[:, j.SHORTFALL_EUR_PER_MWH] = table[:, j.SURPLUS_EUR_PER_MWH] = 3000.0
    for a in range(areas - 1):
        mw, kind = random.uniform(0.5, 6.0), random.integers(6)
        if kind == 0:
            table[a, j.LOWER_MW] = mw
        elif kind == 1:
            table[a, j.UPPER_MW] = -mw
        elif kind < 4:
            table[a, j.LOWER_MW], table[a, j.UPPER_MW] = -mw, mw
    table[-1, j.PARENT] = -1.0
    table[-1, j.LOWER_MW] = table[-1, j.UPPER_MW] = random.uniform(-100.0, 100.0)
    offers = np.zeros((bids, j.BIDS_W))
    offers[:, j.BID_AREA], offers[:, j.BID_SIGN] = random.integers(0, areas, bids), random.choice([-1.0, 1.0], bids)
    offers[:, j.BID_EUR_PER_MWH] = 45.0 + offers[:, j.BID_SIGN] * random.normal(20.0, 25.0, bids)
    offers[:, j.BID_MW], offers[:, j.BID_PRIORITY] = random.uniform(0.1, 5.0, bids), random.random(bids)
    return offers, table


def clear_worlds(
    bids: Any, count: Any, areas: Any, reference: Any, pieces: Any, links: Any, lists: Any, cost: Any
) -> None:  # fmt: skip
    """Clear worlds one after the other: what an engine's kernel does, without the split of the cost."""
    for b in prange(bids.shape[0]):
        cost[b] = clear_jointly(bids[b], count[b], areas[b], reference[b], pieces[b], links[b], lists[b])


def kernel_of(areas: int, bids: int) -> Method:
    """Return a method that clears one world by one call from Python, all problems in the same memory."""
    clear, rows = build(clear_worlds), j.pieces_needed(bids, areas)
    pieces, links = np.zeros((1, j.PIECES_W, rows)), np.zeros((1, j.LINKS_W, rows), np.int64)
    lists, count, cost = np.zeros((1, areas, j.LISTS_W), np.int64), np.array([bids]), np.zeros(1)
    reference = np.array([45.0])

    def solve(offers: Floats, table: Floats) -> tuple[float, float]:
        clear(offers[None], count, table[None], reference, pieces, links, lists, cost)
        return float(cost[0]), 0.0

    return solve


def highs_of(setting: Mapping[str, str | int]) -> Method:
    """Return a method that builds the problem and solves it in HiGHS, in the same solver object."""
    solver = highspy.Highs()
    for key, value in {"output_flag": False, "threads": 1, **setting}.items():
        solver.setOptionValue(key, value)

    def solve(offers: Floats, table: Floats) -> tuple[float, float]:
        solver.passModel(program(offers, table))
        begun = perf_counter()
        solver.run()
        seconds = perf_counter() - begun
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise StackingError("HiGHS did not solve the problem.", key="status", value=str(solver.getModelStatus()))
        return float(solver.getInfo().objective_function_value), seconds

    return solve


def program(bids: Floats, areas: Floats) -> highspy.HighsLp:
    """Return the linear program: S_a = inside + surplus - shortfall with lower <= inside <= upper, a balance for each area."""
    n, k = len(bids), len(areas)
    lp, column = highspy.HighsLp(), np.arange(k)
    below = column[areas[:, j.PARENT] >= 0.0]  # S_a is drawn from its own balance and goes into the parent's
    parent = areas[below, j.PARENT].astype(np.int32)
    columns = np.concatenate(
        [np.arange(n), n + column, n + k + column, n + 2 * k + column, n + below, n + k + below, n + 2 * k + below]
    )
    rows = np.concatenate([bids[:, j.BID_AREA].astype(np.int32), column, column, column, parent, parent, parent])
    one, in_parent = np.ones(k), np.ones(len(below))
    values = np.concatenate([bids[:, j.BID_SIGN], -one, -one, one, in_parent, in_parent, -in_parent])
    order = np.argsort(columns, kind="stable")
    lp.num_col_, lp.num_row_ = n + 3 * k, k
    lp.col_cost_ = np.concatenate(
        [
            bids[:, j.BID_SIGN] * bids[:, j.BID_EUR_PER_MWH],
            np.zeros(k),
            areas[:, j.SURPLUS_EUR_PER_MWH],
            areas[:, j.SHORTFALL_EUR_PER_MWH],
        ]
    )
    lp.col_lower_ = np.concatenate([np.zeros(n), areas[:, j.LOWER_MW], np.zeros(2 * k)])
    lp.col_upper_ = np.concatenate([bids[:, j.BID_MW], areas[:, j.UPPER_MW], np.full(2 * k, np.inf)])
    lp.row_lower_ = lp.row_upper_ = np.zeros(k)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(n + 3 * k + 1)).astype(np.int32)
    lp.a_matrix_.index_, lp.a_matrix_.value_ = rows[order].astype(np.int32), values[order]
    return lp


def timed(method: Method, trees: list[tuple[Floats, Floats]]) -> tuple[list[float], float, float]:
    """Return the least costs, and the median time of a call and of its inner part, s.

    Trees alternate: a problem repeated at once would be learnt by the processor's branch prediction.
    """
    costs, total, inner = [0.0] * len(trees), [], []
    for turn in range(REPEATS + 1):
        for k, (bids, areas) in enumerate(trees):
            begun = perf_counter()
            costs[k], seconds = method(bids, areas)
            ended = perf_counter()
            if turn > 0:
                total.append(ended - begun)
                inner.append(seconds)
    return costs, median(total), median(inner)


def measure(areas: int = AREAS, bids: int = BIDS, trees: int = TREES) -> Speed:
    """Return medians over random trees; both methods must agree on every cost.

    Raises:
        StackingError: if they do not.
    """
    problems = [random_tree(seed, areas, bids) for seed in range(trees)]
    costs, kernel_s, _ = timed(kernel_of(areas, bids), problems)
    runs = [timed(highs_of(setting), problems) for setting in (DEFAULT, *TUNED)]
    for least, _, _ in runs:
        if not np.allclose(costs, least, rtol=1e-7, atol=1e-7):
            raise StackingError("Kernel and HiGHS differ.", key="cost", value=str(costs), allowed=str(least))
    tuned, solving = min(run[1] for run in runs), min(run[2] for run in runs)
    return Speed(kernel_s * 1e6, runs[0][1] * 1e6, tuned * 1e6, solving * 1e6)


def main() -> None:
    """Measure on the first core that this process may use, and print."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    speed = measure()
    print(f"{AREAS} areas, {BIDS} bids, medians over {TREES} trees, one core")
    print(f"kernel                         {speed.kernel_us:8.1f} us")
    for what, us in (
        ("HiGHS, default settings", speed.default_us),
        ("HiGHS, fastest settings", speed.tuned_us),
        ("the same, solution alone", speed.solve_us),
    ):
        print(f"{what:30s} {us:8.1f} us, {us / speed.kernel_us:4.0f} times the kernel")
    print(f"asked: {LEAST_RATIO:.0f} times")


if __name__ == "__main__":
    main()
