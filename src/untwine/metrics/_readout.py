r"""Readout: which factor a linear probe reads off which part of the code, beside chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.kinds import FactorKinds
from ._estimators.learners import balanced_accuracy
from ._estimators.logistic import SOLVER
from ._estimators.predictors import fit_predictor
from ._estimators.selection import columns_of
from ._estimators.splits import Columns, Target, scale, train_test
from .registry import metric
from .score import Score

__all__ = ["readout"]

_RIDGE = 1.0


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("compactness", "explicitness"),
    paper="Bouchacourt et al. 2018",
    link="https://arxiv.org/abs/1705.08841",
    source="logistic or ridge",
    rows="split",
    repeats=10,
    groups=("default",),
    orders=True,
)
def readout(
    codes: Any,
    factors: Any,
    blocks: Columns,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    train: int | None = 10_000,
    test: int | None = 5_000,
    unknown: float | str | None = -1,
    groups: Any = None,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""How much better a factor is read off the best part of the code than off the next best.

    .. math::
        a_{bk} = \max\Big( 0, \frac{s_{bk} - c_k}{1 - c_k} \Big), \qquad
        \frac{1}{K} \sum_k \big( a_{(1) k} - a_{(2) k} \big)

    with :math:`s_{bk}` what a probe of part :math:`b` alone reaches on held-out rows: for a
    discrete factor the accuracy of a logistic regression, beside the share :math:`c_k` of the
    commonest value; for a real one the explained variance of a ridge regression, beside
    :math:`c_k = 0`. Range: 0 to 1. The matrix of all :math:`s_{bk}` says which factor can be read
    off which part: class from content and from style.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete or continuous factors; -1 or nan where unknown, which leaves those rows
            out of that factor.
        blocks: The columns of each part, by name; columns that no part names are left out.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        train: Rows to learn from; all if ``None``.
        test: Rows to be judged on; all if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["matrix"]``: ``(B, K)``, accuracy or explained variance, by ``parts["names"]``;
          ``parts["balanced"]``: ``(B, K)``, the accuracy with all values of equal weight, nan for
          explained variance; ``parts["chance"]``, ``parts["per_factor"]``: ``(K,)``;
          ``parts["measures"]``: K words, ``"accuracy"`` or ``"R2"``.

    Raises:
        ValueError: for parts that overlap, a constant factor, or too few rows.

    References:
        Multi-Level Variational Autoencoder, Bouchacourt, Tomioka and Nowozin, 2018,
        https://arxiv.org/abs/1705.08841, section 4.2 (classes from content and from style); the
        gap is that of SAP, Kumar et al., 2018, https://arxiv.org/abs/1711.00848, between parts.

    Example:
        >>> shape, place = np.arange(60) % 2, np.arange(60) // 2 % 3
        >>> z, v = np.stack([shape, place == 0, place == 2], 1) * 1.0, np.stack([shape, place], 1)
        >>> score = readout(z, v, {"content": [0], "style": [1, 2]})
        >>> score.parts["matrix"].diagonal().tolist(), score.value > 0.7
        ([1.0, 1.0], True)
    """
    data = train_test(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        seed=seed,
        metric="readout",
        unknown=unknown,
        groups=groups,
        kinds=kinds,
    )
    columns = columns_of(blocks, data.z.shape[1])
    count = data.factors.shape[1]
    matrix, chance = np.empty((len(columns), count)), np.zeros(count)
    balanced = np.full(matrix.shape, np.nan)
    measures = []
    for k in range(count):
        targets = data.targets(k, metric="readout")
        target = targets[0]
        measures.append("R2" if target.classes is None else "accuracy")
        if target.classes is None:
            matrix[:, k] = [_explained(targets, part) for part in columns.values()]
            continue
        commonest = np.bincount(target.y).argmax()
        chance[k] = (target.y_test == commonest).mean()
        both = [_accuracies(target, part, seed) for part in columns.values()]
        matrix[:, k], balanced[:, k] = zip(*both, strict=True)
    above = np.maximum(0.0, (matrix - chance) / np.where(chance < 1, 1 - chance, np.inf))
    sorted_scores = np.sort(np.vstack([np.zeros((1, count)), above]), axis=0)
    gap = sorted_scores[-1] - sorted_scores[-2]
    probe_words = {
        "accuracy": f"{SOLVER}, C = 1, standardized",
        "R2": f"ridge, penalty {_RIDGE:g}, standardized",
    }
    return Score(
        gap.mean(),
        {
            "matrix": matrix,
            "balanced": balanced,
            "chance": chance,
            "per_factor": gap,
            "names": [str(name) for name in columns],
            "measures": measures,
        },
        {"probe": "; ".join(probe_words[m] for m in sorted(set(measures))), **data.protocol},
        "readout",
    )


def _accuracies(target: Target, part: list[int], seed: int) -> tuple[float, float]:
    """Of a logistic regression from these columns, on the rows to be judged on; and balanced."""
    assert target.classes is not None
    z, z_test = target.z[:, part], target.z_test[:, part]
    model = fit_predictor("logistic", z, target.y, len(target.classes), seed=seed)
    guess = model.predict(z_test)
    return float((guess == target.y_test).mean()), balanced_accuracy(guess, target.y_test)


def _explained(targets: list[Target], part: list[int]) -> float:
    """The share of the variance that a ridge regression from these columns explains there."""
    z = scale(targets[0].z[:, part], targets[0].z_test[:, part], "standard")
    y = np.stack([target.y for target in targets], axis=1)
    y_test = np.stack([target.y_test for target in targets], axis=1)
    center = y.mean(axis=0)
    penalty = _RIDGE * np.eye(len(part))
    weight = np.linalg.solve(z["z"].T @ z["z"] + penalty, z["z"].T @ (y - center))
    error = ((y_test - center - z["z_test"] @ weight) ** 2).sum()
    spread = ((y_test - y_test.mean(axis=0)) ** 2).sum()
    return float(1 - error / spread) if spread > 0 else 0.0
