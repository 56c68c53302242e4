"""Keys and random streams."""

from typing import Any

import numpy as np
import pytest

from stacking.errors import StackingError
from stacking.scenario import SPLITS, ScenarioKey, scenario_keys, stream


def test_a_key_reads_as_split_source_seed_episode():
    assert str(ScenarioKey("test", "generated", 3, 14)) == "test/generated/3/14"
    numbers: Any = np.array([3, 14])  # whole numbers of NumPy are whole numbers
    assert str(ScenarioKey("test", "generated", numbers[0], numbers[1])) == "test/generated/3/14"


@pytest.mark.parametrize(
    ("split", "source", "seed", "episode", "key"),
    [
        ("exam", "generated", 0, 0, "split"),
        ("test", "", 0, 0, "source"),
        ("test", "a/b", 0, 0, "source"),
        ("test", "generated", -1, 0, "seed"),
        ("test", "generated", True, 0, "seed"),
        ("test", "generated", 0, 1.5, "episode"),
    ],
)
def test_bad_parts_are_named(split, source, seed, episode, key):
    with pytest.raises(StackingError) as caught:
        ScenarioKey(split, source, seed, episode)
    assert caught.value.key == key


def test_keys_of_the_splits_are_disjoint_and_in_order():
    keys = [key for split in SPLITS for key in scenario_keys(split, 50, seed=1)]
    assert len(set(keys)) == 150
    assert scenario_keys("train", 3, seed=1) == tuple(keys[:3])


@pytest.mark.parametrize(("split", "count"), [("all", 1), ("train", 0), ("train", 2.0)])
def test_bad_requests_for_keys(split, count):
    with pytest.raises(StackingError):
        scenario_keys(split, count)


def test_streams_depend_on_key_and_purpose_only():
    key = ScenarioKey("train", "generated", 0, 0)
    draws = {
        tuple(stream(other, purpose).integers(2**62, size=4).tolist())
        for other in (
            key,
            ScenarioKey("test", "generated", 0, 0),
            ScenarioKey("train", "generated", 1, 0),
            ScenarioKey("train", "generated", 0, 1),
        )
        for purpose in ("prices", "needs")
    }
    assert len(draws) == 8
    assert stream(key, "prices").random() == stream(ScenarioKey("train", "generated", 0, 0), "prices").random()
