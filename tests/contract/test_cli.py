"""The command line: every command, JSON that is nothing but JSON, and bad input as clear text with exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from stacking.catalogue import DESIGNS_FOLDER, design_names
from stacking.codes import CODES
from stacking.config import Design
from stacking.errors import StackingError
from stacking.experiments import cli, compare, inputs, report, store
from stacking.experiments.design_input import chosen_design
from stacking.experiments.strategy_input import one_strategy
from stacking.flows import CASH_LABELS

TINY = ["compare", "--design", "parallel", "--seeds", "2", "--days", "1", "--split", "train"]


def call(*arguments: str) -> Any:
    """Run a command in this process."""
    return CliRunner().invoke(cli.app, list(arguments))


def call_json(*arguments: str) -> Any:
    """Run a command that succeeds with --json and return its output."""
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(*arguments: str, says: str) -> str:
    """Run a command that must be refused, with and without --json, and return the text."""
    done = call(*arguments)
    text = done.stderr
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert isinstance(done.exception, SystemExit)
    assert "Traceback" not in text
    assert text.startswith("Error: ")
    assert says in text, text
    if arguments[0] != "new-strategy":
        machine = call(*arguments, "--json")
        assert machine.exit_code == 2
        error = json.loads(machine.stdout)["error"]
        assert error["problem"]
        assert says in str(error), error
    return text


# ---- commands --------------------------------------------------------------------------------------------------------
def test_help_names_every_command() -> None:
    done = call("--help")
    assert done.exit_code == 0
    commands = "doctor demo compare designs explain new-strategy run system tune bench twins equilibrium"
    commands += " train import-policy curves suite league exploit cross-play"
    for command in commands.split():
        assert f"  {command} " in done.stdout
        assert call(*command.split(), "--help").exit_code == 0


def test_doctor_needs_no_compilation_and_says_so() -> None:
    code = (
        "import sys\nfrom stacking.experiments.cli import main\nsys.argv = ['stacking', 'doctor', '--json']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    code = end.code\n"
        "assert 'numba' not in sys.modules and 'torch' not in sys.modules\nsys.exit(code)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert time.perf_counter() - began < 5.0
    found = json.loads(done.stdout)
    checks = {check["name"]: check for check in found["checks"]}
    for name in ("data files", "environment", "compile cache", "numpy", "numba"):
        assert checks[name]["ok"], checks[name]
    assert checks["compile cache"]["detail"].startswith(("warm", "cold"))
    assert found["ok"] is all(check["ok"] for check in checks.values())
    assert done.returncode == (0 if found["ok"] else 1), done.stderr


def test_doctor_reports_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    from stacking.experiments import doctor

    def broken() -> str:
        raise StackingError("The shipped designs are missing.", remedy="Install the package again.")

    monkeypatch.setattr(doctor, "_data_files", broken)
    done = call("doctor")
    assert done.exit_code == 1
    assert "FAIL  data files" in done.stdout
    assert "Install the package again." in done.stdout


def test_designs_in_a_table_and_in_full() -> None:
    table = call("designs").stdout
    for name in design_names():
        assert name in table
        assert call_json("designs", name)["name"] == name
    assert [design["name"] for design in call_json("designs")] == list(design_names())
    full = call("designs", "norflex_eam").stdout
    for text in ("forward  lfm", "T-45", "block_opposite_balancing", "Nordic mFRR EAM: 1 MW minimum", "assumed"):
        assert text in full, text


def test_explain_knows_every_code_and_cash_label() -> None:
    names = [code.name for code in CODES] + [label.name for label in CASH_LABELS]
    for name in names:
        assert call_json("explain", name)["name"] == name
    assert [record["name"] for record in call_json("explain")] == names
    text = call("explain", "below_minimum").stdout
    assert CODES[1].remedy.split(",")[0] in text
    assert call_json("explain", "refused_below_minimum_mwh")["name"] == "BELOW_MINIMUM"


def test_compare_prints_the_table_and_stores_the_rows(tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = call_json(*TINY, "--strategy", "mfrr_only", "--out", str(out))
    assert data["designs"] == ["parallel"]
    assert [s["name"] for s in data["strategies"]] == ["do_nothing", "rebid", "mfrr_only"]
    assert data["test_split"] == ""
    results = store.read_results(out)
    again = compare.comparison_table(results.frames["episodes"], results.frames["worlds"])
    printed = pd.DataFrame(data["table"])
    assert list(printed["metric"]) == list(again["metric"])
    np.testing.assert_array_equal(printed["estimate"].to_numpy(dtype=float), again["estimate"].to_numpy())
    assert printed.loc[printed["metric"] == "activated_mfrr_mwh", "estimate"].max() > 0.0
    text = call(*TINY, "--strategy", "mfrr_only")
    assert text.exit_code == 0
    assert "minus rebid" in text.stdout
    assert "Only 2 scenarios" in text.stdout


def test_settings_change_results_and_are_named() -> None:
    arguments = [*TINY[:-1], "validation", "--strategy", "overbook"]
    plain = call_json(*arguments)
    harsh = call_json(*arguments, "--set", "rules.id_half_spread_eur_per_mwh=40", "--set", "products.mfrr.min_mw=5")
    assert plain["overrides"] == []
    assert harsh["overrides"] == ["rules.id_half_spread_eur_per_mwh=40", "products.mfrr.min_mw=5"]

    def flex(data: Any) -> float:
        return next(r["estimate"] for r in data["table"] if (r["strategy"], r["metric"]) == ("rebid", "flex_eur"))

    assert flex(plain) != flex(harsh)


def test_the_demo_tells_what_to_read_next(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[inputs.Request] = []

    def quick(request: inputs.Request) -> inputs.Setup:
        asked.append(request)
        return prepare(inputs.Request(designs=("parallel",), strategies=("rebid",), seeds=2, days=1))

    prepare = inputs.prepare
    monkeypatch.setattr(inputs, "prepare", quick)
    done = call("demo")
    assert done.exit_code == 0, done.output
    assert asked == [inputs.Request(seeds=30)]
    assert len(inputs.DESIGNS) == 5
    assert "stacking new-strategy" in done.stdout
    assert "was opened by this run" in done.stdout.replace("\n  ", " ")


def test_consent_and_pooling_reach_the_engine() -> None:
    arguments = [*TINY, "--design", "norflex_eam", "--strategy", "lfm_only"]

    def total(metric: str, *more: str) -> float:
        rows = call_json(*arguments, *more)["table"]
        return sum(r["estimate"] or 0.0 for r in rows if r["metric"] == metric and r["design"] == "norflex_eam")

    assert total("forwarded_mwh", "--consent", "never") == 0.0
    always, half = total("forwarded_mwh", "--consent", "always"), total("forwarded_mwh", "--consent", "0.5")
    assert 0.0 < half < always
    assert total("refused_pool_trimmed_mwh", "--consent", "always", "--pooling") > 0.0


def test_a_population_in_a_network_is_compared_by_size_and_kind(tmp_path: Path) -> None:
    options = ["--population", "mixed:4", "--network", "stockholm", "--strategy", "mixed", "--out", str(tmp_path)]
    data = call_json(*TINY, *options)
    assert data["network"] == "stockholm"
    assert data["population"] == "mixed:4"
    assert len(data["portfolios"]) == 4
    assert [s["name"] for s in data["strategies"]] == ["do_nothing", "rebid", "mixed"]
    assert data["strategies"][-1]["from"].startswith("shares of the population: ")
    for grouping in ("size", "kind"):
        rows = [r for r in data["groups"] if r["grouping"] == grouping]
        assert sum({r["group"]: r["fsp"] for r in rows}.values()) == 4
    configuration = store.read_results(tmp_path).manifest["configuration"]
    assert configuration["network"]["name"] == "stockholm"
    assert {p["node"] for p in configuration["portfolios"]} <= {n["name"] for n in configuration["network"]["nodes"]}
    text = call(*TINY, *options).stdout
    assert "By size class" in text
    assert "By kind of asset" in text
    assert call_json(*TINY, "--strategy", "rebid")["groups"] == []


def test_new_strategy_runs_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    done = call("new-strategy", str(file))
    assert done.exit_code == 0
    assert "MyStrategy" in done.stdout
    data = call_json(*TINY, "--strategy", f"{file}:MyStrategy")
    assert data["strategies"][-1]["name"] == "mine"
    assert "sha256:" in data["strategies"][-1]["from"]
    refused("new-strategy", str(file), says="not overwritten")


def test_tune_writes_parameters_that_compare_reads(tmp_path: Path) -> None:
    file = tmp_path / "rebid.toml"
    data = call_json("tune", "rebid", "--design", "parallel", "--days", "1", "--budget", "9000", "--out", str(file))
    assert data["file"] == str(file)
    compared = call_json(*TINY, "--strategy", "rebid", "--parameters", str(file))
    assert compared["strategies"][1] == {"name": "rebid", "from": "parameter file", "parameters": data["parameters"]}


def test_bench_reports_speed_and_trades() -> None:
    (speed,) = call_json("bench", "engine", "--only", "row-1-v0", "--repetitions", "1")
    assert speed["worlds"] == 1
    assert speed["accepted_mw"] > 0.05
    assert speed["accepted_mfrr_mw"] > 0.0
    assert speed["moving_frac"] > 0.3
    assert speed["ratio"] == pytest.approx(speed["step_us"] / speed["bare_step_us"])
    assert "accepted MW" in call("bench", "engine", "--only", "row-1-v0", "--repetitions", "1").stdout


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "compare", stop)
    done = call(*TINY)
    assert done.exit_code == 130
    assert "Traceback" not in done.output


def test_the_installed_command_refuses_without_traceback() -> None:
    command = [sys.executable, "-c", "from stacking.experiments.cli import main; main()", "compare", "--seeds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--seeds 30" in done.stderr


# ---- bad input -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "--seeds", "1"], "--seeds 30"),
        (["compare", "--seeds", "0"], "at least two scenarios"),
        (["compare", "--seeds", "100000"], "memory"),
        (["compare", "--days", "0"], ">= 1"),
        (["compare", "--days", "400"], "1..62"),
        (["compare", "--design", "paralel"], "parallel_adjusted"),
        (["compare", "--design", "parallel", "--design", "parallel"], "same name"),
        (["compare", "--design", "nowhere.toml"], "nowhere.toml"),
        (["compare", "--strategy", "rebit"], "overbook"),
        (["compare", "--strategy", "stacked", "--strategy", "stacked"], "same name"),
        (["compare", "--strategy", "nowhere.py:Mine"], "no such strategy file"),
        (["compare", "--split", "training"], "validation"),
        (["compare", "--split", "all"], "train, validation, test"),
        (["compare", "--timezone", "Europe/Atlantis"], "Europe/Oslo"),
        (["compare", "--consent", "1.5"], "0..1"),
        (["compare", "--consent", "perhaps"], "always"),
        (["compare", "--consent", "nan"], "0..1"),
        (["compare", "--backend", "quantum"], "serial, parallel, python"),
        (["compare", "--portfolio", "nowhere.toml"], "nowhere.toml"),
        (["compare", "--population", "nowhere.toml"], "nowhere.toml"),
        (["compare", "--population", "nobody"], "norflex"),
        (["compare", "--population", "mixed:0"], "1..20,000"),
        (["compare", "--population", "mixed:many"], "1..20,000"),
        (["compare", "--population", "mixed:9000"], "memory"),
        (["compare", "--population", "mixed", "--portfolio", "nowhere.toml"], "not from both"),
        (["compare", "--network", "nowhere.toml"], "nowhere.toml"),
        (["compare", "--network", "atlantis"], "stockholm"),
        (["compare", "--network", "stockholm"], "--population mixed"),
        (["compare", "--strategy", "mixed"], "--population mixed"),
        (["demo", "--network", "atlantis"], "stockholm"),
        (["demo", "--population", "mixed:x"], "1..20,000"),
        (["compare", "--parameters", "nowhere.toml"], "nowhere.toml"),
        (["compare", "--set", "fee"], "table.key=value"),
        (["compare", "--set", "rules.fee=1"], "rules.fee"),
        (["compare", "--set", "rules.pooling=perhaps"], "rules.pooling"),
        (["compare", "--set", "rules.tso_penalty_factor=-1"], "rules.tso_penalty_factor"),
        (["compare", "--set", "rules.tso_penalty_factor=nan"], "rules.tso_penalty_factor"),
        (["compare", "--set", "products.mfrr.clearing_min=60"], "gate_closure_min = 45"),
        (["compare", "--set", "products.fcr.min_mw=1"], "lfm, mfrr"),
        (["compare", "--prices", "nowhere.csv"], "no such price file"),
        (["designs", "paralel"], "norflex_eam"),
        (["explain", "BELOW"], "BELOW_MINIMUM"),
        (["tune", "do_nothing"], "no tunable parameters"),
        (["tune", "rebit"], "overbook"),
        (["tune", "rebid", "--budget", "10"], "--budget"),
        (["bench", "engine", "--only", "moon"], "rows-1024-v0"),
        (["new-strategy", "mine.txt"], ".py"),
    ],
)  # fmt: skip
def test_bad_options_are_refused(arguments: list[str], says: str) -> None:
    refused(*arguments, says=says)


TWIN = """
class Bad:
    name = 'rebid'
    def start(self, n, seed): pass
    def act(self, observation, mask, state): pass
