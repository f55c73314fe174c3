r"""Total correlation of the aggregate posterior."""

from __future__ import annotations

from math import inf
from typing import Any

from ._estimators.aggregate import aggregate_posterior, minibatch_parts
from ._estimators.arrays import as_codes
from ._estimators.posterior import as_posterior
from ._estimators.splits import Columns
from .ranges import one_of, whole
from .registry import metric
from .score import Score

__all__ = ["aggregate_total_correlation"]


@metric(
    low=0.0,
    high=inf,
    higher_is_better=False,
    captures=("independence",),
    paper="Chen et al. 2018",
    link="https://arxiv.org/abs/1802.04942",
    source="exact",
    repeats=10,
    ranges={
        "estimator": one_of("exact", "mss", "mws"),
        "samples": whole(2),
        "batch_size": whole(2),
    },
)
def aggregate_total_correlation(
    codes: Any,
    stddev: Any,
    *,
    estimator: str = "exact",
    samples: int = 10_000,
    batch_size: int = 64,
    blocks: Columns | None = None,
    seed: int = 0,
) -> Score:
    r"""Total correlation of the aggregate posterior: how dependent the latent variables are.

    .. math::
        \mathrm{TC} = D_{KL}\Big( q(z) \,\Big\|\, \prod_j q(z_j) \Big)

    in nats. From 0 (independent) upwards; lower is better. It sees no factors: a code that holds
    nothing has none either.

    Args:
        codes: The posteriors' means.
        stddev: Their standard deviations.
        estimator: ``"exact"`` (`aggregate_posterior`: every density has all N components), or what
            training uses, ``"mss"`` (minibatch stratified sampling) or ``"mws"`` (weighted; its
            bias can be many nats), averaged over batches.
        samples: How many posterior samples.
        batch_size: Examples per batch of the minibatch estimators.
        blocks: Columns of vector-valued latents, for the total correlation between blocks; with
            ``"exact"`` only.
        seed: Of the samples.

    Shape:
        - codes, stddev: ``(N, D)``
        - ``parts``: the fields of `AggregatePosterior`; of the minibatch estimators the first two,
          ``"dimension_kl_total"`` and ``"standard_error"``.

    Raises:
        ValueError: for deviations that are not positive, an unknown estimator, or batches that do
            not fit the set.

    References:
        Isolating Sources of Disentanglement in Variational Autoencoders, Chen, Li, Grosse and
        Duvenaud, 2018, https://arxiv.org/abs/1802.04942, equation 2 and appendix C.

    Example:
        >>> import numpy as np
        >>> corners = 9.0 * np.array([[-1.0, -1.0], [1.0, 1.0]])
        >>> round(float(aggregate_total_correlation(corners, np.ones((2, 2)))), 4)
        0.6931
    """
    protocol: dict[str, Any] = {"estimator": estimator, "samples": samples, "seed": seed}
    if estimator == "exact":
        result = aggregate_posterior(codes, stddev, samples=samples, blocks=blocks, seed=seed)
        parts: dict[str, Any] = {
            "mutual_information": result.mutual_information,
            "total_correlation": result.total_correlation,
            "dimension_kl": result.dimension_kl,
            "dimension_information": result.dimension_information,
            "kl": result.kl,
            "standard_error": result.standard_error,
        }
        points = len(as_codes(codes))
        if blocks is not None:
            protocol["blocks"] = len(blocks)
        value = result.total_correlation
    else:
        if blocks is not None:
            raise ValueError(f"estimator {estimator!r} takes no blocks; use estimator='exact'")
        mu, sigma = as_posterior(codes, stddev)
        parts = minibatch_parts(mu, sigma, estimator, samples, batch_size, seed)
        points, value = len(mu), parts["total_correlation"]
        protocol["batch_size"] = batch_size
    if value < 0:
        protocol["negative"] = (
            "the error of an average over samples; the true value is at least 0"
            if estimator == "exact"
            else "the bias of the minibatch estimator's weights; the true value is at least 0"
        )
    return Score(value, parts, protocol | {"points": points}, "aggregate_total_correlation")
