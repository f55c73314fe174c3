"""Annealed importance sampling of log p(x), forwards and, on simulated data, backwards."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..checks import check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..encoding import evaluating
from ..methods.abilities import Represents
from .estimates import Estimate, Finding
from .models import Encoded, NoDensity, encode_for

__all__ = ["AnnealedBound", "annealed_bound", "bidirectional"]

Start = Literal["prior", "posterior"]
Density = Callable[[Tensor], Tensor]
_ACCEPTED = 0.65


@dataclass(frozen=True, repr=False)
class AnnealedBound(Finding):
    """Bounds of log p(x) by annealed importance sampling, nats.

    Attributes:
        forward: From below, of each observation, ``(N,)``.
        reverse: From above, likewise; ``None`` for data that was not simulated.
        acceptance: The share of accepted proposals while estimating.
        chains: For each observation.
        temperatures: Of the path.
        truth: Codes that simulated data was made from, ``(N, D)``.
        x: Simulated observations.
    """

    forward: Tensor
    reverse: Tensor | None
    acceptance: float
    chains: int
    temperatures: int
    truth: Tensor | None = None
    x: Tensor | None = None

    def __str__(self) -> str:
        text = f"log p(x) is at least {Estimate.of(self.forward)} nats"
        if self.reverse is not None:
            gap = Estimate.of(self.reverse - self.forward)
            text += f" and at most {Estimate.of(self.reverse)}: {gap} apart"
        return (
            f"{text} ({self.chains} chains of {self.temperatures} temperatures, "
            f"{self.acceptance:.0%} accepted)."
        )


def annealed_bound(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 16,
    chains: int = 8,
    temperatures: int = 200,
    leapfrog: int = 5,
    start: Start = "prior",
    seed: int = 0,
) -> AnnealedBound:
    r"""A lower bound of log p(x) by annealed importance sampling.

    .. math::
        \pi_t(z) \propto \pi_0(z)^{1 - \beta_t} \, \big( p(z) \, p(x|z) \big)^{\beta_t}, \qquad
        \log w = \sum_t (\beta_t - \beta_{t-1}) \, \log \frac{p(z_{t-1}) p(x|z_{t-1})}
        {\pi_0(z_{t-1})}

    with Hamiltonian moves at each temperature. Their step sizes are tuned in a first run and
    frozen; the estimate is made with other random numbers, without which it would be no bound.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`.
        n: How many observations.
        chains: For each observation.
        temperatures: Of the path; more bring the bound closer.
        leapfrog: Steps of a Hamiltonian move.
        start: :math:`\pi_0`, the prior or the encoder's posterior.
        seed: Of observations and chains.

    Raises:
        NoDensity: for a model without densities.
        ValueError: for an unknown start.

    References:
        Neal, "Annealed Importance Sampling", 1998, https://arxiv.org/abs/physics/9803008; Wu,
        Burda, Salakhutdinov, Grosse, "On the Quantitative Analysis of Decoder-Based Generative
        Models", 2017, https://arxiv.org/abs/1611.04273.
    """
    encoded = encode_for(model, data, n, seed)
    with evaluating(model):
        path = _Path(encoded, chains, temperatures, leapfrog, start)
        sizes = path.tune(seed + 1)
        forward, accepted = path.forward(sizes, seed + 2)
    return AnnealedBound(forward, None, accepted, chains, temperatures)


def bidirectional(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 16,
    chains: int = 8,
    temperatures: int = 200,
    leapfrog: int = 5,
    start: Start = "prior",
    seed: int = 0,
) -> AnnealedBound:
    r"""Bounds of log p(x) from below and above, on data that the model itself makes.

    Of a simulated observation the code that it was made from is an exact sample of p(z|x): chains
    that begin there and go back to :math:`\pi_0` give 1/p(x), and so an upper bound. How far the
    two are apart is how far `annealed_bound` may be from the truth on such data.

    Args:
        model: See `annealed_bound`.
        data: Tells how observations look; those of the chains are simulated.
        n: How many observations.
        chains: See `annealed_bound`.
        temperatures: See `annealed_bound`.
        leapfrog: See `annealed_bound`.
        start: See `annealed_bound`.
        seed: Of observations and chains.

    Raises:
        NoDensity: for a model without densities, or that cannot be sampled.

    References:
        Grosse, Ghahramani, Adams, "Sandwiching the marginal likelihood using bidirectional Monte
        Carlo", 2015, https://arxiv.org/abs/1511.02543; Wu et al. 2017 (see `annealed_bound`).
    """
    shown = encode_for(model, data, max(2, n), seed)
    if shown.c is not None:
        raise NoDensity("data with covariates is not simulated here: take annealed_bound")
    with evaluating(model), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        truth = shown.prior.sample((max(2, n),))
        with torch.no_grad():
            x = shown.decode(truth).sample()
        encoded = encode_for(model, x.to(shown.x))
        path = _Path(encoded, chains, temperatures, leapfrog, start)
        sizes = path.tune(seed + 1)
        forward, accepted = path.forward(sizes, seed + 2)
        reverse, _ = path.reverse(truth, sizes, seed + 3)
    return AnnealedBound(forward, reverse, accepted, chains, temperatures, truth, encoded.x)


class _Path:
    """Chains between an easy distribution and the posterior, for all observations at once."""

    def __init__(
        self, encoded: Encoded, chains: int, temperatures: int, leapfrog: int, start: Start
    ) -> None:
        if start not in ("prior", "posterior"):
            raise ValueError(f"start is {start!r}; expected 'prior' or 'posterior'")
        check_size("chains", chains)
        check_size("temperatures", temperatures, least=2)
        check_size("leapfrog", leapfrog)
        self.encoded, self.chains, self.leapfrog = encoded, chains, leapfrog
        self.first: Distribution = encoded.q if start == "posterior" else encoded.prior
        self.start = start
        # Dense where the posterior takes shape, as in Wu et al.
        line = torch.linspace(-4, 4, temperatures, dtype=torch.float64).sigmoid()
        self.betas = (line - line[0]) / (line[-1] - line[0])

    def tune(self, seed: int) -> Tensor:
        """Step sizes of every temperature and observation, ``(T, N)``."""
        size = torch.full((len(self.encoded),), 0.1, dtype=torch.float64)
        sizes = size.repeat(len(self.betas), 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            z = self._begin()
            for t, beta in enumerate(self.betas):
                for _ in range(2):
                    z, accepted = self._move(z, beta, size)
                    share = accepted.double().mean(0)
                    size = size * torch.where(share > _ACCEPTED, 1.1, 0.9)
                sizes[t] = size
        return sizes

    def forward(self, sizes: Tensor, seed: int) -> tuple[Tensor, float]:
        """Log p(x) from below, ``(N,)``, and the share of accepted moves."""
        shares = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            z = self._begin()
            weights = torch.zeros(z.shape[:2], dtype=torch.float64)
            for t in range(1, len(self.betas)):
                weights += (self.betas[t] - self.betas[t - 1]) * self._ratio(z)
                z, accepted = self._move(z, self.betas[t], sizes[t])
                shares.append(accepted.double().mean())
        bound = weights.logsumexp(0) - math.log(self.chains)
        return bound, torch.stack(shares).mean().item()

    def reverse(self, truth: Tensor, sizes: Tensor, seed: int) -> tuple[Tensor, float]:
        """Log p(x) from above, ``(N,)``, by chains that begin at samples of p(z|x)."""
        shares = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            z = truth.expand(self.chains, *truth.shape).clone()
            weights = torch.zeros(z.shape[:2], dtype=torch.float64)
            for t in range(len(self.betas) - 1, 0, -1):
                z, accepted = self._move(z, self.betas[t], sizes[t])
                weights += (self.betas[t - 1] - self.betas[t]) * self._ratio(z)
                shares.append(accepted.double().mean())
        bound = math.log(self.chains) - weights.logsumexp(0)
        return bound, torch.stack(shares).mean().item()

    def _begin(self) -> Tensor:
        """``(chains, N, D)``."""
        many = (self.chains,) if self.start == "posterior" else (self.chains, len(self.encoded))
        return self.first.sample(many)

    def _logs(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Log densities of the first and of the last distribution, ``(chains, N)``."""
        last = self.encoded.log_likelihood(z) + self.encoded.prior.log_prob(z)
        return self.first.log_prob(z), last

    @torch.no_grad()
    def _ratio(self, z: Tensor) -> Tensor:
        first, last = self._logs(z)
        return last - first

    def _energy(self, z: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        """Log density at a temperature and its gradient."""
        z = z.detach().requires_grad_()
        first, last = self._logs(z)
        value = (1 - beta) * first + beta * last
        return value.detach(), torch.autograd.grad(value.sum(), z)[0]

    def _move(self, z: Tensor, beta: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """A Hamiltonian move of every chain, and which were accepted."""
        step = size.unsqueeze(-1)
        momentum = torch.randn_like(z)
        value, gradient = self._energy(z, beta)
        before = value - 0.5 * momentum.square().sum(-1)
        proposal, moving = z, momentum + 0.5 * step * gradient
        for i in range(self.leapfrog):
            proposal = proposal + step * moving
            value, gradient = self._energy(proposal, beta)
            moving = moving + (step if i + 1 < self.leapfrog else 0.5 * step) * gradient
        after = value - 0.5 * moving.square().sum(-1)
        accepted = torch.rand_like(before).log() < after - before
        return torch.where(accepted.unsqueeze(-1), proposal, z), accepted
