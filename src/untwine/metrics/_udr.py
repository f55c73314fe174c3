r"""UDR, the unsupervised disentanglement ranking: agreement of runs with other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._estimators.arrays import same_observations
from .ranges import number, one_of, switch
from .registry import metric
from .score import Score

__all__ = ["relative_strength", "udr"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("agreement",),
    paper="Duan et al. 2020",
    link="https://arxiv.org/abs/1905.12614",
    source="Lasso",
    ranges={
        "similarity": one_of("lasso", "spearman"),
        "alpha": number(0, above=True),
        "pooled": switch(),
    },
)
def udr(
    runs: Sequence[Any],
    kls: Sequence[Any] | None = None,
    *,
    similarity: str = "lasso",
    alpha: float = 0.1,
    threshold: float = 0.01,
    pooled: bool = False,
) -> Score:
    r"""How well each of several runs agrees with the others, up to permutation and sign.

    For two runs, :math:`R_{ab}` is the similarity of dimension :math:`a` of one and :math:`b` of
    the other: the absolute weights of a Lasso regression from the one's standardized codes to the
    other's, or absolute rank correlations. Their agreement is high where each informative
    dimension has one strong partner:

    .. math::
        \mathrm{UDR}_{ij} = \frac{1}{2} \left( \frac{1}{d_b} \sum_b \frac{r_b^2}{\sum_a R_{ab}}
        + \frac{1}{d_a} \sum_a \frac{r_a^2}{\sum_b R_{ab}} \right), \qquad
        r_b = \max_a R_{ab}, \; r_a = \max_b R_{ab} .

    A run's score is the median over the other runs, and the value is the best run's. Dimensions
    whose KL divergence to the prior is not above the threshold take no part. Range: 0 to 1, about.
    No factors are needed: it assumes that entangled models are entangled each in its own way.

    Args:
        runs: Each run's codes of the **same** observations in the same order.
        kls: Each run's KL divergence per dimension, in nats, averaged over the observations.
            Without them all dimensions that are not constant count as informative.
        similarity: ``"lasso"`` or ``"spearman"``.
        alpha: The Lasso's penalty.
        threshold: The KL divergence above which a dimension is informative, in nats.
        pooled: Divide both sums by :math:`d_a + d_b` together, as the paper writes it, instead of
            each by its own; the same if both runs have as many informative dimensions.

    Shape:
        - runs: R arrays ``(N, D_r)``
        - kls: R arrays ``(D_r,)``
        - ``parts["per_run"]``: ``(R,)``; ``parts["pairs"]``: ``(R, R)``, row: the run regressed
          from, column: the run regressed to, nan on the diagonal.

    Raises:
        ValueError: for fewer than two runs, runs of different lengths, or KLs that do not match.

    References:
        Unsupervised Model Selection for Variational Disentangled Representation Learning, Duan
        et al., 2020, https://arxiv.org/abs/1905.12614, section 4.

    Example:
        >>> z = np.random.default_rng(0).standard_normal((500, 3))
        >>> round(float(udr([z, -z[:, ::-1], 2 * z], similarity="spearman")), 1)
        1.0
    """
    codes = same_observations(runs, "udr")
    informative = _informative(codes, kls, threshold)
    similarity_inputs = [
        _prepare(z, use, similarity) for z, use in zip(codes, informative, strict=True)
    ]
    n, count = len(codes[0]), len(codes)
    pairs = np.full((count, count), np.nan)
    for i in range(count):
        for j in range(count):
            if i == j:
                continue
            if similarity == "spearman":
                matrix = np.abs(similarity_inputs[i].T @ similarity_inputs[j]) / n
            else:
                matrix = _lasso(similarity_inputs[i], similarity_inputs[j], alpha)
            matrix = matrix[informative[i]][:, informative[j]]
            pairs[i, j] = relative_strength(matrix, pooled=pooled)
    per_run = np.array([np.median(np.delete(pairs[:, i], i)) for i in range(count)])
    protocol: dict[str, Any] = {
        "similarity": similarity,
        "threshold": threshold if kls is not None else "not constant",
        "pooled": pooled,
        "points": n,
        "runs": count,
    }
    if similarity == "lasso":
        import sklearn

        protocol |= {"alpha": alpha, "predictor": f"scikit-learn {sklearn.__version__} Lasso"}
    parts = {
        "per_run": per_run,
        "best": int(per_run.argmax()),
        "pairs": pairs,
        "informative": [int(use.sum()) for use in informative],
    }
    return Score(per_run.max(), parts, protocol, "udr")


def relative_strength(matrix: np.ndarray, *, pooled: bool = False) -> float:
    """How close a similarity matrix is to a one-to-one correspondence, 0 for an empty one.

    Args:
        matrix: Non-negative similarities ``(A, B)``.
        pooled: Average over all ``A + B`` rows and columns together, instead of over each side.
    """
    if matrix.size == 0:
        return 0.0
    sides = []
    for axis in (0, 1):
        total = matrix.sum(axis=axis)
        strongest = matrix.max(axis=axis)
        safe = np.where(total > 0, total, 1.0)
        sides.append(np.where(total > 0, strongest**2 / safe, 0.0))
    if pooled:
        return float(np.concatenate(sides).mean())
    return float((sides[0].mean() + sides[1].mean()) / 2)


def _informative(
    codes: list[np.ndarray], kls: Sequence[Any] | None, threshold: float
) -> list[np.ndarray]:
    if kls is None:
        return [np.ptp(z, axis=0) > 0 for z in codes]
    if len(kls) != len(codes):
        raise ValueError(f"kls has {len(kls)} entries for {len(codes)} runs: give one array each")
    result = []
    for i, (z, kl) in enumerate(zip(codes, kls, strict=True)):
        kl = np.asarray(kl, dtype=np.float64).reshape(-1)
        if kl.shape != (z.shape[1],):
            raise ValueError(
                f"kls[{i}] has {kl.size} values but runs[{i}] has {z.shape[1]} dimensions"
            )
        result.append((kl > threshold) & (np.ptp(z, axis=0) > 0))
    return result


def _prepare(z: np.ndarray, use: np.ndarray, similarity: str) -> np.ndarray:
    """Standardized codes, or standardized ranks; uninformative dimensions become 0."""
    if similarity == "spearman":
        from scipy.stats import rankdata

        z = rankdata(z, axis=0)
    z = z - z.mean(axis=0)
    deviation = np.where(use, z.std(axis=0), np.inf)
    return z / deviation


def _lasso(source: np.ndarray, target: np.ndarray, alpha: float) -> np.ndarray:
    """Absolute weights of the regression from ``source`` to ``target``, ``(A, B)``."""
    from sklearn.linear_model import Lasso

    model = Lasso(alpha=alpha, precompute=True).fit(source, target)
    return np.abs(np.atleast_2d(model.coef_)).T
