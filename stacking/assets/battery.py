"""The battery: three formulas for the energy in the store, and nothing about markets."""

from __future__ import annotations

from ..build import law


@law
def drain_mwh(power_mw: float, into: float, out: float) -> float:
    """Return the energy that one MTU at a power takes from the store (negative: puts into it), MWh.

    Args:
        power_mw: power at the meter, + = injection.
        into: MWh stored per MW of charging and MTU = h * charge_efficiency_frac.
        out: MWh taken per MW of injection and MTU = h / discharge_efficiency_frac.

    >>> drain_mwh(1.0, 0.225, 0.3125), drain_mwh(-1.0, 0.225, 0.3125)
    (0.3125, -0.225)
    """
    return power_mw * out if power_mw >= 0.0 else power_mw * into


@law
def power_for_drain_mw(drain: float, into: float, out: float) -> float:
    """Return the power whose drain over one MTU is the given energy; the inverse of `drain_mwh`.

    >>> power_for_drain_mw(0.3125, 0.225, 0.3125), power_for_drain_mw(-0.225, 0.225, 0.3125)
    (1.0, -1.0)
    """
    return drain / out if drain >= 0.0 else drain / into


@law
def deliverable_mw(
    wanted_mw: float, content_mwh: float, limit_mw: float, min_mwh: float, max_mwh: float, into: float, out: float
) -> float:
    """Return the power nearest to the wanted one that the limit and the content window allow for one MTU."""
    power = min(max(wanted_mw, -limit_mw), limit_mw)
    most = power_for_drain_mw(max(content_mwh - min_mwh, 0.0), into, out)
    least = power_for_drain_mw(min(content_mwh - max_mwh, 0.0), into, out)
    return min(max(power, least), most)


@law
def terminal_value_eur(
    start_mwh: float,
    end_mwh: float,
    price_eur_per_mwh: float,
    wear_eur_per_mwh: float,
    charge_frac: float,
    discharge_frac: float,
) -> float:
    """Return the value of the change of content over an episode (LAYOUT terminal rule), EUR.

    With D = end - start and L >= 0: max(0, L - wear) * discharge_frac * D if D >= 0, else L * D / charge_frac. Concave
    in the end content, so neither filling nor emptying is free profit.

    >>> terminal_value_eur(1.0, 2.0, 50.0, 10.0, 0.9, 0.9), round(terminal_value_eur(2.0, 1.0, 45.0, 10.0, 0.9, 0.9), 9)
    (36.0, -50.0)
    """
    change = end_mwh - start_mwh
    if change >= 0.0:
        return max(0.0, price_eur_per_mwh - wear_eur_per_mwh) * discharge_frac * change
    return price_eur_per_mwh * change / charge_frac
