"""The laws that every method and every metric of the library obeys, for those of others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .data import FactorDataset, Loader, default_sampler
from .data.batches import Batch
from .encoding import batch_of
from .evaluation import evaluate
from .methods import Context, Loss, Method, Stage, play
from .metrics.registry import METRICS, Metric
from .spec import describe, locate
from .training import fit

__all__ = ["LawBroken", "check_method", "check_metric"]

_WAITS = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "is_nonzero", "unique")


class LawBroken(AssertionError):
    """A law that a method or a metric does not obey; the message says which, and how."""


@dataclass
class _Case:
    """A method under test."""

    cls: type[Method]
    data: Any
    latent_dim: int
    settings: Mapping[str, Any]
    batch_size: int

    def build(self, seed: int = 0) -> Method:
        return self.cls.build(self.data, self.latent_dim, seed=seed, **self.settings)

    def batch(self, method: Method) -> Batch:
        sampler = method.sampler() or default_sampler(method.supervision)
        return Loader(self.data, sampler, batch_size=self.batch_size, seed=0)(0)

    def stages(self, method: Method) -> Iterator[tuple[Stage, Batch, dict[str, Any]]]:
        """The stages, each after its beginning, with a batch and fresh optimizers."""
        batch, players = self.batch(method), method.players()
        for stage in method.stages():
            if stage.begin is not None:
                stage.begin([batch])
                method.train()
            names = stage.players or players
            yield stage, batch, {n: players[n].optimizer(players[n].parameters()) for n in names}


def check_method(
    cls: type[Method],
    data: Any = None,
    *,
    latent_dim: int = 4,
    batch_size: int = 16,
    settings: Mapping[str, Any] | None = None,
) -> list[str]:
    """Tries a method of yours against the laws that the library's own are tested by.

    It is built, its moves are made by hand and by `fit`, killed and resumed, written down and made
    again, on the CPU, within seconds for small data.

    Args:
        cls: The method's class, with ``parts`` and so ``build``.
        data: What it learns from; by default 60 images of 16 x 16 with three factors.
        latent_dim: The number of code dimensions.
        batch_size: Examples per step.
        settings: Of ``build``, by name.

    Returns:
        The laws that it obeys, in words.

    Raises:
        LawBroken: naming the first law that it does not obey, and how it breaks it.
        TypeError: for what is no class of a method.

    Example:
        >>> from untwine.methods import BetaVAE
        >>> len(check_method(BetaVAE, settings={"beta": 4.0}))
        9
    """
    if not (isinstance(cls, type) and issubclass(cls, Method)):
        raise TypeError(f"cls is {cls!r}; expected a class derived from untwine.methods.Method")
    case = _Case(
        cls, _squares() if data is None else data, latent_dim, dict(settings or {}), batch_size
    )
    laws: dict[str, Callable[[_Case], str | None]] = {
        "builds, and learns from the batch type that it names": _learns,
        "its players own every parameter": _owned,
        "a move changes the parameters of its players alone": _isolated,
        "every parameter moves": _moves,
        "moves never wait for a value of the device": _capture_safe,
        "codes are (N, D), finite, and the same each time": _codes,
        "weights go through state_dict and back": _round_trip,
        "it can be written down and made again with the same weights": _spec,
        "a run that was stopped ends with the weights of one that was not": _resumes,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for law, holds in laws.items():
            try:
                broken = holds(case)
            except LawBroken:
                raise
            except Exception as error:
                raise LawBroken(
                    f"{cls.__name__}: {law}: it raised {type(error).__name__}: {error}"
                ) from error
            if broken is not None:
                raise LawBroken(f"{cls.__name__}: {law}: {broken}")
    return list(laws)


def check_metric(metric: str | Metric, *, tolerance: float = 0.15) -> list[str]:
    """Tries a metric of yours, one of codes and factors, against the laws of the library's own.

    Args:
        metric: Its name, or what `untwine.metrics.registry.METRICS` holds of it, after
            ``@metric(...)`` has noted it.
        tolerance: How far values may differ where the order of rows or of dimensions changes.

    Returns:
        The laws that it obeys, in words.

    Raises:
        LawBroken: naming the first law that it does not obey.
        ValueError: for a metric that there is not, or that needs more than codes and factors.

    Example:
        >>> len(check_metric("mig"))
        5
    """
    name = metric.name if isinstance(metric, Metric) else metric
    if name not in METRICS:
        raise ValueError(f"there is no metric {name!r}: note it with @metric(...) first")
    about = METRICS[name]
    if tuple(about.needs) != ("factors",):
        needs = ", ".join(about.needs) or "no factors"
        raise ValueError(f"{name} needs {needs}; the laws here are of codes and factors")
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, size, 1200) for size in (3, 4, 5)], 1)
    perfect = factors + 0.01 * rng.normal(size=factors.shape)
    noise = rng.normal(size=factors.shape)

    def value(codes: np.ndarray, table: np.ndarray) -> float:
        return evaluate(codes, table, [name], points=None, progress=False)[name].value

    best, worst, order = value(perfect, factors), value(noise, factors), rng.permutation(1200)
    rows = value(perfect[order], factors[order])
    dims = value(perfect[:, ::-1], factors)
    laws = {
        "values are within its range": all(
            about.low - 1e-9 <= v <= about.high + 1e-9 for v in (best, worst)
        ),
        "a perfect code is on the better side of noise": about.higher_is_better is None
        or (best > worst) == about.higher_is_better,
        "the same call gives the same value": value(perfect, factors) == best,
        "the order of rows does not count": abs(rows - best) <= tolerance,
        "the order of dimensions does not count": abs(dims - best) <= tolerance,
    }
    for law, holds in laws.items():
        if not holds:
            raise LawBroken(
                f"{name}: {law}: perfect {best:.4g}, noise {worst:.4g}, rows in another order "
                f"{rows:.4g}, dimensions in another order {dims:.4g}, range {about.low:g} to "
                f"{about.high:g}"
            )
    return list(laws)


def _squares() -> FactorDataset:
    """Squares of three sizes at 4 x 5 places."""
    factors = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)
    x = np.zeros((60, 1, 16, 16), np.uint8)
    for image, (size, row, column) in zip(x, factors, strict=True):
        image[:, 3 * row : 3 * row + 3 + size, 2 * column : 2 * column + 3 + size] = 255
    return FactorDataset.from_arrays(x, factors, names=("size", "row", "column"))


def _learns(case: _Case) -> str | None:
    method = case.build()
    batch = case.batch(method)
    if not isinstance(batch, method.supervision):
        return f"its batches are {type(batch).__name__}, not {method.supervision.__name__}"
    for stage, _, optimizers in case.stages(method):
        count = 0
        for player, loss in play(stage.moves(batch, _context(case)), optimizers):
            count += 1
            if not isinstance(loss, Loss):
                return f"player {player!r} yields a {type(loss).__name__}; expected a Loss"
            if loss.total.ndim or not torch.isfinite(loss.total):
                return f"the loss of player {player!r} is {loss.total}"
        if not count:
            return f"stage {stage.name!r} has no move"
    return None


def _owned(case: _Case) -> str | None:
    method = case.build()
    players = method.players()
    ids = {id(p) for player in players.values() for p in player.parameters()}
    lone = [n for n, p in method.named_parameters() if p.requires_grad and id(p) not in ids]
    if lone:
        return f"nobody owns {', '.join(lone)}"
    idle = set(players) - {n for s in method.stages() for n in (s.players or players)}
    return f"players {sorted(idle)} play in no stage" if idle else None


def _isolated(case: _Case) -> str | None:
    method = case.build()
    for stage, batch, optimizers in case.stages(method):
        for move in stage.moves(batch, _context(case)):
            names = [n for key in move for n in ((key,) if isinstance(key, str) else key)]
            players = method.players()
            moving = {id(p) for n in names for p in players[n].parameters()}
            before = {n: p.detach().clone() for n, p in method.named_parameters()}
            for _ in play(iter([move]), optimizers):
                pass
            for name, p in method.named_parameters():
                if id(p) not in moving and not torch.equal(p, before[name]):
                    return f"stage {stage.name!r}, move of {', '.join(names)}: {name} changed"
    return None


def _moves(case: _Case) -> str | None:
    method = case.build()
    before = _state(method)
    for stage, batch, optimizers in case.stages(method):
        for step in range(3):
            list(play(stage.moves(batch, _context(case, step)), optimizers))
    still = [n for n, p in method.named_parameters() if p.requires_grad and _same(p, before[n])]
    return f"{', '.join(still)} did not change in three steps" if still else None


class _NoWaiting(TorchDispatchMode):
    """Fails on whatever makes the host wait for a device's values."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation = func.name().split("::")[1].split(".")[0]
        if operation in _WAITS:
            raise LawBroken(
                f"moves never wait for a value of the device: {operation} does (.item(), a Python "
                "branch on a tensor, or indices that depend on values)"
            )
        return func(*args, **(kwargs or {}))


