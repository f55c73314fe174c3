"""`untwine study`: many runs from one file, their table, and their page."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Sequence
from typing import Any, Literal

from ..settings.classes import trusted
from ..settings.docstrings import Docstring
from ..settings.errors import UsageError, did_you_mean
from .line import call, entries
from .screen import console, print_table

__all__ = ["run", "study"]

_HELP = """\
usage: untwine study COMMAND [options]

Many runs from one file of settings, measured alike, in one table.

commands:
{commands}
untwine study COMMAND --help explains one.
"""


def run_study(
    study: str,
    *,
    out: str | None = None,
    scale: float | None = None,
    runner: Literal["auto", "sequential", "ray"] = "auto",
    workers: int | None = None,
    address: str | None = None,
    gpus: float | None = None,
    threads: int = 1,
    together: int = 1,
    time_limit: float | None = None,
    retry: bool = False,
    retries: int = 3,
    dry_run: bool = False,
    trust: str | None = None,
    no_figures: bool = False,
    no_progress: bool = False,
) -> int:
    """Makes the runs of a study that are not finished yet.

    The same line again goes on where it stopped. A run's name is a hash of its settings: points
    that are added cost their own runs and no others.

    Args:
        study: a file of YAML, a study's folder, or the name of a published study or an exercise
        out: The study's folder; studies/NAME by default.
        scale: Of a published study or an exercise: the share of its steps, seeds and images.
        runner: One run after the other, or several at a time on Ray.
        workers: Runs at a time; by default as many as there are processors for.
        address: Of a running cluster of Ray, auto for this machine's.
        gpus: Of each run, such as 0.25 where four share one.
        threads: Of each run.
        together: Runs that differ in their seed alone to train at once; small models gain.
        time_limit: Seconds that a run may train.
        retry: Try again what failed, whatever the reason.
        retries: How often a run is begun again whose worker dies.
        dry_run: Check everything and forecast the cost, and make nothing.
        trust: Packages of your own, with commas, whose code the study may name.
        no_figures: Draw no figures of each run.
        no_progress: Show no progress.
    """
    from dataclasses import replace

    from ..study import run

    chosen, folder = _study(study, trusted(trust), scale)
    if no_figures:
        chosen = replace(chosen, figures=False)
    summary = run(
        chosen,
        out or folder,
        runner=runner,
        workers=workers,
        address=address,
        gpus=gpus,
        threads=threads,
        together=together,
        time_limit=time_limit,
        retry=retry,
        retries=retries,
        only_forecast=dry_run,
        progress=not no_progress,
    )
    if dry_run:
        console().print(
            f"{summary.total:,} runs, {summary.finished:,} finished; "
            f"{summary.forecast.line()}, one after the other",
            markup=False,
        )
        return 0
    place = str(summary.folder)
    text = f"{summary.finished:,} of {summary.total:,} runs are finished, in {place}"
    for name, message in list(summary.failed.items())[:5]:
        text += f"\n  {name} failed: {message}"
    if len(summary.failed) > 5:
        text += f"\n  {len(summary.failed) - 5} more failed: untwine study status {place}"
    console().print(
        f"{text}\n\nNext:\n  untwine study table {place}\n  untwine study report {place}",
        markup=False,
        soft_wrap=True,
    )
    return 1 if summary.failed else 0


def table_study(
    folder: str,
    *,
    out: str | None = None,
    long: bool = False,
    all: bool = False,
    metrics: list[str] = [],  # noqa: B006
) -> int:
    """Shows a study's table, or writes it for pandas, polars and DuckDB.

    Args:
        folder: a study's folder
        out: Where to write it: .parquet, .csv or .jsonl.
        long: A row for each run and metric, with protocols.
        all: Also runs that failed or are not finished.
        metrics: Which scores to show; by default those of the study.
    """
    from ..study import metrics_of, scores, table
    from ..study.table import TERMS, write_table

    status: tuple[Any, ...] = ("finished", "failed", "started") if all else ("finished",)
    frame = scores(folder) if long else table(folder, status=status)
    if out is not None:
        console().print(
            f"{write_table(frame, out)}: {len(frame):,} rows, {len(frame.columns)} columns",
            markup=False,
            soft_wrap=True,
        )
        return 0
    if not len(frame):
        raise UsageError(f"{folder} has no finished runs: untwine study status {folder}")
    if long:
        shown = ["run", "metric", "value", "protocol"]
    else:
        varying = [c for c in frame.columns if "." not in c or c.startswith(("method.", "data."))]
        known = metrics_of(frame)
        varying = [c for c in varying if c not in known and frame[c].astype(str).nunique() > 1]
        varying = [c for c in varying if c not in ("run", "weights", "error", *TERMS)]
        for name in metrics:
            if name not in frame:
                raise UsageError(f"there is no score {name!r}{did_you_mean(name, known)}")
        shown = ["run", *varying, *(metrics or known)]
    rows = [[_cell(value) for value in row] for row in frame[shown].itertuples(index=False)]
    print_table(shown, rows[:200])
    if len(rows) > 200:
        console().print(f"{len(rows) - 200:,} more rows: --out table.parquet has all")
    return 0


def status_study(folder: str) -> int:
    """Says what is finished, what failed and why, and what is left.

    Args:
        folder: a study's folder
    """
    from collections import Counter

    from ..study import Folder
    from ..study.forecast import in_words

    place = Folder(folder)
    study = place.study()
    runs = study.runs()
    made = place.compare(runs)
    counts = Counter(one.status for one in made)
    others = len(place.made()) - sum(one.status != "planned" for one in made)
    seconds = [one.seconds for one in made if one.seconds]
    rows = [(status, f"{counts[status]:,}") for status in
            ("finished", "failed", "started", "planned")]  # fmt: skip
    rows = [(name, count) for name, count in rows if count != "0"]
    if others:
        rows.append(("of earlier versions", f"{others:,}"))
    print_table((study.name, f"{len(runs):,} runs"), rows)
    if seconds:
        left = len(runs) - counts["finished"]
        mean = sum(seconds) / len(seconds)
        text = f"{in_words(sum(seconds))} of work are done, {in_words(mean)} a run"
        text += f"; {in_words(left * mean)} are left" if left else ""
        console().print(text, markup=False)
    for one in [one for one in made if one.status == "failed"][:20]:
        console().print(
            f"{one.name} failed: {one.error.get('error')}: {one.error.get('message')}", markup=False
        )
    return 0


def report_study(folder: str, *, out: str | None = None, seed: int = 0, open: bool = False) -> int:
    """Writes what a study has found as one page of HTML that needs no network.

    It shows scores by method and strength, what seeds and strengths explain, whether scores agree,
    what choosing without labels gains, how settings carry over, and the table.

    Args:
        folder: a study's folder
        out: The page; report.html in the folder by default.
        seed: Of the intervals.
        open: Open the page in a browser.
    """
    from ..report import study_page

    page = study_page(folder, out, seed=seed)
    console().print(str(page), markup=False, soft_wrap=True)
    if open:
        webbrowser.open(page.resolve().as_uri())
    return 0


def audit_metrics(
    *,
    metrics: list[str] = [],  # noqa: B006
    points: list[int] = [1000, 10_000],  # noqa: B006
    reseeds: int = 20,
    ladder_points: int = 2000,
    ladder_reseeds: int = 3,
    seed: int = 0,
    workers: int = 1,
    keep: str | None = None,
    out: str | None = None,
    no_progress: bool = False,
) -> int:
    """Says which scores to trust: their spread over seeds, and codes whose truth is known.

    Perfect codes are rotated, duplicated, merged and made noisy step by step, and factors are
    correlated under a perfect code; a score that asks for what is lost ought to fall, others stay.

    Args:
        metrics: Names; by default all that ask for disentanglement, of codes and factors alone.
        points: Numbers of points for the spread over seeds.
        reseeds: Draws for the spread.
        ladder_points: Points on each step.
        ladder_reseeds: Draws on each step.
        seed: Of everything.
        workers: Processes.
        keep: A file for the scores of each draw, from which the same line goes on.
        out: Where to write the table: .parquet, .csv or .jsonl.
        no_progress: Show no progress.
    """
    from ..study import audit
    from ..study.table import write_table

    if not points or min(points) < 10:
        raise UsageError(f"--points is {points}: expected numbers from 10")
    screen = console(stderr=True)

    def say(text: str) -> None:
        if not no_progress and screen.is_terminal:
            screen.print(text, end="\r", markup=False)

    frame = audit(
        metrics or None,
        points=points,
        reseeds=reseeds,
        ladder_points=ladder_points,
        ladder_reseeds=ladder_reseeds,
        seed=seed,
        workers=workers,
        keep=keep,
        say=say,
    ).reset_index()
    if out is not None:
        write_table(frame, out)
    rows = [[_cell(round(v, 3) if isinstance(v, float) else v) for v in row]
            for row in frame.itertuples(index=False)]  # fmt: skip
    print_table(list(frame.columns), rows)
    return 0


def list_studies() -> int:
    """Lists the published studies and the classic exercises that are expressions here."""
    from ..study import NAMED

    rows = [(name, Docstring.of(make).summary) for name, make in NAMED.items()]
    print_table(("study", "what it is"), rows)
    console().print("untwine study run NAME --scale 0.01 --dry_run says what one would take.")
    return 0


def run(argv: Sequence[str]) -> int:
    """Reads the words after ``untwine study``."""
    commands = _commands()
    command, words = (list(argv) or ["--help"])[0], list(argv)[1:]
    if command in ("-h", "--help", "help"):
        rows = ((name, Docstring.of(function).summary) for name, function in commands.items())
        print(_HELP.format(commands=entries(rows)), end="")
        return 0
    if command not in commands:
        near = f"{did_you_mean(command, commands)} It has {', '.join(commands)}"
        raise UsageError(f"untwine study has no command {command!r}{near}")
    return call(f"study {command}", commands[command], words)


def study(*, command: str) -> int:
    """Makes many runs from one file, and shows them in one table and on one page.

    Args:
        command: What to do; untwine study --help lists what there is.
    """
    return run([command])


def _commands() -> dict[str, Callable[..., int]]:
    return {
        "run": run_study,
        "status": status_study,
        "table": table_study,
        "report": report_study,
        "audit": audit_metrics,
        "list": list_studies,
    }


def _study(name: str, trust: Sequence[str], scale: float | None) -> tuple[Any, str]:
    """A study, and the folder that it goes to unless another one is named."""
    from dataclasses import replace

    from ..reading import expanded
    from ..study import NAMED, Folder, Study, published

    path = expanded(name)
    if scale is not None and (path.exists() or path.suffix):
        raise UsageError("--scale is of published studies; in a file, write smaller numbers")
    if path.is_dir():
        study = Folder(path).study()
        return Study.from_plain(study.plain(), str(path / "study.yaml"), trust), name
    if name in NAMED:
        return replace(published(name, scale), trust=trust), f"studies/{name}"
    if not path.suffix and not path.exists():
        near = f"{did_you_mean(name, NAMED)} There are {', '.join(NAMED)}"
        raise UsageError(f"there is no file and no published study {name!r}{near}")
    study = Study.read(path, trust)
    return study, f"studies/{path.stem}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)
