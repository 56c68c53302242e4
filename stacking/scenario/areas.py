"""Local markets of a network: each draws needs of its own, in the price regime and at the scale that its node says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from ..errors import StackingError
from ..network import Network, compile_network
from .calendar import Clock
from .keys import ScenarioKey
from .local import LocalSeries, draw_local
from .parameters import Local, Parameters, load_parameters, parameter_sets

Floats = NDArray[np.float64]
Market = tuple[str, Local, float]


def local_markets(network: Network | None, p: Parameters) -> tuple[Market, ...]:
    """Return name, parameters and scale of the local markets, from the leaves to the root; one unnamed market by default.

    Raises:
        StackingError: if a node names a price regime that is not shipped.
    """
    if network is None:
        return (("", p.local, 1.0),)
    areas = compile_network(network, ())
    sets, regimes = parameter_sets()
    found = []
    for name, regime, scale in zip(areas.names, areas.regimes, areas.need_scale, strict=True):
        if regime is not None and regime not in regimes:
            raise StackingError("Unknown local price regime.", place=f"{network.name}, node {name}", key="regime",
                                value=regime, allowed=", ".join(regimes), remedy="Name one of these or none.")  # fmt: skip
        local = p.local if regime is None else load_parameters(f"{sets[0]}:{regime}").local
        found.append((name, local, float(scale)))
    return tuple(found) or (("", p.local, 0.0),)


def draw_areas(
    key: ScenarioKey, clock: Clock, coupling: Floats | None, p: Parameters, markets: tuple[Market, ...]
) -> tuple[LocalSeries, ...]:
    """Return the drawn local markets; needs, room and others' supply are multiplied by the scale of the market.

    Args:
        key: names the random streams, with the name of the market.
        clock: hours of the scenario.
        coupling: slow day-ahead score (H,) or None.
        p: parameters of the forecasts.
        markets: see `local_markets`.
    """
    drawn = []
    for name, local, scale in markets:
        series = draw_local(key, clock, coupling, local, p.forecast, area=name)
        background = series.background.copy()
        background[:, [c.NEED, c.VOLUME]] *= scale
        drawn.append(
            LocalSeries(background, series.need_forecast_mw * scale, series.limit_forecast, series.headroom_mw * max(scale, 1e-9))
        )
    return tuple(drawn)
