"""The PettingZoo face: several FSPs of one world learn at the same time (extra [rl])."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils.seeding import np_random
from numpy.typing import NDArray
from pettingzoo import ParallelEnv  # pyright: ignore[reportMissingImports]  (an extra)

from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.layout import ACTIONS_W

from ..agents.consent import FspChoice
from .config import env_config
from .infos import infos, single
from .scenarios import stream_seeds
from .spaces import action_space, observation_space
from .worlds import Moment, Worlds, checked_action

FIRST = np.zeros(1, np.int64)
Seen = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class ParallelMoment:
    """A copy of a parallel environment at a moment."""

    worlds: Moment
    agents: tuple[str, ...]


class StackingParallelEnv(ParallelEnv):
    """The FSPs of one world, each an agent named as its portfolio; all end (are truncated) together.

    An FSP that opts out stays: what it closes is masked (`choose`, or consent 0 as a decision), it never leaves before the end.

    Args:
        config: TOML file or table of settings.
        render_mode: only None; render a single environment.
        settings: others that go before them, see `stacking.envs.EnvConfig`.

    Raises:
        StackingError: for bad settings.
    """

    metadata = {"name": "stacking_v0", "render_modes": []}  # noqa: RUF012  (PettingZoo's way to say it)

    def __init__(
        self, config: str | Path | Mapping[str, Any] | None = None, *, render_mode: str | None = None, **settings: Any
    ) -> None:
        if render_mode is not None:
            raise StackingError("A parallel environment has no figure.", place="environment", key="render_mode",
                                value=render_mode, allowed="None", remedy="Render a single environment.")  # fmt: skip
        self.config, self.render_mode = env_config(config, settings), render_mode
        self.worlds = Worlds(self.config, 1, everybody=True)
        self.possible_agents, self.agents = list(self.worlds.names), []
        self.observation_spaces = {p.name: observation_space(p, self.config) for p in self.worlds.portfolios}
        self.action_spaces: dict[str, spaces.Space] = {name: action_space(self.config.levels) for name in self.worlds.names}
        self._seeded = False

    @property
    def engine(self) -> Engine:
        """Return the engine with its one world."""
        return self.worlds.engine

    def observation_space(self, agent: str) -> spaces.Space:
        """Return the observation space of an FSP."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        """Return the action space of an FSP."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, dict[str, Any]]]:
        """Begin an episode on the next scenario.

        Args:
            seed: of the sequence of scenarios; None goes on with it.
            options: "scenario": number of a scenario of the library; "choice": FSP -> its way to balancing, as for `choose`.
                Other keys are ignored, as PettingZoo's own test asks.
        """
        if seed is not None or not self._seeded:
            self.worlds.seed(FIRST, stream_seeds([seed], np_random(None)[0]))
            self._seeded = True
        self.worlds.choose((options or {}).get("choice", {}))
        self.worlds.reset(FIRST, (options or {}).get("scenario"))
        self.worlds.look()
        self.agents = list(self.possible_agents)
        return self._seen(), self._infos(False)

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[Seen, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Decide for the MTU that starts now.

        Args:
            actions: one of the action space for every agent.

        Raises:
            StackingError: for an agent without action, a wrong shape, numbers outside -1..1 in open columns, or after the end.
        """
        if not self.agents:
            raise StackingError("The episode has ended, or none has begun.", place="environment", key="step",
                                remedy="Call reset() first.")  # fmt: skip
        missing = [name for name in self.agents if name not in actions]
        if missing or len(actions) != len(self.agents):
            raise StackingError("Actions and agents do not match.", place="environment", key="actions", value=list(actions)[:20],
                                allowed=", ".join(self.agents[:20]), remedy="Give every agent an action.")  # fmt: skip
        given = [checked_action(actions[name], (ACTIONS_W,), self.config.levels is not None) for name in self.possible_agents]
        reward = self.worlds.step(np.stack(given)[None])
        self.worlds.look()
        ended = bool(self.engine.ended[0])
        told = self._infos(ended)
        names = self.possible_agents
        self.agents = [] if ended else self.agents
        paid = {name: float(eur) for name, eur in zip(names, reward[0], strict=True)}
        return self._seen(), paid, dict.fromkeys(names, False), dict.fromkeys(names, ended), told

    def choose(self, choices: Mapping[str, FspChoice | str | None]) -> None:
        """Set the way of some FSPs to balancing from now on (`FspChoice`); None leaves it to them again.

        Raises:
            StackingError: for an unknown agent or choice.
        """
        self.worlds.choose(choices)
        self.worlds.look()

    def action_masks(self) -> dict[str, NDArray[np.bool_]]:
        """Return which decisions are open now for each agent; with levels, which levels may be chosen."""
        masks = self.worlds.masks()[0]
        return {name: masks[k] for k, name in enumerate(self.possible_agents)}

    def numbers_of(self, actions: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
        """Return the numbers of -1..1 of the agents' decisions in physical units at this moment."""
        found = self.worlds.numbers_of(np.stack([np.asarray(actions[name]) for name in self.possible_agents])[None])[0]
        return {name: found[k] for k, name in enumerate(self.possible_agents)}

    def render(self) -> None:
        """Return nothing."""

    def snapshot(self) -> ParallelMoment:
        """Return a copy of everything that changes."""
        return ParallelMoment(self.worlds.snapshot(), tuple(self.agents))

    def restore(self, moment: ParallelMoment) -> Seen:
        """Go back to a snapshot of an environment with the same settings, and return what is seen.

        Raises:
            StackingError: if it is of another one.
        """
        self.worlds.restore(moment.worlds)
        self.agents, self._seeded = list(moment.agents), True
        return self._seen()

    def _seen(self) -> Seen:
        return {name: self.worlds.seen[0, k] for k, name in enumerate(self.possible_agents)}

    def _infos(self, ended: bool) -> dict[str, dict[str, Any]]:
        names = enumerate(self.possible_agents)
        if self.config.info == "light" and not ended:
            masks = self.worlds.masks()[0]
            return {name: {"action_mask": masks[k]} for k, name in names}
        return {name: single(infos(self.worlds, FIRST, k, last=ended)) for k, name in names}
