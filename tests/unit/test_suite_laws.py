"""The statistics of a suite against numbers solved by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stacking.errors import StackingError
from stacking.experiments import stats
from stacking.experiments.stats import Interval
from stacking.experiments.suites.laws import block_length, difference, verdict

RIVAL = np.array([10.0, 20.0, 30.0, 40.0])


def test_the_mean_is_over_seeds_and_scenarios() -> None:
    own = np.array([[11.0, 22.0, 33.0, 44.0], [12.0, 22.0, 30.0, 36.0]])  # less the rival: 1 2 3 4 and 2 2 0 -4
    found = difference(own, RIVAL, 1, resamples=200)
    assert found.eur.estimate == pytest.approx(10.0 / 8.0)
    assert found.percent.estimate == pytest.approx(100.0 * 1.25 / 25.0)
    assert (found.seeds, found.scenarios, found.blocks) == (2, 4, 4)


def test_seeds_and_scenarios_are_drawn_apart_and_together_for_all() -> None:
    """Differences a_k + b_s: every resample is mean(a*) + mean(b*), so all 3^3 x 5^5 of them can be listed."""
    a, b = np.array([0.0, 6.0, -3.0]), np.array([-3.0, 1.0, 20.0, -13.0, 5.0])
    rival = np.array([100.0, 200.0, 300.0, 150.0, 50.0])
    own = rival + a[:, None] + b
    draws = [
        np.mean(seeds) + np.mean(scenarios)
        for seeds in itertools.product(a, repeat=3)
        for scenarios in itertools.product(b, repeat=5)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    found = difference(own, rival, 1, resamples=100_000)
    assert found.eur.low == pytest.approx(low, abs=0.35)
    assert found.eur.high == pytest.approx(high, abs=0.35)
    mean = 1.0 + 2.0
    far = np.mean([abs(x - mean) >= mean - 1e-9 for x in draws])
    assert found.p_value == pytest.approx(far, abs=0.005)


def test_a_block_as_long_as_all_leaves_the_chance_of_the_seeds_alone() -> None:
    """Every block then holds each scenario once: with seeds that earn 1 and 3 more, means are 1, 2 or 3 with 1/4, 1/2, 1/4."""
    own = np.stack([RIVAL + 1.0, RIVAL + 3.0])
    found = difference(own, RIVAL, 4, resamples=20_000)
    assert (found.eur.estimate, found.eur.low, found.eur.high) == pytest.approx((2.0, 1.0, 3.0))
    assert (found.percent.low, found.percent.high) == pytest.approx((4.0, 12.0))  # of 25
    assert found.p_value == 1.0 / 20_001  # no mean lies 2 away from 2
    assert found.blocks == 1


def test_the_percentage_resamples_both_on_the_same_scenarios() -> None:
    """Five per cent on every scenario are five per cent in every resample, however much the scenarios differ."""
    rival = np.array([1.0, 10.0, 100.0, 1000.0])
    found = difference(1.05 * rival[None], rival, 1, resamples=500)
    assert (found.percent.low, found.percent.high) == pytest.approx((5.0, 5.0))
    assert found.eur.high - found.eur.low > 10.0


def test_one_seed_is_the_block_interval_of_the_differences() -> None:
    days = np.random.default_rng(3).normal(2.0, 5.0, 23)
    rival = np.full(23, 50.0)
    found, known = difference((rival + days)[None], rival, 7, seed=4), stats.block_interval(days, 7, seed=4)
    assert (found.eur.estimate, found.eur.low, found.eur.high) == pytest.approx((known.estimate, known.low, known.high))


def test_nothing_gained_is_no_finding() -> None:
    found = difference(np.stack([RIVAL, RIVAL]), RIVAL, 2, resamples=100)
    assert (found.eur.low, found.eur.high, found.p_value) == (0.0, 0.0, 1.0)


def test_a_rival_that_loses_has_no_percentage() -> None:
    found = difference(np.array([[1.0, 2.0]]), np.array([-5.0, 1.0]), 1, resamples=100)
    assert np.isnan(found.percent.estimate)
    assert found.eur.estimate == 3.5
    assert verdict(found.percent, 0.0) == ""


def test_a_goal_is_reached_by_the_whole_interval() -> None:
    interval = Interval(1.0, -1.5, 3.0, 0.95, 96)
    assert verdict(interval, -2.0) == "reached"
    assert verdict(interval, 0.0) == "open"
    assert verdict(interval, 3.5) == "missed"
    assert verdict(interval, None) == ""


def test_blocks_are_of_days() -> None:
    assert [block_length(days, 7, 96) for days in (1, 2, 3, 7, 14)] == [7, 3, 2, 1, 1]


def test_one_block_alone_would_hide_all_chance() -> None:
    assert [block_length(1, 7, scenarios) for scenarios in (2, 3, 5, 13, 14)] == [1, 1, 2, 6, 7]


@pytest.mark.parametrize(
    ("own", "rival", "block"),
    [
        (np.ones((2, 3)), np.ones(4), 1),
        (np.ones(3), np.ones(3), 1),
        (np.ones((0, 3)), np.ones(3), 1),
        (np.full((1, 3), np.nan), np.ones(3), 1),
        (np.ones((1, 3)), np.ones(3), 4),
        (np.ones((1, 3)), np.ones(3), 0),
        (np.ones((1, 1)), np.ones(1), 1),
    ],
)
def test_what_does_not_fit_is_refused(own: np.ndarray, rival: np.ndarray, block: int) -> None:
    with pytest.raises(StackingError):
        difference(own, rival, block)
