from __future__ import annotations

import numpy as np
import pytest

from stacking.agents.strategies import (
    ACTION_LAYOUT,
    closed_action,
    factory_of,
    finish,
    make_strategy,
    parameters_of,
    register,
    strategy_names,
    values_of,
)
from stacking.catalogue import design_names, load_design
from stacking.compile import compile_design
from stacking.errors import StackingError

from .observations import observation, open_mask

SHIPPED = ("do_nothing", "da_arbitrage", "lfm_only", "mfrr_only", "rebid", "overbook", "stacked")


def test_the_shipped_strategies_are_registered_in_order() -> None:
    assert strategy_names()[: len(SHIPPED)] == SHIPPED
    assert [make_strategy(name).name for name in SHIPPED] == list(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_parameters_are_few_named_with_ranges_that_hold_their_default(name: str) -> None:
    parameters = parameters_of(factory_of(name))
    assert len(parameters) <= 8
    assert len(parameters) >= 2 or name == "do_nothing"
    for p in parameters:
        assert p.low < p.high
        assert p.low <= p.default <= p.high
        assert p.meaning
        assert p.unit in ("-", "MW", "EUR/MWh")
        assert p.name.endswith({"-": "_frac", "MW": "_mw", "EUR/MWh": "_eur_per_mwh"}[p.unit])
        assert p.low > 0.0 or not p.log
    assert values_of(make_strategy(name)) == {p.name: p.default for p in parameters}


@pytest.mark.parametrize("name", SHIPPED[1:])
def test_both_ends_of_every_range_can_be_made_and_act(name: str) -> None:
    parameters = parameters_of(factory_of(name))
    for end in ("low", "high"):
        strategy = make_strategy(name, **{p.name: getattr(p, end) for p in parameters})
        action, _ = strategy.act(observation(3), open_mask(3), strategy.start(3, 0))
        assert np.all(action >= ACTION_LAYOUT.low)
        assert np.all(action <= ACTION_LAYOUT.high)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "much", True, None])
def test_a_value_outside_its_range_is_refused_by_name(value: object) -> None:
    with pytest.raises(StackingError, match=r"0\.\.1") as caught:
        make_strategy("rebid", da_volume_frac=value)  # type: ignore[arg-type]
    assert caught.value.key == "da_volume_frac"
    assert "rebid" in caught.value.place


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(StackingError, match="stacked") as caught:
        make_strategy("rebit")
    assert caught.value.value == "rebit"
    with pytest.raises(StackingError, match="lfm_take_frac") as caught:
        make_strategy("rebid", lfm_take=0.5)
    assert caught.value.key == "lfm_take"
    with pytest.raises(StackingError, match="none"):
        make_strategy("do_nothing", da_volume_frac=0.5)


def test_a_name_is_taken_once() -> None:
    with pytest.raises(StackingError, match="exists"):
        register("rebid", lambda: make_strategy("stacked"))
    register("rebid", factory_of("rebid"))  # the same again is no conflict


def test_finish_clips_own_wishes_and_closes_closed_columns() -> None:
    wish = np.full((2, len(ACTION_LAYOUT.fields)), 1e6)
    done = finish(wish, open_mask(2, 3))
    assert done[0, 3] == 0.0
    assert np.delete(done[0], 3).tolist() == list(np.delete(ACTION_LAYOUT.high, 3))
    assert wish[0, 3] == 1e6
    assert closed_action(4).shape == (4, len(ACTION_LAYOUT.fields))


def test_own_price_bounds_lie_inside_the_bounds_of_every_shipped_design() -> None:
    """What a product does not allow is refused with a code; no design calls a strategy's own bid an error."""
    prices = [name for name in ACTION_LAYOUT.names if name.endswith("_price")]
    assert len(prices) == 4
    for design in map(load_design, design_names()):
        bounds = {field.name: field for field in compile_design(design).layout.fields}
        for field in ACTION_LAYOUT.fields:
            assert bounds[field.name].low <= field.low, (design.name, field.name)
            assert field.high <= bounds[field.name].high, (design.name, field.name)
