"""The industrial load: whole steps that may be interrupted, with notice, durations, rest and rebound; nothing about markets."""

from __future__ import annotations

from typing import Any

from .. import state as s
from ..build import law, part
from ..state import ahead
from ..units import MTU_H, MTU_PER_HOUR, POWER_EPSILON_MW


@law
def whole_steps_mw(power_mw: float, step_mw: float) -> float:
    """Return the largest whole number of steps that is not above a power (with a little room for rounding), MW.

    >>> whole_steps_mw(1.2, 0.5), whole_steps_mw(0.4, 0.5)
    (1.0, 0.0)
    """
    return int(power_mw / step_mw + 1e-6) * step_mw


@law
def steps_to_cover_mw(power_mw: float, step_mw: float) -> float:
    """Return the smallest whole number of steps that covers a power, MW.

    >>> steps_to_cover_mw(0.3, 0.5), steps_to_cover_mw(1.0, 0.5), steps_to_cover_mw(0.0, 0.5)
    (0.5, 1.0, 0.0)
    """
    whole = int(power_mw / step_mw)
    return (whole if power_mw - whole * step_mw <= 1e-6 * step_mw else whole + 1) * step_mw


@law
def _reserved(ring: Any, slot: int, local: float, balancing: float) -> tuple[float, float]:
    """Return the power of the load that is offered or sold in one MTU at most and at least, MW."""
    most = local * ahead(ring, s.LOAD, s.HI_LOCAL, slot) + balancing * ahead(ring, s.LOAD, s.HI_BALANCING, slot)
    least = local * ahead(ring, s.LOAD, s.LO_LOCAL, slot) + balancing * ahead(ring, s.LOAD, s.LO_BALANCING, slot)
    return most, least


@law
def load_room(
    p: Any, state: Any, ring: Any, forecast: Any, tick: int, lead: int, count: int, known_min: int, local: float,
    balancing: float, same_day: bool,
) -> float:  # fmt: skip
    """Return the consumption that the load can give up in each of `count` MTU from tick + lead on, MW, in whole steps.

    0 unless notice, duration, resting time and the activations of the day allow it whatever is called of its other offers:
    a new activation needs REST MTU without any offer before and after it; one may only be prolonged if its last MTU is
    known to be sold.

    Args:
        p, state, ring: one row each.
        forecast: (hour,) consumption, MW.
        tick: now.
        lead, count: the block.
        known_min: minutes before delivery at which an order is known.
        local, balancing: 1 if commitments in that market are visible.
        same_day: whether the block lies on the local day of `tick`.
    """
    if p[s.NOTICE_MIN] > known_min:
        return 0.0
    free = p[s.FLEX_FRAC] * forecast[(tick + lead) // MTU_PER_HOUR]
    for j in range(lead, lead + count):
        most, _ = _reserved(ring, j + s.PAST, local, balancing)
        if most > 0.0:
            return 0.0  # one offer at a time
        free = min(free, p[s.FLEX_FRAC] * forecast[(tick + j) // MTU_PER_HOUR])
    before, chain, distance, starts = _run_before(p, state, ring, tick, lead, local, balancing)
    if before == 0 and distance < p[s.REST]:
        return 0.0
    after, near, later = _run_after(p, ring, lead + count, local, balancing)
    if near or before + count < p[s.MIN_RUN] or chain + count + after > p[s.MAX_RUN]:
        return 0.0
    if before == 0 and starts + later + (state[s.STARTED] if same_day else 0.0) >= p[s.PER_DAY]:
        return 0.0
    return max(0.0, whole_steps_mw(free, p[s.STEP_MW]))


@law
def _run_before(
    p: Any, state: Any, ring: Any, tick: int, lead: int, local: float, balancing: float
) -> tuple[int, int, float, float]:
    """Return the run that is known to end where a block begins, the same with offers that wait, the gap, and starts ahead.

    The gap is in MTU since the last offer, far if there is none.
    """
    run, chain, distance, starts = 0, 0, 1e9, 0.0
    if state[s.RUN] > 0.0:
        run, chain, distance = int(state[s.RUN]), int(state[s.RUN]), 0.0
    elif state[s.RESTING] > 0.0:
        distance = p[s.REST] - state[s.RESTING]
    before = run > 0
    for j in range(lead):
        most, least = _reserved(ring, j + s.PAST, local, balancing)
        if most > POWER_EPSILON_MW:
            known = least > POWER_EPSILON_MW
            # each MTU whose result is out may become a start of its own
            starts += 0.0 if before and known else 1.0
            run = run + 1 if known and (run > 0 or not before) else 0
            chain += 1
            distance, before = 0.0, True
        else:
            run, chain, before = 0, 0, False
            distance += 1.0
    return run, chain, distance, starts


@law
def _run_after(p: Any, ring: Any, end: int, local: float, balancing: float) -> tuple[int, bool, float]:
    """Return MTU offered right behind a block, whether something is offered within the resting time, and later starts."""
    chain, near, starts, before = 0, False, 0.0, True
    for j in range(end, s.WINDOW):
        most, _ = _reserved(ring, j + s.PAST, local, balancing)
        if most > POWER_EPSILON_MW:
            if j < end + int(p[s.REST]):
                near = True
            if chain == j - end:
                chain += 1
            starts += 0.0 if before and j > end else 1.0
            before = True
        else:
            before = False
    return chain, near, starts


@part
def run_load(p: Any, state: Any, consumption_mw: float, ordered_mw: float) -> tuple[float, float, float]:
    """Run the load for one MTU: interrupt whole steps that cover the order, else recover what is owed.

    Args:
        p, state: one row each; state is changed.
        consumption_mw: what the load would consume.
        ordered_mw: what it is to give up.

    Returns:
        interrupted MW, recovered MW, 1 if an activation started.
    """
    shed, recovered, started = 0.0, 0.0, 0.0
    if ordered_mw > POWER_EPSILON_MW:
        flexible = whole_steps_mw(p[s.FLEX_FRAC] * consumption_mw, p[s.STEP_MW])
        shed = min(steps_to_cover_mw(ordered_mw, p[s.STEP_MW]), flexible)
    if shed > 0.0 or (ordered_mw > POWER_EPSILON_MW and state[s.RUN] > 0.0):  # it goes on, even with nothing to give
        started = 1.0 if state[s.RUN] == 0.0 else 0.0
        state[s.RUN] += 1.0
        state[s.STARTED] += started
        state[s.RESTING] = p[s.REST]
        state[s.OWED_MWH] += p[s.REBOUND_FRAC] * shed * MTU_H
        state[s.OWED_MW] = state[s.OWED_MWH] / (p[s.REBOUND_MTU] * MTU_H)
    else:
        state[s.RUN] = 0.0
        state[s.RESTING] = max(0.0, state[s.RESTING] - 1.0)
        recovered = min(state[s.OWED_MW], state[s.OWED_MWH] / MTU_H, max(0.0, p[s.CONNECTION_MW] - consumption_mw))
        state[s.OWED_MWH] = max(0.0, state[s.OWED_MWH] - recovered * MTU_H)
    return shed, recovered, started
