"""The battery: the energy in its store, what it can still offer, and its movement; nothing about markets."""

from __future__ import annotations

from typing import Any

from .. import state as s
from ..build import law
from ..state import ahead, hour_cell, slot_of, wide
from ..units import MTU_PER_HOUR

FAR_MWH = 1e18  # no store is as large: stands for infinity before the first energy is summed


@law
def drain_mwh(power_mw: float, into: float, out: float) -> float:
    """Return the energy that one MTU at a power takes from the store (negative: puts into it), MWh.

    Args:
        power_mw: power at the meter, + = injection.
        into: MWh stored per MW of charging and MTU = h * charge_efficiency_frac.
        out: MWh taken per MW of injection and MTU = h / discharge_efficiency_frac.

    >>> drain_mwh(1.0, 0.225, 0.3125), drain_mwh(-1.0, 0.225, 0.3125)
    (0.3125, -0.225)
    """
    return power_mw * out if power_mw >= 0.0 else power_mw * into


@law
def power_for_drain_mw(drain: float, into: float, out: float) -> float:
    """Return the power whose drain over one MTU is the given energy; the inverse of `drain_mwh`.

    >>> power_for_drain_mw(0.3125, 0.225, 0.3125), power_for_drain_mw(-0.225, 0.225, 0.3125)
    (1.0, -1.0)
    """
    return drain / out if drain >= 0.0 else drain / into


@law
def deliverable_mw(
    wanted_mw: float, content_mwh: float, limit_mw: float, min_mwh: float, max_mwh: float, into: float, out: float
) -> float:
    """Return the power nearest to the wanted one that the limit and the content window allow for one MTU."""
    power = min(max(wanted_mw, -limit_mw), limit_mw)
    most = power_for_drain_mw(max(content_mwh - min_mwh, 0.0), into, out)
    least = power_for_drain_mw(min(content_mwh - max_mwh, 0.0), into, out)
    return min(max(power, least), most)


@law
def terminal_value_eur(
    start_mwh: float,
    end_mwh: float,
    price_eur_per_mwh: float,
    wear_eur_per_mwh: float,
    charge_frac: float,
    discharge_frac: float,
) -> float:
    """Return the value of the change of content over an episode (LAYOUT terminal rule), EUR.

    With D = end - start and L >= 0: max(0, L - wear) * discharge_frac * D if D >= 0, else L * D / charge_frac. Concave
    in the end content, so neither filling nor emptying is free profit.

    >>> terminal_value_eur(1.0, 2.0, 50.0, 10.0, 0.9, 0.9), round(terminal_value_eur(2.0, 1.0, 45.0, 10.0, 0.9, 0.9), 9)
    (36.0, -50.0)
    """
    change = end_mwh - start_mwh
    if change >= 0.0:
        return max(0.0, price_eur_per_mwh - wear_eur_per_mwh) * discharge_frac * change
    return price_eur_per_mwh * change / charge_frac


@law
def battery_span_mw(rated_mw: float, ring: Any, slot: int, local: float, balancing: float) -> tuple[float, float]:
    """Return the highest and lowest power of one MTU: all visible up offers called and no down offer, and the opposite.

    Args:
        rated_mw: highest power in either direction (a number, so that a loop over MTU reads it once and takes several together).
        ring: (RING_W,) what lies ahead.
        slot: ring slot of the MTU.
        local, balancing: 1 if commitments in that market are visible, else 0.
    """
    power = ahead(ring, s.BATTERY, s.SCHEDULED, slot)
    most = power + local * ahead(ring, s.BATTERY, s.HI_LOCAL, slot) + balancing * ahead(ring, s.BATTERY, s.HI_BALANCING, slot)
    least = power + local * ahead(ring, s.BATTERY, s.LO_LOCAL, slot) + balancing * ahead(ring, s.BATTERY, s.LO_BALANCING, slot)
    return min(most, rated_mw), max(least, -rated_mw)


