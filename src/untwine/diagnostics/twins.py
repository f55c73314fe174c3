"""Impossibility, shown by construction: an entangled twin of a model that nothing tells apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from ..checks import check_scale, check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..encoding import Codes, encode, evaluating, posterior_of
from ..evaluation import evaluate
from ..functional import squared_distances
from ..methods.abilities import Decodes, HasPrior, Represents
from .estimates import Finding
from .models import NoDensity

__all__ = [
    "EntangledTwin",
    "Entanglement",
    "Impossibility",
    "Pushed",
    "TwoSample",
    "impossibility",
    "pair_concentration",
    "two_sample",
]

_EDGE = 1e-12
_BANDWIDTHS = (0.05, 0.25, 1.0)  # of the median squared distance


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


class EntangledTwin:
    r"""A model with the same p(z) and p(x) whose dimensions are all mixed.

    .. math::
        q'(z'|x) = g_\# q(z|x), \qquad p'(x|z') = p(x|g^{-1}(z')), \qquad p'(z') = p(z')

    ELBO, likelihood and samples are those of the model, exactly.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        strength: See `Entanglement`.
        twist: See `Entanglement`.
        seed: See `Entanglement`.

    Raises:
        NoDensity: for a model without one of these, or a prior that is not independent.
    """

    def __init__(
        self, model: Represents, *, strength: float = 1.0, twist: float = 1.0, seed: int = 0
    ) -> None:
        if not isinstance(model, HasPrior):
            raise NoDensity(
                f"model is a {type(model).__name__} and has no prior(): there is nothing to keep"
            )
        self.model = model
        self.through = Entanglement(model.prior(), strength=strength, twist=twist, seed=seed)

    def represent(self, batch: Batch | Tensor, /) -> Pushed:
        """q'(z'|x)."""
        return Pushed(self.model.represent(batch), self.through)

    def decode(
        self, z: Tensor, /, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p'(x|z')."""
        if not isinstance(self.model, Decodes):
            raise NoDensity(f"model is a {type(self.model).__name__} and has no decode(z)")
        z = self.through.inverse(z)
        return self.model.decode(z) if c is None and y is None else self.model.decode(z, c=c, y=y)

    def prior(self) -> Distribution:
        """p(z), the same."""
        return self.model.prior()


@dataclass(frozen=True, repr=False)
class TwoSample(Finding):
    """Whether two samples are of one distribution.

    Attributes:
        mmd: The squared maximum mean discrepancy, unbiased.
        p_value: The share of random divisions of all points with as large a discrepancy.
        points: Of each sample.
    """

    mmd: float
    p_value: float
    points: tuple[int, int]

    def __str__(self) -> str:
        return f"MMD^2 {self.mmd:.2g}, p = {self.p_value:.2g} ({self.points[0]} points each)"


@torch.no_grad()
def two_sample(x: Tensor, y: Tensor, *, permutations: int = 200, seed: int = 0) -> TwoSample:
    """A kernel two-sample test by permutations, with bandwidths about the median distance.

    Args:
        x: ``(N, ...)``.
        y: ``(M, ...)``.
        permutations: Random divisions.
        seed: Of the divisions.

    Raises:
        ValueError: for fewer than two points of either.

    References:
        Gretton et al., "A Kernel Two-Sample Test", 2012,
        https://jmlr.org/papers/v13/gretton12a.html

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> x, y = torch.randn(2, 100, 3, generator=g)
        >>> two_sample(x, y).p_value > 0.05, two_sample(x, y + 1).p_value < 0.01
        (True, True)
    """
    check_size("permutations", permutations)
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise ValueError(f"the samples have {n} and {m} points; expected at least 2 each")
    both = torch.cat([x.flatten(1), y.flatten(1)]).double()
    squares = torch.cdist(both, both) if both.shape[1] > 64 else None
    squares = squared_distances(both, both) if squares is None else squares**2
    squares = squares / squares[squares > 0].median().clamp(min=1e-12)
    kernel = torch.stack([torch.exp(-squares / h) for h in _BANDWIDTHS]).mean(0)
    kernel.fill_diagonal_(0)
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.arange(n + m)]
    orders += [torch.randperm(n + m, generator=generator) for _ in range(permutations)]
    signs = torch.zeros(len(orders), n + m, dtype=torch.float64)
    for row, order in enumerate(orders):
        signs[row, order[:n]] = 1.0
    # sums of kernels within the first part, within the second, and between them
    first = ((signs @ kernel) * signs).sum(1)
    second = (((1 - signs) @ kernel) * (1 - signs)).sum(1)
    between = ((signs @ kernel) * (1 - signs)).sum(1)
    values = first / (n * (n - 1)) + second / (m * (m - 1)) - 2 * between / (n * m)
    p = (1 + (values[1:] >= values[0]).sum().item()) / (1 + permutations)
    return TwoSample(values[0].item(), p, (n, m))


