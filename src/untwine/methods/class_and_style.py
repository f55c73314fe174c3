"""Adversarial autoencoders with a class and a style: their base class, phases and samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution

from ..data.batches import Batch, FewLabels, Images
from ..data.space import Factor
from ..distributions import Blocks, OneHot
from ..functional import Schedule, at, one_hot
from .conditions import repeated
from .divergences import ADVERSARIAL_ADAM, Adversarial
from .label_checks import check_batches
from .loss import Loss, Terms
from .method import ADAM, Context, MakeOptimizer, Moves, Observations, Player, Stage
from .model import Model
from .swaps import Swaps
from .vae import ModelMethod

if TYPE_CHECKING:
    from ..data import Sampler

__all__ = ["ClassAndStyle", "WithFewLabels"]


class ClassAndStyle(ModelMethod, Swaps):
    """An adversarial autoencoder whose encoder tells a class and a style.

    A critic for each tells what the encoder says from a sample of its prior. What the decoder is
    given of the two is said by `join`.

    Args:
        model: Encoder, decoder and prior, see `Model`.
        class_critic: ``y -> (B, 1)``; by default what ``adversarial`` makes.
        style_critic: ``s -> (B, 1)``, likewise.
        adversarial: Form, noise and size of the critics.
        optimizer: Of encoder and decoder, reconstruction; called with their parameters.
        critic_optimizer: Of the critics, regularization.
        encoder_optimizer: Of the encoder, regularization.
    """

    supervision: ClassVar[type[Batch]] = Images
    of_rows, of_columns = "style", "class"

    def __init__(
        self,
        model: Model,
        class_critic: nn.Module | None = None,
        style_critic: nn.Module | None = None,
        *,
        adversarial: Adversarial | None = None,
        optimizer: MakeOptimizer = ADAM,
        critic_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
        encoder_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
    ) -> None:
        super().__init__(model)
        self.adversarial = Adversarial() if adversarial is None else adversarial
        of_class, of_style = self.priors()
        (self.classes,), (self.style_dim,) = of_class.event_shape, of_style.event_shape
        make = self.adversarial.critic
        self.class_critic = make(self.classes) if class_critic is None else class_critic
        self.style_critic = make(self.style_dim) if style_critic is None else style_critic
        self.optimizer, self.critic_optimizer = optimizer, critic_optimizer
        self.encoder_optimizer = encoder_optimizer

    def priors(self) -> tuple[Distribution, Distribution]:
        """Of class and style."""
        prior = self.prior()
        if not (isinstance(prior, Blocks) and set(prior.names) == {"class", "style"}):
            raise TypeError(
                f"the model's prior is a {type(prior).__name__}; expected one of the blocks "
                "'class' and 'style': BlocksPrior({'class': ..., 'style': ...})"
            )
        return prior["class"], prior["style"]

    def posteriors(self, batch: Batch | Observations) -> tuple[OneHot, Distribution]:
        """q(y|x) and q(s|x)."""
        q = cast(Blocks, self.represent(batch))
        return cast(OneHot, q["class"]), q["style"]

    def join(self, y: Tensor, style: Tensor) -> Tensor:
        """What the decoder is given of classes ``(B, K)``, soft or one-hot, and styles."""
        return torch.cat([y, style], -1)

    def players(self) -> Mapping[str, Player]:
        """Autoencoder, critics, and the autoencoder's encoder once more."""
        return {
            "autoencoder": Player((self.model,), self.optimizer),
            "critics": Player((self.class_critic, self.style_critic), self.critic_optimizer),
            "encoder": Player((self.model.encoder,), self.encoder_optimizer),
        }

    def stages(self) -> tuple[Stage, ...]:
        """One; a prior that starts from codes is given some before the first move."""
        return (Stage("fit", self.moves, self.begin),)

    def represent(self, batch: Batch | Observations) -> Distribution:
        """The code of observations."""
        return self.model.represent(Batch.of(batch))

    @torch.no_grad()
    def cluster(self, batch: Batch | Observations, c: Tensor | None = None) -> Tensor:
        """q(y|x), ``(B, K)``."""
        return self.posteriors(Batch.of(batch, c))[0].mean

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(x|z) of codes ``(B, D)``; with classes ``y``, ``(B,)``, of styles under them."""
        if y is not None:
            z = self.join(one_hot(y, self.classes).to(z.dtype), z)
        return self.model.decode(z, c=c)

    def take_apart(self, batch: Batch | Observations) -> Mapping[str, Tensor]:
        """The probabilities of classes, ``class``, and the mean of the style, ``style``."""
        q, style = self.posteriors(batch)
        return {"style": style.mean, "class": q.mean}

    def put_together(self, parts: Mapping[str, Tensor], c: Tensor | None = None) -> Distribution:
        """p(x|y,s) of such parts."""
        return self.model.decode(self.join(parts["class"], parts["style"]), c=c)

    @torch.no_grad()
    def sample(self, n: int, *, c: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        """``(n, ...)`` means of p(x|y,s) for styles drawn from their prior.

        Args:
            n: How many.
            c: Covariates, ``(n, C)``, where there are any.
            y: Classes, ``(n,)``; drawn from their prior where they are not given.
        """
        of_class, of_style = self.priors()
        classes = of_class.sample((n,)) if y is None else one_hot(y, self.classes)
        style = of_style.sample((n,))
        return self.model.decode(self.join(classes.to(style.dtype), style), c=c).mean

    def conditions(self) -> Mapping[str, int]:
        """The class: by the name of its factor where some have labels, else ``class``."""
        return {self.label or "class": self.classes}

    def _decoded(self, n: int, condition: Mapping[str, int], c: Tensor | None) -> Tensor:
        like = next(self.parameters())
        y = repeated(next(iter(condition.values())), n, like) if condition else None
        return self.sample(n, c=c, y=y)

    @torch.no_grad()
    def heads(self) -> Tensor:
        """``(K, ...)``: the image of each class at the mean of the styles' prior."""
        _, of_style = self.priors()
        style = of_style.mean.expand(self.classes, -1)
        return self.model.decode(self.join(torch.eye(self.classes).to(style), style)).mean

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """Reconstruction, one turn; regularization, two: critics and encoder."""
        yield {"autoencoder": Loss(nll=self.nll(batch)) + self.of_heads(ctx)}
        yield from self.regularization(batch)

    def nll(self, batch: Batch, y: Tensor | None = None) -> Tensor:
        """Negative log-likelihood, ``(B,)``, of what is decoded from what was encoded.

        Args:
            batch: Observations, with their covariates.
            y: Their classes, one-hot ``(B, K)``, in the place of those that the encoder tells.
        """
        q, style = self.posteriors(batch)
        z = self.join(q.mean if y is None else y, style.rsample())
        return -self.model.decode(z, c=batch.c).log_prob(batch.tensor)

    def of_heads(self, ctx: Context) -> Terms:
        """Terms of the reconstruction that are about no example; none here."""
        return {}

    def regularization(self, batch: Batch) -> Moves:
        """The critics' turn, then that of the encoder, which is to fool them."""
        q, style = self.posteriors(batch)
        y, s = q.mean, style.rsample()
        of_class, of_style = self.priors()
        with torch.no_grad():
            real_y, real_s = of_class.sample((len(y),)), of_style.sample((len(s),))
        judge, fool = self.adversarial.critic_loss, self.adversarial.fooling
        of_y = judge(self.class_critic, real_y, y.detach()).suffix("_class")
        of_s = judge(self.style_critic, real_s, s.detach()).suffix("_style")
        yield {"critics": of_y + of_s}
        yield {
            "encoder": Loss(
                fooling_class=fool(self.class_critic, y), fooling_style=fool(self.style_critic, s)
            )
        }


