"""Optimizer state read from a file: shapes, types and options compared with the optimizer's own.

Fused kernels trust the shapes of their state: a moment of three values for a weight of a thousand
is read and written out of bounds. A checksum does not help against who writes the checksum, too.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["check_state"]


def check_state(optimizer: Optimizer, state: Any) -> None:
    """Refuses a state dictionary that is not of such an optimizer, before anything is loaded.

    Options must have the types and tensors the shapes, types and layouts that a step of this
    optimizer gives them. Where a step on copies of the parameters makes no such entry, it must
    have the parameter's shape or be a single number.

    Args:
        optimizer: Whose state it is to become.
        state: As ``optimizer.state_dict()`` makes it.

    Raises:
        ValueError: naming the entry, what it is and what was expected.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(4))
        >>> optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
        >>> state = optimizer.state_dict()
        >>> check_state(optimizer, state)
        >>> check_state(optimizer, {**state, "state": {0: {"momentum_buffer": torch.zeros(3)}}})
        Traceback (most recent call last):
        ValueError: momentum_buffer of parameter 0 is float32 (3,); expected float32 (4,)
    """
    if not isinstance(state, Mapping) or not {"state", "param_groups"} <= state.keys():
        raise ValueError("it holds no state and param_groups")
    expected = optimizer.state_dict()
    _check_groups(expected["param_groups"], state["param_groups"])
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    entries = state["state"]
    if not isinstance(entries, Mapping):
        raise ValueError(f"its state is a {type(entries).__name__}; expected a dictionary")
    after_step = _after_step(optimizer) if entries else {}
    for number, entry in entries.items():
        if type(number) is not int or not 0 <= number < len(parameters):
            raise ValueError(f"it has state of parameter {number!r}; there are {len(parameters)}")
        if not isinstance(entry, Mapping):
            raise ValueError(f"the state of parameter {number} is a {type(entry).__name__}")
        for name, value in entry.items():
            made = after_step.get(number, {}).get(name)
            _check_value(f"{name} of parameter {number}", value, parameters[number], made)


def _check_groups(expected: Any, groups: Any) -> None:
    if not isinstance(groups, list) or len(groups) != len(expected):
        raise ValueError(f"it has other groups of parameters than the {len(expected)} expected")
    for i, (here, there) in enumerate(zip(groups, expected, strict=True)):
        if not isinstance(here, Mapping) or here.get("params") != there["params"]:
            raise ValueError(f"group {i} has other parameters")
        for name, value in here.items():
            if name != "params" and name in there and not _alike(value, there[name]):
                raise ValueError(f"{name} of group {i} is {value!r}; expected one like "
                                 f"{there[name]!r}")  # fmt: skip
        missing = sorted(map(str, there.keys() - here.keys()))
        if missing:
            raise ValueError(f"group {i} lacks {', '.join(missing)}")


def _alike(value: Any, model: Any) -> bool:
    """Whether an option has the type of another one, and is finite."""
    if isinstance(model, Tensor):
        return (isinstance(value, Tensor) and value.shape == model.shape) or _number(value)
    if isinstance(model, tuple | list):
        same = isinstance(value, tuple | list) and len(value) == len(model)
        return same and all(_alike(v, m) for v, m in zip(value, model, strict=True))
    if isinstance(model, bool) or model is None or isinstance(model, str):
        return value is model if not isinstance(model, str) else isinstance(value, str)
    if isinstance(model, int | float):
        return _number(value) or (isinstance(value, Tensor) and value.numel() == 1)
    return type(value) is type(model)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _after_step(optimizer: Optimizer) -> dict[int, dict[str, Any]]:
    """The state that a step on copies makes; empty for an optimizer that cannot be copied."""
    try:
        trial = copy.deepcopy(optimizer)
        parameters = [p for group in trial.param_groups for p in group["params"]]
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        trial.step()
        return {i: dict(trial.state.get(p, {})) for i, p in enumerate(parameters)}
    except Exception:  # an optimizer of the user's may refuse in any way
        return {}


def _check_value(name: str, value: Any, parameter: Tensor, made: Any) -> None:
    if not isinstance(value, Tensor):
        if isinstance(made, Tensor) and made.ndim:
            raise ValueError(f"{name} is a {type(value).__name__}; expected {_describe(made)}")
        return
    alone = made is None and value.numel() == 1 and value.layout is torch.strided
    if alone or (isinstance(made, int | float) and value.numel() == 1):
        return
    model = made if isinstance(made, Tensor) else parameter
    if _describe(value) != _describe(model):
        raise ValueError(f"{name} is {_describe(value)}; expected {_describe(model)}")
    if not (value.is_contiguous() or value.stride() == model.stride()):
        raise ValueError(f"{name} has the strides {value.stride()}; expected {model.stride()}")


def _describe(tensor: Tensor) -> str:
    layout = "" if tensor.layout is torch.strided else f" {tensor.layout}"
    return f"{tensor.dtype} {tuple(tensor.shape)}{layout}".replace("torch.", "")
