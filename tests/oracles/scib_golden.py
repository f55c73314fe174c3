"""Golden values of scib-metrics 0.5.10 for tests/oracles/test_scib.py.

In an environment of its own (it needs jax): pip install scib-metrics==0.5.10, then

    python tests/oracles/scib_golden.py > tests/oracles/scib.json
"""

import json
import sys

import numpy as np


def world():
    """400 cells of five kinds in three batches; kind 4 is rare and in batch 2 alone."""
    rng = np.random.default_rng(11)
    label = rng.choice(5, 400, p=[0.35, 0.3, 0.2, 0.1, 0.05])
    batch = np.where(label == 4, 2, rng.choice(3, 400, p=[0.5, 0.3, 0.2]))
    centers, shifts = rng.normal(size=(5, 6)), rng.normal(size=(3, 6))
    z = 1.6 * centers[label] + 0.35 * shifts[batch] + rng.normal(size=(400, 6))
    clusters = np.where(rng.random(400) < 0.75, label, rng.integers(0, 6, 400))
    return z, label, batch, clusters


def main():
    import scib_metrics
    from scib_metrics.nearest_neighbors import NeighborsResults

    z, label, batch, _ = world()

    def neighbors(rows, k):
        distance = np.linalg.norm(rows[:, None] - rows[None], axis=2)
        index = np.argsort(distance, axis=1, kind="stable")[:, :k]
        return NeighborsResults(indices=index, distances=np.take_along_axis(distance, index, 1))

    near = neighbors(z, 90)
    kinds, donors = scib_metrics.lisi_knn(near, label), scib_metrics.lisi_knn(near, batch)
    values = {
        "version": scib_metrics.__version__,
        "lisi_label": [round(float(v), 6) for v in kinds[:50]],
        "lisi_batch": [round(float(v), 6) for v in donors[:50]],
        "clisi": float(scib_metrics.clisi_knn(near, label)),
        "ilisi": float(scib_metrics.ilisi_knn(near, batch)),
        "kbet_50": float(scib_metrics.kbet(neighbors(z, 50), batch)[0]),
        "kbet_15": float(scib_metrics.kbet(neighbors(z, 15), batch)[0]),
        "kbet_p": [round(float(p), 6) for p in scib_metrics.kbet(neighbors(z, 50), batch)[2][:50]],
        "kbet_kind_0": float(scib_metrics.kbet(neighbors(z[label == 0], 11), batch[label == 0])[0]),
        "graph_connectivity_15": float(scib_metrics.graph_connectivity(neighbors(z, 15), label)),
        "graph_connectivity_4": float(scib_metrics.graph_connectivity(neighbors(z, 4), label)),
        "isolated_labels": float(scib_metrics.isolated_labels(z, label, batch)),
        "isolated_labels_3": float(scib_metrics.isolated_labels(z, label, batch, iso_threshold=3)),
        "silhouette_label": float(scib_metrics.silhouette_label(z, label)),
        "silhouette_batch": float(scib_metrics.silhouette_batch(z, label, batch)),
    }
    json.dump(values, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
