"""One code for several modalities, some of which may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.optim import Adam

from ..checks import check_scale, check_size
from ..data.batches import Batch, Modalities
from ..distributions import (
    ClusteredPrior,
    GaussianMixture,
    Likelihood,
    Posterior,
    Prior,
    StandardNormal,
)
from ..distributions.conditional import check_observations
from ..distributions.joint import Joint
from ..functional import Schedule, at, kl
from ..functional.experts import mixture_of_experts, product_of_experts
from ..nets import Architecture
from .conditions import check_condition
from .loss import Loss
from .method import Context, MakeOptimizer, Method, Moves, Observations, Player, Stage
from .model import autoencoder
from .vae import gathered

if TYPE_CHECKING:
    from ..data import Multimodal

__all__ = ["MultimodalVAE"]

_FUSIONS = ("common", "product", "mixture")
_SHORT = partial(Adam, lr=1e-3, fused=True)


class MultimodalVAE(Method):
    r"""A VAE with an encoder and a decoder for each modality, and one code for all.

    ``fusion`` says how the posteriors :math:`q_s(z|x_s)` of the modalities :math:`s` that are
    present, :math:`S`, come together.

    ``"common"``: each posterior is decoded into every modality (for two of them all four
    directions), and all are matched to one common prior, by default a trainable mixture:

    .. math::
        \frac{1}{|S|} \sum_{s \in S} \Big( \mathbb{E}_{q_s(z|x_s)} \Big[
        -\sum_{t \in S} w_{st} \log p_t(x_t | z) \Big] + \beta D_{KL}(q_s(z|x_s) \,\|\, p(z)) \Big)

    ``"product"``: the posterior of any subset is
    :math:`q_S \propto \mathcal{N}(z; 0, I) \prod_{s \in S} q_s`, and training averages the bounds
    of all present modalities together, of each alone, and of ``subsets`` random ones:

    .. math::
        \mathbb{E}_{q_S(z)} \Big[ -\sum_{t \in S} w_t \log p_t(x_t | z) \Big]
        + \beta D_{KL}(q_S(z) \,\|\, p(z))

    ``"mixture"``: as ``"common"``, but the posterior is the mixture of experts
    :math:`q = \frac{1}{|S|} \sum_s q_s`, so that the divergence is
    :math:`\log q(z) - \log p(z)` at the sample :math:`z` of each expert (stratified).

    A modality that is missing in an example has weight 0 there, as a source and as a target; shapes
    do not change. The terms ``a_to_b`` have weight 0: they are logged, to be looked at.

    Args:
        encoders: ``x -> q(z|x)`` by modality.
        decoders: ``z -> p(x|z)`` by modality.
        prior: ``() -> p(z)``.
        fusion: ``"common"``, ``"product"`` or ``"mixture"``.
        beta: :math:`\beta`, the weight of the divergence; a number or a schedule.
        weights: Weights of reconstructions other than 1: of a target (``"protein"``), or of a
            direction (``"rna->protein"``), which comes before that of its target.
        subsets: Of ``"product"`` with three modalities or more: how many random subsets.
        optimizer: Of all parameters; called with them.

    References:
        Wu, Chen, Yost, Thomas, Chang, Zou, "BABEL enables cross-modality translation between
        multiomic profiles at single-cell resolution", 2021,
        https://doi.org/10.1073/pnas.2023070118 (the four directions). Wu, Goodman, "Multimodal
        Generative Models for Scalable Weakly-Supervised Learning", 2018,
        https://arxiv.org/abs/1802.05335, equations 3 to 5 (product). Shi, Siddharth, Paige, Torr,
        "Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep Generative Models", 2019,
        https://arxiv.org/abs/1911.03393, equation 3 (mixture).

    Deviations:
        BABEL has no prior: its autoencoders are deterministic. MVAE sums the bounds of its subsets,
        here they are averaged. MMVAE's importance-weighted bound is taken with one sample; its
        Laplace posteriors are Gaussian here.

    Example:
        >>> from untwine.data import FactorDataset, Multimodal
        >>> parts = {"a": torch.rand(50, 7), "b": torch.rand(50, 3)}
        >>> data = Multimodal({k: FactorDataset.from_arrays(x) for k, x in parts.items()})
        >>> method = MultimodalVAE.build(data, latent_dim=2)
        >>> method.translate(parts["a"], "a", "b").mean.shape
        torch.Size([50, 3])
        >>> method.represent({"b": parts["b"]}).mean.shape
        torch.Size([50, 2])
    """

    supervision: ClassVar[type] = Modalities

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        decoders: Mapping[str, nn.Module],
        prior: nn.Module,
        fusion: Literal["common", "product", "mixture"] = "common",
        *,
        beta: float | Schedule = 1.0,
        weights: Mapping[str, float] | None = None,
        subsets: int = 1,
        optimizer: MakeOptimizer = _SHORT,
    ) -> None:
        super().__init__()
        if fusion not in _FUSIONS:
            raise ValueError(f"fusion is {fusion!r}; expected one of {', '.join(_FUSIONS)}")
        check_size("subsets", subsets, least=0)
        if set(encoders) != set(decoders):
            raise ValueError(
                f"there are encoders of {sorted(encoders)} but decoders of {sorted(decoders)}"
            )
        self.encoders, self.decoders = nn.ModuleDict(encoders), nn.ModuleDict(decoders)
        self.prior, self.fusion, self.beta = prior, fusion, beta
        self.weights = dict(weights or {})
        self.subsets, self.optimizer = subsets, optimizer
        known = {*self.names, *(f"{s}->{t}" for s in self.names for t in self.names)}
        for name, weight in self.weights.items():
            check_scale(f"weights[{name!r}]", weight, zero=True)
            if name not in known:
                raise ValueError(f"weights names {name!r}; expected some of {sorted(known)}")

    def check_batch(self, batch: Batch) -> None:
        """Refuses observations that the likelihood of their modality gives no density."""
        for name, decoder in self.decoders.items():
            label = f"x[{name!r}]"
            check_observations(decoder, {label: batch.observations()[label]})

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: Multimodal,
        latent_dim: int = 10,
        *,
        fusion: Literal["common", "product", "mixture"] = "common",
        nets: Mapping[str, Architecture] | None = None,
        likelihoods: Mapping[str, Likelihood] | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
        components: int = 10,
    ) -> dict[str, object]:
        """An encoder and a decoder for each modality of the data.

        Args:
            data: What the method will learn from, a `Multimodal` data set.
            latent_dim: The number of code dimensions.
            fusion: How posteriors come together, see above.
            nets: Architectures by modality; by default those of `Model.of`.
            likelihoods: Families of p(x|z) by modality; by default those of `Model.of`.
            posterior: The family of every q(z|x); independent Gaussians by default.
            prior: p(z); by default a trainable Gaussian mixture for ``fusion="common"``, the
                standard normal otherwise.
            components: The number of Gaussians in the default mixture.

        Raises:
            ValueError: for a modality that the data does not have.
            TypeError: for data of one modality.
        """
        if not isinstance(data.shape, Mapping):
            raise TypeError(
                f"{cls.__name__} learns from several modalities, but the data is a "
                f"{type(data).__name__}: make Multimodal({{name: data, ...}})"
            )
        nets, likelihoods = dict(nets or {}), dict(likelihoods or {})
        for what, by_name in (("nets", nets), ("likelihoods", likelihoods)):
            for name in by_name:
                if name not in data.shape:
                    raise ValueError(f"{what} names {name!r}; the data has {list(data.shape)}")
        encoders, decoders = {}, {}
        for name in data.shape:
            encoders[name], decoders[name] = autoencoder(
                _Modality(data, name),  # type: ignore[arg-type]
                latent_dim,
                nets.get(name),
                likelihoods.get(name),
                posterior,
            )
        if prior is None and fusion == "common":
            prior = GaussianMixture(latent_dim, components)
        prior = StandardNormal(latent_dim) if prior is None else deepcopy(prior)
        if prior().event_shape != (latent_dim,):
            raise ValueError(
                f"the prior is over {tuple(prior().event_shape)} but its code has {latent_dim} "
                "dimensions"
            )
        return {"encoders": encoders, "decoders": decoders, "prior": prior, "fusion": fusion}

    @property
    def names(self) -> tuple[str, ...]:
        """The modalities, in order."""
        return tuple(self.encoders)

    def players(self) -> Mapping[str, Player]:
        """One: all encoders, all decoders and the prior move together."""
        return {"vae": Player((self.encoders, self.decoders, self.prior), self.optimizer)}

    def stages(self) -> tuple[Stage, ...]:
        """One; a prior that starts from codes is given some before the first move."""
        return (Stage("fit", self.moves, self.begin),)

    def begin(self, batches: Iterable[Batch]) -> None:
        """Gives a prior that starts from codes those of a few thousand examples."""
        if isinstance(self.prior, Prior) and self.prior.starts:
            self.prior.start(gathered(self, lambda b: self.represent(b).mean, batches))

    def posteriors(
        self, x: Mapping[str, Tensor], c: Tensor | None = None
    ) -> dict[str, Distribution]:
        """The posterior of each modality that ``x`` has, by itself."""
        for name in x:
            if name not in self.encoders:
                raise ValueError(f"there is no modality {name!r}; there are {list(self.names)}")
        return {name: self.encoders[name](x[name], c) for name in self.names if name in x}

    def represent(
        self,
        batch: Batch | Observations,
        c: Tensor | None = None,
        present: Mapping[str, Tensor] | None = None,
    ) -> Distribution:
        """The posterior given any subset of the modalities; its mean is the code.

        With ``fusion="product"`` it is the product of experts, otherwise their mixture, whose mean
        is the average of their means.

        Args:
            batch: `Modalities`, or observations of some modalities, or of all.
            c: Covariates of plain observations, where the networks take them.
            present: Which plain observations there are of each modality; all, where it says
                nothing.

        Shape:
            batch ``{name: (B, ...)}``; c ``(B, C)``; present ``{name: (B,)}``.

        Raises:
            TypeError: for observations of one modality without its name.
            ValueError: for no modality, or one that there is not.
        """
        batch = _modalities(batch, c, present, self.names)
        masks = batch.present
        posteriors = self.posteriors(_without_missing(batch.x, masks), batch.c)
        order = [masks[name] for name in posteriors]
        return self._fused(list(posteriors.values()), torch.stack(order, 1))

    def _fused(self, experts: Sequence[Distribution], present: Tensor) -> Distribution:
        if self.fusion == "product":
            return product_of_experts(experts, present)
        if len(experts) == 1:
            return experts[0]
        return mixture_of_experts(experts, present.to(experts[0].mean.dtype))

    def decode(self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None) -> Joint:
        """The likelihoods p(x|z) of all modalities; ``.mean`` is a dictionary."""
        return Joint({name: self.decoders[name](z, c) for name in self.names})

    def translate(
        self,
        x: Tensor | Mapping[str, Tensor],
        source: str | Sequence[str],
        target: str,
        c: Tensor | None = None,
    ) -> Distribution:
        """What one modality says another one looks like: p(target | z) at the code of the source.

        Args:
            x: Observations of the source; of several sources, by modality.
            source: A modality, or several.
            target: A modality; the source itself gives a reconstruction.
            c: Covariates, where the networks take them.

        Raises:
            ValueError: for a modality that there is not.

        Returns:
            A distribution, whose ``.mean`` is the prediction. Of counts it is at the median
            library size of the training data; ``.at(library)`` gives another.
        """
        if target not in self.decoders:
            raise ValueError(f"there is no modality {target!r}; there are {list(self.names)}")
        sources = [source] if isinstance(source, str) else list(source)
        observed = {sources[0]: x} if isinstance(x, Tensor) else {name: x[name] for name in sources}
        return self.decoders[target](self.represent(observed, c).mean, c)

    @torch.no_grad()
    def cluster(
        self,
        batch: Batch | Observations,
        c: Tensor | None = None,
        present: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Soft assignments p(k|z) at the codes, ``(B, K)``; rows sum to one.

        Raises:
            TypeError: if the prior has no components.
        """
        if not isinstance(self.prior, ClusteredPrior):
            raise TypeError(
                f"prior is a {type(self.prior).__name__}, which has no components and so no "
                "clusters: build the method with one that has, such as "
                "prior=GaussianMixture(latent_dim, 10)"
            )
        return self.prior.responsibilities(self.represent(batch, c, present).mean)

    @torch.no_grad()
    def sample(self, n: int, *, c: Tensor | None = None) -> dict[str, Tensor]:
        """Codes from the prior, decoded into every modality, ``(n, ...)`` each; means of p(x|z)."""
        return self.decode(self.prior().sample((n,)), c=c).mean

    def conditions(self) -> Mapping[str, int]:
        """What samples can be given: what the prior tells apart."""
        return cast(Prior, self.prior).conditions()

    @torch.no_grad()
    def sample_given(
        self, n: int, condition: Mapping[str, int], *, c: Tensor | None = None
    ) -> dict[str, Tensor]:
        """``(n, ...)`` means of every modality, given values of `conditions`.

        Raises:
            ValueError: for a name or a value that there is not.
        """
        check_condition(condition, self.conditions())
        return self.decode(cast(Prior, self.prior).sample_given(n, condition), c=c).mean

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: reconstructions in all directions, and the divergence."""
        batch = Modalities.check(batch)
        masks = batch.present
        x = _without_missing(batch.x, masks)
        posteriors = self.posteriors(x, batch.c)
        if self.fusion == "product":
            bounds = self._subsets(posteriors, masks)
        else:
            bounds = self._sources(posteriors, masks)
        prior = self.prior()
        first = next(iter(posteriors.values())).mean[:, 0]
        nll = divergence = weight = torch.zeros_like(first)
        seen: dict[str, Tensor] = {}
        for source, q, comes_from, among in bounds:
            share = comes_from.to(q.mean.dtype)
            z = q.rsample()
            for target, mask in among.items():
                there = mask.to(share.dtype) * share
                error = -self.decoders[target](z, batch.c).log_prob(x[target])
                nll = nll + self._weight(source, target) * there * error
                if source is not None:
                    average = (there * error).sum() / there.sum().clamp(min=1)
                    seen[f"{source}_to_{target}"] = average.detach()
            if self.fusion == "mixture" and len(posteriors) > 1:
                stacked = torch.stack([masks[name] for name in posteriors], 1)
                mixed = self._fused(list(posteriors.values()), stacked)
                gap = mixed.log_prob(z) - prior.log_prob(z)
            else:
                gap = kl(q, prior, z)
            divergence, weight = divergence + share * gap, weight + share
        bound = Loss(nll=nll / weight, kl=(at(self.beta, ctx.step), divergence / weight))
        yield {"vae": bound + {name: (0.0, value) for name, value in seen.items()}}

    def _sources(
        self, posteriors: Mapping[str, Distribution], masks: Mapping[str, Tensor]
    ) -> Iterator[_Bound]:
        """Each modality by itself, decoded into all that are present."""
        for name, q in posteriors.items():
            yield name, q, masks[name], masks

    def _subsets(
        self, posteriors: Mapping[str, Distribution], masks: Mapping[str, Tensor]
    ) -> Iterator[_Bound]:
        """All that is present, each modality alone, random subsets; each decoded into itself."""
        experts = list(posteriors.values())
        every = torch.stack([masks[name] for name in self.names], 1)
        chosen: list[tuple[str | None, Tensor]] = [(None, every)]
        if len(experts) > 1:
            for i, name in enumerate(self.names):
                alone = torch.zeros_like(every)
                alone[:, i] = every[:, i]
                chosen.append((name, alone))
        for _ in range(self.subsets if len(experts) > 2 else 0):
            drawn = every & (torch.rand(every.shape, device=every.device) < 0.5)
            chosen.append((None, torch.where(drawn.any(1, keepdim=True), drawn, every)))
        for source, subset in chosen:
            among = dict(zip(self.names, subset.unbind(1), strict=True))
            if source is not None:
                among = {source: among[source]}
            yield source, product_of_experts(experts, subset), subset.any(1), among

    def _weight(self, source: str | None, target: str) -> float:
        return self.weights.get(f"{source}->{target}", self.weights.get(target, 1.0))


_Bound = tuple[str | None, Distribution, Tensor, Mapping[str, Tensor]]
"""Where a code comes from, its posterior, for whom it counts, and which targets it explains."""


class _Modality:
    """One modality of a data set, with the covariates of all."""

    def __init__(self, data: Multimodal, name: str) -> None:
        self.part, self.shape = data.parts[name], data.parts[name].shape
        self.covariates = data.covariates
        self.rows = data.present[name].nonzero()[:, 0]

    def __len__(self) -> int:
        return len(self.rows)

    def observations(self, index: Tensor) -> Tensor:
        return self.part.observations(self.rows[index])


def _modalities(
    batch: Batch | Observations,
    c: Tensor | None,
    present: Mapping[str, Tensor] | None,
    names: Sequence[str],
) -> Modalities:
    """A batch of several modalities, of whatever stands for one."""
    if isinstance(batch, Mapping) and not batch:
        raise ValueError(f"x is empty; expected some of {list(names)}")
    made = Batch.of(batch, c, present)
    if not isinstance(made, Modalities):
        raise TypeError(
            f"observations come by modality, as in {{{names[0]!r}: x}}, got a "
            f"{type(batch).__name__}"
        )
    return made


def _without_missing(x: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Observations with zeros for what is missing, so that whatever stood there does no harm."""
    return {
        name: torch.where(
            masks[name].reshape(-1, *[1] * (value.ndim - 1)), value, torch.zeros_like(value)
        )
        for name, value in x.items()
    }
