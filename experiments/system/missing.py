"""Figures that have no meaning under a design, each with the reason; their rows hold no number."""

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
    """Return column -> reason of what cannot be told under a design."""
    return JOINT if design.joint else {}
