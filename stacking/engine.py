"""The engine: owns parameters, state and scenario matrices and steps them; it knows neither Gymnasium nor Mesa."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import flows as f
from . import layout as v
from . import state as s
from .build import build
from .compile import compile_design, compile_portfolios
from .config import Design
from .errors import StackingError
from .kernel import advance
from .markets.merit_order import OFFER_W
from .portfolio import Portfolio

if TYPE_CHECKING:
    from .scenario import Library

FLOAT = NDArray[np.float64]
STATE_ARRAYS = ("clock", "scenario", "state", "book", "sums", "plan", "world", "recent")
RESULT_ARRAYS = ("flows", "market", "reward", "observation", "mask", "ended")


@dataclass(frozen=True)
class Snapshot:
    """A copy of everything that changes: restoring it continues the same bytes."""

    arrays: dict[str, NDArray[Any]]


class Engine:
    """Worlds x portfolios under one design, stepped together.

    A world is one run of a scenario of the library; its portfolios meet in the same markets.

    Args:
        design: coordination design.
        portfolios: the portfolios of every world, in row order.
        library: scenarios; must hold start contents for at least as many portfolios.
        worlds: number of worlds B.
        backend: `serial`, `parallel` (over worlds) or `python`.

    Attributes:
        observation: (B, F, OBSERVATIONS_W) float32, physical units.
        mask: (B, F, ACTIONS_W) bool, open columns.
        reward: (B, F) EUR of the last tick.
        flows: (B, F, FLOWS_W) of the last tick.
        market: (B, MARKET_W) of the last tick.
        ended: (B,) bool; an ended world ignores steps until it is reset.
        clock: (B,) the tick that starts now.
    """

    def __init__(
        self,
        design: Design,
        portfolios: tuple[Portfolio, ...],
        library: Library,
        worlds: int = 1,
        backend: str = "serial",
    ) -> None:
        if worlds < 1:
            raise StackingError("An engine needs at least one world.", key="worlds", value=worlds, allowed="1 or more")
        self.design, self.portfolios, self.library, self.backend = design, tuple(portfolios), library, backend
        self.compiled = compile_design(design)
        self.params = compile_portfolios(self.portfolios)
        self.worlds, self.rows = worlds, len(self.portfolios)
        self._hourly = np.ascontiguousarray(library.hourly.transpose(0, 2, 1))  # a look ahead reads along hours
        self._start = _start_fractions(library, self.portfolios)
        self._allocate()
        self._advance: Callable[..., Any] = build(advance, backend)
        self.reset(np.zeros(worlds, dtype=np.int64))

    def _allocate(self) -> None:
        b, n = self.worlds, self.rows
        self.clock, self.scenario = np.zeros(b, np.int64), np.zeros(b, np.int64)
        self._step_all = np.full(b, s.STEP, np.int64)
        self.state, self.book = np.zeros((b, n, s.STATE_W)), np.zeros((b, n, s.BOOK_SLOTS, s.BOOK_W))
        self.sums = np.zeros((b, n, s.SUMS_W, s.BOOK_SLOTS))
        self.plan = np.zeros((b, n, s.PLAN_W))
        self.world, self.recent = np.zeros((b, s.BOOK_SLOTS, s.WORLD_W)), np.zeros((b, s.RECENT_W))
        self.flows, self.market = np.zeros((b, n, f.FLOWS_W)), np.zeros((b, f.MARKET_W))
        self.reward, self.ended = np.zeros((b, n)), np.zeros(b, np.bool_)
        self.observation = np.zeros((b, n, v.OBSERVATIONS_W), np.float32)
        self.mask = np.zeros((b, n, v.ACTIONS_W), np.bool_)
        own = b if self.backend == "parallel" else 1
        self._home = np.arange(b) % own
        self._scratch = np.zeros((own, s.SCRATCH_ROWS, s.SCRATCH_W))
        self._offers, self._spare = np.zeros((own, 2 * n, OFFER_W)), np.zeros((own, 2 * n, OFFER_W))
        self._fault = np.zeros((b + 1, 2), np.int64)
        self._no_action = np.zeros((b, n, v.ACTIONS_W))

    def reset(self, scenarios: ArrayLike, worlds: ArrayLike | None = None) -> None:
        """Start worlds anew on scenarios of the library.

        Args:
            scenarios: library index per world that is reset.
            worlds: indices of these worlds; all by default.

        Raises:
            StackingError: if an index is outside the library or the engine.
        """
        chosen = np.arange(self.worlds) if worlds is None else _indices("worlds", worlds, self.worlds)
        index = _indices("scenarios", scenarios, len(self.library.keys))
        if index.size not in (1, chosen.size):
            raise StackingError("Each world that is reset needs one scenario.", key="scenarios", value=index.tolist(),
                                allowed=f"1 or {chosen.size} indices")  # fmt: skip
        self.scenario[chosen] = index
        todo = np.zeros(self.worlds, np.int64)
        todo[chosen] = s.RESTART
        self._advance(*self._arguments(todo, self._no_action))

    def step(self, action: NDArray[np.float64], live: NDArray[np.bool_] | None = None) -> None:
        """Advance all (live) worlds by one tick; results are in the attributes.

        Args:
            action: (B, F, ACTIONS_W) decisions in physical units; closed columns change nothing.
            live: (B,) worlds to step; all by default.

        Raises:
            StackingError: for a wrong shape, or an action outside its bounds in an open column (no world that holds one
                has moved).
        """
        action = self._matrix(action)
        self._advance(*self._arguments(self._step_all if live is None else self._selected(live), action))
        if self._fault[-1, 0] > 0:
            self._raise_fault(action)

    def _matrix(self, action: Any) -> FLOAT:
        """Return the action as a matrix of numbers."""
        if not (isinstance(action, np.ndarray) and action.dtype == np.float64 and action.flags.c_contiguous):
            try:
                action = np.ascontiguousarray(np.asarray(action).astype(np.float64, casting="same_kind"))
            except (TypeError, ValueError):
                raise StackingError("The action is no matrix of numbers.", key="action", value=action,
                                    allowed=f"float64 of shape {self._no_action.shape}") from None  # fmt: skip
        if action.shape != self._no_action.shape:
            raise StackingError(
                "The action has a wrong shape.", key="action", value=action.shape, allowed=str(self._no_action.shape)
            )
        return action

    def _selected(self, live: Any) -> NDArray[np.int64]:
        """Return what to do with each world of a truth value each."""
        live = np.asarray(live)
        if live.dtype != np.bool_ or live.shape != (self.worlds,):
            raise StackingError("Worlds to step are named by one truth value each.", key="live", value=live.tolist(),
                                allowed=f"bool of shape ({self.worlds},)")  # fmt: skip
        return np.where(live, s.STEP, s.IDLE)

    def _arguments(self, todo: NDArray[np.int64], action: FLOAT) -> tuple[Any, ...]:
        k, lib = self.compiled, self.library
        return (
            k.gates, k.products, k.curves, k.rules, k.rules_seen, k.bounds, self.params,
            lib.series, self._hourly, lib.calendar, lib.scalars, lib.length, self._start, lib.priority,
            self.scenario, self.clock, self._home, todo, action,
            self.state, self.book, self.sums, self.plan, self.world, self.recent,
            self.flows, self.market, self.reward, self.observation, self.mask, self.ended,
            self._scratch, self._offers, self._spare, self._fault,
        )  # fmt: skip

    def _raise_fault(self, action: FLOAT) -> None:
        self._fault[-1, 0] = 0
        world = int(np.argmax(self._fault[:-1, 0] >= 0))
        row, column = (int(x) for x in self._fault[world])
        field = self.compiled.layout.fields[column]
        raise StackingError(
            "An action lies outside its bounds.",
            place=f"world {world}, portfolio '{self.portfolios[row].name}', tick {self.clock[world]}",
            key=field.name, value=float(action[world, row, column]), allowed=f"{field.low} to {field.high} {field.unit}",
            remedy="Let the strategy return a finite value inside these bounds.")  # fmt: skip

    def row_state(self, world: int, row: int) -> dict[str, float]:
        """Return the state of one portfolio by name, for views and notebooks."""
        state, tick = self.state[world, row], int(self.clock[world])
        return {
            "content_mwh": float(state[s.CONTENT]),
            "position_mw": float(self.plan[world, row, tick % s.PLAN_SLOTS]),
            "power_mw": float(state[s.POWER]),
            "consent": float(state[s.CONSENT_NOW]),
            "cash_eur": float(state[s.CASH]),
        }

    def snapshot(self) -> Snapshot:
        """Return a copy of state and results."""
        return Snapshot({name: getattr(self, name).copy() for name in STATE_ARRAYS + RESULT_ARRAYS})

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of an engine of the same shape (arrays are written in place, never rebound).

        Raises:
            StackingError: if the shapes differ.
        """
        for name, value in snapshot.arrays.items():
            target = getattr(self, name)
            if target.shape != value.shape:
                raise StackingError("The snapshot is of another engine.", key=name, value=value.shape, allowed=str(target.shape))
        for name, value in snapshot.arrays.items():
            getattr(self, name)[...] = value


