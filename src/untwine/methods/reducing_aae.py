"""AAE for dimensionality reduction: a code that is a cluster's head and a style beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import Tensor, nn
from torch.distributions import Distribution

from ..checks import check_scale
from ..data.batches import Batch
from ..data.space import Factor
from ..distributions import (
    HeadAndStyle,
    HeadsPosterior,
    HeadsPrior,
    Likelihood,
    OneHot,
    Point,
)
from ..functional import Schedule, at, head_repulsion
from ..nets import Architecture
from .class_and_style import ClassAndStyle, WithFewLabels
from .divergences import ADVERSARIAL_ADAM, Adversarial
from .loss import Loss, Terms
from .method import ADAM, Context, MakeOptimizer, Observations
from .model import Model

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["ReducingAAE", "SemiSupervisedReducingAAE"]


class ReducingAAE(ClassAndStyle):
    r"""Adversarial autoencoder for dimensionality reduction: clusters on a map.

    .. math::
        \min_{E, G, W} \; -\log p\big(x \mid s + W^\top y\big)
        - r \sum_{j < k} \min\big(\|W_j - W_k\|, \eta\big), \qquad (y, s) = E(x)

    with the regularization of `ClusteringAAE`, for y and for s. Both :math:`W^\top y`, the head of
    the cluster, and the style s have the code's dimensions, two for a map. Heads that are nearer to
    each other than :math:`\eta` are pushed apart, so that clusters stand apart on the map while
    each is a standard normal in itself.

    Args:
        model: Encoder, decoder and prior, see `Model`; the posterior a `HeadsPosterior`, the prior
            a `HeadsPrior`.
        class_critic: ``y -> (B, 1)``; by default what ``adversarial`` makes.
        style_critic: ``s -> (B, 1)``, likewise.
        distance: :math:`\eta`, up to which heads are pushed apart, in standard deviations of the
            style.
        repulsion: r, how much they are pushed.
        adversarial: Form, noise and size of the critics.
        optimizer: Of encoder, heads and decoder, reconstruction; called with their parameters.
        critic_optimizer: Of the critics, regularization.
        encoder_optimizer: Of the encoder, regularization.

    Raises:
        TypeError: for a model without heads.
        ValueError: for a distance that is not positive.

    References:
        Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial Autoencoders", 2015,
        https://arxiv.org/abs/1511.05644, section 7 and appendix A.4.

    Deviations:
        Those of `ClusteringAAE`. The paper says neither :math:`\eta` nor r.

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> method = ReducingAAE.build(data, latent_dim=2, clusters=12)
        >>> method.represent(torch.rand(5, 7)).mean.shape, method.cluster(torch.rand(5, 7)).shape
        (torch.Size([5, 2]), torch.Size([5, 12]))
    """

    def __init__(
        self,
        model: Model,
        class_critic: nn.Module | None = None,
        style_critic: nn.Module | None = None,
        *,
        distance: float = 6.0,
        repulsion: float | Schedule = 1.0,
        adversarial: Adversarial | None = None,
        optimizer: MakeOptimizer = ADAM,
        critic_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
        encoder_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
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
        check_scale("distance", distance)
        self.distance, self.repulsion = distance, repulsion

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        clusters: int = 20,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
    ) -> dict[str, object]:
        """The model that fits a data set's observations.

        Args:
            data: What the method will learn from.
            latent_dim: The number of dimensions of the code, of heads and of styles; 2 for a map.
            clusters: :math:`K`, the number of heads.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
        """
        return {"model": _model(data, clusters, latent_dim, net, likelihood)}

    def priors(self) -> tuple[Distribution, Distribution]:
        """Of class and style."""
        if not isinstance(self.prior, HeadsPrior):
            raise TypeError(
                f"the model's prior is a {type(self.prior).__name__}; expected a HeadsPrior, with "
                "a HeadsPosterior for its posterior"
            )
        return self.prior.category(), self.prior.style()

    def posteriors(self, batch: Batch | Observations) -> tuple[OneHot, Distribution]:
        """q(y|x) and q(s|x)."""
        q = cast(HeadAndStyle, self.represent(batch))
        return q.category, Point(q.style)

    def join(self, y: Tensor, style: Tensor) -> Tensor:
        """The code of classes ``(B, K)`` and styles ``(B, D)``."""
        return style + y @ cast(HeadsPrior, self.prior).heads()

    def of_heads(self, ctx: Context) -> Terms:
        """``repulsion``, see `functional.head_repulsion`."""
        heads = cast(HeadsPrior, self.prior).heads()
        value = head_repulsion(heads, self.distance)
        return Loss(repulsion=(at(self.repulsion, ctx.step), value))


class SemiSupervisedReducingAAE(WithFewLabels, ReducingAAE):
    r"""Adversarial autoencoder for dimensionality reduction, told the class of a few examples.

    .. math::
        \min_{E, G, W} \; -\overline{\log p\big(x \mid s + W^\top y\big)}
        - w \, \overline{\log p\big(x_l \mid s_l + W^\top y_l\big)}
        - r \sum_{j < k} \min\big(\|W_j - W_k\|, \eta\big), \qquad
        \min_E \; -\overline{\log q(y_l \mid x_l)}

    and the regularization of `ClusteringAAE`: a `ReducingAAE` with the phases of
    `SemiSupervisedAAE`, one head for each class.

    Args:
        model: As in `ReducingAAE`.
        label: The factor that is the class.
        class_critic: ``y -> (B, 1)``; by default what ``adversarial`` makes.
        style_critic: ``s -> (B, 1)``, likewise.
        labelled: :math:`w`, the weight of the labelled part's reconstruction.
        distance: :math:`\eta`, up to which heads are pushed apart.
        repulsion: r, how much they are pushed.
        adversarial: Form, noise and size of the critics.
        optimizer: Of encoder, heads and decoder, reconstruction; called with their parameters.
        critic_optimizer: Of the critics, regularization.
        encoder_optimizer: Of the encoder, regularization.
        classifier_optimizer: Of the encoder, classification.

    Raises:
        TypeError: for a model without heads.
        ValueError: for another number of heads than the factor has values, and a distance that is
            not positive.

    References:
        Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial Autoencoders", 2015,
        https://arxiv.org/abs/1511.05644, section 7 and appendix A.4.

    Deviations:
        As in `ReducingAAE` and `SemiSupervisedAAE`.
    """

    def __init__(
        self,
        model: Model,
        label: Factor,
        class_critic: nn.Module | None = None,
        style_critic: nn.Module | None = None,
        *,
        labelled: float | Schedule = 1.0,
        distance: float = 6.0,
        repulsion: float | Schedule = 1.0,
        adversarial: Adversarial | None = None,
        optimizer: MakeOptimizer = ADAM,
        critic_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
        encoder_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
        classifier_optimizer: MakeOptimizer = ADAM,
    ) -> None:
        ReducingAAE.__init__(
            self,
            model,
            class_critic,
            style_critic,
            distance=distance,
            repulsion=repulsion,
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
    ) -> dict[str, object]:
        """The model that fits a data set's observations and classes.

        Args:
            data: What the method will learn from.
            latent_dim: The number of dimensions of the code, of heads and of styles; 2 for a map.
            label: Name of the factor that is the class; by default the first.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
        """
        factor = data.space.factor(label)
        return {"model": _model(data, factor.size, latent_dim, net, likelihood), "label": factor}


def _model(
    data: FactorDataset,
    clusters: int,
    latent_dim: int,
    net: Architecture | None,
    likelihood: Likelihood | None,
) -> Model:
    return Model.of(
        data,
        latent_dim,
        net=net,
        likelihood=likelihood,
        posterior=HeadsPosterior(latent_dim, clusters),
        prior=HeadsPrior(latent_dim),
    )
