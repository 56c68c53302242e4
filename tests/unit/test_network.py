from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacking.errors import StackingError
from stacking.network import (
    Network,
    Node,
    compile_network,
    default_network,
    load_network,
    network_from,
    network_names,
)
from stacking.network_checks import KINDS
from stacking.portfolio import Battery, Portfolio

BATTERY = Battery(power_mw=1.0, capacity_mwh=2.0)


def at(name: str, node: str | None) -> Portfolio:
    return Portfolio(name=name, connection_mw=1.0, node=node, battery=BATTERY)


@st.composite
def trees(draw: st.DrawFn, least: int = 1) -> Network:
    """A random tree, its nodes in random order, some with a market."""
    n = draw(st.integers(least, 25))
    parents = [-1] + [draw(st.integers(0, k - 1)) for k in range(1, n)]
    ranks = [0]
    for k in range(1, n):
        ranks.append(draw(st.integers(max(1, ranks[parents[k]]), 3)))
    nodes = []
    for k in range(n):
        market = draw(st.booleans())
        nodes.append(
            Node(
                name=f"n{k}",
                kind=KINDS[ranks[k]],  # type: ignore[arg-type]
                parent=None if k == 0 else f"n{parents[k]}",
                owner="DSO" if market or draw(st.booleans()) else None,
                limit_mw=1.0 + k if market else None,
                need_scale=draw(st.sampled_from([None, 0.5])) if market else None,
            )
        )
    draw(st.randoms(use_true_random=False)).shuffle(nodes)
    return Network("drawn", "a random tree", tuple(nodes))


def path_up(network: Network, name: str) -> list[str]:
    """The names from a node to the root, found without the code under test."""
    by_name = {n.name: n for n in network.nodes}
    path = [name]
    while (parent := by_name[path[-1]].parent) is not None:
        path.append(parent)
    return path


@settings(max_examples=200, deadline=None)
@given(network=trees(), data=st.data())
def test_slices_are_contiguous_complete_and_nested(network: Network, data: st.DataObject) -> None:
    parents = {n.parent for n in network.nodes}
    leaves = [n.name for n in network.nodes if n.name not in parents]
    stands = data.draw(st.lists(st.sampled_from(leaves), max_size=40))
    portfolios = [at(f"p{k}", leaf) for k, leaf in enumerate(stands)]
    areas = compile_network(network, portfolios)
    assert sorted(areas.order.tolist()) == list(range(len(stands)))
    rows = [stands[k] for k in areas.order]
    assert [network.nodes[k].name for k in areas.row_node] == rows
    for leaf in leaves:  # the given order is kept at a leaf
        own = [k for k in areas.order.tolist() if stands[k] == leaf]
        assert own == sorted(own)
    markets = {n.name for n in network.nodes if n.owner and n.limit_mw}
    assert set(areas.names) == markets
    assert len(areas.names) == len(markets)
    for a, name in enumerate(areas.names):
        below = [k for k, leaf in enumerate(rows) if name in path_up(network, leaf)]
        assert list(range(len(rows)))[areas.rows(a)] == below
        assert areas.last_row[a] - areas.first_row[a] + 1 == len(below)
        above = [x for x in path_up(network, name)[1:] if x in markets]
        assert (areas.names[areas.parent[a]] if areas.parent[a] >= 0 else None) == (above[0] if above else None)
        assert areas.parent[a] == -1 or areas.parent[a] > a  # from the leaves to the root
        node = network.nodes[areas.node[a]]
        assert (node.name, node.owner, node.kind, node.regime) == (
            name, areas.owners[a], areas.kinds[a], areas.regimes[a],
        )  # fmt: skip
        assert areas.limit_mw[a] == node.limit_mw
        assert areas.need_scale[a] == (1.0 if node.need_scale is None else node.need_scale)
    for k, leaf in enumerate(rows):
        nearest = [x for x in path_up(network, leaf) if x in markets]
        assert (areas.names[areas.row_area[k]] if areas.row_area[k] >= 0 else None) == (nearest[0] if nearest else None)


@settings(max_examples=100, deadline=None)
@given(network=trees(least=2), seed=st.integers(0, 1000))
def test_the_order_of_nodes_in_the_file_moves_no_portfolio_to_another_market(network: Network, seed: int) -> None:
    nodes = list(network.nodes)
    random.Random(seed).shuffle(nodes)
    leaves = [network.nodes[k].name for k in network.leaves]
    portfolios = [at(f"p{k}", leaf) for k, leaf in enumerate(leaves * 2)]

    def members(tree: Network) -> dict[str, set[int]]:
        areas = compile_network(tree, portfolios)
        return {name: set(areas.order[areas.rows(a)].tolist()) for a, name in enumerate(areas.names)}

    assert members(Network("again", "", tuple(nodes))) == members(network)


