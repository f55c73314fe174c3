r"""Total correlation of the Gaussian with the codes' covariance."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ._estimators.covariance import SINGULAR, covariance_of, whitening
from ._estimators.splits import Columns
from .registry import metric
from .score import Score

__all__ = ["gaussian_total_correlation"]


@metric(
    low=0.0,
    high=inf,
    higher_is_better=False,
    captures=("independence",),
    paper="Watanabe 1960",
    link="https://doi.org/10.1147/rd.41.0066",
    source="locatello2019",
)
def gaussian_total_correlation(
    codes: Any, factors: Any = None, *, blocks: Columns | None = None
) -> Score:
    r"""Total correlation of the Gaussian with the codes' covariance, in nats.

    .. math::
        \mathrm{TC} = D_{KL}\Big( \mathcal{N}(0, \Sigma) \,\Big\|\,
        \prod_b \mathcal{N}(0, \Sigma_{bb}) \Big)
        = \tfrac{1}{2} \Big( \sum_b \log \det \Sigma_{bb} - \log \det \Sigma \Big)

    where the blocks :math:`b` are single dimensions unless given. From 0 (uncorrelated) upwards,
    infinite where dimensions of different blocks are linearly dependent; lower is better. A
    dimension that does not vary is independent of all others and adds nothing. Scale-free.

    Args:
        codes: Codes; all rows are used (the literature draws 10,000).
        factors: Not used; taken so that metrics can be called alike.
        blocks: Columns of vector-valued codes, whose inner dependence does not count; columns that
            no block names are left out.

    Shape:
        - codes: ``(N, D)``
        - ``parts["covariance"]``: ``(D, D)``.

    Raises:
        ValueError: for fewer than two points, or blocks that overlap.

    References:
        Information Theoretical Analysis of Multivariate Correlation, Watanabe, 1960,
        https://doi.org/10.1147/rd.41.0066 (the measure). Challenging Common Assumptions in the
        Unsupervised Learning of Disentangled Representations, Locatello et al., 2019,
        https://arxiv.org/abs/1811.12359, section 5.1 (for codes).

    Deviations:
        The reference implementation returns nan where a dimension does not vary.

    Example:
        >>> import numpy as np
        >>> z = np.stack(np.meshgrid([-1, 1], [-1, 1]), -1).reshape(-1, 2) @ [[1.0, 0.8], [0, 0.6]]
        >>> round(float(gaussian_total_correlation(z)), 6)  # -log(1 - 0.64) / 2
        0.510826
    """
    covariance, groups, protocol = covariance_of(codes, blocks)
    # With blocks whitened, what is left in the joint covariance is dependence between them.
    white = np.concatenate([whitening(covariance, group) for group in groups], axis=1)
    value = 0.0
    if white.shape[1]:
        spectrum = np.linalg.eigvalsh(white.T @ covariance @ white)
        singular = spectrum[0] <= SINGULAR
        value = inf if singular else max(0.0, -0.5 * float(np.log(spectrum).sum()))
    return Score(value, {"covariance": covariance}, protocol, "gaussian_total_correlation")
