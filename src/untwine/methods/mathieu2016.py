"""Specified and unspecified factors, kept apart by swaps and by a critic of images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution, Independent
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from ..data.batches import Batch, Groups
from ..data.space import Factor
from ..distributions import Blocks, Diagonal, Likelihood, Point, Prior
from ..functional import Schedule, at, one_hot
from ..nets import Architecture, default_architecture, mlp
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Observations, Player, Stage
from .model import Model, autoencoder, fitting_prior
from .penalty import KL, OfPart, Penalty, Trace
from .swaps import Swaps
from .vae import ModelMethod
from .verdicts import verdicts

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["ClassCritic", "Mathieu2016", "Unspecified"]


class Mathieu2016(ModelMethod, Swaps):
    r"""A VAE-GAN that keeps what a class specifies apart from what it leaves unspecified.

    An encoder gives a point :math:`s(x)` for the specified factors and a Gaussian
    :math:`q(z|x)` for the others. With :math:`x_1, x_1'` of one class and :math:`x_2` of another,
    of class :math:`y_2`, encoder and decoder minimize

    .. math::
        -\log p(x_1|z_1, s_1) - \log p(x_1|z_1, s_1') + D_{KL}(q(z|x_1) \,\|\, p(z))
        - \lambda \log D(\tilde x_{12}, y_2) - \lambda \log D(\tilde x_{\cdot 2}, y_2)

    with :math:`\tilde x_{12}` decoded from :math:`(z_1, s_2)`, and :math:`\tilde x_{\cdot 2}` from
    :math:`(z, s_2), z \sim p(z)`. Swapping s within a class makes s common to the class; the
    swaps across classes have no image to be compared with, and a critic that is told the class
    keeps class information out of z:

    .. math::
        \min_D \; -\log D(x_2, y_2) - \tfrac12 \log (1 - D(\tilde x_{12}, y_2))
        - \tfrac12 \log (1 - D(\tilde x_{\cdot 2}, y_2))

    A batch is made of groups of two (or more, of which two are used) of one class each; the
    :math:`x_2` of a group is the first member of the next group. Any penalty takes the place of the
    KL divergence; give it weight (`KL` with a beta of 3, say) and z few dimensions, as nothing else
    keeps z from holding all there is while the critic is still learning.

    Args:
        model: The encoder ``x -> (B, specified_dim + 2 z_dim)``: s, then means and log variances
            of z; the decoder ``[s, z] -> p(x|z, s)``; and p(z).
        critic: ``(x, one-hot class) -> (B, 1)``, a logit.
        specified_dim: The number of code dimensions, from the first on, that are s.
        label: The factor that is the class.
        adversarial: :math:`\lambda`, the weight of the critic; a number or a schedule.
        penalty: The regularizer of z; the KL divergence by default.
        optimizer: Of encoder and decoder; called with their parameters.
        critic_optimizer: Of the critic.

    References:
        Mathieu, Zhao, Sprechmann, Ramesh, LeCun, "Disentangling factors of variation in deep
        representations using adversarial training", 2016, https://arxiv.org/abs/1611.03383,
        section 3: the conditional model, the discriminative regularization, and the training
        procedure.

    Deviations:
        The likelihood is a choice (the paper has the squared error); encoder and decoder maximize
        log D where the paper's objective has them minimize log (1 - D), for gradients that do not
        vanish; the default critic has spectral norm; now and then :math:`x_2` is of the class of
        :math:`x_1`, which the critic, being told the class, takes as it is.
    """

    supervision = Groups
    of_rows, of_columns = "unspecified", "specified"
    without_covariates = "let the factor that they hold be the class (label=...)"

    def __init__(
        self,
        model: Model,
        critic: nn.Module,
        specified_dim: int,
        label: Factor,
        *,
        adversarial: float | Schedule = 5.0,
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = partial(Adam, lr=2e-4, fused=True),
        critic_optimizer: MakeOptimizer = partial(Adam, lr=2e-4, betas=(0.5, 0.999), fused=True),
    ) -> None:
        super().__init__(model)
        self.critic, self.specified_dim = critic, specified_dim
        self.classes, self.label = label.size, label.name
        self.penalty = KL() if penalty is None else penalty
        self.adversarial = adversarial
        self.optimizer, self.critic_optimizer = optimizer, critic_optimizer

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        label: str | None = None,
        specified_dim: int | None = None,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        prior: Prior | None = None,
    ) -> dict[str, object]:
        """Networks that fit the data; spectral norm in the critic.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions, of s and z together.
            label: Name of the factor that is the class; by default the first.
            specified_dim: How many of the code dimensions are s; by default half.
            net: The architecture of encoder, decoder and critic.
            likelihood: The family of p(x|z, s), see `Model.of`.
            prior: p(z), any `Prior`; the standard normal by default.

        Raises:
            ValueError: if no dimension is left for s or for z.
        """
        factor = data.space.factor(label)
        specified_dim = latent_dim // 2 if specified_dim is None else specified_dim
        z_dim = latent_dim - specified_dim
        if specified_dim < 1 or z_dim < 1:
            raise ValueError(
                f"latent_dim is {latent_dim} and specified_dim {specified_dim}; expected at least "
                "one dimension for s and one for z"
            )
        net = default_architecture(data.shape) if net is None else net
        _, decoder = autoencoder(data, latent_dim, net, likelihood)
        critic = ClassCritic(net.encoder(data.shape, 128), 128, factor.size)
        for layer in list(critic.modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spectral_norm(layer)
        encoder = net.encoder(data.shape, specified_dim + 2 * z_dim)
        of_z = fitting_prior(prior, z_dim, data, Unspecified(encoder, specified_dim))
        return {
            "model": Model(encoder, decoder, of_z),
            "critic": critic,
            "specified_dim": specified_dim,
            "label": factor,
        }

    def sampler(self) -> Sampler:
        """Pairs of examples of one class."""
        from ..data import GroupsSampler

        return GroupsSampler(2, shared=self.label)

    def players(self) -> Mapping[str, Player]:
        """Encoder and decoder (with the prior), and the critic."""
        return {
            "autoencoder": Player((self.model,), self.optimizer),
            "critic": Player((self.critic,), self.critic_optimizer),
        }

    def stages(self) -> tuple[Stage, ...]:
        """One; a prior that starts from codes is given some before the first move."""
        return (Stage("fit", self.moves, self.begin),)

    def codes_to_start_from(self, batch: Batch) -> Tensor:
        """Means of q(z|x) of the first of each group."""
        return self.infer(batch.tensor[:, 0])[1].mean

    def infer(self, x: Tensor) -> tuple[Tensor, Independent]:
        """s(x), ``(B, specified_dim)``, and q(z|x)."""
        return _divided(self.encoder(x), self.specified_dim)

    def represent(self, batch: Batch | Observations) -> Distribution:
        """s(x) and the mean of q(z|x), points in blocks ``specified`` and ``unspecified``."""
        s, q = self.infer(Batch.of(batch).tensor)
        return Blocks({"specified": Point(s), "unspecified": Point(q.mean)})

    @torch.no_grad()
    def sample(  # type: ignore[override]
        self, n: int, x: Tensor | None = None
    ) -> Tensor:
        """``(n, ...)`` means of p(x|z, s) for z drawn from the prior.

        Args:
            n: How many.
            x: Observations whose s is taken, one after the other; s has no prior to be drawn from,
                and without them it is the middle of its space, zero.
        """
        z = self.prior().sample((n,))
        s = z.new_zeros(n, self.specified_dim)
        if x is not None:
            s = self.infer(x)[0][torch.arange(n, device=z.device) % len(x)]
        return self.decoder(torch.cat([s, z], -1)).mean

    def swap(self, specified: Tensor, unspecified: Tensor) -> Distribution:
        """p(x|z, s) with s of some observations and z of others.

        Shape: both ``(B, ...)``.
        """
        specified = self.take_apart(specified)["specified"]
        return self.put_together({**self.take_apart(unspecified), "specified": specified})

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """The turn of encoder and decoder, then the critic's on the images of before."""
        batch = Groups.check(batch)
        if batch.x.shape[1] < 2:
            raise ValueError("the groups have one member: two of each class are needed, to swap s")
        x, same = batch.x[:, 0], batch.x[:, 1]
        s, q = self.infer(x)
        s_same, _ = self.infer(same)
        z = q.rsample()
        y_other = one_hot(batch.classes, self.classes).roll(1, 0)
        swapped = self.decoder(torch.cat([s.roll(1, 0), z], -1)).mean
        fresh = self.prior().sample((len(x),))
        sampled = self.decoder(torch.cat([s.roll(1, 0), fresh], -1)).mean
        weight = at(self.adversarial, ctx.step)
        p = self.decoder(torch.cat([s, z], -1))
        likelihoods = Loss(
            nll=-p.log_prob(x),
            nll_same=-self.decoder(torch.cat([s_same, z], -1)).log_prob(x),
        )
        by_z = OfPart(lambda code: self.decoder(torch.cat([s, code], -1)))
        penalty = self.penalty(Trace(by_z, x, q, z, p, self.prior()), ctx)
        of_critic = Loss(
            swapped=(weight, F.softplus(-self.critic(swapped, y_other)).flatten()),
            sampled=(weight, F.softplus(-self.critic(sampled, y_other)).flatten()),
        )
        yield {"autoencoder": likelihoods + penalty + of_critic}
        y = one_hot(batch.classes, self.classes)
        real = self.critic(x, y)
        fakes = torch.stack([self.critic(v.detach(), y_other) for v in (swapped, sampled)])
        yield {
            "critic": Loss(
                real=F.softplus(-real).flatten(),
                swapped=(0.5, F.softplus(fakes[0]).flatten()),
                sampled=(0.5, F.softplus(fakes[1]).flatten()),
            )
            + verdicts(real, fakes)
        }


def _divided(h: Tensor, specified_dim: int) -> tuple[Tensor, Independent]:
    """s, and q(z|x), of what the encoder returns."""
    h = h.float() if h.dtype.itemsize < 4 else h
    return h[:, :specified_dim], Diagonal()(h[:, specified_dim:])


class Unspecified(nn.Module):
    """An encoder's ``x -> q(z|x)`` without s, for priors that encode.

    Args:
        encoder: ``x -> (B, specified_dim + 2 z_dim)``.
        specified_dim: The number of dimensions of s.
    """

    def __init__(self, encoder: nn.Module, specified_dim: int) -> None:
        super().__init__()
        self.encoder, self.specified_dim = encoder, specified_dim

    def forward(self, x: Tensor) -> Independent:
        """``(B, ...)`` to q(z|x), batch shape ``(B,)``."""
        return _divided(self.encoder(x), self.specified_dim)[1]


class ClassCritic(nn.Module):
    """A critic of images that is told their class.

    Args:
        trunk: ``x -> (B, features)``.
        features: The width of the trunk's output, and of the embedding of classes.
        classes: The number of classes.
    """

    def __init__(self, trunk: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.embedding = nn.Linear(classes, features, bias=False)
        self.head = nn.Sequential(
            nn.LeakyReLU(0.2), *mlp(2 * features, [features], 1, partial(nn.LeakyReLU, 0.2))
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """``(B, ...)`` and one-hot ``(B, classes)`` to logits ``(B, 1)``."""
        h = self.trunk(x)
        return self.head(torch.cat([h, self.embedding(y.to(h.dtype))], -1))
