"""Heads for counts: genes, words, photons, anything that is 0, 1, 2, ..."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid, softplus

from .likelihoods import Likelihood

__all__ = [
    "CountDistribution",
    "CountLikelihood",
    "NegativeBinomial",
    "Poisson",
    "ZeroInflatedNegativeBinomial",
    "log_negative_binomial",
]

_UP = 8  # from here on Stirling's series has ten digits and more


def log_negative_binomial(x: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
    r"""Log probability of counts, elementwise, in nats.

    .. math::
        \log \frac{\Gamma(x + \theta)}{\Gamma(\theta) \, x!}
        + \theta \log \frac{\theta}{\theta + \mu} + x \log \frac{\mu}{\theta + \mu}

    so that the mean is :math:`\mu` and the variance :math:`\mu + \mu^2 / \theta`. Everything is
    computed from logarithms, and :math:`\log \Gamma(x + \theta) - \log \Gamma(\theta)` as one
    quantity without cancellation: as :math:`\theta` grows it is the Poisson, in float32, too.

    Args:
        x: Counts.
        log_mean: :math:`\log \mu`.
        log_theta: :math:`\log \theta`, the logarithm of the inverse dispersion.

    Shape: any three that broadcast.

    Example:
        >>> one = torch.tensor(1.0)
        >>> round(log_negative_binomial(one, one.log(), one.log()).exp().item(), 4)
        0.25
    """
    # beyond, gammas of float32 are infinite or all alike
    return _LogNegativeBinomial.apply(x, log_mean, log_theta.clamp(-30, 25))


class _LogNegativeBinomial(torch.autograd.Function):
    """See `log_negative_binomial`; with derivatives written out.

    Most of a step on cells by genes goes into gamma functions. They are moved up by eight, where
    Stirling's series holds, by products that need one logarithm; and derivatives share their parts.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
        ctx.save_for_backward(x, log_mean, log_theta)
        theta = log_theta.exp()
        moved = theta + _UP
        total = x + moved
        value = torch.log1p(x / moved).mul_(total - 0.5).sub_(x)
        value += _stirling(total).sub_(_stirling(moved))
        value += x * torch.log1p(_UP / theta)
        value -= torch.log1p(x / theta)
        lifted = 1 + x / (theta + 1)
        for i in range(2, _UP):
            lifted *= (x / (theta + i)).add_(1)
        value -= lifted.log_()
        excess = softplus(log_mean - log_theta, threshold=40)
        value = value - excess.mul(x + theta)
        return value.add_(x * log_mean).sub_(torch.lgamma(x + 1))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, log_mean, log_theta = ctx.saved_tensors
        theta, ratio, grad = log_theta.exp(), log_mean - log_theta, grads[0]
        explained = torch.sigmoid(ratio).mul(x + theta)
        found: list[Tensor | None] = [None, None, None]
        if ctx.needs_input_grad[0]:
            slope = torch.digamma(x + theta) - torch.digamma(x + 1) - log_theta + log_mean
            slope = slope - softplus(ratio, threshold=40)
            found[0] = (grad * slope).sum_to_size(x.shape)
        if ctx.needs_input_grad[1]:
            found[1] = (grad * (x - explained)).sum_to_size(log_mean.shape)
        if ctx.needs_input_grad[2]:
            # digamma(x + theta) - digamma(theta), both moved up
            moved = theta + _UP
            slope = torch.log1p(x / moved).add_(_slope(x + moved)).sub_(_slope(moved))
            for i in range(_UP):
                slope += (1 / (theta + i)) - (x + (theta + i)).reciprocal_()
            slope = (slope - softplus(ratio, threshold=40)).mul_(theta).add_(explained).sub_(x)
            found[2] = slope.mul_(grad).sum_to_size(log_theta.shape)
        return tuple(found)


def _stirling(a: Tensor) -> Tensor:
    """What lgamma has beyond (a - 1/2) log a - a + log(2 pi) / 2, for ``a`` from eight up."""
    inverse = 1 / a
    square = inverse * inverse
    rest = square / -1680 + 1 / 1260
    return rest.mul_(square).sub_(1 / 360).mul_(square).add_(1 / 12).mul_(inverse)


