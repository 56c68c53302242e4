"""The Mesa face: one world as a Mesa model, stepped by the same engine and strategies as everything else."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import mesa
import numpy as np
from numpy.typing import NDArray

from stacking.errors import StackingError

from .fsp import FspAgent
from .population import Population

if TYPE_CHECKING:
    from stacking.engine import Engine


class StackingModel(mesa.Model):
    """One world of FSP agents; a step is one MTU.

    Use one model per run and close it (or use it in a `with` block): Mesa 3.3 keeps every model alive that ever had an
    agent. Once the episode has ended, `running` is false and further steps change nothing.

    Args:
        engine: an engine with worlds=1.
        population: who decides for which portfolio.
        scenario: index of the scenario in the engine's library.
        seed_key: what the population's seeds are made from, by default the scenario's index; give the scenario's key
            to get the same draws as in a batch.
        rng: generator or seed of Mesa's own randomness (`self.rng`); markets and strategies do not use it.

    Raises:
        StackingError: if the engine has more than one world, or other portfolios than the population.
    """

    def __init__(
        self,
        engine: Engine,
        population: Population,
        *,
        scenario: int = 0,
        seed_key: object | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        worlds, portfolios = engine.mask.shape[:2]
        if worlds != 1 or portfolios != len(population.assignment):
            raise StackingError(
                "A Mesa model is one world, with a strategy for each portfolio.",
                place="StackingModel",
                key="engine",
                value=f"{worlds} worlds of {portfolios} portfolios",
                allowed=f"1 world of {len(population.assignment)} portfolios",
                remedy="Make the engine with worlds=1 and assign every portfolio.",
            )
        super().__init__(rng=np.random.default_rng(rng))
        self.engine: Any = engine
        self.population = population
        self.scenario = scenario
        self.engine.reset(np.array([scenario]))
        self.population.start([scenario if seed_key is None else seed_key])
        names = zip(population.portfolio_names, population.assignment, strict=True)
        self.fsps = [FspAgent(self, row, name, strategy) for row, (name, strategy) in enumerate(names)]

    @property
    def tick(self) -> int:
        """Return the MTU that starts now."""
        return int(self.engine.clock[0])

    @property
    def observation(self) -> NDArray[np.float32]:
        """Return a copy of what the agents see, (F, OBSERVATIONS_W)."""
        return self.engine.observation[0].copy()

    def step(self) -> None:
        """Let every strategy decide for its agents at once, then move the world by one MTU."""
        if not self.running:
            return
        self.engine.step(self.population.act(self.engine.observation, self.engine.mask))
        self.running = not bool(self.engine.ended[0])

    def run_model(self) -> None:
        """Step until the episode ends."""
        while self.running:
            self.step()

    def close(self) -> None:
        """Forget the agents, so that the model can be freed."""
        for agent in list(self.agents):
            agent.remove()
        self.fsps = []
        self.running = False
        # Mesa 3.3 counts ids in a class-level dict keyed by model, which keeps the model alive; later versions may not
        ids = getattr(mesa.Agent, "_ids", None)
        if ids is not None:
            ids.pop(self, None)

    def __enter__(self) -> Self:
        """Return the model."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the model."""
        self.close()
