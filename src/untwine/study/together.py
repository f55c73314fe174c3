"""Runs that differ in their seed alone, trained at once where that is wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..spec import instantiate
from .folder import Folder
from .points import Planned
from .work import Sets, Work

__all__ = ["groups", "train_together"]


def groups(runs: Sequence[Planned], folder: Folder, most: int) -> list[list[Planned]]:
    """Runs in their order, with those together that differ in their seed alone.

    A run that has begun already stands alone.

    Args:
        runs: What is left of a study.
        folder: Of the study.
        most: How many runs a group has at most.
    """
    made: list[list[Planned]] = []
    open_groups: dict[str, list[Planned]] = {}
    for run in runs:
        if most < 2 or (folder.runs / run.name / "spec.yaml").exists():
            made.append([run])
            continue
        key = json.dumps([_but_seed(run.spec), dict(run.every)], sort_keys=True)
        group = open_groups.get(key)
        if group is None or len(group) == most:
            group = open_groups[key] = []
            made.append(group)
        group.append(run)
    return made


def train_together(runs: Sequence[Planned], folder: Folder, work: Work, sets: Sets) -> str:
    """Trains runs that differ in their seed alone, and leaves each in its folder, not measured.

    Args:
        runs: A group.
        folder: Of the study.
        work: How runs are made.
        sets: The data sets of this process.

    Returns:
        Why they could not be, or nothing: then the runs are to be made one after the other.
    """
    import torch

    from ..training import NonFiniteLoss, Unstackable, fit_stacked
    from ..training.plan import make_method

    spec = runs[0].spec
    if work.limit is not None:
        return "a time limit is of single runs"
    if not isinstance(spec["steps"], int) or spec["precision"] != "32-true":
        return "they have steps by stage, or mixed precision"
    torch.set_num_threads(work.threads)
    try:
        data = sets.get(spec)
        fit_stacked(
            [make_method(run.spec, data, work.trust) for run in runs],
            data,
            seeds=[run.spec["seed"] for run in runs],
            steps=spec["steps"],
            batch_size=spec["batch_size"],
            sampler=instantiate(spec["sampler"], trust=work.trust),
            out=[folder.runs / run.name for run in runs],
            log_every=runs[0].every.get("log_every", 100),
            checkpoint_every=runs[0].every.get("checkpoint_every", 1000),
            keep=1,
        )
    except (Unstackable, NonFiniteLoss, RuntimeError, TypeError, ValueError) as error:
        return str(error)
    return ""


def _but_seed(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A run's spec without its seed, and without the method's where that is the same."""
    method = spec["method"]
    arguments = dict(method["init_args"])
    if arguments.get("seed") == spec["seed"]:
        arguments.pop("seed")
    return {**spec, "seed": None, "method": {**method, "init_args": arguments}}
