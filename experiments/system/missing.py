"""Figures that have no meaning under a design, or none beside another design, each with the reason."""

from __future__ import annotations

from stacking.config import Design

JOINT = {
    "offered_lfm_mwh": "bids stand in one book, at mFRR",
    "activated_lfm_mwh": "one activation serves both operators, it stands at mFRR",
    "undelivered_lfm_mwh": "what is not delivered was ordered by both operators",
    "undelivered_mfrr_mwh": "what is not delivered was ordered by both operators",
    "entry_small_offered_mwh": "nothing is forwarded: the TSO sees every bid",
    "entry_small_mwh": "nothing is forwarded: the TSO sees every bid",
    "entry_silent_mwh": "nothing is forwarded: the TSO sees every bid",
}
"""Of joint procurement."""


def missing_figures(design: Design) -> dict[str, str]:
    """Return column -> reason of what cannot be told under a design: its rows hold no number there."""
    return JOINT if design.joint else {}


NEEDS = ("lfm_bought_mwh", "lfm_unserved_mwh", "lfm_unserved_eur")


def apart_from(design: Design, baseline: Design) -> dict[str, str]:
    """Return column -> reason of what cannot be compared with a baseline: needs that the DSO learns at different times.

    Schedules move until the intraday gate, so a later look sees other needs. What exceeds limits at delivery can be compared.
    """
    ours, theirs = _last_look_min(design), _last_look_min(baseline)
    if ours == theirs:
        return {}
    return dict.fromkeys(NEEDS, f"the DSO's last look is {ours:g} minutes before delivery, in the baseline {theirs:g}")


def _last_look_min(design: Design) -> float:
    return design.products["mfrr" if design.joint else "lfm"].clearing_min
