"""Suites as files: what they train and tune, how they go on, when the test split is opened, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stacking.agents.parameters import read_tuned
from stacking.envs.policy import load_policy
from stacking.errors import StackingError
from stacking.experiments import cli
from stacking.experiments.suites import play, players, work
from stacking.experiments.suites.plan import Job, Part, is_trained, is_tuned, jobs_of, policy_file, price_paths, rival_file
from stacking.experiments.suites.record import Suite, read_suite, suite_hash, suite_names
from stacking.experiments.training.record import Training

TINY = """
title = "Tiny"
question = "Does the runner run?"
steps = [8880]
seeds = {seeds}
tune_days = 1

[[training]]
name = "ppo"
algorithm = "ppo"
advice = "rebid"
reward_baseline = "rebid"
set = ["rows=16", "leg_steps=120", "evaluate_legs=4", "env.scenarios=4", "env.days=1", "validation_scenarios=2",
       "validation_days=1", "parameters.batch_size=480", "parameters.n_epochs=1", "network.pi=[8]", "network.vf=[8]"]

[[rival]]
name = "rebid"
goal_percent = 0.0

[[rival]]
name = "stacked"
starts = ["rebid"]

[[cells]]
designs = {designs}
portfolios = ["battery"]

[[test]]
name = "generated"
days = 1
scenarios = 3
seed = 5
cross = true

