"""Adversarial objectives: losses of critics, gradient penalties, density ratio, shuffled codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "critic_accuracy",
    "critic_losses",
    "cross_entropy_to",
    "cross_entropy_to_uniform",
    "density_ratio",
    "fooling_loss",
    "gradient_penalty",
    "permute_dims",
    "r1_penalty",
    "ratio_calibration",
]

Form = Literal["non_saturating", "hinge", "wasserstein"]
_FORMS = ("non_saturating", "hinge", "wasserstein")


def permute_dims(z: Tensor) -> Tensor:
    r"""Permutes each dimension across the batch, independently of the others.

    The result has the marginals of the batch and, as the batch grows, independent dimensions: a
    sample of :math:`\prod_j q(z_j)`.

    Shape: ``(B, D)`` to ``(B, D)``.

    References:
        Kim, Mnih, "Disentangling by Factorising", 2018, https://arxiv.org/abs/1802.05983,
        algorithm 1.
    """
    # Sorting uniform numbers gives one random permutation per dimension in a single call.
    order = torch.rand(z.shape, device=z.device).argsort(0)
    return z.gather(0, order)


def density_ratio(logits: Tensor) -> Tensor:
    r""":math:`\log \frac{p(\text{class } 0)}{p(\text{class } 1)}` of a two-way critic.

    Shape: ``(B, 2)`` to ``(B,)``.
    """
    return logits[..., 0] - logits[..., 1]


def cross_entropy_to(logits: Tensor, target: int) -> Tensor:
    """Cross entropy of a critic's verdict to one and the same class for all of a batch.

    Shape: ``(B, C)`` to ``(B,)``, in nats.
    """
    return -F.log_softmax(logits, -1)[..., target]


def cross_entropy_to_uniform(logits: Tensor) -> Tensor:
    r"""Cross entropy of a critic's verdict to all classes in equal parts.

    .. math::
        -\frac{1}{C} \sum_c \log p_c \;\ge\; \log C

    with equality where the critic cannot tell; there its gradient is zero.

    Shape: ``(B, C)`` to ``(B,)``, in nats.

    References:
        Denton, Birodkar, "Unsupervised Learning of Disentangled Representations from Video", 2017,
        https://arxiv.org/abs/1705.10915, equation 4 (two classes).
    """
    return -F.log_softmax(logits, -1).mean(-1)


def critic_losses(
    real: Tensor, fake: Tensor, form: Form = "non_saturating"
) -> tuple[Tensor, Tensor]:
    r"""What a critic minimizes over real and over fake examples, one value per example each.

    .. math::
        \text{non\_saturating:} &\quad -\log \sigma(d_r), \; -\log \sigma(-d_f) \\
        \text{hinge:} &\quad \max(0, 1 - d_r), \; \max(0, 1 + d_f) \\
        \text{wasserstein:} &\quad -d_r, \; d_f

    Args:
        real: The critic's logits of real examples, :math:`d_r`.
        fake: Its logits of fake ones, :math:`d_f`.
        form: Which loss. Its counterpart is `fooling_loss`.

    Raises:
        ValueError: for another word.

    References:
        Goodfellow et al., "Generative Adversarial Networks", 2014,
        https://arxiv.org/abs/1406.2661; Lim, Ye, "Geometric GAN", 2017,
        https://arxiv.org/abs/1705.02894 (hinge); Arjovsky, Chintala, Bottou, "Wasserstein GAN",
        2017, https://arxiv.org/abs/1701.07875.
    """
    if form == "non_saturating":
        return F.softplus(-real), F.softplus(fake)
    if form == "hinge":
        return F.relu(1 - real), F.relu(1 + fake)
    if form == "wasserstein":
        return -real, fake
    raise ValueError(f"form is {form!r}; expected one of {', '.join(map(repr, _FORMS))}")


def fooling_loss(fake: Tensor, form: Form = "non_saturating") -> Tensor:
    r"""What fake examples minimize so that a critic takes them for real, one value per example.

    .. math::
        \text{non\_saturating:} \; -\log \sigma(d_f), \qquad
        \text{hinge, wasserstein:} \; -d_f

    Args:
        fake: The critic's logits of fake examples.
        form: As in `critic_losses`.

    Raises:
        ValueError: for another word.
    """
    if form not in _FORMS:
        raise ValueError(f"form is {form!r}; expected one of {', '.join(map(repr, _FORMS))}")
    return F.softplus(-fake) if form == "non_saturating" else -fake


def critic_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """The share of examples that a critic takes for what they are, real and fake alike, a scalar.

    One of .5 from the first step on learns nothing; one of 1 has nothing to teach.

    Args:
        real: Its logits of real examples, ``(B, ...)``.
        fake: Its logits of fake ones.

    Example:
        >>> critic_accuracy(torch.tensor([2.0, -1.0]), torch.tensor([-3.0, -0.1])).item()
        0.75
    """
    # A logit of 0 is half right.
    return 0.5 + (real.detach().sign().mean() - fake.detach().sign().mean()) / 4


def ratio_calibration(fake: Tensor) -> Tensor:
    r"""How far a critic's density ratio is from having the integral one, a scalar in nats.

    .. math::
        \log \mathbb{E}_{q}\big[e^{d(x)}\big], \qquad
        d(x) = \log \frac{p(x)}{q(x)} \;\Rightarrow\; \mathbb{E}_{q}\big[e^{d(x)}\big] = 1

    0 where the logits are the log density ratio of real to fake examples; far below 0 where the
    critic sees no overlap of the two any more, so that a ratio says nothing.

    Args:
        fake: The critic's logits of fake examples, ``(B, ...)``, a sample of q.

    Example:
        >>> ratio_calibration(torch.zeros(8)).item()
        0.0
    """
    flat = fake.detach().flatten()
    return flat.logsumexp(0) - math.log(len(flat))


def r1_penalty(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    r"""Squared norm of a critic's gradient at real examples, :math:`\|\nabla_x d(x)\|^2`.

    Shape: ``(B, ...)`` to ``(B,)``. The paper's weight is :math:`\gamma / 2`.

    Args:
        critic: From examples to logits, one each; it must treat examples of a batch separately.
        real: Real examples.

    References:
        Mescheder, Geiger, Nowozin, "Which Training Methods for GANs Do Actually Converge?", 2018,
        https://arxiv.org/abs/1801.04406, equation 9.
    """
    return _slopes(critic, real).square().sum(1)


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    r"""How far the norm of a critic's gradient is from 1 between real and fake examples.

    .. math::
        (\|\nabla d(\hat x)\| - 1)^2, \qquad
        \hat x = u \, x_r + (1 - u) \, x_f, \quad u \sim \mathcal{U}[0, 1]

    Shape: ``(B, ...)`` both to ``(B,)``. The paper's weight is 10.

    Args:
        critic: As in `r1_penalty`.
        real: Real examples.
        fake: As many fake ones.

    References:
        Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved Training of Wasserstein GANs",
        2017, https://arxiv.org/abs/1704.00028, equation 3.
    """
    u = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
    return (_slopes(critic, u * real + (1 - u) * fake).norm(dim=1) - 1) ** 2


def _slopes(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Gradients of a critic's logits with respect to its examples, ``(B, D)``, differentiable."""
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(critic(point).sum(), point, create_graph=True)
    return gradient.flatten(1)
