"""What other people than the FSPs sold in one clearing: volume, true cost, and who pays them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stacking.markets.merit_order import step_price

FLOAT = NDArray[np.float64]


@dataclass(frozen=True)
class Bill:
    """Other people's part in one clearing; EUR, + = cost of the payer.

    Attributes:
        lfm_mwh, mfrr_mwh: bought from them as local and as balancing supply, up and down added.
        cost_lfm_eur, cost_mfrr_eur: what their supply costs at the price of each step.
        dso_eur, tso_eur: what the operators pay them.
        counter_eur: what the DSO pays for the opposite energy elsewhere (rule `position`).
        cost_counter_eur: what that energy is worth at the day-ahead price, of what differs from other people alone.
    """

    lfm_mwh: float = 0.0
    mfrr_mwh: float = 0.0
    cost_lfm_eur: float = 0.0
    cost_mfrr_eur: float = 0.0
    dso_eur: float = 0.0
    tso_eur: float = 0.0
    counter_eur: float = 0.0
    cost_counter_eur: float = 0.0


def step_cost_eur(
    curve: FLOAT, volume_mw: float, reference: float, anchor: float, bought_mw: float, already_mw: float = 0.0
) -> float:
    """Return what MW of a stepwise curve cost at the price of each step, EUR per hour.

    Args:
        curve: (steps, 2) cumulative fractions of volume and of price.
        volume_mw, reference, anchor: of the curve, MW and EUR/MWh.
        bought_mw: MW taken from it, cheapest first, behind the first `already_mw`.

    >>> curve = np.array([[0.5, 0.5], [1.0, 1.0]])
    >>> step_cost_eur(curve, 4.0, 40.0, 100.0, 3.0)  # 2 x 70 + 1 x 100
    240.0
    >>> step_cost_eur(curve, 4.0, 40.0, 100.0, 2.0, 1.0)  # 1 x 70 + 1 x 100
    170.0
    """
    top = np.clip(curve[:, 0] * volume_mw, already_mw, already_mw + bought_mw)
    taken = np.diff(top, prepend=already_mw)
    return float(sum(mw * step_price(reference, anchor, frac) for mw, frac in zip(taken, curve[:, 1], strict=True)))
