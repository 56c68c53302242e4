"""A suite from its record to its report, stage by stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stacking.errors import StackingError

from ..store import replace_file
from .plan import Job, Part, jobs_of
from .play import play_tests
from .record import Suite, suite_hash
from .report import Report, report_of
from .work import run_jobs

Stage = Literal["train", "tune", "test"]
RECORD = "suite.json"


@dataclass(frozen=True)
class Planned:
    """A suite with the jobs of a part of it.

    Attributes:
        name: of the suite.
        suite: its record.
        part: that is run.
        out: folder; data: of price files.
        jobs: trainings and tunings; skipped: what is left out and why.
    """

    name: str
    suite: Suite
    part: Part
    out: Path
    data: Path | None
    jobs: tuple[Job, ...]
    skipped: tuple[str, ...]


def planned(name: str, suite: Suite, part: Part, out: str | Path, data: str | Path | None) -> Planned:
    """Return what a suite has to do in a folder.

    Raises:
        StackingError: for a part that is not there, a folder with another suite, or a data folder that is not there.
    """
    out, data = Path(out).expanduser(), None if data is None else Path(data).expanduser()
    if data is not None and not data.is_dir():
        raise StackingError("There is no such folder of price files.", key="--data", value=str(data))
    check_folder(out, suite)
    jobs, skipped = jobs_of(suite, part, out, data)
    return Planned(name, suite, part, out, data, tuple(jobs), tuple(skipped))


def prepare(plan: Planned, stages: tuple[Stage, ...], at_once: int, say: Callable[[str], None]) -> None:
    """Train and tune what is missing, and keep the record of the suite beside it."""
    keep_record(plan.out, plan.name, plan.suite)
    for text in plan.skipped:
        say(f"Left out: {text}")
    run_jobs([job for job in plan.jobs if job.kind in stages], at_once, say)


def test(plan: Planned, say: Callable[[str], None]) -> Report:
    """Open the test split, and return the report."""
    say("This opens the test split: whatever is changed after it needs scenarios that nobody has seen.")
    return report_of(plan.name, plan.suite, play_tests(plan.suite, plan.part, plan.out, plan.data, say))


def keep_record(out: Path, name: str, suite: Suite) -> None:
    """Write the record of a suite into its folder, which is made if it is not there."""
    out.mkdir(parents=True, exist_ok=True)
    record = {"name": name, "hash": suite_hash(suite), "suite": suite.model_dump(mode="json")}
    replace_file(out / RECORD, (json.dumps(record, indent=2) + "\n").encode())


def check_folder(out: Path, suite: Suite) -> None:
    """Check that a folder holds nothing, or this suite.

    Raises:
        StackingError: if it holds anything else.
    """
    file = out / RECORD
    if not file.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise StackingError("This folder holds something else than a suite.", key="--out", value=str(out),
                                remedy="Give a folder that is empty or not there.")  # fmt: skip
        return
    try:
        known = json.loads(file.read_text(encoding="utf-8"))["hash"]
    except (ValueError, KeyError, TypeError):
        known = "unreadable"
    if known != suite_hash(suite):
        raise StackingError("This folder holds another suite, or another version of it.", place=str(file), key="hash",
                            value=known, allowed=suite_hash(suite), remedy="Give another --out.")  # fmt: skip
