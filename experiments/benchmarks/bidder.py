"""A cheap strategy that bids in every market, for timing the Mesa face: what is left is the cost of the face itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stacking import columns as c
from stacking import layout as v

from ...agents.strategies.base import BoolArray, FloatArray, Seed, closed_action
from .scripts import SPREAD_EUR_PER_MWH

LFM_LIMIT = v.LOCAL + c.LFM_FORECAST_HOURS + 2  # willingness to pay in two hours, when a local gate closes
LAST_PRICE = v.BALANCING + 1  # up and down price of the last published MTU


@dataclass(frozen=True)
class Bidder:
    """Offers all that is feasible: locally at what the DSO is expected to pay, to the TSO at the last published price."""

    name = "bidder"

    def start(self, n: int, seed: Seed) -> Any:
        """Return the price offset of each row, EUR/MWh."""
        return np.array([np.random.default_rng(int(each)).uniform(-1.0, 1.0) for each in np.atleast_1d(seed)]) * (
            SPREAD_EUR_PER_MWH
        )

    def act(self, observation: FloatArray, mask: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Return the decisions of all rows."""
        action = closed_action(len(observation))
        action[:, v.DA_VOLUME_FRAC], action[:, v.DA_MIN_SPREAD], action[:, v.DA_END_CONTENT_FRAC] = 0.5, 20.0, 0.5
        action[:, v.ID_POWER_FRAC] = 0.1
        action[:, v.LFM_SHARE_UP : v.LFM_SHARE_DN + 1] = 0.5
        action[:, v.MFRR_SHARE_UP : v.MFRR_SHARE_DN + 1] = 1.0
        action[:, v.CONSENTS] = 1.0
        limit, day_ahead = observation[:, LFM_LIMIT], observation[:, v.DA + 2]
        for d, sign in ((c.UP, 1.0), (c.DN, -1.0)):
            local = limit if d == c.UP else day_ahead
            action[:, v.LFM_PRICE_UP + d] = np.clip(local + sign * state, -4000.0, 4000.0)
            action[:, v.MFRR_PRICE_UP + d] = np.clip(observation[:, LAST_PRICE + d] + sign * state, -4000.0, 4000.0)
        return action, state
