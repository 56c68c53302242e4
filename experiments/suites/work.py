"""Jobs as processes of their own, some side by side; what is killed with them goes on when the suite is run again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stacking.errors import StackingError

from .plan import Job

POLL_S = 0.2
LOG = "log.txt"


def run_jobs(jobs: Sequence[Job], at_once: int, say: Callable[[str], None]) -> None:
    """Run what is not done.

    Args:
        jobs: in the order in which they are begun; one that needs another's file waits for it.
        at_once: processes side by side.
        say: told of beginnings and ends.

    Raises:
        StackingError: if a file is needed that none of them leaves; after all have ended, if some failed.
    """
    waiting = [job for job in jobs if not job.done]
    _check_needs(waiting)
    running: list[tuple[Job, subprocess.Popen[bytes], float]] = []
    failed: list[Job] = []
    total, ended = len(waiting), 0
    told = threading.Event()
    before = _listen(told)
    try:
        while waiting or running:
            if told.is_set():
                raise KeyboardInterrupt
            while len(running) < at_once and (job := _ready(waiting, [entry[0] for entry in running])) is not None:
                waiting.remove(job)
                running.append((job, _begin(job), time.perf_counter()))
            for entry in list(running):
                job, process, began = entry
                if process.poll() is None:
                    continue
                running.remove(entry)
                ended += 1
                good = process.returncode == 0 and job.file.is_file()
                failed += [] if good else [job]
                say(f"{ended:4d}/{total}  {time.perf_counter() - began:6.0f} s  {'' if good else 'FAILED  '}{job.label}")
            time.sleep(POLL_S)
    finally:
        for _, process, _ in running:
            process.terminate()
        for _, process, _ in running:
            process.wait()
        for number, handler in before.items():
            signal.signal(number, handler)
    if failed:
        raise StackingError(
            f"{len(failed)} of {total} jobs failed, first {failed[0].label}: {_last_words(failed[0])}", place="stacking suite",
            key="log", value=str(log_of(failed[0])), remedy="See this log; run the suite again: what is finished is kept.",
        )  # fmt: skip


def _check_needs(jobs: Sequence[Job]) -> None:
    coming = {job.file for job in jobs}
    for job in jobs:
        for file in job.needs:
            if file not in coming and not file.is_file():
                raise StackingError(f"{job.label} needs a tuned rival.", place="stacking suite", key="--stage", value=str(file),
                                    remedy="Run the stage tune first, or together with it.")  # fmt: skip


def _ready(waiting: Sequence[Job], running: Sequence[Job]) -> Job | None:
    """Return the first job that needs nothing of those that wait or run; if the one before failed it says so itself."""
    coming = {job.file for job in (*waiting, *running)}
    return next((job for job in waiting if not coming.intersection(job.needs)), None)


def _listen(told: threading.Event) -> dict[signal.Signals, Any]:
    """Note requests to end instead of raising: one that raised while a process begins would leave it running, known to nobody.

    Returns:
        What handled each signal before; empty in another thread, where none can be handled.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, lambda *_: told.set()) for number in (signal.SIGINT, signal.SIGTERM)}


def log_of(job: Job) -> Path:
    """Return the file with what a job said."""
    return job.file.parent / LOG if job.kind == "train" else job.file.with_suffix(".log")


def _begin(job: Job) -> subprocess.Popen[bytes]:
    job.file.parent.mkdir(parents=True, exist_ok=True)
    with log_of(job).open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "stacking.experiments.cli", *job.arguments], stdout=log, stderr=log,
                                stdin=subprocess.DEVNULL)  # fmt: skip


def _last_words(job: Job) -> str:
    """Return what a job said at its end: from its last error on, else its last line."""
    lines = log_of(job).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    at = max((k for k, line in enumerate(lines) if "Error" in line), default=len(lines) - 1)
    return " ".join(line.strip() for line in lines[at:][:6]) if lines else "it said nothing"
