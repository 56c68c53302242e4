"""The record of a training: one line of numbers per leg in a CSV file, cut back to its checkpoint when it goes on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from stacking.errors import StackingError

FILE = "progress.csv"


@dataclass(frozen=True)
class Line:
    """One leg. What was not looked at is NaN.

    Attributes:
        leg, steps, seconds: as in `checkpoint.Progress`.
        reward: mean of the episodes of this leg that ended, in units of the environment's reward.
        spread: mean standard deviation of a Gaussian policy.
        explained: variance of the returns that the value function explains.
        policy_eur, rival_eur, gain_eur, gain_low_eur, gain_high_eur: on the validation split, EUR per episode.
    """

    leg: int
    steps: int
    seconds: float
    reward: float
    spread: float = float("nan")
    explained: float = float("nan")
    policy_eur: float = float("nan")
    rival_eur: float = float("nan")
    gain_eur: float = float("nan")
    gain_low_eur: float = float("nan")
    gain_high_eur: float = float("nan")


COLUMNS = tuple(field.name for field in fields(Line))


def begin(folder: Path, leg: int) -> None:
    """Keep the lines up to a leg, and begin the file where there is none."""
    file = folder / FILE
    lines = [",".join(COLUMNS)]
    if leg and file.is_file():
        lines += [line for line in file.read_text(encoding="utf-8").splitlines()[1:] if line and int(line.split(",")[0]) <= leg]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def append(folder: Path, line: Line) -> None:
    """Add a line."""
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write(",".join("" if value != value else repr(value) for value in asdict(line).values()) + "\n")


def read(folder: Path) -> pd.DataFrame:
    """Return the lines of a training.

    Raises:
        StackingError: if there are none, or the file is not one of these.
    """
    file = folder / FILE
    if not file.is_file():
        raise StackingError("There is no training in this folder.", key="FOLDER", value=str(folder),
                            allowed=f"a folder with {FILE}", remedy="Give the folder of `stacking train --out`.")  # fmt: skip
    frame = pd.read_csv(file)
    if tuple(frame.columns) != COLUMNS:
        raise StackingError("The record of the training has other columns.", place=str(file), key="columns",
                            value=list(frame.columns), allowed=", ".join(COLUMNS))  # fmt: skip
    return frame
