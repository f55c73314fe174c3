"""Mixture of Gaussians as a posterior."""

from __future__ import annotations

from torch import Tensor

from ...checks import check_scale, check_size
from ..gaussians import batched
from ..mixture import Mixture
from .base import Posterior
from .gaussian import Diagonal

__all__ = ["MixturePosterior"]


class MixturePosterior(Posterior):
    r"""A mixture of Gaussians.

    .. math::
        q(z|x) = \sum_k \pi_k(x) \, \mathcal{N}(z; \mu_k(x), \Sigma_k(x))

    Args:
        components: :math:`K`.
        posterior: The family of the components; independent Gaussians by default.
        temperature: Of the relaxed choice of a component; see `Mixture`.
        straight_through: Whether samples are exact samples of the mixture.

    Raises:
        ValueError: for fewer than one component, or a temperature that is not positive.
    """

    def __init__(
        self,
        components: int = 2,
        posterior: Posterior | None = None,
        temperature: float = 0.5,
        straight_through: bool = True,
    ) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture has at least 1 component, got components={components}")
        check_size("components", components)
        check_scale("temperature", temperature)
        self.components = components
        self.posterior = Diagonal() if posterior is None else posterior
        self.temperature, self.straight_through = temperature, straight_through

    def features(self, latent_dim: int) -> int:
        """Those of every component, and with two or more a logit for each."""
        logits = self.components if self.components > 1 else 0
        return self.components * self.posterior.features(latent_dim) + logits

    def forward(self, h: Tensor) -> Mixture:
        """``(B, features)``, component after component, then logits, to a mixture over ``(D,)``."""
        k, batch = self.components, h.shape[:-1]
        each, logits = h.split([h.shape[-1] - (k if k > 1 else 0), k if k > 1 else 0], -1)
        if k == 1:
            logits = h.new_zeros(*batch, 1)
        flat = self.posterior(each.reshape(-1, each.shape[-1] // k))
        return Mixture(logits, batched(flat, (*batch, k)), self.temperature, self.straight_through)
