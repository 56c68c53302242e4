"""Rewards of learners: EUR divided by a stated constant; which EUR count when is a choice.

- `settlement`: the cash of the MTU that was settled. The sum of an episode is the net revenue.
- `award`: settlement + claims after - claims before, with claims = what is sold and bought and not settled yet
  (`stacking.envs.claims`). They are 0 at start and end, so the sum of an episode is that of `settlement`.
- `marked`: `award` + stock after - stock before, with stock = what the battery's unsold energy would be worth at the end of the
  episode (`stacking.envs.stock`): a purchase costs what it is dearer than the energy is worth. The stock is 0 at start and end,
  so the sum of an episode is that of `settlement` (a potential in the sense of Ng, Harada and Russell, ICML 1999).
- `risk`: u(cash after) - u(cash before) with cash = net revenue of the episode so far and
  u(R) = (1 - w) R + w (v - max(0, v - R) / a); w = risk_weight, a = risk_tail_frac, v = risk_threshold_eur. The sum of an
  episode is u(R) - u(0). The mean of u is at most (1 - w) mean + w CVaR_a of the revenue R, and equal to it where v is the
  a-quantile of R (Rockafellar and Uryasev, Optimization of conditional value-at-risk, Journal of Risk 2 (2000), 21-41).

With the baseline `do_nothing` the reward of the same FSP in the same MTU of the same scenario is subtracted, all FSPs doing
nothing: the sum of an episode is then the flex revenue of every table of this project. With that of another strategy it is the
reward of learners who play that strategy beside the same others: the sum of an episode is the gain over it, and what prices do to
both alike is no noise any more. A baseline depends on nothing that is decided, so it changes no preference among policies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import state as s
from stacking.build import build
from stacking.engine import Engine

from .claims import claims
from .co_players import CoPlayers
from .config import EnvConfig
from .learned import named_strategy
from .scene import Scene
from .stock import stocks

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]


IDLE = "do_nothing"


def utility(cash_eur: FLOAT, weight: float, tail_frac: float, threshold_eur: float) -> FLOAT:
    """Return u(R) = (1 - w) R + w (v - max(0, v - R) / a), EUR.

    >>> utility(np.array([100.0, -100.0]), 0.5, 0.05, 0.0).tolist()
    [50.0, -1050.0]
    """
    tail = threshold_eur - np.maximum(0.0, threshold_eur - cash_eur) / tail_frac
    return (1.0 - weight) * cash_eur + weight * tail


class Rewards:
    """The rewards of the learners of an engine.

    Args:
        config: kind, scale and terms.
        engine: stepped by others; `step` is called after each of its steps, `restart` after each of its resets.
        rows: (L,) portfolios that learn.
        scene: what the environment is made of.
    """

    def __init__(self, config: EnvConfig, engine: Engine, rows: INT, scene: Scene) -> None:
        self.config, self.engine, self.rows = config, engine, rows
        backend = "python" if config.backend == "python" else "serial"
        self._claims: Callable[..., Any] = build(claims, backend)
        self._stocks: Callable[..., Any] = build(stocks, backend)
        self._before = np.zeros((engine.worlds, len(rows)))
        self._worth, self._stock = np.zeros_like(self._before), np.zeros_like(self._before)
        self._base: Baseline | None = None
        if config.reward_baseline != "none":
            self._base = baseline(config, engine, rows, scene)

    def restart(self, worlds: INT) -> None:
        """Forget what lay before the start of these worlds."""
        self._before[worlds] = self._value()[worlds] if self.config.reward == "risk" else 0.0

    def step(self) -> FLOAT:
        """Return the rewards of the tick that was stepped, (B, L)."""
        if self.config.reward == "risk":
            return self._change(self._value()) / self.config.reward_scale_eur
        earned = self.earned_eur()
        if self._base is not None:
            earned = earned - self._base.each[self.engine.scenario, self.engine.clock - 1]
        return earned / self.config.reward_scale_eur

    def earned_eur(self) -> FLOAT:
        """Return the cash of the tick that was stepped and the change of what is counted beside it, (B, L)."""
        cash = self.engine.reward.take(self.rows, axis=1)
        return cash if self.config.reward == "settlement" else cash + self._change(self._beside())

    def recall(self) -> None:
        """Take over the state of the engine after it was restored."""
        kind = self.config.reward
        self._before[:] = self._value() if kind == "risk" else 0.0 if kind == "settlement" else self._beside()

    def _change(self, value: FLOAT) -> FLOAT:
        """Return by how much a value has risen since the last call, (B, L)."""
        change = value - self._before
        self._before[:] = value
        return change

    def _value(self) -> FLOAT:
        """Return the utility of the net revenue so far, (B, L)."""
        known = self.config
        cash = self.engine.state[:, self.rows, s.CASH]
        if self._base is not None:
            cash = cash - self._base.before[self.engine.scenario, self.engine.clock]
        return utility(cash, known.risk_weight, known.risk_tail_frac, known.risk_threshold_eur or 0.0)

    def _beside(self) -> FLOAT:
        """Return what is counted beside the cash: sales that are not settled yet, and stock if that is asked for, (B, L)."""
        return self._claimed() + self._stocked() if self.config.reward == "marked" else self._claimed()

    def _claimed(self) -> FLOAT:
        """Return what is sold and bought and not settled yet, (B, L)."""
        e = self.engine
        ready = float(e.compiled.products[c.LFM, s.READY_EUR_PER_MW_H])
        self._claims(e.compiled.rules, ready, e.params, e.library.series, e.library.length, e.control, e.ring, e.early, e.world,
                     e.prices, self.rows, self._worth)  # fmt: skip
        return self._worth

    def _stocked(self) -> FLOAT:
        """Return what the unsold energy of batteries is worth, (B, L)."""
        e = self.engine
        self._stocks(e.params, e.library.length, e.library.scalars, e.control, e.state, e.ring, self.rows, self._stock)
        return self._stock


@dataclass(frozen=True)
class Baseline:
    """What learners earn when they play a strategy, as the reward counts it, EUR: by tick (S, T, L), before it (S, T + 1, L)."""

    each: FLOAT
    before: FLOAT


def baseline(config: EnvConfig, engine: Engine, rows: INT, scene: Scene) -> Baseline:
    """Return what is subtracted.

    Args:
        config: with the strategy: `do_nothing`, which all FSPs play then, or another one, beside which the others play their own.
        engine: of the environment.
        rows: (L,) portfolios that learn.
        scene: what the environment is made of.
    """
    library, ticks = engine.library, engine.library.series.shape[1]
    played = Engine(engine.design, engine.portfolios, library, len(library), engine.backend, scene.network)
    everywhere = np.arange(len(library))
    played.reset(everywhere)
    rewards = Rewards(config.model_copy(update={"reward_baseline": "none"}), played, rows, scene)
    strategy = named_strategy(config.reward_baseline)
    others = {} if config.reward_baseline == IDLE else {**scene.others, **{int(row): strategy for row in rows}}
    players = CoPlayers(others, [p.name for p in engine.portfolios], engine.compiled.layout)
    if others:
        players.start(everywhere, [str(key) for key in library.keys])
    each, action = np.zeros((len(library), ticks, len(rows))), np.zeros(played.mask.shape)
    for tick in range(ticks):
        players.act(played.observation, played.mask, action)
        played.step(action)
        each[:, tick] = played.reward[:, rows] if config.reward == "risk" else rewards.earned_eur()
    before = np.zeros((len(library), ticks + 1, len(rows)))
    np.cumsum(each, axis=1, out=before[:, 1:])
    return Baseline(each, before)
