"""What a step tells beside observation and reward: masks always, cash and refusals where they are asked for.

The same for all faces: of some worlds, as one dictionary of arrays (world, ...); faces take their row, or leave it as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.codes import CODES

from .worlds import Worlds

INT = NDArray[np.int64]


def infos(worlds: Worlds, chosen: INT, learner: int = 0, *, last: bool = False) -> dict[str, Any]:
    """Return what is told of a learner in some worlds.

    Always: `action_mask`, decisions that are open now. With info = "full": `tick`, `scenario` (number in the library),
    `cash_eur` of the MTU that was settled by label, `refused_mwh` by code, `consent` (up, down; 0 or 1), `clipped_prices`
    of the last action. At the end of an episode: `net_eur`, its cash, and `scenario`.

    Args:
        worlds: the worlds.
        chosen: (n,) which of them.
        learner: which learner.
        last: whether their episode has ended.

    Returns:
        name -> array (n, ...) or a dictionary of such; new arrays.
    """
    row = worlds.rows[learner]
    masks = worlds.masks() if len(chosen) == worlds.engine.worlds else worlds.masks()[chosen]
    out: dict[str, Any] = {"action_mask": masks[:, learner]}
    if worlds.config.info == "full":
        out |= _full(worlds, chosen, row, learner)
    return out | finals(worlds, chosen, learner) if last else out


def finals(worlds: Worlds, chosen: INT, learner: int = 0) -> dict[str, Any]:
    """Return what is told of an episode that has ended: its cash and the number of its scenario."""
    row = worlds.rows[learner]
    return {"net_eur": worlds.engine.state[chosen, row, s.CASH], "scenario": worlds.engine.scenario[chosen]}


def _full(worlds: Worlds, chosen: INT, row: int, learner: int) -> dict[str, Any]:
    e = worlds.engine
    flows = e.flows[chosen, row]
    return {
        "tick": e.clock[chosen],
        "scenario": e.scenario[chosen],
        "cash_eur": {label.name: flows[:, label.column] for label in f.CASH_LABELS},
        "refused_mwh": {code.name: flows[:, f.REFUSED + code.number] for code in CODES},
        "consent": e.observation[chosen, row, v.CONSENT_NOW_UP : v.CONSENT_NOW_DN + 1],
        "clipped_prices": worlds.clipped[chosen, learner],
    }


def of_all(tell: Callable[..., dict[str, Any]], worlds: Worlds, chosen: INT, **more: Any) -> dict[str, Any]:
    """Return what `infos` or `finals` tells of all learners of some worlds, one row for each, world by world."""
    each = [tell(worlds, chosen, learner, **more) for learner in range(len(worlds.rows))]
    return each[0] if len(each) == 1 else _side_by_side(each)


def _side_by_side(each: Sequence[Any]) -> Any:
    if isinstance(each[0], dict):
        return {key: _side_by_side([told[key] for told in each]) for key in each[0]}
    together = np.stack(each, axis=1)
    return together.reshape(-1, *together.shape[2:])


def single(told: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of the first world alone, with numbers in place of arrays of one.

    >>> single({"tick": np.array([3]), "cash_eur": {"da": np.array([1.5])}})
    {'tick': 3, 'cash_eur': {'da': 1.5}}
    """
    return {key: single(value) if isinstance(value, dict) else _first(value) for key, value in told.items()}


def _first(value: NDArray[Any]) -> Any:
    first = value[0]
    return first.copy() if isinstance(first, np.ndarray) else first.item()


def batched(told: dict[str, Any], worlds: int, chosen: INT) -> dict[str, Any]:
    """Return what is told of some worlds as Gymnasium's vector environments tell it: arrays of all worlds, with masks `_name`.

    >>> batched({"tick": np.array([3, 4])}, 3, np.array([0, 2]))
    {'tick': array([3, 0, 4]), '_tick': array([ True, False,  True])}
    """
    there = np.zeros(worlds, np.bool_)
    there[chosen] = True
    out: dict[str, Any] = {}
    for key, value in told.items():
        if isinstance(value, dict):
            out[key] = batched(value, worlds, chosen)
        elif len(chosen) == worlds:  # all in their order, as new arrays already
            out[key] = value
        else:
            out[key] = np.zeros((worlds, *value.shape[1:]), value.dtype)
            out[key][chosen] = value
        out[f"_{key}"] = there.copy()
    return out
