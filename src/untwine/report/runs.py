"""Several runs in one table: what differs between them, means and spreads over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student

from ..evaluation.render import TextTable
from ..evaluation.write import write_table
from ..plots.comparison import trade_off
from ..study.table import settings_of
from ..training import Run
from ..training.scores import kept

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure
    from rich.console import RenderableType

__all__ = ["RunComparison", "beside", "compare_runs"]

_SEEDS = ("seed", "method.seed")
_BESIDE = ("untwine", "log_every", "checkpoint_every", "keep", "devices")
_NOTED = (".built_for", ".files", ".places", ".weights", ".content", ".sha256", ".made_by")
_ERROR = "loss"


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side.

    Attributes:
        frame: A row per run: ``run``, the settings that differ, ``seed``, ``loss`` (the last
            held-out or training value of the reconstruction's term), then a column per metric.
        settings: Those columns that are settings.
        metrics: Those columns that are metrics.
        runs: The runs.
    """

    frame: pandas.DataFrame
    settings: tuple[str, ...]
    metrics: tuple[str, ...]
    runs: tuple[Run, ...]

    @property
    def groups(self) -> list[str]:
        """What each run is called without its seed: the settings that differ, or its method."""
        names = []
        for _, row in self.frame.iterrows():
            words = [f"{name}={_text(row[name])}" for name in self.settings]
            names.append(", ".join(words) or str(row["method"]))
        return names

    def summary(self, level: float = 0.95) -> pandas.DataFrame:
        """A row per group and metric: mean, standard deviation, interval, number of seeds.

        The interval is Student's, of the mean over seeds; nan for a single one.

        Args:
            level: Of the intervals.
        """
        import pandas

        rows = []
        groups = self.groups
        for group in dict.fromkeys(groups):
            own = self.frame[[name == group for name in groups]]
            for metric in (*self.metrics, _ERROR):
                values = own[metric].dropna().to_numpy(np.float64)
                if not len(values):
                    continue
                spread = reach = math.nan
                if len(values) > 1:
                    spread = float(values.std(ddof=1))
                    quantile = student.ppf(0.5 + level / 2, len(values) - 1)
                    reach = float(quantile * spread / math.sqrt(len(values)))
                mean = float(values.mean())
                low, high = mean - reach, mean + reach
                rows.append((group, metric, mean, spread, low, high, len(values)))
        columns = ["group", "metric", "mean", "deviation", "low", "high", "runs"]
        return pandas.DataFrame(rows, columns=columns)

    def table(self) -> pandas.DataFrame:
        """A row per group, a column per metric: mean ± standard deviation over seeds, as text."""
        import pandas

        cells: dict[str, dict[str, str]] = {}
        for row in self.summary().to_dict("records"):
            spread = "" if math.isnan(row["deviation"]) else f" ± {row['deviation']:.3f}"
            of_group = cells.setdefault(row["group"], {"runs": str(row["runs"])})
            of_group[row["metric"]] = f"{row['mean']:.3f}{spread}"
        rows = [{"group": group, **texts} for group, texts in cells.items()]
        return pandas.DataFrame(rows).fillna("")

    def trade_off(self, metric: str | None = None) -> Figure:
        """A metric against the loss, a point per run.

        Args:
            metric: By default the first.

        Raises:
            ValueError: for a metric that was not measured, or if no run has both.
        """
        metric = self.metrics[0] if metric is None and self.metrics else metric
        if metric not in self.metrics:
            raise ValueError(f"metric is {metric!r}; there are {', '.join(self.metrics) or 'none'}")
        x, y = self.frame[_ERROR].tolist(), self.frame[metric].tolist()
        return trade_off(x, y, self.groups, labels=("reconstruction, last loss", metric))

    def write(self, path: str | Path) -> Path:
        """Writes the table, see `evaluation.write.write_table`; ``.csv`` and the like hold a row
        per run, ``.tex`` and ``.md`` a row per group.
        """
        papers = Path(path).suffix in (".tex", ".md")
        return write_table(self.table() if papers else self.frame, path)

    def __str__(self) -> str:
        return self._text_table().text()

    def _repr_html_(self) -> str:
        return self._text_table().html()

    def rich(self) -> RenderableType:
        """The table for a terminal, by rich."""
        return self._text_table().rich()

    def _text_table(self) -> TextTable:
        """A metric to a row and a group to a column, since there are more of those."""
        frame = self.table().set_index("group").T
        rows = [[str(name), *map(str, cells)] for name, *cells in frame.itertuples()]
        several = any(count != "1" for count in frame.loc["runs"])
        notes = ("mean ± standard deviation over seeds",) if several else ()
        return TextTable(f"{len(self.frame)} runs", ["", *frame.columns], rows, notes)


