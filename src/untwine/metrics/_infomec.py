r"""InfoMEC: modularity, explicitness and compactness by information (InfoM, InfoE, InfoC)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ._estimators.arrays import check
from ._estimators.information import (
    Labels,
    bin_values,
    binning_protocol,
    entropy,
    factor_labels,
    joint_entropy,
    label_rows,
    label_values,
    vector_matrix,
)
from ._estimators.kinds import FactorKinds, kinds_of
from ._estimators.logistic import fit_logistic
from ._estimators.neighbors import neighbor_information, spread_ties
from ._estimators.protocols import choose
from ._estimators.selection import without_copies
from ._estimators.splits import Columns, in_blocks, rows, stated_blocks, wide
from .ranges import one_of
from .registry import metric
from .score import Score

__all__ = ["PROTOCOLS", "infomec"]

#: Settings of the literature's variants, by the name that ``protocol`` takes.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "hsu2023": {"estimator": "knn", "active": 1 / 20},
    "hsu2023_training": {"estimator": "bins", "active": 1 / 8},
}

#: Inverse strength of the logistic regression's penalty: none, but for what keeps it solvable.
_C = 1e8


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("modularity", "compactness", "explicitness"),
    paper="Hsu et al. 2023",
    link="https://arxiv.org/abs/2305.18378",
    repeats=10,
    ranges={"protocol": one_of(*PROTOCOLS), "estimator": one_of("knn", "bins", "discrete")},
)
def infomec(
    codes: Any,
    factors: Any,
    *,
    protocol: str = "hsu2023",
    estimator: str | None = None,
    active: float | None = None,
    discrete_codes: bool = False,
    neighbors: int = 10,
    bins: int = 20,
    binning: str = "equal_width",
    continuous_factors: bool | None = None,
    points: int | None = 10_000,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Three scores from the normalized mutual information of codes and factors.

    With :math:`\mathrm{NMI}_{jk} = I(z_j; v_k) / H(v_k)` over the active dimensions A,

    .. math::
        \mathrm{InfoM} &= \frac{1}{1 - 1/K} \Big( \frac{1}{|A|} \sum_{j \in A}
        \frac{\max_k \mathrm{NMI}_{jk}}{\sum_k \mathrm{NMI}_{jk}} - \frac{1}{K} \Big)
        \\
        \mathrm{InfoC} &= \frac{1}{1 - 1/|A|} \Big( \frac{1}{K} \sum_k
        \frac{\max_{j \in A} \mathrm{NMI}_{jk}}{\sum_{j \in A} \mathrm{NMI}_{jk}}
        - \frac{1}{|A|} \Big)
        \\
        \mathrm{InfoE} &= \frac{1}{K} \sum_k \frac{H_0(v_k) - H(v_k | z)}{H_0(v_k)}

    where :math:`H(v_k|z)` is the cross-entropy of an unregularized multinomial logistic regression
    with balanced classes, on the points it was fitted on, and :math:`H_0` that of one without
    inputs, the logarithm of the number of values. The score's value is InfoM; all three are parts.
    Range: 0 to 1 each (InfoE may be negative where classes are unbalanced). Pure noise has an InfoM
    of 0.3 to 0.5.

    A dimension is active if it spans more than a fraction of what the widest one does. An active
    dimension without information about any factor has no preference and is left out of InfoM; a
    factor that no active dimension informs about adds nothing to InfoC.

    Args:
        codes: Codes, real or discrete.
        factors: Factors, discrete or continuous (these are binned); -1 or nan where unknown, which
            leaves those points out of that factor.
        protocol: ``"hsu2023"`` (nearest neighbors; active above 1/20) or ``"hsu2023_training"``
            (20 bins; active above 1/8), as in the authors' training code.
        estimator: ``"knn"``, ``"bins"`` or ``"discrete"``, in place of the protocol's.
        active: The fraction, in place of the protocol's.
        discrete_codes: Whether codes are labels: plug-in mutual information of their values,
            one-hot inputs of the regression, active wherever they vary.
        neighbors: k of the nearest-neighbor estimator.
        bins: Bins per dimension (``"bins"``) and per continuous factor.
        binning: Of the former, ``"equal_width"`` between a dimension's extremes, or ``"robust"``:
            between its quantiles of 1 % and 99 %, with what lies beyond in the first and the last
            bin; a dimension's span, which decides whether it is active, is then between these, too.
        continuous_factors: Whether to bin all factors (``True``) or none; by default those with
            fractional values.
        points: At most how many rows, drawn without replacement, or ``None`` for all.
        blocks: Columns of vector-valued codes, of which all count.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of that draw, and of the noise that breaks ties between codes.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``, K at least 2.
        - ``parts["nmi"]``: ``(D, K)``; ``parts["active"]``: ``(D,)``; ``parts["per_factor"]``:
          ``(K,)``, the terms of InfoE.

    Raises:
        ValueError: for a single factor, an unknown protocol or estimator, or a constant factor.

    References:
        Disentanglement via Latent Quantization, Hsu, Dorrell, Whittington, Wu and Finn, 2023,
        https://arxiv.org/abs/2305.18378, section 4.

    Deviations:
        The regression is fitted to convergence, where scikit-learn's may stop before. With one
        active dimension InfoC is 1, and without any all three scores are 0.

    Example:
        >>> factors = np.stack(np.meshgrid(range(4), range(4)), -1).reshape(-1, 2)
        >>> score = infomec(factors, factors, discrete_codes=True)
        >>> {name: round(score.parts[name], 2) for name in ("infom", "infoe", "infoc")}
        {'infom': 1.0, 'infoe': 1.0, 'infoc': 1.0}
    """
    settings = choose(PROTOCOLS, protocol, {"estimator": estimator, "active": active})
    if discrete_codes and estimator is None:
        settings["estimator"] = "discrete"
    if discrete_codes and active is None:
        settings["active"] = 0.0
    z, y = check(codes, factors, unknown=unknown)
    if y.shape[1] < 2:
        raise ValueError("infomec compares factors and got 1: give at least two columns of factors")
    size = len(z)
    if settings["estimator"] == "knn":
        z, y = without_copies("infomec", z, y, split=False) or (z, y)
    copies = {"copies_left_out": size - len(z)} if len(z) < size else {}
    z, y = rows(np.random.default_rng(seed), points, z, y)
    factor_kinds = kinds_of(y, kinds, continuous_factors)
    conditions: dict[str, Any] = {"points": len(z), "seed": seed, **copies}
    conditions |= binning_protocol(y, factor_kinds)
    if settings["estimator"] == "knn":
        conditions["neighbors"] = neighbors
    if settings["estimator"] == "bins" or "binned_factors" in conditions:
        conditions["bins"] = bins
    if binning != "equal_width":
        conditions["binning"] = binning
    z, block_columns = in_blocks(z, blocks, components)
    conditions |= stated_blocks(blocks, components)
    if settings["estimator"] == "bins" and wide(block_columns):
        raise ValueError(
            "a block of several columns has no bins: use estimator='knn', or reduce it by "
            "components=1"
        )
    labels = factor_labels(y, bins, factor_kinds)
    if settings["estimator"] == "knn" and wide(block_columns):
        total = np.array([entropy(np.bincount(v.values[v.values >= 0])) for v in labels])
        nmi = vector_matrix(z, block_columns, labels, neighbors, seed) / total
    else:
        nmi = _normalized_information(
            z, block_columns, labels, settings["estimator"], neighbors, bins, seed, binning=binning
        )
    ends = np.quantile(z, [0.01, 0.99], axis=0) if binning == "robust" else (z.min(0), z.max(0))
    extent = np.asarray(ends[1], dtype=np.float64) - ends[0]
    span = np.array([extent[block].max() for block in block_columns])
    alive = span > settings["active"] * span.max()
    with _one_thread():
        per_factor = np.array([_explicitness(z, label, discrete_codes) for label in labels])
    infom, infoc = _preference(nmi[alive], 1, keep=False), _preference(nmi[alive], 0, keep=True)
    return Score(
        infom,
        {
            "infom": infom,
            "infoe": float(per_factor.mean()),
            "infoc": infoc,
            "per_factor": per_factor,
            "nmi": nmi,
            "active": alive,
        },
        {
            "protocol": protocol,
            **settings,
            "codes": "discrete" if discrete_codes else "continuous",
            "predictor": "multinomial logistic regression, balanced, no penalty, same points",
            **conditions,
        },
        "infomec",
    )


