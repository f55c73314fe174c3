r"""Logistic regression, fitted to convergence by L-BFGS.

The objective is scikit-learn's, so that scores agree with the literature's, whose predictor it is;
the solution does not depend on a solver's version, its order of the data or its iteration limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .threads import one_thread

__all__ = ["SOLVER", "Logistic", "area_under_curve", "fit_logistic"]

#: How protocols describe the predictor.
SOLVER = "logistic regression, L2, L-BFGS to a gradient of 1e-4 per point"


@dataclass(frozen=True)
class Logistic:
    """A fitted logistic regression.

    Attributes:
        weight: ``(D, C)``.
        bias: ``(C,)``.
        one_vs_rest: Whether each class has its own sigmoid, instead of a common softmax.
    """

    weight: np.ndarray
    bias: np.ndarray
    one_vs_rest: bool

    def scores(self, z: np.ndarray) -> np.ndarray:
        """Log odds up to a constant, ``(N, C)``."""
        return z.astype(np.float64) @ self.weight + self.bias

    def predict(self, z: np.ndarray) -> np.ndarray:
        """The likeliest class of each row, ``(N,)``."""
        return self.scores(z).argmax(axis=1)

    def probabilities(self, z: np.ndarray) -> np.ndarray:
        """Probabilities of the classes, ``(N, C)``; rows sum to one."""
        scores = torch.from_numpy(self.scores(z))
        if not self.one_vs_rest:
            return scores.softmax(dim=1).numpy()
        p = scores.sigmoid()
        return (p / p.sum(dim=1, keepdim=True).clamp_min(1e-300)).numpy()


def fit_logistic(
    z: np.ndarray,
    y: np.ndarray,
    classes: int,
    *,
    c: float = 1.0,
    one_vs_rest: bool = False,
    balanced: bool = False,
    start: Logistic | None = None,
    tolerance: float = 1e-4,
    iterations: int = 500,
) -> Logistic:
    r"""Fits a logistic regression by L-BFGS in whitened coordinates.

    .. math::
        \min_{W, b} \; c \sum_n \ell(y_n, W^\top z_n + b) + \tfrac{1}{2} \lVert W \rVert^2

    with the multinomial cross-entropy :math:`\ell`, or the sum of the classes' binary ones.
    Biases are not penalized. Whitening changes the path to the minimum, not the minimum. Weights
    of the minimum are in the span of the centered rows, and of more dimensions than rows only that
    span is searched.

    Args:
        z: Inputs.
        y: Classes ``0 .. classes - 1``; a class may be absent.
        classes: C.
        c: Inverse strength of the penalty.
        one_vs_rest: One binary regression per class, instead of a multinomial one.
        balanced: Weigh classes (positives and negatives if one versus rest) by inverse frequency.
        start: A solution to start from.
        tolerance: Largest component of the gradient, per point, at the end.
        iterations: Most steps of the solver.

    Shape:
        - z: ``(N, D)``
        - y: ``(N,)``

    Example:
        >>> z = np.array([[-2.0], [-1.0], [1.0], [2.0]])
        >>> fit_logistic(z, np.array([0, 0, 1, 1]), 2).predict(z).tolist()
        [0, 0, 1, 1]
    """
    from scipy.optimize import minimize

    x = torch.as_tensor(z, dtype=torch.float64)
    n, d = x.shape
    if d > n:
        span = torch.linalg.qr((x - x.mean(dim=0)).T).Q.numpy()
        first = start and Logistic(span.T @ start.weight, start.bias, one_vs_rest)
        model = fit_logistic(
            x.numpy() @ span,
            y,
            classes,
            c=c,
            one_vs_rest=one_vs_rest,
            balanced=balanced,
            start=first,
            tolerance=tolerance,
            iterations=iterations,
        )
        return Logistic(span @ model.weight, model.bias, one_vs_rest)
    target = torch.as_tensor(y, dtype=torch.int64).unsqueeze(1)
    counts = torch.bincount(target[:, 0], minlength=classes)
    center = x.mean(dim=0)
    x = x - center
    # w = A v: with the penalty's share added, no direction is singular.
    spread, axes = torch.linalg.eigh(x.T @ x / n)
    basis = axes * (spread.clamp_min(0.0) + 4.0 / (c * n)).rsqrt()
    inputs = torch.cat([x @ basis, torch.ones(n, 1, dtype=torch.float64)], dim=1).float()
    gram = basis.T @ basis
    weight = _weights(counts, target, one_vs_rest) if balanced else None
    # An absent class has no finite bias; its slope alone would keep the solver from ending.
    absent = torch.where(counts > 0, 0.0, -torch.inf) if bool((counts == 0).any()) else None

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        v = torch.from_numpy(flat).view(d + 1, classes)
        # Rows in single precision (they dominate the time), sums over rows in double.
        scores = inputs @ v.float()
        if one_vs_rest:
            loss, slope = _binary(scores, target, weight)
        else:
            loss, slope = _softmax(scores if absent is None else scores + absent, target, weight)
        pull = gram @ v[:d]
        gradient = (inputs.T @ slope).double() / n
        gradient[:d] += pull / (c * n)
        value = loss.sum(dtype=torch.float64) / n + 0.5 * (v[:d] * pull).sum() / (c * n)
        return float(value), gradient.flatten().numpy()

    initial = torch.zeros(d + 1, classes, dtype=torch.float64)
    if start is not None:
        w = torch.from_numpy(start.weight)
        initial[:d] = torch.linalg.solve(basis, w)
        initial[d] = torch.from_numpy(start.bias).clamp_min(-1e3) + center @ w
    options = {"gtol": tolerance, "ftol": 0.0, "maxiter": iterations, "maxcor": 20}
    start_at = initial.flatten().numpy()
    with one_thread():
        result = minimize(objective, start_at, jac=True, method="L-BFGS-B", options=options)
    v = torch.from_numpy(result.x).view(d + 1, classes)
    w = basis @ v[:d]
    b = v[d] - center @ w
    if absent is not None and not one_vs_rest:
        b = b + absent
    return Logistic(w.numpy(), b.numpy(), one_vs_rest)


def _weights(counts: Tensor, target: Tensor, one_vs_rest: bool) -> Tensor:
    """Weights that give each class, or each side of each class, the same total."""
    n = len(target)
    if one_vs_rest:
        weight = (n / (2.0 * (n - counts).clamp_min(1))).expand(n, -1).clone()
        positive = n / (2.0 * counts.clamp_min(1))
        return weight.scatter_(1, target, positive[target])
    share = n / (int((counts > 0).sum()) * counts.clamp_min(1))
    return share[target]


def _softmax(scores: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Cross-entropies ``(N, 1)`` and their derivatives by the scores ``(N, C)``."""
    slope = scores.softmax(dim=1)
    loss = -slope.gather(1, target).clamp_min(1e-38).log()
    slope.scatter_add_(1, target, -torch.ones_like(loss))
    return (loss, slope) if weight is None else (loss * weight, slope * weight)


