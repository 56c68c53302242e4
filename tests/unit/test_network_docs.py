"""The examples in docs/networks.md and docs/populations.md do what they say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stacking.agents.drawn import draw_population, kind_of
from stacking.network import network_from

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.S)


@pytest.mark.parametrize("page", ["networks.md", "populations.md"])
def test_examples_run(page: str) -> None:
    names: dict[str, Any] = {}
    for code in blocks(page, "python"):
        exec(code, names)
    if page == "networks.md":
        assert sum(map(len, names["below"].values())) == 30  # four areas beside each other hold everybody
    else:
        assert len(names["plays"]) == len(names["kinds"]) == len(names["graph"]) == 200
        assert sum(names["slots"].values()) >= 4


def test_example_files_are_valid(tmp_path: Path) -> None:
    (tree,) = blocks("networks.md", "toml")
    network = network_from(tomllib.loads(tree), "docs")
    assert [n.name for n in network.nodes if n.has_market] == ["town", "harbour"]
    (population,) = blocks("populations.md", "toml")
    path = tmp_path / "mine.toml"
    path.write_text(population, "utf-8")
    drawn = draw_population(path, 100)
    assert {kind_of(p) for p in drawn} == {"battery"}
    assert min(p.rated_mw for p in drawn) >= 1.0 - 1e-9
