"""The comparison with environments of others: its data, its stopwatch, its errors and its table; nothing is installed here."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stacking.errors import StackingError
from stacking.experiments.benchmarks import peers as bench
from stacking.experiments.benchmarks import stopwatch
from stacking.experiments.cli import app

KNOWN = bench.peers()
RECORD: dict[str, Any] = {"name": "x", "title": "X", "step_min": 15, "assets": "a", "markets": "m", "actions": "n"}


def record(**changes: Any) -> bench.Peer:
    return bench.Peer(**{**RECORD, "program": "step = lambda k: False", **changes})


# ---- data ------------------------------------------------------------------------------------------------------------
def test_ours_come_first_and_the_peers_that_were_asked_for_are_there() -> None:
    ours = [peer.name for peer in KNOWN if peer.ours]
    assert ours == [peer.name for peer in KNOWN][: len(ours)] == ["stacking-battery", "stacking-default", "stacking-vector"]
    assert {"ev2gym", "sustaingym", "python-microgrid", "citylearn", "assume", "chargax"} <= {peer.name for peer in KNOWN}


@pytest.mark.parametrize("peer", KNOWN, ids=lambda peer: peer.name)
def test_a_peer_is_pinned_and_its_program_can_be_stepped_or_says_why_not(peer: bench.Peer) -> None:
    if peer.unavailable:
        assert len(peer.unavailable) > 20
        return
    defined = set()
    for node in ast.parse(peer.program).body:
        if isinstance(node, ast.FunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    assert "step" in defined or {"reset", "play"} <= defined
    assert peer.ours or any(package.partition("==")[0].partition("[")[0] == peer.distribution for package in peer.packages)
    assert peer.ours or any("==" in package for package in peer.packages)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"program": ""}, "either a program"),
        ({"unavailable": "gone"}, "either a program"),
        ({"distribution": "x"}, "go together"),
        ({"packages": ["x==1"]}, "go together"),
        ({"name": "../x"}, "name"),
    ],
)
def test_a_wrong_record_is_refused(tmp_path: Path, changes: dict, says: str) -> None:
    fields = {**RECORD, "program": "pass", **changes}
    (tmp_path / "own.toml").write_text("[[peer]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in fields.items()), "utf-8")
    with pytest.raises(StackingError, match=says) as error:
        bench.peers(tmp_path / "own.toml")
    assert "own.toml, peer 1" in str(error.value)


def test_a_name_stands_once(tmp_path: Path) -> None:
    one = "[[peer]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in {**RECORD, "program": "pass"}.items())
    (tmp_path / "own.toml").write_text(one + one, "utf-8")
    with pytest.raises(StackingError, match="same name"):
        bench.peers(tmp_path / "own.toml")


def test_ours_always_run() -> None:
    assert [peer.name for peer in bench.chosen(["ev2gym"], KNOWN) if not peer.ours] == ["ev2gym"]
    assert sum(peer.ours for peer in bench.chosen(["ev2gym"], KNOWN)) == 3
    assert bench.chosen([], KNOWN) == list(KNOWN)


# ---- stopwatch -------------------------------------------------------------------------------------------------------
class Hands:
    """A clock that programs move by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


BY_HAND = """
from stacking.experiments.benchmarks import stopwatch
at, seen = 0, []
def spend(seconds):
    stopwatch.CLOCK.now += seconds
"""
STEPS = (
    BY_HAND
    + """
def reset():
    global at
    at = 0
    spend(10.0)
def step(k):
    global at
    at += 1
    spend(2.0)
    return at == 5
"""
)
WHOLE = (
    BY_HAND
    + """
rows = 3
def reset():
    spend(7.0)
def play():
    spend(40.0)
    return 20
"""
)
ROWS = (
    BY_HAND
    + """
rows = 4
def step(k):
    spend(0.5)
"""
)


@pytest.mark.parametrize(
    ("program", "rows", "step_s", "reset_s", "episode"),
    [(STEPS, 1, 2.0, 10.0, 5), (WHOLE, 3, 2.0, 7.0, 20), (ROWS, 4, 0.5, None, None)],
)
def test_steps_and_resets_are_timed_apart(
    monkeypatch: pytest.MonkeyPatch, program: str, rows: int, step_s: float, reset_s: float | None, episode: int | None
) -> None:
    monkeypatch.setattr(stopwatch, "CLOCK", Hands())
    found = stopwatch.measure(program, 100.0, 3)
    assert (found["rows"], found["step_s"], found["reset_s"], found["episode_steps"]) == (rows, step_s, reset_s, episode)


def test_an_episode_that_is_long_is_not_played_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "CLOCK", Hands())
    found = stopwatch.measure(STEPS.replace("at == 5", "at == 1000"), 100.0, 3)
    assert (found["step_s"], found["reset_s"], found["episode_steps"]) == (2.0, None, None)


