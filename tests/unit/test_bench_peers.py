"""The benchmark of peers: its data, its errors, its stopwatch and its table; nothing is installed here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stacking.errors import StackingError
from stacking.experiments.benchmarks import peers, stopwatch
from stacking.experiments.benchmarks.peers import PeerSpeed
from stacking.experiments.cli import app

KNOWN = peers.peers()


def test_the_data_say_what_is_installed_and_what_a_step_is() -> None:
    assert [peer.name for peer in KNOWN if peer.ours] == ["stacking-battery", "stacking-default", "stacking-vector"]
    assert {"ev2gym", "sustaingym", "python-microgrid", "citylearn"} <= {peer.name for peer in KNOWN}
    for peer in KNOWN:
        assert bool(peer.program) != bool(peer.unavailable)
        compile(peer.program, peer.name, "exec")
        if peer.distribution:
            assert peer.packages[0].replace("[evcharging]", "").startswith(f"{peer.distribution}==")
        if peer.program:
            assert "def reset" in peer.program or "reset = " in peer.program or "rows = " in peer.program


@pytest.mark.parametrize(("text", "message"), [
    ("step_min = 0", "step_min"), ('program = "x"\nunavailable = "y"', "either a program"), ("", "either a program"),
    ('program = "x"\npackages = ["a==1"]', "go together"), ('program = "x"\nspeed = 3', "speed"),
])  # fmt: skip
def test_bad_data_are_refused(text: str, message: str, tmp_path: Path) -> None:
    usual = "" if "step_min" in text else "step_min = 15\n"
    file = tmp_path / "peers.toml"
    file.write_text(f'[[peer]]\nname = "a"\ntitle = "A"\nassets = "b"\nmarkets = "c"\nactions = "d"\n{usual}{text}\n')
    with pytest.raises(StackingError, match=message):
        peers.peers(file)


def test_two_peers_of_one_name_are_refused(tmp_path: Path) -> None:
    one = '[[peer]]\nname = "a"\ntitle = "A"\nassets = "b"\nmarkets = "c"\nactions = "d"\nstep_min = 5\nprogram = "x"\n'
    (tmp_path / "peers.toml").write_text(one + one)
    with pytest.raises(StackingError, match="same name"):
        peers.peers(tmp_path / "peers.toml")


def test_the_command_refuses_unknown_names_and_files(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "peers", "--only", "nobody", "--json"])
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["key"] == "--only"
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["bench", "peers", "--folder", str(tmp_path / "file"), "--json"])
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["key"] == "--folder"


def test_ours_are_always_measured() -> None:
    assert [peer.name for peer in peers.chosen(["ev2gym"], KNOWN)] == [
        "stacking-battery", "stacking-default", "stacking-vector", "ev2gym",
    ]  # fmt: skip
    assert peers.chosen([], KNOWN) == list(KNOWN)


# ---- the table on results that are given -----------------------------------------------------------------------------
def test_the_table_tells_speed_ratio_and_what_a_step_is() -> None:
    speeds = [
        PeerSpeed("stacking-battery", "0.1.0", "3.11.7", step_us=20.0, reset_us=720.0, episode_steps=720, running_frac=1.0),
        PeerSpeed("stacking-default", "0.1.0", "3.11.7", step_us=40.0, reset_us=0.0, episode_steps=720, running_frac=1.0),
        PeerSpeed("stacking-vector", "0.1.0", "3.11.7", rows=1024, step_us=1024.0, running_frac=1.0),
        PeerSpeed("ev2gym", "2.0.0", "3.11.7", step_us=500.0, reset_us=50_000.0, episode_steps=100, running_frac=0.5),
        PeerSpeed("chargax", problem="not in the package registry"),
    ]
    text = peers.to_text(speeds, KNOWN, width=200)
    line = next(line for line in text.splitlines() if "EV2Gym" in line)
    assert line.split() == ["EV2Gym", "2.0.0", "15", "2,000", "1,000", "25.0", "12.5", "500"]  # 50,000; 25,000; 1,000,000 of ours
    assert "- EV2Gym: 25 charging points" in text
    assert "Not measured:\nChargax: not in the package registry" in text
    assert "ev2gym 50.0 %" in text
    data = {each["name"]: each for each in peers.to_data(speeds)}
    assert data["ev2gym"]["with_resets_per_s"] == pytest.approx(1000.0)
    assert data["stacking-battery"]["with_resets_per_s"] == pytest.approx(1e6 / 21.0)
    assert data["chargax"]["steps_per_s"] is None
    json.dumps(list(data.values()), allow_nan=False)


def test_what_cannot_be_installed_or_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(command: list[str], *_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: No matching distribution\n")

    monkeypatch.setattr(peers.venv, "create", lambda *_, **__: None)
    monkeypatch.setattr(peers.subprocess, "run", failed)
    peer = next(peer for peer in KNOWN if peer.name == "ev2gym")
    (speed,) = peers.measure([peer], tmp_path, seconds=0.1, repetitions=1)
    assert speed.problem == "ERROR: No matching distribution"
    assert not (tmp_path / "ev2gym" / peers.STAMP).exists()


# ---- stopwatch -------------------------------------------------------------------------------------------------------
PROGRAM = """
at, resets = 0, 0
def reset():
    global at, resets
    at, resets = 0, resets + 1
def step(k):
    global at
    for _ in range(2000):
        pass
    at += 1
    assert at <= 7, "stepped after the end"
    return at == 7
"""


def test_the_stopwatch_plays_episodes_and_tells_their_length() -> None:
    found = stopwatch.measure(PROGRAM, 0.01, 3)
    assert found["episode_steps"] == 7
    assert found["rows"] == 1
    assert 0.0 < found["reset_s"] < found["step_s"] < 0.01


def test_the_stopwatch_counts_the_steps_of_a_whole_simulation() -> None:
    program = "def reset():\n    pass\ndef play():\n    sum(range(100_000))\n    return 50\n"
    found = stopwatch.measure(program, 0.01, 2)
    assert found["episode_steps"] == 50
    assert 0.0 < found["step_s"] < 0.01


def test_a_program_that_fails_is_told(tmp_path: Path) -> None:
    broken = KNOWN[0].model_copy(update={"program": "raise RuntimeError('no such scenario')"})
    (speed,) = peers.measure([broken], tmp_path, seconds=0.1, repetitions=1)
    assert speed.problem == "RuntimeError: no such scenario"
    assert speed.steps_per_s != speed.steps_per_s
