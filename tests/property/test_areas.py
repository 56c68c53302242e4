"""Local markets of a tree: who may sell where, what stays for the market above, and needs that schedules cause or cure."""

from __future__ import annotations

import numpy as np
import pytest

from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.engine import Engine
from stacking.invariants import check_step
from stacking.network import Network, compile_network, load_network
from stacking.portfolio import Battery, Portfolio
from stacking.scenario import Library

from ..toy import BLOCK_GATE, DN, LFM, UP, design, library, need

FEEDERS = ("Agder feeder 1", "Agder feeder 2", "Agder feeder 3", "Glitre", "More")
AREAS = ("Norra", "City", "Sodra", "E.ON")


def batteries(nodes: tuple[str, ...], power_mw: float = 4.0) -> tuple[Portfolio, ...]:
    """Return a loss-free battery at each node, half full."""
    full = Battery(power_mw=power_mw, capacity_mwh=8 * power_mw, charge_efficiency_frac=1.0, discharge_efficiency_frac=1.0,
                   min_content_frac=0.0, max_content_frac=1.0, start_content_frac=0.5)  # fmt: skip
    return tuple(Portfolio(name=node, node=node, connection_mw=100.0, battery=full) for node in nodes)


class World:
    """A toy world on a network in which every battery can be scheduled and offers locally for the block."""

    def __init__(self, name: str, nodes: tuple[str, ...]) -> None:
        self.network: Network = load_network(name)
        given = batteries(nodes)
        self.areas = compile_network(self.network, given)
        self.portfolios = tuple(given[k] for k in self.areas.order)
        self.lib: Library = library(rows=len(nodes), areas=len(self.areas.node))

    def area(self, name: str) -> int:
        """Return the number of a market by the name of its node."""
        return self.areas.names.index(name)

    def needs(self, mw: float, area: str, direction: int = UP) -> None:
        """Set a signed margin of an area for all time."""
        need(self.lib, LFM, direction, mw, area=self.area(area), limit=500.0 if direction == UP else -500.0)

    def play(self, prices: dict[str, float], direction: int = UP, scheduled: dict[str, float] | None = None) -> dict[str, float]:
        """Offer all for the block at prices by portfolio; return what each sold, MW, and what was needed in all, "need"."""
        engine = Engine(design("parallel_adjusted"), self.portfolios, self.lib, backend="python", network=self.network)
        rows = {p.name: k for k, p in enumerate(self.portfolios)}
        for name, power_mw in (scheduled or {}).items():
            first = s.AHEAD + (s.BATTERY * s.ASSET_FIELDS + s.SCHEDULED) * s.SLOTS
            engine.ring[0, rows[name], first + s.PAST + 8 : first + s.SLOTS] = power_mw
        action = np.zeros(engine.mask.shape)
        for name, price in prices.items():
            action[0, rows[name], v.LFM_SHARE_UP + direction] = 1.0
            action[0, rows[name], v.LFM_PRICE_UP + direction] = price
        needed = 0.0
        for tick in range(4):
            before = engine.snapshot()
            engine.step(np.where(engine.mask, action, 0.0) if tick == BLOCK_GATE else np.zeros(action.shape))
            check_step(engine, before)
            needed += float(engine.market[0, f.NEED_LFM_MWH])
        sold = engine.book[0, :, s.PAST + 8 - 4, s.SOLD + direction]
        return {**{p.name: float(x) for p, x in zip(self.portfolios, sold, strict=True) if x > 0.0}, "need": needed}


# ---- who may sell where ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("buyer", AREAS)
def test_an_area_buys_only_from_those_below_it(buyer: str):
    world = World("stockholm", AREAS)
    world.needs(3.0, buyer)
    prices = {name: 10.0 + (name == buyer) for name in AREAS}  # its own is the dearest
    assert world.play(prices) == {buyer: 3.0, "need": 3.0}


def test_several_areas_buy_at_the_same_time_each_from_its_own():
    world = World("stockholm", AREAS)
    for k, name in enumerate(AREAS):
        world.needs(1.0 + k / 2, name)
    assert world.play(dict.fromkeys(AREAS, 50.0)) == {"Norra": 1.0, "City": 1.5, "Sodra": 2.0, "E.ON": 2.5, "need": 7.0}


