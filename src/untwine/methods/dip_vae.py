"""DIP-VAE-I and DIP-VAE-II: the covariance of the aggregate posterior is drawn to the identity."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..functional import Schedule, at, covariance, dip, kl, kl_rule
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer
from .model import Model
from .penalty import Penalty, Terms, Trace
from .vae import VAE

__all__ = ["DIP", "DIPVAEI", "DIPVAEII"]


class DIP(Penalty):
    r"""The KL divergence, and the distance of a covariance from the identity.

    .. math::
        D_{KL}(q(z|x) \,\|\, p(z)) + \lambda_{od} \sum_{i \ne j} C_{ij}^2
        + \lambda_d \sum_i (C_{ii} - 1)^2

    where C is, by kind, the covariance of the posterior means, :math:`\mathrm{Cov}_{p(x)}[\mu(x)]`
    (I), or of the codes, :math:`\mathrm{Cov}_{q(z)}[z] = \mathbb{E}_{p(x)}[\Sigma(x)] +
    \mathrm{Cov}_{p(x)}[\mu(x)]` (II), both over the batch.

    Args:
        kind: ``"I"`` or ``"II"``.
        lambda_od: :math:`\lambda_{od}`, for elements off the diagonal.
        lambda_d: :math:`\lambda_d`, for the diagonal.

    Raises:
        ValueError: for another kind.

    References:
        Kumar, Sattigeri, Balakrishnan, "Variational Inference of Disentangled Latent Concepts from
        Unlabeled Observations", 2018, https://arxiv.org/abs/1711.00848, equations 6 and 7.
    """

    def __init__(
        self,
        kind: Literal["I", "II"] = "II",
        lambda_od: float | Schedule = 10.0,
        lambda_d: float | Schedule = 10.0,
    ) -> None:
        if kind not in ("I", "II"):
            raise ValueError(f"kind is {kind!r}; expected 'I' or 'II'")
        self.kind, self.lambda_od, self.lambda_d = kind, lambda_od, lambda_d

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """``kl`` and ``dip``."""
        cov = covariance(t.q.mean)
        if self.kind == "II":
            cov = cov + posterior_covariance(t.q).mean(0)
        distance = dip(cov, at(self.lambda_od, ctx.step), at(self.lambda_d, ctx.step))
        return Loss(kl=kl(t.q, t.prior, t.z), dip=distance)

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """That of ``kl``, see `functional.kl_rule`."""
        return {"kl": kl_rule(q, prior)}


class DIPVAEI(VAE):
    r"""A VAE whose posterior means are decorrelated.

    .. math::
        \mathcal{L} = \mathcal{L}_{VAE}
        + \lambda_{od} \sum_{i \ne j} [\mathrm{Cov}_{p(x)}[\mu(x)]]_{ij}^2
        + \lambda_d \sum_i ([\mathrm{Cov}_{p(x)}[\mu(x)]]_{ii} - 1)^2

    Args:
        model: Encoder, decoder and prior, see `Model`.
        lambda_od: :math:`\lambda_{od}`, the weight of what is off the diagonal.
        lambda_d: :math:`\lambda_d`, the weight of the diagonal; the study
            takes ten times :math:`\lambda_{od}`.
        optimizer: Of all parameters; called with them.

    References:
        Kumar, Sattigeri, Balakrishnan, "Variational Inference of Disentangled Latent Concepts
        from Unlabeled Observations", 2018, https://arxiv.org/abs/1711.00848, equation 6.
    """

    def __init__(
        self,
        model: Model,
        *,
        lambda_od: float | Schedule = 10.0,
        lambda_d: float | Schedule = 100.0,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, penalty=DIP("I", lambda_od, lambda_d), optimizer=optimizer)


class DIPVAEII(VAE):
    r"""A VAE whose codes are decorrelated.

    .. math::
        \mathcal{L} = \mathcal{L}_{VAE}
        + \lambda_{od} \sum_{i \ne j} [\mathrm{Cov}_{q(z)}[z]]_{ij}^2
        + \lambda_d \sum_i ([\mathrm{Cov}_{q(z)}[z]]_{ii} - 1)^2

    Args:
        model: Encoder, decoder and prior, see `Model`.
        lambda_od: :math:`\lambda_{od}`, the weight of what is off the diagonal.
        lambda_d: :math:`\lambda_d`, the weight of the diagonal; the study
            takes :math:`\lambda_{od}`.
        optimizer: Of all parameters; called with them.

    References:
        Kumar, Sattigeri, Balakrishnan, "Variational Inference of Disentangled Latent Concepts
        from Unlabeled Observations", 2018, https://arxiv.org/abs/1711.00848, equation 7.
    """

    def __init__(
        self,
        model: Model,
        *,
        lambda_od: float | Schedule = 10.0,
        lambda_d: float | Schedule = 10.0,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, penalty=DIP("II", lambda_od, lambda_d), optimizer=optimizer)


def posterior_covariance(q: Distribution) -> Tensor:
    """Each posterior's own covariance, ``(B, D, D)``: a matrix, also where it is diagonal."""
    whole = getattr(q, "covariance_matrix", None)
    return torch.diag_embed(q.variance) if whole is None else whole
