"""Who sees whom: small worlds of portfolios within and across areas, keyed by a seed."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from stacking.errors import StackingError
from stacking.scenario.keys import ALL, ScenarioKey, stream, whole_number


def neighbour_graph(
    names: Sequence[str],
    areas: Sequence[object],
    *,
    within: int = 4,
    across: int = 2,
    rewired_frac: float = 0.1,
    seed: int = 0,
) -> nx.Graph:
    """Return an undirected graph whose nodes are portfolio names.

    Each area is a Watts-Strogatz graph: its portfolios in a circle, in an order drawn by the seed, each joined to its `within`
    nearest, each edge moved to another one of the area with probability `rewired_frac`. One more such circle over all
    portfolios with `across` nearest adds those of its edges that join different areas. An area of at most `within`
    portfolios is complete. The graph does not depend on the order of the names.

    Args:
        names: (F,) different names.
        areas: (F,) area of each portfolio: name or number of its node.
        within: nearest portfolios of the own area, 0 or more; an odd number counts as the even one below.
        across: nearest portfolios in the circle over all areas, 0 or more, likewise.
        rewired_frac: probability that an edge is moved, 0..1.
        seed: seed of order and moves, >= 0.

    Returns:
        The graph; node attribute `area`, edge attribute `across` (bool).

    Raises:
        StackingError: for names that are not different or do not match the areas, or numbers out of range.

    Source: D. Watts and S. Strogatz, Collective dynamics of small-world networks, Nature 393 (1998), 440-442.
    """
    _check(names, areas, rewired_frac)
    within, across = (whole_number(n, k, least=0, place="neighbours") for n, k in ((within, "within"), (across, "across")))
    key = ScenarioKey(ALL, "neighbours", seed, 0)
    area_of = dict(sorted(zip(names, areas, strict=True)))
    members: dict[object, list[str]] = {}
    for name, area in area_of.items():
        members.setdefault(area, []).append(name)
    graph: nx.Graph = nx.Graph()
    for name, area in area_of.items():
        graph.add_node(name, area=area)
    for area, own in members.items():
        graph.add_edges_from(_circle(own, within, rewired_frac, key, f"area {area}"), across=False)
    for a, b in _circle(list(area_of), across, rewired_frac, key, "all areas"):
        if area_of[a] != area_of[b]:
            graph.add_edge(a, b, across=True)
    return graph


def _circle(names: list[str], nearest: int, rewired_frac: float, key: ScenarioKey, purpose: str) -> list[tuple[str, str]]:
    """Return the edges of a Watts-Strogatz graph over names in a drawn order."""
    n, random = len(names), stream(key, purpose)
    order = random.permutation(n)
    if nearest < 2 or n < 2:
        return []
    graph = nx.complete_graph(n) if n <= nearest else nx.watts_strogatz_graph(n, nearest, rewired_frac, seed=random)
    return [(names[order[a]], names[order[b]]) for a, b in graph.edges]


def _check(names: Sequence[str], areas: Sequence[object], rewired_frac: float) -> None:
    """Check lengths, names and the probability."""
    if len(names) != len(areas) or len(set(names)) != len(names):
        raise StackingError(
            "Names and areas do not match.",
            place="neighbours",
            key="names",
            value=f"{len(names)} names ({len(set(names))} different), {len(areas)} areas",
            allowed="one area for each of different names",
            remedy="Give each portfolio its own name and one area.",
        )
    if not 0.0 <= rewired_frac <= 1.0:
        raise StackingError(
            "The share of moved edges is no probability.",
            place="neighbours",
            key="rewired_frac",
            value=rewired_frac,
            allowed="0..1",
        )
