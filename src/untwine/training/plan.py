"""Specs of runs: method, data and settings as plain data, and the objects made from them."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence, Sized
from functools import partial
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from .._version import __version__
from ..methods.method import Method, Stage
from ..methods.snapshot import Snapshot, tensors_digest
from ..spec import check_trust, describe, instantiate, locate

__all__ = [
    "CUSTOM",
    "check_positive",
    "differences",
    "identity",
    "make_data",
    "make_held_out",
    "make_method",
    "moves_by_stage",
    "plan",
    "start",
    "warn_of_changes",
    "with_start",
    "written_data",
    "written_schedule",
]

CUSTOM = "custom"
_LONGEST = 2**16
_IDENTITY = ("method", "data", "sampler", "batch_size", "seed", "precision", "devices")
_TUNING = ("schedule", "warmup", "clip", "average", "validation", "validate_every", "monitor")
"""Of the identity of those runs that have them."""
_START = ("weights", "initial")
"""What a spec says of a method's weights before the first step."""
_NEVER = (*_START, "places")
_BESIDE = ("files", "content", "loader", "built_for", *_NEVER)
"""What older specs lack, and what no digest of a run is made of."""


def plan(
    method: Method, data: Any, sampler: Any, digests: bool = False, **settings: Any
) -> dict[str, Any]:
    """The spec of a run, as plain data.

    A method that ``build`` made is written as its class and ``build``'s arguments, one that its
    constructor made with ``made_by: constructor`` beside them. What was made by hand, from parts
    or arrays that a spec cannot hold, is marked ``parts: custom``: the run can still be resumed
    and loaded, by whoever has those parts. So is a method whose settings or parts were changed
    after it was made, with what was changed beside it.

    Args:
        method: What is trained.
        data: What it is trained on.
        sampler: As given to `fit`, or None.
        digests: Whether to note size and SHA-256 of the files that the data came from.
        **settings: The other arguments of `fit`.
    """
    from ..data.digests import file_digests, file_places

    files = {"files": file_digests(data), "places": file_places(data)} if digests else {}
    return {
        "untwine": __version__,
        "method": _method(method),
        "data": {**_data(data), **{key: noted for key, noted in files.items() if noted}},
        "sampler": _sampler(sampler),
        **describe(settings),
    }


