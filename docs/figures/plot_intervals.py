"""
Scores with intervals, of two representations
=============================================

The codes of the last page, measured with 90% intervals from half-samples. Metrics that ask for
axes fall when the plane is turned, and those that ask what can be read off do not.
"""

import numpy as np

import untwine as ut

rng = np.random.default_rng(0)
factors = np.stack([rng.integers(0, 4, 2000), rng.integers(0, 6, 2000)], 1)
apart = factors / [3, 5] + 0.03 * rng.normal(size=(2000, 2))
turned = apart @ np.array([[1, 1], [-1, 1]]) / 2**0.5

chosen = ["mig", "dci", "sap", "modularity", "r2", "explicitness"]
values = {metric: {} for metric in chosen}
for name, codes in {"apart": apart, "turned": turned}.items():
    table = ut.evaluate(codes, factors, metrics=chosen, confidence=0.9)
    for metric, score in table.scores.items():
        values[metric][name] = (float(score), *table.intervals[metric]["value"])
figure = ut.plots.intervals(values)