class WithFewLabels(ClassAndStyle):
    """One that is told the class of some examples.

    Its third phase is classification: the encoder minimizes the cross entropy of the labels.
    """

    supervision = FewLabels
    label: str
    labelled: float | Schedule
    classifier_optimizer: MakeOptimizer

    def sampler(self) -> Sampler:
        """Unlabelled examples, and examples labelled with the class factor."""
        from ..data import FewLabelsSampler

        return FewLabelsSampler(label=self.label)

    def named(self, label: Factor) -> str:
        """The label's name.

        Raises:
            ValueError: if the model has another number of classes than the factor has values.
        """
        if label.size != self.classes:
            raise ValueError(
                f"the model has {self.classes} classes, but factor {label.name!r} has "
                f"{label.size} values"
            )
        return label.name

    def players(self) -> Mapping[str, Player]:
        """Those of the phases without labels, and the encoder a third time."""
        classifier = Player((self.model.encoder,), self.classifier_optimizer)
        return {**super().players(), "classifier": classifier}

    def begin(self, batches: Iterable[Batch]) -> None:
        """A look at the labels, and the prior's start.

        Raises:
            ValueError: for labels that are no classes.
        """
        check_batches(batches, [self.label], [self.classes])
        super().begin(batches)

    def codes_to_start_from(self, batch: Batch) -> Tensor:
        """The codes of the unlabelled part."""
        return self.represent(FewLabels.check(batch).unlabelled).mean

    def classify(self, batch: Batch | Observations, c: Tensor | None = None) -> Categorical:
        """q(y|x)."""
        q, _ = self.posteriors(Batch.of(batch, c))
        return Categorical(logits=q.logits, validate_args=False)

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """Reconstruction, regularization, and classification."""
        batch = FewLabels.check(batch)
        y = one_hot(batch.yl, self.classes).to(batch.xl.dtype)
        labelled = self.nll(batch.labelled, y)
        loss = Loss(
            nll=self.nll(batch.unlabelled), nll_labelled=(at(self.labelled, ctx.step), labelled)
        )
        yield {"autoencoder": loss + self.of_heads(ctx)}
        yield from self.regularization(batch.unlabelled)
        q, _ = self.posteriors(batch.labelled)
        yield {"classifier": Loss(classification=-(y * q.logits).sum(-1))}
