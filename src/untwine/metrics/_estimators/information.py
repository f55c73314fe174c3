r"""Plug-in mutual information between every code dimension and every factor, in one pass.

Real-valued codes are cut into bins of equal width, exactly as the reference implementation does,
and probabilities are relative frequencies. All entropies are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import UNKNOWN, check, is_known, stated_unknown
from .kinds import CLASSES, FactorKinds, Kind, kinds_of
from .neighbors import spread_ties, vector_information
from .splits import Columns, in_blocks, stated_blocks, wide

__all__ = [
    "Information",
    "Labels",
    "bin_values",
    "binning_protocol",
    "discretize",
    "entropy",
    "factor_labels",
    "gap",
    "histogram_information",
    "joint_entropy",
    "label_rows",
    "label_values",
    "vector_matrix",
]

#: How protocols call the ways to bin.
BINNINGS = {"equal_width": "equal-width bins", "robust": "equal-width bins of the inner 98 %"}

#: Neighbors of a vector-valued code.
NEIGHBORS = 3

#: Below this many nats a difference of entropies is rounding (a plug-in value is at least 1/N^2).
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Labels:
    """A column as classes.

    Attributes:
        values: ``(N,)``, integers from 0 to ``classes - 1``, and -1 where unknown.
        classes: How many classes there are.
        known: ``(N,)``, or ``None`` where all are known.
    """

    values: np.ndarray
    classes: int
    known: np.ndarray | None = None


@dataclass(frozen=True)
class Information:
    """What the codes say about the factors, in nats.

    Attributes:
        mutual: Mutual information of each dimension with each factor, ``(D, K)``.
        factor_entropy: ``(K,)``.
        known: At how many points each factor is known, ``(K,)``.
        span: Largest minus smallest value of each dimension, ``(D,)``.
        protocol: Every setting that changes these numbers.
        code_entropy: Entropy of each binned dimension over the points where the factor is known,
            ``(D, K)``; without unknown values all columns are equal. ``None`` for densities.
        levels: How many bins, or distinct values of a discrete code, each dimension has, ``(D,)``;
            ``None`` for densities.
    """

    mutual: np.ndarray
    factor_entropy: np.ndarray
    known: np.ndarray
    span: np.ndarray
    protocol: dict[str, Any]
    code_entropy: np.ndarray | None = None
    levels: np.ndarray | None = None

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """What every score that is made of these numbers shows."""
        return {
            "mutual_information": self.mutual,
            "factor_entropy": self.factor_entropy,
            "known": self.known,
        }

    def normalized(self, by: str) -> np.ndarray:
        """Mutual information over an entropy, ``(D, K)``; 0 for a code that does not vary.

        Args:
            by: ``"factor"`` or ``"code"``: whose entropy.

        Raises:
            ValueError: for ``"code"`` where codes have a density.
        """
        if by == "factor":
            return self.mutual / self.factor_entropy
        if self.code_entropy is None:
            raise ValueError(
                "normalizer 'code' needs bins: a density's entropy may be negative; "
                "use normalizer='factor'"
            )
        return self.mutual / np.where(self.code_entropy > 0, self.code_entropy, 1.0)

    def active(self, fraction: float | None) -> np.ndarray:
        """Which dimensions span more than a fraction of what the widest one does, ``(D,)``.

        Args:
            fraction: From 0 (all that vary at all) to 1; ``None`` for all dimensions.
        """
        if fraction is None:
            return np.ones(len(self.span), dtype=bool)
        return self.span > fraction * self.span.max()


def histogram_information(
    codes: Any,
    factors: Any,
    *,
    bins: int = 20,
    binning: str = "equal_width",
    discrete_codes: bool = False,
    continuous_factors: bool | None = None,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = UNKNOWN,
    kinds: FactorKinds = None,
) -> Information:
    r"""Plug-in mutual information and entropies of all dimensions and factors.

    .. math::
        I(z_j; v_k) = \sum_{b, v} p(b, v) \log \frac{p(b, v)}{p(b)\, p(v)}
        = H(z_j) + H(v_k) - H(z_j, v_k)

    with relative frequencies :math:`p` over all given points. The estimate is biased upwards, by
    about :math:`(B - 1)(|V_k| - 1) / 2N`.

    Args:
        codes: Codes, real or discrete.
        factors: Factors. A column with fractional values is continuous and cut into ``bins`` bins,
            others count every distinct value. Points where a factor is -1 or nan are left out for
            that factor alone; the bins' edges come from all points.
        bins: Bins per code dimension, of equal width between its extremes.
        binning: ``"equal_width"`` or ``"robust"``, see `bin_values`.
        discrete_codes: Whether every distinct value of a code is its own bin.
        continuous_factors: Whether to cut all factors (``True``) or none (``False``) into bins;
            decided per column by default.
        blocks: Columns of vector-valued codes. If any has several columns, the information of all
            is by nearest neighbors (`neighbors.vector_information`), or of their distinct values
            where codes are discrete.
        components: Principal components to reduce each block to.
        unknown: The value that means unknown, see `arrays.as_factors`.
        kinds: What each factor is, see `kinds.kinds_of`: classes are counted, others are binned.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``

    Raises:
        ValueError: for a constant factor, unequal lengths, or codes that are not finite.

    Example:
        >>> z = np.array([[0.0], [0.0], [1.0], [1.0]])
        >>> histogram_information(z, np.array([0, 0, 1, 1])).mutual.round(4)
        array([[0.6931]])
    """
    z, y = check(codes, factors, unknown=unknown)
    protocol: dict[str, Any] = {
        "estimator": "plug-in",
        "codes": "discrete" if discrete_codes else BINNINGS[binning],
        "bins": int(bins),
        "points": len(z),
    }
    z, block_columns = in_blocks(z, blocks, components)
    protocol |= stated_blocks(blocks, components)
    factor_kinds = kinds_of(y, kinds, continuous_factors)
    labels = factor_labels(y, int(bins), factor_kinds)
    protocol |= binning_protocol(y, factor_kinds)
    if wide(block_columns) and not discrete_codes:
        return _by_neighbors(z, block_columns, labels, protocol)
    d, k = len(block_columns), y.shape[1]
    mutual, code_entropy = np.zeros((d, k)), np.zeros((d, k))
    levels, span = np.zeros(d, dtype=np.int64), np.zeros(d)
    counts = [_counts(label) for label in labels]
    factor_entropy = np.array([entropy(count) for count in counts])
    for j in range(d):
        column = np.ascontiguousarray(z[:, block_columns[j]])
        code = (
            label_rows(column) if discrete_codes else bin_values(column[:, 0], int(bins), binning)
        )
        levels[j], span[j] = code.classes, float(np.ptp(column, axis=0).max())
        whole_entropy = entropy(_counts(code))
        for i, label in enumerate(labels):
            if label.known is None:
                code_entropy[j, i] = whole_entropy
            else:
                code_entropy[j, i] = entropy(np.bincount(code.values[label.known]))
            joint = joint_entropy(code, label)
            mutual[j, i] = code_entropy[j, i] + factor_entropy[i] - joint
    mutual[mutual < _ROUNDING] = 0.0
    points = np.array([int(count.sum()) for count in counts])
    return Information(mutual, factor_entropy, points, span, protocol, code_entropy, levels)


def _by_neighbors(
    z: np.ndarray, block_columns: list[list[int]], labels: list[Labels], protocol: dict[str, Any]
) -> Information:
    """The information of vectors, which have no bins."""
    counts = [_counts(label) for label in labels]
    factor_entropy = np.array([entropy(count) for count in counts])
    return Information(
        vector_matrix(z, block_columns, labels, NEIGHBORS, seed=0),
        factor_entropy,
        np.array([int(count.sum()) for count in counts]),
        np.array([float(np.ptp(z[:, block], axis=0).max()) for block in block_columns]),
        {k: v for k, v in protocol.items() if k != "codes"}
        | {"estimator": "nearest neighbors", "neighbors": NEIGHBORS},
    )


def vector_matrix(
    z: np.ndarray, block_columns: list[list[int]], labels: list[Labels], neighbors: int, seed: int
) -> np.ndarray:
    """Mutual information of each block with each factor, at most its entropy, ``(B, K)``."""
    matrix = np.zeros((len(block_columns), len(labels)))
    varies = z.min(axis=0) < z.max(axis=0)
    spread = spread_ties(z, seed)
    for k, label in enumerate(labels):
        mask = slice(None) if label.known is None else label.known
        y = label.values[mask]
        total = entropy(np.bincount(y))
        for j, block in enumerate(block_columns):
            columns = [column for column in block if varies[column]]
            if columns:
                mutual = vector_information(spread[mask][:, columns], y, neighbors)
                matrix[j, k] = min(mutual, total) if mutual > _ROUNDING else 0.0
    return matrix


def label_rows(rows: np.ndarray) -> Labels:
    """Every distinct row of several columns as a class."""
    if rows.shape[1] == 1:
        return label_values(rows[:, 0])
    distinct, values = np.unique(rows, axis=0, return_inverse=True)
    return Labels(values.reshape(-1), len(distinct))


def discretize(codes: np.ndarray, bins: int = 20) -> np.ndarray:
    r"""Bins of equal width between each dimension's extremes, numbered from 0.

    The left edges are those of `numpy.histogram`, in the codes' own precision, and a value on an
    edge belongs to the bin on its right (`numpy.digitize`), the largest one to the last bin. A
    constant dimension falls into a single bin. Where neighboring numbers of that precision are
    further apart than the bins, every distinct value is its own bin.

    Shape:
        - codes: ``(N, D)``
        - Output: ``(N, D)``

    Example:
        >>> discretize(np.array([[0.0], [0.4], [0.5], [1.0]]), bins=2).ravel().tolist()
        [0, 0, 1, 1]
    """
    columns = [bin_values(np.ascontiguousarray(column), bins).values for column in codes.T]
    return np.stack(columns, axis=1)


def factor_labels(factors: np.ndarray, bins: int, kinds: Sequence[Kind]) -> list[Labels]:
    """Each factor as labels: its classes, or bins of equal width if it is real or an angle.

    Args:
        factors: As `arrays.check` returns them, ``(N, K)``.
        bins: Bins of a real factor or an angle.
        kinds: What each factor is.
    """
    result = []
    for column, kind in zip(factors.T, kinds, strict=True):
        mask = is_known(column)
        part = column if mask.all() else column[mask]
        binned_factors = kind not in CLASSES
        label = bin_values(part.astype(np.float64), bins) if binned_factors else label_values(part)
        if len(part) < len(column):
            values = np.full(len(column), -1, dtype=np.int64)
            values[mask] = label.values
            label = Labels(values, label.classes, mask)
        result.append(label)
    return result


def binning_protocol(factors: np.ndarray, kinds: Sequence[Kind]) -> dict[str, Any]:
    """What a protocol says about binned and partly unknown factors."""
    binned_factors = [k for k, kind in enumerate(kinds) if kind not in CLASSES]
    return {
        **({"binned_factors": binned_factors} if binned_factors else {}),
        **stated_unknown(factors),
    }


def label_values(column: np.ndarray) -> Labels:
    """Every distinct value as a class, in increasing order."""
    if column.dtype.kind in "iu":
        low, high = int(column.min()), int(column.max())
        if high - low < 4 * len(column) + 1024:  # a table is faster than sorting
            offsets = column.astype(np.int64) - low
            present = np.bincount(offsets) > 0
            return Labels((np.cumsum(present) - 1)[offsets], int(present.sum()))
    distinct, values = np.unique(column, return_inverse=True)
    return Labels(values, len(distinct))


def entropy(counts: np.ndarray) -> float:
    r"""Entropy of relative frequencies, :math:`\log N - \frac{1}{N} \sum_i n_i \log n_i`, in nats.

    Example:
        >>> round(entropy(np.array([5, 5, 0])), 4)
        0.6931
    """
    n = counts[counts > 0].astype(np.float64)
    total = n.sum()
    return max(0.0, float(math.log(total) - (n * np.log(n)).sum() / total))


def joint_entropy(x: Labels, y: Labels) -> float:
    """Entropy in nats of two columns together, over the points where the second is known."""
    x_values, y_values = (
        (x.values, y.values) if y.known is None else (x.values[y.known], y.values[y.known])
    )
    joint = x_values.astype(np.int64)
    joint *= y.classes
    joint += y_values
    cells = x.classes * y.classes
    if cells <= max(8 * len(joint), 65_536):
        return entropy(np.bincount(joint, minlength=cells))
    return entropy(np.unique(joint, return_counts=True)[1])


def gap(matrix: np.ndarray, axis: int) -> np.ndarray:
    """Largest minus second largest entry along an axis; with one entry the second counts as 0."""
    size = matrix.shape[axis]
    if size == 1:
        return matrix.max(axis=axis)
    top = np.partition(matrix, [size - 2, size - 1], axis=axis)
    return np.take(top, size - 1, axis=axis) - np.take(top, size - 2, axis=axis)


def _counts(label: Labels) -> np.ndarray:
    values = label.values if label.known is None else label.values[label.known]
    return np.bincount(values, minlength=label.classes)


def bin_values(column: np.ndarray, bins: int, binning: str = "equal_width") -> Labels:
    """Bins of equal width as classes, see `discretize`.

    Args:
        column: ``(N,)``.
        bins: How many.
        binning: ``"equal_width"``, between the extremes, or ``"robust"``: between the quantiles of
            1 % and 99 %, with what lies beyond in the first and the last bin. Where these are
            equal, between the extremes.
    """
    if column.min() == column.max():
        return Labels(np.zeros(len(column), dtype=np.int64), 1)
    inner = column
    if binning == "robust":
        low, high = np.quantile(column, [0.01, 0.99])
        inner = np.clip(column, low, high) if low < high else column
    edges = _edges(inner, bins)
    if edges is None:
        return label_values(column)
    return Labels(np.searchsorted(edges, column, side="right"), bins)


def _edges(column: np.ndarray, bins: int) -> np.ndarray | None:
    """Edges between the bins; ``None`` where the bins are narrower than the numbers' spacing."""
    try:
        # Strictly increasing inner edges leave nothing below the first bin's left edge.
        edges = np.histogram_bin_edges(column, bins)[1:-1]
    except ValueError:  # numpy: too many bins for the data range
        return None
    return edges if (np.diff(edges) > 0).all() else None
