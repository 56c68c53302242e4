"""Joint procurement solved by hand: one MW for two needs, a limit in the way, opposite needs, and a need that stays short."""

from __future__ import annotations

import numpy as np
import pytest

from stacking.markets import joint as j

from ..joint_toy import INF, area, clear, problem

BACKENDS = pytest.mark.parametrize("backend", ["python", "serial"])
UP, DOWN = 1, -1


def column(got, name: int) -> list[float]:
    return [float(value) for value in got.areas[:, name]]


@BACKENDS
def test_one_mw_serves_the_dso_and_the_tso(backend: str):
    """An area that needs 5 MW up lies below a root that needs 8 MW up (0 = area, 1 = root)."""
    case = problem(
        [area(1, lower=5.0), area(-1, 8.0, 8.0)],
        [(0, UP, 60.0, 4.0), (0, UP, 80.0, 4.0), (1, UP, 50.0, 10.0)],
    )
    got = clear(case, backend)
    # Area: 4 MW at 60 and 1 MW at 80 = 5 MW. They count at the root too, which needs 8 - 5 = 3 MW more, at 50.
    # Cost: 4 x 60 + 1 x 80 + 3 x 50 = 240 + 80 + 150 = 470 EUR/h. (Bought twice: 320 + 8 x 50 = 720.)
    np.testing.assert_allclose(got.accepted, [4.0, 1.0, 3.0])
    assert got.cost == pytest.approx(470.0)
    assert column(got, j.NET_MW) == [5.0, 8.0]
    # One more MW is worth 50 at the root; in the area the bid at 80 is partly called, so 80 = 50 + a premium of 30.
    assert column(got, j.PRICE_EUR_PER_MWH) == [80.0, 50.0]
    # The TSO pays its price of 50 for each of 8 MW = 400; what is dearer is the DSO's: 4 x 10 + 1 x 30 = 70.
    assert column(got, j.COST_EUR_PER_H) == pytest.approx([70.0, 400.0])


@BACKENDS
def test_a_limit_blocks_a_cheaper_bid(backend: str):
    """Through a connection of 3 MW only 3 of 10 cheap MW reach the TSO."""
    case = problem(
        [area(1, -3.0, 3.0), area(-1, 8.0, 8.0)],
        [(0, UP, 20.0, 10.0), (1, UP, 70.0, 10.0)],
    )
    got = clear(case, backend)
    # 3 x 20 + 5 x 70 = 60 + 350 = 410 EUR/h. Without the limit: 8 x 20 = 160; both bids by merit order violate it by 5 MW.
    np.testing.assert_allclose(got.accepted, [3.0, 5.0])
    assert got.cost == pytest.approx(410.0)
    # Behind the full connection one more MW is worth the bid that is partly called there: 20 = 70 - 50.
    assert column(got, j.PRICE_EUR_PER_MWH) == [20.0, 70.0]
    assert column(got, j.SURPLUS_MW) == [0.0, 0.0]
    assert column(got, j.COST_EUR_PER_H) == pytest.approx([0.0, 410.0])


@BACKENDS
def test_a_down_need_lies_below_an_up_need(backend: str):
    """A feeder (0) needs 2 MW down, its area (1) 1 MW up, the root (2) nothing: what goes down below must come up beside."""
    case = problem(
        [area(1, upper=-2.0), area(2, lower=1.0), area(-1, 0.0, 0.0)],
        [
            (0, DOWN, 30.0, 5.0),  # pays 30 for each MW that it takes
            (0, UP, 10.0, 5.0),  # the cheapest up bid of all cannot serve anybody: it stands in the feeder
            (1, UP, 90.0, 5.0),
            (2, DOWN, 40.0, 5.0),
        ],
    )
    got = clear(case, backend)
    # Feeder: S = -2, so 2 MW down at 30 = -60. Area: S = 1, so 1 + 2 = 3 MW up at 90 = 270. Root: S = 0, 1 MW down at 40 = -40.
    # Calling the up bid of 10 for k MW needs k more down at 30 in the feeder and earns 20 k: 3 more MW are free, so k = 3.
    # Then -5 x 30 + 3 x 10 + 270 - 40 = -150 + 30 + 270 - 40 = 110 EUR/h.
    np.testing.assert_allclose(got.accepted, [5.0, 3.0, 3.0, 1.0])
    assert got.cost == pytest.approx(110.0)
    assert column(got, j.NET_MW) == [-2.0, 1.0, 0.0]
    # Root: the down bid at 40 is partly called. Area: 90 = 40 + 50. Feeder: the up bid at 10 is partly called, 10 = 90 - 80.
    assert column(got, j.PRICE_EUR_PER_MWH) == [10.0, 90.0, 40.0]
    # TSO: up at most 40: 3 x 10 + 3 x 40, down at least 40: -5 x 40 - 1 x 40; sum 150 - 240 = -90.
    # Area: 3 x (90 - 40) = 150. Feeder: 5 x (40 - 30) = 50. Together 110.
    assert column(got, j.COST_EUR_PER_H) == pytest.approx([50.0, 150.0, -90.0])


