"""Columns of the flows of one tick: what happened to a portfolio, forgotten at the next tick.

``flows`` is (world, portfolio, FLOWS_W), ``market`` is (world, MARKET_W). Cash is booked at the settlement of the MTU
of delivery, + = received by the FSP; each cash label has exactly one counterpart (``CASH_LABELS``).
"""

from __future__ import annotations

from dataclasses import dataclass

from .codes import CODES, CODES_W

# cash, EUR
CASH_DA, CASH_ID, CASH_LFM, CASH_MFRR, CASH_FORWARDED = 0, 1, 2, 3, 4
CASH_IMBALANCE, CASH_TSO_PENALTY, CASH_FEE, CASH_WEAR, CASH_TARIFF, CASH_TERMINAL = 5, 6, 7, 8, 9, 10
CASH_DELAY, CASH_UNMET, CASH_LOAD, CASH_READY = 11, 12, 13, 14
CASH_W = 15
# energy, MWh (offers and forwards are counted at their gates, everything else at delivery)
OFFERED_LFM, OFFERED_MFRR, FORWARDED_MWH = 15, 16, 17
ACTIVATED_LFM, ACTIVATED_MFRR, ACTIVATED_FORWARDED = 18, 19, 20
DOUBLE_SELECTED, DOUBLE_ACTIVATED = 21, 22
UNDELIVERED_LFM, UNDELIVERED_MFRR, DEPLETED = 23, 24, 25
IMBALANCE, CHARGED, DISCHARGED = 26, 27, 28  # charged, discharged: the battery
CONSENT_ASKED, OPTED_OUT = 29, 30  # MWh of unsold local bids that could have been shared; the part without consent
ASKED_COUNT, OPTED_OUT_COUNT = 31, 32  # the same as bids: FSP, MTU and direction
VALIDATED_LFM = 33  # local energy that counts as delivered against the baseline
EV_CHARGED, EV_INJECTED, EV_UNMET = 34, 35, 36  # energy missing when cars left
EV_LEFT_COUNT, EV_SHORT_COUNT = 37, 38  # cars that left; those that left without what they wanted
LOAD_SHED, LOAD_RECOVERED, LOAD_STARTS = 39, 40, 41  # interrupted, consumed afterwards; activations started
POWER_MW, POSITION_MW, CONTENT_MWH = 42, 43, 44  # metered power, schedule, battery content at the end of the MTU
FORWARDED_ID, DOUBLE_PAID = 45, 46  # unsold local bids that were sold intraday; energy that counts as delivered twice
AWARDED = 47  # local availability that was awarded
REFUSED = 48
FLOWS_W = REFUSED + CODES_W

# market, per world; prices of the MTU that was delivered in this tick (LFM: of the block that was cleared)
PRICE_MFRR_UP, PRICE_MFRR_DN, PRICE_IMBALANCE, PRICE_DA = 0, 1, 2, 3
ACCEPTED_LFM_MWH, ACCEPTED_MFRR_MWH = 4, 5  # accepted from FSPs at this tick's clearings
BACKGROUND_LFM_MWH, BACKGROUND_MFRR_MWH = 6, 7  # accepted from other people
NEED_LFM_MWH, NEED_MFRR_MWH = 8, 9  # asked for
DSO_PAID_EUR, TSO_PAID_EUR = 10, 11  # paid by the operator to the FSPs at this tick's settlement
UNSERVED_LFM_MWH, UNSERVED_MFRR_MWH = 12, 13  # asked for and not bought, for want of bids below the limit price
VIOLATED_MWH = 14  # by which activations of the TSO exceed limits of areas, summed over areas
# operator's income (-) or cost of the opposite energy of local activations, where the rule `position` asks for it
COUNTER_EUR = 15
TSO_FEE_EUR = 16  # fee of forwarded bids where the TSO pays it
MARKET_W = 17


@dataclass(frozen=True)
class CashLabel:
    """One kind of payment: market, reason and the counterpart who pays or receives it."""

    column: int
    name: str
    market: str
    reason: str
    counterpart: str


