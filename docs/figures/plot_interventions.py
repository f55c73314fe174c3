"""
What do(z) moves
================

Each dimension of a trained code is set to several values; which factors of the decoded pictures
answer, in units of the difference of two pictures drawn at random.
"""

from functools import partial

import torch

import untwine as ut
from untwine.data import Downsampled, PairsSampler, Slice
from untwine.methods import KL

data = Downsampled(Slice(ut.data.DSprites(), {"shape": 0, "orientation": 0}))
adam = partial(torch.optim.Adam, lr=2e-3)
net = ut.nets.MLP([128, 128])
method = ut.methods.AdaGVAE.build(
    data, latent_dim=6, changed=1, penalty=KL(2.0), net=net, optimizer=adam, seed=0
)
ut.fit(method, data, sampler=PairsSampler(changed=1), steps=500, batch_size=32, progress=False)
found = ut.use.intervene(method, data, n=60, settings=3)
print(found)
figure = ut.plots.importance(found.effect, found.names)
figure.axes[0].set_xlabel("effect of do(z)")
