"""The VAE, and what its whole family has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..data.batches import Batch, Images
from ..distributions import ClusteredPrior, Likelihood, Posterior, Prior
from ..distributions.conditional import check_observations
from ..nets import Architecture
from .conditions import check_condition
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Method, Moves, Observations, Player, Stage
from .model import Model
from .penalty import KL, Penalty, Trace

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["VAE", "ModelMethod", "gathered"]

_START = 5000  # examples whose codes a prior starts from


class ModelMethod(Method):
    """A method that has a `Model`: its parts, its start, its samples and its clusters.

    Args:
        model: Encoder, decoder and prior.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        if not isinstance(model, Model):
            raise TypeError(
                f"model is a {type(model).__name__}; expected a Model: Model.of(data, latent_dim), "
                "or Model(encoder, decoder, prior)"
            )
        self.model = model
        self.register_load_state_dict_pre_hook(_of_the_first_edition)

    @property
    def encoder(self) -> nn.Module:
        """The model's encoder."""
        return self.model.encoder

    @property
    def decoder(self) -> nn.Module:
        """The model's decoder."""
        return self.model.decoder

    @property
    def prior(self) -> nn.Module:
        """The model's prior."""
        return self.model.prior

    def check_batch(self, batch: Batch) -> None:
        """Refuses observations that p(x|z) gives no density."""
        check_observations(self.decoder, batch.observations())

    def __setattr__(self, name: str, value: object) -> None:
        # A module that is set goes into nn.Module's own table, past the properties above.
        if name in _PARTS:
            setattr(self.model, name, value)
        else:
            super().__setattr__(name, value)  # type: ignore[arg-type]

    def begin(self, batches: Iterable[Batch]) -> None:
        """Before the first move: a prior that starts from codes is given a few thousand."""
        if self.model.starts:
            self.start_prior(batches)

    def start_prior(self, batches: Iterable[Batch]) -> None:
        """Gives the prior the codes of a few thousand examples, see `Prior.start`."""
        self.model.start(self.some_codes(batches, _START))

    def some_codes(self, batches: Iterable[Batch], count: int) -> Tensor:
        """Posterior means of ``count`` examples, or of as many as there are, in evaluation mode."""
        return gathered(self, self.codes_to_start_from, batches, count)

    def codes_to_start_from(self, batch: Batch) -> Tensor:
        """The codes of a batch that a prior may start from."""
        return self.represent(batch).mean

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """The likelihood p(x|z), given covariates where the decoder takes them.

        Its mean is the reconstruction.

        Raises:
            ValueError: for classes, which this method's decoder does not take.
        """
        if y is not None:
            raise ValueError(f"{type(self).__name__}'s decoder takes no classes: leave y out")
        return self.model.decode(z, c=c)

    @torch.no_grad()
    def cluster(self, batch: Batch | Observations, c: Tensor | None = None) -> Tensor:
        """Soft assignments p(k|z) at the posterior means, ``(B, K)``; rows sum to one.

        Raises:
            TypeError: if the prior has no components.
        """
        if not isinstance(self.prior, ClusteredPrior):
            raise TypeError(
                f"prior is a {type(self.prior).__name__}, which has no components and so no "
                "clusters: build the method with one that has, such as "
                "prior=GaussianMixture(latent_dim, 10)"
            )
        return self.prior.responsibilities(self.represent(Batch.of(batch, c)).mean)

    @torch.no_grad()
    def sample(self, n: int, *, c: Tensor | None = None) -> Tensor:
        """Draws codes from the prior and decodes them, ``(n, ...)``; means of p(x|z)."""
        return self.decode(self.prior().sample((n,)), c=c).mean

    def conditions(self) -> Mapping[str, int]:
        """What samples can be given, with how many values each has: what the prior tells apart."""
        return self.prior.conditions() if isinstance(self.prior, Prior) else {}

    @torch.no_grad()
    def sample_given(
        self, n: int, condition: Mapping[str, int], *, c: Tensor | None = None
    ) -> Tensor:
        """``(n, ...)`` means of p(x|z) for codes drawn given values of `conditions`.

        Raises:
            ValueError: for a name or a value that there is not.
        """
        check_condition(condition, self.conditions())
        return self._decoded(n, condition, c)

    def _decoded(self, n: int, condition: Mapping[str, int], c: Tensor | None) -> Tensor:
        if not condition:
            return self.sample(n, c=c)
        return self.decode(cast(Prior, self.prior).sample_given(n, condition), c=c).mean


