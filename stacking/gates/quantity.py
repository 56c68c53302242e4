"""Quantities that a product takes: whole multiples of its granularity, from its minimum on."""

from __future__ import annotations

from typing import Any

from .. import state as s
from ..build import law
from ..units import POWER_EPSILON_MW


@law
def round_down(quantity_mw: float, granularity_mw: float) -> float:
    """Return the largest multiple of the granularity that is not above the quantity (with a little room for rounding).

    >>> round_down(2.9999999999, 1.0), round_down(2.5, 1.0)
    (3.0, 2.0)
    """
    return int(quantity_mw / granularity_mw + 1e-9) * granularity_mw


@law
def tradable_mw(product: Any, power_mw: float) -> float:
    """Return what of a power the product takes, MW: rounded down to its granularity, nothing below its minimum."""
    quantity = round_down(power_mw, product[s.GRANULARITY_MW])
    return 0.0 if quantity < product[s.MIN_MW] - POWER_EPSILON_MW else quantity
