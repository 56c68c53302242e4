"""Laws against their meaning: the battery, the merit order, the shares of a shortfall, prices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stacking import state as s
from stacking.assets.battery import deliverable_mw, drain_mwh, power_for_drain_mw, terminal_value_eur
from stacking.compile import lead_mtu
from stacking.gates.quantity import round_down
from stacking.markets.merit_order import (
    OFFER_ACCEPTED,
    OFFER_KEY,
    OFFER_MW,
    OFFER_PRIORITY,
    OFFER_ROW,
    OFFER_W,
    accept,
    background_alone_mw,
    shifted_need,
    sort_offers,
    step_price,
)
from stacking.settlement import forwarded_price, local_pay_eur, overlap_mw, shortfall_shares_mw
from stacking.units import MTU_H

from .draws import EPS, batteries, fractions

powers = st.floats(-10.0, 10.0)
prices = st.floats(-500.0, 500.0)


# ---- battery -----------------------------------------------------------------------------------------------------------


@given(batteries(), powers)
def test_drain_and_power_are_inverse(p: np.ndarray, power: float):
    drain = drain_mwh(power, p[s.INTO], p[s.OUT])
    assert math.isclose(power_for_drain_mw(drain, p[s.INTO], p[s.OUT]), power, rel_tol=1e-12, abs_tol=1e-15)
    assert drain >= power * MTU_H - 1e-12  # the store never wins energy


@given(batteries(), powers, st.floats(0.0, 1.0))
def test_delivery_is_the_nearest_feasible_power(p: np.ndarray, wanted: float, share: float):
    content = p[s.MIN_MWH] + share * (p[s.MAX_MWH] - p[s.MIN_MWH])
    power = deliverable_mw(wanted, content, p[s.RATED_MW], p[s.MIN_MWH], p[s.MAX_MWH], p[s.INTO], p[s.OUT])
    after = content - drain_mwh(power, p[s.INTO], p[s.OUT])
    assert abs(power) <= p[s.RATED_MW] + EPS
    assert p[s.MIN_MWH] - EPS <= after <= p[s.MAX_MWH] + EPS
    if abs(power - wanted) > EPS:  # one step nearer to the wish breaks a limit
        nearer = power + (1e-4 if wanted > power else -1e-4)
        there = content - drain_mwh(nearer, p[s.INTO], p[s.OUT])
        assert abs(nearer) > p[s.RATED_MW] or not p[s.MIN_MWH] <= there <= p[s.MAX_MWH]
    assert power * wanted >= 0.0  # never the other way


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.floats(0, 300), st.floats(0, 50), fractions, fractions)
def test_terminal_value_is_concave_and_no_free_profit(start, a, b, price, wear, charge, discharge):
    def worth(end: float) -> float:
        return terminal_value_eur(start, end, price, wear, charge, discharge)

    assert worth(start) == 0.0
    assert worth((a + b) / 2) >= (worth(a) + worth(b)) / 2 - 1e-6
    assert worth(max(a, b)) >= worth(min(a, b))  # more content is never worth less


# ---- merit order -------------------------------------------------------------------------------------------------------


@st.composite
def offer_books(draw: st.DrawFn, most: int = 8):
    """Draw offers (key, priority, MW) with many ties, and memory for them."""
    rows = draw(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3), st.floats(0.01, 5.0)), max_size=most))
    offers, spare = np.zeros((max(1, len(rows)), OFFER_W)), np.zeros((max(1, len(rows)), OFFER_W))
    for i, (key, priority, mw) in enumerate(rows):
        offers[i, [OFFER_KEY, OFFER_PRIORITY, OFFER_MW, OFFER_ROW]] = 10.0 * key, 0.25 * priority, mw, i
    return offers, spare, len(rows)


@settings(max_examples=150)
@given(offer_books(most=90))
def test_sorting_is_stable_and_sorts(book):
    offers, spare, n = book
    expected = sorted(offers[:n].tolist(), key=lambda o: (o[OFFER_KEY], o[OFFER_PRIORITY]))
    sort_offers(offers, spare, n)
    assert offers[:n].tolist() == expected


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 31, 32, 33, 64, 65, 1000])
def test_sorting_at_the_edges_of_runs(n: int):
    random = np.random.default_rng(n)
    offers = np.zeros((n + 1, OFFER_W))
    offers[:n, OFFER_KEY], offers[:n, OFFER_ROW] = random.integers(0, 9, n), np.arange(n)
    expected = sorted(offers[:n].tolist(), key=lambda o: (o[OFFER_KEY], o[OFFER_PRIORITY]))
    sort_offers(offers, np.zeros_like(offers), n)
    assert offers[:n].tolist() == expected


CURVE = np.array([[0.25, 0.2], [0.5, 0.5], [1.0, 1.0], [1.5, 2.0]])


def brute(offers, curve, sign, need, volume, reference, anchor, limit, priority):
    """Accept by listing everything that is offered, sorting it once and taking from the top."""
    pieces = [(o[OFFER_KEY], o[OFFER_PRIORITY], 0, i, o[OFFER_MW]) for i, o in enumerate(offers)]
    before = 0.0
    for share, step in curve:
        pieces.append((sign * (anchor * step + reference * (1 - step)), priority, 1, -1, share * volume - before))
        before = share * volume
    left, mine, others, price, taken = need, 0.0, 0.0, anchor, [0.0] * len(offers)
    for key, _, background, i, mw in sorted(pieces, key=lambda piece: piece[:2]):
        amount = min(mw, left)
        if key > sign * limit or left <= 1e-9 or amount <= 1e-9:
            continue
        left, price = left - amount, sign * key
        if background:
            others += amount
        else:
            mine, taken[i] = mine + amount, taken[i] + amount
    return price, mine, others, taken


@settings(max_examples=500)
@given(
    offer_books(),
    st.sampled_from([1.0, -1.0]),
    st.floats(0.0, 20.0),
    st.sampled_from([0.0, 2.0, 7.0]),
    st.floats(-20.0, 20.0),
    st.floats(0.0, 40.0),
    st.sampled_from([-15.0, 0.0, 25.0, math.inf]),
)
def test_accept_is_the_merit_order(book, sign, need, volume, reference, height, limit):
    offers, spare, n = book
    anchor = reference + sign * height
    limit = limit if math.isfinite(limit) else sign * math.inf
    priority = 0.4  # between the offers', so that ties go either way and never to a third rule
    sort_offers(offers, spare, n)
    price, mine, others, taken = brute(offers[:n].tolist(), CURVE, sign, need, volume, reference, anchor, limit, priority)
    got = accept(offers, n, CURVE, sign, need, volume, reference, anchor, limit, priority, 0.0)
    assert got == pytest.approx((price, mine, others), abs=1e-7)
    assert offers[:n, OFFER_ACCEPTED].tolist() == pytest.approx(taken, abs=1e-7)
    # nobody is paid less than it asked, nobody is left out who asked less, and no more is bought than needed
    assert mine + others <= need + 1e-7
    for key, amount, mw in offers[:n][:, [OFFER_KEY, OFFER_ACCEPTED, OFFER_MW]]:
        assert amount <= 1e-9 or key <= sign * price + 1e-9
        assert amount >= mw - 1e-7 or key >= sign * price - 1e-9 or mine + others <= 1e-9 or key > sign * limit


@given(
    st.floats(0.0, 20.0), st.floats(0.01, 20.0), prices, st.floats(0.0, 300.0), st.sampled_from([1.0, -1.0]), st.floats(-300, 300)
)
def test_background_alone_is_accept_without_offers(need, volume, reference, height, sign, limit):
    anchor = reference + sign * height
    alone = background_alone_mw(CURVE, sign, need, volume, reference, anchor, limit)
    got = accept(np.zeros((1, OFFER_W)), 0, CURVE, sign, need, volume, reference, anchor, limit, 0.5, 0.0)
    assert alone == pytest.approx(got[2], abs=1e-7)


@given(prices, prices)
def test_the_published_price_comes_back_exactly(reference, anchor):
    assert step_price(reference, anchor, 1.0) == anchor


@given(st.floats(0, 50), st.floats(0, 50), st.floats(-80, 80))
def test_a_shift_moves_the_net_need_by_itself(up, down, shift):
    new_up, new_down = shifted_need(up, down, shift)
    assert new_up >= 0.0
    assert new_down >= 0.0
    assert (new_up - new_down) == pytest.approx(up - down - shift, abs=1e-9)


# ---- shares of a shortfall, prices, roundings ---------------------------------------------------------------------------


@given(powers, powers, powers, st.sampled_from([s.DSO_FIRST, s.TSO_FIRST, s.PRO_RATA]))
def test_shortfall_shares_sum_to_what_orders_can_bear(shortfall, local, balancing, priority):
    short_local, short_balancing = shortfall_shares_mw(shortfall, local, balancing, priority)
    for short, order in ((short_local, local), (short_balancing, balancing)):
        assert short * order >= 0.0  # sign of its order
        assert abs(short) <= abs(order) + 1e-9
        assert abs(short) <= 1e-12 or short * shortfall > 0.0
    able = sum(abs(order) for order in (local, balancing) if order * shortfall > 0.0)
    assume(able > 1e-8)
    assert abs(short_local + short_balancing) == pytest.approx(min(abs(shortfall), able), abs=1e-7)
    first, second = (short_balancing, short_local) if priority == s.DSO_FIRST else (short_local, short_balancing)
    bears, order = (second, balancing if priority == s.DSO_FIRST else local), None
    if priority != s.PRO_RATA and abs(bears[0]) > 1e-9:  # the other one is short only if the first is wholly so
        order = balancing if priority == s.DSO_FIRST else local
        assert order * shortfall <= 0.0 or abs(first) == pytest.approx(abs(order), abs=1e-9)


@given(st.floats(0, 20), st.floats(0, 20), st.floats(-5, 20))
def test_overlap_is_what_does_not_fit(local, balancing, headroom):
    overlap = overlap_mw(local, balancing, headroom)
    assert 0.0 <= overlap <= min(local, balancing)
    assert local + balancing - overlap <= max(local, balancing, headroom) + 1e-9


@given(st.floats(0, 50), st.sampled_from([0.01, 0.1, 1.0, 5.0]))
def test_round_down_gives_whole_multiples(quantity, granularity):
    rounded = round_down(quantity, granularity)
    assert rounded <= quantity + 1e-8 * granularity + 1e-12
    assert quantity - rounded < granularity * (1 + 1e-8)
    assert rounded / granularity == pytest.approx(round(rounded / granularity), abs=1e-9)


@given(prices, st.floats(0.01, 5), st.floats(0, 5), st.floats(0, 1), st.sampled_from([1.0, -1.0]))
def test_local_pay(price, ordered, delivered, threshold, sign):
    pay = local_pay_eur(price, sign * ordered, sign * delivered, threshold)
    if delivered / ordered < threshold - 1e-9:
        assert pay == 0.0
    elif delivered / ordered > threshold + 1e-9:
        assert pay == pytest.approx(price * sign * min(ordered, delivered))


@given(prices, prices, st.sampled_from([1.0, -1.0]))
def test_the_better_price_is_never_worse_for_the_fsp(bid, marginal, sign):
    best = sign * forwarded_price(s.BETTER, bid, marginal, sign)
    assert best == max(sign * bid, sign * marginal)
    assert forwarded_price(s.AS_BID, bid, marginal, sign) == bid
    assert forwarded_price(s.AT_MARGINAL, bid, marginal, sign) == marginal


@pytest.mark.parametrize(
    ("minutes", "gate", "publication"), [(0, 0, 0), (7.5, 1, 0), (14, 1, 0), (15, 1, 1), (44, 3, 2), (45, 3, 3), (120, 8, 8)]
)
def test_off_grid_times(minutes: float, gate: int, publication: int):
    assert (lead_mtu(minutes, earlier=True), lead_mtu(minutes, earlier=False)) == (gate, publication)
