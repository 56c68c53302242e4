"""Local availability solved by hand (onenet_cy): who is awarded, what is called, what goes on to the TSO, and what is paid.

The DSO pays 20 EUR/MW/h for being ready. Other people's balancing curve as in test_hand_solved_forwarding.
"""

from __future__ import annotations

import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking.scenario import Library

from ..toy import BLOCK, LFM, MFRR, UP, balancing, by_row, design, library, local, merged, need, play, portfolio


def world(forecast_mw: float, dso_mw: float, rows: int = 1, tso_mw: float = 12.0) -> Library:
    """Return a block for which the DSO forecasts one need and has another, and the TSO needs 12 MW up."""
    lib = library(rows=rows, imbalance=100.0)
    need(lib, MFRR, UP, tso_mw, volume=12.0, reference=40.0, anchor=100.0, first=BLOCK)
    lib.series[:, BLOCK:, c.DOMINANT] = 1.0
    need(lib, LFM, UP, dso_mw, limit=300.0, first=BLOCK)
    lib.local_hourly[:, :, c.LFM_NEED_NEAR] = forecast_mw
    return lib


def test_what_is_awarded_is_ready_called_and_forwarded():
    # 3.5 MW at 80 offered, 3 forecast: 3 awarded, 0.5 MWh returned. Ready: 3 MW x 1 h x 20 = 60 EUR. The DSO calls 1 MW at 80 and
    # forwards 2. Own bid of T-45: 4 - 3 = 1 MW at 30. Published at T-30, so the TSO needs 12 - 1 = 11: own 1, others 9 up to 70,
    # forwarded 1 of 2 at 80 -> 80. Imbalance: 3 metered - 2 corrected = 1 x 80
    seen = play(design("onenet_cy"), world(3.0, 1.0), merged(local("up", 0.875, 80.0, consent=1.0), balancing("up", 1.0, 30.0)))
    assert seen.cash() == {"lfm": 80.0, "availability": 60.0, "mfrr": 80.0, "mfrr_forwarded": 80.0, "imbalance": 80.0}
    assert seen.refused() == {"NOT_AWARDED": 0.5}
    assert seen.energy()["awarded_mwh"] == 3.0
    assert seen.energy()["forwarded_mwh"] == 2.0
    assert seen.power() == [3.0] * 4
    assert seen.market[:, f.DSO_PAID_EUR].sum() == pytest.approx(140.0)
    assert seen.observation[5, 0, v.FEASIBLE_UP_MFRR] == 1.0


def test_without_consent_what_is_awarded_waits_for_the_dso_alone():
    # nothing goes on; own bid 1 MW. need 11: own 1, others 10 -> 85. Imbalance 2 - 1 = 1 x 85
    seen = play(design("onenet_cy"), world(3.0, 1.0), merged(local("up", 0.875, 80.0, consent=0.0), balancing("up", 1.0, 30.0)))
    assert seen.cash() == {"lfm": 80.0, "availability": 60.0, "mfrr": 85.0, "imbalance": 85.0}
    assert seen.refused() == {"NOT_AWARDED": 0.5, "NO_CONSENT": 2.0}


def test_the_cheapest_bids_are_awarded_and_the_others_free():
    # forecast 3 MW; a 2 MW at 90, b 2 MW at 80: b 2 and a 1 awarded. Nobody is called: nothing but readiness, 20 and 40 EUR
    offers = by_row(r0=local("up", 0.5, 90.0), r1=local("up", 0.5, 80.0))
    seen = play(design("onenet_cy"), world(3.0, 0.0, 2, tso_mw=0.0), offers, (portfolio("a"), portfolio("b")))
    assert [seen.cash(row) for row in range(2)] == [{"availability": 20.0}, {"availability": 40.0}]
    assert [seen.energy(row)["awarded_mwh"] for row in range(2)] == [1.0, 2.0]
    assert [seen.refused(row).get("NOT_AWARDED", 0.0) for row in range(2)] == [1.0, 0.0]


def test_without_a_forecast_nothing_is_awarded_or_called():
    # the need of 1 MW comes unforeseen: nobody is ready
    seen = play(design("onenet_cy"), world(0.0, 1.0, tso_mw=0.0), local("up", 0.5, 80.0))
    assert seen.cash() == {}
    assert seen.refused() == {"NOT_AWARDED": 2.0}
    assert seen.market[:, f.UNSERVED_LFM_MWH].sum() == 1.0


def test_who_is_not_there_when_called_is_not_paid_for_being_ready():
    # awarded and called: 2 MW at 80. The balancing gate is made blind for that: 4 MW are sold to the TSO as well, who is served
    # first, so nothing is left for the DSO: no energy paid (below 80 %), not ready for any of the 2 MW. Need 12 - 2 = 10: own 4,
    # others 6 -> 55. Imbalance: 4 metered - 4 corrected = 0
    rules = design("onenet_cy", delivery_priority="tso_first", grid_check="none")
    gates = tuple(g.model_copy(update={"sees": ("mfrr",)}) if (g.kind, g.book) == ("offer", "mfrr") else g for g in rules.gates)
    seen = play(rules.model_copy(update={"gates": gates}), world(2.0, 2.0),
                merged(local("up", 0.5, 80.0), balancing("up", 1.0, 30.0)))  # fmt: skip
    assert seen.cash() == {"mfrr": 220.0}
    assert seen.energy()["awarded_mwh"] == seen.energy()["undelivered_lfm_mwh"] == 2.0
