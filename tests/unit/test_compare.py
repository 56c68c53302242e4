"""Runs and their comparison: every printed figure follows from stored rows, and batching changes no byte."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stacking.agents.parameters import shipped_parameters
from stacking.agents.strategies import make_strategy, values_of
from stacking.catalogue import default_portfolios, load_design
from stacking.errors import StackingError
from stacking.experiments import compare, groups, inputs, players, report, rows, runner, stats, store, tables
from stacking.experiments.request import Request
from stacking.experiments.rows import CASH_COLUMNS, ENERGY_COLUMNS, MARKET_COLUMNS, REFUSED_COLUMNS
from stacking.experiments.stats import Interval
from stacking.experiments.strategy_input import chosen_strategies
from stacking.network import compile_network
from stacking.scenario import generate, scenario_keys

KEYS = ["design", "strategy", "scenario", "portfolio"]


@pytest.fixture(scope="module")
def setup() -> inputs.Setup:
    request = inputs.Request(
        designs=("parallel", "norflex_eam", "norflex"), strategies=("lfm_only", "overbook", "stacked"), seeds=5, days=2,
        split="validation", consent="always", tuned=False,
    )  # fmt: skip
    return inputs.prepare(request)


@pytest.fixture(scope="module")
def finished(setup: inputs.Setup) -> report.Comparison:
    return report.compare(setup)


def _episodes() -> pd.DataFrame:
    """Return rows by hand: one design, three strategies, three scenarios, two portfolios."""
    rows = []
    for strategy, flex in (("do_nothing", (0.0, 0.0, 0.0)), ("rebid", (3.0, 6.0, 9.0)), ("mine", (5.0, 4.0, 12.0))):
        for k, total in enumerate(flex):
            for portfolio, part in (("a", 0.25), ("b", 0.75)):
                row = dict.fromkeys((*CASH_COLUMNS, *ENERGY_COLUMNS, *REFUSED_COLUMNS), 0.0)
                row |= {
                    "design": "d", "strategy": strategy, "scenario": f"s{k}", "portfolio": portfolio,
                    "flex_eur": total * part, "net_eur": total * part, "flex_mtu_eur": total * part,
                    "top_mtu_eur": 0.5 * total * part, "rated_mw_hours": 10.0,
                    "activated_lfm_mwh": 2.0, "activated_mfrr_mwh": 2.0, "undelivered_mfrr_mwh": float(k == 2),
                    "asked_count": 4.0, "opted_out_count": float(k),
                }  # fmt: skip
                rows.append(row)
    return pd.DataFrame(rows)


def test_figures_by_hand() -> None:
    found = compare.figures(compare.comparison_table(_episodes(), resamples=2000))
    assert found["d", "mine", "flex_eur"].estimate == 7.0
    assert found["d", "mine", "flex_eur"].count == 3
    # 21 EUR over 3 scenarios x 2 portfolios x 10 MWh of rated power: 0.35 EUR/MWh = 0.35 * 8.76 EUR/kW-year
    assert found["d", "mine", "flex_eur_per_kw_year"].estimate == pytest.approx(0.35 * 8.76)
    assert found["d", "mine", "difference_eur"].estimate == 1.0  # mean of 2, -2, 3
    assert found["d", "mine", "difference_eur"].low == -2.0
    assert found["d", "mine", "difference_eur"].high == 3.0
    assert found["d", "do_nothing", "difference_eur"].estimate == -6.0
    assert ("d", "rebid", "difference_eur") not in found
    assert found["d", "mine", "cvar_eur"].estimate == 4.0  # the worst of three
    assert found["d", "mine", "top_share_frac"].estimate == 0.5
    assert found["d", "mine", "delivered_frac"].estimate == pytest.approx(22.0 / 24.0)
    assert found["d", "mine", "opt_out_mtu_frac"].estimate == pytest.approx(6.0 / 24.0)
    assert np.isnan(found["d", "mine", "opt_out_mwh_frac"].estimate)  # nothing asked, no share
    assert np.isnan(found["d", "do_nothing", "top_share_frac"].estimate)


def test_the_order_of_rows_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    parts = [_episodes().assign(scenario=lambda e, k=k: e["scenario"] + f"/{k}") for k in range(4)]
    episodes = pd.concat(parts, ignore_index=True)
    episodes["flex_eur"] += rng.normal(size=len(episodes))
    mixed = episodes.sample(frac=1.0, random_state=3)
    first, second = (compare.figures(compare.comparison_table(e, resamples=500)) for e in (episodes, mixed))
    assert first.keys() == second.keys()
    for key, figure in first.items():
        np.testing.assert_allclose(
            [figure.estimate, figure.low, figure.high],
            [second[key].estimate, second[key].low, second[key].high], rtol=1e-12, err_msg=str(key),
        )  # fmt: skip


def test_what_cannot_be_compared_is_refused() -> None:
    episodes = _episodes()
    with pytest.raises(StackingError, match="at least two scenarios"):
        compare.comparison_table(episodes[episodes["scenario"] == "s0"])
    lacking = episodes[~((episodes["strategy"] == "mine") & (episodes["scenario"] == "s1"))]
    with pytest.raises(StackingError, match="same scenarios"):
        compare.comparison_table(lacking)
    with pytest.raises(StackingError, match="column") as caught:
        compare.comparison_table(episodes.drop(columns="cash_fee_eur"))
    assert caught.value.key == "cash_fee_eur"


def test_without_the_baseline_there_is_no_difference() -> None:
    episodes = _episodes()
    table = compare.comparison_table(episodes[episodes["strategy"] != "rebid"], resamples=100)
    assert "difference_eur" not in set(table["metric"])


# ---- runs ------------------------------------------------------------------------------------------------------------
def test_rows_are_complete_and_add_up(setup: inputs.Setup, finished: report.Comparison) -> None:
    episodes, days = finished.result.episodes, finished.result.days
    assert len(episodes) == 3 * 5 * 5  # designs, strategies with reference and baseline, scenarios
    assert list(dict.fromkeys(episodes["design"])) == ["parallel", "norflex_eam", "norflex"]
    assert set(episodes["strategy"]) == {"do_nothing", "rebid", "lfm_only", "overbook", "stacked"}
    assert not episodes.duplicated(KEYS).any()
    cash = episodes[list(CASH_COLUMNS)].sum(axis=1)
    np.testing.assert_allclose(episodes["net_eur"], cash, atol=1e-9)
    reference = episodes[episodes["strategy"] == "do_nothing"].set_index(["design", "scenario"])["cash_terminal_eur"]
    left = episodes["cash_terminal_eur"] - reference.loc[pd.MultiIndex.from_frame(episodes[["design", "scenario"]])].to_numpy()
    np.testing.assert_allclose(episodes["flex_mtu_eur"], episodes["flex_eur"] - left, atol=1e-9)
    per_day = days.groupby(KEYS, sort=False)[["net_eur", "flex_eur"]].sum()
    np.testing.assert_allclose(
        per_day.to_numpy(), episodes.set_index(KEYS).loc[per_day.index, ["net_eur", "flex_eur"]], atol=1e-9
    )
    assert (days.groupby(KEYS)["day"].nunique() == 3).all()  # half a day before, two days of delivery
    assert (episodes["days"] == 2).all()
    assert (episodes["mtu"] == np.tile(setup.contest.library.length, 15)).all()


def test_what_belongs_to_a_world_is_counted_once(finished: report.Comparison, crowd: report.Comparison) -> None:
    """One row for each design, strategy and scenario, however many FSPs; payments and sales are those of all FSPs together."""
    for done in (finished, crowd):
        episodes, worlds = done.result.episodes, done.result.worlds
        keys = ["design", "strategy", "scenario"]
        together = episodes.groupby(keys, sort=False).sum(numeric_only=True).reset_index()
        pd.testing.assert_frame_equal(worlds[keys], together[keys])
        np.testing.assert_allclose(worlds["dso_paid_eur"], together["cash_lfm_eur"], atol=1e-6)
        tso = together[["cash_mfrr_eur", "cash_mfrr_forwarded_eur", "cash_tso_penalty_eur", "cash_imbalance_eur"]].sum(axis=1)
        np.testing.assert_allclose(worlds["tso_paid_eur"], tso, atol=1e-6)
        np.testing.assert_allclose(worlds["accepted_lfm_mwh"], together["activated_lfm_mwh"], atol=1e-5)
        for market in ("lfm", "mfrr"):
            met = worlds[f"accepted_{market}_mwh"] + worlds[f"background_{market}_mwh"]
            np.testing.assert_allclose(worlds[f"need_{market}_mwh"], met + worlds[f"unserved_{market}_mwh"], atol=1e-5)
        assert worlds["need_mfrr_mwh"].min() > 0.0
        found = compare.figures(done.table)
        for (design, strategy), part in worlds.groupby(["design", "strategy"]):
            for name in MARKET_COLUMNS:
                assert found[str(design), str(strategy), name].estimate == pytest.approx(part[name].mean(), abs=1e-9)
        shown = {line["metric"] for line in report.to_json(done)["table"]}
        assert {"violated_mwh", "unserved_lfm_mwh", "dso_paid_eur", "counter_eur"} <= shown


def test_worlds_of_another_run_are_refused(finished: report.Comparison) -> None:
    episodes, worlds = finished.result.episodes, finished.result.worlds
    assert "markets" not in set(compare.comparison_table(episodes, resamples=10)["section"])
    with pytest.raises(StackingError, match="not those of the episodes"):
        compare.comparison_table(episodes, worlds.iloc[1:], resamples=10)
    with pytest.raises(StackingError, match="column") as caught:
        compare.comparison_table(episodes, worlds.drop(columns="violated_mwh"), resamples=10)
    assert caught.value.key == "violated_mwh"


def test_flex_revenue_is_net_minus_net_of_do_nothing(finished: report.Comparison) -> None:
    episodes = finished.result.episodes
    reference = episodes[episodes["strategy"] == "do_nothing"].set_index(["design", "scenario"])["net_eur"]
    expected = (
        episodes["net_eur"].to_numpy() - reference.loc[pd.MultiIndex.from_frame(episodes[["design", "scenario"]])].to_numpy()
    )
    np.testing.assert_array_equal(episodes["flex_eur"], expected)
    assert (episodes.loc[episodes["strategy"] == "do_nothing", "flex_eur"] == 0.0).all()


def test_what_the_reference_earns_is_subtracted(setup: inputs.Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A battery that does nothing earns nothing; a reference that trades shows that it is subtracted."""
    monkeypatch.setattr(runner, "make_strategy", lambda name: make_strategy("da_arbitrage"))
    contest = dataclasses.replace(setup.contest, designs=setup.contest.designs[:1], strategies={"rebid": make_strategy("rebid")})
    result = runner.run(contest)
    for frame in (result.episodes, result.days):
        reference, own = (frame[frame["strategy"] == name] for name in ("do_nothing", "rebid"))
        assert (reference["net_eur"].abs() > 1.0).any()
        assert (reference["flex_eur"] == 0.0).all()
        np.testing.assert_allclose(own["flex_eur"], own["net_eur"].to_numpy() - reference["net_eur"].to_numpy(), atol=1e-9)


