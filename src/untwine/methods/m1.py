"""M1: features without labels, then a classifier on the few that have them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical
from torch.optim import Adam

from ..checks import check_scale
from ..data.batches import Batch, FewLabels
from ..data.space import Factor
from ..distributions import Likelihood, Posterior, Prior
from ..nets import Architecture
from .label_checks import check_batches
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Observations, Player, Stage
from .model import Model
from .penalty import Penalty
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["CLASSIFIERS", "M1", "classify_codes", "standardize_by"]

Classifier = Literal["logistic", "svm", "self_training", "spreading"]
CLASSIFIERS = ("logistic", "svm", "self_training", "spreading")
_ROUNDS = 10  # of self-training
_EXAMPLES = 5000  # that means and scales of features are measured on


class M1(VAE):
    r"""A VAE, and a classifier of its frozen codes that is trained on few labels.

    Stage ``features`` is the VAE of the unlabelled examples. Stage ``classifier`` is
    multinomial logistic regression on the posterior means,

    .. math::
        \min_{W, b} \; \overline{-\log \mathrm{softmax}(W \tilde\mu(x_l) + b)_{y_l}}
        + \tfrac{\lambda}{2} \|W\|^2, \qquad \tilde\mu_j = \frac{\mu_j - m_j}{s}

    with :math:`m_j` the mean of code j over the data and :math:`s` one scale for all codes, so
    that a code that is not in use stays small. `classify_codes` fits other classifiers: an RBF SVM
    and two transductive ones.

    Args:
        model: Encoder, decoder and prior, see `Model`.
        classifier: ``(B, D) -> (B, classes)`` logits; linear by default.
        label: The factor that is the class.
        penalty: The VAE's regularizer, see `VAE`.
        decay: :math:`\lambda`, of the classifier's weights (not its biases).
        optimizer: Of the VAE.
        classifier_optimizer: Of the classifier.

    References:
        Kingma, Rezende, Mohamed, Welling, "Semi-supervised Learning with Deep Generative Models",
        2014, https://arxiv.org/abs/1406.5298, section 2.1 (M1, latent-feature discriminative
        model).

    Deviations:
        The features are posterior means, not samples. The paper's transductive SVM is not
        in scikit-learn; self-training of an RBF SVM and label spreading stand in its place.
    """

    supervision = FewLabels

    def __init__(
        self,
        model: Model,
        classifier: nn.Module,
        label: Factor,
        *,
        penalty: Penalty | None = None,
        decay: float = 1e-2,
        optimizer: MakeOptimizer = partial(Adam, lr=3e-4, fused=True),
        classifier_optimizer: MakeOptimizer = partial(Adam, lr=1e-2, fused=True),
    ) -> None:
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        self.classifier, self.classes, self.label = classifier, label.size, label.name
        check_scale("decay", decay, zero=True)
        self.decay = decay
        self.classifier_optimizer = classifier_optimizer
        self.register_buffer("shift", torch.zeros(model.latent_dim))
        self.register_buffer("scale", torch.ones(()))

    shift: Tensor
    scale: Tensor

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
        """The VAE's parts, and a linear classifier.

        Args:
            data: What the method will learn from.
            latent_dim: The number of features.
            label: Name of the factor that is the class; by default the first.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: The family of q(z|x); independent Gaussians by default.
            prior: p(z), any `Prior`; the standard normal by default.
        """
        factor = data.space.factor(label)
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {
            "model": model,
            "classifier": nn.Linear(latent_dim, factor.size),
            "label": factor,
        }

    def sampler(self) -> Sampler:
        """Unlabelled examples, and examples labelled with the class factor."""
        from ..data import FewLabelsSampler

        return FewLabelsSampler(label=self.label)

    def players(self) -> Mapping[str, Player]:
        """The VAE, and the classifier."""
        return {
            **super().players(),
            "classifier": Player((self.classifier,), self.classifier_optimizer),
        }

    def stages(self) -> tuple[Stage, ...]:
        """First the features, then the classifier of them."""
        return (
            Stage("features", self.moves, self.begin, players=("vae",)),
            Stage("classifier", self.discriminate, self._measure, players=("classifier",)),
        )

    def features(self, batch: Batch | Observations) -> Tensor:
        """Posterior means as the classifier takes them, ``(B, D)``, centered and scaled."""
        return (self.represent(batch).mean - self.shift) / self.scale

    def classify(self, batch: Batch | Observations, c: Tensor | None = None) -> Categorical:
        """The classifier's q(y|x)."""
        logits = self.classifier(self.features(Batch.of(batch, c)))
        return Categorical(logits=logits.float(), validate_args=False)

    def discriminate(self, batch: Batch, ctx: Context) -> Moves:
        """Second stage: the classifier alone, on the labelled part."""
        batch = FewLabels.check(batch)
        with torch.no_grad():
            features = self.features(batch.labelled)
        logits = self.classifier(features)
        nll = nn.functional.cross_entropy(logits, batch.yl, reduction="none")
        weights = [p for p in self.classifier.parameters() if p.ndim > 1]
        size = torch.stack([(p**2).sum() for p in weights]).sum()
        yield {"classifier": Loss(nll=nll, size=(0.5 * self.decay, size))}

    def begin(self, batches: Iterable[Batch]) -> None:
        """A look at the labels, and the prior's start."""
        check_batches(batches, [self.label], [self.classes])
        super().begin(batches)

    def _measure(self, batches: Iterable[Batch]) -> None:
        self.shift, self.scale = standardize_by(self.codes_to_start_from, batches)


