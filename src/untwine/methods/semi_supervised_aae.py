"""AAE with a class that is told for some examples, and a style."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from ..data.space import Factor
from ..distributions import Likelihood, Posterior, Prior
from ..functional import Schedule
from ..nets import Architecture
from .class_and_style import WithFewLabels
from .clustering_aae import class_and_style_model
from .divergences import ADVERSARIAL_ADAM, Adversarial
from .method import ADAM, MakeOptimizer
from .model import Model

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["SemiSupervisedAAE"]


class SemiSupervisedAAE(WithFewLabels):
    r"""Adversarial autoencoder whose code is a class and a style, the class told for a few.

    .. math::
        \text{reconstruction:} \quad \min_{E, G} \;
        -\overline{\log p(x \mid y, s)} - w \, \overline{\log p(x_l \mid y_l, s_l)}

        \text{regularization:} \quad
        \min_{D_y, D_s} \; \sum_{c \in \{y, s\}} -\log D_c(c') - \log (1 - D_c(c)), \quad
        y' \sim \mathrm{Cat}(1/K), \; s' \sim \mathcal{N}(0, I); \qquad
        \min_E \; -\log D_y(y) - \log D_s(s)

        \text{classification:} \quad \min_E \; -\overline{\log q(y_l \mid x_l)}

    with (y, s) = E(x), where y is a softmax and not a sample of it. Labelled examples are
    reconstructed from their true classes. The encoder has an optimizer for each of its three
    phases, as published.

    Args:
        model: Encoder, decoder and prior, of the blocks ``class`` and ``style``, see `Model`.
        label: The factor that is the class.
        class_critic: ``y -> (B, 1)``; by default what ``adversarial`` makes.
        style_critic: ``s -> (B, 1)``, likewise.
        labelled: :math:`w`, the weight of the labelled part's reconstruction.
        adversarial: Form, noise and size of the critics.
        optimizer: Of encoder and decoder, reconstruction; called with their parameters.
        critic_optimizer: Of the critics, regularization.
        encoder_optimizer: Of the encoder, regularization.
        classifier_optimizer: Of the encoder, classification.

    Raises:
        TypeError: for a prior without the two blocks.
        ValueError: for another number of classes than the factor has values.

    References:
        Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial Autoencoders", 2015,
        https://arxiv.org/abs/1511.05644, section 5 and appendix A.2.

    Deviations:
        Those of `ClusteringAAE`. Labelled examples are reconstructed, too, from their true classes.

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> y = torch.arange(100)[:, None] % 3
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7), y, names=["kind"])
        >>> method = SemiSupervisedAAE.build(data, latent_dim=2, label="kind")
        >>> method.classify(torch.rand(5, 7)).probs.shape, method.sample(4, y=y[:4, 0]).shape
        (torch.Size([5, 3]), torch.Size([4, 7]))
    """

    def __init__(
        self,
        model: Model,
        label: Factor,
        class_critic: nn.Module | None = None,
        style_critic: nn.Module | None = None,
        *,
        labelled: float | Schedule = 1.0,
        adversarial: Adversarial | None = None,
        optimizer: MakeOptimizer = ADAM,
        critic_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
        encoder_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
        classifier_optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(
            model,
            class_critic,
            style_critic,
            adversarial=adversarial,
            optimizer=optimizer,
            critic_optimizer=critic_optimizer,
            encoder_optimizer=encoder_optimizer,
        )
        self.label, self.labelled = self.named(label), labelled
        self.classifier_optimizer = classifier_optimizer

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        label: str | None = None,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> dict[str, object]:
        """The model that fits a data set's observations and classes.

        Args:
            data: What the method will learn from.
            latent_dim: The number of dimensions of the style.
            label: Name of the factor that is the class; by default the first.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|y,s), see `Model.of`.
            posterior: The family of q(s|x); a point by default.
            prior: p(s); the standard normal by default.
        """
        factor = data.space.factor(label)
        model = class_and_style_model(
            data,
            factor.size,
            latent_dim,
            net=net,
            likelihood=likelihood,
            posterior=posterior,
            prior=prior,
        )
        return {"model": model, "label": factor}
