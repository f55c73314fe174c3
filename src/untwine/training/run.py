"""A training run: a folder, and what is in it."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from ..data.batches import Batch, Images
from ..data.digests import relocated
from ..data.outline import Outline, of_outline
from ..data.space import Kinds
from ..encoding import Codes, encode
from ..evaluation import Evaluation, Which, evaluate, which
from ..methods.method import Method
from ..methods.snapshot import tensors_digest
from ..reading import expanded, read_json
from .bundle import read_bundle, write_bundle
from .card import card
from .checkpoint import Checkpoint, Checkpoints
from .course import Course
from .export import Exported, Format, export_method
from .final import final_digest, load_final
from .hub import publish, receive
from .plan import CUSTOM, make_data, make_held_out, make_method, warn_of_changes
from .portable import portable_files, read_travel
from .record import Row, read_record
from .scores import keep, kept
from .spec_file import names_of, read_spec

if TYPE_CHECKING:
    import pandas

__all__ = ["Run"]


class Run:
    """What `fit` made: a method and its data, and the folder with everything about its training.

    The method and the data are made from the spec, and the weights are read, when they are first
    asked for. Nothing that is read executes code: weights are safetensors, and a spec can name only
    classes of untwine and torch.optim, and of packages that are trusted by name.

    Args:
        path: The folder, or ``None`` for a run that was not written.
        method: The trained method, if it is at hand; for `load`, one to put the weights into.
        data: What it was trained on, if it is at hand.
        spec: If it is at hand.
        rows: Of the log, if they are at hand.
        steps: Moves made, if that is known.
        stopped: Why it ended before its last step, if it did and that is at hand.
        trust: Packages, modules or classes of your own that the spec may name, such as
            ``["mypackage"]``.

    Attributes:
        path: The folder, or ``None``.
    """

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

    @classmethod
    def from_bundle(cls, path: str | Path, out: str | Path, **how: Any) -> Self:
        """Unpacks a bundle into a new folder and loads the run from there; see `bundle`.

        Args:
            path: The .zip.
            out: The folder.
            **how: As `load` takes it.

        Raises:
            FileExistsError: if the folder holds something already.
            ValueError: for what is no bundle, and for what `load` refuses.
        """
        read_bundle(expanded(path), expanded(out))
        return cls.load(out, **how)

    @classmethod
    def from_hub(
        cls,
        repository: str,
        out: str | Path | None = None,
        *,
        revision: str | None = None,
        token: str | None = None,
        **how: Any,
    ) -> Self:
        """Puts a run that was published into a new folder and loads it; see `push_to_hub`.

        Args:
            repository: ``owner/name`` on a hub (that of the environment's ``HF_ENDPOINT``), or the
                folder of a clone.
            out: The folder; by default ``runs/name``.
            revision: A branch, a tag or a commit.
            token: As huggingface_hub takes it.
            **how: As `load` takes it; ``trust`` names packages whose code the spec may name, which
                otherwise names classes of untwine alone.

        Raises:
            ImportError: without huggingface_hub.
            FileExistsError: if the folder holds something already.
            ValueError: for a repository without a run, and for what `load` refuses.
        """
        name = Path(repository.rstrip("/")).name
        folder = Path("runs") / name if out is None else expanded(out)
        receive(repository, folder, revision=revision, token=token)
        return cls.load(folder, **how)

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

    def measure(
        self,
        metrics: str | Sequence[str] | Mapping[str, Mapping[str, Any]] | None = None,
        *,
        n: int = 10_000,
        seed: int = 0,
        confidence: float | None = None,
        repeats: int | None = None,
        exact: bool = False,
        label: str | int | None = None,
        batch: str | int | None = None,
        chance: int | None = None,
        sampled: bool = False,
        kinds: Kinds = None,
        progress: bool | None = None,
        save: bool = True,
        codes: Codes | None = None,
    ) -> Evaluation:
        """Encodes the data, evaluates the codes, and keeps the scores in the run's folder.

        This is what ``untwine measure``, the report and the demo show. Scores of other metrics that
        were measured earlier on the same weights stay in ``scores.json``.

        Args:
            metrics: As in `untwine.evaluate`; by default the group ``"default"``: the seven classic
                metrics, active units, the rate of each dimension, and what can be read off named
                parts, where the code has some.
            n: Points that each metric uses; half as many again are encoded for metrics that learn
                from some and are judged on others.
            seed: Of the choice of points, and of metrics that draw any.
            confidence: Level of the intervals; none if ``None``.
            repeats: Half-samples per metric.
            exact: Use the reference's slow predictors.
            label: The factor that metrics of clusters are about; see `untwine.evaluate`.
            batch: The factor that metrics of mixing are about.
            chance: Permutations of the factors behind each metric's value by chance.
            sampled: Whether to measure samples of the posteriors, too.
            kinds: What factors are, where it is something else than the data says; see
                `untwine.evaluate`.
            progress: Whether to show a progress bar.
            save: Whether to write ``scores.json``, if the run has a folder.
            codes: Of the run's data, where they are at hand.

        Raises:
            ValueError: for what `untwine.evaluate` refuses, and for ``n`` below 2.
        """
        if n < 2:
            raise ValueError(f"n is {n}; expected at least 2 points")
        if codes is None:
            codes = encode(self.method, self.data, n + n // 2, seed)
        scores = evaluate(
            codes,
            metrics="default" if metrics is None else metrics,
            points=n,
            seed=seed,
            confidence=confidence,
            repeats=repeats,
            exact=exact,
            label=label,
            batch=batch,
            chance=chance,
            sampled=sampled,
            kinds=kinds,
            progress=progress,
        )
        if save and self.path is not None:
            keep(scores, self.path, self.weights_digest())
        return scores

    def which(self, n: int = 10_000, seed: int = 0) -> Which:
        """Which dimension follows which factor; ``print`` says it in sentences.

        Args:
            n: Observations to encode.
            seed: Of their choice.

        Raises:
            ValueError: for ``n`` below 1.
        """
        return which(encode(self.method, self.data, n, seed))

    def export(self, to: Format, out: str | Path) -> Exported:
        """Writes encoder and decoder as ONNX, or as programs of torch.export, for any batch size.

        The encoder takes ``x`` (of several modalities, each by its name, with masks
        ``name_present``) and, where the data has covariates, ``c``; it gives codes ``z`` as
        `represent` does. The decoder takes ``z``, ``c`` and, where the code does not hold them,
        classes ``y``; it gives means. Both are compared with torch before they are written;
        ``description.json`` has shapes and types.

        Args:
            to: ``"onnx"`` or ``"torch"``.
            out: The folder.

        Raises:
            ValueError: for another format, and for a part that cannot be exported or that deviates
                by more than 1e-4.
            ImportError: without onnx, onnxscript and onnxruntime.
        """
        return export_method(self.method, self._example(), to, expanded(out))

    def bundle(self, path: str | Path) -> Path:
        """Writes the run into one .zip, which opens elsewhere without its data.

        It holds spec, weights, log, scores and report, no checkpoints and no data. A method that
        was made by hand is needed again to open it.

        Args:
            path: The .zip.

        Returns:
            Its path.
        """
        write_bundle(self._portable(), expanded(path))
        return expanded(path)

    def push_to_hub(
        self,
        repository: str,
        *,
        license: str | None = None,
        tags: Sequence[str] = (),
        private: bool = False,
        token: str | None = None,
    ) -> str:
        """Publishes the run, with a model card made from it; `from_hub` loads it.

        Args:
            repository: ``owner/name``, which is made if there is none.
            license: As the hub names it, such as ``"mit"``; none is stated otherwise.
            tags: Beside those that every card has.
            private: Of a repository that is made.
            token: As huggingface_hub takes it.

        Returns:
            The address of the repository.

        Raises:
            ImportError: without huggingface_hub.
        """
        text = self.card(repository, license=license, tags=tags)
        files = {"README.md": text.encode(), **self._portable()}
        return publish(files, repository, private=private, token=token)

    def card(
        self, name: str = "OWNER/NAME", *, license: str | None = None, tags: Sequence[str] = ()
    ) -> str:
        """The run's model card in Markdown; see `push_to_hub`."""
        scores = None if self.path is None else kept(self.path, self.weights_digest())
        return card(
            self.spec, self.method, self.steps, scores, name=name, license=license, tags=tags
        )

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

    def _portable(self) -> dict[str, bytes]:
        return portable_files(self._folder, self.spec, self.method, self.steps, self.stopped)

    def _example(self, count: int = 8) -> Batch:
        """Some observations; numbers at random where the data is gone."""
        try:
            data = self.data
        except (OSError, ValueError):
            about = self.spec["method"].get("built_for")
            if about is None:
                raise
            data = of_outline(about)
        batch = data.batch(range(min(count, len(data))))
        if isinstance(data, Outline):
            uniform = torch.rand(batch.x.shape, generator=torch.Generator().manual_seed(0))
            return Images(uniform, batch.c)
        return batch

    def _newest(self) -> Checkpoint | None:
        return Checkpoints(self._folder / "checkpoints").newest()
