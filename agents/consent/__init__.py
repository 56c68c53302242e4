"""Consent as behaviour: who lets unsold local bids be passed on, and what else an FSP can choose."""

from .base import ConsentPolicy, WeekRevenue
from .choice import FspChoice, WithChoices
from .costs import COSTS, Cost, scaled, yearly_eur
from .gain import GainTerms, forwarding_gain_eur
from .learners import Bandit, BestResponse, Imitation, Learned
from .naming import parse_consent, parse_weekly
from .simple import Always, Never, RandomFsps, RandomShare
from .valued import BreakEven, Logit
from .wrapper import WithConsent, consenting, with_consent

__all__ = [
    "COSTS",
    "Always",
    "Bandit",
    "BestResponse",
    "BreakEven",
    "ConsentPolicy",
    "Cost",
    "FspChoice",
    "GainTerms",
    "Imitation",
    "Learned",
    "Logit",
    "Never",
    "RandomFsps",
    "RandomShare",
    "WeekRevenue",
    "WithChoices",
    "WithConsent",
    "consenting",
    "forwarding_gain_eur",
    "parse_consent",
    "parse_weekly",
    "scaled",
    "with_consent",
    "yearly_eur",
]
