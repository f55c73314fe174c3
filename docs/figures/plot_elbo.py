"""
Where the bound goes
====================

The parts of the evidence lower bound of a VAE in nats: what is reconstructed, what a code says of
its observation, how far the aggregate posterior is from factorizing, and how far each dimension
is from the prior. Then the angles of the decoder's columns.
"""

from functools import partial

import torch

import untwine as ut
from untwine.data import Downsampled, Slice

data = Downsampled(Slice(ut.data.DSprites(), {"shape": 0, "orientation": 0}))
adam = partial(torch.optim.Adam, lr=2e-3)
method = ut.methods.VAE.build(
    data, latent_dim=4, net=ut.nets.MLP([128, 128]), optimizer=adam, seed=0
)
ut.fit(method, data, steps=400, batch_size=32, progress=False)
figure = ut.plots.elbo_parts(ut.diagnostics.elbo_parts(method, data, n=500))

# %%
# How well the columns of the decoder's Jacobian are at right angles:

found = ut.diagnostics.orthogonality(method, data, n=50)
cosines = ut.plots.column_cosines(found)
