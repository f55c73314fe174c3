"""A point of a sweep as the spec of a run, and the run's name: a hash of the spec."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..settings.errors import UsageError, did_you_mean
from ..settings.tree import Tree

__all__ = ["Planned", "planned", "run_name"]

ROOTS = ("method", "data", "sampler")
TAGS = "tags"
_FIT = {"steps": None, "batch_size": 64, "seed": 0, "precision": "32-true"}
_BESIDE = {"log_every": None, "checkpoint_every": None}
"""Settings that change no weight, and so are no part of a run's name."""
_FILES = {".npz": "Npz", ".h5": "H5", ".hdf5": "H5", ".h5ad": "H5AD"}
_PRECISIONS = ("32-true", "bf16-mixed")
_LENGTH = 12


@dataclass(frozen=True)
class Planned:
    """A run of a study, before it is made.

    Attributes:
        name: A hash of the spec, and of the folder.
        settings: The point: settings by name, as they were given.
        spec: Method, data, sampler, steps, batch size, seed and precision as plain data.
        tags: What a point says of a run that decides nothing, by name.
        every: ``log_every`` and ``checkpoint_every``, where they were given.
    """

    name: str
    settings: Mapping[str, Any]
    spec: Mapping[str, Any]
    tags: Mapping[str, Any] = field(default_factory=dict)
    every: Mapping[str, int] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The short name of the method's class."""
        return str(self.spec["method"]["class_path"]).rpartition(".")[2]


def planned(
    points: Iterable[Mapping[str, Any]], trust: Sequence[str] = (), file: str = "the study"
) -> list[Planned]:
    """The runs of some points, each once, in their order.

    Args:
        points: Settings by name, as options of ``untwine train`` without dashes. ``tags.NAME`` is a
            column of the table that decides nothing.
        trust: Packages of which the points may name classes, see `spec.check_trust`.
        file: Where they are from, for complaints.

    Raises:
        UsageError: for settings that there are not, and values of another type.

    Example:
        >>> settings = {"method": "BetaVAE", "method.beta": 4, "data": "DSprites", "steps": 10}
        >>> run, = planned([settings, {**settings, "tags.note": "again"}])
        >>> run.method, run.spec["method"]["init_args"]
        ('BetaVAE', {'latent_dim': 10, 'seed': 0, 'beta': 4.0})
    """
    made: dict[str, dict[str, Any] | None] = {}
    runs: dict[str, Planned] = {}
    for number, point in enumerate(points):
        try:
            run = _planned(_flat(point), trust, file, made)
        except UsageError as error:
            raise UsageError(f"run {number} of {file} ({_shown(point)}): {error}") from error
        runs.setdefault(run.name, run)
    return list(runs.values())


def run_name(spec: Mapping[str, Any]) -> str:
    """A hash of everything that decides what a run's weights are.

    Example:
        >>> run_name({"steps": 1, "seed": 0}) == run_name({"seed": 0, "steps": 1})
        True
    """
    text = json.dumps(spec, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def _planned(
    point: dict[str, Any], trust: Sequence[str], file: str, made: dict[str, dict[str, Any] | None]
) -> Planned:
    tags = {k.removeprefix(f"{TAGS}."): v for k, v in point.items() if k.startswith(f"{TAGS}.")}
    point = {k: v for k, v in point.items() if not k.startswith(f"{TAGS}.")}
    known = (*ROOTS, *_FIT, *_BESIDE)
    for name in point:
        root, dot, _ = name.partition(".")
        if root not in known or (dot and root not in ROOTS):
            near = did_you_mean(name, known)
            raise UsageError(
                f"there is no setting {name!r}{near} A run has {', '.join(known)}, what method, "
                "data and sampler take (method.beta), and tags.NAME"
            )
    for root, listing in (("method", "methods"), ("data", "data")):
        if root not in point:
            raise UsageError(f"{root} is needed; untwine {listing} lists what there is")
    if point.get("steps") is None:
        raise UsageError("steps is needed: how many training steps to make")
    numbers = {name: point.get(name, default) for name, default in _FIT.items()}
    numbers["steps"] = _steps(numbers["steps"])
    _whole("batch_size", numbers["batch_size"], 1)
    _whole("seed", numbers["seed"], 0)
    if numbers["precision"] not in _PRECISIONS:
        raise UsageError(
            f"precision is {numbers['precision']!r}: expected {' or '.join(_PRECISIONS)}"
        )
    every = {name: point[name] for name in _BESIDE if point.get(name) is not None}
    for name, value in every.items():
        _whole(name, value, 1)
    spec: dict[str, Any] = {}
    for root in ROOTS:
        texts = {k: _text(v) for k, v in point.items() if k.partition(".")[0] == root}
        key = json.dumps([root, texts], sort_keys=True)
        if key not in made:
            made[key] = _object(root, texts, trust, file)
        written = made[key]
        if root == "method" and written is not None:
            arguments = {"latent_dim": 10, "seed": numbers["seed"], **written["init_args"]}
            if arguments["seed"] is None:
                arguments["seed"] = numbers["seed"]
            written = {**written, "init_args": arguments}
        spec[root] = written
    spec |= numbers
    return Planned(run_name(spec), point, spec, tags, every)


def _object(
    root: str, texts: dict[str, str], trust: Sequence[str], file: str
) -> dict[str, Any] | None:
    """Method, data or sampler as plain data."""
    from ..data import FactorDataset, Multimodal, Sampler
    from ..methods.method import Method

    bases = {"method": (Method,), "data": (FactorDataset, Multimodal), "sampler": (Sampler,)}
    name = texts.get("data", "")
    if Path(name).suffix in _FILES or {"/", os.sep} & set(name):  # data: mine.npz, photos/mine
        texts = texts | {"data": _FILES.get(Path(name).suffix, "Folder"), "data.path": name}
    return Tree(texts, file, trust, by_user=False).spec(root, bases[root])


def _flat(point: Mapping[str, Any]) -> dict[str, Any]:
    """A point whose classes with arguments, as specs write them, are settings with dots."""
    flat: dict[str, Any] = {}
    for name, value in point.items():
        if isinstance(value, Mapping) and "class_path" in value:
            flat[name] = value["class_path"]
            inside = value.get("init_args") or {}
            if not isinstance(inside, Mapping):
                raise UsageError(f"init_args of {name} is {inside!r}: expected names and values")
            flat |= _flat({f"{name}.{k}": v for k, v in inside.items()})
        else:
            flat[name] = value
    return flat


def _text(value: Any) -> str:
    """A value as it would be typed."""
    return value if isinstance(value, str) else json.dumps(value)


def _steps(value: Any) -> int | dict[str, int]:
    if isinstance(value, Mapping):
        for stage, number in value.items():
            _whole(f"steps of {stage}", number, 1)
        return dict(value)
    _whole("steps", value, 1)
    return int(value)


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name} is {value!r}: expected a whole number from {least}")


def _shown(point: Mapping[str, Any]) -> str:
    text = ", ".join(f"{name}={value}" for name, value in point.items())
    return text if len(text) < 120 else f"{text[:116]}..."
