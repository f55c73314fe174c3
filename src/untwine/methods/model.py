"""Latent-variable models: an encoder, a decoder and a prior, without a loss."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..checks import check_kind, check_size, hints_of
from ..data.batches import Batch
from ..distributions import (
    Bernoulli,
    Conditional,
    Diagonal,
    Gaussian,
    Likelihood,
    Posterior,
    Prior,
    StandardNormal,
)
from ..nets import MLP, Architecture, default_architecture
from .penalty import Trace

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["Model", "autoencoder", "fitting_prior"]


class Model(nn.Module):
    r"""A latent-variable model and its inference network: q(z|x), p(x|z), p(z); no loss.

    Args:
        encoder: ``(x[, c]) -> q(z|x)``.
        decoder: ``(z[, c]) -> p(x|z)``.
        prior: ``() -> p(z)``.

    Example:
        >>> from untwine.data import FactorDataset
        >>> model = Model.of(FactorDataset.from_arrays(torch.rand(100, 7)), latent_dim=3)
        >>> model.decode(model.represent(torch.rand(5, 7)).mean).mean.shape
        torch.Size([5, 7])
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, prior: nn.Module) -> None:
        super().__init__()
        for name, part in {"encoder": encoder, "decoder": decoder, "prior": prior}.items():
            check_kind(name, part, nn.Module)
        self.encoder, self.decoder, self.prior = encoder, decoder, prior

    @classmethod
    def of(
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
        classes: int = 0,
    ) -> Self:
        """The model that fits a data set's observations.

        Args:
            data: Its shape, covariates and values are asked.
            latent_dim: :math:`D`, the number of code dimensions.
            net: The architecture of encoder and decoder; by default the literature's for 64x64
                images, one that adapts for other images, an MLP for vectors.
            likelihood: The family of p(x|z); by default Bernoulli for images, Gaussian of unit
                scale for vectors.
            posterior: The family of q(z|x); independent Gaussians by default.
            prior: p(z), any `Prior`, of which a copy is taken; the standard normal by default.
            classes: The width of one-hot classes ``y`` that encoder and decoder are given, too.

        Raises:
            ValueError: if ``latent_dim`` is below 1, or the prior is over another number of
                dimensions.
        """
        hints = hints_of(Model, "of")
        for name, value in {
            "net": net,
            "likelihood": likelihood,
            "posterior": posterior,
            "prior": prior,
        }.items():
            check_kind(name, value, hints[name])
        encoder, decoder = autoencoder(data, latent_dim, net, likelihood, posterior, classes)
        return cls(encoder, decoder, fitting_prior(prior, latent_dim, data, encoder))

    @property
    def latent_dim(self) -> int:
        """D, the number of code dimensions."""
        return self.prior().event_shape[0]

    def represent(self, batch: Batch | Tensor, *, y: Tensor | None = None) -> Distribution:
        """q(z|x), given the batch's covariates, and one-hot classes ``y`` ``(B, K)``, if any."""
        batch = Batch.of(batch)
        condition = _beside(batch.c, y)
        return self.encoder(batch.x) if condition is None else self.encoder(batch.x, condition)

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(x|z), given covariates ``c`` and one-hot classes ``y`` where the networks take them."""
        condition = _beside(c, y)
        return self.decoder(z) if condition is None else self.decoder(z, condition)

    def trace(
        self, batch: Batch | Tensor, q: Distribution | None = None, *, y: Tensor | None = None
    ) -> Trace:
        """One pass: posteriors, a sample of each, likelihoods.

        Args:
            batch: Observations, with their covariates.
            q: Their posteriors; by default what the encoder says.
            y: One-hot classes that encoder and decoder are given, ``(B, K)``.
        """
        batch = Batch.of(batch)
        q = self.represent(batch, y=y) if q is None else q
        z = q.rsample()
        condition = {"c": batch.c, "y": y}
        return Trace(self, batch.tensor, q, z, self.decode(z, **condition), self.prior(), condition)

    def start(self, codes: Tensor) -> None:
        """Gives codes ``(N, D)`` to a prior that starts from some, see `Prior.start`."""
        if self.starts:
            self.prior.start(codes)  # type: ignore[operator]

    @property
    def starts(self) -> bool:
        """Whether the prior starts from codes."""
        return isinstance(self.prior, Prior) and self.prior.starts


def _beside(c: Tensor | None, y: Tensor | None) -> Tensor | None:
    """Covariates and classes side by side, classes last."""
    if c is None or y is None:
        return y if c is None else c
    return torch.cat([c, y.to(c.dtype)], -1)


def fitting_prior(
    prior: Prior | None,
    latent_dim: int,
    data: FactorDataset,
    encoder: nn.Module,
) -> Prior:
    """A copy of a prior, by default the standard normal, that has seen data and encoder.

    Raises:
        ValueError: for a prior over another number of dimensions.
    """
    prior = StandardNormal(latent_dim) if prior is None else deepcopy(prior)
    prior.attach(data, encoder)
    if prior().event_shape != (latent_dim,):
        raise ValueError(
            f"the prior is over {tuple(prior().event_shape)} but its code has {latent_dim} "
            "dimensions"
        )
    return prior


def autoencoder(
    data: FactorDataset,
    latent_dim: int,
    net: Architecture | None = None,
    likelihood: Likelihood | None = None,
    posterior: Posterior | None = None,
    covariates: int = 0,
) -> tuple[Conditional, Conditional]:
    """An encoder and a decoder that fit a data set; see `Model.of` for the defaults.

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
    check_size("latent_dim", latent_dim)
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
