"""Episodes under a stopwatch: of the engine, of its Mesa face, and of the yardstick; what lies between steps is not timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking.build import build
from stacking.engine import Engine
from stacking.scenario import Library

from ...agents.population import Population
from .scripts import Script
from .yardstick import update_content

Ints = NDArray[np.int64]
Look = Callable[[Engine], None]
FEW_ROWS = 16
"""Up to so many rows a stopwatch around each step would weigh too much: the actions are laid out before."""


class Play(Protocol):
    """Something that plays an episode and says how long it took."""

    def episode(self, look: Look | None = None) -> float:
        """Return the mean seconds of a step; `look` is called after every step and not timed."""
        ...


class EnginePlay:
    """`Engine.step` with scripted actions.

    Args:
        engine: stepped.
        script: what its FSPs do.
        index: (world,) scenario of each world.
        ticks: steps of an episode.
        spread: worlds begin at different ticks, evenly over the episode, and are reset when they end.
    """

    def __init__(self, engine: Engine, script: Script, index: Ints, ticks: int, spread: bool = False) -> None:
        self.engine, self.script, self.index, self.ticks, self.spread = engine, script, index, ticks, spread

    def episode(self, look: Look | None = None) -> float:
        """Return the mean seconds of a step."""
        self.engine.reset(self.index)
        if self.spread:
            spread_clocks(self.engine, self.script, self.ticks)
        elif look is None and self.engine.worlds * self.engine.rows <= FEW_ROWS:
            return self._in_one_go()
        total = 0.0
        for _ in range(self.ticks):
            total += self._restarted() if self.spread else 0.0
            action = self.script.action(self.engine.clock, self.engine.scenario)
            began = time.perf_counter()
            self.engine.step(action)
            total += time.perf_counter() - began
            if look is not None:
                look(self.engine)
        return total / self.ticks

    def _in_one_go(self) -> float:
        actions = [self.script.action(np.full(len(self.index), t), self.index) for t in range(self.ticks)]
        step = self.engine.step
        began = time.perf_counter()
        for action in actions:
            step(action)
        return (time.perf_counter() - began) / self.ticks

    def _restarted(self) -> float:
        """Reset the worlds that have ended, on the scenario that follows theirs; returns the seconds of the reset."""
        ended = np.flatnonzero(self.engine.ended)
        if not ended.size:
            return 0.0
        following = (self.engine.scenario[ended] + 1) % len(self.engine.library)
        began = time.perf_counter()
        self.engine.reset(following, ended)
        return time.perf_counter() - began


def spread_clocks(engine: Engine, script: Script, ticks: int) -> None:
    """Move freshly reset worlds to ticks that are spread evenly over the episode: world b of B to b x ticks / B."""
    goal = np.arange(engine.worlds) * ticks // engine.worlds
    for t in range(ticks):
        engine.step(script.action(engine.clock, engine.scenario), live=t >= ticks - goal)


class BarePlay:
    """The yardstick on the arrays of an engine: same rows, same actions."""

    def __init__(self, engine: Engine, library: Library, script: Script, index: Ints, ticks: int) -> None:
        self._engine, self._script, self._index, self._ticks = engine, script, index, ticks
        self._prices = np.ascontiguousarray(library.series[:, :ticks, c.DA_PRICE].T)
        self._state, self._reward = engine.state.copy(), np.zeros_like(engine.reward)
        self._update = build(update_content)

    def episode(self, look: Look | None = None) -> float:
        """Return the mean seconds of a step."""
        self._state[:] = self._engine.state
        update, params, state, reward = self._update, self._engine.params, self._state, self._reward

        def arguments(t: int) -> tuple[Any, ...]:
            clock = np.full(len(self._index), t)
            return self._script.action(clock, self._index), params, state, self._prices[t, self._index], reward

        if self._engine.worlds * self._engine.rows <= FEW_ROWS:
            calls = [arguments(t) for t in range(self._ticks)]
            began = time.perf_counter()
            for each in calls:
                update(*each)
            return (time.perf_counter() - began) / self._ticks
        total = 0.0
        for t in range(self._ticks):
            each = arguments(t)
            began = time.perf_counter()
            update(*each)
            total += time.perf_counter() - began
        return total / self._ticks


class MesaPlay:
    """`StackingModel.step`: the strategies decide and the engine moves; one model per episode."""

    def __init__(self, engine: Engine, population: Population, ticks: int) -> None:
        self._engine, self._population, self._ticks = engine, population, ticks

    def episode(self, look: Look | None = None) -> float:
        """Return the mean seconds of a step."""
        from ...agents.model import StackingModel

        total = 0.0
        with StackingModel(self._engine, self._population) as model:
            for _ in range(self._ticks):
                began = time.perf_counter()
                model.step()
                total += time.perf_counter() - began
                if look is not None:
                    look(self._engine)
        return total / self._ticks
