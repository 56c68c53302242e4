"""The network tree as records: who owns which node, where a limit makes a local market, and where portfolios stand.

`compile_network` turns a tree and portfolios into flat arrays: rows are sorted so that everything below a node is one
contiguous slice, and local markets are listed from the leaves to the root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from .config import NonNegative, Positive, Record, read_toml, validated
from .errors import StackingError
from .network_checks import check_tree
from .portfolio import NAME, Portfolio

FOLDER = Path(__file__).with_name("networks")
DEFAULT = "single"
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=NAME)]
Text = Annotated[str, Field(min_length=1, max_length=120)]


class Node(Record):
    """One node of the tree; with `owner` and `limit_mw` its owner buys flexibility below it on a local market.

    `regime` names the price regime of that market's needs (the scenario's default if none) and `need_scale` multiplies
    the needs drawn for it. `sources` says where the values come from.
    """

    name: Name
    kind: Literal["root", "zone", "area", "feeder"]
    parent: Name | None = None
    owner: Text | None = None
    limit_mw: Positive | None = None
    regime: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] | None = None
    need_scale: NonNegative | None = None
    sources: Mapping[str, str] = {}

    @property
    def has_market(self) -> bool:
        """Return whether the owner of this node buys flexibility below it."""
        return self.owner is not None and self.limit_mw is not None


@dataclass(frozen=True)
class Network:
    """A tree of nodes with one root, in any order.

    Args:
        name: name in tables.
        title: one line about it.
        nodes: its nodes.

    Raises:
        StackingError: no node, a duplicate name, an unknown parent, no root, two roots, a cycle, a node below a finer one, or
            a limit, regime or need scale without anybody who buys.
    """

    name: str
    title: str
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        """Check that the nodes are one tree."""
        object.__setattr__(self, "nodes", tuple(self.nodes))
        check_tree(self.nodes, f"network {self.name}")

    @cached_property
    def index(self) -> dict[str, int]:
        """Return the position of each node by name."""
        return {node.name: k for k, node in enumerate(self.nodes)}

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Return the position of each node's parent, -1 for the root."""
        return tuple(-1 if node.parent is None else self.index[node.parent] for node in self.nodes)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Return the positions of each node's children, in the order of the file."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for k, parent in enumerate(self.parents):
            if parent >= 0:
                found[parent].append(k)
        return tuple(tuple(below) for below in found)

    @cached_property
    def leaves(self) -> tuple[int, ...]:
        """Return the positions of the nodes without children, from left to right in the tree."""
        return tuple(k for k in self.walk if not self.children[k])

    @cached_property
    def walk(self) -> tuple[int, ...]:
        """Return the positions of all nodes, parents before children, each subtree in one piece."""
        order, stack = [], [self.parents.index(-1)]
        while stack:
            k = stack.pop()
            order.append(k)
            stack += reversed(self.children[k])
        return tuple(order)

    @cached_property
    def climb(self) -> tuple[int, ...]:
        """Return the positions of all nodes, children before parents, from left to right in the tree."""
        order, stack = [], [self.parents.index(-1)]
        while stack:
            k = stack.pop()
            order.append(k)
            stack += self.children[k]
        return tuple(reversed(order))


@dataclass(frozen=True)
class Areas:
    """A network compiled for F portfolios: rows sorted by leaf, and A local markets from the leaves to the root.

    The rows below market a are `first_row[a]` to `last_row[a]`, both included; without portfolios `last_row` is
    `first_row` - 1. Sorting keeps the given order of portfolios at the same leaf.

    Attributes:
        order: (F,) row k holds the portfolio `order[k]` of those given.
        row_node: (F,) node of each row, position in `Network.nodes`.
        row_area: (F,) nearest market at or above each row, -1 if there is none.
        node: (A,) node of each market, position in `Network.nodes`.
        first_row, last_row: (A,) slice of rows.
        parent: (A,) next market above, always a later one; -1 if there is none.
        limit_mw: (A,) limit of the flow, MW.
        need_scale: (A,) factor on drawn needs, -.
        of_tso: (A,) whether the limit is one of the TSO, the owner of the root.
        names, owners, kinds, regimes: (A,) texts; regime None = the scenario's default.
    """

    order: NDArray[np.int64]
    row_node: NDArray[np.int64]
    row_area: NDArray[np.int64]
    node: NDArray[np.int64]
    first_row: NDArray[np.int64]
    last_row: NDArray[np.int64]
    parent: NDArray[np.int64]
    limit_mw: NDArray[np.float64]
    need_scale: NDArray[np.float64]
    of_tso: NDArray[np.bool_]
    names: tuple[str, ...]
    owners: tuple[str, ...]
    kinds: tuple[str, ...]
    regimes: tuple[str | None, ...]

    def rows(self, area: int) -> slice:
        """Return the rows below a market."""
        return slice(int(self.first_row[area]), int(self.last_row[area]) + 1)


