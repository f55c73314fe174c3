"""The columns and rows a score is computed of: blocks, two disjoint parts, one of each copy."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["columns_of", "reduce_blocks", "split", "without_copies"]


def columns_of(
    blocks: Sequence[Sequence[int] | slice] | Mapping[str, Sequence[int] | slice], width: int
) -> dict[Any, list[int]]:
    """The columns of each block, by the block's name or number.

    Args:
        blocks: The columns of each block, as lists or slices, in a list or by name.
        width: How many columns the codes have.

    Raises:
        ValueError: for no blocks, an empty one, a column out of range, or one that two share.

    Example:
        >>> columns_of({"shape": [0, 1], "place": [3]}, width=4)
        {'shape': [0, 1], 'place': [3]}
    """
    block_members = blocks if isinstance(blocks, Mapping) else dict(enumerate(blocks))
    if not block_members:
        raise ValueError("blocks is empty: name at least one block of columns, or pass None")
    owner: dict[int, Any] = {}
    result: dict[Any, list[int]] = {}
    for name, members in block_members.items():
        if isinstance(members, slice):
            members = range(*members.indices(width))
        columns = [int(column) for column in members]
        if not columns:
            raise ValueError(f"block {name!r} is empty: name its columns, or drop it")
        for column in columns:
            if not 0 <= column < width:
                raise ValueError(f"block {name!r} names column {column}; codes has {width} columns")
            if column in owner:
                raise ValueError(
                    f"column {column} is in block {owner[column]!r} and in block {name!r}: "
                    "a column belongs to one block"
                )
            owner[column] = name
        result[name] = columns
    return result


def reduce_blocks(
    codes: np.ndarray,
    blocks: Sequence[Sequence[int] | slice] | Mapping[str, Sequence[int] | slice],
    *,
    components: int = 1,
    basis: np.ndarray | None = None,
) -> np.ndarray:
    """Vector-valued codes as few numbers each: the leading principal components of every block.

    The components are those of the centered block; a component's largest loading is positive, so
    that the result does not depend on the linear algebra library. A block narrower than
    ``components`` is filled up with zeros: every block has as many columns as any other.

    Args:
        codes: ``(N, D)``.
        blocks: The columns of each block, as a list of lists or by name. Columns that no block
            names are left out; a column may belong to one block only.
        components: How many principal components to keep per block.
        basis: The rows ``(M, D)`` that the components are estimated from; ``codes`` by default.

    Shape:
        ``(N, len(blocks) * components)``, block by block.

    Raises:
        ValueError: for an empty block, a column out of range, or one that two blocks share.

    Example:
        >>> codes = np.array([[0.0, 0.0, 5.0], [1.0, 1.0, 7.0], [2.0, 2.0, 6.0]])
        >>> reduce_blocks(codes, [[0, 1], [2]]).round(3).tolist()
        [[-1.414, -1.0], [0.0, 1.0], [1.414, 0.0]]
    """
    members_of = columns_of(blocks, codes.shape[1])
    basis = codes if basis is None else basis
    components_of = np.zeros((len(codes), len(members_of) * components), dtype=np.float64)
    for i, columns in enumerate(members_of.values()):
        block = basis[:, columns].astype(np.float64)
        center = block.mean(axis=0)
        block = block - center
        _, axes = np.linalg.eigh(block.T @ block)
        axes = axes[:, ::-1][:, :components]
        largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
        axes = axes * np.where(largest < 0, -1.0, 1.0)
        start = i * components
        components_of[:, start : start + axes.shape[1]] = (codes[:, columns] - center) @ axes
    return components_of


def split(
    n: int,
    train: int | None,
    test: int | None,
    seed: int,
    *,
    metric: str,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Disjoint train and test rows, drawn without replacement.

    Where there are fewer than ``train + test`` rows, all are used, in the same proportion.

    Args:
        n: How many rows there are.
        train: Rows to learn from.
        test: Rows to be judged on.
        seed: Of the draw.
        metric: Who asks, for the error messages.
        groups: A label of each row ``(n,)``: rows of one group are never in both parts.

    Raises:
        ValueError: for fewer than 10 rows, labels of another number of rows, or a single group.
    """
    if n < 10:
        raise ValueError(f"{metric} fits something and needs a test part: {n} points are too few")
    if train is None or test is None:
        train, test = 2, 1
    if train + test > n or (train, test) == (2, 1):
        part = train / (train + test)
        train = round(n * part)
        test = n - train
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    if groups is None:
        return order[:train], order[train : train + test]
    if groups.shape != (n,):
        raise ValueError(
            f"groups has shape {groups.shape}; expected one label for each of {n} rows"
        )
    labels, group = np.unique(groups, return_inverse=True)
    if len(labels) < 2:
        raise ValueError(f"{metric}: groups has a single label: expected at least two groups")
    place = rng.permutation(len(labels))[group]  # groups one after the other, in random order
    order = order[np.argsort(place[order], kind="stable")]
    ends = np.cumsum(np.bincount(place))[:-1]
    cut = int(ends[np.abs(ends - train).argmin()])  # the end of a group
    return order[: min(cut, train)], order[cut : cut + test]


def without_copies(
    metric: str, *arrays: np.ndarray, split: bool, number: np.ndarray | None = None
) -> tuple[np.ndarray, ...] | None:
    """The rows of arrays without their copies; ``None`` if there are none, or not of all alike.

    Rows are copies if real-valued codes of them are equal bit by bit, in every column. Where all
    rows occur equally often, nothing is lost with the copies, and one of each is kept, in the order
    of their first occurrence. Otherwise their share is warned of, since what is near is then the
    row itself.

    Args:
        metric: Who asks, for the warning.
        arrays: The codes ``(N, D)`` first, and whatever else has to be equal.
        split: Whether the rows are to be split, for the warning.
        number: What the rows are called, ``(N,)``, to be returned as the last array.

    Warns:
        UserWarning: if more than 1 % of the rows repeat others, not all equally often.
    """
    codes = arrays[0]
    distinct = 0
    for column in codes.T:
        values = np.unique(column)
        if len(values) == len(codes):
            return None
        if (values != np.round(values)).any():
            distinct = max(distinct, len(values))
    keys = np.zeros(len(codes), dtype=np.uint64)  # of 64 bits: two rows in 1e19 share one
    for array in arrays:
        for column in array.T:
            keys ^= column.astype(np.float64).view(np.uint64)
            keys *= np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    # Of a discrete code no column tells the rows apart, or there are few values.
    if len(first) < 50 or distinct < 0.9 * len(first):
        return None
    if (counts == counts[0]).all():
        first_rows = np.sort(first)
        returned = arrays if number is None else (*arrays, number)
        return tuple(array[first_rows] for array in returned)
    share = 1 - len(first) / len(codes)
    if share > 0.01:
        reason = (
            "rows to be judged on are copies of those learned from: drop them, or give groups="
            if split
            else "the nearest neighbor of a row is then its copy: drop them"
        )
        warnings.warn(f"{metric}: {share:.0%} of the rows repeat others; {reason}", stacklevel=4)
    return None
