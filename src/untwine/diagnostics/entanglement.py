"""Maps of codes that keep the prior and mix every dimension, and distributions carried by them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from ..checks import check_scale
from .models import NoDensity

__all__ = ["Entanglement", "Pushed"]

_EDGE = 1e-12


class Entanglement:
    r"""A map of codes that keeps the prior and mixes every dimension with all others.

    .. math::
        z \xrightarrow{\;F\;} u \in [0, 1]^D \xrightarrow{\;\Phi^{-1}\;} w \sim \mathcal{N}(0, I)
        \xrightarrow{\; e^{\alpha(\|w\|) A} \;} w' \sim \mathcal{N}(0, I)
        \xrightarrow{\;F^{-1} \circ \Phi\;} z'

    F is the prior's distribution function, dimension by dimension, and A a skew-symmetric matrix
    without zeros. The rotation is by an angle that depends on the radius alone: it carries every
    sphere onto itself, so that it keeps the normal distribution although it is no rotation of the
    whole space. No linear map would do for a prior that is not normal, and ``z' = A z`` keeps the
    normal one only for an orthogonal A.

    Args:
        prior: A distribution over ``(D,)`` of independent dimensions that have ``cdf`` and
            ``icdf``.
        strength: :math:`\alpha`: the angle at the middle radius, in radians.
        twist: How much the angle changes over the radius; 0 is one rotation.
        seed: Of A.

    Raises:
        NoDensity: for a prior whose dimensions are not independent, or lack ``cdf`` or ``icdf``.
        ValueError: for a single dimension.

    References:
        Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of
        Disentangled Representations", 2019, https://arxiv.org/abs/1811.12359, theorem 1; Hyvärinen,
        Pajunen, "Nonlinear Independent Component Analysis: Existence and Uniqueness Results", 1999.

    Example:
        >>> prior = Independent(Normal(torch.zeros(3, dtype=torch.float64), 1.0), 1)
        >>> g = Entanglement(prior)
        >>> z = torch.tensor([[0.3, -1.0, 0.8]], dtype=torch.float64)
        >>> torch.allclose(g.inverse(g(z)), z), torch.allclose(g(z).norm(), z.norm())
        (True, True)
    """

    def __init__(
        self, prior: Distribution, *, strength: float = 1.0, twist: float = 1.0, seed: int = 0
    ) -> None:
        check_scale("strength", strength)
        self.prior, self.strength, self.twist = prior, float(strength), float(twist)
        self._base = _independent_parts(prior)
        dim = prior.event_shape[0]
        if dim < 2:
            raise ValueError("the code has 1 dimension: there is nothing to entangle it with")
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
        skew = torch.triu(noise.sign() * (0.5 + noise.abs()), 1)
        skew = skew - skew.T
        # Of unit size: its largest angle is one.
        self.skew = skew / torch.linalg.matrix_norm(skew, 2)
        self.dim = dim

    def __call__(self, z: Tensor) -> Tensor:
        """Codes of the twin, ``(..., D)``."""
        return self._turn(z, 1.0)

    def inverse(self, z: Tensor) -> Tensor:
        """The codes that they are made of."""
        return self._turn(z, -1.0)

    def jacobian(self, z: Tensor) -> Tensor:
        r""":math:`\partial z'_i / \partial z_j`, ``(N, D, D)``."""
        from ..functional import jacobian

        return jacobian(self, z)

    def _turn(self, z: Tensor, sign: float) -> Tensor:
        normal = isinstance(self._base, Normal)
        if isinstance(self._base, Normal):
            w = (z - self._base.loc) / self._base.scale
        else:
            w = _probit(self._base.cdf(z).clamp(_EDGE, 1 - _EDGE))
        radius = w.square().sum(-1, keepdim=True) / self.dim  # about 1
        angle = sign * self.strength * (1 + self.twist * (radius / (1 + radius) - 0.5))
        turn = torch.linalg.matrix_exp(angle.unsqueeze(-1) * self.skew.to(w))
        w = (turn @ w.unsqueeze(-1)).squeeze(-1)
        if normal:
            assert isinstance(self._base, Normal)
            return w * self._base.scale + self._base.loc
        return self._base.icdf(_phi(w).clamp(_EDGE, 1 - _EDGE))


class Pushed(Distribution):
    """A distribution of codes, carried along by an `Entanglement`.

    Its mean is the image of the mean: the code that a twin would give.

    Args:
        q: Of the codes.
        through: The map.
    """

    arg_constraints: dict = {}

    def __init__(self, q: Distribution, through: Entanglement) -> None:
        self.q, self.through = q, through
        super().__init__(q.batch_shape, q.event_shape, validate_args=False)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the codes' own distribution has."""
        return self.q.has_rsample

    @property
    def mean(self) -> Tensor:
        """The image of the mean."""
        return self.through(self.q.mean)

    @property
    def variance(self) -> Tensor:
        """Of 200 samples."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.sample((200,)).var(0)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Images of reparameterized samples."""
        return self.through(self.q.rsample(torch.Size(sample_shape)))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Images of samples."""
        with torch.no_grad():
            return self.through(self.q.sample(torch.Size(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        r"""Log density, nats.

        The map keeps the prior, so :math:`\log |\det \partial z' / \partial z| = \log p(z) - \log
        p(z')`.
        """
        z = self.through.inverse(value)
        prior = self.through.prior
        return self.q.log_prob(z) - prior.log_prob(z) + prior.log_prob(value)


def _independent_parts(prior: Distribution) -> Distribution:
    """The distribution of each dimension, with batch shape ``(D,)``."""
    base = prior.base_dist if isinstance(prior, Independent) else prior
    if base.batch_shape != prior.event_shape or base.event_shape:
        raise NoDensity(
            f"the dimensions of a {type(base).__name__} prior are not known to be independent; "
            "expected Independent(Normal(...), 1), Laplace, Uniform or the like"
        )
    probe = torch.full(base.batch_shape, 0.4)
    try:
        base.icdf(base.cdf(base.icdf(probe)))
    except NotImplementedError:
        raise NoDensity(
            f"the prior is a {type(base).__name__} and has no cdf and icdf here: expected Normal, "
            "Laplace, Uniform, Cauchy or Gumbel"
        ) from None
    return base


def _phi(w: Tensor) -> Tensor:
    return 0.5 * torch.erfc(-w / math.sqrt(2))


def _probit(u: Tensor) -> Tensor:
    return torch.special.ndtri(u)
