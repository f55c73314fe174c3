"""Categorical prior over one-hot vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ...checks import check_scale, check_size
from ..one_hot import OneHot
from .base import Prior

__all__ = ["OneHotPrior"]


class OneHotPrior(Prior):
    r"""Classes of equal probability, :math:`P(e_k) = 1/K`, or of given or learned ones.

    Args:
        classes: :math:`K`.
        probs: Probabilities of the classes; equal by default.
        learned: Whether they are learned.
        temperature: Of relaxed samples, see `OneHot`.

    Raises:
        ValueError: for fewer than two classes, probabilities that are not ``classes`` positive
            numbers, or a temperature that is not positive.
    """

    def __init__(
        self,
        classes: int,
        probs: Sequence[float] | None = None,
        learned: bool = False,
        temperature: float = 0.67,
    ) -> None:
        super().__init__()
        check_scale("temperature", temperature)
        self.temperature = temperature
        if classes < 2:
            raise ValueError(f"a categorical variable has at least 2 classes, got {classes}")
        check_size("classes", classes)
        weights = torch.ones(classes) if probs is None else torch.tensor([float(p) for p in probs])
        if weights.shape != (classes,) or not bool(((weights > 0) & weights.isfinite()).all()):
            raise ValueError(f"probs is {probs}; expected {classes} positive numbers")
        logits = (weights / weights.sum()).log()
        self.logits = nn.Parameter(logits) if learned else nn.Buffer(logits, persistent=False)

    def forward(self) -> OneHot:
        """The prior."""
        return OneHot(self.logits, self.temperature)
