"""Bounds and estimates of the KL divergence between mixtures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from ..distributions.gaussians import batched

__all__ = [
    "convexity_upper_bound",
    "durrieu_bounds",
    "matched_upper_bound",
    "mixture_log_ratio",
    "variational_approximation",
    "variational_upper_bound",
]


def mixture_log_ratio(q: Distribution, p: Distribution, z: Tensor | None = None) -> Tensor:
    r"""Monte Carlo estimate of the divergence of two mixtures; unbiased.

    .. math::
        D_{KL}(q \,\|\, p) \approx \sum_k \pi_k \big[ \log q(z_k) - \log p(z_k) \big],
        \quad z_k \sim q_k

    One sample of every component and an exact sum over their weights. With ``z``, one sample of the
    whole mixture instead: :math:`\log q(z) - \log p(z)`, of higher variance.

    Args:
        q: A mixture (or a Gaussian: a mixture of one).
        p: Any distribution.
        z: A reparameterized sample of ``q``, ``(B, D)``.

    Shape: ``q`` with batch shape ``(B,)`` gives ``(B,)``, in nats.
    """
    if z is not None:
        return q.log_prob(z) - p.log_prob(z)
    weights, components = _mixture(q)
    # One sample of every component instead of a drawn one: weights get exact gradients.
    each = components.rsample().movedim(-2, 0)
    return (weights.exp() * (q.log_prob(each) - p.log_prob(each)).movedim(0, -1)).sum(-1)


def variational_approximation(q: Distribution, p: Distribution) -> Tensor:
    r"""Hershey and Olsen's variational approximation: closed form, neither bound.

    .. math::
        D \approx \sum_a \pi_a \log
        \frac{\sum_{a'} \pi_{a'} e^{-D_{KL}(q_a \| q_{a'})}}
        {\sum_b \omega_b e^{-D_{KL}(q_a \| p_b)}}

    The difference of two lower bounds, on :math:`\mathbb{E}_q \log q` and on
    :math:`\mathbb{E}_q \log p`. Exact if each mixture has one component.

    Args:
        q: A mixture of Gaussians, or a Gaussian.
        p: Another.

    Shape: ``q`` with batch shape ``(B,)`` gives ``(B,)``, in nats.

    References:
        Hershey, Olsen, "Approximating the Kullback Leibler Divergence Between Gaussian Mixture
        Models", 2007, https://doi.org/10.1109/ICASSP.2007.366913, section 7.
    """
    weights, within, between, prior = _pairwise(q, p)
    # Lower bounds of E log q and E log p under each component, up to the same entropy.
    log_q = torch.logsumexp(weights.unsqueeze(-2) - within, -1)
    log_p = torch.logsumexp(prior.unsqueeze(-2) - between, -1)
    return (weights.exp() * (log_q - log_p)).sum(-1)


def convexity_upper_bound(q: Distribution, p: Distribution) -> Tensor:
    r"""An upper bound: each component of q against the whole of p, bounded in closed form.

    .. math::
        D_{KL}(q \,\|\, p) \le \sum_a \pi_a D_{KL}(q_a \,\|\, p)
        \le -\sum_a \pi_a \log \sum_b \omega_b e^{-D_{KL}(q_a \| p_b)}

    By convexity of the divergence, then by Jensen's inequality. For one Gaussian q it is the bound
    on the divergence from a mixture that is better than any single component's.

    Args:
        q: A mixture of Gaussians, or a Gaussian.
        p: Another.

    Shape: ``q`` with batch shape ``(B,)`` gives ``(B,)``, in nats.
    """
    weights, components = _mixture(q)
    prior, components_of_p = _mixture(p)
    between = _against(components, components_of_p)
    return -(weights.exp() * torch.logsumexp(prior.unsqueeze(-2) - between, -1)).sum(-1)


def variational_upper_bound(q: Distribution, p: Distribution, iterations: int = 10) -> Tensor:
    r"""Hershey and Olsen's variational upper bound: an upper bound at any number of iterations.

    .. math::
        D_{KL}(q \,\|\, p) \le \sum_{ab} \phi_{ab}
        \Big[ \log \frac{\phi_{ab}}{\psi_{ab}} + D_{KL}(q_a \,\|\, p_b) \Big],
        \qquad \sum_b \phi_{ab} = \pi_a, \; \sum_a \psi_{ab} = \omega_b

    Both mixtures are split into matched pieces, and the divergence of the joint of piece and value
    bounds that of the values. It begins with :math:`\phi = \psi = \pi \omega^\top` and alternates
    the two minimizations, each in closed form; it falls with every iteration, to the minimum over
    all such splits (the problem is convex), which is at most `matched_upper_bound` and
    `convexity_upper_bound`. It converges slowly where components overlap: after few iterations it
    may be above both, most of all for mixtures that are nearly equal.

    Args:
        q: A mixture of Gaussians, or a Gaussian.
        p: Another.
        iterations: How many alternations; 0 is the bound of all pairs,
            :math:`\sum_{ab} \pi_a \omega_b D_{KL}(q_a \| p_b)`.

    Shape: ``q`` with batch shape ``(B,)`` gives ``(B,)``, in nats.

    Raises:
        ValueError: for a negative number of iterations.

    References:
        Hershey, Olsen, "Approximating the Kullback Leibler Divergence Between Gaussian Mixture
        Models", 2007, https://doi.org/10.1109/ICASSP.2007.366913, section 8.
    """
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}; expected at least 0")
    weights, components = _mixture(q)
    prior, components_of_p = _mixture(p)
    between = _against(components, components_of_p)
    # Logarithms throughout: pieces of components far apart have vanishing weights.
    phi = psi = weights.unsqueeze(-1) + prior.unsqueeze(-2)
    for _ in range(iterations):
        # Each line is one constrained minimum: rows of phi sum to pi, columns of psi to omega.
        phi = weights.unsqueeze(-1) + (psi - between).log_softmax(-1)
        psi = prior.unsqueeze(-2) + phi.log_softmax(-2)
    return (phi.exp() * (phi - psi + between)).sum((-2, -1))


def matched_upper_bound(q: Distribution, p: Distribution) -> Tensor:
    r"""Each component against the prior's component of the same number; an upper bound.

    .. math::
        D_{KL}(q(z) \,\|\, p(z)) \le D_{KL}(q(z, k) \,\|\, p(z, k))
        = D_{KL}(\pi \,\|\, \omega) + \sum_k \pi_k D_{KL}(q_k \,\|\, p_k)

    By the chain rule. It depends on the order of the components, and so gives them an identity: the
    posterior's k-th component is asked to lie at the prior's k-th.

    Args:
        q: A mixture of Gaussians, or a Gaussian.
        p: Another with as many components.

    Shape: ``q`` with batch shape ``(B,)`` gives ``(B,)``, in nats.

    Raises:
        ValueError: if the numbers of components differ.

    References:
        Hershey, Olsen, 2007 (as in `variational_upper_bound`), section 6, "matched bound", with the
        identity for matching; Do, "Fast Approximation of Kullback-Leibler Distance for Dependence
        Trees and Hidden Markov Models", 2003, https://doi.org/10.1109/LSP.2003.809034.
    """
    weights, components = _mixture(q)
    prior, components_of_p = _mixture(p)
    if weights.shape[-1] != prior.shape[-1]:
        raise ValueError(
            f"the mixtures have {weights.shape[-1]} and {prior.shape[-1]} components; components "
            "are matched by number, so there must be as many"
        )
    divergence = kl_divergence(components, components_of_p)
    return (weights.exp() * (weights - prior + divergence)).sum(-1)


def durrieu_bounds(q: Distribution, p: Distribution) -> tuple[Tensor, Tensor]:
    r"""A lower and an upper bound in closed form.

    .. math::
        \sum_a \pi_a \log \frac{\sum_{a'} \pi_{a'} e^{-D_{KL}(q_a \| q_{a'})}}
        {\sum_b \omega_b \int q_a p_b} - \sum_a \pi_a H(q_a)
        \;\le\; D_{KL}(q \,\|\, p) \;\le\;
        \sum_a \pi_a \log \frac{\sum_{a'} \pi_{a'} \int q_a q_{a'}}
        {\sum_b \omega_b e^{-D_{KL}(q_a \| p_b)}} + \sum_a \pi_a H(q_a)

    Their mean is Durrieu's approximation. Neither is tight: with one component each, the upper one
    is off by :math:`(1 - \log 2) / 2 \approx 0.15` nats per dimension.

    Args:
        q: A mixture of diagonal or full-covariance Gaussians, or such a Gaussian.
        p: Another.

    Returns:
        Lower and upper bound, each of the batch shape, in nats.

    References:
        Durrieu, Thiran, Kelly, "Lower and Upper Bounds for Approximation of the Kullback-Leibler
        Divergence between Gaussian Mixture Models", 2012,
        https://doi.org/10.1109/ICASSP.2012.6289001.
    """
    weights, within, between, prior = _pairwise(q, p)
    _, components = _mixture(q)
    _, components_of_p = _mixture(p)
    entropy = components.entropy()
    overlap_within = _log_overlap(components, components)
    overlap_between = _log_overlap(components, components_of_p)
    kl_within = torch.logsumexp(weights.unsqueeze(-2) - within, -1)
    kl_between = torch.logsumexp(prior.unsqueeze(-2) - between, -1)
    integral_within = torch.logsumexp(weights.unsqueeze(-2) + overlap_within, -1)
    integral_between = torch.logsumexp(prior.unsqueeze(-2) + overlap_between, -1)
    lower = kl_within - integral_between - entropy
    upper = integral_within - kl_between + entropy
    return (weights.exp() * lower).sum(-1), (weights.exp() * upper).sum(-1)


def _mixture(d: Distribution) -> tuple[Tensor, Distribution]:
    """Log weights ``(..., K)`` and components with batch shape ``(..., K)``."""
    if isinstance(d, MixtureSameFamily):
        return d.mixture_distribution.logits.log_softmax(-1), d.component_distribution
    components = batched(d, (*d.batch_shape, 1))
    return components.mean.new_zeros((*d.batch_shape, 1)), components


def _pairwise(q: Distribution, p: Distribution) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log weights, divergences within q ``(..., K, K)`` and to p ``(..., K, L)``, log weights."""
    weights, components = _mixture(q)
    prior, components_of_p = _mixture(p)
    return weights, _against(components, components), _against(components, components_of_p), prior


def _against(q: Distribution, p: Distribution) -> Tensor:
    """Divergences of every component of one mixture from every component of another."""
    q = batched(q, (*q.batch_shape, 1))
    p = batched(p, (*p.batch_shape[:-1], 1, p.batch_shape[-1]))
    return kl_divergence(q, p)


def _log_overlap(q: Distribution, p: Distribution) -> Tensor:
    r""":math:`\log \int q_a p_b`: the density of one mean under the sum of both covariances."""
    if _diagonal(q) and _diagonal(p):
        scale = (q.variance.unsqueeze(-2) + p.variance.unsqueeze(-3)).sqrt()
        distance = q.mean.unsqueeze(-2) - p.mean.unsqueeze(-3)
        return Normal(0.0, scale, validate_args=False).log_prob(distance).sum(-1)
    covariance = _covariance(q).unsqueeze(-3) + _covariance(p).unsqueeze(-4)
    centered = MultivariateNormal(
        torch.zeros_like(covariance[..., 0]), covariance, validate_args=False
    )
    return centered.log_prob(q.mean.unsqueeze(-2) - p.mean.unsqueeze(-3))


def _diagonal(d: Distribution) -> bool:
    return isinstance(d, Independent)


def _covariance(d: Distribution) -> Tensor:
    if isinstance(d, MultivariateNormal | LowRankMultivariateNormal):
        return d.covariance_matrix
    return torch.diag_embed(d.variance)
