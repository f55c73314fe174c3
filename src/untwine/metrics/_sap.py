r"""SAP, separated attribute predictability: how far the best dimension leads the second."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.kinds import FactorKinds, explained
from ._estimators.learners import balanced_accuracy, majority
from ._estimators.splits import Columns, Target, TrainTest, train_test
from .ranges import number, one_of
from .registry import metric
from .score import NotApplicable, Score

__all__ = ["line_svm", "sap"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("compactness",),
    paper="Kumar et al. 2018",
    link="https://arxiv.org/abs/1711.00848",
    source="locatello2019",
    rows="split",
    repeats=10,
    groups=("classic", "default"),
    ranges={"form": one_of("classifier", "regression"), "C": number(0, above=True)},
    orders=True,
)
def sap(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    form: str | None = None,
    C: float = 0.01,
    train: int | None = 10_000,
    test: int | None = 5_000,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    groups: Any = None,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Mean gap between the two code dimensions that predict a factor best, each on its own.

    .. math::
        \mathrm{SAP} = \frac{1}{K} \sum_k \left( S_{(1)k} - S_{(2)k} \right)

    where :math:`S_{dk}` says how well dimension :math:`d` alone predicts factor :math:`k` and
    :math:`S_{(1)k} \ge S_{(2)k} \ge \dots`. In the classifier form, :math:`S` is the test accuracy
    of a linear support vector machine on the raw number (squared hinge, one versus rest, balanced
    weights); in the regression form, the squared correlation. Range: 0 to 1. It captures
    compactness: a factor that two dimensions hold equally well scores 0.

    The two forms are different quantities (0.02 to 0.23 where the other gives 0.16 to 1.0), and
    the classifier's accuracy depends on the scale of a code, through its penalty.

    Args:
        codes: Codes, real or discrete.
        factors: Factors; -1 or nan where unknown, which leaves those rows out of that factor.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        form: ``"classifier"``, for discrete factors, or ``"regression"``; by default the first if
            all factors are discrete.
        C: Inverse strength of the support vector machine's penalty.
        train: Rows to learn from; all if ``None``.
        test: Rows to be judged on (the regression form uses none); all if ``None``.
        blocks: Columns of vector-valued codes; the machine, or the regression, sees all of a block.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split.

    Shape:
        - codes: ``(N, D)``; with ``D = 1`` the second best counts as 0.
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["predictability"]``: ``(D, K)``; ``parts["per_factor"]``: ``(K,)``.
        - Of the classifier form ``parts["balanced"]``, ``(D, K)``, the accuracy with all values of
          equal weight; ``parts["chance_per_factor"]``, ``(K,)``, the share of the commonest.

    Raises:
        ValueError: for the classifier form on continuous factors, or too few rows.

    References:
        Variational Inference of Disentangled Latent Concepts from Unlabeled Observations, Kumar,
        Sattigeri and Balakrishnan, 2018, https://arxiv.org/abs/1711.00848, section 3. Challenging
        Common Assumptions in the Unsupervised Learning of Disentangled Representations, Locatello
        et al., 2019, https://arxiv.org/abs/1811.12359 (settings).

    Deviations:
        The support vector machine has one input and is solved exactly, where LIBLINEAR stops early
        on codes of large scale.

    Example:
        >>> factors = np.stack(np.meshgrid(range(2), range(2), range(5)), -1).reshape(-1, 3)[:, :2]
        >>> codes = factors * 2.0 - 1.0
        >>> float(sap(codes, factors, codes_test=codes, factors_test=factors, form="regression"))
        1.0
    """
    data = train_test(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        seed=seed,
        metric="sap",
        blocks=blocks,
        components=components,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
    )
    columns = range(data.factors.shape[1])
    continuous = [k for k in columns if not data.discrete(k)]
    if form is None:
        form = "regression" if continuous else "classifier"
    if form == "classifier":
        if continuous:
            raise NotApplicable(
                f"sap: factor {continuous[0]} is continuous: form='classifier' predicts discrete "
                "factors; use form='regression'"
            )
        both = [_accuracies(data.target(k, metric="sap"), data.columns, C) for k in columns]
        matrix, balanced = (np.stack(part, axis=1) for part in zip(*both, strict=True))
        predictor = {
            "predictor": "linear SVM on each dimension, squared hinge, one versus rest, balanced",
            "C": C,
        }
    else:
        matrix = np.stack([_squared_correlations(data, k) for k in columns], axis=1)
        predictor = {"predictor": "squared correlation with each dimension"}
    sorted_scores = np.sort(np.vstack([matrix, np.zeros((1, matrix.shape[1]))]), axis=0)
    per_factor = sorted_scores[-1] - sorted_scores[-2]
    parts = {"per_factor": per_factor, "predictability": matrix}
    if form == "classifier":
        parts |= {"balanced": balanced, "chance_per_factor": majority(data)}
    else:
        parts["chance_per_factor"] = np.zeros(len(columns))
    return Score(
        per_factor.mean(),
        parts,
        {"form": form, **predictor, **data.protocol},
        "sap",
    )


