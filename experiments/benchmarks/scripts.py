"""Actions scripted before the stopwatch runs, from the scenario itself: foresight, which is fine for timing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import layout as v
from stacking.engine import Engine
from stacking.scenario import Library

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LFM_LEAD, MFRR_LEAD = 8, 3  # MTU between the gates and delivery
UNDERCUT_EUR_PER_MWH = 1.0
SPREAD_EUR_PER_MWH = 10.0  # FSPs of one world ask prices up to so much above and below the scripted one
GOLDEN = 0.6180339887498949  # its multiples fill 0..1 evenly, in no order


@dataclass(frozen=True)
class Script:
    """What every FSP does at every tick of every scenario.

    Attributes:
        base: (tick, scenario, ACTIONS_W).
        offset: (portfolio,) EUR/MWh that an FSP's up prices lie above and its down prices below the base.
    """

    base: Floats
    offset: Floats

    def action(self, clock: Ints, scenario: Ints) -> Floats:
        """Return the decisions of worlds at their ticks, (world, portfolio, ACTIONS_W); a new array."""
        base = self.base[np.minimum(clock, len(self.base) - 1), scenario]
        if len(self.offset) == 1:
            return base[:, None, :]
        action = np.repeat(base[:, None, :], len(self.offset), axis=1)
        for first in (v.LFM_PRICE_UP, v.MFRR_PRICE_UP):
            action[..., first + c.UP] += self.offset
            action[..., first + c.DN] -= self.offset
        return action


def offsets(count: int) -> Floats:
    """Return price offsets between -10 and 10 EUR/MWh, even and unordered, (count,); 0 for one FSP."""
    if count == 1:
        return np.zeros(1)
    return SPREAD_EUR_PER_MWH * (2.0 * (np.arange(count, dtype=np.float64) * GOLDEN % 1.0) - 1.0)


def scripted(library: Library, engine: Engine) -> Script:
    """Return actions that offer in every market near the market's price.

    Half of what a day plan would trade day-ahead, a tenth of the power intraday (sold and bought in turn), half of what is
    feasible on the local market, the rest to the TSO, with consent to forwarding.
    """
    series, ticks = library.series, library.series.shape[1]
    base = np.zeros((ticks, len(library), v.ACTIONS_W))
    base[..., v.DA_VOLUME_FRAC], base[..., v.DA_MIN_SPREAD], base[..., v.DA_END_CONTENT_FRAC] = 0.5, 20.0, 0.5
    base[::2, :, v.ID_POWER_FRAC], base[1::2, :, v.ID_POWER_FRAC] = 0.1, -0.1
    base[..., v.LFM_SHARE_UP : v.LFM_SHARE_DN + 1] = 0.5
    base[..., v.MFRR_SHARE_UP : v.MFRR_SHARE_DN + 1] = 1.0
    base[..., v.CONSENTS] = 1.0
    for d, sign in ((c.UP, 1.0), (c.DN, -1.0)):
        limit, need = (_ahead(library.local[:, 0, :, c.background_column(d) + k], LFM_LEAD) for k in (c.LIMIT, c.NEED))
        other = _ahead(series[:, :, c.DA_PRICE], LFM_LEAD) + 20.0 * sign
        anchor = _ahead(series[:, :, c.background_column(d) + c.ANCHOR], MFRR_LEAD)
        base[..., v.LFM_PRICE_UP + d] = np.where(need > 0.0, limit, other) - sign * UNDERCUT_EUR_PER_MWH
        base[..., v.MFRR_PRICE_UP + d] = anchor - sign * UNDERCUT_EUR_PER_MWH
    low, high = engine.compiled.bounds.copy()
    for first in (v.LFM_PRICE_UP, v.MFRR_PRICE_UP):  # so that an FSP's offset stays inside too
        low[first : first + 2] += SPREAD_EUR_PER_MWH
        high[first : first + 2] -= SPREAD_EUR_PER_MWH
    return Script(np.clip(base, low, high), offsets(engine.rows))


def _ahead(values: Floats, lead: int) -> Floats:
    """Return the values some MTU ahead, (tick, scenario); the last one repeats beyond the end."""
    ticks = values.shape[1]
    return values[:, np.minimum(np.arange(ticks) + lead, ticks - 1)].T
