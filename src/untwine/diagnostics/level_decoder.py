"""One level of a hierarchy as a generator: the other levels are at their conditional means."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..data.batches import Batch
from ..distributions import Chain, diagonal_normal
from ..encoding import evaluating, placement
from .level_parts import posterior_of_levels, prior_of_levels, repeated
from .models import LatentModel, decoding

__all__ = ["LevelDecoder"]


class LevelDecoder(nn.Module):
    r"""Decodes one level around an observation, in deviations of the level's prior.

    .. math::
        u \mapsto p(x \mid \hat z_{<l}, \; z_l, \; \hat z_{>l}(z_l)), \qquad
        z_l = \mu_l(\hat z_{<l}) + \sigma_l(\hat z_{<l}) \, u

    Levels above are at the means of the observation's posterior. Levels below are at their means
    given what is above, of the prior or of the posterior. :math:`u` is the level in units of its
    own prior, so that :math:`u \sim \mathcal{N}(0, I)` under the model and 0 is what the levels
    above expect. It is a generator for `local_axes`, `region_axes` and `walk`.

    Args:
        method: Whose posterior and prior have levels.
        batch: One observation, with its covariates.
        level: The level's name.
        below: Whose means the levels below are at.

    Attributes:
        start: The observation's own place, the posterior's mean in these units, ``(D_l,)``.

    Raises:
        NoDensity: for a method whose code has no levels.
        ValueError: for another name, and for several observations.

    Example:
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import LadderVAE
        >>> x = torch.rand(50, 7)
        >>> method = LadderVAE.build(FactorDataset.from_arrays(x), levels=(2, 4), seed=0)
        >>> upper = LevelDecoder(method, x[:1], "z_2")
        >>> upper.start.shape, upper.decode(torch.zeros(3, 2)).mean.shape
        (torch.Size([2]), torch.Size([3, 7]))
    """

    start: Tensor
    middle: Tensor
    spread: Tensor

    @torch.no_grad()
    def __init__(
        self,
        method: LatentModel,
        batch: Batch | Tensor,
        level: str,
        *,
        below: Literal["prior", "posterior"] = "prior",
    ) -> None:
        super().__init__()
        if below not in ("prior", "posterior"):
            raise ValueError(f"below is {below!r}; expected 'prior' or 'posterior'")
        device, dtype = placement(method)
        batch = Batch.of(batch).to(device, dtype=dtype)
        if len(batch.tensor) != 1:
            raise ValueError(
                f"batch has {len(batch.tensor)} observations; expected one: level_axes takes more"
            )
        self.method, self.level, self.below, self.batch = method, level, below, batch
        with evaluating(method):
            q, prior = posterior_of_levels(method, batch), prior_of_levels(method)
            if level not in q.names:
                raise ValueError(f"level is {level!r}; expected one of {', '.join(q.names)}")
            z = q.mean
            expected = (prior.given(z) if isinstance(prior, Chain) else prior)[level]
        values = q.split(z)
        self.above = {n: values[n] for n in q.names[: q.names.index(level)]}
        own = values[level]
        self.register_buffer("middle", expected.mean.expand_as(own))
        self.register_buffer("spread", expected.stddev.expand_as(own))
        self.register_buffer("start", ((own - self.middle) / self.spread)[0])
        if isinstance(method, nn.Module):  # so that leaving evaluation mode leaves it as it was
            self.train(method.training)

    def codes(self, u: Tensor) -> Tensor:
        """The whole codes, ``(B, D)``, of places in this level, ``(B, D_l)``."""
        rows = len(u)
        known = {name: value.expand(rows, -1) for name, value in self.above.items()}
        known[self.level] = self.middle + self.spread * u
        if self.below == "prior":
            return prior_of_levels(self.method).complete(known, rows=rows)
        c = self.batch.c
        again = Batch.of(self.batch.tensor.repeat_interleave(rows, 0), repeated(c, rows))
        return posterior_of_levels(self.method, again).complete(known)

    def decode(
        self, u: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(x|z) at places in this level, ``(B, D_l)``.

        Raises:
            ValueError: for covariates or classes: they are the observation's.
        """
        if c is not None or y is not None:
            raise ValueError("c and y are those of the observation: leave them out")
        return decoding(self.method, self.codes(u), repeated(self.batch.c, len(u)))

    def prior(self) -> Distribution:
        """That of :math:`u`, standard normal."""
        return diagonal_normal(torch.zeros_like(self.start), torch.ones_like(self.start))
