"""One table of a study: a row for each run, or one for each run and metric."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..reading import expanded, read_json
from ..settings.errors import UsageError
from .folder import POINT, Folder, Made, Status

if TYPE_CHECKING:
    import pandas

__all__ = ["TERMS", "metrics_of", "read_table", "scores", "settings_of", "table", "write_table"]

TERMS = ("nll", "kl", "elbo", "seam_gap")
"""Columns in nats that need no labels: terms of the bound, and what diagonal posteriors cost."""

_SCORES = "scores.json"
_LARGE = 1 << 26  # bytes of a file of scores
_BEFORE = "metrics"  # where a table notes its metrics


def table(
    path: str | Path, *, status: Iterable[Status] = ("finished",), only: Iterable[str] | None = None
) -> pandas.DataFrame:
    """A row for each run of a study's folder.

    Columns are ``run`` (its name), ``status``, every setting (``method``, ``method.beta``,
    ``data``, ``steps``, ``seed``, ...; short names of classes), ``tags.NAME``, every score by the
    metric's name and its parts that are single numbers as ``metric.part``; ``nll``, ``kl`` and
    ``elbo`` in nats per observation, of a thousand observations; ``seam_gap`` in nats, of a
    hundred, where two dimensions or more are in use (`diagnostics.orthogonality`);
    ``seconds.train``, ``seconds.measure``, ...; ``version.NAME``, ``machine.NAME``, ``weights``
    (their digest) and ``error``. Protocols of scores are in `scores`. ``frame.attrs["metrics"]``
    names the metrics.

    Args:
        path: The study's folder.
        status: Which runs.
        only: Names of runs; all that lie there without it.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    import pandas

    wanted, names = set(status), None if only is None else set(only)
    rows: list[dict[str, Any]] = []
    metrics: dict[str, None] = {}
    for made in _made(path):
        if made.status in wanted and (names is None or made.name in names):
            row, measured = _row(made)
            rows.append(row)
            metrics |= dict.fromkeys(measured)
    frame = pandas.DataFrame(rows)
    if not rows:
        frame = pandas.DataFrame({"run": [], "status": []})
    frame = frame[sorted(frame.columns, key=lambda c: _place(str(c), metrics))]
    frame.attrs[_BEFORE] = list(metrics)
    return frame


def scores(path: str | Path) -> pandas.DataFrame:
    """A row for each finished run and metric: value, protocol and seconds beside the settings.

    Args:
        path: The study's folder.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    import pandas

    rows = []
    for made in _made(path):
        if made.status != "finished":
            continue
        settings = settings_of(_json(made.path / POINT))
        for metric, score in _scores(made).items():
            rows.append(
                {
                    "run": made.name,
                    "metric": metric,
                    "value": _number(score.get("value")),
                    "protocol": json.dumps(score.get("protocol"), sort_keys=True),
                    "seconds": _number(score.get("seconds")),
                    **settings,
                }
            )
    return pandas.DataFrame(rows)


def metrics_of(frame: pandas.DataFrame) -> list[str]:
    """The columns of a table that are values of metrics, parts left out.

    Also of a table that was read from a file, where only the names tell.
    """
    noted = frame.attrs.get(_BEFORE)
    if noted is not None:
        return [name for name in noted if name in frame]
    from ..metrics import METRICS

    return [str(name) for name in frame.columns if name in METRICS]


def settings_of(point: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run as columns, from what ``point.json`` says.

    Example:
        >>> method = {"class_path": "untwine.methods.BetaVAE", "init_args": {"beta": 4.0}}
        >>> settings_of({"spec": {"method": method, "steps": 10}})
        {'method': 'BetaVAE', 'method.beta': 4.0, 'steps': 10}
    """
    spec, tags = (
        inside if isinstance(inside := point.get(key), Mapping) else {} for key in ("spec", "tags")
    )
    columns = _columns("", spec)
    if columns.get("method.seed") == columns.get("seed"):
        columns.pop("method.seed", None)
    return columns | {f"tags.{k}": _cell(v) for k, v in tags.items()}


def write_table(frame: pandas.DataFrame, path: str | Path) -> Path:
    """Writes a table: Parquet, CSV or JSON lines, by the name's end.

    Raises:
        UsageError: for another end, and for Parquet without pyarrow.
    """
    file = expanded(path)
    if file.suffix not in (".parquet", ".csv", ".jsonl"):
        raise UsageError(f"{file} is no table: expected a name ending in .parquet, .csv or .jsonl")
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".csv":
        frame.to_csv(file, index=False)
    elif file.suffix == ".jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        try:
            frame.to_parquet(file, index=False)
        except ImportError as error:
            raise UsageError(
                "Parquet needs pyarrow: pip install 'untwine[files]', or write .csv"
            ) from error
    return file


