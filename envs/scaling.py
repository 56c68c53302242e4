"""Between physical units and the numbers of a network: laws, and the loops over rows that apply them.

Plain Python; `stacking.build` compiles it. Both maps read nothing but the row's own observation, so that any policy can do the
same. Closed columns are written as 0 and are not looked at.
"""

from __future__ import annotations

import math
from typing import Any

from stacking import layout as v
from stacking.build import apart, law
from stacking.columns import FORECAST_HOURS
from stacking.units import MTU_PER_HOUR

PRICE_STEP, PRICE_REACH = 20.0, 6.2  # price = reference + 20 sinh(6.2 x): 20 EUR/MWh near 0, 4,927 EUR/MWh at the ends
DAY_HOURS = 24
PRICE_UNIT = 50.0  # EUR/MWh that are seen as asinh(1)

# ---- columns of the tables that the loops read -------------------------------------------------------------------------
# of a price: its action column, that of its share, MTU from gate to delivery (NEXT_DAY: all hours of the next local day), and
# the limits of its product, EUR/MWh
COLUMN, SHARE, LEAD, LOWEST, HIGHEST = range(5)
PRICE_W = 5
NEXT_DAY = -1


# ---- laws ---------------------------------------------------------------------------------------------------------------
@law
def sinh(x: float) -> float:
    """Return (e^x - e^-x) / 2: three times as fast as the library's, absolutely as exact for the |x| <= 6.2 of prices.

    >>> abs(sinh(3.0) - math.sinh(3.0)) < 1e-14
    True
    """
    power = math.exp(x)
    return 0.5 * (power - 1.0 / power)


@law
def asinh(x: float) -> float:
    """Return log(|x| + sqrt(x^2 + 1)) with the sign of x: three times as fast as the library's, exact to 1e-15.

    >>> abs(asinh(-200.0) - math.asinh(-200.0)) < 1e-14, asinh(0.0)
    (True, 0.0)
    """
    size = math.log(abs(x) + math.sqrt(x * x + 1.0))
    return size if x >= 0.0 else -size


@law
def price_of(x: float, reference: float) -> float:
    """Return the price of a number of -1..1: reference + 20 sinh(6.2 x), EUR/MWh.

    >>> round(price_of(0.0, 50.0), 2), round(price_of(0.1, 50.0), 2), round(price_of(-1.0, 50.0), 2)
    (50.0, 63.21, -4877.47)
    """
    return reference + PRICE_STEP * sinh(PRICE_REACH * x)


@law
def number_of_price(price: float, reference: float) -> float:
    """Return the number of -1..1 whose price it is, or the nearest one: asinh((price - reference) / 20) / 6.2.

    >>> round(number_of_price(price_of(0.3, 50.0), 50.0), 12), number_of_price(9000.0, 50.0)
    (0.3, 1.0)
    """
    return min(max(asinh((price - reference) / PRICE_STEP) / PRICE_REACH, -1.0), 1.0)


@law
def value_of(x: float, low: float, high: float) -> float:
    """Return the value of a number of -1..1 between two bounds: low + (x + 1) / 2 x (high - low).

    >>> value_of(-1.0, 0.0, 200.0), value_of(0.0, 0.0, 200.0), value_of(1.0, 0.0, 200.0)
    (0.0, 100.0, 200.0)
    """
    return low + 0.5 * (x + 1.0) * (high - low)


@law
def number_of(value: float, low: float, high: float) -> float:
    """Return the number of -1..1 whose value it is.

    >>> number_of(150.0, 0.0, 200.0)
    0.5
    """
    return 2.0 * (value - low) / (high - low) - 1.0


@law
def changed(advice: float, change: float, reach: float) -> float:
    """Return the number of a decision that is a change of what an adviser decides: advice + reach x change, inside -1..1.

    >>> changed(-1.0, 0.5, 2.0), changed(0.5, 1.0, 1.0)
    (0.0, 1.0)
    """
    return min(max(advice + reach * change, -1.0), 1.0)


@law
def change_of(number: float, advice: float, reach: float) -> float:
    """Return the change of -1..1 that leads to a number, or nearest to it.

    >>> change_of(0.0, -1.0, 2.0), change_of(1.0, -1.0, 0.5)
    (0.5, 1.0)
    """
    return min(max((number - advice) / reach, -1.0), 1.0) if reach > 0.0 else 0.0


@law
def plain(value: float, rate: float) -> float:
    """Return what a network sees of a number of known size: value x rate.

    >>> plain(2.0, 0.125)
    0.25
    """
    return value * rate + 0.0  # adding 0 makes a plain zero of a negative one


@law
def squashed(value: float, rate: float) -> float:
    """Return what a network sees of a number of any size: asinh(value x rate).

    >>> round(squashed(500.0, 0.02), 3)
    2.998
    """
    return asinh(value * rate) + 0.0


