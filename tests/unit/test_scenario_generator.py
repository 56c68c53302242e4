"""Generated worlds: same bytes per key, independent of the batch, and like the price zone they are drawn after."""

import dataclasses
import datetime as dt

import numpy as np
import pytest

from stacking import columns as c
from stacking.errors import StackingError
from stacking.scenario import SPLITS, Library, ScenarioKey, generate, load_parameters, origins, scenario_keys
from stacking.scenario.calendar import clock
from stacking.scenario.local import draw_local, expected_hours
from stacking.scenario.local_price import bought_from_others, mean_accepted_price
from stacking.scenario.parameters import DEFAULT_FILE, parameter_sets, save_parameters

ARRAYS = ("series", "hourly", "local", "local_hourly", "calendar", "scalars", "length", "start_frac", "priority", "start_utc")


@pytest.fixture(scope="module")
def many() -> Library:
    return generate(scenario_keys("train", 300))


@pytest.fixture(scope="module")
def inside(many: Library) -> np.ndarray:
    return np.arange(many.series.shape[1]) < many.length[:, None]


def scenario(library: Library, index: int) -> list[bytes]:
    """Bytes of one scenario over its own length."""
    ticks = library.length[index]
    hours = ticks // 4 + 48
    own = {"series": np.s_[:ticks], "calendar": np.s_[:ticks], "hourly": np.s_[:hours]}
    own |= {"local": np.s_[:, :ticks], "local_hourly": np.s_[..., :hours]}
    return [np.ascontiguousarray(getattr(library, name)[index][own.get(name, ...)]).tobytes() for name in ARRAYS]


def local_needs(library: Library) -> tuple[np.ndarray, np.ndarray]:
    """Needs of the first local market up and down, (scenario, tick); a margin below the limit is no need."""
    up, down = (np.maximum(library.local[:, 0, :, c.background_column(d) + c.NEED], 0.0) for d in (c.UP, c.DN))
    return up, down


def test_a_key_gives_the_same_bytes_alone_and_in_any_batch(many):
    keys = many.keys
    some = [257, 3, 119, 0, 31]
    shuffled = generate([keys[k] for k in some])
    for at, k in enumerate(some):
        assert scenario(shuffled, at) == scenario(many, k)
        assert scenario(generate([keys[k]]), 0) == scenario(many, k)
    assert len({tuple(scenario(many, k)) for k in range(300)}) == 300
    assert len(set(many.length.tolist())) == 3  # clock changes both ways occur, so shorter scenarios were padded


def test_row_draws_do_not_depend_on_the_number_of_rows():
    keys = scenario_keys("test", 4)
    one, five = generate(keys, rows=1, days=1), generate(keys, rows=5, days=1)
    assert five.start_frac.shape == (4, 5)
    assert (five.start_frac[:, :1] == one.start_frac).all()
    assert (five.priority[:, :1] == one.priority).all()
    assert (five.series == one.series).all()
    assert len(np.unique(five.start_frac)) == 20
    assert five.start_frac.min() >= 0.2
    assert five.start_frac.max() <= 0.8


def test_splits_and_seeds_share_no_world():
    libraries = [generate(scenario_keys(split, 30, seed=seed), days=1) for split in SPLITS for seed in (0, 1)]
    seen = [library.series[s].tobytes() for library in libraries for s in range(30)]
    assert len(set(seen)) == 180


