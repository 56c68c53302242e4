"""No look into the future: whatever is later than now may be anything, what is observed and open now stays the same.

One world per tested tick t: its scenario is garbage in everything that is not known at t, as the columns document it:

- balancing background of an MTU: known when its clearing is published, at the start of the MTU;
- local background of a block: known when the result of its clearing is published;
- imbalance price and dominating direction: after the MTU; need forecast: three MTU ahead;
- realised hourly means: as far as published (day-ahead results at 13:00); forecasts from the moment they were made on;
- local forecasts: near ones three hours ahead, far ones seven; the terminal price: never.
"""

from __future__ import annotations

import datetime as dt
import inspect
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stacking import columns as c
from stacking import observe
from stacking.columns import background_column
from stacking.compile import lead_mtu
from stacking.engine import Engine
from stacking.invariants import counts
from stacking.scenario import Library, generate, scenario_keys

from ..toy import DESIGNS, FLEET, SHARING, busy, design, lively

PORTFOLIOS = (FLEET[0], FLEET[4])
GROUPS = ("balancing", "local", "imbalance", "need forecast", "realised", "two days", "midnight", "noon", "near", "far")
BACKGROUND = {m: [background_column(d) + k for d in (0, 1) for k in range(c.BACKGROUND_W)] for m in (c.LFM, c.MFRR)}
LOCAL_GROUPS = ((c.LFM_NEED_FAR, "far"), (c.LFM_NEED_NEAR, "near"), (c.LFM_LIMIT_FAR, "far"), (c.LFM_LIMIT_NEAR, "near"))
REPEATED = ("series", "hourly", "local", "local_hourly", "scalars", "calendar", "length", "start_frac", "priority")
FORECASTS = {"two days": (c.DA_TWO_DAYS, 2, 12), "midnight": (c.DA_MIDNIGHT, 1, 0), "noon": (c.DA_NOON, 1, 12)}


def scenario(ticks: int) -> Library:
    """Return the first drawn scenario of two days that has this many ticks (236 and 244: the clock changes)."""
    for key in scenario_keys("train", 1000, seed=31):
        lib = generate([key], rows=2, days=2)
        if lib.length[0] == ticks:
            return busy(lib, seed=31)
    raise AssertionError(f"no scenario of {ticks} ticks")


@pytest.fixture(scope="module")
def lib() -> Library:
    return scenario(240)


def chosen_ticks(length: int) -> list[int]:
    """Ticks around noon, the day-ahead publication and midnight, the last ones, and some of every quarter of the hour."""
    noon, result, midnight = (0, 1, 95, 96, 97), (3, 4, 5, 99, 100, 101), (47, 48, 49, 143, 144, 145)
    chosen = {*noon, *result, *midnight, *range(length - 6, length + 1), *range(2, length, 5)}
    return sorted(chosen)


