"""What a gate table must hold: each gate whole, in the order of a tick, every book offered, cleared and published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .units import MTU_MIN

if TYPE_CHECKING:
    from .config import Design, Gate, Product

ONE_BOOK: Mapping[str, tuple[str, ...]] = {
    "auction": ("da",), "trade": ("id",), "award": ("lfm",), "joint": ("mfrr",), "match": ("lfm",)
}  # fmt: skip
"""Books of gate kinds that cannot have both."""

RECEIVERS = ("redispatch", "id", "mfrr")
"""Markets that can receive unsold local bids, in the order in which they are tried."""


def check_gates(gates: tuple[Gate, ...], products: Mapping[Any, Product]) -> None:
    """Demand that a gate table says who looks at which book when, in the order of a tick.

    Raises:
        ValueError: naming the gate, what is wrong and what is allowed.
    """
    _check_each(gates)
    _check_forwarding(gates)
    _check_books({(g.kind, g.book) for g in gates})
    _check_looks(gates, products["lfm"], products["mfrr"])


def _check_each(gates: tuple[Gate, ...]) -> None:
    seen: set[tuple[str, str, float | None, str | None]] = set()
    for gate in gates:
        if (gate.kind, gate.book, gate.lead_min, gate.to) in seen:
            raise ValueError(f"gate kind = '{gate.kind}', book = '{gate.book}' appears twice")
        seen.add((gate.kind, gate.book, gate.lead_min, gate.to))
        allowed = ONE_BOOK.get(gate.kind, ("lfm", "mfrr"))
        allowed += ("forwarded",) if gate.kind == "publish" else ()
        if gate.book not in allowed:
            raise ValueError(f"gate kind = '{gate.kind}' cannot have book = '{gate.book}'; allowed: {', '.join(allowed)}")
        if (gate.kind == "forward") != (gate.to is not None):
            raise ValueError("a forward gate, and no other, needs `to`, the receiving market")
        timed = (gate.kind, gate.book) == ("clear", "lfm")
        if gate.kind == "match" and gate.lead_min is None:
            raise ValueError("a match gate needs lead_min, minutes before delivery")
        if gate.lead_min is not None and not timed and gate.kind != "match":
            raise ValueError(f"gate kind = '{gate.kind}', book = '{gate.book}' takes its time from the product; remove lead_min")
        if (gate.by != "block" and not timed and gate.kind != "forward") or (gate.need != "realised" and not timed):
            raise ValueError(f"gate kind = '{gate.kind}', book = '{gate.book}' has no `by` or no `need`; remove it")
    order = {"publish": 0, "auction": 1, "trade": 2, "offer": 3, "award": 4, "clear": 5, "forward": 5, "joint": 5, "match": 5}
    ranks = [order[g.kind] for g in gates]
    if ranks != sorted(ranks):
        raise ValueError(
            "gates must stand in the order of a tick: publish, auction, trade, offer, award, clear, forward, joint and match"
        )
    local = [g.by for g in gates if (g.kind, g.book) == ("clear", "lfm")]
    passed = [g.by for g in gates if g.kind == "forward"]
    if any(by != local[-1] for by in passed if local):
        raise ValueError(f"bids are passed on by = {passed} where the DSO buys by = '{local[-1]}' last; write the same in both")


def _check_forwarding(gates: tuple[Gate, ...]) -> None:
    """Demand that unsold local bids are passed on after the local market, to receivers in the order in which these act."""
    passes = [g for g in gates if g.kind == "forward"]
    for gate in passes:
        if gate.book != "lfm":
            raise ValueError(
                f"forwarding {gate.book} -> {gate.to} is not a receiving relation: bids go from finer to coarser location only; "
                f"allowed: lfm -> {', '.join(RECEIVERS)}"
            )
    tried = [str(g.to) for g in passes]
    if tried != [to for to in RECEIVERS if to in tried]:
        raise ValueError(f"forward gates to {tried}; allowed: each once, in the order {', '.join(RECEIVERS)}, since what one "
                         "market did not buy goes on to the next")  # fmt: skip
    acts = [(g.kind, g.book) for g in gates]
    if passes and ("clear", "lfm") in acts and acts.index(("forward", "lfm")) < acts.index(("clear", "lfm")):
        raise ValueError("the forward gate of lfm stands before its clear gate: only what is unsold can be forwarded")
    matched = any(g.kind == "match" for g in gates)
    if (passes or matched) and ("publish", "forwarded") not in acts:
        raise ValueError("a design with a forward or match gate needs a publish gate with book = 'forwarded'")
    if passes and matched:
        raise ValueError(
            "a forward gate stands beside a match gate: either bids are passed on or the TSO buys them where they are"
        )


def _check_books(seen: set[tuple[str, str]]) -> None:
    """Demand what each book needs; where one optimisation serves all needs there is one book and nothing else clears."""
    joint = ("joint", "mfrr") in seen
    for kind in ("offer", "clear", "publish"):
        for book in ("lfm", "mfrr"):
            needed = not joint or (book == "mfrr" and kind != "clear")
            if needed and (kind, book) not in seen:
                raise ValueError(
                    f"gate kind = '{kind}' for book = '{book}' is missing: what is offered must clear and be published"
                )
            if not needed and (kind, book) in seen:
                raise ValueError(
                    f"gate kind = '{kind}' for book = '{book}' stands beside a joint gate, which serves all needs from the one "
                    "book mfrr; remove it"
                )
    if joint and any(kind == "forward" for kind, _ in seen):
        raise ValueError("a forward gate stands beside a joint gate: nothing is left to forward; remove one of them")


def _check_looks(gates: tuple[Gate, ...], local: Product, balancing: Product) -> None:
    """Demand that buyers look at the local book between its gate and its publication, one after the other."""
    looks = [g for g in gates if (g.kind, g.book) == ("clear", "lfm")]
    times = [local.clearing_min if g.lead_min is None else g.lead_min for g in looks]
    if times and (times[-1] != local.clearing_min or times != sorted(times, reverse=True) or times[0] > local.gate_closure_min):
        raise ValueError(
            f"the DSO looks at the local book {times} minutes before delivery; allowed: from the gate, {local.gate_closure_min}, "
            f"falling to products.lfm.clearing_min = {local.clearing_min}"
        )
    if looks and looks[-1].need == "forecast":
        raise ValueError("the last look at the local book is at the realised need; write need = 'forecast' in earlier ones only")
    for gate in gates:
        if gate.kind == "match":
            lead = float(gate.lead_min or 0.0)
            if not max(local.publication_min, balancing.clearing_min) < lead <= local.gate_closure_min:
                raise ValueError(
                    f"the match gate lies {lead} minutes before delivery; allowed: up to the gate, {local.gate_closure_min}, "
                    f"before publication ({local.publication_min}) and before the balancing market clears "
                    f"({balancing.clearing_min})"
                )


def check_sharing(design: Design) -> None:
    """Demand that rules of sharing which need each other stand together, and that consent can be withdrawn when they say.

    Raises:
        ValueError: naming the rule, what is wrong and what is allowed.
    """
    rules = design.rules
    if not rules.pooling:
        for name, value, plain in (
            ("pool_members", rules.pool_members, "all"),
            ("pool_failure", rules.pool_failure, "own"),
            ("membership", "none" if rules.membership == "each" else rules.membership, "none"),
        ):
            if value != plain:
                raise ValueError(f"rules.{name} = '{value}' needs rules.pooling = true: without it there are no pools")
    elif rules.change_forwarded == "price_and_volume":
        raise ValueError(
            "rules.change_forwarded = 'price_and_volume' stands beside rules.pooling = true: a member that lowers its part would "
            "break the minimum and granularity of the pool; allowed: 'none', 'price'"
        )
    if design.products["lfm"].gate_clock is not None:
        _check_day_before(design)
    until, gate = rules.consent_revocable_until_min, design.products["lfm"].gate_closure_min
    if until is not None:
        least = design.products["mfrr"].gate_closure_min
        times = [m for m in range(int(gate) - MTU_MIN, int(least), -MTU_MIN) if (gate - m) % 60 != 0]
        if "mfrr" not in design.receiving_markets or until not in times:
            raise ValueError(
                f"rules.consent_revocable_until_min = {until}; allowed: {times} minutes before a block that was "
                "forwarded to mfrr, off the hours at which other blocks ask for consent; leave it out where consent binds"
            )


def _check_day_before(design: Design) -> None:
    """Demand that a local market of the day before stands with rules that it knows."""
    kinds = {g.kind for g in design.gates if g.book == "lfm"}
    strange = sorted(kinds - {"publish", "offer", "clear", "forward"})
    rules, to = design.rules, [r for r in design.receiving_markets if r != "mfrr"]
    wrong = [
        (f"a gate of kind {strange}", strange),
        (f"a forward gate to {to}", to),
        (f"rules.position = '{rules.position}'", rules.position in ("dso_counterbuys", "paired")),
        ("rules.baseline = 'nomination'", rules.baseline == "nomination"),
        (f"rules.consent = '{rules.consent}'", rules.consent in ("per_day", "standing")),
        ("several looks of the DSO", sum((g.kind, g.book) == ("clear", "lfm") for g in design.gates) > 1),
    ]
    for what, holds in wrong:
        if holds:
            raise ValueError(f"products.lfm.gate_clock stands beside {what}, which is not built for a market of the day before")
