"""The batch types."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch

from untwine.data import Clips, FewLabels, Groups, Images, Indexed, Modalities, Pairs

X = torch.arange(24.0).reshape(6, 4)
BATCHES = [
    Images(X),
    Images(X, c=X[:, :2]),
    Pairs(X, X + 1),
    Groups(X[:, None].expand(-1, 3, -1), torch.ones(6, 2, dtype=torch.bool)),
    FewLabels(X, X[:2], torch.tensor([0, 1])),
    Indexed(X, torch.arange(6), torch.zeros(6, dtype=torch.int64)),
    Clips(X.reshape(6, 2, 2)),
    Modalities({"a": X, "b": X}, {"a": torch.ones(6, dtype=torch.bool)}),
]


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: type(batch).__name__)
def test_length_and_device(batch):
    assert len(batch) == 6
    moved = batch.to("meta", non_blocking=True)
    assert type(moved) is type(batch)
    for name, value in vars(moved).items():
        parts = value.values() if isinstance(value, dict) else [value]
        assert all(part is None or part.device.type == "meta" for part in parts), name


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: type(batch).__name__)
def test_batches_are_frozen(batch):
    with pytest.raises(FrozenInstanceError):
        batch.x = X


def test_halves_are_disjoint_and_equally_long():
    one, two = Images(X, c=X[:, :1]).halves()
    assert torch.equal(one.x, X[:3])
    assert torch.equal(two.x, X[3:])
    assert torch.equal(two.c, X[3:, :1])
    one, two = Images(X[:5]).halves()
    assert (len(one), len(two), two.c) == (2, 2, None)
    with pytest.raises(ValueError, match="batch of 1 cannot be halved"):
        Images(X[:1]).halves()
