"""Clustering VAEs: their base class, with a stage of autoencoding before the mixture."""

from __future__ import annotations

from ..data.batches import Batch
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Moves, Stage
from .model import Model
from .penalty import Penalty
from .vae import VAE

__all__ = ["ClusteringVAE"]


class ClusteringVAE(VAE):
    """A VAE that may be an autoencoder first, so that its prior starts from codes with clusters.

    Args:
        model: Encoder, decoder and the prior that has clusters.
        pretrain: Whether to begin with a stage ``pretrain``, in which posterior means are decoded
            without noise and the prior plays no part.
        penalty: The regularizer; the KL divergence by default.
        optimizer: Of all parameters; called with them.
    """

    def __init__(
        self,
        model: Model,
        *,
        pretrain: bool = False,
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        self.pretrain = pretrain

    def stages(self) -> tuple[Stage, ...]:
        """Perhaps an autoencoder, then the VAE."""
        stages = super().stages()
        return (Stage("pretrain", self.reconstruct), *stages) if self.pretrain else stages

    def reconstruct(self, batch: Batch, ctx: Context) -> Moves:
        """One turn of an autoencoder: the posterior's mean is decoded."""
        images, q = self.infer(batch)
        p = self.decode(q.mean, c=images.c)
        yield {"vae": Loss(nll=-p.log_prob(images.x))}