@torch.no_grad()
def standardize_by(
    codes: Callable[[Batch], Tensor], batches: Iterable[Batch]
) -> tuple[Tensor, Tensor]:
    """The mean of codes ``(D,)``, and the largest of their standard deviations, of the first few
    thousand examples.
    """
    seen: list[Tensor] = []
    for batch in batches:
        seen.append(codes(batch))
        if sum(map(len, seen)) >= _EXAMPLES:
            break
    z = torch.cat(seen)
    return z.mean(0), z.std(0).max().clamp(min=1e-6)


def classify_codes(
    codes: Any,
    labels: Any,
    classifier: Classifier = "svm",
    *,
    unlabelled: Any = None,
) -> Callable[[Any], np.ndarray]:
    """Fits a classifier of codes on the few that have labels, with scikit-learn.

    ``"logistic"`` is multinomial logistic regression (C = 1). ``"svm"`` is a support vector machine
    with a radial kernel (C = 10, gamma = "scale"). The other two are transductive, and learn from
    unlabelled codes too: ``"self_training"`` is that machine, which in ten rounds takes for
    labelled those codes of each class that are furthest from its borders, in the proportions that
    the classes have among the labels; ``"spreading"`` passes labels along a graph of the 7 nearest
    neighbors (``LabelSpreading``, alpha 0.99), and gives a new code the label of its neighbors. A
    transductive SVM is not in scikit-learn.

    Codes are centered by column and divided by one scale, the largest standard deviation.

    Args:
        codes: Of the labelled examples, ``(L, D)``.
        labels: Their classes, ``(L,)`` integers.
        classifier: One of the four.
        unlabelled: Codes without labels, ``(N, D)``, for the transductive ones.

    Returns:
        ``(M, D)`` codes to ``(M,)`` classes.

    Raises:
        ValueError: for another word, for labels that are unknown or all the same, and for a
            transductive classifier without unlabelled codes.

    Example:
        >>> codes = np.array([[0.0, 0.0], [0.1, 0.0], [1.0, 1.0], [1.0, 0.9]])
        >>> predict = classify_codes(codes, [0, 0, 1, 1], "logistic")
        >>> predict([[0.9, 0.9]]).tolist()
        [1]
    """
    if classifier not in CLASSIFIERS:
        raise ValueError(
            f"classifier is {classifier!r}; expected one of {', '.join(map(repr, CLASSIFIERS))}"
        )
    z, y = np.asarray(codes, np.float64), np.asarray(labels)
    if y.ndim != 1 or len(y) != len(z):
        raise ValueError(f"labels has shape {y.shape} for {len(z)} codes; expected ({len(z)},)")
    if (y < 0).any() or len(np.unique(y)) < 2:
        raise ValueError(
            "a classifier needs known labels of at least two classes, got "
            f"{sorted(set(y.tolist()))[:10]}: leave out rows whose label is -1"
        )
    transductive = classifier in ("self_training", "spreading")
    if transductive and unlabelled is None:
        raise ValueError(f"classifier {classifier!r} learns from unlabelled codes too: give them")
    every = z if unlabelled is None else np.concatenate([z, np.asarray(unlabelled, np.float64)])
    center, scale = every.mean(0), max(every.std(0).max(), 1e-12)
    every, z = (every - center) / scale, (z - center) / scale
    partly = np.concatenate([y, np.full(len(every) - len(y), -1)])
    fitted = _fit(classifier, *((every, partly) if transductive else (z, y)))
    return lambda new: fitted.predict((np.asarray(new, np.float64) - center) / scale)


def _fit(classifier: str, z: np.ndarray, y: np.ndarray) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.semi_supervised import LabelSpreading
    from sklearn.svm import SVC

    if classifier == "logistic":
        return LogisticRegression(max_iter=2000).fit(z, y)
    if classifier == "spreading":
        spreading = LabelSpreading(kernel="knn", n_neighbors=7, alpha=0.99, max_iter=1000)
        with warnings.catch_warnings():  # what is left to spread is far below what decides
            warnings.simplefilter("ignore", ConvergenceWarning)
            return spreading.fit(z, y)
    machine = SVC(C=10.0).fit(z[y >= 0], y[y >= 0])
    return machine if (y >= 0).all() else _self_trained(machine, z, y.copy())


def _self_trained(machine: Any, z: np.ndarray, y: np.ndarray) -> Any:
    """Ten rounds; in each the surest codes of every class join the labelled ones.

    Classes grow in the proportions that they have among the labels, as in a transductive SVM:
    otherwise the one with the widest margins takes all.
    """
    classes, counts = np.unique(y[y >= 0], return_counts=True)
    quota = np.maximum(1, np.round(counts / counts.sum() * (y < 0).sum() / _ROUNDS)).astype(int)
    for _ in range(_ROUNDS):
        rows = np.flatnonzero(y < 0)
        if not len(rows):
            break
        found, score = machine.predict(z[rows]), machine.decision_function(z[rows])
        margin = np.abs(score) if score.ndim == 1 else np.diff(np.sort(score)[:, -2:])[:, 0]
        order = np.argsort(-margin, kind="stable")
        for value, most in zip(classes, quota, strict=True):
            y[rows[order[found[order] == value][:most]]] = value
        machine.fit(z[y >= 0], y[y >= 0])
    return machine
