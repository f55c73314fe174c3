"""Subject of a report: a run, its method and its data, with facts in words."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from ..data import Downsampled, Slice
from ..encoding import evaluating, posterior_of
from ..methods import VAE
from ..reading import read_json
from ..training import Run
from .findings import Findings
from .settings import hyperparameters, plain_text, written

__all__ = ["Subject", "about", "data_name"]


@dataclass(frozen=True)
class Subject:
    """What is reported on, and where to.

    Attributes:
        run: Or ``None`` for a method that comes without one.
        method: As trained.
        data: A `FactorDataset`.
        out: The page.
        own: Whether method and data are the run's.
        unfinished: How far a run got that has not finished.
    """

    run: Run | None
    method: Any
    data: Any
    out: Path
    own: bool
    unfinished: str | None

    @property
    def folder(self) -> Path | None:
        """The run's folder, if there is one."""
        return self.run.path if self.run is not None else None


def about(subject: Subject, findings: Findings) -> dict[str, Any]:
    """Names, facts, settings and the way to repeat the run."""
    method, data, run = subject.method, subject.data, subject.run
    spec: Mapping[str, Any] = {} if run is None else run.spec
    doc = plain_text((type(method).__doc__ or "").strip().partition("\n")[0]).rstrip(".")
    facts: dict[str, str] = {}
    if run is not None:
        facts["steps"] = f"{run.steps:,}"
        facts["batch size"] = str(spec.get("batch_size", ""))
        facts["seed"] = str(spec.get("seed", ""))
        if len(run.rows):
            facts["training time"] = _duration(float(run.rows[-1].get("seconds", 0.0)))
    facts["code dimensions"] = str(findings.codes.mean.shape[1])
    if isinstance(method, nn.Module):
        facts["parameters"] = f"{sum(p.numel() for p in method.parameters()):,}"
    facts["observations"] = f"{len(data):,}"
    shapes = data.shape if isinstance(data.shape, Mapping) else {"": data.shape}
    facts["shape of one"] = ", ".join(
        f"{name} {' × '.join(map(str, shape))}".strip() for name, shape in shapes.items()
    )
    rules = _rules(method, data)
    if rules:
        same_rule = len(set(rules.values())) == 1
        texts = [rule if same_rule else f"{term}: {rule}" for term, rule in rules.items()]
        facts["divergences"] = texts[0] if same_rule else "; ".join(texts)
    training = {
        key: written(value)
        for key, value in spec.items()
        if key not in ("method", "data") and value is not None
    }
    return {
        "name": type(method).__name__,
        "summary": doc,
        "data_name": data_name(data),
        "data_factors": [f"{n} ({s})" for n, s in _sizes(data)],
        "facts": facts,
        "unfinished": subject.unfinished,
        "other": run is not None and not subject.own,
        "planned": _planned(spec.get("steps")),
        "folder": None if subject.folder is None else str(subject.folder),
        "command": None if run is None else run.command,
        "spec": yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True) if spec else None,
        "settings": hyperparameters(method),
        "training": training,
        "machine": _machine(subject.folder),
        "version": version("untwine"),
    }


def _rules(method: Any, data: Any) -> dict[str, str]:
    """How each divergence of the loss is computed, where the penalty says."""
    if not isinstance(method, VAE):
        return {}
    with torch.no_grad(), evaluating(method):
        q = posterior_of(method, data, np.arange(min(2, len(data))))
        return method.penalty.rules(q, method.prior())


def data_name(data: Any) -> str:
    """Of the class; a slice, or smaller images, are called by the data set they are of."""
    if isinstance(data, Downsampled):
        height, width = data.shape[1:]
        return f"{data_name(data.data)} {height}x{width}"
    if not isinstance(data, Slice):
        return type(data).__name__
    values = ", ".join(
        f"{factor} {data.data.values[factor][value] if factor in data.data.values else value}"
        for factor, value in data.at.items()
    )
    return f"{data_name(data.data)} ({values})"


def _sizes(data: Any) -> list[tuple[str, int]]:
    return list(zip(data.space.names, data.space.sizes, strict=True))


def _machine(folder: Path | None) -> dict[str, str]:
    """Where the run was made; where this page is made, if that was not written down."""
    file = None if folder is None else folder / "environment.json"
    if file is not None and file.exists():
        try:
            facts = read_json(file)
            if not isinstance(facts, dict):
                raise ValueError("it holds no facts by name")
        except (OSError, ValueError) as error:
            raise ValueError(f"{file} is damaged ({error}): delete it to go on") from error
    else:
        facts = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "platform": platform.platform(),
        }
    facts = {k: v for k, v in facts.items() if v is not None}
    return {k: " ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in facts.items()}


def _planned(steps: Any) -> str | None:
    return f"{steps:,}" if isinstance(steps, int) else None if steps is None else written(steps)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
