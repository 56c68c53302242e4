"""Joint procurement equals a linear program, on thousands of random trees; and does not depend on the order of bids."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacking.markets import joint as j
from stacking.markets.cost_split import clear_and_split

from ..joint_toy import (
    INF,
    Cleared,
    Problem,
    area,
    check_feasible,
    check_prices,
    clear,
    kernel,
    least_cost,
    problem,
    random_problem,
)

TREES = 1000


def happened(case: Problem, got: Cleared) -> Counter[str]:
    """Return what a case exercises, so that a comparison of nothing with nothing is noticed."""
    bids, table = case.bids, got.areas
    called, left = got.accepted > 1e-6, got.accepted < bids[:, j.BID_MW] - 1e-6
    price, up, above = bids[:, j.BID_EUR_PER_MWH], bids[:, j.BID_SIGN] > 0.0, case.parent[:-1]
    beyond = table[:, j.SHORTFALL_MW] + table[:, j.SURPLUS_MW] > 1e-6
    premium = got.price[:-1] - got.price[above]
    dearest = price[up & called].max(initial=-INF)
    return Counter(
        {
            "cheaper bid passed over": int((price[up & left] < dearest - 1e-6).any()),
            "both directions called": int((up & called).any() and (~up & called).any()),
            "called at a negative price": int((price[called] < 0.0).any()),
            "root short or in surplus": int(beyond[-1]),
            "area short or in surplus": int(beyond[:-1].any()),
            "binding limits": int((np.abs(premium[~beyond[:-1]]) > 1e-6).sum()),
            "partly accepted": int((called & left).sum()),
            "ties": int(len(np.unique(price)) < len(price)),
            "cost of area needs": int((table[:-1, j.COST_EUR_PER_H] > 1e-6).any()),
            "crossed limits": int((table[:, j.LOWER_MW] > table[:, j.UPPER_MW]).any()),
        }
    )


def compare(case: Problem) -> Counter[str]:
    got, least = clear(case), least_cost(case)
    assert abs(got.cost - least) <= 1e-7 * max(1.0, abs(least)), (got.cost, least)
    check_feasible(case, got)
    check_prices(case, got)
    return happened(case, got)


@pytest.mark.parametrize("part", [0, 1])
def test_equals_the_linear_program_on_random_trees(part: int):
    seen: Counter[str] = Counter()
    for seed in range(part * TREES, (part + 1) * TREES):
        seen.update(compare(random_problem(seed)))
    assert len(seen) == 10
    for what, times in seen.items():
        assert times >= 50, (what, seen)


numbers = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 5.0]), st.floats(0.01, 50.0))
penalties = st.sampled_from([0.0, 20.0, 40.0, 500.0])
prices = st.one_of(st.sampled_from([-40.0, -20.0, 0.0, 20.0, 40.0, 60.0]), st.floats(-500.0, 500.0))


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Draw a small problem that hypothesis can shrink."""
    many = draw(st.integers(1, 6))
    areas = []
    for a in range(many):
        lower, upper = draw(st.sampled_from([-INF, 1.0, -1.0])), draw(st.sampled_from([INF, 1.0, -1.0]))
        parent = draw(st.integers(a + 1, many - 1)) if a < many - 1 else -1
        areas.append(area(parent, lower * draw(numbers), upper * draw(numbers), draw(penalties), draw(penalties)))
    areas = [[p, -INF if np.isnan(lo) else lo, INF if np.isnan(hi) else hi, s, t] for p, lo, hi, s, t in areas]  # inf x 0
    bids = st.tuples(st.integers(0, many - 1), st.sampled_from([-1, 1]), prices, numbers)
    return problem(areas, draw(st.lists(bids, max_size=8)), draw(prices))


@settings(max_examples=300)
@given(problems())
def test_equals_the_linear_program_on_small_drawn_problems(case: Problem):
    compare(case)


def test_no_permutation_of_bids_changes_a_byte():
    random, moved, tied = np.random.default_rng(1), 0, 0
    for seed in range(1000):
        case = random_problem(seed)
        order = random.permutation(len(case.bids))
        one, other = clear(case), clear(Problem(case.bids[order], case.areas, case.reference))
        assert one.cost == other.cost
        np.testing.assert_array_equal(one.accepted[order], other.accepted)
        np.testing.assert_array_equal(one.areas, other.areas)
        moved += bool(one.accepted.any() and (order != np.arange(len(order))).any())
        keys = case.bids[:, [j.BID_AREA, j.BID_SIGN, j.BID_EUR_PER_MWH]]
        tied += len(np.unique(keys, axis=0)) < len(keys)
    assert moved > 500
    assert tied > 20


def test_equal_bids_are_called_by_priority_then_row():
    case = problem([area(-1, 5.0, 5.0)], [(0, 1, 50.0, 4.0), (0, 1, 50.0, 4.0), (0, -1, 50.0, 4.0)])
    np.testing.assert_array_equal(clear(case).accepted, [4.0, 1.0, 0.0])  # nothing is activated without gain
    case.bids[:, j.BID_PRIORITY] = [2.0, 1.0, 0.0]
    np.testing.assert_array_equal(clear(case).accepted, [1.0, 4.0, 0.0])
    case.bids[:, j.BID_PRIORITY] = 7.0
    np.testing.assert_array_equal(clear(case).accepted, [4.0, 1.0, 0.0])
    down = problem([area(-1, -5.0, -5.0)], [(0, -1, 50.0, 4.0), (0, -1, 50.0, 4.0), (0, 1, 50.0, 4.0)])
    np.testing.assert_array_equal(clear(down).accepted, [4.0, 1.0, 0.0])
    down.bids[:, j.BID_PRIORITY] = [2.0, 1.0, 0.0]
    np.testing.assert_array_equal(clear(down).accepted, [1.0, 4.0, 0.0])


def worlds(cases: list[Problem], backend: str) -> tuple[np.ndarray, ...]:
    """Clear many problems in one call: the arrays are as large as the largest needs."""
    many, deep = max(len(c.bids) for c in cases), max(len(c.areas) for c in cases)
    cases = [c for c in cases if len(c.areas) == deep]
    bids, areas = np.zeros((len(cases), many, j.BIDS_W)), np.stack([c.areas for c in cases])
    areas[:, :, j.NET_MW :] = 0.0
    for b, case in enumerate(cases):
        bids[b, : len(case.bids)] = case.bids
    count, reference = np.array([len(c.bids) for c in cases]), np.array([c.reference for c in cases])
    rows, cost = j.pieces_needed(many, deep), np.zeros(len(cases))
    pieces, links = np.zeros((len(cases), j.PIECES_W, rows)), np.zeros((len(cases), j.LINKS_W, rows), np.int64)
    lists = np.zeros((len(cases), deep, j.LISTS_W), np.int64)
    kernel(clear_and_split, backend)(bids, count, areas, reference, pieces, links, lists, cost)
    return bids, areas, pieces, links, lists, cost


@pytest.mark.parametrize("backend", ["serial", "parallel"])
def test_compiled_kernel_is_plain_python_bit_for_bit(backend: str):
    cases = [random_problem(seed) for seed in range(600)]
    plain, compiled = worlds(cases, "python"), worlds(cases, backend)
    assert len(plain[0]) > 20
    assert (plain[0][..., j.BID_ACCEPTED_MW] > 0.0).sum() > 200
    for one, other in zip(plain, compiled, strict=True):
        assert one.tobytes() == other.tobytes()
    for b, case in enumerate(c for c in cases if len(c.areas) == plain[1].shape[1]):
        assert clear(case).cost == plain[-1][b]  # a world does not depend on its batch
