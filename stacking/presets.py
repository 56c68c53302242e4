"""Presets of industrial loads, ``loads.toml``: tables of keys of the record ``Load`` by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from .config import read_toml
from .errors import StackingError

LOADS_FILE = Path(__file__).with_name("loads.toml")
_NOTES = ("title", "sources")


@cache
def _presets() -> dict[str, dict[str, Any]]:
    return read_toml(LOADS_FILE)


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets of loads."""
    return tuple(_presets())


def load_preset(name: str) -> dict[str, Any]:
    """Return the keys of a preset of the record ``Load``; a new dict that the caller may change.

    >>> load_preset("cold_store")["rebound_frac"]
    1.05

    Raises:
        StackingError: for an unknown name.
    """
    return {key: value for key, value in _preset(name).items() if key not in _NOTES}


def preset_sources(name: str) -> dict[str, str]:
    """Return where each value of a preset comes from.

    Raises:
        StackingError: for an unknown name.
    """
    return dict(_preset(name)["sources"])


def _preset(name: str) -> dict[str, Any]:
    if not isinstance(name, str) or name not in _presets():
        raise StackingError(
            "Unknown preset of a load.",
            place="[portfolio.load]",
            key="preset",
            value=name,
            allowed=", ".join(preset_names()),
            remedy="Use one of these names, or give the keys yourself.",
        )
    return _presets()[name]