def read_table(path: str | Path) -> pandas.DataFrame:
    """Reads what `write_table` wrote, or makes the table of a study's folder.

    Raises:
        UsageError: for a file that is no table.
        FileNotFoundError: if there is nothing.
    """
    import pandas

    file = expanded(path)
    if file.is_dir():
        return table(file)
    if file.suffix == ".csv":
        return pandas.read_csv(file)
    if file.suffix == ".jsonl":
        return pandas.read_json(file, orient="records", lines=True)
    if file.suffix == ".parquet":
        return pandas.read_parquet(file)
    raise UsageError(f"{file} is no study and no table: expected a folder, .parquet, .csv, .jsonl")


def _made(path: str | Path) -> list[Made]:
    folder = Folder(path)
    if not folder.path.is_dir():
        raise FileNotFoundError(f"there is no folder {folder.path}")
    return folder.made()


def _row(made: Made) -> tuple[dict[str, Any], list[str]]:
    """What a run's folder says, as cells; and which of them are values of metrics."""
    row: dict[str, Any] = {"run": made.name, "status": made.status}
    row |= settings_of(_json(made.path / POINT))
    measured = []
    if made.status == "finished":
        for metric, score in _scores(made).items():
            value = _number(score.get("value"))
            row[metric] = value
            measured.append(metric)
            parts = score.get("parts")
            for part, number in parts.items() if isinstance(parts, dict) else ():
                if type(number) in (int, float) and not math.isclose(_number(number), value):
                    row[f"{metric}.{part}"] = _number(number)
    for key, column in (("bound", ""), ("seconds", "seconds."), ("versions", "version."),
                        ("machine", "machine.")):  # fmt: skip
        inside = made.done.get(key)
        for name, value in (inside if isinstance(inside, dict) else {}).items():
            row[f"{column}{name}"] = _cell(value)
    if "weights" in made.done:
        row["weights"] = _cell(made.done["weights"])
    if made.error:
        row["error"] = f"{made.error.get('error')}: {made.error.get('message')}"
    return row, measured


def _scores(made: Made) -> dict[str, dict[str, Any]]:
    """The scores of a run, if they are of the weights that it finished with."""
    content = _json(made.path / _SCORES)
    if content.get("weights") != made.done.get("weights"):
        return {}
    inside = content.get("scores")
    items = inside.items() if isinstance(inside, dict) else ()
    return {metric: score for metric, score in items if isinstance(score, dict)}


def _columns(name: str, value: Any) -> dict[str, Any]:
    """Plain data as columns with dots; objects by the short names of their classes."""
    if isinstance(value, Mapping) and "class_path" in value:
        columns = {name: str(value["class_path"]).rpartition(".")[2]}
        arguments = value.get("init_args")
        for key, inside in arguments.items() if isinstance(arguments, Mapping) else ():
            columns |= _columns(f"{name}.{key}", inside)
        return columns
    if isinstance(value, Mapping) and (
        not name or any(isinstance(v, Mapping) for v in value.values())
    ):
        columns = {}
        for key, inside in value.items():
            columns |= _columns(f"{name}.{key}" if name else key, inside)
        return columns
    return {} if value is None else {name: _cell(value)}


def _cell(value: Any) -> Any:
    if isinstance(value, int) and abs(value) >= 1 << 63:  # no column holds it as a number
        return str(value)
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:  # of hundreds of digits
        return math.nan


def _json(path: Path) -> dict[str, Any]:
    """A file's object; empty if it is not there or damaged."""
    try:
        content = read_json(path, _LARGE)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _place(column: str, metrics: Mapping[str, None]) -> tuple[int, str]:
    """Where a column stands: what the run is, scores, then how it was made."""
    root = column.partition(".")[0]
    order = ("run", "status", "method", "data", "sampler", "steps", "batch_size", "seed",
             "precision", "tags")  # fmt: skip
    if root in order:
        return order.index(root), column
    if column in TERMS:
        return len(order) + 1, column
    if root in ("seconds", "version", "machine", "weights", "error"):
        return len(order) + 2, column
    names = list(metrics)
    return len(order), f"{names.index(root) if root in metrics else len(names):04d}{column}"