def broken(network: Network, how: str, pick: random.Random) -> tuple[list[Node], str, str]:
    """Nodes of a tree broken in one way, with the problem and key that must be named."""
    nodes, root = list(network.nodes), next(n for n in network.nodes if n.parent is None)
    others = [n for n in nodes if n is not root]

    def change(node: Node, **to: Any) -> list[Node]:
        return [n.model_copy(update=to) if n is node else n for n in nodes]

    if how == "cycle":  # the parent becomes one of those below, or the node itself
        node = pick.choice(others)
        below = [n.name for n in nodes if node.name in path_up(network, n.name)]
        return change(node, parent=pick.choice(below)), "form a cycle", "parent"
    if how == "unknown":
        return change(pick.choice(others), parent="nowhere"), "unknown parent", "parent"
    if how == "roots":
        return change(pick.choice(others), parent=None, kind="root"), "several roots", "parent"
    if how == "rootless":
        return change(root, parent=pick.choice(others).name, kind="zone"), "no root", "parent"
    if how == "twice":
        return [*nodes, pick.choice(nodes)], "the same name", "name"
    if how == "coarse":
        node = pick.choice(others)
        child = Node(name="child", kind="zone", parent="fine")
        return [*nodes, Node(name="fine", kind="feeder", parent=node.name), child], "below a finer one", "kind"
    if how == "second kind":
        return change(pick.choice(others), kind="root"), "of kind root", "kind"
    if how == "nobody":
        node = pick.choice(nodes)
        return change(node, owner=None, limit_mw=5.0), "nobody who buys", "owner"
    node = pick.choice(nodes)
    return change(node, owner=None, limit_mw=None, need_scale=None, regime="norflex"), "has no needs", "regime"


HOWS = ("cycle", "unknown", "roots", "rootless", "twice", "coarse", "second kind", "nobody", "regime")


@settings(max_examples=300, deadline=None)
@given(network=trees(least=2), how=st.sampled_from(HOWS), seed=st.integers(0, 10**6))
def test_every_bad_tree_is_refused_by_name(network: Network, how: str, seed: int) -> None:
    nodes, problem, key = broken(network, how, random.Random(seed))
    with pytest.raises(StackingError, match=problem) as caught:
        Network("bad", "", tuple(nodes))
    assert caught.value.key == key
    assert "bad" in caught.value.place


def test_a_cycle_is_named_by_its_nodes() -> None:
    nodes = (
        Node(name="top", kind="root"),
        Node(name="a", kind="zone", parent="c"),
        Node(name="b", kind="zone", parent="a"),
        Node(name="c", kind="zone", parent="b"),
        Node(name="below", kind="zone", parent="b"),
    )
    with pytest.raises(StackingError) as caught:
        Network("bad", "", nodes)
    assert caught.value.value == "a -> c -> b -> a"


def test_portfolios_stand_at_leaves_only() -> None:
    stockholm = load_network("stockholm")
    for node, problem in (("SE3", "no leaf"), ("Sweden", "no leaf"), ("Kista", "unknown node"), (None, "without a node")):
        with pytest.raises(StackingError, match=problem) as caught:
            compile_network(stockholm, [at("fine", "City"), at("bad", node)])
        assert "portfolio bad" in caught.value.place
        assert caught.value.key == "node"
        assert "Norra, City, Sodra, E.ON" in caught.value.allowed
    single = compile_network(default_network(), [at("a", None), at("b", "local area")])
    assert single.order.tolist() == [0, 1]
    assert (single.names, single.parent.tolist(), single.rows(0)) == (("local area",), [-1], slice(0, 2))


def test_rows_of_a_hand_made_tree() -> None:
    network = load_network("norflex")
    stands = ["More", "Agder feeder 2", "Glitre", "Agder feeder 1", "Agder feeder 2", "Agder feeder 3"]
    areas = compile_network(network, [at(f"p{k}", node) for k, node in enumerate(stands)])
    assert areas.order.tolist() == [3, 1, 4, 5, 2, 0]
    assert areas.names == ("Agder feeder 1", "Agder feeder 2", "Agder", "Glitre", "More")
    assert areas.first_row.tolist() == [0, 1, 0, 4, 5]
    assert areas.last_row.tolist() == [0, 2, 3, 4, 5]
    assert areas.parent.tolist() == [2, 2, -1, -1, -1]
    assert areas.row_area.tolist() == [0, 1, 1, 2, 3, 4]
    assert all(x.dtype == np.int64 for x in (areas.order, areas.row_node, areas.row_area, areas.first_row, areas.parent))


