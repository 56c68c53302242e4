"""Presets of industrial loads are valid records, and every value says where it comes from."""

import pytest

from stacking.errors import StackingError
from stacking.portfolio import Load
from stacking.presets import load_preset, preset_names, preset_sources


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_a_load(name):
    keys = load_preset(name)
    assert Load(**keys).model_dump(exclude={"profile_file"}) == keys
    assert set(preset_sources(name)) == set(keys)
    assert all(preset_sources(name).values())
    assert "20" in preset_sources(name)["cost_eur_per_mwh"]  # the year of the price level


def test_what_the_presets_stand_for():
    assert preset_names() == ("batch_process", "cold_store", "continuous_process")
    batch, cold, continuous = (Load(**load_preset(name)) for name in preset_names())
    assert batch.rebound_frac == 1.0
    assert (cold.rebound_frac, cold.rebound_min) == (1.05, 240.0)
    assert cold.max_duration_min <= 60
    assert cold.activations_per_day > 2
    assert continuous.rebound_frac == 0.0
    assert cold.cost_eur_per_mwh < batch.cost_eur_per_mwh < continuous.cost_eur_per_mwh


def test_the_caller_may_change_what_he_gets():
    load_preset("cold_store")["peak_mw"] = 99.0
    assert load_preset("cold_store")["peak_mw"] == 0.5


@pytest.mark.parametrize("name", ["freezer", "", None, 3])
def test_an_unknown_preset_is_named(name):
    with pytest.raises(StackingError) as error:
        load_preset(name)
    assert error.value.key == "preset"
    assert "cold_store" in error.value.allowed
