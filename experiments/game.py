"""A game: what each FSP earns in one design on the same scenarios, for any choice of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stacking import flows as f
from stacking.config import Design
from stacking.errors import StackingError
from stacking.network import Network
from stacking.portfolio import Portfolio
from stacking.scenario import Library

from ..agents.consent import FspChoice, WithChoices, with_consent
from ..agents.guard import TIME_LIMIT_S
from ..agents.strategies import Strategy, make_strategy
from .players import Mixed
from .runner import REFERENCE, Contest, Group

FloatArray = NDArray[np.float64]
Profile = tuple[str, ...]

CHOICES = tuple(choice.value for choice in FspChoice)


@dataclass
class Game:
    """Plays profiles: for each FSP the name of a consent policy or a choice (`FspChoice`).

    Results are kept, so that a profile is simulated once. Nothing but the entries of a profile differs between two of
    them: scenarios, strategies and the seeds of their draws are the same.

    Args:
        design: with one name.
        strategies: label -> strategy.
        assignment: (F,) label of each portfolio.
        portfolios: (F,) in the row order of the network.
        library: scenarios.
        network: one area by default.
        consent: policy by which those answer who choose to consent; "always" is a standing yes.
    """

    design: Design
    strategies: Mapping[str, Strategy]
    assignment: Sequence[str]
    portfolios: Sequence[Portfolio]
    library: Library
    network: Network | None = None
    backend: str = "serial"
    time_limit_s: float = TIME_LIMIT_S
    consent: str = "always"
    played: int = 0
    _known: dict[Profile, FloatArray] = field(default_factory=dict)
    _group: Group | None = None
    _reference: FloatArray | None = None

    def flex_eur(self, profile: Sequence[str]) -> FloatArray:
        """Return the flex revenue of each scenario and FSP, (S, F) EUR: net cash less that of doing nothing.

        Raises:
            StackingError: for an unknown policy, or a profile of another length.
        """
        key = tuple(profile)
        if len(key) != len(self.portfolios):
            raise StackingError(
                "A profile has one entry for each FSP.",
                place="game",
                key="profile",
                value=len(key),
                allowed=str(len(self.portfolios)),
            )
        if key not in self._known:
            if self._reference is None:
                reference = Mixed({REFERENCE: make_strategy(REFERENCE)}, (REFERENCE,) * len(key))
                self._reference = self._net_eur(reference)
            self._known[key] = self._net_eur(self._under(key)) - self._reference
        return self._known[key]

    def _under(self, profile: Profile) -> Mixed:
        """Return the strategies under a profile: one for all choices among the FSPs of a label, one for each policy."""
        labels = tuple(
            label if text in CHOICES else f"{label}[{text}]" for label, text in zip(self.assignment, profile, strict=True)
        )
        made: dict[str, Strategy] = {}
        for label, base, text in zip(labels, self.assignment, profile, strict=True):
            if label in made:
                continue
            if text in CHOICES:
                own = tuple(FspChoice(t) for name, t in zip(labels, profile, strict=True) if name == label)
                made[label] = WithChoices(with_consent(self.strategies[base], self.consent), own)
            else:
                made[label] = with_consent(self.strategies[base], text)
        return Mixed(made, labels)

    def _net_eur(self, strategy: Mixed) -> FloatArray:
        """Return the net cash of an episode, (S, F) EUR."""
        if self._group is None:
            contest = Contest(
                (self.design,), {}, tuple(self.portfolios), self.library, self.backend, self.time_limit_s, self.network
            )
            self._group = Group(contest, [self.design])
        self.played += 1
        return self._group.play("game", strategy, lambda steps: None).flows[0][..., : f.CASH_W].sum(axis=-1)


def check_asks(design: Design) -> None:
    """Check that a design asks for consent, so that an answer can change something.

    Raises:
        StackingError: for a design that forwards nothing, or everything.
    """
    if design.asks:
        return
    raise StackingError(
        "The design asks nobody for consent.", place=f"design {design.name}", key="consent",
        value="mandatory" if design.shares else "nothing is forwarded",
        allowed="designs that forward local bids whose owners consent",
        remedy="Use norflex, norflex_eam, sthlmflex or sthlmflex_eam.",
    )  # fmt: skip


def check_choices(design: Design, choices: Sequence[FspChoice]) -> None:
    """Check that a design gives each of the choices its meaning.

    Raises:
        StackingError: for consent in a design that asks nobody, or consent without own bids where the decisions at the
            balancing gate also set the volume of forwarded bids.
    """
    if any(choice.consents for choice in choices):
        check_asks(design)
    if FspChoice.CONSENT in choices and design.rules.change_forwarded == "price_and_volume":
        raise StackingError(
            "One share sets the volume of own and of forwarded bids, so consent cannot stand without own bids.",
            place=f"design {design.name}", key="rules.change_forwarded", value="price_and_volume", allowed="none, price",
            remedy="Leave out the choice 'consent', or let only the price change.",
        )  # fmt: skip
