r"""Explained variance: how much of the factors a regression from the codes tells."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.kinds import FactorKinds
from ._estimators.splits import Columns, same_rows, scale, train_test
from .ranges import number, one_of
from .registry import metric
from .score import Score

__all__ = ["r2"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("explicitness",),
    paper="Zimmermann et al. 2021",
    link="https://arxiv.org/abs/2102.08850",
    source="linear",
    rows="split",
    repeats=10,
    ranges={
        "regressor": one_of("linear", "kernel"),
        "alpha": number(0),
        "gamma": number(0, above=True),
    },
    orders=True,
)
def r2(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    regressor: str = "linear",
    alpha: float = 1.0,
    gamma: float | None = None,
    train: int | None = None,
    test: int | None = None,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    groups: Any = None,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""How much of the factors' variance a regression from the codes explains on held-out rows.

    .. math::
        R^2_k = 1 - \frac{\sum_n (v_{nk} - \hat v_k(z_n))^2}{\sum_n (v_{nk} - \bar v_k)^2}

    averaged over factors. Codes and factors are standardized. Range: 1 at best; a regression worse
    than the mean is negative, which is reported as it is in the parts and counted as 0 in the
    value. It captures explicitness: of linear information, or with a kernel of all that is smooth.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete or continuous factors, taken as numbers: an angle as its cosine and sine,
            a nominal factor as the indicators of its classes, of which the errors and the variances
            are added. -1 or nan where unknown, which leaves those rows out of that factor.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        regressor: ``"linear"`` (least squares) or ``"kernel"`` (kernel ridge regression, radial
            basis functions).
        alpha: The kernel regression's penalty.
        gamma: The kernel's inverse squared width, :math:`\exp(-\gamma \lVert z - z' \rVert^2)` of
            standardized codes; 1 / D by default.
        train: Rows to learn from; by default 10,000, or 4,000 for the kernel regression, whose
            cost grows with their third power.
        test: Rows to be judged on; by default half as many.
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
        - ``parts["per_factor"]``: ``(K,)``.

    Raises:
        ValueError: for an unknown regressor, a constant factor, or too few rows.

    References:
        Self-Supervised Learning with Data Augmentations Provably Isolates Content from Style, von
        Kuegelgen et al., 2021, https://arxiv.org/abs/2106.04619, section 5 (kernel ridge
        regression). Contrastive Learning Inverts the Data Generating Process, Zimmermann et al.,
        2021, https://arxiv.org/abs/2102.08850 (linear).

    Example:
        >>> factors = np.random.default_rng(0).integers(0, 9, (90, 2))
        >>> mixed = factors @ np.array([[1.0, 2.0], [-1.0, 3.0]])
        >>> round(float(r2(mixed, factors)), 6)
        1.0
    """
    train = train or (10_000 if regressor == "linear" else 4_000)
    data = train_test(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test or train // 2,
        seed=seed,
        metric="r2",
        blocks=blocks,
        components=components,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
    )
    per_factor = np.empty(data.factors.shape[1])
    for columns in same_rows(data.factors, data.factors_test):
        targets = [
            (k, target) for k in columns for target in data.targets(k, metric="r2", values=True)
        ]
        first = targets[0][1]
        part = scale(first.z, first.z_test, "standard")
        y = np.stack([target.y for _, target in targets], axis=1)
        y_test = np.stack([target.y_test for _, target in targets], axis=1)
        center, width = y.mean(axis=0), y.std(axis=0)
        y, y_test = (y - center) / width, (y_test - center) / width
        if regressor == "linear":
            guess = part["z_test"] @ np.linalg.lstsq(part["z"], y, rcond=None)[0]
        else:
            bandwidth = gamma if gamma is not None else 1.0 / part["z"].shape[1]
            guess = _kernel_ridge(part["z"], y, part["z_test"], alpha, bandwidth)
        spread = ((y_test - y_test.mean(axis=0)) ** 2).sum(axis=0) * width**2
        error = ((y_test - guess) ** 2).sum(axis=0) * width**2
        for k in columns:  # over all coordinates of the factor
            places = [i for i, (owner, _) in enumerate(targets) if owner == k]
            total, residual = spread[places].sum(), error[places].sum()
            per_factor[k] = 1.0 - residual / total if total > 0 else float(residual <= 0)
    protocol: dict[str, Any] = {"regressor": regressor, **data.protocol}
    if regressor == "kernel":
        protocol |= {"alpha": alpha, "gamma": gamma if gamma is not None else "1 / D"}
    return Score(np.maximum(per_factor, 0.0).mean(), {"per_factor": per_factor}, protocol, "r2")


def _kernel_ridge(
    z: np.ndarray, y: np.ndarray, z_test: np.ndarray, alpha: float, gamma: float
) -> np.ndarray:
    from scipy.linalg import solve
    from scipy.spatial.distance import cdist

    kernel = np.exp(-gamma * cdist(z, z, "sqeuclidean"))
    kernel[np.diag_indices_from(kernel)] += alpha
    weights = solve(kernel, y, assume_a="pos", overwrite_a=True)
    return np.exp(-gamma * cdist(z_test, z, "sqeuclidean")) @ weights