def compile_network(network: Network, portfolios: Sequence[Portfolio]) -> Areas:
    """Return rows and local markets of portfolios standing in a network.

    Args:
        network: the tree.
        portfolios: (F,) in any order; one without `node` stands at the only leaf.

    Raises:
        StackingError: for a portfolio at an unknown node, at a node that is no leaf, or without node in a network of several
            leaves.
    """
    place = {leaf: k for k, leaf in enumerate(network.leaves)}
    slot = _slots(network, portfolios, place)
    order = np.argsort(slot, kind="stable").astype(np.int64)
    ends = np.searchsorted(slot[order], np.arange(len(place) + 1)).astype(np.int64)
    span = _spans(network, place)
    markets = [k for k in network.climb if network.nodes[k].has_market]
    nodes = [network.nodes[k] for k in markets]
    above = _markets_above(network, markets)
    area_of = np.array([above[leaf] for leaf in network.leaves], np.int64)
    node_of = np.array(network.leaves, np.int64)
    return Areas(
        order=order,
        row_node=node_of[slot[order]],
        row_area=area_of[slot[order]],
        node=np.array(markets, np.int64),
        first_row=np.array([ends[span[k][0]] for k in markets], np.int64),
        last_row=np.array([ends[span[k][1]] - 1 for k in markets], np.int64),
        parent=np.array([above[network.parents[k]] if network.parents[k] >= 0 else -1 for k in markets], np.int64),
        limit_mw=np.array([n.limit_mw for n in nodes], np.float64),
        need_scale=np.array([1.0 if n.need_scale is None else n.need_scale for n in nodes], np.float64),
        of_tso=np.array([n.owner == network.nodes[network.parents.index(-1)].owner for n in nodes], np.bool_),
        names=tuple(n.name for n in nodes),
        owners=tuple(str(n.owner) for n in nodes),
        kinds=tuple(n.kind for n in nodes),
        regimes=tuple(n.regime for n in nodes),
    )


def network_names() -> tuple[str, ...]:
    """Return the names of the shipped networks."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def default_network() -> Network:
    """Return the network of one area below the root."""
    return load_network(DEFAULT)


def load_network(name_or_path: str | Path) -> Network:
    """Return a shipped network by name, or one from a TOML file (a path that ends in .toml).

    Raises:
        StackingError: for an unknown name, or a file that is not one tree.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if str(name_or_path) not in network_names():
            raise StackingError(
                "Unknown network.",
                key="network",
                value=str(name_or_path),
                allowed=", ".join(network_names()),
                remedy="Use one of these names or the path of a .toml file (see docs/networks.md).",
            )
        path = FOLDER / f"{name_or_path}.toml"
    return network_from(read_toml(path), str(path))


def network_from(data: Mapping[str, Any], place: str) -> Network:
    """Return the network described by plain data: name, title and `[[node]]` tables.

    Raises:
        StackingError: naming place, key, value and remedy.
    """
    tables = data.get("node")
    unknown = sorted(set(data) - {"name", "title", "node"})
    texts = {key: data.get(key) for key in ("name", "title")}
    bad = [key for key, text in texts.items() if not isinstance(text, str) or not text.strip()]
    if unknown or bad or not isinstance(tables, list):
        raise StackingError(
            "A network file holds a name, a title and [[node]] tables, and nothing else.",
            place=place,
            key=(unknown or bad or ["node"])[0],
            allowed="name, title, [[node]]",
            remedy="See docs/networks.md for an example.",
        )
    nodes = []
    for k, table in enumerate(tables):
        label = table.get("name") if isinstance(table, dict) else None
        nodes.append(validated(Node, table, f"{place} node {k + 1}" + (f" ({label})" if isinstance(label, str) else "")))
    return Network(str(texts["name"]), str(texts["title"]), tuple(nodes))


# ---- compiling -------------------------------------------------------------------------------------------------------
def _slots(network: Network, portfolios: Sequence[Portfolio], place: dict[int, int]) -> NDArray[np.int64]:
    """Return for each portfolio the number of its leaf, counted from left to right, (F,)."""
    known: dict[str | None, int] = {network.nodes[leaf].name: k for leaf, k in place.items()}
    if len(place) == 1:
        known[None] = 0
    slots = np.empty(len(portfolios), np.int64)
    for k, portfolio in enumerate(portfolios):
        slot = known.get(portfolio.node, -1)
        if slot < 0:
            _refuse_place(network, portfolio)
        slots[k] = slot
    return slots


def _refuse_place(network: Network, portfolio: Portfolio) -> None:
    """Say why a portfolio cannot stand where it says."""
    leaves = ", ".join(network.nodes[k].name for k in network.leaves)
    if portfolio.node is None:
        problem = "A portfolio without a node stands in a network of several leaves."
    elif portfolio.node in network.index:
        problem = "A portfolio stands at a node that is no leaf."
    else:
        problem = "A portfolio stands at an unknown node."
    raise StackingError(
        problem,
        place=f"network {network.name}, portfolio {portfolio.name}",
        key="node",
        value=portfolio.node,
        allowed=leaves,
        remedy="Give the portfolio one of these leaves as its node.",
    )


def _spans(network: Network, place: dict[int, int]) -> dict[int, tuple[int, int]]:
    """Return for each node the first of its leaves and the one behind the last, counted from left to right."""
    span: dict[int, tuple[int, int]] = {}
    for k in network.climb:
        below = network.children[k]
        span[k] = (span[below[0]][0], span[below[-1]][1]) if below else (place[k], place[k] + 1)
    return span


def _markets_above(network: Network, markets: list[int]) -> dict[int, int]:
    """Return for each node the number of the nearest market at or above it, -1 if there is none."""
    number = {node: a for a, node in enumerate(markets)}
    above = {-1: -1}
    for k in network.walk:
        above[k] = number.get(k, above[network.parents[k]])
    return above
