"""The outcome of tuning as a file with its provenance, as text and as plain data."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stacking.errors import StackingError

from ..agents.parameters import FOLDER
from .tables import bracketed, number, render
from .tune import Tuned


def write_tuned(tuned: Tuned, path: str | Path | None = None) -> Path:
    """Write the parameters with their provenance as TOML, by default to the folder of the shipped ones.

    Raises:
        StackingError: if the file cannot be written.
    """
    file = Path(path).expanduser() if path else FOLDER / f"{tuned.strategy}.toml"
    lines = [
        f"# Parameters of {tuned.strategy}, written by `stacking tune`. Do not edit: run it again.",
        f"strategy = {_toml(tuned.strategy)}", "", "[parameters]",
        *(f"{key} = {_toml(value)}" for key, value in tuned.parameters.items()), "", "[provenance]",
        *(f"{key} = {_toml(value)}" for key, value in tuned.provenance.items()),
        f"created_utc = {_toml(datetime.now(UTC).isoformat(timespec='seconds'))}", "",
    ]  # fmt: skip
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise StackingError(
            "The tuned parameters cannot be written.", place=str(file), value=error.strerror or str(error),
            remedy="Choose another file with --out.",
        ) from error  # fmt: skip
    return file


def _toml(value: Any) -> str:
    """Return a value as TOML writes it (text without control characters, numbers, lists)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)


def to_data(tuned: Tuned) -> dict[str, Any]:
    """Return the outcome as plain data."""
    return {
        "strategy": tuned.strategy,
        "parameters": tuned.parameters,
        "defaults": tuned.defaults,
        "provenance": tuned.provenance,
    }


def to_text(tuned: Tuned) -> str:
    """Return the outcome as text."""
    known = tuned.provenance
    rows = [[key, f"{tuned.defaults[key]:g}", f"{value:g}"] for key, value in tuned.parameters.items()]
    lines = [
        f"{tuned.strategy}: {known['candidates']} candidates, {known['used_steps']:,} of {known['budget_steps']:,} steps, "
        f"designs {', '.join(known['designs'])}",
        render(["parameter", "default", "tuned"], rows),
        f"Flex revenue, EUR per episode: train {number(tuned.train_eur)}, validation {number(tuned.validation_eur)} "
        f"(default {number(tuned.validation_default_eur)})",
        f"Gain over the default on {known['validation_scenarios'][2]} validation scenarios: {bracketed(tuned.gain)}"
        + (" (the default was best)" if tuned.parameters == tuned.defaults else ""),
    ]
    return "\n\n".join(lines)