def _capture_safe(case: _Case) -> str | None:
    method = case.build()
    for stage, batch, _ in case.stages(method):
        context = _context(case)
        with _NoWaiting():
            for move in stage.moves(batch, context):
                for loss in move.values():
                    assert loss.total.ndim == 0
    return None


def _codes(case: _Case) -> str | None:
    method = case.build().eval()
    with torch.no_grad():
        batch = batch_of(method, case.data, np.arange(5))
        one, two = (method.represent(batch).mean for _ in range(2))
    if one.ndim != 2 or len(one) != 5:
        return f"five observations have codes of shape {tuple(one.shape)}"
    if not torch.isfinite(one).all():
        return "some are not finite"
    return None if torch.allclose(one, two) else "represent(x).mean differs from call to call"


def _round_trip(case: _Case) -> str | None:
    one, other = case.build(0), case.build(1)
    other.load_state_dict(one.state_dict())
    state = _state(other)
    changed = [n for n, v in _state(one).items() if not _same(v, state[n])]
    return f"{', '.join(changed)} differ afterwards" if changed else None


def _spec(case: _Case) -> str | None:
    method = case.build()
    spec = describe(method)
    try:
        if locate(spec["class_path"]) is not case.cls:
            return f"{spec['class_path']} is another class"
    except ImportError:  # of a script or a notebook, which no spec can name
        pass
    again = case.cls.build(case.data, **method.arguments)
    state = _state(again)
    changed = [n for n, v in _state(method).items() if not _same(v, state[n])]
    return f"{', '.join(changed)} differ" if changed else None


def _resumes(case: _Case) -> str | None:
    def trained(method: Method, **options: Any) -> Method:
        size = case.batch_size
        fit(method, case.data, batch_size=size, checkpoint_every=2, progress=False, **options)
        return method

    class Death(BaseException):
        pass

    class Stop:
        def on_step(self, state: Any, losses: Any) -> None:
            if state.position.step == 3:
                raise Death

    whole = _state(trained(case.build(), steps=4))
    with tempfile.TemporaryDirectory() as folder:
        with suppress(Death):
            trained(case.build(), steps=4, out=folder, callbacks=[Stop()])
        resumed = _state(trained(case.build(), steps=4, out=folder))
    changed = [n for n, v in whole.items() if not _same(v, resumed[n])]
    return f"{', '.join(changed)} differ" if changed else None


def _context(case: _Case, step: int = 0) -> Context:
    return Context(torch.tensor(step), len(case.data))


def _state(method: Any) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in method.state_dict().items()}


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one, other)
