"""Trees of clusters: nested leaf numbers, merges, and averaging matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["TreeTables", "agglomerated", "balanced", "leaves", "parents", "tree_from_merges"]


def balanced(count: int) -> list[Any]:
    """A binary tree with that many leaves, halved at every node.

    Raises:
        ValueError: for fewer than one leaf.

    Example:
        >>> balanced(5)
        [[0, 1], [2, [3, 4]]]
    """
    if count < 1:
        raise ValueError(f"a tree has at least 1 leaf, got tree={count}")

    def make(first: int, last: int) -> Any:
        middle = (first + last) // 2
        return first if last - first == 1 else [make(first, middle), make(middle, last)]

    tree = make(0, count)
    return tree if isinstance(tree, list) else [tree]


def tree_from_merges(merges: Sequence[Sequence[int]]) -> list[Any]:
    """The nested tree of a list of merges, as `scipy.cluster.hierarchy.linkage` numbers them.

    Args:
        merges: Pairs (or more) of nodes that are joined, in order. The leaves are 0 to K - 1, and
            the i-th merge makes node K + i.

    Raises:
        ValueError: if the merges do not join everything into one tree.

    Example:
        >>> tree_from_merges([(0, 1), (2, 3), (4, 5)])
        [[0, 1], [2, 3]]
    """
    k = sum(len(merge) for merge in merges) - len(merges) + 1
    nodes: dict[int, Any] = {leaf: leaf for leaf in range(k)}
    for i, merge in enumerate(merges):
        missing = [node for node in merge if node not in nodes]
        if missing:
            raise ValueError(f"merge {i} joins node {missing[0]}, which is not there or is joined")
        nodes[k + i] = [nodes.pop(node) for node in merge]
    (tree,) = nodes.values()
    return tree if isinstance(tree, list) else [tree]


def agglomerated(means: np.ndarray, linkage: str = "average") -> list[Any]:
    """The binary tree that joins the nearest means first.

    Args:
        means: ``(K, D)``.
        linkage: What near means, one of the methods of `scipy.cluster.hierarchy.linkage`.

    Example:
        >>> agglomerated(np.array([[0.0], [9.0], [1.0], [7.0]]))
        [[0, 2], [1, 3]]
    """
    from scipy.cluster import hierarchy

    return tree_from_merges(hierarchy.linkage(means, linkage)[:, :2].astype(int).tolist())


def leaves(tree: Any) -> list[int]:
    """The leaf numbers of a nested tree, in order.

    Raises:
        ValueError: for anything but nested sequences of integers, or an empty one.
    """
    if isinstance(tree, int | np.integer) and not isinstance(tree, bool):
        return [int(tree)]
    if isinstance(tree, Sequence) and not isinstance(tree, str) and len(tree):
        return [leaf for child in tree for leaf in leaves(child)]
    raise ValueError(f"{tree!r} is no tree: expected leaf numbers in nested sequences")


def parents(tree: Sequence[Any]) -> list[int]:
    """Each node's parent, -1 for the root: leaves first, then upper nodes, children before parents.

    Example:
        >>> parents([[0, 1], [2, 3]])
        [4, 4, 5, 5, 6, 6, -1]
    """
    k = len(leaves(tree))
    parent = [-1] * k

    def number(node: Any) -> int:
        if isinstance(node, int | np.integer):
            return int(node)
        children = [number(child) for child in node]
        parent.append(-1)
        for child in children:
            parent[child] = len(parent) - 1
        return len(parent) - 1

    number(tree)
    return parent


class TreeTables:
    """The tables of a tree.

    Args:
        above: Each node's parent, as `parents` numbers them; the root is the last.
        root: Whether the root is one of the nodes, and the top level.
        store: Whether there are as many rows for levels as any binary tree with these leaves may
            need; those beyond the leaves repeat them.

    Attributes:
        parents: ``(M,)``; -1 at the top.
        averaging: ``(M, K)``, a node's mean as an average of leaf means.
        members: ``(M, K)``, one where a leaf is below a node, or is it.
        present: ``(L, M)``, one where a node is in a level.
        depth: How many of the levels differ.
    """

    def __init__(self, above: Sequence[int], *, root: bool, store: bool) -> None:
        m = len(above)
        k = next(i for i in range(m) if i in above) if m > 1 else 1
        averaging, members = np.zeros((m, k)), np.zeros((m, k))
        averaging[:k], members[:k] = np.eye(k), np.eye(k)
        depth = np.zeros(m, int)
        for node in range(k, m):
            children = [c for c in range(node) if above[c] == node]
            averaging[node] = averaging[children].mean(0)
            members[node] = members[children].sum(0)
        for node in range(m - 2, -1, -1):
            depth[node] = depth[above[node]] + 1
        first = 0 if root else 1
        self.depth = max(int(depth.max()) - first + 1, 1)
        rows = max(self.depth, k - first) if store else self.depth
        leaf = np.arange(m) < k
        self.present = np.stack(
            [(depth == level) | (leaf & (depth < level)) for level in range(first, first + rows)]
        )[:, : m if root else m - 1].astype(float)
        nodes = m if root else m - 1
        self.averaging, self.members = averaging[:nodes], members[:nodes]
        self.parents = np.array([p if p < nodes else -1 for p in above[:nodes]])

    def weights(self, upper: float, by_level: Sequence[float] | None) -> np.ndarray:
        """The weights of the levels, from the top to the leaves.

        Args:
            upper: Of all levels above the leaves together.
            by_level: For each level, instead.

        Raises:
            ValueError: if those by level are not one per level, negative, or not of sum one.
        """
        by_row = np.zeros(len(self.present))
        if by_level is not None:
            if len(by_level) != self.depth or min(by_level) < 0 or abs(sum(by_level) - 1) > 1e-6:
                raise ValueError(
                    f"level_weights is {list(by_level)}; expected {self.depth} numbers from 0 on, "
                    "from the top to the leaves, whose sum is 1"
                )
            by_row[: self.depth] = by_level
        elif self.depth == 1:
            by_row[0] = 1.0
        else:
            by_row[: self.depth - 1] = upper / (self.depth - 1)
            by_row[self.depth - 1] = 1 - upper
        return by_row
