"""
Knobs of a code
===============

Squares of different size at different places; the model sees pairs that differ in one of the
three. Each row turns one dimension of the code, the most active ones first, and holds all others.
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

codes = ut.encode(method, data, n=1000)
told = ut.use.which(codes)
print(told)
span = ut.plots.posterior_span(codes.mean, codes.stddev)
x = data.observations([3100])
moved = ut.plots.traverse(method, x, steps=9, span=span, dims=told.order)
figure = ut.plots.traversal_grid(moved)
