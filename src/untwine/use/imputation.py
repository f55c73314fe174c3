"""Imputation: what is missing of observations, filled in by a trained method."""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import check_size
from ..data.batches import Batch, Images
from ..encoding import evaluating, placement
from ..methods import Classifies, Decodes, Method

__all__ = ["impute"]


@torch.no_grad()
def impute(
    method: Method,
    x: Batch | Tensor,
    missing: Tensor | None = None,
    *,
    steps: int = 50,
    draws: int = 0,
    seed: int = 0,
) -> Tensor:
    r"""Fills in what is missing, such as columns of a table or pixels of an image.

    Without ``draws`` encoder and decoder take turns by their means,

    .. math::
        x_m \leftarrow \mathbb{E}[x_m \mid z = \mathbb{E}_{q(z|x_o, x_m)}[z]],

    which is an ascent on :math:`\log p(x_o, x_m, z)` where q is exact and Gaussian: of linear
    Gaussian models it ends at :math:`\mathbb{E}[x_m \mid x_o]`. With ``draws`` both are sampled
    instead, a Markov chain for each draw, whose spread says what is not known.

    Args:
        method: Trained, with a decoder.
        x: Observations ``(B, ...)``; NaN is missing.
        missing: Of the same shape, bool; by default where x is NaN.
        steps: Turns; those of a chain.
        draws: How many chains; 0 for the means.
        seed: Of the chains.

    Returns:
        ``(B, ...)`` with what was observed as it was, or ``(draws, B, ...)``.

    Raises:
        ValueError: for a method without a decoder, a mask of another shape, and nothing observed.

    References:
        Rezende, Mohamed, Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep
        Generative Models", 2014, https://arxiv.org/abs/1401.4082, appendix F.

    Deviations:
        The chain takes q for the exact posterior, so that it is biased where q is not.
    """
    check_size("steps", steps)
    check_size("draws", draws, least=0)
    if not isinstance(method, Decodes):
        raise ValueError(f"{type(method).__name__} has no decoder: it cannot fill anything in")
    device, dtype = placement(method)
    batch = Batch.of(x).to(device, dtype=dtype)
    if not isinstance(batch.x, Tensor):
        raise ValueError(
            "observations of several modalities say what is missing by present=; whole modalities "
            "are predicted, not filled in"
        )
    observed = batch.x
    mask = observed.isnan() if missing is None else torch.as_tensor(missing).to(device)
    if mask.shape != observed.shape or mask.dtype != torch.bool:
        raise ValueError(
            f"missing is {mask.dtype} of shape {tuple(mask.shape)}; expected bool of shape "
            f"{tuple(observed.shape)}"
        )
    if mask.flatten(1).all(1).any():
        raise ValueError("some observations are missing altogether: sample(method, n) draws those")
    known = torch.where(mask, torch.nan, observed)
    filled = torch.where(mask, _averages(known), observed)
    chains = max(draws, 1)
    filled, mask = (t.repeat(chains, *[1] * (t.ndim - 1)) for t in (filled, mask))
    c = None if batch.c is None else batch.c.repeat(chains, 1)
    with evaluating(method), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(steps):
            filled = torch.where(mask, _again(method, Images(filled, c), bool(draws)), filled)
    return filled.unflatten(0, (draws, -1)) if draws else filled


def _again(method: Method, batch: Images, drawn: bool) -> Tensor:
    """One turn: what the decoder says of the code of what is there."""
    q = method.represent(batch)
    z = q.sample() if drawn else q.mean
    beside = {} if batch.c is None else {"c": batch.c}
    if method.classes_beside_code is not None and isinstance(method, Classifies):
        classes = method.classify(batch)
        beside["y"] = classes.sample() if drawn else classes.probs.argmax(1)
    assert isinstance(method, Decodes)
    p = method.decode(z, **beside)
    return p.sample() if drawn else p.mean


def _averages(known: Tensor) -> Tensor:
    """Where to begin: the mean of what is observed there, or anywhere."""
    mean = known.nanmean(0)
    return torch.where(mean.isnan(), known.nanmean(), mean)