# ---- measuring and installing ----------------------------------------------------------------------------------------
def test_what_fails_is_a_result_with_its_reason(tmp_path: Path) -> None:
    good = record(program="def reset(): pass\nn = 0\ndef step(k):\n    global n\n    n += 1\n    return n % 10 == 0")
    broken = record(name="broken", program="raise ValueError('no data set')")
    gone = record(name="gone", program="", unavailable="not in the registry")
    done: list[int] = []
    a, b, c = bench.measure([good, broken, gone], tmp_path, seconds=0.01, repetitions=2, advance=done.append)
    assert (a.problem, a.rows, a.episode_steps, len(done)) == ("", 1, 10, 3)
    assert a.steps_per_s > a.with_resets_per_s > 0.0
    assert (b.problem, c.problem) == ("ValueError: no data set", "not in the registry")
    assert b.steps_per_s != b.steps_per_s


def test_packages_are_installed_once_and_anew_when_a_pin_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(bench.venv, "create", lambda home, with_pip: Path(home).mkdir(parents=True))
    monkeypatch.setattr(bench, "_run", lambda command, *_: ran.append(list(command)))
    peer = record(distribution="x", packages=["x==1", "y<2"])
    assert bench.installed(peer, tmp_path) == bench.installed(peer, tmp_path)
    assert [command[-2:] for command in ran] == [["x==1", "y<2"]]
    bench.installed(peer.model_copy(update={"packages": ("x==2",)}), tmp_path)
    assert [command[-1] for command in ran] == ["y<2", "x==2"]


def test_a_command_that_fails_or_hangs_says_how(tmp_path: Path) -> None:
    python = bench.sys.executable
    with pytest.raises(bench._FailedError, match="RuntimeError: x"):
        bench._run([python, "-c", "raise RuntimeError('x')"], 60, "", tmp_path)
    with pytest.raises(bench._FailedError, match=r"not done after 0\.5 s"):
        bench._run([python, "-c", "import time; time.sleep(60)"], 0.5, "", tmp_path)


# ---- table and command -----------------------------------------------------------------------------------------------
CANNED = [
    bench.PeerSpeed("stacking-battery", "0.1", step_us=20.0, reset_us=200.0, episode_steps=100, running_frac=0.99),
    bench.PeerSpeed("stacking-default", "0.1", step_us=25.0, reset_us=200.0, episode_steps=100, running_frac=0.99),
    bench.PeerSpeed("stacking-vector", "0.1", rows=1024, step_us=1024.0, running_frac=0.99),
    bench.PeerSpeed("ev2gym", "2.0.0", step_us=500.0, reset_us=150_000.0, episode_steps=100, running_frac=0.5),
    bench.PeerSpeed("chargax", problem="not in the package registry"),
]


def test_the_table_holds_ratios_what_a_step_is_and_what_failed() -> None:
    text = bench.to_text(CANNED, KNOWN, width=140)
    (line,) = [line for line in text.splitlines() if line.startswith("EV2Gym ")]
    assert line.split()[1:] == ["2.0.0", "15", "2,000", "500", "25.0", "20.0", "500"]
    assert "25 charging points" in text
    failed = text.partition("Not measured:")[2]
    assert "Chargax: not in the package registry" in failed
    assert "ev2gym 50.0 %" in failed
    assert "stacking-battery" not in failed


def test_json_knows_no_nan() -> None:
    data = json.loads(json.dumps(bench.to_data(CANNED), allow_nan=False))
    assert data[2]["steps_per_s"] == pytest.approx(1e6)
    assert data[2]["with_resets_per_s"] is None
    assert data[4]["steps_per_s"] is None


@pytest.mark.parametrize(("options", "says"), [(["--only", "nobody"], "no such peer"), (["--folder", __file__], "is a file")])
def test_bad_input_is_named_before_anything_is_installed(options: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["bench", "peers", *options])
    assert done.exit_code == 2
    assert says in done.stderr
    machine = CliRunner().invoke(app, ["bench", "peers", *options, "--json"])
    assert says in json.loads(machine.stdout)["error"]["problem"]


def test_the_command_prints_what_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(bench, "measure", lambda which, folder, **how: asked.append((which, folder, how)) or CANNED)
    monkeypatch.setattr("stacking.experiments.runner.ensure_compiled", lambda *_: None)
    options = ["bench", "peers", "--only", "ev2gym", "--folder", str(tmp_path), "--seconds", "0.5", "--repetitions", "2"]
    assert "Not measured" in CliRunner().invoke(app, options).stdout
    assert len(json.loads(CliRunner().invoke(app, [*options, "--json"]).stdout)) == 5
    (which, folder, how), _ = asked
    assert ([peer.name for peer in which][3:], folder, how["seconds"], how["repetitions"]) == (["ev2gym"], tmp_path, 0.5, 2)
