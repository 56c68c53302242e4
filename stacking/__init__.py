"""Value stacking across electricity markets: the domain core.

The public names are loaded on first use, so that ``import stacking`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Engine": "engine",
    "Snapshot": "engine",
    "transition": "engine",
    "StackingError": "errors",
    "Battery": "config",
    "Portfolio": "config",
    "Design": "config",
    "Product": "config",
    "load_design": "catalogue",
    "design_names": "catalogue",
    "load_portfolios": "catalogue",
    "default_portfolios": "catalogue",
    "Library": "scenario",
    "ScenarioKey": "scenario",
    "generate": "scenario",
    "replay": "scenario",
    "scenario_keys": "scenario",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'stacking' has no attribute '{name}'")
    return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