def test_shapes_padding_and_names(many):
    count, ticks = 300, many.length.max()
    assert many.series.shape == (count, ticks, c.SERIES_W)
    assert many.hourly.shape == (count, ticks // 4 + 48, c.HOURLY_W)
    assert many.calendar.shape == (count, ticks, c.CALENDAR_W)
    assert many.scalars.shape == (count, c.SCALARS_W)
    short = int(many.length.argmin())
    assert many.length[short] < ticks
    assert (many.series[short, many.length[short] :] == 0).all()
    assert (many.calendar[short, many.length[short] :, c.DA_FIRST] == -1).all()
    assert many.source == "generated"
    assert many.timezone == "Europe/Oslo"
    assert "local needs and others' local offers" in many.synthetic
    months = many.start_utc.astype("datetime64[M]").astype(int) % 12
    assert len(set(months.tolist())) == 12


def test_curves_hold_together(many, inside):
    da = many.series[:, :, c.DA_PRICE]
    quarters = da[:, : many.length.min()].reshape(300, -1, 4)
    assert (quarters == quarters[:, :, :1]).all()
    hours = many.length.min() // 4
    assert (quarters[:, :, 0] == many.hourly[:, :hours, c.DA_MEAN]).all()
    dominant = many.series[:, :, c.DOMINANT]
    up, down = (many.series[:, :, c.background_column(d) + c.NEED] for d in (c.UP, c.DN))
    assert (np.sign(up - down)[inside] == dominant[inside]).all()
    for direction, sign in ((c.UP, 1.0), (c.DN, -1.0)):
        at = c.background_column(direction)
        need, volume, ref, anchor, limit = (many.series[:, :, at + k] for k in range(c.BACKGROUND_W))
        active = inside & (need > 0)
        assert active[inside & (dominant == sign)].all()
        assert (volume[active] == need[active]).all()
        assert (ref[active] == da[active]).all()
        assert (sign * (anchor - da)[active] >= 0).all()
        assert (anchor[inside & ~active] == da[inside & ~active]).all()
        assert (volume[inside & ~active] == 200.0).all()
        assert (limit[inside] == sign * np.inf).all()
        settled, decides = many.series[:, :, c.IMBALANCE_PRICE], inside & (dominant == sign)
        assert (settled[decides] == anchor[decides]).all()
    none = inside & (dominant == 0)
    assert (many.series[:, :, c.IMBALANCE_PRICE][none] == da[none]).all()
    assert none.any()
    both = inside & (up > 0) & (down > 0)
    assert both.any()
    assert (dominant[both] != 0).all()


def test_terminal_price_is_the_day_after_the_end(many):
    for s in range(20):
        end = many.length[s] // 4
        mean = many.hourly[s, end : end + 24, c.DA_MEAN].mean()
        assert many.scalars[s, c.TERMINAL_PRICE] == pytest.approx(max(0.0, mean))
    error = many.scalars[:, c.TERMINAL_FORECAST] - many.scalars[:, c.TERMINAL_PRICE]
    assert 5.0 < error.std() < 20.0


# ---- statistics, DOMAIN values of NO2 in the comments ----------------------


def bands(values: np.ndarray, **expected: tuple[float, float]) -> None:
    found = {"mean": values.mean(), "sd": values.std(), **{f"p{q}": np.percentile(values, q) for q in (5, 50, 95, 99)}}
    wrong = {name: found[name] for name, (low, high) in expected.items() if not low <= found[name] <= high}
    assert not wrong, f"{wrong} outside {expected}"


def test_day_ahead_is_like_no2_2025(many, inside):
    da = many.series[:, :, c.DA_PRICE][inside]
    # 66.7 33.5 12.6 67.0 119 194
    bands(da, mean=(58, 75), sd=(25, 40), p5=(8, 28), p50=(58, 72), p95=(100, 135), p99=(140, 215))
    assert 0.004 < (da > 200).mean() < 0.014  # 0.009
    assert 0.002 < (da < 0).mean() < 0.012  # 0.005
    assert 0.03 < (da < 15).mean() < 0.08  # 5 % lie below 13.6
    assert 400 < da.max() < 600  # 493
    daily = many.hourly[:, 12:180, c.DA_MEAN].reshape(300, 7, 24)
    assert 50 < (daily.max(axis=2) - daily.min(axis=2)).mean() < 72  # 61 to 63
    x = many.series[:, :600, c.DA_PRICE] - da.mean()
    assert 0.86 < (x[:, 4:] * x[:, :-4]).mean() / x.var() < 0.97  # 0.92 over 1 h
    assert 0.54 < (x[:, 96:] * x[:, :-96]).mean() / x.var() < 0.70  # 0.61 over 24 h


def test_day_ahead_has_a_daily_weekly_and_yearly_shape(many):
    price = many.hourly[:, 12:180, c.DA_MEAN]
    by_hour = many.hourly[:, 12:180, c.DA_MEAN].reshape(-1, 24)[:, :].mean(axis=0)
    assert by_hour[7:10].mean() > by_hour[2:5].mean() + 15
    assert by_hour[17:20].mean() > by_hour[12:14].mean() + 15
    month = many.start_utc.astype("datetime64[M]").astype(int) % 12 + 1
    assert price[np.isin(month, (11, 12, 1, 2))].mean() > price[np.isin(month, (6, 7))].mean() + 10
    weekend = many.series[:, 48:720, c.WEEKEND] > 0
    da = many.series[:, 48:720, c.DA_PRICE]
    assert da[weekend].mean() < da[~weekend].mean() - 2


def state_of(library: Library) -> np.ndarray:
    """0 down, 1 none, 2 up, 3 both, by the needs."""
    up, down = (library.series[:, :, c.background_column(d) + c.NEED] > 0 for d in (c.UP, c.DN))
    return np.where(up & down, 3, np.where(up, 2, np.where(down, 0, 1)))


def test_balancing_is_like_no2_after_march_2025(many, inside):
    da, state = many.series[:, :, c.DA_PRICE][inside], state_of(many)
    active = {"up": (state == 2) | (state == 3), "down": (state == 0) | (state == 3)}
    assert active["up"][inside].mean() == pytest.approx(0.175, abs=0.02)
    assert active["down"][inside].mean() == pytest.approx(0.690, abs=0.02)
    assert 0.01 < (state == 3)[inside].mean() < 0.03  # both_pct 1 to 3 %
    for row, chain in enumerate(((0.904, 0.054, 0.036), (0.261, 0.600, 0.138), (0.148, 0.121, 0.725))):
        now, later = state[:, :600], state[:, 1:601]
        shares = [(later[now == row] == other).mean() for other in range(3)]
        assert shares == pytest.approx(chain, abs=0.012)
    up, down = (many.series[:, :, c.background_column(d) + c.ANCHOR][inside] for d in (c.UP, c.DN))
    bands(up, mean=(60, 76), sd=(30, 50), p5=(10, 32), p50=(58, 74), p95=(100, 140), p99=(150, 220))  # 67.3 38 16 67 109 173
    bands(down, mean=(44, 62), sd=(22, 38), p5=(0, 15), p50=(46, 64), p95=(78, 115), p99=(110, 175))  # 51.8 26 3 55 86 129
    bands(many.series[:, :, c.IMBALANCE_PRICE][inside], mean=(50, 66), p50=(48, 66), p95=(90, 125), p99=(130, 210))
    rises, falls = active["up"][inside], active["down"][inside]
    premium, discount = (up - da)[rises], (da - down)[falls]
    bands(premium, mean=(17, 25), sd=(35, 65), p5=(0, 0.5), p50=(11, 13), p95=(45, 55), p99=(140, 190))  # 21 53 0 12 50 160
    bands(discount, mean=(13, 18), sd=(12, 18), p5=(0, 1), p50=(11, 13.5), p95=(38, 46), p99=(68, 85))  # 15 14 .3 12 42 76
    assert 700 < premium.max() <= 820.001
    need = [many.series[:, :, c.background_column(d) + c.NEED][inside] for d in (c.UP, c.DN)]
    bands(need[0][rises], mean=(125, 160), p50=(80, 102), p95=(390, 500))  # 140; 90; 446
    bands(need[1][falls], mean=(205, 240), p50=(170, 200), p95=(480, 600))  # 220; 186; 544


def runs_of(active: np.ndarray) -> np.ndarray:
    """Lengths of whole runs along the last axis, over all scenarios."""
    lengths = []
    for row in active:
        edges = np.flatnonzero(np.diff(row.astype(int)))
        first = 0 if not row[0] else 1
        starts, stops = edges[first::2], edges[first + 1 :: 2]
        lengths += (stops - starts[: len(stops)]).tolist()
    return np.array(lengths)


def test_runs_of_activations_are_as_long_as_those_of_no2(many):
    state = state_of(many)[:, :600]
    up, down = runs_of((state == 2) | (state == 3)), runs_of((state == 0) | (state == 3))
    assert 3.0 < up.mean() < 4.8  # 4.31 over 2025 with its first nine weeks of the hourly market
    assert 9.5 < np.percentile(up, 95) < 17  # 15
    assert 9.0 < down.mean() < 13.0  # 11.17
    assert 36 < np.percentile(down, 95) < 56  # 46


@pytest.fixture(scope="module")
def before() -> Library:
    return generate(scenario_keys("train", 150), parameters="no2_2024")


def test_the_old_regime_is_hourly_and_mostly_quiet(before):
    short = before.length.min()
    state, inside = state_of(before), np.arange(before.series.shape[1]) < before.length[:, None]
    hours = state[:, :short].reshape(150, -1, 4)
    assert (hours == hours[:, :, :1]).all()
    price = before.series[:, :short, c.background_column(c.UP) + c.ANCHOR].reshape(150, -1, 4)
    assert (price == price[:, :, :1]).all()
    up, down = (state == 2) | (state == 3), (state == 0) | (state == 3)
    assert up[inside].mean() == pytest.approx(0.181, abs=0.025)
    assert down[inside].mean() == pytest.approx(0.302, abs=0.03)
    assert (state == 3)[inside].mean() == pytest.approx(0.011, abs=0.005)
    quarters = state[:, :600]
    stays = [(quarters[:, 1:][quarters[:, :-1] == k] == k).mean() for k in range(3)]
    assert stays == pytest.approx([0.925, 0.929, 0.913], abs=0.015)  # diagonal of the 15-min chain before March 2025
    da = before.series[:, :, c.DA_PRICE]
    bands(da[inside], mean=(42, 58), sd=(27, 44), p5=(0, 10), p50=(42, 52), p95=(85, 112), p99=(125, 195))  # 50 34 4 47 97 147
    rises = inside & up
    bands((before.series[:, :, c.background_column(c.UP) + c.ANCHOR] - da)[rises], p50=(6.5, 8.7), p95=(22, 31))  # 7.6, 26
    assert (before.series[:, :, c.background_column(c.UP) + c.NEED])[rises].mean() == pytest.approx(205, rel=0.15)


def test_a_change_of_the_balancing_regime_changes_only_balancing():
    keys = scenario_keys("train", 4)
    new, old = generate(keys, parameters="dk1_2025"), generate(keys, parameters="dk1_2024")
    year = [load_parameters(name).start.year for name in ("dk1_2025", "dk1_2024")]
    assert year == [2025, 2024]
    same = load_parameters("dk1_2025")
    swapped = same.model_copy(update={"balancing": load_parameters("dk1_2024").balancing})
    other = generate(keys, parameters=swapped)
    assert (other.series[:, :, c.DA_PRICE] == new.series[:, :, c.DA_PRICE]).all()
    assert other.local.tobytes() == new.local.tobytes()
    assert new.local.any()
    assert (other.series[:, :, c.IMBALANCE_PRICE] != new.series[:, :, c.IMBALANCE_PRICE]).mean() > 0.3
    assert state_of(new)[:, :700].var() != state_of(old)[:, :700].var()


@pytest.mark.parametrize("name", ["no2_2025", "no2_2024", "dk1_2025", "dk1_2024"])
def test_every_set_draws_and_keeps_its_bytes_in_a_batch(name):
    keys = scenario_keys("validation", 3)
    batch, alone = generate(keys, days=2, parameters=name), generate(keys[2:], days=2, parameters=name)
    assert scenario(batch, 2) == scenario(alone, 0)
    assert parameter_sets()[0][0] == "no2_2025"
    assert name in parameter_sets()[0]


def test_balancing_prices_move_with_day_ahead_and_persist(many, inside):
    da = many.series[:, :, c.DA_PRICE]
    for direction, correlation in ((c.UP, (0.7, 0.95)), (c.DN, (0.75, 0.97))):  # NO2 2025: 0.81, 0.87
        price = many.series[:, :, c.background_column(direction) + c.ANCHOR]
        assert correlation[0] < np.corrcoef(da[inside], price[inside])[0, 1] < correlation[1]
        x = price[:, :600] - price[inside].mean()
        assert 0.78 < (x[:, 1:] * x[:, :-1]).mean() / x.var() < 0.97  # 0.85, 0.94 over one MTU
        assert 0.6 < (x[:, 4:] * x[:, :-4]).mean() / x.var() < 0.9  # 0.68, 0.85 over 1 h


def test_local_needs_are_rare_seasonal_and_thinly_supplied(many, inside):
    up, down = local_needs(many)
    hours = (inside * ((up > 0) | (down > 0))).sum(axis=1) / 4
    expected = expected_hours(7.5, load_parameters().local)
    assert 1.0 <= expected <= 3.0
    assert hours.mean() == pytest.approx(expected, rel=0.25)
    assert 0.2 < (hours == 0).mean() < 0.7
    assert not ((up > 0) & (down > 0)).any()
    winter = np.isin(many.start_utc.astype("datetime64[M]").astype(int) % 12 + 1, (11, 12, 1, 2))
    assert (up[winter] > 0).mean() > 5 * (up[~winter] > 0).mean()
    assert not (down[winter] > 0).any()
    needs = np.concatenate([up[up > 0], down[down > 0]])
    assert needs.min() >= 1.0
    assert needs.max() <= 10.0
    quarters = up[:, : many.length.min()].reshape(300, -1, 4)
    assert (quarters == quarters[:, :, :1]).all()
    at = c.background_column(c.UP)
    volume, ref, anchor, limit = (many.local[:, 0, :, at + k][up > 0] for k in (c.VOLUME, c.REF, c.ANCHOR, c.LIMIT))
    assert 0.3 < (volume == 0).mean() < 0.7
    assert volume.max() < 6.0
    assert (ref <= anchor).all()
    bands(limit, mean=(900, 1600))  # above what NorFlex paid on average, 840 EUR/MWh
    at = c.background_column(c.DN)
    ref, anchor, limit = (many.local[:, 0, :, at + k][down > 0] for k in (c.REF, c.ANCHOR, c.LIMIT))
    assert (ref >= anchor).all()
    assert (limit < 0).all()


@pytest.mark.parametrize(
    ("name", "published"),  # EUR/MWh: 8 400 NOK; 742 SEK; 4 100 to 5 757 SEK
    [("norflex", (790, 890)), ("sthlmflex", (60, 70)), ("eon", (360, 500))],
)
def test_a_dso_pays_others_what_was_published(name, published):
    p = load_parameters(f"no2_2025:{name}")
    price, bought_frac = mean_accepted_price(p.local, p.forecast, years=150)
    assert published[0] < price < published[1]
    assert 0.03 < bought_frac < 0.25  # thin: E.ON's markets filled 13 to 23 % of the need where they worked
    assert 3 <= p.local.up.hours_per_year + p.local.down.hours_per_year <= 150
    assert p.local.others_weight[0] / sum(p.local.others_weight) == pytest.approx(0.48)


def test_what_a_dso_buys_from_others_by_hand():
    need, volume, ref, anchor = 0.9, 1.0, 100.0, 200.0
    hours = np.array([[need, volume, ref, anchor, 1000.0], [need, volume, ref, anchor, 160.0], [need, 0.0, 0.0, 0.0, 1000.0]])
    bought, paid = bought_from_others(hours.T, 1.0)
    assert bought == pytest.approx([0.9, 0.5, 0.0])  # steps of 0.25 MW at 125, 150, 175, 200
    assert paid == pytest.approx([0.25 * (125 + 150 + 175) + 0.15 * 200, 0.25 * (125 + 150), 0.0])
    bought, paid = bought_from_others(-hours.T * np.array([[-1], [-1], [1], [1], [1]]), -1.0)
    assert bought == pytest.approx([0.9, 0.5, 0.0])
    assert paid == pytest.approx([-142.5, -68.75, 0.0])


def test_areas_have_streams_of_their_own_and_headroom_where_there_is_no_need():
    p = load_parameters()
    year = clock(dt.date(2025, 1, 1), 364, "Europe/Oslo")
    key = ScenarioKey("train", "generated", 0, 7)
    plain, north, again, south = (
        draw_local(key, year, None, p.local, p.forecast, area=a) for a in ("", "north", "north", "south")
    )
    assert (north.background == again.background).all()
    assert (north.headroom_mw == again.headroom_mw).all()
    for other in (plain, south):
        assert (north.background != other.background).any()
        assert (north.headroom_mw != other.headroom_mw).mean() > 0.9
    assert (draw_local(key, year, None, p.local, p.forecast).background == plain.background).all()
    need = plain.background[:, c.NEED]
    assert (plain.headroom_mw[need > 0] == 0).all()
    assert (plain.headroom_mw[need == 0] > 0).all()
    assert (plain.margin_mw[need > 0] == need[need > 0]).all()
    assert (plain.margin_mw[need == 0] < 0).all()
    summer, winter = np.isin(year.month, (6, 7)), np.isin(year.month, (12, 1))
    up = plain.headroom_mw[c.UP]
    assert up[summer].mean() > 2 * up[winter & (need[c.UP] == 0)].mean()


def test_forecasts_sharpen_and_are_autocorrelated(many):
    hours = slice(0, many.length.min() // 4 + 48)
    errors = [many.hourly[:, hours, k] - many.hourly[:, hours, c.DA_MEAN] for k in (c.DA_TWO_DAYS, c.DA_MIDNIGHT, c.DA_NOON)]
    spread = [error.std() for error in errors]
    assert spread[0] > spread[1] > spread[2] > 2.0
    for error in errors:
        assert abs(error.mean()) < 0.5
        assert np.corrcoef(error[:, 1:].ravel(), error[:, :-1].ravel())[0, 1] == pytest.approx(np.exp(-1 / 6), abs=0.05)
    net = many.series[:, :, c.background_column(c.UP)] - many.series[:, :, c.background_column(c.DN)]
    inside = np.arange(net.shape[1]) < many.length[:, None]
    forecast = many.series[:, :, c.NEED_FORECAST][inside]
    assert 0.75 < np.corrcoef(forecast, net[inside])[0, 1] < 0.95


def test_local_forecasts_miss_some_and_warn_of_some(many):
    ticks = many.length.min()
    up, down = local_needs(many)
    net = (up - down)[:, :ticks:4]
    far, near = (many.local_hourly[:, 0, k, : ticks // 4] for k in (c.LFM_NEED_FAR, c.LFM_NEED_NEAR))
    real = net != 0
    assert (far[real] != 0).mean() == pytest.approx(0.75, abs=0.1)
    assert (near[real] != 0).mean() == pytest.approx(0.95, abs=0.05)
    assert 0.1 < ((far != 0) & ~real).sum() / real.sum() < 0.7
    assert 0 < ((near != 0) & ~real).sum() < ((far != 0) & ~real).sum()
    seen = real & (near != 0)
    assert (np.sign(near[seen]) == np.sign(net[seen])).all()
    assert np.abs(near[seen] - net[seen]).mean() < np.abs(far[real & (far != 0)] - net[real & (far != 0)]).mean()


# ---- bad input ------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"keys": ()}, "keys"),
        ({"keys": (ScenarioKey("all", "generated", 0, 0),)}, "split"),
        ({"rows": 0}, "rows"),
        ({"days": 0}, "days"),
        ({"days": 63}, "days"),
        ({"days": 1.0}, "days"),
        ({"timezone": "Nowhere"}, "timezone"),
    ],
)
def test_bad_arguments_are_named(arguments, key):
    arguments = {"keys": scenario_keys("train", 1), "days": 1, **arguments}
    with pytest.raises(StackingError) as caught:
        generate(arguments.pop("keys"), **arguments)
    assert caught.value.key == key


def test_every_parameter_has_an_origin():
    facts = origins()
    assert len(facts) > 50
    for name in parameter_sets()[0]:
        facts = origins(name)
        assert all(fact["origin"] and fact["unit"] for fact in facts.values())
        assert all("price_year" in fact for fact in facts.values() if "EUR" in fact["unit"])


@pytest.fixture(scope="module")
def plain_file(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("plain") / "plain.toml"
    save_parameters(path, load_parameters(), origins(), "A plain file.\nOf two lines.")
    return path.read_text(encoding="utf-8")


def test_a_saved_file_gives_the_same_parameters_and_origins(tmp_path, plain_file):
    path = tmp_path / "mine.toml"
    path.write_text(plain_file, encoding="utf-8")
    assert load_parameters(path) == load_parameters()
    assert origins(path) == origins()


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("year = { value = 2025", 'year = { value = "2025"', "start.year"),
        ("year = { value = 2025", "year = { value = 1066", "start.year"),
        ("minimal_need_mw = { value = 1.0", "minimal_need_mw = { value = nan", "balancing.minimal_need_mw"),
        ("minimal_need_mw = {", "least_need_mw = {", "balancing.minimal_need_mw"),
        ('origin = "assumed: start days', 'origins = "assumed: start days', "start.year.origins"),
        (', origin = "assumed: start days are drawn evenly over this year"', "", "start.year.origin"),
        ("[0.5, 12.0], [0.95, 49.9]", "[0.95, 49.9], [0.5, 12.0]", "balancing.premium"),
        ("[[0.05, 0.0], [0.5, 12.0]", "[[0.05, -1.0], [0.5, 12.0]", "balancing.premium"),
        ("jump = { value = [[0.0, 0.054", "jump = { value = [[0.5, 0.054", "balancing"),
        ("step_mtu = { value = 1,", "step_mtu = { value = 2,", "balancing.step_mtu"),
        ("slow = { value = [0.3,", "slow = { value = [0.4,", "day_ahead"),
        (
            'unit = "EUR/MWh", price_year = 2025, origin = "day-ahead NO2',
            'unit = "EUR/MWh", origin = "day-ahead NO2',
            "day_ahead.price_eur_per_mwh.price_year",
        ),
        ("[start]", "[start", ""),
        (
            'year = { value = 2025, unit = "calendar year", origin = "assumed: start days are drawn evenly over this year" }',
            "year = 2025",
            "start.year",
        ),
    ],
)
def test_bad_parameter_files_are_errors(tmp_path, plain_file, old, new, key):
    assert old in plain_file
    path = tmp_path / "mine.toml"
    path.write_text(plain_file.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StackingError) as caught:
        generate(scenario_keys("train", 1), days=1, parameters=path)
    assert caught.value.key == key
    assert str(path) in caught.value.place


@pytest.mark.parametrize("name", ["no2_2026", "no2_2025:", "no2_2025:nodes", "NO2_2025"])
def test_unknown_sets_are_errors_that_name_those_there_are(name):
    with pytest.raises(StackingError) as caught:
        generate(scenario_keys("train", 1), days=1, parameters=name)
    assert "dk1_2024" in str(caught.value)
    assert "sthlmflex" in str(caught.value)


def test_a_catalogue_that_names_what_it_does_not_hold_is_an_error(tmp_path):
    path = tmp_path / "mine.toml"
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    path.write_text(text.replace('local = "norflex"', 'local = "southflex"', 1), encoding="utf-8")
    with pytest.raises(StackingError) as caught:
        load_parameters(path)
    assert (caught.value.key, caught.value.value) == ("local", "southflex")


def test_a_missing_parameter_file_is_an_error(tmp_path):
    with pytest.raises(StackingError, match="no such parameter file"):
        load_parameters(tmp_path / "none.toml")


def test_parameters_change_the_world(tmp_path):
    settings = load_parameters()
    calm = settings.model_copy(
        update={
            "local": settings.local.model_copy(
                update={
                    "up": settings.local.up.model_copy(update={"hours_per_year": 0.0}),
                    "down": settings.local.down.model_copy(update={"hours_per_year": 0.0}),
                }
            )
        }
    )
    keys = scenario_keys("train", 20)
    quiet, busy = generate(keys, parameters=calm), generate(keys)
    assert not local_needs(quiet)[c.UP].any()
    assert local_needs(busy)[c.UP].any()
    assert (quiet.series[:, :, c.DA_PRICE] == busy.series[:, :, c.DA_PRICE]).all()


def test_a_library_with_a_hole_is_refused(many):
    from stacking.scenario import check

    check(many)
    broken = dataclasses.replace(many, hourly=many.hourly.copy())
    broken.hourly[3, 5, 0] = np.nan
    with pytest.raises(StackingError, match="not finite"):
        check(broken)
    with pytest.raises(StackingError, match="shape"):
        check(dataclasses.replace(many, length=many.length[:-1]))
