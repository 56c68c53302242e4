"""Learning curves: what trainings gained on the validation split as they learned, mean and range over their seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stacking.errors import StackingError

from ..chart import Chart, svg
from ..stats import Interval
from ..store import replace_file
from . import progress_file

RECORD = "training.json"
NAMED = 8  # places along x that get a name, at most


@dataclass(frozen=True)
class Curve:
    """Trainings that differ in their seed alone.

    Attributes:
        name: in the legend.
        seeds: of the trainings.
        steps: (P,) at which all of them were looked at.
        gain_eur: (K, P) policy - rival on the validation split, EUR per episode.
        rival: what they are compared with.
    """

    name: str
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    gain_eur: np.ndarray[Any, np.dtype[np.float64]]
    rival: str


def curves_of(folders: Sequence[str | Path]) -> tuple[Curve, ...]:
    """Return the curves of all trainings in some folders and below, those together that differ in their seed alone.

    Raises:
        StackingError: if there is no training, one cannot be read, or two have the same settings and seed.
    """
    runs = [run for folder in folders for run in _runs(Path(folder).expanduser())]
    runs = list(dict.fromkeys(run.resolve() for run in runs))
    groups: dict[str, list[tuple[int, dict[str, Any], pd.Series]]] = {}
    for run in runs:
        record = _record(run)
        lines = progress_file.read(run).dropna(subset=["gain_eur"])
        looks = pd.Series(lines["gain_eur"].to_numpy(), index=lines["steps"].to_numpy())
        if looks.empty:
            raise StackingError("The training has not been looked at yet.", place=str(run), key="gain_eur",
                                remedy="Let it go on; the first look comes after evaluate_legs legs.")  # fmt: skip
        key = json.dumps(record["training"], sort_keys=True)
        groups.setdefault(key, []).append((int(record["seed"]), record, looks))
    names = _names([group[0][1] for group in groups.values()])
    return tuple(_curve(name, group) for name, group in zip(names, groups.values(), strict=True))


def _runs(folder: Path) -> list[Path]:
    found = sorted(path.parent for path in folder.rglob(progress_file.FILE)) if folder.is_dir() else []
    if not found:
        raise StackingError("There is no training in this folder.", key="FOLDER", value=str(folder),
                            allowed=f"a folder with {progress_file.FILE} in it or below",
                            remedy="Give the folder of `stacking train --out` or `stacking suite --out`.")  # fmt: skip
    return found


def _record(run: Path) -> dict[str, Any]:
    try:
        record = json.loads((run / RECORD).read_text(encoding="utf-8"))
        return {"training": dict(record["training"]), "seed": int(record["seed"]), "name": str(record["name"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackingError(f"The record of the training cannot be read: {type(error).__name__}.", place=str(run / RECORD),
                            remedy="Restore it from a copy, or train again.") from None  # fmt: skip


def _curve(name: str, group: Sequence[tuple[int, dict[str, Any], pd.Series]]) -> Curve:
    seeds = [seed for seed, _, _ in group]
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise StackingError("Two trainings have the same settings and seed.", key="FOLDER", value=f"{name}, seed {twice}",
                            remedy="Name one of their folders only.")  # fmt: skip
    ordered = sorted(group, key=lambda entry: entry[0])
    table = pd.concat([looks for _, _, looks in ordered], axis=1, join="inner").sort_index()
    if table.empty:
        raise StackingError("The trainings were never looked at after the same number of steps.", key="FOLDER", value=name)
    rival = _short(ordered[0][1]["training"]["env"].get("advice") or "rebid")
    return Curve(name, tuple(sorted(seeds)), tuple(int(s) for s in table.index), table.to_numpy(np.float64).T, rival)


def _names(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return names that tell trainings apart: what they are called and every setting in which they differ."""
    plain = [_flat(record["training"]) | {"name": record["name"]} for record in records]
    keys = [key for key in dict.fromkeys(k for p in plain for k in p) if len({json.dumps(p.get(key)) for p in plain}) > 1]
    keys = [key for key in keys if key != "name"]
    return [", ".join([str(p["name"]), *(f"{key.rpartition('.')[2]}={_short(p.get(key, '-'))}" for key in keys)]) for p in plain]


def _short(value: Any) -> str:
    """Return a value as text, a file by its name alone."""
    return Path(value).stem if isinstance(value, str) and value.endswith(".toml") else str(value)


def _flat(data: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in data.items():
        out |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return out


# ---- figure ----------------------------------------------------------------------------------------------------------
def chart_of(curves: Sequence[Curve]) -> Chart:
    """Return the curves as a chart: mean of the seeds as a line, smallest to largest as an area."""
    places = sorted({0, *(steps for curve in curves for steps in curve.steps)})
    lines: dict[str, list[Interval | None]] = {}
    bands: dict[str, list[tuple[float, float]]] = {}
    for curve in curves:
        name = f"{curve.name} ({len(curve.seeds)} seed{'s' if len(curve.seeds) > 1 else ''})"
        at = {steps: curve.gain_eur[:, k] for k, steps in enumerate(curve.steps)}
        nan = np.full(1, np.nan)
        lines[name] = [_mean(at[steps]) if steps in at else None for steps in places]
        bands[name] = [(float(at.get(s, nan).min()), float(at.get(s, nan).max())) for s in places]
    rivals = "/".join(dict.fromkeys(curve.rival for curve in curves))
    return Chart(
        "Learning curves on the validation split", "steps (millions)", f"gain over {rivals}, EUR per episode; area: all seeds",
        _labels(places), [float(steps) for steps in places], lines, bands,
    )  # fmt: skip


def _mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> Interval:
    mean = float(values.mean())
    return Interval(mean, mean, mean, 1.0, len(values))


def _labels(places: Sequence[int]) -> list[str]:
    """Return a name for a few places, far enough from each other."""
    least, last, names = places[-1] / NAMED, -float("inf"), []
    for steps in places:
        shown = steps - last >= least
        names.append(f"{steps / 1e6:.3g}" if shown else "")
        last = steps if shown else last
    return names


def write_curves(folders: Sequence[str | Path], out: str | Path) -> tuple[Curve, ...]:
    """Draw the curves of some folders into an SVG file and return them.

    Raises:
        StackingError: as `curves_of`, or for a file that is no .svg in a folder that is there.
    """
    file = Path(out).expanduser()
    if file.suffix != ".svg" or not file.parent.is_dir():
        raise StackingError("Curves go to an .svg file in a folder that exists.", key="--out", value=str(file),
                            remedy="Use a name such as curves.svg.")  # fmt: skip
    curves = curves_of(folders)
    replace_file(file, svg(chart_of(curves)).encode())
    return curves
