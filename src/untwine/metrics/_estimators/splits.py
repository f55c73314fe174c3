"""Train and test rows for metrics that fit something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import UNKNOWN, check, factor_parts, is_known, sentinel, stated_unknown
from .kinds import CLASSES, FactorKinds, Kind, coordinates, kinds_of
from .selection import columns_of, reduce_blocks, split, without_copies

__all__ = [
    "Columns",
    "Target",
    "TrainTest",
    "equal_width",
    "in_blocks",
    "rows",
    "same_rows",
    "scale",
    "stated_blocks",
    "train_test",
    "wide",
]

Columns = Sequence[Sequence[int] | slice] | Mapping[str, Sequence[int] | slice]


def equal_width(values: np.ndarray, bins: int, reference: np.ndarray | None = None) -> np.ndarray:
    """A factor in bins of equal width between its extremes; unknown stays -1.

    The edges are those of `numpy.histogram`; the largest value belongs to the last bin.

    Args:
        values: ``(N,)``.
        bins: How many.
        reference: The values whose extremes count, by default ``values``; others outside of them
            belong to the first or last bin.
    """
    reference = values if reference is None else reference
    edges = np.histogram_bin_edges(reference[is_known(reference)].astype(np.float64), bins)
    mask = is_known(values)
    bin_of = np.full(len(values), -1, dtype=np.int64)
    bin_of[mask] = np.digitize(values[mask], edges[1:-1])
    return bin_of


@dataclass(frozen=True)
class Target:
    """One factor as something to predict, without the rows where it is unknown.

    Attributes:
        z: Codes to learn from, ``(n, D)``.
        y: Their targets, ``(n,)``: classes ``0 .. C-1`` or real values.
        z_test: Codes to be judged on, ``(m, D)``.
        y_test: Their targets, ``(m,)``.
        classes: The factor's value of each class, ``(C,)``; ``None`` for a continuous factor.
    """

    z: np.ndarray
    y: np.ndarray
    z_test: np.ndarray
    y_test: np.ndarray
    classes: np.ndarray | None


@dataclass(frozen=True)
class TrainTest:
    """Codes and factors in two parts.

    Attributes:
        z: Codes to learn from, ``(n, D)``.
        factors: Their factors, ``(n, K)``.
        z_test: Codes to be judged on, ``(m, D)``.
        factors_test: Their factors, ``(m, K)``.
        protocol: What a score has to say about the parts: sizes, seed, blocks.
        columns: The columns of each code: one of its own, or those of a block.
    """

    z: np.ndarray
    factors: np.ndarray
    z_test: np.ndarray
    factors_test: np.ndarray
    kinds: tuple[Kind, ...]
    protocol: dict[str, Any]
    columns: list[list[int]]

    def discrete(self, k: int) -> bool:
        """Whether factor ``k`` has classes."""
        return self.kinds[k] in CLASSES

    def target(self, k: int, *, metric: str) -> Target:
        """Factor ``k`` as classes or, if it has none and is no angle, as numbers to predict.

        Args:
            k: Which factor.
            metric: Who asks, for the error messages.

        Raises:
            ValueError: as `targets`, and for an angle.
        """
        targets = self.targets(k, metric=metric)
        if len(targets) > 1:
            raise ValueError(
                f"{metric}: factor {k} is an angle, and this metric predicts one number: give its "
                "cosine and its sine as two factors"
            )
        return targets[0]

    def targets(self, k: int, *, metric: str, values: bool = False) -> list[Target]:
        """Factor ``k`` as something to predict: its classes, or each of its coordinates.

        Args:
            k: Which factor.
            metric: Who asks, for the error messages.
            values: Whether a factor with classes has coordinates, too, as a regression needs them.

        Raises:
            ValueError: if fewer than two values or no test row of it are known.
        """
        y, y_test = self.factors[:, k], self.factors_test[:, k]
        mask, mask_test = is_known(y), is_known(y_test)
        y, y_test = y[mask], y_test[mask_test]
        if len(y) == 0 or (y == y[0]).all() or len(y_test) == 0:
            raise ValueError(
                f"{metric}: factor {k} has {len(np.unique(y))} known value(s) in {len(mask)} rows "
                f"to learn from and {len(y_test)} known rows to be judged on; expected at least "
                "two values and one row: give more labelled rows, or drop that column"
            )
        z, z_test, n = self.z[mask], self.z_test[mask_test], len(y)
        labels = np.concatenate([y, y_test])
        if self.discrete(k) and not values:
            classes, labels = np.unique(labels, return_inverse=True)
            return [Target(z, labels[:n], z_test, labels[n:], classes)]
        return [
            Target(z, column[:n], z_test, column[n:], None)
            for column in coordinates(labels, self.kinds[k], np.unique(y)).T
        ]


def train_test(
    codes: Any,
    factors: Any,
    codes_test: Any = None,
    factors_test: Any = None,
    *,
    train: int | None,
    test: int | None,
    seed: int,
    metric: str,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = UNKNOWN,
    groups: Any = None,
    kinds: FactorKinds = None,
) -> TrainTest:
    """Checked codes and factors in two parts.

    With ``codes_test`` the given parts are used, each cut down to its protocol's size by a seeded
    draw where it is larger. Without, the rows are split: ``train`` and ``test`` of them, or all in
    that proportion where there are fewer.

    Args:
        codes: ``(N, D)``.
        factors: ``(N, K)``; -1 or nan where unknown.
        codes_test: ``(M, D)``, rows to be judged on.
        factors_test: ``(M, K)``.
        train: Rows to learn from; all if ``None``.
        test: Rows to be judged on; all if ``None``.
        seed: Of the draws.
        metric: Who asks, for the error messages.
        blocks: Columns of vector-valued codes.
        components: Principal components, of the first part, to reduce each block to.
        unknown: The value that means unknown, see `arrays.as_factors`.
        groups: A label of each row ``(N,)``: rows of one group are not split.
        kinds: What each factor is, see `kinds.kinds_of`.

    Raises:
        ValueError: for a test part without factors or the reverse, or of another width.
    """
    rng = np.random.default_rng(seed)
    if codes_test is None and factors_test is None:
        z, y = check(codes, factors, unknown=unknown)
        size, label = len(z), None if groups is None else np.asarray(groups)
        if label is None:
            z, y = without_copies(metric, z, y, split=True) or (z, y)
        learn, judge = split(len(z), train, test, seed, metric=metric, groups=label)
        copies = size - len(z)
        z, y, z_test, y_test = z[learn], y[learn], z[judge], y[judge]
        source = "split of the given rows" + ("" if label is None else ", by group")
    elif codes_test is None or factors_test is None:
        missing = "codes_test" if codes_test is None else "factors_test"
        raise ValueError(f"{metric}: {missing} is missing: give both parts of the test rows")
    else:
        factors, factors_test = factor_parts(factors, factors_test, unknown=unknown)
        z, y = check(codes, factors, unknown=sentinel(factors))
        z_test, y_test = check(codes_test, factors_test, unknown=sentinel(factors))
        if z.shape[1] != z_test.shape[1]:
            raise ValueError(
                f"{metric}: codes has {z.shape[1]} columns but codes_test has {z_test.shape[1]}: "
                "both parts need the same columns in the same order"
            )
        z, y = rows(rng, train, z, y)
        z_test, y_test = rows(rng, test, z_test, y_test)
        if groups is not None:
            raise ValueError(f"{metric}: groups= is for a split, but codes_test= is given")
        source, copies = "given", 0
    protocol: dict[str, Any] = {
        "train": len(z),
        "test": len(z_test),
        "test_rows": source,
        "seed": seed,
        **stated_unknown(y, y_test),
    }
    if copies:
        protocol["copies_left_out"] = copies
    test_codes, _ = in_blocks(z_test, blocks, components, basis=z)
    train_codes, columns = in_blocks(z, blocks, components)
    protocol |= stated_blocks(blocks, components)
    factor_kinds = kinds_of(np.concatenate([y, y_test]), kinds)
    return TrainTest(train_codes, y, test_codes, y_test, factor_kinds, protocol, columns)


def rows(rng: np.random.Generator, size: int | None, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """At most ``size`` of the arrays' rows, drawn without replacement; all, in order, if fewer."""
    n = len(arrays[0])
    if size is None or n <= size:
        return arrays
    sample = rng.choice(n, size, replace=False)
    return tuple(array[sample] for array in arrays)


