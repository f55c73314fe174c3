"""Levels of a hierarchy: what each costs, shows and tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from ..checks import check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..data.seeds import check_seed
from ..distributions import Blocks, Chain
from ..encoding import Codes, batch_of, carried, evaluating, placement
from ..evaluation import evaluate
from ..functional import kl_blocks
from ..metrics import readout
from .models import LatentModel, NoDensity, decoding

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LevelRates",
    "LevelTable",
    "level_cuts",
    "level_rates",
    "level_table",
    "level_traversal",
]

_ROWS = 128
_ACTIVE = 0.1  # nats
_WIDEST = 32  # columns of a level that metrics see
_FITTED = 2000  # rows that principal components are of


@dataclass(frozen=True)
class LevelRates:
    r"""The divergence of every level, averages over observations.

    .. math::
        \mathbb{E} \, D_{KL}(q(z_l|z_{<l}, x) \,\|\, p(z_l|z_{<l}))

    Attributes:
        names: Of the levels, the uppermost first.
        nats: Their divergences, averages over observations, ``(L,)``.
        errors: Standard errors of these averages, ``(L,)``.
        dims: Code dimensions of each level.

    Example:
        >>> rates = LevelRates(("z_2", "z_1"), np.array([3.0, 9.0]), np.zeros(2), (2, 4))
        >>> rates.share.tolist(), rates.active()
        ([0.25, 0.75], ('z_2', 'z_1'))
    """

    names: tuple[str, ...]
    nats: np.ndarray
    errors: np.ndarray
    dims: tuple[int, ...]

    @property
    def total(self) -> float:
        """Nats of all levels."""
        return float(self.nats.sum())

    @property
    def share(self) -> np.ndarray:
        """Of the total, by level."""
        return self.nats / max(self.total, 1e-12)

    def active(self, nats: float = _ACTIVE) -> tuple[str, ...]:
        """Names of the levels that carry more than so much."""
        return tuple(n for n, value in zip(self.names, self.nats, strict=True) if value > nats)

    def __str__(self) -> str:
        lines = [
            f"{name:>10} {value:8.2f} ± {error:.2f} nats {share:6.1%} in {dim} dimensions"
            for name, value, error, share, dim in zip(
                self.names, self.nats, self.errors, self.share, self.dims, strict=True
            )
        ]
        lines.append(f"{len(self.active())} of {len(self.names)} levels carry more than "
                     f"{_ACTIVE} nats; {self.total:.2f} in all")  # fmt: skip
        return "\n".join(lines)


@dataclass(frozen=True)
class LevelTable:
    """Which factor lives at which level: what probes and metrics see in each level alone.

    Attributes:
        names: Of the levels, the uppermost first.
        factors: Names of the factors.
        readout: What a linear probe of the level reaches, ``(L, K)``: accuracy, or R2 of a factor
            that is a number; see `metrics.readout`.
        balanced: The accuracy with all values of equal weight; nan for R2.
        chance: What the probe reaches without the code, ``(K,)``.
        scores: By level and metric, its value and that by chance (nan where not asked for).
        columns: How many columns of each level were looked at, principal components where these
            are fewer than its dimensions.
    """

    names: tuple[str, ...]
    factors: tuple[str, ...]
    readout: np.ndarray
    balanced: np.ndarray
    chance: np.ndarray
    scores: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    columns: tuple[int, ...] = ()

    @property
    def best(self) -> dict[str, str]:
        """By factor, the level that it is read off best."""
        return {f: self.names[int(self.readout[:, k].argmax())] for k, f in enumerate(self.factors)}

    def to_frame(self) -> pd.DataFrame:
        """A row per level, then chance; columns are factors, then metrics and their chance."""
        import pandas as pd

        frame = pd.DataFrame(self.readout, index=list(self.names), columns=list(self.factors))
        metrics = list(dict.fromkeys(n for of_level in self.scores.values() for n in of_level))
        for metric in metrics:
            pairs = [self.scores[level].get(metric, (np.nan, np.nan)) for level in self.names]
            frame[metric] = [value for value, _ in pairs]
            frame[f"{metric}, chance"] = [chance for _, chance in pairs]
        frame.loc["chance", list(self.factors)] = self.chance
        return frame

    def __str__(self) -> str:
        return self.to_frame().round(3).to_string(na_rep="")


@torch.no_grad()
def level_rates(
    method: LatentModel, data: FactorDataset, n: int = 1000, seed: int = 0
) -> LevelRates:
    """The divergence of each level from its prior, given samples of the levels above.

    Args:
        method: Whose posterior and prior have levels, or other named blocks.
        data: Observations.
        n: How many of them are looked at.
        seed: Of their choice and of the samples.

    Raises:
        NoDensity: for a method whose code has no levels.
        ValueError: for an ``n`` below 2.
    """
    check_size("n", n, least=2)
    check_seed(seed)
    index = np.arange(len(data))
    if n < len(data):
        index = np.sort(np.random.default_rng([seed, 17]).choice(len(data), n, replace=False))
    parts: list[np.ndarray] = []
    with evaluating(method), _seeded(method, seed):
        prior = _prior(method)
        for rows in np.array_split(index, -(-len(index) // _ROWS)):
            q = _posterior(method, batch_of(method, data, rows))
            terms = kl_blocks(q, prior, q.rsample())
            parts.append(np.stack([v.double().cpu().numpy() for v in terms.values()]))
    each = np.concatenate(parts, 1)
    errors = each.std(1, ddof=1) / each.shape[1] ** 0.5
    widths = tuple(where.stop - where.start for where in q.slices.values())
    return LevelRates(q.names, each.mean(1), errors, widths)


@torch.no_grad()
def level_cuts(
    method: LatentModel,
    batch: Batch | Tensor,
    *,
    rest: Literal["mean", "sample"] = "sample",
    cuts: Sequence[int] | None = None,
    seed: int = 0,
) -> Tensor:
    """Images with the levels above a cut from the data, and those below from the prior.

    At cut ``k`` the ``k`` uppermost levels are the posterior's means, and each level below is drawn
    from its prior given those above: what stays the same from draw to draw is what the levels above
    hold. Cut 0 is a sample of the model, the last cut a reconstruction.

    Args:
        method: Whose posterior and prior have levels.
        batch: Observations, with their covariates.
        rest: What the levels below the cut are: the prior's ``"mean"`` or a ``"sample"``.
        cuts: Numbers of levels from the data; from 0 to all by default.
        seed: Of the samples, the same ones for every cut.

    Returns:
        Means of p(x|z), ``(cuts, B, ...)``.

    Raises:
        NoDensity: for a method whose code has no levels.
        ValueError: for a cut that is not there.

    References:
        Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images",
        2021, https://arxiv.org/abs/2011.10650, figure 4 (cumulative resolutions).
    """
    check_seed(seed)
    batch = Batch.of(batch)
    images = []
    with evaluating(method):
        q, prior = _posterior(method, batch), _prior(method)
        count = len(q.names)
        cuts = range(count + 1) if cuts is None else cuts
        values = q.split(q.mean)
        for cut in cuts:
            if not 0 <= cut <= count:
                raise ValueError(f"cuts has {cut}; expected numbers from 0 to {count}")
            with _seeded(method, seed):
                known = {name: values[name] for name in q.names[:cut]}
                z = prior.complete(known, rest, rows=len(batch.x))
            images.append(decoding(method, z, batch.c).mean)
    return torch.stack(images)


@torch.no_grad()
def level_traversal(
    method: LatentModel,
    batch: Batch | Tensor,
    level: str,
    *,
    dims: Sequence[int] | int = 4,
    steps: int = 7,
    span: float = 2.0,
    below: Literal["prior", "posterior"] = "prior",
) -> tuple[Tensor, list[int]]:
    """Moves dimensions of one level; the others are at their conditional means.

    Levels above are at the posterior's means. The level itself is, too, but for the dimension that
    goes from ``-span`` to ``span`` deviations of its prior around the prior's mean. Levels below
    follow: their means given what is above, under the prior, or under the posterior, which still
    sees the observation.

    Args:
        method: Whose posterior and prior have levels.
        batch: Observations to begin with, with their covariates.
        level: Its name.
        dims: Which of its dimensions; or how many, those of the largest divergence.
        steps: Positions.
        span: Ends of the path.
        below: Whose means the levels below are at.

    Returns:
        Means of p(x|z), ``(B, P, S, ...)`` of P dimensions at S positions, and the dimensions.

    Raises:
        NoDensity: for a method whose code has no levels.
        ValueError: for another name, and for dimensions that are not there.
    """
    batch = Batch.of(batch)
    check_size("steps", steps, least=2)
    with evaluating(method):
        q, prior = _posterior(method, batch), _prior(method)
        if level not in q.names:
            raise ValueError(f"level is {level!r}; expected one of {', '.join(q.names)}")
        z = q.mean
        at_means = prior.given(z) if isinstance(prior, Chain) else prior
        own, expected = q[level], at_means[level]
        width = own.event_shape[0]
        if isinstance(dims, int):
            check_size("dims", dims)
            rate = _each_kl(own.mean, own.stddev, expected.mean, expected.stddev).mean(0)
            chosen = rate.topk(min(dims, width)).indices.sort().values.tolist()
        else:
            chosen = [int(j) for j in dims]
        if not chosen or not all(0 <= j < width for j in chosen):
            raise ValueError(f"dims is {dims}; expected dimensions from 0 to {width - 1}")
        place = torch.linspace(-span, span, steps).to(z)
        rows, paths = len(z), len(chosen)
        middle = expected.mean.expand_as(own.mean)[:, chosen]
        spread = expected.stddev.expand_as(own.mean)[:, chosen]
        moved = q.split(z)[level][:, None, None].repeat(1, paths, steps, 1)
        for p, j in enumerate(chosen):
            moved[:, p, :, j] = middle[:, p, None] + place * spread[:, p, None]
        many = paths * steps
        above = q.names[: q.names.index(level)]
        known = {n: v.repeat_interleave(many, 0) for n, v in q.split(z).items() if n in above}
        known[level] = moved.flatten(0, 2)
        if below == "prior":
            codes = prior.complete(known)
        else:
            again = Batch.of(batch.tensor.repeat_interleave(many, 0), _repeated(batch.c, many))
            codes = _posterior(method, again).complete(known)
        images = decoding(method, codes, _repeated(batch.c, many)).mean
    return images.unflatten(0, (rows, paths, steps)), chosen


def level_table(
    codes: Codes,
    *,
    metrics: str | Sequence[str] = ("mig", "dci", "infomec"),
    chance: int | None = None,
    widest: int = _WIDEST,
    sampled: bool = False,
    seed: int = 0,
) -> LevelTable:
    """Which factor lives at which level, with chance beside it.

    A linear probe reads each factor off each level alone, and every metric is computed on each
    level alone. A level of more than ``widest`` dimensions is looked at through its first principal
    components (computed without factors), which rotate its axes: scores of single dimensions,
    such as MIG, then speak of components.

    Args:
        codes: With `Codes.blocks`, as `untwine.encode` gives them.
        metrics: Names of metrics, or ``"default"``, see `untwine.evaluate`; none is fine.
        chance: So many permutations of the factors' rows for each metric's chance; none without.
        widest: The most columns of a level.
        sampled: Whether to read samples of the posteriors instead of their means. Means are without
            noise: a level that lets hardly a nat through may tell as much by them as one that
            holds everything.
        seed: Of splits, permutations and samples.

    Raises:
        ValueError: for codes without levels or factors, and samples of codes that are no Gaussians.

    Example:
        >>> from untwine.data import FactorSpace
        >>> factors = np.stack(np.unravel_index(np.arange(600) % 6, (2, 3)), 1)
        >>> space = FactorSpace(("shape", "place"), (2, 3))
        >>> z = np.stack([factors[:, 0], factors[:, 1] == 1, factors[:, 1] == 2], 1) * 1.0
        >>> codes = Codes(z, None, factors, space, {"z_2": slice(0, 1), "z_1": slice(1, 3)})
        >>> level_table(codes, metrics=()).best
        {'shape': 'z_2', 'place': 'z_1'}
    """
    if not codes.blocks:
        raise ValueError("codes has no blocks: encode with a method whose code has levels")
    if not codes.factors.shape[1]:
        raise ValueError("codes has no factors: nothing can be read off its levels")
    check_size("widest", widest)
    varying = [k for k in range(codes.factors.shape[1]) if len(np.unique(codes.factors[:, k])) > 1]
    names = tuple(codes.space.names[k] for k in varying)
    kinds = tuple(codes.space.kinds[k] for k in varying)
    factors = codes.factors[:, varying]
    z = codes.mean
    if sampled:
        if codes.stddev is None:
            raise ValueError("codes have no standard deviations, so none are drawn: sampled=False")
        z = z + codes.stddev * np.random.default_rng([seed, 19]).normal(size=z.shape).astype(
            z.dtype
        )
    levels = {n: _narrow(z[:, where], widest) for n, where in codes.blocks.items()}
    ends = np.cumsum([0, *(part.shape[1] for part in levels.values())])
    columns = {n: list(range(a, b)) for n, a, b in zip(levels, ends, ends[1:], strict=False)}
    probe = readout(
        np.concatenate(list(levels.values()), 1), factors, columns, kinds=kinds, seed=seed
    )
    scores: dict[str, dict[str, tuple[float, float]]] = {}
    for level, part in levels.items() if metrics else ():
        table = evaluate(part, factors, metrics, chance=chance, names=names, kinds=kinds,
                         seed=seed, progress=False)  # fmt: skip
        by_chance = table.beside.get("chance", {})
        scores[level] = {
            name: (score.value, by_chance.get(name, np.nan)) for name, score in table.scores.items()
        }
    parts = probe.parts
    return LevelTable(
        tuple(levels), names, parts["matrix"], parts["balanced"], parts["chance"], scores,
        tuple(part.shape[1] for part in levels.values()),
    )  # fmt: skip


def _narrow(z: np.ndarray, widest: int) -> np.ndarray:
    """A level, or its first principal components."""
    if z.shape[1] <= widest:
        return z
    some = z[np.linspace(0, len(z) - 1, min(_FITTED, len(z))).astype(int)]
    center = some.mean(0)
    _, _, axes = np.linalg.svd(some - center, full_matrices=False)
    return (z - center) @ axes[:widest].T


def _each_kl(m: Tensor, s: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Of every dimension of diagonal Gaussians."""
    return (scale / s).log() + (s**2 + (m - mean) ** 2) / (2 * scale**2) - 0.5


def _repeated(c: Tensor | None, times: int) -> Tensor | None:
    return None if c is None else c.repeat_interleave(times, 0)


def _posterior(method: LatentModel, batch: Batch) -> Blocks:
    q = method.represent(carried(batch))
    if not isinstance(q, Blocks):
        raise NoDensity(
            f"q(z|x) is a {type(q).__name__}, which has no levels: take a method whose code has, "
            "such as LadderVAE"
        )
    return q


def _prior(method: LatentModel) -> Blocks:
    prior = method.prior()
    if not isinstance(prior, Blocks):
        raise NoDensity(
            f"p(z) is a {type(prior).__name__}, which has no levels: take a method whose code has, "
            "such as LadderVAE"
        )
    return prior


@contextmanager
def _seeded(method: object, seed: int) -> Iterator[None]:
    """Within, torch draws by the seed; afterwards it goes on as before."""
    device, _ = placement(method)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
