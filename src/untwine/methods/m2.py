"""M2: a VAE whose class is a latent variable, observed for some."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily
from torch.optim import Adam, Optimizer

from ..data.batches import FewLabels
from ..distributions import Likelihood, Posterior, Prior, VampPrior
from ..functional import Schedule, at, kl, one_hot
from ..nets import Architecture, default_architecture
from .method import Context, Loss, Method, Moves, Player, Stage
from .penalty import KL, Penalty, Terms, Trace
from .swaps import Swaps, every_pair
from .vae import autoencoder, fitting_prior, gathered

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["M2", "check_batches"]


class M2(Swaps, Method):
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
        encoder: ``(x, y as one-hot) -> q(z|x,y)``.
        decoder: ``(z, y as one-hot) -> p(x|y,z)``.
        prior: ``() -> p(z)``.
        classifier: ``x -> (B, classes)`` logits of q(y|x).
        classes: Number of classes.
        label: Name of the factor that is the class.
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
    of_rows, of_columns = "rest", "class"

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: nn.Module,
        classifier: nn.Module,
        classes: int,
        label: str,
        *,
        penalty: Penalty | None = None,
        alpha: float | Schedule = 10.0,
        labelled: float | Schedule = 1.0,
        optimizer: Callable[..., Optimizer] = partial(Adam, lr=3e-4, fused=True),
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.prior = encoder, decoder, prior
        self.classifier, self.classes, self.label = classifier, classes, label
        self.penalty = KL() if penalty is None else penalty
        self.alpha, self.labelled, self.optimizer = alpha, labelled, optimizer

    @classmethod
    def parts(
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        label: str | None = None,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> dict[str, Any]:
        """Networks that fit the data.

        Args:
            data: What the method will learn from.
            latent_dim: The number of continuous code dimensions.
            label: Name of the factor that is the class; by default the first.
            net: The architecture of encoder, decoder and classifier.
            likelihood: The family of p(x|y,z), see `VAE.parts`.
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
        label = data.space.names[0] if label is None else label
        classes = data.space.sizes[data.space.position(label)]
        encoder, decoder = autoencoder(data, latent_dim, net, likelihood, posterior, classes)
        return {
            "encoder": encoder,
            "decoder": decoder,
            "prior": fitting_prior(prior, latent_dim, data, encoder),
            "classifier": (net or default_architecture(data.shape)).encoder(data.shape, classes),
            "classes": classes,
            "label": label,
        }

    def sampler(self) -> Sampler:
        """Unlabelled examples, and examples labelled with the class factor."""
        from ..data import FewLabelsSampler

        return FewLabelsSampler(label=self.label)

    def players(self) -> Mapping[str, Player]:
        """One: everything moves together."""
        own = (self.encoder, self.decoder, self.prior, self.classifier)
        return {"m2": Player(own, self.optimizer)}

    def stages(self) -> tuple[Stage, ...]:
        """One, which begins with a look at the labels and gives the prior some codes."""
        return (Stage("fit", self.moves, self._begin),)

    def check(self, batches: Iterable[Any]) -> None:
        """Refuses labels that are no classes.

        Raises:
            ValueError: naming one.
        """
        check_batches(batches, [self.label], [self.classes])

    def represent(self, x: Tensor) -> Distribution:
        r"""The marginal posterior :math:`q(z|x) = \sum_y q(y|x) q(z|x,y)`, a mixture."""
        q = self._under_every_class(x)
        return MixtureSameFamily(self.classify(x), q, validate_args=False)

    def classify(self, x: Tensor) -> Categorical:
        """q(y|x)."""
        return Categorical(logits=self.classifier(x).float(), validate_args=False)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        """p(x|y,z); without classes ``y`` of shape ``(B,)``, with all of them in equal parts."""
        if y is None:
            return self.decoder(z, z.new_full((len(z), self.classes), 1 / self.classes))
        return self.decoder(z, one_hot(y, self.classes))

    def swap_grid(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Means of z of rows with the likeliest classes of columns, see `Swaps`."""

        def combine(row: Tensor, column: Tensor) -> Tensor:
            return self.decode(self.represent(row).mean, self.classify(column).probs.argmax(1)).mean

        return every_pair(combine, rows, columns)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """``(n, ...)`` means of p(x|y,z) for classes and codes drawn from their priors."""
        z = self.prior().sample((n,))
        return self.decode(z, torch.randint(self.classes, (n,), device=z.device)).mean

    def bound(self, x: Tensor, y: Tensor) -> Tensor:
        r""":math:`\mathcal{L}(x, y)`, ``(B,)``, for one-hot classes ``(B, classes)``."""
        t = self._trace(x, y)
        return self._cost(t, {"kl": kl(t.q, t.prior, t.z)})

    def moves(self, batch: Any, ctx: Context) -> Moves:
        """One turn: labelled bound, unlabelled bound, classification."""
        t = self._trace(batch.xl, one_hot(batch.yl, self.classes))
        labelled = self._cost(t, self.penalty(t, ctx))
        q = self.classify(batch.x)
        t = self._trace(*self._every_class(batch.x))
        penalty = self.penalty(t, Context(ctx.step, self.classes * ctx.size))
        each = self._cost(t, penalty).reshape(self.classes, len(batch.x)).mT
        unlabelled = (q.probs * each).sum(1) - q.entropy()
        yield {
            "m2": Loss(
                labelled=(at(self.labelled, ctx.step), labelled),
                unlabelled=unlabelled,
                classification=(
                    at(self.alpha, ctx.step),
                    -self.classify(batch.xl).log_prob(batch.yl),
                ),
            )
        }

    def _trace(self, x: Tensor, y: Tensor) -> Trace:
        q = self.encoder(x, y)
        z = q.rsample()
        return Trace(x, q, z, self.decoder(z, y), self.prior())

    def _cost(self, t: Trace, penalty: Terms) -> Tensor:
        """Negative log-likelihood of x and y, with a penalty's terms, ``(B,)``."""
        cost = math.log(self.classes) - t.p.log_prob(t.x)
        for term in penalty.values():
            weight, value = term if isinstance(term, tuple) else (1.0, term)
            cost = cost + weight * value
        return cost

    def _begin(self, batches: Iterable[Any]) -> None:
        self.check(batches)
        if isinstance(self.prior, Prior) and self.prior.starts:
            self.prior.start(gathered(self, lambda batch: self.represent(batch.x).mean, batches))

    def _every_class(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Each example under each class, classes slowest: ``(K B, ...)`` and ``(K B, K)``."""
        y = torch.eye(self.classes, device=x.device).repeat_interleave(len(x), 0)
        return x.repeat(self.classes, *[1] * (x.ndim - 1)), y

    def _under_every_class(self, x: Tensor) -> Distribution:
        from ..distributions import diagonal_normal

        q = self.encoder(*self._every_class(x))
        shape = (self.classes, len(x), -1)
        loc, scale = (m.reshape(shape).transpose(0, 1) for m in (q.mean, q.stddev))
        return diagonal_normal(loc, scale)


def check_batches(
    batches: Iterable[Any], names: Sequence[str], sizes: Sequence[int], unknown: bool = False
) -> None:
    """Refuses labels that do not fit, before training begins.

    Args:
        batches: Of `FewLabels`; the first one is looked at.
        names: Of the K factors.
        sizes: Their numbers of values.
        unknown: Whether -1 is accepted.

    Raises:
        ValueError: for a number of labels that is not K, and for a value that is no class, with
            its place.
    """
    labels = next(iter(batches)).yl
    table = labels.reshape(len(labels), -1)
    if table.shape[1] != len(names):
        raise ValueError(
            f"the batch has {table.shape[1]} labels for each example; expected those of "
            f"{list(names)}: FewLabelsSampler(label=...) gives them"
        )
    for name, size, column in zip(names, sizes, table.unbind(1), strict=True):
        wrong = (column >= size) | (column < (-1 if unknown else 0))
        if wrong.any():
            row = int(wrong.to(torch.int64).argmax())
            raise ValueError(
                f"labelled example {row} of the batch has the value {int(column[row])} of factor "
                f"{name!r}; expected 0 to {size - 1}"
                + (", or -1 for unknown" if unknown else ": leave out those that are unknown")
            )
