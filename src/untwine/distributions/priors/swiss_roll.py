"""Swiss roll prior: a spiral in the plane, that can be sampled and has no density."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ...checks import check_scale
from .base import Prior

__all__ = ["SwissRoll", "SwissRollPrior"]


class SwissRoll(Distribution):
    r"""Points on a spiral, spread evenly along it.

    .. math::
        z = r \sqrt{u} \, (\cos \theta, \sin \theta), \qquad
        \theta = 2 \pi n \sqrt{u}, \quad u \sim \mathcal{U}[0, 1]

    Args:
        radius: r, a 0-dim tensor.
        turns: n.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}

    def __init__(self, radius: Tensor, turns: float) -> None:
        self.radius, self.turns = radius, turns
        super().__init__(torch.Size(), torch.Size([2]), validate_args=False)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """``(*sample_shape, 2)``."""
        u = torch.rand(tuple(sample_shape), device=self.radius.device, dtype=self.radius.dtype)
        length = u.sqrt()
        angle = 2 * math.pi * self.turns * length
        return self.radius * length.unsqueeze(-1) * torch.stack([angle.cos(), angle.sin()], -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Refuses.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "a swiss roll is a line in the plane and has no density: take a method that samples "
            "its prior, such as AAE, or the penalties MMD and SlicedWasserstein"
        )


class SwissRollPrior(Prior):
    """A spiral in the plane, for methods that sample their prior.

    Args:
        latent_dim: 2.
        radius: Of its outer end.
        turns: How often it goes round.

    Raises:
        ValueError: for another number of dimensions, and what is not positive.

    References:
        Makhzani et al., "Adversarial Autoencoders", 2015, https://arxiv.org/abs/1511.05644,
        section 2.3 (a swiss roll for the prior).

    Example:
        >>> SwissRollPrior()().sample((3,)).shape
        torch.Size([3, 2])
    """

    radius: Tensor

    def __init__(self, latent_dim: int = 2, *, radius: float = 3.0, turns: float = 2.0) -> None:
        super().__init__()
        if latent_dim != 2:
            raise ValueError(f"latent_dim is {latent_dim}; a swiss roll is in 2 dimensions")
        check_scale("radius", radius)
        check_scale("turns", turns)
        self.turns = turns
        self.register_buffer("radius", torch.tensor(float(radius)), persistent=False)

    def forward(self) -> SwissRoll:
        """The spiral."""
        return SwissRoll(self.radius, self.turns)
