"""`untwine train`: trains a method on data."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from .console import console
from .errors import UsageError
from .order import SETTINGS, Order, order

__all__ = ["run", "train"]


def run(argv: Sequence[str]) -> int:
    """Trains as the command line says."""
    asked = order(argv)
    if asked is None:
        return 0
    result = train(asked)
    if result is not None:
        out = shlex.quote(str(asked.out))
        console().print(
            f"\nNext:\n  untwine measure {out}\n  untwine report {out}", highlight=False
        )
    return 0


def train(asked: Order) -> Any:
    """Makes the run; returns it in the first process, ``None`` in the others."""
    from ..spec import instantiate
    from ..training import fit
    from ..training.plan import make_data, make_method

    spec = asked.spec
    try:
        data = make_data(spec, asked.trust)
        method = make_method(spec, data, asked.trust)
        sampler = instantiate(spec["sampler"], trust=asked.trust)
    except (ValueError, TypeError, NotImplementedError, OSError, ImportError) as error:
        raise UsageError(str(error)) from error
    fabric = _fabric(asked)
    settings = {k: spec[k] for k in SETTINGS if k not in ("precision", "devices")}
    result = fit(
        method,
        data,
        out=asked.out,
        fabric=fabric,
        sampler=sampler,
        progress=asked.progress,
        loggers=_made(asked) if fabric.global_rank == 0 else (),
        **settings,
    )
    if fabric.global_rank:
        return None
    _tell(result, asked)
    return result


def _made(asked: Order) -> list[Any]:
    """Lightning's loggers."""
    from ..training.plan import identity

    made: list[Any] = []
    try:
        for name in asked.loggers:
            if name == "tensorboard":
                from lightning.fabric.loggers import TensorBoardLogger

                made.append(TensorBoardLogger(asked.out, name="", version="tensorboard"))
            elif name == "wandb":
                from lightning.pytorch.loggers import WandbLogger

                same = f"{asked.out.name}-{identity(asked.spec)}"  # a resumed run is the same one
                made.append(
                    WandbLogger(name=asked.out.name, save_dir=asked.out, id=same, project="untwine")
                )
            else:
                from lightning.pytorch.loggers import MLFlowLogger

                made.append(MLFlowLogger(experiment_name="untwine", run_name=asked.out.name))
    except ImportError as error:
        raise UsageError(
            f"--logger {name} needs a package that is not installed ({error.name or error}): "
            "pip install 'untwine[loggers]'"
        ) from error
    return made


def _fabric(asked: Order) -> Any:
    from lightning.fabric import Fabric

    devices = asked.spec["devices"]
    if devices < 1:
        raise UsageError(f"--devices is {devices}: expected at least 1")
    try:
        return Fabric(
            accelerator=asked.accelerator,
            devices=devices,
            precision=asked.spec["precision"],
            strategy="ddp" if devices > 1 else "auto",
        )
    except (RuntimeError, ValueError) as error:
        given = f"--accelerator {asked.accelerator} --devices {devices}"
        raise UsageError(f"{given}: {error}") from error


def _tell(result: Any, asked: Order) -> None:
    """Says what was trained."""
    row = result.rows[-1] if result.rows else {}
    method, data = (asked.spec[k]["class_path"].rpartition(".")[2] for k in ("method", "data"))
    minutes, seconds = divmod(round(row.get("seconds", 0.0)), 60)
    terms = "  ".join(f"{k} {v:.4g}" for k, v in row.items() if "/" in k and k != "images/s")
    console().print(
        f"{method} on {data}: {result.steps:,} steps in {minutes}:{seconds:02d}, "
        f"in {asked.out}\n{terms}",
        highlight=False,
        markup=False,
    )
