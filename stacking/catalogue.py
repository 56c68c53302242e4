"""Products, designs and portfolios by name or file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .config import Design, Product, read_toml, validated
from .errors import StackingError
from .portfolio import Portfolio
from .presets import load_preset

_HERE = Path(__file__).parent
PRODUCTS_FILE = _HERE / "products.toml"
DESIGNS_FOLDER = _HERE / "designs"
PORTFOLIO_FILE = _HERE / "portfolio.toml"


@cache
def products() -> dict[str, Product]:
    """Return the market catalogue; a product with `base` inherits what it does not say itself."""
    raw = read_toml(PRODUCTS_FILE)
    return {name: validated(Product, _inherit(raw, name, str(PRODUCTS_FILE)), f"{PRODUCTS_FILE.name}[{name}]") for name in raw}


def design_names() -> tuple[str, ...]:
    """Return the names of the shipped designs."""
    return tuple(sorted(path.stem for path in DESIGNS_FOLDER.glob("*.toml")))


def load_design(name_or_path: str | Path) -> Design:
    """Return a shipped design by name, or one from a TOML file (a path with a suffix).

    Raises:
        StackingError: for an unknown name or a file that is not a valid design.
    """
    return design_from(*_design_data(name_or_path))


def changed_design(
    design: str | Path | Mapping[str, Any], changes: Mapping[str, Any] | None = None, pooling: bool | None = None, place: str = ""
) -> Design:
    """Return a design with some values replaced.

    Args:
        design: shipped name, path of a TOML file, or a table with the same keys.
        changes: "rules.KEY" or "products.MARKET.KEY" -> value, for example {"rules.tso_penalty_factor": 2.0}.
        pooling: switch of the pooling rule, None to leave it.
        place: where the changes were asked for, for messages.

    Raises:
        StackingError: for an unknown design, key, or a value that is not allowed.
    """
    data, source = (dict(design), "design table") if isinstance(design, Mapping) else _design_data(design)
    for key, value in [*([] if pooling is None else [("rules.pooling", pooling)]), *(changes or {}).items()]:
        data = _with_value(data, key, value, place or source)
    return design_from(data, source + (f" with {place}" if changes and place else ""))


def _design_data(name_or_path: str | Path) -> tuple[dict[str, Any], str]:
    """Return the plain data of a design, and the file in which it stands."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if str(name_or_path) not in design_names():
            raise StackingError(
                "Unknown design.", key="design", value=str(name_or_path), allowed=", ".join(design_names()),
                remedy="Use one of these names or the path of a .toml file (see `stacking designs`).",
            )  # fmt: skip
        path = DESIGNS_FOLDER / f"{name_or_path}.toml"
    return read_toml(path), str(path)


def _with_value(data: dict[str, Any], key: str, value: Any, place: str) -> dict[str, Any]:
    """Return the data of a design with the value of "table.key" replaced."""
    parts = [part.strip() for part in key.split(".")]
    if parts[0] not in ("rules", "products") or len(parts) != {"rules": 2, "products": 3}[parts[0]]:
        raise StackingError(
            "A setting is given as table.key=value.", place=place, key=place, value=f"{key}={value}",
            allowed="rules.KEY=VALUE or products.MARKET.KEY=VALUE",
            remedy="For example rules.tso_penalty_factor=2 (keys: stacking designs NAME).",
        )  # fmt: skip
    table = data.get(parts[0], {})
    if not isinstance(table, Mapping):
        return data  # no valid design: named when it is read
    if parts[0] == "rules":
        return {**data, "rules": {**table, parts[1]: value}}
    chosen = table.get(parts[1])
    if chosen is None:
        raise StackingError(
            "The design has no such market.", place=place, key=f"products.{parts[1]}", value=f"{key}={value}",
            allowed=", ".join(table),
        )  # fmt: skip
    fields = chosen if isinstance(chosen, Mapping) else {"base": chosen}
    return {**data, "products": {**table, parts[1]: {**fields, parts[2]: value}}}


def design_from(data: dict[str, Any], place: str) -> Design:
    """Return the design described by plain data, with its products looked up in the catalogue.

    A product is a name of the catalogue, or a table with `base` and the fields that differ.

    Raises:
        StackingError: naming place, key, value and remedy.
    """
    data = dict(data)
    chosen = data.get("products")
    if not isinstance(chosen, dict):
        raise StackingError("Design is not valid.", place=place, key="products", allowed="a table with lfm and mfrr",
                            remedy='Add [products] with lfm = "lfm" and mfrr = "mfrr_eam".')  # fmt: skip
    catalogue = read_toml(PRODUCTS_FILE)
    data["products"] = {market: _choose(catalogue, market, choice, place) for market, choice in chosen.items()}
    return validated(Design, data, place)


