"""Prior around the learned heads of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily

from ...checks import check_size
from ..conditional import Conditional
from ..gaussians import diagonal_normal
from ..one_hot import OneHot
from ..posteriors import HeadsPosterior
from .clustered import ClusteredPrior

if TYPE_CHECKING:
    from ...data import FactorDataset

__all__ = ["HeadsPrior"]


class HeadsPrior(ClusteredPrior):
    r"""Clusters of equal probability, and around each one's head a standard normal.

    .. math::
        p(z) = \frac1K \sum_k \mathcal{N}(z; W_k, I)

    It uses the heads of the encoder that it is attached to, as they are learned.

    Args:
        latent_dim: :math:`D`.

    Raises:
        TypeError: when it is attached to an encoder that has no heads.
        RuntimeError: if it is used before it has been attached.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        self.latent_dim = latent_dim
        self._posterior: tuple[HeadsPosterior, ...] = ()  # in a tuple, a module is not registered

    def attach(self, data: FactorDataset, encoder: nn.Module) -> None:
        """Looks up the encoder's heads."""
        head = encoder.head if isinstance(encoder, Conditional) else None
        if not isinstance(head, HeadsPosterior):
            raise TypeError(
                f"posterior is a {type(head).__name__}, and prior a HeadsPrior, which is for codes "
                f"around heads of clusters: build the method with "
                f"posterior=HeadsPosterior({self.latent_dim}), or with another prior"
            )
        self._posterior = (head,)

    def heads(self) -> Tensor:
        """``(K, D)``."""
        if not self._posterior:
            raise RuntimeError(
                "the prior has no heads before it is attached: make the method with "
                "build(data, prior=HeadsPrior(latent_dim)), or call prior.attach(data, encoder)"
            )
        return self._posterior[0].heads

    def category(self) -> OneHot:
        """Of clusters: all equally likely."""
        return OneHot(torch.zeros_like(self.heads()[:, 0]))

    def style(self) -> Independent:
        """Of what is beside the head: the standard normal."""
        loc = torch.zeros_like(self.heads()[0])
        return diagonal_normal(loc, torch.ones_like(loc))

    def around(self) -> Independent:
        """The clusters' own distributions, batch shape ``(K,)``."""
        heads = self.heads()
        return diagonal_normal(heads, torch.ones_like(heads))

    def forward(self) -> MixtureSameFamily:
        """The mixture."""
        weights = Categorical(logits=self.category().logits, validate_args=False)
        return MixtureSameFamily(weights, self.around(), validate_args=False)

    def log_joint(self, z: Tensor) -> Tensor:
        """See `ClusteredPrior`."""
        return self.around().log_prob(z.unsqueeze(-2)) + self.category().logits

    def components(self) -> tuple[Tensor, Tensor]:
        """See `ClusteredPrior`."""
        return self.category().probs, self.heads()
