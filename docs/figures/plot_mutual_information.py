"""
Which dimension tells of which factor
=====================================

Two codes of the same two factors: in one each factor has a dimension, the other is the same plane
turned by 45 degrees. Mutual information in nats, and the same codes against the factors, point by
point.
"""

import numpy as np

import untwine as ut

rng = np.random.default_rng(0)
factors = np.stack([rng.integers(0, 4, 2000), rng.integers(0, 6, 2000)], 1)
apart = factors / [3, 5] + 0.03 * rng.normal(size=(2000, 2))
turned = apart @ np.array([[1, 1], [-1, 1]]) / 2**0.5

figures = []
for codes in (apart, turned):
    score = ut.metrics.mig(codes, factors)
    print(f"MIG {float(score):.2f}")
    matrix = score.parts["mutual_information"]
    figures.append(ut.plots.mutual_information(matrix, ["shape", "size"]))

# %%
# The turned code against the factors:

figure = ut.plots.latents_against_factors(turned, factors, ["shape", "size"])
