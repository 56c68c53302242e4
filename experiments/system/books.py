"""The books of a world between the offers and the clearings of a step, and what the clearings then came to.

The engine keeps sums per world and the books as they are when a step is over. What its buyers saw is the step taken once
more with a gate table in which nothing is cleared, passed on or published: offers and trades do not know of what follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.engine import Engine, Snapshot, transition
from stacking.exogenous import exogenous
from stacking.lookahead import column
from stacking.markets.merit_order import OFFER_W
from stacking.state import slot_of

from .auction import Auction
from .bill import Bill

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]

OFFERING = (s.AUCTION, s.TRADE, s.REVOKE, s.OFFER)
"""Gates that take decisions; all others follow from the books."""

Early = dict[tuple[int, int, int], float]
"""MW bought on a forecast by (area, direction, MTU)."""


@dataclass(frozen=True)
class Refusal:
    """What a clearing or forward gate refused for one MTU: ledger, direction, MTU ahead of the tick, (F, CODES_W) MWh."""

    ledger: int
    direction: int
    lead: int
    refused_mwh: FLOAT


@dataclass
class Outcome:
    """What the clearings of a step came to in one world.

    Attributes:
        auctions, bills, refusals: in the order of the gates.
        sums: (MARKET_W,) what the engine should have summed, MWh and EUR.
        surplus_mwh: bought locally on a forecast and not needed in the end.
        violated_mwh: by which joint procurement leaves limits exceeded that held without it.
        others_mw: by MTU of joint procurement, (A,) what other people's local sales change in the flow of each area, MW.
    """

    auctions: list[Auction] = field(default_factory=list)
    bills: list[Bill] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    sums: FLOAT = field(default_factory=lambda: np.zeros(f.MARKET_W))
    surplus_mwh: float = 0.0
    violated_mwh: float = 0.0
    others_mw: dict[int, FLOAT] = field(default_factory=dict)


@dataclass
class Books:
    """The books of one world as the clearings of a step found them; the laws of the engine may write into them.

    Attributes:
        engine: which stepped; world: of it; tick: that was stepped.
        ring, balance, prices: rings of portfolios, of the world and of areas, a slot nearer as after the step.
        series, local, local_hourly, priority, background_priority, fleets, loads: of the scenario, as the kernel reads them.
        early: bought on forecasts in earlier steps.
        out: what comes of it.
    """

    engine: Engine
    world: int
    tick: int
    ring: NDArray[np.float32]
    balance: FLOAT
    prices: FLOAT
    series: FLOAT
    local: FLOAT
    local_hourly: FLOAT
    priority: FLOAT
    background_priority: float
    fleets: FLOAT
    loads: FLOAT
    early: Early
    out: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        rows, areas = self.engine.rows, self.engine.areas
        self.params, self.rules = self.engine.params, self.engine.compiled.rules
        self.spans: INT = self.engine.spans
        self.offers, self.spare = np.zeros((2 * rows, OFFER_W)), np.zeros((2 * rows, OFFER_W))
        self.rooms, self.work = np.zeros((len(areas.node) + 1, 1)), np.zeros(s.SCRATCH_W)
        self.flow = np.zeros((rows, f.FLOWS_W))

    @property
    def now(self) -> int:
        """Return the tick from which the slots are counted: the next one."""
        return self.tick + 1

    def slot(self, tau: int) -> int:
        """Return the slot of a delivery MTU."""
        return slot_of(tau, self.now)

    def sold(self, ledger: int, direction: int, tau: int) -> FLOAT:
        """Return what the portfolios have sold for an MTU, (F,) MW."""
        return self.ring[:, s.BOOK + self.slot(tau) * s.BOOK_W + column(ledger, s.SOLD, direction)].astype(np.float64)

    def sell(self, row: int, ledger: int, direction: int, first: int, count: int, power_mw: float) -> None:
        """Book a sale for a block."""
        at = s.BOOK + column(ledger, s.SOLD, direction)
        for tau in range(first, first + count):
            place = at + self.slot(tau) * s.BOOK_W
            self.ring[row, place] = float(self.ring[row, place]) + power_mw

    def scheduled_mw(self, first: int, count: int) -> FLOAT:
        """Return the schedules beyond the reference, (F,) mean MW of a block, + = injection."""
        slots = slice(self.slot(first), self.slot(first) + count)
        ahead = self.ring[:, s.AHEAD : s.BOOK].astype(np.float64).reshape(len(self.ring), s.AHEAD_COLS, s.SLOTS)
        kinds = ahead[:, [s.SCHEDULED + kind * s.ASSET_FIELDS for kind in (s.BATTERY, s.FLEET)], slots]
        return np.asarray(kinds.sum(axis=1).mean(axis=1))

    def note_refusals(self, ledger: int, direction: int, lead: int) -> None:
        """Note what the laws called since the last call refused."""
        refused = self.flow[:, f.REFUSED : f.FLOWS_W]
        if refused.any():
            self.out.refusals.append(Refusal(ledger, direction, lead, refused.copy()))
        self.flow[:] = 0.0


class Shelf:
    """Gives the books of all worlds of an engine, step by step; make it after `engine.reset`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        compiled = engine.compiled
        self._offering = replace(compiled, gates=compiled.gates[np.isin(compiled.gates[:, s.KIND], OFFERING)])
        self._exogenous = exogenous(engine.library, engine.portfolios, engine.areas)
        self._early: list[Early] = [{} for _ in range(engine.worlds)]

    def offered(self, before: Snapshot, action: FLOAT) -> Snapshot:
        """Return the state after a step of which only gates of offers and trades took part; the engine stays as it is."""
        engine, whole = self.engine, self.engine.compiled
        engine.compiled = self._offering
        try:
            return transition(engine, before, action)
        finally:
            engine.compiled = whole

    def books(self, offered: Snapshot, world: int, tick: int) -> Books:
        """Return the books of one world.

        Args:
            offered: state of `offered`.
            world: which.
            tick: that was stepped.
        """
        k = int(self.engine.scenario[world])
        series, local, local_hourly, _, _, scalars, _, draws, _, _, fleets, loads, _ = self._exogenous
        arrays = offered.arrays
        return Books(
            self.engine, world, tick, arrays["ring"][world].copy(), arrays["world"][world].copy(), arrays["prices"][world].copy(),
            series[k], local[k], local_hourly[k], draws[k, :, 1], float(scalars[k, c.BACKGROUND_PRIORITY]), fleets[k], loads[k],
            self._early[world],
        )  # fmt: skip
