"""Sufficiency, minimality and invariance of a representation, each between two bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from ..data import FactorDataset
from ..functional import log_densities
from ..methods.abilities import Represents
from .elbo import drawn
from .estimates import Estimate, Finding
from .models import NoDensity, encode_for

__all__ = ["Between", "Goodness", "goodness", "goodness_of"]

_HELD = 1 << 21


@dataclass(frozen=True)
class Between:
    """A mutual information in nats, between two bounds.

    Attributes:
        low: From below.
        low_by: By which estimator.
        high: From above; infinite where nothing bounds it.
        high_by: By which.
    """

    low: Estimate
    low_by: str
    high: float
    high_by: str

    def __str__(self) -> str:
        high = f"{self.high:.3g}" if math.isfinite(self.high) else "infinity"
        return f"{self.low} ({self.low_by}) to {high} ({self.high_by})"


@dataclass(frozen=True, repr=False)
class Goodness(Finding):
    """Sufficiency, minimality and invariance of a representation, in nats.

    Attributes:
        task: I(y; z): what the code says of the task.
        available: I(y; x): what there is to say.
        complexity: I(x; z): all that the code says of the observation; minimal is small.
        nuisance: I(n; z), by the nuisance's name.
        excess: The upper bound of I(x; z) - I(y; z) that these give: no nuisance can be told better
            than that by a code that says all about y.
        entropy: H(y).
        y: What the task is called.
    """

    task: Between
    available: Between
    complexity: Between
    nuisance: dict[str, Between]
    excess: float
    entropy: float
    y: str

    @property
    def sufficient(self) -> bool:
        """Whether the code says at least nine tenths of H(y)."""
        return self.task.low.value >= 0.9 * self.entropy

    def __str__(self) -> str:
        lines = [
            f"sufficiency: I({self.y}; z) is {self.task} of I({self.y}; x), {self.available} nats.",
            f"minimality: I(x; z) is {self.complexity} nats.",
        ]
        for name, information in self.nuisance.items():
            lines.append(f"invariance: I({name}; z) is {information} nats.")
        if self.sufficient:
            lines.append(
                f"The code is sufficient, so no nuisance that is independent of {self.y} can be "
                f"told by more than I(x; z) - I({self.y}; z), at most {self.excess:.3g} nats: "
                "what is minimal is invariant."
            )
        return "\n".join(lines)


def goodness(
    model: Represents,
    data: FactorDataset,
    y: str | int,
    *,
    n: int = 2000,
    samples: int = 2,
    seed: int = 0,
) -> Goodness:
    r"""Sufficiency, minimality and invariance of a model's code for a task.

    .. math::
        I(z; n) \le I(z; x) - I(z; y) \quad \text{for a nuisance } n \perp y \text{ and } z
        \text{ made of } x

    with equality for the worst nuisance if z is sufficient: a sufficient representation is
    invariant exactly as far as it is minimal.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior`` whose posteriors are Gaussian.
        data: With factors.
        y: The factor that is the task; the others are nuisances.
        n: How many observations.
        samples: Of each posterior.
        seed: Of observations and samples.

    Raises:
        NoDensity: for posteriors without a known density: information about a continuous x is
            infinite for a deterministic code.
        ValueError: for a factor that is not there.

    References:
        Achille, Soatto, "Emergence of Invariance and Disentanglement in Deep Representations",
        2018, https://arxiv.org/abs/1706.01350, section 3; Barber, Agakov, "The IM Algorithm", 2003
        (the lower bound by a classifier).
    """
    place = data.space.position(y) if isinstance(y, str) else int(y)
    names = list(data.space.names)
    if not 0 <= place < len(names):
        raise ValueError(f"y is {y!r}; expected one of {', '.join(names)}")
    encoded = encode_for(model, data, n, seed)
    encoded.need_gaussian("information", prior=False)
    index = np.arange(len(data))
    if n < len(data):
        index = np.sort(np.random.default_rng([seed, 13]).choice(len(data), n, replace=False))
    factors = np.asarray(data.factors)[index]
    nuisances = {name: factors[:, k] for k, name in enumerate(names) if k != place}
    return goodness_of(
        encoded.q, factors[:, place], nuisances, x=encoded.x.flatten(1), prior=encoded.prior,
        y_name=names[place], samples=samples, seed=seed,
    )  # fmt: skip


@torch.no_grad()
def goodness_of(
    q: Distribution,
    y: Any,
    nuisances: dict[str, Any] | None = None,
    *,
    x: Tensor | None = None,
    prior: Distribution | None = None,
    y_name: str = "y",
    samples: int = 2,
    seed: int = 0,
) -> Goodness:
    """As `goodness`, of Gaussian posteriors and labels.

    Bounds, all of the population's information:

    - I(x; z) from below by contrast with the other posteriors (at most log N), from above by
      leaving each observation out of the mixture, or by the average KL from the prior;
    - I(y; z) from below by the classifier r(y|z) that the other observations' posteriors make,
      H(y) + E log r(y|z), from above by H(y) and by I(x; z);
    - I(y; x) from below by that, or by a nearest-neighbor classifier of x, from above by H(y).

    Args:
        q: Posteriors, batch shape ``(N,)``.
        y: Labels, ``(N,)``.
        nuisances: Labels by name, ``(N,)`` each.
        x: Observations, ``(N, M)``, for a classifier of them.
        prior: For the rate.
        y_name: What the task is called.
        samples: Of each posterior.
        seed: Of the samples.

    Raises:
        NoDensity: for another family of posteriors.
        ValueError: for labels of another length.
    """
    size = q.batch_shape[0]
    labels = {y_name: y, **(nuisances or {})}
    coded = {}
    for name, values in labels.items():
        if len(values) != size:
            raise ValueError(f"{name} has {len(values)} labels for {size} posteriors")
        coded[name] = torch.from_numpy(np.unique(np.asarray(values), return_inverse=True)[1])
    z = drawn(q, samples, seed)
    contrast, above, logs = _information(q, z, coded)
    high, high_by = above.value, "leaving one out"
    if prior is not None:
        from ..functional import kl

        rate = kl(q, prior, z[0]).mean().item()
        if rate < high:
            high, high_by = rate, "average KL from the prior"
    complexity = Between(contrast, "contrast with other posteriors", high, high_by)

    def told(name: str) -> Between:
        entropy = _entropy(coded[name])
        bound = logs[name]
        low = Estimate(max(0.0, entropy + bound.value), bound.stderr)
        top, by = (entropy, "entropy") if entropy <= high else (high, "I(x; z)")
        return Between(low, "classifier of other posteriors", top, by)

    task = told(y_name)
    entropy = _entropy(coded[y_name])
    available_low, available_by = task.low, task.low_by
    if x is not None:
        from_x = _nearest(x, coded[y_name])
        if from_x.value > available_low.value:
            available_low, available_by = from_x, "nearest neighbors of x"
    return Goodness(
        task=task,
        available=Between(available_low, available_by, entropy, "entropy"),
        complexity=complexity,
        nuisance={name: told(name) for name in labels if name != y_name},
        excess=max(0.0, high - task.low.value),
        entropy=entropy,
        y=y_name,
    )


def _information(
    q: Distribution, z: Tensor, labels: dict[str, Tensor]
) -> tuple[Estimate, Estimate, dict[str, Estimate]]:
    """Both bounds of I(x; z), and E log r(label|z), for each set of labels."""
    samples, size, dim = z.shape
    flat = z.reshape(-1, dim)
    own = torch.arange(size).repeat(samples)
    inside, outside = torch.empty(len(flat), dtype=z.dtype), torch.empty(len(flat), dtype=z.dtype)
    logs = {name: torch.empty(len(flat), dtype=z.dtype) for name in labels}
    for rows in torch.arange(len(flat)).split(max(1, _HELD // (size * dim))):
        try:
            joint, _ = log_densities(q, flat[rows])
        except TypeError as error:
            raise NoDensity(str(error)) from error
        here = torch.arange(len(rows)), own[rows]
        conditional = joint[here].clone()
        inside[rows] = conditional - joint.logsumexp(1) + math.log(size)
        joint[here] = -math.inf
        rest = joint.logsumexp(1)
        outside[rows] = conditional - rest + math.log(size - 1)
        for name, label in labels.items():
            count = int(label.max()) + 1
            same = label.unsqueeze(0) == label[own[rows]].unsqueeze(1)
            mine = joint.masked_fill(~same, -math.inf).logsumexp(1)
            # A little of every class, so that a point that is far from all is no disaster.
            share = (mine - rest).exp().nan_to_num(0.0)
            prior = torch.bincount(label)[label[own[rows]]].to(z.dtype) / size
            logs[name][rows] = (0.99 * share + 0.01 * prior).log() if count > 1 else 0.0

    def estimate(values: Tensor) -> Estimate:
        return Estimate.of(values.reshape(samples, size).mean(0))

    return estimate(inside), estimate(outside), {k: estimate(v) for k, v in logs.items()}


def _entropy(label: Tensor) -> float:
    share = torch.bincount(label).double() / len(label)
    return -torch.special.xlogy(share, share).sum().item()


def _nearest(x: Tensor, label: Tensor, k: int = 5) -> Estimate:
    """H(y) + E log r(y|x) of smoothed votes of the nearest neighbors among other observations."""
    distances = torch.cdist(x.double(), x.double()).fill_diagonal_(math.inf)
    nearest = distances.topk(min(k, len(x) - 1), largest=False).indices.cpu()
    votes = (label[nearest] == label.unsqueeze(1)).double().sum(1)
    classes = int(label.max()) + 1
    log_r = ((votes + 1 / classes) / (nearest.shape[1] + 1)).log()
    found = Estimate.of(log_r)
    return Estimate(max(0.0, _entropy(label) + found.value), found.stderr)