def _squared_correlations(data: TrainTest, k: int) -> np.ndarray:
    """Squared correlation of each code with factor ``k``, or with its coordinates.

    Of a block of several columns it is multiple: the share that a linear regression explains.
    """
    targets = data.targets(k, metric="sap", values=True)
    y = np.stack([target.y for target in targets], axis=1)
    return explained(targets[0].z, y, data.columns)


def _accuracies(
    target: Target, columns: list[list[int]], c: float
) -> tuple[np.ndarray, np.ndarray]:
    """Test accuracy of each code's classifier, and balanced, ``(D,)`` each."""
    assert target.classes is not None
    number = len(target.classes)
    result, balanced = np.empty(len(columns)), np.empty(len(columns))
    for d, block in enumerate(columns):
        z, z_test = (part[:, block].astype(np.float64) for part in (target.z, target.z_test))
        if len(block) == 1:
            w, b = line_svm(z[:, 0], target.y, number, c=c)
            guess = _highest(w, b, z_test[:, 0])
        else:
            from sklearn.svm import LinearSVC

            machine = LinearSVC(C=c, class_weight="balanced", dual=False).fit(z, target.y)
            guess = machine.predict(z_test)
        result[d] = (guess == target.y_test).mean()
        balanced[d] = balanced_accuracy(guess, target.y_test)
    return result, balanced


