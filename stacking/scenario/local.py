"""Rare local needs of a distribution system operator, the thin supply of others, their forecasts, and the room left."""

from __future__ import annotations

import calendar as months
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from .calendar import Clock
from .draws import autocorrelated, from_scores
from .keys import ScenarioKey, stream
from .parameters import Forecast, Local, LocalSlot

Floats = NDArray[np.float64]

SIGN = (1.0, -1.0)
"""Sign of needs and prices by direction: a DSO pays for up, and accepts prices down to minus its limit for down."""

FAR, NEAR = 0, 1


@dataclass(frozen=True)
class LocalSeries:
    """Local market of one scenario, per hour."""

    background: Floats  # (2, BACKGROUND_W, H), zero where there is no need
    need_forecast_mw: Floats  # (2, H) far, near; + = up
    limit_forecast: Floats  # (2, H) far, near
    headroom_mw: Floats  # (2, H) room below the limit in hours without need, per direction, MW >= 0; 0 where there is one

    @property
    def margin_mw(self) -> Floats:
        """Return the signed need (2, H): MW above the limit (+) or, as headroom, below it (-); load = limit + margin."""
        return self.background[:, c.NEED] - self.headroom_mw


@dataclass(frozen=True)
class _Event:
    """One need: hours [first, last), MW, price limit, others' supply; and how it was foreseen far and near."""

    direction: int
    first: int
    last: int
    size_mw: float
    limit: float
    volume_mw: float
    cheapest: float
    dearest: float
    foreseen: tuple[bool, bool]
    size_error: tuple[float, float]
    limit_error: tuple[float, float]


def draw_local(key: ScenarioKey, clock: Clock, coupling: Floats | None, p: Local, f: Forecast, *, area: str = "") -> LocalSeries:
    """Return drawn local needs of one area.

    Each local day has a chance of one need per direction: p = hours a year / mean duration * share of the month /
    days of the month * exp(a s - a^2 / 2), s = slow day-ahead score at the day's start (none for replayed prices).

    Args:
        key: names the random stream.
        clock: hours of the scenario.
        coupling: slow day-ahead score (H,) or None.
        p: needs and supply.
        f: errors of the forecasts.
        area: name of the area; each has streams of its own.
    """
    name = f" {area}" if area else ""
    background = np.zeros((2, c.BACKGROUND_W, clock.hours))
    need, limit = np.zeros((2, clock.hours)), np.zeros((2, clock.hours))
    # false alarms first, so that real needs overwrite them; up before down, which yields where both fall together
    alarms = _events(key, clock, coupling, p, f, name, alarm=True)
    for event in alarms:
        _foresee(event, clock, need, limit)
    taken = np.zeros(clock.hours, dtype=bool)
    for event in _events(key, clock, coupling, p, f, name, alarm=False):
        hours = slice(event.first, event.last)
        if taken[hours].any():
            continue
        taken[hours] = True
        sign = SIGN[event.direction]
        background[event.direction, c.NEED, hours] = event.size_mw
        background[event.direction, c.VOLUME, hours] = event.volume_mw
        background[event.direction, c.REF, hours] = sign * event.cheapest
        background[event.direction, c.ANCHOR, hours] = sign * event.dearest
        background[event.direction, c.LIMIT, hours] = sign * event.limit
        need[:, hours] = 0.0
        limit[:, hours] = 0.0
        _foresee(event, clock, need, limit)
    return LocalSeries(background, need, limit, _headroom(key, clock, background[:, c.NEED], p, name))


def _headroom(key: ScenarioKey, clock: Clock, need_mw: Floats, p: Local, name: str) -> Floats:
    """Return room below the limit (2, H): quantiles x factor of the month, from 1 in high season to the off-season factor."""
    out = np.zeros_like(need_mw)
    for direction, slot in ((c.UP, p.up), (c.DN, p.down)):
        score = autocorrelated(stream(key, f"local headroom {direction}{name}"), clock.hours, p.headroom_memory_h)
        season = np.array(slot.month_weight) / max(slot.month_weight)
        factor = p.headroom_offseason_factor + (1.0 - p.headroom_offseason_factor) * season
        out[direction] = np.where(need_mw[direction] > 0, 0.0, from_scores(p.headroom, score) * factor[clock.month - 1])
    return out


