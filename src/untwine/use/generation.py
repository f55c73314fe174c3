"""Generation: samples given a class, a component, covariates or a part of others; interpolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..checks import check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..distributions import Angles, Blocks
from ..encoding import evaluating, placement
from ..methods import Classifies, Decodes, HasPrior, Method, Samples, SamplesGiven

__all__ = ["condition_of", "interpolate", "sample", "sample_like"]


@torch.no_grad()
def sample(
    method: Method,
    n: int,
    condition: Mapping[str, int] | None = None,
    *,
    c: Tensor | Sequence[float] | None = None,
    seed: int = 0,
) -> Tensor | Mapping[str, Tensor]:
    """Draws observations, if asked for of a class, of a component, or at covariates.

    Args:
        method: Trained.
        n: How many.
        condition: Values by name, each from 0 on: see ``method.conditions()``.
        c: Covariates of all, ``(C,)``, or of each, ``(n, C)``.
        seed: Of what is drawn.

    Returns:
        Means of p(x|z), ``(n, ...)``; of several modalities, by name.

    Raises:
        ValueError: for a method without samples or without conditions, for names and values that it
            does not have, and for covariates of another shape.

    Example:
        >>> import numpy as np, untwine as ut
        >>> from untwine.distributions import GaussianMixture
        >>> data = ut.FactorDataset.from_arrays(np.zeros((20, 4), "f4"))
        >>> method = ut.methods.VAE.build(data, latent_dim=2, prior=GaussianMixture(2, 3), seed=0)
        >>> sample(method, 5, {"component": 2}).shape
        torch.Size([5, 4])
    """
    check_size("n", n)
    name = type(method).__name__
    device, dtype = placement(method)
    beside = {} if c is None else {"c": _covariates(c, n).to(device, dtype)}
    with evaluating(method), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if condition:
            if not isinstance(method, SamplesGiven):
                raise ValueError(f"{name} draws no samples that are given anything")
            if not method.conditions():
                raise ValueError(
                    f"{name} tells nothing apart that samples could be given: build it with a "
                    "prior that does, such as prior=GaussianMixture(latent_dim, 10)"
                )
            return method.sample_given(n, condition, **beside)
        if isinstance(method, SamplesGiven) and (beside or not isinstance(method, Samples)):
            return method.sample_given(n, {}, **beside)
        if beside or not isinstance(method, Samples):
            raise ValueError(f"{name} draws no samples" + (" at covariates" if beside else ""))
        return method.sample(n)


def condition_of(
    method: Method, words: Mapping[str, str], data: FactorDataset | None = None
) -> dict[str, int]:
    """A condition from text: numbers, or a factor's words where the data has some.

    ``class`` stands for the one class that a method has, whatever its factor is called.

    Args:
        method: Whose ``conditions()`` are asked.
        words: Values by name.
        data: Knows the words of its factors.

    Raises:
        ValueError: for a value that is neither a number nor a word of the factor.
    """
    sizes = method.conditions() if isinstance(method, SamplesGiven) else {}
    condition = {}
    for name, word in words.items():
        if name == "class" and name not in sizes and isinstance(method, Classifies) and sizes:
            name = next(iter(sizes))
        known = list(data.values.get(name, ())) if data is not None else []
        if word in map(str, known):
            condition[name] = [str(one) for one in known].index(word)
        elif word.lstrip("-").isdigit():
            condition[name] = int(word)
        else:
            among = f", or one of {', '.join(map(str, known))}" if known else ""
            raise ValueError(f"{name} is {word!r}; expected a whole number{among}")
    return condition


@torch.no_grad()
def sample_like(
    method: Method, x: Batch | Tensor, part: str, n: int = 8, *, seed: int = 0
) -> Tensor:
    """Keeps one named part of the code of observations, and draws everything else.

    Args:
        method: One whose code has named parts, and a prior over what is beside this one.
        x: Observations ``(B, ...)``.
        part: The name.
        n: Draws for each observation.
        seed: Of what is drawn.

    Returns:
        Means of p(x|z), ``(B, n, ...)``.

    Raises:
        ValueError: for a method without named parts, prior or decoder, and for a part that there
            is not.
    """
    name = type(method).__name__
    with evaluating(method), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        batch = _placed(method, x)
        q = method.represent(batch)
        if not isinstance(q, Blocks):
            raise ValueError(f"the code of {name} has no named parts to keep")
        if part not in q.names:
            raise ValueError(f"part is {part!r}; the code has the parts {', '.join(q.names)}")
        if not (isinstance(method, HasPrior) and isinstance(method, Decodes)):
            raise ValueError(f"{name} has no prior over what is beside {part!r}")
        mean, own = q.mean, q.slices[part]
        rest = [j for j in range(mean.shape[1]) if not own.start <= j < own.stop]
        drawn = method.prior().sample((len(mean) * n,))
        if drawn.shape[1] == mean.shape[1]:
            drawn = drawn[:, rest]
        elif drawn.shape[1] != len(rest):
            raise ValueError(f"{name} has no prior over what is beside {part!r}")
        z = mean.repeat_interleave(n, 0)
        z[:, rest] = drawn
        c = None if batch.c is None else batch.c.repeat_interleave(n, 0)
        decoded = method.decode(z, c=c).mean
        return decoded.unflatten(0, (len(mean), n))


@torch.no_grad()
def interpolate(method: Method, a: Batch | Tensor, b: Batch | Tensor, steps: int = 8) -> Tensor:
    """Goes from the codes of some observations to those of others, and decodes on the way.

    The way is straight; angles go round the circle by the shorter side. Classes that the code does
    not hold (`M2`) and covariates stay those of the first.

    Args:
        method: Trained, with a decoder.
        a: Where it begins, ``(B, ...)``.
        b: Where it ends, ``(B, ...)``.
        steps: Positions, both ends included.

    Returns:
        Means of p(x|z), ``(B, steps, ...)``.

    Raises:
        ValueError: for a method without a decoder, fewer than two steps, and unequal numbers of
            observations.
    """
    if steps < 2:
        raise ValueError(f"steps is {steps}; expected at least 2, the two ends")
    if not isinstance(method, Decodes):
        raise ValueError(f"{type(method).__name__} has no decoder: it cannot draw what is between")
    with evaluating(method):
        start, end = _placed(method, a), _placed(method, b)
        p, q = method.represent(start), method.represent(end)
        if p.mean.shape != q.mean.shape:
            raise ValueError(
                f"a has codes of shape {tuple(p.mean.shape)} and b of {tuple(q.mean.shape)}; "
                "expected as many observations"
            )
        z = _path(p, q, steps)
        beside = {} if start.c is None else {"c": start.c.repeat_interleave(steps, 0)}
        if method.classes_beside_code is not None and isinstance(method, Classifies):
            y = method.classify(start).probs.argmax(1)
            beside["y"] = y.repeat_interleave(steps, 0)
        decoded = method.decode(z.flatten(0, 1), **beside).mean
        if not isinstance(decoded, Tensor):
            raise ValueError("observations of several modalities have no one picture between them")
        return decoded.unflatten(0, (len(z), steps))


def _path(p: Distribution, q: Distribution, steps: int) -> Tensor:
    """``(B, steps, D)``."""
    share = torch.linspace(0, 1, steps, device=p.mean.device, dtype=p.mean.dtype)[None, :, None]
    one, two = p.mean[:, None], q.mean[:, None]
    z = one + share * (two - one)
    if isinstance(p, Blocks):
        for name, part in p.parts.items():
            if isinstance(part, Angles):
                own = p.slices[name]
                first, last = (
                    torch.atan2(m[..., own][..., 1::2], m[..., own][..., ::2]) for m in (one, two)
                )
                turn = torch.remainder(last - first + torch.pi, 2 * torch.pi) - torch.pi
                angle = first + share * turn
                z[..., own] = torch.stack([angle.cos(), angle.sin()], -1).flatten(-2)
    return z


def _placed(method: Method, x: Batch | Tensor) -> Batch:
    device, dtype = placement(method)
    return Batch.of(x).to(device, dtype=dtype)


def _covariates(c: Tensor | Sequence[float], n: int) -> Tensor:
    c = torch.as_tensor(c, dtype=torch.float32)
    c = c.expand(n, -1) if c.ndim == 1 else c
    if c.ndim != 2 or len(c) != n:
        raise ValueError(f"c has shape {tuple(c.shape)}; expected (C,), or (n, C) with n = {n}")
    return c