def pair_concentration(one: np.ndarray, two: np.ndarray, scale: np.ndarray | None = None) -> float:
    r"""How much of the change between two observations is in one dimension, on average.

    .. math::
        \mathbb{E} \; \frac{\max_j \delta_j^2}{\sum_j \delta_j^2}, \qquad
        \delta = (z - z') / \text{scale}

    1 where a single factor that changed moves a single dimension, as weakly supervised methods
    assume; an entangled code of D dimensions has much less.

    Args:
        one: Codes, ``(N, D)``.
        two: Codes of what differs in one factor, ``(N, D)``.
        scale: Of each dimension, ``(D,)``; the codes' standard deviation if not given.
    """
    scale = np.concatenate([one, two]).std(0) + 1e-12 if scale is None else scale
    square = ((np.asarray(one) - np.asarray(two)) / scale) ** 2
    total = square.sum(1)
    moved = total > 0
    return float((square[moved].max(1) / total[moved]).mean())


@dataclass(frozen=True, repr=False)
class Impossibility(Finding):
    r"""A model and its entangled twin, side by side.

    Attributes:
        dependence: How much each dimension of the twin depends on each of the model, on average,
            ``(D, D)``: :math:`\mathbb{E} |\partial z'_i / \partial z_j|`.
        codes_test: Whether p(z) and the twin's differ.
        observations_test: Whether p(x) and the twin's differ; ``None`` for a prior alone.
        elbo_difference: The largest difference of an observation's ELBO, nats, by one sample that
            both share; ``None`` for a prior alone.
        scores: What each metric says of the model and of its twin, by name.
        pairs: What `pair_concentration` says of both: pairs tell them apart.
    """

    dependence: Tensor
    codes_test: TwoSample
    observations_test: TwoSample | None
    elbo_difference: float | None
    scores: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    pairs: tuple[float, float] | None = None

    def __str__(self) -> str:
        least = self.dependence.min().item()
        lines = [
            f"Every dimension of the twin depends on all of the model's (at least {least:.2g}, "
            f"at most {self.dependence.max().item():.2g} per unit).",
            f"Codes of both have one distribution: {self.codes_test}.",
        ]
        if self.observations_test is not None:
            lines.append(f"So have observations: {self.observations_test}.")
        if self.elbo_difference is not None:
            lines.append(f"ELBOs differ by at most {self.elbo_difference:.2g} nats.")
        for name, (own, twin) in self.scores.items():
            lines.append(f"{name}: {own:.3f} of the model, {twin:.3f} of its twin.")
        if self.pairs is not None:
            lines.append(
                f"Pairs that differ in one factor tell them apart: {self.pairs[0]:.2f} of the "
                f"change is in one dimension of the model, {self.pairs[1]:.2f} in one of its twin."
            )
        return "\n".join(lines)