def _binary(scores: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Binary cross-entropies of each class against the rest, and their derivatives, ``(N, C)``."""
    loss = torch.nn.functional.softplus(scores)
    loss.scatter_add_(1, target, -scores.gather(1, target))
    slope = scores.sigmoid_()
    slope.scatter_add_(1, target, -torch.ones(len(target), 1))
    return (loss, slope) if weight is None else (loss * weight, slope * weight)


def area_under_curve(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    r"""Area under the ROC curve of each class against the rest, by ranks.

    .. math:: \mathrm{AUC}_c = \frac{\sum_{y_n = c} r_{nc} - n_c (n_c + 1) / 2}{n_c (N - n_c)}

    with the rank :math:`r` of a score among all rows, ties sharing their mean rank.

    Args:
        scores: Scores of the classes.
        y: The true classes.

    Shape:
        - scores: ``(N, C)``
        - y: ``(N,)``
        - Output: ``(C,)``, nan for a class that is absent or alone.

    Example:
        >>> area_under_curve(np.array([[0.1], [0.4], [0.35], [0.8]]), np.array([1, 1, 0, 0]))
        array([0.75])
    """
    from scipy.stats import rankdata

    n, classes = scores.shape
    counts = np.bincount(y, minlength=classes)[:classes].astype(np.float64)
    within = y < classes
    ranks = rankdata(scores, axis=0)[np.flatnonzero(within), y[within]]
    total = np.bincount(y[within], ranks, minlength=classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (total - counts * (counts + 1) / 2) / (counts * (n - counts))
