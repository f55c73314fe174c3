"""
One factor set, and what else moves
===================================

`Controls` learns which dimension or direction follows which factor. First what an edit of the
row's factor does to the column's; then sprites, the same with another place across, and what that
should have looked like.
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

probe = ut.use.Probe.fit(data, steps=200)
controls = ut.use.Controls.fit(method, data, n=2000, probe=probe)
print(controls.table()[["where", "score", "moves itself"]])
shown = [one.where for one in controls.controls]
effects = ut.plots.control_effects(controls.effects, [s.name for s in controls.scales], where=shown)

# %%
# Beside the rendered truth:

found = ut.use.counterfactuals(method, data, controls=controls, probe=False, n=40)
x, _, edited, truth = found.examples["posX"]
figure = ut.plots.counterfactual_grid(x, edited, truth)