def transition(engine: Engine, snapshot: Snapshot, action: FLOAT) -> Snapshot:
    """Return the state after one tick from a snapshot, leaving the engine as it was: copy + step, a pure function."""
    before = engine.snapshot()
    try:
        engine.restore(snapshot)
        engine.step(action)
        return engine.snapshot()
    finally:
        engine.restore(before)


def _indices(key: str, given: Any, count: int) -> NDArray[np.int64]:
    """Return indices below a count.

    Raises:
        StackingError: if they are no integers or out of range.
    """
    index = np.asarray(given).reshape(-1)
    if index.size and (index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= count):
        raise StackingError("No such entry.", key=key, value=index.tolist(), allowed=f"whole numbers 0..{count - 1}")
    return index.astype(np.int64)


def _start_fractions(library: Library, portfolios: tuple[Portfolio, ...]) -> FLOAT:
    """Return start contents as shares of the content window: drawn in the scenario unless the portfolio states one."""
    if library.start_frac.shape[1] < len(portfolios):
        raise StackingError(
            "The scenario library holds too few portfolios.", key="rows", value=library.start_frac.shape[1],
            allowed=f"{len(portfolios)} or more",
            remedy="Draw the library with rows = number of portfolios.")  # fmt: skip
    start = library.start_frac[:, : len(portfolios)].copy()
    for row, p in enumerate(portfolios):
        b = p.battery
        if b.start_content_frac is not None:
            start[:, row] = (b.start_content_frac - b.min_content_frac) / (b.max_content_frac - b.min_content_frac)
    return start
