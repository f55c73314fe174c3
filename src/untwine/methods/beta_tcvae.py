"""beta-TCVAE: the three parts of the KL divergence, each with its own weight."""

from __future__ import annotations

from typing import Literal

from torch.distributions import Distribution

from ..functional import Schedule, at, decompose
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer
from .model import Model
from .penalty import Penalty, Terms, Trace
from .vae import VAE

__all__ = ["BetaTCVAE", "TotalCorrelation"]


class TotalCorrelation(Penalty):
    r"""Mutual information, total correlation and dimension-wise KL, separately weighted.

    .. math::
        \alpha \, I_q(z; n) + \beta \, D_{KL}(q(z) \,\|\, \textstyle\prod_j q(z_j))
        + \gamma \sum_j D_{KL}(q(z_j) \,\|\, p(z_j))

    With all weights 1 the expectation is the KL divergence: the total correlation weighs
    :math:`\beta` *instead of* 1.

    Args:
        beta: :math:`\beta`, of the total correlation.
        alpha: :math:`\alpha`, of the mutual information of code and example.
        gamma: :math:`\gamma`, of the dimension-wise KL.
        estimator: ``"mws"``, minibatch weighted sampling, which the paper's experiments use, or
            ``"mss"``, minibatch stratified sampling; see `functional.decompose`. The latter's
            density estimate is unbiased, but its logarithm is not: with a small batch from a large
            set it nearly leaves each sample's own example out, and the total correlation comes
            out negative.

    ``"mws"`` takes each density for N times smaller than the average over the batch is. What is
    logged contains these constants, which have no gradient: ``mi`` is larger by :math:`\log N`,
    ``tc`` by :math:`(D - 1) \log N`, and ``dimension_kl`` smaller by :math:`D \log N`; their sum
    is as it is.

    Raises:
        ValueError: for an unknown estimator.

    References:
        Chen, Li, Grosse, Duvenaud, "Isolating Sources of Disentanglement in VAEs", 2018,
        https://arxiv.org/abs/1802.04942, equation 4.
    """

    def __init__(
        self,
        beta: float | Schedule = 6.0,
        alpha: float | Schedule = 1.0,
        gamma: float | Schedule = 1.0,
        estimator: Literal["mws", "mss"] = "mws",
    ) -> None:
        if estimator not in ("mws", "mss"):
            raise ValueError(f"estimator is {estimator!r}; expected 'mws' or 'mss'")
        self.alpha, self.beta, self.gamma, self.estimator = alpha, beta, gamma, estimator

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """Three terms: ``mi``, ``tc`` and ``dimension_kl``."""
        parts = decompose(t.q, t.prior, t.z, ctx.size, self.estimator)
        return Loss(
            mi=(at(self.alpha, ctx.step), parts.mutual_information),
            tc=(at(self.beta, ctx.step), parts.total_correlation),
            dimension_kl=(at(self.gamma, ctx.step), parts.dimension_kl),
        )

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """All three by the same estimator of the aggregate posterior, from the batch."""
        how = f"monte carlo, {self.estimator}"
        constants = {"mi": "+ log N", "tc": "+ (D - 1) log N", "dimension_kl": "- D log N"}
        if self.estimator == "mss":
            return dict.fromkeys(constants, how)
        return {name: f"{how}, {constant}" for name, constant in constants.items()}


class BetaTCVAE(VAE):
    r"""A VAE that weighs the total correlation of its aggregate posterior.

    .. math::
        \mathcal{L} = -\mathbb{E}_{q(z|n)}[\log p(n|z)] + \alpha \, I_q(z; n)
        + \beta \, D_{KL}(q(z) \,\|\, \textstyle\prod_j q(z_j))
        + \gamma \sum_j D_{KL}(q(z_j) \,\|\, p(z_j))

    Args:
        model: Encoder, decoder and prior, see `Model`; the posterior a Gaussian.
        beta: :math:`\beta`, the weight of the total correlation.
        alpha: :math:`\alpha`, the weight of the mutual information.
        gamma: :math:`\gamma`, the weight of the dimension-wise KL.
        estimator: ``"mws"`` or ``"mss"``, see `TotalCorrelation`.
        optimizer: Of all parameters; called with them.

    References:
        Chen, Li, Grosse, Duvenaud, "Isolating Sources of Disentanglement in VAEs", 2018,
        https://arxiv.org/abs/1802.04942, equation 4.

    Deviations:
        Stratified weights have 1/N on the diagonal, as the paper derives, where its code has them
        in one column.
    """

    def __init__(
        self,
        model: Model,
        *,
        beta: float | Schedule = 6.0,
        alpha: float | Schedule = 1.0,
        gamma: float | Schedule = 1.0,
        estimator: Literal["mws", "mss"] = "mws",
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        penalty = TotalCorrelation(beta, alpha, gamma, estimator)
        super().__init__(model, penalty=penalty, optimizer=optimizer)