@law
def reference_price(observation: Any, lead: int) -> float:
    """Return the day-ahead price of the hour in which an MTU lies, as known or forecast, EUR/MWh.

    Args:
        observation: (OBSERVATIONS_W,) of a row.
        lead: MTU from now to that MTU; NEXT_DAY: the mean of the hours of the next day that are shown.
    """
    left = int(MTU_PER_HOUR * float(observation[v.HOURS_TO_END]) + 0.5)  # an episode ends at midnight: it tells the quarter
    if lead == NEXT_DAY:
        total, first = 0.0, left // MTU_PER_HOUR % DAY_HOURS  # an hour off where the clock changes before the end
        last = min(FORECAST_HOURS, first + DAY_HOURS)
        for hour in range(first, last):
            total += observation[v.DA + hour]
        return total / (last - first)
    return 1.0 * float(observation[v.DA + (-left % MTU_PER_HOUR + lead) // MTU_PER_HOUR])


# ---- loops over rows --------------------------------------------------------------------------------------------------------
def to_physical(
    given: Any,
    observation: Any,
    mask: Any,
    rows: Any,
    fixed: Any,
    bounds: Any,
    prices: Any,
    action: Any,
    clipped: Any,
    fault: Any,
) -> None:
    """Write the decisions of learners in physical units.

    Args:
        given: (world, learner, ACTIONS_W) numbers of -1..1.
        observation, mask: (world, portfolio, ...) of the engine.
        rows: (learner,) portfolio of each.
        fixed: (learner, ACTIONS_W) decisions that are not the learner's, NaN where they are.
        bounds: (2, ACTIONS_W) of the engine.
        prices: (price, PRICE_W) columns that are prices.
        action: (world, portfolio, ACTIONS_W), written at the learners' rows.
        clipped: (world, learner) prices of offers that the limits of their product cut; written.
        fault: (3,) world, learner and column of the first number outside -1..1, -1 if there is none; written.
    """
    fault[0] = -1
    for b in range(given.shape[0]):
        for i in range(given.shape[1]):
            row = rows[i]
            clipped[b, i] = 0
            for k in range(given.shape[2]):
                value = 0.0
                if fixed[i, k] == fixed[i, k]:
                    value = fixed[i, k]
                elif mask[b, row, k]:
                    x = given[b, i, k]
                    if not (-1.0 <= x <= 1.0):
                        fault[0], fault[1], fault[2] = b, i, k
                        return
                    value = value_of(x, bounds[0, k], bounds[1, k])
                action[b, row, k] = value
            for m in range(prices.shape[0]):
                k = int(prices[m, COLUMN])
                if mask[b, row, k] and fixed[i, k] != fixed[i, k]:
                    asked = price_of(given[b, i, k], reference_price(observation[b, row], int(prices[m, LEAD])))
                    price = min(max(asked, prices[m, LOWEST]), prices[m, HIGHEST])
                    if price != asked and action[b, row, int(prices[m, SHARE])] > 0.0:
                        clipped[b, i] += 1
                    action[b, row, k] = price


@law
def between(advice: float, low: float, high: float, change: float) -> float:
    """Return the number that lies `change` of the way from an advice to what is decided at higher prices, or at lower ones.

    advice + change x (high - advice) for a change above 0, advice + change x (advice - low) below.

    >>> between(0.0, -0.5, 1.0, 0.5), between(0.0, -0.5, 1.0, -1.0)
    (0.5, -0.5)
    """
    return advice + change * (high - advice if change > 0.0 else advice - low)


@law
def change_between(number: float, advice: float, low: float, high: float) -> float:
    """Return the change of -1..1 that leads to a number between an advice and its alternatives, or nearest to it.

    >>> change_between(0.5, 0.0, -0.5, 1.0), change_between(-2.0, 0.0, -0.5, 1.0), change_between(0.3, 0.0, 0.0, 0.0)
    (0.5, -1.0, 0.0)
    """
    away = number - advice
    if away * (high - advice) > 0.0:
        return min(away / (high - advice), 1.0)
    return -min(away / (low - advice), 1.0) if away * (low - advice) > 0.0 else 0.0


def to_changed(given: Any, advised: Any, reach: Any, alternatives: Any, is_open: Any, out: Any, fault: Any) -> None:
    """Write the numbers of decisions that are changes of what an adviser decides.

    Args:
        given: (world, learner, ACTIONS_W) changes of -1..1.
        advised: (world, learner, ACTIONS_W) numbers of the adviser's decisions.
        reach: (ACTIONS_W,) how far a change of 1 leads.
        alternatives: (world, learner, 2, ACTIONS_W) numbers to which a change of -1 and of 1 leads instead, NaN where none.
        is_open: (world, learner, ACTIONS_W) decisions that are the learner's; the others stay as advised.
        out: (world, learner, ACTIONS_W), written.
        fault: as in `to_physical`.
    """
    fault[0] = -1
    for b in range(given.shape[0]):
        for i in range(given.shape[1]):
            for k in range(given.shape[2]):
                out[b, i, k] = advised[b, i, k]
                if is_open[b, i, k]:
                    x = given[b, i, k]
                    if not (-1.0 <= x <= 1.0):
                        fault[0], fault[1], fault[2] = b, i, k
                        return
                    low, high = alternatives[b, i, 0, k], alternatives[b, i, 1, k]
                    if low == low:  # no NaN
                        out[b, i, k] = between(advised[b, i, k], low, high, x)
                    else:
                        out[b, i, k] = changed(advised[b, i, k], x, reach[k])


def to_numbers(action: Any, observation: Any, mask: Any, bounds: Any, prices: Any, out: Any) -> None:
    """Write the numbers of -1..1 of decisions in physical units: the inverse of `to_physical`.

    Args:
        action: (row, ACTIONS_W) inside the bounds in open columns.
        observation, mask: (row, ...) on which they were decided.
        bounds, prices: as in `to_physical`.
        out: (row, ACTIONS_W), written; 0 in closed columns.
    """
    for row in range(action.shape[0]):
        for k in range(action.shape[1]):
            out[row, k] = number_of(action[row, k], bounds[0, k], bounds[1, k]) if mask[row, k] else 0.0
        for m in range(prices.shape[0]):
            k = int(prices[m, COLUMN])
            if mask[row, k]:
                out[row, k] = number_of_price(action[row, k], reference_price(observation[row], int(prices[m, LEAD])))


@law
def stands_still(observation: Any, last: Any, column: int, first: int, count: int) -> bool:
    """Return whether a run of columns shows the numbers of the last call."""
    moved = 0
    for k in range(count):
        moved += observation[column + k] != last[first + k]
    return moved == 0


@law
def scale_one(observation: Any, rates: Any, large: Any, sources: Any, q: int, last: Any, known: Any, seen: Any) -> None:
    """Show a column of any size. Args: one row of each matrix of `to_seen`; q: place in `large`."""
    k, source = large[q], sources[q]
    value = observation[k]
    if value == last[q]:
        seen[k] = known[q]
        return
    shown = 1.0 * float(known[source]) if value == last[source] else squashed(1.0 * float(value), rates[k])
    seen[k] = known[q] = shown
    last[q] = value


@apart
def to_seen(
    observation: Any, mask: Any, rows: Any, fixed: Any, worlds: Any, rates: Any, large: Any, sources: Any, runs: Any, last: Any,
    known: Any, seen: Any, is_open: Any,
) -> None:  # fmt: skip
    """Write what learners see, scaled, and which decisions are theirs.

    A logarithm costs more than all else here, so a number that stood in the same column at the last call, or in that from which
    it moves on (prices of the last MTU, hours ahead), is not taken again; most stand still until the next full hour.

    Args:
        observation, mask, rows, fixed: as in `to_physical`.
        worlds: those that are looked at.
        rates: (learner, OBSERVATIONS_W) 1 / unit of each column.
        large: (Q,) columns that are seen as asinh(x / unit), the others as x / unit; sources: (Q,) place in this list of the
            column from which numbers move on; it comes later in the list, or is the column itself.
        runs: (R, 2) first place and number of places in this list of long runs of columns that follow each other; behind the last
            one each place is for itself.
        last, known: (world, learner, Q) observation of the last call and its scaled numbers; changed.
        seen: (world, learner, OBSERVATIONS_W) float32, written.
        is_open: (world, learner, ACTIONS_W) bool, written.
    """
    for w in range(worlds.shape[0]):
        b = worlds[w]
        for i in range(rows.shape[0]):
            row = rows[i]
            for k in range(observation.shape[2]):
                seen[b, i, k] = plain(1.0 * float(observation[b, row, k]), rates[i, k])
            now, then, scaled, shown = observation[b, row], last[b, i], known[b, i], seen[b, i]
            alone = 0
            for r in range(runs.shape[0]):
                first, count = runs[r, 0], runs[r, 1]
                alone = first + count
                if stands_still(now, then, large[first], first, count):
                    for k in range(count):
                        shown[large[first] + k] = scaled[first + k]
                else:
                    for q in range(first, alone):
                        scale_one(now, rates[i], large, sources, q, then, scaled, shown)
            for q in range(alone, large.shape[0]):
                scale_one(now, rates[i], large, sources, q, then, scaled, shown)
            for k in range(mask.shape[2]):
                is_open[b, i, k] = mask[b, row, k] and fixed[i, k] != fixed[i, k]
