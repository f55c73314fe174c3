"""`untwine measure` and `untwine report`: scores of a run, or of codes from anywhere; its page."""

from __future__ import annotations

import warnings
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ..settings.classes import trusted
from ..settings.errors import UsageError
from .screen import console

if TYPE_CHECKING:
    from ..training import Run

__all__ = ["compare", "load", "measure", "metrics_in_short", "report"]


def measure(
    source: list[str] = [],  # noqa: B006
    *,
    metrics: list[str] = ["default"],  # noqa: B006
    n: int = 10_000,
    confidence: float | None = None,
    repeats: int | None = None,
    seed: int = 0,
    codes: str | None = None,
    factors: str | None = None,
    label: str | None = None,
    batch: str | None = None,
    kinds: str | None = None,
    data: str | None = None,
    chance: int | None = None,
    sampled: bool = False,
    trust: str | None = None,
    out: str | None = None,
    exact: bool = False,
    protocol: bool = False,
    no_progress: bool = False,
) -> int:
    """Scores the codes of a run, and keeps the scores in it; or codes and factors of your own.

    Those are in a file (.npz, .npy, .csv, .tsv, .parquet, .h5ad), or returned by a function; or
    --codes and --factors are files themselves. Below the table it says which dimension follows
    which factor. Several runs are measured one after the other, and shown in one table.

    Args:
        source: a run or several, a file, or module:function
        metrics: Names of metrics, or default, all, classic, unsupervised.
        n: Points that each metric uses.
        confidence: Level of confidence intervals, such as 0.95.
        repeats: Half-samples behind each interval.
        seed: Of the points, and of metrics that draw any.
        codes: Which array or columns of the file are codes.
        factors: Which array or columns of the file are factors.
        label: The factor (or .npy) that clusters are compared with.
        batch: The factor (or .npy) whose mixing is measured.
        kinds: What factors are, such as age=real,shape=nominal (or ordinal, angle).
        data: Where the run's data is, if it is no more where it was.
        chance: Permutations of the factors behind each metric's value by chance.
        sampled: Measure samples of the posteriors, too, beside their means.
        trust: Packages of your own, with commas, whose code the run's spec may name.
        out: Where to write the scores: .json, .csv, .tex, .md or .parquet.
        protocol: Show the settings of each metric, too.
        exact: Take the reference's slow predictors where a fast one is usual.
        no_progress: Show no progress.
    """
    from ..encoding import encode
    from ..evaluation import evaluate, which
    from ..evaluation.read import read
    from ..reading import expanded
    from ..training.files import replace_file

    path = _table_path(out)
    source, codes, factors = _source(source, codes, factors)
    if len(source) > 1:
        return _measure_several(source, metrics, n, seed, trust, path)
    settings: dict[str, Any] = {
        "seed": seed,
        "confidence": 0.95 if repeats is not None and confidence is None else confidence,
        "repeats": repeats,
        "exact": exact,
        "chance": chance,
        "sampled": sampled,
        "kinds": kinds_by_name(kinds),
        "progress": False if no_progress else None,
    }
    if expanded(source[0]).is_dir():
        if codes or factors:
            raise UsageError(f"{source[0]} is a run: --codes and --factors name parts of a file")
        run = load(source[0], trusted(trust), data)
        settings |= {"label": label, "batch": batch, "save": out is None}
        encoded: Any = encode(run.method, run.data, n + n // 2, seed)
        table = run.measure(metrics, n=n, codes=encoded, **settings)
    else:
        roles: dict[str, Any] = {"label": label, "batch": batch}
        files = [name for name in roles.values() if name is not None and name.endswith(".npy")]
        listed = list(dict.fromkeys([*(factors or "").split(","), *files]))
        roles |= {role: Path(name).stem for role, name in roles.items() if name in files}
        try:
            content = read(source[0], codes=codes, factors=listed)
        except (ValueError, OSError, ImportError) as error:
            raise UsageError(str(error)) from error
        encoded, table = content, evaluate(content, metrics=metrics, points=n, **roles, **settings)
    if path is not None and path.suffix == ".json":  # what Evaluation.from_json reads
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, (table.to_json() + "\n").encode())
    elif path is not None:
        table.write(path)
    console().print(table.rich(protocol=protocol))
    console().print(str(which(encoded, kinds=settings["kinds"])), markup=False)
    return 0


def compare(
    runs: list[str],
    *,
    metrics: list[str] = ["default"],  # noqa: B006
    n: int = 10_000,
    seed: int = 0,
    trust: str | None = None,
    out: str | None = None,
    page: str | None = None,
    open: bool = False,
) -> int:
    """Puts several runs into one table: mean and spread over seeds, and what differs.

    Runs that differ by their seeds alone are one group. Scores that a run keeps are taken as they
    are; others are measured and kept.

    Args:
        runs: the folders of two runs or more
        metrics: Names of metrics, or default, all, classic, unsupervised.
        n: Points that each metric uses, where it is measured.
        seed: Of what is drawn at random.
        trust: Packages of your own, with commas, whose code the runs' specs may name.
        out: Where to write the table: .csv, .json, .tex, .md or .parquet.
        page: Where to write a page with traversals side by side, .html.
        open: Open the page in a browser.
    """
    from ..report import compare as compared_page, compare_runs

    path = _table_path(out)
    chosen = None if metrics == ["default"] else metrics
    table = compare_runs(runs, metrics=chosen, n=n, seed=seed, trust=trusted(trust))
    if path is not None:
        table.write(path)
    console().print(table.rich())
    if page is not None:
        written = compared_page(runs, page, n=n, seed=seed, trust=trusted(trust))
        console().print(str(written), markup=False, soft_wrap=True)
        if open:
            webbrowser.open(written.resolve().as_uri())
    elif open:
        raise UsageError("--open shows a page: name it with --page compare.html")
    return 0


