"""Consent policies: who lets unsold local bids be passed on. They write one column on top of any strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stacking.errors import StackingError
from stacking.layout import CONSENT, HOURS_TO_END
from stacking.units import MTU_PER_HOUR

from .seeds import UintArray, row_seeds, uniform
from .strategies.base import BoolArray, FloatArray, Seed, Strategy


class ConsentPolicy(Protocol):
    """Says yes (1) or no (0) for each row at a local gate."""

    @property
    def name(self) -> str:
        """Return the name as `parse_consent` reads it."""
        ...

    def decide(self, observation: FloatArray, seeds: UintArray) -> FloatArray:
        """Return the consent of n rows, (n,), 0 or 1, from (n, OBSERVATIONS_W) and the rows' seeds (n,)."""
        ...


@dataclass(frozen=True)
class Always:
    """Consents at every gate."""

    name = "always"

    def decide(self, observation: FloatArray, seeds: UintArray) -> FloatArray:
        """Return ones."""
        return np.ones(len(seeds))


@dataclass(frozen=True)
class Never:
    """Consents at no gate."""

    name = "never"

    def decide(self, observation: FloatArray, seeds: UintArray) -> FloatArray:
        """Return zeros."""
        return np.zeros(len(seeds))


@dataclass(frozen=True)
class RandomShare:
    """Consents with a probability, drawn anew for each row and local gate.

    The draw is a function of the row's seed and the time left, so that it is the same alone and in any batch, and the
    rows that consent at a share also consent at every larger one.
    """

    share_frac: float

    def __post_init__(self) -> None:
        """Check the share."""
        if not 0.0 <= self.share_frac <= 1.0:
            raise StackingError(
                "The share of consent is no probability.",
                key="consent",
                value=self.share_frac,
                allowed="0..1",
                remedy="Use for example random:0.5.",
            )

    @property
    def name(self) -> str:
        """Return "random:SHARE"."""
        return f"random:{self.share_frac:g}"

    def decide(self, observation: FloatArray, seeds: UintArray) -> FloatArray:
        """Return 1 where the drawn number is below the share."""
        ticks_left = np.rint(observation[:, HOURS_TO_END].astype(np.float64) * MTU_PER_HOUR).astype(np.int64)
        return (uniform(seeds, ticks_left.astype(np.uint64)) < self.share_frac).astype(np.float64)


def parse_consent(text: str) -> ConsentPolicy | None:
    """Return the policy named "always", "never" or "random:SHARE"; "own" leaves it to the strategy (None).

    Raises:
        StackingError: for anything else.
    """
    kind, _, share = text.strip().lower().partition(":")
    if kind == "random" and share:
        try:
            return RandomShare(float(share))
        except StackingError:
            raise
        except ValueError:
            pass
    elif not share and kind in ("own", "always", "never"):
        return {"own": None, "always": Always(), "never": Never()}[kind]
    raise StackingError(
        "Unknown consent policy.",
        key="consent",
        value=text,
        allowed="own, always, never, random:SHARE with SHARE in 0..1",
        remedy="Use for example --consent random:0.5.",
    )


@dataclass(frozen=True)
class WithConsent:
    """A strategy whose consent column is written by a policy; everything else is the strategy's."""

    strategy: Strategy
    policy: ConsentPolicy

    @property
    def name(self) -> str:
        """Return the strategy's name with the policy in brackets."""
        return f"{self.strategy.name}[{self.policy.name}]"

    def start(self, n: int, seed: Seed) -> Any:
        """Return (rows' seeds, state of the strategy)."""
        return row_seeds(n, seed), self.strategy.start(n, seed)

    def act(self, observation: FloatArray, mask: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Let the strategy decide, then write the consent column where it is open."""
        seeds, inner = state
        action, inner = self.strategy.act(observation, mask, inner)
        if mask[:, CONSENT].any():
            action = action.copy()  # the strategy may have returned an array that it keeps
            action[:, CONSENT] = np.where(mask[:, CONSENT], self.policy.decide(observation, seeds), action[:, CONSENT])
        return action, (seeds, inner)


def with_consent(strategy: Strategy, text: str) -> Strategy:
    """Return the strategy under the consent policy of that name; "own" returns it unchanged."""
    policy = parse_consent(text)
    return strategy if policy is None else WithConsent(strategy, policy)
