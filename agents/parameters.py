"""Tuned parameters of strategies: small TOML files that say how they came about.

Files are written by `stacking tune`; the shipped ones lie in the folder `tuned` next to this module.
"""

from __future__ import annotations

from pathlib import Path

from stacking.config import read_toml
from stacking.errors import StackingError

FOLDER = Path(__file__).with_name("tuned")


def shipped_parameters(name: str) -> dict[str, float]:
    """Return the tuned parameters that are shipped for a strategy; none if it has not been tuned.

    Raises:
        StackingError: if the file is not valid.
    """
    path = FOLDER / f"{name}.toml"
    return read_tuned(path)[1] if path.is_file() else {}


def read_tuned(path: str | Path) -> tuple[str, dict[str, float]]:
    """Return the strategy's name and the parameters of a file; ranges are checked when the strategy is made.

    Raises:
        StackingError: for a missing or invalid file.
    """
    data = read_toml(path)
    name, parameters = data.get("strategy"), data.get("parameters")
    remedy = "Write it with `stacking tune STRATEGY --out FILE`."
    if not isinstance(name, str) or not name:
        raise StackingError(
            "A parameter file names its strategy.",
            place=str(path),
            key="strategy",
            value=name,
            allowed="text",
            remedy=remedy,
        )
    if not isinstance(parameters, dict):
        raise StackingError(
            "A parameter file holds a table of parameters.",
            place=str(path),
            key="parameters",
            value=parameters,
            allowed="[parameters] with name = number",
            remedy=remedy,
        )
    for key, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise StackingError("A tuned parameter is no number.", place=str(path), key=key, value=value, allowed="a number")
    return name, {key: float(value) for key, value in parameters.items()}
