"""docs/designs.md lists every design and product that is shipped, with what is assumed of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stacking.catalogue import DESIGNS_FOLDER, design_names, load_design, products
from stacking.config import read_toml

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "designs.md").read_text("utf-8")
DESIGNS_PART, PRODUCTS_PART = PAGE.split("## What is assumed of the products")
ROW = re.compile(r"^\| `(\w+)` \|(.*)\|$", re.M)
DESIGN_ROWS, PRODUCT_ROWS = (
    {name: [cell.strip() for cell in rest.split("|")] for name, rest in ROW.findall(part)}
    for part in (DESIGNS_PART, PRODUCTS_PART)
)
MEND = "docs/designs.md has one row for each shipped design and product: add, remove or mend the row"


def names(cell: str) -> set[str]:
    """Return what stands in backticks in a cell."""
    return set(re.findall(r"`(\w+)`", cell))


def test_every_design_and_product_has_a_row() -> None:
    assert set(DESIGN_ROWS) == set(design_names()), MEND
    assert set(PRODUCT_ROWS) == set(products()), MEND


@pytest.mark.parametrize("design", DESIGN_ROWS)
def test_a_row_tells_products_and_what_is_assumed(design: str) -> None:
    (common,) = re.findall(r"^Assumed in all of them: (.*?)\.", PAGE, re.M)
    used, what, assumed, source = DESIGN_ROWS[design]
    chosen = read_toml(DESIGNS_FOLDER / f"{design}.toml")["products"].values()
    assert names(used) == {choice if isinstance(choice, str) else choice["base"] for choice in chosen}, MEND
    assert not names(assumed) & names(common)
    assert names(assumed) | names(common) == set(load_design(design).assumed), MEND
    assert what
    assert source


@pytest.mark.parametrize("product", PRODUCT_ROWS)
def test_a_row_tells_what_is_assumed_of_a_product(product: str) -> None:
    sources = products()[product].sources
    assert names(PRODUCT_ROWS[product][1]) == {key for key, text in sources.items() if "assumed" in text}, MEND
