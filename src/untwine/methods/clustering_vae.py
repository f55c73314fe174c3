"""What the VAEs whose prior is made of clusters have in common: a stage before them."""

from __future__ import annotations

from typing import Any

from torch import nn

from .method import Context, Loss, Moves, Stage
from .vae import VAE

__all__ = ["ClusteringVAE"]


class ClusteringVAE(VAE):
    """A VAE that may be an autoencoder first, so that its prior starts from codes with clusters.

    Args:
        encoder: ``x -> q(z|x)``.
        decoder: ``z -> p(x|z)``.
        prior: The one with clusters.
        pretrain: Whether to begin with a stage ``pretrain``, in which posterior means are decoded
            without noise and the prior plays no part.
        **options: Passed to `VAE`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: nn.Module,
        *,
        pretrain: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(encoder, decoder, prior, **options)
        self.pretrain = pretrain

    def stages(self) -> tuple[Stage, ...]:
        """Perhaps an autoencoder, then the VAE."""
        stages = super().stages()
        return (Stage("pretrain", self.reconstruct), *stages) if self.pretrain else stages

    def reconstruct(self, batch: Any, ctx: Context) -> Moves:
        """One turn of an autoencoder: the posterior's mean is decoded."""
        x, q = self.infer(batch)
        p = self.decode(q.mean, getattr(batch, "c", None))
        yield {"vae": Loss(nll=-p.log_prob(x))}
