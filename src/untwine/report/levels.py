"""Levels of a hierarchy in the report: rates, images cut at every depth, factors by level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data import FactorDataset
from ..diagnostics import level_cuts, level_rates, level_table
from ..encoding import batch_of
from ..methods import HasLevels
from ..plots import level_rates as draw_rates
from ..plots.pictures import drawable, mosaic, pictures, vector_bounds
from .findings import Findings
from .sheets import inline_svg, png, shrunk
from .subject import Subject

__all__ = ["levels"]

_SHOWN, _ROWS, _FEWEST = 8, 500, 30


def levels(subject: Subject, findings: Findings, seed: int) -> dict[str, Any] | None:
    """What the page says of levels; ``None`` of a method without any."""
    method, data = subject.method, subject.data
    if not isinstance(method, HasLevels) or not isinstance(data, FactorDataset):
        return None
    rates = level_rates(method, data, n=min(_ROWS, len(data)), seed=seed)  # type: ignore[arg-type]
    active = f"{len(rates.active())} of {len(rates.names)} levels carry more than 0.1 nats"
    return {
        "figure": inline_svg(draw_rates(rates.nats, rates.names), "levels", f"Bars: {active}"),
        "active": active,
        "cuts": _cuts(method, data, seed),
        "names": rates.names,
        "table": _table(findings),
    }


def _cuts(method: Any, data: FactorDataset, seed: int) -> str | None:
    """Observations, and below them what is decoded at every cut, as a picture."""
    if isinstance(data.shape, Mapping) or not drawable(tuple(data.shape)):
        return None
    rows = np.random.default_rng([seed, 5]).permutation(len(data))[:_SHOWN]
    batch = batch_of(method, data, np.sort(rows))
    x = batch.tensor.cpu().numpy()
    images = level_cuts(method, batch, seed=seed).cpu().numpy()
    bounds = vector_bounds(x, images[-1]) if x.ndim == 2 else None
    grid = np.stack([pictures(row, 1, bounds) for row in [x, *images]])
    return png(mosaic(shrunk(grid, 64)))


def _table(findings: Findings) -> dict[str, Any] | None:
    """Which factor is read off which level; ``None`` without factors or with few rows."""
    codes = findings.codes
    if not findings.which.names or len(codes) < _FEWEST:
        return None
    try:
        table = level_table(codes, metrics=())
    except ValueError:  # too few rows of some value to learn from
        return None
    rows = [
        (name, [f"{value:.3f}" for value in row])
        for name, row in zip(table.names, table.readout, strict=True)
    ]
    rows.append(("chance", [f"{value:.3f}" for value in table.chance]))
    return {"factors": table.factors, "rows": rows}
