r"""DCI-ES: explicitness by the losses of probes of growing capacity, and size, beside DCI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._dci import dci_from_importance
from ._estimators.kinds import FactorKinds
from ._estimators.learners import balanced_accuracy, majority
from ._estimators.splits import Target, train_test
from .ranges import several, whole
from .registry import metric
from .score import Score

__all__ = ["dci_es", "explicitness_from_curve"]


@metric(
    low=-1.0,
    high=1.0,
    higher_is_better=True,
    captures=("explicitness", "modularity", "compactness"),
    paper="Eastwood et al. 2023",
    link="https://openreview.net/forum?id=462z-gLgSht",
    source="random forests",
    rows="split",
    repeats=10,
    suite={"trees": 10, "depths": (1, 2, 4, 8, 16, 32)},
    ranges={"depths": several(whole(1)), "trees": whole(1)},
)
def dci_es(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    groups: Any = None,
    depths: Sequence[int] = (1, 2, 3, 4, 8, 10, 12, 14, 16, 18, 20, 32),
    trees: int = 100,
    train: int | None = 10_000,
    test: int | None = 5_000,
    jobs: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""How little capacity a probe needs to read the factors off the code.

    Random forests of growing depth :math:`\kappa` predict each factor. With :math:`\ell_\kappa` the
    least loss on held-out rows up to that depth (one minus the accuracy, or minus R2 for a real
    factor), :math:`\ell_*` the least of all and :math:`\ell_b` the loss of guessing,

    .. math::
        E = 1 - \frac{2}{(\kappa_{\max} - \kappa_{\min}) \, \ell_b}
        \int_{\kappa_{\min}}^{\kappa_{\max}} (\ell_\kappa - \ell_*) \, d\kappa ,
        \qquad S = K / D ,

    averaged over factors: the score's value is the explicitness E. Range: -1 to 1; 1 where the
    least capacity does as well as any, 0 where the loss falls from guessing to nothing in a
    straight line, -1 where all is held back to the end. A code that tells nothing has E = 1, too:
    read it beside the informativeness. Size S, disentanglement, completeness and informativeness
    are parts; these three are those of the depth that tells most.

    Args:
        codes: Codes, real or discrete.
        factors: Factors, discrete or continuous; -1 or nan where unknown, which leaves those rows
            out of that factor.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        depths: Of the trees, at least two, in increasing order.
        trees: Per forest.
        train: Rows to learn from; all if ``None``.
        test: Rows to be judged on; all if ``None``.
        jobs: How many trees to grow at a time; the number of cores by default.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split and of the forests.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["per_factor"]``, ``parts["informativeness_per_factor"]``: ``(K,)``;
          ``parts["loss"]``: ``(len(depths), K)``; ``parts["importance"]``: ``(D, K)``.

    Raises:
        ValueError: for depths that do not increase, a constant factor, or too few rows.

    References:
        DCI-ES: An Extended Disentanglement Framework with Connections to Identifiability, Eastwood,
        Nicolicioiu, von Kuegelgen, Kekic, Traeuble, Dittadi and Schoelkopf, 2023,
        https://openreview.net/forum?id=462z-gLgSht, section 4; the area and its normalization are
        those of the authors' code.

    Deviations:
        Forests alone; the paper also has perceptrons and random Fourier features. A probe that is
        worse than guessing counts as guessing, which keeps the range, and guessing takes the
        commonest value, as the paper's does where all are equally common.

    Example:
        >>> factors = np.random.default_rng(0).integers(0, 2, (300, 2))
        >>> score = dci_es(factors * 1.0, factors, depths=(1, 2, 4), trees=5)
        >>> score.value > 0.9, score.parts["size"], score.parts["informativeness"]
        (True, 1.0, 1.0)
    """
    capacity = np.array(depths, dtype=np.float64)
    if len(capacity) < 2 or (np.diff(capacity) <= 0).any():
        raise ValueError(f"depths is {tuple(depths)}; expected at least two, in increasing order")
    data = train_test(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        unknown=unknown,
        kinds=kinds,
        groups=groups,
        seed=seed,
        metric="dci_es",
    )
    columns = range(data.factors.shape[1])
    targets = [data.target(k, metric="dci_es") for k in columns]
    results = [
        _forest(target, int(depth), trees, jobs, seed) for depth in depths for target in targets
    ]
    quality = np.array([q for q, _, _ in results]).reshape(len(capacity), -1)
    balanced = np.array([b for _, b, _ in results]).reshape(len(capacity), -1)
    importance = np.stack([r for _, _, r in results], axis=1).reshape(
        data.z.shape[1], len(capacity), -1
    )
    baseline = np.array([_guess(target) for target in targets])
    per_factor = np.array(
        [explicitness_from_curve(capacity, 1 - quality[:, k], baseline[k]) for k in columns]
    )
    best = int(quality.mean(axis=1).argmax())
    arithmetic = dci_from_importance(importance[:, best])
    parts = {
        "per_factor": per_factor,
        "explicitness": float(per_factor.mean()),
        "size": data.factors.shape[1] / data.z.shape[1],
        "disentanglement": arithmetic.parts["disentanglement"],
        "completeness": arithmetic.parts["completeness"],
        "informativeness": float(quality[best].mean()),
        "informativeness_per_factor": quality[best],
        "informativeness_balanced_per_factor": balanced[best],
        "informativeness_chance_per_factor": np.nan_to_num(majority(data)),
        "loss": 1 - quality,
        "importance": importance[:, best],
    }
    import sklearn

    protocol = {
        "probe": f"scikit-learn {sklearn.__version__} RandomForest, {trees} trees",
        "depths": list(map(int, depths)),
        "best_depth": int(depths[best]),
        **data.protocol,
    }
    return Score(float(per_factor.mean()), parts, protocol, "dci_es")


