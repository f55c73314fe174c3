"""M2: a VAE whose class is a latent variable, observed for some."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily
from torch.optim import Adam

from ..data.batches import Batch, FewLabels, Images
from ..data.space import Factor
from ..distributions import Likelihood, Posterior, Prior, VampPrior, diagonal_normal
from ..functional import Schedule, at, kl, one_hot
from ..nets import Architecture, default_architecture
from .conditions import repeated
from .label_checks import check_batches
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Observations, Player, Stage
from .model import Model
from .penalty import KL, Penalty, Terms, Trace
from .swaps import Swaps
from .vae import ModelMethod

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["M2"]


class M2(ModelMethod, Swaps):
    r"""Semi-supervised VAE with a class variable y and a continuous rest z.

    .. math::
        \mathcal{L}(x, y) = -\mathbb{E}_{q(z|x,y)}[\log p(x|y,z)] - \log p(y)
        + D_{KL}(q(z|x,y) \,\|\, p(z))

        \mathcal{U}(x) = \textstyle\sum_y q(y|x) \, \mathcal{L}(x, y) - \mathcal{H}(q(y|x))

        \mathcal{J} = w \, \overline{\mathcal{L}(x_l, y_l)} + \overline{\mathcal{U}(x)}
        + \alpha \, \overline{-\log q(y_l|x_l)}

    The sum over y is exact. Any penalty takes the place of the KL divergence. One that compares
    the codes of a batch sees those of all unlabelled examples under every class, alike, and those
    of the labelled examples by themselves.

    Args:
        model: q(z|x,y), p(x|y,z) and p(z); encoder and decoder take one-hot classes, too, see
            `Model.of`.
        classifier: ``x -> (B, classes)`` logits of q(y|x); of data with covariates, ``(x, c)``.
        label: The factor that is the class.
        penalty: The regularizer of z; the KL divergence by default.
        alpha: :math:`\alpha`, the weight of the classifier's own loss, in units of the paper's
            number of examples N: the paper's :math:`\alpha = 0.1 N` is 0.1 here, and takes some
            thousands of epochs; short trainings need more.
        labelled: :math:`w`, the weight of the labelled part; the paper's is the ratio of labelled
            to unlabelled examples.
        optimizer: Of all parameters; called with them.

    References:
        Kingma, Rezende, Mohamed, Welling, "Semi-supervised Learning with Deep Generative Models",
        2014, https://arxiv.org/abs/1406.5298, equations 6 to 9.

    Deviations:
        Labelled and unlabelled parts are averaged over their own batches; with w the ratio of
        labelled to unlabelled examples the sum is the paper's.
    """

    supervision = FewLabels
    label: str
    of_rows, of_columns = "rest", "class"

    def __init__(
        self,
        model: Model,
        classifier: nn.Module,
        label: Factor,
        *,
        penalty: Penalty | None = None,
        alpha: float | Schedule = 10.0,
        labelled: float | Schedule = 1.0,
        optimizer: MakeOptimizer = partial(Adam, lr=3e-4, fused=True),
    ) -> None:
        super().__init__(model)
        self.classifier, self.classes, self.label = classifier, label.size, label.name
        self.classes_beside_code = label.size
        self.penalty = KL() if penalty is None else penalty
        self.alpha, self.labelled, self.optimizer = alpha, labelled, optimizer

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
        """Networks that fit the data.

        Args:
            data: What the method will learn from.
            latent_dim: The number of continuous code dimensions.
            label: Name of the factor that is the class; by default the first.
            net: The architecture of encoder, decoder and classifier.
            likelihood: The family of p(x|y,z), see `Model.of`.
            posterior: The family of q(z|x,y); independent Gaussians by default.
            prior: p(z), any `Prior` but those that encode; the standard normal by default.

        Raises:
            ValueError: for a `VampPrior`: it encodes pseudo-inputs, and q(z|x,y) needs classes.
        """
        if isinstance(prior, VampPrior):
            raise ValueError(
                "prior is a VampPrior, which encodes pseudo-inputs, but q(z|x,y) needs a class for "
                "each: take another, such as GaussianMixture(latent_dim, 10)"
            )
        factor = data.space.factor(label)
        model = Model.of(
            data,
            latent_dim,
            net=net,
            likelihood=likelihood,
            posterior=posterior,
            prior=prior,
            classes=factor.size,
        )
        covariates = 0 if data.covariates is None else data.covariates.shape[1]
        net = default_architecture(data.shape) if net is None else net
        classifier = net.encoder(data.shape, factor.size, covariates)
        return {"model": model, "classifier": classifier, "label": factor}

    def sampler(self) -> Sampler:
        """Unlabelled examples, and examples labelled with the class factor."""
        from ..data import FewLabelsSampler

        return FewLabelsSampler(label=self.label)

    def players(self) -> Mapping[str, Player]:
        """One: everything moves together."""
        return {"m2": Player((self.model, self.classifier), self.optimizer)}

    def stages(self) -> tuple[Stage, ...]:
        """One, which begins with a look at the labels and gives the prior some codes."""
        return (Stage("fit", self.moves, self.begin),)

    def check(self, batches: Iterable[Batch]) -> None:
        """Refuses labels that are no classes.

        Raises:
            ValueError: naming one.
        """
        check_batches(batches, [self.label], [self.classes])

    def represent(self, batch: Batch | Observations, c: Tensor | None = None) -> Distribution:
        r"""The marginal posterior :math:`q(z|x) = \sum_y q(y|x) q(z|x,y)`, a mixture."""
        batch = Batch.of(batch, c)
        q = self._under_every_class(batch)
        return MixtureSameFamily(self.classify(batch), q, validate_args=False)

    def classify(self, batch: Batch | Observations, c: Tensor | None = None) -> Categorical:
        """q(y|x)."""
        batch = Batch.of(batch, c)
        inputs = (batch.x,) if batch.c is None else (batch.x, batch.c)
        return Categorical(logits=self.classifier(*inputs).float(), validate_args=False)

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(x|y,z); without classes ``y`` of shape ``(B,)``, with all of them in equal parts."""
        if y is None:
            return self.model.decode(z, c=c, y=z.new_full((len(z), self.classes), 1 / self.classes))
        return self.model.decode(z, c=c, y=one_hot(y, self.classes))

    def take_apart(self, batch: Batch | Observations) -> dict[str, Tensor]:
        """The mean of z, ``rest``, and the likeliest class, see `Swaps`."""
        return {
            "rest": self.represent(batch).mean,
            "class": self.classify(batch).probs.argmax(1),
        }

    def put_together(self, parts: Mapping[str, Tensor], c: Tensor | None = None) -> Distribution:
        """p(x|y,z) of such parts."""
        return self.decode(parts["rest"], c=c, y=parts["class"])

    @torch.no_grad()
    def sample(self, n: int, *, c: Tensor | None = None) -> Tensor:
        """``(n, ...)`` means of p(x|y,z) for classes and codes drawn from their priors."""
        z = self.prior().sample((n,))
        y = torch.randint(self.classes, (n,), device=z.device)
        return self.decode(z, c=c, y=y).mean

    def conditions(self) -> Mapping[str, int]:
        """The class by the name of its factor, and what the prior of z tells apart."""
        return {self.label: self.classes, **super().conditions()}

    def _decoded(self, n: int, condition: Mapping[str, int], c: Tensor | None) -> Tensor:
        rest = {name: value for name, value in condition.items() if name != self.label}
        z = cast(Prior, self.prior).sample_given(n, rest)
        y = torch.randint(self.classes, (n,), device=z.device)
        if self.label in condition:
            y = repeated(condition[self.label], n, z)
        return self.decode(z, c=c, y=y).mean

    def bound(self, batch: Batch | Observations, y: Tensor) -> Tensor:
        r""":math:`\mathcal{L}(x, y)`, ``(B,)``, for one-hot classes ``(B, classes)``."""
        t = self.model.trace(Batch.of(batch), y=y)
        return self._cost(t, Loss(kl=kl(t.q, t.prior, t.z)))

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: labelled bound, unlabelled bound, classification."""
        batch = FewLabels.check(batch)
        t = self.model.trace(batch.labelled, y=one_hot(batch.yl, self.classes))
        labelled = self._cost(t, self.penalty(t, ctx))
        q = self.classify(batch.unlabelled)
        versions, y = self._every_class(batch.unlabelled)
        t = self.model.trace(versions, y=y)
        penalty = self.penalty(t, Context(ctx.step, self.classes * ctx.size))
        each = self._cost(t, penalty).reshape(self.classes, len(batch.x)).mT
        unlabelled = (q.probs * each).sum(1) - q.entropy()
        yield {
            "m2": Loss(
                labelled=(at(self.labelled, ctx.step), labelled),
                unlabelled=unlabelled,
                classification=(
                    at(self.alpha, ctx.step),
                    -self.classify(batch.labelled).log_prob(batch.yl),
                ),
            )
        }

    def _cost(self, t: Trace, penalty: Terms) -> Tensor:
        """Negative log-likelihood of x and y, with a penalty's terms, ``(B,)``."""
        return (Loss(nll=math.log(self.classes) - t.p.log_prob(t.x)) + penalty).per_example()

    def begin(self, batches: Iterable[Batch]) -> None:
        """A look at the labels, and the prior's start."""
        self.check(batches)
        super().begin(batches)

    def codes_to_start_from(self, batch: Batch) -> Tensor:
        """Means of the marginal posteriors of the unlabelled part."""
        batch = FewLabels.check(batch)
        return self.represent(batch.unlabelled).mean

    def _every_class(self, batch: Batch) -> tuple[Images, Tensor]:
        """Each example under each class, classes slowest: ``(K B, ...)`` and ``(K B, K)``."""
        x, c = batch.tensor, batch.c
        eye = torch.eye(self.classes, device=x.device)
        y = eye.unsqueeze(1).expand(-1, len(x), -1).flatten(0, 1)
        repeated = x.repeat(self.classes, *[1] * (x.ndim - 1))
        return Images(repeated, None if c is None else c.repeat(self.classes, 1)), y

    def _under_every_class(self, batch: Batch) -> Distribution:
        versions, y = self._every_class(batch)
        q = self.model.represent(versions, y=y)
        shape = (self.classes, len(batch.x), -1)
        loc, scale = (m.reshape(shape).transpose(0, 1) for m in (q.mean, q.stddev))
        return diagonal_normal(loc, scale)