CASH_LABELS: tuple[CashLabel, ...] = (
    CashLabel(CASH_DA, "da", "da", "energy of the day-ahead position", "power exchange"),
    CashLabel(CASH_ID, "id", "id", "energy of intraday trades", "power exchange"),
    CashLabel(CASH_LFM, "lfm", "lfm", "local activation, pay-as-bid (joint: area price above the root's)", "DSO"),
    CashLabel(CASH_READY, "availability", "lfm", "awarded MW that were ready, at the rate of the DSO", "DSO"),
    CashLabel(CASH_MFRR, "mfrr", "mfrr", "own balancing bids, marginal price (joint: price of the root)", "TSO"),
    CashLabel(CASH_FORWARDED, "mfrr_forwarded", "mfrr", "forwarded local bids, marginal price", "TSO"),
    CashLabel(CASH_IMBALANCE, "imbalance", "imbalance", "imbalance settlement", "TSO"),
    CashLabel(CASH_TSO_PENALTY, "tso_penalty", "mfrr", "explicit penalty for undelivered balancing energy", "TSO"),
    CashLabel(CASH_FEE, "fee", "mfrr", "fee for activated forwarded bids", "market operator"),
    CashLabel(CASH_WEAR, "wear", "asset", "wear of the battery", "asset"),
    CashLabel(CASH_TARIFF, "tariff", "grid", "grid tariff and taxes on charging", "grid company"),
    CashLabel(CASH_DELAY, "ev_delay", "asset", "drivers' pay for charging moved by orders and for injected energy", "drivers"),
    CashLabel(CASH_UNMET, "ev_unmet", "asset", "energy missing when cars leave", "drivers"),
    CashLabel(CASH_LOAD, "load_activation", "asset", "cost of interrupting the load", "asset"),
    CashLabel(
        CASH_TERMINAL,
        "terminal",
        "terminal",
        "value of stored energy, less what cars and loads are still owed, at the end",
        "scenario",
    ),
)

ENERGY_LABELS: tuple[tuple[int, str], ...] = (
    (OFFERED_LFM, "offered_lfm_mwh"),
    (OFFERED_MFRR, "offered_mfrr_mwh"),
    (FORWARDED_MWH, "forwarded_mwh"),
    (ACTIVATED_LFM, "activated_lfm_mwh"),
    (ACTIVATED_MFRR, "activated_mfrr_mwh"),
    (ACTIVATED_FORWARDED, "activated_forwarded_mwh"),
    (DOUBLE_SELECTED, "double_selected_mwh"),
    (DOUBLE_ACTIVATED, "double_activated_mwh"),
    (UNDELIVERED_LFM, "undelivered_lfm_mwh"),
    (UNDELIVERED_MFRR, "undelivered_mfrr_mwh"),
    (DEPLETED, "depleted_mwh"),
    (IMBALANCE, "imbalance_mwh"),
    (CHARGED, "charged_mwh"),
    (DISCHARGED, "discharged_mwh"),
    (CONSENT_ASKED, "consent_asked_mwh"),
    (OPTED_OUT, "opted_out_mwh"),
    (ASKED_COUNT, "asked_count"),
    (OPTED_OUT_COUNT, "opted_out_count"),
    (VALIDATED_LFM, "validated_lfm_mwh"),
    (EV_CHARGED, "ev_charged_mwh"),
    (EV_INJECTED, "ev_injected_mwh"),
    (EV_UNMET, "ev_unmet_mwh"),
    (EV_LEFT_COUNT, "ev_left_count"),
    (EV_SHORT_COUNT, "ev_short_count"),
    (LOAD_SHED, "load_shed_mwh"),
    (LOAD_RECOVERED, "load_recovered_mwh"),
    (LOAD_STARTS, "load_starts_count"),
    (FORWARDED_ID, "forwarded_id_mwh"),
    (DOUBLE_PAID, "double_paid_mwh"),
    (AWARDED, "awarded_mwh"),
)
"""Columns that add up over an episode, with their names in result files."""

MARKET_LABELS: tuple[tuple[int, str], ...] = (
    (NEED_LFM_MWH, "need_lfm_mwh"),
    (ACCEPTED_LFM_MWH, "accepted_lfm_mwh"),
    (BACKGROUND_LFM_MWH, "background_lfm_mwh"),
    (UNSERVED_LFM_MWH, "unserved_lfm_mwh"),
    (NEED_MFRR_MWH, "need_mfrr_mwh"),
    (ACCEPTED_MFRR_MWH, "accepted_mfrr_mwh"),
    (BACKGROUND_MFRR_MWH, "background_mfrr_mwh"),
    (UNSERVED_MFRR_MWH, "unserved_mfrr_mwh"),
    (VIOLATED_MWH, "violated_mwh"),
    (DSO_PAID_EUR, "dso_paid_eur"),
    (TSO_PAID_EUR, "tso_paid_eur"),
    (COUNTER_EUR, "counter_eur"),
    (TSO_FEE_EUR, "tso_fee_eur"),
)
"""Columns of a world that add up over an episode, with their names in result files."""

REFUSED_LABELS: tuple[tuple[int, str], ...] = tuple((REFUSED + c.number, f"refused_{c.name.lower()}_mwh") for c in CODES)
"""Refused energy by code, with its names in result files."""
