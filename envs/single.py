"""The Gymnasium face: one FSP learns in one world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.layout import ACTIONS_W

from .config import env_config
from .figure import Diary, draw_day
from .infos import infos, single
from .scenarios import stream_seeds
from .spaces import action_space, observation_space
from .worlds import Moment, Worlds, checked_action

FIRST = np.zeros(1, np.int64)


@dataclass(frozen=True)
class EnvMoment:
    """A copy of an environment at a moment."""

    worlds: Moment
    running: bool
    diary: Diary | None


class StackingEnv(gymnasium.Env):
    """One FSP bids for its portfolio; an episode ends (is truncated) at 24:00 of the last delivery day.

    Args:
        config: TOML file or table of settings.
        render_mode: None or "rgb_array".
        settings: others that go before them, see `stacking.envs.EnvConfig`.

    Raises:
        StackingError: for bad settings.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012  (Gymnasium's way to say it)

    def __init__(
        self, config: str | Path | Mapping[str, Any] | None = None, *, render_mode: str | None = None, **settings: Any
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise StackingError("Unknown render mode.", place="environment", key="render_mode", value=render_mode,
                                allowed=f"None, {', '.join(self.metadata['render_modes'])}")  # fmt: skip
        self.config, self.render_mode = env_config(config, settings), render_mode
        self.worlds = Worlds(self.config, 1)
        self.observation_space = observation_space(self.worlds.portfolios[0], self.config)
        self.action_space = action_space(self.config.levels)
        self._levels, self._running, self._seeded = self.config.levels is not None, False, False
        self._diary = Diary() if render_mode else None

    @property
    def engine(self) -> Engine:
        """Return the engine with its one world."""
        return self.worlds.engine

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode on the next scenario.

        Args:
            seed: of the sequence of scenarios; None goes on with it.
            options: "scenario": number of a scenario of the library, in place of the next one.

        Raises:
            StackingError: for an unknown option or scenario.
        """
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self.worlds.seed(FIRST, stream_seeds([seed], self.np_random))
            self._seeded = True
        self.worlds.reset(FIRST, known_options(options).get("scenario"))
        self._running = True
        self.worlds.look()
        if self._diary is not None:
            self._diary.begin()
        return self.worlds.seen[0, 0], single(infos(self.worlds, FIRST))

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Decide for the MTU that starts now.

        Args:
            action: (ACTIONS_W,) of the action space.

        Raises:
            StackingError: for a wrong shape, numbers outside -1..1 in open columns, or after the end of the episode.
        """
        if not self._running:
            raise StackingError("The episode has ended, or none has begun.", place="environment", key="step",
                                remedy="Call reset() first.")  # fmt: skip
        worlds = self.worlds
        reward = worlds.step(checked_action(action, (ACTIONS_W,), self._levels)[None, None])
        worlds.look()
        ended = bool(worlds.engine.ended[0])
        self._running = not ended
        if self._diary is not None:
            self._diary.note(worlds.engine, int(worlds.rows[0]))
        return worlds.seen[0, 0], float(reward[0, 0]), False, ended, self._info(ended)

    def _info(self, ended: bool) -> dict[str, Any]:
        """Return what is told of a step."""
        if self.config.info == "light" and not ended:
            return {"action_mask": self.worlds.masks()[0, 0]}
        return single(infos(self.worlds, FIRST, last=ended))

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which decisions are open now, (ACTIONS_W,); with levels, which levels may be chosen, as MaskablePPO takes it."""
        return self.worlds.masks()[0, 0]

    def numbers_of(self, action: Any) -> NDArray[np.float64]:
        """Return the numbers of -1..1 of a decision in physical units at this moment, (ACTIONS_W,).

        The way back from a strategy: `env.step(env.numbers_of(action))` does what the engine does with the action.
        """
        return self.worlds.numbers_of(np.asarray(action))[0, 0]

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """Return the day so far as a figure, (height, width, 3); None without a render mode."""
        if self._diary is None:
            return None
        return draw_day(self._diary, self.engine, int(self.worlds.rows[0]), self.worlds.scene.design.name)

    def snapshot(self) -> EnvMoment:
        """Return a copy of everything that changes."""
        return EnvMoment(self.worlds.snapshot(), self._running, None if self._diary is None else self._diary.copy())

    def restore(self, moment: EnvMoment) -> NDArray[np.float32]:
        """Go back to a snapshot of an environment with the same settings, and return what is seen.

        Raises:
            StackingError: if it is of another one.
        """
        self.worlds.restore(moment.worlds)
        self._running, self._seeded = moment.running, True
        if self._diary is not None and moment.diary is not None:
            self._diary = moment.diary.copy()
        return self.worlds.seen[0, 0]


def known_options(options: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the options of a reset.

    Raises:
        StackingError: if one is unknown.
    """
    for key in options or {}:
        if key != "scenario":
            raise StackingError("Unknown option of a reset.", place="reset", key=key, value=(options or {})[key],
                                allowed="scenario: number of a scenario of the library")  # fmt: skip
    return options or {}
