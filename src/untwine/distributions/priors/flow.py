"""Normalizing flow as a prior."""

from __future__ import annotations

from torch.distributions import (
    Distribution,
)

from ...checks import check_size
from .base import Prior

__all__ = ["KINDS", "FlowPrior"]


KINDS = ("NSF", "MAF", "RealNVP", "SOSPF", "BPF")


class FlowPrior(Prior):
    r"""A density that is learned as a change of variables from the standard normal.

    .. math::
        \log p(z) = \log \mathcal{N}(f(z); 0, I)
        + \log \Big| \det \frac{\partial f}{\partial z} \Big|

    The flow is one of zuko's, by its name there. Divergences from it are estimated with samples of
    the posterior, which evaluate :math:`f` once; sampling an autoregressive flow inverts it one
    dimension after the other.

    Args:
        latent_dim: :math:`D`.
        kind: ``"NSF"`` (neural splines), ``"MAF"`` (affine), ``"SOSPF"`` (sums of squares),
            ``"BPF"`` (Bernstein polynomials), all autoregressive; or ``"RealNVP"`` (coupling, for
            two dimensions or more).
        transforms: How many transformations follow each other.
        hidden: Widths of the hidden layers of each one's network.

    Raises:
        ValueError: for an unknown flow, or a coupling flow in one dimension.

    References:
        Chen et al., "Variational Lossy Autoencoder", 2017, https://arxiv.org/abs/1611.02731,
        section 3.2 (an autoregressive flow as prior); Durkan et al., "Neural Spline Flows", 2019,
        https://arxiv.org/abs/1906.04032.
    """

    def __init__(
        self,
        latent_dim: int,
        kind: str = "NSF",
        transforms: int = 3,
        hidden: tuple[int, ...] | list[int] = (64, 64),
    ) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        check_size("transforms", transforms)
        for width in hidden:
            check_size("a width of hidden", width)
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}")
        if kind == "RealNVP" and latent_dim < 2:
            raise ValueError("latent_dim is 1; 'RealNVP' couples two or more: take 'NSF'")
        from zuko import flows

        self.flow = getattr(flows, kind)(
            latent_dim, transforms=transforms, hidden_features=tuple(hidden)
        )

    def forward(self) -> Distribution:
        """The flow."""
        return self.flow()
