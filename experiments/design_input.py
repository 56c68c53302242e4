"""A design by name or file, with the values that `--set` and `--pooling` override."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stacking.catalogue import DESIGNS_FOLDER, design_from, design_names
from stacking.config import Design, read_toml
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
    path = Path(name)
    if path.suffix != ".toml":
        if name not in design_names():
            raise StackingError(
                "Unknown design.", key="design", value=name, allowed=", ".join(design_names()),
                remedy="Use one of these names or the path of a .toml file (see `stacking designs`).",
            )  # fmt: skip
        path = DESIGNS_FOLDER / f"{name}.toml"
    data = read_toml(path)
    if pooling is not None:
        data.setdefault("rules", {})["pooling"] = pooling
    for text in overrides:
        _override(data, text, name)
    return design_from(data, str(path) + (" with --set" if overrides else ""))


def _override(data: dict[str, Any], text: str, name: str) -> None:
    """Write one "table.key=value" into the plain data of a design."""
    key, separator, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not separator or parts[0] not in ("rules", "products") or len(parts) != {"rules": 2, "products": 3}[parts[0]]:
        raise StackingError(
            "A setting is given as table.key=value.", place="--set", key="--set", value=text,
            allowed="rules.KEY=VALUE or products.MARKET.KEY=VALUE",
            remedy=f"For example --set rules.tso_penalty_factor=2 (keys: stacking designs {name}).",
        )  # fmt: skip
    table = data.setdefault(parts[0], {})
    if parts[0] == "products":
        chosen = table.get(parts[1])
        if chosen is None:
            raise StackingError(
                "The design has no such market.", place="--set", key=f"products.{parts[1]}", value=text,
                allowed=", ".join(table),
            )  # fmt: skip
        table[parts[1]] = {"base": chosen} if isinstance(chosen, str) else dict(chosen)
        table = table[parts[1]]
    table[parts[-1]] = toml_value(value.strip())


def toml_value(text: str) -> Any:
    """Return a value as TOML reads it, else as text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
