"""What each level of a hierarchy shows: images cut at every depth, and one level moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ..checks import check_size
from ..data.batches import Batch
from ..data.seeds import check_seed
from ..distributions import Chain
from ..encoding import evaluating
from .level_parts import posterior_of_levels, prior_of_levels, repeated, seeded
from .models import LatentModel, decoding

__all__ = ["level_cuts", "level_traversal"]


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
        q, prior = posterior_of_levels(method, batch), prior_of_levels(method)
        count = len(q.names)
        cuts = range(count + 1) if cuts is None else cuts
        values = q.split(q.mean)
        for cut in cuts:
            if not 0 <= cut <= count:
                raise ValueError(f"cuts has {cut}; expected numbers from 0 to {count}")
            with seeded(method, seed):
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
        q, prior = posterior_of_levels(method, batch), prior_of_levels(method)
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
            again = Batch.of(batch.tensor.repeat_interleave(many, 0), repeated(batch.c, many))
            codes = posterior_of_levels(method, again).complete(known)
        images = decoding(method, codes, repeated(batch.c, many)).mean
    return images.unflatten(0, (rows, paths, steps)), chosen


def _each_kl(m: Tensor, s: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Of every dimension of diagonal Gaussians."""
    return (scale / s).log() + (s**2 + (m - mean) ** 2) / (2 * scale**2) - 0.5