def identity(spec: Mapping[str, Any]) -> str:
    """A digest of everything that decides what the weights are after a number of steps."""
    decisive = {key: spec.get(key) for key in _IDENTITY}
    for key in ("method", "data"):  # files may be read from elsewhere next time
        entry = decisive[key]
        if isinstance(entry, Mapping):
            decisive[key] = {k: v for k, v in entry.items() if k not in _BESIDE}
    for key in ("init_from", *_TUNING):
        if spec.get(key):
            decisive[key] = spec[key]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What keeps two specs from being the same run, as ``key: old, now new``."""
    found: list[str] = []
    for key in (*_IDENTITY, "init_from", *_TUNING):
        _compare(key, old.get(key), new.get(key), found)
    return found


def warn_of_changes(spec: Mapping[str, Any], data: Any, stacklevel: int = 2) -> None:
    """Looks at the files that a run's data came from, where their digests were noted.

    Warns:
        UserWarning: naming each one whose content has changed.
    """
    from ..data.digests import changed_files

    written = spec.get("data")
    noted = written.get("files") if isinstance(written, Mapping) else None
    for change in changed_files(data, noted):
        warnings.warn(f"{change}: this is not what it was trained on", stacklevel=stacklevel + 1)


def moves_by_stage(steps: int | Mapping[str, int], stages: Sequence[Stage]) -> dict[str, int]:
    """How often to call ``moves`` in each stage.

    Raises:
        ValueError: for stages that the method does not have or that are left out, and for a number
            of steps that is no positive integer.

    Example:
        >>> moves_by_stage(10, [Stage("codes", iter), Stage("encoder", iter)])
        {'codes': 10, 'encoder': 10}
    """
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names) or any(not n or set(n) & set("/\\:") for n in names):
        raise ValueError(f"stages need different names that a folder may have, got {names}")
    asked = steps if isinstance(steps, Mapping) else dict.fromkeys(names, steps)
    if set(asked) != set(names):
        raise ValueError(
            f"steps names the stages {sorted(asked)}, but the method's stages are {names}: give "
            "each of them a number, or one number for all"
        )
    for name, number in asked.items():
        check_positive(f"steps of stage {name!r}", number)
    return {name: int(asked[name]) for name in names}


def check_positive(what: str, number: Any) -> None:
    """Refuses what is no positive integer.

    Raises:
        ValueError: naming it.
    """
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise ValueError(f"{what} must be a positive integer, got {number!r}")


def make_data(spec: Mapping[str, Any], trust: Sequence[str] = ()) -> Any:
    """The data set that a run's spec describes.

    Args:
        spec: The run's.
        trust: Packages of which the spec may name classes, see `spec.check_trust`.

    Raises:
        ValueError: if it was made by hand, or is no data set.
    """
    from ..data import FactorDataset, Multimodal
    from ..data.digests import relocated

    written = _entry(spec, "data")
    if written.get("parts") == CUSTOM:
        raise ValueError(
            f"the data of this run ({written['class_path']}) was made by hand and is not in its "
            "spec: pass it, as in Run.load(folder, data=data)"
        )
    return instantiate(relocated(written), (FactorDataset, Multimodal), trust=trust)


def make_held_out(spec: Mapping[str, Any], data: Any, trust: Sequence[str] = ()) -> Any:
    """What the run of a spec holds out, or ``None``.

    Args:
        spec: The run's.
        data: What the run divides, where a share of it is held out.
        trust: Packages of which the spec may name classes.

    Raises:
        ValueError: if it was made by hand.
    """
    from .held_out import split

    written = spec.get("validation")
    if written is None or isinstance(written, int | float):
        return None if written is None else split(data, written, spec["seed"])[1]
    return make_data({"data": written}, trust)


def written_data(data: Any) -> dict[str, Any]:
    """Data as a spec holds it."""
    return _data(data)


def written_schedule(schedule: Any) -> dict[str, Any]:
    """What makes a schedule of the learning rate, as a spec holds it."""
    written = _plain(schedule) if isinstance(schedule, partial | type) else None
    if written is None:
        written = _custom(schedule.func if isinstance(schedule, partial) else schedule)
    return written


def start(method: Method, stated: bool = False) -> dict[str, Any]:
    """What a spec says of weights before the first step: their digest, and whether a method that
    is made from the spec begins with others.

    Args:
        method: Before the first step.
        stated: Whether the spec says where its weights are from.
    """
    weights = tensors_digest(method.state_dict())
    own = stated or method.snapshot.weights == weights
    return {"weights": weights} if own else {"weights": weights, "initial": CUSTOM}


def with_start(spec: dict[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """A spec whose method begins as some words say, see `start`."""
    about = {k: v for k, v in spec["method"].items() if k not in _START}
    return {**spec, "method": {**about, **{k: words[k] for k in _START if k in words}}}


def make_method(
    spec: Mapping[str, Any],
    data: Any = None,
    trust: Sequence[str] = (),
    changed: bool = False,
) -> Method:
    """The method that a run's spec describes, with fresh weights.

    Args:
        spec: The run's.
        data: Which ``build`` fits the parts to; by default an outline of it, into which trained
            weights can be put. Specs of the first edition hold none: it is made from the spec.
        trust: Packages of which the spec may name classes, see `spec.check_trust`.
        changed: Whether a method that was changed after it was made is wanted as it was made.

    Raises:
        ValueError: if it was made by hand, or is no `Method`.
        ImportError: if its class cannot be imported.

    Warns:
        UserWarning: of what was changed.
    """
    written = _entry(spec, "method")
    changes = written.get("changed")
    if changed and isinstance(changes, Mapping):
        warnings.warn(
            f"the method of this run was changed after it was made ({_words(changes)}); this one "
            "is as it was before: make the same changes to train it on",
            stacklevel=3,
        )
    elif written.get("parts") == CUSTOM:
        raise ValueError(
            f"the method of this run ({written['class_path']}) was made by hand, from parts that "
            "are not in its spec: make it again and pass it, as in Run.load(folder, method=method)"
        )
    from ..data.outline import of_outline

    check_trust(written, trust)
    cls = locate(written["class_path"])
    if not (isinstance(cls, type) and issubclass(cls, Method)):
        raise ValueError(f"{written['class_path']} is no method: expected a subclass of Method")
    arguments = {
        k: instantiate(v, trust=trust) for k, v in (written.get("init_args") or {}).items()
    }
    if written.get("made_by") == "constructor":
        return cls(**arguments)
    if data is None and isinstance(written.get("built_for"), Mapping):
        data = of_outline(written["built_for"])
    return cls.build(make_data(spec, trust) if data is None else data, **arguments)


def _entry(spec: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    written = spec.get(key)
    if not isinstance(written, Mapping) or "class_path" not in written:
        raise ValueError(f"the spec's {key!r} is {written!r}: expected class_path and init_args")
    return written


def _method(method: Method) -> dict[str, Any]:
    how = method._made[0]
    written = _plain(method) if how in (None, "build") else None
    if written is not None and method.built_for is not None:
        written = {**written, "built_for": method.built_for}
    changes = method.snapshot.changes(Snapshot.of(method))
    if written is not None and changes:
        built = {} if how == "build" else {"made_by": "constructor"}
        return {**written, **built, "parts": CUSTOM, "changed": describe(changes)}
    if written is not None:
        return written if how == "build" else {**written, "made_by": "constructor"}
    try:
        arguments = {k: _plain(v) for k, v in method.arguments.items() if v is not None}
    except (TypeError, ValueError):  # positional arguments without names
        arguments = {}
    known = {k: v for k, v in arguments.items() if v is not None}
    return {"class_path": _name(method), "init_args": known, "parts": CUSTOM}


def _words(changes: Mapping[str, Any]) -> str:
    """What was changed, as far as it fits into a line."""
    words = [f"{k}: {pair[0]!r}, now {pair[1]!r}" for k, pair in list(changes.items())[:3]]
    return "; ".join(words) + (f"; {len(changes) - 3} more" if len(changes) > 3 else "")


def _data(data: Any) -> dict[str, Any]:
    from ..data import FactorDataset, Loader, Multimodal
    from ..data.digests import content_digest

    if isinstance(data, DataLoader):
        size = data.batch_size or getattr(data.batch_sampler, "batch_size", None)
        rows = len(data.dataset) if isinstance(data.dataset, Sized) else None
        return {**_custom(data), "loader": {"batch_size": size, "rows": rows}}
    if isinstance(data, Loader):
        about = {"data": _data(data.data), "sampler": _sampler(data.sampler)}
        return {**_custom(data), **about, "batch_size": data.batch_size, "seed": data.seed}
    written = _plain(data) if isinstance(data, FactorDataset | Multimodal) else None
    if written is not None:
        return written
    if isinstance(data, Multimodal):
        return {**_custom(data), "content": content_digest(data)}
    if not isinstance(data, FactorDataset):
        return _custom(data)
    index = np.unique(np.linspace(0, len(data) - 1, 64).astype(np.int64))
    digest = hashlib.sha256(np.ascontiguousarray(data.factors[index]).tobytes())
    digest.update(data.observations(index).contiguous().numpy().tobytes())
    about = {"size": len(data), "shape": list(data.shape), "sha256": digest.hexdigest()}
    return {**_custom(data), **about, "content": content_digest(data)}


def _sampler(sampler: Any) -> Any:
    return None if sampler is None else _plain(sampler) or _custom(sampler)


def _plain(value: Any) -> Any:
    """A value as plain data, or None if it is nothing that a spec can hold and others can read."""
    try:
        written = describe(value)
        text = json.dumps(written)
    except (TypeError, ValueError):
        return None
    return None if "__main__." in text or len(text) > _LONGEST else written


def _custom(value: Any) -> dict[str, Any]:
    return {"class_path": _name(value), "parts": CUSTOM}


def _name(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    try:
        return describe(named)["class_path"]
    except ValueError:  # made inside a function: the name is for people alone
        return f"{named.__module__}.{named.__qualname__}"


def _compare(key: str, old: Any, new: Any, found: list[str]) -> None:
    if key == "data.files":
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed = (path for path in old.keys() & new.keys() if old[path] != new[path])
            found += (f"the content of {p} has changed since the run was made" for p in changed)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in {**old, **new}:
            if name not in _NEVER and (name in old or name not in _BESIDE):
                _compare(f"{key}.{name}", old.get(name), new.get(name), found)
    elif old != new:
        found.append(f"{key}: {old!r}, now {new!r}")