def test_a_feeder_buys_below_it_and_the_area_from_all_of_its_feeders():
    world = World("norflex", FEEDERS)
    world.needs(3.0, "Agder feeder 1")
    assert world.play(dict.fromkeys(FEEDERS, 50.0)) == {"Agder feeder 1": 3.0, "need": 3.0}
    world = World("norflex", FEEDERS)
    world.needs(3.0, "Agder")
    prices = {"Agder feeder 1": 30.0, "Agder feeder 2": 20.0, "Agder feeder 3": 40.0, "Glitre": 1.0, "More": 1.0}
    assert world.play(prices) == {"Agder feeder 2": 3.0, "need": 3.0}


def test_a_bid_that_a_feeder_does_not_take_stays_for_the_area():
    world = World("norflex", FEEDERS)
    world.needs(1.0, "Agder feeder 1")
    world.needs(5.5, "Agder")
    # the feeder takes 1 MW, which helps the area as well: 4.5 MW are left, 3 of them at 20 from the feeder's own battery
    sold = world.play({"Agder feeder 1": 20.0, "Agder feeder 2": 30.0, "Agder feeder 3": 40.0})
    assert sold == {"Agder feeder 1": 4.0, "Agder feeder 2": 1.5, "need": 5.5}


def test_nobody_buys_above_its_own_limit_but_the_area_may():
    world = World("norflex", FEEDERS)
    need(world.lib, LFM, UP, 2.0, area=world.area("Agder feeder 1"), limit=15.0)
    need(world.lib, LFM, UP, 2.0, area=world.area("Agder"), limit=100.0)
    assert world.play({"Agder feeder 1": 20.0}) == {"Agder feeder 1": 2.0, "need": 4.0}


# ---- needs that schedules cause or cure --------------------------------------------------------------------------------
@pytest.mark.parametrize(("headroom", "extra"), [(1.0, 3.0), (3.0, 3.0), (4.0, 3.0), (0.0, 2.5), (1.0, 0.0)])
def test_a_schedule_that_consumes_more_than_the_headroom_creates_a_need(headroom: float, extra: float):
    world = World("stockholm", AREAS)
    world.needs(-headroom if headroom else -1e-12, "City")
    sold = world.play({"City": 50.0}, scheduled={"City": -extra})
    needed = max(0.0, extra - headroom)
    assert sold["need"] == pytest.approx(needed, abs=1e-6)
    assert sold.get("City", 0.0) == pytest.approx(needed, abs=1e-6)


@pytest.mark.parametrize(("drawn", "injected"), [(3.0, 1.0), (3.0, 3.0), (3.0, 3.5), (1.0, 0.0)])
def test_injection_reduces_a_drawn_need(drawn: float, injected: float):
    world = World("stockholm", AREAS)
    world.needs(drawn, "City")
    sold = world.play({"City": 50.0}, scheduled={"City": injected})
    assert sold["need"] == pytest.approx(max(0.0, drawn - injected), abs=1e-6)


@pytest.mark.parametrize("elsewhere", ["Norra", "Sodra"])
def test_a_schedule_in_another_area_changes_nothing(elsewhere: str):
    world = World("stockholm", AREAS)
    world.needs(2.0, "City")
    assert world.play({"City": 50.0}, scheduled={elsewhere: -4.0})["need"] == 2.0


def test_down_needs_mirror_up_needs():
    world = World("stockholm", AREAS)
    world.needs(-1.0, "City", DN)
    sold = world.play({"City": 20.0}, DN, scheduled={"City": 3.0})  # injects 3 MW where there is room for 1
    assert sold == {"City": 2.0, "need": 2.0}


def test_schedules_below_a_feeder_count_for_the_feeder_and_for_the_area():
    world = World("norflex", FEEDERS)
    world.needs(-1.0, "Agder feeder 1")
    world.needs(-2.0, "Agder")
    sold = world.play(
        {"Agder feeder 1": 10.0, "Agder feeder 2": 20.0}, scheduled={"Agder feeder 1": -2.5, "Agder feeder 3": -3.0}
    )
    # feeder 1: 2.5 - 1 = 1.5, bought there; the area: 5.5 - 2 - 1.5 = 2.0, again from the cheapest
    assert sold == {"Agder feeder 1": 3.5, "need": 3.5}


def test_random_margins_and_schedules_follow_the_formula():
    random = np.random.default_rng(4)
    for _ in range(15):
        world = World("stockholm", AREAS)
        margins, extra = random.uniform(-3.0, 3.0, 4), random.uniform(-2.0, 2.0, 4)
        for name, margin in zip(AREAS, margins, strict=True):
            world.needs(float(margin), name)
        sold = world.play({}, scheduled=dict(zip(AREAS, map(float, extra), strict=True)))
        assert sold == {"need": pytest.approx(np.maximum(0.0, margins - extra).sum(), abs=1e-5)}
