"""A network and what its output parameterizes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributions import Distribution

__all__ = ["Conditional"]


class Conditional(nn.Module):
    r"""A distribution given a tensor: :math:`c \mapsto p(\cdot \mid c)`.

    Encoders and decoders are instances: a network computes features, a head turns them into a
    distribution. Features are brought to float32 before the head, so that densities are computed
    in full precision when the network runs in bfloat16.

    Args:
        net: ``(x[, c]) -> features``.
        head: ``features -> Distribution``: a `Posterior` or a `Likelihood`.
    """

    def __init__(self, net: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.net, self.head = net, head

    def forward(self, x: Tensor, c: Tensor | None = None) -> Distribution:
        """The distribution given ``x`` and, where the network takes them, covariates ``c``."""
        features = self.net(x) if c is None else self.net(x, c)
        return self.head(features.float() if features.dtype.itemsize < 4 else features)