def unknown(lib: Library, setting, tick: int, early: str = "") -> dict[str, np.ndarray]:
    """Return for each group which MTU or hours are not known at a tick.

    Args:
        lib: one scenario.
        setting: design, for its local clearing.
        tick: now.
        early: a group of which the newest thing that is known is treated as unknown as well.
    """
    length, hours = int(lib.length[0]), lib.hourly.shape[1]
    mtu, hour, now = np.arange(lib.series.shape[1]), np.arange(hours), min(tick, length - 1)
    one = {group: int(group == early) for group in GROUPS}
    told = lead_mtu(setting.products["lfm"].publication_min, earlier=False)
    zone = ZoneInfo(lib.timezone)
    start = lib.start_utc[0].astype(dt.datetime).replace(tzinfo=dt.UTC)
    moment = start + dt.timedelta(minutes=15 * now)
    day = np.array([(start + dt.timedelta(hours=h)).astimezone(zone).toordinal() for h in range(hours)])
    # the TSO's matches in a shared book are told at once: they rest on the balancing bids of that MTU, which are closed
    matched = max((lead_mtu(float(g.lead_min or 0), earlier=True) - 1 for g in setting.gates if g.kind == "match"), default=0)
    by_mtu = any(g.by == "mtu" for g in setting.gates)
    out = {
        "balancing": mtu > tick + matched - one["balancing"],
        "local": (mtu if by_mtu else mtu - mtu % 4) > tick + told - 4 * one["local"],
        "imbalance": mtu >= tick - one["imbalance"],
        "need forecast": mtu > tick + 3 - one["need forecast"],
        "realised": hour >= now // 4 + lib.calendar[0, now, c.KNOWN_HOURS] - one["realised"],
        "near": hour > now // 4 + 3 - one["near"],
        "far": hour > now // 4 + 7 - one["far"],
    }
    if setting.products["lfm"].gate_clock is not None:  # the DSO publishes what it asks for: today, from 06:00 on tomorrow
        asked = moment.astimezone(zone).toordinal() + (moment.astimezone(zone).hour >= 6)
        out["far"] = day > asked - one["far"]
        out["local"] = np.repeat(day, 4)[: len(mtu)] > asked
    for group, (_, days, clock) in FORECASTS.items():
        # the first day whose forecast of this kind has not been made yet
        first = moment.astimezone(zone).toordinal() + days + (moment.astimezone(zone).hour >= clock)
        out[group] = day >= first - one[group]
    return out


def spoiled(lib: Library, setting, ticks: list[int], early: str = "") -> Library:
    """Return the scenario as it is, and once per tick with garbage in all that is not known then."""
    random = np.random.default_rng(1)
    many = {name: np.repeat(getattr(lib, name), len(ticks) + 1, axis=0) for name in REPEATED}
    series, hourly, local, local_hourly = (many[name] for name in REPEATED[:4])
    for i, tick in enumerate(ticks, start=1):
        no = unknown(lib, setting, tick, early)
        later_prices = np.arange(series.shape[1]) > tick
        if "id" in setting.receiving_markets:  # what is passed on there is sold at once, at prices that are published
            later_prices = np.repeat(no["realised"], 4)[: series.shape[1]]
        for columns, rows in (
            (BACKGROUND[c.MFRR], no["balancing"]),
            ([c.IMBALANCE_PRICE, c.DOMINANT], no["imbalance"]),
            ([c.NEED_FORECAST], no["need forecast"]),
            ([c.DA_PRICE], later_prices),
        ):
            shape = (int(rows.sum()), len(columns))
            series[i][np.ix_(rows, np.array(columns))] = np.abs(random.normal(0, 300, shape))
        for area in range(local.shape[1]):
            rows = np.ix_(no["local"], np.array(BACKGROUND[c.LFM]))
            local[i, area][rows] = random.normal(0, 300, (int(no["local"].sum()), 2 * c.BACKGROUND_W))
            for column, group in LOCAL_GROUPS:
                local_hourly[i, area, column, no[group]] = random.normal(0, 300, int(no[group].sum()))
        for column, rows in (
            (c.DA_MEAN, no["realised"]),
            *((FORECASTS[group][0], no[group]) for group in FORECASTS),
        ):
            hourly[i, rows, column] = random.normal(0, 300, int(rows.sum()))
        many["scalars"][i, c.TERMINAL_PRICE] = abs(random.normal(0, 300))
    return replace(lib, keys=lib.keys * (len(ticks) + 1), **many)


