"""The Mesa face: one world as a Mesa model, stepped by the same engine and strategies as everything else."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import mesa
import numpy as np
from mesa.agent import AgentSet
from numpy.typing import NDArray

from stacking.errors import StackingError

from .fsp import FspAgent
from .population import Population

if TYPE_CHECKING:
    import networkx as nx

    from stacking.engine import Engine

    from .strategies.base import FloatArray

DECIDE = ("group", "each")
Classes = type[FspAgent] | Mapping[str, type[FspAgent]]


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
        decide: "group" calls each strategy once a tick for all its portfolios, "each" once for every agent, in random
            order; the results are the same, bit for bit. An agent whose class overrides `decide` has its say in both.
        agent_class: class of the agents, or portfolio name -> class (others are FspAgent).
        neighbours: graph of portfolio names for `FspAgent.neighbours` (`stacking.agents.neighbours`).
        rng: generator or seed of Mesa's own randomness (`self.rng`); markets and strategies do not use it.

    Attributes:
        last_action: (F, ACTIONS_W) decisions of the previous tick; zeros at the start.

    Raises:
        StackingError: if the engine has more than one world, other portfolios than the population or the same in another
            order, or an argument names what does not exist.
    """

    def __init__(
        self,
        engine: Engine,
        population: Population,
        *,
        scenario: int = 0,
        seed_key: object | None = None,
        decide: Literal["group", "each"] = "group",
        agent_class: Classes = FspAgent,
        neighbours: nx.Graph | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        _check_rows(engine, population)
        self.row_of = {name: row for row, name in enumerate(population.portfolio_names)}
        _check_choices(decide, agent_class, neighbours, self.row_of)
        super().__init__(rng=np.random.default_rng(rng))
        self.engine: Any = engine
        self.population = population
        self.scenario = scenario
        self.decide = decide
        self.neighbours = neighbours
        self.turn: int | None = None
        self._seed = scenario if seed_key is None else seed_key
        self.engine.reset(np.array([scenario]))
        self.last_action: FloatArray = np.zeros(engine.mask.shape[1:])
        self._action = self._wishes = self.last_action
        self._start(agent_class)

    def _start(self, agent_class: Classes) -> None:
        """Make the agents and the states of their strategies."""
        names = zip(self.population.portfolio_names, self.population.assignment, strict=True)
        self.fsps = [_class_of(agent_class, name)(self, row, name, label) for row, (name, label) in enumerate(names)]
        each = self.decide == "each"
        own = self.fsps if each else [a for a in self.fsps if type(a).decide is not FspAgent.decide]
        self._turns = AgentSet(own, random=self.random)
        self._turn_rows = [a.row for a in own]
        self._states: list[Any] = []
        if each:
            self._states = [self.population.start_row(self._seed, row) for row in range(len(self.fsps))]
        else:
            self.population.start([self._seed])

    # ---- stepping ----------------------------------------------------------------------------------------------------
    @property
    def tick(self) -> int:
        """Return the MTU that starts now."""
        return int(self.engine.clock[0])

    @property
    def observation(self) -> NDArray[np.float32]:
        """Return a copy of what the agents see, (F, OBSERVATIONS_W)."""
        return self.engine.observation[0].copy()

    def step(self) -> None:
        """Let the strategies and the agents decide, then move the world by one MTU."""
        if not self.running:
            return
        action = self._decided()
        self.engine.step(action)
        self.last_action = action[0]
        self.running = not bool(self.engine.ended[0])

    def run_model(self) -> None:
        """Step until the episode ends."""
        while self.running:
            self.step()

    def _decided(self) -> FloatArray:
        """Return this tick's decisions, (1, F, ACTIONS_W): those of the groups, where nobody has a say of its own."""
        if self.decide == "each":
            action = np.zeros(self.engine.mask.shape)
        else:
            action = self.population.act(self.engine.observation, self.engine.mask)
            if not self._turn_rows:
                return action
            self._wishes = action[0].copy()
            action[0, self._turn_rows] = 0.0
        self._action = action[0]
        self._turns.shuffle_do("take_turn")
        return action

    # ---- what agents ask ---------------------------------------------------------------------------------------------
    def strategy_decision(self, row: int) -> FloatArray:
        """Return what the strategy of a row wants this tick, (ACTIONS_W,); for agents, once a tick."""
        if self.decide == "group":
            return self._wishes[row]
        own = slice(row, row + 1)
        seen, open_columns = self.engine.observation[0, own], self.engine.mask[0, own]
        wish, self._states[row] = self.population.act_row(row, seen, open_columns, self._states[row], self.steps - 1)
        return wish[0]

    def open_action(self, agent: FspAgent) -> FloatArray:
        """Return an agent's row of this tick's decisions, (ACTIONS_W,), while it is its turn.

        Raises:
            StackingError: at any other time: what others decide now must not depend on who is asked first.
        """
        if self.turn != agent.row:
            raise StackingError(
                "An agent's action is open only in its own `decide`.",
                place=f"agent {agent.portfolio_name}",
                key="action",
                remedy="Read `last_action`, the decision of the previous tick.",
            )
        return self._action[agent.row]

    # ---- end ---------------------------------------------------------------------------------------------------------
    def close(self) -> None:
        """Forget the agents, so that the model can be freed."""
        for agent in list(self.agents):
            agent.remove()
        self.fsps = []
        self._turns = AgentSet([], random=self.random)
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


def _class_of(agent_class: Classes, name: str) -> type[FspAgent]:
    """Return the class of a portfolio's agent."""
    return agent_class.get(name, FspAgent) if isinstance(agent_class, Mapping) else agent_class


def _check_rows(engine: Engine, population: Population) -> None:
    """Check that engine and population have the same rows."""
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
    rows = tuple(p.name for p in getattr(engine, "portfolios", ()))
    names = population.portfolio_names
    if rows != names and set(rows) == set(names):
        first = next(k for k, (a, b) in enumerate(zip(rows, names, strict=True)) if a != b)
        raise StackingError(
            "The population names the engine's portfolios in another order.",
            place="StackingModel",
            key=f"portfolio_names, row {first}",
            value=names[first],
            allowed=rows[first],
            remedy="Make the population from engine.portfolios, whose order is that of the rows.",
        )


def _check_choices(decide: str, agent_class: Classes, neighbours: nx.Graph | None, rows: Mapping[str, int]) -> None:
    """Check how agents decide, of which class they are and whom they see."""
    if decide not in DECIDE:
        raise StackingError(
            "Unknown way to decide.", place="StackingModel", key="decide", value=decide, allowed=", ".join(DECIDE)
        )
    classes = list(agent_class.values()) if isinstance(agent_class, Mapping) else [agent_class]
    for found in classes:
        if not (isinstance(found, type) and issubclass(found, FspAgent)):
            raise StackingError(
                "Agents are made from a class that is no FspAgent.",
                place="StackingModel",
                key="agent_class",
                value=getattr(found, "__name__", found),
                remedy="Derive your class from stacking.agents.fsp.FspAgent.",
            )
    named = {"agent_class": set(agent_class) if isinstance(agent_class, Mapping) else set()}
    named["neighbours"] = set(neighbours.nodes) if neighbours is not None else set()
    for key, found in named.items():
        if unknown := sorted(str(name) for name in found if name not in rows):
            raise StackingError(
                "There is no such portfolio.", place="StackingModel", key=key, value=unknown[0], allowed="names of portfolios"
            )
    if neighbours is not None and len(neighbours) != len(rows):
        missing = next(name for name in rows if name not in neighbours)
        raise StackingError(
            "A portfolio is missing in the neighbourhood graph.", place="StackingModel", key="neighbours", value=missing
        )
