"""Learning from week to week: each week one play of the game, after which every FSP may change its consent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stacking.errors import StackingError

from ..agents.consent import BestResponse, ConsentPolicy, WeekRevenue
from ..agents.seeds import UintArray, seed_of
from .equilibrium import Profile, switch
from .game import Game

FloatArray = NDArray[np.float64]
Play = Callable[[Profile], FloatArray]
"""Consent (F,), 0 or 1 -> what each FSP earns in that week, (F,) EUR."""


@dataclass(frozen=True)
class History:
    """What happened.

    Attributes:
        consent: (W, F) 0 or 1.
        earned_eur: (W, F).
    """

    consent: NDArray[np.int64]
    earned_eur: FloatArray

    def share_frac(self) -> FloatArray:
        """Return the share of FSPs that consent, (W,)."""
        return self.consent.mean(axis=1)


def fsp_seeds(names: Sequence[str], seed: int = 0) -> UintArray:
    """Return one seed per FSP from its name, (F,): it draws the same when others are added."""
    return np.array([seed_of("weekly consent", seed, name) for name in names], dtype=np.uint64)


def adapt(policy: ConsentPolicy, weeks: Sequence[Play], rated_mw: Sequence[float], seeds: UintArray) -> History:
    """Let all FSPs follow a weekly learner.

    Args:
        policy: bandit, best response or imitation.
        weeks: one play each; the choices stay the same within it.
        rated_mw: (F,) sizes.
        seeds: (F,) of the draws.

    Raises:
        StackingError: for a policy that does not learn between weeks.
    """
    if not policy.weekly:
        raise StackingError("The policy does not learn between weeks.", place="weeks", key="consent", value=policy.name)
    state = policy.start(seeds)
    consent, earned = [], []
    for play in weeks:
        profile = tuple(int(c) for c in state.choice)
        revenue = play(profile)
        other = None
        if isinstance(policy, BestResponse):
            other = np.array([play(switch(profile, k, 1 - profile[k]))[k] for k in range(len(profile))])
        state = policy.after_week(state, WeekRevenue(revenue, np.asarray(rated_mw, dtype=np.float64), other))
        consent.append(profile)
        earned.append(revenue)
    return History(np.array(consent, dtype=np.int64), np.array(earned))


def week_of(game: Game, scenario: int | None = None) -> Play:
    """Return the play of one scenario of a game, or of the mean over all (training) scenarios."""

    def play(profile: Profile) -> FloatArray:
        flex = game.flex_eur(["always" if c else "never" for c in profile])
        return flex.mean(axis=0) if scenario is None else flex[scenario]

    return play