def same_rows(*factors: np.ndarray) -> list[list[int]]:
    """Groups of factors that are known in the same rows, in all given parts: work to share."""
    groups: dict[bytes, list[int]] = {}
    for k in range(factors[0].shape[1]):
        key = b"".join(np.packbits(is_known(part[:, k])).tobytes() for part in factors)
        groups.setdefault(key, []).append(k)
    return list(groups.values())


def in_blocks(
    codes: np.ndarray,
    blocks: Columns | None,
    components: int | None,
    basis: np.ndarray | None = None,
) -> tuple[np.ndarray, list[list[int]]]:
    """The columns that belong to blocks, and those of each block among them.

    Args:
        codes: ``(N, D)``, checked.
        blocks: The columns of each block; each column is a block of its own if ``None``.
        components: How many principal components to reduce each block to; none is if ``None``.
        basis: The rows that these are estimated from; ``codes`` by default.

    Raises:
        ValueError: see `arrays.columns_of`; and for ``components`` without ``blocks``.

    Example:
        >>> z, columns = in_blocks(np.arange(8.0).reshape(2, 4), {"a": [3], "b": [0, 1]}, None)
        >>> z.tolist(), columns
        ([[3.0, 0.0, 1.0], [7.0, 4.0, 5.0]], [[0], [1, 2]])
    """
    if blocks is None:
        if components is not None:
            raise ValueError("components= reduces blocks of columns: give blocks=, too")
        return codes, [[j] for j in range(codes.shape[1])]
    block_columns = list(columns_of(blocks, codes.shape[1]).values())
    if components is None:
        ends = np.cumsum([len(block) for block in block_columns])
        places = [
            list(range(end - len(b), end)) for b, end in zip(block_columns, ends, strict=True)
        ]
        return codes[:, [j for block in block_columns for j in block]], places
    z = reduce_blocks(codes, blocks, components=components, basis=basis)
    return z, [list(range(i, i + components)) for i in range(0, z.shape[1], components)]


def stated_blocks(blocks: Columns | None, components: int | None) -> dict[str, Any]:
    """What a protocol says of vector-valued codes; nothing where there are none."""
    if blocks is None:
        return {}
    protocol: dict[str, Any] = {"blocks": len(blocks)}
    if components is not None:
        protocol["block_reduction"] = f"PCA, {components} component(s)"
    return protocol


def wide(columns: Sequence[Sequence[int]]) -> bool:
    """Whether some block has several columns."""
    return any(len(block) > 1 for block in columns)


def scale(z: np.ndarray, z_test: np.ndarray, how: str) -> dict[str, np.ndarray]:
    """Both parts scaled by the first one's mean and deviation, or to its range."""
    z, z_test = z.astype(np.float64), z_test.astype(np.float64)
    low = z.mean(axis=0) if how == "standard" else z.min(axis=0)
    width = z.std(axis=0) if how == "standard" else np.ptp(z, axis=0)
    width = np.where(np.ptp(z, axis=0) > 0, width, np.inf)
    return {"z": (z - low) / width, "z_test": (z_test - low) / width}
