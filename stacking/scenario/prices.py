"""Day-ahead prices: a remembering normal score mapped through the quantile function of a price zone."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .draws import autocorrelated, from_scores, rotating
from .keys import ScenarioKey, stream
from .parameters import DayAhead

Floats = NDArray[np.float64]

DAY_H, HALF_DAY_H = 24.0, 12.0


class Hours(Protocol):
    """Consecutive hours in local time, such as those of a ``Clock``."""

    @property
    def hours(self) -> int:
        """Return their number H."""
        ...

    @property
    def hour(self) -> NDArray[np.int64]:
        """Return hours of the day 0..23, (H,)."""
        ...

    @property
    def weekend(self) -> NDArray[np.bool_]:
        """Return whether each lies on a weekend, (H,)."""
        ...

    @property
    def month(self) -> NDArray[np.int64]:
        """Return months 1..12, (H,)."""
        ...


def day_ahead(key: ScenarioKey, clock: Hours, p: DayAhead) -> tuple[Floats, Floats, Floats]:
    """Return hourly prices (H,), their scores (H,) and the slow part of the scores (H,).

    price = Q(score), score = hour + weekend (hour) + month + spread (hour) x u,
    u = sqrt(a) slow + sqrt(b) fast + sqrt(c) daily + sqrt(d) half-daily, all standard normal; correlation of u over k hours =
    a e^(-k/A) + b e^(-k/B) + c e^(-k/C) cos(2 pi k/24) + d e^(-k/D) cos(2 pi k/12).
    """
    random = stream(key, "day-ahead")
    slow = autocorrelated(random, clock.hours, p.slow[1])
    deviation = (
        np.sqrt(p.slow[0]) * slow
        + np.sqrt(p.fast[0]) * autocorrelated(random, clock.hours, p.fast[1])
        + np.sqrt(p.daily[0]) * rotating(random, clock.hours, p.daily[1], DAY_H)
        + np.sqrt(p.half_daily[0]) * rotating(random, clock.hours, p.half_daily[1], HALF_DAY_H)
    )
    score = shape(clock.hour, clock.weekend, clock.month, p) + np.array(p.hour_spread)[clock.hour] * deviation
    return from_scores(p.price_eur_per_mwh, score), score, slow


def shape(hour: NDArray[np.int64], weekend: NDArray[np.bool_], month: NDArray[np.int64], p: DayAhead) -> Floats:
    """Return the mean score of each hour (H,): hour + weekend (hour) + month, for hour 0..23 and month 1..12."""
    return (
        np.array(p.hour_score)[hour]
        + np.where(weekend, np.array(p.weekend_score)[hour], 0.0)
        + np.array(p.month_score)[month - 1]
    )
