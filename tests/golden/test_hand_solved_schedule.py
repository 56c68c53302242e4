"""Worlds solved by hand: day-ahead plan, intraday trade, value of what is left in the store.

Sixteen MTU: the day-ahead gate closes at tick 0 for a "day" of two hours, MTU 8 to 15, at 20 and 100 EUR/MWh.
"""

from __future__ import annotations

import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v

from ..toy import LFM, UP, design, library, local, merged, need, play, portfolio

HOURS = (20.0, 100.0)


def world(forecast: tuple[float, float] = HOURS, terminal: float = 0.0, gate: int = 0, first: int = 8):
    lib = library(16, terminal=terminal)
    lib.series[:, 8:12, c.DA_PRICE], lib.series[:, 12:, c.DA_PRICE] = HOURS
    lib.hourly[:, 2, [c.DA_MEAN, c.DA_NOON]] = [[HOURS[0], forecast[0]]]
    lib.hourly[:, 3, [c.DA_MEAN, c.DA_NOON]] = [[HOURS[1], forecast[1]]]
    lib.calendar[0, gate, [c.DA_FIRST, c.DA_COUNT]] = first, 16 - first
    return lib


def plan(volume: float = 1.0, spread: float = 0.0, end: float = 0.5) -> dict[int, dict[str, float]]:
    return {0: {"da_volume_frac": volume, "da_min_spread": spread, "da_end_content_frac": end}}


@pytest.mark.parametrize(
    ("efficiency", "decision", "power", "cash"),
    [
        # no losses: 4 MWh of room: buy 4 MW at 20, sell 4 MW at 100
        (1.0, plan(), (-4.0, 4.0), {"da": 320.0}),
        # spread 100 - 20 = 80: not below 80, not at 80.5
        (1.0, plan(spread=80.0), (-4.0, 4.0), {"da": 320.0}),
        (1.0, plan(spread=80.5), (0.0, 0.0), {}),
        # half the volume: 2 MW, and a quarter of the window (2 MWh) kept below and above: 2 MWh
        (1.0, plan(volume=0.5), (-2.0, 2.0), {"da": 160.0}),
        (1.0, plan(volume=0.0), (0.0, 0.0), {}),
        # empty at the end: 4 MWh sold in the dear hour, whose power is used up then
        (1.0, plan(end=0.0), (0.0, 4.0), {"da": 400.0}),
        # full at the end: 4 MWh bought in the cheap hour
        (1.0, plan(end=1.0), (-4.0, 0.0), {"da": -80.0}),
        # efficiency 0.8: 4 MW charge 3.2 MWh, of which 2.56 come back; spread 100 - 20 / 0.64 = 68.75
        (0.8, plan(spread=68.75), (-4.0, 2.56), {"da": 176.0}),
        (0.8, plan(spread=69.0), (0.0, 0.0), {}),
    ],
)
def test_day_ahead_plan(efficiency: float, decision: dict, power: tuple[float, float], cash: dict[str, float]):
    seen = play(design("parallel"), world(), decision, (portfolio(efficiency=efficiency),))
    assert seen.flows[[8, 11, 12, 15], 0, f.POWER_MW].tolist() == pytest.approx([power[0]] * 2 + [power[1]] * 2)
    assert seen.cash() == cash
    assert "imbalance_mwh" not in seen.energy()
    # the schedule is seen now and at the next full hours: at tick 1 these are MTU 4, 8 and 12
    assert seen.observation[1, 0, v.BOOK + 12 : v.BOOK + 16].tolist() == pytest.approx([0.0, 0.0, *power])


def test_the_plan_follows_the_forecast_and_is_paid_at_the_price():
    # forecast the wrong way round: sell 4 MW in the hour of 20, buy them back in the hour of 100
    seen = play(design("parallel"), world(forecast=(100.0, 20.0)), plan())
    assert seen.cash() == {"da": -320.0}


