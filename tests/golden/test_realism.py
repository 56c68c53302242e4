"""Real against generated series: measures by hand, and the held-out comparison where the data are."""

from pathlib import Path

import numpy as np
import pytest

from stacking.errors import StackingError
from stacking.experiments.benchmarks import realism, realism_data, realism_report
from stacking.experiments.benchmarks.measures import Market, measure
from stacking.scenario import load_parameters
from stacking.scenario.calibrate import calibrate

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not all((DATA / case.file).is_file() for case in realism_data.CASES), reason="no shared data")


def days(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tile(np.arange(24), count), np.repeat(np.arange(count), 24)


def test_measures_by_hand():
    hour, day = days(10)
    da = 50.0 + 10.0 * (hour >= 12)
    up, down = da.copy(), da.copy()
    up[day == 3] += 20.0  # one run of 24 h
    up[100] += 180.0  # day 4, 04:00
    down[day == 6] -= 30.0
    found = measure(Market(hour, day, da, da, up, down, up, np.stack([up - da, da - down])))
    assert found["day-ahead: mean"] == 55.0
    assert found["day-ahead: daily max - min"] == 10.0
    assert found["day-ahead: hours 00-02 less mean"] == -5.0
    assert found["day-ahead: autocorrelation 24 h"] == pytest.approx(1.0)
    assert found["activation: % up"] == pytest.approx(100 * 25 / 240)
    assert found["activation: % down"] == pytest.approx(10.0)
    assert found["activation: % both"] == 0.0
    assert found["mFRR up: % above 200"] == pytest.approx(100 / 240)
    assert "premium: mean" not in found  # 25 values are too few


def test_rows_say_what_is_off():
    drawn = [{"a": float(k), "b": 0.0} for k in range(101)]
    rows = {row.measure: row for row in realism.compare("case", {"a": 99.0, "b": 0.0, "c": 1.0}, drawn)}
    assert set(rows) == {"a", "b"}
    assert rows["a"].off  # the middle 95 % are 2.5 to 97.5
    assert not rows["b"].off
    result = realism.Realism(tuple(rows.values()), (), ("a note",))
    text = realism_report.to_text(result)
    assert text.rindex("What is off") > text.index("a note")
    assert "1 of 2 measures off" in text
    assert realism_report.to_data(result)["off"] == ["case, a"]


def test_rows_without_an_interval_are_never_off_but_may_be_far():
    near, far, unknown = (realism.Row("sites", "x", real, 1.0, np.nan, np.nan) for real in (0.9, 0.8, np.nan))
    assert [row.off for row in (near, far, unknown)] == [False, False, False]
    assert [row.far for row in (near, far, unknown)] == [False, True, False]
    assert realism_report.to_data(realism.Realism((unknown,), (), ()))["rows"][0]["real"] is None
    assert "Without an interval" in realism_report.to_text(realism.Realism((near, far), (), ()))


@pytest.mark.parametrize("draws", [0, 19])
def test_too_few_draws_are_an_error(tmp_path, draws):
    with pytest.raises(StackingError) as caught:
        realism.run(str(tmp_path), draws=draws)
    assert caught.value.key == "draws"


@pytest.mark.parametrize("name", sorted(realism_data.PUBLISHED))
def test_the_shipped_sets_are_like_the_published_figures(name):
    rows = realism.published_rows(name, realism_data.PUBLISHED[name], 20)
    assert len(rows) == len(realism_data.PUBLISHED[name])
    wrong = {row.measure: (row.real, row.generated) for row in rows if abs(row.generated - row.real) > _slack(row)}
    assert not wrong
    assert sum(row.off for row in rows) < 0.4 * len(rows)


def _slack(row: realism.Row) -> float:
    """A fifth of the figure; 8 EUR/MWh or a half for the low quantiles; 0.16 for correlations."""
    if "correlation" in row.measure:
        return 0.16
    return max(0.2 * abs(row.real), 8.0 if "%" in row.measure and "below" not in row.measure else 0.5)


@needs_data
def test_the_last_quarter_is_not_seen():
    for case, seen, held in realism_data.read_cases(DATA):
        assert held.first_s == seen.first_s + 900 * len(seen)
        assert len(held) == pytest.approx((len(seen) + len(held)) / 4, abs=4)
        assert case.name


@needs_data
@pytest.mark.parametrize(
    ("name", "case", "group"),
    [
        ("dk1_2025", "DK1 2025, 15-min balancing", "balancing"),
        ("dk1_2024", "DK1 2023-25, day-ahead", "day_ahead"),
    ],
)
def test_the_shipped_danish_sets_are_what_calibration_gives_on_the_first_three_quarters(name, case, group):
    (seen,) = (seen for each, seen, _ in realism_data.read_cases(DATA) if each.name == case)
    fitted = calibrate(seen, timezone="Europe/Copenhagen").parameters
    assert getattr(fitted, group) == getattr(load_parameters(name), group)


@needs_data
@pytest.mark.slow
def test_the_held_out_comparison_runs():
    result = realism.run(str(DATA), draws=20)
    fitted = [row for row in result.rows if row.case.endswith(realism.SEEN)]
    held = [row for row in result.rows if row.case.endswith(realism.HELD_OUT)]
    assert len(fitted) > 300
    assert len(held) > 300
    assert sum(row.off for row in fitted) < 0.25 * len(fitted)
    for name in (
        "99.9 %",
        "autocorrelation 24 h",
        "activation: % both",
        "run down, 95 % h",
        "top 1 %",
        "correlation day-ahead, up",
    ):
        assert any(name in row.measure for row in held)
    assert all(distance.low <= distance.high for distance in result.distances)
    by_name = {(each.case, each.values): each for each in result.distances}
    assert by_name["DK1 2023-25, day-ahead", "day-ahead"].estimate < 15.0
    text = realism_report.to_text(result)
    assert text.index("real") < text.rindex("What is off")
