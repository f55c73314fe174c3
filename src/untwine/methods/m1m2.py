"""M1 + M2: a VAE with a class variable, on the codes of another VAE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution
from torch.optim import Adam

from ..data.batches import Batch, FewLabels
from ..distributions import Likelihood, Posterior, Prior, diagonal_normal
from ..distributions.gaussians import bounded
from ..functional import Schedule
from ..nets import MLP, Architecture
from .conditions import check_condition
from .m1 import standardize_by
from .m2 import M2
from .method import Context, MakeOptimizer, Moves, Observations, Player, Stage
from .model import Model
from .penalty import Penalty
from .swaps import Swaps
from .vae import VAE, gathered

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["M1M2", "NormalCodes"]


class NormalCodes(Likelihood):
    r"""Codes with a mean and a variance each: :math:`\prod_j \mathcal{N}(z_j; \mu_j, \sigma_j^2)`.

    A code that is not in use is noise of variance one, one that is used may be known to a tenth: a
    scale for all would weigh the latter too little.

    Args:
        floor: The scale never falls below it, so that a perfect fit stays finite.

    Raises:
        ValueError: for a floor that is not positive.
    """

    def __init__(self, floor: float = 0.05) -> None:
        super().__init__()
        if not floor > 0:
            raise ValueError(f"floor is {floor}; expected a positive number")
        self.floor = floor

    def features(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Means and log variances."""
        return (2 * shape[0], *shape[1:])

    def forward(self, h: Tensor, c: Tensor | None = None) -> Distribution:
        """``(B, 2 D)``, means first, to a Gaussian over ``(D,)``."""
        loc, log_variance = h.chunk(2, -1)
        return diagonal_normal(loc, (0.5 * bounded(log_variance)).exp() + self.floor)


