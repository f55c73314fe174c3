"""QLAE: an autoencoder whose code takes one of a few learned values in each dimension."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from torch.optim import Adam, AdamW

from ..data.batches import Batch
from ..distributions import (
    Conditional,
    GridPrior,
    Likelihood,
    Posterior,
    Prior,
    Quantized,
    Quantizer,
    ScalarCodebooks,
)
from ..functional import Schedule, at
from ..nets import Architecture
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Player
from .model import Model
from .penalty import Penalty, Terms, Trace
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["QLAE", "Quantization"]


class Quantization(Penalty):
    r"""Draws the codebooks to the codes, and the codes to the codebooks.

    .. math::
        P \, \frac1D \sum_j \lambda_q \, (\mathrm{sg}[h_j] - z_j)^2
        + \lambda_c \, (h_j - \mathrm{sg}[z_j])^2

    where h is the code before it is quantized, z the nearest values *before* the straight-through
    step (after it the codebooks would have no gradient), sg stops gradients, and P is the number of
    values of an observation: weights are relative to a log-likelihood that is averaged over them,
    as published, and so the same for images of any size.

    Args:
        codebook: :math:`\lambda_q`.
        commitment: :math:`\lambda_c`.

    References:
        Hsu, Dorrell, Whittington, Wu, Finn, "Disentanglement via Latent Quantization", 2023,
        https://arxiv.org/abs/2305.18378; after van den Oord, Vinyals, Kavukcuoglu, "Neural Discrete
        Representation Learning", 2017, https://arxiv.org/abs/1711.00937, equation 3.
    """

    def __init__(
        self, codebook: float | Schedule = 0.001, commitment: float | Schedule = 0.001
    ) -> None:
        self.codebook, self.commitment = codebook, commitment

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """``codebook`` and ``commitment``, each the mean of squares over dimensions.

        Raises:
            TypeError: if the code is not quantized.
        """
        if not isinstance(t.q, Quantized):
            raise TypeError(
                f"this code is a {type(t.q).__name__}, which is not quantized: build the method "
                "with posterior=ScalarCodebooks(latent_dim)"
            )
        count = t.x[0].numel()
        h, z = t.q.continuous, t.q.nearest
        return Loss(
            codebook=(count * at(self.codebook, ctx.step), ((h.detach() - z) ** 2).mean(-1)),
            commitment=(count * at(self.commitment, ctx.step), ((h - z.detach()) ** 2).mean(-1)),
        )


class QLAE(VAE):
    r"""Quantized-latent autoencoder: a learned codebook of numbers for each dimension.

    .. math::
        \mathcal{L}(x) = -\log p(x|z) + P \, \frac1D \sum_j \lambda_q \, (\mathrm{sg}[h_j] - z_j)^2
        + \lambda_c \, (h_j - \mathrm{sg}[z_j])^2,
        \qquad z_j = \arg\min_{e \in E_j} |h_j - e|

    with h what the encoder says and P the number of values of x. The decoder's gradient passes the
    quantization as if it were the identity. Every value is used for many codes, so the decoder has
    to give it one meaning; strong weight decay makes that meaning simple.

    The paper takes twice as many dimensions as there are sources.

    Args:
        model: Encoder, decoder and prior, see `Model`; the posterior a `Quantizer`.
        codebook: :math:`\lambda_q`, relative to a log-likelihood averaged over the values of x;
            0.001 in the released settings of dSprites and Shapes3D, 0.01 where its sweeps begin.
        commitment: :math:`\lambda_c`, likewise.
        optimizer: Of the networks; called with their parameters.
        codebook_optimizer: Of the codebooks, which do not decay; called with them.

    Raises:
        TypeError: if the model's posterior is no `Quantizer`.

    References:
        Hsu, Dorrell, Whittington, Wu, Finn, "Disentanglement via Latent Quantization", 2023,
        https://arxiv.org/abs/2305.18378; weights and rates as in the code released with it,
        https://github.com/kylehkhsu/latent_quantization

    Deviations:
        Losses are sums over an image's values, not means: P times those of the paper, to which Adam
        is indifferent. Biases decay like weights (there they do not), single gradients are not
        clipped at 1, and any architecture is taken, where the released one has a decoder that is
        modulated by the code.
    """

    def __init__(
        self,
        model: Model,
        *,
        codebook: float | Schedule = 0.001,
        commitment: float | Schedule = 0.001,
        optimizer: MakeOptimizer = partial(AdamW, lr=1e-3, weight_decay=0.1, fused=True),
        codebook_optimizer: MakeOptimizer = partial(Adam, lr=1e-3, fused=True),
    ) -> None:
        super().__init__(model, penalty=Quantization(codebook, commitment), optimizer=optimizer)
        quantizer_of(model)
        self.codebook, self.commitment = codebook, commitment
        self.codebook_optimizer = codebook_optimizer

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        values: int = 10,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> dict[str, object]:
        """The model that fits a data set's observations; see `Model.of`.

        Args:
            data: What the method will learn from.
            latent_dim: :math:`D`, the number of code dimensions.
            values: Entries of each dimension's codebook.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: By default `ScalarCodebooks` of so many values.
            prior: By default `GridPrior`, every combination of values equally likely.
        """
        posterior = ScalarCodebooks(latent_dim, values) if posterior is None else posterior
        prior = GridPrior(latent_dim) if prior is None else prior
        return super().parts(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )

    def players(self) -> Mapping[str, Player]:
        """The networks and, where the values are learned, the codebooks."""
        encoder, head = self.model.encoder, quantizer_of(self.model)
        rest = [part for part in encoder.children() if part is not head]
        networks = Player((*rest, self.model.decoder, self.model.prior), self.optimizer)
        if not any(True for _ in head.parameters()):
            return {"autoencoder": networks}
        return {
            "autoencoder": networks,
            "codebooks": Player((head,), self.codebook_optimizer),
        }

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """Networks and codebooks at once."""
        t = self.trace(batch)
        loss = Loss(nll=-t.p.log_prob(t.x)) + self.penalty(t, ctx)
        yield {tuple(self.players()): loss}


def quantizer_of(model: Model) -> Quantizer:
    """The quantizing head of a model's encoder.

    Raises:
        TypeError: if its encoder has another head.
    """
    head = model.encoder.head if isinstance(model.encoder, Conditional) else None
    if not isinstance(head, Quantizer):
        raise TypeError(
            f"the encoder's head is a {type(head).__name__}; expected one that quantizes: "
            "posterior=ScalarCodebooks(latent_dim) or posterior=FiniteScalar()"
        )
    return head
