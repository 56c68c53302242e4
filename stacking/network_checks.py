"""What can be wrong with a network: checks that its nodes are one tree, each with an error that names the node."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .errors import StackingError

if TYPE_CHECKING:
    from .network import Node

KINDS = ("root", "zone", "area", "feeder")
"""Kinds of nodes from coarse to fine; a node never lies below a finer one."""


def check_tree(nodes: tuple[Node, ...], place: str) -> None:
    """Check that nodes are one tree.

    Raises:
        StackingError: no node, a duplicate name, an unknown parent, no root, two roots, a cycle, a node below a finer one, or
            a limit, regime or need scale without anybody who buys.
    """
    _check_names(nodes, place)
    _check_root(nodes, place)
    _check_cycles(nodes, place)
    _check_kinds(nodes, place)
    _check_markets(nodes, place)


def _check_names(nodes: tuple[Node, ...], place: str) -> None:
    """Check that there are nodes, each with its own name and a known parent."""
    if not nodes:
        raise StackingError("A network has no node.", place=place, key="node", remedy="Add [[node]] tables, the root first.")
    twice = [name for name, count in Counter(n.name for n in nodes).items() if count > 1]
    if twice:
        raise StackingError(
            "Two nodes have the same name.", place=place, key="name", value=twice[0], remedy="Give each node its own name."
        )
    names = {n.name for n in nodes}
    for node in nodes:
        if node.parent is not None and node.parent not in names:
            raise StackingError(
                "A node has an unknown parent.",
                place=f"{place}, node {node.name}",
                key="parent",
                value=node.parent,
                allowed=", ".join(sorted(names - {node.name})) or "none",
                remedy="Add the parent as a node or mend its spelling.",
            )


def _check_root(nodes: tuple[Node, ...], place: str) -> None:
    """Check that exactly one node has no parent."""
    roots = [n.name for n in nodes if n.parent is None]
    if len(roots) != 1:
        raise StackingError(
            "A network has no root." if not roots else "A network has several roots.",
            place=place,
            key="parent",
            value=None if not roots else ", ".join(roots),
            allowed="one node without parent",
            remedy="Leave out the parent of the root." if not roots else "Give all but one of them a parent.",
        )


def _check_cycles(nodes: tuple[Node, ...], place: str) -> None:
    """Check that every node leads up to the root."""
    parent = {n.name: n.parent for n in nodes}
    safe: set[str | None] = {None}
    for node in nodes:
        path: list[str] = []
        seen: set[str] = set()
        at: str | None = node.name
        while at not in safe and at is not None:
            if at in seen:
                circle = [*path[path.index(at) :], at]
                raise StackingError(
                    "The nodes of a network form a cycle.",
                    place=place,
                    key="parent",
                    value=" -> ".join(circle),
                    allowed="a tree: every node leads up to the root",
                    remedy="Give one of these nodes a parent outside the cycle.",
                )
            path.append(at)
            seen.add(at)
            at = parent[at]
        safe.update(path)


def _check_kinds(nodes: tuple[Node, ...], place: str) -> None:
    """Check that the root is the only node of kind root and that no node lies below a finer one."""
    kind = {n.name: n.kind for n in nodes}
    for node in nodes:
        if (node.kind == "root") != (node.parent is None):
            raise StackingError(
                "The node without parent, and no other, is of kind root.",
                place=f"{place}, node {node.name}",
                key="kind",
                value=node.kind,
                allowed="root" if node.parent is None else ", ".join(KINDS[1:]),
                remedy="Correct its kind or its parent.",
            )
        if node.parent is not None and KINDS.index(node.kind) < KINDS.index(kind[node.parent]):
            raise StackingError(
                "A node lies below a finer one.",
                place=f"{place}, node {node.name}",
                key="kind",
                value=f"{node.kind} below {kind[node.parent]}",
                allowed=" > ".join(KINDS),
                remedy="Correct its kind or its parent.",
            )


def _check_markets(nodes: tuple[Node, ...], place: str) -> None:
    """Check that nothing is said about a market that does not exist, and that sources speak about known keys."""
    for node in nodes:
        where = f"{place}, node {node.name}"
        if node.limit_mw is not None and node.owner is None:
            raise StackingError(
                "A node with a limit has nobody who buys.",
                place=where,
                key="owner",
                allowed="the name of a DSO or TSO",
                remedy="Name the owner, or leave out limit_mw.",
            )
        for key in ("regime", "need_scale"):
            if getattr(node, key) is not None and not node.has_market:
                raise StackingError(
                    "A node without a local market has no needs.",
                    place=where,
                    key=key,
                    value=getattr(node, key),
                    remedy=f"Give the node owner and limit_mw, or leave out {key}.",
                )
        known = [key for key in type(node).model_fields if key != "sources"]
        for key in node.sources:
            if key not in known:
                raise StackingError(
                    "A source is given for an unknown key.",
                    place=where,
                    key=f"sources.{key}",
                    allowed=", ".join(known),
                    remedy="Mend its spelling.",
                )
