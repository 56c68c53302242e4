"""Result store: what is written is what is read, whole or refused, and the same results give the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stacking.errors import StackingError
from stacking.experiments import store

MANIFEST = {
    "configuration": {"design": "norflex", "days": 7, "fee": 0.5, "strategies": ("rebid", "stacked")},
    "seeds": [0, 1],
    "scenario_keys": ["test/generated/0/0", "test/generated/0/1"],
}


def _frames() -> dict[str, pd.DataFrame]:
    return {
        "episodes": pd.DataFrame(
            {
                "strategy": ["rebid", "stacked", "rebid"],
                "cash_eur": [1.5, -2.25, float("nan")],
                "count": np.array([1, 2, 3], dtype=np.int64),
                "closed": [True, False, True],
            }
        ),
        "prices": pd.DataFrame(
            {
                "start_utc": pd.date_range("2025-03-30", periods=4, freq="15min", tz="UTC"),
                "area": pd.Categorical(["a", "b", "a", "a"]),
            }
        ),
        "empty": pd.DataFrame({"code": pd.Series([], dtype="int64")}),
    }


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    folder = store.write_results(tmp_path / "deep" / "run", _frames(), {**MANIFEST, "notes": "first"})
    results = store.read_results(folder)
    assert list(results.frames) == sorted(_frames())
    for name, frame in _frames().items():
        pd.testing.assert_frame_equal(results.frames[name], frame, check_freq=False)
    manifest = results.manifest
    assert manifest["configuration"]["strategies"] == ["rebid", "stacked"]
    assert manifest["seeds"] == [0, 1]
    assert manifest["notes"] == "first"
    assert manifest["versions"]["numpy"] == np.__version__
    assert manifest["versions"]["python"]
    assert manifest["files"]["episodes"]["rows"] == 3
    assert manifest["created_utc"].endswith("+00:00")


def test_same_results_same_bytes_and_same_hash(tmp_path: Path) -> None:
    first = store.write_results(tmp_path / "a", _frames(), {**MANIFEST, "elapsed_s": 1.0})
    second = store.write_results(tmp_path / "b", _frames(), {**MANIFEST, "elapsed_s": 2.0})
    assert len(_bytes(first)) == 3
    assert _bytes(first) == _bytes(second)
    hashes = [store.read_results(folder).manifest["configuration_hash"] for folder in (first, second)]
    assert hashes[0] == hashes[1] == store.configuration_hash(MANIFEST)


def test_attributes_and_block_layout_do_not_reach_the_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    other = pd.DataFrame({"a": [1.0, 2.0]})
    other["b"] = [3.0, 4.0]
    other.attrs["made"] = "today"
    first = store.write_results(tmp_path / "a", {"t": frame}, MANIFEST)
    second = store.write_results(tmp_path / "b", {"t": other}, MANIFEST)
    assert _bytes(first) == _bytes(second)
    changed = store.write_results(tmp_path / "c", {"t": frame.assign(b=[3.0, 4.5])}, MANIFEST)
    assert _bytes(changed) != _bytes(first)


def test_hash_knows_values_but_not_order() -> None:
    turned = {"seeds": [0, 1], **MANIFEST, "configuration": dict(reversed(MANIFEST["configuration"].items()))}
    assert store.configuration_hash(turned) == store.configuration_hash(MANIFEST)
    numpy_seeds = {**MANIFEST, "seeds": np.arange(2)}
    assert store.configuration_hash(numpy_seeds) == store.configuration_hash(MANIFEST)
    for key, value in (("seeds", [0, 2]), ("scenario_keys", []), ("configuration", {"days": 7})):
        assert store.configuration_hash({**MANIFEST, key: value}) != store.configuration_hash(MANIFEST)


def test_writing_again_replaces_everything_and_leaves_no_scraps(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("keep me")
    store.write_results(tmp_path, _frames(), MANIFEST)
    store.write_results(tmp_path, {"episodes": _frames()["episodes"]}, MANIFEST)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episodes.parquet", "manifest.json", "own.txt"]
    assert list(store.read_results(tmp_path).frames) == ["episodes"]


def test_a_killed_write_is_never_taken_for_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill the writer before each of its replacements in turn, on top of an earlier result."""
    changed = {name: frame.iloc[:0].reset_index(drop=True) for name, frame in _frames().items()}
    real, survived = os.replace, 0
    for stop in range(4):
        folder = store.write_results(tmp_path / str(stop), _frames(), MANIFEST)
        done = 0

        def replace(source: str, target: Path, stop: int = stop) -> None:
            nonlocal done
            if done == stop:
                raise KeyboardInterrupt
            done += 1
            real(source, target)

        monkeypatch.setattr(os, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            store.write_results(folder, changed, MANIFEST)
        monkeypatch.setattr(os, "replace", real)
        with pytest.raises(StackingError, match="no finished result"):
            store.read_results(folder)
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
        survived += done
    assert survived == 0 + 1 + 2 + 3


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "manifest.json").unlink(), "no finished result"),
        (lambda f: (f / "manifest.json").write_text("{"), "no readable JSON"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe\x00"), "no readable JSON"),
        (lambda f: (f / "manifest.json").write_text("[]"), "does not list"),
        (lambda f: (f / "manifest.json").write_text('{"files": {"../../etc": {}}}'), "does not list"),
        (lambda f: (f / "manifest.json").write_text('{"files": {}, "store_version": 99}'), "another version"),
        (lambda f: (f / "episodes.parquet").unlink(), "missing"),
        (lambda f: (f / "episodes.parquet").write_bytes(b"PAR1"), "changed or damaged"),
        (lambda f: (f / "episodes.parquet").write_bytes((f / "prices.parquet").read_bytes()), "changed or damaged"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage, message: str) -> None:
    store.write_results(tmp_path, _frames(), MANIFEST)
    damage(tmp_path)
    with pytest.raises(StackingError, match=message) as caught:
        store.read_results(tmp_path)
    assert str(tmp_path) in caught.value.place


def test_a_file_that_is_listed_but_no_parquet_is_named(tmp_path: Path) -> None:
    store.write_results(tmp_path, _frames(), MANIFEST)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "episodes.parquet").write_bytes(b"nonsense")
    manifest["files"]["episodes"]["sha256"] = hashlib.sha256(b"nonsense").hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StackingError, match="no readable Parquet"):
        store.read_results(tmp_path)


