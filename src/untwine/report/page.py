"""The report: what a run has learned, as one HTML file."""

from __future__ import annotations

import json
import platform
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
import yaml
from markupsafe import Markup

from ..metrics.catalog import GROUPS, METRICS
from ..metrics.evaluation import Evaluation
from ..metrics.suite import evaluate
from ..plots import (
    dimension_kl,
    importance,
    latents_against_factors,
    mutual_information,
    training_curves,
)
from ..training import Run
from ..training.files import replace_file
from .findings import Findings, find
from .settings import hyperparameters, plain_text, written
from .sheets import inline_svg

__all__ = ["report"]

_ROWS = 16  # dimensions in the figure of dimensions against factors
_QUIET = 0.02  # of the most active dimension: less is drawn pale
_CLEAR = 0.3  # of a factor's entropy: more is a match worth a color


def report(
    run: Run | str | Path | None,
    *,
    data: Any = None,
    method: Any = None,
    n: int = 10_000,
    out: str | Path | None = None,
    scores: bool = True,
    seed: int = 0,
) -> Path:
    """Writes what a run has learned as one HTML page that needs no network and no server.

    The page shows traversals that move under a slider or the pointer, scores with their protocols,
    codes against factors, reconstructions, samples, the training curves, and the command that
    repeats the run. What a method cannot show (it has no decoder, the data has no factors) is left
    out, with the reason in its place. A run that has not finished is shown as of its newest
    checkpoint, and the page says so.

    Scores are read from the run's ``scores.json`` if they were measured after its training, and
    otherwise measured and, for a finished run, written there.

    Args:
        run: A `Run`, its folder, or ``None`` to show a method without one.
        data: Shown instead of the run's data; needed if that was made by hand.
        method: For a folder, the method that takes its weights, needed if the run's method was
            made by hand; otherwise shown instead of the run's.
        n: How many observations to encode and measure on (half as many again are encoded for
            metrics that learn from some and are judged on others).
        out: The page; by default ``report.html`` in the run's folder.
        scores: Whether to show scores, and to measure them where there are none.
        seed: Of the choice of observations, of samples, and of the metrics.

    Returns:
        The page's path.

    Raises:
        FileNotFoundError: if there is no run in the folder.
        ValueError: if something made by hand is needed and was not given, or there is no place to
            write to.
        TypeError: if the data is no `FactorDataset`.

    Example:
        >>> import tempfile
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VAE
        >>> from untwine.training import fit
        >>> data = FactorDataset.from_arrays(torch.rand(200, 7))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = fit(VAE.build(data, latent_dim=2), data, steps=3, out=folder, progress=False)
        ...     report(run, n=100).name
        'report.html'
    """
    subject = _subject(run, method, data, out)
    found = find(subject.method, subject.data, n=n, seed=seed)
    evaluation, reason = _scores(subject, found, n, seed) if scores else (None, "not asked for")
    html = _environment().get_template("report.html.jinja").render(
        **_about(subject, found),
        **_figures(subject, found, evaluation),
        tiles=_tiles(found),
        found=found,
        scores=_score_rows(evaluation),
        scores_missing=reason,
        scores_skipped={} if evaluation is None else _reasons(evaluation),
        css=_resource("report.css"),
        js=_resource("report.js"),
    )  # fmt: skip
    subject.out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(subject.out, html.encode("utf-8"))
    return subject.out


@dataclass(frozen=True)
class _Subject:
    """What is reported on, and where to."""

    run: Run | None
    method: Any
    data: Any
    out: Path
    unfinished: str | None

    @property
    def folder(self) -> Path | None:
        return self.run.path if self.run is not None else None