@BACKENDS
def test_a_need_stays_short_at_its_penalty(backend: str):
    """The area needs 6 MW at 200 a MW of shortfall; 2 MW cost less than that, 3 MW more, and the TSO needs nothing."""
    case = problem(
        [area(1, lower=6.0, short=200.0), area(-1, 0.0, 0.0)],
        [(0, UP, 100.0, 2.0), (0, UP, 260.0, 3.0), (1, DOWN, 40.0, 10.0)],
    )
    got = clear(case, backend)
    # A MW in the area is worth 200 to the DSO and 40 at the root, where it lets another MW down: 100 <= 240 < 260.
    # Cost: 2 x 100 - 2 x 40 + 4 x 200 = 200 - 80 + 800 = 920 EUR/h.
    np.testing.assert_allclose(got.accepted, [2.0, 0.0, 2.0])
    assert got.cost == pytest.approx(920.0)
    assert column(got, j.SHORTFALL_MW) == [4.0, 0.0]
    assert column(got, j.PRICE_EUR_PER_MWH) == [240.0, 40.0]
    # TSO: 2 x 40 - 2 x 40 = 0. DSO: 2 x (100 - 40) = 120, beside 800 for its shortfall.
    assert column(got, j.COST_EUR_PER_H) == pytest.approx([120.0, 0.0])


def test_nothing_offered_and_nothing_needed():
    got = clear(problem([area(-1, 0.0, 0.0)], [], reference=33.0))
    assert (got.cost, column(got, j.PRICE_EUR_PER_MWH)) == (0.0, [33.0])


@pytest.mark.parametrize(("need", "price"), [(4.0, 50.0), (-4.0, 40.0), (3.0, 50.0), (-5.0, 30.0), (0.0, 45.0)])
def test_the_root_price_is_that_of_the_last_bid_called(need: float, price: float):
    """As in merit order; with nothing called it is the reference, as far as bids do not contradict."""
    bids = [(0, UP, 50.0, 4.0), (0, UP, 60.0, 4.0), (0, DOWN, 40.0, 4.0), (0, DOWN, 30.0, 4.0)]
    assert column(clear(problem([area(-1, need, need)], bids, reference=45.0)), j.PRICE_EUR_PER_MWH) == [price]


def test_several_trees_clear_side_by_side():
    """Without a common root each area is a market of its own."""
    case = problem([area(-1, 2.0, 2.0), area(-1, -1.0, -1.0)], [(0, UP, 50.0, 4.0), (1, DOWN, 30.0, 4.0), (1, UP, 10.0, 1.0)])
    got = clear(case)
    # 2 x 50 = 100; in the other tree 2 MW down earn 60 and pay 10 for 1 MW up: 100 - 60 + 10 = 50.
    np.testing.assert_allclose(got.accepted, [2.0, 2.0, 1.0])
    assert got.cost == pytest.approx(50.0)
    assert column(got, j.COST_EUR_PER_H) == pytest.approx([100.0, -50.0])


def test_an_area_without_limits_has_its_parents_price():
    case = problem([area(1), area(-1, 3.0, 3.0)], [(0, UP, 50.0, 1.0), (1, UP, 55.0, 5.0)])
    assert column(clear(case), j.PRICE_EUR_PER_MWH) == [55.0, 55.0]
    assert case.areas[0, j.UPPER_MW] == INF


@pytest.mark.parametrize(
    ("lower", "upper", "sign", "price", "called"),
    [
        (5.0, 5.0, UP, 60.0, 5.0),  # a bid as dear as the shortfall serves the need
        (-5.0, -5.0, DOWN, -60.0, 5.0),  # one that must be paid as much as the surplus costs does too
        (0.0, 0.0, UP, -60.0, 0.0),  # but nothing is called for a gain that the surplus takes away,
        (0.0, 0.0, DOWN, 60.0, 0.0),
        (-INF, INF, UP, 0.0, 0.0),  # nor for nothing
        (-INF, INF, DOWN, 0.0, 0.0),
    ],
)
def test_a_bid_equal_to_the_penalty_is_called_for_the_need_alone(lower, upper, sign: int, price: float, called: float):
    got = clear(problem([area(-1, lower, upper, 60.0, 60.0)], [(0, sign, price, 8.0)]))
    np.testing.assert_array_equal(got.accepted, [called])


def test_of_several_right_prices_the_nearest_to_the_parents_is_given():
    areas = [area(1, lower=2.0), area(-1, 5.0, 5.0)]
    case = problem(areas, [(0, UP, 80.0, 2.0), (0, UP, 400.0, 2.0), (1, UP, 50.0, 9.0)], reference=300.0)
    # 80 is the last bid called and 400 the next: any price between is right, and 80 is the nearest to the root's 50.
    assert column(clear(case), j.PRICE_EUR_PER_MWH) == [80.0, 50.0]
