"""Speed of environments that others have published, beside ours in the same run: `peers.toml` says which, and what a step is.

Each package is installed into a virtual environment of its own and measured there by `stopwatch.py`, on the same core.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from stacking.config import Record, read_toml, validated
from stacking.errors import StackingError

from ..tables import number, percent, render, wrapped
from .engine import pinned

DATA = Path(__file__).with_name("peers.toml")
STOPWATCH = Path(__file__).with_name("stopwatch.py")
STAMP = "installed.json"  # written last: an environment without it is made anew
LONGEST_INSTALL_S, LONGEST_RUN_S = 1800, 900
Text = Annotated[str, Field(min_length=1)]


class Peer(Record):
    """An environment that is measured.

    Attributes:
        name: in commands; title: in tables.
        distribution: whose version is told; empty: ours, measured in this interpreter.
        packages: as pip takes them.
        step_min: simulated minutes of a step.
        assets, markets, actions: what a step moves, where it trades, what is decided.
        note: what a reader must know of the figure.
        unavailable: why it cannot be installed, instead of a program.
        program: text for `stopwatch.py`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: Text
    distribution: str = ""
    packages: tuple[Text, ...] = ()
    step_min: Annotated[int, Field(ge=1, strict=True)]
    assets: Text
    markets: Text
    actions: Text
    note: str = ""
    unavailable: str = ""
    program: str = ""

    @property
    def ours(self) -> bool:
        """Return whether it is one of our own environments."""
        return not self.distribution and not self.unavailable

    @model_validator(mode="after")
    def _consistent(self) -> Peer:
        if bool(self.program) == bool(self.unavailable):
            raise ValueError("either a program, or why there is none (unavailable)")
        if bool(self.distribution) != bool(self.packages):
            raise ValueError("distribution and packages go together")
        return self


@dataclass(frozen=True)
class PeerSpeed:
    """What was measured; without `problem` all figures are there."""

    name: str
    version: str = ""
    python: str = ""
    rows: int = 1
    step_us: float | None = None  # of all rows, resets left out
    reset_us: float | None = None
    episode_steps: int | None = None
    running_frac: float | None = None
    problem: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def steps_per_s(self) -> float:
        """Return the steps of all rows in a second, resets left out."""
        return float("nan") if self.step_us is None else 1e6 * self.rows / self.step_us

    @property
    def with_resets_per_s(self) -> float:
        """Return the same for whole episodes: 1 / (step + reset / steps of an episode)."""
        if self.step_us is None or self.reset_us is None or self.episode_steps is None:
            return float("nan")
        return 1e6 * self.rows / (self.step_us + self.reset_us / self.episode_steps)


def peers(path: Path = DATA) -> tuple[Peer, ...]:
    """Return all environments that are compared, ours first.

    Raises:
        StackingError: for a file that is not valid.
    """
    data = read_toml(path)
    found = tuple(validated(Peer, each, f"{path.name}, peer {k + 1}") for k, each in enumerate(data.get("peer", [])))
    names = [peer.name for peer in found]
    for name in names:
        if names.count(name) > 1:
            raise StackingError("Two peers have the same name.", place=path.name, key="name", value=name)
    return found


def chosen(names: Sequence[str], known: Sequence[Peer]) -> list[Peer]:
    """Return ours and the named peers, or all of them.

    Raises:
        StackingError: for an unknown name.
    """
    for name in names:
        if name not in [peer.name for peer in known]:
            raise StackingError("There is no such peer.", key="--only", value=name,
                                allowed=", ".join(peer.name for peer in known), remedy="Use one of these names.")  # fmt: skip
    return [peer for peer in known if peer.ours or not names or peer.name in names]