def _normalized_information(
    z: np.ndarray,
    block_columns: list[list[int]],
    labels: list[Labels],
    estimator: str,
    neighbors: int,
    bins: int,
    seed: int,
    *,
    binning: str,
) -> np.ndarray:
    """Mutual information over the factor's entropy, ``(D, K)``; 0 for a code that is constant."""
    result = np.zeros((len(block_columns), len(labels)))
    spread = spread_ties(z, seed) if estimator == "knn" else z
    for k, label in enumerate(labels):
        rows = slice(None) if label.known is None else label.known
        factor = Labels(label.values[rows], label.classes)
        total = entropy(np.bincount(factor.values))
        for j, block in enumerate(block_columns):
            column = np.ascontiguousarray(z[rows][:, block])
            if (column == column[0]).all():
                continue
            if estimator == "knn":
                mutual = neighbor_information(spread[rows, block[0]], factor.values, neighbors)
            else:
                discrete = estimator == "discrete"
                code = label_rows(column) if discrete else bin_values(column[:, 0], bins, binning)
                mutual = entropy(np.bincount(code.values)) + total - joint_entropy(code, factor)
            result[j, k] = mutual / total if mutual > 1e-12 else 0.0
    return result


def _preference(nmi: np.ndarray, axis: int, *, keep: bool) -> float:
    """How far the largest entry exceeds its equal share of the sum, along an axis; 1 at most.

    ``keep`` says whether lines without information count as 0, or not at all.
    """
    if nmi.size == 0:
        return 0.0
    share = 1 / nmi.shape[axis]
    if share == 1:
        return 1.0
    total = nmi.sum(axis=axis)
    has_information = total > 0
    ratio = np.where(
        has_information, nmi.max(axis=axis) / np.where(has_information, total, 1.0), share
    )
    terms = ratio if keep else ratio[has_information]
    return float((terms.mean() - share) / (1 - share)) if terms.size else 0.0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small matrix products on one core: where cores are shared, waiting for others costs more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _explicitness(z: np.ndarray, label: Labels, discrete: bool) -> float:
    """What of a factor's balanced entropy a linear classifier takes away."""
    rows = slice(None) if label.known is None else label.known
    z, y = z[rows], label.values[rows]
    if discrete:
        columns = [label_values(np.ascontiguousarray(column)) for column in z.T]
        inputs = np.concatenate(
            [np.eye(column.classes)[column.values] for column in columns], axis=1
        )
    else:
        z = z.astype(np.float64)
        varies = z.min(axis=0) < z.max(axis=0)
        inputs = np.where(varies, (z - z.mean(axis=0)) / np.where(varies, z.std(axis=0), 1.0), 0.0)
    model = fit_logistic(inputs, y, label.classes, c=_C, balanced=True, iterations=100)
    likelihood = model.probabilities(inputs)[np.arange(len(y)), y]
    cross_entropy = -np.log(np.maximum(likelihood, np.finfo(np.float64).eps)).mean()
    return float(1 - cross_entropy / np.log(label.classes))
