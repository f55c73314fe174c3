"""Tripod: quantized codes, independent in the batch, which the decoder mixes little."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from torch import Tensor
from torch.optim import Adam

from ..checks import check_size
from ..distributions import FiniteScalar, GridPrior, Likelihood, Posterior, Prior, Quantized
from ..functional import Schedule, at, hessian_penalty, kernel_multiinformation
from ..nets import Architecture
from .loss import Loss
from .method import Context, MakeOptimizer
from .model import Model
from .penalty import Penalty, Terms, Trace
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["HessianPenalty", "Multiinformation", "Tripod"]


class Multiinformation(Penalty):
    r"""The total correlation of the batch's codes, by kernel density estimates.

    .. math::
        \lambda \, P \, \hat D_{KL}\big(q(z) \,\|\, \textstyle\prod_j q(z_j)\big)

    where P is the number of values of an observation: the weight is relative to a log-likelihood
    averaged over them, as published. See `functional.kernel_multiinformation`.

    Args:
        weight: :math:`\lambda`.
        bandwidth: ``"shared"`` or ``"released"``.

    References:
        Hsu, Hamid, Burns, Finn, Wu, "Tripod", 2024, https://arxiv.org/abs/2404.10282
    """

    def __init__(
        self,
        weight: float | Schedule = 1e-4,
        bandwidth: Literal["shared", "released"] = "shared",
    ) -> None:
        if bandwidth not in ("shared", "released"):
            raise ValueError(f"bandwidth is {bandwidth!r}; expected 'shared' or 'released'")
        self.weight, self.bandwidth = weight, bandwidth

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``multiinformation``, nats."""
        value = kernel_multiinformation(t.z, spread_of(t), bandwidth=self.bandwidth)
        return Loss(multiinformation=(t.x[0].numel() * at(self.weight, ctx.step), value))


class HessianPenalty(Penalty):
    r"""How much one dimension of the code changes what another does in the decoder's output.

    .. math::
        \lambda \, P \, \frac{\sum_m \mathrm{Var}_{v \sim \{-1, 1\}^D}[v^\top H_m v]}
        {\sum_m \mathrm{Var}_{v \sim \mathcal{N}(0, I)}[v^\top H_m v]}

    with H the Hessians of the mean of p(x|z), in units of the codes' standard deviations, and P as
    in `Multiinformation`. See `functional.hessian_penalty`.

    Args:
        weight: :math:`\lambda`.
        normalized: Whether it is divided by the whole; if not, by nothing.
        probes: Directions that each variance is estimated from; the decoder runs twice for each,
            and twice as often normalized.
        epsilon: The length of the finite differences, in standard deviations.

    References:
        Peebles et al., "The Hessian Penalty", 2020, https://arxiv.org/abs/2008.10599; normalized as
        in Hsu et al., "Tripod", 2024, https://arxiv.org/abs/2404.10282

    Deviations:
        Of the decoder's output; both papers also take activations of its layers.
    """

    def __init__(
        self,
        weight: float | Schedule = 0.01,
        normalized: bool = True,
        probes: int = 2,
        epsilon: float = 0.1,
    ) -> None:
        check_size("probes", probes, least=2)  # whose variance is taken
        self.weight, self.normalized = weight, normalized
        self.probes, self.epsilon = probes, epsilon

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``hessian``."""
        value = hessian_penalty(
            lambda z: t.decode(z).mean,
            t.z,
            spread_of(t) + 1e-6,
            probes=self.probes,
            epsilon=self.epsilon,
            normalized=self.normalized,
        )
        return Loss(hessian=(t.x[0].numel() * at(self.weight, ctx.step), value))


class Tripod(VAE):
    r"""An autoencoder with finite scalar codes, of little total correlation and little mixing.

    .. math::
        \mathcal{L} = -\log p(x|z) + \lambda_m P \,
        \hat D_{KL}\big(q(z) \,\|\, \textstyle\prod_j q(z_j)\big)
        + \lambda_h P \, \frac{\sum_m \mathrm{Var}_{v \sim \{-1, 1\}^D}[v^\top H_m v]}
        {\sum_m \mathrm{Var}_{v \sim \mathcal{N}(0, I)}[v^\top H_m v]}

    Three biases at once, `distributions.FiniteScalar`, `Multiinformation` and `HessianPenalty`,
    each of which goes with other methods, too. P is the number of values of x. The released
    weights differ by data set: 1e-4 and 1e-2 for Shapes3D (the defaults), 1e-8 and 1e-4 for MPI3D,
    1e-10 and 1e-2 for Falcor3D, 1e-4 and 1e-8 for Isaac3D.

    Args:
        model: Encoder, decoder and prior, see `Model`.
        multiinformation: :math:`\lambda_m`, relative to a log-likelihood averaged over the values
            of x.
        hessian: :math:`\lambda_h`, likewise.
        bandwidth: Of the multiinformation, see `functional.kernel_multiinformation`.
        probes: Of the Hessian penalty.
        epsilon: Of the Hessian penalty.
        optimizer: Of all parameters; called with them.

    References:
        Hsu, Hamid, Burns, Finn, Wu, "Tripod: Three Complementary Inductive Biases for Disentangled
        Representation Learning", 2024, https://arxiv.org/abs/2404.10282; weights as in the code
        released with it, https://github.com/kylehkhsu/tripod

    Deviations:
        One bandwidth for joint and marginals (``bandwidth="released"`` for theirs); the Hessian is
        that of the decoder's output, there of its hidden layers; losses are sums over an image's
        values; single gradients are not clipped at 1; any architecture is taken.
    """

    def __init__(
        self,
        model: Model,
        *,
        multiinformation: float | Schedule = 1e-4,
        hessian: float | Schedule = 0.01,
        bandwidth: Literal["shared", "released"] = "shared",
        probes: int = 2,
        epsilon: float = 0.1,
        optimizer: MakeOptimizer = partial(Adam, lr=2e-4, fused=True),
    ) -> None:
        penalty = Multiinformation(multiinformation, bandwidth) + HessianPenalty(
            hessian, probes=probes, epsilon=epsilon
        )
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        self.multiinformation, self.hessian = multiinformation, hessian
        self.bandwidth, self.probes, self.epsilon = bandwidth, probes, epsilon

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        levels: int = 12,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> dict[str, object]:
        """The model that fits a data set's observations; see `Model.of`.

        Args:
            data: What the method will learn from.
            latent_dim: :math:`D`, the number of code dimensions.
            levels: Values of each dimension.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: By default `FiniteScalar` of so many levels.
            prior: By default `GridPrior`, every combination of values equally likely.
        """
        posterior = FiniteScalar(levels) if posterior is None else posterior
        prior = GridPrior(latent_dim) if prior is None else prior
        return super().parts(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )


def spread_of(t: Trace) -> Tensor:
    """Standard deviations of the batch's codes, of quantized ones before they are, ``(D,)``."""
    z = t.q.continuous if isinstance(t.q, Quantized) else t.z
    return z.std(0, correction=0)
