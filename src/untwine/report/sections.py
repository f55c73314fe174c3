"""The report's figures and tables, ready for its template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from ..evaluation import Evaluation
from ..evaluation.which import CLEAR, QUIET
from ..metrics.registry import METRICS
from ..plots import (
    dimension_kl,
    importance,
    latents_against_factors,
    mutual_information,
    training_curves,
)
from .findings import Findings
from .settings import plain_text, written
from .sheets import inline_svg
from .subject import Subject

if TYPE_CHECKING:
    import pandas

__all__ = ["curves_left_out", "figures", "part_rows", "score_rows", "skipped", "tiles"]

_ROWS = 16  # dimensions in the figure of dimensions against factors
_WIDEST = 64  # dimensions in figures with a row for each
_CURVES = 48  # terms of the log in the figure of training
_HIGHEST = 1e30  # above this, axes overflow


def figures(
    subject: Subject, findings: Findings, evaluation: Evaluation | None
) -> dict[str, Markup | None]:
    """Every figure as inline SVG; ``None`` for what there is nothing to draw of."""
    drawings: dict[str, Markup | None] = dict.fromkeys(
        ("kl_figure", "information_figure", "importance_figure", "factors_figure", "curves_figure")
    )
    shown = sorted(findings.which.order[:_WIDEST])
    inactive = findings.inactive and [findings.inactive[j] for j in shown]
    labels = [f"z{j}" for j in shown]
    if findings.which.measure == "KL":
        drawings["kl_figure"] = inline_svg(
            dimension_kl(findings.which.strength[shown], labels),
            "kl",
            "Bars: " + ", ".join(f"z{j} {findings.which.strength[j]:.2f} nats" for j in shown),
        )
    if findings.which.information is not None:
        best = [(f"z{j}", findings.which.match(j)) for j in findings.which.order]
        drawings["information_figure"] = inline_svg(
            mutual_information(
                findings.which.information[shown],
                findings.which.names,
                codes=labels,
                inactive=inactive,
            ),
            "mi",
            "Heat map. Factor that each dimension tells most of: "
            + ", ".join(f"{z} {m[0]}" for z, m in best if m),
        )
        rows = sorted(findings.which.order[:_ROWS])
        drawings["factors_figure"] = inline_svg(
            latents_against_factors(
                findings.codes.mean[:, rows],
                findings.factors,
                findings.which.names,
                labels=[f"z{j}" for j in rows],
            ),
            "laf",
            "Mean of each code dimension over the values of each factor",
        )
        dci = None if evaluation is None else evaluation.scores.get("dci")
        matrix = None if dci is None else dci.parts.get("importance")
        if matrix is not None and np.shape(matrix) == findings.which.information.shape:
            drawings["importance_figure"] = inline_svg(
                importance(matrix[shown], findings.which.names, codes=labels, inactive=inactive),
                "dci",
                "Heat map of the importance of each dimension for predicting each factor",
            )
    log = None if subject.run is None else _drawable(subject.run.log)
    if log is not None and log.columns[1:].str.contains("/").any():
        terms = [c for c in log.columns if "/" in c]
        drawings["curves_figure"] = inline_svg(
            training_curves(log), "log", f"Curves over training steps: {', '.join(terms)}"
        )
    return drawings


def curves_left_out(subject: Subject) -> int:
    """How many terms of the log have no curve in the figure."""
    return 0 if subject.run is None else max(0, len(_terms(subject.run.log)) - _CURVES)


def _terms(log: pandas.DataFrame) -> list[str]:
    return [c for c in log.columns if "/" in c and c != "images/s"]


def _drawable(log: pandas.DataFrame) -> pandas.DataFrame:
    """The columns of a log that are drawn; values that no axis can show are missing."""
    terms = _terms(log)[:_CURVES]
    numbers = log[terms].astype("float64")
    curves = log[[c for c in ("step", "stage") if c in log.columns]].copy()
    curves[terms] = numbers.where(numbers.abs() < _HIGHEST)
    return curves.drop(columns=[c for c in terms if curves[c].isna().all()])


def tiles(findings: Findings, live: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """What the page's script needs, and what is written under each moving picture.

    Args:
        findings: With traversals.
        live: A decoder for the page, see `untwine.report.live`.
    """
    if findings.traversal is None:
        return None
    t = findings.traversal
    dims = []
    quiet = QUIET * float(findings.which.strength.max())
    for j in t.dims:
        match = findings.which.match(j)
        dims.append(
            {
                "name": f"z{j}",
                "quiet": bool(findings.which.strength[j] <= quiet),
                "telling": bool(match and match[1] >= CLEAR),
                "strength": f"{findings.which.strength[j]:.2f}",
                "factor": match[0] if match else None,
                "share": f"{match[1]:.0%}" if match else None,
            }
        )
    width, height = t.size
    return {
        "live": live,
        "dims": dims,
        "sheets": t.sheets,
        "thumbnails": t.thumbnails,
        "frames": t.values.shape[1],
        "left_out": findings.codes.mean.shape[1] - len(t.dims),
        "width": width,
        "height": height,
        "large": width * max(1, round(190 / width)),
        "small": width * max(1, round(132 / width)),
        "script": {
            "frames": t.values.shape[1],
            "width": width,
            "height": height,
            "initial": t.initial,
            "values": [[round(float(v), 3) for v in row] for row in t.values],
        },
    }


def score_rows(
    evaluation: Evaluation | None, beside: Mapping[str, Mapping[str, float]] | None = None
) -> list[dict[str, Any]]:
    """What the page says of each score.

    Args:
        evaluation: The scores.
        beside: Values of other codes, by metric and by what the code is.
    """
    if evaluation is None:
        return []
    rows = []
    for label, score in evaluation.scores.items():
        metric = METRICS.get(score.name or label)
        is_share = metric is not None and (metric.low, metric.high) == (0.0, 1.0)
        parts = {
            name: float(value)
            for name, value in score.parts.items()
            if isinstance(value, float | np.floating)
            and np.isfinite(value)
            and abs(float(value) - score.value) > 1e-9
        }
        per_factor = score.parts.get("per_factor")
        names = evaluation.names
        rows.append(
            {
                "name": label,
                "value": f"{score.value:.3f}"
                if is_share or score.value != round(score.value)
                else f"{score.value:.0f}",
                "interval": score.interval,
                "bar": float(np.clip(score.value, 0, 1)) if is_share else None,
                "summary": "" if metric is None else plain_text(metric.summary),
                "paper": "" if metric is None else metric.paper,
                "beside": dict((beside or {}).get(label, {})),
                "better": None if metric is None else metric.higher_is_better,
                "protocol": {k: _setting(v) for k, v in score.protocol.items()},
                "parts": parts,
                "per_factor": dict(zip(names, map(float, np.ravel(per_factor)), strict=True))
                if per_factor is not None and len(np.ravel(per_factor)) == len(names)
                else {},
                "seconds": score.seconds,
            }
        )
    return rows


def part_rows(evaluation: Evaluation | None) -> dict[str, Any] | None:
    """Which factor can be read off which named part of the code; ``None`` where it has none."""
    frame = None if evaluation is None else evaluation.per_part()
    if frame is None or frame.empty:
        return None
    rows = [(str(name), [f"{value:.3f}" for value in row]) for name, *row in frame.itertuples()]
    return {"factors": list(frame.columns), "rows": rows}


def _setting(value: Any) -> str:
    return "none" if value is None else written(value)


def skipped(evaluation: Evaluation) -> dict[str, str]:
    """Why metrics are missing; those with one reason together."""
    names: dict[str, list[str]] = {}
    for name, reason in evaluation.skipped.items():
        names.setdefault(reason, []).append(name)
    return {", ".join(group): reason for reason, group in names.items()}
