"""What `stacking describe` prints: the columns of an environment with the scaling that its faces apply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stacking.errors import StackingError

from .design_input import toml_value
from .tables import render, wrapped


def settings_from(texts: Sequence[str]) -> dict[str, Any]:
    """Return settings of an environment from "KEY=VALUE", with values as TOML reads them.

    >>> settings_from(["levels=11", "portfolio=battery"])
    {'levels': 11, 'portfolio': 'battery'}

    Raises:
        StackingError: for a text without "=".
    """
    found = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise StackingError("A setting is given as KEY=VALUE.", place="--set", key="--set", value=text,
                                allowed="KEY=VALUE", remedy="For example --set portfolio=battery.")  # fmt: skip
        found[key.strip()] = toml_value(value.strip())
    return found


def describe_text(described: dict[str, Any], width: int | None = None) -> str:
    """Return an environment as text: what it is, its decisions, its observation."""
    others = ", ".join(f"{count} {name}" for name, count in described["co_players"].items()) or "nobody"
    head = (
        f"{described['id']}: design {described['design']}, {described['learner']} learns, others: {others}. Reward: "
        f"{described['reward']}. Layout version {described['layout_version']}."
    )
    actions = [
        [f"{k}", x["name"], x["unit"], f"{x['low']:g}", f"{x['high']:g}", x["stands_for"], x["open_when"]]
        for k, x in enumerate(described["action"])
    ]
    seen = [
        [f"{k}", x["name"], x["unit"], _bound(x["low"]), _bound(x["high"]), x["seen_as"], f"{x['divisor']:g}", x["note"]]
        for k, x in enumerate(described["observation"])
    ]
    note = (
        "Actions are numbers x of -1..1" + ("" if described["action"][0]["levels"] is None else ", given as levels")
        + "; what is written in a closed column changes nothing. The divisor is that of this portfolio."
    )  # fmt: skip
    return "\n\n".join([
        wrapped(head, width=width),
        "Decisions\n" + render(["", "name", "unit", "low", "high", "x stands for", "open when"], actions, width=200, left=7),
        "Observation\n" + render(["", "name", "unit", "low", "high", "seen as", "divisor", "note"], seen, width=200, left=8),
        wrapped(note, width=width),
    ])  # fmt: skip


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
