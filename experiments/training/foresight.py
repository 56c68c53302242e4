"""What the value function may know in training: how prices and needs go on, and what the baseline holds.

The policy never sees these columns, and what is shared is the policy alone. A critic that knows what happens anyway takes it out
of the advantages: a price spike is no longer credited to whatever was decided before it. The gradient stays unbiased, because a
decision does not depend on what nobody knows yet (Pinto et al., Asymmetric actor critic for image-based robot learning, 2017,
arXiv:1710.06542).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper

from stacking import columns as c
from stacking import state as s
from stacking.units import MTU_PER_HOUR

from ...envs.sb3 import Sb3VecEnv
from ...envs.scaling import PRICE_UNIT
from ...envs.worlds import Worlds

PRICE_MTU, NEED_MTU = 24, 16  # how far ahead imbalance prices, and the balancing market, are told
PRICE_HOURS = 24  # of day-ahead prices
LOCAL_BLOCKS = 6  # hours of local needs from now

TABLE = NDArray[np.float32]


def foresight(worlds: Worlds) -> TABLE:
    """Return what the critic is told, (scenario, tick, column): prices as asinh(p / 50), MW as asinh(MW / connection)."""
    library = worlds.engine.library
    series, ticks = library.series, library.series.shape[1]
    connection = worlds.portfolios[0].connection_mw
    up, down = c.background_column(c.UP), c.background_column(c.DN)
    price = _ahead(np.arcsinh(series[:, :, c.IMBALANCE_PRICE] / PRICE_UNIT), range(PRICE_MTU))
    needs = [_ahead(np.arcsinh(series[:, :, d + c.NEED] / connection), range(NEED_MTU)) for d in (up, down)]
    marks = [_ahead(np.arcsinh(series[:, :, d + c.REF] / PRICE_UNIT), range(NEED_MTU)) for d in (up, down)]
    hourly = _ahead(np.arcsinh(series[:, :, c.DA_PRICE] / PRICE_UNIT), range(0, PRICE_HOURS * MTU_PER_HOUR, MTU_PER_HOUR))
    parts = [price, *needs, *marks, hourly]
    if library.local.shape[1]:
        area = max(0, int(worlds.engine.params[worlds.rows[0], s.AREA]))
        local = library.local[:, min(area, library.local.shape[1] - 1)]
        steps = range(0, LOCAL_BLOCKS * MTU_PER_HOUR, MTU_PER_HOUR)
        for column, unit in ((c.NEED, connection), (c.LIMIT, PRICE_UNIT)):
            parts += [_ahead(np.arcsinh(local[:, :, d + column] / unit), steps) for d in (up, down)]
    base = worlds.rewards.base
    if base is not None:
        capacity = max(worlds.engine.params[worlds.rows[0], s.CAPACITY_MWH], 1e-6)
        parts.append(base.content[:, :, :1] / capacity)
    out = np.concatenate([part[:, :ticks] for part in parts], axis=2)
    return np.concatenate([out, np.zeros_like(out[:, :1])], axis=1).astype(np.float32)  # nothing lies behind the end


def _ahead(values: NDArray[np.float64], offsets: range) -> NDArray[np.float64]:
    """Return a series at several offsets from each tick, (scenario, tick, offset); 0 behind the end."""
    count, ticks = values.shape
    padded = np.concatenate([values, np.zeros((count, offsets[-1] + 1))], axis=1)
    return np.stack([padded[:, k : k + ticks] for k in offsets], axis=2)


class ForesightVecEnv(VecEnvWrapper):
    """Rows whose observations end with columns for the critic alone; `Training.foresight` makes the policy that reads them so."""

    def __init__(self, venv: Sb3VecEnv) -> None:
        self.rows, self.table = venv.env, foresight(venv.env.worlds)
        space = venv.observation_space
        assert isinstance(space, spaces.Box)
        self.plain = int(space.shape[0])
        more = np.full(self.table.shape[2], np.inf, np.float32)
        wide = spaces.Box(np.concatenate([space.low, -more]), np.concatenate([space.high, more]), dtype=np.float32)
        super().__init__(venv, observation_space=wide)

    def reset(self) -> Any:
        """Begin an episode in all rows."""
        return self._wide(self.venv.reset())

    def step_wait(self) -> Any:
        """Step the rows; what follows the end of an episode is told to nobody."""
        seen, rewards, ended, infos = self.venv.step_wait()
        nothing = np.zeros(self.table.shape[2], np.float32)
        for i in np.flatnonzero(ended):
            infos[i]["terminal_observation"] = np.concatenate([infos[i]["terminal_observation"], nothing])
        return self._wide(seen), rewards, ended, infos

    def _wide(self, seen: Any) -> Any:
        engine = self.rows.engine
        return np.concatenate([seen, self.table[engine.scenario, engine.clock]], axis=1)
