"""Scenarios: drawn or replayed worlds as a library with an index per row."""

from .calibrate import calibrate
from .generator import generate
from .keys import ALL, SPLITS, ScenarioKey, scenario_keys, stream
from .library import Library, check
from .parameters import Parameters, load_parameters, origins, parameter_sets, save_parameters
from .replay import replay

__all__ = [
    "ALL",
    "SPLITS",
    "Library",
    "Parameters",
    "ScenarioKey",
    "calibrate",
    "check",
    "generate",
    "load_parameters",
    "origins",
    "parameter_sets",
    "replay",
    "save_parameters",
    "scenario_keys",
    "stream",
]
