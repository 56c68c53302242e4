"""What each choice costs besides what the markets settle: explicit records, each with its source or `assumed`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stacking.errors import StackingError

from .choice import FspChoice


@dataclass(frozen=True)
class Cost:
    """One cost of a way to balancing, EUR/year and FSP (>= 0); source holds an address, or begins with "assumed".

    `choice` is the way: `CONSENT` (also paid under `BOTH`), `BID_ITSELF` (likewise), or any other choice for itself.
    """

    name: str
    choice: FspChoice
    eur_per_year: float
    source: str

    def __post_init__(self) -> None:
        """Check number and source."""
        if not 0.0 <= self.eur_per_year < float("inf") or not self.source.strip():
            raise StackingError(
                "A cost is no amount with a source.", place="consent costs", key=self.name, value=self.eur_per_year,
                allowed="EUR/year of at least 0, and a source or 'assumed'",
            )  # fmt: skip

    @property
    def assumed(self) -> bool:
        """Return whether the value has no source."""
        return self.source.startswith("assumed")


COSTS: tuple[Cost, ...] = (
    Cost("access, consent", FspChoice.CONSENT, 0.0, "assumed: the local market's account is there already"),
    Cost("prequalification, consent", FspChoice.CONSENT, 100.0, "assumed: 500 EUR once for group approval, over 5 years"),
    Cost("effort, consent", FspChoice.CONSENT, 50.0, "assumed: one hour a year to look after a standing consent"),
    Cost("access, own bids", FspChoice.BID_ITSELF, 1500.0, "assumed: communication with the TSO"),
    Cost(
        "balance party's weekly fee, own bids", FspChoice.BID_ITSELF, 30.0 * 52.0,
        "30 EUR/week (2021), https://nordicbalancingmodel.net/agreement-on-harmonisation-of-the-brp-imbalance-fee-level-for-"
        "sweden-norway-and-finland/; that an FSP bears it alone is an upper bound",
    ),
    Cost("prequalification, own bids", FspChoice.BID_ITSELF, 600.0, "assumed: 3,000 EUR for tests, over 5 years"),
    Cost("effort, own bids", FspChoice.BID_ITSELF, 1000.0, "assumed: an operator's time for daily bids"),
)  # fmt: skip
"""The fee of forwarding is none of these: the design settles it (`forward_fee`, shown in the observation)."""


def yearly_eur(choice: FspChoice, costs: Sequence[Cost] = COSTS) -> float:
    """Return the sum of the costs of a choice, EUR/year; who uses both ways pays for both."""
    ways = (
        {choice} | ({FspChoice.CONSENT} if choice.consents else set()) | ({FspChoice.BID_ITSELF} if choice.bids_itself else set())
    )
    return sum(cost.eur_per_year for cost in costs if cost.choice in ways)


def scaled(factor: float, costs: Sequence[Cost] = COSTS) -> tuple[Cost, ...]:
    """Return the costs with the assumed ones times a factor, for bands such as 0.8 and 1.2.

    Raises:
        StackingError: for a factor that is no number of at least 0.
    """
    if not 0.0 <= factor < float("inf"):
        raise StackingError(
            "The factor on the costs is no number of at least 0.", place="consent costs", key="cost_factor", value=factor,
            allowed="at least 0", remedy="Use for example 0.8 or 1.2.",
        )  # fmt: skip
    return tuple(replace(c, eur_per_year=c.eur_per_year * factor) if c.assumed else c for c in costs)
