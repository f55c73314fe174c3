"""Progress bar of an evaluation, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(total: int, progress: bool | None) -> Iterator[Callable[[str, int], None]]:
    """Yields ``advance(label, units)``, which moves a bar where one is wanted."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda label, units: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("metrics", total=total)

        def advance(label: str, units: int) -> None:
            bar.update(task, advance=units, description=label)

        yield advance
