"""Checks of labels, before training begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from ..data.batches import Batch, FewLabels

__all__ = ["check_batches"]


def check_batches(
    batches: Iterable[Batch], names: Sequence[str], sizes: Sequence[int], unknown: bool = False
) -> None:
    """Refuses labels that do not fit, before training begins.

    Args:
        batches: Of `FewLabels`; the first one is looked at.
        names: Of the K factors.
        sizes: Their numbers of values.
        unknown: Whether -1 is accepted.

    Raises:
        ValueError: for a number of labels that is not K, and for a value that is no class, with
            its place.
    """
    labels = FewLabels.check(next(iter(batches))).yl
    table = labels.reshape(len(labels), -1)
    if table.shape[1] != len(names):
        raise ValueError(
            f"the batch has {table.shape[1]} labels for each example; expected those of "
            f"{list(names)}: FewLabelsSampler(label=...) gives them"
        )
    for name, size, column in zip(names, sizes, table.unbind(1), strict=True):
        wrong = (column >= size) | (column < (-1 if unknown else 0))
        if wrong.any():
            row = int(wrong.to(torch.int64).argmax())
            raise ValueError(
                f"labelled example {row} of the batch has the value {int(column[row])} of factor "
                f"{name!r}; expected 0 to {size - 1}"
                + (", or -1 for unknown" if unknown else ": leave out those that are unknown")
            )
