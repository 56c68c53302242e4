"""Scenarios: drawn or replayed worlds as a library with an index per row."""

from .generator import generate
from .keys import ALL, SPLITS, ScenarioKey, scenario_keys, stream
from .library import Library, check
from .parameters import Parameters, load_parameters, origins
from .replay import replay

__all__ = [
    "ALL",
    "SPLITS",
    "Library",
    "Parameters",
    "ScenarioKey",
    "check",
    "generate",
    "load_parameters",
    "origins",
    "replay",
    "scenario_keys",
    "stream",
]
