"""VAE with few labels: code dimensions tied to factors by a supervised loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor

from ..data.batches import Batch, FewLabels
from ..data.space import Factor
from ..distributions import Likelihood, Posterior, Prior
from ..functional import (
    Schedule,
    at,
    label_covariance,
    label_cross_entropy,
    label_squares,
)
from ..nets import Architecture
from .label_checks import check_batches
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Moves
from .model import Model
from .penalty import Penalty
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["FewLabelsVAE"]

Supervised = Literal["cross_entropy", "squares", "covariance"]
_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "cross_entropy": label_cross_entropy,
    "squares": label_squares,
    "covariance": label_covariance,
}


class FewLabelsVAE(VAE):
    r"""Any unsupervised penalty, and a supervised one on a few labelled examples.

    .. math::
        \overline{-\log p(x|z)} + \text{penalty}
        + \gamma \, \overline{R_s(\mu(x_l), y_l)}, \qquad
        R_s = -\sum_{k=1}^{K} v_k \log \sigma(\mu_k) + (1 - v_k) \log (1 - \sigma(\mu_k))

    with :math:`v_k = y_k / n_k` for factor k of :math:`n_k` values, whose code is dimension k. With
    :math:`\gamma = 0` it is the unsupervised method.

    Args:
        model: Encoder, decoder and prior, see `Model`.
        labels: The labelled factors; the first codes are theirs.
        penalty: The unsupervised regularizer, see `VAE`.
        gamma: :math:`\gamma`, the weight of the supervised one; a number or a schedule.
        supervised: :math:`R_s`: ``"cross_entropy"`` as above, ``"squares"``
            (:math:`\sum_k (\sigma(\mu_k) - v_k)^2`) or ``"covariance"``
            (:math:`\sum_{j \ne k} \mathrm{Cov}(\mu_j, v_k)^2`).
        optimizer: Called with the parameters.

    Raises:
        ValueError: for more labelled factors than codes, and for an unknown word.

    References:
        Locatello, Tschannen, Bauer, Rätsch, Schölkopf, Bachem, "Disentangling Factors of Variation
        Using Few Labels", 2020, https://arxiv.org/abs/1905.01258, section 4.

    Deviations:
        The supervised term is averaged over the labelled batch, like every other term; the
        authors' code sums it, so that its weight is ours divided by the size of that batch.
        Covariances are of values in [0, 1], in the authors' code of integers.
    """

    supervision = FewLabels

    def __init__(
        self,
        model: Model,
        labels: Sequence[Factor],
        *,
        penalty: Penalty | None = None,
        gamma: float | Schedule = 16.0,
        supervised: Supervised = "cross_entropy",
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        if supervised not in _LOSSES:
            raise ValueError(
                f"supervised is {supervised!r}; expected one of {', '.join(map(repr, _LOSSES))}"
            )
        self.labels = tuple(factor.name for factor in labels)
        self.gamma, self.supervised = gamma, supervised
        sizes = torch.tensor([factor.size for factor in labels])
        self.register_buffer("sizes", sizes, persistent=False)

    sizes: Tensor

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        label: str | Sequence[str] = "*",
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> dict[str, object]:
        """The VAE's parts, and which factors have labels.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions, at least as many as labelled factors.
            label: Names of the labelled factors, one or a list; ``"*"`` means all.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: The family of q(z|x); independent Gaussians by default.
            prior: p(z), any `Prior`; the standard normal by default.
        """
        names = data.space.names if label == "*" else label
        names = (names,) if isinstance(names, str) else tuple(names)
        if not names:
            raise ValueError("there are no factors to be labelled: the data has none, or label")
        if len(names) > latent_dim:
            raise ValueError(
                f"{len(names)} factors have labels, but latent_dim is {latent_dim}: each needs a "
                "code of its own; raise latent_dim, or name fewer factors as label"
            )
        factors = [data.space.factor(name) for name in names]
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {"model": model, "labels": factors}

    def sampler(self) -> Sampler:
        """Unlabelled examples, and others drawn at random whose labels are given."""
        from ..data import FewLabelsSampler

        return FewLabelsSampler(label=self.labels, balanced=False, known="any")

    def begin(self, batches: Iterable[Batch]) -> None:
        """A look at the labels, and the prior's start."""
        check_batches(batches, self.labels, self.sizes.tolist(), unknown=True)
        super().begin(batches)

    def conditions(self) -> Mapping[str, int]:
        """The labelled factors, whose dimensions are known, and what the prior tells apart.

        With ``supervised="covariance"`` a dimension has no scale, and none can be given.
        """
        factors = dict(zip(self.labels, self.sizes.tolist(), strict=True))
        known = {} if self.supervised == "covariance" else factors
        return {**super().conditions(), **known}

    def _decoded(self, n: int, condition: Mapping[str, int], c: Tensor | None) -> Tensor:
        rest = {name: value for name, value in condition.items() if name not in self.labels}
        z = cast(Prior, self.prior).sample_given(n, rest)
        for k, (name, size) in enumerate(zip(self.labels, self.sizes.tolist(), strict=True)):
            if name in condition:
                z[:, k] = self.code_of(condition[name], size)
        return self.decode(z, c=c).mean

    def code_of(self, value: int, size: int) -> float:
        r"""What the dimension of a factor of ``size`` values is told to be at one of them.

        That is :math:`v = y / n` with squares, and :math:`\mathrm{logit}(v)` with the cross
        entropy; there the first value's would be minus infinity, and is that of half a step.
        """
        if self.supervised == "squares":
            return value / size
        share = max(value, 0.5) / size
        return math.log(share / (1 - share))

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: the unsupervised loss of the one part, the supervised one of the other."""
        batch = FewLabels.check(batch)
        t = self.trace(batch)
        labels = batch.yl.reshape(len(batch.yl), -1)
        if labels.shape[1] != len(self.labels):
            raise ValueError(
                f"the batch has {labels.shape[1]} labels for each example, but the method's are "
                f"{list(self.labels)}: give fit sampler=FewLabelsSampler(label=...) these names"
            )
        codes = self.represent(batch.labelled).mean
        supervised = _LOSSES[self.supervised](codes, labels, self.sizes)
        few = Loss(supervised=(at(self.gamma, ctx.step), supervised))
        yield {"vae": Loss(nll=-t.p.log_prob(t.x)) + self.penalty(t, ctx) + few}