def cache_folder(given: str | None) -> Path:
    """Return the folder of the virtual environments.

    Raises:
        StackingError: if it is a file.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(given).expanduser() if given else Path(cache) / "stacking" / "peers"
    if folder.exists() and not folder.is_dir():
        raise StackingError("The folder is a file.", key="--folder", value=str(folder), remedy="Name another one.")
    return folder


# ---- installing and measuring ----------------------------------------------------------------------------------------
def measure(
    which: Sequence[Peer], folder: Path, *, seconds: float, repetitions: int, advance: Callable[[int], None] = lambda _: None
) -> list[PeerSpeed]:
    """Install what is missing and measure each on one pinned core; what fails is told in its result, not raised.

    Args:
        which: environments.
        folder: of the virtual environments.
        seconds: of a repetition.
        repetitions: of each; the median counts.
        advance: called with 1 after each.
    """
    speeds = []
    for peer in which:
        speeds.append(_measure(peer, folder, seconds, repetitions))
        advance(1)
    return speeds


def _measure(peer: Peer, folder: Path, seconds: float, repetitions: int) -> PeerSpeed:
    if peer.unavailable:
        return PeerSpeed(peer.name, problem=peer.unavailable)
    try:
        python = Path(sys.executable) if peer.ours else installed(peer, folder)
        versions = _versions(python)
        version = versions.get(peer.distribution or "stacking", "")
        with pinned():
            done = _run([str(python), "-P", str(STOPWATCH), str(seconds), str(repetitions)], LONGEST_RUN_S, peer.program, folder)
        found = json.loads(done.splitlines()[-1])
    except (_FailedError, OSError) as error:
        return PeerSpeed(peer.name, problem=str(error))
    reset_s = found["reset_s"]
    return PeerSpeed(
        peer.name, version, found["python"], found["rows"], 1e6 * found["step_s"], None if reset_s is None else 1e6 * reset_s,
        found["episode_steps"], found["running_frac"], versions={} if peer.ours else versions,
    )  # fmt: skip


def installed(peer: Peer, folder: Path) -> Path:
    """Return the interpreter of a peer's virtual environment, which is made if it is not there with these packages."""
    home = folder / peer.name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = {"packages": list(peer.packages), "python": sys.version.split()[0]}
    stamp = home / STAMP
    if stamp.is_file() and json.loads(stamp.read_text("utf-8")) == wanted:
        return python
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages]
    _run(command, LONGEST_INSTALL_S, "", folder)
    stamp.write_text(json.dumps(wanted), "utf-8")
    return python


class _FailedError(Exception):
    """A command failed; says how."""


def _run(command: Sequence[str], longest_s: float, text: str, folder: Path) -> str:
    """Return what a command prints; its folder is the one of the environments, so that nothing lands elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=longest_s, cwd=folder)
    except subprocess.TimeoutExpired:
        raise _FailedError(f"not done after {longest_s:g} s") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise _FailedError(lines[-1].strip() if lines else f"exit code {done.returncode}")
    return done.stdout


def _versions(python: Path) -> dict[str, str]:
    """Return the versions of all packages that an interpreter sees."""
    code = "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
    return json.loads(subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout)


# ---- report ----------------------------------------------------------------------------------------------------------
def to_data(speeds: Sequence[PeerSpeed]) -> list[dict[str, Any]]:
    """Return the results as plain data."""
    return [{**asdict(x), "steps_per_s": _plain(x.steps_per_s), "with_resets_per_s": _plain(x.with_resets_per_s)} for x in speeds]


def _plain(value: float) -> float | None:
    return None if value != value else value


def to_text(speeds: Sequence[PeerSpeed], known: Sequence[Peer], width: int | None = None) -> str:
    """Return a table with ratios of our speed to that of each peer, and what a step of each is."""
    by_name = {peer.name: peer for peer in known}
    ours = [x for x in speeds if by_name[x.name].ours]
    header = ["environment", "version", "min a step", "steps/s", "with resets",
              *(f"x {by_name[x.name].name.removeprefix('stacking-')}" for x in ours)]  # fmt: skip
    rows = [
        [by_name[x.name].title, x.version, str(by_name[x.name].step_min), number(x.steps_per_s), number(x.with_resets_per_s),
         *("" if by_name[x.name].ours else ratio(own, x) for own in ours)]
        for x in speeds if not x.problem
    ]  # fmt: skip
    facts = [wrapped(_fact(by_name[x.name]), indent="  ", width=width) for x in speeds if not x.problem]
    failed = [wrapped(f"{by_name[x.name].title}: {x.problem}", indent="  ", width=width) for x in speeds if x.problem]
    note = (
        "Medians of CPU time, one core, random actions that were drawn before. `x battery`: steps per second of ours / of this "
        "one. They simulate other things, so a ratio tells what an algorithm waits for, not who computes better:"
    )
    busy = ", ".join(f"{x.name} {percent(x.running_frac)}" for x in speeds if x.running_frac and x.running_frac < 0.95)
    parts = [render(header, rows, width=width, left=2), "\n".join([wrapped(note, width=width), *facts])]
    if failed:
        parts.append("\n".join(["Not measured:", *failed]))
    if busy:
        parts.append(wrapped(f"Others took the core; these ran for this share of the time: {busy}.", width=width))
    return "\n\n".join(parts)


def ratio(own: PeerSpeed, other: PeerSpeed) -> str:
    """Return how many times as fast ours is.

    >>> ratio(PeerSpeed("a", step_us=20.0), PeerSpeed("b", step_us=500.0))
    '25.0'
    """
    return number(own.steps_per_s / other.steps_per_s)


def _fact(peer: Peer) -> str:
    return f"- {peer.title}: {peer.assets}. Markets: {peer.markets}. Decided: {peer.actions}." + (
        f" Note: {peer.note}." if peer.note else ""
    )
