"""Three choices of an FSP: consent to forwarding, bid itself, or leave both markets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from stacking import layout as at

from ..strategies.base import BoolArray, FloatArray, Seed, Strategy


class FspChoice(StrEnum):
    """What an FSP does about coordination."""

    CONSENT = "consent"  # unsold local bids are forwarded
    BID_ITSELF = "bid_itself"  # no consent; own balancing bids as the strategy makes them
    LEAVE = "leave"  # nothing offered locally or to balancing; day-ahead and intraday go on


OFFERED = (at.LFM_SHARE_UP, at.LFM_SHARE_DN, at.MFRR_SHARE_UP, at.MFRR_SHARE_DN)


@dataclass(frozen=True)
class WithChoice:
    """A strategy under a choice: writes the consent column, for `LEAVE` also the four offered shares (0); nothing else.

    The strategy is asked in any case, so that its memory is the same under every choice.
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
        consent = float(self.choice is FspChoice.CONSENT)
        action[:, at.CONSENT] = np.where(mask[:, at.CONSENT], consent, action[:, at.CONSENT])
        if self.choice is FspChoice.LEAVE:
            for column in OFFERED:
                action[:, column] = np.where(mask[:, column], 0.0, action[:, column])
        return action, state
