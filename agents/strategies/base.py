"""What a strategy is, how it declares its tunable numbers, and the registry by name.

A strategy is any object with `name`, `start` and `act` (see `Strategy`); the shipped ones are frozen dataclasses whose
fields are made by `tunable`, so that the tuner and the reports read names, units and ranges as data. Nothing here is
meant to be inherited from.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stacking.errors import StackingError
from stacking.layout import ACTIONS_W, CONSENT_NOW_DN, CONSENT_NOW_UP, LFM_SHARE_UP, action_layout

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer]
PerRow = float | NDArray[np.float64]
"""One number for all rows, or one per row, (n,)."""

Seed = int | IntArray
"""One number for all rows, or one per row, (n,): then a row draws the same alone and in any batch."""

ACTION_LAYOUT = action_layout((-500.0, 5000.0), (-5000.0, 5000.0))
"""Bounds that strategies keep to. A strategy does not see the price limits of a design, so it wishes for no price
outside these, which lie inside the limits of every shipped product (the old regulating power market had +-5000)."""

LOW = np.array(ACTION_LAYOUT.low)
HIGH = np.array(ACTION_LAYOUT.high)


class Strategy(Protocol):
    """Decides for n portfolios at once; a single agent is n = 1; reads nothing but its arguments.

    Optional: `by_row = True` in the class says that parameters may be arrays with a value per row (`one_by_row`). A method
    `alternatives(observation, mask, state, shift_eur_per_mwh)` says what `act` would have decided at prices lower and higher by
    a shift, (n, 2, ACTIONS_W), NaN where it says nothing; `state` is what `act` returned.
    """

    @property
    def name(self) -> str:
        """Return the name used in tables."""
        ...

    def start(self, n: int, seed: Seed) -> Any:
        """Return the state at the start of an episode of n rows; randomness, if any, comes from `seed`."""
        ...

    def act(self, observation: FloatArray, mask: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Decide one tick.

        Args:
            observation: (n, OBSERVATIONS_W) float32 in physical units, read-only (`stacking.layout`).
            mask: (n, ACTIONS_W), true where a column is open; values in closed columns change nothing.
            state: what `start` or the last `act` returned.

        Returns:
            action (n, ACTIONS_W) float64 in physical units, inside the layout's bounds, and the next state.
        """
        ...


# ---- parameters as data ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Parameter:
    """One tunable number: inclusive range, default, unit, and whether to search it on a log scale."""

    name: str
    low: float
    high: float
    default: float
    unit: str
    log: bool = False
    meaning: str = ""


def tunable(default: float, low: float, high: float, unit: str, meaning: str, *, log: bool = False) -> Any:
    """Return a dataclass field that declares one tunable parameter (its name is the field's)."""
    return dataclasses.field(default=default, metadata={"tunable": (low, high, unit, log, meaning)})


def parameters_of(strategy: Any) -> tuple[Parameter, ...]:
    """Return the tunable parameters of a strategy or strategy class, in order; none if it is not a dataclass."""
    if not dataclasses.is_dataclass(strategy):
        return ()
    found = []
    for field in dataclasses.fields(strategy):
        if "tunable" in field.metadata:
            low, high, unit, log, meaning = field.metadata["tunable"]
            found.append(Parameter(field.name, low, high, float(field.default), unit, log, meaning))  # type: ignore[arg-type]
    return tuple(found)


def values_of(strategy: Any) -> dict[str, float]:
    """Return the present values of a strategy's tunable parameters by name."""
    return {p.name: float(getattr(strategy, p.name)) for p in parameters_of(strategy)}


def decides_by_row(strategy: Any) -> bool:
    """Return whether a strategy's class itself says, by `by_row = True`, that a parameter may be an array, one value per row."""
    return bool(vars(type(strategy)).get("by_row", False))


