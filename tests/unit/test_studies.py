"""Studies as files: what they run, how a killed one continues, what they write, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from stacking.catalogue import DESIGNS_FOLDER
from stacking.config import read_toml
from stacking.errors import StackingError
from stacking.experiments import cli
from stacking.experiments.chart import Chart, svg
from stacking.experiments.compare import comparison_table
from stacking.experiments.inputs import Request, prepare
from stacking.experiments.runner import run
from stacking.experiments.stats import Interval
from stacking.experiments.studies.cells import cells_of, episodes
from stacking.experiments.studies.changes import changed_study
from stacking.experiments.studies.contest import chosen_strategy, consenting, contest_of, players_of
from stacking.experiments.studies.folder import study_json
from stacking.experiments.studies.record import read_study, study_from, study_names
from stacking.experiments.studies.run import run_study

SHIPPED = (
    "fee", "granularity", "grid_check", "interim_rule", "lock_latency", "minimum_and_pooling", "optin_equilibrium", "optin_share",
    "penalty_and_priority", "position_rule", "repricing", "who_gains",
)  # fmt: skip

SMALL: dict[str, Any] = {
    "title": "Small",
    "question": "Does it run?",
    "population": "mixed:8",
    "days": 1,
    "seeds": 2,
    "split": "train",
    "consent": "always",
    "parameters": {"lfm_need_mw": 0.0},
    "settings": {"products.mfrr.min_mw": 0.1, "products.mfrr.granularity_mw": 0.1},
    "metrics": ["flex_eur", "forwarded_mwh", "difference_eur"],
    "axis": [
        {"key": "rules.forward_fee_eur_per_mwh", "values": [0.0, 20.0], "source": "assumed"},
        {"key": "rules.pooling", "values": [False, True], "source": "assumed"},
    ],
}


def small(**changed: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(SMALL)), **changed}


def content(folder: Path) -> dict[str, str]:
    """Return every file below a folder with the hash of its bytes."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def started(data: dict[str, Any], out: Path, advance: Any = None) -> Any:
    study = study_from(data, "small.toml")
    return run_study(study, "small", cells_of(study, "small.toml"), out, advance=advance)


