"""Refusal codes: why a bid, or a part of it, was not taken, with the remedy.

``stacking explain CODE`` prints these records; the engine counts refused MWh per code.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import StackingError


@dataclass(frozen=True)
class RefusalCode:
    """One reason for a refusal: integer used by the kernel, name, meaning and remedy."""

    number: int
    name: str
    meaning: str
    remedy: str


# Kernel constants (indices into the refused-energy columns).
NO_CONSENT = 0
BELOW_MINIMUM = 1
GRANULARITY_REST = 2
PRICE_LIMIT = 3
TOO_SLOW = 4
MIN_RUN = 5
OPPOSITE_SALE = 6
SOLD_ELSEWHERE = 7
POOL_TRIMMED = 8
POOL_TOO_SMALL = 9
LOCKED = 10
GRID_LIMIT = 11
NOT_MEMBER = 12
COLLATERAL = 13
RESIDUAL = 14
WITHDRAWN = 15
NOT_AWARDED = 16
NO_LONGER_FREE = 17
CODES_W = 18

CODES: tuple[RefusalCode, ...] = (
    RefusalCode(
        NO_CONSENT,
        "NO_CONSENT",
        "The FSP has not consented to share its unsold local bid; the bid stays local.",
        "Set the consent action to 0.5 or more at the local gate (strategy option --consent always).",
    ),
    RefusalCode(
        BELOW_MINIMUM,
        "BELOW_MINIMUM",
        "After rounding down to the granularity the bid is smaller than the product's minimum quantity.",
        "Offer more MW, use a larger portfolio, or a design with pooling.",
    ),
    RefusalCode(
        GRANULARITY_REST,
        "GRANULARITY_REST",
        "The part of the bid that is not a whole multiple of the product's granularity was left out.",
        "Offer whole multiples of the granularity; the rest stays free for other markets.",
    ),
    RefusalCode(
        PRICE_LIMIT,
        "PRICE_LIMIT",
        "The bid price lies outside the price limits of the market, or of the receiving market; prices are never clipped.",
        "Bid within the limits printed by `stacking designs`.",
    ),
    RefusalCode(
        TOO_SLOW,
        "TOO_SLOW",
        "The bid's full activation time is longer than the receiving product allows.",
        "Offer a faster asset or a product with a longer activation time.",
    ),
    RefusalCode(
        MIN_RUN,
        "MIN_RUN",
        "The bid needs a minimum run longer than one MTU, which the receiving product cannot express.",
        "Offer a bid without minimum run or with one MTU.",
    ),
    RefusalCode(
        OPPOSITE_SALE,
        "OPPOSITE_SALE",
        "A bid in the direction opposite to a local sale for the same delivery is blocked until delivery ends.",
        "Offer the same direction, or another MTU.",
    ),
    RefusalCode(
        SOLD_ELSEWHERE,
        "SOLD_ELSEWHERE",
        "The design is exclusive and this capacity was offered in another market for the same delivery.",
        "Choose one market per delivery, or a design that lets markets share.",
    ),
    RefusalCode(
        POOL_TRIMMED,
        "POOL_TRIMMED",
        "The pool's volume was rounded down to the granularity; the dearest members gave up the rest.",
        "Lower the price, or let more members join.",
    ),
    RefusalCode(
        POOL_TOO_SMALL,
        "POOL_TOO_SMALL",
        "The pooled bids of the zone, direction and MTU together stay below the receiving market's minimum quantity.",
        "Let more members join the pool, or offer more MW.",
    ),
    RefusalCode(
        LOCKED,
        "LOCKED",
        "Another buyer of the same book had matched the bid before; the later match is void.",
        "Nothing: the bid is sold once, to the buyer who came first (rule conflict_rule, lock_latency_s).",
    ),
    RefusalCode(
        GRID_LIMIT,
        "GRID_LIMIT",
        "Activating the bid for the TSO would exceed the limit of an area on its path; the DSO's check kept it back.",
        "Offer in another area or in the direction that relieves the grid; rule grid_check says how strict the check is.",
    ),
    RefusalCode(
        NOT_MEMBER,
        "NOT_MEMBER",
        "The FSP is no registered, prequalified member of the receiving market, which the design demands (rule membership).",
        "Set member = true in the portfolio once it is registered, or join a pool whose operator is (membership = pool).",
    ),
    RefusalCode(
        COLLATERAL,
        "COLLATERAL",
        "The bid is larger than what the collateral deposited by the FSP covers (rule collateral_eur_per_mw).",
        "Deposit more (collateral_eur of the portfolio) or offer fewer MW.",
    ),
    RefusalCode(
        RESIDUAL,
        "RESIDUAL",
        "The DSO bought a part of the bid, and the design returns the rest to its owner (rule residual).",
        "Offer the rest again at the balancing gate; it is free.",
    ),
    RefusalCode(
        WITHDRAWN,
        "WITHDRAWN",
        "The owner withdrew a forwarded bid or lowered its volume, as the design allows (rules consent_revocable_until_min, "
        "change_forwarded).",
        "Nothing: the power is free again. Consent and balancing shares of 1 keep a forwarded bid as it is.",
    ),
    RefusalCode(
        NOT_AWARDED,
        "NOT_AWARDED",
        "The DSO awarded availability to cheaper bids, or needed none; the bid is returned.",
        "Offer it again at the balancing gate, or at a lower price next time.",
    ),
    RefusalCode(
        NO_LONGER_FREE,
        "NO_LONGER_FREE",
        "What was offered on the day before and not sold has meanwhile been used, by the day plan or other sales.",
        "Plan less of the store day-ahead (da_volume_frac) if the balancing market is to have it.",
    ),
)


def explain(name: str) -> RefusalCode:
    """Return the record of a refusal code by its name (any case).

    Raises:
        StackingError: if there is no such code.
    """
    for code in CODES:
        if code.name == name.strip().upper():
            return code
    raise StackingError(
        "Unknown refusal code.",
        key="CODE",
        value=name,
        allowed=", ".join(c.name for c in CODES),
        remedy="Use one of the names above; they are printed in the 'refused' lines of every table.",
    )