def test_missing_folder_and_unwritable_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(StackingError, match="no such result folder"):
        store.read_results(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(StackingError, match="cannot be written"):
        store.write_results(tmp_path / "file" / "run", _frames(), MANIFEST)


@pytest.mark.parametrize(
    ("frames", "manifest", "key"),
    [
        ({}, {"configuration": {}, "seeds": []}, "scenario_keys"),
        ({}, {**MANIFEST, "versions": {}}, "versions"),
        ({}, {**MANIFEST, "created_utc": "now"}, "created_utc"),
        ({}, {**MANIFEST, "configuration": {"fee": float("nan")}}, "configuration.fee"),
        ({}, {**MANIFEST, "configuration": {"made": object()}}, "configuration.made"),
        ({}, {**MANIFEST, "configuration": {1: 2}}, "configuration"),
        ({"../up": pd.DataFrame()}, MANIFEST, "frames"),
        ({"t": pd.DataFrame({"a": [1, 2]}, index=[5, 6])}, MANIFEST, "t"),
        ({"t": pd.DataFrame({"a": [1, "x"]})}, MANIFEST, "t"),
        ({"t": pd.DataFrame([[1, 2]], columns=["a", "a"])}, MANIFEST, "t"),
    ],
)
def test_what_cannot_be_stored_is_refused_before_anything_is_written(tmp_path: Path, frames, manifest, key: str) -> None:
    with pytest.raises(StackingError) as caught:
        store.write_results(tmp_path / "run", frames, manifest)
    assert caught.value.key == key
    assert not (tmp_path / "run").exists()
