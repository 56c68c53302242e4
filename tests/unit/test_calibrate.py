"""Calibration: what went in comes out, what a file does not hold is kept and named, bad series are named errors."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from stacking import columns as c
from stacking.errors import StackingError
from stacking.scenario import ScenarioKey, generate, load_parameters, origins, scenario_keys
from stacking.scenario.balancing import draw_balancing
from stacking.scenario.calibrate import FEWEST_DAYS, LocalTime, calibrate, split_at
from stacking.scenario.draws import autocorrelated, rotating, run_mean, runs, state_shares
from stacking.scenario.moments import mix_of_memories, normal_scores, quantile_table, run_law, run_lengths
from stacking.scenario.parameters import Parameters, save_parameters
from stacking.scenario.prices import day_ahead
from stacking.scenario.table import PriceTable, read_table

OSLO = "Europe/Oslo"
FIRST = int(dt.datetime(2023, 1, 1, tzinfo=dt.UTC).timestamp())


def drawn_table(p: Parameters, days: int, *, episode: int = 0, parts: tuple[str, ...] = ("prices", "needs")) -> PriceTable:
    """Draw one long series as a price table."""
    time = LocalTime.of(FIRST, 24 * days, OSLO)
    key = ScenarioKey("train", "round trip", 0, episode)
    price, score, _ = day_ahead(key, time, p.day_ahead)
    da = np.repeat(price, 4)
    series = draw_balancing(key, da, np.repeat(score, 4), p.balancing)
    columns = {"da_price": da}
    if "prices" in parts:
        columns |= {"mfrr_up_price": series.price[c.UP], "mfrr_dn_price": series.price[c.DN]}
    if "needs" in parts:
        columns |= {"mfrr_up_act_mwh": series.need_mw[c.UP], "mfrr_dn_act_mwh": series.need_mw[c.DN]}  # as mean MW
    return PriceTable(FIRST, columns, "round_trip", ())


@pytest.fixture(scope="module", params=["dk1_2025", "dk1_2024"])
def round_trip(request) -> tuple[Parameters, Parameters]:
    p = load_parameters(request.param)
    return p, calibrate(drawn_table(p, 3 * 365), timezone=OSLO).parameters


def quantile(table, level: float) -> float:
    levels, values = zip(*table.points, strict=True)
    return float(np.interp(level, levels, values))


def test_day_ahead_comes_back(round_trip):
    a, b = (p.day_ahead for p in round_trip)
    for level, slack in ((0.05, 4), (0.25, 8), (0.5, 8), (0.75, 8), (0.95, 15)):
        assert quantile(b.price_eur_per_mwh, level) == pytest.approx(quantile(a.price_eur_per_mwh, level), abs=slack)
    assert np.corrcoef(a.hour_score, b.hour_score)[0, 1] > 0.95
    assert np.corrcoef(a.weekend_score, b.weekend_score)[0, 1] > 0.8
    assert np.mean(b.hour_spread) == pytest.approx(np.mean(a.hour_spread), rel=0.08)
    lags = np.arange(1, 97)

    def correlation(p):
        turns = (np.inf, np.inf, 24.0, 12.0)
        parts = zip((p.slow, p.fast, p.daily, p.half_daily), turns, strict=True)
        return sum(w * np.exp(-lags / m) * np.cos(2 * np.pi * lags / turn) for (w, m), turn in parts)

    assert np.abs(correlation(a) - correlation(b)).max() < 0.12


def test_balancing_comes_back(round_trip):
    a, b = (p.balancing for p in round_trip)
    assert b.step_mtu == a.step_mtu
    for name in ("run_down", "run_none", "run_up"):
        assert run_mean(getattr(b, name)) == pytest.approx(run_mean(getattr(a, name)), rel=0.1)
    assert np.array(b.jump) == pytest.approx(np.array(a.jump), abs=0.06)
    for name in ("premium", "discount", "volume_up", "volume_down"):
        for level in (0.5, 0.9):
            assert quantile(getattr(b, name), level) == pytest.approx(quantile(getattr(a, name), level), rel=0.2)
    for name in ("premium_da_loading", "discount_da_loading", "price_volume_correlation"):
        assert getattr(b, name) == pytest.approx(getattr(a, name), abs=0.08)
    assert b.volume_memory_steps == pytest.approx(a.volume_memory_steps, rel=0.3)
    assert b.price_memory_steps == pytest.approx(a.price_memory_steps, rel=0.3)


def test_a_file_goes_in_and_its_parameters_draw_worlds_like_it(tmp_path: Path):
    table = drawn_table(load_parameters("dk1_2024"), 120)
    start = np.datetime64(FIRST, "s")
    path, out = tmp_path / "mine.csv", tmp_path / "mine.toml"
    names = ("da_price", "mfrr_up_price", "mfrr_dn_price")
    rows = zip(*(table.columns[name][::4] for name in names), strict=True)
    text = "\n".join(f"{start + np.timedelta64(k, 'h')}Z,{a:.2f},{b:.2f},{d:.2f}" for k, (a, b, d) in enumerate(rows))
    path.write_text(f"utc,{','.join(names)}\n{text}\n", encoding="utf-8")
    fit = calibrate(read_table(path), timezone=OSLO)
    save_parameters(out, fit.parameters, fit.facts, "fitted")
    assert load_parameters(out) == fit.parameters
    assert "mine" in origins(out)["balancing.premium"]["origin"]
    assert origins(out)["balancing.premium"]["price_year"] == 2023
    assert origins(out)["balancing.depth_mw"] == origins()["balancing.depth_mw"]
    assert fit.parameters.balancing.step_mtu == 4
    assert fit.parameters.local == load_parameters().local
    kept = "\n".join(fit.kept)
    for name in ("volume_up", "volume_down", "depth_mw", "local", "forecast", "month_score of months 6, 7, 8, 9, 10, 11, 12"):
        assert name in kept
    drawn = generate(scenario_keys("train", 60), parameters=out)
    inside = np.arange(drawn.series.shape[1]) < drawn.length[:, None]
    up = drawn.series[:, :, c.background_column(c.UP) + c.NEED] > 0
    real = (table.columns["mfrr_up_price"] - table.columns["da_price"] > 0.005).mean()
    assert up[inside].mean() == pytest.approx(real, abs=0.05)


def test_a_file_without_balancing_keeps_it_all_and_one_with_imbalance_prices_uses_them():
    p = load_parameters("dk1_2024")
    alone = calibrate(drawn_table(p, 60, parts=()), timezone=OSLO)
    assert alone.parameters.balancing == load_parameters().balancing
    assert any(line.startswith("balancing:") for line in alone.kept)
    assert alone.parameters.day_ahead != load_parameters().day_ahead
    table = drawn_table(p, 60)
    columns = table.columns
    imbalance = np.where(columns["mfrr_up_act_mwh"] > 0, columns["mfrr_up_price"], columns["mfrr_dn_price"])
    only = PriceTable(FIRST, {"da_price": columns["da_price"], "imb_price": imbalance}, "imb", ())
    fit = calibrate(only, timezone=OSLO, base="dk1_2024")
    assert "balancing.premium" in fit.fitted
    assert any("imbalance price" in note for note in fit.notes)
    assert all("kept from dk1_2024" in line for line in fit.kept)


def test_gaps_stay_gaps():
    table = drawn_table(load_parameters("dk1_2024"), 90)
    columns = {name: values.copy() for name, values in table.columns.items()}
    columns["da_price"][2000:2400] = np.nan
    columns["mfrr_up_price"][5000:5100] = np.nan
    fit = calibrate(PriceTable(FIRST, columns, "gaps", ()), timezone=OSLO)
    whole = calibrate(table, timezone=OSLO)
    assert run_mean(fit.parameters.balancing.run_up) == pytest.approx(run_mean(whole.parameters.balancing.run_up), rel=0.1)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
def test_bad_shares_are_errors(share):
    with pytest.raises(StackingError) as caught:
        split_at(drawn_table(load_parameters(), 2), share)
    assert caught.value.key == "share"


def test_a_split_parts_the_series_at_a_whole_hour():
    table = drawn_table(load_parameters(), 3)
    first, rest = split_at(table, 0.7512)
    assert len(first) + len(rest) == len(table)
    assert rest.first_s % 3600 == 0
    assert (np.append(first.columns["da_price"], rest.columns["da_price"]) == table.columns["da_price"]).all()


def test_too_short_and_constant_series_are_named():
    p = load_parameters()
    with pytest.raises(StackingError) as caught:
        calibrate(drawn_table(p, FEWEST_DAYS - 1), timezone=OSLO)
    assert caught.value.key == "da_price"
    assert str(FEWEST_DAYS) in str(caught.value)
    table = drawn_table(p, FEWEST_DAYS)
    calibrate(table, timezone=OSLO)
    flat = {**table.columns, "da_price": np.full(len(table), 40.0)}
    with pytest.raises(StackingError, match="constant") as caught:
        calibrate(PriceTable(FIRST, flat, "flat", ()), timezone=OSLO)
    assert caught.value.key == "da_price"
    same = {**table.columns, "mfrr_up_price": table.columns["da_price"], "mfrr_dn_price": table.columns["da_price"]}
    with pytest.raises(StackingError, match="constant") as caught:
        calibrate(PriceTable(FIRST, same, "flat", ()), timezone=OSLO)
    assert caught.value.key == "mfrr_up_price"
    few = {**table.columns, "mfrr_up_price": np.where(np.arange(len(table)) < 500, table.columns["mfrr_up_price"], np.nan)}
    with pytest.raises(StackingError, match="short") as caught:
        calibrate(PriceTable(FIRST, few, "few", ()), timezone=OSLO)
    assert caught.value.key == "mfrr_up_price"
    with pytest.raises(StackingError) as caught:
        calibrate(table, timezone="Nowhere")
    assert caught.value.key == "timezone"


def test_a_series_that_repeats_itself_or_lacks_an_hour_is_named():
    hour = np.repeat(np.arange(24 * 40) % 24, 4)
    with pytest.raises(StackingError, match="vary") as caught:
        calibrate(PriceTable(FIRST, {"da_price": (40.0 + hour).astype(np.float64)}, "clock", ()), timezone="UTC")
    assert caught.value.key == "da_price"
    random = np.repeat(np.random.default_rng(0).standard_normal(24 * 40), 4)
    with pytest.raises(StackingError, match="vary") as caught:
        calibrate(
            PriceTable(FIRST, {"da_price": np.where(hour == 3, np.nan, random).astype(np.float64)}, "hole", ()), timezone="UTC"
        )
    assert "hour 3" in str(caught.value)
    calibrate(PriceTable(FIRST, {"da_price": random}, "noise", ()), timezone="UTC")


def test_balancing_that_hardly_ever_changes_is_named_or_kept():
    random, count = np.random.default_rng(2), 96 * 30
    da = np.repeat(50 + 10 * random.standard_normal(count // 4), 4)
    always = {"da_price": da, "mfrr_up_price": da + 1 + random.random(count), "mfrr_dn_price": da - 1.0}
    with pytest.raises(StackingError, match="too rarely") as caught:
        calibrate(PriceTable(FIRST, always, "always", ()), timezone=OSLO)
    assert "both" in str(caught.value)
    once = {
        "da_price": da,
        "mfrr_up_price": da + 5.0 * (np.arange(count) == 99),
        "mfrr_dn_price": da - 3.0 * (np.arange(count) % 7 == 0),
    }
    fit = calibrate(PriceTable(FIRST, once, "once", ()), timezone=OSLO)
    assert any(line.startswith("balancing.run_up:") for line in fit.kept)
    assert any(line.startswith("balancing.premium:") for line in fit.kept)
    assert run_mean(fit.parameters.balancing.run_down) == 1.0


# ---- building blocks ------------------------------------------------------


def test_normal_scores_share_ties_and_leave_gaps():
    scores = normal_scores(np.array([3.0, np.nan, 1.0, 3.0, 7.0]))
    assert np.isnan(scores[1])
    assert scores[0] == scores[3] == 0.0  # ranks 2 and 3 of 4
    assert scores[4] == pytest.approx(1.1503, abs=1e-4)
    assert scores[2] == pytest.approx(-1.1503, abs=1e-4)


def test_a_quantile_table_ends_at_the_sample():
    table = quantile_table(np.append(np.arange(1000.0), np.nan))
    assert table[0] == (0.0005, 0.0)
    assert table[-1] == (0.9995, 999.0)
    assert dict(table)[0.5] == pytest.approx(499.5)


def test_memories_are_found():
    lags = np.arange(1, 120)
    target = 0.6 * np.exp(-lags / 100.0) + 0.3 * np.exp(-lags / 6.0) + 0.1 * np.exp(-lags / 48.0) * np.cos(2 * np.pi * lags / 24)
    found = mix_of_memories(target, lags, ((45.0, 100.0, 220.0), (3.0, 6.0, 13.0), (24.0, 48.0)), (np.inf, np.inf, 24.0))
    assert np.array(found) == pytest.approx(np.array([(0.6, 100.0), (0.3, 6.0), (0.1, 48.0)]), abs=1e-6)


def test_scores_remember_as_they_should():
    random = np.random.default_rng(3)
    slow, turning = autocorrelated(random, 200_000, 8.0), rotating(random, 200_000, 50.0, 24.0)
    for values, lag, expected in ((slow, 4, np.exp(-0.5)), (turning, 24, np.exp(-24 / 50)), (turning, 12, -np.exp(-12 / 50))):
        assert values.std() == pytest.approx(1.0, abs=0.05)
        assert np.corrcoef(values[lag:], values[:-lag])[0, 1] == pytest.approx(expected, abs=0.04)


def test_run_lengths_by_hand():
    active = np.array([1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 1], dtype=bool)
    there = np.ones(13, dtype=bool)
    assert run_lengths(active, there).tolist() == [3, 1, 1]  # the first and last run touch the ends
    there[8] = False
    assert run_lengths(active, there).tolist() == [3, 1]  # the run of one before the gap touches it


def test_runs_follow_their_law_and_are_fitted_again():
    lengths, jump = ((0.3, 2.0, 12.0), (0.0, 3.0, 3.0), (0.2, 1.5, 6.0), (0.0, 1.0, 1.0)), (
        (0.0, 0.7, 0.2, 0.1),
        (0.5, 0.0, 0.5, 0.0),
        (0.3, 0.7, 0.0, 0.0),
        (0.5, 0.0, 0.5, 0.0),
    )  # fmt: skip
    state = runs(np.random.default_rng(1), 300_000, lengths, jump)
    shares = np.bincount(state, minlength=4) / len(state)
    assert shares == pytest.approx(state_shares(lengths, jump), abs=0.01)
    there = np.ones(len(state), dtype=bool)
    share, short, long = run_law(run_lengths(state == 0, there))
    assert (share, short, long) == pytest.approx((0.3, 2.0, 12.0), rel=0.1)
    share, short, long = run_law(run_lengths(state == 1, there))
    assert share * long + (1 - share) * short == pytest.approx(3.0, rel=0.03)
    assert set(run_lengths(state == 3, there).tolist()) == {1}
