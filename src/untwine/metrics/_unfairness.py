r"""Unfairness: how predictions of a factor shift with another one that should not matter."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ._estimators.interventions import Interventions
from ._estimators.kinds import FactorKinds
from ._estimators.learners import LEARNERS
from ._estimators.predictors import Predictor, describe_predictor, fit_predictor, parallel
from ._estimators.splits import Columns, TrainTest, train_test
from .ranges import one_of
from .registry import metric
from .score import NotApplicable, Score

__all__ = ["total_variation", "unfairness"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=False,
    captures=("fairness",),
    paper="Locatello et al. 2019",
    link="https://arxiv.org/abs/1905.13662",
    source="locatello2019",
    rows="split",
    repeats=10,
    suite={"predictor": "fast"},
    ranges={"predictor": one_of(*LEARNERS)},
)
def unfairness(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    predictor: str = "boosting",
    train: int | None = 10_000,
    test: int | None = None,
    blocks: Columns | None = None,
    components: int | None = None,
    jobs: int | None = None,
    unknown: float | str | None = -1,
    groups: Any = None,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Total variation of a classifier's predictions between the values of a sensitive factor.

    For a target factor :math:`y` predicted from the codes, and a sensitive factor :math:`s`,

    .. math::
        \mathrm{unfairness}_{ys} = \frac{1}{|S|} \sum_{v \in S} \mathrm{TV}\big( p(\hat y),
        p(\hat y \mid s = v) \big), \qquad p(\hat y) = \frac{1}{|S|} \sum_v p(\hat y \mid s = v)

    averaged over sensitive factors, then over targets. Range: 0 (demographic parity) to 1; lower
    is better. It needs factors that are independent in the data, as it blames the representation
    for all dependence.

    Frequencies of finitely many predictions differ by chance. The part ``"floor"`` holds the same
    quantity with the sensitive factor shuffled: a value near it is parity as far as the rows can
    tell. On a full grid of factors, judged on all of it, there is no such noise.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors, at least two; -1 or nan where unknown, which leaves those rows
            out of that factor.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        predictor: ``"boosting"`` (scikit-learn's gradient boosting, the paper's; minutes),
            ``"fast"``, ``"logistic"`` or ``"logistic_cv"``, see `downstream_accuracy`.
        train: Rows to learn from.
        test: Rows to be judged on; by default all others, at least a third, at most 100,000.
        blocks: Columns of vector-valued codes, all of which a predictor sees.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        jobs: How many targets to learn at a time; the number of cores by default.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split, the shuffling and the predictor.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["mean"]``, ``parts["max"]``, ``parts["floor"]``: ``(K, K)``, target by sensitive
          factor, nan on the diagonal; ``"mean"`` averages over the sensitive values, ``"max"``
          takes the worst.

    Raises:
        ValueError: for an unknown predictor, continuous factors, a single factor, or too few rows.

    References:
        On the Fairness of Disentangled Representations, Locatello et al., 2019,
        https://arxiv.org/abs/1905.13662, section 4.

    Deviations:
        The paper renders the same 100 scenes with each sensitive value. On a table, the rows with
        that value stand for them, all of them, and values weigh equally.

    Example:
        >>> factors = np.stack(np.meshgrid(range(2), range(3), range(9)), -1).reshape(-1, 3)[:, :2]
        >>> float(unfairness(factors * 1.0, factors, codes_test=factors * 1.0,
        ...                  factors_test=factors, predictor="logistic"))
        0.0
    """
    if test is None and codes_test is None and train is not None:
        test = min(max(len(codes) - train, train // 2), 100_000)
    data = train_test(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        seed=seed,
        metric="unfairness",
        blocks=blocks,
        components=components,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
    )
    n_factors = data.factors.shape[1]
    if n_factors < 2:
        raise ValueError("unfairness compares factors: factors has 1 column, expected 2 or more")
    for k in range(n_factors):
        if not data.discrete(k):
            raise NotApplicable(
                f"unfairness needs discrete factors, but factor {k} is continuous: bin it first"
            )
    world = Interventions(data.factors_test, metric="unfairness", kinds=kinds)
    models = parallel([partial(_learn, data, k, predictor, seed) for k in range(n_factors)], jobs)
    rng = np.random.default_rng(seed)
    tables = {name: np.full((n_factors, n_factors), np.nan) for name in ("mean", "max", "floor")}
    for target, (model, classes) in enumerate(models):
        guess = model.predict(data.z_test)
        for sensitive in range(n_factors):
            if sensitive == target:
                continue
            group = world.groups[sensitive]
            rows, group_of_row = group.order, np.repeat(np.arange(len(group)), group.counts)
            distance = total_variation(guess[rows], group_of_row, classes)
            tables["mean"][target, sensitive] = distance.mean()
            tables["max"][target, sensitive] = distance.max()
            distance_by_chance = total_variation(
                guess[rng.permutation(rows)], group_of_row, classes
            )
            tables["floor"][target, sensitive] = distance_by_chance.mean()
    parts = {
        **tables,
        "per_target": np.nanmean(tables["mean"], axis=1),
        "per_sensitive": np.nanmean(tables["mean"], axis=0),
    }
    return Score(
        np.nanmean(tables["mean"]),
        parts,
        {**describe_predictor(predictor), **data.protocol},
        "unfairness",
    )


def total_variation(guess: np.ndarray, group: np.ndarray, classes: int) -> np.ndarray:
    r"""Total variation distance of each group's predictions from the mean over groups.

    Args:
        guess: Predicted classes.
        group: Groups ``0 .. G - 1``, none of them empty.
        classes: How many classes there are.

    Shape:
        - guess, group: ``(N,)``
        - Output: ``(G,)``

    Example:
        >>> total_variation(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 2)
        array([0.5, 0.5])
    """
    number = int(group.max()) + 1
    counts = np.bincount(group * classes + guess, minlength=number * classes)
    frequency = counts.reshape(number, classes).astype(np.float64)
    frequency /= frequency.sum(axis=1, keepdims=True)
    return 0.5 * np.abs(frequency - frequency.mean(axis=0)).sum(axis=1)


def _learn(data: TrainTest, k: int, predictor: str, seed: int) -> tuple[Predictor, int]:
    target = data.target(k, metric="unfairness")
    assert target.classes is not None
    classes = len(target.classes)
    return fit_predictor(predictor, target.z, target.y, classes, seed=seed), classes
