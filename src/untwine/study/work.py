"""One run of a study: train, encode once, measure, draw; or write down why not."""

from __future__ import annotations

import errno
import json
import platform
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ..encoding import Codes, batch_of, evaluating
from ..methods.method import Loss
from ..training.callbacks import Callback, State
from ..training.files import CheckpointError, replace_file
from .folder import DONE, ERROR, POINT
from .points import Planned
from .study import Measuring

__all__ = ["Outcome", "Sets", "TimeLimit", "Work", "due", "make"]

_OBSERVATIONS = 1000
"""For the terms of the bound."""
_SEAMS = 100
"""For the seam gap, which takes the decoder's Jacobian at each."""
_AGAIN = (OSError, MemoryError, torch.OutOfMemoryError)
"""Errors of the machine, not of the run."""


class TimeLimit(RuntimeError):
    """A run took longer than it may."""


@dataclass(frozen=True)
class Work:
    """How runs are made, the same for all of a study.

    Attributes:
        measure: What is measured.
        figures: Whether figures are drawn.
        trust: Packages of which specs may name classes.
        threads: Of torch; with another number, sums are rounded otherwise.
        limit: Seconds that a run may train, or ``None``.
    """

    measure: Measuring
    figures: bool = True
    trust: Sequence[str] = ()
    threads: int = 1
    limit: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        name: Of the run.
        status: ``finished``, ``failed``, ``full`` if the disk is, or ``busy`` if another process
            is in the run's folder.
        seconds: That it took this time.
        message: Why it failed.
    """

    name: str
    status: Literal["finished", "failed", "full", "busy"]
    seconds: float
    message: str = ""


class Sets:
    """Data sets of a process, each made once for all of its runs.

    Args:
        trust: Packages of which specs may name classes.
        most: How many to keep.
    """

    def __init__(self, trust: Sequence[str] = (), most: int = 4) -> None:
        self._trust, self._most = trust, most
        self._made: dict[str, Any] = {}

    def get(self, spec: Mapping[str, Any]) -> Any:
        """The data set of a run's spec."""
        from ..training.plan import make_data

        key = json.dumps(spec["data"], sort_keys=True)
        if key not in self._made:
            data = make_data(spec, self._trust)
            while len(self._made) >= self._most:
                self._made.pop(next(iter(self._made)))
            self._made[key] = data
        return self._made[key]


def due(
    status: str,
    done: Mapping[str, Any],
    error: Mapping[str, Any],
    work: Work,
    retry: bool = False,
) -> bool:
    """Whether a run is to be made, or made on.

    What is finished is measured again if something else is to be measured. What failed is tried
    again where the machine was the reason, or the time limit, and it is longer now.
    """
    if status == "finished":
        return done.get("measured") != _asked(work.measure)
    if status == "failed":
        limit = error.get("limit")
        longer = limit is not None and (work.limit is None or work.limit > limit)
        return retry or bool(error.get("again")) or longer
    return True


def make(
    run: Planned,
    folder: Path,
    work: Work,
    sets: Sets,
    step: Callable[[int], object] | None = None,
) -> Outcome:
    """Makes a run, or what is left of it; an error is written down and not raised.

    Args:
        run: What to make.
        folder: Of the run.
        work: How.
        sets: The data sets of this process.
        step: Called with the steps made.

    Raises:
        KeyboardInterrupt: after Ctrl-C, as `fit` does.
    """
    began = time.monotonic()
    torch.set_num_threads(work.threads)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        point = {"name": run.name, "settings": run.settings, "tags": run.tags, "spec": run.spec}
        _write(folder / POINT, point)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            done = _made(run, folder, work, sets, step)
        done["warnings"] = sorted({str(w.message) for w in caught if _ours(w)})
        (folder / ERROR).unlink(missing_ok=True)
        _write(folder / DONE, done)
    except Exception as error:  # a method's own code may raise anything; Ctrl-C goes through
        seconds = time.monotonic() - began
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
        number = error.errno if isinstance(error, OSError) else None
        if isinstance(error, CheckpointError) and number in (errno.EAGAIN, errno.EACCES):
            return Outcome(run.name, "busy", seconds, message)
        full = number in (errno.ENOSPC, errno.EDQUOT)
        try:
            (folder / DONE).unlink(missing_ok=True)
            _write(folder / ERROR, failure(error, seconds, work.limit))
        except OSError:  # the disk is full: nothing is there, so that it is tried again
            full = True
        return Outcome(run.name, "full" if full else "failed", seconds, message)
    return Outcome(run.name, "finished", time.monotonic() - began)


def failure(error: BaseException, seconds: float, limit: float | None = None) -> dict[str, Any]:
    """What ``error.json`` says of an error."""
    return {
        "error": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
        "seconds": round(seconds, 3),
        "again": isinstance(error, _AGAIN),
        "limit": limit if isinstance(error, TimeLimit) else None,
    }


