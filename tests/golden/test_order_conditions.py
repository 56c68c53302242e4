"""Where schemes differ, and where their order ends: one hand-solved market for each cause and for each condition.

Areas are numbered from the leaves, the root last. Bids are (area, +1 up or -1 down, EUR/MWh, MW). The reference price is 45, so
a DSO buys up-regulation that costs at most 45 more than what a missing MW costs it. Costs are EUR for one hour. Two conditions
are dropped in `tests/golden/test_counterexamples.py`: stages solved to optimality, and one delivery period without asset state.
"""

from __future__ import annotations

import numpy as np
import pytest

from stacking.markets import joint as j

from ..joint_toy import INF, Problem, area, problem
from ..schemes import cost_tso_first, costs, cut, dso_stage, tso_stage, uncut

ALL_WHOLE = np.ones(6, bool)


def nothing(case: Problem) -> np.ndarray:
    return np.zeros(len(case.bids))


def unlimited(case: Problem) -> Problem:
    """Return the same market as somebody sees it who knows no area."""
    areas = case.areas.copy()
    areas[:-1, j.LOWER_MW], areas[:-1, j.UPPER_MW] = -INF, INF
    return Problem(case.bids, areas)


# Causes: joint < forwarding with check < no forwarding


def test_a_bid_worth_it_to_both_operators_together() -> None:
    """The DSO (area 0) needs 1 MW, worth 80; the TSO 2 MW. A 1 MW at 130 in area 0, B 1 MW at 60 in area 1, R 2 MW at 90.

    A costs the DSO 130 - 45 = 85 > 80: not bought. With forwarding the TSO takes B and 1 MW of R: 60 + 90 + 80 short = 230;
    without it 2 x 90 + 80 = 260. Joint: A saves 90 at the root and 80 in the area, 170 > 130: A + B = 190.
    """
    areas = [area(2, lower=1.0, short=80.0), area(2), area(-1, 2.0, 2.0)]
    case = problem(areas, [(0, 1, 130.0, 1.0), (1, 1, 60.0, 1.0), (2, 1, 90.0, 2.0)])
    assert costs(case) == (190.0, 230.0, 260.0)


def test_opposite_needs_of_dso_and_tso() -> None:
    """The DSO (area 0) needs 1 MW up, worth 80; the TSO 1 MW down. U 1 MW up at 100 in area 0, L 1 MW down at 30 in area 1,
    R 2 MW down at 10 at the root.

    The DSO buys U, 100 - 45 = 55 < 80, and 2 MW down are needed then. With forwarding L and 1 MW of R: 100 - 30 - 10 = 60;
    without 100 - 20 = 80. Joint: U and a MW of R cost 100 - 10 for a need of 80, so it is left: 80 short - 30 for L = 50.
    """
    areas = [area(2, lower=1.0, short=80.0), area(2), area(-1, -1.0, -1.0)]
    case = problem(areas, [(0, 1, 100.0, 1.0), (1, -1, 30.0, 1.0), (2, -1, 10.0, 2.0)])
    assert costs(case) == (50.0, 60.0, 80.0)


def test_room_below_a_limit() -> None:
    """Area 0 (needs 1 MW, worth 120) lies in area 1, out of which 1 MW can flow. C 1 MW at 150 in area 0, P 1 at 20 in area 1,
    B 1 at 60 in area 2, R 2 at 200. The TSO needs 2 MW.

    The DSO buys C, 150 - 45 = 105 < 120, and fills the room. With forwarding B: 150 + 60 = 210; without R: 150 + 200 = 350. Joint
    gives the room to P: 20 + 60 + 120 short = 200. Without the limit all end with C and P: 170.
    """
    areas = [area(1, lower=1.0, short=120.0), area(3, upper=1.0), area(3), area(-1, 2.0, 2.0)]
    case = problem(areas, [(0, 1, 150.0, 1.0), (1, 1, 20.0, 1.0), (2, 1, 60.0, 1.0), (3, 1, 200.0, 2.0)])
    assert costs(case) == (200.0, 210.0, 350.0)
    case.areas[1, j.UPPER_MW] = INF
    assert costs(case)[:2] == (170.0, 170.0)


