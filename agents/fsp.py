"""An FSP as a Mesa agent: a view on one row of the engine, with a decision that can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mesa

from stacking.errors import StackingError

if TYPE_CHECKING:
    from .model import StackingModel
    from .strategies.base import BoolArray, FloatArray


class FspAgent(mesa.Agent):
    """One portfolio; everything it shows is read from its row, nothing is stored twice and nothing can be set.

    Agents act (through their strategy), only the kernel changes state. An FSP that opts out stays in the model. To change
    what an agent does, override `decide`, let the strategy fill in `action`, and change it:

        class LeavesAfterLoss(FspAgent):
            def decide(self) -> None:
                super().decide()
                if self.revenue_eur < -50.0:
                    self.action[CONSENTS] = 0.0

    Args:
        model: the model whose engine holds the row.
        row: number of the portfolio.
        portfolio_name: its name.
        strategy_name: name of the strategy that decides for it.
    """

    model: StackingModel  # type: ignore[assignment]

    def __init__(self, model: StackingModel, row: int, portfolio_name: str, strategy_name: str) -> None:
        super().__init__(model)
        self.row = row
        self.portfolio_name = portfolio_name
        self.strategy_name = strategy_name
        self._wish: Any = 0.0

    # ---- deciding ----------------------------------------------------------------------------------------------------
    def decide(self) -> None:
        """Write this tick's decision into `action`; as it stands, that of the strategy."""
        self.action[:] = self._wish

    def take_turn(self) -> None:
        """Let the strategy decide and then the agent; called by the model, once a tick."""
        self._wish = self.model.strategy_decision(self.row)
        self.model.turn = self.row
        try:
            self.decide()
        finally:
            self.model.turn = None

    @property
    def action(self) -> FloatArray:
        """Return the decision of this tick, (ACTIONS_W,) in physical units; to be written in the own `decide`.

        Raises:
            StackingError: outside the own `decide`; what others do now must not depend on who is asked first.
        """
        return self.model.open_action(self)

    @property
    def last_action(self) -> FloatArray:
        """Return a copy of the decision of the previous tick, (ACTIONS_W,); zeros at the start."""
        return self.model.last_action[self.row].copy()

    @property
    def observation(self) -> FloatArray:
        """Return a copy of what the agent sees now, (OBSERVATIONS_W,) in physical units."""
        return self.model.engine.observation[0, self.row].copy()

    @property
    def mask(self) -> BoolArray:
        """Return which columns of its action are open now, (ACTIONS_W,)."""
        return self.model.engine.mask[0, self.row].copy()

    @property
    def neighbours(self) -> tuple[FspAgent, ...]:
        """Return the agents that this one sees, in the order of their rows.

        Raises:
            StackingError: if the model has no neighbourhood graph.
        """
        graph = self.model.neighbours
        if graph is None:
            raise StackingError(
                "The model has no neighbourhood graph.",
                place="FspAgent.neighbours",
                key="neighbours",
                remedy="Give StackingModel(..., neighbours=neighbour_graph(names, areas)).",
            )
        rows = sorted(self.model.row_of[name] for name in graph.neighbors(self.portfolio_name))
        return tuple(self.model.fsps[row] for row in rows)

    # ---- state -------------------------------------------------------------------------------------------------------
    def _cell(self, key: str) -> Any:
        """Return one number of the row."""
        return self.model.engine.row_state(0, self.row)[key]

    @property
    def content_mwh(self) -> float:
        """Return the energy in the store, MWh."""
        return float(self._cell("content_mwh"))

    @property
    def position_mw(self) -> float:
        """Return the day-ahead and intraday position of the MTU that starts now, MW, + = injection."""
        return float(self._cell("position_mw"))

    @property
    def power_mw(self) -> float:
        """Return the metered power of the MTU delivered last, MW, + = injection."""
        return float(self._cell("power_mw"))

    @property
    def consent(self) -> tuple[bool, bool]:
        """Return whether the FSP lets unsold local bids up and down be passed on now."""
        return float(self._cell("consent_up")) >= 0.5, float(self._cell("consent_dn")) >= 0.5

    @property
    def revenue_eur(self) -> float:
        """Return the cash of the episode so far, EUR, + = received."""
        return float(self._cell("cash_eur"))