def _highest(w: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Which line ``w x + b`` is highest at each ``x``; the first among equals."""
    values, where = np.unique(x.astype(np.float64), return_inverse=True)
    best = np.concatenate(
        [
            (part[:, None] * w + b).argmax(axis=1)
            for part in np.array_split(values, 1 + len(values) * len(w) // 1_000_000)
        ]
    )
    return best[where]


def line_svm(
    x: np.ndarray, y: np.ndarray, classes: int, *, c: float, iterations: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    r"""Linear support vector machines of one input, each class against the rest, solved exactly.

    .. math::
        \min_{w, b} \; \tfrac{1}{2}(w^2 + b^2)
        + c_+ \sum_{y_n = c} \max(0, 1 - w x_n - b)^2 + c_- \sum_{y_n \ne c} \max(0, 1 + w x_n +
        b)^2

    (LIBLINEAR's objective: the bias is penalized, the positive class alone carries the balancing
    weight :math:`c_+ = c N / (C N_c)`.) On sorted inputs the points that violate the margin are a
    range on either side, so that sums over them are differences of prefix sums, and a Newton step
    for all classes together takes microseconds instead of passes over the points.

    Args:
        x: Inputs.
        y: Classes ``0 .. classes - 1``; an absent class is never predicted.
        classes: C.
        c: Inverse strength of the penalty.
        iterations: Most Newton steps.

    Shape:
        - x, y: ``(N,)``
        - Output: weights and biases, ``(C,)`` each.

    Example:
        >>> w, b = line_svm(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1]), 2, c=10.0)
        >>> bool(w[0] < 0 < w[1])
        True
    """
    n = len(x)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    # All points in order, and each class's points in order, one class after the other.
    all_sums = _prefix(x)
    by_class = np.lexsort((np.arange(n), y))
    own_sums = _prefix(x[by_class])
    keys = y[by_class] * (n + 1) + by_class
    counts = np.bincount(y, minlength=classes)
    first = np.concatenate([[0], np.cumsum(counts)])
    label = np.arange(classes)
    present = np.flatnonzero(counts)
    positive = np.zeros(classes)
    positive[present] = c * n / (len(present) * counts[present])
    if len(present) == 2:  # LIBLINEAR solves one problem for two classes, both of them weighted
        negative = positive[present].sum() - positive
    else:
        negative = np.full(classes, c)

    def moments(edge: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums of 1, x, x^2 over all points, and over the class's, on one side of an edge."""
        rank = np.searchsorted(x, edge)
        place = np.searchsorted(keys, label * (n + 1) + rank)
        prefix_sums = all_sums[rank]
        mine = own_sums[place] - own_sums[first[:-1]]
        side = below[:, None]
        return (
            np.where(side, prefix_sums, all_sums[-1] - prefix_sums),
            np.where(side, mine, own_sums[first[1:]] - own_sums[first[:-1]] - mine),
        )

    def evaluate(w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, ...]:
        """Objective, gradient and curvature of every class."""
        with np.errstate(divide="ignore", invalid="ignore"):
            upper = np.where(w == 0, np.where(b < 1, np.inf, -np.inf), (1 - b) / w)
            lower = np.where(w == 0, np.where(b > -1, -np.inf, np.inf), (-1 - b) / w)
        _, inside = moments(upper, w >= 0)  # own points with w x + b < 1
        lower_sums, class_sums = moments(lower, w < 0)  # other points with w x + b > -1
        outside = lower_sums - class_sums
        p = positive[:, None] * inside
        q = negative[:, None] * outside
        s = p + q
        value = (
            0.5 * (w**2 + b**2)
            + (s[:, 0] * (1 + b**2) + s[:, 2] * w**2 + 2 * s[:, 1] * w * b)
            + 2 * ((q[:, 0] - p[:, 0]) * b + (q[:, 1] - p[:, 1]) * w)
        )
        slope_w = w + 2 * (s[:, 2] * w + s[:, 1] * b + q[:, 1] - p[:, 1])
        slope_b = b + 2 * (s[:, 1] * w + s[:, 0] * b + q[:, 0] - p[:, 0])
        return value, slope_w, slope_b, 1 + 2 * s[:, 2], 2 * s[:, 1], 1 + 2 * s[:, 0]

    w, b = np.zeros(classes), np.zeros(classes)
    value, gw, gb, hww, hwb, hbb = evaluate(w, b)
    for _ in range(iterations):
        det = hww * hbb - hwb**2
        dw, db = (hbb * gw - hwb * gb) / det, (hww * gb - hwb * gw) / det
        decrease = gw * dw + gb * db
        if (decrease <= 1e-18 * (1 + np.abs(value))).all():
            break
        step = np.ones(classes)
        for _ in range(30):  # halve where the objective does not fall enough
            trial = evaluate(w - step * dw, b - step * db)
            worse = trial[0] > value - 1e-4 * step * decrease + 1e-14 * np.abs(value)
            if not worse.any():
                break
            step[worse] /= 2
        w, b = w - step * dw, b - step * db
        value, gw, gb, hww, hwb, hbb = evaluate(w, b)
    b[counts == 0] = -np.inf
    return w, b


def _prefix(x: np.ndarray) -> np.ndarray:
    """Sums of 1, x and x^2 over the first 0, 1, ... points, ``(N + 1, 3)``."""
    powers = np.stack([np.ones_like(x), x, x * x], axis=1)
    return np.concatenate([np.zeros((1, 3)), np.cumsum(powers, axis=0)])
