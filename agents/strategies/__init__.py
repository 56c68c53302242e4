"""Bidding strategies: NumPy only, batched, each a small record of tunable numbers."""

from .base import (
    ACTION_LAYOUT,
    Parameter,
    Strategy,
    check_parameters,
    closed_action,
    decides_by_row,
    factory_of,
    finish,
    make_strategy,
    one_by_row,
    parameters_of,
    register,
    strategy_names,
    tunable,
    values_of,
)
from .da_arbitrage import DayAheadArbitrage
from .do_nothing import DoNothing
from .lfm_only import LocalOnly
from .loading import load_strategy, write_template
from .mfrr_only import BalancingOnly
from .overbook import Overbook
from .rebid import Rebid
from .stacked import Stacked

__all__ = [
    "ACTION_LAYOUT",
    "BalancingOnly",
    "DayAheadArbitrage",
    "DoNothing",
    "LocalOnly",
    "Overbook",
    "Parameter",
    "Rebid",
    "Stacked",
    "Strategy",
    "check_parameters",
    "closed_action",
    "decides_by_row",
    "factory_of",
    "finish",
    "load_strategy",
    "make_strategy",
    "one_by_row",
    "parameters_of",
    "register",
    "strategy_names",
    "tunable",
    "values_of",
    "write_template",
]

for _family in (DoNothing, DayAheadArbitrage, LocalOnly, BalancingOnly, Rebid, Overbook, Stacked):
    register(_family.name, _family)
