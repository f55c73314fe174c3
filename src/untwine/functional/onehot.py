"""One-hot vectors of classes."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["one_hot"]


def one_hot(index: Tensor, classes: int) -> Tensor:
    """Unit vectors, float, without the check of ``index`` that would wait for a device.

    Shape: ``(B,)`` integers to ``(B, classes)``; an index out of range gives zeros.

    Example:
        >>> one_hot(torch.tensor([1, 0]), 3)
        tensor([[0., 1., 0.],
                [1., 0., 0.]])
    """
    values = torch.arange(classes, device=index.device)
    return (index.unsqueeze(-1) == values).to(torch.get_default_dtype())
