"""Splits of real data by date, with days left out between them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ..errors import StackingError
from .keys import ALL, SPLITS

SHARES = (0.6, 0.2, 0.2)
"""Shares of the days in train, validation and test, in the order of their dates."""

EMBARGO_DAYS = 7
"""Days left out between two splits, so that no day of one is near a day of the other."""


@dataclass(frozen=True)
class Period:
    """Delivery days from ``first`` up to, not including, ``end``."""

    first: dt.date
    end: dt.date

    def holds(self, first_day: dt.date, days: int) -> bool:
        """Return whether all delivery days of a window lie inside."""
        return self.first <= first_day and first_day + dt.timedelta(days=days) <= self.end


def split_period(first: dt.date, end: dt.date, split: str) -> Period:
    """Return the delivery days of a split of the days first .. end.

    With n days: train = days 0 .. 0.6 n, validation = 0.6 n + 7 .. 0.8 n, test = 0.8 n + 7 .. n; all = 0 .. n.

    Raises:
        StackingError: for an unknown split.
    """
    if split == ALL:
        return Period(first, end)
    if split not in SPLITS:
        raise StackingError(
            "Unknown split.",
            place="replay",
            key="split",
            value=split,
            allowed=", ".join((*SPLITS, ALL)),
            remedy="Use one of the names above.",
        )
    count = (end - first).days
    cuts = [0, round(SHARES[0] * count), round((SHARES[0] + SHARES[1]) * count), count]
    at = SPLITS.index(split)
    start = cuts[at] + (EMBARGO_DAYS if at else 0)
    return Period(first + dt.timedelta(days=start), first + dt.timedelta(days=max(cuts[at + 1], start)))
