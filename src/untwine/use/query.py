"""Query mapping: new cells, of batches that were not there, into the code of a trained method."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Adam

from ..checks import check_scale
from ..data import Cells
from ..methods import VAE, Method
from ..spec import describe
from ..training import Run, fit
from ..training.plan import make_method
from .annotation import origin_of

__all__ = ["map_query"]


def map_query(
    cells: Any,
    reference: Run,
    *,
    steps: int = 400,
    batch_size: int = 128,
    learning_rate: float = 1e-2,
    factors: Sequence[str] | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    trust: Sequence[str] = (),
    progress: bool = True,
) -> Run:
    r"""Teaches a trained method new values of its covariates, such as donors, and nothing else.

    Encoder, decoder and dispersions get a column for each new value, which starts at the mean of
    the old ones. These alone are trained, on the new cells; all other weights stay what they are to
    the last bit, so that the codes of the reference cells do, too.

    Args:
        cells: An AnnData object with the genes and covariates of the training data, and with values
            of covariates that were not there.
        reference: The run.
        steps: Of training.
        batch_size: Cells per step.
        learning_rate: Of Adam.
        factors: Columns of ``obs`` that are factors, see `Cells`.
        seed: Of batches and noise.
        out: The folder of the new run.
        trust: Packages of your own that the reference's spec may name.
        progress: Whether to show progress.

    Returns:
        A run whose data are the new cells, and whose method takes old and new values.

    Raises:
        TypeError: for a method that is no `VAE` of `Cells`.
        ValueError: for cells without any new value, and for nets whose weights do not tell their
            covariates.

    References:
        Lotfollahi et al., "Mapping single-cell data to reference atlases by transfer learning",
        2022, https://doi.org/10.1038/s41587-021-01001-7 (architectural surgery).
    """
    check_scale("learning_rate", learning_rate)
    old, method = origin_of(reference.data), reference.method
    if not isinstance(method, VAE) or not isinstance(old, Cells):
        raise TypeError(
            f"reference is a run of {type(method).__name__} on {type(old).__name__}; expected one "
            "of a VAE, or a method derived from it, on Cells"
        )
    values = _extended(old, cells)
    like = copy.copy(old)
    like.covariate_values = values
    data = Cells(cells, factors=factors, like=like)
    places = list(_places(old.covariate_values, values))
    optimizer = describe(partial(Adam, lr=float(learning_rate)))
    written = reference.spec["method"]
    written = {**written, "init_args": {**written.get("init_args", {}), "optimizer": optimizer}}
    grown = make_method({**reference.spec, "method": written}, data, trust)
    hooks = _grow(method, grown, places)
    try:
        return fit(
            grown, data, steps=steps, batch_size=batch_size, seed=seed, out=out, progress=progress
        )
    finally:
        for hook in hooks:
            hook.remove()


def _extended(old: Cells, cells: Any) -> dict[str, tuple[str, ...]]:
    """The covariates' values, those of the new cells after those of the old."""
    values, new_ones = {}, []
    for name, levels in old.covariate_values.items():
        if name not in cells.obs:
            raise ValueError(f"the cells have no column {name!r} in obs, a covariate of the run")
        fresh = sorted(set(cells.obs[name].astype(str)) - set(levels)) if levels else []
        values[name] = (*levels, *fresh)
        new_ones += fresh
    if not new_ones:
        raise ValueError(
            "all values of the cells' covariates were there in training: nothing is to be learned, "
            "encode them by annotate(cells, run)"
        )
    return values


def _places(
    old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]
) -> Iterator[int | slice]:
    """By new column, the old column that it was, or the old ones whose mean it starts at."""
    start = 0
    for name, levels in old.items():  # numbers come first in both
        width = max(len(levels), 1)
        yield from range(start, start + width)
        for _ in new[name][width:] if levels else ():
            yield slice(start, start + width)
        start += width


def _grow(old: Method, new: Method, places: Sequence[int | slice]) -> list[Any]:
    """Copies weights into a method with more covariates, and lets new columns alone learn."""
    if any(isinstance(module, _BatchNorm) for module in new.modules()):
        raise ValueError("the nets have batch norm, whose statistics new cells would change")
    weights, count = old.state_dict(), max(_ends(places))
    hooks = []
    with torch.no_grad():
        for name, tensor in new.state_dict().items():
            before, row = weights[name].to(tensor.device), 0 if name.endswith("by_covariate") else 1
            if before.shape == tensor.shape:
                tensor.copy_(before)
                continue
            rest = before.shape[row] - count
            grown = list(before.shape)
            grown[row] = rest + len(places)
            if list(tensor.shape) != grown:
                raise ValueError(
                    f"{name} has shape {tuple(before.shape)}, and {tuple(tensor.shape)} with the "
                    "new covariates, which does not tell where they are: expected an MLP"
                )
            parts = [before.narrow(row, 0, rest)]
            for place in places:
                columns = [place] if isinstance(place, int) else range(place.start, place.stop)
                chosen = torch.tensor([rest + k for k in columns], device=before.device)
                parts.append(before.index_select(row, chosen).mean(row, keepdim=True))
            tensor.copy_(torch.cat(parts, row))
        for name, parameter in new.named_parameters():
            mask = torch.zeros_like(parameter)
            if weights[name].shape != parameter.shape:
                row = 0 if name.endswith("by_covariate") else 1
                rest = weights[name].shape[row] - count
                for k, place in enumerate(places):
                    if not isinstance(place, int):
                        mask.select(row, rest + k).fill_(1)
            hooks.append(parameter.register_hook(partial(_masked, mask)))
    return hooks


def _masked(mask: Tensor, gradient: Tensor) -> Tensor:
    return gradient * mask.to(gradient.device)


def _ends(places: Sequence[int | slice]) -> Iterator[int]:
    for place in places:
        yield place + 1 if isinstance(place, int) else place.stop