def test_bids_that_cannot_be_cut() -> None:
    """The DSO (area 0) needs 1 MW, the TSO 3. Whole: A 1 MW at 58 and B 3 MW at 50 in area 0, F 2 MW at 90 in area 1,
    R 2 MW at 100 at the root.

    Energy is worth 45 to the DSO: A costs it 13, B 3 x 5 = 15, so it buys A. Then the TSO lacks 2 MW: F for 180 (B costs 150 and
    a surplus of 1 MW at 100). With forwarding 58 + 180 = 238, without 58 + 200 = 258. Joint: B alone, 150. If bids can be cut,
    the DSO takes 1 MW of B and the TSO 2: 150 too.
    """
    areas = [area(2, lower=1.0), area(2), area(-1, 3.0, 3.0, surplus=100.0)]
    case = problem(areas, [(0, 1, 58.0, 1.0), (0, 1, 50.0, 3.0), (1, 1, 90.0, 2.0), (2, 1, 100.0, 2.0)])
    assert costs(case, uncut(ALL_WHOLE[:4])) == (150.0, 238.0, 258.0)
    assert costs(case)[:2] == (150.0, 150.0)


def test_the_tso_first() -> None:
    """The DSO (area 0) needs 1 MW, the TSO 1 MW. A 1 MW at 60 in area 0, R 1 MW at 50.

    The TSO takes R, then the DSO needs A, and 1 MW is too much at the root, at 100: 50 + 60 + 100 = 210. DSO first and joint: A
    serves both, 60.
    """
    case = problem([area(1, lower=1.0), area(-1, 1.0, 1.0, surplus=100.0)], [(0, 1, 60.0, 1.0), (1, 1, 50.0, 1.0)])
    assert costs(case)[:2] == (60.0, 60.0)
    assert cost_tso_first(case) == 210.0


def test_the_dso_takes_the_cheapest_of_bids_that_are_all_better_than_the_reference() -> None:
    """It needs 1 MW up and would gain from both bids, at 40 and at 10 < 45: it takes the one at 10, and no more than it needs."""
    case = problem([area(1, lower=1.0), area(-1)], [(0, 1, 40.0, 1.0), (0, 1, 10.0, 1.0), (1, 1, 5.0, 1.0)])
    assert dso_stage(case, nothing(case)).tolist() == [0.0, 1.0, 0.0]


# Conditions: the order ends where one of them is dropped


def test_bids_that_are_not_identical() -> None:
    """The TSO needs 2 MW. The FSP has 2 MW in area 0, others 2 MW at the root at 90.

    It asks 80 where all needs are served jointly and 60 in the local market, from where the bid is forwarded: 160 > 120. With
    forwarding off it offers again, later and better informed, at 40 at the root: forwarding, 120, costs more than 80.
    """

    def market(where: int, price: float) -> Problem:
        return problem([area(1), area(-1, 2.0, 2.0)], [(where, 1, price, 2.0), (1, 1, 90.0, 2.0)])

    assert costs(market(0, 60.0)) == (120.0, 120.0, 180.0)
    assert costs(market(0, 80.0))[0] == 160.0
    assert costs(market(1, 40.0))[2] == 80.0


def test_granularity_that_is_not_identical() -> None:
    """DSO and TSO need 0.5 MW; the FSP has 1 MW at 60. In steps of 0.5 MW forwarding costs 30.

    In steps of 1 MW joint procurement takes 1 MW, 60 and a surplus of 0.5 MW at 100: 110 (leaving it: 0.5 x (300 + 300)).
    """
    areas = [area(1, lower=0.5, short=300.0), area(-1, 0.5, 0.5, 300.0, 100.0)]
    coarse = problem(areas, [(0, 1, 60.0, 1.0)])
    fine = problem(areas, [(0, 1, 60.0, 0.5), (0, 1, 60.0, 0.5)])
    assert costs(fine, uncut(ALL_WHOLE[:2]))[:2] == (30.0, 30.0)
    assert costs(coarse, uncut(ALL_WHOLE[:1]))[:2] == (110.0, 110.0)


def test_divisibility_that_is_not_identical() -> None:
    """The TSO needs 1 MW: 2 MW at 50 in area 0, 1 MW at 90 at the root; a surplus costs 100.

    Forwarding cuts the bid: 50. Joint procurement cannot: 90 (2 x 50 and a surplus are 200).
    """
    case = problem([area(1), area(-1, 1.0, 1.0, surplus=100.0)], [(0, 1, 50.0, 2.0), (1, 1, 90.0, 1.0)])
    assert costs(case) == (50.0, 50.0, 90.0)
    assert costs(case, uncut(ALL_WHOLE[:2]))[0] == 90.0