def _table_path(out: str | None) -> Path | None:
    from ..evaluation.write import check_ending

    try:
        return None if out is None else check_ending(out)
    except ValueError as error:
        raise UsageError(f"--out {error}") from error


def _source(
    source: list[str], codes: str | None, factors: str | None
) -> tuple[list[str], str | None, str | None]:
    """What is measured: --codes that are a file stand in the place of the source."""
    from ..reading import expanded

    if not source and codes is not None and expanded(codes).is_file():
        return [codes], None, factors
    if not source:
        raise UsageError(
            "untwine measure needs a run, a file, or module:function (or --codes FILE)"
        )
    return source, codes, factors


def _measure_several(
    runs: list[str], metrics: list[str], n: int, seed: int, trust: str | None, path: Path | None
) -> int:
    from ..reading import expanded
    from ..report import compare_runs

    for run in runs:
        if not expanded(run).is_dir():
            raise UsageError(f"{run} is no run: several are compared where all of them are runs")
    chosen = None if metrics == ["default"] else metrics
    table = compare_runs(runs, metrics=chosen, n=n, seed=seed, trust=trusted(trust))
    if path is not None:
        table.write(path)
    console().print(table.rich())
    return 0


def kinds_by_name(text: str | None) -> dict[str, Any] | None:
    """Kinds of factors by name, from ``name=kind`` with commas."""
    from ..data.space import Kind

    if text is None:
        return None
    pairs = [part.strip().rpartition("=") for part in text.split(",")]
    for name, _, kind in pairs:
        if not name or kind not in get_args(Kind):
            raise UsageError(
                f"--kinds is {text!r}: expected age=real,shape=nominal, each factor with one of "
                f"{', '.join(get_args(Kind))}"
            )
    return {name: kind for name, _, kind in pairs}


def report(
    run: list[str],
    *,
    beside: list[str] = [],  # noqa: B006
    out: str | None = None,
    n: int = 10_000,
    seed: int = 0,
    trust: str | None = None,
    no_scores: bool = False,
    label: str | None = None,
    batch: str | None = None,
    sensitive: str | None = None,
    labels: list[int] = [],  # noqa: B006
    open: bool = False,
) -> int:
    """Writes what a run has learned as one page of HTML that needs no network.

    It shows traversals that move, scores, codes against factors, training curves, and the command
    that repeats the run.

    Args:
        run: a run's folder, or several: each has its page, or with out all have one
        beside: Other runs, for a page that shows what the knobs of all of them turn; needs out.
        out: The page; report.html in the run's folder by default.
        n: Observations to encode and to measure on.
        seed: Of what is drawn at random.
        trust: Packages of your own, with commas, whose code the run's spec may name.
        no_scores: Show no scores, and measure none.
        label: The factor that says what each observation is, for scores of clusters.
        batch: The factor that says where each comes from, for scores of mixing.
        sensitive: A factor that should not matter: where it is, and what taking it out leaves.
        labels: Numbers of labels, such as 10 100 1000, that factors are learned from.
        open: Open the page in a browser.
    """
    from ..report import compare as compare_page, report

    settings: dict[str, Any] = {"trust": trusted(trust), "n": n, "scores": not no_scores}
    if beside and out is None:
        raise UsageError("a page of several runs is in none of their folders: name it with --out")
    several = [*run, *beside]
    if out is not None and len(several) > 1:
        if sensitive is not None:
            raise UsageError("--sensitive is for pages of one run: leave out --out and --beside")
        if labels:
            raise UsageError("--labels is for pages of one run: leave out --out and --beside")
        pages = [compare_page(several, out, seed=seed, **settings)]
    else:
        if any(count < 2 for count in labels):
            raise UsageError(f"--labels {min(labels)} is too few: expected numbers from 2 on")
        roles: dict[str, Any] = {"label": label, "batch": batch, "sensitive": sensitive}
        roles["labels"] = labels
        pages = [report(one, out=out, seed=seed, **settings, **roles) for one in several]
    for page in pages:
        console().print(str(page), markup=False, soft_wrap=True)
        if open:
            webbrowser.open(page.resolve().as_uri())
    return 0


def load(folder: str, trust: Sequence[str] = (), data: str | None = None) -> Run:
    """A run, with what is to be said about its weights on standard error."""
    from ..reading import expanded
    from ..training import Run

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        run = Run.load(expanded(folder), trust=trust, data=data)
    for warning in caught:
        console(stderr=True).print(f"note: {warning.message}", markup=False)
    return run


def metrics_in_short() -> str:
    """The metrics' names and what they ask for."""
    from ..metrics import GROUPS, METRICS
    from .line import entries

    metrics = (METRICS[name] for name in GROUPS["all"])
    rows = ((m.name, f"{', '.join(m.captures)} ({m.paper})") for m in metrics)
    return f"metrics:\n{entries(rows)}"
