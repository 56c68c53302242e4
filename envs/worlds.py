"""B worlds of one scene, with what learners decide and see in the numbers of a network: what all faces share.

A single environment is B = 1 with one learner, a vector environment B worlds with one learner, a parallel one B = 1 with several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking import layout as v
from stacking import state as s
from stacking.build import build
from stacking.engine import Engine, Snapshot
from stacking.errors import StackingError

from ..agents.consent import FspChoice
from .advice import Advice, numbers_of_alternatives, reach_of, shown_alternatives
from .co_players import CohortMemory, CoPlayers
from .config import MARKETS, EnvConfig
from .learned import named_strategy
from .rewards import Rewards
from .scaling import change_between, change_of, to_changed, to_numbers, to_physical, to_seen
from .scenarios import ScenarioStreams
from .scene import build_scene
from .spaces import level_counts, level_masks, level_numbers, market_columns, observation_width, price_table, scales_of

BOOL = NDArray[np.bool_]
FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
SEEN = NDArray[np.float32]


@dataclass(frozen=True)
class Moment:
    """A copy of everything that changes in an environment: restoring it continues identically."""

    engine: Snapshot
    others: tuple[CohortMemory, ...]
    adviser: tuple[CohortMemory, ...]
    arrays: dict[str, NDArray[Any]]


class Worlds:
    """B worlds of one scene.

    Args:
        config: validated settings.
        worlds: B.
        everybody: whether all FSPs learn that no co-player decides for.

    Attributes:
        engine: the engine that is stepped.
        rows: (L,) its portfolios that learn; names: theirs.
        seen: (B, L, W) float32, scaled: the layout, then advice and mask where they are part of the observation; a new array
            after each step and reset.
        is_open: (B, L, ACTIONS_W) decisions that are theirs now; likewise.
        clipped: (B, L) prices of offers in the last action that the limits of a product cut.
    """

    def __init__(self, config: EnvConfig, worlds: int, everybody: bool = False) -> None:
        self.config, self.scene = config, build_scene(config, everybody)
        scene = self.scene
        self.engine = Engine(scene.design, scene.portfolios, scene.library, worlds, config.backend, scene.network)
        self.rows, self.all = np.array(scene.learners, np.int64), np.arange(worlds)
        self.portfolios = tuple(scene.portfolios[row] for row in scene.learners)
        self.names = tuple(p.name for p in self.portfolios)
        self.others = CoPlayers(scene.others, [p.name for p in scene.portfolios], self.engine.compiled.layout)
        self.streams = ScenarioStreams(worlds, len(scene.library))
        self.rewards = Rewards(config, self.engine, self.rows, scene)
        self.advice = self._adviser(worlds) if config.advice else None
        self._scales, self._prices = scales_of(self.portfolios), price_table(self.engine.compiled)
        self._numbers = None if config.levels is None else level_numbers(config.levels)
        self._counts = level_counts(config.levels or 2)
        self._allocate(worlds, len(self.rows))
        self.choose({name: config.choice for name in self.names})

    def _allocate(self, b: int, n: int) -> None:
        backend = "python" if self.config.backend == "python" else "serial"
        self._to_physical: Callable[..., Any] = build(to_physical, backend)
        self._to_numbers: Callable[..., Any] = build(to_numbers, backend)
        self._to_seen: Callable[..., Any] = build(to_seen, backend)
        self._to_changed: Callable[..., Any] = build(to_changed, backend)
        self._action = np.zeros(self.engine.mask.shape)
        self._fixed = np.full((n, v.ACTIONS_W), np.nan)
        self.clipped = np.zeros((b, n), np.int64)
        self._fault = np.zeros(3, np.int64)
        self._last = np.full((b, n, len(self._scales.large)), np.nan, np.float32)
        self._known = np.zeros_like(self._last)
        self.seen = np.zeros((b, n, observation_width(self.config)), np.float32)
        self.is_open = np.zeros((b, n, v.ACTIONS_W), np.bool_)
        self.advised, self.reach = np.zeros((b, n, v.ACTIONS_W)), reach_of(self.config.reach)
        self.alternatives = np.full((b, n, 2, v.ACTIONS_W), np.nan)
        self._decided = np.zeros_like(self.advised)

    def _adviser(self, worlds: int) -> Advice:
        names = [p.name for p in self.scene.portfolios]
        assert self.config.advice is not None
        advice = Advice(named_strategy(self.config.advice), self.rows, names, self.engine.compiled.layout, worlds)
        if self.config.steer_eur_per_mwh > 0.0 and not advice.has_alternatives:
            raise StackingError("This adviser does not say what it would do at other prices.", place="environment",
                                key="steer_eur_per_mwh", value=self.config.steer_eur_per_mwh, allowed="0 with it",
                                remedy="Take rebid, overbook or stacked, or add a method `alternatives`.")  # fmt: skip
        return advice

    # ---- which decisions are whose ---------------------------------------------------------------------------------------
    def choose(self, choices: Mapping[str, FspChoice | str | None]) -> None:
        """Set the way of learners to balancing; None leaves it to them. It holds from the next step on.

        Raises:
            StackingError: for a name that does not learn, or an unknown choice.
        """
        for name, choice in choices.items():
            if name not in self.names:
                raise StackingError("There is no such learner.", place="environment", key="choice", value=name,
                                    allowed=", ".join(self.names))  # fmt: skip
            if choice not in (None, *FspChoice):
                raise StackingError("Unknown choice.", place="environment", key="choice", value=choice,
                                    allowed=", ".join(FspChoice))  # fmt: skip
            self._fixed[self.names.index(name)] = fixed_decisions(self.config, None if choice is None else FspChoice(choice))

    # ---- episodes --------------------------------------------------------------------------------------------------------
    def seed(self, worlds: INT, seeds: NDArray[np.uint64]) -> None:
        """Begin the streams of scenarios of some worlds anew."""
        self.streams.seed(worlds, seeds)

    def reset(self, worlds: INT, scenarios: Any = None) -> None:
        """Start worlds on their next scenarios, or on given ones.

        Raises:
            StackingError: for a scenario that the library does not hold, or a number of them that does not match.
        """
        self.engine.reset(self.streams.draw(worlds) if scenarios is None else scenarios, worlds)
        keys = [str(self.scene.library.keys[k]) for k in self.engine.scenario[worlds]]
        if self.scene.others:
            self.others.start(worlds, keys)
        if self.advice is not None:
            self.advice.start(worlds, keys)
        self.rewards.restart(worlds)
        self.clipped[worlds] = 0

    def step(self, given: NDArray[Any]) -> FLOAT:
        """Move all worlds by one MTU and return the rewards, (B, L).

        Args:
            given: (B, L, ACTIONS_W) numbers of -1..1, or whole numbers if there are levels.

        Raises:
            StackingError: for numbers outside -1..1 in an open column (no world has moved then).
        """
        e = self.engine
        if self._numbers is not None:
            given = self._from_levels(given)
        if self.advice is not None:
            self._to_changed(given, self.advised, self.reach, self.alternatives, self.is_open, self._decided, self._fault)
            if self._fault[0] >= 0:
                self._raise_fault(given)
            given = self._decided
        self._to_physical(given, e.observation, e.mask, self.rows, self._fixed, e.compiled.bounds, self._prices, self._action,
                          self.clipped, self._fault)  # fmt: skip
        if self._fault[0] >= 0:
            self._raise_fault(given)
        self.others.act(e.observation, e.mask, self._action)
        e.step(self._action)
        return self.rewards.step()

    def look(self, worlds: INT | None = None) -> None:
        """Renew what learners see: in all worlds as new arrays, or in some of them in the present arrays."""
        e = self.engine
        if worlds is None:
            self.seen, self.is_open = np.empty_like(self.seen), np.empty_like(self.is_open)
        k = self._scales
        self._to_seen(e.observation, e.mask, self.rows, self._fixed, self.all if worlds is None else worlds, k.rates, k.large,
                      k.sources, k.runs, self._last, self._known, self.seen, self.is_open)  # fmt: skip
        if self.advice is not None:
            self.advised = self._numbers_of(self.advice.look(e.observation, e.mask, worlds))
            if self.config.steer_eur_per_mwh > 0.0:
                found = self.advice.alternatives(e.observation, e.mask, self.config.steer_eur_per_mwh, worlds)
                self.alternatives = numbers_of_alternatives(found, self._numbers_of)
            self.is_open &= self.reach > 0.0
        self._show_more()

    def _show_more(self) -> None:
        """Write advice, its alternatives and the mask behind the layout."""
        at = v.OBSERVATIONS_W
        if self.advice is not None:
            self.seen[..., at : at + v.ACTIONS_W] = self.advised
            if self.config.steer_eur_per_mwh > 0.0:
                shown = shown_alternatives(self.alternatives)
                self.seen[..., at + v.ACTIONS_W :][..., : shown.shape[-1]] = shown
        if self.config.mask_seen:
            self.seen[..., -v.ACTIONS_W :] = self.is_open

    def masks(self) -> BOOL:
        """Return what may be chosen now: open columns (B, L, ACTIONS_W), or their levels side by side; a new array."""
        levels = self.config.levels
        return self.is_open.copy() if levels is None else level_masks(self.is_open, levels)

    # ---- physical units --------------------------------------------------------------------------------------------------
    @property
    def physical(self) -> tuple[SEEN, BOOL]:
        """Return observation and mask of the learners in physical units, as strategies read them, (B, L, ...)."""
        return self.engine.observation[:, self.rows], self.engine.mask[:, self.rows]

    def numbers_of(self, action: FLOAT) -> FLOAT:
        """Return the numbers of -1..1 with which a learner decides this at this moment, (B, L, ACTIONS_W); 0 in closed columns.

        Args:
            action: (B, L, ACTIONS_W) decisions in physical units. Where decisions are changes of an advice, those that its reach
                does not allow become the nearest one.
        """
        numbers = self._numbers_of(action)
        if self.advice is None:
            return numbers
        named = ~np.isnan(self.alternatives)
        low, high = np.moveaxis(np.where(named, self.alternatives, 0.0), 2, 0)
        steered = _changes_between(numbers, self.advised, low, high)
        changes = np.where(named[:, :, 0], steered, _changes_of(numbers, self.advised, self.reach))
        return np.where(self.is_open, changes, 0.0)

    def _numbers_of(self, action: FLOAT) -> FLOAT:
        observation, mask = self.physical
        action = np.ascontiguousarray(action, np.float64).reshape(-1, v.ACTIONS_W)
        out = np.zeros_like(action)
        self._to_numbers(action, observation.reshape(len(action), -1), mask.reshape(len(action), -1),
                         self.engine.compiled.bounds, self._prices, out)  # fmt: skip
        return out.reshape(mask.shape)

    # ---- copies ----------------------------------------------------------------------------------------------------------
    def snapshot(self) -> Moment:
        """Return a copy of everything that changes."""
        arrays = {"seeds": self.streams.seeds, "drawn": self.streams.drawn, "fixed": self._fixed, "clipped": self.clipped}
        arrays["advised"], arrays["alternatives"] = self.advised, self.alternatives
        adviser = () if self.advice is None else self.advice.snapshot()
        copies = {name: array.copy() for name, array in arrays.items()}
        return Moment(self.engine.snapshot(), self.others.snapshot(), adviser, copies)

    def restore(self, moment: Moment) -> None:
        """Go back to a snapshot of an environment with the same settings.

        Raises:
            StackingError: if it is of another one.
        """
        self.engine.restore(moment.engine)
        self.others.restore(moment.others)
        self.streams.seeds[:], self.streams.drawn[:] = moment.arrays["seeds"], moment.arrays["drawn"]
        self._fixed[:], self.clipped[:] = moment.arrays["fixed"], moment.arrays["clipped"]
        self.rewards.recall()
        adviser, self.advice = self.advice, None  # it has looked already
        self.look()
        self.advice, self.advised = adviser, moment.arrays["advised"].copy()
        self.alternatives = moment.arrays["alternatives"].copy()
        if adviser is not None:
            adviser.restore(moment.adviser)
            self.is_open &= self.reach > 0.0
            self._show_more()

    # ---- bad actions -----------------------------------------------------------------------------------------------------
    def _from_levels(self, given: NDArray[Any]) -> FLOAT:
        """Return the numbers of -1..1 of levels."""
        assert self._numbers is not None
        if given.dtype.kind not in "iu" or (given < 0).any() or (given >= self._counts).any():
            raise StackingError("A level is no whole number of its range.", place="action", key="levels", value=given.tolist(),
                                allowed=f"whole numbers 0..n-1 with n = {self._counts.tolist()}",
                                remedy="Take actions from the action space.")  # fmt: skip
        return self._numbers[np.arange(v.ACTIONS_W), given]

    def _raise_fault(self, given: NDArray[Any]) -> None:
        """Say which number lies outside -1..1."""
        b, i, k = (int(x) for x in self._fault)
        field = self.engine.compiled.layout.fields[k]
        tick = int(self.engine.control[b, s.CLOCK])
        raise StackingError(
            "An action lies outside -1..1.", place=f"world {b}, FSP '{self.names[i]}', tick {tick}", key=field.name,
            value=float(given[b, i, k]), allowed="-1 to 1 (no NaN) in an open column",
            remedy="Clip or squash what the policy puts out; `stacking describe ENV` shows what the numbers stand for.",
        )  # fmt: skip


_changes_of = np.vectorize(change_of, otypes=[np.float64])
_changes_between = np.vectorize(change_between, otypes=[np.float64])


def fixed_decisions(config: EnvConfig, choice: FspChoice | None) -> FLOAT:
    """Return the decisions that are not the learner's, in physical units, NaN where they are, (ACTIONS_W,)."""
    fixed = np.full(v.ACTIONS_W, np.nan)
    for market in MARKETS:
        if market not in config.markets:
            fixed[list(market_columns(market))] = 0.0
    if choice is not None:
        closed = np.array(choice.closed, np.int64)
        fixed[closed] = 0.0
        fixed[closed[closed < v.CONSENT_UP] + 2] = 0.0  # the prices of shares
    return fixed


def checked_action(action: Any, shape: tuple[int, ...], levels: bool) -> NDArray[Any]:
    """Return an action as numbers of a shape.

    Raises:
        StackingError: if it is none.
    """
    try:
        found = np.asarray(action)
        found = found if levels else found.astype(np.float64, casting="same_kind" if found.dtype.kind == "f" else "safe")
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != shape:
        raise StackingError("The action has a wrong shape.", place="action", key="action",
                            value=getattr(action, "shape", type(action).__name__), allowed=f"numbers of shape {shape}",
                            remedy="Give one number for each decision (`stacking describe ENV`).")  # fmt: skip
    return found
