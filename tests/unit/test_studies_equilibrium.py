"""Studies of equilibria: what their files may say, how a killed one continues, and that nobody gains by another choice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from stacking.agents.consent import FspChoice, scaled, yearly_eur
from stacking.columns import DA_PRICE, NEED, NEED_FORECAST, UP, VOLUME, background_column
from stacking.errors import StackingError
from stacking.experiments import cli
from stacking.experiments.chart import Chart, svg
from stacking.experiments.depth import with_depth
from stacking.experiments.fsp_types import TypeRule, types_of
from stacking.experiments.game import Game
from stacking.experiments.runner import run
from stacking.experiments.stats import Interval
from stacking.experiments.studies import equilibria
from stacking.experiments.studies.cells import cells_of
from stacking.experiments.studies.changes import changed_study
from stacking.experiments.studies.contest import contest_of, library_of, players_of
from stacking.experiments.studies.ends import cell_table, consent_frac, end_table, outcome_of, type_table
from stacking.experiments.studies.ends_report import label_of, report_of
from stacking.experiments.studies.kinds import KINDS
from stacking.experiments.studies.record import LEFT_OUT, RECORDS, EquilibriumStudy, read_study, study_from
from stacking.experiments.studies.run import run_study
from stacking.units import HOURS_PER_YEAR, MTU_H

FEE = {"key": "rules.forward_fee_eur_per_mwh", "values": [0.0, 500.0], "alone": True, "source": "assumed"}
TINY: dict[str, Any] = {
    "kind": "equilibrium",
    "title": "Tiny",
    "question": "Does it run?",
    "population": "mixed:8",
    "days": 1,
    "seeds": 2,
    "split": "train",
    "choices": ["consent", "local_only"],
    "types": {"kinds": [["battery", "mixed"], ["fleet"], ["load"]], "size_edges_mw": [0.0, 1.0]},
    "parameters": {"lfm_need_mw": 0.0},
    "settings": {"products.mfrr.min_mw": 0.1, "products.mfrr.granularity_mw": 0.1},
    "axis": [FEE],
}


def tiny(**changed: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(TINY)), **changed}


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in tiny().items() if k != key}


def study_of(data: dict[str, Any]) -> EquilibriumStudy:
    study = study_from(data, "tiny.toml")
    assert isinstance(study, EquilibriumStudy)
    return study


def started(data: dict[str, Any], out: Path) -> Any:
    study = study_of(data)
    return run_study(study, "tiny", cells_of(study, "tiny.toml"), out)


def content(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("equilibrium") / "whole"
    started(tiny(), folder)
    return folder


# ---- files -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "key", "says"),
    [
        (tiny(kind="balance"), "kind", "contest, equilibrium"),
        (tiny(kind=3), "kind", "contest, equilibrium"),
        (without("choices"), "choices", "required"),
        (tiny(choices=[]), "choices", "at least 2"),
        (tiny(choices=["consent"]), "choices", "at least 2"),
        (tiny(choices=["consent", "stay"]), "choices.1", "bid_itself"),
        (tiny(choices=["consent", "consent"]), "EquilibriumStudy", "twice"),
        (tiny(types={"kinds": [["battery", "mixed"], ["wind"], ["load"]]}), "types.kinds.1.0", "'fleet'"),
        (tiny(types={"kinds": [["battery", "mixed"], ["load"]]}), "types", "fleet"),
        (tiny(types={"kinds": [["battery", "mixed"], ["fleet", "load"], ["load"]]}), "types", "once"),
        (tiny(types={"kinds": [["battery", "mixed"], [], ["fleet", "load"]]}), "types", "not empty"),
        (tiny(types={"size_edges_mw": [0.2, 1.0]}), "types", "from 0"),
        (tiny(types={"size_edges_mw": [0.0, 1.0, 0.2]}), "types", "rise"),
        (tiny(types={"sizes": [0.0]}), "types.sizes", "not permitted"),
        (tiny(epsilon_eur_per_kw_year=-1.0), "epsilon_eur_per_kw_year", "0"),
        (tiny(epsilon_eur_per_kw_year=float("nan")), "epsilon_eur_per_kw_year", "finite"),
        (tiny(random_starts=-1), "random_starts", "0"),
        (tiny(cost_factors=[]), "cost_factors", "at least 1"),
        (tiny(cost_factors=[1.0, 1.0]), "EquilibriumStudy", "twice"),
        (tiny(consent_share=0.5), "EquilibriumStudy", "consent_share"),
        (tiny(axis=[{"key": "consent_share", "values": [0.0, 1.0], "source": "x"}]), "EquilibriumStudy", "consent_share"),
        (tiny(metrics=["flex_eur"]), "metrics", "choices"),
        (tiny(axis=[{**FEE, "also": {"rules.pooling": [False]}}]), "axis.0", "one value for each"),
        (tiny(axis=[{**FEE, "also": {"rules.pool": [False, True]}}]), "axis.0.also", "rules.pooling"),
        (tiny(axis=[{**FEE, "also": {FEE["key"]: [0.0, 1.0]}}]), "EquilibriumStudy", "twice"),
        (tiny(axis=[{**FEE, "also": {"products.mfrr.min_mw": [0.1, 0.2]}}]), "EquilibriumStudy", "swept"),
        (tiny(consent="perhaps"), "consent", "break_even"),
        (tiny(design="parallel"), "consent", "owners consent"),
        (tiny(design="mandatory"), "consent", "owners consent"),
        (tiny(settings={"rules.change_forwarded": "price_and_volume"}), "rules.change_forwarded", "none, price"),
        ({**tiny(kind="contest"), "metrics": ["flex_eur"]}, "choices", "metrics"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_by_name(data: dict[str, Any], key: str, says: str) -> None:
    with pytest.raises(StackingError) as caught:
        cells_of(study_from(data, "tiny.toml"), "tiny.toml")
    assert "tiny.toml" in caught.value.place
    assert key in caught.value.key
    assert says in caught.value.allowed, caught.value


def test_a_contest_sweeps_no_axis_alone() -> None:
    data = {"title": "t", "question": "q?", "axis": [FEE]}
    with pytest.raises(StackingError) as caught:
        study_from(data, "here")
    assert "equilibrium" in caught.value.allowed


def test_every_kind_has_a_record_and_knows_how_to_run() -> None:
    assert KINDS.keys() == RECORDS.keys()


def test_axes_swept_alone_leave_the_base_one_at_a_time_and_take_other_keys_along() -> None:
    minimum = {
        "key": "products.mfrr.min_mw", "values": [0.5, 0.1, 1.0], "also": {"products.mfrr.granularity_mw": [0.1, 0.1, 1.0]},
        "alone": True, "source": "assumed",
    }  # fmt: skip
    change = {"key": "rules.consent_revocable_until_min", "values": [LEFT_OUT, 75.0], "alone": True, "source": "assumed"}
    pooling = {"key": "rules.pooling", "values": [False, True], "source": "assumed"}
    study = study_of(tiny(settings={}, axis=[minimum, change, pooling]))
    cells = cells_of(study, "tiny.toml")
    assert [[value for _, value in cell.point] for cell in cells] == [
        [0.5, LEFT_OUT, False], [0.5, LEFT_OUT, True], [0.1, LEFT_OUT, False], [0.1, LEFT_OUT, True],
        [1.0, LEFT_OUT, False], [1.0, LEFT_OUT, True], [0.5, 75.0, False], [0.5, 75.0, True],
    ]  # fmt: skip
    settings = [dict(cell.setting.settings) for cell in cells]
    assert [s["products.mfrr.granularity_mw"] for s in settings] == [0.1, 0.1, 0.1, 0.1, 1.0, 1.0, 0.1, 0.1]
    assert [s.get("rules.consent_revocable_until_min") for s in settings] == [None] * 6 + [75.0] * 2
    assert label_of(study, cells[0]) == "base, pooling=false"
    assert label_of(study, cells[4]) == "min_mw=1, pooling=false"


def test_set_reaches_lists_types_and_axes_that_take_others_along() -> None:
    changes = ["choices=['consent', 'leave']", "types.size_edges_mw=[0.0, 0.5]", "products.mfrr.min_mw=[0.5, 1.0]", "seeds=3"]
    study = changed_study("optin_equilibrium", changes)
    assert isinstance(study, EquilibriumStudy)
    assert (study.choices, study.types.size_edges_mw, study.seeds) == ((FspChoice.CONSENT, FspChoice.LEAVE), (0.0, 0.5), 3)
    axis = next(a for a in study.axis if a.key == "products.mfrr.min_mw")
    assert (axis.values, dict(axis.also)) == ((0.5, 1.0), {"products.mfrr.granularity_mw": (0.1, 1.0)})
    with pytest.raises(StackingError) as caught:
        changed_study("optin_equilibrium", ["products.mfrr.min_mw=[0.5, 2.0]"])
    assert caught.value.value == 2.0


def test_dry_run_tells_cells_and_searches() -> None:
    done = CliRunner().invoke(cli.app, ["run", "optin_equilibrium", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "change_forwarded=price, pooling=true" in done.stdout
    assert "20 cells of 18 searches" in done.stdout.splitlines()[-1]
    found = json.loads(CliRunner().invoke(cli.app, ["run", "optin_equilibrium", "--dry-run", "--json"]).stdout)
    assert found["searches"] == 360


# ---- a killed run ----------------------------------------------------------------------------------------------------
def test_a_run_killed_within_a_cell_plays_no_profile_twice_and_ends_with_the_same_bytes(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays: list[tuple[object, ...]] = []
    most = {0.0: 3, 500.0: 0}
    plain = Game.flex_eur

    def counted(game: Game, profile: Any) -> Any:
        fee = game.design.rules.forward_fee_eur_per_mwh
        if sum(play[0] == fee for play in plays) == most[fee]:
            raise KeyboardInterrupt
        plays.append((fee, *profile))
        return plain(game, profile)

    monkeypatch.setattr(Game, "flex_eur", counted)
    for allowed, cells, parts in (({0.0: 3}, 0, 3), ({0.0: 999, 500.0: 2}, 1, 2)):
        most |= allowed
        with pytest.raises(KeyboardInterrupt):
            started(tiny(), tmp_path)
        assert [len(list((tmp_path / name).iterdir())) for name in ("cells", "parts")] == [cells, parts]
    assert not (tmp_path / "finished.json").exists()
    (tmp_path / "parts" / ".0001-00000-abc.parquet.x1y2").write_bytes(b"half a part")
    most[500.0] = 999
    started(tiny(), tmp_path)
    assert len(plays) == len(set(plays)), "no profile twice"
    assert content(tmp_path) == content(whole)
    assert not (tmp_path / "parts").exists()


def test_a_finished_study_plays_nothing_again(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(whole)
    monkeypatch.setattr(Game, "flex_eur", lambda game, profile: pytest.fail("played again"))
    assert started(tiny(), whole).found == 2
    assert content(whole) == before


def test_a_changed_part_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(equilibria.pd, "concat", stop)
        with pytest.raises(KeyboardInterrupt):
            started(tiny(), tmp_path)
    file = next((tmp_path / "parts").iterdir())
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(StackingError, match="changed after") as caught:
        started(tiny(), tmp_path)
    assert caught.value.key == "cell 0"
    file.unlink()
    started(tiny(), tmp_path)


# ---- nobody gains ----------------------------------------------------------------------------------------------------
def test_no_type_gains_more_than_epsilon_by_any_choice_played_anew(whole: Path) -> None:
    """Every end of the first cell, every type, every choice: by the game itself and by hand, without search or kept profile."""
    study = study_of(tiny())
    cell = cells_of(study, "tiny.toml")[0]
    game = equilibria.game_of(cell.setting, {}, "serial")
    own = [study.types.name_of(p) for p in game.portfolios]
    table = pd.read_csv(whole / "types.csv")
    years = float(np.mean(game.library.length)) * MTU_H / HOURS_PER_YEAR
    checked = 0
    for (factor, _), end in table.loc[table["cell"] == 0].groupby(["cost_factor", "end"]):
        chosen = dict(zip(end["type"], end["choice"], strict=True))
        for _, row in end.iterrows():
            rows = [k for k, name in enumerate(own) if name == row["type"]]
            kw = 1000.0 * sum(game.portfolios[k].rated_mw for k in rows)
            earned = {}
            for choice in study.choices:
                entries = [choice.value if name == row["type"] else chosen[name] for name in own]
                flex = game.flex_eur(entries).mean(axis=0)[rows].sum() / years
                earned[choice.value] = (flex - len(rows) * yearly_eur(choice, scaled(factor))) / kw
            now = earned.pop(row["choice"])
            assert row["eur_per_kw_year"] == pytest.approx(now, abs=1e-9)
            assert row["gain"] == pytest.approx(max(earned.values()) - now, abs=1e-9)
            assert max(earned.values()) - now <= study.epsilon_eur_per_kw_year
            checked += 1
    assert checked >= 3 * len(set(own))
    assert all(pd.read_csv(whole / "ends.csv")["settled"])


def test_what_a_fee_does_reaches_the_table(whole: Path) -> None:
    share = pd.read_csv(whole / "table.csv").set_index(["cell", "cost_factor"])["consent_mw_frac"].to_dict()
    assert share[0, 1.0] > 0.0
    assert share[1, 1.0] == 0.0, "a fee of 500 EUR/MWh ends consent"
    assert {"figure_rules_forward_fee_eur_per_mwh.svg", "table.txt", "ends.csv", "types.csv"} <= {p.name for p in whole.iterdir()}


# ---- two types, by hand ----------------------------------------------------------------------------------------------
EARNED = {"00": (1000.0, 1000.0), "01": (0.0, 200.0), "10": (200.0, 0.0), "11": (0.0, 0.0)}
"""Profile of two types (0: consent, 1: local only) -> EUR/MW-year of each: both together earn most, one rides free."""


def two(**changed: Any) -> tuple[EquilibriumStudy, Any, pd.DataFrame]:
    """Return study, cell and kept profiles; the scenarios of a year each earn 100 EUR more and less than their mean."""
    study = study_of(tiny(cost_factors=[1.0, 0.8, 7.0], random_starts=0, axis=[FEE], **changed))
    rows = [
        {"profile": profile, "scenario": str(s), "type": name, "fsps": 1.0, "rated_mw": 1.0 + 2.0 * k, "years": 1.0,
         "flex_eur": (1.0 + 2.0 * k) * (eur[k] + (100.0 if profile == "00" else 0.0) * (2 * s - 1))}
        for profile, eur in EARNED.items() for s in range(2) for k, name in enumerate("ab")
    ]  # fmt: skip
    return study, cells_of(study, "tiny.toml")[0], pd.DataFrame(rows)


def test_ends_shares_and_gains_of_two_types_by_hand() -> None:
    """Type a: 1 MW, b: 3 MW, one FSP each; consent costs 150 EUR a year, 0.15 and 0.05 EUR/kW-year, all assumed.

    Both consent: 1 EUR/kW-year less that; who goes local meanwhile rides free for 0.2. Who consents alone gets nothing. At
    seven times the costs a pays 1.05 for 1 and goes; b, alone, follows.
    """
    study, cell, frame = two()
    outcome = outcome_of(study, cell, frame)
    ends = {factor: [(end.starts, end.one.profile) for end in found] for factor, found in outcome.ends.items()}
    assert ends[1.0] == ends[0.8] == [(("all consent",), (0, 0)), (("all local_only",), (1, 1))]
    assert ends[7.0] == [(("all consent", "all local_only"), (1, 1))]
    table = cell_table(study, {cell: outcome}).set_index("cost_factor")
    assert table["ends"].to_dict() == {1.0: 2, 0.8: 2, 7.0: 1}
    assert table["ends_by_consent"].to_dict() == {1.0: 2, 0.8: 2, 7.0: 1}
    assert table["settled"].to_dict() == {1.0: 2, 0.8: 2, 7.0: 2}
    assert (table.loc[1.0, "consent_mw_least_frac"], table.loc[1.0, "consent_mw_most_frac"]) == (0.0, 1.0)
    assert table.loc[7.0, "consent_mw_most_frac"] == 0.0
    rows = type_table(study, {cell: outcome}).set_index(["cost_factor", "end", "type"])
    a, b = rows.loc[(1.0, 0, "a")], rows.loc[(1.0, 0, "b")]
    assert (a["eur_per_kw_year"], b["eur_per_kw_year"]) == pytest.approx((0.85, 0.95))
    assert (a["best_other"], a["gain"]) == ("local_only", pytest.approx(0.2 - 0.85))
    # differences -0.55 and -0.75 in the two scenarios: deviation 0.1414, over the root of two 0.1
    assert a["gain_error"] == pytest.approx(0.1)
    assert (a["consent_worth"], a["consent_worth_error"]) == pytest.approx((0.65, 0.1))
    apart = rows.loc[(1.0, 1, "b")]  # alone, consent brings b nothing but its costs
    assert (apart["consent_worth"], apart["consent_worth_error"]) == pytest.approx((-0.05, 0.0))
    assert end_table(study, {cell: outcome})["mw_consent_frac"].tolist() == [1.0, 0.0, 1.0, 0.0, 0.0]


def test_shares_count_fsps_and_mw() -> None:
    study, cell, frame = two()
    frame.loc[frame["profile"] == "10", "flex_eur"] = [0.0, 9000.0] * 2  # b consents whatever a does
    frame.loc[frame["profile"] == "00", "flex_eur"] = [0.0, 9000.0] * 2  # a never
    (end,) = outcome_of(study, cell, frame).ends[1.0]
    assert end.one.profile == (1, 0)
    assert (consent_frac(study, end.fsps_frac), consent_frac(study, end.mw_frac)) == (0.5, 0.75)


def test_dearer_assumed_costs_never_raise_consent_in_the_hand_solved_case() -> None:
    factors = [0.0, 0.5, 1.0, 5.0, 5.3, 5.5, 20.0]
    study, cell, frame = two()
    study = study.model_copy(update={"cost_factors": tuple(factors)})
    table = cell_table(study, {cell: outcome_of(study, cell, frame)})
    most = table["consent_mw_most_frac"].tolist()
    # a goes where 0.2 - (1 - 0.15 f) > 0.01, f > 5.4, and b with it
    assert most == [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert most == sorted(most, reverse=True)


def test_the_figure_shows_the_ends_and_the_band_of_costs() -> None:
    study, cell, frame = two()
    other = cells_of(study, "tiny.toml")[1]
    apart = frame.assign(flex_eur=np.where(frame["profile"] == "11", 5000.0, 0.0))  # nobody ever consents
    report = report_of(study, "tiny", {cell: frame, other: apart})
    figure = report.files()["figure_rules_forward_fee_eur_per_mwh.svg"].decode()
    assert figure.count("<polygon") == 2, "a band for MW and one for FSPs"
    assert figure.count('fill="none" stroke="#0072b2"/>') == 1, "one other end at the first place"
    worth = report.files()["worth_rules_forward_fee_eur_per_mwh.svg"].decode()
    assert worth.count("<polyline") == worth.count("<polygon") == 2, "one line and band for each type"
    text = report.text(200)
    assert "0.65 [-1.05, 0.68]" in text, "at seven times the costs nobody else consents: nothing for 1.05"
    assert "100.0 % or 0 %" in text
    assert "0 % to 100.0 %" in text
    assert "base, end 2 of 2 (from all local_only)" in text
    assert [row["ends"] for row in report.rows()] == [2, 2, 1, 1, 1, 1]
    assert json.dumps(report.rows())


def test_a_start_that_goes_in_a_circle_is_not_settled() -> None:
    study, cell, frame = two()
    chase = {"00": (9000.0, 0.0), "01": (0.0, 9000.0), "10": (0.0, 9000.0), "11": (9000.0, 0.0)}  # a wants to match, b not
    frame["flex_eur"] = [chase[p][k] for p in EARNED for _ in range(2) for k in range(2)]
    table = cell_table(study, {cell: outcome_of(study, cell, frame)})
    assert table["settled"].tolist() == [0, 0, 0]
    assert (table["largest_gain"] > study.epsilon_eur_per_kw_year).all()


# ---- figures and levers ----------------------------------------------------------------------------------------------
def test_a_band_and_open_circles_are_drawn_at_their_heights() -> None:
    line: list[Interval | None] = [Interval(50.0, 0.0, 100.0, 1.0, 2)] * 2
    chart = Chart("T", "x", "y", ["0", "1"], [0.0, 1.0], {"l": line}, {"l": [(0.0, 100.0)] * 2}, {"l": [[100.0], []]})
    text = svg(chart)
    (polygon,) = (part for part in text.splitlines() if part.startswith("<polygon"))
    heights = {point.split(",")[1] for point in polygon.split('"')[1].split()}
    circle = next(part for part in text.splitlines() if 'r="4"' in part)
    assert len(heights) == 2
    assert min(heights, key=float) in circle
    assert svg(Chart("T", "x", "y", ["0", "1"], [0.0, 1.0], {"l": line})).count("<polygon") == 0


def test_depth_moves_volumes_and_no_price_while_nobody_bids() -> None:
    data = tiny(choices=["consent", "leave"], axis=[{"key": "depth_factor", "values": [1.0, 0.01], "source": "x"}])
    cells = cells_of(study_of(data), "tiny.toml")
    plain, thin = (library_of(cell.setting, players_of(cell.setting), {}) for cell in cells)
    at = background_column(UP)
    for column in (at + NEED, at + VOLUME, NEED_FORECAST):
        assert np.array_equal(thin.series[:, :, column], 0.01 * plain.series[:, :, column])
    assert np.array_equal(thin.series[:, :, DA_PRICE], plain.series[:, :, DA_PRICE])
    assert with_depth(plain, 1.0) is plain
    assert "balancing market x 0.01" in thin.synthetic[-1]
    assert cells[0].content != cells[1].content
    # do_nothing is settled at published prices: byte by byte the same; who bids moves the price of a thin market
    settings = [cell.setting.model_copy(update={"strategy": "mfrr_only", "parameters": {}}) for cell in cells]
    found = [run(contest_of(setting, {})).episodes for setting in settings]
    net = [frame.loc[frame["strategy"] == "do_nothing", "net_eur"].to_numpy() for frame in found]
    assert np.array_equal(net[0], net[1])
    sold = [frame.loc[frame["strategy"] == "mfrr_only", "activated_mfrr_mwh"].sum() for frame in found]
    assert 0.0 < sold[1] < sold[0], "bids meet a hundredth of the need"


def test_types_are_kinds_that_count_as_one_and_classes_of_size() -> None:
    study = study_of(tiny())
    portfolios = players_of(cells_of(study, "tiny.toml")[0].setting).portfolios
    types = types_of(portfolios, study.types)
    assert len(types.own) == 8
    assert types.fsps.sum() == 8
    assert types.rated_mw.sum() == pytest.approx(sum(p.rated_mw for p in portfolios))
    order = study.types.names()
    assert order[:2] == ("battery or mixed 0-1 MW", "battery or mixed 1+ MW")
    assert list(types.names) == sorted(types.names, key=order.index)
    for portfolio, own in zip(portfolios, types.own, strict=True):
        assert own.endswith("1+ MW" if portfolio.rated_mw >= 1.0 else "0-1 MW")
    assert TypeRule().names()[0] == "battery 0-0.2 MW"


def test_the_shipped_study_asks_all_choices_from_all_starts_with_a_band_of_a_fifth() -> None:
    study = read_study("optin_equilibrium")
    assert isinstance(study, EquilibriumStudy)
    assert study.choices == tuple(FspChoice)
    assert study.random_starts >= 1
    assert sorted(study.cost_factors) == [0.8, 1.0, 1.2]
    assert study.cost_factors[0] == 1.0
    assert [axis.key for axis in study.axis if not axis.alone] == ["rules.pooling"]
