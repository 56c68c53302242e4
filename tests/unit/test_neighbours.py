from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from stacking.agents.neighbours import neighbour_graph
from stacking.errors import StackingError

NAMES = [f"fsp {k}" for k in range(120)]
AREAS = [f"area {k % 3}" for k in range(120)]


def edges(graph: nx.Graph) -> set[frozenset[str]]:
    return {frozenset(edge) for edge in graph.edges}


def test_areas_are_small_worlds_joined_by_some_edges() -> None:
    graph = neighbour_graph(NAMES, AREAS, seed=1)
    assert list(graph.nodes) == sorted(NAMES)
    area = dict(zip(NAMES, AREAS, strict=True))
    for a, b, across in graph.edges(data="across"):
        assert across == (area[a] != area[b])
    inside = [(a, b) for a, b, across in graph.edges(data="across") if not across]
    assert len(inside) == 120 * 4 / 2  # a moved edge stays one edge
    between = graph.number_of_edges() - len(inside)
    assert 40 < between < 120  # 120 edges of the large circle, two thirds of them between areas
    assert nx.is_connected(graph)
    assert all(graph.nodes[name]["area"] == area[name] for name in NAMES)


def test_without_moves_each_area_is_a_ring_of_its_nearest() -> None:
    graph = neighbour_graph(NAMES, AREAS, within=4, across=0, rewired_frac=0.0)
    assert {d for _, d in graph.degree()} == {4}
    assert nx.number_connected_components(graph) == 3
    assert nx.average_clustering(graph) == pytest.approx(0.5)  # ring lattice of 4 nearest: 3 (k - 2) / (4 (k - 1))
    assert nx.average_clustering(neighbour_graph(NAMES, AREAS, across=0, rewired_frac=1.0)) < 0.3
    assert neighbour_graph(NAMES, AREAS, within=0, across=0).number_of_edges() == 0


def test_the_graph_hangs_on_seed_and_names_not_on_their_order() -> None:
    graph = neighbour_graph(NAMES, AREAS, seed=1)
    order = np.random.default_rng(0).permutation(len(NAMES))
    again = neighbour_graph([NAMES[k] for k in order], [AREAS[k] for k in order], seed=1)
    assert edges(graph) == edges(again)
    assert edges(graph) != edges(neighbour_graph(NAMES, AREAS, seed=2))


def test_an_area_keeps_its_circle_when_another_area_grows() -> None:
    few = neighbour_graph(NAMES, AREAS, across=0)
    many = neighbour_graph([*NAMES, "a", "b"], [*AREAS, "area 9", "area 9"], across=0)
    assert edges(many) == edges(few) | {frozenset(("a", "b"))}


def test_small_areas_are_complete() -> None:
    graph = neighbour_graph(["a", "b", "c", "d"], [0, 0, 0, 1], within=4, across=0)
    assert edges(graph) == {frozenset(x) for x in ("ab", "ac", "bc")}
    assert neighbour_graph(["a"], [0]).number_of_edges() == 0


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ((["a", "a"], [0, 0], {}), "names"),
        ((["a", "b"], [0], {}), "names"),
        ((["a"], [0], {"rewired_frac": 1.5}), "rewired_frac"),
        ((["a"], [0], {"rewired_frac": float("nan")}), "rewired_frac"),
        ((["a"], [0], {"within": -1}), "within"),
        ((["a"], [0], {"across": 1.5}), "across"),
        ((["a"], [0], {"seed": -1}), "seed"),
    ],
)
def test_misuse_is_refused(arguments: tuple, key: str) -> None:
    names, areas, options = arguments
    with pytest.raises(StackingError) as caught:
        neighbour_graph(names, areas, **options)
    assert caught.value.key == key
