"""Market designs and codes as tables: what `stacking designs` and `stacking explain` print."""

from __future__ import annotations

import dataclasses
from typing import Any

from stacking.catalogue import design_names, load_design
from stacking.codes import CODES
from stacking.config import Design, Gate, Product, Rules
from stacking.errors import StackingError
from stacking.flows import CASH_LABELS

from .tables import render, wrapped

BASE = Rules()


def designs_text(width: int | None = None) -> str:
    """Return the table of the shipped designs."""
    rows, assumed = [], []
    for name in design_names():
        design = load_design(name)
        local, balancing = design.products["lfm"], design.products["mfrr"]
        changed = [f"{key}={_shown(value)}" for key, value in design.rules if value != getattr(BASE, key)]
        rows.append(
            [
                name, design.title, _times(local), _times(balancing), f"{balancing.min_mw:g}/{balancing.granularity_mw:g}",
                "yes" if design.shares else "no", local.title, balancing.title, ", ".join(changed) or "as by default",
            ]
        )  # fmt: skip
        assumed.append(wrapped(f"  {name}: {', '.join(design.assumed) or 'nothing'}", indent="    ", width=width))
    header = [
        "design", "what happens", "local gate/clear/publish", "mFRR gate/clear/publish", "mFRR min/step MW", "shares",
        "local product", "balancing product", "rules",
    ]  # fmt: skip
    note = "Times are minutes before the start of delivery. `stacking designs NAME` shows every value with its source."
    parts = [render(header, rows, width=width, left=9), "Assumed rules (no published source)\n" + "\n".join(assumed)]
    return "\n\n".join([*parts, wrapped(note, width=width)])


def design_text(design: Design, width: int | None = None) -> str:
    """Return one design in full: story, gates, rules, products with sources."""
    parts = [f"{design.name}: {design.title}", wrapped(design.story.strip(), width=width)]
    gates = [[g.kind, _book(g), _gate_time(design, g), *_sees(g)] for g in design.gates]
    header = ["gate", "book", "when", "sees", "refuses if offered in"]
    parts.append("Gates, in the order of a tick\n" + render(header, gates, width=width, left=6))
    rules = []
    for key, value in design.rules:
        origin = "assumed" if key in design.assumed else ""
        rules.append([key, _shown(value), origin, "" if value == getattr(BASE, key) else "differs from default"])
    parts.append("Rules\n" + render(["rule", "value", "origin", ""], rows=rules, width=width, left=4))
    for market, product in design.products.items():
        parts.append(_product_text(market, product, width))
    return "\n\n".join(parts)


def designs_data(name: str | None = None) -> Any:
    """Return one design or all of them as plain data."""
    if name is not None:
        return load_design(name).model_dump(mode="json")
    return [load_design(each).model_dump(mode="json") for each in design_names()]


def _product_text(market: str, product: Product, width: int | None) -> str:
    rows = [
        [key, _shown(value), _source(product, key)]
        for key, value in product
        if key not in ("sources", "title")
    ]  # fmt: skip
    return f"Product {market}: {product.title}\n" + render(["value", "", "source"], rows, width=width or 200, left=3)


def _source(product: Product, key: str) -> str:
    """Return the source of a field; pairs such as curve_volume_frac share one, and limits share that of the cap."""
    shared = {"curve_volume_frac": "curve", "curve_price_frac": "curve", "price_floor": "price_cap"}
    return product.sources.get(key, product.sources.get(shared.get(key, ""), ""))


def _times(product: Product) -> str:
    return f"{product.gate_closure_min:g}/{product.clearing_min:g}/{product.publication_min:g}"


def _book(gate: Gate) -> str:
    return gate.book if gate.to is None else f"{gate.book} -> {gate.to}"


def _gate_time(design: Design, gate: Gate) -> str:
    if gate.kind == "auction":
        return "12:00 local, next day"
    if gate.kind == "trade":
        return "T-60"
    product = design.products["lfm" if gate.book == "lfm" else "mfrr"]
    closure = product.gate_closure_min
    minutes = {"offer": closure, "award": closure, "publish": product.publication_min}.get(gate.kind, product.clearing_min)
    minutes = minutes if gate.lead_min is None else gate.lead_min
    how = [*(["by quarter hour"] if gate.by == "mtu" else []), *(["on the forecast"] if gate.need == "forecast" else [])]
    return ", ".join([f"T{-minutes:+g}" if minutes else "T", *how])


def _sees(gate: Gate) -> list[str]:
    lists = (gate.sees, gate.refuses_offered)
    return [", ".join(names) or ("-" if gate.kind == "offer" else "") for names in lists]


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(_shown(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


# ---- codes -----------------------------------------------------------------------------------------------------------
def codes_data(name: str | None = None) -> list[dict[str, Any]]:
    """Return the record of a refusal code or cash label, or all of them.

    Raises:
        StackingError: if there is no such code or label.
    """
    refusals = [{"kind": "refusal code", **dataclasses.asdict(code)} for code in CODES]
    labels = [{"kind": "cash label", **dataclasses.asdict(label)} for label in CASH_LABELS]
    for record in (*refusals, *labels):
        record.pop("number", None)
        record.pop("column", None)
    records = [*refusals, *labels]
    if name is None:
        return records
    wanted = name.strip().lower().removeprefix("refused_").removeprefix("cash_").removesuffix("_mwh").removesuffix("_eur")
    found = [record for record in records if record["name"].lower() == wanted]
    if not found:
        raise StackingError(
            "Unknown code.", key="CODE", value=name, allowed=", ".join(record["name"] for record in records),
            remedy="Use one of these names; `stacking explain` lists them with their meaning.",
        )  # fmt: skip
    return found


def codes_text(records: list[dict[str, Any]], width: int | None = None) -> str:
    """Return records as text: one in full, several as a list."""
    if len(records) == 1:
        return "\n".join(wrapped(f"{key:12}{value}", indent=" " * 12, width=width) for key, value in records[0].items())
    lines = []
    for record in records:
        meaning = record["meaning"] if "meaning" in record else f"{record['reason']}, paid by or to: {record['counterpart']}"
        lines.append(wrapped(f"{record['name']:17}{meaning}", indent=" " * 17, width=width))
    return "\n".join(lines)