def estimates(folder: Path) -> dict[tuple[int, str], float]:
    """Return (cell, metric) -> estimate of a folder's table."""
    columns = pd.read_csv(folder / "table.csv")[["cell", "metric", "estimate"]]
    return {(int(c), str(m)): float(e) for c, m, e in columns.itertuples(index=False, name=None)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("study") / "whole"
    started(small(), folder)
    return folder


# ---- a killed run ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("after", [1, 3])
def test_a_run_stopped_after_some_cells_continues_to_the_same_bytes(after: int, whole: Path, tmp_path: Path) -> None:
    done: list[int] = []

    def stop(steps: int) -> None:
        done.append(steps)
        if len(done) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        started(small(), tmp_path, stop)
    assert len(list((tmp_path / "cells").iterdir())) == after
    assert not (tmp_path / "finished.json").exists()
    (tmp_path / "cells" / ".0003-abc.parquet.x1y2").write_bytes(b"half a cell")
    assert started(small(), tmp_path).found == after
    assert content(tmp_path) == content(whole)


def test_a_process_that_is_killed_continues_to_the_same_bytes(tmp_path: Path) -> None:
    words = [
        "fee",
        "--set",
        "seeds=2",
        "--set",
        "days=1",
        "--set",
        "population=mixed:4",
        "--set",
        "rules.pooling=[true]",
        "--out",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "stacking.experiments.cli", "run", *words, str(tmp_path / "killed")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while len(list((tmp_path / "killed" / "cells").glob("[0-9]*.parquet"))) < 2 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "finished.json").exists()
    runner = CliRunner()
    for name in ("killed", "whole"):
        done = runner.invoke(cli.app, ["run", *words, str(tmp_path / name)])
        assert done.exit_code == 0, done.output
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_a_finished_study_runs_nothing_again(whole: Path) -> None:
    before = content(whole)
    assert started(small(), whole).found == 4
    assert content(whole) == before


def test_a_folder_of_another_study_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(StackingError, match="another study") as error:
        started(small(seeds=3), whole)
    assert error.value.remedy
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(StackingError, match="something else"):
        started(small(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_a_changed_cell_is_refused(tmp_path: Path) -> None:
    started(small(), tmp_path)
    file = sorted((tmp_path / "cells").iterdir())[2]
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(StackingError, match="changed after") as error:
        started(small(), tmp_path)
    assert error.value.key == "cell 2"
    file.unlink()
    assert started(small(), tmp_path).found == 3


# ---- what is run -----------------------------------------------------------------------------------------------------
def test_a_cell_is_the_same_as_the_comparison(whole: Path) -> None:
    """One cell through the study, and the same through `stacking compare`: every figure is equal."""
    table = estimates(whole)
    request = Request(
        designs=("norflex_eam",), strategies=("stacked",), seeds=2, days=1, split="train", population="mixed:8", consent="always",
        overrides=("products.mfrr.min_mw=0.1", "products.mfrr.granularity_mw=0.1", "rules.forward_fee_eur_per_mwh=20.0"),
        pooling=True,
    )  # fmt: skip
    setup = prepare(request)
    study = study_from(small(), "small.toml")
    ours = contest_of(cells_of(study, "small.toml")[3].setting, {})
    assert ours.designs == setup.contest.designs
    assert ours.portfolios == setup.contest.portfolios
    assert [str(k) for k in ours.library.keys] == [str(k) for k in setup.contest.library.keys]
    theirs = comparison_table(run(ours).episodes)
    for metric in ("flex_eur", "forwarded_mwh", "net_eur"):
        expected = theirs.loc[(theirs["metric"] == metric) & (theirs["strategy"] == "stacked"), "estimate"].item()
        assert table[3, metric] == pytest.approx(expected, abs=1e-9)


def test_figures_of_the_markets_are_those_of_the_engine(tmp_path: Path) -> None:
    """Violations and needs of a cell are sums over the worlds of its run, whatever the number of FSPs; both tables are kept."""
    axis = [{"key": "rules.grid_check", "values": ["none", "limit"], "source": "assumed"}]
    data = small(
        metrics=["violated_mwh", "unserved_lfm_mwh", "tso_paid_eur"],
        network="norflex",
        axis=axis,
        settings={"rules.location": "kept"},
    )
    done = started(data, tmp_path)
    table = estimates(tmp_path)
    cells = cells_of(study_from(data, "small.toml"), "small.toml")
    for cell in cells:
        whole = run(contest_of(cell.setting, {})).worlds
        worlds = whole.loc[whole["strategy"] == "stacked"]
        for metric in ("violated_mwh", "unserved_lfm_mwh", "need_mfrr_mwh", "tso_paid_eur"):
            assert table[cell.number, metric] == pytest.approx(worlds[metric].mean(), abs=1e-9)
    assert table[0, "violated_mwh"] > 0.1 > 1e-6 > table[1, "violated_mwh"]  # books hold single precision
    assert "limits violated by balancing" in done.report.text(200)
    assert len(list((tmp_path / "worlds").iterdir())) == len(cells)
    next((tmp_path / "worlds").glob("0001-*")).unlink()
    before = content(tmp_path)
    assert started(data, tmp_path).found == 1
    assert set(content(tmp_path)) - set(before) == {p for p in content(tmp_path) if p.startswith("worlds/0001-")}


def test_the_difference_is_paired_along_the_first_axis(whole: Path) -> None:
    table = estimates(whole)
    for base, other in ((0, 2), (1, 3)):
        expected = table[other, "flex_eur"] - table[base, "flex_eur"]
        assert table[other, "difference_eur"] == pytest.approx(expected, abs=1e-9)
        assert (base, "difference_eur") not in table


def test_settings_reach_the_engine(whole: Path) -> None:
    table = estimates(whole)
    assert table[0, "forwarded_mwh"] != table[1, "forwarded_mwh"], "pooling changes what is forwarded"
    assert table[0, "forwarded_mwh"] > 0.0


def test_who_consents_grows_with_the_share_and_by_names_not_by_rows() -> None:
    names = [f"fsp {k}" for k in range(20)]
    sets = [{n for n, yes in zip(names, consenting(names, s, 3), strict=True) if yes} for s in (0.0, 0.25, 0.5, 1.0)]
    assert [len(s) for s in sets] == [0, 5, 10, 20]
    assert sets[0] < sets[1] < sets[2] < sets[3]
    turned = dict(zip(names[::-1], consenting(names[::-1], 0.25, 3), strict=True))
    assert {n for n, yes in turned.items() if yes} == sets[1]
    assert consenting(names, 0.5, 3) != consenting(names, 0.5, 4)


def test_the_share_of_consent_is_what_the_engine_counts() -> None:
    axis = [{"key": "consent_share", "values": [0.0, 0.5, 1.0], "source": "assumed"}]
    study = study_from(small(consent="own", axis=axis), "small.toml")
    found = []
    for cell in cells_of(study, "small.toml"):
        frame = run(contest_of(cell.setting, {})).episodes
        agrees = frame.loc[frame["opted_out_mwh"] < 1e-12]
        found.append((frame["opted_out_mwh"].sum() / frame["consent_asked_mwh"].sum(), agrees["forwarded_mwh"].sum()))
    assert found[0][0] == pytest.approx(1.0)
    assert 0.0 < found[1][0] < 1.0
    assert found[2][0] == 0.0
    assert found[0][1] == 0.0


def test_mixed_keeps_its_strategies_under_a_share() -> None:
    study = study_from(small(consent="own", strategy="mixed", consent_share=0.5, parameters={}), "small.toml")
    setting = cells_of(study, "small.toml")[0].setting
    players = players_of(setting)
    plain = chosen_strategy(setting.model_copy(update={"consent_share": None}), players)
    split = chosen_strategy(setting, players)
    assert [name.partition("[")[0] for name in split.assignment] == list(plain.assignment)  # type: ignore[union-attr]


# ---- shipped studies -------------------------------------------------------------------------------------------------
def test_every_shipped_study_is_there() -> None:
    assert study_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_study_says_what_it_asks_assumes_and_sweeps(name: str) -> None:
    study = read_study(name)
    assert study.question.endswith("?")
    assert study.assumed
    assert all(axis.source for axis in study.axis)
    assert study.split != "test"
    assert 4 <= len(cells_of(study, name)) <= 30


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_study_runs_tiny(name: str, tmp_path: Path) -> None:
    changes = ["seeds=2", "days=1", *(["population=mixed:4"] if read_study(name).population else [])]
    study = changed_study(name, changes)
    done = run_study(study, name, cells_of(study, name), tmp_path)
    files = set(done.report.files())
    assert {"table.csv", "table.txt"} <= files
    assert any(file.startswith("figure") for file in files)
    assert ("groups.csv" in files) == bool(getattr(study, "groups", ()))
    assert ("ends.csv" in files) == (study.kind == "equilibrium")
    kept = json.loads((tmp_path / "finished.json").read_text())
    assert kept == {k: v for k, v in content(tmp_path).items() if k != "finished.json"}


def test_figures_by_group_are_told_where_the_strategy_is_swept(tmp_path: Path) -> None:
    data = {k: v for k, v in SMALL.items() if k not in ("parameters", "strategy")}
    axis = {"key": "strategy", "values": ["rebid", "overbook"], "source": "shipped"}
    study = study_from({**data, "groups": ["size"], "axis": [axis]}, "here")
    text = run_study(study, "swept", cells_of(study, "here"), tmp_path).report.text()
    told = [line.split()[0] for line in text[text.index("By size class") :].splitlines() if line.startswith("  ")]
    assert told[:2] == ["rebid", "overbook"]
    assert "strategy=rebid:" in text
    assert "strategy=overbook:" in text


# ---- command ---------------------------------------------------------------------------------------------------------
def call(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, ["run", *arguments])


def test_dry_run_prints_cells_and_episodes_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call("fee", "--dry-run", "--set", "seeds=3", "--set", "rules.forward_fee_eur_per_mwh=[0, 7]", "--out", str(out))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].startswith("8 cells, 48 episodes")
    assert "forward_fee_eur_per_mwh=7, pooling=true" in done.stdout
    assert not out.exists()
    as_json = json.loads(call("fee", "--dry-run", "--json").stdout)
    assert as_json["episodes"] == episodes(read_study("fee"), 20) == 1200


def test_list_names_every_study() -> None:
    done = call("--list")
    assert all(name in done.stdout for name in SHIPPED)
    assert {s["name"] for s in json.loads(call("--list", "--json").stdout)} == set(SHIPPED)


@pytest.mark.parametrize(
    ("changed", "key", "says"),
    [
        ({"sedes": 3}, "sedes", "seeds"),
        ({"seeds": 1}, "seeds", "2"),
        ({"axis": []}, "axis", "at least 1"),
        ({"axis": [{"key": "rules.pooling", "values": [], "source": "x"}]}, "axis.0.values", "at least 1"),
        ({"axis": [{"key": "rules.pooling", "values": [True, True], "source": "x"}]}, "axis.0", "twice"),
        ({"axis": [{"key": "rules.fee", "values": [1.0], "source": "x"}]}, "axis.0.key", "rules.forward_fee_eur_per_mwh"),
        ({"axis": [{"key": "products.mfrr.min", "values": [1.0], "source": "x"}]}, "axis.0.key", "products.mfrr.min_mw"),
        ({"axis": [{"key": "days", "values": [1, 2], "source": "x"}]}, "axis.0.key", "consent_share"),
        ({"axis": [{"key": "design", "values": ["nordflex"], "source": "x"}]}, "design", "norflex_eam"),
        ({"axis": [{"key": "strategy", "values": ["rebit"], "source": "x"}]}, "strategy", "rebid"),
        ({"axis": [{"key": "consent_share", "values": [0.5], "source": "x"}]}, "Setting", "exclude each other"),
        ({"settings": {"rules.pool": True}}, "settings", "rules.pooling"),
        ({"settings": {"rules.position": "perhaps"}}, "rules.position", "corrected"),
        ({"settings": {"rules.pooling": True}}, "Study", "swept"),
        ({"parameters": {"greed": 1.0}}, "parameters.greed", "lfm_need_mw"),
        ({"metrics": ["profit"]}, "metrics.0", "flex_eur_per_kw_year"),
        ({"strategy": "do_nothing"}, "Study", "reference"),
        ({"axis": [{"key": "rules.forward_fee_eur_per_mwh", "values": [0, 0.0], "source": "x"}]}, "axis.0", "twice"),
    ],
)  # fmt: skip
def test_a_bad_study_is_refused_by_name(changed: dict[str, Any], key: str, says: str) -> None:
    with pytest.raises(StackingError) as error:
        cells_of(study_from(small(**changed), "small.toml"), "small.toml")
    found = error.value
    assert "small.toml" in found.place
    assert key in found.key
    assert says in found.allowed, found
    assert found.remedy


FINE = {"products.mfrr.granularity_mw": 0.1}


def axis_of(key: str, *values: Any) -> list[dict[str, Any]]:
    return [{"key": key, "values": list(values), "source": "assumed"}]


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ({"design": "parallel", "axis": axis_of("rules.forward_fee_eur_per_mwh", 0.0, 5.0)}, 5.0),
        ({"design": "parallel_late", "axis": axis_of("rules.pooling", False, True)}, True),
        ({"axis": axis_of("rules.lock_latency_s", 0.0, 60.0)}, 60.0),
        ({"design": "exclusive", "consent": "own", "axis": axis_of("consent_share", 0.0, 1.0)}, 1.0),
        ({"design": "mandatory", "consent": "own", "axis": axis_of("consent_share", 0.0, 0.5)}, 0.5),
        ({"consent": "own", "axis": axis_of("consent_share", 0.0, 0.5, 0.51)}, 0.51),
        ({"axis": axis_of("population", "mixed:8", "mixed:08")}, "mixed:08"),
    ],
)
def test_an_axis_that_changes_nothing_is_refused(changed: dict[str, Any], value: Any) -> None:
    """A fee where nothing is forwarded, consent where nobody is asked, two shares with equally many of eight FSPs."""
    data = small(**changed)
    if changed["axis"][0]["key"] == "population":
        data.pop("population")
    with pytest.raises(StackingError, match="changes nothing") as error:
        cells_of(study_from(data, "small.toml"), "small.toml")
    assert error.value.key == f"axis.0 ({changed['axis'][0]['key']})"
    assert error.value.value == value
    assert error.value.remedy


