"""What the numbers of an environment stand for, as data: names, units, bounds, opening times and scaling of every column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

from stacking.layout import LAYOUT_VERSION, Field, observation_layout

from .config import EnvConfig, env_config
from .ids import settings_of
from .scaling import COLUMN, HIGHEST, LEAD, LOWEST, NEXT_DAY, PRICE_REACH, PRICE_STEP
from .spaces import level_counts, price_table, scale_of
from .worlds import Worlds, fixed_decisions


def describe(name: str, config: str | Path | Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Return what an environment is: id, layout version, scene, and a record for each action and observation column.

    Args:
        name: id, such as "stacking/NorFlexEam-v0".
        config: TOML file or table of settings.
        settings: as for `gymnasium.make`.

    Raises:
        StackingError: for an unknown id or bad settings.
    """
    chosen = env_config(config, {"days": 1, "scenarios": 1, **settings_of(name), **settings, "backend": "python"})
    worlds = Worlds(chosen, 1)
    portfolio = worlds.portfolios[0]
    return {
        "id": name,
        "layout_version": LAYOUT_VERSION,
        "design": worlds.scene.design.name,
        "learner": portfolio.name,
        "co_players": dict(Counter(strategy.name for strategy in worlds.scene.others.values())),
        "reward": _reward(chosen),
        "action": [_action(k, field, worlds, chosen) for k, field in enumerate(worlds.engine.compiled.layout.fields)],
        "observation": [
            {
                "name": field.name, "unit": field.unit, "low": _number(field.low), "high": _number(field.high),
                "seen_as": str(scale_of(field)), "divisor": scale_of(field).of(portfolio), "note": field.note,
            }
            for field in observation_layout().fields
        ],
    }  # fmt: skip


def _reward(config: EnvConfig) -> str:
    less = "" if config.reward_baseline == "none" else f", less what {config.reward_baseline} earns"
    return f"{config.reward}{less}; 1 = {config.reward_scale_eur:g} EUR"


def _action(k: int, field: Field, worlds: Worlds, config: EnvConfig) -> dict[str, Any]:
    """Return the record of an action column."""
    prices = {int(row[COLUMN]): row for row in price_table(worlds.engine.compiled)}
    low, high, scaling = field.low, field.high, _between(field.low, field.high)
    if k in prices:
        low, high = float(prices[k][LOWEST]), float(prices[k][HIGHEST])
        hours = "mean day-ahead price of the next day" if prices[k][LEAD] == NEXT_DAY else "day-ahead price"
        scaling = f"{hours} + {PRICE_STEP:g} sinh({PRICE_REACH:g} x), cut to the product's limits"
    fixed = float(fixed_decisions(config, config.choice)[k])
    return {
        "name": field.name, "unit": field.unit, "low": low, "high": high, "stands_for": scaling,
        "open_when": field.note if isnan(fixed) else f"never: {fixed:g}",
        "levels": None if config.levels is None else int(level_counts(config.levels)[k]),
    }  # fmt: skip


def _between(low: float, high: float) -> str:
    """Return the formula of a number between two bounds.

    >>> _between(-1.0, 1.0), _between(0.0, 200.0)
    ('x', '100 (x + 1)')
    """
    half = f"{0.5 * (high - low):g} (x + 1)"
    return "x" if (low, high) == (-1.0, 1.0) else half if low == 0.0 else f"{low:g} + {half}"


def _number(value: float) -> float | None:
    """Return a bound, None where the layout knows none."""
    return None if abs(value) == float("inf") else value
