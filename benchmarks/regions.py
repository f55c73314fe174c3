"""Directions that move one region of a face: how much of what they change lies elsewhere.

A VAE of 32 dimensions learns Frey's faces (28 x 20 pixels). Regions are the mouth (rows 17 to 24,
columns 4 to 15) and the eyes (rows 8 to 13, columns 3 to 16). Directions are found at the codes of
64 faces; then each is walked from -2 to 2 from 200 other faces, and the share of the squared
change that lies outside of the region is measured. Beside them, the dimension and the global axis
with the least share at the 64 faces.

    python benchmarks/regions.py --seeds 0 1 2

Rows are appended to benchmarks/results/regions.jsonl; what is there is not computed again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from torch.optim import Adam

import untwine as ut
from untwine import diagnostics as d, nets, plots
from untwine.diagnostics.axes import decoded
from untwine.distributions import Gaussian

REGIONS = {"mouth": (slice(17, 25), slice(4, 16)), "eyes": (slice(8, 14), slice(3, 17))}


def leaks(method: Any, z: torch.Tensor, directions: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    """Of walks from all codes, the share of the squared change outside, by direction."""
    shares = []
    for v in directions.T.to(z):
        ends = [decoded(method, z + step * v) for step in (-2.0, 2.0)]
        change = (ends[1] - ends[0]).square()
        shares.append(float(change[..., ~mask].sum() / change.sum()))
    return np.array(shares)


def measured(options: Any, seed: int) -> dict[str, Any]:
    images = np.load(options.data / "frey_faces_28x20.npz")["images"]
    data = ut.FactorDataset.from_arrays(images.astype(np.float32)[:, None] / 255, layout="CHW")
    method = ut.methods.VAE.build(
        data,
        latent_dim=32,
        net=nets.MLP((256, 256)),
        likelihood=Gaussian(0.1),
        optimizer=partial(Adam, lr=1e-3, fused=True),
        seed=seed,
    )
    _, _, cpu = common.timed(
        partial(ut.fit, method, data, steps=options.steps, seed=seed, progress=False)
    )
    rows = np.random.default_rng(seed).permutation(len(data))[:264]
    with torch.no_grad():
        z = method.eval().represent(data.observations(rows)).mean
    found, others = z[:64], z[64:]
    row: dict[str, Any] = {"cpu": round(cpu)}
    for name, where in REGIONS.items():
        mask = torch.zeros(28, 20, dtype=torch.bool)
        mask[where] = True
        region = {
            kind: d.region_axes(method, found, mask, k=3, outside=kind, tolerance=tolerance)
            for kind, tolerance in (("ratio", 0.01), ("null", 0.1))
        }
        plain = {"dimension": torch.eye(32), "axis": d.global_axes(method, found).directions}
        row[name] = {
            kind: round(float(leaks(method, others, axes.directions[:, :1], mask)[0]), 3)
            for kind, axes in region.items()
        }
        row[name]["inside"] = round(float(region["ratio"].strength[0]), 3)
        for kind, directions in plain.items():
            best = leaks(method, found, directions, mask).argmin()
            row[name][kind] = round(float(leaks(method, others, directions[:, [best]], mask)[0]), 3)
        row[name]["pixels"] = round(1 - float(mask.float().mean()), 3)
        if options.pictures and seed == options.seeds[0]:
            images_along = d.walk(method, others[0], region["ratio"], k=3, span=2.0, steps=9)
            labels = [f"{name} {k}: {leak:.0%} outside"
                      for k, leak in enumerate(region["ratio"].leak.tolist())]  # fmt: skip
            figure = plots.direction_grid(
                images_along, labels, mask=mask, values=np.linspace(-2, 2, 9)
            )
            common.save(figure, options.pictures / f"region_{name}.png")
    return row


def report(rows: common.Rows) -> str:
    """The results, as they are read."""
    seeds = [row["seed"] for row in rows]
    text = ["# Directions of a region", "", __doc__.split("\n\n")[1], ""]
    text += [f"`python benchmarks/regions.py --steps {rows[0]['steps']} --seeds "
             f"{' '.join(map(str, seeds))}`", ""]  # fmt: skip
    kinds = ("ratio", "null", "dimension", "axis", "pixels")
    names = ("region, ratio", "region, null", "best dimension", "best global axis",
             "share of the pixels outside")  # fmt: skip
    lines = []
    for region in REGIONS:
        values = np.array([[row[region][kind] for kind in kinds] for row in rows])
        lines.append(
            (
                region,
                *(
                    f"{v.mean():.2f} ({v.min():.2f} to {v.max():.2f})" if k < 4 else f"{v[0]:.2f}"
                    for k, v in enumerate(values.T)
                ),
            )
        )
    text += common.table(("of the squared change, outside", *names), lines)
    text += ["", f"Means over {len(seeds)} seeds, and their range. A training takes "
             f"{np.mean([row['cpu'] for row in rows]):.0f} s of one core."]  # fmt: skip
    return "\n".join(text) + "\n"


def main() -> None:
    folders = {"data": common.SHARED, "results": common.RESULTS}
    parser = common.parser(__doc__, seeds=[0, 1, 2], **folders)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--pictures", type=Path, help="a folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = common.Rows(options.results / "regions.jsonl")
    for seed in options.seeds:
        rows.once({"seed": seed, "steps": options.steps}, lambda seed=seed: measured(options, seed))
    (options.results / "regions.md").write_text(report(rows))


if __name__ == "__main__":
    main()
