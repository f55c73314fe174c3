"""Likelihoods of counts: Poisson, negative binomial, zero-inflated negative binomial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from ..counts import CountDistribution
from .base import Likelihood, observations_of

__all__ = ["CountLikelihood", "NegativeBinomial", "Poisson", "ZeroInflatedNegativeBinomial"]


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
                f"observations have shape {tuple(data.shape)}; the likelihood, "
                f"{type(self).__name__}, takes vectors of counts"
            )
        head = super().adapted(data, covariates)
        x = observations_of(data)
        head.check(x)
        head._look(x.double(), covariates)
        head.fitted = True
        return head

    def problem(self, x: Tensor) -> str | None:
        """Values are whole numbers from 0 on."""
        wrong = (x < 0) | (x != x.round())
        if not wrong.any():
            return None
        return (
            f"holds {x[wrong][0].item():g}, but {type(self).__name__} takes counts: give raw "
            "counts (of an AnnData often layers['counts']), not normalized values"
        )

    def _look(self, x: Tensor, covariates: int) -> None:
        """Sets what is taken from counts ``(N, F)``."""
        total = x.sum(-1)
        # Half a count more: a gene that was never seen keeps a finite logarithm.
        mean = (x.sum(0) + 0.5) / (len(x) if self.library == "none" else total.sum() + 0.5)
        self.offset = mean.log().to(torch.get_default_dtype())
        if self.library == "observed":
            self.reference = total.median().clamp(min=1).to(torch.get_default_dtype())

    def _log_profile(self, h: Tensor) -> Tensor:
        if not self.fitted:
            raise RuntimeError(
                f"the likelihood has not seen data: use {type(self).__name__}(...).adapted(data), "
                "as Method.build does"
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
        self.log_theta = nn.Parameter(theta.clamp(0.05, 100.0).log().to(torch.get_default_dtype()))
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