def test_one_scenario_is_refused_before_anything_runs() -> None:
    with pytest.raises(StackingError, match="at least two") as caught:
        inputs.prepare(inputs.Request(seeds=1))
    assert (caught.value.place, caught.value.key, caught.value.value) == ("--seeds", "seeds", 1)


def test_something_happened(finished: report.Comparison) -> None:
    total = finished.result.episodes[[*CASH_COLUMNS, *ENERGY_COLUMNS, *REFUSED_COLUMNS]].abs().sum()
    for column in ("cash_da_eur", "cash_id_eur", "cash_mfrr_eur", "cash_wear_eur", "cash_terminal_eur", "activated_mfrr_mwh"):
        assert total[column] > 1.0, column
    assert total["refused_granularity_rest_mwh"] > 0.0
    assert total["consent_asked_mwh"] > 0.0
    assert total["forwarded_mwh"] > 0.0
    assert total["opted_out_mwh"] == 0.0  # consent was "always"


def test_designs_together_are_designs_alone_bit_for_bit(setup: inputs.Setup, finished: report.Comparison) -> None:
    for design in setup.contest.designs:
        alone = runner.run(dataclasses.replace(setup.contest, designs=(design,)))
        together = finished.result.episodes
        part = together[together["design"] == design.name].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone.episodes, part, check_exact=True)


