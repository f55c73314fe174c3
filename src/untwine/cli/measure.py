"""`untwine measure`: scores a run, or codes and factors from anywhere."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .console import console
from .errors import UsageError
from .parser import TRUST, Parser

if TYPE_CHECKING:
    from ..evaluation import Evaluation
    from ..training import Run

__all__ = ["measure", "run"]

_DESCRIPTION = """\
Scores the codes of a run, and keeps the scores in it; or the codes and factors of a file (.npz,
.csv, .tsv, .parquet, .h5ad), or those that a function of yours returns (module:function)."""


def run(argv: Sequence[str]) -> int:
    """Measures as the command line says."""
    parser = _parser()
    if "-h" in argv or "--help" in argv:
        print(f"{parser.format_help()}\n{_metrics_in_short()}")
        return 0
    read = parser.read(argv)
    if not read.get("source"):
        raise UsageError("untwine measure needs a run, a file, or module:function")
    source, out = read["source"], read.get("out")
    settings = {
        "points": read.get("n", 10_000),
        "confidence": read.get("confidence"),
        "repeats": read.get("repeats"),
        "seed": read.get("seed", 0),
        "exact": read.get("exact", False),
        "progress": False if read.get("no_progress") else None,
    }
    if settings["repeats"] is not None and settings["confidence"] is None:
        settings["confidence"] = 0.95
    metrics = [n for word in read.get("metrics") or () for n in word.split(",") if n]
    if Path(source).expanduser().is_dir():
        if read.get("codes") or read.get("factors"):
            raise UsageError(f"{source} is a run: --codes and --factors name parts of a file")
        from .trust import words

        trust = words(read.get("trust"))
        table = measure(Path(source).expanduser(), metrics, out, trust=trust, **settings)
    else:
        table = _of_file(source, metrics, read, settings)
        if out is not None:
            _write(table, Path(out))
    console().print(table.rich())
    return 0


def measure(
    folder: Path,
    metrics: Sequence[str],
    out: str | None = None,
    *,
    trust: Sequence[str] = (),
    **settings: Any,
) -> Any:
    """Scores a run and writes the scores, beside those that it has, into its folder.

    Args:
        folder: The run's.
        metrics: Names of metrics or groups of them; none for the usual ones.
        out: Another place for the scores.
        trust: Packages of which the run's spec may name classes.
        **settings: Of `untwine.evaluate`.
    """
    from ..evaluation import evaluate
    from ..metrics import encode
    from ..training import Run

    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", UserWarning)
        made = Run.load(folder, trust=trust)
    for note in noted:
        console(stderr=True).print(f"note: {note.message}", markup=False)
    points, seed = settings["points"], settings["seed"]
    if points < 2:
        raise UsageError(f"--n is {points}: expected at least 2")
    codes = encode(made.method, made.data, points + points // 2, seed)
    columns = enumerate(codes.factors.T)
    known = [k for k, values in columns if len(np.unique(values[values >= 0])) > 1]
    table = evaluate(
        codes.mean,
        codes.factors[:, known] if known else None,
        _chosen(metrics, codes.stddev is not None),
        names=[codes.space.names[k] for k in known] or None,
        stddev=codes.stddev,
        **settings,
    )
    _write(table if out is not None else _with_earlier(table, made), _place(made, out))
    return table


def _of_file(
    source: str, metrics: Sequence[str], read: dict[str, Any], settings: dict[str, Any]
) -> Evaluation:
    from ..evaluation import evaluate
    from ..evaluation.read import read as read_table

    try:
        codes = read_table(source, codes=read.get("codes"), factors=read.get("factors"))
    except (ValueError, OSError, ImportError) as error:
        raise UsageError(str(error)) from error
    return evaluate(codes, metrics=_chosen(metrics, codes.stddev is not None), **settings)


def _chosen(metrics: Sequence[str], stddev: bool) -> Any:
    """The names of the metrics, of which some stand for several."""
    from ..metrics.registry import GROUPS

    if not metrics:
        return [*GROUPS["classic"], "active_units", *(["dimension_kl"] if stddev else [])]
    return list(dict.fromkeys(one for name in metrics for one in GROUPS.get(name, (name,))))


def _place(made: Run, out: str | None) -> Path:
    assert made.path is not None
    return made.path / "scores.json" if out is None else Path(out).expanduser()


def _with_earlier(table: Evaluation, made: Run) -> Evaluation:
    """The new scores, and those that were measured earlier on the same weights."""
    from dataclasses import replace

    from ..evaluation import Evaluation

    assert made.path is not None
    file, weights = made.path / "scores.json", made.path / "model.safetensors"
    if not (file.exists() and weights.exists() and _age(file) >= _age(weights)):
        return table
    try:
        earlier = Evaluation.from_json(file)
    except ValueError:  # damaged, or of another version: measured again in any case
        return table
    kept = {name: score for name, score in earlier.scores.items() if name not in table.skipped}
    return replace(
        table,
        scores={**kept, **table.scores},
        intervals={**earlier.intervals, **table.intervals},
        stated={**earlier.stated, **table.stated},
        confidence=table.confidence or earlier.confidence,
    )


def _age(file: Path) -> float:
    return file.stat().st_mtime


def _write(table: Evaluation, path: Path) -> None:
    from ..training.files import replace_file

    path.parent.mkdir(parents=True, exist_ok=True)
    text = table.to_frame().to_csv() if path.suffix == ".csv" else table.to_json() + "\n"
    replace_file(path, text.encode())


def _metrics_in_short() -> str:
    from ..metrics.registry import METRICS
    from .listing import in_short

    rows = ((m.name, f"{', '.join(m.captures)} ({m.paper})") for m in METRICS.values())
    return in_short("metrics", rows)


def _parser() -> Parser:
    parser = Parser("measure", "RUN|FILE|module:function [options]", _DESCRIPTION)
    parser.option(
        "source", str, "a run's folder, a file, or module:function", nargs="?", metavar="SOURCE"
    )
    parser.option(
        "--metrics",
        str,
        "names, or all, classic, unsupervised [default classic, active_units, dimension_kl]",
        nargs="+",
        metavar="NAME",
    )
    parser.option("--n", int, "points that each metric uses [default 10000]")
    parser.option("--confidence", float, "level of confidence intervals, such as 0.95")
    parser.option("--repeats", int, "half-samples behind each interval")
    parser.option("--seed", int, "of the points, and of metrics that draw any [default 0]")
    parser.option("--codes", str, "which array or columns of the file are codes")
    parser.option("--factors", str, "which array or columns of the file are factors")
    parser.option("--trust", str, TRUST, metavar="PACKAGE")
    parser.option("--out", str, "where to write the scores, .json or .csv", metavar="FILE")
    parser.switch("--exact", "take the reference's slow predictors where a fast one is usual")
    parser.switch("--no-progress", "show no progress")
    return parser