[[test]]
name = "real"
days = 1
prices = ["prices.csv"]
"""


def _write(folder: Path, seeds: int = 1, designs: str = '["norflex_eam"]') -> Path:
    file = folder / "tiny.toml"
    file.write_text(TINY.format(seeds=seeds, designs=designs), encoding="utf-8")
    return file


def _call(*arguments: str, code: int = 0) -> Any:
    done = CliRunner().invoke(cli.app, ["suite", *arguments])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """The whole way once: trained, tuned, tested."""
    pytest.importorskip("stable_baselines3")
    folder = tmp_path_factory.mktemp("suite")
    file, out = _write(folder), folder / "out"
    _call(str(file), "--out", str(out), "--jobs", "2")
    told = _call(str(file), "--out", str(out), "--stage", "test", "--json").stdout
    return file, out, json.loads(told)


def test_from_record_to_report(run: tuple[Path, Path, dict[str, Any]]) -> None:
    _, out, told = run
    cell, steps = "norflex_eam-battery", 8880
    assert policy_file(out, cell, steps, "ppo", 0).is_file()
    assert rival_file(out, cell, steps, "rebid").is_file()
    one, other = told["comparisons"]
    assert (one["rival"], other["rival"]) == ("rebid", "stacked")
    by = {player["player"]: player for player in told["players"]}
    assert set(by) == {"do_nothing", "rebid", "stacked", "ppo"}
    assert by["do_nothing"]["flex_eur"] == 0.0
    assert one["difference_eur"][0] == pytest.approx(by["ppo"]["flex_eur"] - by["rebid"]["flex_eur"])
    least = min(one, other, key=lambda c: c["p_value"])
    assert least["p_holm"] == pytest.approx(min(1.0, 2.0 * least["p_value"]))
    card = load_policy(policy_file(out, cell, steps, "ppo", 0)).card
    assert (card.advice, card.advice_parameters) == read_tuned(rival_file(out, cell, steps, "rebid"))
    tuned, parameters = (tomllib.loads(rival_file(out, cell, steps, n).read_text("utf-8")) for n in ("stacked", "rebid"))
    assert parameters["parameters"]["lfm_take_frac"] in [start[1] for start in tuned["provenance"]["starts"]]
    assert (one["seeds"], one["scenarios"], one["blocks"]) == (1, 3, 3)
    assert any("real" in text for text in told["left_out"])
    assert told["test_opened"] == 1
    assert {Path(name).name for name in told["files"]} == {"report.txt", "report.json", "generated-8880.svg"}
    assert "opened 1 time(s)" in (out / "report.txt").read_text("utf-8")


def test_what_is_done_is_kept(run: tuple[Path, Path, dict[str, Any]]) -> None:
    """A second run trains, tunes and plays nothing, and finds the same bytes."""
    file, out, told = run
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    dry = json.loads(_call(str(file), "--out", str(out), "--dry-run", "--json").stdout)
    assert [job["done"] for job in dry["jobs"]] == [True, True, True]
    _call(str(file), "--out", str(out))
    again = json.loads(_call(str(file), "--out", str(out), "--stage", "test", "--json").stdout)
    assert again == told
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_the_test_split_is_opened_by_its_stage_alone_and_counted(run: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    file, out, _ = run
    record = (out / play.OPENED).read_text("utf-8")
    known = json.loads(record)
    assert known["times"] == 1
    assert known["openings"][0]["players"] == 4
    assert "20" not in json.dumps(
        [{k: v for k, v in entry.items() if k != "suite_hash"} for entry in known["openings"]]
    )  # no date
    opening = play.Opening(out, read_suite(str(file))[1])
    opening.file = tmp_path / play.OPENED
    opening.note()
    opening.note()
    assert json.loads(opening.file.read_text("utf-8"))["openings"][1]["players"] == 2


def test_a_training_is_known_by_its_record_and_seed(run: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    _, out, _ = run
    mine = tmp_path / "seed-0"
    shutil.copytree(policy_file(out, "norflex_eam-battery", 8880, "ppo", 0).parent, mine)
    kept = json.loads((mine / "training.json").read_text("utf-8"))
    record = Training.model_validate(kept["training"])
    assert is_trained(mine, record, 0)
    assert not is_trained(mine, record, 1)
    assert not is_trained(mine, record.model_copy(update={"decay": 0.5}), 0)
    assert not is_trained(mine, record.model_copy(update={"steps": 2 * record.steps}), 0)  # killed half-way
    del kept["training"]["decay"]  # as a version wrote it that did not know this setting
    (mine / "training.json").write_text(json.dumps(kept))
    assert is_trained(mine, record, 0)
    (mine / "training.json").write_text("{")
    assert not is_trained(mine, record, 0)


def test_rivals_can_be_tested_without_any_training(run: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    file, out, _ = run
    mine = tmp_path / "out"
    shutil.copytree(out, mine)
    command = [str(file), "--out", str(mine), "--stage", "test", "--seeds", "0"]
    told = json.loads(_call(*command, "--json").stdout)
    assert {player["player"] for player in told["players"]} == {"do_nothing", "rebid", "stacked"}
    assert (told["comparisons"], told["test_opened"]) == ([], 1)
    assert "Holm" not in _call(*command).stdout


def test_rows_of_another_player_are_not_taken(run: tuple[Path, Path, dict[str, Any]]) -> None:
    file, out, _ = run
    suite = read_suite(str(file))[1]
    (cell,) = suite.all_cells()
    player = next(p for p in players.players_of(suite, Part(), cell, out) if p.name == "rebid")
    folder = out / "tests" / "generated" / cell.name / player.folder(cell.name)
    inputs = play.inputs_of(cell, cell.tests[0], (), player)
    rows = play.kept_rows(folder, inputs)
    assert rows is not None
    assert all(str(key).startswith("test/generated/5/") for key in rows["scenario"])
    assert play.kept_rows(folder, {**inputs, "player": {**inputs["player"], "sha256": "another"}}) is None
    assert play.kept_rows(folder, {**inputs, "layout_version": -1}) is None


def test_a_damaged_row_file_is_refused(run: tuple[Path, Path, dict[str, Any]]) -> None:
    file, out, _ = run
    victim = out / "tests" / "generated" / "norflex_eam-battery" / "do_nothing" / "episodes.parquet"
    kept = victim.read_bytes()
    victim.write_bytes(kept[:-10])
    try:
        told = _call(str(file), "--out", str(out), "--stage", "test", code=2)
    finally:
        victim.write_bytes(kept)
    assert "damaged" in told.output


def test_another_suite_or_anything_else_in_the_folder_is_refused(run: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    _, out, _ = run
    file = _write(tmp_path, seeds=2)
    assert "another suite" in _call(str(file), "--out", str(out), "--dry-run", code=2).output
    assert "something else" in _call(str(file), "--out", str(tmp_path), "--dry-run", code=2).output


def test_nobody_is_tested_before_all_are_there(tmp_path: Path) -> None:
    file = _write(tmp_path)
    told = _call(str(file), "--out", str(tmp_path / "out"), "--stage", "test", code=2)
    assert "3 missing" in told.output
    assert not (tmp_path / "out" / play.OPENED).exists()


# ---- records and plans -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = 1", "seeds = 0", "seeds"),
        ("scenarios = 3", 'scenarios = 3\nprices = ["x.csv"]', "either scenarios"),
        ('name = "ppo"', 'name = "P P O"', "small letters"),
        ('name = "real"', 'name = "generated"', "called generated"),
        ('name = "ppo"', 'name = "rebid"', "called rebid"),
        ('portfolios = ["battery"]', 'portfolios = ["battery", "battery"]', "two cells"),
        ('portfolios = ["battery"]', 'portfolios = ["barge"]', "no such portfolio"),
        ('portfolios = ["battery"]', 'portfolios = ["battery"]\ntests = ["gone"]', "not there"),
        ("cross = true", 'split = "all"', "price files"),
        ("cross = true", 'split = "train"', "price files"),
        ("[[rival]]", "[[rivals]]", "rival"),
        ('starts = ["rebid"]', 'starts = ["stacked"]', "no rival before it"),
        ('advice = "rebid"', 'advice = "overbook"', "which is no rival"),
    ],
)
def test_a_bad_record_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = _write(tmp_path)
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StackingError, match=message):
        read_suite(str(file))


def test_days_on_which_cells_learn_are_no_test(tmp_path: Path) -> None:
    file = _write(tmp_path)
    earlier = file.read_text("utf-8") + 'split = "train"\n'
    file.write_text(earlier, encoding="utf-8")
    assert [t.split for t in read_suite(str(file))[1].test] == ["test", "train"]
    file.write_text(
        earlier.replace('portfolios = ["battery"]', 'portfolios = ["battery"]\nprices = ["prices.csv"]'), encoding="utf-8"
    )
    with pytest.raises(StackingError, match="on which its cells are trained"):
        read_suite(str(file))


def test_bad_settings_of_a_training_are_found_before_anything_runs(tmp_path: Path) -> None:
    file = _write(tmp_path)
    file.write_text(file.read_text("utf-8").replace('"rows=16"', '"rowz=16"'), encoding="utf-8")
    assert "rowz" in _call(str(file), "--out", str(tmp_path / "out"), "--dry-run", code=2).output


@pytest.mark.parametrize("arguments", [("--only", "x"), ("--steps", "7"), ("--stage", "taste"), ("--data", "/no/such/folder")])
def test_a_part_that_is_not_there_is_refused(tmp_path: Path, arguments: tuple[str, str]) -> None:
    assert arguments[0] in _call(str(_write(tmp_path)), "--out", str(tmp_path / "out"), *arguments, code=2).output


def test_jobs_are_every_seed_and_rival_of_every_cell(tmp_path: Path) -> None:
    suite = read_suite(str(_write(tmp_path, seeds=3, designs='["norflex_eam", "onenet"]')))[1]
    jobs, skipped = jobs_of(suite, Part(), tmp_path, None)
    assert (sum(j.kind == "train" for j in jobs), sum(j.kind == "tune" for j in jobs), skipped) == (6, 4, [])
    assert len({j.file for j in jobs}) == len(jobs)
    assert {j.steps for j in jobs} == {8880}
    tune = next(j for j in jobs if j.kind == "tune")
    assert tune.arguments[tune.arguments.index("--budget") + 1] == "8880"
    part, _ = jobs_of(suite, Part(("onenet-battery",), (8880,), 1), tmp_path, None)
    assert [j.kind for j in part] == ["tune", "tune", "train"]
    assert [j.needs for j in part] == [(), (part[0].file,), (part[0].file, part[0].file)]


def test_visitors_are_trained_in_another_design_on_the_same_portfolio(tmp_path: Path) -> None:
    suite = read_suite(str(_write(tmp_path, designs='["norflex_eam", "onenet"]')))[1]
    cells = suite.all_cells()
    for cell in cells:
        rivals = [rival_file(tmp_path, cell.name, 8880, name) for name in ("rebid", "stacked")]
        for file in (policy_file(tmp_path, cell.name, 8880, "ppo", 0), *rivals):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(cell.name.encode())
    generated, real = cells[0].tests
    (visitor,) = players.visitors_of(suite, Part(), cells[0], generated, cells, tmp_path)
    assert (visitor.cell, visitor.kind) == ("onenet-battery", "trained")
    assert visitor.folder(cells[0].name) != visitor.folder(cells[1].name)
    assert players.visitors_of(suite, Part(), cells[0], real, cells, tmp_path) == []


def test_price_files_are_all_there_or_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    assert price_paths((), None) == ()
    assert price_paths(("a.csv",), tmp_path) == (str(tmp_path / "a.csv"),)
    assert price_paths(("a.csv", "b.csv"), tmp_path) is None
    assert price_paths(("a.csv",), None) is None


def test_a_tuning_that_was_cut_off_is_done_again_and_another_budget_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rebid.toml"
    assert not is_tuned(file, 100)
    file.write_text('strategy = "rebid"\n\n[parameters]\nda_volume_frac = 0.2\n\n[provenance]\nbudget_')
    assert not is_tuned(file, 100)
    file.write_text('strategy = "rebid"\n\n[parameters]\nda_volume_frac = 0.2\n\n[provenance]\nbudget_steps = 100\n')
    assert is_tuned(file, 100)
    with pytest.raises(StackingError, match="another budget"):
        is_tuned(file, 200)


def test_a_job_that_fails_is_told_after_the_others_have_ended(tmp_path: Path) -> None:
    said: list[str] = []
    bad = Job("tune", "bad", tmp_path / "a" / "bad.toml", ("explain", "NO_SUCH_CODE"), 1, False)
    done = Job("tune", "done", tmp_path / "a" / "done.toml", (), 1, True)
    with pytest.raises(StackingError, match="1 of 1 jobs failed, first bad: Error"):
        work.run_jobs([bad, done], 2, said.append)
    assert len(said) == 1
    assert "FAILED" in said[0]


def test_a_training_waits_for_its_rival_or_says_that_it_is_missing(tmp_path: Path) -> None:
    tune = Job("tune", "rebid", tmp_path / "rebid.toml", (), 1, False)
    start = Job("tune", "stacked", tmp_path / "stacked.toml", (), 1, False, (tune.file,))
    alone = Job("train", "alone", tmp_path / "policy.npz", (), 1, False)
    assert work._ready([start, tune, alone], []) is tune
    assert work._ready([start, alone], [tune]) is alone
    assert work._ready([start], [tune]) is None
    assert work._ready([start], []) is start
    with pytest.raises(StackingError, match="needs a tuned rival"):
        work.run_jobs([start], 1, print)


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_are_valid(name: str, tmp_path: Path) -> None:
    short, suite = read_suite(name)
    assert isinstance(suite, Suite)
    assert short == name
    jobs, _ = jobs_of(suite, Part(), tmp_path, None)
    assert len({job.label for job in jobs}) == len(jobs)
    assert len(suite_hash(suite)) == 16


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_a_suite_that_is_told_to_end_ends_its_jobs(tmp_path: Path) -> None:
    """Two tunings with far too much to do: SIGTERM, sent while the second begins, ends the command and both of them."""
    file = _write(tmp_path, designs='["norflex_eam", "onenet"]')
    file.write_text(file.read_text("utf-8").replace("[8880]", "[900000000]"), encoding="utf-8")
    out = tmp_path / "out"
    options = ["--out", str(out), "--stage", "tune", "--jobs", "2"]
    command = [sys.executable, "-m", "stacking.experiments.cli", "suite", str(file), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 60
    while len(children := listed.read_text().split()) < 2 and time.monotonic() < deadline:
        pass
    assert len(children) == 2
    process.terminate()
    assert process.wait(timeout=60) == 130  # as after Ctrl-C
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert not rival_file(out, "onenet-battery", 900_000_000, "rebid").exists()
