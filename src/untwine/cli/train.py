"""`untwine train`: trains a method on data."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..settings.classes import trusted
from ..settings.errors import UsageError, did_you_mean
from ..spec import instantiate
from .screen import console

__all__ = ["train"]

_OF_FIT = (
    *("steps", "epochs", "batch_size", "seed", "log_every", "checkpoint_every", "keep"),
    *("validate_every", "monitor", "patience", "warmup", "clip", "init_from"),
)
_WATCHING = ("watch", "watch_every")
_MACHINE = ("accelerator", "logger", *_WATCHING, "out", "config", "trust")
_SHOWN = ("print_config", "no_progress")
_LOGGERS = ("tensorboard", "wandb", "mlflow")


def train(
    *,
    method: dict[str, Any],
    data: dict[str, Any],
    sampler: dict[str, Any] | None = None,
    steps: int | dict[str, int] | None = None,
    epochs: float | None = None,
    batch_size: int = 64,
    seed: int = 0,
    validation: float | dict[str, Any] | None = None,
    validate_every: int = 1000,
    monitor: str | None = None,
    patience: int | None = None,
    schedule: dict[str, Any] | None = None,
    warmup: int = 0,
    clip: float | None = None,
    average: dict[str, Any] | None = None,
    precision: Literal["32-true", "bf16-mixed"] = "32-true",
    devices: int = 1,
    log_every: int = 100,
    checkpoint_every: int = 1000,
    keep: int | Literal["best"] = 2,
    init_from: str | None = None,
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    logger: str | None = None,
    watch: str | None = None,
    watch_every: int = 500,
    out: str | None = None,
    config: str | None = None,
    trust: str | None = None,
    print_config: bool = False,
    no_progress: bool = False,
) -> int:
    """Trains a method on data. The same line again continues the run where it stopped.

    Args:
        method: What to train.
        data: What to train it on: a class, or a file (.npz, .h5, .h5ad) or folder of your own.
        sampler: How examples are drawn; by default as the method needs them.
        steps: Training steps, or STAGE=N,STAGE=N for methods of several stages. Counts of genes
            need none: 400 epochs, and fewer of more than 20,000 cells.
        epochs: Instead of --steps, how often to see as many examples as there are.
        batch_size: Examples per step.
        seed: Of everything that is random: initial weights, batches, noise.
        validation: What is held out: a share of the data such as 0.1, or data as for --data.
        validate_every: Steps from one look at what is held out to the next.
        monitor: The held-out term that is compared, such as vae/nll; by default the first total.
        patience: Looks without a new lowest value, after which training ends.
        schedule: Learning rates by step, one of torch's such as CosineAnnealingLR.
        warmup: Steps over which learning rates grow from nearly 0.
        clip: The largest norm of a player's gradient; larger ones are scaled down to it.
        average: EMA or SWA, averages of the weights that the run ends with.
        precision: Of the arithmetic.
        devices: Processes, each on a device of its own.
        log_every: Steps from one row of the log to the next.
        checkpoint_every: Steps from one checkpoint to the next.
        keep: How many checkpoints to keep, or best: two and that of the lowest held-out value,
            with whose weights the run ends.
        init_from: A run's folder, whose weights to begin with.
        accelerator: What to train on.
        logger: Beside log.jsonl: tensorboard, wandb, mlflow, or several with commas.
        watch: Keep for the report how training goes: rates (of each dimension, with a warning where
            the posterior collapses), traversals (a film), or both with a comma.
        watch_every: Steps from one look to the next.
        out: The run's folder; runs/METHOD-DATA-SEED by default.
        config: A run's folder or its spec.yaml, to begin from; options override it.
        trust: Packages of your own, with commas, whose code the run's spec may name; beside untwine
            and torch.optim nothing else is imported.
        print_config: Print what would be trained, as YAML, and stop.
        no_progress: Show no progress.
    """
    spec = {name: value for name, value in locals().items() if name not in (*_MACHINE, *_SHOWN)}
    if print_config:
        import yaml

        print(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True), end="")
        return 0
    if steps is not None and epochs is not None:
        raise UsageError("--steps and --epochs both say how long to train: give one of them")
    if devices < 1:
        raise UsageError(f"--devices is {devices}: expected at least 1")
    loggers = [name.strip().lower() for name in (logger or "").split(",") if name.strip()]
    for name in loggers:
        if name not in _LOGGERS:
            known = f"There are {', '.join(_LOGGERS)}"
            raise UsageError(f"--logger is {name!r}{did_you_mean(name, _LOGGERS)} {known}")

    from lightning.fabric import Fabric
    from torch.optim.lr_scheduler import LRScheduler

    from ..reading import expanded
    from ..training import fit
    from ..training.fit import usual_epochs
    from ..training.plan import make_data, make_held_out, make_method

    names = [part["class_path"].rpartition(".")[2] for part in (method, data)]
    folder = expanded(out or f"runs/{'-'.join(names)}-{seed}")
    words = trusted(trust)
    try:
        observations = make_data(spec, words)
        if steps is None and epochs is None and usual_epochs(observations) is None:
            raise UsageError("--steps N is needed: how many training steps to make (or --epochs N)")
        built = make_method(spec, observations, words)
        drawn = instantiate(sampler, trust=words)
        held_out = make_held_out(spec, observations, words)
        rates = instantiate(schedule, LRScheduler, trust=words)
        averages = instantiate(average, trust=words)
    except (ValueError, TypeError, NotImplementedError, OSError, ImportError) as error:
        raise UsageError(str(error)) from error
    strategy = "ddp" if devices > 1 else "auto"
    try:
        fabric = Fabric(
            accelerator=accelerator, strategy=strategy, devices=devices, precision=precision
        )
    except (RuntimeError, ValueError) as error:
        machine = f"--accelerator {accelerator} --devices {devices}"
        raise UsageError(f"{machine}: {error}") from error
    first = fabric.global_rank == 0
    result = fit(
        built,
        observations,
        out=folder,
        fabric=fabric,
        sampler=drawn,
        validation=validation if isinstance(validation, float | int) else held_out,
        schedule=rates,
        average=averages,
        progress=not no_progress,
        callbacks=_watching(watch, watch_every),
        loggers=[_logger(name, folder, spec) for name in loggers] if first else (),
        **{name: spec[name] for name in _OF_FIT},
    )
    if first:
        row = result.rows[-1] if result.rows else {}
        minutes, seconds = divmod(round(row.get("seconds", 0.0)), 60)
        terms = "  ".join(f"{k} {v:.4g}" for k, v in row.items() if "/" in k and k != "images/s")
        time = f"{result.steps:,} steps in {minutes}:{seconds:02d}"
        time += f" ({result.stopped})" if result.stopped else ""
        place = shlex.quote(str(folder))
        following = f"Next:\n  untwine measure {place}\n  untwine report {place}"
        said = f"{' on '.join(names)}: {time}, in {folder}\n{terms}\n\n{following}"
        console().print(said, markup=False)
    return 0


def _logger(name: str, folder: Path, spec: Mapping[str, Any]) -> Any:
    """One of Lightning's loggers."""
    try:
        if name == "tensorboard":
            from lightning.fabric.loggers import TensorBoardLogger

            return TensorBoardLogger(folder, name="", version="tensorboard")
        from lightning.pytorch.loggers import MLFlowLogger, WandbLogger

        if name == "mlflow":
            return MLFlowLogger(experiment_name="untwine", run_name=folder.name)

        from ..training.plan import identity

        same = f"{folder.name}-{identity(spec)}"  # a resumed run is the same one
        return WandbLogger(name=folder.name, save_dir=folder, id=same, project="untwine")
    except ImportError as error:
        raise UsageError(
            f"--logger {name} needs a package that is not installed ({error.name or error}): "
            "pip install 'untwine[loggers]'"
        ) from error


def _watching(watch: str | None, every: int) -> list[Any]:
    """The callbacks of ``--watch``."""
    from ..training import RateWatch, TraversalFrames

    kinds = {"rates": RateWatch, "traversals": TraversalFrames}
    words = [word.strip().lower() for word in (watch or "").split(",") if word.strip()]
    for word in words:
        if word not in kinds:
            near = f"{did_you_mean(word, kinds)} There are {', '.join(kinds)}"
            raise UsageError(f"--watch is {word!r}{near}")
    if every < 1:
        raise UsageError(f"--watch_every is {every}: expected at least 1")
    return [kinds[word](every) for word in words]
