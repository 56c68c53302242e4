"""The yardstick of speed: every battery advances by one MTU, and nothing else happens."""

from __future__ import annotations

from typing import Any

from stacking import layout as v
from stacking import state as s
from stacking.assets.battery import deliverable_mw, drain_mwh
from stacking.build import prange
from stacking.units import MTU_H


def update_content(action: Any, params: Any, state: Any, price: Any, reward: Any) -> None:
    """Advance every battery by one MTU and nothing else.

    Args:
        action: (world, portfolio, ACTIONS_W); the intraday column is the wanted power as a share of the rated one.
        params: (portfolio, PARAMS_W).
        state: (world, portfolio, STATE_W); changed.
        price: (world,) EUR/MWh.
        reward: (world, portfolio) EUR; written.
    """
    for b in prange(state.shape[0]):
        for r in range(params.shape[0]):
            rated, into, out = params[r, s.RATED_MW], params[r, s.INTO], params[r, s.OUT]
            low, high, content = params[r, s.MIN_MWH], params[r, s.MAX_MWH], state[b, r, s.CONTENT]
            power = deliverable_mw(action[b, r, v.ID_POWER_FRAC] * rated, content, rated, low, high, into, out)
            state[b, r, s.CONTENT] = min(max(content - drain_mwh(power, into, out), low), high)
            reward[b, r] = power * price[b] * MTU_H
