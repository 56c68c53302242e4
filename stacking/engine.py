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
from .exogenous import exogenous
from .gates.pools import link_pools
from .gates.procurement import NODES_W, bids_needed
from .kernel import TOGETHER, advance
from .markets import joint
from .markets.merit_order import OFFER_W
from .network import Network, compile_network, default_network
from .portfolio import Portfolio

if TYPE_CHECKING:
    from .scenario import Library

FLOAT = NDArray[np.float64]
STATE_ARRAYS = ("control", "state", "ring", "early", "chargers", "world", "prices", "history")
RESULT_ARRAYS = ("flows", "market", "reward", "observation", "mask", "feasible", "ended")


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
        network: where the portfolios stand; one area by default. Portfolios must be given in its row order (`Areas.order`).

    Attributes:
        observation: (B, F, OBSERVATIONS_W) float32, physical units.
        mask: (B, F, ACTIONS_W) bool, open columns.
        feasible: (B, F, FEASIBLE_W) what is feasible at the next balancing and local gate, in double precision.
        reward: (B, F) EUR of the last tick.
        flows: (B, F, FLOWS_W) of the last tick.
        market: (B, MARKET_W) of the last tick.
        ended: (B,) bool; an ended world ignores steps until it is reset.
        clock: (B,) the tick that starts now.
        spans: (A, AREAS_W) the local markets as the kernel reads them.
    """

    def __init__(
        self,
        design: Design,
        portfolios: tuple[Portfolio, ...],
        library: Library,
        worlds: int = 1,
        backend: str = "serial",
        network: Network | None = None,
    ) -> None:
        if worlds < 1:
            raise StackingError("An engine needs at least one world.", key="worlds", value=worlds, allowed="1 or more")
        self.design, self.library, self.backend = design, library, backend
        self.compiled, self.areas = compile_design(design), compile_network(network or default_network(), portfolios)
        self.portfolios = tuple(portfolios)
        self.params = compile_portfolios(self.portfolios)
        self.params[:, s.AREA] = self.areas.row_area
        link_pools(design.rules, self.portfolios, self.areas.row_area, self.params)
        if (np.diff(self.areas.order) < 0).any():
            raise StackingError("Portfolios do not stand in the order of the network.", key="portfolios",
                                value=[p.name for p in self.portfolios][:5], allowed="portfolios of a leaf side by side",
                                remedy="Give `[portfolios[k] for k in compile_network(network, portfolios).order]`.")  # fmt: skip
        spans = (self.areas.first_row, self.areas.last_row + 1, self.areas.parent, self.areas.of_tso)
        self.spans = np.column_stack(spans).astype(np.int64)
        self.worlds, self.rows = worlds, len(self.portfolios)
        self._exogenous = exogenous(library, self.portfolios, self.areas)
        self._allocate()
        self._advance: Callable[..., Any] = build(advance, backend)
        self.reset(np.zeros(worlds, dtype=np.int64))

    def _allocate(self) -> None:
        b, n, a = self.worlds, self.rows, len(self.areas.node)
        chargers = max(1, int(self.params[:, s.CHARGERS].sum()))
        baseline = self.compiled.rules[s.BASELINE]
        remembered = s.HISTORY_W if baseline >= s.BY_MEAN else s.SLOTS if baseline == s.BY_NOMINATION else 0
        self.control = np.zeros((b, s.CONTROL_W), np.int64)
        self.state, self.ring = np.zeros((b, n, s.STATE_W)), np.zeros((b, n, s.RING_W), np.float32)
        self.chargers = np.zeros((b, chargers, s.CHARGER_W), np.float32)
        self.world, self.prices = np.zeros((b, s.WORLD_W)), np.zeros((b, a + 1, s.AREA_W))
        self.history = np.zeros((b, n, remembered), np.float32)
        self.early = np.zeros((b, n, s.EARLY_W if self.compiled.rules[s.DAY_BEFORE] > 0.0 else 0), np.float32)
        self.flows, self.market = np.zeros((b, n, f.FLOWS_W)), np.zeros((b, f.MARKET_W))
        self.reward, self.ended = np.zeros((b, n)), np.zeros(b, np.bool_)
        self.observation = np.zeros((b, n, v.OBSERVATIONS_W), np.float32)
        self.mask = np.zeros((b, n, v.ACTIONS_W), np.bool_)
        self.feasible = np.zeros((b, n, s.FEASIBLE_W))
        self._chunk = np.array([max(1, TOGETHER // n)])
        own = -(-b // int(self._chunk[0])) if self.backend == "parallel" else 1
        self._scratch = np.zeros((own, s.SCRATCH_W))
        self._offers, self._spare = np.zeros((own, 2 * n, OFFER_W)), np.zeros((own, 2 * n, OFFER_W))
        self._before = np.zeros((own, n if any(g.kind == "match" for g in self.design.gates) else 1, 2))
        self._joint = self._joint_memory(own, n, a)
        self._fault = np.zeros((b + 1, 2), np.int64)
        self._no_action = np.zeros((b, n, v.ACTIONS_W))

    def _joint_memory(self, own: int, rows: int, areas: int) -> tuple[NDArray[Any], ...]:
        """Return bids, nodes, pieces, links and lists of joint procurement, for each chunk; a row each where nothing is joint."""
        many = bids_needed(rows, areas, self.compiled.curves.shape[1]) if self.design.joint else 1
        pieces = joint.pieces_needed(many, areas + 1)
        return (
            np.zeros((own, many, joint.BIDS_W)), np.zeros((own, areas + 1, NODES_W)),
            np.zeros((own, joint.PIECES_W, pieces)), np.zeros((own, joint.LINKS_W, pieces), np.int64),
            np.zeros((own, areas + 1, joint.LISTS_W), np.int64),
        )  # fmt: skip

    @property
    def clock(self) -> NDArray[np.int64]:
        """Return a view of the tick that starts now, (B,)."""
        return self.control[:, s.CLOCK]

    @property
    def scenario(self) -> NDArray[np.int64]:
        """Return a view of the library index of each world, (B,)."""
        return self.control[:, s.SCENARIO]

    @property
    def consumption(self) -> FLOAT:
        """Return what each load would consume, (scenario, load, tick), MW."""
        return self._exogenous[-1]

    @property
    def book(self) -> NDArray[np.float32]:
        """Return a view of offers and sales, (B, F, SLOTS, BOOK_W)."""
        return self.ring[..., s.BOOK : s.PLAN].reshape(self.worlds, self.rows, s.SLOTS, s.BOOK_W)

    @property
    def ahead(self) -> NDArray[np.float32]:
        """Return a view of schedules and calls by asset kind, (B, F, AHEAD_COLS, SLOTS)."""
        return self.ring[..., s.AHEAD : s.BOOK].reshape(self.worlds, self.rows, s.AHEAD_COLS, s.SLOTS)

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
        self.control[:, s.TODO] = s.SKIP
        self.control[chosen, s.TODO] = s.RESTART
        self._advance(*self._arguments(self._no_action))

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
        self.control[:, s.TODO] = s.STEP if live is None else self._selected(live)
        self._advance(*self._arguments(action))
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

    def _arguments(self, action: FLOAT) -> tuple[Any, ...]:
        k = self.compiled
        return (
            k.gates, k.products, k.curves, k.rules, k.rules_seen, k.bounds, self.spans, self.params,
            *self._exogenous, self.control, action,
            self.state, self.ring, self.early, self.chargers, self.world, self.prices, self.history,
            self.flows, self.market, self.reward, self.observation, self.mask, self.feasible, self.ended,
            self._scratch, self._offers, self._spare, self._before, *self._joint, self._fault, self._chunk,
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
        state = self.state[world, row]
        return {
            "content_mwh": float(state[s.CONTENT]),
            "position_mw": float(self.observation[world, row, v.BOOK + 12]),
            "power_mw": float(state[s.POWER]),
            "consent_up": float(state[s.CONSENT_NOW]),
            "consent_dn": float(state[s.CONSENT_NOW + 1]),
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