@pytest.mark.parametrize("worlds", [4, 7])
def test_chunks_change_nothing(
    setup: inputs.Setup, finished: report.Comparison, monkeypatch: pytest.MonkeyPatch, worlds: int
) -> None:
    monkeypatch.setattr(runner, "MAX_WORLDS", worlds)
    again = runner.run(setup.contest)
    pd.testing.assert_frame_equal(again.episodes, finished.result.episodes, check_exact=True)
    pd.testing.assert_frame_equal(again.days, finished.result.days, check_exact=True)


def test_portfolios_of_a_world_are_rows_of_their_own() -> None:
    battery = default_portfolios()[0]
    pair = (battery, battery.model_copy(update={"name": "other"}))
    library = generate(scenario_keys("train", 2), portfolios=pair, days=1)
    contest = runner.Contest((load_design("parallel"),), {"rebid": make_strategy("rebid")}, pair, library)
    steps: list[int] = []
    result = runner.run(contest, steps.append)
    assert sum(steps) == contest.steps == int(library.length.sum()) * 2 * 2
    assert len(result.episodes) == 2 * 2 * 2
    own = result.episodes[result.episodes["strategy"] == "rebid"]
    assert own["portfolio"].tolist() == [battery.name, "other"] * 2
    assert own["net_eur"].nunique() > 2  # other start contents, other results