def test_limits_that_are_not_identical() -> None:
    """2 MW can flow out of area 0, the TSO needs 2 MW: 2 MW at 40 there, 2 MW at 90 at the root. Forwarding costs 80.

    Joint procurement is told a limit with a margin of 1 MW: 40 + 90 = 130.
    """

    def market(told: float) -> Problem:
        return problem([area(1, upper=told), area(-1, 2.0, 2.0)], [(0, 1, 40.0, 2.0), (1, 1, 90.0, 2.0)])

    assert costs(market(2.0)) == (80.0, 80.0, 180.0)
    assert costs(market(1.0))[0] == 130.0


def test_directions_that_are_not_netted_alike() -> None:
    """1 MW can flow out of area 2 (areas 0 and 1 together), the TSO needs 1 MW. U 2 MW up at 20 in area 0, D 1 MW down at 45 in
    area 1, R 1 MW up at 90 at the root.

    Netted, 2 MW of U and D flow out as 1 MW: 40 - 45 = -5. If joint procurement holds the limit for what is called up alone (the
    limit on area 0), it takes 1 MW of U: 20 (with D and R it is 20 - 45 + 90 = 65).
    """
    bids = [(0, 1, 20.0, 2.0), (1, -1, 45.0, 1.0), (3, 1, 90.0, 1.0)]
    need = area(-1, 1.0, 1.0)
    assert costs(problem([area(2), area(2), area(3, upper=1.0), need], bids))[:2] == (-5.0, -5.0)
    assert costs(problem([area(2, upper=1.0), area(2), area(3), need], bids))[0] == 20.0


def test_purchases_that_are_not_netted_alike() -> None:
    """DSO and TSO need 1 MW: A 1 MW at 60 in area 0, R 1 MW at 90; a surplus at the root costs 50.

    With forwarding off the TSO knows what the DSO bought and needs no more: 60. If it does not know it with forwarding on, it
    buys R too: 60 + 90 + 50 = 200.
    """
    case = problem([area(1, lower=1.0), area(-1, 1.0, 1.0, surplus=50.0)], [(0, 1, 60.0, 1.0), (1, 1, 90.0, 1.0)])
    assert costs(case) == (60.0, 60.0, 60.0)
    local = dso_stage(case, nothing(case))
    left = Problem(case.bids.copy(), unlimited(case).areas)
    left.bids[:, j.BID_MW] -= local
    assert case.cost_of(local + cut(left)) == 200.0


@pytest.mark.parametrize(
    ("checked", "bids", "penalty", "sold"),
    [("set", 130.0, 0.0, [1.0, 0.0, 1.0]), ("bids", 90.0, 500.0, [1.0, 1.0, 0.0]), ("nothing", 80.0, 500.0, [2.0, 0.0, 0.0])],
)
def test_a_check_of_single_bids_or_none(checked: str, bids: float, penalty: float, sold: list[float]) -> None:
    """1 MW can flow out of area 0, a MW more costs 500. The TSO needs 2 MW: A 2 MW at 40 and B 1 MW at 50 there, R 2 MW at 90.

    The set is checked: 1 MW of A and of R, 40 + 90 = 130; without forwarding 180. Each bid alone is cut to 1 MW: A and B exceed
    the limit, 40 + 50 + 500 = 590. Unchecked: A, 80 + 500 = 580. Both are more than without forwarding; and seen without the
    penalty both are less than joint procurement.
    """
    case = problem(
        [area(1, upper=1.0, surplus=500.0), area(-1, 2.0, 2.0)], [(0, 1, 40.0, 2.0), (0, 1, 50.0, 1.0), (1, 1, 90.0, 2.0)]
    )
    assert costs(case) == (130.0, 130.0, 180.0)
    seen = case if checked == "set" else unlimited(case)
    if checked == "bids":
        seen.bids = case.bids.copy()
        seen.bids[:2, j.BID_MW] = np.minimum(case.bids[:2, j.BID_MW], case.areas[0, j.UPPER_MW])
    accepted = tso_stage(seen, nothing(case), True)
    assert accepted.tolist() == sold
    assert case.bid_cost(accepted) == bids
    assert case.cost_of(accepted) == bids + penalty


def test_a_dso_that_waits_for_the_tso() -> None:
    """DSO and TSO need 1 MW; a missing MW costs the DSO 400. A 1 MW at 100 in area 0, R 1 MW at 90.

    Without forwarding the DSO buys A, which serves both: 100. With forwarding it waits for the TSO to call A; that takes R, which
    is cheaper: 90 + 400 = 490.
    """
    case = problem([area(1, lower=1.0, short=400.0), area(-1, 1.0, 1.0)], [(0, 1, 100.0, 1.0), (1, 1, 90.0, 1.0)])
    assert costs(case) == (100.0, 100.0, 100.0)
    assert case.cost_of(tso_stage(case, nothing(case), True)) == 490.0
