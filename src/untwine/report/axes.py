"""Axes in the report: moving pictures along the directions in which the decoder changes most."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ..data import FactorDataset
from ..diagnostics import Walks, axes_of
from ..encoding import evaluating
from ..methods import Decodes, HasLevels, MixesStyles
from ..plots.pictures import drawable, pictures, vector_bounds
from .findings import Findings
from .sheets import png, sheet, shrunk
from .subject import Subject

__all__ = ["axes", "directions", "moving"]

_K, _PER_LEVEL = 5, 2
_STARTS, _FRAMES, _SPAN = 3, 17, 3.0
_SEEN, _SEEN_OF_LEVELS = 16, 3  # observations at which Jacobians are averaged
_DRAWN = 500  # codes whose deviation is taken
_WIDEST = 64  # dimensions of a code or a level whose Jacobians a report computes


def axes(subject: Subject, findings: Findings, seed: int) -> list[Walks]:
    """Walks along the axes of a method's code, or of the levels of a hierarchy.

    None of a code that has no Gaussian posterior (but those of a generator of styles), or other
    parts than levels; of observations that cannot be drawn; of more than 64 dimensions; and of
    decoders without a derivative in forward mode. Walks reach 3 to both sides; in W, whose scale
    is learned, 3 of its deviations.
    """
    method, data = subject.method, subject.data
    if not isinstance(method, Decodes) or not isinstance(data, FactorDataset):
        return []
    shape = data.shape
    if isinstance(shape, Mapping) or not drawable(tuple(shape)):
        return []
    scale = 1.0
    if isinstance(method, MixesStyles):
        scale = _deviation(method, seed)
    elif findings.codes.stddev is None:
        return []
    blocks = findings.codes.blocks or {}
    settings: dict[str, Any] = {
        "starts": _STARTS, "span": scale * _SPAN, "steps": _FRAMES, "seed": seed,
    }  # fmt: skip
    try:
        if isinstance(method, HasLevels):
            return [
                axes_of(method, data, k=_PER_LEVEL, level=name, n=_SEEN_OF_LEVELS, **settings)  # type: ignore[arg-type]
                for name, where in blocks.items()
                if findings.codes.mean[:1, where].shape[1] <= _WIDEST
            ]
        if blocks or findings.codes.mean.shape[1] > _WIDEST:
            return []
        return [axes_of(method, data, k=_K, n=_SEEN, **settings)]  # type: ignore[arg-type]
    except TypeError:  # no derivative, or no density
        return []


@torch.no_grad()
def _deviation(method: MixesStyles, seed: int) -> float:
    """Of codes as they are drawn, the root mean square over dimensions."""
    with evaluating(method), torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return float(method.codes(_DRAWN).var(0).mean().sqrt())


def directions(walks: list[Walks]) -> np.ndarray | None:
    """The axes of the whole code as columns ``(D, K)``; ``None`` of levels, and without any."""
    if not walks or walks[0].level is not None:
        return None
    return walks[0].axes.directions.double().cpu().numpy()


def moving(walks: list[Walks]) -> dict[str, Any] | None:
    """What the page's template of moving pictures takes; ``None`` without any."""
    if not walks:
        return None
    frames = torch.cat([found.images for found in walks], 1).cpu().numpy()  # (N, K, S, ...)
    bounds = vector_bounds(frames) if frames.ndim == 4 else None
    cells = shrunk(pictures(frames, 3, bounds), 96)
    labels = [label for found in walks for label in found.labels]
    height, width = cells.shape[3:5]
    middle = _FRAMES // 2
    places = walks[0].places
    tiles = {
        "live": None,
        "dims": [
            {
                "name": label.rpartition(": ")[0],
                "quiet": False,
                "telling": False,
                "strength": label.rpartition(": ")[2],
                "factor": None,
                "share": None,
            }
            for label in labels
        ],
        "sheets": [sheet(of_start) for of_start in cells],
        "thumbnails": [png(shrunk(of_start[-1, middle], 56)) for of_start in cells],
        "frames": _FRAMES,
        "left_out": 0,
        "width": width,
        "height": height,
        "large": width * max(1, round(190 / width)),
        "small": width * max(1, round(132 / width)),
        "script": {
            "frames": _FRAMES,
            "width": width,
            "height": height,
            "initial": [[middle] * len(labels)] * len(cells),
            "values": [[round(float(v), 3) for v in places]] * len(labels),
        },
    }
    which = SimpleNamespace(measure="strength", names=[])
    return {"tiles": tiles, "which": which, "of_levels": walks[0].level is not None}