def _choose(catalogue: dict[str, Any], market: str, choice: Any, place: str) -> dict[str, Any]:
    table = {"base": choice} if isinstance(choice, str) else choice
    if not isinstance(table, dict) or not isinstance(table.get("base", ""), str):
        raise StackingError("Design is not valid.", place=place, key=f"products.{market}", value=choice,
                            allowed="a product name or a table", remedy='Write for example lfm = "lfm".')  # fmt: skip
    return _inherit({**catalogue, "": table}, "", place, f"products.{market}")


def _inherit(raw: dict[str, Any], name: str, place: str, key: str = "base") -> dict[str, Any]:
    table = dict(raw[name])
    base = table.pop("base", None)
    if base is None:
        return table
    if base not in raw or base == name:
        raise StackingError("Unknown product.", place=place, key=key, value=base, allowed=", ".join(k for k in raw if k),
                            remedy="Name a product of the catalogue (see `stacking designs`).")  # fmt: skip
    parent = _inherit(raw, base, place)
    sources = table.get("sources", {})
    if isinstance(sources, dict):  # anything else is named by the validation
        sources = {**parent.get("sources", {}), **sources}
    return {**parent, **table, "sources": sources}


def default_portfolios() -> tuple[Portfolio, ...]:
    """Return the default portfolio: a battery of 5 MW / 10 MWh, 100 charging points of 11 kW and an industrial load of 2 MW."""
    return load_portfolios(PORTFOLIO_FILE)


def _complete(table: Any, file: Path) -> Any:
    """Return a portfolio table with the preset of its load filled in and its files found beside the portfolio file."""
    if not isinstance(table, dict):
        return table
    out = dict(table)
    load = out.get("load")
    if isinstance(load, dict) and "preset" in load:
        own = {key: value for key, value in load.items() if key != "preset"}
        out["load"] = {**load_preset(load["preset"]), **own}
    for kind, key in (("fleet", "sessions_file"), ("load", "profile_file")):
        asset = out.get(kind)
        if isinstance(asset, dict) and isinstance(asset.get(key), str):
            out[kind] = {**asset, key: str(file.parent / asset[key])}
    return out


PARTS = ("battery", "fleet", "load")
"""Parts of the default portfolio that are portfolios of their own."""


def load_portfolios(path: str | Path) -> tuple[Portfolio, ...]:
    """Return the portfolios of a TOML file with `[[portfolio]]` tables (`count = n` repeats one n times), or of a preset.

    Args:
        path: of a file, or `default`, `battery`, `fleet`, `load`: the default portfolio, or one of its parts alone.

    Raises:
        StackingError: for an invalid file, no portfolio or duplicate names.
    """
    if path == "default":
        return default_portfolios()
    if path in PARTS:
        (whole,) = default_portfolios()
        return (whole.model_copy(update={"name": path, **{part: None for part in PARTS if part != path}}),)
    data = read_toml(path)
    place = str(path)
    unknown = sorted(set(data) - {"portfolio"})
    tables = data.get("portfolio")
    if unknown or not isinstance(tables, list) or not tables:
        raise StackingError("A portfolio file holds one or more [[portfolio]] tables and nothing else.", place=place,
                            key=unknown[0] if unknown else "portfolio", allowed="[[portfolio]]",
                            remedy="See docs/portfolios.md for an example.")  # fmt: skip
    records = [validated(Portfolio, _complete(table, Path(path)), f"{place} portfolio {i + 1}") for i, table in enumerate(tables)]
    portfolios = tuple(
        record if record.count == 1 else record.model_copy(update={"name": f"{record.name} {i + 1}", "count": 1})
        for record in records
        for i in range(record.count)
    )
    names: set[str] = set()
    for portfolio in portfolios:
        if portfolio.name in names:
            raise StackingError("Two portfolios have the same name.", place=place, key="name", value=portfolio.name,
                                remedy="Give each portfolio its own name (count = n numbers them), or use count.")  # fmt: skip
        names.add(portfolio.name)
    return portfolios
