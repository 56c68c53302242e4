"""A local market of the day before solved by hand (onenet_hu): what may be promised, what is bought first, what is left.

Two delivery days; the gate of the second one (ticks 144..239, hours 36..59 from the start) is at 06:00 of the first, tick 72, and
the day plan at noon, tick 96. Day-ahead and imbalance price 50.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.catalogue import load_design
from stacking.config import Design
from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.scenario import Library

from ..toy import MFRR, UP, consents, design, library, need, play, portfolio

TICKS, GATE, NOON, DAY = 240, 72, 96, 144
BIG = (portfolio(power=4.0, capacity=80.0),)


def world(needs: dict[int, float], imbalance: float = 50.0) -> Library:
    """Return a world in which the DSO forecasts these needs, MW by hour from the start, up to 300 EUR/MWh; nobody else offers."""
    lib = library(TICKS, imbalance=imbalance)
    tick = np.arange(TICKS)
    lib.calendar[:, :, c.HOUR_OF_DAY] = (12 + tick // 4) % 24
    edges = np.array([48, 144, 240, 336])
    day = np.searchsorted(edges, tick, side="right")
    lib.calendar[:, :, c.DAY_LEFT] = edges[day] - tick
    lib.calendar[:, :, c.NEXT_DAY_HOURS] = (edges[day + 1] - tick + tick % 4) // 4
    lib.calendar[:, NOON, [c.DA_FIRST, c.DA_COUNT]] = DAY, 96
    for hour, mw in needs.items():
        lib.local_hourly[:, :, c.LFM_NEED_FAR, hour] = mw
    lib.local[:, :, :, c.LIMIT] = 300.0
    return lib


def offer(share: float, price: float, consent: float = 0.0) -> dict[int, dict[str, float]]:
    return {GATE: {"lfm_up_share_frac": share, "lfm_up_price": price, **consents(consent)}}


def test_a_battery_promises_what_it_has_for_four_hours_and_the_tightest_hours_are_bought_first():
    # content 4 MWh / 4 h = 1 MW permitted, at 80 for 24 hours. Needs of hours 40 to 46: 0.2, 0.6, 0.4, 0.3, 0.5, 2, 0.1 MW;
    # four of them are bought: 2 (1 of it), 0.6, 0.5 and 0.4 = 2.5 MWh; 1 + 0.2 + 0.3 + 0.1 = 1.6 MWh stay unserved.
    # cash: 2.5 x 80 = 200; the imbalance stays with the FSP: 2.5 x 50 = 125
    needs = dict(zip(range(40, 47), (0.2, 0.6, 0.4, 0.3, 0.5, 2.0, 0.1), strict=True))
    seen = play(design("onenet_hu"), world(needs), offer(1.0, 80.0))
    assert np.flatnonzero(seen.mask[:, 0, v.LFM_SHARE_UP]).tolist() == [GATE]
    assert np.flatnonzero(seen.mask[:, 0, v.CONSENT_UP]).tolist() == [GATE]
    assert seen.observation[GATE, 0, [v.FEASIBLE_UP_LFM, v.FEASIBLE_DN_LFM]].tolist() == [1.0, 1.0]
    assert seen.energy()["offered_lfm_mwh"] == 24.0
    assert seen.cash() == {"lfm": 200.0, "imbalance": 125.0}
    power = seen.flows[:, 0, f.POWER_MW].reshape(-1, 4)
    assert (power == power[:, :1]).all()
    assert dict(zip(np.flatnonzero(power[:, 0]).tolist(), power[power[:, 0] > 0, 0].round(5).tolist(), strict=True)) == {
        41: 0.6, 42: 0.4, 44: 0.5, 45: 1.0,
    }  # fmt: skip
    assert seen.market[GATE, [f.ACCEPTED_LFM_MWH, f.NEED_LFM_MWH, f.UNSERVED_LFM_MWH]] == pytest.approx([2.5, 4.1, 1.6])
    assert seen.observation[GATE + 1, 0, v.LOCAL + 16] == 80.0  # the dearest accepted offer is told
    # without consent the rest is asked for and refused, quarter hour by quarter hour: 24 - 2.5 MWh
    assert seen.refused() == {"NO_CONSENT": pytest.approx(21.5, abs=1e-4)}


def test_the_day_plan_keeps_what_was_sold_and_uses_the_rest():
    # 40 MWh; 4 MW permitted (40 / 4 = 10, rated 4), half of it offered: 2 MW sold in hour 45. Day-ahead 50, but 100 in 45 and 46:
    # the plan sells up to 4 MW in both, so 2 more in hour 45, and buys it back at 50. Physical power never exceeds 4 MW
    lib = world({45: 2.0})
    lib.hourly[:, 45:47], lib.series[:, 180:188, c.DA_PRICE] = 100.0, 100.0
    plan = {NOON: {"da_volume_frac": 1.0, "da_end_content_frac": 0.5}}
    seen = play(design("onenet_hu"), lib, {**offer(0.5, 80.0), **plan}, BIG)
    power, position = (seen.flows[:, 0, k].reshape(-1, 4)[:, 0] for k in (f.POWER_MW, f.POSITION_MW))
    assert (power[45], power[46]) == (4.0, 4.0)
    assert (position[45], position[46]) == (2.0, 4.0)
    assert np.abs(power).max() == 4.0
    assert seen.cash()["lfm"] == 160.0
    assert seen.energy()["imbalance_mwh"] == 2.0  # of the local sale alone
    assert float(seen.flows[-1, 0, f.CONTENT_MWH]) == pytest.approx(40.0, abs=1e-4)


def test_what_is_unsold_goes_to_the_balancing_market_when_it_comes_within_reach():
    # 1 MW offered at 80 with consent, nothing sold. In hour 50 the TSO needs 12 MW up: others 9 up to 70, forwarded 1, others
    # 10.8 at 85 and the last 0.2 at 100: 4 x 0.25 MWh x 100
    lib = world({}, imbalance=100.0)
    need(lib, MFRR, UP, 12.0, volume=12.0, reference=40.0, anchor=100.0, first=200, last=203)
    lib.series[:, 200:204, c.DOMINANT] = 1.0
    seen = play(design("onenet_hu"), lib, offer(0.25, 80.0, consent=1.0), BIG)
    assert seen.cash() == {"mfrr_forwarded": 100.0}
    assert seen.energy()["forwarded_mwh"] == 24.0
    assert np.flatnonzero(seen.flows[:, 0, f.FORWARDED_MWH]).tolist() == list(range(DAY - 11, TICKS - 11))


def test_what_the_day_plan_has_used_is_refused():
    # 4 MW offered; the plan then sells the whole store (end content 0) at 100 in hours 45 to 54: nothing is left, before or after
    lib = world({})
    lib.hourly[:, 45:55], lib.series[:, 180:220, c.DA_PRICE] = 100.0, 100.0
    plan = {NOON: {"da_volume_frac": 1.0, "da_min_spread": 200.0}}
    seen = play(design("onenet_hu"), lib, {**offer(1.0, 80.0, consent=1.0), **plan}, BIG)
    assert seen.energy().get("forwarded_mwh", 0.0) == 0.0
    assert seen.refused() == {"NO_LONGER_FREE": 96.0}
    assert seen.cash() == {"da": 4000.0}


@pytest.mark.parametrize(("change", "said"), [
    ({"position": "paired"}, "position"), ({"baseline": "nomination"}, "nomination"), ({"consent": "standing"}, "standing"),
])  # fmt: skip
def test_rules_that_a_market_of_the_day_before_does_not_know_are_refused(change: dict[str, Any], said: str):
    with pytest.raises(StackingError, match=said):
        design("onenet_hu", **change)


def test_other_designs_keep_nothing_of_it():
    assert Engine(load_design("norflex_eam"), BIG, world({}), backend="python").early.shape[2] == 0
    hu: Design = load_design("onenet_hu")
    assert Engine(hu, BIG, replace(world({})), backend="python").early.shape[2] == s.EARLY_W