def _slope(a: Tensor) -> Tensor:
    """What digamma has beyond log a, for ``a`` from eight up."""
    inverse = 1 / a
    square = inverse * inverse
    rest = square / 240 - 1 / 252
    rest = rest.mul_(square).add_(1 / 120).mul_(square).sub_(1 / 12).mul_(square)
    return rest.sub_(inverse / 2)


class CountDistribution(Distribution):
    r"""Independent counts whose means are a profile times a library size.

    .. math::
        \mu_g = \ell \, \rho_g, \qquad \ell = \textstyle\sum_g x_g

    ``log_prob(x)`` takes the library size from the ``x`` that it is asked about, unless one was
    given by `at`; ``.mean``, ``.variance`` and samples are at a reference size, or at the given
    one.

    Args:
        log_profile: :math:`\log \rho`; or the logarithm of the means themselves, if there is no
            library size.
        reference: The library size of ``.mean``; ``None`` for counts without one.
        log_theta: :math:`\log \theta` of the negative binomial; ``None`` for Poisson.
        zero_logits: Logits of a zero that is not the count's own; ``None`` for none.

    Shape:
        log_profile ``(..., F)``; log_theta and zero_logits broadcast to it. Batch shape ``(...)``,
        event shape ``(F,)``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(
        self,
        log_profile: Tensor,
        reference: Tensor | None,
        log_theta: Tensor | None = None,
        zero_logits: Tensor | None = None,
    ) -> None:
        self.log_profile, self.reference = log_profile, reference
        self.log_theta, self.zero_logits = log_theta, zero_logits
        self.library: Tensor | None = None
        super().__init__(log_profile.shape[:-1], log_profile.shape[-1:], validate_args=False)

    def at(self, library: float | Tensor) -> Self:
        """The same profile at another library size, for its mean, its samples and its density.

        Args:
            library: One number, or one for each example.

        Shape:
            library ``()`` or ``(...)``, the batch shape.

        Raises:
            ValueError: if these counts have no library size.
        """
        if self.reference is None:
            raise ValueError("these counts were made with library='none': they have no library")
        other = copy.copy(self)
        size = torch.as_tensor(library, dtype=self.log_profile.dtype)
        other.library = size.to(self.log_profile.device).unsqueeze(-1)
        return other

    @property
    def log_mean(self) -> Tensor:
        r"""Logarithms of the counts' means :math:`\mu`, before any zero inflation."""
        size = self.reference if self.library is None else self.library
        return self.log_profile if size is None else self.log_profile + size.log()

    @property
    def profile(self) -> Tensor:
        r"""The shares :math:`\rho`, which sum to one; the means, if there is no library size."""
        return self.log_profile.exp()

    @property
    def mean(self) -> Tensor:
        """Means of the counts, at the reference library size or the one given by `at`."""
        mean = self.log_mean.exp()
        return mean if self.zero_logits is None else mean * torch.sigmoid(-self.zero_logits)

    @property
    def variance(self) -> Tensor:
        """Variances of the counts, at the same library size as the mean."""
        mean = self.log_mean.exp()
        variance = mean
        if self.log_theta is not None:
            variance = mean + mean * mean * (-self.log_theta).exp()
        if self.zero_logits is None:
            return variance
        kept = torch.sigmoid(-self.zero_logits)
        return kept * (variance + (1 - kept) * mean * mean)

    def log_prob(self, value: Tensor) -> Tensor:
        """Summed over the counts of one example, in nats."""
        log_mean = self.log_mean
        if self.reference is not None and self.library is None:
            # an observation without a single count still has a density: at a library size of 1
            log_mean = self.log_profile + value.sum(-1, keepdim=True).clamp(min=1).log()
        if self.log_theta is None:
            log_p = value * log_mean - log_mean.exp() - torch.lgamma(value + 1)
        else:
            log_p = log_negative_binomial(value, log_mean, self.log_theta)
        if self.zero_logits is not None:
            counted = logsigmoid(-self.zero_logits) + log_p
            either = torch.logaddexp(logsigmoid(self.zero_logits), counted)
            log_p = torch.where(value < 0.5, either, counted)
        return log_p.sum(-1)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Counts, at the same library size as the mean."""
        shape = torch.Size(sample_shape) + self.log_profile.shape
        rate = self.log_mean.exp().expand(shape)
        if self.log_theta is not None:
            theta = self.log_theta.exp().expand(shape)
            rate = torch._standard_gamma(theta) * (rate / theta)
        counts = torch.poisson(rate)
        if self.zero_logits is not None:
            counts = counts * torch.bernoulli(torch.sigmoid(-self.zero_logits).expand(shape))
        return counts


class CountLikelihood(Likelihood):
    r"""Counts with a profile over elements and, unless told otherwise, a library size.

    The decoder gives logits of a profile :math:`\rho = \mathrm{softmax}(h + b)`; the means are
    :math:`\mu = \ell \rho` with :math:`\ell` the observed total of the example. Depth of sequencing
    is thus no business of the code. The offset :math:`b` is the data's average profile, set when
    the likelihood is fitted to data and not trained: the decoder learns what differs from it.

    Args:
        library: ``"observed"``, the total of the counts that are explained; or ``"none"``, where
            totals mean something: the means are :math:`e^{h + b}`.

    Raises:
        ValueError: for another word.
    """

    counts = True

    offset: Tensor
    reference: Tensor | None

    def __init__(self, library: Literal["observed", "none"] = "observed") -> None:
        super().__init__()
        if library not in ("observed", "none"):
            raise ValueError(f"library is {library!r}; expected 'observed' or 'none'")
        self.library = library
        # NaN says that no data was seen yet; only a fitted likelihood makes distributions.
        self.register_buffer("offset", torch.full((1,), torch.nan))
        reference = torch.full((), torch.nan) if library == "observed" else None
        self.register_buffer("reference", reference)
        self.fitted = False

    def adapted(self, data: Any, covariates: int = 0) -> Self:
        """A copy that knows the data's average profile and its median library size.

        Up to 2,000 observations, spread evenly over the data, are looked at.

        Raises:
            ValueError: for observations that are no vectors, or no counts.
        """
        if len(data.shape) != 1:
            raise ValueError(
                f"{type(self).__name__} takes vectors of counts, but observations have shape "
                f"{tuple(data.shape)}"
            )
        number = min(len(data), 2000)
        rows = torch.arange(number) * len(data) // number
        x = data.observations(rows).double()
        if (x < 0).any() or (x != x.round()).any():
            wrong = x[(x < 0) | (x != x.round())][0].item()
            raise ValueError(
                f"{type(self).__name__} takes counts, but the data holds {wrong:g}: give raw "
                "counts (of an AnnData often layers['counts']), not normalized values"
            )
        other = copy.deepcopy(self)
        other._look(x, covariates)
        other.fitted = True
        return other

    def _look(self, x: Tensor, covariates: int) -> None:
        """Sets what is taken from counts ``(N, F)``."""
        total = x.sum(-1)
        mean = (x.sum(0) + 0.5) / (len(x) if self.library == "none" else total.sum() + 0.5)
        self.offset = mean.log().float()
        if self.library == "observed":
            self.reference = total.median().clamp(min=1).float()

    def _log_profile(self, h: Tensor) -> Tensor:
        if not self.fitted:
            raise RuntimeError(
                f"this {type(self).__name__} has not seen data: use "
                f"{type(self).__name__}(...).adapted(data), as Method.build does"
            )
        h = h + self.offset
        return h.log_softmax(-1) if self.library == "observed" else h


class Poisson(CountLikelihood):
    r"""Counts whose variance is their mean, :math:`x_g \sim \mathrm{Poisson}(\ell \rho_g)`.

    Args:
        library: ``"observed"`` or ``"none"``, see `CountLikelihood`.

    Example:
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.tensor([[3, 1], [1, 3], [2, 2]]))
        >>> p = Poisson().adapted(data)(torch.zeros(1, 2))
        >>> p.mean.round(decimals=4).tolist(), p.at(100.0).mean.round(decimals=4).tolist()
        ([[2.0, 2.0]], [[50.0, 50.0]])
    """

    def forward(self, h: Tensor, c: Tensor | None = None) -> CountDistribution:
        """Logits of the profile to counts."""
        return CountDistribution(self._log_profile(h), self.reference)


class NegativeBinomial(CountLikelihood):
    r"""Counts that vary more than a Poisson's: the usual choice for single-cell RNA.

    .. math::
        x_g \sim \mathrm{NB}(\mu_g, \theta_g), \qquad \mathrm{Var}[x_g] = \mu_g + \mu_g^2 / \theta_g

    with trainable inverse dispersions :math:`\theta`, which start at a moment estimate.

    Args:
        library: ``"observed"`` or ``"none"``, see `CountLikelihood`.
        dispersion: ``"gene"``, one for each element; or ``"covariate"``, which covariates change,
            :math:`\log \theta_g = t_g + \sum_k c_k T_{kg}`: with a one-hot batch, one for each
            gene and batch.

    Raises:
        ValueError: for other words.

    References:
        Lopez, Regier, Cole, Jordan, Yosef, "Deep generative modeling for single-cell
        transcriptomics", 2018, https://doi.org/10.1038/s41592-018-0229-2, methods.

    Deviations:
        The library size is the observed total, not a latent variable.
    """

    log_theta: nn.Parameter
    by_covariate: nn.Parameter | None

    def __init__(
        self,
        library: Literal["observed", "none"] = "observed",
        dispersion: Literal["gene", "covariate"] = "gene",
    ) -> None:
        super().__init__(library)
        if dispersion not in ("gene", "covariate"):
            raise ValueError(f"dispersion is {dispersion!r}; expected 'gene' or 'covariate'")
        self.dispersion = dispersion
        self.takes_covariates = dispersion == "covariate"
        self.log_theta = nn.Parameter(torch.zeros(1))
        self.register_parameter("by_covariate", None)

    def _look(self, x: Tensor, covariates: int) -> None:
        super()._look(x, covariates)
        size = x.sum(-1, keepdim=True) if self.library == "observed" else torch.ones(len(x), 1)
        mean = size * self.offset.double().exp()
        excess = ((x - mean) ** 2 - mean).sum(0)
        theta = (mean**2).sum(0) / excess.clamp(min=1e-6)
        self.log_theta = nn.Parameter(theta.clamp(0.05, 100.0).log().float())
        if self.dispersion == "covariate":
            if not covariates:
                raise ValueError(
                    "dispersion='covariate' needs data with covariates; this has none: give them, "
                    "or use dispersion='gene'"
                )
            self.by_covariate = nn.Parameter(torch.zeros(covariates, x.shape[1]))

    def _log_theta(self, c: Tensor | None) -> Tensor:
        if self.by_covariate is None:
            return self.log_theta
        if c is None:
            raise ValueError("dispersion='covariate' needs the covariates c of each example")
        return self.log_theta + c.to(self.log_theta.dtype) @ self.by_covariate

    def forward(self, h: Tensor, c: Tensor | None = None) -> CountDistribution:
        """Logits of the profile, and covariates if the dispersion takes them, to counts."""
        return CountDistribution(self._log_profile(h), self.reference, self._log_theta(c))


class ZeroInflatedNegativeBinomial(NegativeBinomial):
    r"""A negative binomial some of whose zeros have another cause.

    .. math::
        p(x_g) = \pi_g \, [x_g = 0] + (1 - \pi_g) \, \mathrm{NB}(x_g; \mu_g, \theta_g)

    The decoder gives the profile first, then the logits of :math:`\pi`. ``.mean`` is
    :math:`(1 - \pi) \mu`.

    Args:
        library: ``"observed"`` or ``"none"``, see `CountLikelihood`.
        dispersion: ``"gene"`` or ``"covariate"``, see `NegativeBinomial`.

    References:
        Lopez, Regier, Cole, Jordan, Yosef, "Deep generative modeling for single-cell
        transcriptomics", 2018, https://doi.org/10.1038/s41592-018-0229-2, methods.
    """

    def features(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Two numbers per count."""
        return (2 * shape[0],)

    def forward(self, h: Tensor, c: Tensor | None = None) -> CountDistribution:
        """Logits of the profile and of zeros, side by side, to counts."""
        profile, zero = h.chunk(2, -1)
        # Rare at first: a decoder that knows nothing yet explains zeros by small means.
        return CountDistribution(
            self._log_profile(profile), self.reference, self._log_theta(c), zero - 3.0
        )
