"""`untwine measure`: scores a run, or codes and factors from anywhere."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import console
from .errors import UsageError
from .parser import TRUST, Parser

if TYPE_CHECKING:
    from ..evaluation import Evaluation
    from ..training import Run

__all__ = ["load", "run"]

_DESCRIPTION = """\
Scores the codes of a run, and keeps the scores in it; or the codes and factors of a file (.npz,
.npy, .csv, .tsv, .parquet, .h5ad), or those that a function of yours returns (module:function)."""


def run(argv: Sequence[str]) -> int:
    """Measures as the command line says."""
    parser = _parser()
    if "-h" in argv or "--help" in argv:
        print(f"{parser.format_help()}\n{_metrics_in_short()}")
        return 0
    asked = parser.read(argv)
    if not asked.get("source"):
        raise UsageError("untwine measure needs a run, a file, or module:function")
    source, out = asked["source"], asked.get("out")
    settings = {
        "confidence": asked.get("confidence"),
        "repeats": asked.get("repeats"),
        "seed": asked.get("seed", 0),
        "exact": asked.get("exact", False),
        "label": asked.get("label"),
        "batch": asked.get("batch"),
        "progress": False if asked.get("no_progress") else None,
    }
    n = asked.get("n", 10_000)
    if settings["repeats"] is not None and settings["confidence"] is None:
        settings["confidence"] = 0.95
    metrics = [name for word in asked.get("metrics") or () for name in word.split(",") if name]
    if Path(source).expanduser().is_dir():
        if asked.get("codes") or asked.get("factors"):
            raise UsageError(f"{source} is a run: --codes and --factors name parts of a file")
        from .trust import words

        run = load(source, words(asked.get("trust")))
        table = run.measure(metrics or None, n=n, save=out is None, **settings)
    else:
        table = _of_file(source, metrics, asked, n, settings)
    if out is not None:
        _write(table, Path(out))
    console().print(table.rich())
    return 0


def load(folder: str | Path, trust: Sequence[str] = ()) -> Run:
    """A run, with what is to be said about its weights on standard error."""
    from ..training import Run

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        run = Run.load(Path(folder).expanduser(), trust=trust)
    for warning in caught:
        console(stderr=True).print(f"note: {warning.message}", markup=False)
    return run


def _of_file(
    source: str,
    metrics: Sequence[str],
    asked: dict[str, Any],
    n: int,
    settings: dict[str, Any],
) -> Evaluation:
    from ..evaluation import evaluate
    from ..evaluation.read import read

    factors = (asked.get("factors") or "").split(",")
    for role in ("label", "batch"):
        name = settings[role]
        if name is not None and name.endswith(".npy"):  # a file of its own, beside a .npy of codes
            factors += [name] if name not in factors else []
            settings[role] = Path(name).stem
    try:
        codes = read(source, codes=asked.get("codes"), factors=factors)
    except (ValueError, OSError, ImportError) as error:
        raise UsageError(str(error)) from error
    return evaluate(codes, metrics=metrics or "default", points=n, **settings)


def _write(table: Evaluation, path: Path) -> None:
    from ..training.files import replace_file

    path = path.expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    text = table.to_frame().to_csv() if path.suffix == ".csv" else table.to_json() + "\n"
    replace_file(path, text.encode())


def _metrics_in_short() -> str:
    from ..metrics import GROUPS, METRICS
    from .listing import in_short

    rows = (
        (m.name, f"{', '.join(m.captures)} ({m.paper})")
        for m in map(METRICS.__getitem__, GROUPS["all"])
    )
    return in_short("metrics", rows)


def _parser() -> Parser:
    parser = Parser("measure", "RUN|FILE|module:function [options]", _DESCRIPTION)
    parser.option(
        "source", str, "a run's folder, a file, or module:function", nargs="?", metavar="SOURCE"
    )
    parser.option(
        "--metrics",
        str,
        "names, or default, all, classic, unsupervised [default: default]",
        nargs="+",
        metavar="NAME",
    )
    parser.option("--n", int, "points that each metric uses [default 10000]")
    parser.option("--confidence", float, "level of confidence intervals, such as 0.95")
    parser.option("--repeats", int, "half-samples behind each interval")
    parser.option("--seed", int, "of the points, and of metrics that draw any [default 0]")
    parser.option("--codes", str, "which array or columns of the file are codes")
    parser.option("--factors", str, "which array or columns of the file are factors")
    parser.option("--label", str, "the factor (or .npy) that clusters are compared with")
    parser.option("--batch", str, "the factor (or .npy) whose mixing is measured")
    parser.option("--trust", str, TRUST, metavar="PACKAGE")
    parser.option("--out", str, "where to write the scores, .json or .csv", metavar="FILE")
    parser.switch("--exact", "take the reference's slow predictors where a fast one is usual")
    parser.switch("--no-progress", "show no progress")
    return parser
