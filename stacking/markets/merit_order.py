"""Merit order: sort offers, merge them with other people's stepwise curve, accept up to a need."""

from __future__ import annotations

from typing import Any

from ..build import law
from ..units import POWER_EPSILON_MW

OFFER_KEY, OFFER_PRIORITY, OFFER_MW, OFFER_ROW, OFFER_LEDGER, OFFER_ACCEPTED = 0, 1, 2, 3, 4, 5
OFFER_W = 6


@law
def step_price(reference: float, anchor: float, price_frac: float) -> float:
    """Return the price of a step of a background curve: anchor * p + reference * (1 - p), exactly the anchor at p = 1."""
    return anchor * price_frac + reference * (1.0 - price_frac)


@law
def goes_before(key_a: float, priority_a: float, key_b: float, priority_b: float) -> bool:
    """Return whether offer a precedes b: cheaper first, ties by the priority drawn in the scenario."""
    return key_a < key_b or (key_a == key_b and priority_a < priority_b)


@law
def sort_offers(offers: Any, spare: Any, count: int) -> None:
    """Sort offers in place by (key, priority), stable: runs by insertion, then merged bottom-up through `spare`.

    Args:
        offers: (capacity, OFFER_W), the first `count` rows are offers; key = price up, -price down.
        spare: memory of the same shape.
        count: number of offers.
    """
    run = 16
    for start in range(0, count, run):
        for i in range(start + 1, min(start + run, count)):
            j = i
            while j > start and goes_before(
                offers[j, OFFER_KEY], offers[j, OFFER_PRIORITY], offers[j - 1, OFFER_KEY], offers[j - 1, OFFER_PRIORITY]
            ):
                for c in range(OFFER_W):
                    moved = offers[j, c]
                    offers[j, c] = offers[j - 1, c]
                    offers[j - 1, c] = moved
                j -= 1
    while run < count:
        for start in range(0, count, 2 * run):
            merge_runs(offers, spare, start, min(start + run, count), min(start + 2 * run, count))
        for i in range(count):
            for c in range(OFFER_W):
                offers[i, c] = spare[i, c]
        run *= 2


@law
def merge_runs(offers: Any, spare: Any, start: int, middle: int, end: int) -> None:
    """Merge the sorted runs [start, middle) and [middle, end) of `offers` into `spare`."""
    left, right = start, middle
    for i in range(start, end):
        take_right = left >= middle or (
            right < end
            and goes_before(
                offers[right, OFFER_KEY],
                offers[right, OFFER_PRIORITY],
                offers[left, OFFER_KEY],
                offers[left, OFFER_PRIORITY],
            )
        )
        source = right if take_right else left
        for c in range(OFFER_W):
            spare[i, c] = offers[source, c]
        if take_right:
            right += 1
        else:
            left += 1


@law
def accept(
    offers: Any,
    count: int,
    curve: Any,
    sign: float,
    need: float,
    volume: float,
    reference: float,
    anchor: float,
    limit: float,
    priority: float,
    already: float,
) -> tuple[float, float, float]:
    """Accept sorted offers and background steps in merit order until the need is met or the limit price is reached.

    Args:
        offers: (capacity, OFFER_W) sorted; OFFER_ACCEPTED is written, MW.
        count: number of offers.
        curve: (steps, 2) cumulative volume and price fractions of the background.
        sign: +1 up-regulation (cheapest first), -1 down-regulation (dearest first).
        need: MW asked for.
        volume, reference, anchor: background curve, MW and EUR/MWh.
        limit: highest (up) or lowest (down) price that the buyer accepts, EUR/MWh.
        priority: tie-break of the background.
        already: MW that the background has sold before.

    Returns:
        marginal price (the anchor where nothing is accepted), MW accepted from offers, MW accepted from the background.
    """
    remaining, from_offers, from_background, price = need, 0.0, 0.0, anchor
    i, k = 0, 0
    while remaining > POWER_EPSILON_MW:
        while k < curve.shape[0] and curve[k, 0] * volume - already - from_background <= POWER_EPSILON_MW:
            k += 1
        step_key = 0.0
        if k < curve.shape[0]:
            step_key = sign * step_price(reference, anchor, curve[k, 1])
        offered = i < count and (
            k >= curve.shape[0] or goes_before(offers[i, OFFER_KEY], offers[i, OFFER_PRIORITY], step_key, priority)
        )
        if not offered and k >= curve.shape[0]:
            break
        key = offers[i, OFFER_KEY] if offered else step_key
        if key > sign * limit:
            break
        if offered:
            taken = min(offers[i, OFFER_MW], remaining)
            offers[i, OFFER_ACCEPTED] = taken
            from_offers += taken
            i += 1
        else:
            taken = min(curve[k, 0] * volume - already - from_background, remaining)
            from_background += taken
        remaining -= taken
        price = sign * key
    return price, from_offers, from_background


@law
def background_alone_mw(
    curve: Any, sign: float, need: float, volume: float, reference: float, anchor: float, limit: float
) -> float:
    """Return what the background would have supplied had nobody else offered, MW."""
    supplied = 0.0
    for k in range(curve.shape[0]):
        if sign * step_price(reference, anchor, curve[k, 1]) > sign * limit:
            break
        supplied = curve[k, 0] * volume
    return min(need, supplied)


@law
def shifted_need(up_mw: float, dn_mw: float, shift_mw: float) -> tuple[float, float]:
    """Return the needs of both directions after a net injection changed the balance (+ = less up needed).

    The shift first reduces the need of its own kind and then adds to the opposite one.

    >>> shifted_need(5.0, 0.0, 2.0), shifted_need(1.0, 0.0, 3.0), shifted_need(0.0, 4.0, -1.0)
    ((3.0, 0.0), (0.0, 2.0), (0.0, 3.0))
    """
    if shift_mw >= 0.0:
        used = min(up_mw, shift_mw)
        return up_mw - used, dn_mw + (shift_mw - used)
    used = min(dn_mw, -shift_mw)
    return up_mw + (-shift_mw - used), dn_mw - used
