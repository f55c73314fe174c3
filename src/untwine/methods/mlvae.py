"""ML-VAE: what a group shares is inferred from all of its members together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from ..data.batches import Batch, Groups, Images
from ..distributions import (
    Blocks,
    BlocksPosterior,
    BlocksPrior,
    GaussianBlock,
    Likelihood,
    Prior,
    diagonal_normal,
)
from ..functional import pool
from ..nets import Architecture
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Moves, Observations
from .model import Model
from .penalty import OfPart, Penalty, Trace
from .swaps import Swaps
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["MLVAE"]


class MLVAE(VAE, Swaps):
    r"""A VAE with one content per group of observations, and a style for each of them.

    .. math::
        \mathrm{ELBO}(G) = \sum_{i \in G} \mathbb{E}_{q(c|x_G) \, q(s_i|x_i)}[\log p(x_i|c, s_i)]
        - \sum_{i \in G} D_{KL}(q(s_i|x_i) \,\|\, p(s)) - D_{KL}(q(c|x_G) \,\|\, p(c)),
        \qquad q(c|x_G) \propto \prod_{i \in G} q(c|x_i)

    The divergence of the content is counted once per group, however large that is. The paper's
    loss is the mean of -ELBO(G) over groups. Here it is divided by the mean number of observations
    of a group besides, which gives nats per observation, the unit of all other methods, and
    leaves the optimum where it is:

    .. math::
        \mathcal{L} = \frac{\sum_G -\mathrm{ELBO}(G)}{\sum_G |G|}

    On groups of one it is the VAE. A code is ``[content, style]``, in this order. A penalty acts
    on the content of groups and on the style of observations separately, and its terms are logged
    as ``..._content`` and ``..._style``; one that compares the codes of a batch (total correlation,
    covariance) sees padded members of groups of unequal sizes, too.

    Args:
        model: q(c, s|x), p(x|c, s) and p(c, s). The posterior has blocks named ``content``
            (independent Gaussians) and ``style``, in this order, or is made of independent
            Gaussians over both; the prior likewise.
        content_dim: The number of code dimensions, from the first on, that are content.
        label: Name of the factor whose values make the groups, for the default sampler; ``None``
            for one factor at random in each group. `build` takes the first factor by default.
        group_size: Observations in a group of the default sampler, or the least and the most.
        penalty: The regularizer of content and of style; the KL divergence by default.
        optimizer: Of all parameters; called with them.

    Raises:
        ValueError: if no dimension is left for content or for style.

    References:
        Bouchacourt, Tomioka, Nowozin, "Multi-Level Variational Autoencoder: Learning Disentangled
        Representations from Grouped Observations", 2018, https://arxiv.org/abs/1705.08841,
        section 3: the group evidence lower bound, and the product of normals.

    Deviations:
        Content and style come from one network with two heads; the loss is per observation.

    Example:
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(40, 7), torch.arange(40) % 4, ["kind"])
        >>> method = MLVAE.build(data, latent_dim=5, content_dim=2, label="kind")
        >>> method.accumulate(torch.rand(6, 10, 7)).mean.shape  # six groups of ten
        torch.Size([6, 2])
    """

    supervision = Groups
    of_rows, of_columns = "style", "content"
    _pooling: Literal["product", "average"] = "product"

    def __init__(
        self,
        model: Model,
        content_dim: int,
        label: str | None = None,
        *,
        group_size: int | tuple[int, int] = (2, 8),
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        _check(content_dim, model.latent_dim)
        self.content_dim, self.label, self.group_size = content_dim, label, group_size

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        label: str | None = None,
        content_dim: int | None = None,
        content_prior: Prior | None = None,
        style_prior: Prior | None = None,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
    ) -> dict[str, object]:
        """The VAE's parts, with a code of content and style.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions, of content and style together.
            label: Name of the factor that is the content; by default the first.
            content_dim: How many of them are content; by default half.
            content_prior: p(c); the standard normal by default.
            style_prior: p(s); the standard normal by default.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|c, s), see `Model.of`.

        Raises:
            ValueError: if no dimension is left for content or for style, or no factor has that
                name.
        """
        if label is None and data.space.names:
            label = data.space.names[0]
        if label is not None:
            data.space.position(label)  # refuses a name that no factor has
        content_dim = latent_dim // 2 if content_dim is None else content_dim
        _check(content_dim, latent_dim)
        blocks = {
            "content": GaussianBlock(content_dim, prior=content_prior),
            "style": GaussianBlock(latent_dim - content_dim, prior=style_prior),
        }
        model = Model.of(
            data,
            latent_dim,
            net=net,
            likelihood=likelihood,
            posterior=BlocksPosterior(blocks),
            prior=BlocksPrior(blocks),
        )
        return {"model": model, "content_dim": content_dim, "label": label}

    def sampler(self) -> Sampler:
        """Groups that share the value of the factor ``label``."""
        from ..data import GroupsSampler

        return GroupsSampler(self.group_size, shared=self.label)

    def split(self, q: Distribution) -> tuple[Distribution, Distribution]:
        """The distributions of content and of style that a joint one is made of.

        Raises:
            TypeError: for one that is neither made of independent Gaussians nor of these blocks.
        """
        if isinstance(q, Blocks) and q.names == ("content", "style"):
            return q["content"], q["style"]
        if _gaussian(q):
            loc, scale, n = q.mean, q.stddev, self.content_dim
            return (
                diagonal_normal(loc[..., :n], scale[..., :n]),
                diagonal_normal(loc[..., n:], scale[..., n:]),
            )
        raise TypeError(
            f"the posterior is a {type(q).__name__}; expected independent Gaussians, or Blocks "
            "named content and style, in this order"
        )

    def represent(self, batch: Batch | Observations, c: Tensor | None = None) -> Distribution:
        """q(c, s|x) of single observations, in blocks ``content`` and ``style``."""
        q = super().represent(batch, c)
        if isinstance(q, Blocks):
            return q
        return Blocks(dict(zip(("content", "style"), self.split(q), strict=True)))

    def accumulate(
        self, x: Tensor, present: Tensor | None = None, *, c: Tensor | None = None
    ) -> Independent:
        """The content posterior of groups, from all the evidence there is.

        Args:
            x: Groups of one or more observations, ``(B, G, ...)``.
            present: Which of them there are, ``(B, G)``; all by default.
            c: Covariates of every one, ``(B, G, C)``.

        Raises:
            ValueError: if ``present`` has another shape.
        """
        return self._posteriors(x, present, c)[0]

    def swap(self, content: Tensor, style: Tensor) -> Distribution:
        """p(x|c, s) with the contents of some observations and the styles of others.

        Shape: both ``(B, ...)``.
        """
        content_of, style_of = self.take_apart(content), Batch.of(style)
        parts = {**self.take_apart(style_of), "content": content_of["content"]}
        return self.put_together(parts, style_of.c)

    def infer(self, batch: Batch) -> tuple[Images, Distribution]:
        """All members of all groups, ``(B G, ...)``, with the content posterior of their group."""
        batch = Groups.check(batch)
        content, style = self._posteriors(batch.x, batch.present, batch.c)
        size = batch.x.shape[1]
        loc, scale = (m.repeat_interleave(size, 0) for m in (content.mean, content.stddev))
        q = Blocks({"content": diagonal_normal(loc, scale), "style": style})
        return _members(batch.x, batch.c), q

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: likelihood and style of every observation, content of every group."""
        batch = Groups.check(batch)
        members, (groups, size) = _members(batch.x, batch.c), batch.x.shape[:2]
        content, style = self._posteriors(batch.x, batch.present, batch.c)
        z, s = content.rsample(), style.rsample()

        def decode(content_code: Tensor, style_code: Tensor) -> Distribution:
            repeated = content_code.repeat_interleave(size, 0)
            return self.decode(torch.cat([repeated, style_code], -1), c=members.c)

        p = decode(z, s)
        prior = self.split(self.prior())
        # What is a mean over B groups or B G places becomes a mean over the observations there are.
        per_group: float | Tensor = 1 / size
        weight: float | Tensor = 1.0
        if batch.present is not None:
            per_group = groups / batch.present.sum()
            weight = batch.present.flatten() * (size * per_group)
        by_style, by_content = OfPart(lambda code: decode(z, code)), OfPart(lambda c: decode(c, s))
        of_style = Loss(**self.penalty(Trace(by_style, members.x, style, s, p, prior[1]), ctx))
        of_content = Loss(**self.penalty(Trace(by_content, batch.x, content, z, p, prior[0]), ctx))
        nll = Loss(nll=-p.log_prob(members.x)) * weight
        of_style = (of_style * weight).suffix("_style")
        yield {"vae": nll + of_style + (of_content * per_group).suffix("_content")}

    def _posteriors(
        self, x: Tensor, present: Tensor | None, c: Tensor | None = None
    ) -> tuple[Independent, Distribution]:
        """Contents of groups, batch shape ``(B,)``, and styles of their members, ``(B G,)``."""
        shape = x.shape[:2]
        if present is not None and present.shape != shape:
            raise ValueError(
                f"present has shape {tuple(present.shape)}, but the groups {tuple(x.shape)}; "
                "expected (B, G), the first two axes of the groups"
            )
        one, style = self.split(self.represent(_members(x, c)))
        if not _gaussian(one):
            raise TypeError(
                f"contents of a group are put together as independent Gaussians, got {one}"
            )
        each = diagonal_normal(one.mean.unflatten(0, shape), one.stddev.unflatten(0, shape))
        return pool(each, present, self._pooling), style


def _check(content_dim: int, latent_dim: int) -> None:
    if not 0 < content_dim < latent_dim:
        raise ValueError(
            f"content_dim is {content_dim}; expected at least 1, and less than latent_dim, which "
            f"is {latent_dim}, so that some dimensions are left for style"
        )


def _gaussian(q: Distribution) -> bool:
    return isinstance(q, Independent) and isinstance(q.base_dist, Normal)


def _members(x: Tensor, c: Tensor | None) -> Images:
    """The members of all groups, ``(B, G, ...)`` to ``(B G, ...)``."""
    return Images(x.flatten(0, 1), None if c is None else c.flatten(0, 1))
