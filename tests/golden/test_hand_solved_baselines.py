"""What counts as delivered locally: measured against the schedule, the nomination at the gate, or five working days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.engine import Engine

from ..toy import UP, design, library, local, merged, need, play, portfolio


def buys_back(baseline: str):
    """Return the toy world in which 2 MW are sold locally and 1 MW is bought intraday for the same hour afterwards."""
    lib = library()
    need(lib, c.LFM, UP, 2.0, limit=500.0, first=8)
    rules = design("parallel_adjusted", baseline=baseline, block_opposite_intraday=False)
    # 4 MW / 8 MWh, half full: 2 MW up for an hour are feasible twice; 1 MW of the 4 + 4 MW down is bought for each MTU
    bought = {t: {"id_power_frac": -1.0 / 6.0} for t in range(4, 8)}
    return play(rules, lib, merged(local("up", 1.0, 100.0), bought), (portfolio(capacity=16.0),))


@pytest.mark.parametrize(("baseline", "paid"), [("schedule", 200.0), ("nomination", 0.0), ("mean", 0.0), ("quiet_mean", 0.0)])
def test_energy_bought_back_counts_only_against_a_baseline_that_is_not_the_schedule(baseline: str, paid: float):
    seen = buys_back(baseline)
    assert seen.power() == pytest.approx([1.0] * 4, abs=1e-4)  # 2 sold, 1 bought: half of the order arrives at the meter
    assert seen.cash().get("lfm", 0.0) == pytest.approx(paid, abs=1e-3)
    assert seen.flows[:, 0, f.VALIDATED_LFM].sum() == pytest.approx(2.0 if baseline == "schedule" else 1.0, abs=1e-4)


def test_a_baseline_that_lies_too_low_pays_for_nothing_and_never_more_than_ordered():
    lib = library()
    need(lib, c.LFM, UP, 2.0, limit=500.0, first=8)
    rules = design("parallel_adjusted", baseline="mean")
    sold = {t: {"id_power_frac": 1.0 / 8.0} for t in range(4, 8)}
    seen = play(rules, lib, merged(local("up", 0.5, 100.0), sold), (portfolio(capacity=16.0),))
    assert min(seen.power()) > 2.0  # more than the order, since the schedule itself injects
    assert seen.cash()["lfm"] == 200.0


def test_the_mean_is_of_the_same_hour_of_five_working_days_with_or_without_activated_hours():
    # five days of 96 MTU that are working days, then one more; 1 MW is sold intraday for hour 6 of every day but the last
    days, ticks = 7, 7 * 96
    lib = library(ticks)
    tick = np.arange(ticks)
    calendar = lib.calendar.copy()
    calendar[0, :, c.DAY_LEFT] = 96 - tick % 96
    calendar[0, :, c.HOUR_OF_DAY] = tick % 96 // 4
    series = lib.series.copy()
    series[0, :, c.WEEKEND] = tick // 96 == 2  # the third day does not count
    lib = replace(lib, calendar=calendar, series=series)
    for baseline in ("mean", "quiet_mean"):
        rules = design("parallel_adjusted", baseline=baseline)
        engine = Engine(rules, (portfolio(capacity=80.0),), lib, backend="python")
        names = engine.compiled.layout.names
        for t in range(ticks):
            action = np.zeros((1, 1, len(names)))
            if (t + 4) % 96 // 4 == 6 and (t + 4) // 96 < days - 1:
                action[0, 0, names.index("id_power_frac")] = 0.25
            engine.step(action)
            if t == 6 * 96:  # after six days, of which one is no working day
                history = engine.history[0, 0, : 24 * s.BASELINE_DAYS].reshape(s.BASELINE_DAYS, 24)
                assert (history[:, 6] > 0.5).all()
                assert history[:, [5, 7]].max() == 0.0
