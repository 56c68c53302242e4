"""What is needed locally, as far as a forecast tells it."""

from __future__ import annotations

from .. import columns as c
from ..build import law


@law
def told_margin_mw(forecast_mw: float) -> float:
    """Return the margin that a forecast need stands for; how much room there is otherwise is not forecast."""
    return forecast_mw if forecast_mw > 0.0 else c.ROOMY_MW
