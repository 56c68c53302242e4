"""What the energy in the battery is worth that is not sold yet: with it, buying and selling change a reward by their gain alone.

Plain Python; `stacking.build` compiles it.
"""

from __future__ import annotations

from typing import Any

from stacking import columns as c
from stacking import state as s
from stacking.assets.battery import drain_mwh, terminal_value_eur
from stacking.build import law
from stacking.lookahead import known_mw
from stacking.state import ahead, hour_cell
from stacking.units import MTU_PER_HOUR


@law
def uncommitted_mwh(p: Any, content_mwh: float, ring: Any, tick: int, length: int) -> float:
    """Return the content that is left when all that the battery has sold and bought is delivered, MWh; any number.

    content - sum of the energy that schedule and known calls take until the end of the plan.
    """
    left = content_mwh
    for slot in range(s.PAST, s.SLOTS):
        if tick + slot - s.PAST < length:
            called = known_mw(ring, s.BATTERY, s.HI_LOCAL, slot) + known_mw(ring, s.BATTERY, s.HI_BALANCING, slot)
            left -= drain_mwh(ahead(ring, s.BATTERY, s.SCHEDULED, slot) + called, p[s.INTO], p[s.OUT])
    first = tick + s.WINDOW
    for hour in range(first // MTU_PER_HOUR, tick // MTU_PER_HOUR + s.PLAN_HOURS):
        power = hour_cell(ring, s.PLAN_BATTERY, hour)
        if power != 0.0:
            behind = max(0, min(length, (hour + 1) * MTU_PER_HOUR) - max(first, hour * MTU_PER_HOUR))
            left -= behind * drain_mwh(power, p[s.INTO], p[s.OUT])
    return left


def stocks(params: Any, length: Any, scalars: Any, control: Any, state: Any, ring: Any, rows: Any, out: Any) -> None:
    """Write the value of what is not sold, by the law of the end of an episode at its forecast price; nothing at the end.

    Args:
        params: (portfolio, PARAMS_W).
        length, scalars: of the scenario library.
        control, state, ring: of the engine.
        rows: (learner,) portfolio of each.
        out: (world, learner), written; EUR.
    """
    for b in range(out.shape[0]):
        k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
        for i in range(rows.shape[0]):
            p, own = params[rows[i]], state[b, rows[i]]
            out[b, i] = 0.0
            if tick < length[k] and p[s.CAPACITY_MWH] > 0.0:
                left = uncommitted_mwh(p, own[s.CONTENT], ring[b, rows[i]], tick, length[k])
                price = scalars[k, c.TERMINAL_FORECAST]
                out[b, i] = terminal_value_eur(
                    own[s.START_CONTENT], left, price, p[s.WEAR], p[s.CHARGE_FRAC], p[s.DISCHARGE_FRAC]
                )
