"""Models with a hierarchy of latents: each level is drawn given the levels above it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..checks import check_kind
from ..data.batches import Batch
from ..distributions import Blocks, Chain, Conditional, Likelihood
from ..distributions.chain import Choose
from ..distributions.conditional import check_covariates
from .model import Model
from .penalty import Trace

__all__ = ["Draw", "HierarchicalModel", "TopDown"]

Draw = Callable[[str, Distribution, Distribution | None], Tensor]
"""From a level's name, its prior and its posterior (if there is one) to its value, ``(R, D_l)``."""


class TopDown(nn.Module, ABC):
    """The way down a hierarchy: every level's prior, its posterior, and what its value does.

    Attributes:
        dims: Code dimensions of the levels by name, the uppermost first.
    """

    dims: dict[str, int]

    @abstractmethod
    def descend(self, draw: Draw, features: Sequence[Tensor], rows: int) -> Tensor:
        """Goes through the levels from above.

        Args:
            draw: Is asked for the value of each level, in order.
            features: What inference knows of the observations, ``(rows, ...)`` each; empty where
                there are none, and so no posteriors.
            rows: How many codes.

        Returns:
            The state below the last level.
        """

    @abstractmethod
    def output(self, state: Tensor, c: Tensor | None = None) -> Tensor:
        """What the likelihood takes, of the state below the last level and covariates."""

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """What the likelihood takes, of codes ``(B, D)``."""
        values = dict(zip(self.dims, z.split(list(self.dims.values()), -1), strict=True))
        state = self.descend(lambda name, p, q: values[name], (), len(z))
        return self.output(state, c)

    def prior(self) -> Chain:
        """p(z)."""

        def walk(choose: Choose, features: Sequence[Tensor], rows: int) -> None:
            with self._in_mode(training):
                self.descend(lambda name, p, q: choose(name, p), (), rows)

        training = self.training
        return Chain(self.dims, walk)

    def posterior(self, features: Sequence[Tensor]) -> Chain:
        """q(z|x), of what inference knows of ``x``."""

        def walk(choose: Choose, features: Sequence[Tensor], rows: int) -> None:
            def draw(name: str, p: Distribution, q: Distribution | None) -> Tensor:
                assert q is not None
                return choose(name, q)

            with self._in_mode(training):
                self.descend(draw, features, rows)

        training = self.training
        return Chain(self.dims, walk, features)

    @contextmanager
    def _in_mode(self, training: bool) -> Iterator[None]:
        """A distribution that is asked later is that of the mode in which it was made."""
        now = self.training
        if now != training:
            self.train(training)
        try:
            yield
        finally:
            if now != training:
                self.train(now)


class Inference(nn.Module):
    """Encoder of a hierarchy: ``(x[, c]) -> q(z|x)``, a `Chain`.

    Args:
        net: ``(x[, c])`` to what inference knows of ``x``: one tensor, or several.
        top_down: The model's way down, whose parameters belong to the decoder.
        covariates: How many covariates the network takes.
    """

    def __init__(self, net: nn.Module, top_down: TopDown, covariates: int = 0) -> None:
        super().__init__()
        self.net, self.covariates = net, covariates
        self._shared = (top_down,)  # in a tuple, so that its parameters are not here, too

    def forward(self, x: Tensor, c: Tensor | None = None) -> Chain:
        """The posterior, level by level."""
        check_covariates(self.covariates, c)
        features = self.net(x) if c is None else self.net(x, c)
        features = (features,) if isinstance(features, Tensor) else features
        return self._shared[0].posterior(features)


class HierarchicalPrior(nn.Module):
    """Prior of a hierarchy: ``() -> p(z)``, a `Chain`.

    Args:
        top_down: The model's way down, whose parameters belong to the decoder.
    """

    def __init__(self, top_down: TopDown) -> None:
        super().__init__()
        self._shared = (top_down,)

    def forward(self) -> Chain:
        """The prior, level by level."""
        return self._shared[0].prior()


class HierarchicalModel(Model):
    r"""A model whose code has levels, :math:`p(x, z) = p(x|z) \prod_l p(z_l | z_{<l})`.

    Inference goes down the same way, :math:`q(z|x) = \prod_l q(z_l | z_{<l}, x)`. Both are `Chain`
    distributions; a pass of training goes down once, for prior, posterior and likelihood.

    Args:
        bottom_up: ``(x[, c])`` to what inference knows of ``x``: one tensor, or several.
        top_down: The way down.
        likelihood: From the way's output to p(x|z).
        covariates: How many covariates networks take.
    """

    def __init__(
        self,
        bottom_up: nn.Module,
        top_down: TopDown,
        likelihood: Likelihood,
        *,
        covariates: int = 0,
    ) -> None:
        check_kind("top_down", top_down, TopDown)
        super().__init__(
            Inference(bottom_up, top_down, covariates),
            Conditional(top_down, likelihood, covariates),
            HierarchicalPrior(top_down),
        )

    @classmethod
    def of(cls, *arguments: object, **settings: object) -> NoReturn:
        """Is not how it is made: its networks are a method's.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            "the networks of a hierarchy are those of a method: take LadderVAE.build(data) or "
            "VeryDeepVAE.build(data), or the constructor with a TopDown of yours"
        )

    @property
    def top_down(self) -> TopDown:
        """The way down."""
        return self.decoder.net  # type: ignore[return-value]

    def trace(
        self, batch: Batch | Tensor, q: Distribution | None = None, *, y: Tensor | None = None
    ) -> Trace:
        """One pass down: at each level its prior, its posterior and a sample.

        In the trace ``q`` and ``prior`` are `Blocks`: every level's distribution, given the samples
        of the levels above, so that a divergence of blocks is that of the hierarchy.

        Args:
            batch: Observations, with their covariates.
            q: Their posteriors, as `represent` gives them.
            y: Classes, which no hierarchy takes.

        Raises:
            ValueError: for classes.
            TypeError: for posteriors that are no `Chain`.
        """
        batch = Batch.of(batch)
        if y is not None:
            raise ValueError("y is given, but the networks of a hierarchy take no classes")
        q = self.represent(batch) if q is None else q
        if not isinstance(q, Chain):
            raise TypeError(f"q is a {type(q).__name__}; expected the Chain that represent gives")
        values: list[Tensor] = []
        priors: dict[str, Distribution] = {}
        posteriors: dict[str, Distribution] = {}

        def draw(name: str, prior: Distribution, posterior: Distribution | None) -> Tensor:
            assert posterior is not None
            z = posterior.rsample()
            values.append(z)
            priors[name], posteriors[name] = prior, posterior
            return z

        state = self.top_down.descend(draw, q.features, len(q.features[0]))
        decoder = self.decoder
        assert isinstance(decoder, Conditional)
        check_covariates(decoder.covariates, batch.c)
        p = decoder.parameterized(self.top_down.output(state, batch.c), batch.c)
        return Trace(
            self,
            batch.tensor,
            Blocks(posteriors),
            torch.cat(values, -1),
            p,
            Blocks(priors),
            {"c": batch.c, "y": None},
        )