class M1M2(Swaps):
    r"""M2 on the codes of a VAE that was trained before, and is frozen.

    .. math::
        p(x, y, z_1, z_2) = p(y) \, p(z_2) \, p(z_1 | y, z_2) \, p(x | z_1), \qquad
        q(z_1, y, z_2 | x) = q(z_1|x) \, q(y|z_1) \, q(z_2|z_1, y)

    Stage ``features`` minimizes the VAE's loss of x and z1; stage ``m2`` minimizes M2's loss with
    samples of q(z1|x), or means, for its observations.

    Args:
        m1: The VAE of x.
        m2: The M2 of its codes, which come centered and divided by one scale.
        features: What M2 learns from: ``"sample"``, another one at each step, or ``"mean"``.

    Raises:
        ValueError: for another word.

    References:
        Kingma, Rezende, Mohamed, Welling, "Semi-supervised Learning with Deep Generative Models",
        2014, https://arxiv.org/abs/1406.5298, section 2.1 (stacked generative semi-supervised
        model); https://github.com/dpkingma/nips14-ssl

    Deviations:
        The defaults are for some thousands of steps: alpha 10, ten dimensions of z2 and two hidden
        layers of 256 ReLUs, where the paper's code has 0.1, 50 and one layer of 300 softplus
        units, for 3,000 epochs. That code keeps the dimensions of z1 whose means have a deviation
        above 0.1, unscaled, and has a Gaussian prior on the weights; here all are kept, centered
        and divided by one scale. Labelled and unlabelled parts weigh as in `M2`.
    """

    supervision = FewLabels
    of_rows, of_columns = "rest", "class"

    def __init__(self, m1: VAE, m2: M2, *, features: Literal["sample", "mean"] = "sample") -> None:
        super().__init__()
        if features not in ("sample", "mean"):
            raise ValueError(f"features is {features!r}; expected 'sample' or 'mean'")
        self.m1, self.m2, self.features = m1, m2, features
        self.classes_beside_code = m2.classes
        self.register_buffer("shift", torch.zeros(m1.model.latent_dim))
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
        features_dim: int = 50,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
        penalty: Penalty | None = None,
        m2_net: Architecture | None = None,
        m2_likelihood: Likelihood | None = None,
        m2_prior: Prior | None = None,
        m2_penalty: Penalty | None = None,
        alpha: float | Schedule = 10.0,
        labelled: float | Schedule = 1.0,
        optimizer: MakeOptimizer = partial(Adam, lr=3e-4, fused=True),
    ) -> dict[str, object]:
        """A VAE that fits the data, and an M2 that fits its codes.

        Args:
            data: What the method will learn from.
            latent_dim: The number of dimensions of z2.
            label: Name of the factor that is the class; by default the first.
            features_dim: The number of dimensions of z1.
            net: The architecture of the VAE of x.
            likelihood: The family of p(x|z1), see `Model.of`.
            posterior: The family of q(z1|x) and q(z2|z1,y); independent Gaussians by default.
            prior: p(z1), any `Prior`; the standard normal by default.
            penalty: The regularizer of z1; the KL divergence by default.
            m2_net: The architecture of M2; by default fully connected, 2 hidden layers of 256.
            m2_likelihood: The family of p(z1|y,z2); by default `NormalCodes`,
                Gaussians with a mean and a variance for each code.
            m2_prior: p(z2), see `M2.parts`.
            m2_penalty: The regularizer of z2, see `M2`.
            alpha: Weight of the classifier's own loss, see `M2`.
            labelled: Weight of M2's labelled part, see `M2`.
            optimizer: Of both; called with the parameters.
        """
        from ..data import FactorDataset

        model = Model.of(
            data, features_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        m1 = VAE(model, penalty=penalty, optimizer=optimizer)
        codes = FactorDataset.from_arrays(  # what M2 sees of the data: its width, and its classes
            np.zeros((1, features_dim), np.float32),
            np.zeros((1, len(data.space.names)), np.int64),
            names=data.space.names,
            sizes=data.space.sizes,
        )
        of_codes: dict[str, Any] = M2.parts(
            codes,
            latent_dim,
            label=label,
            net=MLP() if m2_net is None else m2_net,
            likelihood=NormalCodes() if m2_likelihood is None else m2_likelihood,
            posterior=posterior,
            prior=m2_prior,
        )
        m2 = M2(
            **of_codes,
            penalty=m2_penalty,
            alpha=alpha,
            labelled=labelled,
            optimizer=optimizer,
        )
        return {"m1": m1, "m2": m2}

    def check_batch(self, batch: Batch) -> None:
        """Refuses observations that p(x|z1) gives no density."""
        self.m1.check_batch(batch)

    def sampler(self) -> Sampler:
        """Unlabelled examples, and examples labelled with the class factor."""
        return self.m2.sampler()

    def players(self) -> Mapping[str, Player]:
        """The VAE, and M2."""
        return {**self.m1.players(), **self.m2.players()}

    def stages(self) -> tuple[Stage, ...]:
        """First the VAE of the observations, then M2 of its codes."""
        return (
            Stage("features", self.moves, self._begin, players=("vae",)),
            Stage("m2", self.stacked, self._measure, players=("m2",)),
        )

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """First stage: the VAE's turn."""
        batch = FewLabels.check(batch)
        yield from self.m1.moves(batch.unlabelled, ctx)

    def stacked(self, batch: Batch, ctx: Context) -> Moves:
        """Second stage: M2's turn, on frozen codes."""
        batch = FewLabels.check(batch)
        with torch.no_grad():
            codes = FewLabels(self._codes(batch.unlabelled), self._codes(batch.labelled), batch.yl)
        yield from self.m2.moves(codes, ctx)

    def represent(self, batch: Batch | Observations, c: Tensor | None = None) -> Distribution:
        r"""The marginal posterior :math:`\sum_y q(y|z_1) q(z_2|z_1,y)` at the mean of q(z1|x)."""
        return self.m2.represent(self._scaled(self.m1.represent(batch, c).mean))

    def classify(self, batch: Batch | Observations, c: Tensor | None = None) -> Categorical:
        """q(y|z1) at the mean of q(z1|x)."""
        return self.m2.classify(self._scaled(self.m1.represent(batch, c).mean))

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(x|z1) at the mean of p(z1|y,z2); without ``y``, with all classes in equal parts."""
        return self.m1.decode(self.m2.decode(z, y=y).mean * self.scale + self.shift, c=c)

    def take_apart(self, batch: Batch | Observations) -> dict[str, Tensor]:
        """The mean of z2, ``rest``, and the likeliest class, see `Swaps`."""
        return {
            "rest": self.represent(batch).mean,
            "class": self.classify(batch).probs.argmax(1),
        }

    def put_together(self, parts: Mapping[str, Tensor], c: Tensor | None = None) -> Distribution:
        """p(x|z1) of such parts."""
        return self.decode(parts["rest"], c=c, y=parts["class"])

    @torch.no_grad()
    def sample(self, n: int, *, c: Tensor | None = None) -> Tensor:
        """``(n, ...)`` means of p(x|z1) for classes and codes drawn from their priors."""
        return self.m1.decode(self.m2.sample(n) * self.scale + self.shift, c=c).mean

    def conditions(self) -> Mapping[str, int]:
        """Those of M2: the class by the name of its factor, what the prior of z2 tells apart."""
        return self.m2.conditions()

    @torch.no_grad()
    def sample_given(
        self, n: int, condition: Mapping[str, int], *, c: Tensor | None = None
    ) -> Tensor:
        """``(n, ...)`` means of p(x|z1), given values of `conditions`."""
        check_condition(condition, self.conditions())
        z = self.m2.sample_given(n, condition)
        return self.m1.decode(z * self.scale + self.shift, c=c).mean

    def _codes(self, batch: Batch) -> Tensor:
        q = self.m1.represent(batch)
        return self._scaled(q.sample() if self.features == "sample" else q.mean)

    def _unlabelled_codes(self, batch: Batch) -> Tensor:
        return self.represent(FewLabels.check(batch).unlabelled).mean

    def _scaled(self, z: Tensor) -> Tensor:
        return (z - self.shift) / self.scale

    def _begin(self, batches: Iterable[Batch]) -> None:
        self.m2.check(batches)
        self.m1.begin(batches)

    def _measure(self, batches: Iterable[Batch]) -> None:
        def codes(batch: Batch) -> Tensor:
            batch = FewLabels.check(batch)
            q = self.m1.represent(batch.unlabelled)
            return q.sample() if self.features == "sample" else q.mean

        self.shift, self.scale = standardize_by(codes, batches)
        if self.m2.model.starts:
            self.m2.model.start(gathered(self, self._unlabelled_codes, batches))