class VAE(ModelMethod):
    r"""Variational autoencoder: a model trained by the evidence lower bound.

    .. math::
        \mathcal{L}(x) = -\mathbb{E}_{q(z|x)}[\log p(x|z)] + D_{KL}(q(z|x) \,\|\, p(z))

    Its subclasses change one of two independent things: `infer` says what the posteriors of a
    batch share (weak supervision acts here), ``penalty`` says what the regularizer is.

    Args:
        model: Encoder, decoder and prior.
        penalty: The regularizer; the KL divergence by default.
        optimizer: Of all parameters; called with them. Adam by default.

    References:
        Kingma, Welling, "Auto-Encoding Variational Bayes", 2014, https://arxiv.org/abs/1312.6114,
        equation 3.

    Example:
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> method = VAE.build(data, latent_dim=3)
        >>> method.represent(torch.rand(5, 7)).mean.shape
        torch.Size([5, 3])
    """

    supervision: ClassVar[type[Batch]] = Images

    def __init__(
        self,
        model: Model,
        *,
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model)
        self.penalty = KL() if penalty is None else penalty
        self.optimizer = optimizer

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> dict[str, object]:
        """The model that fits a data set's observations; see `Model.of`.

        Args:
            data: What the method will learn from.
            latent_dim: :math:`D`, the number of code dimensions.
            net: The architecture of encoder and decoder; by default the literature's for 64x64
                images, one that adapts for other images, an MLP for vectors.
            likelihood: The family of p(x|z); by default Bernoulli for images, Gaussian of unit
                scale for vectors.
            posterior: The family of q(z|x); independent Gaussians by default.
            prior: p(z), any `Prior`; the standard normal by default.
        """
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {"model": model}

    def players(self) -> Mapping[str, Player]:
        """One: encoder, decoder and prior move together."""
        return {"vae": Player((self.model,), self.optimizer)}

    def stages(self) -> tuple[Stage, ...]:
        """One; a prior that starts from codes is given some before the first move."""
        return (Stage("fit", self.moves, self.begin),)

    def represent(self, batch: Batch | Observations, c: Tensor | None = None) -> Distribution:
        """The posterior q(z|x); its mean is the code."""
        return self.model.represent(Batch.of(batch, c))

    def infer(self, batch: Batch) -> tuple[Images, Distribution]:
        """Observations and their posteriors; what a batch's posteriors share is said here."""
        images = Images(batch.tensor, batch.c)
        return images, self.represent(images)

    def codes_to_start_from(self, batch: Batch) -> Tensor:
        """Means of the posteriors that training sees."""
        return self.infer(batch)[1].mean

    def trace(self, batch: Batch) -> Trace:
        """One pass: posteriors, a sample of each, likelihoods."""
        return self.model.trace(*self.infer(batch))

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: negative log-likelihood and penalty."""
        t = self.trace(batch)
        yield {"vae": Loss(nll=-t.p.log_prob(t.x)) + self.penalty(t, ctx)}


_PARTS = ("encoder", "decoder", "prior")


def _of_the_first_edition(
    module: nn.Module, state: dict[str, Tensor], prefix: str, *rest: object
) -> None:
    """Weights that were written before methods had a model: ``encoder...`` is its encoder."""
    for name in list(state):
        if name.startswith(tuple(f"{prefix}{part}." for part in _PARTS)):
            state[f"{prefix}model.{name.removeprefix(prefix)}"] = state.pop(name)


@torch.no_grad()
def gathered(
    method: Method,
    codes: Callable[[Batch], Tensor],
    batches: Iterable[Batch],
    count: int = _START,
) -> Tensor:
    """Codes of ``count`` examples, or of as many as there are, in evaluation mode.

    Args:
        method: Whose mode is changed meanwhile.
        codes: From a batch to its codes, ``(B, D)``.
        batches: As many as are asked for.
        count: How many codes.
    """
    training, parts, seen = method.training, [], 0
    method.eval()
    for batch in batches:
        parts.append(codes(batch))
        seen += len(parts[-1])
        if seen >= count:
            break
    method.train(training)
    return torch.cat(parts)[:count]
