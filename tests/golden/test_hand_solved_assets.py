"""One hand-solved day per asset kind: sessions of cars, whole steps, notice, durations, rest and rebound of a load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking.portfolio import Fleet, Load, Portfolio
from stacking.scenario import Library
from stacking.scenario.sites import Sites

from ..toy import TICKS, UP, balancing, design, library, local, merged, need, play, portfolio, tso_needs_up

LFM = c.LFM


def fleet(chargers: int = 1, **more: Any) -> Portfolio:
    """Return charging points of 1 MW (so that numbers are round)."""
    settings = {"charger_mw": 1.0, "delay_eur_per_mwh": 0.0, **more}
    return Portfolio(name="cars", connection_mw=100.0, fleet=Fleet(chargers=chargers, **settings))


def load(**more: Any) -> Portfolio:
    """Return a load of 4 MW of which all can be interrupted in steps of 1 MW, at no cost, without rest or rebound."""
    settings = {
        "peak_mw": 10.0, "flexible_frac": 1.0, "step_mw": 1.0, "notice_min": 0.0, "min_duration_min": 15.0,
        "max_duration_min": 60.0, "rest_min": 0.0, "activations_per_day": 9, "rebound_frac": 0.0, "cost_eur_per_mwh": 0.0,
    }  # fmt: skip
    return Portfolio(name="load", connection_mw=100.0, load=Load(**{**settings, **more}))


def world(
    sessions: Sequence[list[tuple[float, ...]]] = (), expected: float = 0.0, latest: float = 0.0, consumption: float = 0.0,
    forecast: float | None = None, ticks: int = TICKS, **prices: Any,
) -> Library:  # fmt: skip
    """Return the toy world with sessions (arrival, departure, MWh, MW, V2G MWh) per charging point, and a flat load."""
    lib = library(ticks, **prices)
    hours = lib.hourly.shape[1]
    rows = [row for point in sessions for row in point]
    first = np.cumsum([0, *(len(point) for point in sessions)])
    fleets, loads = int(len(sessions) > 0), int(consumption > 0.0)
    hourly = np.zeros((1, fleets, hours, c.FLEET_W))
    hourly[..., c.AT_ONCE], hourly[..., c.LATEST] = expected, latest
    sites = Sites(
        sessions=np.array(rows, float).reshape(-1, c.SESSION_W),
        first=first[None].astype(np.int64),
        fleet_hourly=hourly,
        load_mw=np.full((1, loads, ticks), consumption),
        load_hourly=np.full((1, loads, hours), consumption if forecast is None else forecast),
    )
    return replace(lib, sites=sites)


def charged(seen: Any) -> list[float]:
    """Return what the cars consumed, MW by tick."""
    return [round(float(x) * 4, 5) for x in seen.flows[:, 0, f.EV_CHARGED] - seen.flows[:, 0, f.EV_INJECTED]]


def total(seen: Any, column: int) -> float:
    """Return a flow summed over the world."""
    return round(float(seen.flows[:, 0, column].sum()), 5)


# ---- cars ---------------------------------------------------------------------------------------------------------------
def test_a_car_follows_the_schedule_and_waits_no_longer_than_it_may():
    # 1 MWh wanted from tick 2 to tick 8 (six MTU of 0.25 MWh): it can wait two MTU; the forecast bought 0.5 MW for every MTU
    seen = play(design("parallel_adjusted"), world([[(2, 8, 1.0, 1.0, 0.0)]], expected=0.5), {}, (fleet(),))
    # 0.5 MW while that is enough; laxity falls by half an MTU each MTU, is used up after four, then it must charge fully
    assert charged(seen) == [0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert total(seen, f.EV_UNMET) == 0.0
    assert total(seen, f.EV_LEFT_COUNT) == 1.0
    assert seen.cash() == {"da": -75.0, "imbalance": 25.0}  # 0.5 MW x 3 h bought at 50, 1 MWh used


def test_a_car_that_cannot_be_ready_is_counted_and_paid_for():
    lib = world([[(2, 4, 0.75, 1.0, 0.0)]], expected=1.0)
    seen = play(design("parallel_adjusted"), lib, {}, (fleet(unmet_eur_per_mwh=400.0),))
    assert total(seen, f.EV_UNMET) == 0.25
    assert total(seen, f.EV_SHORT_COUNT) == 1.0
    assert seen.cash()["ev_unmet"] == -100.0


def test_a_local_sale_moves_charging_behind_the_block_and_the_driver_gets_all():
    # plugged in all the time, 1 MWh wanted; 1 MW is bought for ticks 0..11; the car would be full after four MTU
    lib = world([[(0, 16, 2.0, 1.0, 0.0)]], expected=1.0)
    need(lib, LFM, UP, 1.0, limit=500.0, first=8)
    seen = play(design("parallel_adjusted"), lib, local("up", 1.0, 100.0), (fleet(),))
    # eight MTU make 2 MWh: at once it is full at tick 8 and nothing is left to give up in the block
    assert total(seen, f.OFFERED_LFM) == 0.0
    lib = world([[(0, 28, 4.0, 1.0, 0.0)]], expected=1.0)
    need(lib, LFM, UP, 1.0, limit=500.0, first=8)
    seen = play(design("parallel_adjusted"), lib, local("up", 1.0, 100.0), (fleet(),))
    assert charged(seen) == [1.0] * 8 + [0.0] * 4
    assert seen.energy()["activated_lfm_mwh"] == 1.0
    assert seen.cash()["lfm"] == 100.0
    assert seen.cash()["imbalance"] == 50.0  # position none: what was bought and not used is paid at the imbalance price


def test_a_car_that_must_charge_is_not_offered():
    lib = world([[(0, 13, 3.0, 1.0, 0.0)]], expected=1.0)  # laxity of one MTU
    need(lib, LFM, UP, 1.0, limit=500.0, first=8)
    seen = play(design("parallel_adjusted"), lib, local("up", 1.0, 100.0), (fleet(),))
    # four MTU of the block share the one MTU that can wait: a quarter of the power
    assert seen.energy()["offered_lfm_mwh"] == 0.25
    assert total(seen, f.EV_UNMET) == 0.0
    assert charged(seen)[8:] == [0.75] * 4


def test_two_blind_sales_of_the_same_charging_leave_the_buyers_short_and_not_the_driver():
    lib = world([[(0, 13, 3.0, 1.0, 0.0)]], expected=1.0)
    need(lib, LFM, UP, 9.0, limit=500.0, first=8)
    tso_needs_up(lib, 9.0, 90.0, 60.0, first=8)
    both = merged(local("up", 1.0, 100.0), balancing("up", 1.0, 10.0))
    seen = play(design("parallel", mfrr={"min_mw": 0.01, "granularity_mw": 0.01}), lib, both, (fleet(),))
    assert total(seen, f.EV_UNMET) == 0.0
    assert seen.energy()["activated_mfrr_mwh"] > 0.0
    assert seen.energy()["undelivered_mfrr_mwh"] > 0.0


def test_v2g_injects_and_recovers():
    # nothing wanted, 1 MWh may be taken out and must be back at departure (tick 28)
    lib = world([[(0, 28, 0.0, 1.0, 1.0)]])
    need(lib, LFM, UP, 1.0, limit=500.0, first=8)
    cars = fleet(v2g_share_frac=1.0, v2g_round_trip_frac=0.8, v2g_wear_eur_per_mwh=60.0)
    seen = play(design("parallel_adjusted"), lib, local("up", 1.0, 100.0), (cars,))
    assert charged(seen)[8:] == [-1.0] * 4
    assert seen.cash()["ev_delay"] == -60.0
    assert seen.cash()["lfm"] == 100.0


# ---- loads -----------------------------------------------------------------------------------------------------------------
def test_a_load_gives_up_whole_steps_and_pays_its_cost():
    lib = world(consumption=4.0)
    need(lib, LFM, UP, 2.5, limit=500.0, first=8)
    seen = play(design("parallel_adjusted"), lib, local("up", 1.0, 100.0), (load(cost_eur_per_mwh=30.0),))
    assert seen.energy()["offered_lfm_mwh"] == 4.0
    assert seen.power() == [-1.0] * 4  # three steps cover 2.5 MW
    assert seen.cash()["lfm"] == 250.0
    assert seen.cash()["load_activation"] == -90.0
    assert total(seen, f.LOAD_STARTS) == 1.0
    assert seen.cash()["imbalance"] == 150.0  # 3 MWh not used


@pytest.mark.parametrize(
    ("settings", "offered"),
    [
        ({}, 4.0),
        ({"notice_min": 105.0}, 4.0),  # the local result is known 105 minutes ahead
        ({"notice_min": 106.0}, 0.0),
        ({"min_duration_min": 60.0}, 4.0),
        ({"min_duration_min": 75.0, "max_duration_min": 120.0}, 0.0),  # one block is too short
        ({"min_duration_min": 15.0, "max_duration_min": 45.0}, 0.0),  # one block is too long
        ({"step_mw": 3.0}, 3.0),
    ],
)
def test_notice_and_durations_decide_whether_a_block_can_be_offered(settings: dict, offered: float):
    lib = world(consumption=4.0)
    seen = play(design("parallel_adjusted"), lib, local("up", 1.0, 100.0), (load(**settings),))
    assert seen.energy().get("offered_lfm_mwh", 0.0) == offered


def test_resting_time_separates_balancing_activations():
    lib = world(consumption=4.0)
    tso_needs_up(lib, 40.0, 90.0, 60.0, first=3)
    every = balancing("up", 1.0, 10.0, ticks=tuple(range(3, 12)))
    rested = play(design("parallel_adjusted"), lib, every, (load(rest_min=45.0, max_duration_min=15.0),))
    # one MTU of activation, then three without, again and again
    assert [x > 0 for x in rested.flows[:, 0, f.LOAD_SHED]] == [k in (3, 7, 11) for k in range(12)]
    often = play(design("parallel_adjusted"), lib, every, (load(rest_min=0.0, max_duration_min=180.0),))
    assert total(often, f.LOAD_SHED) > 3 * 1.0


def test_activations_of_a_day_are_limited():
    lib = world(consumption=4.0)
    tso_needs_up(lib, 40.0, 90.0, 60.0, first=3)
    every = balancing("up", 1.0, 10.0, ticks=tuple(range(3, 12)))
    seen = play(design("parallel_adjusted"), lib, every, (load(rest_min=30.0, max_duration_min=15.0, activations_per_day=2),))
    assert total(seen, f.LOAD_STARTS) == 2.0


def test_rebound_is_consumed_afterwards_and_settled_in_its_own_mtu():
    lib = world(consumption=4.0, ticks=16, terminal=0.0)
    tso_needs_up(lib, 40.0, 90.0, 90.0, first=4, last=4)
    rebounding = load(rebound_frac=1.0, rebound_min=60.0)
    seen = play(design("parallel_adjusted"), lib, balancing("up", 1.0, 10.0, ticks=(4,)), (rebounding,))
    # 4 MW for one MTU = 1 MWh, back within four MTU at 1 MW
    power = [round(float(x), 5) for x in seen.flows[:, 0, f.POWER_MW]]
    assert power[4:10] == [0.0, -5.0, -5.0, -5.0, -5.0, -4.0]
    assert seen.cash() == {"da": -800.0, "mfrr": 90.0, "imbalance": -50.0}


def test_what_is_owed_at_the_end_costs_its_energy():
    lib = world(consumption=4.0, terminal=40.0)
    tso_needs_up(lib, 40.0, 90.0, 90.0, first=11, last=11)
    seen = play(design("parallel_adjusted"), lib, balancing("up", 1.0, 10.0, ticks=(11,)), (load(rebound_frac=1.0),))
    assert seen.cash()["terminal"] == -40.0


# ---- all together ------------------------------------------------------------------------------------------------------------
def test_an_order_is_split_by_cost_and_the_battery_fills_the_steps():
    lib = world([[(0, 40, 9.0, 1.0, 0.0)]], expected=1.0, consumption=4.0)
    need(lib, LFM, UP, 4.5, limit=500.0, first=8)
    battery = portfolio("b", 2.0, 8.0, wear=5.0).battery
    mixed = Portfolio(
        name="mixed", connection_mw=100.0, battery=battery, fleet=fleet(delay_eur_per_mwh=10.0).fleet,
        load=load(cost_eur_per_mwh=200.0).load,
    )  # fmt: skip
    seen = play(design("parallel_adjusted"), lib, local("up", 1.0, 100.0), (mixed,))
    # room: 1 MW battery (4 MWh for four MTU of an hour is 2 MW, so 2), 1 MW cars, 4 MW load; 4.5 MW are called:
    # battery 2, cars 1, load 1.5 -> two steps, so the battery gives half a MW less
    assert seen.energy()["offered_lfm_mwh"] == 7.0
    assert total(seen, f.DISCHARGED) == 1.5
    assert total(seen, f.LOAD_SHED) == 2.0
    assert charged(seen)[8:] == [0.0] * 4
    assert seen.power() == [-0.5] * 4  # -5 scheduled + 4.5


def test_the_connection_limits_what_is_offered():
    lib = world(consumption=4.0)
    battery = portfolio("b", 5.0, 20.0).battery
    both = Portfolio(name="both", connection_mw=4.5, battery=battery, load=load(peak_mw=4.0).load)
    seen = play(design("parallel_adjusted"), lib, local("dn", 1.0, 0.0), (both,))
    assert seen.energy()["offered_lfm_mwh"] == 0.5  # 4 MW flow already