def test_an_axis_that_matters_in_one_design_only_is_run() -> None:
    axes = [*axis_of("design", "parallel", "norflex_eam"), *axis_of("rules.pooling", False, True)]
    study = study_from(small(axis=axes), "small.toml")
    contents = [cell.content for cell in cells_of(study, "small.toml")]
    assert contents[0] == contents[1], "nothing is shared, so nothing is pooled"
    assert len(set(contents)) == 3


def test_a_value_that_changed_nothing_in_these_scenarios_is_named(tmp_path: Path) -> None:
    axes = [*axis_of("rules.delivery_priority", "dso_first", "tso_first"), *axis_of("products.mfrr.min_mw", 0.1, 1000.0)]
    text = started(small(design="parallel", strategy="mfrr_only", parameters={}, settings=FINE, axis=axes), tmp_path).report.text(
        200
    )
    assert "rules.delivery_priority = tso_first gave the same episodes as dso_first in every cell" in text
    assert text.count("gave the same episodes") == 1


def test_a_changed_input_file_is_noticed(tmp_path: Path) -> None:
    design = tmp_path / "mine.toml"
    design.write_text((DESIGNS_FOLDER / "norflex_eam.toml").read_text())
    data = small(design=str(design), axis=axis_of("rules.pooling", False, True))
    study = study_from(data, "small.toml")
    before = study_json(study, cells_of(study, "small.toml"))
    design.write_text(design.read_text().replace('position = "none"', 'position = "corrected"'))
    assert study_json(study, cells_of(study, "small.toml")) != before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fees"], "minimum_and_pooling"),
        ([], "position_rule"),
        (["fee", "--set", "fee=3"], "forward"),
        (["fee", "--set", "seeds"], "seeds=4"),
        (["no/such.toml"], "no/such.toml"),
    ],
)
def test_a_bad_command_is_refused(arguments: list[str], says: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert says in done.stderr


def test_set_replaces_an_axis_opens_one_or_fixes_a_value() -> None:
    study = changed_study("fee", ["rules.pooling=true", "strategy=['rebid', 'stacked']", "rules.tso_penalty_factor=2"])
    assert [(a.key, a.values) for a in study.axis][2:] == [("rules.pooling", (True,)), ("strategy", ("rebid", "stacked"))]
    assert study.settings == {"rules.tso_penalty_factor": 2}


# ---- figure ----------------------------------------------------------------------------------------------------------
def test_a_chart_marks_every_figure_at_its_height() -> None:
    line = [Interval(0.0, -1.0, 1.0, 0.95, 2), Interval(10.0, 9.0, 11.0, 0.95, 2), None]
    text = svg(Chart("T < U", "x", "y", ["0", "1", "2"], [0.0, 1.0, 2.0], {"a & b": line}))
    assert text.count("<circle") == 2
    assert "T &lt; U" in text
    assert "a &amp; b" in text
    heights = [float(part.split('cy="')[1].split('"')[0]) for part in text.splitlines() if part.startswith("<circle")]
    assert heights[0] > heights[1]
    assert text == svg(Chart("T < U", "x", "y", ["0", "1", "2"], [0.0, 1.0, 2.0], {"a & b": line}))


def test_a_chart_has_room_for_its_legend_and_keeps_places_apart() -> None:
    name = "delivery_priority=dso_first, strategy=overbook"
    line = [Interval(float(k), k - 1.0, k + 1.0, 0.95, 2) for k in range(5)]
    text = svg(
        Chart("T", "fee", "y", ["0", "1", "5", "20", "50"], [0.0, 1.0, 5.0, 20.0, 50.0], {f"{name}{k}": line for k in range(30)})
    )
    width, height = (float(part) for part in text.split('viewBox="0 0 ')[1].split('"')[0].split())
    assert width > 560 + 7 * len(name)
    assert height > 50 + 18 * 30
    assert "fee (not to scale)" in text
    strokes = {part.split("fill")[1] for part in text.splitlines() if part.startswith("<polyline")}
    assert len(strokes) == 21, "seven colours in three kinds of line"


def test_the_example_of_the_documentation_is_a_study(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "studies.md").read_text()
    file = tmp_path / "fee_small.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0])
    assert len(cells_of(read_study(str(file)), str(file))) == 2
    for name in SHIPPED:
        assert f"| `{name}` |" in page
        assert f"| {len(cells_of(read_study(name), name))} |" in next(r for r in page.splitlines() if r.startswith(f"| `{name}`"))


def test_the_files_of_the_shipped_studies_are_plain() -> None:
    from stacking.experiments.studies.record import FOLDER

    for name in SHIPPED:
        own = {"contest": "metrics", "equilibrium": "choices"}[read_study(name).kind]
        assert set(read_toml(FOLDER / f"{name}.toml")) >= {"title", "question", "assumed", "axis", own}