def expected_hours(days: float, p: Local) -> float:
    """Return the mean hours of local need in a number of days."""
    return (p.up.hours_per_year + p.down.hours_per_year) * days / 365.0


def _foresee(event: _Event, clock: Clock, need: Floats, limit: Floats) -> None:
    hours, sign = slice(event.first, event.last), SIGN[event.direction]
    for lead in (FAR, NEAR):
        if event.foreseen[lead]:
            need[lead, hours] = sign * event.size_mw * np.exp(event.size_error[lead])
            limit[lead, hours] = sign * event.limit * np.exp(event.limit_error[lead])


def _events(
    key: ScenarioKey, clock: Clock, coupling: Floats | None, p: Local, f: Forecast, name: str, *, alarm: bool
) -> list[_Event]:
    days = int(clock.day[-1]) + 1
    first_hour = np.searchsorted(clock.day, np.arange(days))
    events = []
    for direction, slot in ((c.UP, p.up), (c.DN, p.down)):
        random = stream(key, f"local {'alarm' if alarm else 'need'} {direction}{name}")
        uniform, scores = random.random((days, 9)), random.standard_normal((days, 10))
        chance = _chance(clock, first_hour, coupling, slot, p) * (f.local_false_per_true if alarm else 1.0)
        for day in np.flatnonzero(uniform[:, 0] < chance):
            start = _pick(slot.hour_weight, uniform[day, 1])
            at = np.flatnonzero((clock.day == day) & (clock.hour == start))
            if len(at):  # the first day starts at noon, the last one is cut
                last = min(int(at[0]) + 1 + _pick(p.duration_weight, uniform[day, 2]), clock.hours)
                events.append(_event(direction, int(at[0]), last, uniform[day], scores[day], slot, p, f, alarm))
    return events


def _event(
    direction: int,
    first: int,
    last: int,
    uniform: Floats,
    scores: Floats,
    slot: LocalSlot,
    p: Local,
    f: Forecast,
    alarm: bool,
) -> _Event:
    low, high = np.log(p.size_mw[0]), np.log(p.size_mw[1])
    others = _pick(p.others_weight, uniform[4])
    limit = float(from_scores(slot.limit, scores[5:6])[0])
    dearest = limit * _between(p.other_dearest_frac, uniform[8])
    hit = (
        (True, uniform[7] < f.local_false_kept_frac)
        if alarm
        else tuple(uniform[6 + k] < f.local_hit_frac[k] for k in (FAR, NEAR))
    )
    return _Event(
        direction=direction,
        first=first,
        last=last,
        size_mw=float(np.exp(low + (high - low) * uniform[3])),
        limit=limit,
        volume_mw=float(from_scores(p.other_size, scores[6 : 6 + others]).sum()),
        cheapest=dearest * _between(p.other_cheapest_frac, uniform[5]),
        dearest=dearest,
        foreseen=(bool(hit[FAR]), bool(hit[NEAR])),
        size_error=(f.local_size_error[FAR] * scores[0], f.local_size_error[NEAR] * scores[1]),
        limit_error=(f.local_limit_error[FAR] * scores[2], f.local_limit_error[NEAR] * scores[3]),
    )


def _chance(clock: Clock, first_hour: NDArray[np.int64], coupling: Floats | None, slot: LocalSlot, p: Local) -> Floats:
    """Return the chance of a need per local day."""
    weights = np.array(p.duration_weight)
    mean_hours = float((weights * np.arange(1, len(weights) + 1)).sum() / weights.sum())
    month_share = np.array(slot.month_weight) / sum(slot.month_weight)
    lengths = np.array([months.monthrange(2025, month)[1] for month in range(1, 13)])
    chance = (slot.hours_per_year / mean_hours * month_share / lengths)[clock.month[first_hour] - 1]
    if coupling is None:
        return chance
    return chance * np.exp(p.price_coupling * coupling[first_hour] - 0.5 * p.price_coupling**2)


def _between(ends: tuple[float, float], uniform: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * uniform


def _pick(weights: tuple[float, ...], uniform: float) -> int:
    """Return an index drawn by weight."""
    edges = np.cumsum(np.array(weights, dtype=np.float64))
    return int(np.searchsorted(edges, uniform * edges[-1], side="right"))
