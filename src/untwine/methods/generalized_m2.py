"""Generalized M2: a small graph of variables, some of them observed for some examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution
from torch.optim import Adam

from ..checks import check_size
from ..data.batches import Batch, FewLabels
from ..distributions import (
    Blocks,
    Conditional,
    Diagonal,
    Likelihood,
    Posterior,
    Prior,
    diagonal_normal,
)
from ..distributions.conditional import check_observations
from ..functional import Schedule, at, one_hot, self_normalized
from ..nets import MLP, Architecture, default_architecture
from ..nets.mlp import mlp
from .conditions import check_condition, repeated
from .graph import Graph, Variable
from .label_checks import check_batches
from .loss import Loss
from .method import Context, MakeOptimizer, Method, Moves, Observations, Player, Stage
from .model import autoencoder, fitting_prior
from .particles import Particles
from .vae import gathered

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["GeneralizedM2"]

_SAMPLES = 10  # by default, where they are weighed


class GeneralizedM2(Method):
    r"""Semi-supervised VAE of any directed graph of variables.

    With z for the variables that an example comes without and y for those that it comes with,

    .. math::
        \mathcal{L}(x) = \mathbb{E}_{q(z|x)} \Big[ \log \frac{p(x, z)}{q(z|x)} \Big], \qquad
        \mathcal{L}^{sup}(x, y) = \mathbb{E}_{q(z|x,y)} \Big[
        \log \frac{p(x, y, z)}{q(y, z|x)} \Big] + (1 + \alpha) \log q(y|x)

        \max \; \overline{\mathcal{L}(x)} + \gamma \, \overline{\mathcal{L}^{sup}(x_l, y_l)}

    Samples of q(z|x,y) are not to be had where a supervised variable is conditioned on a latent
    one. Latent variables are drawn in the order of the recognition graph instead, with y put where
    it belongs, and weighed by what their draws make of the probability of y:

    .. math::
        w_s = \prod_j q(y_j \mid \ldots), \qquad
        \mathcal{L}^{sup} \approx \sum_{s=1}^{S} \frac{w_s}{\sum_t w_t}
        \log \frac{p(x, y, z_s)}{q(y, z_s|x)} + \frac{1 + \alpha}{S} \sum_s \log w_s

    where the last term bounds :math:`\log q(y|x) = \log \mathbb{E}[w]` from below. Where no
    supervised variable is given a latent one all weights are alike, and nothing is approximate.

    Discrete variables that are not observed are summed over, exactly, or with a temperature
    (`Variable`) drawn from a Gumbel-softmax, with the divergence of the classes for their term,
    which is the usual approximation and no bound.

    Args:
        graph: The variables and their dependencies.
        recognition: By variable, what turns its ``given`` into a Gaussian, or into logits: called
            with ``x``, with ``x`` and the others side by side, or with the others.
        priors: By variable, ``() -> p`` of a continuous variable that is given nothing, and of
            variables that are given others, others ``-> p`` or logits.
        decoder: ``(continuous, discrete) -> p(x|...)`` of what it sees, side by side and in the
            graph's order; of one argument where there is only one kind.
        sizes: How many values the factor of each continuous supervised variable has.
        samples: :math:`S`; by default 10 where a supervised variable is given a latent one that is
            drawn, and 1 elsewhere, where all weights are alike.
        alpha: :math:`\alpha`, the weight of the classifiers' own loss, by labelled example.
        gamma: :math:`\gamma`, the weight of the labelled part.
        incomplete: Whether labelled examples may lack some of their labels (-1). What is lacking
            is then treated like a latent variable; sums over classes are taken in the labelled
            part, too.
        optimizer: Of all parameters; called with them.

    References:
        Siddharth, Paige, van de Meent, Desmaison, Goodman, Kohli, Wood, Torr, "Learning
        Disentangled Representations with Semi-Supervised Deep Generative Models", 2017,
        https://arxiv.org/abs/1706.00400, section 3.

    Deviations:
        Labelled and unlabelled parts are averaged over their own batches, not summed over the data:
        with gamma times the ratio of labelled to unlabelled examples for our gamma the sum is the
        paper's. Divergences are in closed form wherever that leaves the expectation as it is.
    """

    supervision = FewLabels
    without_covariates = "let what they say be a supervised variable of the graph"

    def __init__(
        self,
        graph: Graph,
        recognition: nn.ModuleDict,
        priors: nn.ModuleDict,
        decoder: nn.Module,
        sizes: Mapping[str, int],
        *,
        samples: int | None = None,
        alpha: float | Schedule = 10.0,
        gamma: float | Schedule = 1.0,
        incomplete: bool = False,
        optimizer: MakeOptimizer = partial(Adam, lr=3e-4, fused=True),
    ) -> None:
        super().__init__()
        if samples is not None:
            check_size("samples", samples)
        if not graph.labels:
            raise ValueError(
                "no variable of the graph is supervised: let one be, or use a method that learns "
                "from Images"
            )
        self.graph, self.recognition, self.priors = graph, recognition, priors
        self.decoder, self.sizes = decoder, dict(sizes)
        self.samples = (_SAMPLES if graph.draws(incomplete) else 1) if samples is None else samples
        self.alpha, self.gamma, self.incomplete = alpha, gamma, incomplete
        self.optimizer = optimizer
        start, self.slices = 0, {}
        for name, variable in graph.variables.items():
            self.slices[name] = slice(start, start + variable.width)
            start += variable.width

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        graph: Graph | None = None,
        label: str | None = None,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        hidden: Sequence[int] = (256,),
    ) -> dict[str, object]:
        """Networks that fit the data and the graph.

        Args:
            data: What the method will learn from.
            latent_dim: The number of continuous dimensions of the default graph.
            graph: The variables; by default M2's: a supervised class and a continuous rest that is
                given it.
            label: Name of the default graph's factor; by default the first.
            net: The architecture of the decoder and of recognition models that are given x.
            likelihood: The family of p(x|...), see `Model.of`.
            posterior: The family of continuous variables; independent Gaussians by default.
            hidden: Widths of the hidden layers of recognition models that are not given x, and of
                priors that are given others.
        """
        space = data.space
        if graph is None:
            label = space.names[0] if label is None else label
            classes = space.sizes[space.position(label)]
            graph = Graph(
                z=Variable(dim=latent_dim, given=("x", "y")),
                y=Variable(classes=classes, supervised=label),
            )
        elif label is not None:
            raise ValueError(f"label is {label!r}, but the graph says what is supervised")
        sizes = {}
        for name, factor in graph.labels.items():
            size, variable = space.sizes[space.position(factor)], graph.variables[name]
            if variable.classes is None:
                sizes[name] = size
            elif variable.classes != size:
                raise ValueError(
                    f"variable {name!r} has {variable.classes} classes, but factor {factor!r} has "
                    f"{size} values"
                )
        if net is None:
            counts = likelihood is not None and likelihood.counts
            net = MLP(inputs="log1p") if counts else default_architecture(data.shape)
        posterior = Diagonal() if posterior is None else posterior
        recognition, priors = nn.ModuleDict(), nn.ModuleDict()
        widths = {name: variable.width for name, variable in graph.variables.items()}
        for name, variable in graph.variables.items():
            head = None if variable.dim is None else posterior
            outputs = variable.width if head is None else head.features(variable.width)
            others = sum(widths[parent] for parent in variable.given if parent != "x")
            recognition[_key(name)] = _with_head(
                net.encoder(data.shape, outputs, others)
                if "x" in variable.given
                else nn.Sequential(*mlp(others, hidden, outputs)),
                head,
            )
            if variable.prior_given:
                inputs = sum(widths[parent] for parent in variable.prior_given)
                prior = None if variable.dim is None else Diagonal()
                outputs = variable.width * (1 if prior is None else 2)
                priors[_key(name)] = _with_head(nn.Sequential(*mlp(inputs, hidden, outputs)), prior)
            elif variable.dim is not None:
                priors[_key(name)] = fitting_prior(
                    variable.prior, variable.dim, data, recognition[_key(name)]
                )
        seen = [variable for variable in graph.variables.values() if variable.decoded]
        continuous = sum(variable.dim or 0 for variable in seen)
        discrete = sum(variable.classes or 0 for variable in seen)
        seen_as = (continuous, discrete) if continuous else (discrete, 0)
        _, decoder = autoencoder(data, seen_as[0], net, likelihood, posterior, seen_as[1])
        return {
            "graph": graph,
            "recognition": recognition,
            "priors": priors,
            "decoder": decoder,
            "sizes": sizes,
        }

    def check_batch(self, batch: Batch) -> None:
        """Refuses observations that p(x|z) gives no density."""
        check_observations(self.decoder, batch.observations())

    def sampler(self) -> Sampler:
        """Unlabelled examples, and examples with the values of the supervised variables."""
        from ..data import FewLabelsSampler

        return FewLabelsSampler(
            label=tuple(self.graph.labels.values()), known="any" if self.incomplete else "all"
        )

    def players(self) -> Mapping[str, Player]:
        """One: everything moves together."""
        return {"m2": Player((self.recognition, self.priors, self.decoder), self.optimizer)}

    def stages(self) -> tuple[Stage, ...]:
        """One, which begins with a look at the labels and gives priors some codes."""
        return (Stage("fit", self.moves, self._begin),)

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: labelled bound, unlabelled bound, classification."""
        batch = FewLabels.check(batch)
        labels, known = self._labels(batch)
        particles = self._pass(batch.xl, labels, known)
        log_q = (particles.probabilities * particles.log_weights).sum(0)
        expected = self_normalized(particles.ratio, particles.log_weights, particles.probabilities)
        gamma = at(self.gamma, ctx.step)
        yield {
            "m2": Loss(
                labelled=(gamma, -(expected + log_q)),
                unlabelled=-self.bound(batch.x),
                classification=(gamma * at(self.alpha, ctx.step), -log_q),
            )
        }

    def bound(self, x: Tensor) -> Tensor:
        r"""The unlabelled :math:`\mathcal{L}(x)`, ``(B,)``, a lower bound of log p(x) in nats."""
        particles = self._pass(x, {}, {})
        return (particles.probabilities * particles.ratio).sum(0)

    def represent(self, batch: Batch | Observations) -> Distribution:
        """All variables side by side, ``(B, D)``, in blocks of their names.

        Means and variances are those of the marginal posterior: of the mixture over all classes of
        the variables that are summed over, with continuous and relaxed variables passed on to
        others by their means. A discrete variable's mean holds its class probabilities.
        """
        moments = self._means(Batch.of(batch).tensor, {})
        return Blocks(
            {
                name: diagonal_normal(moments[name][0], moments[name][1].clamp(min=0).sqrt())
                for name in self.graph.variables
            }
        )

    def values(self, x: Tensor, **known: Tensor) -> dict[str, Tensor]:
        """Posterior means of the variables by name, ``(B, width)``, with some set by hand.

        Args:
            x: Observations.
            **known: Values that replace the recognition model's: classes ``(B,)`` of integers, or
                ``(B, width)``. Variables that are given these follow them.

        Raises:
            ValueError: for a name that no variable has.
        """
        for name in known:
            if name not in self.graph.variables:
                raise ValueError(
                    f"there is no variable {name!r}; the graph has {list(self.graph.variables)}"
                )
        given = {name: self._value(name, value, x.dtype) for name, value in known.items()}
        return {name: mean for name, (mean, _) in self._means(x, given).items()}

    def classify(self, batch: Batch | Observations, name: str | None = None) -> Categorical:
        """q(name|x) of a discrete variable; by default the first supervised one."""
        discrete = [n for n, v in self.graph.variables.items() if v.classes]
        name = next((n for n in discrete if n in self.graph.labels), None) if name is None else name
        if name not in discrete:
            raise ValueError(f"there is no discrete variable {name!r}; the graph has {discrete}")
        return Categorical(probs=self.values(Batch.of(batch).tensor)[name], validate_args=False)

    def decode(
        self,
        z: Tensor | Mapping[str, Tensor],
        *,
        c: Tensor | None = None,
        y: Tensor | None = None,
    ) -> Distribution:
        """p(x|...) of variables side by side, as `represent` returns them, or by name."""
        if isinstance(z, Tensor):
            z = {name: z[:, where] for name, where in self.slices.items()}
        seen = [(z[name], v) for name, v in self.graph.variables.items() if v.decoded]
        kinds = ([c for c, v in seen if v.dim is not None], [c for c, v in seen if v.classes])
        return self.decoder(*(torch.cat(kind, -1) for kind in kinds if kind))

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """``(n, ...)`` means of p(x|...) for variables drawn from their priors."""
        return self.sample_given(n, {})

    def conditions(self) -> Mapping[str, int]:
        """Discrete variables, and supervised continuous ones with the values of their factor."""
        classes = {n: v.classes for n, v in self.graph.variables.items() if v.classes}
        return {**classes, **self.sizes}

    @torch.no_grad()
    def sample_given(
        self, n: int, condition: Mapping[str, int], *, c: Tensor | None = None
    ) -> Tensor:
        """``(n, ...)`` means of p(x|...) with some variables held at a value.

        Variables that come after those are drawn given them; those before are drawn as ever, so
        that a variable with parents is set, as in an intervention.

        Raises:
            ValueError: for a name or a value that there is not, and for covariates.
        """
        check_condition(condition, self.conditions())
        if c is not None:
            raise ValueError(f"covariates cannot be given: {self.without_covariates}")
        like = next(self.parameters())
        device, drawn = like.device, dict[str, Tensor]()
        for name in self.graph.prior_order:
            if name in condition:
                drawn[name] = self._value(name, repeated(condition[name], n, like), like.dtype)
                continue
            prior = self._prior(name, drawn, n, device)
            if isinstance(prior, Tensor):
                classes = Categorical(logits=prior, validate_args=False).sample()
                drawn[name] = one_hot(classes, prior.shape[-1])
            else:
                drawn[name] = prior.sample((n,)) if not prior.batch_shape else prior.sample()
        return self.decode(drawn).mean

    def _labels(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The values of supervised variables, and which of them are known."""
        batch = FewLabels.check(batch)
        y = batch.yl.reshape(len(batch.yl), -1)
        if y.shape[1] != len(self.graph.labels):
            raise ValueError(
                f"the batch has {y.shape[1]} labels for each example, but the graph's are "
                f"{list(self.graph.labels.values())}: give fit sampler=FewLabelsSampler(label=...) "
                "these names"
            )
        columns = dict(zip(self.graph.labels, y.unbind(1), strict=True))
        known = {name: column >= 0 for name, column in columns.items()} if self.incomplete else {}
        labels = {n: self._value(n, column, batch.xl.dtype) for n, column in columns.items()}
        return labels, known

    def _value(self, name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
        """What the networks are given for a label: one-hot, or centered and scaled."""
        variable = self.graph.variables[name]
        if value.ndim > 1:
            return value.to(dtype)
        if variable.classes:
            return one_hot(value, variable.classes).to(dtype)
        size = self.sizes[name]
        spread = max((size**2 - 1) / 12, 1e-12) ** 0.5
        scaled = (value - (size - 1) / 2) / spread
        return scaled.to(dtype).unsqueeze(-1)

    def _pass(
        self, x: Tensor, labels: Mapping[str, Tensor], known: Mapping[str, Tensor]
    ) -> Particles:
        """Goes through the variables, and weighs what it finds."""
        p, weighing = Particles(x, self.samples), self.graph.weighing if labels else set()
        pending = []
        for name in self.graph.order:
            variable, q = self.graph.variables[name], self._recognize(name, p)
            label, mask = labels.get(name), known.get(name)
            if isinstance(q, Tensor):
                p.discrete(name, q, label, mask, variable.relaxed)
                pending.append(name)
                continue
            ready = all(parent in p.values for parent in variable.prior_given)
            if label is None and ready and name not in weighing:
                prior = self._prior(name, p.values, p.rows, x.device)
                assert not isinstance(prior, Tensor)  # a continuous variable's is a distribution
                p.latent(name, q, prior)
            else:
                p.continuous(name, q, label, mask)
                pending.append(name)
        for name in pending:
            p.add(_log_prob(self._prior(name, p.values, p.rows, x.device), p.values[name]))
        p.add(self.decode(p.values).log_prob(p.spread(x)))
        return p

    def _recognize(self, name: str, p: Particles) -> Distribution | Tensor:
        """A Gaussian, or logits, with a row for each example or for each particle."""
        given, module = self.graph.variables[name].given, self.recognition[_key(name)]
        others = [p.values[parent] for parent in given if parent != "x"]
        if not others:
            return module(p.x)
        side_by_side = torch.cat(others, -1)
        return module(p.spread(p.x), side_by_side) if "x" in given else module(side_by_side)

    def _prior(
        self, name: str, values: Mapping[str, Tensor], rows: int, device: torch.device
    ) -> Distribution | Tensor:
        """What a variable is given its parents' values: a distribution, or log probabilities."""
        variable = self.graph.variables[name]
        if variable.prior_given:
            given = torch.cat([values[parent] for parent in variable.prior_given], -1)
            found = self.priors[_key(name)](given)
            return found.log_softmax(-1) if isinstance(found, Tensor) else found
        if variable.classes:
            return torch.zeros(rows, variable.classes, device=device).log_softmax(-1)
        return self.priors[_key(name)]()

    def _means(self, x: Tensor, known: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
        """Marginal means and variances by variable, with nothing drawn at random."""
        p = Particles(x, 1)
        for name in self.graph.order:
            if name in known:
                p.settle(name, p.spread(known[name]))
                continue
            q, variable = self._recognize(name, p), self.graph.variables[name]
            if isinstance(q, Tensor) and variable.relaxed is None:
                p.discrete(name, q, None, None, None)
                p.settle(name, p.values[name])
            elif isinstance(q, Tensor):
                share = p.level(q).softmax(-1)
                p.settle(name, share, share * (1 - share))
            else:
                p.settle(name, p.level(q.mean), p.level(q.variance))
        return p.moments()

    def _begin(self, batches: Iterable[Batch]) -> None:
        self._check(batches)
        for name, variable in self.graph.variables.items():
            prior = None if variable.prior is None else self.priors[_key(name)]
            if isinstance(prior, Prior) and prior.starts:
                prior.start(gathered(self, partial(self._codes, name), batches))

    def _codes(self, name: str, batch: Batch) -> Tensor:
        return self.values(batch.tensor)[name]

    def _check(self, batches: Iterable[Batch]) -> None:
        labels, variables = self.graph.labels, self.graph.variables
        sizes = [variables[name].classes or self.sizes[name] for name in labels]
        check_batches(batches, list(labels.values()), sizes, unknown=self.incomplete)


def _key(name: str) -> str:
    """A module's name, apart from those that a ModuleDict has for itself."""
    return f"{name}_"


def _with_head(net: nn.Module, head: Posterior | None) -> nn.Module:
    return net if head is None else Conditional(net, head)


def _log_prob(p: Distribution | Tensor, value: Tensor) -> Tensor:
    return (p * value).sum(-1) if isinstance(p, Tensor) else p.log_prob(value)
