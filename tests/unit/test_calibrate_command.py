"""`stacking calibrate` and `stacking bench realism` at the command line: files, errors, exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from stacking.experiments.cli import app
from stacking.scenario import load_parameters

HOURS = 35 * 24


@pytest.fixture(scope="module")
def prices(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("prices") / "mine.csv"
    random = np.random.default_rng(0)
    start, hour = np.datetime64("2024-03-01T00"), np.arange(HOURS)
    da = 50 + 20 * np.sin(hour / 24 * 2 * np.pi) + np.cumsum(random.standard_normal(HOURS))
    state = np.repeat(random.integers(-1, 2, HOURS // 3), 3)
    up, down = da + (state > 0) * random.exponential(20, HOURS), da - (state < 0) * random.exponential(15, HOURS)
    rows = (f"{start + k}:00Z,{a:.2f},{b:.2f},{d:.2f}" for k, (a, b, d) in enumerate(zip(da, up, down, strict=True)))
    path.write_text("utc,da_price,mfrr_up_price,mfrr_dn_price\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_calibrate_writes_a_file_and_says_what_it_kept(prices, tmp_path):
    out = tmp_path / "parameters.toml"
    done = run("calibrate", prices, "--out", out, "--timezone", "Europe/Oslo")
    assert done.exit_code == 0, done.output
    assert "balancing.premium" in done.output
    assert "balancing.volume_up: not in the files, kept from the shipped default" in done.output
    assert load_parameters(out).balancing.step_mtu == 4
    assert load_parameters(out).balancing != load_parameters().balancing
    assert out.read_text(encoding="utf-8").startswith("# Parameters of the scenario generator, fitted by `stacking calibrate`")


def test_calibrate_speaks_json_and_takes_a_share(prices, tmp_path):
    out = tmp_path / "p.toml"
    done = run("calibrate", prices, "--out", out, "--share", "0.9", "--base", "dk1_2024:eon", "--json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["file"] == str(out)
    assert data["fitted"]["balancing.step_mtu"] == 4
    assert any("kept from dk1_2024:eon" in line for line in data["kept"])
    assert load_parameters(out).local == load_parameters("dk1_2024:eon").local
    assert "first 0.9 of the series" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.csv"], "no such price file"),
        (["{prices}", "--share", "0.5"], "at least 28 days"),
        (["{prices}", "--share", "2"], "share"),
        (["{prices}", "--out", "p.json"], "TOML"),
        (["{prices}", "--base", "no2_1999"], "no set of this name"),
        (["{prices}", "--timezone", "Nowhere"], "time zone"),
    ],
)
def test_calibrate_names_what_is_wrong(prices, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    done = run("calibrate", *(text.format(prices=prices) for text in arguments))
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output
    assert not list(tmp_path.iterdir())


def test_realism_without_real_series_says_so(tmp_path):
    done = run("bench", "realism")
    assert done.exit_code == 2
    assert "--data" in done.output
    done = run("bench", "realism", "--data", tmp_path, "--json")
    assert done.exit_code == 2
    error = json.loads(done.stdout)["error"]
    assert "dk1_da_2023_2025_hourly.csv" in str(error)
    assert "docs/realism.md" in str(error)
