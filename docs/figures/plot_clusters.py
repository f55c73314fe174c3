"""
Clusters of digits
==================

A VAE with a mixture prior of ten components, on scikit-learn's digits. Codes on two principal
components, by the component that is likeliest; a draw of each component below.
"""

from functools import partial

import torch
from sklearn.datasets import load_digits

import untwine as ut

digits = load_digits()
data = ut.FactorDataset.from_arrays(
    torch.from_numpy(digits.images / 16).float()[:, None], digits.target, names=["digit"]
)
adam = partial(torch.optim.Adam, lr=2e-3)
method = ut.methods.GaussianMixtureVAE.build(
    data, latent_dim=6, components=10, net=ut.nets.MLP([128]), optimizer=adam, seed=0
)
ut.fit(method, data, steps=1000, batch_size=64, progress=False)

codes = ut.encode(method, data)
z = torch.from_numpy(codes.mean)
clusters = method.prior.responsibilities(z).argmax(1).numpy()
accuracy = ut.metrics.cluster_accuracy(codes.mean, codes.factors, clusters=clusters)
print(f"{float(accuracy):.2f} of the digits are in the cluster of their class")
figure = ut.plots.cluster_map(codes.mean, clusters, labels=codes.factors[:, 0])

# %%
# Draws of each component:

rows = torch.stack([ut.use.sample(method, 8, {"component": k}) for k in range(10)])
drawn = ut.plots.samples_by_class(rows, title="component")
