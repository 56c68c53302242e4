"""What a suite found: every training against every rival, corrected for all comparisons, and what each player earned."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..compare import METRICS, figure, with_delivered
from ..paired import holm
from ..stats import FloatArray, Interval, cvar
from .laws import Difference, block_length, difference, verdict
from .play import Played, Tested
from .players import Player
from .record import Suite, suite_hash

BESIDE = tuple(m for m in METRICS if m.name in ("top_share_frac", "delivered_frac", "cash_imbalance_eur", "cash_terminal_eur"))
"""What DESIGN asks for beside every mean: result of the best 1 % of MTU, delivered/ordered, imbalance cash, terminal value."""


@dataclass(frozen=True)
class Compared:
    """One training less one rival in one test of a cell."""

    cell: str
    test: str
    training: str
    rival: str
    steps: int
    own_eur: float
    rival_eur: float
    found: Difference
    p_holm: float
    goal_percent: float | None

    @property
    def verdict(self) -> str:
        """Return reached, missed, open, or "" without a goal."""
        return verdict(self.found.percent, self.goal_percent)


@dataclass(frozen=True)
class Earned:
    """What a player earned in a test, EUR per episode; of trainings over all seeds."""

    cell: str
    test: str
    player: Player
    seeds: int
    scenarios: int
    flex_eur: float
    net_eur: float
    cvar_eur: float
    beside: dict[str, float]


@dataclass(frozen=True)
class Crossed:
    """What a policy of one cell gains over the first rival, tuned in the cell where both play."""

    trained_in: str
    cell: str
    test: str
    training: str
    steps: int
    found: Difference


@dataclass(frozen=True)
class Report:
    """Everything that is told."""

    name: str
    suite: Suite
    tested: Tested
    compared: tuple[Compared, ...]
    earned: tuple[Earned, ...]
    crossed: tuple[Crossed, ...]


def report_of(name: str, suite: Suite, tested: Tested) -> Report:
    """Return the report of what was played; p-values are corrected over all of its comparisons."""
    groups = _groups(tested)
    raw = [_compared(suite, key, groups) for key in groups if _kind(groups[key]) == "trained" and key[5] == key[0]]
    found = [one for some in raw for one in some]
    corrected = holm([one.found.p_value for one in found]) if found else []
    compared = tuple(dataclasses.replace(one, p_holm=float(p)) for one, p in zip(found, corrected, strict=True))
    earned = tuple(_earned(key, groups[key]) for key in groups if key[5] in (key[0], ""))
    crossed = tuple(
        _crossed(suite, key, groups) for key in groups if _kind(groups[key]) == "trained" and key[5] != key[0]
    )  # fmt: skip
    return Report(name, suite, tested, compared, earned, crossed)


Key = tuple[str, str, str, str, int, str]  # cell, test, kind, name, steps, cell of the player
Groups = dict[Key, list[Played]]


def _groups(tested: Tested) -> Groups:
    """Return the rows by cell, test and player, all seeds of a training together."""
    groups: Groups = {}
    for one in tested.played:
        player = one.player
        key = (one.cell.name, one.test.name, player.kind, player.name, player.steps, player.cell)
        groups.setdefault(key, []).append(one)
    return groups


def _kind(group: list[Played]) -> str:
    return group[0].player.kind


def flex_of(group: list[Played]) -> FloatArray:
    """Return what the seeds of a player earned, (K, S), EUR per episode."""
    return np.stack([one.rows["flex_eur"].to_numpy(np.float64) for one in group])


def _rows_against(suite: Suite, key: Key, groups: Groups, rival: str) -> tuple[FloatArray, FloatArray, Difference]:
    cell, test, _, _, steps, _ = key
    own = flex_of(groups[key])
    other = flex_of(groups[(cell, test, "rival", rival, steps, cell)])[0]
    block = block_length(groups[key][0].test.days, suite.block_days, own.shape[1])
    return own, other, difference(own, other, block)


def _compared(suite: Suite, key: Key, groups: Groups) -> list[Compared]:
    cell, test, _, name, steps, _ = key
    out = []
    for rival in suite.rival:
        own, other, found = _rows_against(suite, key, groups, rival.name)
        out.append(Compared(cell, test, name, rival.name, steps, float(own.mean()), float(other.mean()), found, float("nan"),
                            rival.goal_percent))  # fmt: skip
    return out


def _crossed(suite: Suite, key: Key, groups: Groups) -> Crossed:
    cell, test, _, name, steps, trained_in = key
    return Crossed(trained_in, cell, test, name, steps, _rows_against(suite, key, groups, suite.rival[0].name)[2])


def _earned(key: Key, group: list[Played]) -> Earned:
    cell, test, *_ = key
    rows = with_delivered(pd.concat([one.rows for one in group], ignore_index=True))
    columns = {str(name): rows[name].to_numpy() for name in rows.columns}
    beside = {m.name: _estimate(m, columns) for m in BESIDE}
    flex = rows["flex_eur"].to_numpy(np.float64)
    return Earned(cell, test, dataclasses.replace(group[0].player, seed=None), len(group), len(group[0].rows), float(flex.mean()),
                  float(rows["net_eur"].to_numpy(np.float64).mean()), cvar(flex), beside)  # fmt: skip


def _estimate(metric: Any, columns: dict[str, Any]) -> float:
    return figure(metric, columns, 0, 2).estimate  # the estimate is that of any number of resamples


# ---- plain data ------------------------------------------------------------------------------------------------------
def to_data(report: Report) -> dict[str, Any]:
    """Return the report as JSON holds it."""
    return {
        "suite": report.name, "suite_hash": suite_hash(report.suite), "test_opened": report.tested.times,
        "left_out": list(report.tested.skipped),
        "comparisons": [
            {
                "cell": c.cell, "test": c.test, "training": c.training, "rival": c.rival, "steps": c.steps,
                "training_eur": c.own_eur, "rival_eur": c.rival_eur, **difference_data(c.found), "p_holm": c.p_holm,
                "goal_percent": c.goal_percent, "verdict": c.verdict or None,
            }
            for c in report.compared
        ],
        "players": [
            {
                "cell": e.cell, "test": e.test, "player": e.player.name, "kind": e.player.kind, "steps": e.player.steps,
                "seeds": e.seeds if e.player.kind == "trained" else None, "scenarios": e.scenarios, "flex_eur": e.flex_eur,
                "net_eur": e.net_eur, "cvar_eur": e.cvar_eur, **{name: _finite(x) for name, x in e.beside.items()},
            }
            for e in report.earned
        ],
        "cross": [
            {
                "trained_in": c.trained_in, "cell": c.cell, "test": c.test, "training": c.training, "steps": c.steps,
                "rival": report.suite.rival[0].name, **difference_data(c.found),
            }
            for c in report.crossed
        ],
    }  # fmt: skip


def difference_data(found: Difference) -> dict[str, Any]:
    """Return a difference as JSON holds it."""
    return {
        "difference_eur": _three(found.eur), "difference_percent": _three(found.percent), "p_value": found.p_value,
        "seeds": found.seeds, "scenarios": found.scenarios, "blocks": found.blocks,
    }  # fmt: skip


def _three(interval: Interval) -> list[float | None]:
    return [_finite(x) for x in (interval.estimate, interval.low, interval.high)]


def _finite(x: float) -> float | None:
    return x if np.isfinite(x) else None
