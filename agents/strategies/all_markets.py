"""What the players in all markets have in common; they differ in their terms alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from .base import BoolArray, FloatArray, Seed, check_parameters, tunable
from .two_markets import StackState, Terms, alternatives, decide, start


def markup() -> Any:
    """Return the field of the mark-up in the balancing market; it stands last, after what a player has of its own."""
    return tunable(5.0, -30.0, 120.0, "EUR/MWh", "balancing price beyond the opportunity cost")


@dataclass(frozen=True)
class AllMarkets(ABC):
    """A player that follows `two_markets.decide`; a final class gives its name, its mark-up and its terms."""

    name: ClassVar[str]
    da_volume_frac: float = tunable(0.2, 0.0, 1.0, "-", "share of the rated power planned day-ahead")
    lfm_take_frac: float = tunable(0.7, 0.0, 1.0, "-", "share of (willingness to pay - cost) asked locally")
    lfm_need_mw: float = tunable(0.1, 0.0, 2.0, "MW", "forecast need from which power is offered locally")
    id_sell_margin_eur_per_mwh: float = tunable(
        5.0, -20.0, 30.0, "EUR/MWh", "gain over day-ahead that an intraday sale must make"
    )
    id_buy_margin_eur_per_mwh: float = tunable(5.0, -20.0, 30.0, "EUR/MWh", "gain that an intraday purchase must make")
    id_reserve_frac: float = tunable(0.0, 0.0, 0.5, "-", "share of the feasible power that an intraday trade leaves free")

    @abstractmethod
    def terms(self) -> Terms:
        """Return the terms of this player."""

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_parameters(self)

    def start(self, n: int, seed: Seed) -> StackState:
        """Return the state of n rows; nothing is drawn."""
        return start(n)

    def act(self, observation: FloatArray, mask: BoolArray, state: StackState) -> tuple[FloatArray, StackState]:
        """Follow the law of all markets with these terms."""
        return decide(observation, mask, state, self.terms())

    def alternatives(self, observation: FloatArray, mask: BoolArray, state: StackState, shift_eur_per_mwh: float) -> FloatArray:
        """Return what `act` would have decided at lower and higher intraday prices (`two_markets.alternatives`)."""
        return alternatives(observation, mask, state, self.terms(), shift_eur_per_mwh)

    def _terms(self, mfrr_markup: float, **own: Any) -> Terms:
        """Return the terms that all share, a mark-up, and what a player has of its own."""
        return Terms(
            self.da_volume_frac,
            self.lfm_take_frac,
            self.lfm_need_mw,
            mfrr_markup,
            self.id_sell_margin_eur_per_mwh,
            self.id_buy_margin_eur_per_mwh,
            self.id_reserve_frac,
            **own,
        )
