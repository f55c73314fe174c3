"""
Two strengths, three seeds each
===============================

A penalty's strength against its seed: reconstruction and MIG of six small beta-VAEs, with
intervals of the means. What one run says of a method is little.
"""

from functools import partial

import torch

import untwine as ut
from untwine.data import Downsampled, Slice

data = Downsampled(Slice(ut.data.DSprites(), {"shape": 0, "orientation": 0}))
adam = partial(torch.optim.Adam, lr=2e-3)
loss, score, name = [], [], []
for beta in (1.0, 4.0):
    for seed in range(3):
        method = ut.methods.BetaVAE.build(
            data, latent_dim=4, beta=beta, net=ut.nets.MLP([64]), optimizer=adam, seed=seed
        )
        run = ut.fit(method, data, steps=300, batch_size=32, seed=seed, progress=False)
        codes = ut.encode(method, data, n=1500)
        loss.append(run.log["vae/nll"].iloc[-50:].mean())
        score.append(float(ut.metrics.mig(codes.mean, codes.factors)))
        name.append(f"beta = {beta:g}")
figure = ut.plots.trade_off(loss, score, name, labels=("reconstruction, nats", "MIG"))
