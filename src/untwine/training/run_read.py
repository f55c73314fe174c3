"""A run as it is read: its spec, method, data, log and scores."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..data.digests import relocated
from ..methods.method import Method
from ..methods.snapshot import tensors_digest
from ..reading import expanded, read_json
from .checkpoint import Checkpoint, Checkpoints
from .course import Course
from .final import final_digest, load_final
from .plan import CUSTOM, make_data, make_held_out, make_method, warn_of_changes
from .portable import read_travel
from .record import Row, read_record
from .spec_file import names_of, read_spec

if TYPE_CHECKING:
    import pandas

__all__ = ["RunRead"]


class RunRead:
    """What is in a run's folder; see `Run`."""

    def __init__(
        self,
        path: str | Path | None,
        *,
        method: Method | None = None,
        data: Any = None,
        spec: dict[str, Any] | None = None,
        rows: list[Row] | None = None,
        steps: int | None = None,
        stopped: str | None = None,
        trust: Sequence[str] = (),
    ) -> None:
        self.path = None if path is None else expanded(path)
        if self.path is None and (method is None or spec is None):
            raise ValueError("a run without a folder needs its method and its spec")
        self._method, self._data, self._rows, self._steps = method, data, rows, steps
        self._trust, self._stopped = trust, stopped
        self._log_read: tuple[tuple[int, int], list[Row]] | None = None
        self._spec = read_spec(self._folder) if spec is None else spec

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        method: Method | None = None,
        data: Any = None,
        trust: Sequence[str] = (),
    ) -> Self:
        """Reads a run back, with the weights of its end, or of its newest checkpoint.

        Weights and method need no data: where it is gone, the run is read without.

        Args:
            path: The folder.
            method: Takes the weights; needed if the run's method was made by hand.
            data: The data set, or where the file or folder of the run's data is; needed if it was
                made by hand, or is no more where it was.
            trust: Packages, modules or classes of your own that the spec may name, such as
                ``["mypackage"]``: their code is imported.

        Raises:
            FileNotFoundError: if there is no run.
            ValueError: if its spec names a class that is not trusted, or is damaged, or its weights
                are, or if something made by hand is needed and was not given.
            ImportError: if its spec names a class that there is not.

        Warns:
            UserWarning: if the data is gone, or has changed.
        """
        run = cls(path, trust=trust)
        if isinstance(data, str | Path):
            run._spec = {**run.spec, "data": relocated(run.spec["data"], str(data))}
        elif data is not None:
            run._data = data
        if run._data is None and run.spec["data"].get("parts") != CUSTOM:
            try:
                run._make_data()
            except OSError as error:
                if isinstance(data, str | Path) or not run._needs_no_data:
                    raise
                warnings.warn(f"{error} The run is read without its data.", stacklevel=2)
        if method is None:
            with names_of(run._folder):
                fitted = None if run._needs_no_data else run._data
                method = make_method(run.spec, fitted, trust, changed=True)
        load_final(run._folder, method)
        run._method = method.eval()
        return run

    @property
    def spec(self) -> dict[str, Any]:
        """How the run was made, as plain data."""
        return self._spec

    @property
    def method(self) -> Method:
        """The method with its trained weights."""
        if self._method is None:
            data = None if self._needs_no_data else self.data
            with names_of(self._folder):
                method = make_method(self.spec, data, self._trust, changed=True)
            load_final(self._folder, method)
            self._method = method.eval()
        return self._method

    @property
    def data(self) -> Any:
        """What the method was trained on."""
        if self._data is None:
            self._make_data()
        return self._data

    @property
    def rows(self) -> list[Row]:
        """The log, a dictionary per row."""
        if self._rows is not None:
            return self._rows
        log = self._folder / "log.jsonl"
        if not os.path.lexists(log):
            return []
        status = log.lstat()
        state = status.st_size, status.st_mtime_ns
        if self._log_read is None or self._log_read[0] != state:
            self._log_read = state, read_record(log)
        return self._log_read[1]

    @property
    def log(self) -> pandas.DataFrame:
        """The log as a table.

        Columns are ``step`` (moves of the stage), ``stage``, ``seconds``, ``images/s``, and by
        player ``player/term``, ``player/total`` and, of a weight that changes,
        ``player/term.weight``. Terms are averages over the batch of that step.
        """
        import pandas

        rows = self.rows
        return pandas.DataFrame(rows, columns=None if rows else ["step", "stage", "seconds"])

    @property
    def scores(self) -> dict[str, Any] | None:
        """What was measured and kept in ``scores.json``, if anything.

        Raises:
            ValueError: if the file is damaged.
        """
        file = None if self.path is None else self.path / "scores.json"
        if file is None or not file.exists():
            return None
        try:
            scores = read_json(file)
            if not isinstance(scores, dict):
                raise ValueError("it holds no scores")
        except (OSError, ValueError) as error:
            raise ValueError(f"{file} is damaged ({error}): measure again") from error
        return scores

    def weights_digest(self) -> str:
        """SHA-256 of the weights: the same for equal weights, in memory or in the folder.

        What is derived from a run, such as its scores, is of these weights and no others; file
        times do not tell.
        """
        if self._method is not None:
            return tensors_digest(self._method.state_dict())
        return final_digest(self._folder)

    @property
    def steps(self) -> int:
        """Moves made, of all stages."""
        if self._steps is None:
            newest = self._newest()
            self._steps = newest.position.done if newest else self._elsewhere.get("steps", 0)
        return self._steps

    @property
    def stopped(self) -> str | None:
        """Why training ended before its last step, if it did: patience, or a callback."""
        if self._stopped is None and self.path is not None:
            newest = self._newest()
            if newest is None:
                return self._elsewhere.get("stopped")
            return Course.read(newest.course).stopped
        return self._stopped

    @property
    def held_out(self) -> Any:
        """What ``validation`` kept from training, or ``None``."""
        return make_held_out(self.spec, self.data, self._trust)

    @property
    def command(self) -> str:
        """The command line that repeats the run; Python, if something was made by hand."""
        if self.path is not None and not any(
            isinstance(self.spec.get(key), dict)
            and any(word in self.spec[key] for word in ("parts", "made_by", "initial"))
            for key in ("method", "data", "sampler", "validation", "schedule")
        ):
            config = shlex.quote(str(self.path / "spec.yaml"))
            return f"untwine train --config {config} --out {shlex.quote(f'{self.path}-repeat')}"
        settings = {k: self.spec[k] for k in ("steps", "batch_size", "seed")}
        return f"untwine.fit(method, data, {', '.join(f'{k}={v!r}' for k, v in settings.items())})"

    def __repr__(self) -> str:
        name = self.spec["method"]["class_path"].rpartition(".")[2]
        return f"Run({str(self.path) if self.path else None!r}: {name}, {self.steps} steps)"

    @property
    def _needs_no_data(self) -> bool:
        """Whether the method can be made without its data."""
        return bool({"made_by", "built_for"} & {*self.spec["method"]})

    def _make_data(self) -> None:
        """Makes the data that the spec describes, and compares its files with their digests."""
        try:
            with names_of(self._folder):
                self._data = make_data(self.spec, self._trust)
        except OSError as error:
            raise type(error)(
                f"the data of {self._folder} cannot be read: {error}. If it is elsewhere, say "
                f"where: Run.load({str(self._folder)!r}, data=PATH), or "
                "untwine measure RUN --data PATH."
            ) from error
        warn_of_changes(self.spec, self._data)

    @property
    def _folder(self) -> Path:
        if self.path is None:
            raise ValueError("this run was not written to a folder: call fit with out=")
        return self.path

    @property
    def _elsewhere(self) -> dict[str, Any]:
        """How far it was trained, if it came from elsewhere."""
        return read_travel(self._folder)

    def _newest(self) -> Checkpoint | None:
        return Checkpoints(self._folder / "checkpoints").newest()
