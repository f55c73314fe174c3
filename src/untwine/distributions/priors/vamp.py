"""VampPrior: mixture of the encoder's posteriors at pseudo-inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily

from ...checks import check_size
from .clustered import ClusteredPrior

if TYPE_CHECKING:
    from ...data import FactorDataset

__all__ = ["VampPrior"]

_MARGIN = 0.01  # pixels of pseudo-inputs begin this far from 0 and 1, where gradients vanish
_NOISE = 0.05  # tells repeated examples apart


class VampPrior(ClusteredPrior):
    r"""A mixture of the posteriors of K pseudo-inputs.

    .. math::
        p(z) = \frac1K \sum_{k=1}^K q(z \mid u_k)

    The pseudo-inputs begin as examples of the data and are learned with everything else. Those of
    images are kept as logits, so that they stay in [0, 1]. The encoder is the method's own: it is
    used here, but belongs to the method, and is not in this module's parameters or state.

    Args:
        components: :math:`K`; the paper takes 500 for MNIST. If the data has fewer examples, some
            are taken twice, with a little noise. Each step encodes all of them.
        trainable: Whether the pseudo-inputs are learned; if not, they stay the examples that they
            began as.

    Raises:
        ValueError: for fewer than one component, or when it is attached to a second encoder.
        RuntimeError: if it is used before it has been attached.

    References:
        Tomczak, Welling, "VAE with a VampPrior", 2018, https://arxiv.org/abs/1705.07120,
        equation 9.

    Deviations:
        The paper's code squeezes random pseudo-inputs through a clipped linear layer; here they
        begin as examples, and a sigmoid keeps them in [0, 1].
    """

    inputs: Tensor
    covariates: Tensor | None
    log_weights: Tensor

    def __init__(self, components: int = 100, trainable: bool = True) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture has at least 1 component, got components={components}")
        check_size("components", components)
        self.count, self.trainable = components, trainable
        self.image = False
        self.register_buffer("log_weights", torch.zeros(components), persistent=False)
        self._encoder: tuple[nn.Module, ...] = ()  # in a tuple, a module is not registered

    def attach(self, data: FactorDataset, encoder: nn.Module) -> None:
        """Takes pseudo-inputs from the data, and the encoder to encode them with."""
        if self._encoder and self._encoder[0] is not encoder:
            raise ValueError(
                "prior uses the encoder of another method: make a new VampPrior for each"
            )
        rows = torch.randperm(len(data)).repeat(-(-self.count // len(data)))[: self.count]
        x = data.observations(rows).to(torch.get_default_dtype())
        self.image = len(data.shape) == 3
        if self.image:
            x = torch.logit(x.clamp(_MARGIN, 1 - _MARGIN))
        repeated = torch.arange(self.count) >= len(data)
        x = x + _NOISE * torch.randn_like(x) * repeated.reshape(-1, *[1] * (x.ndim - 1))
        if self.trainable:
            self.inputs = nn.Parameter(x)
        else:
            self.register_buffer("inputs", x)
        c = None if data.covariates is None else data.covariates[rows]
        self.register_buffer("covariates", c)
        self._encoder = (encoder,)

    def pseudo_inputs(self) -> Tensor:
        """The pseudo-inputs as observations, ``(K, ...)``; those of images are in [0, 1]."""
        if not self._encoder:
            raise RuntimeError(
                "the prior has no pseudo-inputs before it is attached: make the method with "
                "build(data, prior=VampPrior(...)), or call prior.attach(data, encoder)"
            )
        return torch.sigmoid(self.inputs) if self.image else self.inputs

    def posteriors(self) -> Distribution:
        """The components :math:`q(z | u_k)`, batch shape ``(K,)``."""
        u = self.pseudo_inputs()
        (encoder,) = self._encoder
        return encoder(u) if self.covariates is None else encoder(u, self.covariates)

    def forward(self) -> MixtureSameFamily:
        """The mixture."""
        weights = Categorical(logits=self.log_weights, validate_args=False)
        return MixtureSameFamily(weights, self.posteriors(), validate_args=False)

    def log_joint(self, z: Tensor) -> Tensor:
        """See `ClusteredPrior`."""
        return self.posteriors().log_prob(z.unsqueeze(-2)) + self.log_weights.log_softmax(-1)

    def components(self) -> tuple[Tensor, Tensor]:
        """See `ClusteredPrior`."""
        return self.log_weights.softmax(-1), self.posteriors().mean
