"""Laws of bidding by hand: costs, honest shares, prices, repair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stacking import layout as at
from stacking.agents.strategies import make_strategy
from stacking.agents.strategies.observed import look, sold_local_mw
from stacking.agents.strategies.offers import (
    day_ahead_min_spread,
    down_worth,
    honest_balancing_shares,
    honest_local_shares,
    intraday_share,
    local_prices,
    replacement_prices,
    towards_target_mw,
    up_cost,
)
from stacking.agents.strategies.two_markets import repair_mw, start
from stacking.agents.strategies.value import CELLS

from .observations import observation, open_mask

NO, YES = np.array([False]), np.array([True])


def one(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def act(name: str, o: np.ndarray, mask: np.ndarray | None = None, **parameters: float) -> np.ndarray:
    strategy = make_strategy(name, **parameters)
    return strategy.act(o, open_mask(len(o)) if mask is None else mask, strategy.start(len(o), 0))[0]


# ---- reading ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("hours_to_end", "quarter"), [(100.0, 0), (99.75, 1), (99.5, 2), (99.25, 3), (0.25, 3)])
def test_the_quarter_follows_from_the_time_left(hours_to_end: float, quarter: int) -> None:
    assert look(observation(hours_to_end=hours_to_end)).quarter == quarter


def test_the_path_of_the_content_follows_what_is_committed() -> None:
    seen = look(observation(committed_mw_t0=3.6, committed_mw_t1=-4.0, min_content_frac=0.3, max_content_frac=0.9))
    np.testing.assert_allclose(seen.path_mwh[0, :4], [5.0, 4.0, 4.9, 4.9], rtol=1e-6)
    assert seen.pending_up_mwh == pytest.approx(4.9 - 3.0, rel=1e-6)
    assert seen.pending_dn_mwh == pytest.approx(9.0 - 4.9, rel=1e-6)
    # at quarter 1 the pending contents are those of t+15: the schedule takes 3 x 0.25 h x 1.8 MW / 0.9 until then
    later = look(observation(hours_to_end=99.75, schedule_mw_h3=1.8, min_content_frac=0.3, max_content_frac=0.9))
    assert later.pending_up_mwh == pytest.approx(5.0 - 1.5 - 3.0, rel=1e-5)
    assert later.pending_dn_mwh == pytest.approx(9.0 - 3.5, rel=1e-5)


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_the_local_sale_at_the_balancing_gate_is_recovered_from_hourly_means(quarter: int) -> None:
    sale = np.array([3.0, -2.0, 4.0, 0.0])  # MW sold in the current and the next hours
    by_mtu = np.repeat(sale, 4)
    o = observation(hours_to_end=100.0 - quarter / 4)
    o[0, at.BOOK + 36 : at.BOOK + 39] = [by_mtu[quarter + 4 * k : quarter + 4 * k + 4].mean() for k in range(3)]
    assert sold_local_mw(o, look(o).quarter)[0] == pytest.approx(by_mtu[quarter + 3], abs=1e-5)


# ---- cost ------------------------------------------------------------------------------------------------------------
def test_up_costs_discharging_or_saved_charging() -> None:
    seen = look(observation(cost_dn=4.0))  # eta 0.9, wear 10, tariff 4
    assert up_cost(one(90.0), one(0.0), one(5.0), seen) == pytest.approx(90.0 / 0.9 + 10.0)
    assert up_cost(one(90.0), one(-5.0), one(5.0), seen) == pytest.approx(90.0 * 0.9 - 4.0, rel=1e-6)
    half = 0.5 * (90.0 / 0.9 + 10.0) + 0.5 * (90.0 * 0.9 - 4.0)
    assert up_cost(one(90.0), one(-5.0), one(10.0), seen) == pytest.approx(half, rel=1e-6)
    assert down_worth(one(90.0), one(0.0), one(5.0), seen) == pytest.approx(90.0 * 0.9 - 4.0, rel=1e-6)
    assert down_worth(one(90.0), one(5.0), one(5.0), seen) == pytest.approx(90.0 / 0.9 + 10.0)


def test_replacement_never_gains_on_a_round_trip() -> None:
    cost, worth = replacement_prices(look(observation(price=50.0, cost_dn=4.0)))
    assert cost == pytest.approx(54.0 / 0.81 + 10.0, rel=1e-6)
    assert worth == pytest.approx(40.0 * 0.81 - 4.0, rel=1e-6)
    assert day_ahead_min_spread(look(observation(cost_dn=4.0)), 2.0) == pytest.approx(10.0 + 4.0 / 0.81 + 2.0, rel=1e-6)


def test_local_prices_lie_between_cost_and_willingness_to_pay_in_the_direction_of_the_need() -> None:
    up = observation(lfm_need_h2=3.0, lfm_limit_h2=800.0, lfm_need_h1=-9.0, lfm_limit_h1=-900.0)
    assert [float(p[0]) for p in local_prices(look(up), one(100.0), one(30.0), 0.5)] == [450.0, 30.0]
    down = observation(lfm_need_h2=-3.0, lfm_limit_h2=-170.0)
    assert [float(p[0]) for p in local_prices(look(down), one(100.0), one(30.0), 0.5)] == [100.0, -70.0]
    dear = observation(lfm_need_h2=3.0, lfm_limit_h2=60.0)  # below own cost: never below the cost
    assert [float(p[0]) for p in local_prices(look(dear), one(100.0), one(30.0), 0.5)] == [100.0, 30.0]


# ---- honest shares ---------------------------------------------------------------------------------------------------
def shares(o: np.ndarray, *, exposed: bool, coordinated: bool) -> list[float]:
    found = honest_balancing_shares(o, look(o), np.full((1, 2), exposed), np.array([coordinated]))
    return [round(float(x), 5) for x in found[0]]


def test_without_local_exposure_what_is_permitted_is_feasible() -> None:
    o = observation(feasible_up_mfrr_mw=1.5, feasible_dn_mfrr_mw=0.0)
    assert shares(o, exposed=False, coordinated=False) == [1.0, 0.0]


def test_a_local_sale_that_a_blind_gate_does_not_see_shrinks_the_share() -> None:
    sold: dict[str, Any] = {"sold_local_mw_h0": 3.0, "committed_mw_t3": 3.0, "feasible_up_mfrr_mw": 2.0}
    o = observation(**sold)
    # a blind gate permits rated - schedule = 5 MW; 0.4 x 5 = 2 MW can be delivered
    assert shares(o, exposed=False, coordinated=False) == [0.4, 1.0]
    assert shares(o, exposed=False, coordinated=True) == [1.0, 1.0]
    # scheduled to discharge 1 MW besides: 4 MW permitted, 1 MW feasible
    o = observation(sold_local_mw_h0=3.0, committed_mw_t3=4.0, feasible_up_mfrr_mw=1.0)
    assert shares(o, exposed=False, coordinated=False) == [0.25, 1.0]


def test_an_own_local_offer_that_may_still_be_called_counts_as_a_sale() -> None:
    o = observation(feasible_up_mfrr_mw=2.0, feasible_dn_mfrr_mw=5.0)
    assert shares(o, exposed=True, coordinated=False) == [0.4, 1.0]
    assert shares(o, exposed=True, coordinated=True) == [1.0, 1.0]


def test_a_blind_local_gate_does_not_see_pending_balancing_energy() -> None:
    o = observation(feasible_up_lfm_mw=2.0, min_content_frac=0.32)
    seen = look(o)
    found = honest_local_shares(o, seen, NO)[0]
    assert found[0] == pytest.approx(2.0 / (2.0 + 1.8 / 0.9), rel=1e-5)  # 1.8 MWh pending are 2 MW over the hour
    assert found[1] == 1.0
    assert honest_local_shares(o, seen, YES)[0, 0] == 1.0


def test_no_more_than_what_can_be_bought_is_offered_locally() -> None:
    seen = look(o := observation(lfm_need_h2=1.0))
    assert honest_local_shares(o, seen, YES)[0] == pytest.approx([1.5 / 4.0, 1.0])


# ---- strategies ------------------------------------------------------------------------------------------------------
def test_rebid_offers_the_rest_and_overbook_everything_after_a_local_sale() -> None:
    o = observation(sold_local_mw_h0=3.0, committed_mw_t3=3.0, feasible_up_mfrr_mw=2.0)
    mask = open_mask(1, at.CONSENT_UP, at.CONSENT_DN)
    assert act("rebid", o, mask)[0, at.MFRR_SHARE_UP] == pytest.approx(0.4)
    assert act("overbook", o, mask)[0, at.MFRR_SHARE_UP] == 1.0
    same = np.delete(act("rebid", o, mask) - act("overbook", o, mask), at.MFRR_SHARE_UP)
    assert np.all(same == 0.0)  # nothing else differs


def test_rebid_remembers_its_own_local_offer_until_the_block_is_over() -> None:
    strategy = make_strategy("rebid")
    mask = open_mask(1, at.CONSENT_UP, at.CONSENT_DN)
    need: dict[str, Any] = {"lfm_need_h2": 3.0, "lfm_limit_h2": 500.0}
    action, state = strategy.act(observation(hours_to_end=10.0, **need), mask, strategy.start(1, 0))
    assert action[0, at.LFM_SHARE_UP] > 0.0
    assert action[0, at.LFM_SHARE_DN] == 0.0
    assert action[0, at.MFRR_SHARE_UP] == 0.0  # the local offer of this tick is not in the observation yet
    assert action[0, at.MFRR_SHARE_DN] == 1.0
    local_closed = open_mask(1, at.CONSENT_UP, at.CONSENT_DN, *range(at.LFM_OFFER, at.LFM_OFFER + 4))
    found = []
    for hours_to_end in np.arange(9.75, 6.5, -0.25):
        o = observation(hours_to_end=hours_to_end, feasible_up_mfrr_mw=2.0)
        action, state = strategy.act(o, local_closed, state)
        found.append(float(action[0, at.MFRR_SHARE_UP]))
    assert found == pytest.approx([0.4] * 11 + [1.0] * 2)  # exposed for the 11 further gates before the block ends


@pytest.mark.parametrize(("name", "consent"), [("rebid", 0.0), ("overbook", 0.0), ("stacked", 1.0)])
def test_consent_and_local_offers_without_a_forecast_need(name: str, consent: float) -> None:
    for closed in ((), (at.CONSENT_UP, at.CONSENT_DN)):
        action = act(name, observation(), open_mask(1, *closed))[0]
        assert action[at.LFM_SHARE_UP] == action[at.LFM_SHARE_DN] == 0.0
        assert action[at.MFRR_SHARE_UP] == action[at.MFRR_SHARE_DN] == 1.0
        assert action[at.CONSENTS].tolist() == [0.0 if closed else consent] * 2
    always = act(name, observation(), lfm_need_mw=0.0)[0]
    assert always[at.LFM_SHARE_UP] == always[at.LFM_SHARE_DN] == 1.0


def test_stacked_keeps_energy_back_while_the_following_hours_have_a_local_need() -> None:
    for column, consent in (("lfm_need_h3", 0.0), ("lfm_need_h4", 0.0), ("lfm_need_h2", 1.0), ("lfm_need_h5", 1.0)):
        assert act("stacked", observation(1, **{column: -2.0}))[0, at.CONSENTS].tolist() == [consent] * 2


@pytest.mark.parametrize("name", ["rebid", "overbook", "stacked"])
def test_power_is_kept_for_the_next_local_gate(name: str) -> None:
    need: dict[str, Any] = {"lfm_need_h3": 2.0, "lfm_limit_h3": 500.0}
    for quarter, share in ((0, 1.0), (1, 0.0), (2, 0.0), (3, 0.0)):
        action = act(name, observation(hours_to_end=50.0 - quarter / 4, **need))[0]
        assert action[at.MFRR_SHARE_UP] == share
        assert action[at.MFRR_SHARE_DN] == 1.0


def test_stacked_prices_passed_on_bids_like_balancing_bids_and_carries_the_recent_premium() -> None:
    lags: dict[str, Any] = {f"mfrr_up_price_lag{k}": 90.0 for k in range(4)} | {f"mfrr_dn_price_lag{k}": 50.0 for k in range(4)}
    dull, hot = observation(price=50.0), observation(price=50.0, **lags)
    up = [act("stacked", o, premium_weight_frac=0.5)[0, at.MFRR_PRICE_UP] for o in (dull, hot)]
    assert up[1] - up[0] == pytest.approx(20.0)  # half of a premium of 40
    for mask, extra in ((open_mask(), 25.0), (open_mask(1, at.CONSENT_UP, at.CONSENT_DN), 0.0)):
        local = [act("stacked", dull, mask, mfrr_markup_eur_per_mwh=m)[0, at.LFM_PRICE_UP] for m in (0.0, 25.0)]
        assert local[1] - local[0] == pytest.approx(extra)


def test_up_prices_stand_above_down_prices() -> None:
    for name in ("mfrr_only", "rebid", "overbook", "stacked"):
        for content in (0.0, 2.0, 5.0, 8.0, 10.0):
            o = observation(price=50.0 + 30.0 * np.sin(np.arange(36) / 4), content_mwh=content)
            action = act(name, o)[0]
            assert action[at.MFRR_PRICE_UP] > action[at.MFRR_PRICE_DN]


def test_single_market_strategies_touch_their_own_columns_only() -> None:
    o = observation(lfm_need_h2=3.0, lfm_limit_h2=500.0, content_mwh=2.0)
    used = {
        name: set(np.flatnonzero(act(name, o)[0]).tolist()) for name in ("do_nothing", "da_arbitrage", "lfm_only", "mfrr_only")
    }
    assert used["do_nothing"] == set()
    assert used["da_arbitrage"] == {at.DA_VOLUME_FRAC, at.DA_MIN_SPREAD, at.DA_END_CONTENT_FRAC}
    assert used["lfm_only"] == {at.ID_POWER_FRAC, *range(at.LFM_OFFER, at.LFM_OFFER + 4)}
    assert used["mfrr_only"] == {at.ID_POWER_FRAC, *range(at.MFRR_OFFER, at.MFRR_OFFER + 4)}


# ---- intraday --------------------------------------------------------------------------------------------------------
def test_single_market_strategies_steer_to_their_target() -> None:
    full, empty, near = (look(observation(content_mwh=c)) for c in (8.0, 2.0, 5.3))
    assert towards_target_mw(full, 0.5) == pytest.approx(3.0 * 0.9)
    assert towards_target_mw(empty, 0.5) == pytest.approx(-3.0 / 0.9)
    assert towards_target_mw(near, 0.5) == 0.0
    assert intraday_share(one(2.5), full) == 0.5
    assert intraday_share(one(-9.0), full) == -1.0
    assert intraday_share(one(2.5), look(observation(feasible_up_mfrr_mw=0.0))) == 0.0


def test_what_is_sold_in_a_quarter_says_nothing_about_the_next() -> None:
    sold = look(observation(feasible_up_mfrr_mw=0.0, feasible_dn_mfrr_mw=10.0, committed_mw_t3=5.0))  # all of 5 MW
    assert intraday_share(one(2.5), sold) == 0.5  # of the 5 MW that are feasible behind it
    assert intraday_share(one(-2.5), sold) == -0.5
    more = look(observation(feasible_up_mfrr_mw=4.0, feasible_dn_mfrr_mw=6.0, committed_mw_t3=1.0, committed_mw_t4=3.0))
    assert intraday_share(one(1.0), more) == 0.5  # 2 MW up are left beside the 3
    assert intraday_share(one(-2.0), more) == -0.25  # and 8 down
    assert intraday_share(one(1.0), look(observation(feasible_up_mfrr_mw=4.0, committed_mw_t4=5.0))) == 0.0


def test_repair_sells_what_is_worth_less_and_buys_what_is_worth_more_than_its_price() -> None:
    seen = look(observation(price=50.0, content_mwh=6.0))  # one cell is 10/24 MWh
    curve = np.where(np.arange(CELLS) < 12, 100.0, 10.0)[None]  # 5 MWh worth keeping
    assert repair_mw(seen, curve, 5.0, 5.0) == pytest.approx(1.0 / 0.25 * 0.9)  # (50-5-10)*.9 > 10: sell 1 MWh stored
    short = look(observation(price=50.0, content_mwh=3.0))
    assert repair_mw(short, curve, 5.0, 5.0) == pytest.approx(-2.0 / 0.25 / 0.9)  # (50+5)/.9 < 100: buy 2 MWh stored
    assert repair_mw(short, curve, 60.0, 60.0) == 0.0  # not for that margin
    # what is committed to charge is first of all not bought
    charging = look(observation(price=50.0, content_mwh=6.0, committed_mw_t4=-2.0))
    assert repair_mw(charging, curve, 5.0, 5.0) == pytest.approx(2.0)


def test_sales_and_purchases_have_their_own_margins() -> None:
    # a stored MWh is worth 50 all the way; at a price of 70, wear 10 and eta 0.9 a sale brings 54 less 0.9 x its margin
    dear, cheap = (look(observation(price=p, content_mwh=6.0)) for p in (70.0, 30.0))
    curve = np.full((1, CELLS), 50.0)
    assert repair_mw(dear, curve, 4.0, 99.0) == pytest.approx(10.0)  # 54 - 3.6 > 50: as much as there is room for
    assert repair_mw(dear, curve, 5.0, 99.0) == 0.0  # 54 - 4.5 < 50
    assert repair_mw(cheap, curve, 99.0, 14.0) == pytest.approx(-10.0)  # (30 + 14) / 0.9 < 50
    assert repair_mw(cheap, curve, 99.0, 16.0) == 0.0  # (30 + 16) / 0.9 > 50
    assert repair_mw(dear, curve, -1.0, 99.0) == pytest.approx(10.0)


def test_an_intraday_trade_leaves_its_reserve() -> None:
    seen = look(observation())  # 5 MW feasible either way
    assert intraday_share(one(9.0), seen, 0.2) == 0.8
    assert intraday_share(one(-9.0), seen, 0.2) == -0.8
    assert intraday_share(one(2.5), seen, 0.2) == 0.5  # what is left is more than the reserve
    o = observation(price=200.0, content_mwh=9.0, terminal_price_forecast=0.0, da_price_h1=900.0)
    full, most = (act("rebid", o, id_reserve_frac=r)[0, at.ID_POWER_FRAC] for r in (0.0, 0.1))
    assert (full, most) == (1.0, 0.9)


def test_the_defaults_are_the_law_of_old_files() -> None:
    old = {"da_volume_frac": 0.0, "lfm_take_frac": 0.8, "lfm_need_mw": 0.2, "mfrr_markup_eur_per_mwh": 0.8}
    for name in ("rebid", "overbook", "stacked"):
        terms = make_strategy(name, **old).terms()  # type: ignore[attr-defined]
        assert (terms.id_sell_margin, terms.id_buy_margin, terms.id_reserve_frac) == (5.0, 5.0, 0.0)
        other = make_strategy(name, **old, id_sell_margin_eur_per_mwh=1.0, id_buy_margin_eur_per_mwh=2.0, id_reserve_frac=0.3)
        terms = other.terms()  # type: ignore[attr-defined]
        assert (terms.id_sell_margin, terms.id_buy_margin, terms.id_reserve_frac) == (1.0, 2.0, 0.3)


def test_curves_are_kept_within_the_hour_and_renewed_with_it() -> None:
    strategy = make_strategy("rebid")
    mask = open_mask()
    _, first = strategy.act(observation(hours_to_end=50.0, price=50.0), mask, strategy.start(1, 0))
    _, same = strategy.act(observation(hours_to_end=49.75, price=500.0), mask, first)
    assert same.hour == first.hour
    assert np.array_equal(same.curves, first.curves)
    _, later = strategy.act(observation(hours_to_end=49.0, price=500.0), mask, same)
    assert not np.array_equal(later.curves, first.curves)
    assert later.start_mwh == first.start_mwh == 5.0


def test_deciding_does_not_write_to_its_state() -> None:
    strategy, state = make_strategy("stacked"), start(2)
    frozen = {k: v.copy() for k, v in vars(state).items()}
    strategy.act(observation(2, lfm_need_h2=2.0), open_mask(2), state)
    assert all(np.array_equal(frozen[k], v) for k, v in vars(state).items())
