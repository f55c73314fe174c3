"""Diagnosis of a model for the report: a verdict and its figures."""

from __future__ import annotations

from typing import Any

from ..diagnostics import NoDensity, diagnose
from ..plots import column_cosines, elbo_parts, posterior_widths, seam_gaps
from .sheets import inline_svg
from .subject import Subject

__all__ = ["why"]

_OBSERVATIONS = 60


def why(subject: Subject, seed: int) -> dict[str, Any]:
    """Sentences and figures about the model's dimensions, or why there are none.

    Args:
        subject: What is reported on.
        seed: Of the choice of observations.
    """
    empty: dict[str, Any] = {"why_lines": [], "why_figures": [], "why_missing": None}
    size = min(_OBSERVATIONS, len(subject.data))
    try:
        found = diagnose(subject.method, subject.data, n=size, samples=2, seed=seed)
    except (NoDensity, ValueError) as error:
        return {**empty, "why_missing": str(error)}
    lines = [line for line in str(found).split("\n") if line]
    figures = []
    if found.elbo is not None:
        text = f"Bars: {'; '.join(str(found.elbo).splitlines())}"
        figures.append(inline_svg(elbo_parts(found.elbo), "elbo", text))
    seams = found.orthogonality
    if seams is not None and len(seams.dims) > 1:
        text = f"Cosines of the Jacobian's columns: {seams.angle:.1f} degrees off right angles"
        figures.append(inline_svg(column_cosines(seams), "cos", text))
        text = f"Seam gaps over observations: {seams.gap} nats"
        figures.append(inline_svg(seam_gaps(seams), "seam", text))
    if seams is not None and seams.learned is not None:
        text = "Standard deviations of posteriors, learned and best, of each dimension"
        figures.append(inline_svg(posterior_widths(seams), "width", text))
    return {"why_lines": lines, "why_figures": figures, "why_missing": None}
