"""Time of a step of one environment, in the interpreter in which its package is installed: standard library only.

    python -P stopwatch.py SECONDS REPETITIONS < program.py

The program defines `step(k)`, which makes step k and returns whether the episode has ended, and `reset()`; without a
`reset` rows begin again by themselves. A simulation that only runs as a whole defines `reset()` and `play()`, which
returns how many steps it was. `rows` (1) is how many environments a step moves. The last line that is printed is JSON.
Times are CPU times of the process, which other programs on the same core do not lengthen.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

CLOCK = time.process_time
LONGEST_WARM_UP_S = 60.0  # a first episode that is longer is not played to its end
FEWEST = 20  # steps of a repetition

Played = tuple[int, float, list[float], bool]
"""How many steps, the seconds that they took, those of each reset between them, whether an episode has ended."""

Play = Callable[[int, float | None], Played]


def measure(program: str, seconds: float, repetitions: int) -> dict[str, Any]:
    """Run a program and return medians over repetitions of about so many seconds each.

    Returns:
        rows, step_s (resets left out), reset_s and episode_steps (None where unknown), running_frac (CPU time / wall-clock
        time: below 1 others took the core), python.
    """
    scope: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, "program", "exec"), scope)
    reset = scope.get("reset")
    play = whole(scope["play"], scope["reset"]) if "play" in scope else stepwise(scope["step"], reset)
    steps, taken, resets, ended = play(sys.maxsize, LONGEST_WARM_UP_S if reset else seconds)
    count = max(FEWEST, int(seconds * steps / taken))
    times = []
    began, cpu = time.perf_counter(), CLOCK()
    for _ in range(repetitions):
        done, taken, own, _ = play(count, None)
        times.append(taken / done)
        resets += own
    return {
        "rows": scope.get("rows", 1), "step_s": statistics.median(times),
        "reset_s": statistics.median(resets) if resets else None, "episode_steps": steps if ended else None,
        "running_frac": min(1.0, (CLOCK() - cpu) / (time.perf_counter() - began)),
        "python": platform.python_version(),
    }  # fmt: skip


def stepwise(step: Callable[[int], bool], reset: Callable[[], Any] | None) -> Play:
    """Return a function that makes so many steps, or, with a time, plays until an episode ends or that time is over."""

    def play(count: int, longest_s: float | None) -> Played:
        resets: list[float] = []
        done, ended = 0, False
        began = CLOCK()
        while done < count and (longest_s is None or not (ended or CLOCK() - began > longest_s)):
            if step(done) and reset is not None:
                ended = True
                resets.append(timed(reset))
            done += 1
        return done, CLOCK() - began - sum(resets), resets, ended

    if reset is not None:
        reset()
    return play


def whole(run: Callable[[], int], reset: Callable[[], Any]) -> Play:
    """Return a function that plays one episode of a simulation that only runs as a whole."""

    def play(count: int, longest_s: float | None) -> Played:
        taken = timed(reset)
        began = CLOCK()
        done = run()
        return done, CLOCK() - began, [taken], True

    return play


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds of a call."""
    began = CLOCK()
    call()
    return CLOCK() - began


def main() -> None:
    """Measure the program on standard input."""
    print(json.dumps(measure(sys.stdin.read(), float(sys.argv[1]), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
