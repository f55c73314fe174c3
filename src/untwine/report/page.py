"""The report: what a run has learned, as one HTML file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
from markupsafe import Markup

from ..data import FactorDataset, Multimodal
from ..data.seeds import check_seed
from ..evaluation import Evaluation, evaluate
from ..reading import expanded
from ..training import Run
from ..training.files import replace_file
from ..training.plan import plan
from ..training.scores import kept
from .adversaries import adversaries
from .attribute import attribute
from .axes import axes, directions, moving
from .edits import edits
from .few_labels import few_labels
from .film import film, rates
from .findings import Findings, find
from .interventions import interventions
from .levels import levels
from .live import live
from .sections import curves_left_out, figures, part_rows, score_rows, skipped, tiles
from .styles import styles
from .subject import Subject, about
from .summary import sentences, yardsticks
from .why import why

__all__ = ["page_path", "report", "scores_of", "subject_of", "write"]


def report(
    run: Run | str | Path | None,
    *,
    data: Any = None,
    method: Any = None,
    n: int = 10_000,
    out: str | Path | None = None,
    scores: bool = True,
    seed: int = 0,
    trust: Sequence[str] = (),
    label: str | None = None,
    batch: str | None = None,
    sensitive: str | None = None,
    labels: Sequence[int] = (),
) -> Path:
    """Writes what a run has learned as one HTML page that needs no network and no server.

    The page shows traversals that move under a slider or the pointer, scores with their protocols,
    codes against factors, edits, what interventions on the code do, reconstructions, samples,
    training curves, and the command that repeats the run. Where observations are images and the
    decoder is a sequence of layers that the page has kernels for, sliders set any code and the page
    decodes it. What a method cannot show (it has no decoder, the data has no factors) is left out,
    with the reason in its place. A run that has not finished is shown as of its newest checkpoint,
    and the page says so.

    Scores are read from the run's ``scores.json`` if they were measured after its training, and
    otherwise measured and, for a finished run, written there. With another method or other data
    than the run's they are measured and not kept.

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
        trust: For a folder, packages of your own that its spec may name, see `Run.load`.
        label: The factor that says what each observation is, such as the cell type: scores of
            clusters are measured and kept, too.
        batch: The factor that says where each comes from, such as the donor: scores of mixing.
        sensitive: A factor that should not matter, such as sex: the page says where the code tells
            it, what probes read after it was taken out, and how fair classifiers of other factors
            of two values are (parity and odds need the extra ``fair``).
        labels: Numbers of labels, such as ``(10, 100, 1000)``: the page says how well each factor
            is learned from so many on the code, beside principal components of observations.

    Returns:
        The page's path.

    Raises:
        FileNotFoundError: if there is no run in the folder.
        ValueError: if something made by hand is needed and was not given, there is no place to
            write to or its name is no page's, or the seed is none.
        TypeError: if the data is no `FactorDataset`.

    Example:
        >>> import tempfile, torch
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VAE
        >>> from untwine.training import fit
        >>> data = FactorDataset.from_arrays(torch.rand(200, 7))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = fit(VAE.build(data, latent_dim=2), data, steps=3, out=folder, progress=False)
        ...     report(run, n=100).name
        'report.html'
    """
    check_seed(seed)
    subject = subject_of(run, method, data, out, trust)
    findings = find(subject.method, subject.data, n=n, seed=seed)
    evaluation, reason = (
        scores_of(subject, findings, n, seed, {"label": label, "batch": batch})
        if scores
        else (None, "not asked for")
    )
    walks = axes(subject, findings, seed)
    return write(
        "report.html.jinja",
        subject.out,
        **about(subject, findings),
        **figures(subject, findings, evaluation),
        **why(subject, seed),
        curves_left_out=curves_left_out(subject),
        adversaries=adversaries(subject, seed),
        levels=levels(subject, findings, seed),
        edits=edits(subject, findings, seed),
        interventions=interventions(subject, findings, seed),
        attribute=attribute(findings.codes, sensitive, seed),
        few=few_labels(subject, labels, n, seed),
        tiles=tiles(findings, live(subject.method, findings, directions(walks))),
        axes=moving(walks),
        styles=styles(subject, seed),
        film=film(subject.folder),
        rates_figure=rates(subject.folder),
        found=findings,
        summary_of_findings=sentences(
            findings,
            [] if subject.run is None else subject.run.rows,
            None if subject.run is None else subject.run.stopped,
        ),
        scores=score_rows(evaluation, yardsticks(evaluation, findings, seed)),
        scores_missing=reason,
        parts=part_rows(evaluation),
        scores_skipped={} if evaluation is None else skipped(evaluation),
    )


def write(template: str, out: Path, **values: Any) -> Path:
    """Fills a template of this package and writes the page; returns its path."""
    css = _resource("base.css") + _resource("report.css")
    js = _resource("decoder.js") + _resource("report.js")
    html = _environment().get_template(template).render(css=css, js=js, **values)
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, html.encode("utf-8"))
    return out


def subject_of(
    run: Run | str | Path | None,
    method: Any,
    data: Any,
    out: str | Path | None,
    trust: Sequence[str],
) -> Subject:
    """What a page is about, with the method and the data that it shows."""
    own = method is None and data is None  # whether it is the run's method on the run's data
    if run is not None and not isinstance(run, Run):
        own = data is None
        with warnings.catch_warnings():
            # the page says it: an unfinished run is shown as of its newest checkpoint
            warnings.filterwarnings("ignore", "the run has not finished")
            run = Run.load(expanded(run), method=method, data=data, trust=trust)
        method = run.method
    folder = run.path if run is not None else None
    if out is None and folder is None:
        raise ValueError(
            "without a run, give method=, data= and out="
            if run is None
            else "this run was not written to a folder: say where to write, with out="
        )
    unfinished = None
    if run is not None:
        method = run.method if method is None else method
        data = run.data if data is None else data
        if folder is not None and not (folder / "model.safetensors").exists():
            unfinished = f"{run.steps:,} steps"
        if not own and method is run.method:
            own = plan(run.method, data, None)["data"] == run.spec["data"]
    if method is None or data is None:
        raise ValueError("without a run, give method=, data= and out=")
    if not isinstance(data, FactorDataset | Multimodal):
        raise TypeError(
            f"a report shows observations and factors, but the data is a {type(data).__name__}: "
            "give data=, a FactorDataset"
        )
    target = folder / "report.html" if out is None and folder is not None else page_path(str(out))
    return Subject(run, method, data, target, own, unfinished)


def page_path(out: str | Path) -> Path:
    """Where a page is written.

    Raises:
        ValueError: for a name that is no page's.
    """
    path = expanded(out)
    if path.suffix not in (".html", ".htm"):
        raise ValueError(f"out is {str(out)!r}; expected the name of a page, such as page.html")
    return path


def scores_of(
    subject: Subject,
    findings: Findings,
    n: int,
    seed: int,
    roles: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Evaluation | None, str | None]:
    """The scores of the run, or why there are none."""
    run, folder = subject.run, subject.folder
    finished = folder is not None and (folder / "model.safetensors").exists()
    about = any(roles.values())
    if subject.own and folder is not None and finished and not about:
        scores = kept(folder)
        if scores is not None:
            return scores, None
    for name in filter(None, roles.values()):
        subject.data.space.position(name)  # a name that is wrong is no score that is missing
    try:
        if run is not None and subject.own:
            measured = run.measure(n=n, seed=seed, save=finished, codes=findings.codes, **roles)
            return measured, None
        return evaluate(findings.codes, metrics="default", points=n, seed=seed, **roles), None
    except ValueError as error:  # none of the metrics can be computed
        return None, str(error)


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
