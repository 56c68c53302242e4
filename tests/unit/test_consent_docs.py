"""What docs/consent.md says about names, costs and examples is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stacking.agents.consent import FspChoice, parse_consent, parse_weekly, yearly_eur
from stacking.agents.drawn import draw_consents, draw_population, kind_of
from stacking.agents.neighbours import neighbour_graph
from stacking.agents.strategies.loading import load_strategy

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "consent.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table that begins with this title."""
    lines = PAGE[PAGE.index(f"| {header} |") :].splitlines()[2:]
    table = lines[: next(k for k, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_policy_of_the_table_exists() -> None:
    graph = neighbour_graph(["a", "b"], [0, 0])
    names = [name.replace(":P", ":0.5").replace(":S", ":2") for row in rows("name") for name in re.findall(r"`([^`]+)`", row[0])]
    weekly = names[names.index("best_response") :]
    assert len(weekly) == 4
    for name in names:
        policy = parse_weekly(name, graph, ["a", "b"]) if name in weekly else parse_consent(name)
        assert policy is None if name == "own" else policy.name.startswith(name.partition(":")[0])
        assert policy is None or policy.weekly == (name in weekly)


def test_the_costs_of_each_choice_are_those_that_are_charged() -> None:
    table = rows("choice | forwarded")
    assert [row[0].strip("`") for row in table] == [choice.value for choice in FspChoice]
    for row, choice in zip(table, FspChoice, strict=True):
        said = {"consents": row[1] == "yes", "bids_itself": row[2] != "no"}
        assert said == {"consents": choice.consents, "bids_itself": choice.bids_itself}
        if choice is not FspChoice.BOTH:
            assert row[4].partition(":")[0] == f"{yearly_eur(choice):,.0f}"


@pytest.mark.parametrize("k", [0, 1])
def test_example_files_are_valid(k: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(blocks("toml")[k], "utf-8")
    drawn = draw_population(path, 50)
    assert (k == 1) == ({kind_of(p) for p in drawn} == {"battery"})
    assert set(draw_consents(drawn, path)) == ({"own"} if k else {"always", "never"})


def test_the_example_strategy_offers_in_every_hour(tmp_path: Path) -> None:
    (code,) = blocks("python")
    file = tmp_path / "every_hour.py"
    file.write_text(code, "utf-8")
    strategy = load_strategy(f"{file}:EveryHour")
    assert vars(strategy)["lfm_need_mw"] == 0.0
