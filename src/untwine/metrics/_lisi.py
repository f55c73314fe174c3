r"""Local inverse Simpson index: how many labels a code's neighbors have."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ._estimators.arrays import as_codes
from ._estimators.clusters import labelled, per_row
from ._estimators.graph import local_inverse_simpson
from ._estimators.kinds import FactorKinds
from .ranges import number
from .registry import metric
from .score import Score

__all__ = ["lisi"]


@metric(
    low=1.0,
    high=inf,
    higher_is_better=None,
    captures=("clusters", "mixing"),
    paper="Korsunsky et al. 2019",
    link="https://doi.org/10.1038/s41592-019-0619-0",
    source="perplexity 30",
    needs=("label or batch",),
    repeats=10,
    groups=("default",),
    ranges={"perplexity": number(1, above=True)},
)
def lisi(
    codes: Any,
    factors: Any,
    *,
    perplexity: float = 30.0,
    points: int | None = 10_000,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Local inverse Simpson index: how many values of a factor a neighborhood has.

    .. math::
        \mathrm{LISI}_n = \Big( \sum_v p_n(v)^2 \Big)^{-1}

    with :math:`p_n(v)` the share of value :math:`v` among the neighbors of code :math:`n`, weighted
    by a Gaussian of the given perplexity; averaged over rows, then over factors. Range: 1 to the
    number of values. Of a batch (iLISI) more is better: neighbors are of all batches. Of a label
    (cLISI) less is better: neighbors are of one kind. ``parts["scaled"]`` is
    :math:`(\mathrm{LISI} - 1) / (V - 1)` for V values; ``parts["ilisi"]`` is that of the median
    over rows, and ``parts["clisi"]`` one minus it, as scIB reports them.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        perplexity: Effective number of neighbors; three times as many are looked at.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["per_factor"]``, ``parts["scaled"]``, ``parts["ilisi"]``, ``parts["clisi"]``:
          ``(K,)``; ``parts["per_row"]``: ``(N, K)``,
          nan for rows that were not used.

    Raises:
        ValueError: for continuous or constant factors, a perplexity below 1, or too few rows for
            it.

    References:
        Fast, sensitive and accurate integration of single-cell data with Harmony, Korsunsky et al.,
        2019, https://doi.org/10.1038/s41592-019-0619-0, methods.

    Example:
        >>> label = np.arange(400) // 200
        >>> round(float(lisi(label + 0.1 * np.random.default_rng(0).random(400), label)), 2)
        1.0
    """
    if not perplexity >= 1:
        raise ValueError(f"perplexity is {perplexity}; expected a number of neighbors, at least 1")
    columns, protocol = labelled(
        codes, factors, points, seed, unknown=unknown, kinds=kinds, near="lisi"
    )
    values = []
    for column in columns:
        if len(column.z) <= 3 * perplexity:
            raise ValueError(
                f"a perplexity of {perplexity:g} looks at {3 * perplexity:g} neighbors of each "
                f"row; got {len(column.z)} rows: lower perplexity="
            )
        values.append(local_inverse_simpson(column.z, column.label, perplexity))
    per_factor = np.array([value.mean() for value in values])
    middle = np.array([np.median(value) for value in values])
    counts = np.array([column.values for column in columns])
    protocol["perplexity"] = perplexity
    parts = {
        "per_factor": per_factor,
        "scaled": (per_factor - 1) / (counts - 1),
        "ilisi": (middle - 1) / (counts - 1),
        "clisi": (counts - middle) / (counts - 1),
        "per_row": per_row(
            len(as_codes(codes)), zip((c.rows for c in columns), values, strict=True)
        ),
    }
    return Score(float(per_factor.mean()), parts, protocol, "lisi")
