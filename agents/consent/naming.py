"""Consent policies by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from stacking.errors import StackingError

from .base import ConsentPolicy
from .by_direction import ByDirection
from .learners import Bandit, BestResponse, Imitation
from .simple import Always, Never, RandomFsps, RandomShare
from .valued import BreakEven, Logit

if TYPE_CHECKING:
    import networkx as nx

PLAIN: dict[str, Callable[[], ConsentPolicy | None]] = {
    "own": lambda: None, "always": Always, "never": Never, "break_even": BreakEven, "logit": Logit,
}  # fmt: skip
NUMBERED: dict[str, Callable[[float], ConsentPolicy]] = {"random": RandomShare, "random_fsps": RandomFsps, "logit": Logit}
WEEKLY = "best_response, bandit, bandit:ucb, imitation:PROBABILITY"


def parse_consent(text: str, place: str = "") -> ConsentPolicy | None:
    """Return the policy of a name such as "always" or "random:0.5"; "own" leaves it to the strategy (None).

    "UP/DOWN", two names, makes a policy for each direction.

    Args:
        text: the name.
        place: where it stands, for messages.

    Raises:
        StackingError: for anything else; weekly learners have no meaning within one episode.
    """
    if text.count("/") == 1:
        up, dn = (parse_consent(part, place) for part in text.split("/"))
        if up is not None and dn is not None:
            return ByDirection(up, dn)
    kind, colon, number = text.strip().lower().partition(":")
    if not colon and kind in PLAIN:
        return PLAIN[kind]()
    if number and kind in NUMBERED and _is_number(number):
        return NUMBERED[kind](float(number))
    weekly = kind in ("best_response", "bandit", "imitation")
    raise StackingError(
        "A weekly learner needs several weeks." if weekly else "Unknown consent policy.",
        place=place,
        key="consent",
        value=text,
        allowed="own, always, never, random:SHARE, random_fsps:SHARE, SHARE in 0..1, break_even, logit:SCALE, or two as UP/DOWN",
        remedy="Use for example --consent random:0.5" + (", or experiments.weeks.adapt for learners." if weekly else "."),
    )


def parse_weekly(text: str, graph: nx.Graph | None = None, names: Sequence[str] = ()) -> ConsentPolicy:
    """Return the weekly learner of a name; imitation needs the graph and the names of its rows.

    Raises:
        StackingError: for an unknown name, or imitation without a graph.
    """
    kind, _, rest = text.strip().lower().partition(":")
    if (kind, rest) == ("best_response", ""):
        return BestResponse()
    if kind == "bandit" and rest in ("", "greedy", "ucb"):
        return Bandit("ucb", 1.0) if rest == "ucb" else Bandit()
    if kind == "imitation" and graph is not None and _is_number(rest or "0.3"):
        return Imitation.on(graph, names, float(rest or "0.3"))
    raise StackingError(
        "Imitation needs a neighbourhood graph." if kind == "imitation" and graph is None else "Unknown weekly learner.",
        key="consent", value=text, allowed=WEEKLY, remedy="Use for example bandit.",
    )  # fmt: skip


def _is_number(text: str) -> bool:
    """Return whether a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
