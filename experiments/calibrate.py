"""The command `stacking calibrate`: parameters of the generator fitted to price files, written with their provenance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacking.errors import StackingError
from stacking.scenario.calibrate import FEWEST_DAYS, Fit, calibrate, split_at
from stacking.scenario.parameters import load_parameters, save_parameters
from stacking.scenario.table import read_table

DEFAULT_OUT = "parameters.toml"


@dataclass(frozen=True)
class Calibration:
    """A fit that was written to a file."""

    fit: Fit
    path: Path


def run(files: Sequence[str], *, timezone: str, base: str | None, share: float, out: str) -> Calibration:
    """Fit the generator to price files and write the parameters.

    Args:
        files: price files, see docs/price-files.md.
        timezone: IANA name of the zone of the local days.
        base: set or file for what the files do not hold; None for the default.
        share: first share of the series that is used, above 0, up to 1.
        out: TOML file to write.

    Raises:
        StackingError: bad files or arguments, fewer than 28 days, or a constant series.
    """
    path = Path(out).expanduser()
    if path.suffix != ".toml":
        raise StackingError(
            "Parameters are written as TOML.", place="--out", key="out", value=out, allowed="a name that ends in .toml",
            remedy=f"Use --out {DEFAULT_OUT}.",
        )  # fmt: skip
    load_parameters(base)
    table, _ = split_at(read_table(list(files)), share)
    fit = calibrate(table, timezone=timezone, base=base)
    used = "" if share == 1.0 else f", first {share:g} of the series"
    heading = (
        f"Parameters of the scenario generator, fitted by `stacking calibrate` to {', '.join(Path(f).name for f in files)}"
        f' (time zone {timezone}{used}).\nUse: generate(..., parameters="{path.name}"), stacking compare --world {path.name}'
    )
    save_parameters(path, fit.parameters, fit.facts, heading)
    return Calibration(fit, path)


def to_data(done: Calibration) -> dict[str, Any]:
    """Return what was fitted and what was kept, as plain data."""
    fit = done.fit
    values = fit.parameters.model_dump(mode="json")
    fitted = {name: values[name.split(".")[0]][name.split(".")[1]] for name in fit.fitted}
    return {"file": str(done.path), "fitted": fitted, "kept": list(fit.kept), "notes": list(fit.notes)}


def to_text(done: Calibration) -> str:
    """Return what was fitted and what was kept, for people."""
    fit = done.fit
    lines = [f"Fitted ({len(fit.fitted)}; at least {FEWEST_DAYS} days are needed):"]
    lines += [f"  {name:36} {_short(_value(fit, name))}" for name in fit.fitted]
    lines += ["", "Kept, because the files do not hold it:", *(f"  {line}" for line in fit.kept)]
    if fit.notes:
        lines += ["", "Notes:", *(f"  {note}" for note in fit.notes)]
    return "\n".join([*lines, "", f"Written: {done.path}", f"Try it:  stacking compare --world {done.path}"])


def _value(fit: Fit, name: str) -> Any:
    group, key = name.split(".")
    value = getattr(getattr(fit.parameters, group), key)
    return getattr(value, "points", value)


def _short(value: Any) -> str:
    """Return a value in one line; of a table of quantiles its 5, 50, 95 % and ends."""
    if isinstance(value, tuple) and value and isinstance(value[0], tuple) and len(value[0]) == 2:
        table = dict(value)
        middle = [f"{100 * level:g} % {table[level]:g}" for level in (0.05, 0.5, 0.95) if level in table]
        return f"{value[0][1]:g} .. {value[-1][1]:g} ({', '.join(middle)})"
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return "; ".join(" ".join(f"{x:g}" for x in row) for row in value)
    if isinstance(value, tuple):
        return " ".join(f"{x:g}" for x in value)
    return f"{value:g}"
