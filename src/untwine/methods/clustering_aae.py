"""AAE that clusters: a class and a style, neither of which is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..distributions import (
    Block,
    BlocksPosterior,
    BlocksPrior,
    CategoricalBlock,
    Likelihood,
    PointPosterior,
    Posterior,
    Prior,
    StandardNormal,
)
from ..nets import Architecture
from .class_and_style import ClassAndStyle
from .model import Model

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["ClusteringAAE", "class_and_style_model"]


class ClusteringAAE(ClassAndStyle):
    r"""Adversarial autoencoder whose code is a class and a style: it clusters without labels.

    .. math::
        \text{reconstruction:} \quad \min_{E, G} \; -\log p(x \mid y, s), \qquad (y, s) = E(x)

        \text{regularization:} \quad
        \min_{D_y, D_s} \; \sum_{c \in \{y, s\}} -\log D_c(c') - \log (1 - D_c(c)), \quad
        y' \sim \mathrm{Cat}(1/K), \; s' \sim \mathcal{N}(0, I); \qquad
        \min_E \; -\log D_y(y) - \log D_s(s)

    y is a softmax and not a sample of it: that it comes to one class is what the critic asks for,
    and that all classes are used alike, too. In every step encoder and decoder learn to
    reconstruct, then the critics to tell classes and styles from their priors, then the encoder to
    fool both.

    Args:
        model: Encoder, decoder and prior, of the blocks ``class`` and ``style``, see `Model`.
        class_critic: ``y -> (B, 1)``; by default what ``adversarial`` makes.
        style_critic: ``s -> (B, 1)``, likewise.
        adversarial: Form, noise and size of the critics.
        optimizer: Of encoder and decoder, reconstruction; called with their parameters.
        critic_optimizer: Of the critics, regularization.
        encoder_optimizer: Of the encoder, regularization.

    Raises:
        TypeError: for a prior without the two blocks.

    References:
        Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial Autoencoders", 2015,
        https://arxiv.org/abs/1511.05644, section 6 and appendix A.3.

    Deviations:
        The critics see their inputs through noise, see `Adversarial`; optimizers are Adam, with
        little momentum in the regularization phase (SGD with momentum there).

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> method = ClusteringAAE.build(data, latent_dim=3, clusters=16)
        >>> method.cluster(torch.rand(5, 7)).shape, method.heads().shape
        (torch.Size([5, 16]), torch.Size([16, 7]))
    """

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        clusters: int = 30,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> dict[str, object]:
        """The model that fits a data set's observations.

        Args:
            data: What the method will learn from.
            latent_dim: The number of dimensions of the style.
            clusters: :math:`K`, the number of classes.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|y,s), see `Model.of`.
            posterior: The family of q(s|x); a point by default.
            prior: p(s); the standard normal by default.
        """
        model = class_and_style_model(
            data,
            clusters,
            latent_dim,
            net=net,
            likelihood=likelihood,
            posterior=posterior,
            prior=prior,
        )
        return {"model": model}


def class_and_style_model(
    data: FactorDataset,
    classes: int,
    style_dim: int,
    *,
    net: Architecture | None,
    likelihood: Likelihood | None,
    posterior: Posterior | None,
    prior: Prior | None,
) -> Model:
    """A model whose code has the blocks ``class`` and ``style``, a point by default."""
    blocks = {
        "class": CategoricalBlock(classes),
        "style": Block(
            style_dim,
            PointPosterior() if posterior is None else posterior,
            StandardNormal(style_dim) if prior is None else prior,
        ),
    }
    return Model.of(
        data,
        classes + style_dim,
        net=net,
        likelihood=likelihood,
        posterior=BlocksPosterior(blocks),
        prior=BlocksPrior(blocks),
    )
