"""The EV fleet: charging points whose plugged cars must have their energy when they leave; nothing about markets.

Between now and any moment the plugged cars can take any energy between LEAST (each charges as late as it may) and MOST
(each charges at once). What a fleet offers stays between the two; what a car needs in this MTU to be ready in time is
charged whatever was sold, so a sale never leaves a driver short: it falls short itself. Energies at the meter.
"""

from __future__ import annotations

from typing import Any

from .. import columns as c
from .. import state as s
from ..build import law, part
from ..state import ahead, wide
from ..units import MTU_H, MTU_PER_HOUR

ENERGY_EPSILON_MWH = 1e-9
DONE_MWH = 1e-6  # one watt-hour: a car that lacks less is ready


@law
def must_charge_mw(left_mwh: float, power_mw: float, mtu_left: float) -> float:
    """Return what a car has to charge in this MTU so that full power afterwards still makes it ready, MW.

    >>> must_charge_mw(1.0, 1.0, 4.0), must_charge_mw(1.0, 1.0, 4.5), must_charge_mw(1.0, 1.0, 8.0)
    (1.0, 0.5, 0.0)
    """
    return min(power_mw, max(0.0, left_mwh - power_mw * MTU_H * (mtu_left - 1.0)) / MTU_H)


@law
def lent_mwh(room_mwh: float, left_mwh: float, power_mw: float, mtu_left: float, loss_frac: float) -> float:
    """Return the energy that a car can give back over the next MTU and still recover in time.

    g <= room and (left + g (1 + loss)) + g <= (time - 1) x power: the MTU in which it gives last is lost for charging.

    >>> lent_mwh(0.02, 0.0, 0.01, 16.0, 0.0), lent_mwh(1.0, 0.0, 1.0, 2.0, 0.0)
    (0.01875, 0.125)
    """
    spare = power_mw * MTU_H * (mtu_left - 1.0) - left_mwh
    return max(0.0, min(room_mwh, spare / (2.0 + loss_frac)))


@law
def give_now_mwh(room_mwh: float, left_mwh: float, power_mw: float, mtu_left: float, loss_frac: float) -> float:
    """Return what a car can give back in this MTU and still be ready: left + g (1 + loss) <= (time - 1) x power.

    >>> give_now_mwh(1.0, 0.0, 1.0, 2.0, 0.0), give_now_mwh(1.0, 0.25, 1.0, 2.0, 0.0)
    (0.25, 0.0)
    """
    spare = power_mw * MTU_H * (mtu_left - 1.0) - left_mwh
    return max(0.0, min(room_mwh, power_mw * MTU_H, spare / (1.0 + loss_frac)))