def compare_runs(
    runs: Sequence[Run | str | Path],
    *,
    metrics: str | Sequence[str] | None = None,
    n: int = 10_000,
    seed: int = 0,
    trust: Sequence[str] = (),
    progress: bool | None = None,
) -> RunComparison:
    """The scores of several runs, with what differs between them.

    Scores are read from each run's ``scores.json`` if they are of its weights, and otherwise
    measured and kept there. Runs that differ by their seeds alone are one group.

    Args:
        runs: Two or more of class `Run`, or their folders.
        metrics: As in `Run.measure`.
        n: Points that each metric uses, where scores are measured.
        seed: Of what is measured.
        trust: Packages of your own that specs may name.
        progress: Whether to show progress.

    Raises:
        ValueError: for fewer than two runs, and for one that was not written to a folder.
        FileNotFoundError: if there is no run in a folder.

    Example:
        >>> import tempfile, torch
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VAE
        >>> from untwine.training import fit
        >>> data = FactorDataset.from_arrays(torch.rand(200, 7), [[0], [1]] * 100)
        >>> def trained(seed, folder):
        ...     method = VAE.build(data, latent_dim=2, seed=seed)
        ...     return fit(method, data, steps=3, out=f"{folder}/{seed}", progress=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     made = [trained(seed, folder) for seed in (0, 1)]
        ...     both = compare_runs(made, metrics=["mig"], n=100, progress=False)
        >>> both.settings, both.summary().query("metric == 'mig'")["runs"].item()
        ((), 2)
    """
    if len(runs) < 2:
        raise ValueError(f"{len(runs)} runs to compare; expected two or more")
    opened = [run if isinstance(run, Run) else Run.load(run, trust=trust) for run in runs]
    if any(run.path is None for run in opened):
        raise ValueError("a run was not written to a folder: call fit with out=")
    return beside(opened, [_scores(run, metrics, n, seed, progress) for run in opened])


def beside(runs: Sequence[Run], scores_of_runs: Sequence[Mapping[str, float]]) -> RunComparison:
    """Runs and their scores as one table.

    Args:
        runs: Two or more.
        scores_of_runs: Of each run, by metric.
    """
    import pandas

    rows: list[dict[str, Any]] = []
    specs = []
    for run, name, scores in zip(runs, _names(runs), scores_of_runs, strict=True):
        settings = _settings(run.spec)
        specs.append(settings)
        rows.append({"run": name, **settings, _ERROR: _loss(run.rows), **scores})
    keys = list(dict.fromkeys(key for settings in specs for key in settings))
    differing = [
        key
        for key in keys
        if key not in _SEEDS and len({_text(settings.get(key)) for settings in specs}) > 1
    ]
    measured = list(dict.fromkeys(k for row, s in zip(rows, specs, strict=True) for k in row
                                  if k not in s and k not in ("run", _ERROR)))  # fmt: skip
    shown = ["run", *dict.fromkeys(["method", *differing]), "seed", _ERROR, *measured]
    frame = pandas.DataFrame([{k: row.get(k) for k in shown} for row in rows], columns=shown)
    return RunComparison(frame, tuple(differing), tuple(measured), tuple(runs))


def _scores(
    run: Run, metrics: str | Sequence[str] | None, n: int, seed: int, progress: bool | None
) -> dict[str, float]:
    """Those that are wanted, from the run's folder where it has them."""
    assert run.path is not None
    evaluation = kept(run.path)
    wanted = None if metrics is None or isinstance(metrics, str) else list(metrics)
    if evaluation is None or (wanted is not None and not {*wanted} <= {*evaluation.scores}):
        evaluation = run.measure(metrics, n=n, seed=seed, progress=progress)
    return {k: s.value for k, s in evaluation.scores.items() if wanted is None or k in wanted}


def _settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a spec says of the training, by name, without what was noted beside it."""
    columns = settings_of({"spec": spec})
    return {
        name: value
        for name, value in columns.items()
        if name not in _BESIDE and not any(part in f".{name}" for part in _NOTED)
    }


def _loss(rows: Sequence[Mapping[str, Any]]) -> float:
    """The last value of the reconstruction's term, held out where there is one."""
    last = rows[-1] if rows else {}
    for prefix in ("validation/", ""):
        for term in ("nll", "error", "total"):
            for name, value in last.items():
                held_out = name.startswith("validation/")
                if name.endswith(f"/{term}") and held_out == bool(prefix) and value is not None:
                    return float(value)
    return math.nan


def _names(runs: Sequence[Run]) -> list[str]:
    """Of the folders; with those above them where names are the same."""
    paths = [Path("run") if run.path is None else run.path.resolve() for run in runs]
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len({*names}) == len(names):
            return names
    return [f"{path.name}-{k}" for k, path in enumerate(paths)]


def _text(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "default" if missing else f"{value:g}" if isinstance(value, float) else str(value)
