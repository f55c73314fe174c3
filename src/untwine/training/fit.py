"""Training a method on data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks import check_kind
from ..encoding import placement
from ..methods.method import Method
from ..reading import expanded
from .callbacks import check_callbacks
from .critics import critic_records
from .final import load_final
from .loop import Loop
from .memory import keep_freed_memory
from .plan import check_positive, moves_by_stage, plan, start
from .progress import Progress
from .replicas import Replicas
from .run import Run
from .run_folder import RunFolder
from .stages import check_optimizers, check_players

if TYPE_CHECKING:
    from lightning.fabric import Fabric

    from ..data import FactorDataset

__all__ = ["fit"]


def fit(
    method: Method,
    data: FactorDataset | Callable[[int], Any] | Iterable[Any],
    *,
    steps: int | Mapping[str, int],
    batch_size: int = 64,
    seed: int = 0,
    out: str | Path | None = None,
    fabric: Fabric | None = None,
    callbacks: Sequence[Any] = (),
    sampler: Any = None,
    log_every: int = 100,
    checkpoint_every: int = 1000,
    keep: int = 2,
    resume: bool = True,
    progress: bool = True,
    loggers: Sequence[Any] = (),
    init_from: str | Path | None = None,
) -> Run:
    """Trains a method on data.

    Batches and noise of a step depend on the seed, the stage, the step and the process alone, so a
    run that was killed and is started again in the same folder ends with the same weights as one
    that was not (on the CPU, with as many threads, bit for bit). With more steps than before it
    goes on. The caller's random numbers are left as they were.

    A player's optimizer lives for one stage; the next stage begins with fresh ones. With several
    processes ``batch_size`` is that of all together, and gradients are averaged; a loss that is no
    average over examples (a total correlation estimated within the batch) is each process's own.
    A critic that learned nothing, or that won, is warned of at the end, see `critic_records`.
    On the CPU, freed memory stays with the process from here on (`training.memory`): faster steps.

    Args:
        method: Trained in place, on the fabric's device, and left in evaluation mode.
        data: A data set, a function ``step -> batch``, or a torch ``DataLoader`` (which cannot
            promise the same batches after a restart).
        steps: Moves to make in each stage; one number, or one by the stage's name.
        batch_size: Examples per step.
        seed: Of batches and noise; initial weights are the method's.
        out: The run's folder; without one nothing is written.
        fabric: Device, precision ("32-true" or "bf16-mixed") and processes; by default one device,
            an accelerator if there is one.
        callbacks: See `Callback`.
        sampler: Draws examples; by default the method's, or its supervision's default.
        log_every: Steps from one row of the log to the next.
        checkpoint_every: Steps from one checkpoint to the next.
        keep: How many checkpoints to keep.
        resume: Whether to continue the run in ``out``, if it is there.
        progress: Whether to show progress on standard error.
        loggers: Lightning's loggers (TensorBoard, W&B, MLflow), beside the JSON lines in ``out``.
        init_from: The folder of a run whose weights to begin with; they must be those of a method
            like this one. The run's spec says so, and so it does of other weights than those that
            a fresh method has.

    Returns:
        The run.

    Raises:
        NonFiniteLoss: when a loss or a parameter becomes NaN or infinite; the last good checkpoint
            is kept.
        FileExistsError: if another run is in ``out``.
        NotADirectoryError: if ``out`` is a file.
        CheckpointError: if the disk is full, or no checkpoint is complete.
        TypeError: if the batches are not what the method learns from, and for objects of a wrong
            kind, such as callbacks without any hook.
        ValueError: for steps, sizes, players or optimizers that make no sense.
        KeyboardInterrupt: after Ctrl-C, once the step is done and a checkpoint is written.
        SystemExit: after SIGTERM, or SIGHUP where it is not ignored, in the same way.

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VAE
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> run = fit(VAE.build(data, latent_dim=2), data, steps=3, progress=False)
        >>> run.steps, sorted(run.log.columns)[-3:]
        (3, ['vae/kl', 'vae/nll', 'vae/total'])
    """
    from lightning.fabric import Fabric
    from lightning.fabric.loggers import Logger

    from ..data import Sampler, as_loader
    from ..data.seeds import check_seed

    if not isinstance(method, Method):
        what = f"the class {method.__name__}" if isinstance(method, type) else type(method).__name__
        raise TypeError(f"method is {what}; expected a Method, such as VAE.build(data)")
    check_callbacks(callbacks)
    check_kind("sampler", sampler, Sampler | None)
    check_kind("fabric", fabric, Fabric | None)
    check_kind("loggers", loggers, Sequence[Logger])
    stages = method.stages()
    moves = moves_by_stage(steps, stages)
    for name, number in {
        "batch_size": batch_size,
        "log_every": log_every,
        "checkpoint_every": checkpoint_every,
        "keep": keep,
    }.items():
        check_positive(name, number)
    check_seed(seed)
    path = None if out is None else expanded(out)
    check_players(method, stages)
    check_optimizers(method, stages)
    replicas = Replicas(Fabric(devices=1) if fabric is None else fabric)
    loader = as_loader(
        data if sampler is None else _drawn_by(sampler, data, batch_size, seed),
        method,
        batch_size=batch_size,
        seed=seed,
        rank=replicas.rank,
        world_size=replicas.count,
        device=replicas.fabric.device,
        dtype=placement(method)[1],
    )
    spec = plan(
        method,
        data,
        sampler,
        digests=out is not None and replicas.rank == 0,
        steps=moves if isinstance(steps, Mapping) else int(steps),
        batch_size=int(batch_size),
        seed=int(seed),
        precision=replicas.precision,
        devices=replicas.count,
        log_every=int(log_every),
        checkpoint_every=int(checkpoint_every),
        keep=int(keep),
        **({} if init_from is None else {"init_from": str(init_from)}),
    )
    spec = replicas.first(spec)  # a method built without a seed drew another one in each process
    main = replicas.rank == 0
    folder = RunFolder(path, spec, keep, main, resume, method.seed_drawn)
    if folder.found is None:
        if init_from is not None:
            load_final(expanded(init_from), method)
        if path is not None:
            folder.starts(start(method, stated=init_from is not None))
    loop = Loop(
        method=method.to(replicas.fabric.device),
        stages=stages,
        moves=moves,
        loader=loader,
        seed=seed,
        replicas=replicas,
        folder=folder,
        progress=Progress(moves, progress and main),
        callbacks=callbacks,
        loggers=[*replicas.fabric.loggers, *loggers] if main else [],
        log_every=log_every,
        checkpoint_every=checkpoint_every,
        batch_size=batch_size,
    )
    if replicas.fabric.device.type == "cpu":
        keep_freed_memory()
    made = loop.run()
    if main:
        for record in critic_records(loop.folder.record.rows):
            if record.advice:
                warnings.warn(str(record), stacklevel=2)
    spec = loop.folder.spec
    return Run(path, method=method, data=data, spec=spec, rows=loop.folder.record.rows, steps=made)


def _drawn_by(sampler: Any, data: Any, batch_size: int, seed: int) -> Any:
    """A loader of what a sampler draws from data."""
    from ..data import FactorDataset, Loader, Multimodal

    if not isinstance(data, FactorDataset | Multimodal):
        raise ValueError(
            f"a sampler draws from a FactorDataset, but data is a {type(data).__name__}, which "
            "decides itself what is in a batch: leave sampler out"
        )
    return Loader(data, sampler, batch_size=batch_size, seed=seed)
