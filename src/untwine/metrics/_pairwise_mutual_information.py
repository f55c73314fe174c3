r"""Pairwise mutual information of the dimensions of a code."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from ._block_mutual_information import block_mutual_information
from ._estimators.arrays import as_codes
from ._estimators.information import (
    BINNINGS,
    Labels,
    bin_values,
    entropy,
    joint_entropy,
    label_rows,
)
from ._estimators.splits import Columns, in_blocks, stated_blocks, wide
from .registry import metric
from .score import Score

__all__ = ["pairwise_mutual_information"]


@metric(
    low=0.0,
    high=inf,
    higher_is_better=False,
    captures=("independence",),
    paper="Locatello et al. 2019",
    link="https://arxiv.org/abs/1811.12359",
    source="locatello2019",
)
def pairwise_mutual_information(
    codes: Any,
    factors: Any = None,
    *,
    bins: int = 20,
    binning: str = "equal_width",
    discrete_codes: bool = False,
    blocks: Columns | None = None,
    components: int | None = None,
) -> Score:
    r"""Mean mutual information between different dimensions of a code, in nats.

    .. math::
        \frac{1}{D (D - 1)} \sum_{i \ne j} I(z_i; z_j)

    by relative frequencies in bins of equal width. From 0 (pairwise independent) upwards; lower is
    better. It sees no factors: a code that holds nothing scores 0.

    Args:
        codes: Codes, real or discrete; all rows are used (the literature draws 10,000).
        factors: Not used; taken so that metrics can be called alike.
        bins: Bins per dimension.
        binning: ``"equal_width"`` between a dimension's extremes, or ``"robust"``: between its
            quantiles of 1 % and 99 %, with what lies beyond in the first and the last bin.
        discrete_codes: Whether every distinct value of a code is its own bin.
        blocks: Columns of vector-valued codes, whose pairs are meant: by nearest neighbors, see
            `block_mutual_information`.
        components: Principal components to reduce each block to; none is reduced if ``None``.

    Shape:
        - codes: ``(N, D)``, D at least 2.
        - ``parts["mutual_information"]``: ``(D, D)``, with entropies on the diagonal.

    Raises:
        ValueError: for a single dimension, or fewer than two bins.

    References:
        Challenging Common Assumptions in the Unsupervised Learning of Disentangled
        Representations, Locatello et al., 2019, https://arxiv.org/abs/1811.12359, section 5.1.

    Example:
        >>> import numpy as np
        >>> z = np.stack(np.meshgrid(range(4), range(4)), -1).reshape(-1, 2)
        >>> float(pairwise_mutual_information(z))
        0.0
        >>> round(float(pairwise_mutual_information(z[:, [0, 0]])), 4)  # log 4
        1.3863
    """
    z, block_columns = in_blocks(as_codes(codes), blocks, components)
    n, d = len(z), len(block_columns)
    if d < 2:
        raise ValueError(
            f"pairs need at least two dimensions; the codes have {d}"
            + ("" if blocks is None else " as blocks")
        )
    if wide(block_columns) and not discrete_codes:
        score = block_mutual_information(z, block_columns, points=None)
        return replace(score, name="pairwise_mutual_information")
    labels = []
    for block in block_columns:
        column = np.ascontiguousarray(z[:, block])
        label = (
            label_rows(column) if discrete_codes else bin_values(column[:, 0], int(bins), binning)
        )
        small = np.min_scalar_type(label.classes)  # all columns are held at once
        labels.append(Labels(label.values.astype(small), label.classes))
    matrix = np.diag([entropy(np.bincount(label.values)) for label in labels])
    for i in range(d):
        for j in range(i):
            mutual = matrix[i, i] + matrix[j, j] - joint_entropy(labels[i], labels[j])
            matrix[i, j] = matrix[j, i] = mutual if mutual > 1e-12 else 0.0
    protocol: dict[str, Any] = {
        "estimator": "plug-in",
        "codes": "discrete" if discrete_codes else BINNINGS[binning],
        "bins": int(bins),
        "points": n,
    }
    protocol |= stated_blocks(blocks, components)
    value = (matrix.sum() - np.trace(matrix)) / (d * (d - 1))
    return Score(
        value,
        {"mutual_information": matrix},
        protocol,
        "pairwise_mutual_information",
    )
