"""Submissions: what one player earned in a suite, scenario by scenario, as one JSON file from which tables are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field, model_validator

from stacking import __version__
from stacking.config import Record, read_toml, validated
from stacking.errors import StackingError
from stacking.layout import LAYOUT_VERSION

from ..store import replace_file
from .plan import RECORD as TRAINING
from .play import Played
from .record import Name, Suite, Text, suite_hash

FOLDER = Path(__file__).with_name("submissions")
MOST_BYTES = 50_000_000
Eur = Annotated[float, Field(allow_inf_nan=False)]


class Result(Record):
    """What was earned in one test.

    Attributes:
        cell, test: where it was played.
        trained_in: cell in which the player was trained or tuned; None for one that was not.
        seed: of the training.
        scenarios: hash of their keys, in order.
        flex_eur: by scenario, to the cent.
    """

    cell: Text
    test: Text
    trained_in: Text | None = None
    seed: Annotated[int, Field(ge=0, strict=True)] | None = None
    scenarios: Text
    flex_eur: Annotated[tuple[Eur, ...], Field(min_length=2)]


class Submission(Record):
    """One player of a suite.

    Attributes:
        suite, suite_hash: name, and what its record says.
        name, kind, steps: of the player; steps 0 where nothing was trained or tuned.
        by, link, note: who made it, where its code is, and what a reader must know.
        made_with: what makes it again: the record of the training, parameters by cell, or the strategy that was entered.
        version, layout_version: of this package.
        results: all that was played; what is missing was not run.
    """

    suite: Text
    suite_hash: Text
    name: Name
    kind: Literal["reference", "rival", "trained", "entry"]
    steps: Annotated[int, Field(ge=0, strict=True)] = 0
    by: str = ""
    link: str = ""
    note: str = ""
    made_with: Mapping[str, Any] = Field(default_factory=dict)
    version: Text
    layout_version: Annotated[int, Field(ge=0, strict=True)]
    results: Annotated[tuple[Result, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _once(self) -> Submission:
        keys = [(r.cell, r.test, r.trained_in, r.seed) for r in self.results]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"results hold {twice} twice")
        return self

    @property
    def file_name(self) -> str:
        """Return how its file is called."""
        return f"{self.name}-{self.steps}.json" if self.steps else f"{self.name}.json"


def submissions_of(name: str, suite: Suite, played: Sequence[Played]) -> tuple[Submission, ...]:
    """Return what was played as submissions, one for each player and budget."""
    groups: dict[tuple[str, str, int], list[Played]] = {}
    for one in played:
        groups.setdefault((one.player.name, one.player.kind, one.player.steps), []).append(one)
    return tuple(
        Submission(
            suite=name, suite_hash=suite_hash(suite), name=player, kind=kind, steps=steps, made_with=_made_with(group),  # type: ignore[arg-type]
            version=__version__, layout_version=LAYOUT_VERSION, results=tuple(_result(one) for one in group),
        )
        for (player, kind, steps), group in groups.items()
    )  # fmt: skip


def _result(one: Played) -> Result:
    flex = tuple(round(float(x), 2) + 0.0 for x in one.rows["flex_eur"])
    return Result(cell=one.cell.name, test=one.test.name, trained_in=one.player.cell or None, seed=one.player.seed,
                  scenarios=scenarios_hash(one.rows), flex_eur=flex)  # fmt: skip


def scenarios_hash(rows: pd.DataFrame) -> str:
    """Return a hash of the keys of the scenarios in order, 16 characters."""
    return hashlib.sha256("\n".join(map(str, rows["scenario"])).encode()).hexdigest()[:16]


def _made_with(group: Sequence[Played]) -> dict[str, Any]:
    """Return what makes a player again: parameters by cell, or the training without what its cell says."""
    player = group[0].player
    files = {one.player.cell: one.player.file for one in group if one.player.file is not None}
    if player.entered:
        return {"entered": player.entered}
    if player.kind == "rival":
        return {cell: read_toml(file)["parameters"] for cell, file in files.items()}
    records = [record for record in (file.with_name(TRAINING) for file in files.values()) if record.is_file()]
    if not records:
        return {}
    training = json.loads(records[0].read_text(encoding="utf-8"))["training"]
    of_cell = ("design", "portfolio", "world", "prices")
    env = {key: _plain(value) for key, value in training["env"].items() if key not in of_cell}
    return {"training": {**training, "env": env}}


def _plain(value: Any) -> Any:
    """Return a setting, of a file that was tuned in the cell its name alone."""
    return f"{Path(value).stem}, tuned in the cell" if isinstance(value, str) and value.endswith(".toml") else value


# ---- files -----------------------------------------------------------------------------------------------------------
def write_submissions(submissions: Sequence[Submission], folder: Path) -> list[Path]:
    """Write submissions to a folder and return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for one in submissions:
        data = one.model_dump(mode="json", exclude_defaults=True)
        lines = [json.dumps(result) for result in data.pop("results")]  # one result a line, so that changes can be read
        head, rows = json.dumps(data, indent=1)[:-2], ",\n  ".join(lines)
        replace_file(folder / one.file_name, f'{head},\n "results": [\n  {rows}\n ]\n}}\n'.encode())
        files.append(folder / one.file_name)
    return files


