"""Choices of an FSP: which way its power goes to balancing, if at all, and whether it stays in the local market."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from stacking import layout as at
from stacking.errors import StackingError

from ..strategies.base import BoolArray, FloatArray, Seed, Strategy

CONSENT_COLUMNS = (at.CONSENT_UP, at.CONSENT_DN)


class FspChoice(StrEnum):
    """What an FSP does about coordination."""

    CONSENT = "consent"  # unsold local bids are forwarded wherever the strategy consents; no balancing bids of its own
    BID_ITSELF = "bid_itself"  # own balancing bids as the strategy makes them; no consent
    BOTH = "both"  # consent, and own balancing bids of what is left
    LOCAL_ONLY = "local_only"  # neither: only the local market
    LEAVE = "leave"  # nothing offered locally or to balancing; day-ahead and intraday go on

    @property
    def consents(self) -> bool:
        """Return whether unsold local bids are forwarded."""
        return self in (FspChoice.CONSENT, FspChoice.BOTH)

    @property
    def bids_itself(self) -> bool:
        """Return whether the FSP sends balancing bids of its own."""
        return self in (FspChoice.BID_ITSELF, FspChoice.BOTH)

    @property
    def closed(self) -> tuple[int, ...]:
        """Return the offered shares and answers that are 0 under this choice, as columns of an action."""
        answers = () if self.consents else CONSENT_COLUMNS
        own = () if self.bids_itself else (at.MFRR_SHARE_UP, at.MFRR_SHARE_DN)
        return (*answers, *own, *((at.LFM_SHARE_UP, at.LFM_SHARE_DN) if self is FspChoice.LEAVE else ()))


@dataclass(frozen=True)
class WithChoices:
    """A strategy of k FSPs, each under a choice of its own: zeros in the columns that it closes, all else unchanged.

    Rows come world by world, the FSPs of each in the order of `choices`: one call decides for all, whatever each has
    chosen. Who consents says yes where the strategy does (a standing yes is `with_consent(strategy, "always")`). The
    strategy is not told, so that its memory is the same under every choice: it prices local offers as if its own
    balancing bids came after them.
    """

    strategy: Strategy
    choices: tuple[FspChoice, ...]

    @property
    def name(self) -> str:
        """Return the strategy's name with its choices in brackets."""
        return f"{self.strategy.name}[{', '.join(dict.fromkeys(self.choices))}]"

    @property
    def seed_name(self) -> str:
        """Return the name from which seeds are made: the strategy's."""
        return getattr(self.strategy, "seed_name", self.strategy.name)

    def start(self, n: int, seed: Seed) -> tuple[BoolArray, Any]:
        """Return which columns are closed in each row, and the state of the strategy.

        Raises:
            StackingError: for rows that do not make up whole worlds.
        """
        if n % len(self.choices):
            raise StackingError(
                "Rows and choices do not match.", place=self.name, key="n", value=n,
                allowed=f"a multiple of {len(self.choices)} FSPs",
            )  # fmt: skip
        closed = np.zeros((len(self.choices), at.ACTIONS_W), dtype=bool)
        for k, choice in enumerate(self.choices):
            closed[k, list(choice.closed)] = True
        return np.tile(closed, (n // len(self.choices), 1)), self.strategy.start(n, seed)

    def act(self, observation: FloatArray, mask: BoolArray, state: tuple[BoolArray, Any]) -> tuple[FloatArray, Any]:
        """Let the strategy decide, then put zeros where the choice closes an open column."""
        closed, inner = state
        action, inner = self.strategy.act(observation, mask, inner)
        return np.where(closed & mask, 0.0, action), (closed, inner)
