"""Generated worlds: same bytes per key, independent of the batch, and like the price zone they are drawn after."""

import dataclasses

import numpy as np
import pytest

from stacking import columns as c
from stacking.errors import StackingError
from stacking.scenario import SPLITS, Library, ScenarioKey, generate, load_parameters, origins, scenario_keys
from stacking.scenario.local import expected_hours
from stacking.scenario.parameters import DEFAULT_FILE

ARRAYS = ("series", "hourly", "calendar", "scalars", "length", "start_frac", "priority", "start_utc")


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
    cut = {"series": ticks, "calendar": ticks, "hourly": hours}
    return [
        np.ascontiguousarray(getattr(library, name)[index][: cut.get(name)]).tobytes()
        if name in cut
        else getattr(library, name)[index].tobytes()
        for name in ARRAYS
    ]


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
    for direction, sign in ((c.UP, 1.0), (c.DN, -1.0)):
        at = c.market_column(c.MFRR, direction)
        need, volume, ref, anchor, limit = (many.series[:, :, at + k] for k in range(c.BACKGROUND_W))
        active = inside & (need > 0)
        assert (active == (inside & (dominant == sign))).all()
        assert (volume[active] == need[active]).all()
        assert (ref[active] == da[active]).all()
        assert (sign * (anchor - da)[active] >= 0).all()
        assert (anchor[inside & ~active] == da[inside & ~active]).all()
        assert (volume[inside & ~active] == 200.0).all()
        assert (limit[inside] == sign * np.inf).all()
        settled = many.series[:, :, c.IMBALANCE_PRICE]
        assert (settled[active] == anchor[active]).all()
    none = inside & (dominant == 0)
    assert (many.series[:, :, c.IMBALANCE_PRICE][none] == da[none]).all()
    assert none.any()


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
    assert 0.001 < (da > 200).mean() < 0.015  # 0.009
    assert 0.003 < (da < 0).mean() < 0.03  # 0.005; 0.023 in 2024
    assert 250 < da.max() < 900  # 493
    daily = many.hourly[:, 12:180, c.DA_MEAN].reshape(300, 7, 24)
    assert 50 < (daily.max(axis=2) - daily.min(axis=2)).mean() < 72  # 61 to 63
    x = many.series[:, :600, c.DA_PRICE] - da.mean()
    assert 0.86 < (x[:, 4:] * x[:, :-4]).mean() / x.var() < 0.97  # 0.92 over 1 h
    assert 0.45 < (x[:, 96:] * x[:, :-96]).mean() / x.var() < 0.75  # 0.61 over 24 h


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


def test_balancing_is_like_no2_after_march_2025(many, inside):
    da, dominant = many.series[:, :, c.DA_PRICE][inside], many.series[:, :, c.DOMINANT][inside]
    assert (dominant == 1).mean() == pytest.approx(0.175, abs=0.02)
    assert (dominant == -1).mean() == pytest.approx(0.690, abs=0.02)
    for state, chain in {-1.0: (0.904, 0.054, 0.036), 0.0: (0.261, 0.600, 0.138), 1.0: (0.148, 0.121, 0.725)}.items():
        now, later = many.series[:, :600, c.DOMINANT], many.series[:, 1:601, c.DOMINANT]
        shares = [(later[now == state] == other).mean() for other in (-1.0, 0.0, 1.0)]
        assert shares == pytest.approx(np.array(chain) / sum(chain), abs=0.01)
    up, down = (many.series[:, :, c.market_column(c.MFRR, d) + c.ANCHOR][inside] for d in (c.UP, c.DN))
    bands(up, mean=(60, 76), sd=(30, 50), p5=(10, 32), p50=(58, 74), p95=(100, 140), p99=(150, 220))  # 67.3 38 16 67 109 173
    bands(down, mean=(44, 62), sd=(22, 38), p5=(0, 15), p50=(46, 64), p95=(78, 115), p99=(110, 165))  # 51.8 26 3 55 86 129
    bands(many.series[:, :, c.IMBALANCE_PRICE][inside], mean=(50, 66), p50=(48, 66), p95=(90, 125), p99=(130, 210))
    premium, discount = (up - da)[dominant == 1], (da - down)[dominant == -1]
    bands(premium, mean=(17, 25), sd=(35, 65), p5=(0, 0.5), p50=(11, 13), p95=(45, 55), p99=(140, 190))  # 21 53 0 12 50 160
    bands(discount, mean=(13, 18), sd=(12, 18), p5=(0, 1), p50=(11, 13.5), p95=(38, 46), p99=(68, 85))  # 15 14 .3 12 42 76
    assert premium.max() <= 820.001
    need = [many.series[:, :, c.market_column(c.MFRR, d) + c.NEED][inside] for d in (c.UP, c.DN)]
    bands(need[0][dominant == 1], mean=(125, 160), p50=(80, 102), p95=(390, 500))  # 140; 90; 446
    bands(need[1][dominant == -1], mean=(205, 240), p50=(170, 200), p95=(480, 600))  # 220; 186; 544


