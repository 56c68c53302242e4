"""What a portfolio can still offer: the room of its assets, cut by the grid connection, and how an order is split over them."""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import state as s
from .assets.battery import battery_room, battery_span_mw
from .assets.fleet import fleet_consumption_mw, fleet_room
from .assets.load import load_room
from .build import law, part
from .state import ahead, cell, column, slot_of
from .units import MTU_PER_HOUR


@law
def position_mw(p: Any, ring: Any, fleet: Any, load: Any, tau: int, slot: int) -> float:
    """Return the schedule of a portfolio in one MTU of the window: battery, fleet and load together, MW."""
    power = ahead(ring, s.BATTERY, s.SCHEDULED, slot)
    if p[s.FLEET_ROW] >= 0.0:
        power -= fleet_consumption_mw(ring, fleet, tau, slot)
    if p[s.LOAD_ROW] >= 0.0:
        power -= load[tau // MTU_PER_HOUR]
    return power


@law
def pending_in(ring: Any, slot: int, high: int, low: int) -> bool:
    """Return whether offers of one market (its HI and LO field) wait for a result in one MTU."""
    waiting = False
    for kind in range(s.KINDS_W):
        if ahead(ring, kind, high, slot) != ahead(ring, kind, low, slot):
            waiting = True
    return waiting


@law
def known_mw(ring: Any, kind: int, high: int, slot: int) -> float:
    """Return what of an asset kind is known to be sold on one market (its HI field) for one MTU, MW, + = up."""
    highest = ahead(ring, kind, high, slot)
    return highest if highest == ahead(ring, kind, high + 1, slot) else 0.0


@law
def known_sale_mw(ring: Any, high: int, slot: int) -> float:
    """Return what of all assets is known to be sold on one market for one MTU, MW, + = up."""
    return known_mw(ring, s.BATTERY, high, slot) + known_mw(ring, s.FLEET, high, slot) + known_mw(ring, s.LOAD, high, slot)


@law
def passed_mw(ring: Any, slot: int) -> float:
    """Return what was forwarded for one MTU and waits for a result, or was called as far as known, MW, + = up."""
    up, down = cell(ring, slot, column(c.FORWARDED, s.OFFERED, 0)), cell(ring, slot, column(c.FORWARDED, s.OFFERED, 1))
    if up == 0.0 and down == 0.0:
        return 0.0
    if pending_in(ring, slot, s.HI_BALANCING, s.LO_BALANCING):
        return up - down
    return cell(ring, slot, column(c.FORWARDED, s.SOLD, 0)) - cell(ring, slot, column(c.FORWARDED, s.SOLD, 1))


@part
def free_power(
    p: Any, state: Any, ring: Any, fleet: Any, load: Any, tick: int, lead: int, count: int, known_min: int, local: float,
    balancing: float, with_load: bool, same_day: bool, work: Any,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return what a portfolio can still add in each of `count` MTU from tick + lead on; by asset kind it stands in work[ROOM:].

    Args:
        p, state, ring: one row each.
        fleet, load: forecasts of the portfolio.
        tick: now.
        lead, count: the block.
        known_min: minutes before delivery at which an order is known.
        local, balancing: 1 if commitments in that market are visible.
        with_load: whether the load may take part.
        same_day: whether the block lies on the local day of `tick`.
        work: scratch.

    Returns:
        MW up, MW down, lowest and highest battery content (MWh) at the full hour behind the window.
    """
    for k in range(2 * s.KINDS_W):
        work[s.ROOM + k] = 0.0
    low, high = state[s.CONTENT], state[s.CONTENT]
    if p[s.RATED_MW] > 0.0:
        up, down, low, high = battery_room(p, state[s.CONTENT], ring, tick, lead, count, local, balancing, work)
        work[s.ROOM + 2 * s.BATTERY], work[s.ROOM + 2 * s.BATTERY + 1] = up, down
    if p[s.FLEET_ROW] >= 0.0:
        up, down = fleet_room(p, ring, fleet, tick, lead, count, local, balancing, work)
        # where all points together exceed the connection, cars that wait for an order may not find room afterwards
        crowded = p[s.FLEET_MW] > p[s.CONNECTION_MW]
        if p[s.LOAD_ROW] >= 0.0:
            crowded = p[s.FLEET_MW] + load[(tick + lead) // MTU_PER_HOUR] > p[s.CONNECTION_MW]
        work[s.ROOM + 2 * s.FLEET], work[s.ROOM + 2 * s.FLEET + 1] = 0.0 if crowded else up, down
    if with_load and p[s.LOAD_ROW] >= 0.0:
        work[s.ROOM + 2 * s.LOAD] = load_room(p, state, ring, load, tick, lead, count, known_min, local, balancing, same_day)
    total_up, total_down = 0.0, 0.0
    for kind in range(s.KINDS_W):
        total_up += work[s.ROOM + 2 * kind]
        total_down += work[s.ROOM + 2 * kind + 1]
    up, down = _connection_room(p, ring, fleet, load, tick, lead, count, local, balancing)
    return min(total_up, up), min(total_down, down), low, high


@law
def keep_feasible(feasible: Any, first: int, up_mw: float, down_mw: float, work: Any) -> None:
    """Keep what `free_power` returned last for the gate that is seen next; it holds until something is traded or offered."""
    feasible[first], feasible[first + 1] = up_mw, down_mw
    for k in range(2 * s.KINDS_W):
        feasible[first + 2 + k] = work[s.ROOM + k]


@law
def kept_feasible(feasible: Any, first: int, work: Any) -> tuple[float, float]:
    """Return what was kept, MW up and down; by asset kind it stands in work[ROOM:], as after `free_power`."""
    for k in range(2 * s.KINDS_W):
        work[s.ROOM + k] = feasible[first + 2 + k]
    return feasible[first], feasible[first + 1]


@law
def _connection_room(
    p: Any, ring: Any, fleet: Any, load: Any, tick: int, lead: int, count: int, local: float, balancing: float
) -> tuple[float, float]:
    """Return what the grid connection leaves in both directions in every MTU of a block, MW."""
    limit = p[s.CONNECTION_MW]
    if p[s.FLEET_ROW] < 0.0 and p[s.LOAD_ROW] < 0.0:
        return 2.0 * limit, 2.0 * limit  # the rated power of the battery is cut already
    up, down = 2.0 * limit, 2.0 * limit
    for tau in range(tick + lead, tick + lead + count):
        slot = slot_of(tau, tick)
        most, least = battery_span_mw(p[s.RATED_MW], ring, slot, local, balancing)
        others = position_mw(p, ring, fleet, load, tau, slot) - ahead(ring, s.BATTERY, s.SCHEDULED, slot)
        most, least = most + others, least + others
        for kind in range(s.FLEET, s.KINDS_W):
            most += local * ahead(ring, kind, s.HI_LOCAL, slot) + balancing * ahead(ring, kind, s.HI_BALANCING, slot)
            least += local * ahead(ring, kind, s.LO_LOCAL, slot) + balancing * ahead(ring, kind, s.LO_BALANCING, slot)
        up, down = min(up, limit - most), min(down, limit + least)
    return max(0.0, up), max(0.0, down)


@law
def set_cell(ring: Any, slot: int, column: int, value: float) -> None:
    """Set a book column of one MTU."""
    ring[s.BOOK + slot * s.BOOK_W + column] = value


@law
def add_ahead(ring: Any, kind: int, field: int, slot: int, power_mw: float) -> None:
    """Add to a field of an asset kind in one MTU."""
    ring[s.AHEAD + (kind * s.ASSET_FIELDS + field) * s.SLOTS + slot] = ahead(ring, kind, field, slot) + power_mw


@law
def set_ahead(ring: Any, kind: int, field: int, slot: int, power_mw: float) -> None:
    """Set a field of an asset kind in one MTU."""
    ring[s.AHEAD + (kind * s.ASSET_FIELDS + field) * s.SLOTS + slot] = power_mw


@law
def reserve(p: Any, ring: Any, slot: int, count: int, field: int, direction: int, power_mw: float, work: Any) -> None:
    """Split an offer for the block at a slot over the assets by cost within work[ROOM:] and add it to their HI (up) or LO."""
    left, sign = power_mw, 1.0 if direction == 0 else -1.0
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        taken = min(left, work[s.ROOM + 2 * kind + direction])
        if taken > 0.0:
            left -= taken
            for place in range(slot, slot + count):
                add_ahead(ring, kind, field + direction, place, sign * taken)


@law
def unsold_behind_mw(ring: Any, kind: int, slot: int, direction: int, work: Any) -> float:
    """Return what an asset kind holds ready for a local bid that was not bought, MW; its part of the order is in work[SHARE:]."""
    sign = 1.0 if direction == 0 else -1.0
    offered = sign * ahead(ring, kind, s.HI_LOCAL + direction, slot)
    return max(0.0, offered - max(0.0, sign * work[s.SHARE + kind]))


@law
def trim_reserve(p: Any, ring: Any, slot: int, field: int, direction: int, keeps_mw: float) -> None:
    """Cut what the assets hold ready for the offers of a direction in one MTU (their HI or LO), that of the dearest first."""
    left, sign = keeps_mw, 1.0 if direction == 0 else -1.0
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        stays = min(left, sign * ahead(ring, kind, field + direction, slot))
        left -= stays
        set_ahead(ring, kind, field + direction, slot, sign * stays)


@part
def split_order(p: Any, ring: Any, slot: int, high: int, local: bool, out: int, work: Any) -> None:
    """Split what one market bought for an MTU over the assets, by cost within what each of them offered.

    Once results are known the split stands in the ring. Args: p, ring: one row each; high: HI field of the market;
    local: which market; out: first of three columns of `work`, written: MW, + = up.
    """
    if not pending_in(ring, slot, high, high + 1):
        for kind in range(s.KINDS_W):
            work[out + kind] = ahead(ring, kind, high, slot)
        return
    if local:
        up, down = cell(ring, slot, column(c.LFM, s.SOLD, 0)), cell(ring, slot, column(c.LFM, s.SOLD, 1))
    else:
        up = cell(ring, slot, column(c.MFRR, s.SOLD, 0)) + cell(ring, slot, column(c.FORWARDED, s.SOLD, 0))
        down = cell(ring, slot, column(c.MFRR, s.SOLD, 1)) + cell(ring, slot, column(c.FORWARDED, s.SOLD, 1))
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        mine_up = min(up, ahead(ring, kind, high, slot))
        mine_down = min(down, -ahead(ring, kind, high + 1, slot))
        up, down = up - mine_up, down - mine_down
        work[out + kind] = mine_up - mine_down


@part
def publish_market(p: Any, ring: Any, slot: int, high: int, local: bool, work: Any) -> None:
    """Make the result of one market and MTU known to the FSP: what is sold is fixed, the rest is free."""
    if not pending_in(ring, slot, high, high + 1):
        return
    split_order(p, ring, slot, high, local, s.SHARE, work)
    for kind in range(s.KINDS_W):
        set_ahead(ring, kind, high, slot, work[s.SHARE + kind])
        set_ahead(ring, kind, high + 1, slot, work[s.SHARE + kind])
