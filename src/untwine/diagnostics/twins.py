"""Impossibility, shown by construction: an entangled twin of a model that nothing tells apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from ..checks import check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..encoding import Codes, encode, evaluating, posterior_of
from ..evaluation import evaluate
from ..methods.abilities import Decodes, HasPrior, Represents
from .entanglement import Entanglement, Pushed
from .estimates import Finding
from .models import NoDensity, encode_for
from .two_sample import TwoSample, two_sample

__all__ = ["EntangledTwin", "Impossibility", "impossibility", "pair_concentration"]


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
        """The posterior ``q'(z'|x)``."""
        return Pushed(self.model.represent(batch), self.through)

    def decode(
        self, z: Tensor, /, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """The likelihood ``p'(x|z')``."""
        if not isinstance(self.model, Decodes):
            raise NoDensity(f"model is a {type(self.model).__name__} and has no decode(z)")
        z = self.through.inverse(z)
        return self.model.decode(z) if c is None and y is None else self.model.decode(z, c=c, y=y)

    def prior(self) -> Distribution:
        """p(z), the same."""
        return self.model.prior()


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