@law
def fleet_consumption_mw(ring: Any, expected: Any, tau: int, slot: int) -> float:
    """Return the scheduled consumption of the fleet in one MTU inside the window, MW >= 0 (or < 0 when it is to inject)."""
    return expected[tau // MTU_PER_HOUR, c.AT_ONCE] - ahead(ring, s.FLEET, s.SCHEDULED, slot)


@part
def renew_envelope(p: Any, state: Any, ring: Any, chargers: Any, tick: int, work: Any) -> None:
    """Recompute what plugged cars must, can and may do: LEAST, MOST and PLUGGED of the window, and the sums of this MTU.

    Args:
        p, state, ring: one row each; state and ring are written.
        chargers: (charger, CHARGER_W) of the world.
        tick: now.
        work: scratch.
    """
    for k in range(3 * s.WINDOW + 1):
        work[s.LINES + k] = 0.0
    plugged, wanted, must, can, give, lending = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    first, loss = int(p[s.CHARGER]), p[s.V2G_LOSS_FRAC]
    for k in range(first, first + int(p[s.CHARGERS])):
        power = wide(chargers[k, s.CAR_MW])
        if power <= 0.0:
            continue
        left, time = wide(chargers[k, s.LEFT]), wide(chargers[k, s.EVENT]) - tick
        plugged += power
        work[s.LINES + s.PLUGGED * s.WINDOW + min(int(time), s.WINDOW)] -= power
        if left <= 0.0 and chargers[k, s.LENT] <= 0.0:
            continue  # ready, and nothing may be taken out
        need, lent = must_charge_mw(left, power, time), 0.0
        if chargers[k, s.LENT] > 0.0:
            lent = lent_mwh(wide(chargers[k, s.LENT]), left, power, time, loss)
            lending += min(power, lent / MTU_H)
            give += 0.0 if need > 0.0 else give_now_mwh(wide(chargers[k, s.LENT]), left, power, time, loss) / MTU_H
        wanted, must, can = wanted + left, must + need, can + min(power, left / MTU_H)
        add_car(work, left, power * MTU_H, time, lent, loss)
    state[s.PLUGGED_MW], state[s.WANTED_MWH] = plugged, wanted
    state[s.MUST_MW], state[s.CAN_MW], state[s.GIVE_MW] = must, can, give
    ring[s.LENDING] = lending
    for j in range(2 * s.WINDOW):
        ring[s.ENVELOPE + j] = work[s.LINES + j]
    for j in range(s.WINDOW):  # what is plugged in during MTU j
        plugged += work[s.LINES + s.PLUGGED * s.WINDOW + j]
        ring[s.ENVELOPE + s.PLUGGED * s.WINDOW + j] = plugged


@law
def add_car(work: Any, left_mwh: float, step_mwh: float, time: float, lent_mwh: float, loss_frac: float) -> None:
    """Add the least and most energy that one car takes until the end of each MTU of the window.

    MOST: charge at full power until it is ready. LEAST: give back what it lends at full power, wait, and charge at full power
    from the last moment on that makes it ready at its departure.

    Args:
        work: scratch, written.
        left_mwh: wanted; step_mwh: most per MTU; time: MTU until it leaves; lent_mwh: that it gives back.
        loss_frac: loss of energy given back and charged again.
    """
    possible = min(left_mwh, step_mwh * time)
    need = possible + lent_mwh * (1.0 + loss_frac)
    for j in range(s.WINDOW):
        work[s.LINES + s.MOST * s.WINDOW + j] += min(possible, step_mwh * (j + 1.0))
    if lent_mwh <= 0.0 and need <= step_mwh * (time - s.WINDOW):
        return  # nothing needs to be charged within the window
    for j in range(s.WINDOW):
        behind = max(0.0, step_mwh * (time - (j + 1.0)))
        work[s.LINES + s.LEAST * s.WINDOW + j] += max(0.0, need - behind) - min(lent_mwh, step_mwh * (j + 1.0))


@law
def fleet_room(
    p: Any, ring: Any, expected: Any, tick: int, lead: int, count: int, local: float, balancing: float, work: Any
) -> tuple[float, float]:
    """Return what the fleet can take back (up) and take in addition (down) in each of `count` MTU from tick + lead on, MW.

    Only cars that are plugged in now count. Cars catch up after the block as fast as commitments of that time allow.

    Args:
        p, ring: one row each.
        expected: (hour, FLEET_W) forecast of the fleet, MW.
        tick: now.
        lead, count: the block.
        local, balancing: 1 if commitments in that market are visible.
        work: scratch.
    """
    if ring[s.ENVELOPE + 2 * s.WINDOW - 1] <= 0.0 and ring[s.LENDING] <= 0.0:
        return 0.0, 0.0  # all cars are ready
    low, high = 0.0, 0.0
    end = lead + count
    for j in range(end):  # what plugged cars have charged at least and at most, following schedule and calls
        least, most = _called_mw(ring, expected, tick + j, j + s.PAST, local, balancing)
        work[s.PATH_LOW + j], work[s.PATH_HIGH + j] = low, high
        floor, top = wide(ring[s.ENVELOPE + j]), wide(ring[s.ENVELOPE + s.WINDOW + j])
        low = min(max(low + least * MTU_H, floor), top)
        high = max(low, min(max(high + most * MTU_H, floor), top))
    work[s.PATH_LOW + end], work[s.PATH_HIGH + end] = low, high
    # what must be there, and may be there, at the end of the block, seen back from the end of the window
    floor, top = wide(ring[s.ENVELOPE + s.WINDOW - 1]), wide(ring[s.ENVELOPE + 2 * s.WINDOW - 1])
    for back in range(s.WINDOW - end):
        j = s.WINDOW - 1 - back
        least, most = _called_mw(ring, expected, tick + j, j + s.PAST, local, balancing)
        plugged = wide(ring[s.ENVELOPE + 2 * s.WINDOW + j])
        scheduled = fleet_consumption_mw(ring, expected, tick + j, j + s.PAST)
        ceiling = max(0.0, least) if least < scheduled else plugged
        floor = max(wide(ring[s.ENVELOPE + j - 1]), floor - min(ceiling, plugged) * MTU_H)
        top = min(wide(ring[s.ENVELOPE + s.WINDOW + j - 1]), top - (max(0.0, most) if most > scheduled else 0.0) * MTU_H)
    up, down = 2.0 * p[s.FLEET_MW], 2.0 * p[s.FLEET_MW]
    lending = wide(ring[s.LENDING])
    for k in range(1, count + 1):
        j = lead + k
        least_now = (work[s.PATH_LOW + j] - work[s.PATH_LOW + j - 1]) / MTU_H
        most_now = (work[s.PATH_HIGH + j] - work[s.PATH_HIGH + j - 1]) / MTU_H
        here_low = floor if k == count else wide(ring[s.ENVELOPE + j - 1])
        here_top = top if k == count else wide(ring[s.ENVELOPE + s.WINDOW + j - 1])
        up = min(up, least_now + lending, (work[s.PATH_LOW + j] - here_low) / (MTU_H * k))
        plugged = wide(ring[s.ENVELOPE + 2 * s.WINDOW + j - 1])
        down = min(down, plugged - most_now, (here_top - work[s.PATH_HIGH + j]) / (MTU_H * k))
    return max(0.0, up), max(0.0, down)


@law
def _called_mw(ring: Any, expected: Any, tau: int, slot: int, local: float, balancing: float) -> tuple[float, float]:
    """Return the least and most consumption of the fleet in one MTU if all visible up or all down offers are called, MW."""
    power = fleet_consumption_mw(ring, expected, tau, slot)
    up = local * ahead(ring, s.FLEET, s.HI_LOCAL, slot) + balancing * ahead(ring, s.FLEET, s.HI_BALANCING, slot)
    down = local * ahead(ring, s.FLEET, s.LO_LOCAL, slot) + balancing * ahead(ring, s.FLEET, s.LO_BALANCING, slot)
    return power - up, power - down


@part
def charge_fleet(p: Any, state: Any, chargers: Any, tick: int, wanted_mw: float, most_mw: float) -> float:
    """Charge the plugged cars for one MTU so that the fleet consumes `wanted_mw` if it can; return the consumption, MW.

    Every car gets what it must have now; the rest is spread in proportion to what each can still take. A fleet that is
    to consume less than it must injects from cars that lend, in proportion to what they can give.

    Args:
        p, state: one row each.
        chargers: (charger, CHARGER_W) of the world; changed.
        tick: now.
        wanted_mw: consumption asked for, + = consumption.
        most_mw: what the grid connection leaves for the fleet; energy that does not fit is missing.
    """
    first, last = int(p[s.CHARGER]), int(p[s.CHARGER]) + int(p[s.CHARGERS])
    must, can, give = state[s.MUST_MW], state[s.CAN_MW], state[s.GIVE_MW]  # of this MTU, see `renew_envelope`
    total = min(max(wanted_mw, must - give), can)
    part_frac, give_frac, cut = 0.0, 0.0, 1.0
    if total > must and can > must:
        part_frac = (total - must) / (can - must)
    elif total < must and give > 0.0:
        give_frac = (must - total) / give
    if total > max(most_mw, 0.0):  # the connection is full: all charge less
        cut = max(most_mw, 0.0) / total
        total = max(most_mw, 0.0)
    for k in range(first, last):
        power, left = wide(chargers[k, s.CAR_MW]), wide(chargers[k, s.LEFT])
        if power > 0.0 and (left > 0.0 or give_frac > 0.0):
            time = wide(chargers[k, s.EVENT]) - tick
            need = must_charge_mw(left, power, time)
            taken = (need + part_frac * (min(power, left / MTU_H) - need)) * cut
            if give_frac > 0.0 and need <= 0.0 and chargers[k, s.LENT] > 0.0:
                given = give_frac * give_now_mwh(wide(chargers[k, s.LENT]), left, power, time, p[s.V2G_LOSS_FRAC])
                chargers[k, s.LENT] = wide(chargers[k, s.LENT]) - given
                left += given * (1.0 + p[s.V2G_LOSS_FRAC])
            chargers[k, s.LEFT] = max(0.0, left - taken * MTU_H)
    return total


@part
def change_cars(p: Any, chargers: Any, sessions: Any, first: Any, tick: int) -> tuple[float, float, float]:
    """Let cars leave and arrive at the start of a tick.

    Args:
        p: (PARAMS_W,).
        chargers: (charger, CHARGER_W) of the world; changed.
        sessions: (N, SESSION_W); first: (charger + 1,) first session of each charging point in this scenario.
        tick: the tick that starts.

    Returns:
        energy missing of the cars that left (MWh), number that left, number that left without what they wanted.
    """
    missing, gone, short = 0.0, 0.0, 0.0
    begin = int(p[s.CHARGER])
    for k in range(begin, begin + int(p[s.CHARGERS])):
        while chargers[k, s.EVENT] <= tick:
            row = first[k] + int(chargers[k, s.NEXT])
            if chargers[k, s.CAR_MW] > 0.0:  # leaves
                gone += 1.0
                if chargers[k, s.LEFT] > DONE_MWH:
                    missing += wide(chargers[k, s.LEFT])
                    short += 1.0
                chargers[k, s.CAR_MW] = chargers[k, s.LEFT] = chargers[k, s.LENT] = 0.0
                chargers[k, s.NEXT] += 1.0
                row += 1
                chargers[k, s.EVENT] = sessions[row, c.ARRIVAL] if row < first[k + 1] else NEVER
            elif row < first[k + 1]:  # arrives
                chargers[k, s.CAR_MW], chargers[k, s.LEFT] = sessions[row, c.POWER_MW], sessions[row, c.ENERGY_MWH]
                chargers[k, s.LENT], chargers[k, s.EVENT] = sessions[row, c.V2G_MWH], sessions[row, c.DEPARTURE]
            else:
                chargers[k, s.EVENT] = NEVER
    return missing, gone, short


@law
def unplug_all(p: Any, chargers: Any, sessions: Any, first: Any) -> None:
    """Set the charging points of a portfolio to the start of a scenario, before any car has arrived."""
    begin = int(p[s.CHARGER])
    for k in range(begin, begin + int(p[s.CHARGERS])):
        for column in range(s.CHARGER_W):
            chargers[k, column] = 0.0
        chargers[k, s.EVENT] = sessions[first[k], c.ARRIVAL] if first[k] < first[k + 1] else NEVER


@law
def cars_at_end(p: Any, chargers: Any, tick: int) -> tuple[float, float]:
    """Return what cars that are still plugged in lack: energy that they can still charge by departure, and the rest, MWh."""
    possible, lost = 0.0, 0.0
    begin = int(p[s.CHARGER])
    for k in range(begin, begin + int(p[s.CHARGERS])):
        if chargers[k, s.CAR_MW] > 0.0:
            left = wide(chargers[k, s.LEFT])
            most = wide(chargers[k, s.CAR_MW]) * MTU_H * (wide(chargers[k, s.EVENT]) - tick)
            possible += min(left, most)
            lost += max(0.0, left - most)
    return possible, lost


NEVER = 1e9  # tick of an event that does not come