def _subject(
    run: Run | str | Path | None, method: Any, data: Any, out: str | Path | None
) -> _Subject:
    if run is None and (method is None or data is None or out is None):
        raise ValueError("without a run, give method=, data= and out=")
    unfinished = None
    if run is not None:
        if not isinstance(run, Run):
            with warnings.catch_warnings():
                # the page says it: an unfinished run is shown as of its newest checkpoint
                warnings.filterwarnings("ignore", "the run has not finished")
                run = Run.load(Path(run).expanduser(), method=method, data=data)
            method = run.method
        if run.path is not None and not (run.path / "model.safetensors").exists():
            unfinished = f"{run.steps:,} steps"
        method = run.method if method is None else method
        data = run.data if data is None else data
        if out is None and run.path is None:
            raise ValueError("this run was not written to a folder: say where to write, with out=")
        out = run.path / "report.html" if out is None and run.path is not None else out
    if not (hasattr(data, "observations") and hasattr(data, "factors") and hasattr(data, "shape")):
        raise TypeError(
            f"a report shows observations and factors, but the data is a {type(data).__name__}: "
            "give data=, a FactorDataset"
        )
    assert out is not None
    return _Subject(run, method, data, Path(out).expanduser(), unfinished)


def _scores(
    subject: _Subject, found: Findings, n: int, seed: int
) -> tuple[Evaluation | None, str | None]:
    """The scores of the run, or why there are none."""
    file = None if subject.folder is None else subject.folder / "scores.json"
    weights = None if subject.folder is None else subject.folder / "model.safetensors"
    final = file is not None and weights is not None and weights.exists()
    if final and file.exists() and file.stat().st_mtime >= weights.stat().st_mtime:  # type: ignore[union-attr]
        return Evaluation.from_json(file), None  # type: ignore[arg-type]
    kept = [*GROUPS["classic"], "active_units"]
    if found.measure == "KL":
        kept.append("dimension_kl")
    try:
        evaluation = evaluate(
            found.codes.mean,
            found.factors if found.names else None,
            kept,
            points=n,
            seed=seed,
            names=found.names or None,
            stddev=found.codes.stddev,
        )
    except ValueError as error:  # none of the metrics can be computed
        return None, str(error)
    if final and file is not None:
        replace_file(file, evaluation.to_json().encode())
    return evaluation, None


def _about(subject: _Subject, found: Findings) -> dict[str, Any]:
    """Names, facts, settings and the way to repeat the run."""
    method, data, run = subject.method, subject.data, subject.run
    spec: Mapping[str, Any] = {} if run is None else run.spec
    doc = plain_text((type(method).__doc__ or "").strip().partition("\n")[0]).rstrip(".")
    facts: dict[str, str] = {}
    if run is not None:
        facts["steps"] = f"{run.steps:,}"
        facts["batch size"] = str(spec.get("batch_size", ""))
        facts["seed"] = str(spec.get("seed", ""))
        if len(run.rows):
            facts["training time"] = _duration(float(run.rows[-1].get("seconds", 0.0)))
    facts["code dimensions"] = str(found.codes.mean.shape[1])
    if hasattr(method, "parameters"):
        facts["parameters"] = f"{sum(p.numel() for p in method.parameters()):,}"
    facts["observations"] = f"{len(data):,}"
    facts["shape of one"] = " × ".join(map(str, data.shape))
    training = {
        key: written(value)
        for key, value in spec.items()
        if key not in ("method", "data") and value is not None
    }
    return {
        "name": type(method).__name__,
        "summary": doc,
        "data_name": type(data).__name__,
        "data_factors": [f"{n} ({s})" for n, s in _sizes(data)],
        "facts": facts,
        "unfinished": subject.unfinished,
        "planned": _planned(spec.get("steps")),
        "folder": None if subject.folder is None else str(subject.folder),
        "command": None if run is None else run.command,
        "spec": yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True) if spec else None,
        "settings": hyperparameters(method),
        "training": training,
        "machine": _machine(subject.folder),
        "version": version("untwine"),
    }


