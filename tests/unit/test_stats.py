"""Statistics against numbers solved by hand and against known distributions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacking.errors import StackingError
from stacking.experiments import paired, stats

MONEY = st.floats(-1e6, 1e6, allow_nan=False)


def test_cvar_is_the_mean_of_the_worst_values_by_hand() -> None:
    values = [10.0, -4.0, 3.0, 8.0, 1.0, 6.0, 2.0, 7.0, 5.0, 9.0]
    assert stats.cvar(values, 0.2) == pytest.approx((-4.0 + 1.0) / 2)
    assert stats.cvar(values, 0.25) == pytest.approx((-4.0 + 1.0 + 0.5 * 2.0) / 2.5)
    assert stats.cvar(values, 0.05) == pytest.approx(-4.0)  # half a value wide: the minimum
    assert stats.cvar(values, 1.0) == pytest.approx(np.mean(values))


def test_cvar_of_thirty_counts_the_second_worst_by_half() -> None:
    values = np.arange(30.0)  # the tail is 1.5 values wide
    assert stats.cvar(values) == pytest.approx((0.0 + 0.5 * 1.0) / 1.5)


@given(st.lists(MONEY, min_size=2, max_size=40), st.floats(0.01, 0.99))
def test_cvar_lies_between_minimum_and_mean(values: list[float], tail_frac: float) -> None:
    figure = stats.cvar(values, tail_frac)
    slack = 1e-9 * (1.0 + max(map(abs, values)))
    assert min(values) - slack <= figure <= np.mean(values) + slack


@given(st.lists(MONEY, min_size=2, max_size=12), st.integers(2, 5), st.floats(0.05, 1.0))
def test_cvar_does_not_depend_on_how_often_the_sample_is_repeated(values: list[float], times: int, tail_frac: float) -> None:
    assert stats.cvar(values * times, tail_frac) == pytest.approx(stats.cvar(values, tail_frac), abs=1e-6)


def _exact_means(values: list[float]) -> np.ndarray:
    """All n^n resamples of a small sample."""
    return np.array([np.mean(draw) for draw in itertools.product(values, repeat=len(values))])


def test_interval_is_the_quantile_of_all_resamples() -> None:
    values = [0.0, 1.0, 5.0, 12.0, 13.0, 40.0]  # 46,656 resamples
    low, high = np.quantile(_exact_means(values), [0.025, 0.975])
    interval = stats.mean_interval(values, resamples=100_000)
    assert interval.estimate == pytest.approx(71.0 / 6.0)
    assert interval.count == 6
    assert interval.low == pytest.approx(low, abs=0.35)
    assert interval.high == pytest.approx(high, abs=0.35)


def test_tail_interval_is_the_quantile_of_all_resamples() -> None:
    values = [0.0, 1.0, 5.0, 12.0, 13.0, 40.0]
    exact = [stats.cvar(draw, 0.4) for draw in itertools.product(values, repeat=6)]
    low, high = np.quantile(exact, [0.025, 0.975])
    interval = stats.cvar_interval(values, 0.4, resamples=100_000)
    assert interval.estimate == pytest.approx((0.0 + 1.0 + 0.4 * 5.0) / 2.4)
    assert interval.low == pytest.approx(low, abs=0.35)
    assert interval.high == pytest.approx(high, abs=0.35)


def test_interval_of_equal_values_is_a_point() -> None:
    interval = stats.mean_interval([3.0] * 7)
    assert interval.low == interval.high == pytest.approx(3.0)
    assert interval.excludes_zero()
    assert not stats.mean_interval([-1.0, 1.0]).excludes_zero()


def test_same_seed_same_interval_and_other_seed_other_interval() -> None:
    values = np.random.default_rng(1).normal(size=30)
    assert stats.mean_interval(values, seed=5) == stats.mean_interval(values, seed=5)
    assert stats.mean_interval(values, seed=5) != stats.mean_interval(values, seed=6)


def test_drawing_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=30)
    whole = stats.mean_interval(values, resamples=1000)
    monkeypatch.setattr(stats, "_CELLS", 30 * 77)
    pieces = list(stats.resample_counts(30, 0, 1000))
    assert len(pieces) == 13
    assert sum(len(p) for p in pieces) == 1000
    cut = stats.mean_interval(values, resamples=1000)
    assert (cut.low, cut.high) == pytest.approx((whole.low, whole.high), rel=1e-12)


@pytest.mark.parametrize("shape", ["normal", "exponential"])
def test_interval_covers_the_true_mean_about_as_often_as_it_says(shape: str) -> None:
    rng = np.random.default_rng(20)
    draw = rng.normal if shape == "normal" else rng.exponential
    truth = 0.0 if shape == "normal" else 1.0
    covered = 0
    for trial in range(400):
        interval = stats.mean_interval(draw(size=40), seed=trial, resamples=800)
        covered += interval.low <= truth <= interval.high
    # A percentile interval of 40 values covers a little less than 95 %, a skewed sample less still.
    assert 0.90 <= covered / 400 <= 0.98


def test_ratio_resamples_both_sides_together() -> None:
    denominator = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    exact = stats.ratio_interval(0.25 * denominator, denominator)
    assert (exact.estimate, exact.low, exact.high) == pytest.approx((0.25, 0.25, 0.25))
    mixed = stats.ratio_interval([0.0, 2.0, 0.0, 8.0, 0.0], denominator)
    assert mixed.estimate == pytest.approx(10.0 / 31.0)
    assert 0.0 <= mixed.low < mixed.estimate < mixed.high <= 1.0


def test_ratio_of_nothing_is_not_a_number() -> None:
    interval = stats.ratio_interval([0.0, 0.0], [0.0, 0.0])
    assert math.isnan(interval.estimate)
    assert math.isnan(interval.low)
    rare = stats.ratio_interval([1.0, 0.0, 0.0], [2.0, 0.0, 0.0])
    assert (rare.estimate, rare.low, rare.high) == (0.5, 0.5, 0.5)


def test_blocks_of_one_day_are_the_plain_bootstrap() -> None:
    days = np.random.default_rng(3).normal(size=60)
    block, plain = stats.block_interval(days, 1), stats.mean_interval(days)
    assert block.estimate == plain.estimate
    assert (block.low, block.high) == pytest.approx((plain.low, plain.high), abs=0.02)


def test_blocks_by_hand() -> None:
    # 5 days in blocks of 3: a whole block from one start, then 2 days from another; 25 equally likely pairs.
    days = np.array([1.0, 10.0, 100.0, 1000.0, 10000.0])
    ring = np.concatenate([days, days])
    exact = [(ring[a : a + 3].sum() + ring[b : b + 2].sum()) / 5 for a in range(5) for b in range(5)]
    interval = stats.block_interval(days, 3, resamples=50_000, level_frac=0.5)
    assert interval.low == pytest.approx(np.quantile(exact, 0.25, method="inverted_cdf"))
    assert interval.high == pytest.approx(np.quantile(exact, 0.75, method="inverted_cdf"))


def test_whole_series_as_one_block_has_no_spread() -> None:
    interval = stats.block_interval([1.0, 2.0, 6.0], 3)
    assert interval.low == interval.high == pytest.approx(3.0)


def test_blocks_widen_the_interval_of_dependent_days() -> None:
    rng, days = np.random.default_rng(4), np.zeros(200)
    for t in range(1, 200):
        days[t] = 0.8 * days[t - 1] + rng.normal()
    block, plain = stats.block_interval(days, 14), stats.mean_interval(days)
    assert block.high - block.low > 1.7 * (plain.high - plain.low)


def test_holm_by_hand() -> None:
    # sorted 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1 -> 0.02, 0.03, 0.06, max(0.06, 0.04)
    assert paired.holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert paired.holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert paired.holm([]).tolist() == []


@pytest.mark.parametrize("bad", [[-0.1], [1.1], [float("nan")]])
def test_holm_refuses_what_is_no_probability(bad: list[float]) -> None:
    with pytest.raises(StackingError, match="p-value"):
        paired.holm(bad)


def test_p_value_by_counting_all_resamples() -> None:
    values = [1.0, 2.0, -1.0, 4.0, 0.0, 3.0]
    centred = _exact_means([v - 1.5 for v in values])
    exact = np.mean(np.abs(centred) >= 1.5 - 1e-12)
    assert paired.p_value(values, resamples=100_000) == pytest.approx(exact, abs=0.004)
    assert paired.p_value([0.0, 0.0, 0.0]) == 1.0
    assert paired.p_value([5.0, 5.0, 5.0]) == pytest.approx(1 / 10_001)


def test_p_value_is_small_about_as_often_as_it_says_where_nothing_is_to_find() -> None:
    rng = np.random.default_rng(9)
    found = np.mean([paired.p_value(rng.normal(size=40), seed=k, resamples=800) <= 0.05 for k in range(400)])
    assert 0.02 <= found <= 0.10


def _frame() -> pd.DataFrame:
    money = {"nothing": [0.0, 0.0, 0.0, 0.0], "good": [2.0, 1.0, 4.0, 5.0], "mixed": [-3.0, 1.0, 2.0, 0.0]}
    return pd.DataFrame([{"strategy": s, "scenario": f"k{i}", "eur": v} for s, m in money.items() for i, v in enumerate(m)])


def test_paired_differences_by_hand() -> None:
    table = paired.paired_differences(_frame(), "nothing", value="eur").set_index("strategy")
    assert list(table.index) == ["good", "mixed"]
    assert table.loc["good", "mean"] == 3.0
    assert table.loc["mixed", "mean"] == 0.0
    assert table.loc["mixed", "cvar"] == -3.0
    assert table["wins_frac"].tolist() == [1.0, 0.5]
    assert table.loc["good", "low"] > 0.0 > table.loc["mixed", "low"]
    assert table.loc["mixed", "p_value"] == 1.0
    assert table.loc["good", "p_holm"] == pytest.approx(2 * table.loc["good", "p_value"])
    assert table["count"].tolist() == [4, 4]


def test_pairing_removes_what_scenarios_have_in_common() -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(scale=1000.0, size=30)
    frame = pd.DataFrame(
        {
            "strategy": ["a"] * 30 + ["b"] * 30,
            "scenario": [*range(30), *range(30)],
            "eur": np.concatenate([common, common + 5.0 + rng.normal(size=30)]),
        }
    )
    row = paired.paired_differences(frame.sample(frac=1.0, random_state=1), "a", value="eur").iloc[0]
    assert row["mean"] == pytest.approx(5.0, abs=0.6)
    assert row["high"] - row["low"] < 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[:-1], "same scenarios"),
        (lambda f: pd.concat([f, f.iloc[[3]]]), "twice"),
        (lambda f: f.drop(columns="eur"), "column"),
        (lambda f: f[f.strategy != "nothing"], "baseline"),
        (lambda f: f[f.scenario == "k1"], "at least two"),
        (lambda f: f.assign(eur=f.eur.where(f.eur < 5.0)), "not a finite"),
        (lambda f: f.assign(eur=f.eur.astype(object).where(f.eur < 5.0, "x")), "no number"),
    ],
)
def test_paired_differences_refuses_what_cannot_be_paired(change, message: str) -> None:
    with pytest.raises(StackingError, match=message):
        paired.paired_differences(change(_frame()), "nothing", value="eur")


@pytest.mark.parametrize(
    "call",
    [
        lambda v: stats.mean_interval(v),
        lambda v: stats.cvar_interval(v),
        lambda v: stats.cvar(v),
        lambda v: stats.ratio_interval(v, v),
        lambda v: stats.block_interval(v, 1),
        lambda v: paired.p_value(v),
    ],
)
@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [1.0, float("inf")], [[1.0, 2.0]], ["a", "b"]])
def test_bad_samples_are_refused(call, values: list) -> None:
    with pytest.raises(StackingError):
        call(values)


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.mean_interval([1.0, 2.0], resamples=0),
        lambda: stats.mean_interval([1.0, 2.0], level_frac=1.0),
        lambda: stats.cvar([1.0, 2.0], 0.0),
        lambda: stats.cvar([1.0, 2.0], 1.1),
        lambda: stats.ratio_interval([1.0, 2.0], [1.0, 2.0, 3.0]),
        lambda: stats.ratio_interval([1.0, 2.0], [1.0, -2.0]),
        lambda: stats.block_interval([1.0, 2.0], 3),
        lambda: stats.block_interval([1.0, 2.0], 0),
        lambda: stats.block_interval([1.0, 2.0], 1, resamples=0),
        lambda: stats.mean_interval([1.0, 2.0], seed=-1),
        lambda: stats.revenue_eur_per_kw_year(1.0, 0.0, 24.0),
        lambda: stats.revenue_eur_per_kw_year(1.0, 1.0, float("nan")),
    ],
)
def test_bad_settings_are_refused(call) -> None:
    with pytest.raises(StackingError):
        call()


def test_revenue_per_kw_year_by_hand() -> None:
    # 5 MW earn 700 EUR in a week: 0.14 EUR/kW in 168 h
    assert stats.revenue_eur_per_kw_year(700.0, 5.0, 168.0) == pytest.approx(0.14 * 8760.0 / 168.0)


def test_top_share_by_hand() -> None:
    values = np.ones(200)
    values[17] = 51.0  # 2 of 200 MTU: 51 + 1 of 250
    assert stats.top_share_frac(values) == pytest.approx(52.0 / 250.0)
    assert stats.top_share_frac([1.0, 1.0], 1.0) == pytest.approx(1.0)
    assert math.isnan(stats.top_share_frac([1.0, -1.0]))
