"""Pictures of the data sets' pages: contact sheets, as `untwine data NAME --out` writes them.

    python benchmarks/sheets.py --fashion FOLDER

Sets whose files are not where `--data` and `--fashion` say are passed over. Pictures are kept in 64
colors, which makes them small; three variants of dSprites share one.
"""

from __future__ import annotations

from pathlib import Path

import common
import numpy as np
from common import few_colors
from PIL import Image

import untwine as ut
from untwine.cli.sheet import write_sheet
from untwine.plots.pictures import mosaic, pictures

IMAGES = common.ROOT / "docs/img"
COLUMNS = 6


def sheet(data: ut.FactorDataset, name: str) -> None:
    """The contact sheet of a set."""
    path = IMAGES / f"{name}.png"
    write_sheet(data, path)
    few_colors(path)


def variants() -> None:
    """Three rows of the same sprites: in color, before noise, on a background."""
    numbers = np.random.default_rng(0).integers(0, 737_280, COLUMNS)
    sets = (ut.data.ColorDSprites(), ut.data.NoisyDSprites(), ut.data.ScreamDSprites())
    cells = np.stack([pictures(data.observations(numbers), leading=1) for data in sets])
    rows = Image.fromarray(mosaic(cells, gap=4))
    white = Image.new("RGB", rows.size, "white")
    white.paste(rows, (0, 0), rows)
    white.save(IMAGES / "dsprites_variants.png")
    few_colors(IMAGES / "dsprites_variants.png", 48)


def main() -> None:
    options = common.parser(__doc__ or "", data=common.SHARED)
    options.add_argument("--fashion", type=Path, help="the folder of Fashion-MNIST's files")
    arguments = options.parse_args()
    sheet(ut.data.DSprites(), "dsprites")
    sheet(ut.data.MovingSprites(), "moving_sprites")
    variants()
    layers = arguments.data / "lpc_sprites_layers.npz"
    if layers.exists():
        sheet(ut.data.LPCSprites(layers), "lpc_sprites")
    if (arguments.data / "mnist_t10k.npz").exists():
        sheet(common.mnist(arguments.data)[1], "mnist")
    if arguments.fashion is not None:
        sheet(ut.data.FashionMNIST("test", arguments.fashion), "fashion_mnist")


if __name__ == "__main__":
    main()
