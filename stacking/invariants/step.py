"""One step of an engine with what is needed to check it, and the error of a broken rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import state as s
from ..engine import Engine, Snapshot
from ..errors import StackingError
from ..lookahead import column

FLOAT = NDArray[np.float64]
BOOL = NDArray[np.bool_]
TOLERANCE_MWH = 2e-6  # offers are kept in single precision: a MW has seven digits
TOLERANCE_EUR = 1e-6


class InvariantError(StackingError):
    """A rule that must always hold does not: the engine, not its user, is wrong."""


class Step:
    """One step of an engine with what is needed to check it; signed MW are + = up."""

    def __init__(self, engine: Engine, before: Snapshot) -> None:
        self.engine, self.design, self.old = engine, engine.design, before.arrays
        self.tick: NDArray[np.int64] = self.old["control"][:, s.CLOCK]
        self.moved: BOOL = engine.clock == self.tick + 1
        self.worlds = np.arange(engine.worlds)
        self.flows, self.market = engine.flows, engine.market
        self.rules, self.params = engine.compiled.rules, engine.params
        self.slot = s.PAST - 1  # of the delivered MTU: everything has moved by one slot
        self.batteries_only = (self.params[:, s.FLEET_ROW] < 0) & (self.params[:, s.LOAD_ROW] < 0)

    def book(self, ledger: int, field: int, direction: int, *, old: bool = False) -> FLOAT:
        """Return one field of a ledger, (world, portfolio, slot), of the MTU that are in the book before and after."""
        return self.book_column(column(ledger, field, direction), old=old)

    def book_column(self, at: int, *, old: bool = False) -> FLOAT:
        """Return one book column, (world, portfolio, slot), of the MTU that are in the book before and after."""
        ring = self.old["ring"] if old else self.engine.ring
        book = ring[..., s.BOOK : s.PLAN].reshape(*ring.shape[:2], s.SLOTS, s.BOOK_W)
        book = book[..., at].astype(np.float64)
        return book[..., 1:] if old else book[..., :-1]

    def order(self, ledger: int) -> FLOAT:
        """Return the net order of the delivered MTU, (world, portfolio), MW."""
        book = self.engine.book.astype(np.float64)
        up, down = (book[:, :, self.slot, column(ledger, s.SOLD, d)] for d in range(2))
        return up - down

    def demand(self, rule: str, holds: Any, left: Any, right: Any = None) -> None:
        """Raise if a rule does not hold somewhere in the worlds that moved."""
        bad = ~np.asarray(holds)
        bad = bad & self.moved.reshape((-1,) + (1,) * (bad.ndim - 1))
        if bad.any():
            self.fail(rule, tuple(int(i) for i in np.argwhere(bad)[0]), left, right)

    def equal(self, rule: str, left: Any, right: Any, tolerance: float) -> None:
        """Demand that two arrays agree within a tolerance, relative for large numbers."""
        left, right = np.broadcast_arrays(left, right)
        with np.errstate(invalid="ignore"):
            holds = np.abs(left - right) <= tolerance * np.maximum(1.0, np.abs(right))
        self.demand(rule, holds, left, right)

    def fail(self, rule: str, where: tuple[int, ...], left: Any, right: Any = None) -> None:
        """Raise with the place, both numbers and the rule that they break."""
        world = where[0] if where else 0
        row = f", portfolio '{self.engine.portfolios[where[1]].name}'" if len(where) > 1 else ""
        told = []
        for x in (left, right):
            if x is not None:
                array = np.broadcast_to(np.asarray(x, dtype=float), np.shape(left))
                told.append(repr(float(array[where[: array.ndim]])))
        raise InvariantError(
            f"Invariant broken: {rule}.",
            place=f"design {self.design.name}, world {world}{row}, tick {self.tick[world]}",
            key=f"index {where}",
            value=" against ".join(told),
            allowed=rule,
            remedy="This is a fault of the engine: report it with design, seed and tick.",
        )
