"""Listed offers: their order, and their volumes by portfolio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stacking.markets.merit_order import OFFER_KEY, OFFER_MW, OFFER_PRIORITY, OFFER_ROW

FLOAT = NDArray[np.float64]


def in_merit_order(offers: FLOAT, count: int) -> FLOAT:
    """Sort the first `count` offers by key and priority, stable and in place, as `sort_offers` does; return all."""
    order = np.lexsort((offers[:count, OFFER_PRIORITY], offers[:count, OFFER_KEY]))
    offers[:count] = offers[order]
    return offers


def by_row(offers: FLOAT, count: int, column: int, rows: int) -> FLOAT:
    """Return a column of the first `count` offers added up by portfolio, (rows,)."""
    found = np.zeros(rows)
    np.add.at(found, offers[:count, OFFER_ROW].astype(np.int64), offers[:count, column])
    return found


def offered_within(offers: FLOAT, count: int, dearest_key: float, rows: int) -> FLOAT:
    """Return the MW of the first `count` offers with keys up to a limit by portfolio, (rows,)."""
    inside = offers[:count][offers[:count, OFFER_KEY] <= dearest_key]
    return by_row(inside, len(inside), OFFER_MW, rows)
