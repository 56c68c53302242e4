"""The native vector face: one FSP learns in each of B worlds, stepped in one call.

A row whose episode ends begins the next one in the same step (AutoresetMode.SAME_STEP, the default): so every row of every step
is a transition, none is a mere reset that an algorithm has to leave out, and it is what stable-baselines3 expects. Its last
observation and info stand in `infos["final_obs"]` and `infos["final_info"]`. Gymnasium's own observation wrappers take only
NEXT_STEP: the row begins again in the step that follows, whose action it ignores and whose reward is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.layout import ACTIONS_W
from stacking.scenario.keys import whole_number

from .config import env_config
from .infos import batched, finals, infos, of_all
from .scenarios import stream_seeds
from .single import known_options
from .spaces import action_space, observation_space, widest
from .worlds import Moment, Worlds, checked_action

Results = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


@dataclass(frozen=True)
class VectorMoment:
    """A copy of a vector environment at a moment."""

    worlds: Moment
    running: bool
    again: NDArray[np.bool_]


class StackingVectorEnv(VectorEnv):
    """`num_envs` environments as rows of one engine; bit for bit what `SyncVectorEnv` makes of as many single ones.

    Row i is seeded with seed + i and draws its own sequence of scenarios.

    Args:
        num_envs: number of rows.
        config: TOML file or table of settings.
        autoreset_mode: when rows that end begin again: in the same step, or in the next one.
        render_mode: only None; render a single environment.
        settings: others that go before them, see `stacking.envs.EnvConfig`.

    Raises:
        StackingError: for bad settings.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  (Gymnasium's way to say it)

    def __init__(
        self,
        num_envs: int = 1,
        config: str | Path | Mapping[str, Any] | None = None,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        if render_mode is not None:
            raise StackingError("A vector environment has no figure.", place="environment", key="render_mode",
                                value=render_mode, allowed="None", remedy="Render a single environment.")  # fmt: skip
        self.metadata = {**self.metadata, "autoreset_mode": _mode(autoreset_mode)}
        self._same_step = self.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        self.num_envs = whole_number(num_envs, "num_envs", least=1, place="environment")
        self.config = env_config(config, settings)
        self.worlds = self._made()
        self.learners = len(self.worlds.rows)
        self.single_observation_space = widest([observation_space(p, self.config) for p in self.worlds.portfolios])
        self.single_action_space = action_space(self.config.levels)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._shape, self._levels = (self.num_envs, ACTIONS_W), self.config.levels is not None
        self._running = self._seeded = False
        self._again = np.zeros(self.num_envs // self.learners, np.bool_)  # worlds that begin again in the next step

    def _made(self) -> Worlds:
        """Return the worlds: one for each row."""
        return Worlds(self.config, self.num_envs)

    @property
    def engine(self) -> Engine:
        """Return the engine whose worlds are the rows."""
        return self.worlds.engine

    def reset(  # type: ignore[override]
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in all rows.

        Args:
            seed: of the sequences of scenarios: one number, to which rows add theirs, or one for each.
            options: "scenario": number of a scenario of the library for all rows, or one for each.

        Raises:
            StackingError: for a number of seeds that does not match, an unknown option or scenario.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        worlds, each = self.worlds, self.worlds.all
        if seed is not None or not self._seeded:
            worlds.seed(each, stream_seeds(self._row_seeds(seed)[:: self.learners], self.np_random))
            self._seeded = True
        worlds.reset(each, known_options(options).get("scenario"))
        worlds.look()
        self._running, self._again[:] = True, False
        return self._flat(worlds.seen), self._told(each)

    def step(self, actions: Any) -> Results:
        """Decide in all rows for the MTU that starts now; rows that end begin their next episode.

        Args:
            actions: (num_envs, ACTIONS_W) of the action space.

        Raises:
            StackingError: for a wrong shape or numbers outside -1..1 in open columns (no row has moved then).
        """
        if not self._running:
            raise StackingError("No episode has begun.", place="environment", key="step", remedy="Call reset() first.")
        worlds, again = self.worlds, self._again.copy()
        given = checked_action(actions, self._shape, self._levels)
        reward = worlds.step(given.reshape(len(again), self.learners, ACTIONS_W))
        truncated = worlds.engine.ended & ~again
        if again.any():
            reward = np.where(again[:, None], 0.0, reward)
            worlds.reset(np.flatnonzero(again))
        worlds.look()
        final = self._ended(np.flatnonzero(truncated)) if truncated.any() else {}
        told = self._told(worlds.all)
        self._again[:] = truncated & (not self._same_step)
        ended = truncated if self.learners == 1 else np.repeat(truncated, self.learners)
        return self._flat(worlds.seen), self._flat(reward), np.zeros(self.num_envs, np.bool_), ended, final | told

    # ---- worlds and rows: row = world x learner --------------------------------------------------------------------------
    def _flat(self, each: NDArray[Any]) -> NDArray[Any]:
        """Return what worlds and learners have, (B, L, ...), by row, (B * L, ...); no copy."""
        return each.reshape(self.num_envs, *each.shape[2:])

    def _rows_of(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of some worlds."""
        return chosen if self.learners == 1 else (chosen[:, None] * self.learners + np.arange(self.learners)).reshape(-1)

    def _told(self, chosen: NDArray[np.int64]) -> dict[str, Any]:
        """Return what is told of the rows of some worlds."""
        return batched(of_all(infos, self.worlds, chosen), self.num_envs, self._rows_of(chosen))

    def _ended(self, ended: NDArray[np.int64]) -> dict[str, Any]:
        """Tell of the episodes that have ended in some worlds, and start the next ones if it is time."""
        if self._same_step:
            return self._begin_again(ended)
        return batched(of_all(finals, self.worlds, ended), self.num_envs, self._rows_of(ended))

    def _begin_again(self, ended: NDArray[np.int64]) -> dict[str, Any]:
        """Start the next episode of some worlds and return the last observation and info of the one that ended."""
        worlds, rows, now = self.worlds, self._rows_of(ended), self._flat(self.worlds.seen)
        seen = np.full(self.num_envs, None, dtype=object)
        for row in rows:
            seen[row] = now[row].copy()
        last = batched({"final_info": of_all(infos, worlds, ended, last=True)}, self.num_envs, rows)
        there = np.zeros(self.num_envs, np.bool_)
        there[rows] = True
        worlds.reset(ended)
        worlds.look(ended)
        return {"final_obs": seen, "_final_obs": there, **last}

    def _row_seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        """Return one seed for each row."""
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, Sequence):
            if len(seed) != self.num_envs:
                raise StackingError("Seeds and rows do not match.", place="reset", key="seed", value=len(seed),
                                    allowed=f"one number, or {self.num_envs}")  # fmt: skip
            return seed
        first = whole_number(seed, "seed", least=0, place="reset")
        return [first + row for row in range(self.num_envs)]

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which decisions are open now, (num_envs, ACTIONS_W); with levels, which levels may be chosen."""
        return self._flat(self.worlds.masks())

    def numbers_of(self, action: Any) -> NDArray[np.float64]:
        """Return the numbers of -1..1 of decisions in physical units at this moment, (num_envs, ACTIONS_W)."""
        return self._flat(self.worlds.numbers_of(np.asarray(action)))

    def snapshot(self) -> VectorMoment:
        """Return a copy of everything that changes."""
        return VectorMoment(self.worlds.snapshot(), self._running, self._again.copy())

    def restore(self, moment: VectorMoment) -> NDArray[np.float32]:
        """Go back to a snapshot of an environment with the same settings, and return what is seen.

        Raises:
            StackingError: if it is of another one.
        """
        self.worlds.restore(moment.worlds)
        self._running, self._seeded, self._again[:] = moment.running, True, moment.again
        return self._flat(self.worlds.seen)


def _mode(given: AutoresetMode | str) -> AutoresetMode:
    """Return a mode in which rows begin again.

    Raises:
        StackingError: if there is no such mode here.
    """
    for mode in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP):
        if given in (mode, mode.value):
            return mode
    raise StackingError("Rows cannot begin again in this way.", place="environment", key="autoreset_mode", value=str(given),
                        allowed="SameStep, NextStep")  # fmt: skip
