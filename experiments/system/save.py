"""Stores the rows and tables of a system-side run, with a manifest that says how they came about."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from stacking.layout import LAYOUT_VERSION

from ..store import write_results
from .play import Cases, bid_history
from .report import SystemSide


def save(side: SystemSide, cases: Cases, folder: str | Path, bids: bool = False) -> Path:
    """Write rows, tables and, if asked for, every bid's history of each case in the first scenario.

    Raises:
        StackingError: if the folder cannot be written, or the history does not fit into memory.
    """
    frames = {"rows": side.rows, "figures": side.figures, "differences": side.differences, "no_harm": side.harm}
    if bids:
        for k, case in enumerate(cases.cases):
            frames[f"bids_{k}"] = bid_history(case, cases).assign(design=case.label)
    request = asdict(cases.request)
    manifest = {
        "configuration": {
            "request": {name: value for name, value in request.items() if name not in ("portfolio", "prices", "parameters")},
            "designs": {case.label: case.design.model_dump(mode="json") for case in cases.cases},
            "strategies": {case.label: str(case.strategies) for case in cases.cases},
            "network": cases.network.name,
            "portfolios": [p.model_dump(mode="json") for p in cases.portfolios],
            "source": cases.library.source,
            "margin_frac": side.margin_frac,
            "layout_version": LAYOUT_VERSION,
        },
        "seeds": [cases.request.seed],
        "scenario_keys": [str(key) for key in cases.library.keys],
        "synthetic": list(cases.library.synthetic),
    }
    return write_results(folder, frames, manifest)
