"""A design by name or file, with the values that `--set` and `--pooling` override."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from stacking.catalogue import changed_design
from stacking.config import Design
from stacking.errors import StackingError


def chosen_design(name: str, overrides: Sequence[str] = (), pooling: bool | None = None) -> Design:
    """Return a design by name or file, with values overridden.

    Args:
        name: shipped name or path of a TOML file.
        overrides: "table.key=value", for example "rules.tso_penalty_factor=2" or "products.mfrr.min_mw=5".
        pooling: switch of the pooling rule, None to leave it.

    Raises:
        StackingError: for an unknown design, key, or a value that is not allowed.
    """
    return changed_design(name, dict(_setting(text, name) for text in overrides), pooling, "--set" if overrides else "")


def _setting(text: str, name: str) -> tuple[str, Any]:
    """Return key and value of one "table.key=value"."""
    key, separator, value = text.partition("=")
    if not separator:
        raise StackingError(
            "A setting is given as table.key=value.", place="--set", key="--set", value=text,
            allowed="rules.KEY=VALUE or products.MARKET.KEY=VALUE",
            remedy=f"For example --set rules.tso_penalty_factor=2 (keys: stacking designs {name}).",
        )  # fmt: skip
    return key, toml_value(value.strip())


def toml_value(text: str) -> Any:
    """Return a value as TOML reads it, else as text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
