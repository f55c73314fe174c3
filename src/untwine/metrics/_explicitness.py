r"""Explicitness: one-vs-rest logistic regressions for each value of each factor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ._estimators.arrays import UNKNOWN, as_factors, factor_parts
from ._estimators.kinds import FactorKinds
from ._estimators.logistic import SOLVER, area_under_curve, fit_logistic
from ._estimators.protocols import choose
from ._estimators.splits import Columns, Target, equal_width, scale, train_test
from .ranges import one_of
from .registry import metric
from .score import NotApplicable, Score

__all__ = ["PROTOCOLS", "explicitness"]

#: Settings of the named protocols.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "locatello2019": {
        "classifier": "multinomial",
        "balanced": False,
        "scaling": "standard",
        "rescale": False,
    },
    "ridgeway2018": {
        "classifier": "ovr",
        "balanced": True,
        "scaling": "standard",
        "rescale": False,
    },
    "ubisoft": {
        "classifier": "ovr",
        "balanced": True,
        "scaling": "minmax",
        "rescale": True,
    },
}


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("explicitness",),
    paper="Ridgeway and Mozer 2018",
    link="https://arxiv.org/abs/1802.05312",
    rows="split",
    repeats=10,
    groups=("classic", "default"),
    ranges={"protocol": one_of(*PROTOCOLS), "classifier": one_of("multinomial", "ovr")},
)
def explicitness(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    protocol: str = "locatello2019",
    rescale: bool | None = None,
    classifier: str | None = None,
    balanced: bool | None = None,
    scaling: str | None = None,
    bins: int | None = None,
    train: int | None = 10_000,
    test: int | None = 5_000,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    groups: Any = None,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Mean area under the ROC curve of a linear classifier, over all values of all factors.

    For each factor, a logistic regression (L2, C = 1) on scaled codes gives the probability of
    each value; each value against the rest has an area under the ROC curve, and

    .. math::
        \mathrm{explicitness} = \frac{1}{K} \sum_k \frac{1}{|V_k|} \sum_{v \in V_k}
        \mathrm{AUC}_{kv} .

    Range: 0.5 (chance) to 1, or 0 to 1 if rescaled by :math:`2\,\mathrm{AUC} - 1`. It captures
    explicitness alone: a rotated code is as explicit as the original. A linear classifier cannot
    single out the middle values of an ordered factor, so that a perfect code stays below 1 where a
    factor has many values.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors, or continuous ones with ``bins``; -1 or nan where unknown, which
            leaves those rows out of that factor.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        protocol: ``"locatello2019"`` (multinomial regression, standardized codes, not rescaled),
            ``"ridgeway2018"`` (one balanced binary regression per value) or ``"ubisoft"`` (the
            same, codes scaled to [0, 1], rescaled; its code judges on the rows it learned from:
            pass them as ``codes_test`` too).
        rescale: Whether to report 2 AUC - 1, in place of the protocol's choice.
        classifier: ``"multinomial"`` or ``"ovr"`` (one versus rest).
        balanced: Whether to weigh values by inverse frequency.
        scaling: ``"standard"`` (mean 0, deviation 1) or ``"minmax"`` (to [0, 1]), of the rows to
            learn from. A constant dimension becomes 0.
        bins: Predict factors in bins of equal width instead of their exact values.
        train: Rows to learn from; all if ``None``.
        test: Rows to be judged on; all if ``None``.
        blocks: Columns of vector-valued codes, all of which a predictor sees.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["per_factor"]``: ``(K,)``, not rescaled.

    Raises:
        ValueError: for continuous factors without ``bins``, or too few rows.

    References:
        Learning Deep Disentangled Embeddings with the F-Statistic Loss, Ridgeway and Mozer, 2018,
        https://arxiv.org/abs/1802.05312, section 3. Challenging Common Assumptions in the
        Unsupervised Learning of Disentangled Representations, Locatello et al., 2019,
        https://arxiv.org/abs/1811.12359 (settings).

    Deviations:
        The regression is fitted to convergence, where scikit-learn's stops at 100 steps. A value
        that is absent from the judged rows has no area and is left out of the mean; one that is
        absent from the rows to learn from cannot be told, and counts as 0.5, chance.

    Example:
        >>> factors = np.repeat([[0], [1]], 30, axis=0)
        >>> float(explicitness(factors * 1.0, factors))
        1.0
    """
    settings = choose(
        PROTOCOLS,
        protocol,
        {
            "rescale": rescale,
            "classifier": classifier,
            "balanced": balanced,
            "scaling": scaling,
        },
    )
    if bins is not None:
        factors, factors_test = binned(factors, factors_test, bins, unknown)
        unknown, kinds = UNKNOWN, None
    data = train_test(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        seed=seed,
        metric="explicitness",
        blocks=blocks,
        components=components,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
    )
    inputs = scale(data.z, data.z_test, settings["scaling"])
    data = replace(data, z=inputs["z"], z_test=inputs["z_test"])
    results = []
    for k in range(data.factors.shape[1]):
        if not data.discrete(k):
            raise NotApplicable(
                f"explicitness needs discrete factors, but factor {k} is continuous: give bins= "
                "to predict bins of it, or use r2, which takes continuous factors"
            )
        results.append(_areas(data.target(k, metric="explicitness"), settings))
    train_areas, test_areas = (np.array(column) for column in zip(*results, strict=True))
    value = test_areas.mean()
    parts = {
        "per_factor": test_areas,
        "test": float(test_areas.mean()),
        "train": float(train_areas.mean()),
    }
    conditions = {
        "protocol": protocol,
        **settings,
        **data.protocol,
        "predictor": SOLVER,
        "C": 1.0,
        "bins": bins,
    }
    return Score(2 * value - 1 if settings["rescale"] else value, parts, conditions, "explicitness")


def _areas(target: Target, settings: dict[str, Any]) -> tuple[float, float]:
    """Mean area over a factor's values, on the rows learned from and on the judged ones."""
    assert target.classes is not None
    model = fit_logistic(
        target.z,
        target.y,
        len(target.classes),
        one_vs_rest=settings["classifier"] == "ovr",
        balanced=settings["balanced"],
    )
    in_training = np.bincount(target.y, minlength=len(target.classes)) > 0
    areas = []
    for z, y in ((target.z, target.y), (target.z_test, target.y_test)):
        area = area_under_curve(model.probabilities(z), y)
        areas.append(float(np.nanmean(np.where(in_training | np.isnan(area), area, 0.5))))
    return areas[0], areas[1]


def binned(
    factors: Any, factors_test: Any, bins: int, unknown: float | str | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Both parts' factors in bins of equal width between the first part's extremes."""
    if factors_test is None:
        first = as_factors(factors, unknown=unknown)
        return np.stack([equal_width(column, bins) for column in first.T], axis=1), None
    first, second = factor_parts(factors, factors_test, unknown=unknown)
    train_labels = np.stack([equal_width(column, bins) for column in first.T], axis=1)
    columns = zip(second.T, first.T, strict=True)
    return train_labels, np.stack([equal_width(new, bins, old) for new, old in columns], axis=1)
