"""Random numbers of a step, noted while one seed draws them and handed out to stacked seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["NoiseRecord", "NoiseReplay"]

_DRAWS = (torch.rand, torch.randn, torch.rand_like, torch.randn_like, torch.randperm,
          Tensor.normal_, Tensor.uniform_, Tensor.exponential_)  # fmt: skip
"""Random numbers that depend on shapes alone, and so can be drawn before they are asked for."""


class NoiseRecord(TorchFunctionMode):
    """Notes which random numbers are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], Tensor]] = []

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function in _DRAWS:
            like = torch.empty_like(result)
            if args and isinstance(args[0], Tensor):  # such as x.normal_() and rand_like(x)

                def call() -> Tensor:
                    return function(like.clone(), *args[1:], **kwargs)
            else:

                def call() -> Tensor:
                    return function(*args, **kwargs)

            self.calls.append(call)
        return result


class NoiseReplay(TorchFunctionMode):
    """Hands out random numbers that were drawn before."""

    def __init__(self, noise: Sequence[Tensor]) -> None:
        super().__init__()
        self._noise = iter(noise)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return next(self._noise) if function in _DRAWS else function(*args, **(kwargs or {}))
