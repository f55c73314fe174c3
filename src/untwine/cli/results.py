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

__all__ = ["load", "measure", "metrics_in_short", "report"]


def measure(
    source: str,
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
    no_progress: bool = False,
) -> int:
    """Scores the codes of a run, and keeps the scores in it; or codes and factors of your own.

    Those are in a file (.npz, .npy, .csv, .tsv, .parquet, .h5ad), or returned by a function.

    Args:
        source: a run, a file, or module:function
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
        out: Where to write the scores, .json or .csv.
        exact: Take the reference's slow predictors where a fast one is usual.
        no_progress: Show no progress.
    """
    from ..evaluation import evaluate
    from ..evaluation.read import read
    from ..reading import expanded
    from ..training.files import replace_file

    path = None if out is None else expanded(out)
    if path is not None and path.suffix not in (".json", ".csv"):
        raise UsageError(f"--out is {out!r}: expected a name that ends in .json or .csv")
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
    if expanded(source).is_dir():
        if codes or factors:
            raise UsageError(f"{source} is a run: --codes and --factors name parts of a file")
        run = load(source, trusted(trust), data)
        settings |= {"label": label, "batch": batch, "save": out is None}
        table = run.measure(metrics, n=n, **settings)
    else:
        roles: dict[str, Any] = {"label": label, "batch": batch}
        files = [name for name in roles.values() if name is not None and name.endswith(".npy")]
        listed = list(dict.fromkeys([*(factors or "").split(","), *files]))
        roles |= {role: Path(name).stem for role, name in roles.items() if name in files}
        try:
            content = read(source, codes=codes, factors=listed)
        except (ValueError, OSError, ImportError) as error:
            raise UsageError(str(error)) from error
        table = evaluate(content, metrics=metrics, points=n, **roles, **settings)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = table.to_frame().to_csv() if path.suffix == ".csv" else table.to_json() + "\n"
        replace_file(path, text.encode())
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
    run: str,
    *,
    beside: list[str] = [],  # noqa: B006
    out: str | None = None,
    n: int = 10_000,
    seed: int = 0,
    trust: str | None = None,
    no_scores: bool = False,
    open: bool = False,
) -> int:
    """Writes what a run has learned as one page of HTML that needs no network.

    It shows traversals that move, scores, codes against factors, training curves, and the command
    that repeats the run.

    Args:
        run: a run's folder
        beside: Other runs, for a page that shows what the knobs of all of them turn; needs out.
        out: The page; report.html in the run's folder by default.
        n: Observations to encode and to measure on.
        seed: Of what is drawn at random.
        trust: Packages of your own, with commas, whose code the run's spec may name.
        no_scores: Show no scores, and measure none.
        open: Open the page in a browser.
    """
    from ..report import compare, report

    settings: dict[str, Any] = {"trust": trusted(trust), "n": n, "scores": not no_scores}
    if not beside:
        page = report(run, out=out, seed=seed, **settings)
    elif out is not None:
        page = compare([run, *beside], out, seed=seed, **settings)
    else:
        raise UsageError("a page of several runs is in none of their folders: name it with --out")
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
