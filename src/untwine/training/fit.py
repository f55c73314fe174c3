"""Training a method on data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch.utils.data import DataLoader

from ..checks import check_kind, check_scale
from ..data import FactorDataset
from ..encoding import placement
from ..methods.method import Method
from ..reading import expanded
from .averaging import Averaging
from .callbacks import check_callbacks
from .critics import critic_records
from .final import load_final
from .held_out import HeldOutTerms, Validation, split
from .loop import Loop
from .memory import keep_freed_memory
from .plan import check_positive, moves_by_stage, plan, start, written_data, written_schedule
from .progress import Progress
from .rates import MakeSchedule, Steering
from .replicas import Replicas
from .run import Run
from .run_folder import RunFolder
from .stages import check_optimizers, check_players

if TYPE_CHECKING:
    from lightning.fabric import Fabric

__all__ = ["fit", "usual_epochs"]

_EPOCHS, _CELLS = 400, 20_000


def fit(
    method: Method,
    data: FactorDataset | Callable[[int], Any] | Iterable[Any],
    *,
    steps: int | Mapping[str, int] | None = None,
    epochs: float | None = None,
    batch_size: int = 64,
    seed: int = 0,
    validation: Any = None,
    validate_every: int = 1000,
    monitor: str | None = None,
    patience: int | None = None,
    schedule: MakeSchedule | None = None,
    warmup: int = 0,
    clip: float | None = None,
    average: Averaging | None = None,
    out: str | Path | None = None,
    fabric: Fabric | None = None,
    callbacks: Sequence[Any] = (),
    sampler: Any = None,
    log_every: int = 100,
    checkpoint_every: int = 1000,
    keep: int | Literal["best"] = 2,
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
        epochs: Instead of ``steps``, how often to see as many examples as there are, in each stage.
            Counts of genes (`FactorDataset.counts`) need neither: 400, and fewer of more than
            20,000 cells.
        batch_size: Examples per step.
        seed: Of batches and noise; initial weights are the method's.
        validation: What is held out: a share of the data, drawn by the seed, such as 0.1, or data
            of its own. Up to 10,000 examples of it are looked at each time, with the same noise;
            their terms go to the log as ``validation/player/term``.
        validate_every: Steps from one look at what is held out to the next; the last step has
            one, too.
        monitor: The held-out term by which weights are compared, such as ``"vae/nll"``; by default
            the total of the player who moves first.
        patience: Looks without a new lowest value, after which a stage ends.
        schedule: Learning rates by step: what makes one of `torch.optim.lr_scheduler` for an
            optimizer, such as ``partial(CosineAnnealingLR, T_max=20_000)``. Each player has its
            own, and it begins anew with each stage.
        warmup: Steps of a stage over which learning rates grow from nearly 0 to what they are.
        clip: The largest norm of a player's gradient; larger ones are scaled down to it.
        average: `EMA` or `SWA` of the weights: what is held out is judged with them, and the
            method has them at the end of a stage.
        out: The run's folder; without one nothing is written.
        fabric: Device, precision ("32-true" or "bf16-mixed") and processes; by default one device,
            an accelerator if there is one.
        callbacks: See `Callback`.
        sampler: Draws examples; by default the method's, or its supervision's default.
        log_every: Steps from one row of the log to the next.
        checkpoint_every: Steps from one checkpoint to the next.
        keep: How many checkpoints to keep; ``"best"`` keeps two and the one with the lowest
            held-out value, whose weights the method has at the end of a stage.
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
    check_kind("average", average, Averaging | None)
    best = keep == "best"
    for name, number in {
        "batch_size": batch_size,
        "log_every": log_every,
        "checkpoint_every": checkpoint_every,
        "keep": 2 if best else keep,
        "validate_every": validate_every,
        "patience": 1 if patience is None else patience,
    }.items():
        check_positive(name, number)
    check_seed(seed)
    needing = {"patience": patience, "monitor": monitor, 'keep="best"': best or None}
    for name, value in needing.items():
        if value is not None and validation is None:
            raise ValueError(f"{name} compares held-out terms: give validation=, too, such as 0.1")
    learned, held_out = data, validation
    if isinstance(validation, float | int) and not isinstance(validation, bool):
        learned, held_out = split(data, validation, seed)
    moves = moves_by_stage(_steps(steps, epochs, learned, batch_size), stages)
    steering = Steering(schedule, warmup, clip)
    steering.check(method, stages, validation is not None)
    path = None if out is None else expanded(out)
    check_players(method, stages)
    check_optimizers(method, stages)
    replicas = Replicas(Fabric(devices=1) if fabric is None else fabric)
    loader = as_loader(
        learned if sampler is None else _drawn_by(sampler, learned, batch_size, seed),
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
        steps=moves if isinstance(steps, Mapping) else next(iter(moves.values())),
        batch_size=int(batch_size),
        seed=int(seed),
        precision=replicas.precision,
        devices=replicas.count,
        log_every=int(log_every),
        checkpoint_every=int(checkpoint_every),
        keep="best" if best else int(keep),
        **({} if init_from is None else {"init_from": str(init_from)}),
        **({} if patience is None else {"patience": int(patience)}),
        **({} if clip is None else {"clip": float(clip)}),
        **({"warmup": int(warmup)} if warmup else {}),
        **({} if average is None else {"average": average}),
    )
    if schedule is not None:
        spec["schedule"] = written_schedule(schedule)
    if validation is not None:
        watched = validation if held_out is not validation else written_data(held_out)
        spec |= {"validation": watched, "validate_every": int(validate_every)}
        spec |= {} if monitor is None else {"monitor": monitor}
    spec = replicas.first(spec)  # a method built without a seed drew another one in each process
    main = replicas.rank == 0
    folder = RunFolder(path, spec, 2 if best else int(keep), main, resume, method.seed_drawn)
    if folder.found is None:
        if init_from is not None:
            load_final(expanded(init_from), method)
        if path is not None:
            folder.starts(start(method, stated=init_from is not None))
    method = method.to(replicas.fabric.device)
    looks = None
    if validation is not None:
        looks = Validation(held_out, int(validate_every), monitor, patience, best)
    loop = Loop(
        method=method,
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
        steering=steering,
        averaging=average,
        validation=looks,
        held_out=None
        if looks is None
        else HeldOutTerms(looks, method, sampler, batch_size, seed, replicas),
    )
    if replicas.fabric.device.type == "cpu":
        keep_freed_memory()
    made = loop.run()
    if main:
        for record in critic_records(loop.folder.record.rows):
            if record.advice:
                warnings.warn(str(record), stacklevel=2)
    spec = loop.folder.spec
    rows, stopped = loop.folder.record.rows, loop.course.stopped
    return Run(path, method=method, data=data, spec=spec, rows=rows, steps=made, stopped=stopped)


def _steps(
    steps: int | Mapping[str, int] | None, epochs: float | None, data: Any, batch_size: int
) -> int | Mapping[str, int]:
    """The moves of a stage; an epoch is as many as it takes to draw N examples."""
    if steps is None and epochs is None:
        epochs = usual_epochs(data)
    if (steps is None) == (epochs is None):
        both = "neither is given" if steps is None else "both are given"
        raise ValueError(f"training takes steps=, or epochs=: {both}")
    if epochs is None:
        assert steps is not None
        return steps
    check_scale("epochs", epochs)
    size = getattr(data, "size", None)
    if size is None and isinstance(data, Sized):
        size = len(data)
    if isinstance(data, DataLoader):
        return max(1, round(epochs * len(data)))
    if size is None:
        raise ValueError(
            f"data is a {type(data).__name__}, without the length of an epoch: give steps="
        )
    return max(1, math.ceil(epochs * size / getattr(data, "batch_size", batch_size)))


def usual_epochs(data: Any) -> int | None:
    """How long counts of genes are trained on where nothing is said; ``None`` of other data.

    400 epochs, of more than 20,000 cells as many steps as 20,000 cells take, which is
    scvi-tools' rule (``get_max_epochs_heuristic``).
    """
    if not (isinstance(data, FactorDataset) and data.counts):
        return None
    return max(1, min(_EPOCHS, round(_EPOCHS * _CELLS / len(data))))


def _drawn_by(sampler: Any, data: Any, batch_size: int, seed: int) -> Any:
    """A loader of what a sampler draws from data."""
    from ..data import Loader, Multimodal

    if not isinstance(data, FactorDataset | Multimodal):
        raise ValueError(
            f"a sampler draws from a FactorDataset, but data is a {type(data).__name__}, which "
            "decides itself what is in a batch: leave sampler out"
        )
    return Loader(data, sampler, batch_size=batch_size, seed=seed)