def test_two_designs_of_one_name_are_refused(setup: inputs.Setup) -> None:
    design = setup.contest.designs[0]
    with pytest.raises(StackingError, match="same name"):
        runner.run(dataclasses.replace(setup.contest, designs=(design, design)))


def test_a_run_that_does_not_fit_into_memory_is_refused(setup: inputs.Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MOST_CELLS", 1000)
    with pytest.raises(StackingError, match="memory"):
        runner.run(setup.contest)


def test_top_cash_counts_the_best_mtu_of_all_scenarios() -> None:
    cash = np.zeros((2, 1, 100))
    cash[0, 0, :] = 1.0
    cash[0, 0, 7], cash[1, 0, 3], cash[1, 0, 60] = 50.0, 30.0, 500.0
    length = np.array([100, 50])  # the 500 lies beyond the end of the second scenario
    top = rows.top_cash(cash, length)
    assert top[:, 0].tolist() == [50.0, 30.0]  # 1 % of 150 MTU are two
    everything = np.concatenate([cash[0, 0], cash[1, 0, :50]])
    assert top.sum() / everything.sum() == pytest.approx(80.0 / 179.0)
    assert stats.top_share_frac(everything, 2.0 / 150.0) == pytest.approx(80.0 / 179.0)


def test_local_days_follow_the_clock() -> None:
    library = generate(scenario_keys("train", 1), days=2)
    start = np.array(["2025-03-29T11:00:00"], dtype="datetime64[s]")  # noon in Oslo, the day before the short Sunday
    changed = dataclasses.replace(library, start_utc=start, length=np.array([48 + 92]), series=library.series[:, :140])
    names, number = rows.local_days(changed)
    assert names.tolist() == [["2025-03-29", "2025-03-30"]]
    assert np.bincount(number[0]).tolist() == [48, 92]


# ---- stored results --------------------------------------------------------------------------------------------------
def test_every_printed_figure_follows_from_the_stored_rows(finished: report.Comparison, tmp_path: Path) -> None:
    results = store.read_results(report.save(finished, tmp_path / "out"))
    again = compare.comparison_table(results.frames["episodes"], results.frames["worlds"], seed=finished.setup.seed)
    pd.testing.assert_frame_equal(again, results.frames["comparison"], check_exact=True)
    assert report.to_text(dataclasses.replace(finished, table=again)) == report.to_text(finished)
    # and once more without our own code: plain sums over plain columns
    worlds = results.frames["episodes"].groupby(["design", "strategy"])[["flex_eur", "cash_mfrr_eur", "forwarded_mwh"]].sum() / 5
    found = compare.figures(again)
    for (design, strategy), row in worlds.iterrows():  # type: ignore[misc]
        for column in worlds.columns:
            assert found[str(design), str(strategy), column].estimate == pytest.approx(row[column], abs=1e-9)


def test_manifest_says_how_it_came_about(finished: report.Comparison, tmp_path: Path) -> None:
    manifest = store.read_results(report.save(finished, tmp_path / "out")).manifest
    configuration = manifest["configuration"]
    assert [d["name"] for d in configuration["designs"]] == ["parallel", "norflex_eam", "norflex"]
    assert configuration["consent"] == "always"
    assert {s["name"] for s in configuration["strategies"]} == {"do_nothing", "rebid", "lfm_only", "overbook", "stacked"}
    assert manifest["scenario_keys"] == [f"validation/generated/0/{k}" for k in range(5)]
    assert manifest["test_split_opened_utc"] is None
    assert "forecasts" in manifest["synthetic"]
    assert "forward_price" in manifest["assumed"]["norflex_eam"]


def test_the_text_says_when_the_test_split_was_opened(finished: report.Comparison) -> None:
    assert "test split" not in report.to_text(finished)
    opened = dataclasses.replace(finished, setup=dataclasses.replace(finished.setup, split="test"))
    assert f"opened by this run at {finished.opened_utc}" in report.to_text(opened).replace("\n  ", " ")


def test_the_text_names_what_is_synthetic_and_assumed(finished: report.Comparison) -> None:
    text = report.to_text(finished, width=200).replace("\n  ", " ")
    assert "Synthetic (drawn, not data): day-ahead prices" in text
    assert "Assumed besides in norflex_eam: forward_fee_eur_per_mwh" in text
    for word in ("terminal", "imbalance", "top 1 %", "delivered", "CVaR 5 %", "GRANULARITY_REST", "opted out by MWh"):
        assert word in text, word


# ---- text ------------------------------------------------------------------------------------------------------------
def test_a_narrow_screen_moves_columns_to_further_blocks() -> None:
    header, rows = ["name", "first", "second", "third"], [["heading:"], ["row", "1", "22", "333"]]
    wide, narrow = (tables.render(header, rows, width=width) for width in (80, 16))
    assert len(wide.splitlines()) == 4
    assert max(map(len, narrow.splitlines())) <= 16
    assert narrow.count("heading:") == 3
    assert all(cell in narrow for cell in ("1", "22", "333", "first", "second", "third"))


def test_figures_that_are_no_numbers_are_dashes() -> None:
    nothing = Interval(float("nan"), float("nan"), float("nan"), 0.95, 3)
    assert {tables.bracketed(nothing), tables.plus_minus(nothing), tables.share(nothing), tables.bracketed(None)} == {"-"}


def test_signed_ratio_takes_negative_parts_but_no_negative_whole() -> None:
    assert stats.ratio_interval([1.0, 1.0], [-1.0, 5.0], signed=True, resamples=200).estimate == 0.5
    assert np.isnan(stats.ratio_interval([1.0, 1.0], [-5.0, 1.0], signed=True).estimate)
    with pytest.raises(StackingError, match="negative"):
        stats.ratio_interval([1.0, 1.0], [-1.0, 5.0])


def test_kept_counts_cannot_be_changed() -> None:
    counts = next(stats.resample_counts(4, 0, 100))
    with pytest.raises(ValueError, match="read-only"):
        counts[0, 0] = 1.0


# ---- several FSPs ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def crowd() -> report.Comparison:
    request = inputs.Request(
        designs=("parallel", "norflex_eam"), strategies=("lfm_only", "mixed"), seeds=3, days=1, split="validation",
        population="mixed:6", network="stockholm", tuned=False, seed=3,
    )  # fmt: skip
    return report.compare(inputs.prepare(request))


def _two_sizes() -> pd.DataFrame:
    """Return the rows by hand with a battery of 0.5 MW, a fleet of 5 MW, and something refused."""
    episodes = _episodes()
    small = episodes["portfolio"] == "a"
    return episodes.assign(
        kind=np.where(small, "battery", "fleet"), rated_mw=np.where(small, 0.5, 5.0), offered_lfm_mwh=3.0, forwarded_mwh=1.0,
        refused_below_minimum_mwh=np.where(small, 6.0, 0.0), refused_granularity_rest_mwh=np.where(small, 0.0, 1.0),
        consent_asked_mwh=2.0, ev_short_count=np.where(small, 0.0, 2.0),
    )  # fmt: skip


def test_group_figures_by_hand() -> None:
    table = groups.group_table(_two_sizes(), resamples=200)
    found = {(r["strategy"], r["group"], r["metric"]): r["estimate"] for r in table.to_dict("records")}
    assert set(table["group"]) == {"0.5-1 MW", "1-5 MW", "battery", "EV fleet"}
    assert set(table["fsp"]) == {1}
    for small, large in (("0.5-1 MW", "1-5 MW"), ("battery", "EV fleet")):
        # a quarter of 21 EUR in 3 scenarios of 10 MWh rated power: 0.175 EUR/MWh = 0.175 * 8.76 EUR/kW-year
        assert found["mine", small, "flex_eur_per_kw_year"] == pytest.approx(0.175 * 8.76)
        assert found["mine", large, "flex_eur_per_kw_year"] == pytest.approx(0.525 * 8.76)
        assert found["mine", small, "too_small_frac"] == pytest.approx(0.6)  # 6 of 3 + 1 + 6
        assert found["mine", large, "too_small_frac"] == 0.0
        assert found["mine", large, "rounded_frac"] == pytest.approx(0.2)  # 1 of 3 + 1 + 1
        assert found["mine", large, "forwarded_frac"] == pytest.approx(0.5)
        assert found["mine", large, "delivered_frac"] == pytest.approx(11.0 / 12.0)
        assert found["mine", large, "ev_short_count"] == 2.0
    text = groups.groups_text(table, width=200)
    assert "0.5-1 MW, 1 FSP" in text
    assert "60.0 % / 0 % / 50.0 %" in text


def test_group_figures_need_their_columns() -> None:
    with pytest.raises(StackingError, match="column") as caught:
        groups.group_table(_two_sizes().drop(columns="kind"))
    assert caught.value.key == "kind"


def test_sizes_fall_into_their_classes() -> None:
    assert groups.size_class([0.0999, 0.1, 0.4999, 0.5, 1.0, 5.0, 5.0001]).tolist() == [0, 1, 1, 2, 3, 3, 4]


def test_a_population_stands_in_the_order_of_its_network(crowd: report.Comparison) -> None:
    contest, episodes = crowd.setup.contest, crowd.result.episodes
    assert contest.network is not None
    areas = compile_network(contest.network, contest.portfolios)
    assert (np.diff(areas.order) > 0).all()
    assert sorted(p.name for p in contest.portfolios) == [f"fsp {k}" for k in range(1, 7)]
    for portfolio in contest.portfolios:
        own = episodes[episodes["portfolio"] == portfolio.name]
        assert set(own["node"]) == {portfolio.node}
        assert set(own["kind"]) <= set(groups.KINDS)
        assert (own["rated_mw"] == portfolio.rated_mw).all()
        assert set(own["area"]) <= {"", *areas.names}
    other = inputs.prepare(inputs.Request(strategies=("rebid",), seeds=2, days=1, population="mixed:6", network="stockholm"))
    assert other.contest.portfolios != contest.portfolios  # keyed by the seed


def test_mixed_strategies_are_those_drawn(crowd: report.Comparison) -> None:
    episodes, strategy = crowd.result.episodes, crowd.setup.contest.strategies["mixed"]
    assert isinstance(strategy, players.Mixed)
    mixed = episodes[episodes["strategy"] == "mixed"]
    assert mixed["plays"].tolist() == list(strategy.assignment) * 6
    assert mixed["plays"].nunique() > 1
    others = episodes[episodes["strategy"] != "mixed"]
    assert (others["plays"] == others["strategy"]).all()
    idle = mixed[mixed["plays"] == "do_nothing"]
    assert not idle[["offered_lfm_mwh", "offered_mfrr_mwh"]].to_numpy().any()
    assert mixed[["offered_lfm_mwh", "offered_mfrr_mwh"]].to_numpy().any()


def test_a_mix_of_one_strategy_is_that_strategy_bit_for_bit(crowd: report.Comparison) -> None:
    contest = dataclasses.replace(crowd.setup.contest, designs=crowd.setup.contest.designs[:1])
    same = players.Mixed({"rebid": contest.strategies["rebid"]}, ("rebid",) * 6)  # type: ignore[dict-item]
    again = runner.run(dataclasses.replace(contest, strategies={"rebid": contest.strategies["rebid"], "mixed": same})).episodes
    one, all_of_it = (again[again["strategy"] == name].reset_index(drop=True) for name in ("rebid", "mixed"))
    pd.testing.assert_frame_equal(one.drop(columns="strategy"), all_of_it.drop(columns="strategy"), check_exact=True)


def test_every_figure_of_a_group_follows_from_the_stored_rows(crowd: report.Comparison, tmp_path: Path) -> None:
    results = store.read_results(report.save(crowd, tmp_path / "out"))
    episodes = results.frames["episodes"]
    again = groups.group_table(episodes, seed=crowd.setup.seed)
    pd.testing.assert_frame_equal(again, results.frames["groups"], check_exact=True)
    table = compare.comparison_table(episodes, results.frames["worlds"], seed=crowd.setup.seed)
    pd.testing.assert_frame_equal(table, results.frames["comparison"], check_exact=True)
    text = report.to_text(crowd)
    assert report.to_text(dataclasses.replace(crowd, table=table, groups=again)) == text
    assert groups.groups_text(again) in text
    # and once more without our own code: plain sums over plain columns
    for kind, title in {"battery": "battery", "fleet": "EV fleet", "load": "industrial load", "mixed": "mixture"}.items():
        own = episodes[(episodes["kind"] == kind) & (episodes["strategy"] == "mixed") & (episodes["design"] == "parallel")]
        if own.empty:
            continue
        line = again[(again["group"] == title) & (again["strategy"] == "mixed") & (again["design"] == "parallel")]
        got = line.set_index("metric")["estimate"]
        expected = 8.76 * own["flex_eur"].sum() / own["rated_mw_hours"].sum()
        assert got["flex_eur_per_kw_year"] == pytest.approx(expected)
        assert got["ev_unmet_mwh"] == pytest.approx(own["ev_unmet_mwh"].sum() / 3)
        assert set(line["fsp"]) == {own["portfolio"].nunique()}
    # the classes of one grouping are all FSPs together
    flex = again[again["metric"] == "flex_eur"].groupby(["design", "strategy", "grouping"])["estimate"].sum().unstack()
    np.testing.assert_allclose(flex["size"], flex["kind"], atol=1e-9)


def test_one_portfolio_has_no_groups(finished: report.Comparison, tmp_path: Path) -> None:
    assert finished.groups is None
    assert "By size class" not in report.to_text(finished)
    kept = set(store.read_results(report.save(finished, tmp_path / "out")).frames)
    assert kept == {"episodes", "days", "worlds", "comparison"}


def test_the_reference_buys_what_cars_and_loads_use(finished: report.Comparison) -> None:
    (portfolio,) = finished.setup.contest.portfolios
    assert portfolio.fleet is not None
    assert portfolio.load is not None
    episodes = finished.result.episodes
    idle = episodes[episodes["strategy"] == "do_nothing"]
    assert (idle["ev_charged_mwh"] > 0.0).all()
    assert (idle["cash_da_eur"] < 0.0).all()  # its forecast consumption
    assert not idle[["offered_lfm_mwh", "offered_mfrr_mwh", "cash_id_eur", "load_starts_count"]].to_numpy().any()
    bought = idle["cash_da_eur"] + idle["cash_imbalance_eur"]
    assert (bought.abs() > 0.5 * idle["cash_da_eur"].abs()).all()  # what was bought is about what is used


@pytest.mark.parametrize(
    ("asked", "population", "origin"),
    [(None, None, "tuned"), (None, "mixed:2", "defaults"), (True, "mixed:2", "tuned"), (False, None, "defaults")],
)
def test_populations_play_defaults_unless_tuned_is_asked_for(asked: bool | None, population: str | None, origin: str) -> None:
    """What is shipped as tuned is for one portfolio of 7 MW."""
    request = Request(strategies=("stacked",), tuned=asked, population=population)
    strategies, origins = chosen_strategies(request)
    assert {each["from"] for each in origins if each["name"] in ("rebid", "stacked")} == {origin}
    shipped, defaults = shipped_parameters("rebid"), values_of(make_strategy("rebid"))
    assert shipped != defaults
    assert values_of(strategies["rebid"]) == (shipped if origin == "tuned" else defaults)