def _made(
    run: Planned, folder: Path, work: Work, sets: Sets, step: Callable[[int], object] | None
) -> dict[str, Any]:
    """Trains, encodes, measures, draws; returns what ``done.json`` says."""
    from ..spec import instantiate
    from ..training import Run, fit
    from ..training.plan import make_method

    spec = run.spec
    data = sets.get(spec)
    if (folder / "model.safetensors").exists():
        trained = Run.load(folder, data=data, trust=work.trust)
    else:
        trained = fit(
            make_method(spec, data, work.trust),
            data,
            sampler=instantiate(spec["sampler"], trust=work.trust),
            out=folder,
            steps=spec["steps"],
            batch_size=spec["batch_size"],
            seed=spec["seed"],
            fabric=_fabric(spec["precision"]),
            callbacks=[_Watch(work.limit, step)],
            keep=1,
            progress=False,
            log_every=run.every.get("log_every", 100),
            checkpoint_every=run.every.get("checkpoint_every", 1000),
        )
    clocks = {"train": float(trained.rows[-1].get("seconds", 0.0)) if trained.rows else 0.0}
    measure = work.measure
    codes = _timed(clocks, "encode", lambda: _encoded(trained, measure))
    evaluation = _timed(
        clocks,
        "measure",
        lambda: trained.measure(
            measure.metrics,
            n=measure.n,
            seed=measure.seed,
            exact=measure.exact,
            progress=False,
            codes=codes,
        ),
    )
    bound = _timed(clocks, "bound", lambda: _bound(trained.method, data))
    bound |= _timed(clocks, "seam_gap", lambda: _seam_gap(trained.method, data))
    _keep_codes(folder / "codes.npz", codes, measure)
    if work.figures:
        from .figures import draw

        _timed(clocks, "figures", lambda: draw(trained.method, data, codes, folder))
    return {
        "measured": _asked(measure),
        "weights": trained.weights_digest(),
        "steps": trained.steps,
        "seconds": {name: round(value, 3) for name, value in clocks.items()},
        "bound": bound,
        "skipped": dict(evaluation.skipped),
        "left_out": dict(evaluation.left_out),
        "versions": _versions(),
        "machine": _machine(trained.method, work.threads),
    }


def _asked(measure: Measuring) -> dict[str, Any]:
    return json.loads(json.dumps(measure.plain()))


def _fabric(precision: str) -> Any:
    from lightning.fabric import Fabric

    return Fabric(devices=1, precision=precision)  # type: ignore[arg-type]


def _encoded(run: Any, measure: Measuring) -> Codes:
    from ..encoding import encode

    return encode(run.method, run.data, measure.n + measure.n // 2, measure.seed, progress=False)


@torch.no_grad()
def _bound(method: Any, data: Any) -> dict[str, float]:
    """Terms of the evidence lower bound, in nats per observation, where the method has them."""
    from ..functional import kl
    from ..methods.abilities import Decodes, HasPrior

    able = isinstance(method, Decodes) and isinstance(method, HasPrior)
    if not able or isinstance(data.shape, Mapping):
        return {}
    rows = np.random.default_rng(0).permutation(len(data))[:_OBSERVATIONS]
    sums = np.zeros(2)
    try:
        with evaluating(method), torch.random.fork_rng():
            torch.manual_seed(0)
            for start in range(0, len(rows), 250):
                batch = batch_of(method, data, np.sort(rows[start : start + 250]))
                q = method.represent(batch)
                z = q.sample()
                nll = -method.decode(z, c=batch.c).log_prob(batch.tensor)
                sums += [float(nll.sum()), float(kl(q, method.prior(), z).sum())]
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return {}  # it has no density, or its code is none that is decoded alone
    nll, divergence = sums / len(rows)
    return {"nll": nll, "kl": divergence, "elbo": -nll - divergence}


def _seam_gap(method: Any, data: Any) -> dict[str, float]:
    """What diagonal posteriors cost, in nats, where two dimensions or more are in use."""
    from ..diagnostics import orthogonality

    try:
        columns = orthogonality(method, data, n=_SEAMS)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return {}  # it has no density, or another prior than the standard normal
    gap = columns.gap.value
    return {"seam_gap": gap} if len(columns.dims) > 1 and np.isfinite(gap) else {}


def _keep_codes(path: Path, codes: Codes, measure: Measuring) -> None:
    """Some codes of the same observations in all runs on a data set, and the rate of each."""
    import io

    rows = np.sort(np.random.default_rng(measure.seed).permutation(len(codes))[: measure.codes])
    arrays = {"mean": codes.mean[rows].astype(np.float32), "factors": codes.factors[rows]}
    if codes.stddev is not None:
        from ..metrics import dimension_kl

        arrays["kl"] = dimension_kl(codes.mean, codes.stddev).parts["kl"]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    replace_file(path, buffer.getvalue())


def _versions() -> dict[str, str]:
    import sklearn

    from .._version import __version__

    return {
        "untwine": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "sklearn": sklearn.__version__,
    }


def _machine(method: Any, threads: int) -> dict[str, Any]:
    device = next((p.device for p in method.parameters()), torch.device("cpu"))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"device": name, "threads": threads, "machine": platform.machine()}


def _ours(warning: warnings.WarningMessage) -> bool:
    return issubclass(warning.category, UserWarning) and "lightning" not in warning.filename


def _timed(clocks: dict[str, float], name: str, function: Callable[[], Any]) -> Any:
    began = time.monotonic()
    result = function()
    clocks[name] = time.monotonic() - began
    return result


def _write(path: Path, content: Mapping[str, Any]) -> None:
    replace_file(path, (json.dumps(_finite(content), ensure_ascii=False) + "\n").encode())


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


class _Watch(Callback):
    """Stops a run that trains too long, and tells how far it is."""

    def __init__(self, limit: float | None, step: Callable[[int], object] | None) -> None:
        self._limit, self._tell = limit, step

    def on_step(self, state: State, losses: Mapping[str, Loss]) -> None:
        """Looks at the clock."""
        if self._tell is not None:
            self._tell(state.position.done)
        if self._limit is not None and state.position.seconds > self._limit:
            raise TimeLimit(
                f"it trained longer than {self._limit:g} seconds, and made {state.position.done:,} "
                "steps: a higher --time_limit goes on from its last checkpoint"
            )