def explicitness_from_curve(capacity: Any, loss: Any, baseline: float) -> float:
    r"""Explicitness of a loss-capacity curve; no data involved. See `dci_es`.

    Args:
        capacity: Of the probes, increasing, ``(P,)``; logarithms where capacities are numbers of
            parameters or features.
        loss: Of each probe, ``(P,)``.
        baseline: The loss of guessing, above 0.

    Raises:
        ValueError: for curves of unequal lengths or one point, capacities that do not increase, or
            a baseline that is not positive.

    Example:
        >>> explicitness_from_curve([1, 2, 4], [0.8, 0.4, 0.2], baseline=0.8)
        0.5
    """
    x, y = np.asarray(capacity, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2 or (np.diff(x) <= 0).any():
        raise ValueError(
            f"capacity has shape {x.shape} and loss {y.shape}; expected the same number of points, "
            "at least two, with increasing capacities"
        )
    if not baseline > 0:
        raise ValueError(f"baseline is {baseline}; expected the loss of guessing, above 0")
    least = np.minimum.accumulate(np.minimum(y, baseline))
    area = float(((least[1:] + least[:-1]) / 2 - least[-1]) @ np.diff(x))
    return 1 - 2 * area / float((x[-1] - x[0]) * baseline)


def _forest(
    target: Target, depth: int, trees: int, jobs: int | None, seed: int
) -> tuple[float, float, np.ndarray]:
    """Accuracy or R2 on held-out rows, balanced accuracy or nan, and importances ``(D,)``."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestRegressor if target.classes is None else RandomForestClassifier
    model = kind(trees, max_depth=depth, n_jobs=jobs or -1, random_state=seed)
    model.fit(target.z, target.y)
    balanced = np.nan
    if target.classes is not None:
        balanced = balanced_accuracy(model.predict(target.z_test), target.y_test)
    quality = float(model.score(target.z_test, target.y_test))
    return quality, balanced, np.abs(model.feature_importances_)


def _guess(target: Target) -> float:
    """The loss of the commonest value, or of the mean."""
    if target.classes is None:
        return 1.0
    commonest = np.bincount(target.y).argmax()
    return float(max((target.y_test != commonest).mean(), 1 / len(target.y_test)))
