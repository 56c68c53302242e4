"""Market depth: how much other people offer and need in the balancing market beside what FSPs have."""

from __future__ import annotations

from dataclasses import replace

from stacking import columns as c
from stacking.scenario import Library

BALANCING_MW = (
    *(c.background_column(d) + column for d in (c.UP, c.DN) for column in (c.NEED, c.VOLUME)),
    c.NEED_FORECAST,
)
"""Columns of the series that hold MW of the balancing market."""


def with_depth(library: Library, factor: float) -> Library:
    """Return the same scenarios in a balancing market of another depth.

    Need, its forecast and other people's supply are multiplied by the factor; prices stay. With nobody else bidding the
    published prices come out as before, and a bid of an FSP moves them as one of 1 / factor times its size would have.

    Args:
        library: scenarios.
        factor: above 0; 1 returns the library itself.
    """
    if factor == 1.0:
        return library
    series = library.series.copy()
    series[:, :, list(BALANCING_MW)] *= factor
    return replace(library, series=series, synthetic=(*library.synthetic, f"MW of the balancing market x {factor:g}"))