"""
HEADER = "import random, time\nimport numpy as np\nfrom stacking.agents.strategies import closed_action\n\n\nclass Bad:\n    name = 'bad'\n\n    def start(self, n, seed):\n        return 0\n\n    def act(self, observation, mask, state):\n"  # noqa: E501
BAD_STRATEGIES = {
    "hangs": ("        while True:\n            pass\n", "longer than"),
    "sleeps": ("        time.sleep(60)\n", "longer than"),
    "raises": ("        return closed_action(len(observation)) / mistake, state\n", "NameError"),
    "exits": ("        raise SystemExit(0)\n", "SystemExit"),
    "nan": ("        return closed_action(len(observation)) * np.nan, state\n", "not a finite number"),
    "outside": ("        return closed_action(len(observation)) + 2.0, state\n", "outside its bounds"),
    "shape": ("        return closed_action(len(observation))[:, :4], state\n", "wrong shape"),
    "rows": ("        return closed_action(len(observation) + 1), state\n", "wrong shape"),
    "nothing": ("        pass\n", "return"),
    "mutates": ("        observation[:] = 0.0\n        return closed_action(len(observation)), state\n", "read-only"),
    "sneaks": (
        "        observation.base[:] = 0.0\n        return closed_action(len(observation)), state\n",
        "changes its observation",
    ),
    "random": ("        random.random()\n        return closed_action(len(observation)), state\n", "global random"),
    "numpy random": ("        np.random.rand()\n        return closed_action(len(observation)), state\n", "global random"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_STRATEGIES)
def test_bad_strategies_are_refused(kind: str, tmp_path: Path) -> None:
    body, says = BAD_STRATEGIES[kind]
    file = tmp_path / "bad.py"
    file.write_text(HEADER + body)
    text = refused(*TINY, "--strategy", f"{file}:Bad", "--time-limit", "0.3", says=says)
    assert "bad" in text


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("Mine = 3\n", "no such class"),
        ("class Bad:\n    pass\n", "no name"),
        ("class Bad:\n    name = 'bad'\n", "no start method"),
        ("class Bad:\n    name = 'bad'\n    def __init__(self, needed):\n        pass\n", "needed"),
        (TWIN, "same name"),
    ],
)  # fmt: skip
def test_bad_strategy_files_are_refused(source: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text(source)
    refused(*TINY, "--strategy", f"{file}:Bad", says=says)


def _hours(count: int = 24 * 16) -> list[str]:
    """Return lines of a price file: hours from the first of March 2025 on."""
    start = pd.Timestamp("2025-03-01T00:00Z")
    return [f"{start + pd.Timedelta(hours=k):%Y-%m-%dT%H:%M:%SZ},{50 + k % 24}" for k in range(count)]


def _swapped(lines: list[str]) -> list[str]:
    return [*lines[:20], lines[21], lines[20], *lines[22:]]


PRICE_FILES = {
    "unsorted": (_swapped, "2025-03-01"),
    "duplicated": (lambda lines: [*lines[:20], lines[19], *lines[20:]], "2025-03-01"),
    "missing hour": (lambda lines: lines[:200] + lines[201:], "2025-03-09"),
    "resolution": (lambda lines: [*lines, "2025-03-17T00:15:00Z,1", "2025-03-17T00:30:00Z,1"], "2025-03-17"),
    "not a number": (lambda lines: [*lines[:20], lines[20].split(",")[0] + ",cheap", *lines[21:]], "cheap"),
    "infinite": (lambda lines: [*lines[:20], lines[20].split(",")[0] + ",inf", *lines[21:]], "inf"),
    "no offset": (lambda lines: [line.replace("Z", "") for line in lines], "2025-03-01T00:00:00"),
    "empty": (lambda lines: [], "prices.csv"),
    "too short": (lambda lines: lines[:60], "too short"),
}


@pytest.mark.parametrize("kind", PRICE_FILES)
def test_bad_price_files_are_refused(kind: str, tmp_path: Path) -> None:
    change, says = PRICE_FILES[kind]
    file = tmp_path / "prices.csv"
    file.write_text("utc,da_price\n" + "\n".join(change(_hours())) + "\n")
    done = call("compare", "--design", "parallel", "--strategy", "rebid", "--prices", str(file), "--days", "2")
    if kind == "missing hour":  # never filled: the window is left out, and the text says so
        assert done.exit_code == 0, done.output
        assert "skipped 1 window(s)" in done.stdout.replace("\n  ", " ")
    else:
        refused("compare", "--design", "parallel", "--prices", str(file), "--days", "2", says=says)


def test_real_prices_are_replayed_and_the_synthetic_parts_named(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("utc,da_price\n" + "\n".join(_hours()) + "\n")
    data = call_json("compare", "--design", "parallel", "--strategy", "rebid", "--prices", str(file), "--days", "2")
    assert data["split"] == "all"
    assert data["source"] == "prices"
    assert data["scenarios"] == 7
    assert "balancing prices and needs" in data["synthetic"]
    assert "holds the test split" in data["test_split"]
    one_week = ["compare", "--design", "parallel", "--prices", str(file), "--days", "12"]
    refused(*one_week, says="the price files hold one")


DESIGN = (Path(DESIGNS_FOLDER) / "norflex_eam.toml").read_text()
BAD_DESIGNS = {
    "cycle": (DESIGN.replace('to = "mfrr"', 'to = "lfm"'), "redispatch"),
    "unknown key": (DESIGN.replace("[rules]", "[rules]\nluck = 1.0"), "rules.luck"),
    "wrong type": (DESIGN.replace("tso_penalty_factor = 1.0", 'tso_penalty_factor = "high"'), "rules.tso_penalty_factor"),
    "nan": (DESIGN.replace("tso_penalty_factor = 1.0", "tso_penalty_factor = nan"), "rules.tso_penalty_factor"),
    "unknown product": (DESIGN.replace('"mfrr_eam"', '"mfrr_moon"'), "mfrr_moon"),
    "clears before its gate": (
        DESIGN.replace('mfrr = "mfrr_eam"', 'mfrr = { base = "mfrr_eam", clearing_min = 90 }'),
        "clears at or after its gate",
    ),
    "order": (DESIGN.replace('kind = "auction"', 'kind = "clear"', 1), "clear"),
    "no toml": (DESIGN + "\n[[[", "not valid TOML"),
}
PORTFOLIO = '[[portfolio]]\nname = "a"\nconnection_mw = 5.0\n[portfolio.battery]\npower_mw = 5.0\ncapacity_mwh = 10.0\n'
BAD_PORTFOLIOS = {
    "window": (PORTFOLIO + "start_content_frac = 0.99\n", "content window"),
    "duplicate names": (PORTFOLIO + PORTFOLIO, "same name"),
    "negative": (PORTFOLIO.replace("capacity_mwh = 10.0", "capacity_mwh = -1.0"), "capacity_mwh"),
    "nan": (PORTFOLIO.replace("capacity_mwh = 10.0", "capacity_mwh = nan"), "capacity_mwh"),
    "unknown key": (PORTFOLIO + "colour = 3\n", "colour"),
    "no battery": ('[[portfolio]]\nname = "a"\nconnection_mw = 5.0\n', "battery"),
    "none": ("", "[[portfolio]]"),
}


@pytest.mark.parametrize("kind", BAD_DESIGNS)
def test_bad_design_files_are_refused(kind: str, tmp_path: Path) -> None:
    text, says = BAD_DESIGNS[kind]
    file = tmp_path / "design.toml"
    file.write_text(text)
    assert "design.toml" in refused("compare", "--design", str(file), says=says)


@pytest.mark.parametrize("kind", BAD_PORTFOLIOS)
def test_bad_portfolio_files_are_refused(kind: str, tmp_path: Path) -> None:
    text, says = BAD_PORTFOLIOS[kind]
    file = tmp_path / "portfolio.toml"
    file.write_text(text)
    assert "portfolio.toml" in refused("compare", "--portfolio", str(file), says=says)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    refused(*TINY, "--strategy", "rebid", "--out", str(file / "out"), says="cannot be written")
    assert os.listdir(tmp_path) == ["file"]


@given(st.text(max_size=40), st.sampled_from(["", "rules.", "products.mfrr.", "rules.pooling=", "products.lfm.min_mw="]))
def test_any_setting_is_a_design_or_a_named_error(text: str, start: str) -> None:
    try:
        assert isinstance(chosen_design("norflex", [start + text]), Design)
    except StackingError as error:
        named = bool(error.remedy or error.allowed)
    else:
        named = True
    assert named


@given(st.text(max_size=20))
def test_any_name_is_known_or_a_named_error(text: str) -> None:
    for make in (one_strategy, chosen_design):
        try:
            make(text)
        except StackingError as error:
            named = bool(error.remedy)
        else:
            named = True
        assert named