@law
def battery_room(
    p: Any, content: float, ring: Any, tick: int, lead: int, count: int, local: float, balancing: float, work: Any
) -> tuple[float, float, float, float]:
    """Return what the battery can still add in each of `count` MTU from tick + lead on, looking over all its commitments.

    Up: the lowest path of the content (everything pending up is called) stays above the minimum at all later times, also
    if later schedules take the most; down: the highest path stays below the maximum.

    Args:
        p, ring: one row each.
        content: MWh in the store now.
        tick: now.
        lead, count: the block of MTU.
        local, balancing: 1 if commitments in that market are visible.
        work: scratch.

    Returns:
        MW up, MW down, lowest and highest content (MWh) at the full hour behind the window.
    """
    into, out, rated = p[s.INTO], p[s.OUT], p[s.RATED_MW]
    low, high = content, content
    up_room, down_room, up_energy, down_energy = FAR_MWH, FAR_MWH, FAR_MWH, FAR_MWH
    for j in range(s.LANES):  # a loop of its own, so that the compiler takes several MTU at once
        most, least = battery_span_mw(rated, ring, j + s.PAST, local, balancing)
        work[s.DRAIN_MOST + j], work[s.DRAIN_LEAST + j] = drain_mwh(most, into, out), drain_mwh(least, into, out)
    end = lead + count - 1
    for j in range(end):
        low -= work[s.DRAIN_MOST + j]
        high -= work[s.DRAIN_LEAST + j]
        if j >= lead:  # inside the block only the MTU so far have taken their part
            up_energy = min(up_energy, (low - p[s.MIN_MWH]) / (j - lead + 1))
            down_energy = min(down_energy, (p[s.MAX_MWH] - high) / (j - lead + 1))
    for j in range(end, s.WINDOW):
        low -= work[s.DRAIN_MOST + j]
        high -= work[s.DRAIN_LEAST + j]
        up_room, down_room = min(up_room, low - p[s.MIN_MWH]), min(down_room, p[s.MAX_MWH] - high)
    # the rest of the hour in which the window ends, then whole hours
    edge = tick + s.WINDOW
    left = -edge % MTU_PER_HOUR
    rest = left * drain_mwh(hour_cell(ring, s.PLAN_BATTERY, edge // MTU_PER_HOUR), into, out)
    later = (edge + left) // MTU_PER_HOUR
    low, high = low - rest, high - rest
    draw, fill = reach_mwh(ring, later, into, out)
    up_room, down_room = min(up_room, low - p[s.MIN_MWH] - max(0.0, draw)), min(down_room, p[s.MAX_MWH] - high + min(0.0, fill))
    if count > 1:
        up_room, down_room = up_room / count, down_room / count
    up_energy, down_energy = min(up_energy, up_room), min(down_energy, down_room)
    up, down = 2.0 * rated, 2.0 * rated
    for slot in range(lead + s.PAST, lead + s.PAST + count):
        most, least = battery_span_mw(rated, ring, slot, local, balancing)
        height = power_for_drain_mw(drain_mwh(most, into, out) + up_energy, into, out)
        depth = power_for_drain_mw(drain_mwh(least, into, out) - down_energy, into, out)
        up = min(up, min(height, rated) - most)
        down = min(down, least - max(depth, -rated))
    return max(0.0, up), max(0.0, down), low, high


@law
def content_span_mwh(p: Any, state: Any, ring: Any, tick: int, until: int) -> tuple[float, float]:
    """Return the lowest and highest content to which own commitments can lead by an MTU, MWh."""
    low, high, into, out = state[s.CONTENT], state[s.CONTENT], p[s.INTO], p[s.OUT]
    for tau in range(tick, min(until, tick + s.WINDOW)):
        most, least = battery_span_mw(p[s.RATED_MW], ring, slot_of(tau, tick), 1.0, 1.0)
        low -= drain_mwh(most, into, out)
        high -= drain_mwh(least, into, out)
    for tau in range(tick + s.WINDOW, until):
        drain = drain_mwh(hour_cell(ring, s.PLAN_BATTERY, tau // MTU_PER_HOUR), into, out)
        low, high = low - drain, high - drain
    return low, high


@law
def reach_mwh(ring: Any, hour: int, into: float, out: float) -> tuple[float, float]:
    """Return the largest and smallest energy that the schedule takes from the start of an hour to any later time, MWh."""
    after = hour + -hour % s.REACH_HOURS
    place = s.REACH + after // s.REACH_HOURS % s.REACHES
    draw, fill = wide(ring[place + s.DRAW * s.REACHES]), wide(ring[place + s.FILL * s.REACHES])
    for back in range(after - hour):
        drain = MTU_PER_HOUR * drain_mwh(hour_cell(ring, s.PLAN_BATTERY, after - 1 - back), into, out)
        draw, fill = drain + max(0.0, draw), drain + min(0.0, fill)
    return draw, fill


@law
def renew_reach(p: Any, ring: Any, first: int, last: int) -> None:
    """Recompute DRAW and FILL of the delivery hours first..last from the schedule, backwards; nothing is scheduled behind."""
    draw, fill = 0.0, 0.0
    for back in range(last - first + 1):
        hour = last - back
        drain = MTU_PER_HOUR * drain_mwh(hour_cell(ring, s.PLAN_BATTERY, hour), p[s.INTO], p[s.OUT])
        draw, fill = drain + max(0.0, draw), drain + min(0.0, fill)
        if hour % s.REACH_HOURS == 0:
            place = s.REACH + hour // s.REACH_HOURS % s.REACHES
            ring[place + s.DRAW * s.REACHES], ring[place + s.FILL * s.REACHES] = draw, fill


@law
def move_battery(p: Any, state: Any, wanted_mw: float) -> float:
    """Move the battery towards a power for one MTU, as far as physics allows; return the power, MW."""
    into, out = p[s.INTO], p[s.OUT]
    power = deliverable_mw(wanted_mw, state[s.CONTENT], p[s.RATED_MW], p[s.MIN_MWH], p[s.MAX_MWH], into, out)
    content = state[s.CONTENT] - drain_mwh(power, into, out)
    state[s.CONTENT] = min(max(content, p[s.MIN_MWH]), p[s.MAX_MWH])  # rounding of the inverse only
    return power