def compare(lib: Library, name: str, early: str = "", **changes: dict) -> tuple[int, int, int, float]:
    """Play all worlds with the same actions; return views compared, views that differ up to t, and after t; MWh traded."""
    setting, length = design(name, **changes), int(lib.length[0])
    ticks = chosen_ticks(length)
    engine = Engine(setting, PORTFOLIOS, spoiled(lib, setting, ticks, early), len(ticks) + 1)
    engine.reset(np.arange(len(ticks) + 1))
    until, random = np.array([length, *ticks]), np.random.default_rng(2)
    compared = wrong = after = 0
    traded = 0.0
    for tick in range(length + 1):
        same = (engine.observation == engine.observation[:1]).all(axis=(1, 2)) & (engine.mask == engine.mask[:1]).all(axis=(1, 2))
        compared += int((until >= tick).sum()) - 1
        wrong += int((~same & (until >= tick)).sum())
        after += int((~same & (until < tick)).any())
        if tick < length:
            action = np.clip(lively(engine.compiled.bounds, (1, len(PORTFOLIOS)), random), *engine.compiled.bounds)
            engine.step(np.repeat(action, len(until), axis=0))
            traded += float(counts(engine)["trades"])
    return compared, wrong, after, traded


@pytest.mark.parametrize("name", DESIGNS)
def test_nothing_later_than_now_is_observed(lib: Library, name: str):
    assert len(chosen_ticks(int(lib.length[0]))) >= 50
    compared, wrong, after, traded = compare(lib, name)
    assert wrong == 0
    assert compared > 5000
    assert after > 200  # the garbage does reach the observation once it is due
    assert traded > 1000.0


@pytest.mark.parametrize("rules", SHARING, ids=lambda rules: next(iter(rules)))
def test_nothing_later_than_now_is_observed_under_other_rules_of_sharing(lib: Library, rules: dict):
    compared, wrong, after, traded = compare(lib, "norflex_eam", **rules)
    assert wrong == 0
    assert compared > 5000
    assert after > 200
    assert traded > 1000.0


@pytest.mark.parametrize("ticks", [236, 244])
def test_nothing_later_than_now_is_observed_when_the_clock_changes(ticks: int):
    compared, wrong, after, _ = compare(scenario(ticks), "norflex_eam")
    assert wrong == 0
    assert compared > 5000
    assert after > 200


@pytest.mark.parametrize("group", GROUPS)
def test_the_test_sees_a_leak_of_every_kind(lib: Library, group: str):
    """Garbage in the newest thing that is known at t must be seen: the boundary is tight for every kind of data."""
    assert compare(lib, "norflex_eam", early=group)[1] > 0


def test_parallel_late_learns_of_the_local_call_after_it(lib: Library):
    assert compare(lib, "parallel_late", early="local")[1] > 0


@pytest.mark.parametrize("minutes", [90.0, 45.0, 15.0, -15.0])
def test_a_local_result_is_not_seen_before_a_late_publication(lib: Library, minutes: float):
    """The price of the next block, cleared meanwhile, is not told with the result of the block before."""
    compared, wrong, _, traded = compare(lib, "parallel_adjusted", lfm={"publication_min": minutes})
    assert wrong == 0
    assert compared > 5000
    assert traded > 100.0


def test_a_forecast_that_looks_ahead_is_caught(lib: Library, monkeypatch: pytest.MonkeyPatch):
    """A leak in the code: the observed need forecast reads the MTU after the one that is forecast."""
    source = "series[min(tick + 3, length - 1), c.NEED_FORECAST]"
    text = inspect.getsource(observe.observe_world)
    assert source in text
    scope = dict(vars(observe))
    exec(text.replace(source, source.replace("tick + 3", "tick + 4")), scope)
    monkeypatch.setattr("stacking.observe.observe_world", scope["observe_world"])
    monkeypatch.setattr("stacking.engine.build", lambda kernel, backend: kernel)  # plain Python, nothing is compiled
    short = replace(lib, length=np.array([24]))
    monkeypatch.setattr(f"{__name__}.chosen_ticks", lambda length: [2, 9, 15])
    assert compare(short, "norflex_eam")[1] > 0
    monkeypatch.undo()
    monkeypatch.setattr("stacking.engine.build", lambda kernel, backend: kernel)
    monkeypatch.setattr(f"{__name__}.chosen_ticks", lambda length: [2, 9, 15])
    assert compare(short, "norflex_eam")[1] == 0
