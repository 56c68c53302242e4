"""A fleet against brute force over its cars: the envelope, what is offered and can be delivered, and cars that give back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacking import columns as c
from stacking import state as s
from stacking.assets.fleet import charge_fleet, fleet_room, must_charge_mw, renew_envelope
from stacking.compile import compile_portfolios
from stacking.lookahead import set_ahead
from stacking.portfolio import Fleet, Portfolio
from stacking.ring import move_slots
from stacking.units import MTU_H

WIDE_MW = 1e6
BLOCKS = ((8, 4), (3, 1), (3, 4))  # gates of the shipped designs: lead and MTU
SINGLE = 2e-6  # MWh: chargers and ring are kept in single precision


@dataclass
class Car:
    """A plugged car: MWh wanted and MWh that may be taken out, MW, MTU until it leaves."""

    left: float
    power: float
    time: int
    lent: float = 0.0

    def least(self, j: int, loss: float) -> float:
        """Return the energy charged by the end of MTU j if it gives back at once and then charges as late as it may, MWh."""
        step, given = self.power * MTU_H, self.given(loss)
        rest = self.left + given * (1.0 + loss)
        out = min(given, step * (j + 1))
        back = max(0.0, rest - step * max(0, self.time - (j + 1)))
        return back - out

    def most(self, j: int) -> float:
        """Return the energy charged by the end of MTU j if it charges at once, MWh."""
        return min(self.left, self.power * MTU_H * min(j + 1, self.time))

    def given(self, loss: float) -> float:
        """Return the most that it can give back and still recover, by trial, MWh; the MTU in which it gives last is lost."""
        step, best = self.power * MTU_H, 0.0
        for trial in np.linspace(0.0, self.lent, 2001) if self.lent > 0.0 else ():
            if trial / step + (self.left + trial * (1.0 + loss)) / step <= self.time - 1 + 1e-12:
                best = float(trial)
        return best


@st.composite
def cars(draw: st.DrawFn, most: int = 6, lending: bool = True) -> list[Car]:
    """Return plugged cars that can all be ready in time."""
    out = []
    for _ in range(draw(st.integers(1, most))):
        power, time = draw(st.sampled_from([0.0037, 0.011, 0.05, 0.15])), draw(st.integers(1, 30))
        left = draw(st.floats(0.0, 1.0)) * power * MTU_H * time
        lent = draw(st.sampled_from([0.0, 0.0, 0.002, 0.02])) if lending else 0.0
        out.append(Car(float(np.float32(left)), float(np.float32(power)), time, float(np.float32(lent))))
    return out


class World:
    """One fleet with some plugged cars and a schedule, as the engine keeps it."""

    def __init__(self, plugged: list[Car], scheduled: np.ndarray, loss: float) -> None:
        fleet = Fleet(chargers=len(plugged), charger_mw=0.15, v2g_share_frac=1.0, v2g_round_trip_frac=1.0 / (1.0 + loss))
        self.p = compile_portfolios((Portfolio(name="cars", connection_mw=WIDE_MW, fleet=fleet),))[0]
        self.state, self.ring = np.zeros(s.STATE_W), np.zeros(s.RING_W, np.float32)
        self.work, self.chargers = np.zeros(s.SCRATCH_W), np.zeros((len(plugged), s.CHARGER_W), np.float32)
        for row, car in zip(self.chargers, plugged, strict=True):
            row[[s.EVENT, s.LEFT, s.CAR_MW, s.LENT]] = car.time, car.left, car.power, car.lent
        self.expected, self.tick, self.scheduled = np.zeros((30, c.FLEET_W)), 0, scheduled
        self.expected[: len(scheduled), c.AT_ONCE] = scheduled
        self.renew()

    def renew(self) -> None:
        """Recompute the envelope."""
        renew_envelope(self.p, self.state, self.ring, self.chargers, self.tick, self.work)

    def room(self, lead: int, count: int) -> tuple[float, float]:
        """Return what the fleet offers up and down, MW."""
        return fleet_room(self.p, self.ring, self.expected, self.tick, lead, count, 1.0, 1.0, self.work)

    def sell(self, lead: int, count: int, power_mw: float) -> None:
        """Sell a block, + = up."""
        for slot in range(lead + s.PAST, lead + s.PAST + count):
            for high in (s.HI_BALANCING, s.HI_BALANCING + 1):
                set_ahead(self.ring, s.FLEET, high, slot, power_mw)

    def step(self, ordered: float) -> tuple[float, float]:
        """Charge for one MTU; return what was asked for and what was consumed, MW. Cars leave when their time comes."""
        asked = self.scheduled[self.tick // 4] - ordered
        got = charge_fleet(self.p, self.state, self.chargers, self.tick, asked, WIDE_MW)
        self.tick += 1
        gone = (self.chargers[:, s.EVENT] <= self.tick) & (self.chargers[:, s.CAR_MW] > 0.0)
        assert (self.chargers[gone, s.LEFT] <= SINGLE).all(), "a car leaves without what it wants"
        self.chargers[gone, s.CAR_MW : s.LENT + 1] = self.chargers[gone, s.LEFT] = 0.0
        move_slots(self.ring)
        self.renew()
        return asked, got


def deliver(
    plugged: list[Car], scheduled: np.ndarray, loss: float, block: tuple[int, int], up: bool, share: float
) -> tuple[float, float]:
    """Sell a share of what is offered for a block; return what was sold and what the worst MTU of it lacks, MW."""
    world = World(plugged, scheduled, loss)
    lead, count = block
    sold = world.room(lead, count)[0 if up else 1] * share
    world.sell(lead, count, sold if up else -sold)
    lacking = 0.0
    for tick in range(32):
        ordered = (sold if up else -sold) if lead <= tick < lead + count else 0.0
        asked, got = world.step(ordered)
        if ordered:
            lacking = max(lacking, got - asked if up else asked - got)
    return sold, min(lacking, sold)


def at_once(plugged: list[Car]) -> np.ndarray:
    """Return the hourly mean consumption of cars that charge at once, MW."""
    energy = [sum(car.most(j) for car in plugged) for j in range(47)]
    return np.diff([0.0, *energy[3::4]])


PLANS = st.sampled_from(["at once", "late", "none", "much"])


def plan(kind: str, plugged: list[Car]) -> np.ndarray:
    """Return a schedule of the fleet by hour, MW."""
    if kind == "none":
        return np.zeros(11)
    if kind == "much":
        return np.full(11, sum(car.power for car in plugged))
    if kind == "at once":
        return at_once(plugged)
    energy = [sum(car.least(j, 0.0) for car in (Car(x.left, x.power, x.time) for x in plugged)) for j in range(47)]
    return np.diff([0.0, *energy[3::4]])


# ---- envelope --------------------------------------------------------------------------------------------------------------
@settings(max_examples=200)
@given(cars(), st.sampled_from([0.0, 0.18, 0.5]))
def test_the_envelope_is_the_sum_of_all_cars_charging_late_and_at_once(plugged: list[Car], loss: float):
    world = World(plugged, np.zeros(11), loss)
    window = np.array(world.ring[s.ENVELOPE : s.ENVELOPE + 3 * s.WINDOW], float).reshape(3, s.WINDOW)
    for j in range(s.WINDOW):
        trial = 2e-3 * sum(car.lent for car in plugged)  # the oracle tries 2,001 energies
        assert window[s.MOST, j] == pytest.approx(sum(car.most(j) for car in plugged), abs=SINGLE)
        assert window[s.LEAST, j] == pytest.approx(sum(car.least(j, loss) for car in plugged), abs=SINGLE + trial)
        assert window[s.PLUGGED, j] == pytest.approx(sum(car.power for car in plugged if car.time > j), abs=SINGLE)
    assert world.state[s.WANTED_MWH] == pytest.approx(sum(car.left for car in plugged), abs=SINGLE)
    must = sum(must_charge_mw(car.left, car.power, car.time) for car in plugged)
    assert world.state[s.MUST_MW] == pytest.approx(must, abs=SINGLE)
    gives = sum(min(car.power, car.given(loss) / MTU_H) for car in plugged)
    assert world.ring[s.LENDING] == pytest.approx(gives, abs=SINGLE + 8e-3 * sum(car.lent for car in plugged))


def test_the_envelope_of_a_car_that_cannot_be_ready_ends_when_it_leaves():
    world = World([Car(1.0, 0.1, 4)], np.zeros(11), 0.0)
    most = world.ring[s.ENVELOPE + s.WINDOW : s.ENVELOPE + 2 * s.WINDOW]
    assert most == pytest.approx([0.025, 0.05, 0.075] + [0.1] * 9)


# ---- what is offered can be delivered ---------------------------------------------------------------------------------
@settings(max_examples=150)
@given(cars(most=1, lending=False), st.integers(1, 5), PLANS, st.sampled_from(BLOCKS), st.booleans(), st.floats(0.05, 1.0))
def test_cars_that_are_alike_deliver_what_they_offer(
    plugged: list[Car], number: int, kind: str, block: tuple[int, int], up: bool, share: float
):
    sold, lacking = deliver(plugged * number, plan(kind, plugged * number), 0.0, block, up, share)
    assert lacking <= SINGLE / MTU_H, (sold, lacking)


def some_cars(random: np.random.Generator, number: int, lending: float) -> list[Car]:
    """Return unlike plugged cars that can all be ready in time; a share of them lends."""
    power = random.choice(np.array([0.0037, 0.011, 0.05, 0.15]), number)
    time = random.integers(1, 31, number)
    left = random.random(number) * power * MTU_H * time
    lent = np.where(random.random(number) < lending, 0.02, 0.0)
    return [Car(float(e), float(mw), int(n), float(v)) for e, mw, n, v in zip(left, power, time, lent, strict=True)]


def tried(number: int, lending: float, runs: int = 60) -> tuple[float, float]:
    """Return what unlike cars sold when each offer is sold in full, and what of it was lacking, MW."""
    sums = np.zeros(2)
    for seed in range(runs):
        plugged = some_cars(np.random.default_rng(seed), number, lending)
        kind = ("at once", "late", "none", "much")[seed % 4]
        sums += deliver(plugged, plan(kind, plugged), 0.18, BLOCKS[seed % 3], seed % 8 < 4, 1.0)
    return float(sums[0]), float(sums[1])


def test_fleets_offer_something_and_unlike_cars_deliver_most_of_it():
    sold, lacking = tried(30, 0.0)
    assert sold > 1.0
    assert lacking < 0.35 * sold  # a bound on what the next test is about


@pytest.mark.xfail(strict=True, reason="the envelope adds up cars: the slack of one car is offered for another that has none")
def test_unlike_cars_deliver_what_they_offer():
    sold, lacking = tried(5, 0.0)
    assert lacking <= 1e-4 * sold, (sold, lacking)


@pytest.mark.xfail(strict=True, reason="what a car lends is offered for hours in which it is not there, or not able any more")
def test_a_single_car_that_lends_delivers_what_it_offers():
    sold, lacking = tried(1, 1.0)
    assert lacking <= 1e-4 * sold, (sold, lacking)


# ---- whatever is ordered, the driver gets all --------------------------------------------------------------------------
def follow(plugged: list[Car], loss: float, seed: int) -> World:
    """Order anything in every MTU until all cars have left; the world asserts that none leaves without what it wants."""
    world, random = World(plugged, np.zeros(11), loss), np.random.default_rng(seed)
    for _ in range(32):
        must, before = world.state[s.MUST_MW], world.chargers[:, s.LEFT].sum()
        asked, got = world.step(float(random.choice([-1.0, 0.0, 1.0, 9.0])) * random.random())
        assert got <= before / MTU_H + SINGLE / MTU_H or got <= asked + 1e-9
        assert got >= must - sum(car.power for car in plugged) - 1e-6
    return world


@settings(max_examples=100)
@given(cars(lending=False), st.integers(0, 10**6))
def test_one_way_cars_leave_with_what_they_want_whatever_is_ordered(plugged: list[Car], seed: int):
    follow(plugged, 0.0, seed)


def test_a_car_that_lends_leaves_with_what_it_wants():
    # four MTU at 1 MW are left and three are needed: nothing can be given, as the MTU in which it is given is lost
    world = World([Car(0.75, 1.0, 4, 1.0)], np.zeros(11), 0.0)
    world.step(1.0)
    assert world.chargers[0, s.LEFT] <= 0.75


def test_cars_that_lend_leave_with_what_they_want_whatever_is_ordered():
    for seed in range(30):
        follow(some_cars(np.random.default_rng(seed), 5, 0.7), 0.18, seed)


def test_cars_that_lend_early_recover():
    for seed in range(30):
        random = np.random.default_rng(seed)
        plugged = [Car(0.001 * random.random(), 0.011, 24, 0.004 * random.random()) for _ in range(5)]
        world = World(plugged, np.zeros(11), 0.18)
        given, room = 0.0, float(world.ring[s.LENDING])
        for _ in range(2):
            given -= min(0.0, world.step(room)[1]) * MTU_H
        assert given > 0.0
        taken = sum(max(0.0, world.step(0.0)[1]) * MTU_H for _ in range(22))
        wanted = sum(car.left for car in plugged)
        assert taken == pytest.approx(wanted + given * 1.18, abs=SINGLE)  # what was given is charged again, with its loss