def test_balancing_prices_move_with_day_ahead_and_persist(many, inside):
    da = many.series[:, :, c.DA_PRICE]
    for direction, correlation in ((c.UP, (0.7, 0.95)), (c.DN, (0.75, 0.97))):  # NO2 2025: 0.81, 0.87
        price = many.series[:, :, c.market_column(c.MFRR, direction) + c.ANCHOR]
        assert correlation[0] < np.corrcoef(da[inside], price[inside])[0, 1] < correlation[1]
        x = price[:, :600] - price[inside].mean()
        assert 0.78 < (x[:, 1:] * x[:, :-1]).mean() / x.var() < 0.97  # 0.85, 0.94 over one MTU


def test_local_needs_are_rare_seasonal_and_thinly_supplied(many, inside):
    up, down = (many.series[:, :, c.market_column(c.LFM, d) + c.NEED] for d in (c.UP, c.DN))
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
    at = c.market_column(c.LFM, c.UP)
    volume, ref, anchor, limit = (many.series[:, :, at + k][up > 0] for k in (c.VOLUME, c.REF, c.ANCHOR, c.LIMIT))
    assert 0.3 < (volume == 0).mean() < 0.7
    assert volume.max() < 6.0
    assert (ref <= anchor).all()
    bands(limit, mean=(650, 1050), p50=(550, 950))  # NorFlex paid 840 EUR/MWh on average
    at = c.market_column(c.LFM, c.DN)
    ref, anchor, limit = (many.series[:, :, at + k][down > 0] for k in (c.REF, c.ANCHOR, c.LIMIT))
    assert (ref >= anchor).all()
    assert (limit < 0).all()


def test_forecasts_sharpen_and_are_autocorrelated(many):
    hours = slice(0, many.length.min() // 4 + 48)
    errors = [many.hourly[:, hours, k] - many.hourly[:, hours, c.DA_MEAN] for k in (c.DA_TWO_DAYS, c.DA_MIDNIGHT, c.DA_NOON)]
    spread = [error.std() for error in errors]
    assert spread[0] > spread[1] > spread[2] > 2.0
    for error in errors:
        assert abs(error.mean()) < 0.5
        assert np.corrcoef(error[:, 1:].ravel(), error[:, :-1].ravel())[0, 1] == pytest.approx(np.exp(-1 / 6), abs=0.05)
    net = many.series[:, :, c.market_column(c.MFRR, c.UP)] - many.series[:, :, c.market_column(c.MFRR, c.DN)]
    inside = np.arange(net.shape[1]) < many.length[:, None]
    forecast = many.series[:, :, c.NEED_FORECAST][inside]
    assert 0.75 < np.corrcoef(forecast, net[inside])[0, 1] < 0.95


def test_local_forecasts_miss_some_and_warn_of_some(many):
    ticks = many.length.min()
    net = many.series[:, :ticks:4, c.market_column(c.LFM, c.UP)] - many.series[:, :ticks:4, c.market_column(c.LFM, c.DN)]
    far, near = many.hourly[:, : ticks // 4, c.LFM_NEED_FAR], many.hourly[:, : ticks // 4, c.LFM_NEED_NEAR]
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
    assert all(fact["origin"] and fact["unit"] for fact in facts.values())
    assert all("price_year" in fact for fact in facts.values() if "EUR" in fact["unit"])


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("year = { value = 2025", 'year = { value = "2025"', "start.year"),
        ("year = { value = 2025", "year = { value = 1066", "start.year"),
        ("weekend_frac = { value = 0.10", "weekend_frac = { value = nan", "day_ahead.weekend_frac"),
        ("weekend_frac = {", "week_end_frac = {", "day_ahead.weekend_frac"),
        ('origin = "assumed: start days', 'origins = "assumed: start days', "start.year.origins"),
        (', origin = "assumed: start days are drawn evenly over this year"', "", "start.year.origin"),
        ("[0.5, 12.0], [0.95, 49.9]", "[0.95, 49.9], [0.5, 12.0]", "balancing.premium"),
        ("[[0.904, 0.054, 0.036]", "[[0.0, 0.0, 0.0]", "balancing"),
        (
            'unit = "EUR/MWh", price_year = 2025, origin = "fitted: mean',
            'unit = "EUR/MWh", origin = "fitted: mean',
            "day_ahead.level_eur_per_mwh.price_year",
        ),
        ("[start]", "[start", ""),
        (
            'year = { value = 2025, unit = "calendar year", origin = "assumed: start days are drawn evenly over this year" }',
            "year = 2025",
            "start.year",
        ),
    ],
)
def test_bad_parameter_files_are_errors(tmp_path, old, new, key):
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StackingError) as caught:
        generate(scenario_keys("train", 1), days=1, parameters=path)
    assert caught.value.key == key
    assert str(path) in caught.value.place


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
    assert not quiet.series[:, :, c.market_column(c.LFM, c.UP)].any()
    assert busy.series[:, :, c.market_column(c.LFM, c.UP)].any()
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
