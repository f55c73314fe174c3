"""Figures of one run of a study: what each dimension moves, and what it tells of each factor."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..encoding import Codes, batch_of
from ..methods.abilities import Decodes
from ..plots import mutual_information, posterior_span, traverse
from ..plots.pictures import drawable, mosaic, pictures, vector_bounds
from ..training.files import replace_file

__all__ = ["INFORMATION", "TRAVERSALS", "draw"]

TRAVERSALS, INFORMATION = "traversals.png", "information.png"
_STEPS = 11


def draw(method: Any, data: Any, codes: Codes, folder: Path) -> list[str]:
    """Draws what there is to draw of a run; returns the names of the files.

    Args:
        method: As trained.
        data: What it was trained on.
        codes: Of the data.
        folder: Where the files go.
    """
    from PIL import Image

    names = []
    shape = data.shape
    if isinstance(method, Decodes) and isinstance(shape, tuple) and drawable(shape):
        span = posterior_span(codes.mean, codes.stddev)
        start = batch_of(method, data, np.array([len(data) // 2]))
        moved = traverse(method, start.tensor, span=span, steps=_STEPS, c=start.c).images[0]
        bounds = vector_bounds(moved) if moved.ndim == 3 else None
        buffer = io.BytesIO()
        Image.fromarray(mosaic(pictures(moved, 2, bounds), 2)).save(buffer, "PNG", optimize=True)
        replace_file(folder / TRAVERSALS, buffer.getvalue())
        names.append(TRAVERSALS)
    names += _information(codes, folder)
    return names


def _information(codes: Codes, folder: Path) -> list[str]:
    from ..metrics._estimators.arrays import constant
    from ..metrics._estimators.information import histogram_information
    from ..metrics._estimators.kinds import radians

    factors = codes.factors.reshape(len(codes), -1)
    factors = radians(factors, codes.space.kinds, codes.space.sizes)
    varying = [k for k in range(factors.shape[1]) if k not in constant(factors)]
    if not varying:
        return []
    kinds = [codes.space.kinds[k] for k in varying]
    information = histogram_information(codes.mean, factors[:, varying], kinds=kinds)
    names = [codes.space.names[k] for k in varying]
    buffer = io.BytesIO()
    mutual_information(information.mutual, names).savefig(buffer, format="png", dpi=90)
    replace_file(folder / INFORMATION, buffer.getvalue())
    return [INFORMATION]