@torch.no_grad()
def impossibility(
    model: Represents | Distribution,
    data: FactorDataset | None = None,
    *,
    n: int = 1000,
    metrics: Sequence[str] = ("mig", "dci", "sap"),
    strength: float = 1.0,
    twist: float = 1.0,
    permutations: int = 200,
    seed: int = 0,
) -> Impossibility:
    r"""Makes the entangled twin of a model, or of a prior, and shows that nothing tells it apart.

    For any prior of independent components there are infinitely many maps with
    :math:`\partial g_i / \partial z_j \ne 0` almost everywhere for all i, j, and
    :math:`P(z \le u) = P(g(z) \le u)`: without labels, pairs or an inductive bias, nothing in the
    data prefers a disentangled model to its entangled twin.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``; or a prior alone.
        data: Whose codes are scored, if it has factors.
        n: How many codes and observations.
        metrics: Of the codes of both.
        strength: See `Entanglement`.
        twist: See `Entanglement`.
        permutations: Of the two-sample tests.
        seed: Of everything.

    Raises:
        NoDensity: for a prior whose dimensions are not independent.

    References:
        Locatello et al. 2019, https://arxiv.org/abs/1811.12359, theorem 1; Locatello et al.,
        "Weakly-Supervised Disentanglement Without Compromises", 2020,
        https://arxiv.org/abs/2002.02886 (how pairs break the tie).
    """
    check_size("n", n, least=4)
    settings = {"strength": strength, "twist": twist, "seed": seed}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(model, Distribution):
            through = Entanglement(model, **settings)  # type: ignore[arg-type]
            one, two = model.sample((n,)), model.sample((n,))
            return Impossibility(
                _dependence(through, one),
                two_sample(one, through(two), permutations=permutations, seed=seed),
                None,
                None,
            )
        twin = EntangledTwin(model, **settings)  # type: ignore[arg-type]
        prior = twin.prior()
        one, two = prior.sample((n,)), prior.sample((n,))
        codes_test = two_sample(one, twin.through(two), permutations=permutations, seed=seed)
        dependence = _dependence(twin.through, one)
        observations_test = None
        with evaluating(model):
            if isinstance(model, Decodes) and (data is None or data.covariates is None):
                few = min(n, 300)
                made = [
                    torch.cat([m.decode(z).mean for z in codes[:few].split(64)])
                    for m, codes in ((model, one), (twin, twin.through(two)))
                ]
                observations_test = two_sample(*made, permutations=permutations, seed=seed)
            difference = _elbo_difference(twin, data, seed) if data is not None else None
    scores: dict[str, tuple[float, float]] = {}
    pairs = None
    if data is not None and len(data.space.names):
        codes = encode(model, data, n + n // 2, seed)
        mean = torch.from_numpy(codes.mean).to(one)
        mixed = twin.through(mean).float().cpu().numpy()
        other = Codes(mixed, None, codes.factors, codes.space)
        own = Codes(codes.mean, None, codes.factors, codes.space)
        tables = [
            evaluate(c, metrics=list(metrics), points=n, seed=seed, progress=False)
            for c in (own, other)
        ]
        scores = {
            name: (float(tables[0][name]), float(tables[1][name]))
            for name in metrics
            if name in tables[0].scores and name in tables[1].scores
        }
        pairs = _pairs(model, twin.through, data, min(n, 500), seed)
    return Impossibility(dependence, codes_test, observations_test, difference, scores, pairs)


def _dependence(through: Entanglement, z: Tensor) -> Tensor:
    return through.jacobian(z[:500].double()).abs().mean(0)


def _elbo_difference(twin: EntangledTwin, data: FactorDataset, seed: int) -> float | None:
    """The largest difference of one-sample ELBOs of model and twin at the same sample."""
    from .models import encode_for

    try:
        encoded = encode_for(twin.model, data, min(64, len(data)), seed)
    except NoDensity:
        return None
    z = encoded.q.sample()
    through = Entanglement(encoded.prior, strength=twin.through.strength, twist=twin.through.twist)
    through.skew = twin.through.skew
    moved = through(z)
    own = encoded.log_likelihood(z.unsqueeze(0))[0]
    own = own + encoded.prior.log_prob(z) - encoded.q.log_prob(z)
    pushed = Pushed(encoded.q, through)
    other = encoded.log_likelihood(through.inverse(moved).unsqueeze(0))[0]
    other = other + encoded.prior.log_prob(moved) - pushed.log_prob(moved)
    return (own - other).abs().max().item()


def _pairs(
    model: Represents, through: Entanglement, data: FactorDataset, n: int, seed: int
) -> tuple[float, float] | None:
    """The concentration of change in pairs that differ in one factor, of model and twin."""
    factors = np.asarray(data.factors)
    rows: dict[tuple, list[int]] = {}
    rng = np.random.default_rng([seed, 7])
    for i in rng.permutation(len(factors))[: 40 * n]:
        for k in range(factors.shape[1]):
            rows.setdefault((k, *np.delete(factors[i], k)), []).append(int(i))
    found = [
        (group[0], group[1]) for group in rows.values()
        if len(group) > 1 and (factors[group[0]] != factors[group[1]]).any()
    ]  # fmt: skip
    if len(found) < 10:
        return None
    chosen = np.array(found)[rng.permutation(len(found))[:n]]
    with evaluating(model):
        parts = [
            posterior_of(model, data, chosen[:, column]).mean.float().cpu().numpy()
            for column in (0, 1)
        ]
    moved = [through(torch.from_numpy(p).to(through.skew)).cpu().numpy() for p in parts]
    return pair_concentration(*parts), pair_concentration(*moved)


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
