"""Several seeds of one method trained at once, in one process, with stacked weights."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..checks import check_kind
from ..data.batches import Batch
from ..methods.method import Context, Method, Player
from ..reading import expanded
from .checkpoint import Position
from .course import Course
from .finite import NonFiniteLoss
from .memory import keep_freed_memory
from .plan import check_positive, moves_by_stage, plan, start
from .record import Row
from .run_folder import RunFolder
from .seeding import step_seed
from .stacked_noise import NoiseRecord
from .stacked_weights import Stacked, Unstackable, seed_all, unchecked
from .stages import Batches, playing

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["Unstackable", "fit_stacked"]


def fit_stacked(
    methods: Sequence[Method],
    data: FactorDataset,
    *,
    seeds: Sequence[int],
    steps: int,
    batch_size: int = 64,
    sampler: Any = None,
    out: Sequence[str | Path] | None = None,
    log_every: int = 100,
    checkpoint_every: int = 1000,
    keep: int = 2,
) -> list[list[Row]]:
    r"""Trains several seeds of one method at once; each ends as `fit` with its seed ends.

    Weights of all seeds are stacked, :math:`(S, \ldots)`, one pass of `torch.func.vmap` computes
    the losses :math:`\mathcal{L}_s`, and the gradient of :math:`\sum_s \mathcal{L}_s` is each
    seed's own. Batches and noise are those that each seed has alone, so that weights differ by
    rounding only. Small models gain, for which a step is mostly calls (`benchmarks/stacking.py`);
    convolutions on the CPU do not. There are no checkpoints: what was killed begins again.

    Args:
        methods: One for each seed, alike but for their weights; trained in place, and left in
            evaluation mode.
        data: A data set.
        seeds: Of batches and noise, one for each method.
        steps: Moves to make.
        batch_size: Examples of a step, of each seed.
        sampler: Draws examples; by default the method's, or its supervision's default.
        out: The runs' folders, one for each method, written when training is done; none by
            default.
        log_every: Steps from one row to the next.
        checkpoint_every: Noted in the folders, as `fit` does.
        keep: Likewise.

    Returns:
        The rows of the log of each seed, as `fit` writes them.

    Raises:
        Unstackable: for methods of several stages, players or moves, weights that are of other
            shapes, normalization over batches, optimizers that look at a whole parameter, and
            noise that depends on values.
        NonFiniteLoss: when a loss of any seed becomes NaN or infinite.
        FileExistsError: if a run is in one of the folders.

    Example:
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import BetaVAE
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> methods = [BetaVAE.build(data, latent_dim=2, seed=seed) for seed in range(3)]
        >>> rows = fit_stacked(methods, data, seeds=range(3), steps=3)
        >>> len(rows), rows[0][-1]["step"]
        (3, 3)
    """
    check_kind("methods", methods, Sequence[Method])
    for name, number in (("steps", steps), ("batch_size", batch_size), ("log_every", log_every)):
        check_positive(name, number)
    if not methods or len(methods) != len(seeds):
        raise ValueError(f"there are {len(methods)} methods and {len(seeds)} seeds: give as many")
    if out is not None and len(out) != len(methods):
        raise ValueError(f"there are {len(methods)} methods and {len(out)} folders: give as many")
    stage, name, player = _only(methods[0])
    steps = moves_by_stage(steps, methods[0].stages())[stage]
    device = next(methods[0].parameters()).device
    loaders = [
        _loader(m, data, batch_size, s, sampler) for m, s in zip(methods, seeds, strict=True)
    ]
    ctx = Context(torch.zeros((), dtype=torch.int64, device=device), loaders[0].size)
    rows: list[list[Row]] = [[] for _ in methods]
    folders = []
    for method, seed, path in zip(methods, seeds, out or (), strict=out is not None):
        spec = plan(
            method, data, sampler, digests=True, steps=steps, batch_size=batch_size, seed=int(seed),
            precision="32-true", devices=1, log_every=log_every,
            checkpoint_every=checkpoint_every, keep=keep,
        )  # fmt: skip
        folder = RunFolder(expanded(path), spec, keep, True, False, method.seed_drawn)
        folder.starts(start(method))
        folders.append(folder)
    if device.type == "cpu":
        keep_freed_memory()
    began = since = time.monotonic()
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), unchecked():
        for method, loader, seed in zip(methods, loaders, seeds, strict=True):
            _begin(method, loader, seed)
        first = [_drawn(loader, seed, 0) for loader, seed in zip(loaders, seeds, strict=True)]
        calls, alone = _probe(methods, first, seeds, ctx, name)
        stacked = Stacked(methods, player, name, calls, type(first[0]), ctx)
        for step in range(steps):
            batches = first if step == 0 else [
                _drawn(loader, seed, step) for loader, seed in zip(loaders, seeds, strict=True)
            ]  # fmt: skip
            values = stacked.step(batches, [step_seed(seed, 0, step, 0) for seed in seeds])
            if step == 0:
                _agree(values["total"], alone)
            _check_finite(values, seeds, stage, step + 1, name)
            ctx.step.add_(1)
            if step == 0 or (step + 1) % log_every == 0 or step + 1 == steps:
                now = time.monotonic()
                every = log_every if step else 1
                speed = round(len(methods) * every * batch_size / max(now - since, 1e-9), 1)
                about = {"step": step + 1, "stage": stage, "seconds": round(now - began, 3),
                         "images/s": speed}  # fmt: skip
                for place, row in enumerate(rows):
                    row.append(about | {f"{name}/{k}": float(v[place]) for k, v in values.items()})
                since = now
        stacked.give_back(methods)
    for method in methods:
        method.eval()
    for place, folder in enumerate(folders):
        folder.begin({stage: 0}, False)
        try:
            for line in rows[place]:
                folder.record.write(line)
            seconds = rows[place][-1]["seconds"]
            position = Position(stage, 0, steps, steps, seconds)
            optimizers = {name: stacked.optimizer_of(methods[place], place)}
            folder.checkpoint(position, methods[place], optimizers, course=Course().written())
            folder.finish(methods[place])
        finally:
            folder.close()
    return rows


def _only(method: Method) -> tuple[str, str, Player]:
    """The one stage and the one player of a method."""
    kind = type(method).__name__
    stages = method.stages()
    if len(stages) != 1 or stages[0].every:
        raise Unstackable(
            f"{kind} has several stages, or moves that are not due in every step: train its seeds "
            "alone"
        )
    players = playing(method, stages[0])
    if len(players) != 1:
        raise Unstackable(
            f"{kind} has the players {', '.join(players)}: the second moves after the first has "
            "stepped, which stacked seeds cannot wait for; train them alone"
        )
    ((name, player),) = players.items()
    return stages[0].name, name, player


def _probe(
    methods: Sequence[Method],
    batches: Sequence[Batch],
    seeds: Sequence[int],
    ctx: Context,
    name: str,
) -> tuple[list[Callable[[], Tensor]], Tensor]:
    """The random numbers that a step draws, and the first loss of each seed alone."""
    calls: list[Callable[[], Tensor]] = []
    totals = []
    for method, batch, seed in zip(methods, batches, seeds, strict=True):
        copied = copy.deepcopy(method)
        seed_all(step_seed(seed, 0, 0, 0))
        with NoiseRecord() as record, torch.no_grad():
            moves = list(copied.moves(batch, ctx))
        if len(moves) != 1 or set(moves[0]) != {name}:
            raise Unstackable(
                f"a step of {type(method).__name__} has {len(moves)} moves: train its seeds alone"
            )
        before = dict(method.named_buffers())
        if any(not torch.equal(value, before[key]) for key, value in copied.named_buffers()):
            raise Unstackable(
                f"a step of {type(method).__name__} changes buffers, such as those of batch "
                "normalization: train its seeds alone"
            )
        calls = record.calls
        totals.append(moves[0][name].total)
    return calls, torch.stack(totals)


def _agree(together: Tensor, alone: Tensor) -> None:
    """Refuses a stack whose first losses are not those of its seeds alone."""
    if not torch.allclose(together, alone, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise Unstackable(
            f"stacked losses are {together.tolist()}, and {alone.tolist()} alone: the method draws "
            "noise in a way that is not followed; train its seeds alone"
        )


def _check_finite(
    values: Mapping[str, Tensor], seeds: Sequence[int], stage: str, step: int, name: str
) -> None:
    if bool(torch.isfinite(values["total"]).all()):
        return
    term = next(k for k, v in values.items() if not bool(torch.isfinite(v).all()))
    bad = [
        s for s, fine in zip(seeds, torch.isfinite(values[term]).tolist(), strict=True) if not fine
    ]
    raise NonFiniteLoss(
        f"term {term!r} of player {name!r} is not finite at step {step} with seeds "
        f"{', '.join(map(str, bad))}: try a lower learning rate",
        stage, step, name, term,
    )  # fmt: skip


def _loader(method: Method, data: Any, batch_size: int, seed: int, sampler: Any) -> Any:
    from ..data import Loader, as_loader
    from ..encoding import placement

    learned = data if sampler is None else Loader(data, sampler, batch_size=batch_size, seed=seed)
    device, dtype = placement(method)
    return as_loader(learned, method, batch_size, seed, device=device, dtype=dtype)


def _begin(method: Method, loader: Any, seed: int) -> None:
    """What a stage does before its first move, such as to start a prior from codes."""
    (stage,) = method.stages()
    method.train()
    if stage.begin is not None:
        seed_all(step_seed(seed, 0, "begin", 0))
        stage.begin(Batches(loader, 0, len))
        method.train()


def _drawn(loader: Any, seed: int, number: int) -> Batch:
    seed_all(step_seed(seed, 0, number, "batch", 0))
    return loader(number)