def test_an_area_without_portfolios_has_an_empty_slice() -> None:
    areas = compile_network(load_network("stockholm"), [at("a", "City"), at("b", "E.ON")])
    assert dict(zip(areas.names, (areas.last_row - areas.first_row + 1).tolist(), strict=True)) == {
        "Norra": 0, "City": 1, "Sodra": 0, "E.ON": 1,
    }  # fmt: skip


# ---- files -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", network_names())
def test_shipped_networks_load_and_say_where_their_limits_come_from(name: str) -> None:
    network = load_network(name)
    assert network.name == name
    assert [n for n in network.nodes if n.has_market]
    for node in network.nodes:
        if node.has_market:
            assert "limit_mw" in node.sources, node.name


def test_shipped_networks_are_those_that_are_promised() -> None:
    assert set(network_names()) == {"single", "stockholm", "norflex"}
    stockholm = load_network("stockholm")
    assert {n.name: n.owner for n in stockholm.nodes if n.has_market} == {
        "Norra": "Vattenfall Eldistribution", "City": "Ellevio", "Sodra": "Ellevio", "E.ON": "E.ON Energidistribution",
    }  # fmt: skip
    norflex = load_network("norflex")
    assert len({n.owner for n in norflex.nodes if n.has_market}) == 3
    assert sum(n.kind == "feeder" for n in norflex.nodes) >= 2
    root = default_network().nodes[default_network().parents.index(-1)]
    assert root.limit_mw is None


GOOD = {
    "name": "mine",
    "title": "My grid",
    "node": [{"name": "top", "kind": "root"}, {"name": "a", "kind": "area", "parent": "top"}],
}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"limit_mw": -1.0, "owner": "DSO"}, "limit_mw"),
        ({"limit_mw": 0.0, "owner": "DSO"}, "limit_mw"),
        ({"limit_mw": float("nan"), "owner": "DSO"}, "limit_mw"),
        ({"limit_mw": float("inf"), "owner": "DSO"}, "limit_mw"),
        ({"limit_mw": "5", "owner": "DSO"}, "limit_mw"),
        ({"limit_mw": 5.0, "owner": "DSO", "need_scale": -1.0}, "need_scale"),
        ({"limit_mw": 5.0, "owner": "DSO", "regime": "Not A Name"}, "regime"),
        ({"limit": 5.0}, "limit"),
        ({"kind": "village"}, "kind"),
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"owner": ""}, "owner"),
        ({"sources": {"lmit_mw": "assumed"}}, "sources.lmit_mw"),
    ],
)
def test_bad_values_of_a_file_are_named(change: dict[str, Any], key: str) -> None:
    assert network_from(GOOD, "mine.toml").leaves == (1,)
    data = {**GOOD, "node": [GOOD["node"][0], {**GOOD["node"][1], **change}]}  # type: ignore[dict-item,index]
    with pytest.raises(StackingError) as caught:
        network_from(data, "mine.toml")
    assert caught.value.key == key
    assert "node" in caught.value.place


@pytest.mark.parametrize(
    "data", [{}, {"name": "x", "title": "y"}, {**GOOD, "nodes": []}, {**GOOD, "node": {}}, {**GOOD, "name": 3}]
)
def test_bad_files_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(StackingError, match="network file"):
        network_from(data, "mine.toml")
    with pytest.raises(StackingError, match="no node"):
        network_from({**GOOD, "node": []}, "mine.toml")


def test_networks_are_found_by_name_or_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ntitle = "x"\n[[node]]\nname = "top"\nkind = "root"\n', "utf-8")
    assert load_network(path).leaves == (0,)
    with pytest.raises(StackingError, match="Unknown network") as caught:
        load_network("stockholms")
    assert "stockholm" in caught.value.allowed
    with pytest.raises(StackingError, match="Cannot read"):
        load_network(tmp_path / "none.toml")


def test_a_deep_tree_is_compiled_without_recursion() -> None:
    nodes = [Node(name="n0", kind="root")]
    nodes += [Node(name=f"n{k}", kind="feeder", parent=f"n{k - 1}", owner="DSO", limit_mw=1.0) for k in range(1, 5000)]
    areas = compile_network(Network("deep", "", tuple(nodes)), [at("p", None)])
    assert areas.names[0] == "n4999"
    assert areas.parent.tolist() == [*range(1, 4999), -1]
