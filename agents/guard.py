"""The guard around a strategy: whatever it does wrong becomes one clear error, never a wrong number.

Every call is checked for exceptions, time, shape, type and range; copies, the observation's bytes and the global random
generators are compared on the first calls and on every 64th after (`THOROUGH_FIRST`, `THOROUGH_EVERY`), which keeps the
guard at about 20 microseconds a call. Code that never returns to the interpreter (a hanging C library) cannot be stopped.
"""

from __future__ import annotations

import inspect
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from stacking.errors import StackingError
from stacking.layout import Layout

from .strategies.base import ACTION_LAYOUT, BoolArray, FloatArray, Seed, Strategy
from .strategies.loading import last_line_in

TIME_LIMIT_S = 10.0
THOROUGH_FIRST = 4
THOROUGH_EVERY = 64
_REMEDY_RANGE = "Stay inside the bounds of the column; `stacking.agents.strategies.finish` clips your own wish."


class _TooSlow(BaseException):
    """Raised inside a strategy that takes too long; no Exception, so that `except Exception` does not swallow it."""


def checked_start(strategy: Strategy, n: int, seed: Seed, *, time_limit_s: float = TIME_LIMIT_S) -> Any:
    """Return `strategy.start(n, seed)`.

    Raises:
        StackingError: if it raises or takes longer than the limit.
    """
    return _call(strategy, "start", (n, seed), time_limit_s)


def checked_act(
    strategy: Strategy,
    observation: FloatArray,
    mask: BoolArray,
    state: Any,
    *,
    call: int = 0,
    layout: Layout = ACTION_LAYOUT,
    time_limit_s: float = TIME_LIMIT_S,
    row_name: Callable[[int], str] = str,
) -> tuple[FloatArray, Any]:
    """Return `strategy.act(observation, mask, state)` if it keeps the contract.

    Args:
        strategy: the strategy.
        observation: (n, OBSERVATIONS_W) float32; the strategy gets a read-only view.
        mask: (n, ACTIONS_W) bool, likewise.
        state: as returned by the last call.
        call: number of the call since the start, 0 first; says when to check thoroughly.
        layout: bounds of the action columns, those of the design.
        time_limit_s: longest time of the call.
        row_name: name of a row for the message.

    Returns:
        action (n, ACTIONS_W) float64, finite and inside the bounds in every open column, and the next state.

    Raises:
        StackingError: naming strategy, column, row, value, range and remedy.
    """
    thorough = call < THOROUGH_FIRST or call % THOROUGH_EVERY == 0
    views = observation.view(), mask.view()
    for view in views:
        view.flags.writeable = False
    before = (observation.tobytes(), mask.tobytes(), _random_state()) if thorough else None
    answer = _call(strategy, "act", (*views, state), time_limit_s)
    if before is not None or views[0].flags.writeable or views[1].flags.writeable:
        _check_side_effects(strategy, observation, mask, views, before)
    action, state = _unpack(strategy, answer, mask.shape)
    low, high = _bounds(layout)
    bad = mask & ~((action >= low) & (action <= high))  # NaN compares false
    if bad.any():
        _refuse_value(strategy, action, bad, layout, row_name)
    return action, state


# ---- what can be wrong -----------------------------------------------------------------------------------------------
def _unpack(strategy: Strategy, answer: Any, shape: tuple[int, ...]) -> tuple[FloatArray, Any]:
    """Check form, shape and type of what a strategy returned."""
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise StackingError(
            "The strategy does not return two things.",
            place=_place(strategy, "act"),
            key="return value",
            value=type(answer).__name__ + (f" of {len(answer)}" if isinstance(answer, (tuple, list)) else ""),
            allowed="(action, state)",
            remedy="End act with   return action, state",
        )
    action, state = answer
    if not isinstance(action, np.ndarray) or action.shape != shape:
        found = f"array {action.shape}" if isinstance(action, np.ndarray) else type(action).__name__
        raise StackingError(
            "The action has the wrong shape.",
            place=_place(strategy, "act"),
            key="action",
            value=found,
            allowed=f"NumPy array {shape}: one row per portfolio, one column per decision",
            remedy="Start from   action = closed_action(len(observation))   and fill columns.",
        )
    if action.dtype != np.float64:
        if action.dtype != np.float32:
            raise StackingError(
                "The action has the wrong type.",
                place=_place(strategy, "act"),
                key="action",
                value=str(action.dtype),
                allowed="float64 or float32",
                remedy="Return action.astype(float).",
            )
        action = action.astype(np.float64)
    return action, state


def _refuse_value(strategy: Strategy, action: FloatArray, bad: BoolArray, layout: Layout, row_name: Callable[[int], str]) -> None:
    """Name the first value that is not finite or outside its bounds."""
    row, column = (int(i) for i in np.argwhere(bad)[0])
    value, field = float(action[row, column]), layout.fields[column]
    finite = np.isfinite(value)
    more = int(bad.sum()) - 1
    raise StackingError(
        f"The strategy returns a value {'outside its bounds' if finite else 'that is not a finite number'}"
        + (f" (and {more} more)." if more else "."),
        place=f"{_place(strategy, 'act')}, row {row_name(row)}",
        key=field.name,
        value=value,
        allowed=f"{field.low:g}..{field.high:g} {field.unit}".rstrip(" -"),
        remedy=_REMEDY_RANGE if finite else "Look for a division by zero or an empty mean; closed columns may hold anything.",
    )