def read_submissions(name: str, suite: Suite, places: Sequence[str | Path] = ()) -> tuple[Submission, ...]:
    """Return the submissions that are shipped for a suite, and those of further files and folders.

    Raises:
        StackingError: for a file that is no submission to this suite, or two of one player and budget.
    """
    files = sorted((FOLDER / name).glob("*.json"))
    for place in places:
        path = Path(place).expanduser()
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    found: dict[str, Submission] = {}
    for file in files:
        one = read_submission(file, suite)
        if one.file_name in found:
            raise StackingError("Two submissions are of the same player and budget.", place=str(file), key="name", value=one.name,
                                remedy="Give one of them another name.")  # fmt: skip
        found[one.file_name] = one
    _check_scenarios(found)
    return tuple(found.values())


def read_submission(file: Path, suite: Suite) -> Submission:
    """Return the submission of a file.

    Raises:
        StackingError: if it is not one to this suite.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackingError(
            "The submission cannot be read.", place=str(file), value=str(error),
            remedy="Write it with `stacking suite ... --stage test` or `stacking suite-enter`.",
        ) from None  # fmt: skip
    one = validated(Submission, data, str(file))
    if one.suite_hash != suite_hash(suite):
        raise StackingError(
            "The submission is to another suite.", place=str(file), key="suite_hash", value=one.suite_hash,
            allowed=suite_hash(suite), remedy="A suite is frozen: play again with its present record.",
        )  # fmt: skip
    if one.steps and one.steps not in suite.steps:
        raise StackingError("The suite has no such budget.", place=str(file), key="steps", value=one.steps,
                            allowed=f"0, {', '.join(map(str, suite.steps))}")  # fmt: skip
    tests = {(cell.name, test.name) for cell in suite.all_cells() for test in cell.tests}
    for result in one.results:
        if (result.cell, result.test) not in tests:
            raise StackingError("The suite has no such test.", place=str(file), key="results",
                                value=f"{result.cell}, {result.test}")  # fmt: skip
    return one


def _check_scenarios(found: Mapping[str, Submission]) -> None:
    """Check that all played the same scenarios."""
    known: dict[tuple[str, str], tuple[str, int, str]] = {}
    for file, one in found.items():
        for r in one.results:
            first = known.setdefault((r.cell, r.test), (r.scenarios, len(r.flex_eur), file))
            if first[:2] != (r.scenarios, len(r.flex_eur)):
                raise StackingError("Two submissions did not play the same scenarios.", place=file, key=f"{r.cell}, {r.test}",
                                    value=f"{r.scenarios} ({len(r.flex_eur)})", allowed=f"{first[0]} ({first[1]}), as {first[2]}",
                                    remedy="Play again with this version of the package and the same price files.")  # fmt: skip
