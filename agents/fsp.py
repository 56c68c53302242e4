"""An FSP as a Mesa agent: a view on one row of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mesa

if TYPE_CHECKING:
    from .model import StackingModel


class FspAgent(mesa.Agent):
    """One portfolio; everything it shows is read from its row, nothing is stored twice and nothing can be set.

    Agents act (through their strategy), only the kernel changes state. An FSP that opts out stays in the model.

    Args:
        model: the model whose engine holds the row.
        row: number of the portfolio.
        portfolio_name: its name.
        strategy_name: name of the strategy that decides for it.
    """

    def __init__(self, model: StackingModel, row: int, portfolio_name: str, strategy_name: str) -> None:
        super().__init__(model)
        self.row = row
        self.portfolio_name = portfolio_name
        self.strategy_name = strategy_name

    def _cell(self, key: str) -> Any:
        """Return one number of the row."""
        return self.model.engine.row_state(0, self.row)[key]  # type: ignore[attr-defined]

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
    def consent(self) -> bool:
        """Return whether the FSP lets unsold local bids be passed on now."""
        return float(self._cell("consent")) >= 0.5

    @property
    def revenue_eur(self) -> float:
        """Return the cash of the episode so far, EUR, + = received."""
        return float(self._cell("cash_eur"))