def _check_side_effects(strategy: Strategy, observation: FloatArray, mask: BoolArray, views: tuple, before: tuple | None) -> None:
    """Check that the arguments are unchanged and the global generators were not used."""
    changed = ""
    for name, array, view, old in zip(
        ("observation", "mask"), (observation, mask), views, before[:2] if before else (None, None), strict=True
    ):
        if view.flags.writeable or (old is not None and array.tobytes() != old):
            changed = name
    if changed:
        raise StackingError(
            f"The strategy changes its {changed}.",
            place=_place(strategy, "act"),
            key=changed,
            remedy=f"Work on a copy:   {changed} = {changed}.copy()",
        )
    if before and (used := _used_generator(before[2])):
        raise StackingError(
            "The strategy draws from, or seeds, a global random generator, so that a run could not be repeated.",
            place=_place(strategy, "act"),
            key=used,
            remedy="Make np.random.default_rng(seed) in start and keep it in the state.",
        )


def _random_state() -> tuple[Any, Any]:
    """Return the states of Python's and NumPy's global generators."""
    return random.getstate(), np.random.get_state()  # noqa: NPY002  (looked at, not used)


def _used_generator(before: tuple[Any, Any]) -> str:
    """Return the name of a global generator whose state differs, "" if none does."""
    now = _random_state()
    if now[0] != before[0]:
        return "random"
    old, new = before[1], now[1]
    same = old[2:] == new[2:] and np.array_equal(old[1], new[1])
    return "" if same else "numpy.random"


_BOUNDS: dict[int, tuple[Layout, FloatArray, FloatArray]] = {}


def _bounds(layout: Layout) -> tuple[FloatArray, FloatArray]:
    """Return a layout's lower and upper bounds as arrays; kept, since a Layout builds a tuple each time."""
    known = _BOUNDS.get(id(layout))
    if known is None or known[0] is not layout:
        known = _BOUNDS[id(layout)] = (layout, np.array(layout.low), np.array(layout.high))
    return known[1], known[2]


# ---- calling with a time limit ---------------------------------------------------------------------------------------
def _call(strategy: Strategy, method: str, arguments: tuple[Any, ...], time_limit_s: float) -> Any:
    """Call a method of a strategy; exceptions and a passed time limit become a StackingError."""
    function = getattr(strategy, method)
    try:
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
            return _with_alarm(function, arguments, time_limit_s)
        return _in_thread(function, arguments, time_limit_s)
    except _TooSlow:
        raise StackingError(
            f"The strategy takes longer than {time_limit_s:g} s for one call.",
            place=_place(strategy, method),
            allowed=f"at most {time_limit_s:g} s",
            remedy="Look for an endless loop; work on whole arrays instead of row by row.",
        ) from None
    except (Exception, SystemExit) as error:
        _explain(strategy, method, error)
        raise  # never reached: _explain raises


def _explain(strategy: Strategy, method: str, error: BaseException) -> None:
    """Turn a strategy's own exception into a StackingError that keeps its message and names its line."""
    line = last_line_in(error, _file_of(strategy))
    if isinstance(error, ValueError) and "read-only" in str(error):
        raise StackingError(
            "The strategy changes its observation or mask, which are read-only.",
            place=_place(strategy, method),
            key="line",
            value=line,
            remedy="Work on a copy:   observation = observation.copy()",
        ) from error
    raise StackingError(
        f"The strategy raises {type(error).__name__}: {error}",
        place=_place(strategy, method),
        key="line",
        value=line,
        remedy="Mend the line above.",
    ) from error


def _with_alarm(function: Callable[..., Any], arguments: tuple[Any, ...], time_limit_s: float) -> Any:
    """Call under an alarm signal, and put a foreign alarm (a test runner's) back."""
    handler = signal.signal(signal.SIGALRM, _ring)
    # rings again every second, in case the strategy swallows the first one
    left, interval = signal.setitimer(signal.ITIMER_REAL, time_limit_s, 1.0)
    try:
        return function(*arguments)
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, handler)


def _ring(signum: int, frame: Any) -> None:
    raise _TooSlow


def _in_thread(function: Callable[..., Any], arguments: tuple[Any, ...], time_limit_s: float) -> Any:
    """Call in a thread of its own, where signals are not available; a hanging thread is left behind as a daemon."""
    result: list[Any] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(function(*arguments))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(time_limit_s)
    if thread.is_alive():
        raise _TooSlow
    if failure:
        raise failure[0]
    return result[0]


def _place(strategy: Strategy, method: str) -> str:
    return f"strategy {getattr(strategy, 'name', type(strategy).__name__)}, {method}"


def _file_of(strategy: Any) -> str | None:
    """Return the file of a strategy, that of the wrapped one if it is wrapped."""
    inner = getattr(strategy, "strategy", strategy)
    try:
        return inspect.getfile(type(inner))
    except (TypeError, OSError):
        return None
