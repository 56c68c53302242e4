"""A load keeps its notice, durations, rest and activations whatever is called of what it offered; what it owes is conserved."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacking import state as s
from stacking.assets.load import load_room, run_load
from stacking.catalogue import load_design
from stacking.compile import compile_design, compile_portfolios
from stacking.lookahead import set_ahead
from stacking.portfolio import Load, Portfolio
from stacking.presets import load_preset, preset_names
from stacking.ring import move_slots
from stacking.state import ahead
from stacking.units import MTU_H

DAY = 96
LOCAL = 8, 4, 105, 7, s.HI_LOCAL  # lead, MTU, minutes at which an order is known, lead of its publication, field of the ring
QUARTER = 3, 1, 7, 0, s.HI_BALANCING
HOUR = 3, 4, 7, 0, s.HI_BALANCING  # hourly balancing bids, called per MTU
DURATIONS = st.sampled_from([15.0, 30.0, 45.0, 60.0, 120.0, 180.0, 240.0])


@st.composite
def loads(draw: st.DrawFn, rest: tuple[float, ...] = (15.0, 30.0, 60.0, 105.0, 240.0)) -> Load:
    """Return a load with any durations, rest, activations per day and rebound."""
    shortest, longest = sorted((draw(DURATIONS), draw(DURATIONS)))
    return Load(
        peak_mw=4.0,
        flexible_frac=draw(st.sampled_from([0.25, 0.6, 1.0])),
        step_mw=draw(st.sampled_from([0.05, 0.25, 0.3, 1.0])),
        notice_min=draw(st.sampled_from([0.0, 7.0, 8.0, 105.0, 106.0])),
        min_duration_min=shortest,
        max_duration_min=longest,
        rest_min=draw(st.sampled_from(rest)),
        activations_per_day=draw(st.sampled_from([1, 2, 3, 9])),
        rebound_frac=draw(st.sampled_from([0.0, 0.5, 1.0, 1.3])),
        rebound_min=draw(st.sampled_from([15.0, 60.0, 240.0])),
    )


@dataclass
class Played:
    """What a load did, by MTU."""

    load: Load
    shed: list[float] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    short: list[float] = field(default_factory=list)
    owed: list[float] = field(default_factory=list)
    offers: int = 0

    def runs(self) -> list[tuple[int, int]]:
        """Return first MTU and length of every activation."""
        on = np.concatenate([[False], np.array(self.shed) > 0.0, [False]])
        edges = np.flatnonzero(on[1:] != on[:-1]).reshape(-1, 2)
        return [(int(a), int(b - a)) for a, b in edges]


def consumption(random: np.random.Generator, load: Load, ticks: int) -> np.ndarray:
    """Return a consumption that changes from hour to hour, MW, (tick,)."""
    return np.repeat(load.peak_mw * random.choice([0.3, 0.8, 1.0], -(-ticks // 4)), 4)[:ticks]


def play(load: Load, seed: int, gates: tuple, ticks: int = 2 * DAY, real: float = 0.0, connection: float = 9.0) -> Played:
    """Offer at every gate all that there is (or a part, or nothing), let any subset be bought, and run what is ordered.

    Args:
        load: what stands at the meter; seed: of offers, calls and consumption; gates: those that are open; ticks: how long.
        real: share of the MTU in which the load consumes something else than was foreseen.
        connection: MW of the grid connection.
    """
    random = np.random.default_rng(seed)
    p = compile_portfolios((Portfolio(name="load", connection_mw=connection, load=load),))[0]
    state, ring = np.zeros(s.STATE_W), np.zeros(s.RING_W, np.float32)
    foreseen = consumption(random, load, ticks + 24)
    used = np.where(random.random(ticks + 24) < real, load.peak_mw * random.random(ticks + 24), foreseen)
    forecast = np.concatenate([foreseen[::4], np.zeros(9)])
    eager, bought, seen = random.random(), random.random(), Played(load)
    for tick in range(ticks):
        for lead, _, _, known, high in gates:
            if lead != LOCAL[0]:
                publish(ring, random, bought, known, 1, high)
            elif (tick + known) % 4 == 0:
                publish(ring, random, bought, known, 4, high)
        for lead, count, known_min, _, high in gates:
            if count == 4 and (tick + lead) % 4:
                continue
            same_day = lead < DAY - tick % DAY
            room = load_room(p, state, ring, forecast, tick, lead, count, known_min, 1.0, 1.0, same_day)
            assert room >= 0.0
            assert abs(room / load.step_mw - round(room / load.step_mw)) < 1e-9
            assert room <= load.flexible_frac * foreseen[tick + lead : tick + lead + count].min() + 1e-9
            assert room == 0.0 or load.notice_min <= known_min
            if room > 0.0 and random.random() < eager:
                seen.offers += 1
                offered = room * random.choice([1.0, 1.0, 0.3])
                for slot in range(lead + s.PAST, lead + s.PAST + count):
                    set_ahead(ring, s.LOAD, high, slot, offered)
        ordered = ahead(ring, s.LOAD, s.HI_LOCAL, s.PAST) + ahead(ring, s.LOAD, s.HI_BALANCING, s.PAST)
        shed, recovered, started = run_load(p, state, used[tick], ordered)
        for values, value in zip(
            (seen.shed, seen.recovered, seen.started, seen.short, seen.owed),
            (shed, recovered, started, ordered - shed, state[s.OWED_MWH]),
            strict=True,
        ):
            values.append(float(value))
        assert shed <= used[tick] + 1e-9
        assert used[tick] - shed + recovered <= connection + 1e-9
        if tick % DAY == DAY - 1:
            state[s.STARTED] = 0.0
        move_slots(ring)
    return seen


def publish(ring: np.ndarray, random: np.random.Generator, bought: float, lead: int, count: int, high: int) -> None:
    """Let a buyer take all, a part or nothing of what was offered for a block."""
    offered = ahead(ring, s.LOAD, high, lead + s.PAST)
    if offered > 0.0:
        sold = offered * (random.choice([1.0, 0.4]) if random.random() < bought else 0.0)
        for slot in range(lead + s.PAST, lead + s.PAST + count):
            set_ahead(ring, s.LOAD, high, slot, sold)
            set_ahead(ring, s.LOAD, high + 1, slot, sold)


def check_limits(seen: Played) -> None:
    """Assert durations, rest, activations per day and whole steps."""
    check_durations(seen)
    check_starts(seen)


def check_durations(seen: Played) -> None:
    """Assert shortest and longest activation, rest between two, and whole steps."""
    load, runs = seen.load, seen.runs()
    for first, length in runs:
        cut = first + length >= len(seen.shed)
        assert length * 15.0 <= load.max_duration_min, (first, length)
        assert cut or length * 15.0 >= load.min_duration_min, (first, length)
    for (first, length), (second, _) in pairwise(runs):
        assert (second - first - length) * 15.0 >= load.rest_min, (first, length, second)
    steps = np.array(seen.shed) / load.step_mw
    assert np.allclose(steps, np.round(steps), atol=1e-6)


def check_starts(seen: Played) -> None:
    """Assert activations per day."""
    starts = np.add.reduceat(seen.started, np.arange(0, len(seen.started), DAY))
    assert sum(seen.started) == len(seen.runs())
    assert (starts <= seen.load.activations_per_day).all(), starts


def check_energy(seen: Played) -> None:
    """Assert that what is owed at every moment is what was given up, times the rebound, less what was recovered."""
    shed, recovered = np.cumsum(seen.shed) * MTU_H, np.cumsum(seen.recovered) * MTU_H
    assert np.allclose(seen.owed, seen.load.rebound_frac * shed - recovered, atol=1e-9)
    assert min(seen.owed) >= 0.0
    assert not (np.array(seen.recovered)[np.array(seen.shed) > 0.0]).any()


GATES = st.sampled_from([(LOCAL,), (QUARTER,), (LOCAL, QUARTER)])
SEED = st.integers(0, 2**32 - 1)


@settings(max_examples=120)
@given(loads(), SEED, GATES)
def test_any_subset_of_calls_keeps_every_limit(load: Load, seed: int, gates: tuple):
    seen = play(load, seed, gates)
    check_durations(seen)
    check_energy(seen)
    if len(gates) == 1:  # two markets: see below
        check_starts(seen)
    assert max(seen.short) <= 1e-6  # what was foreseen is there


def eager(**more: float) -> Load:
    """Return a load that is all flexible in steps of 1 MW for 15 to 60 minutes, with 15 minutes of rest."""
    base = {"peak_mw": 4.0, "flexible_frac": 1.0, "step_mw": 1.0, "notice_min": 0.0, "min_duration_min": 15.0}
    return Load(**{**base, "max_duration_min": 60.0, "rest_min": 15.0, "activations_per_day": 96, **more})  # type: ignore[arg-type]


def test_two_markets_together_keep_the_activations_of_a_day():
    for seed in range(20):
        check_starts(play(eager(activations_per_day=1), seed, (LOCAL, QUARTER)))


def test_a_load_without_rest_keeps_its_longest_duration():
    for seed in range(20):
        check_durations(play(eager(rest_min=0.0, max_duration_min=30.0), seed, (QUARTER,)))


def test_a_load_stays_out_of_hourly_bids_that_are_called_per_mtu():
    offers = {name: compile_design(load_design(name)).gates for name in ("norflex", "norflex_eam")}
    whole = {name: [bool(gate[s.WHOLE]) for gate in gates if gate[s.KIND] == s.OFFER] for name, gates in offers.items()}
    assert whole == {"norflex": [True, False], "norflex_eam": [True, True]}  # local, balancing


def test_an_activation_that_finds_less_than_a_step_goes_on_and_does_not_start_again():
    for seed in range(20):
        seen = play(eager(rest_min=60.0), seed, (LOCAL,), real=0.5)
        starts = np.flatnonzero(np.array(seen.started) > 0.0)
        assert (np.diff(starts) * 15.0 >= 15.0 + 60.0).all(), starts


@settings(max_examples=60)
@given(loads(), SEED, GATES, st.sampled_from([4.0, 4.5, 9.0]))
def test_energy_is_conserved_with_any_consumption_and_connection(load: Load, seed: int, gates: tuple, connection: float):
    check_energy(play(load, seed, gates, real=0.5, connection=connection))


@pytest.mark.parametrize("name", preset_names())
def test_presets_keep_their_limits_and_do_something(name: str):
    load = Load(**load_preset(name))
    offers = starts = 0
    for seed in range(15):
        seen = play(load, seed, (LOCAL, QUARTER), ticks=4 * DAY)
        check_durations(seen)
        check_energy(seen)
        offers, starts = offers + seen.offers, starts + int(sum(seen.started))
    assert offers > 15
    assert starts > 10


@settings(max_examples=50)
@given(loads(), st.floats(0.1, 4.0), st.integers(1, 16))
def test_what_is_owed_is_back_in_time_if_the_connection_is_wide(load: Load, ordered: float, length: int):
    p = compile_portfolios((Portfolio(name="load", connection_mw=1000.0, load=load),))[0]
    state, given_up = np.zeros(s.STATE_W), 0.0
    for _ in range(length):
        shed, recovered, _ = run_load(p, state, 4.0, ordered)
        covers, flexible = np.ceil(ordered / load.step_mw - 1e-6), np.floor(4.0 * load.flexible_frac / load.step_mw + 1e-6)
        assert shed == pytest.approx(min(covers, flexible) * load.step_mw)
        given_up += shed * MTU_H
        assert recovered == 0.0
    back = 0.0
    for _ in range(int(load.rebound_min / 15.0)):
        back += run_load(p, state, 4.0, 0.0)[1] * MTU_H
    assert back == pytest.approx(load.rebound_frac * given_up, abs=1e-9)
    assert state[s.OWED_MWH] == pytest.approx(0.0, abs=1e-9)
