"""What a figure of a table is: data that says which columns are added up and divided."""

from __future__ import annotations

from dataclasses import dataclass

EUR, MWH, SHARE = "EUR/episode", "MWh/episode", "-"


@dataclass(frozen=True)
class Metric:
    """One figure: the mean over scenarios of the sum of columns, or a ratio of two such sums."""

    name: str
    title: str
    unit: str
    section: str
    top: tuple[str, ...]
    bottom: tuple[str, ...] = ()  # none: a mean per episode
    scale: float = 1.0
    signed: bool = False  # whether a scenario's denominator may be negative
