"""A strategy under a consent policy, and portfolios each under its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stacking.errors import StackingError
from stacking.layout import CONSENT_DN, CONSENT_UP, CONSENTS, LFM_SHARE_UP

from ..seeds import mix, row_seeds, seed_of
from ..strategies.base import BoolArray, FloatArray, Seed, Strategy, keep_word
from .base import ConsentPolicy
from .naming import parse_consent

_PURPOSE = np.uint64(seed_of("consent"))


@dataclass(frozen=True)
class WithConsent:
    """A strategy whose consent columns are written by a policy; everything else is the strategy's, byte for byte."""

    strategy: Strategy
    policy: ConsentPolicy

    @property
    def name(self) -> str:
        """Return the strategy's name with the policy in brackets."""
        return f"{self.strategy.name}[{self.policy.name}]"

    @property
    def seed_name(self) -> str:
        """Return the name from which seeds are made: the strategy's, so that a policy changes no draw but its own."""
        return getattr(self.strategy, "seed_name", self.strategy.name)

    def start(self, n: int, seed: Seed) -> Any:
        """Return (state of the policy, state of the strategy)."""
        return self.policy.start(mix(row_seeds(n, seed) ^ _PURPOSE)), self.strategy.start(n, seed)

    def act(self, observation: FloatArray, mask: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Let the strategy decide, then write the consent columns where they are open; what was said is never withdrawn."""
        own, inner = state
        action, inner = self.strategy.act(observation, mask, inner)
        told = mask[:, CONSENT_UP] | mask[:, CONSENT_DN]
        if told.any():
            consent, own = self.policy.decide(observation, told & mask[:, LFM_SHARE_UP], own)
            action = action.copy()  # the strategy may have returned an array that it keeps
            action[:, CONSENTS] = np.where(mask[:, CONSENTS], keep_word(observation, mask, consent), action[:, CONSENTS])
        return action, (own, inner)


def with_consent(strategy: Strategy, text: str) -> Strategy:
    """Return the strategy under the consent policy of that name; "own" returns it unchanged."""
    policy = parse_consent(text)
    return strategy if policy is None else WithConsent(strategy, policy)


def consenting(
    strategies: Mapping[str, Strategy], assignment: Sequence[str], consent: str | Sequence[str]
) -> tuple[dict[str, Strategy], tuple[str, ...]]:
    """Return strategies and assignment with each portfolio under its consent policy, labelled "STRATEGY[POLICY]".

    Args:
        strategies: label -> strategy.
        assignment: (F,) label of each portfolio.
        consent: name of a policy for all, or (F,) one for each; "own" leaves the label as it is.

    Raises:
        StackingError: for an unknown policy, or a number of policies that does not match.
    """
    names = (consent,) * len(assignment) if isinstance(consent, str) else tuple(consent)
    if len(names) != len(assignment):
        raise StackingError(
            "Consent policies and portfolios do not match.", place="Population", key="consent", value=len(names),
            allowed=f"one name, or {len(assignment)}",
        )  # fmt: skip
    labels = tuple(label if text == "own" else f"{label}[{text}]" for label, text in zip(assignment, names, strict=True))
    wrapped = {
        label: with_consent(strategies[base], text)
        for label, base, text in zip(labels, assignment, names, strict=True)
        if base in strategies
    }
    return {**strategies, **wrapped}, labels
