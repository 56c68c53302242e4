"""Value stacking across electricity markets: the domain core.

The public names are loaded on first use, so that ``import stacking`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # so that editors and type checkers know what is loaded on first use
    from .catalogue import default_portfolios, design_names, load_design, load_portfolios
    from .config import Design, Product
    from .engine import Engine, Snapshot, transition
    from .errors import StackingError
    from .portfolio import Battery, Fleet, Load, Portfolio
    from .scenario import Library, ScenarioKey, generate, replay, scenario_keys

__version__ = "0.1.0"

_PUBLIC = {
    "Engine": "engine",
    "Snapshot": "engine",
    "transition": "engine",
    "StackingError": "errors",
    "Battery": "portfolio",
    "Fleet": "portfolio",
    "Load": "portfolio",
    "Portfolio": "portfolio",
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
__all__ = [
    "Battery",
    "Design",
    "Engine",
    "Fleet",
    "Library",
    "Load",
    "Portfolio",
    "Product",
    "ScenarioKey",
    "Snapshot",
    "StackingError",
    "__version__",
    "default_portfolios",
    "design_names",
    "generate",
    "load_design",
    "load_portfolios",
    "replay",
    "scenario_keys",
    "transition",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'stacking' has no attribute '{name}'")
    return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
