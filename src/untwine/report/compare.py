"""Several runs on one page: which knob turns what, side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..data.seeds import check_seed
from ..training import Run
from .findings import Findings, find
from .page import page_path, scores_of, subject_of, write
from .runs import RunComparison, beside
from .sections import score_rows, tiles
from .sheets import inline_svg
from .subject import about

__all__ = ["compare"]


def compare(
    runs: Sequence[Run | str | Path],
    out: str | Path,
    *,
    n: int = 10_000,
    scores: bool = True,
    seed: int = 0,
    trust: Sequence[str] = (),
) -> Path:
    """Writes what several runs have learned as one HTML page, side by side.

    For each run the page shows its knobs (traversals of the dimensions that are active, each with
    the factor that it tells most of), then which knob turns each factor, and the scores. A run is
    called by its folder.

    Args:
        runs: Two or more of class `Run` that were written to folders, or the folders.
        out: The page.
        n: How many observations of each run to encode and measure on.
        scores: See `report`.
        seed: See `report`.
        trust: See `report`.

    Returns:
        The page's path.

    Raises:
        FileNotFoundError: if there is no run in a folder.
        ValueError: for fewer than two runs, and for one that was not written to a folder.

    Example:
        >>> import tempfile, torch
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VAE
        >>> from untwine.training import fit
        >>> data = FactorDataset.from_arrays(torch.rand(200, 7), [[0], [1]] * 100)
        >>> def trained(size, folder):
        ...     method = VAE.build(data, latent_dim=size)
        ...     return fit(method, data, steps=3, out=f"{folder}/{size}", progress=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     runs = [trained(size, folder) for size in (2, 3)]
        ...     compare(runs, f"{folder}/both.html", n=100).name
        'both.html'
    """
    if len(runs) < 2:
        raise ValueError(f"{len(runs)} runs to compare; expected two or more (report shows one)")
    check_seed(seed)
    page = page_path(out)
    opened, values = [], []
    columns: list[dict[str, Any]] = []
    for run in runs:
        subject = subject_of(run, None, None, None, trust)
        findings = find(subject.method, subject.data, n=n, seed=seed)
        evaluation = scores_of(subject, findings, n, seed)[0] if scores else None
        assert subject.folder is not None
        opened.append(Run(subject.folder) if subject.run is None else subject.run)
        scored = {} if evaluation is None else evaluation.scores
        values.append({name: score.value for name, score in scored.items()})
        pictures = tiles(findings)
        if pictures is not None:  # the least active dimensions are the last ones
            pictures["still"] = [dim["name"] for dim in pictures["dims"] if dim["quiet"]]
            pictures["dims"] = [dim for dim in pictures["dims"] if not dim["quiet"]]
        whole = subject.folder / "report.html"
        columns.append(
            {
                **about(subject, findings),
                "run": subject.folder.resolve().name,
                "found": findings,
                "tiles": pictures,
                "scores": {row["name"]: row for row in score_rows(evaluation)},
                "turned": _turned(findings),
                "page": os.path.relpath(whole, page.parent) if whole.exists() else None,
            }
        )
    return write(
        "compare.html.jinja",
        page,
        columns=columns,
        trade_off=_trade_off(beside(opened, values)),
        metrics=list(dict.fromkeys(name for column in columns for name in column["scores"])),
        factors=list(dict.fromkeys(name for column in columns for name in column["turned"])),
        version=columns[0]["version"],
    )


def _trade_off(table: RunComparison) -> tuple[Markup, str] | None:
    """A score against the reconstruction's loss, where runs have both, and the score's name."""
    for metric in ("mig", *table.metrics):
        if metric in table.metrics:
            try:
                figure = table.trade_off(metric)
            except ValueError:  # no run has both
                continue
            return inline_svg(figure, "trade", f"{metric} against reconstruction"), metric
    return None


def _turned(findings: Findings) -> dict[str, list[tuple[str, float]]]:
    """For each factor the two dimensions that tell most of it, with their shares of its entropy."""
    if findings.which.share is None:
        return {}
    best = (-findings.which.share).argsort(axis=0)[:2]
    return {
        name: [(f"z{j}", float(findings.which.share[j, k])) for j in best[:, k]]
        for k, name in enumerate(findings.which.names)
    }
