"""A module's state as safetensors: nothing that is read from disk executes code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

__all__ = ["load_weights", "read_weights", "tensors", "weights"]

_SHARED = "shared"


def weights(module: nn.Module) -> bytes:
    """The parameters and buffers of a module, in safetensors' format.

    A tensor that has several names (tied weights) is stored once, with its other names in the
    header. The same state gives the same bytes.

    Raises:
        TypeError: for state that is no tensor (a module's extra state).

    Example:
        >>> tied = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
        >>> separate = len(weights(tied))
        >>> tied[1].weight = tied[0].weight
        >>> separate - len(weights(tied)) > 7 * 8 * 4
        True
    """
    stored: dict[str, Tensor] = {}
    names: dict[tuple, str] = {}
    shared: dict[str, str] = {}
    for name, value in module.state_dict().items():
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name} of {type(module).__name__} is a {type(value).__name__}: only tensors can "
                "be saved; keep other state in constructor arguments or in buffers"
            )
        place = (value.data_ptr(), value.shape, value.stride(), value.dtype)
        if value.numel() and place in names:
            shared[name] = names[place]
        else:
            names[place] = name
            copy = torch.empty(value.shape, dtype=value.dtype)
            stored[name] = copy.copy_(value.detach())
    header = {_SHARED: json.dumps(shared, sort_keys=True)} if shared else None
    return safetensors.torch.save(stored, header)


def tensors(values: Mapping[str, Tensor]) -> bytes:
    """Tensors by name, in safetensors' format; none may share memory with another."""
    return safetensors.torch.save({name: v.detach().contiguous() for name, v in values.items()})


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Copies a file of `weights` into a module.

    Raises:
        ValueError: if the file is no complete safetensors file, or not of such a module.
        FileNotFoundError: if it is not there.
    """
    state = read_weights(path)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"{path} holds the weights of another model than this {type(module).__name__}: build "
            f"it with the arguments that it was trained with. {error}"
        ) from error


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file of `weights`, by all of their names.

    Raises:
        ValueError: if it is no complete safetensors file.
        FileNotFoundError: if it is not there.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there are no weights here")
    try:
        with safe_open(path, framework="pt") as file:
            shared = json.loads((file.metadata() or {}).get(_SHARED, "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return state | {str(name): state[first] for name, first in shared.items()}
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise ValueError(
            f"{path} is truncated or corrupt ({e}): restore it from a copy, or continue from a "
            "checkpoint of the run"
        ) from e