def test_the_plan_knows_of_what_is_sold():
    """Nobody chooses an imbalance: 4 MWh are sold locally for MTU 8..11 when the gate for MTU 12..15 closes at tick 4."""
    lib = world(gate=4, first=12)
    need(lib, LFM, UP, 4.0, limit=300.0, first=8, last=11)
    empty = {4: {"da_volume_frac": 1.0, "da_end_content_frac": 0.0}}
    seen = play(design("parallel_adjusted"), lib, merged(local("up", 1.0, 200.0), empty))
    # local 4 x 200, its imbalance 4 x 50; the store is empty at MTU 12: there is nothing left to sell day-ahead
    assert seen.cash() == {"lfm": 800.0, "imbalance": 200.0}
    assert seen.flows[12:, 0, f.POSITION_MW].tolist() == [0.0] * 4


def test_the_plan_knows_of_what_may_still_be_called():
    """The same with an offer that is pending at the gate (late local calls are told after the start of delivery)."""
    lib = world(gate=4, first=12)
    need(lib, LFM, UP, 4.0, limit=300.0, first=8, last=11)
    empty = {4: {"da_volume_frac": 1.0, "da_end_content_frac": 0.0}}
    seen = play(design("parallel_late"), lib, merged(local("up", 1.0, 200.0), empty))
    assert seen.cash() == {"lfm": 800.0, "imbalance": 200.0}


@pytest.mark.parametrize(
    ("share", "cash", "stored"),
    [
        # 0.5 of 4 MW sold for MTU 8 at 20 - 5: 0.5 MWh; terminal 40 x (-0.5)
        (0.5, {"id": 7.5, "terminal": -20.0}, 3.5),
        # bought at 20 + 5; terminal (40 - 0) x 0.5
        (-0.5, {"id": -12.5, "terminal": 20.0}, 4.5),
    ],
)
def test_intraday_trade_and_terminal_value(share: float, cash: dict[str, float], stored: float):
    seen = play(design("parallel"), world(terminal=40.0), {4: {"id_power_frac": share}})
    assert seen.cash() == cash
    assert seen.flows[-1, 0, f.CONTENT_MWH] == stored
    assert seen.flows[8, 0, f.POSITION_MW] == 4.0 * share
    assert seen.flows[:, 0, f.CASH_TERMINAL].nonzero()[0].tolist() == [15]


@pytest.mark.parametrize(
    ("share", "factor", "terminal"),
    [
        # sold 0.5 MWh at efficiency 0.8: 0.625 MWh drained; buying back costs 40 x 0.625 / 0.8 = 31.25
        (0.5, 1.0, -31.25),
        # bought 0.5 MWh: 0.4 stored; selling brings (40 - 10 wear) x 0.8 x 0.4 = 9.6
        (-0.5, 1.0, 9.6),
        (0.5, 0.5, -15.625),
        (-0.5, 1.5, 14.4),
    ],
)
def test_terminal_value_with_losses_and_wear(share: float, factor: float, terminal: float):
    lossy = (portfolio(efficiency=0.8, wear=10.0, tariff=4.0),)
    seen = play(design("parallel", terminal_factor=factor), world(terminal=40.0), {4: {"id_power_frac": share}}, lossy)
    own = {"id": 7.5, "wear": -5.0} if share > 0 else {"id": -12.5, "tariff": -2.0}
    assert seen.cash() == {**own, "terminal": terminal}


def test_terminal_value_is_nothing_where_wear_exceeds_the_price():
    lossy = (portfolio(efficiency=0.8, wear=50.0),)
    assert play(design("parallel"), world(terminal=40.0), {4: {"id_power_frac": -0.5}}, lossy).cash() == {"id": -12.5}


def test_intraday_moves_the_day_ahead_schedule_and_both_are_paid():
    # plan: buy 4 at 20, sell 4 at 100. Selling at ID for MTU 8: 4 rated + 4 not charged = 8 MW of power; the lowest later
    # content is 4 MWh, at the end, so energy does not bind: 0.5 x 8 = 4 MW for 0.25 h at 20 - 5
    seen = play(design("parallel"), world(), merged(plan(), {4: {"id_power_frac": 0.5}}))
    assert seen.cash() == {"da": 320.0, "id": 15.0}
    assert seen.flows[8:13, 0, f.POSITION_MW].tolist() == [0.0, -4.0, -4.0, -4.0, 4.0]
