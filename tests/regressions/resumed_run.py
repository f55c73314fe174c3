"""A short training in a process of its own; `test_resume` kills it."""

from __future__ import annotations

import lightning.fabric  # noqa: F401  (imported once, in the server that processes are forked from)
import numpy as np
import torch

from untwine.data import FactorDataset
from untwine.methods import BetaTCVAE
from untwine.nets import MLP
from untwine.training import fit


def main(out: str) -> None:
    torch.set_num_threads(1)
    x = np.random.default_rng(0).random((500, 12), dtype=np.float32)
    data = FactorDataset.from_arrays(x)
    method = BetaTCVAE.build(data, latent_dim=4, beta=3.0, net=MLP([16]), seed=2)
    fit(
        method,
        data,
        steps=500,
        batch_size=16,
        seed=5,
        out=out,
        log_every=10,
        checkpoint_every=15,
        progress=False,
    )
