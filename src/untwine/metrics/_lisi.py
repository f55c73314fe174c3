r"""Local inverse Simpson index: how many labels a code's neighbors have."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ._estimators.clusters import (
    ONE_LABEL,
    drawn,
    known_rows,
)
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
    needs=(ONE_LABEL,),
    repeats=10,
)
def lisi(
    codes: Any,
    factors: Any,
    *,
    perplexity: float = 30.0,
    points: int | None = 10_000,
    seed: int = 0,
) -> Score:
    r"""Local inverse Simpson index: how many values of a factor a neighborhood has.

    .. math::
        \mathrm{LISI}_n = \Big( \sum_v p_n(v)^2 \Big)^{-1}

    with :math:`p_n(v)` the share of value :math:`v` among the neighbors of code :math:`n`, weighted
    by a Gaussian of the given perplexity; averaged over rows, then over factors. Range: 1 to the
    number of values. Of a batch (iLISI) more is better: neighbors are of all batches. Of a label
    (cLISI) less is better: neighbors are of one kind. ``parts["scaled"]`` is
    :math:`(\mathrm{LISI} - 1) / (V - 1)` for V values.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        perplexity: Effective number of neighbors; three times as many are looked at.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["per_factor"]``, ``parts["scaled"]``: ``(K,)``.

    Raises:
        ImportError: if harmonypy is not installed.
        ValueError: for continuous or constant factors, or too few rows for the perplexity.

    References:
        Fast, sensitive and accurate integration of single-cell data with Harmony, Korsunsky et al.,
        2019, https://doi.org/10.1038/s41592-019-0619-0, methods.

    Example:
        >>> label = np.arange(400) // 200
        >>> round(float(lisi(label + 0.1 * np.random.default_rng(0).random(400), label)), 2)
        1.0
    """
    try:
        from harmonypy.lisi import compute_lisi
    except ImportError as error:
        raise ImportError('LISI needs harmonypy: pip install "untwine[cells]"') from error
    z, y, stated = drawn(codes, factors, points, seed)
    per_factor, scaled = [], []
    for column in y.T:
        labelled, label = known_rows(z, column)
        if len(labelled) <= 3 * perplexity:
            raise ValueError(
                f"a perplexity of {perplexity:g} looks at {3 * perplexity:g} neighbors of each "
                f"row; got {len(labelled)} rows: lower perplexity="
            )
        values = np.unique(label, return_inverse=True)[1]
        effective = compute_lisi(labelled, {"value": values}, ["value"], perplexity)
        per_factor.append(float(np.mean(effective)))
        scaled.append((per_factor[-1] - 1) / (values.max()))
    stated["perplexity"] = perplexity
    parts = {"per_factor": np.array(per_factor), "scaled": np.array(scaled)}
    return Score(float(np.mean(per_factor)), parts, stated, "lisi")
