"""A hand-made observation: one battery of 5 MW and 10 MWh, half full, with 100 hours to go, and no other asset."""

from __future__ import annotations

from typing import Any

import numpy as np

from stacking import layout as at

TIERS_OF_BATTERY = (
    (at.TIER_COST_UP, at.COST_UP),
    (at.TIER_COST_DN, at.COST_DN),
    (at.TIER_UP_MFRR, at.FEASIBLE_UP_MFRR),
    (at.TIER_DN_MFRR, at.FEASIBLE_DN_MFRR),
    (at.TIER_UP_LFM, at.FEASIBLE_UP_LFM),
    (at.TIER_DN_LFM, at.FEASIBLE_DN_LFM),
)
"""First column of each block by asset, and the column of the portfolio that it equals if there is a battery only."""


def observation(n: int = 1, **columns: Any) -> np.ndarray:
    """Return (n, OBSERVATIONS_W) float32; keywords set columns by their name in the layout, or `price` all 36 hours."""
    o = np.zeros((n, at.OBSERVATIONS_W), np.float32)
    names = {name: k for k, name in enumerate(at.observation_layout().names)}
    values: dict[str, Any] = {
        "capacity_mwh": 10.0,
        "content_mwh": 5.0,
        "stored_frac": 0.5,
        "min_content_frac": 0.5,
        "max_content_frac": 0.5,
        "rated_mw": 5.0,
        "round_trip_frac": 0.81,
        "cost_up": 10.0,
        "feasible_up_mfrr_mw": 5.0,
        "feasible_dn_mfrr_mw": 5.0,
        "feasible_up_lfm_mw": 4.0,
        "feasible_dn_lfm_mw": 4.0,
        "hours_to_end": 100.0,
        "terminal_price_forecast": 50.0,
    }
    o[:, at.DA : at.DA + 36] = columns.pop("price", 50.0)
    for name, value in (values | columns).items():
        o[:, names[name]] = value
    o[:, at.TIER_KIND : at.TIER_KIND + at.TIERS] = np.arange(at.TIERS)
    for tier, whole in TIERS_OF_BATTERY:
        o[:, tier] = o[:, whole]
    return o


def open_mask(n: int = 1, *closed: int) -> np.ndarray:
    """Return (n, ACTIONS_W) true, except for the closed columns."""
    mask = np.ones((n, at.ACTIONS_W), bool)
    mask[:, list(closed)] = False
    return mask
