"""Choices of an FSP: which way its power goes to balancing, if at all, and whether it stays in the local market."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from stacking import layout as at

from ..strategies.base import BoolArray, FloatArray, Seed, Strategy


class FspChoice(StrEnum):
    """What an FSP does about coordination."""

    CONSENT = "consent"  # unsold local bids are forwarded; no balancing bids of its own
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
        """Return the offered shares that are 0 under this choice, as columns of an action."""
        own = () if self.bids_itself else (at.MFRR_SHARE_UP, at.MFRR_SHARE_DN)
        return (*own, at.LFM_SHARE_UP, at.LFM_SHARE_DN) if self is FspChoice.LEAVE else own


@dataclass(frozen=True)
class WithChoice:
    """A strategy under a choice: writes the consent columns and zeros into the shares that it closes; nothing else.

    The strategy is asked in any case and not told, so that its memory is the same under every choice: it prices local
    offers as if its own balancing bids came after them.
    """

    strategy: Strategy
    choice: FspChoice

    @property
    def name(self) -> str:
        """Return the strategy's name with the choice in brackets."""
        return f"{self.strategy.name}[{self.choice.value}]"

    @property
    def seed_name(self) -> str:
        """Return the name from which seeds are made: the strategy's."""
        return getattr(self.strategy, "seed_name", self.strategy.name)

    def start(self, n: int, seed: Seed) -> Any:
        """Return the state of the strategy."""
        return self.strategy.start(n, seed)

    def act(self, observation: FloatArray, mask: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Let the strategy decide, then apply the choice where columns are open."""
        action, state = self.strategy.act(observation, mask, state)
        action = action.copy()
        consent = float(self.choice.consents)
        action[:, at.CONSENTS] = np.where(mask[:, at.CONSENTS], consent, action[:, at.CONSENTS])
        for column in self.choice.closed:
            action[:, column] = np.where(mask[:, column], 0.0, action[:, column])
        return action, state
