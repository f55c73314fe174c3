"""The variational autoencoder, and the family's common parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.optim import Adam, Optimizer

from ..data.batches import Images
from ..distributions import (
    Bernoulli,
    ClusteredPrior,
    Conditional,
    Diagonal,
    Gaussian,
    Likelihood,
    Posterior,
    Prior,
    StandardNormal,
)
from ..nets import MLP, Architecture, default_architecture
from .method import Context, Loss, Method, Moves, Player, Stage
from .penalty import KL, Penalty, Trace

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["VAE", "autoencoder", "fitting_prior", "gathered"]

_START = 5000  # examples whose codes a prior may start from


class VAE(Method):
    r"""Variational autoencoder.

    .. math::
        \mathcal{L}(x) = -\mathbb{E}_{q(z|x)}[\log p(x|z)] + D_{KL}(q(z|x) \,\|\, p(z))

    Its subclasses change one of two independent things: `infer` says what the posteriors of a
    batch share (weak supervision acts here), ``penalty`` says what the regularizer is.

    Args:
        encoder: ``x -> q(z|x)``.
        decoder: ``z -> p(x|z)``.
        prior: ``() -> p(z)``.
        penalty: The regularizer; the KL divergence by default.
        optimizer: Of all parameters; called with them. Adam by default.

    References:
        Kingma, Welling, "Auto-Encoding Variational Bayes", 2014, https://arxiv.org/abs/1312.6114,
        equation 3.

    Example:
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> method = VAE.build(data, latent_dim=3)
        >>> method.represent(torch.rand(5, 7)).mean.shape
        torch.Size([5, 3])
    """

    supervision: ClassVar[type] = Images

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: nn.Module,
        *,
        penalty: Penalty | None = None,
        optimizer: Callable[..., Optimizer] = partial(Adam, lr=1e-4, fused=True),
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.prior = encoder, decoder, prior
        self.penalty = KL() if penalty is None else penalty
        self.optimizer = optimizer

    @classmethod
    def parts(
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> dict[str, nn.Module]:
        """The parts that fit a data set's observations; see `Method.build`.

        Args:
            data: What the method will learn from.
            latent_dim: :math:`D`, the number of code dimensions.
            net: The architecture of encoder and decoder; by default the literature's for 64x64
                images, one that adapts for other images, an MLP for vectors.
            likelihood: The family of p(x|z); by default Bernoulli for images, Gaussian of unit
                scale for vectors.
            posterior: The family of q(z|x); independent Gaussians by default.
            prior: p(z), any `Prior`; the standard normal by default.
        """
        encoder, decoder = autoencoder(data, latent_dim, net, likelihood, posterior)
        prior = fitting_prior(prior, latent_dim, data, encoder)
        return {"encoder": encoder, "decoder": decoder, "prior": prior}

    def players(self) -> Mapping[str, Player]:
        """One: encoder, decoder and prior move together."""
        return {"vae": Player((self.encoder, self.decoder, self.prior), self.optimizer)}

    def stages(self) -> tuple[Stage, ...]:
        """One; a prior that starts from codes is given some before the first move."""
        starts = isinstance(self.prior, Prior) and self.prior.starts
        return (Stage("fit", self.moves, self.start_prior if starts else None),)

    def start_prior(self, batches: Iterable[Any]) -> None:
        """Gives the prior the codes of a few thousand examples, see `Prior.start`."""
        if isinstance(self.prior, Prior):
            self.prior.start(self.some_codes(batches, _START))

    def some_codes(self, batches: Iterable[Any], count: int) -> Tensor:
        """Posterior means of ``count`` examples, or of as many as there are, in evaluation mode."""
        return gathered(self, lambda batch: self.infer(batch)[1].mean, batches, count)

    def represent(self, x: Tensor, c: Tensor | None = None) -> Distribution:
        """The posterior q(z|x); its mean is the code."""
        return self.encoder(x) if c is None else self.encoder(x, c)

    def decode(self, z: Tensor, c: Tensor | None = None) -> Distribution:
        """The likelihood p(x|z); its mean is the reconstruction."""
        return self.decoder(z) if c is None else self.decoder(z, c)

    def infer(self, batch: Any) -> tuple[Tensor, Distribution]:
        """Observations and their posteriors; what a batch's posteriors share is said here."""
        return batch.x, self.represent(batch.x, batch.c)

    def trace(self, batch: Any) -> Trace:
        """One pass: posteriors, a sample of each, likelihoods."""
        x, q = self.infer(batch)
        z = q.rsample()
        return Trace(x, q, z, self.decode(z, getattr(batch, "c", None)), self.prior())

    def moves(self, batch: Any, ctx: Context) -> Moves:
        """One turn: negative log-likelihood and penalty."""
        t = self.trace(batch)
        yield {"vae": Loss(nll=-t.p.log_prob(t.x), **self.penalty(t, ctx))}

    @torch.no_grad()
    def cluster(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Soft assignments p(k|z) at the posterior means, ``(B, K)``; rows sum to one.

        Raises:
            TypeError: if the prior has no components.
        """
        if not isinstance(self.prior, ClusteredPrior):
            raise TypeError(
                f"{type(self.prior).__name__} has no components and so no clusters: build the "
                "method with a prior that has, such as prior=GaussianMixture(latent_dim, 10)"
            )
        return self.prior.responsibilities(self.represent(x, c).mean)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draws codes from the prior and decodes them, ``(n, ...)``; means of p(x|z)."""
        return self.decode(self.prior().sample((n,))).mean


def fitting_prior(
    prior: Prior | None,
    latent_dim: int,
    data: FactorDataset,
    encoder: nn.Module,
) -> Prior:
    """The prior, by default the standard normal, after it has seen data and encoder.

    Raises:
        ValueError: for a prior over another number of dimensions.
    """
    prior = StandardNormal(latent_dim) if prior is None else prior
    prior.attach(data, encoder)
    if prior().event_shape != (latent_dim,):
        raise ValueError(
            f"the prior is over {tuple(prior().event_shape)} but its code has {latent_dim} "
            "dimensions"
        )
    return prior


@torch.no_grad()
def gathered(
    method: Method,
    codes: Callable[[Any], Tensor],
    batches: Iterable[Any],
    count: int = _START,
) -> Tensor:
    """Codes of ``count`` examples, or of as many as there are, in evaluation mode.

    Args:
        method: Whose mode is changed meanwhile.
        codes: From a batch to its codes, ``(B, D)``.
        batches: As many as are asked for.
        count: How many codes.
    """
    training, found, seen = method.training, [], 0
    method.eval()
    for batch in batches:
        found.append(codes(batch))
        seen += len(found[-1])
        if seen >= count:
            break
    method.train(training)
    return torch.cat(found)[:count]


def autoencoder(
    data: FactorDataset,
    latent_dim: int,
    net: Architecture | None = None,
    likelihood: Likelihood | None = None,
    posterior: Posterior | None = None,
    covariates: int = 0,
) -> tuple[Conditional, Conditional]:
    """An encoder and a decoder that fit a data set; see `VAE.parts` for the defaults.

    Args:
        data: Its shape, and the width of its covariates if it has any.
        latent_dim: The number of code dimensions.
        net: The architecture.
        likelihood: The decoder's head.
        posterior: The encoder's head.
        covariates: Entries that encoder and decoder are given beside those of the data.

    Raises:
        ValueError: if ``latent_dim`` is below 1.
    """
    if latent_dim < 1:
        raise ValueError(f"latent_dim is {latent_dim}; expected at least 1")
    posterior = Diagonal() if posterior is None else posterior
    if likelihood is None:
        likelihood = Bernoulli() if len(data.shape) == 3 else Gaussian()
    if net is None:
        net = MLP(inputs="log1p") if likelihood.counts else default_architecture(data.shape)
    if data.covariates is not None:
        covariates += data.covariates.shape[1]
    likelihood = likelihood.adapted(data, covariates)
    features, outputs = posterior.features(latent_dim), likelihood.features(data.shape)
    return (
        Conditional(net.encoder(data.shape, features, covariates), posterior, covariates),
        Conditional(net.decoder(latent_dim, outputs, covariates), likelihood, covariates),
    )
