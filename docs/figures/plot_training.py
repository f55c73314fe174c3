"""
A training, its terms, and what each dimension costs
====================================================

A beta-VAE on small squares: every term of the loss by name, then the KL divergence of each
dimension. What is near 0 is off.
"""

from functools import partial

import torch

import untwine as ut
from untwine.data import Downsampled, Slice

data = Downsampled(Slice(ut.data.DSprites(), {"shape": 0, "orientation": 0}))
adam = partial(torch.optim.Adam, lr=2e-3)
method = ut.methods.BetaVAE.build(
    data, latent_dim=8, beta=4.0, net=ut.nets.MLP([128, 128]), optimizer=adam, seed=0
)
run = ut.fit(method, data, steps=400, batch_size=32, progress=False)
curves = ut.plots.training_curves(run.log)

codes = ut.encode(method, data, n=1000)
kl = ut.metrics.dimension_kl(codes.mean, stddev=codes.stddev)
bars = ut.plots.dimension_kl(kl.parts["kl"])

# %%
# Above what it was shown, below what it makes of it:

x = data.observations(range(0, 6144, 620))
figure = ut.plots.reconstructions(x, ut.plots.reconstruct(method, x))