def _figures(
    subject: _Subject, found: Findings, evaluation: Evaluation | None
) -> dict[str, Markup | None]:
    """Every figure as inline SVG; ``None`` for what there is nothing to draw of."""
    made: dict[str, Markup | None] = dict.fromkeys(
        ("kl_figure", "information_figure", "importance_figure", "factors_figure", "curves_figure")
    )
    if found.measure == "KL":
        made["kl_figure"] = inline_svg(
            dimension_kl(found.strength),
            "kl",
            "Bars: " + ", ".join(f"z{j} {kl:.2f} nats" for j, kl in enumerate(found.strength)),
        )
    if found.information is not None:
        best = [(f"z{j}", found.match(j)) for j in found.order]
        made["information_figure"] = inline_svg(
            mutual_information(found.information, found.names),
            "mi",
            "Heat map. Factor that each dimension tells most of: "
            + ", ".join(f"{z} {m[0]}" for z, m in best if m),
        )
        rows = sorted(found.order[:_ROWS])
        made["factors_figure"] = inline_svg(
            latents_against_factors(
                found.codes.mean[:, rows],
                found.factors,
                found.names,
                labels=[f"z{j}" for j in rows],
            ),
            "laf",
            "Mean of each code dimension over the values of each factor",
        )
        dci = None if evaluation is None else evaluation.scores.get("dci")
        matrix = None if dci is None else dci.parts.get("importance")
        if matrix is not None and np.shape(matrix) == found.information.shape:
            made["importance_figure"] = inline_svg(
                importance(matrix, found.names),
                "dci",
                "Heat map of the importance of each dimension for predicting each factor",
            )
    log = None if subject.run is None else subject.run.log
    if log is not None and any("/" in c and c != "images/s" for c in log.columns):
        terms = [c for c in log.columns if "/" in c and c != "images/s"]
        made["curves_figure"] = inline_svg(
            training_curves(log), "log", f"Curves over training steps: {', '.join(terms)}"
        )
    return made


def _tiles(found: Findings) -> dict[str, Any] | None:
    """What the page's script needs, and what is written under each moving picture."""
    if found.traversal is None:
        return None
    t = found.traversal
    dims = []
    quiet = _QUIET * float(found.strength.max())
    for j in t.dims:
        match = found.match(j)
        dims.append(
            {
                "name": f"z{j}",
                "quiet": bool(found.strength[j] <= quiet),
                "telling": bool(match and match[1] >= _CLEAR),
                "strength": f"{found.strength[j]:.2f}",
                "factor": match[0] if match else None,
                "share": f"{match[1]:.0%}" if match else None,
            }
        )
    width, height = t.size
    return {
        "dims": dims,
        "sheets": t.sheets,
        "thumbnails": t.thumbnails,
        "frames": t.values.shape[1],
        "left_out": found.codes.mean.shape[1] - len(t.dims),
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


def _score_rows(evaluation: Evaluation | None) -> list[dict[str, Any]]:
    if evaluation is None:
        return []
    rows = []
    for label, score in evaluation.scores.items():
        metric = METRICS.get(score.name or label)
        bounded = metric is not None and (metric.low, metric.high) == (0.0, 1.0)
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
                if bounded or score.value != round(score.value)
                else f"{score.value:.0f}",
                "interval": score.interval,
                "bar": float(np.clip(score.value, 0, 1)) if bounded else None,
                "summary": "" if metric is None else plain_text(metric.summary),
                "paper": "" if metric is None else metric.paper,
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


def _setting(value: Any) -> str:
    return "none" if value is None else written(value)


def _reasons(evaluation: Evaluation) -> dict[str, str]:
    """Why metrics are missing; those with one reason together."""
    names: dict[str, list[str]] = {}
    for name, reason in evaluation.skipped.items():
        names.setdefault(reason, []).append(name)
    return {", ".join(group): reason for reason, group in names.items()}


def _sizes(data: Any) -> list[tuple[str, int]]:
    return list(zip(data.space.names, data.space.sizes, strict=True))


def _machine(folder: Path | None) -> dict[str, str]:
    """Where the run was made; where this page is made, if that was not written down."""
    file = None if folder is None else folder / "environment.json"
    if file is not None and file.exists():
        try:
            noted = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file} is damaged ({error}): delete it to go on") from error
    else:
        noted = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "platform": platform.platform(),
        }
    noted = {k: v for k, v in noted.items() if v is not None}
    return {k: " ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in noted.items()}


def _planned(steps: Any) -> str | None:
    return f"{steps:,}" if isinstance(steps, int) else None if steps is None else written(steps)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("untwine.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _resource(name: str) -> Markup:
    """A file of this package as it stands; it holds nothing that a user wrote."""
    return Markup(files(__package__).joinpath("templates", name).read_text(encoding="utf-8"))
