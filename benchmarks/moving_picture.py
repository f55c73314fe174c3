"""The moving picture of the README: the demo's knobs turning, with pairs and without.

python benchmarks/moving_picture.py --demo runs/demo --out docs/img/knobs.gif

`untwine demo` makes the folder. Each row is a model, each cell one of its four most active
dimensions, turned to and fro from the code of one observation; a title says which factor tells
most of it.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import untwine as ut
from untwine.evaluation.which import CLEAR, QUIET
from untwine.plots.compute import posterior_span, traverse
from untwine.report.findings import rank

CELL, GAP, TOP, LEFT, LINE = 128, 10, 26, 10, 26
KNOBS, STEPS = 4, 24
INK, MUTED, PAPER = "#1c1c28", "#6b6b7b", "#ffffff"


def kept(demo, arm):
    """The start of an arm that the demo kept: its run has scores."""
    folders = [demo / arm, *sorted(demo.glob(f"{arm}-[0-9]*"))]
    return next(folder for folder in folders if (folder / "scores.json").exists())


def knobs(run, row, seed=0):
    """Pictures ``(K, S, H, W)`` of the most active dimensions, and what each is of."""
    codes = ut.encode(run.method, run.data, 10_000, seed)
    findings = rank(codes)
    dims = list(findings.order)[:KNOBS]
    span = posterior_span(codes.mean, codes.stddev)
    x = run.data.observations([row])
    images = traverse(run.method, x, dims=dims, steps=STEPS, span=span).images[0]
    titles = []
    for j in dims:
        match = findings.match(j)
        clear = match is not None and match[1] >= CLEAR
        off = findings.strength[j] <= QUIET * findings.strength.max()
        titles.append(f"z{j}: {'off' if off else match[0] if clear else 'a mixture'}")
    return torch.as_tensor(images)[:, :, 0].clamp(0, 1).numpy(), titles


def frame(arms, at, font):
    """One frame: a row for each model, a cell for each knob."""
    width = 2 * LEFT + KNOBS * (CELL + GAP) - GAP
    height = len(arms) * (TOP + LINE + CELL + GAP)
    picture = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(picture)
    for i, (title, images, names) in enumerate(arms):
        y = i * (TOP + LINE + CELL + GAP)
        draw.text((LEFT, y + 6), title, INK, font=font)
        for k, name in enumerate(names):
            x = LEFT + k * (CELL + GAP)
            draw.text((x, y + TOP + 5), name, MUTED, font=font)
            cell = Image.fromarray((255 * images[k, at]).astype(np.uint8))
            picture.paste(cell.resize((CELL, CELL), Image.Resampling.BICUBIC), (x, y + TOP + LINE))
    return picture.quantize(32, dither=Image.Dither.NONE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--demo", type=Path, default=Path("runs/demo"))
    parser.add_argument("--out", type=Path, default=Path("docs/img/knobs.gif"))
    parser.add_argument("--row", type=int, default=2700, help="the observation to begin with")
    args = parser.parse_args()
    font = ImageFont.load_default(15)
    arms = []
    for arm, title in (
        (
            "with-pairs",
            "Pairs that differ in one factor, nobody says which: a knob turns one thing",
        ),
        ("without-pairs", "Single images, the same net and budget"),
    ):
        images, names = knobs(ut.Run.load(kept(args.demo, arm)), args.row)
        arms.append((title, images, names))
    way = [*range(STEPS), *range(STEPS - 2, 0, -1)]
    frames = [frame(arms, at, font) for at in way]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(
        args.out, save_all=True, append_images=frames[1:], duration=70, loop=0, optimize=True
    )
    print(f"{args.out}: {args.out.stat().st_size:,} bytes, {len(frames)} frames")


if __name__ == "__main__":
    main()