def one_by_row(strategies: Sequence[Any], index: IntArray) -> Any:
    """Return one strategy of which row k decides as strategies[index[k]] would.

    Args:
        strategies: of one class, for which `decides_by_row` holds.
        index: (n,) of all rows that it will be called with.
    """
    made = copy.copy(strategies[0])
    for p in parameters_of(made):
        object.__setattr__(made, p.name, np.array([float(getattr(s, p.name)) for s in strategies])[index])
    return made


def check_parameters(strategy: Any) -> None:
    """Check that every tunable value is a number inside its range; for `__post_init__`.

    Raises:
        StackingError: naming strategy, parameter, value and range.
    """
    for p in parameters_of(strategy):
        value = getattr(strategy, p.name)
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not p.low <= value <= p.high:
            raise StackingError(
                "A strategy parameter is not a number inside its range.",
                place=f"strategy {getattr(strategy, 'name', type(strategy).__name__)}",
                key=p.name,
                value=value,
                allowed=f"{p.low:g}..{p.high:g} {p.unit}",
                remedy=f"The default is {p.default:g}.",
            )


# ---- actions ---------------------------------------------------------------------------------------------------------
def keep_word(observation: FloatArray, mask: BoolArray, answer: FloatArray | BoolArray) -> FloatArray:
    """Return the answers about consent, (n, 2: up, down): new ones at a local gate, what was said last where it may be withdrawn.

    Args:
        observation: (n, OBSERVATIONS_W); mask: (n, ACTIONS_W).
        answer: (n, 2) or (n, 1), to the question of the local gate.
    """
    said = observation[:, CONSENT_NOW_UP : CONSENT_NOW_DN + 1]
    return np.where(mask[:, LFM_SHARE_UP : LFM_SHARE_UP + 1], answer, said)


def closed_action(n: int) -> FloatArray:
    """Return n rows of "do nothing": every column zero, which is inside all bounds, (n, ACTIONS_W)."""
    return np.zeros((n, ACTIONS_W))


def finish(action: FloatArray, mask: BoolArray) -> FloatArray:
    """Return a strategy's own wish inside the bounds, closed columns zero, (n, ACTIONS_W) float64.

    Only for a strategy's own use: the engine and the guard refuse what is outside, they never clip.
    """
    return np.where(mask, np.minimum(np.maximum(action, LOW), HIGH), 0.0)


# ---- registry --------------------------------------------------------------------------------------------------------
_FACTORIES: dict[str, Callable[..., Strategy]] = {}


def register(name: str, factory: Callable[..., Strategy]) -> None:
    """Make a strategy known by name; the factory takes its parameters as keywords."""
    if name in _FACTORIES and _FACTORIES[name] is not factory:
        raise StackingError("A strategy of this name exists already.", key="name", value=name, remedy="Rename yours.")
    _FACTORIES[name] = factory


def strategy_names() -> tuple[str, ...]:
    """Return the registered names, in order of registration."""
    return tuple(_FACTORIES)


def factory_of(name: str) -> Callable[..., Strategy]:
    """Return the class or function behind a name.

    Raises:
        StackingError: if there is no such strategy.
    """
    if name not in _FACTORIES:
        raise StackingError(
            "Unknown strategy.",
            key="strategy",
            value=name,
            allowed=", ".join(_FACTORIES),
            remedy="Use one of these names, or FILE.py:Class for your own.",
        )
    return _FACTORIES[name]


def make_strategy(name: str, /, **parameters: float) -> Strategy:
    """Return a new strategy by name.

    Raises:
        StackingError: for an unknown name or parameter, or a value outside its range.
    """
    factory = factory_of(name)
    known = [p.name for p in parameters_of(factory)]
    for key in parameters:
        if _is_record(factory) and key not in known:
            raise StackingError(
                "The strategy has no such parameter.",
                place=f"strategy {name}",
                key=key,
                value=parameters[key],
                allowed=", ".join(known) or "none",
                remedy="Leave it out or correct its name.",
            )
    return factory(**parameters)


def _is_record(factory: Any) -> bool:
    """Return whether a factory is a dataclass, so that its parameters are known."""
    return isinstance(factory, type) and dataclasses.is_dataclass(factory)
