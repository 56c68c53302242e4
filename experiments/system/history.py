"""Every bid's history: what was offered, refused, forwarded, selected, ordered, delivered and paid, by bid."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stacking import columns as c
from stacking import state as s
from stacking.codes import CODES, CODES_W
from stacking.engine import Engine, Snapshot
from stacking.errors import StackingError
from stacking.invariants.step import Step
from stacking.state import column
from stacking.units import MTU_H, MTU_MIN

from .bid_pay import delivered_mwh, ordered_mwh, paid_eur
from .clearings import Clearings
from .gate_refusals import refused_by_gate

FLOAT = NDArray[np.float64]

MARKETS = ("lfm", "mfrr", "forwarded", "id")
DIRECTIONS = ("up", "dn")
STAGES = ("offered_mwh", "forwarded_mwh", "selected_mwh", "ordered_mwh", "delivered_mwh", "paid_eur")
REFUSALS = tuple(f"refused_{code.name.lower()}_mwh" for code in CODES)
IDENTITY = ("design", "scenario", "portfolio", "mtu", "start_utc", "market", "direction")

OFFERED, FORWARDED, SELECTED, ORDERED, DELIVERED, PAID = range(len(STAGES))
MOST_CELLS = 200_000_000  # numbers that are kept, 8 bytes each
NOTHING = 1e-12  # MWh below which a difference of two sums is none


class BidHistory:
    """Records the steps of an engine by portfolio, delivery MTU, market and direction.

    Make it after `engine.reset` and call `record` after each `engine.step`; a world that ended adds nothing. `market` is
    where the bid stood: `lfm` and `mfrr` own bids, `forwarded` local bids that were passed on (their refusals at the forward
    gate included), `id` intraday trades that were refused.

    Args:
        engine: whose steps are recorded.

    Raises:
        StackingError: if the table does not fit into memory.

    Example:
        >>> STAGES[:3]
        ('offered_mwh', 'forwarded_mwh', 'selected_mwh')
    """

    def __init__(self, engine: Engine) -> None:
        shape = (engine.worlds, int(engine.library.length.max()), engine.rows, len(MARKETS), len(DIRECTIONS))
        cells = int(np.prod(shape)) * (len(STAGES) + CODES_W)
        if cells > MOST_CELLS:
            raise StackingError(
                "The history of all bids does not fit into memory.", place="BidHistory", key="worlds x MTU x portfolios",
                value=f"{cells:,} numbers", allowed=f"up to {MOST_CELLS:,}", remedy="Record fewer worlds, days or portfolios.",
            )  # fmt: skip
        self.engine = engine
        self._scenario = engine.scenario.copy()
        self._stages = np.zeros((*shape, len(STAGES)))
        self._refused = np.zeros((*shape, CODES_W))
        self._clearings = Clearings(engine)
        self._before: Snapshot = engine.snapshot()

    def record(self, action: FLOAT) -> None:
        """Add the step that was just made.

        Args:
            action: (B, F, ACTIONS_W) its decisions.

        Raises:
            StackingError: if a world was reset since the last call.
        """
        engine = self.engine
        if (engine.scenario != self._scenario).any() or (engine.clock < self._before.arrays["control"][:, s.CLOCK]).any():
            raise StackingError("A world was reset while its bids were recorded.", place="BidHistory.record", key="reset",
                                value=engine.scenario.tolist(), remedy="Make a new BidHistory after every reset.")  # fmt: skip
        before, self._before = self._before, engine.snapshot()
        step = Step(engine, before)
        action = np.asarray(action, dtype=np.float64)
        offered = self._clearings.shelf.offered(before, action)
        self._add_books(step, offered)
        ordered = ordered_mwh(step)
        results = ((ORDERED, ordered), (DELIVERED, delivered_mwh(step, ordered)), (PAID, paid_eur(step, ordered)))
        for world in np.flatnonzero(step.moved):
            at = int(step.tick[world])
            for stage, values in results:
                self._stages[world, at, :, : c.LEDGERS_W, :, stage] += values[world]
        self._add_refusals(step, before, action, offered)

    def _add_books(self, step: Step, offered: Snapshot) -> None:
        """Add what the books gained: offers, forwards and selections for the MTU ahead.

        Offers are those before anything cleared: what is not awarded, or sold intraday, is cut afterwards.
        """
        ring = offered.arrays["ring"][..., s.BOOK : s.PLAN].astype(np.float64)
        book = ring.reshape(*ring.shape[:2], s.SLOTS, s.BOOK_W)[:, :, :-1]
        for ledger in range(c.LEDGERS_W):
            for d in range(2):
                for field, stage in ((s.OFFERED, FORWARDED if ledger == c.FORWARDED else OFFERED), (s.SOLD, SELECTED)):
                    now = step.book(ledger, field, d)
                    if stage == OFFERED:
                        now = book[..., column(ledger, field, d)]
                    gained = np.maximum(now - step.book(ledger, field, d, old=True), 0.0)
                    for world in np.flatnonzero(step.moved):
                        at = int(step.tick[world])
                        seen = self._stages[world, at : at + gained.shape[2], :, ledger, d, stage]
                        seen += gained[world, :, : len(seen)].T * MTU_H

    def _add_refusals(self, step: Step, before: Snapshot, action: FLOAT, offered: Snapshot) -> None:
        """Add what the gates refused, in equal parts to the MTU of a block."""
        for market, d, lead, count, refused in refused_by_gate(self._clearings, before, action, offered):
            part = np.where(np.abs(refused) > NOTHING, refused, 0.0) / count
            for world in np.flatnonzero(step.moved & (part != 0.0).any(axis=(1, 2))):
                at = int(step.tick[world]) + lead
                self._refused[world, at : at + count, :, market, d] += part[world]

    def frame(self) -> pd.DataFrame:
        """Return the table, one row per bid of which anything happened.

        Columns: `design, scenario, portfolio, mtu` (of delivery, 0 = first tick), `start_utc` (of delivery), `market,
        direction`, the stages (MWh >= 0; `paid_eur`, + = received by the FSP) and refused MWh by code. Sums over the rows are
        the flows of the same name.
        """
        engine, library = self.engine, self.engine.library
        used = (self._stages != 0.0).any(axis=-1) | (self._refused != 0.0).any(axis=-1)
        world, mtu, row, market, d = np.nonzero(used)
        start = library.start_utc[self._scenario[world]] + mtu * np.timedelta64(MTU_MIN, "m")
        frame = pd.DataFrame({
            "design": np.full(len(world), engine.design.name),
            "scenario": np.array([str(key) for key in library.keys], dtype=object)[self._scenario[world]],
            "portfolio": np.array([p.name for p in engine.portfolios], dtype=object)[row],
            "mtu": mtu,
            "start_utc": pd.DatetimeIndex(start).tz_localize("UTC"),
            "market": np.array(MARKETS, dtype=object)[market],
            "direction": np.array(DIRECTIONS, dtype=object)[d],
        })  # fmt: skip
        values = np.concatenate([self._stages[used], self._refused[used]], axis=1)
        return pd.concat([frame, pd.DataFrame(values, columns=[*STAGES, *REFUSALS])], axis=1)
