"""Divergences of the codes of a batch from the prior, as penalties; and by a critic."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam

from ..checks import check_scale
from ..functional import (
    Kernel,
    Schedule,
    at,
    critic_losses,
    fooling_loss,
    gradient_penalty,
    mmd,
    r1_penalty,
    score,
    sliced_wasserstein,
    stein,
)
from ..functional.adversarial import Form
from ..nets import GaussianNoise, mlp_critic
from ..spec import Recorded
from .loss import Loss
from .method import Context, MakeOptimizer
from .penalty import Penalty, Terms, Trace
from .verdicts import verdicts

__all__ = ["ADVERSARIAL_ADAM", "MMD", "Adversarial", "SlicedWasserstein", "Stein"]

ADVERSARIAL_ADAM: MakeOptimizer = partial(Adam, lr=1e-4, betas=(0.1, 0.999), fused=True)
"""Of critics of codes and of encoders that fool them: little momentum."""


class MMD(Penalty):
    r"""Squared maximum mean discrepancy of the batch's codes from a sample of the prior.

    .. math::
        w \, \mathrm{MMD}^2\big(q(z), p(z)\big)

    See `functional.mmd`. It takes any prior that can be sampled, and any posterior.

    Args:
        weight: w; a number or a schedule.
        kernel: `functional.RBF` with the dimension for its bandwidth by default, or
            `functional.InverseMultiquadric`, with a bandwidth that is fixed or the median.
        unbiased: Whether it is the U-statistic, which may fall below 0. The other one has a floor
            of :math:`\tfrac2B (1 - \mathbb{E} k)`.

    References:
        Zhao, Song, Ermon, "InfoVAE: Balancing Learning and Inference in Variational Autoencoders",
        2019, https://arxiv.org/abs/1706.02262, equation 6.
    """

    def __init__(
        self,
        weight: float | Schedule = 1.0,
        kernel: Kernel | None = None,
        *,
        unbiased: bool = True,
    ) -> None:
        self.weight, self.kernel, self.unbiased = weight, kernel, unbiased

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``mmd``."""
        prior = t.prior.sample((len(t.z),))
        value = mmd(t.z, prior, self.kernel, unbiased=self.unbiased)
        return Loss(mmd=(at(self.weight, ctx.step), value))


class Stein(Penalty):
    r"""Moves codes as Stein variational gradient descent does, toward the prior.

    .. math::
        -w \, z^\top \mathrm{sg}\big(\phi^*(z)\big)

    See `functional.stein`: a step goes along :math:`\phi^*`, in which the divergence of the
    aggregate posterior from the prior falls. The term's value says nothing. It takes any prior with
    a density, and any posterior with reparameterized samples.

    Args:
        weight: w; a number or a schedule.
        kernel: `functional.RBF` with the median bandwidth by default.

    References:
        Zhao, Song, Ermon, 2019 (as in `MMD`), section 4.2; Liu, Wang, "Stein Variational Gradient
        Descent", 2016, https://arxiv.org/abs/1608.04471, equation 8.
    """

    def __init__(self, weight: float | Schedule = 1.0, kernel: Kernel | None = None) -> None:
        self.weight, self.kernel = weight, kernel

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``stein``."""
        value = stein(t.z, score(t.prior, t.z), self.kernel)
        return Loss(stein=(at(self.weight, ctx.step), value))


class SlicedWasserstein(Penalty):
    r"""Squared sliced Wasserstein distance of the batch's codes from a sample of the prior.

    See `functional.sliced_wasserstein`. It takes any prior that can be sampled, and any posterior.

    Args:
        weight: A number or a schedule.
        projections: Random directions in each step.

    References:
        Kolouri, Pope, Martin, Rohde, "Sliced-Wasserstein Autoencoder", 2019,
        https://arxiv.org/abs/1804.01947, equation 9.
    """

    def __init__(self, weight: float | Schedule = 1.0, projections: int = 50) -> None:
        if projections < 1:
            raise ValueError(f"projections is {projections}; expected at least 1")
        self.weight, self.projections = weight, projections

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``sliced_wasserstein``."""
        value = sliced_wasserstein(t.z, t.prior.sample((len(t.z),)), self.projections)
        return Loss(sliced_wasserstein=(at(self.weight, ctx.step), value))


class Adversarial(Recorded):
    r"""A critic that tells codes from a sample of the prior: how it is made, and what it minimizes.

    Args:
        form: The losses, see `functional.critic_losses`.
        noise: The standard deviation of Gaussian noise that is added to what the critic sees, in
            training. Without it a critic soon tells codes of few values, or on a thin sheet, from
            any prior, and teaches nothing.
        width: Of the critic's hidden layers.
        depth: Their number.
        gradient_penalty: Weight of `functional.gradient_penalty` between codes and prior; 10 in the
            paper. A ``"wasserstein"`` critic without it has no bound, and runs away.
        r1: :math:`\gamma`; half of it is the weight of `functional.r1_penalty` at the prior.

    Raises:
        ValueError: for an unknown form, and negative noise or weights.
    """

    def __init__(
        self,
        form: Form = "non_saturating",
        *,
        noise: float = 0.3,
        width: int = 1000,
        depth: int = 2,
        gradient_penalty: float = 0.0,
        r1: float = 0.0,
    ) -> None:
        fooling_loss(torch.zeros(1), form)
        for name, value in {"noise": noise, "gradient_penalty": gradient_penalty, "r1": r1}.items():
            check_scale(name, value, zero=True)
        self.form, self.noise, self.width, self.depth = form, noise, width, depth
        self.gradient_penalty, self.r1 = gradient_penalty, r1

    def critic(self, latent_dim: int) -> nn.Module:
        """A critic of codes, ``(B, latent_dim) -> (B, 1)``."""
        return nn.Sequential(
            GaussianNoise(self.noise), mlp_critic(latent_dim, self.width, self.depth, outputs=1)
        )

    def critic_loss(self, critic: nn.Module, prior: Tensor, codes: Tensor) -> Loss:
        """What the critic minimizes, ``prior`` and ``codes``, and how it does, see `verdicts`."""
        real, fake = critic(prior).squeeze(-1), critic(codes).squeeze(-1)
        of_prior, of_codes = critic_losses(real, fake, self.form)
        loss = Loss(prior=of_prior, codes=of_codes) + verdicts(real, fake, self.form)
        if self.gradient_penalty:
            penalty = gradient_penalty(critic, prior, codes)
            loss = loss + Loss(gradient_penalty=(self.gradient_penalty, penalty))
        if self.r1:
            loss = loss + Loss(r1=(self.r1 / 2, r1_penalty(critic, prior)))
        return loss

    def fooling(self, critic: nn.Module, codes: Tensor) -> Tensor:
        """What codes minimize to be taken for the prior's, ``(B,)``."""
        return fooling_loss(critic(codes).squeeze(-1), self.form)
