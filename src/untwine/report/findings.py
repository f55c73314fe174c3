"""Findings of a report: codes, traversals, reconstructions and samples, as arrays and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import Images
from ..encoding import Codes, batch_of
from ..evaluation.inputs import as_inputs
from ..evaluation.which import Which, which_of
from ..methods import Decodes, HasPrior, Samples, Swaps
from ..metrics._mig import ACTIVE
from ..plots.compute import posterior_span, reconstruct, sample, traverse
from ..plots.images import swap_mosaic
from ..plots.pictures import drawable, mosaic, pictures, vector_bounds
from .sheets import png, sheet, shrunk

__all__ = ["Findings", "Traversal", "find", "rank"]

_STARTS, _FRAMES, _SAMPLES, _SWAPPED = 6, 17, 20, 8
_BUDGET = 2_600_000


@dataclass(frozen=True)
class Traversal:
    """Frames of the page's moving pictures.

    Attributes:
        sheets: A data URI for each start: a row of frames for each moved dimension.
        thumbnails: A data URI for each start.
        initial: For each start and dimension, the frame nearest to where it began.
        dims: The moved dimensions, the most active one first.
        values: Positions of the frames, ``(D', S)``.
        size: Width and height of a frame in pixels.
        codes: To begin with, ``(N, D)``.
        covariates: Of the observations, ``(N, C)``, if they have any.
    """

    sheets: list[str]
    thumbnails: list[str]
    initial: list[list[int]]
    dims: list[int]
    values: np.ndarray
    size: tuple[int, int]
    _: KW_ONLY
    codes: Tensor
    covariates: Tensor | None = None


@dataclass
class Findings:
    """What was found; what could not be has a reason in ``missing``, by the section's name.

    Attributes:
        codes: Of the observations that were encoded.
        which: Which dimension follows which of the ``K'`` factors that are known and vary.
        factors: Their values, ``(N, K')``.
        swaps: A grid of swaps, for methods whose code has two parts; else ``None``.
        swapped: What its rows and its columns give.
        missing: Why a section is empty.
    """

    codes: Codes
    which: Which
    factors: np.ndarray
    _: KW_ONLY
    traversal: Traversal | None = None
    pairs: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    swaps: str | None = None
    swapped: tuple[str, str] | None = None
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def inactive(self) -> list[bool] | None:
        """Which dimensions have a KL divergence below 0.1 nats; ``None`` where there is none."""
        return (self.which.strength <= ACTIVE).tolist() if self.which.measure == "KL" else None


def find(method: Any, data: Any, *, n: int, seed: int) -> Findings:
    """Computes what a page shows of a method and its data.

    Args:
        method: With ``represent``; with ``decode`` and ``prior`` for everything.
        data: A `FactorDataset`.
        n: Observations to encode; half as many again are encoded for metrics that learn from some
            and are judged on others.
        seed: Of the choice of observations, and of samples.
    """
    findings = rank(Codes.of(method, data, n + n // 2, np.random.default_rng(seed)))
    rng = np.random.default_rng([seed, 1])
    if isinstance(method, Swaps):
        _swap(findings, method, data, np.random.default_rng([seed, 2]))
    name = type(method).__name__
    if not isinstance(method, Decodes):
        reason = f"{name} has no decode(z): codes cannot be turned back into observations"
    elif isinstance(data.shape, Mapping):
        reason = f"observations of several modalities ({', '.join(data.shape)}) are not drawn here"
    elif not drawable(tuple(data.shape)):
        reason = (
            f"observations of shape {tuple(data.shape)} cannot be drawn: expected images of 1 or "
            "3 channels, or vectors"
        )
    else:
        _draw(findings, method, data, rng, seed)
        return findings
    findings.missing |= dict.fromkeys(("traversals", "reconstructions", "samples"), reason)
    return findings


def rank(codes: Codes) -> Findings:
    """How active each dimension is, and what it tells of each factor; without pictures."""
    inputs = as_inputs(codes)
    told = which_of(inputs)
    factors = np.empty((len(codes), 0)) if inputs.factors is None else inputs.factors
    findings = Findings(codes, told, factors)
    if told.reason:
        findings.missing["kl"] = told.reason
    if not told.names:
        findings.missing["factors"] = "no factor of this data is known and varies"
    return findings


def _swap(findings: Findings, method: Swaps, data: Any, rng: np.random.Generator) -> None:
    """Swaps of observations of different classes, or of frames of clips."""
    findings.swapped = method.of_rows, method.of_columns
    clips = not isinstance(data.shape, Mapping) and len(data.shape) in (2, 4)
    shape = data.shape[1:] if clips else data.shape
    if isinstance(shape, Mapping) or not drawable(tuple(shape)):
        findings.missing["swaps"] = f"observations of shape {data.shape} cannot be drawn"
    else:
        size = min(_SWAPPED, len(data) // 2)
        rows, columns = _varied(data, method.label, 2 * size, rng)
        a, b = batch_of(method, data, rows), batch_of(method, data, columns)
        if clips:  # contents of several clips, poses along another
            times = torch.linspace(0, b.tensor.shape[1] - 1, size).round().long()
            a, b = Images(a.tensor[:, 0]), Images(b.tensor[0][times])
        grid = method.swap_grid(a, b)
        cells = shrunk(swap_mosaic(grid.cpu(), a.tensor.cpu(), b.tensor.cpu()), 64)
        findings.swaps = png(mosaic(cells))


def _varied(
    data: Any, label: str | None, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of ``count`` observations, each of as many classes as there are."""
    order = rng.permutation(len(data))
    halves = np.array_split(order, 2)
    if label is not None and label in data.space.names:
        classes = np.asarray(data.factors)[:, data.space.position(label)]
        for k, half in enumerate(halves):
            first = np.zeros(len(half), bool)
            first[np.unique(classes[half], return_index=True)[1]] = True
            halves[k] = np.concatenate([half[first], half[~first]])
    return halves[0][: count // 2], halves[1][: count // 2]


def _draw(findings: Findings, method: Any, data: Any, rng: np.random.Generator, seed: int) -> None:
    """Traversals, reconstructions and samples."""
    index = rng.choice(len(data), min(_SAMPLES, len(data)), replace=False)
    batch = batch_of(method, data, index)
    x, c = batch.tensor, batch.c
    back = reconstruct(method, x, c)
    bounds = vector_bounds(x, back) if x.ndim == 2 else None
    beside = shrunk(np.stack([pictures(x, 1, bounds), pictures(back, 1, bounds)], axis=1))
    findings.pairs = [png(_stacked(*pair)) for pair in beside]

    if not isinstance(method, Samples | HasPrior):
        findings.missing["samples"] = f"{type(method).__name__} has no prior to draw codes from"
    else:
        covariates = (
            None if c is None else batch_of(method, data, rng.choice(len(data), _SAMPLES)).c
        )
        samples = shrunk(pictures(sample(method, _SAMPLES, seed=seed, c=covariates), 1))
        findings.samples = [png(picture) for picture in samples]

    starts = slice(0, min(_STARTS, len(index)))
    span = posterior_span(findings.codes.mean, findings.codes.stddev, seed=seed)
    findings.traversal = _traversal(
        method,
        x[starts],
        span,
        findings.which.order,
        None if c is None else c[starts],
        beside[starts, 0],
    )


def _traversal(
    method: Any,
    x: Tensor,
    span: Tensor,
    order: list[int],
    c: Tensor | None,
    pictures_of_starts: np.ndarray,
) -> Traversal:
    """As many starts and, if need be, as few dimensions as keep the page small."""
    sheets: list[str] = []
    initial: list[list[int]] = []
    bounds, bytes_used = None, 0
    codes: list[Tensor] = []
    for i in range(len(x)):
        traversal = traverse(
            method, x[i : i + 1], span=span, steps=_FRAMES, dims=order,
            c=None if c is None else c[i : i + 1],
        )  # fmt: skip
        frames = traversal.images[0]
        if frames.ndim == 3 and bounds is None:
            bounds = vector_bounds(frames)
        cells = shrunk(pictures(frames, 2, bounds))
        uri = sheet(cells)
        if not sheets and len(uri) > _BUDGET:
            order = order[: max(len(order) * _BUDGET // len(uri), 1)]
            cells = cells[: len(order)]
            uri = sheet(cells)
        if sheets and bytes_used + len(uri) > _BUDGET:
            break
        bytes_used += len(uri)
        sheets.append(uri)
        codes.append(traversal.start[0])
        away = (traversal.values[: len(order)] - traversal.start[0, order, None]).abs()
        initial.append(away.argmin(1).tolist())
        values = traversal.values[: len(order)].numpy()
    return Traversal(
        sheets,
        [png(shrunk(picture, 56)) for picture in pictures_of_starts[: len(sheets)]],
        initial,
        order,
        values,
        (cells.shape[-2], cells.shape[-3]),
        codes=torch.stack(codes),
        covariates=None if c is None else c[: len(codes)].cpu(),
    )


def _stacked(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """One picture over the other, with a gap that takes the page's color."""
    gap = np.zeros((2, above.shape[1], 4), np.uint8)
    opaque = [np.dstack([p, np.full(p.shape[:2], 255, np.uint8)]) for p in (above, below)]
    return np.concatenate([opaque[0], gap, opaque[1]])
